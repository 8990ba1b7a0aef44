/* Tables as files: CSV, Markdown, LaTeX. */
#include <string.h>

#include "report/table.h"

/* How a kind of file has its cells. */
typedef struct dialect {
  void (*add)(gf__text *out, const char *text);
  const char *row_begin, *between, *row_end;
} dialect;

static gf_status check_table(const gf__table *table) {
  GF_TRY(gf__text_status(&table->cells));
  if (table->column_count >= 1 && table->cell_count % (size_t)table->column_count == 0)
    return GF_OK;
  return gf__fail(GF_ERROR_ARGUMENT, "%zu cells do not fill the rows of a table of %d columns",
                  table->cell_count, table->column_count);
}

static void add_header(const gf__table *table, const dialect *d, gf__text *out) {
  for (int i = 0; i < table->column_count; i++) {
    gf__text_add(out, "%s", i == 0 ? d->row_begin : d->between);
    d->add(out, table->columns[i].header);
  }
  gf__text_add(out, "%s", d->row_end);
}

static void add_rows(const gf__table *table, const dialect *d, gf__text *out) {
  const char *cell = table->cells.data;
  size_t columns = (size_t)table->column_count;
  for (size_t i = 0; i < table->cell_count; i++, cell += strlen(cell) + 1) {
    gf__text_add(out, "%s", i % columns == 0 ? d->row_begin : d->between);
    d->add(out, cell);
    if (i % columns + 1 == columns) gf__text_add(out, "%s", d->row_end);
  }
}

/* ---- CSV: RFC 4180 ---- */

static void add_csv(gf__text *out, const char *text) {
  if (!strpbrk(text, ",\"\r\n")) {
    gf__text_add(out, "%s", text);
    return;
  }
  gf__text_add(out, "\"");
  for (const char *p = text; *p; p++) gf__text_add(out, *p == '"' ? "\"\"" : "%c", *p);
  gf__text_add(out, "\"");
}

gf_status gf__table_csv(const gf__table *table, gf__text *out) {
  static const dialect csv = {add_csv, "", ",", "\r\n"};
  GF_TRY(check_table(table));
  add_header(table, &csv, out);
  add_rows(table, &csv, out);
  return gf__text_status(out);
}

/* ---- Markdown, with the tables of GitHub ---- */

void gf__markdown_add(gf__text *out, const char *text) {
  for (const char *p = text; *p; p++) {
    bool ends_line = *p == '\n' || *p == '\r';
    if (strchr("\\`*_{}[]<>#|~", *p)) gf__text_add(out, "\\");
    if (*p == '&') /* else "&lt;" would be read as "<" */
      gf__text_add(out, "&amp;");
    else
      gf__text_add(out, "%c", ends_line ? ' ' : *p);
  }
}

gf_status gf__table_markdown(const gf__table *table, gf__text *out) {
  static const dialect markdown = {gf__markdown_add, "| ", " | ", " |\n"};
  GF_TRY(check_table(table));
  add_header(table, &markdown, out);
  for (int i = 0; i < table->column_count; i++)
    gf__text_add(out, "|%s", table->columns[i].right ? "---:" : "---");
  gf__text_add(out, "|\n");
  add_rows(table, &markdown, out);
  return gf__text_status(out);
}

/* ---- LaTeX ---- */

/* What means something else to LaTeX. A "[" or "*" would belong to the "\\" before it. */
static const struct {
  const char *text, *latex;
} specials[] = {{"\\", "\\textbackslash{}"},
                {"{", "\\{"},
                {"}", "\\}"},
                {"$", "\\$"},
                {"&", "\\&"},
                {"#", "\\#"},
                {"%", "\\%"},
                {"_", "\\_"},
                {"~", "\\textasciitilde{}"},
                {"[", "{[}"},
                {"]", "{]}"},
                {"*", "{*}"},
                {"^", "\\textasciicircum{}"},
                {"<", "$<$"},
                {">", "$>$"},
                {"|", "$|$"},
                {"\n", " "},
                {"\r", " "},
                {"±", "$\\pm$"}};

void gf__latex_add(gf__text *out, const char *text) {
  for (const char *p = text; *p;) {
    size_t i = 0, count = sizeof specials / sizeof *specials;
    while (i < count && strncmp(p, specials[i].text, strlen(specials[i].text)) != 0) i++;
    if (i < count)
      gf__text_add(out, "%s", specials[i].latex);
    else
      gf__text_add(out, "%c", *p);
    p += i < count ? strlen(specials[i].text) : 1;
  }
}

gf_status gf__table_latex(const gf__table *table, gf__text *out) {
  static const dialect latex = {gf__latex_add, "", " & ", " \\\\\n"};
  GF_TRY(check_table(table));
  gf__text_add(out, "\\begin{tabular}{");
  for (int i = 0; i < table->column_count; i++)
    gf__text_add(out, "%c", table->columns[i].right ? 'r' : 'l');
  gf__text_add(out, "}\n\\toprule\n");
  add_header(table, &latex, out);
  gf__text_add(out, "\\midrule\n");
  add_rows(table, &latex, out);
  gf__text_add(out, "\\bottomrule\n\\end{tabular}\n");
  return gf__text_status(out);
}
