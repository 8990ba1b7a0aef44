#include "verify/cases.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const spaces_ = " \t\r\n";

/* Records the first failure; returns false. */
static bool fail(gf__cases *list, const char *format, ...) {
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
static bool split(gf__cases *list, char *text, char *words[GF__CASES_WORDS]) {
  int count = 0;
  for (text += strspn(text, spaces_); *text; text += strspn(text, spaces_)) {
    if (count == GF__CASES_WORDS - 1) return fail(list, "more than %d words", GF__CASES_WORDS - 1);
    words[count++] = text;
    text += strcspn(text, spaces_);
    if (*text) *text++ = '\0';
  }
  words[count] = NULL;
  return true;
}

static int find(char *const *words, const char *word) {
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
  return list->next || fail(list, "there is no such list of cases");
}

/* Copies the next line, without its comment, to list->text. */
static bool next_line(gf__cases *list) {
  if (!list->next || !*list->next) return false;
  size_t length = strcspn(list->next, "\n"), kept = strcspn(list->next, "#\r\n");
  list->line++;
  if (length >= sizeof list->text) return fail(list, "longer than %d bytes", GF__CASES_LINE - 1);
  memcpy(list->text, list->next, kept);
  list->text[kept] = 0;
  list->next += length + (list->next[length] == '\n');
  return true;
}

static bool parse_case(gf__cases *list) {
  snprintf(list->words_text, sizeof list->words_text, "%s", list->text);
  if (!split(list, list->words_text, list->words)) return false;
  for (int i = 0; list->words[i]; i++) {
    char *equals = strchr(list->words[i], '=');
    if (!equals || !equals[1]) return fail(list, "'%s' is not key=value", list->words[i]);
    *equals = '\0';
    list->values[i] = equals + 1;
    if (find(list->keys, list->words[i]) < 0)
      return fail(list, "'%s' is not in the list's line of keys", list->words[i]);
    if (find(list->words, list->words[i]) < i)
      return fail(list, "'%s' is given twice", list->words[i]);
  }
  list->count++;
  return true;
}

bool gf__cases_next(gf__cases *list) {
  while (!list->error[0] && next_line(list)) {
    if (!list->text[strspn(list->text, spaces_)]) continue;
    if (strncmp(list->text, "keys ", 5) != 0) return parse_case(list);
    snprintf(list->keys_text, sizeof list->keys_text, "%s", list->text + 5);
    if (!split(list, list->keys_text, list->keys)) return false;
  }
  if (!list->error[0] && list->count == 0) return fail(list, "there is no case");
  return false;
}

static const char *value(const gf__cases *list, const char *key) {
  int i = find(list->words, key);
  return i < 0 ? NULL : list->values[i];
}

bool gf__cases_has(const gf__cases *list, const char *key) { return value(list, key) != NULL; }

/* Reads an int from text; *end is where it stops, or NULL if there is none. */
static int read_int(const char *text, char **end) {
  errno = 0;
  long number = strtol(text, end, 10);
  if (*end == text || errno || number < INT_MIN || number > INT_MAX) *end = NULL;
  return (int)number;
}

int gf__cases_int(gf__cases *list, const char *key, int initial) {
  const char *text = value(list, key);
  if (!text) return initial;
  char *end;
  int number = read_int(text, &end);
  if (end && !*end) return number;
  fail(list, "%s=%s is not an int", key, text);
  return initial;
}

double gf__cases_float(gf__cases *list, const char *key, double initial) {
  const char *text = value(list, key);
  if (!text) return initial;
  char *end;
  double number = strtod(text, &end);
  if (!*end) return number;
  fail(list, "%s=%s is not a number", key, text);
  return initial;
}

bool gf__cases_bool(gf__cases *list, const char *key, bool initial) {
  const char *text = value(list, key);
  if (!text) return initial;
  if (strcmp(text, "true") == 0) return true;
  if (strcmp(text, "false") == 0) return false;
  fail(list, "%s=%s is neither true nor false", key, text);
  return initial;
}

void gf__cases_pair(gf__cases *list, const char *key, int initial, int out[2]) {
  out[0] = out[1] = initial;
  const char *text = value(list, key);
  if (!text) return;
  char *end;
  int first = read_int(text, &end), second = first;
  if (end && *end == ',') second = read_int(end + 1, &end);
  if (!end || *end) {
    fail(list, "%s=%s is neither an int nor two, as in 3,2", key, text);
    return;
  }
  out[0] = first;
  out[1] = second;
}
