/* A small table as text, for a terminal.
 *
 *   static const gf__table_column columns[] = {{"layer", false}, {"parameters", true}};
 *   gf__table table = {.columns = columns, .column_count = 2};
 *   gf__table_add(&table, "%s", name);
 *   gf__table_add(&table, "%zu", count);
 *   gf_status status = gf__table_text(&table, 80, &text);
 *   gf__table_free(&table);
 */
#ifndef GF_REPORT_TABLE_H
#define GF_REPORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

typedef struct gf__table_column {
  const char *header;
  bool right; /* aligned to the right, as numbers are */
} gf__table_column;

/* Name the columns, zero the rest. */
typedef struct gf__table {
  const gf__table_column *columns;
  int column_count;
  size_t cell_count;
  gf__text cells; /* the texts one after another, each with its NUL */
} gf__table;

/* Appends the next cell, row by row. A failed allocation is reported by gf__table_text. */
void gf__table_add(gf__table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends header, rule and rows to out, a line each. Where they are wider than
 * width columns, texts in the widest columns aligned to the left are shortened, each to
 * no less than 8. GF_ERROR_ARGUMENT for a last row that is not whole. */
gf_status gf__table_text(const gf__table *table, int width, gf__text *out) GF_MUST_USE;

/* The same as files have it: RFC 4180 CSV, a Markdown table, a LaTeX tabular (booktabs), with
 * what is special there escaped. */
gf_status gf__table_csv(const gf__table *table, gf__text *out) GF_MUST_USE;
gf_status gf__table_markdown(const gf__table *table, gf__text *out) GF_MUST_USE;
gf_status gf__table_latex(const gf__table *table, gf__text *out) GF_MUST_USE;
/* Appends a text for a paragraph of such a file; line ends become spaces. */
void gf__markdown_add(gf__text *out, const char *text);
void gf__latex_add(gf__text *out, const char *text);

void gf__table_free(gf__table *table); /* the cells; the table may be filled again */

#endif
