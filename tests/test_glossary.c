/* Identifiers use the words of docs/glossary.md: none that it lists as not used, and no type of the
 * library that differs from a public one by an underscore alone. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "support/assert.h"
#include "support/sources.h"
#include "support/test.h"

/* ---- the words ---- */

enum { MOST_WORDS = 64, LONGEST_WORD = 32 };

typedef struct vocabulary {
  char words[MOST_WORDS][LONGEST_WORD]; /* that are not used */
  int count;
  gf__text faults; /* "PATH:LINE: IDENTIFIER\n" each */
} vocabulary;

/* The words of a row's first column, separated by commas. */
static void read_row(vocabulary *v, const char *row) {
  const char *end = strchr(row, '|');
  while (end && row < end) {
    row += strspn(row, " ,");
    size_t length = strcspn(row, ",|");
    while (length && row[length - 1] == ' ') length--;
    if (length == 0) break;
    assert_true(length < LONGEST_WORD && v->count < MOST_WORDS);
    memcpy(v->words[v->count], row, length);
    v->words[v->count++][length] = 0;
    row += strcspn(row, ",|");
  }
}

/* The table under "Words that are not used in names". */
static void read_glossary(vocabulary *v) {
  char *text;
  size_t size;
  assert_ok(gf__file_read(SOURCE_FOLDER "/docs/glossary.md", &text, &size));
  const char *line = strstr(text, "## Words that are not used in names");
  assert_non_null(line);
  while ((line = strchr(line, '\n')) && strncmp(line + 1, "## ", 3) != 0)
    if (*++line == '|' && strncmp(line, "|---", 4) != 0 && strncmp(line, "| not |", 7) != 0)
      read_row(v, line + 1);
  free(text);
}

/* ---- identifiers ---- */

static bool is_unused(const vocabulary *v, const char *word, size_t length) {
  for (int i = 0; i < v->count; i++)
    if (strlen(v->words[i]) == length && !strncmp(v->words[i], word, length)) return true;
  return false;
}

/* Whether one of the words of an identifier, which underscores separate, is not used. */
static bool has_unused_word(const vocabulary *v, const char *identifier, size_t length) {
  char lower[128];
  if (length >= sizeof lower) return false;
  for (size_t i = 0; i < length; i++) lower[i] = (char)tolower((unsigned char)identifier[i]);
  lower[length] = 0;
  for (const char *word = lower; *word; word += strspn(word, "_")) {
    size_t size = strcspn(word, "_");
    if (is_unused(v, word, size)) return true;
    word += size;
  }
  return false;
}

static void check_words(void *user, const char *path, char *text) {
  vocabulary *v = user;
  int line = 1;
  size_t length;
  source_strip(text);
  const char *counted = text;
  for (const char *p = text; (p = source_identifier(p, &length)); p += length) {
    for (; counted < p; counted++) line += *counted == '\n';
    if (has_unused_word(v, p, length))
      gf__text_add(&v->faults, "%s:%d: %.*s\n", path, line, (int)length, p);
  }
}

static void identifiers_use_the_words_of_the_glossary(void **state) {
  (void)state;
  vocabulary v = {.count = 0};
  read_glossary(&v);
  assert_true(v.count >= 10);
  sources_visit(SOURCE_FOLDER, "host", check_words, &v);
  sources_visit(SOURCE_FOLDER, "include", check_words, &v);
  sources_visit(SOURCE_FOLDER, "cl", check_words, &v);
  if (v.faults.size) fail_msg("words that docs/glossary.md lists as not used:\n%s", v.faults.data);
  gf__text_free(&v.faults);
}

static void words_that_are_not_used_are_found(void **state) {
  (void)state;
  vocabulary v = {.count = 0};
  read_row(&v, " slot, part | whichever it is |");
  assert_int_equal(v.count, 2);
  char text[] =
      "int apart, slots;\n/* a part */ int PART_2;\nint grad_slot = 0x5107; f(\"part\");\n";
  check_words(&v, "x.c", text);
  assert_string_equal(v.faults.data, "x.c:2: PART_2\nx.c:3: grad_slot\n");
  gf__text_free(&v.faults);
}

/* ---- twins ---- */

enum { MOST_TYPES = 2048, LONGEST_TYPE = 80 };

typedef struct types {
  char names[MOST_TYPES][LONGEST_TYPE];
  int count;
} types;

/* What a typedef or a struct of the text names, of names that begin with gf_. */
static void add_types(void *user, const char *path, char *text) {
  types *all = user;
  (void)path;
  source_strip(text);
  for (const char *p = text; (p = strstr(p, "gf_")); p++) {
    bool is_start = p == text || (!isalnum((unsigned char)p[-1]) && p[-1] != '_');
    size_t length = 0;
    while (isalnum((unsigned char)p[length]) || p[length] == '_') length++;
    bool is_type = p >= text + 2 && p[length] == ';' && (!strncmp(p - 2, "} ", 2));
    const char *line = p;
    while (line > text && line[-1] != '\n') line--;
    is_type |= !strncmp(line, "typedef ", 8) && (p[length] == ';' || p[length] == ' ');
    if (!is_start || !is_type) continue;
    assert_true(all->count < MOST_TYPES && length < LONGEST_TYPE);
    memcpy(all->names[all->count], p, length);
    all->names[all->count++][length] = 0;
  }
}

static bool has_type(const types *all, const char *name) {
  for (int i = 0; i < all->count; i++)
    if (!strcmp(all->names[i], name)) return true;
  return false;
}

static void no_type_has_a_twin(void **state) {
  (void)state;
  static types public_types, internal_types;
  gf__text faults = {0};
  sources_visit(SOURCE_FOLDER, "include", add_types, &public_types);
  sources_visit(SOURCE_FOLDER, "host", add_types, &internal_types);
  assert_true(public_types.count > 40 && internal_types.count > 100);
  for (int i = 0; i < public_types.count; i++) {
    char twin[LONGEST_TYPE + 1];
    snprintf(twin, sizeof twin, "gf__%s", public_types.names[i] + strlen("gf_"));
    if (strncmp(public_types.names[i], "gf__", 4) != 0 && has_type(&internal_types, twin))
      gf__text_add(&faults, "%s and %s\n", public_types.names[i], twin);
  }
  if (faults.size) fail_msg("types that differ by an underscore:\n%s", faults.data);
  gf__text_free(&faults);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(identifiers_use_the_words_of_the_glossary),
      cmocka_unit_test(words_that_are_not_used_are_found),
      cmocka_unit_test(no_type_has_a_twin),
  };
  return cmocka_run_group_tests_name("glossary", tests, NULL, NULL);
}
