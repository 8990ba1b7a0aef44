#include "report/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/utf8.h"

enum { BETWEEN = 2, NARROWEST = 8 };

void gf__table_add(gf__table *table, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *cell = length >= 0 ? malloc((size_t)length + 1) : NULL;
  if (cell) {
    vsnprintf(cell, (size_t)length + 1, format, again);
    gf__text_add_bytes(&table->cells, cell, (size_t)length + 1);
    table->cell_count++;
  } else {
    table->cells.failed = true;
  }
  va_end(again);
  free(cell);
}

static const char *next_cell(const char *cell) { return cell + strlen(cell) + 1; }

static int total_width(const int widths[], int count) {
  int total = BETWEEN * (count - 1);
  for (int i = 0; i < count; i++) total += widths[i];
  return total;
}

/* Narrows the widest columns of text, one by one, until the table fits. */
static void fit(const gf__table *table, int widths[], int width) {
  while (total_width(widths, table->column_count) > width) {
    int widest = -1;
    for (int i = 0; i < table->column_count; i++)
      if (!table->columns[i].right && widths[i] > NARROWEST &&
          (widest < 0 || widths[i] > widths[widest]))
        widest = i;
    if (widest < 0) return;
    widths[widest]--;
  }
}

/* Appends as much of the text as fits into width, the rest as "…"; returns its columns. */
static int add_shortened(gf__text *out, const char *text, int width) {
  bool whole = gf__utf8_width(text) <= width;
  int used = 0, room = whole ? width : width - 1;
  for (;;) {
    const char *start = text;
    uint32_t code = gf__utf8_next(&text);
    int columns = gf__utf8_columns(code);
    if (!code || used + columns > room) break;
    /* What a terminal could obey does not reach it. */
    if (code == GF__REPLACEMENT)
      gf__text_add(out, "\xef\xbf\xbd");
    else
      gf__text_add_bytes(out, start, (size_t)(text - start));
    used += columns;
  }
  if (!whole) gf__text_add(out, "…");
  return used + !whole;
}

static void add_cell(const gf__table *table, const int widths[], int column, const char *text,
                     gf__text *out) {
  bool last = column + 1 == table->column_count, right = table->columns[column].right;
  int used = gf__utf8_width(text), pad = used < widths[column] ? widths[column] - used : 0;
  if (right) gf__text_add(out, "%*s", pad, "");
  used = add_shortened(out, text, widths[column]);
  pad = right ? 0 : widths[column] - used;
  if (!last) gf__text_add(out, "%*s", pad + BETWEEN, "");
}

static void add_rule(const int widths[], int count, gf__text *out) {
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < widths[i]; k++) gf__text_add(out, "-");
    gf__text_add(out, "%s", i + 1 < count ? "  " : "\n");
  }
}

gf_status gf__table_text(const gf__table *table, int width, gf__text *out) {
  GF_TRY(gf__text_status(&table->cells));
  size_t count = (size_t)table->column_count;
  if (table->column_count < 1 || table->cell_count % count)
    return gf__fail(GF_ERROR_ARGUMENT, "%zu cells do not fill the rows of a table of %d columns",
                    table->cell_count, table->column_count);
  int *widths = malloc(count * sizeof *widths);
  if (!widths) return gf__fail_host_memory(count * sizeof *widths);
  for (size_t i = 0; i < count; i++) widths[i] = gf__utf8_width(table->columns[i].header);
  const char *cell = table->cells.data;
  for (size_t i = 0; i < table->cell_count; i++, cell = next_cell(cell)) {
    int used = gf__utf8_width(cell);
    if (used > widths[i % count]) widths[i % count] = used;
  }
  fit(table, widths, width);
  for (int i = 0; i < table->column_count; i++)
    add_cell(table, widths, i, table->columns[i].header, out);
  gf__text_add(out, "\n");
  add_rule(widths, table->column_count, out);
  cell = table->cells.data;
  for (size_t i = 0; i < table->cell_count; i++, cell = next_cell(cell)) {
    add_cell(table, widths, (int)(i % count), cell, out);
    if (i % count + 1 == count) gf__text_add(out, "\n");
  }
  free(widths);
  return gf__text_status(out);
}

void gf__table_free(gf__table *table) {
  gf__text_free(&table->cells);
  table->cell_count = 0;
}
