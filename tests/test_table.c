/* Tables as files: CSV, Markdown and LaTeX, with everything that is special there. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "report/table.h"
#include "support/test.h"

typedef gf_status writer(const gf__table *table, gf__text *out);

static const gf__table_column columns_[] = {{"name", false}, {"a_b|c,%", true}};

/* Two rows of two cells. */
static void check(writer *write, const char *const cells[4], const char *expected) {
  gf__table table = {.columns = columns_, .column_count = 2};
  gf__text text = {0};
  for (int i = 0; i < 4; i++) gf__table_add(&table, "%s", cells[i]);
  assert_int_equal(write(&table, &text), GF_OK);
  assert_string_equal(text.data, expected);
  gf__text_free(&text);
  gf__table_free(&table);
}

static void csv_is_that_of_rfc_4180(void **state) {
  (void)state;
  check(gf__table_csv, (const char *const[]){"plain", "1.5", "", "a b"},
        "name,\"a_b|c,%\"\r\nplain,1.5\r\n,a b\r\n");
  check(gf__table_csv, (const char *const[]){"a,b", "say \"x\"", "two\nlines", "cr\r"},
        "name,\"a_b|c,%\"\r\n\"a,b\",\"say \"\"x\"\"\"\r\n\"two\nlines\",\"cr\r\"\r\n");
  check(gf__table_csv, (const char *const[]){"77.2 ± 0.6", "\"", "%d%s", "=1"},
        "name,\"a_b|c,%\"\r\n77.2 ± 0.6,\"\"\"\"\r\n%d%s,=1\r\n");
}

static void markdown_keeps_its_cells(void **state) {
  (void)state;
  check(gf__table_markdown, (const char *const[]){"a|b", "77.2 ± 0.6", "*x* _y_", "`c` \\ <i>"},
        "| name | a\\_b\\|c,% |\n"
        "|---|---:|\n"
        "| a\\|b | 77.2 ± 0.6 |\n"
        "| \\*x\\* \\_y\\_ | \\`c\\` \\\\ \\<i\\> |\n");
  check(gf__table_markdown, (const char *const[]){"two\nlines", "&lt;", "[x](y)", "# ~~{z}~~"},
        "| name | a\\_b\\|c,% |\n"
        "|---|---:|\n"
        "| two lines | &amp;lt; |\n"
        "| \\[x\\](y) | \\# \\~\\~\\{z\\}\\~\\~ |\n");
}

#define LATEX_BEGIN                   \
  "\\begin{tabular}{lr}\n\\toprule\n" \
  "name & a\\_b$|$c,\\% \\\\\n\\midrule\n"
#define LATEX_END "\\bottomrule\n\\end{tabular}\n"

static void latex_keeps_its_cells(void **state) {
  (void)state;
  check(gf__table_latex, (const char *const[]){"77.2 ± 0.6", "100%", "a & b", "$x_1^2$"},
        LATEX_BEGIN
        "77.2 $\\pm$ 0.6 & 100\\% \\\\\n"
        "a \\& b & \\$x\\_1\\textasciicircum{}2\\$ \\\\\n" LATEX_END);
  /* "\\[" and "\\*" at the end of a row would take what begins the next one. */
  check(gf__table_latex, (const char *const[]){"[1]", "#{}", "* chance", "\\ ~ <>\n."},
        LATEX_BEGIN
        "{[}1{]} & \\#\\{\\} \\\\\n"
        "{*} chance & \\textbackslash{} \\textasciitilde{} $<$$>$ . \\\\\n" LATEX_END);
}

static void texts_of_paragraphs(void **state) {
  (void)state;
  gf__text text = {0};
  gf__markdown_add(&text, "1_2\n±");
  assert_string_equal(text.data, "1\\_2 ±");
  gf__text_free(&text);
  gf__latex_add(&text, "1_2\n±");
  assert_string_equal(text.data, "1\\_2 $\\pm$");
  gf__text_free(&text);
}

static void a_row_that_is_not_whole_is_refused(void **state) {
  (void)state;
  static writer *const writers[] = {gf__table_csv, gf__table_markdown, gf__table_latex};
  for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
    gf__table table = {.columns = columns_, .column_count = 2};
    gf__text text = {0};
    for (int k = 0; k < 3; k++) gf__table_add(&table, "x");
    assert_int_equal(writers[i](&table, &text), GF_ERROR_ARGUMENT);
    assert_string_equal(gf_error_message(), "3 cells do not fill the rows of a table of 2 columns");
    gf__text_free(&text);
    gf__table_free(&table);
  }
}

static void a_table_without_rows_has_its_header(void **state) {
  (void)state;
  gf__table table = {.columns = columns_, .column_count = 1};
  gf__text text = {0};
  assert_int_equal(gf__table_csv(&table, &text), GF_OK);
  assert_string_equal(text.data, "name\r\n");
  gf__text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(csv_is_that_of_rfc_4180),
      cmocka_unit_test(markdown_keeps_its_cells),
      cmocka_unit_test(latex_keeps_its_cells),
      cmocka_unit_test(texts_of_paragraphs),
      cmocka_unit_test(a_row_that_is_not_whole_is_refused),
      cmocka_unit_test(a_table_without_rows_has_its_header),
  };
  return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
