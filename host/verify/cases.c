#include "verify/cases.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const spaces_ = " \t\r\n";

/* Records the first failure; returns false. */
static bool cases_fail(gf__cases *list, const char *format, ...) {
  if (list->error[0]) return false;
  char text[GF__CASES_LINE];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  snprintf(list->error, sizeof list->error, "%s:%d: %s", list->name, list->line, text);
  return false;
}

/* Cuts text into words at spaces, in place; NULL ends them. */
static bool cases_split(gf__cases *list, char *text, char *words[GF__CASES_WORDS]) {
  int count = 0;
  for (text += strspn(text, spaces_); *text; text += strspn(text, spaces_)) {
    if (count == GF__CASES_WORDS - 1)
      return cases_fail(list, "more than %d words", GF__CASES_WORDS - 1);
    words[count++] = text;
    text += strcspn(text, spaces_);
    if (*text) *text++ = '\0';
  }
  words[count] = NULL;
  return true;
}

static int cases_find_word(char *const *words, const char *word) {
  for (int i = 0; words[i]; i++)
    if (strcmp(words[i], word) == 0) return i;
  return -1;
}

bool gf__cases_open(gf__cases *list, const char *operation) {
  *list = (gf__cases){0};
  snprintf(list->name, sizeof list->name, "%s.txt", operation);
  const gf__embedded *file = gf__case_files;
  while (file->name && strcmp(file->name, list->name) != 0) file++;
  list->next = (const char *)file->bytes;
  return list->next || cases_fail(list, "there is no such list of cases");
}

/* Copies the next line, without its comment, to list->text. */
static bool cases_read_line(gf__cases *list) {
  if (!list->next || !*list->next) return false;
  size_t length = strcspn(list->next, "\n"), kept = strcspn(list->next, "#\r\n");
  list->line++;
  if (length >= sizeof list->text)
    return cases_fail(list, "longer than %d bytes", GF__CASES_LINE - 1);
  memcpy(list->text, list->next, kept);
  list->text[kept] = 0;
  list->next += length + (list->next[length] == '\n');
  return true;
}

static bool cases_parse(gf__cases *list) {
  snprintf(list->words_text, sizeof list->words_text, "%s", list->text);
  if (!cases_split(list, list->words_text, list->words)) return false;
  for (int i = 0; list->words[i]; i++) {
    char *equals = strchr(list->words[i], '=');
    if (!equals || !equals[1]) return cases_fail(list, "'%s' is not key=value", list->words[i]);
    *equals = '\0';
    list->values[i] = equals + 1;
    if (cases_find_word(list->keys, list->words[i]) < 0)
      return cases_fail(list, "'%s' is not in the list's line of keys", list->words[i]);
    if (cases_find_word(list->words, list->words[i]) < i)
      return cases_fail(list, "'%s' is given twice", list->words[i]);
  }
  list->count++;
  return true;
}

bool gf__cases_next(gf__cases *list) {
  while (!list->error[0] && cases_read_line(list)) {
    if (!list->text[strspn(list->text, spaces_)]) continue;
    if (strncmp(list->text, "keys ", 5) != 0) return cases_parse(list);
    snprintf(list->keys_text, sizeof list->keys_text, "%s", list->text + 5);
    if (!cases_split(list, list->keys_text, list->keys)) return false;
  }
  if (!list->error[0] && list->count == 0) return cases_fail(list, "there is no case");
  return false;
}

static const char *cases_value(const gf__cases *list, const char *key) {
  int i = cases_find_word(list->words, key);
  return i < 0 ? NULL : list->values[i];
}

bool gf__cases_has(const gf__cases *list, const char *key) {
  return cases_value(list, key) != NULL;
}

/* Reads an int from text; *end is where it stops, or NULL if there is none. */
static int cases_parse_int(const char *text, char **end) {
  errno = 0;
  long number = strtol(text, end, 10);
  if (*end == text || errno || number < INT_MIN || number > INT_MAX) *end = NULL;
  return (int)number;
}

int gf__cases_int(gf__cases *list, const char *key, int initial) {
  const char *text = cases_value(list, key);
  if (!text) return initial;
  char *end;
  int number = cases_parse_int(text, &end);
  if (end && !*end) return number;
  cases_fail(list, "%s=%s is not an int", key, text);
  return initial;
}

double gf__cases_float(gf__cases *list, const char *key, double initial) {
  const char *text = cases_value(list, key);
  if (!text) return initial;
  char *end;
  double number = strtod(text, &end);
  if (!*end) return number;
  cases_fail(list, "%s=%s is not a number", key, text);
  return initial;
}

bool gf__cases_bool(gf__cases *list, const char *key, bool initial) {
  const char *text = cases_value(list, key);
  if (!text) return initial;
  if (strcmp(text, "true") == 0) return true;
  if (strcmp(text, "false") == 0) return false;
  cases_fail(list, "%s=%s is neither true nor false", key, text);
  return initial;
}

const char *gf__cases_text(const gf__cases *list, const char *key, const char *initial) {
  const char *text = cases_value(list, key);
  return text ? text : initial;
}

void gf__cases_sides(gf__cases *list, const char *key, int out[4]) {
  const char *text = cases_value(list, key);
  int commas = 0;
  for (const char *p = text; p && *p; p++) commas += *p == ',';
  gf__cases_ints(list, key, 0, commas == 3 ? 4 : 2, out);
  if (commas == 3) return;
  out[2] = out[3] = out[1];
  out[1] = out[0];
}

void gf__cases_ints(gf__cases *list, const char *key, int initial, int count, int *out) {
  const char *text = cases_value(list, key), *at = text;
  char *end = NULL;
  int read = 0;
  while (at && read < count) {
    out[read++] = cases_parse_int(at, &end);
    at = end && *end == ',' ? end + 1 : NULL;
  }
  bool is_whole = end && !*end, is_one = is_whole && read == 1;
  if (is_whole && read == count) return;
  if (text && !is_one)
    cases_fail(list, "%s=%s is neither an int nor %d of them between commas", key, text, count);
  int all = is_one ? out[0] : initial;
  for (int i = 0; i < count; i++) out[i] = all;
}
