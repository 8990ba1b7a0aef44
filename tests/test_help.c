/* Tables of keys as a text for a terminal and as Markdown. */
#include <stdint.h>
#include <stdlib.h>

#include "base/help.h"
#include "support/test.h"

typedef struct options {
  int epochs, how;
  char *path;
  const gf__value *more;
} options;

static const char *const hows_[] = {"fast", "slow", NULL};
static const gf__key first_[] = {
    {"epochs", GF__KEY_INT, offsetof(options, epochs), "3", 1, 10, NULL, "how long"},
    {"how", GF__KEY_CHOICE, offsetof(options, how), NULL, 0, 0, hows_, "|a| or |b|"},
};
static const gf__key second_[] = {
    {"path", GF__KEY_TEXT, offsetof(options, path), "", 0, 0, NULL, "where"},
    {"more", GF__KEY_SECTION, offsetof(options, more), "", 0, 0, NULL, "what else"},
};

static void write_all(gf__help *help) {
  gf__help_title(help, "train, by %s:", "me");
  gf__help_keys(help, first_, 2);
  gf__help_keys(help, second_, 2);
  gf__help_title(help, "the end");
  gf__help_paragraph(help, "A %s.", "word");
  gf__help_keys(help, second_, 0);
  gf__help_title(help, "names");
  gf__help_head(help, (const char *const[]){"a", "b", NULL});
  gf__help_row(help, (const char *const[]){"1", "", NULL});
}

static void assert_help(bool markdown, const char *expected) {
  gf__help help = {.markdown = markdown};
  char *text;
  write_all(&help);
  assert_int_equal(gf__help_take(&help, &text), GF_OK);
  assert_string_equal(text, expected);
  assert_null(help.text.data);
  free(text);
}

static void a_terminal_gets_columns(void **state) {
  (void)state;
  assert_help(false,
              "train, by me:\n"
              "  epochs  whole number from 1 to 10; default 3\n"
              "          how long\n"
              "  how     one of fast, slow; required\n"
              "          |a| or |b|\n"
              "  path  text; default \"\"\n"
              "        where\n"
              "  more  a section of its own\n"
              "        what else\n"
              "\n"
              "the end\n"
              "\n"
              "names\n");
}

static void markdown_gets_tables(void **state) {
  (void)state;
  assert_help(true,
              "## train, by me\n"
              "\n"
              "| key | value | default | what it is |\n"
              "|---|---|---|---|\n"
              "| `epochs` | whole number from 1 to 10 | `3` | how long |\n"
              "| `how` | one of fast, slow | required | \\|a\\| or \\|b\\| |\n"
              "| `path` | text | `\"\"` | where |\n"
              "| `more` | a section of its own | | what else |\n"
              "\n"
              "## the end\n"
              "\n"
              "A word.\n"
              "\n"
              "## names\n"
              "\n"
              "| a | b |\n"
              "|---|---|\n"
              "| 1 | |\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_terminal_gets_columns),
      cmocka_unit_test(markdown_gets_tables),
  };
  return cmocka_run_group_tests_name("help", tests, NULL, NULL);
}
