#include "cases.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const spaces_ = " \t\r\n";

/* Records the first failure; returns false. */
static bool fail(cases *list, const char *format, ...) {
  if (list->error[0]) return false;
  char text[CASES_LINE];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  snprintf(list->error, sizeof list->error, "%s:%d: %s", list->path, list->line, text);
  return false;
}

/* Cuts text into words at spaces, in place; NULL ends them. */
static bool split(cases *list, char *text, char *words[CASES_WORDS]) {
  int count = 0;
  for (char *word = strtok(text, spaces_); word; word = strtok(NULL, spaces_)) {
    if (count == CASES_WORDS - 1) return fail(list, "more than %d words", CASES_WORDS - 1);
    words[count++] = word;
  }
  words[count] = NULL;
  return true;
}

static int find(char *const *words, const char *word) {
  for (int i = 0; words[i]; i++)
    if (strcmp(words[i], word) == 0) return i;
  return -1;
}

bool cases_open(cases *list, const char *folder, const char *operation) {
  *list = (cases){0};
  int length = snprintf(list->path, sizeof list->path, "%s/%s.txt", folder, operation);
  if (length >= (int)sizeof list->path) return fail(list, "the path is too long");
  list->file = fopen(list->path, "r");
  return list->file || fail(list, "cannot be opened: %s", strerror(errno));
}

void cases_close(cases *list) {
  if (list->file) fclose(list->file);
  list->file = NULL;
}

static bool parse_case(cases *list) {
  snprintf(list->words_text, sizeof list->words_text, "%s", list->text);
  if (!split(list, list->words_text, list->words)) return false;
  for (int i = 0; list->words[i]; i++) {
    char *equals = strchr(list->words[i], '=');
    if (!equals || !equals[1]) return fail(list, "'%s' is not key=value", list->words[i]);
    *equals = '\0';
    list->values[i] = equals + 1;
    if (find(list->keys, list->words[i]) < 0)
      return fail(list, "'%s' is not in the file's line of keys", list->words[i]);
    if (find(list->words, list->words[i]) < i)
      return fail(list, "'%s' is given twice", list->words[i]);
  }
  list->count++;
  return true;
}

bool cases_next(cases *list) {
  while (!list->error[0] && fgets(list->text, sizeof list->text, list->file)) {
    list->line++;
    if (!strchr(list->text, '\n') && !feof(list->file))
      return fail(list, "longer than %d bytes", CASES_LINE - 2);
    list->text[strcspn(list->text, "#\r\n")] = '\0';
    if (!list->text[strspn(list->text, spaces_)]) continue;
    if (strncmp(list->text, "keys ", 5) != 0) return parse_case(list);
    snprintf(list->keys_text, sizeof list->keys_text, "%s", list->text + 5);
    if (!split(list, list->keys_text, list->keys)) return false;
  }
  if (!list->error[0] && list->count == 0) return fail(list, "there is no case");
  return false;
}

static const char *value(const cases *list, const char *key) {
  int i = find(list->words, key);
  return i < 0 ? NULL : list->values[i];
}

bool cases_has(const cases *list, const char *key) { return value(list, key) != NULL; }

/* Reads an int from text; *end is where it stops, or NULL if there is none. */
static int read_int(const char *text, char **end) {
  errno = 0;
  long number = strtol(text, end, 10);
  if (*end == text || errno || number < INT_MIN || number > INT_MAX) *end = NULL;
  return (int)number;
}

int cases_int(cases *list, const char *key, int initial) {
  const char *text = value(list, key);
  if (!text) return initial;
  char *end;
  int number = read_int(text, &end);
  if (end && !*end) return number;
  fail(list, "%s=%s is not an int", key, text);
  return initial;
}

double cases_float(cases *list, const char *key, double initial) {
  const char *text = value(list, key);
  if (!text) return initial;
  char *end;
  double number = strtod(text, &end);
  if (!*end) return number;
  fail(list, "%s=%s is not a number", key, text);
  return initial;
}

bool cases_bool(cases *list, const char *key, bool initial) {
  const char *text = value(list, key);
  if (!text) return initial;
  if (strcmp(text, "true") == 0) return true;
  if (strcmp(text, "false") == 0) return false;
  fail(list, "%s=%s is neither true nor false", key, text);
  return initial;
}

void cases_pair(cases *list, const char *key, int initial, int out[2]) {
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
