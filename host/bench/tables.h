/* The results of a device as tables. */
#ifndef GF_BENCH_TABLES_H
#define GF_BENCH_TABLES_H

#include <gradflow/bench.h>

#include "report/table.h"

enum { GF__BENCH_COLUMNS = 7, GF__BENCH_WIDTH = 80 };

/* A table with its columns. Free the table. */
typedef struct gf__bench_sheet {
  gf__table table;
  gf__table_column columns[GF__BENCH_COLUMNS];
  char headers[2][sizeof((gf_device_info *)0)->name];
} gf__bench_sheet;

/* The device, its limits, and what was compiled. */
void gf__bench_card(gf__bench_sheet *out, const gf_bench_device *device);
/* The device's rows of that kind. */
void gf__bench_rows(gf__bench_sheet *out, const gf_bench_device *device, gf_bench_kind kind);
const char *gf__bench_kind_name(gf_bench_kind kind); /* "training step" */
/* Whether the quartiles are so far apart that the row is not fit to compare. */
bool gf__bench_is_noisy(const gf_bench_row *row);
/* Whether the intervals between the quartiles of the two overlap: no difference was measured. */
bool gf__bench_overlaps(const gf_bench_row *a, const gf_bench_row *b);
/* Appends how many rows are noisy, or nothing where none is. */
void gf__bench_add_noise(gf__text *out, const gf_bench_device *device);

/* An empty sheet of the columns, which end in a row without a header. */
void gf__bench_sheet_init(gf__bench_sheet *out, const gf__table_column *columns);
/* Appends an empty line and the sheet as text, unless it has no row, and frees its table. */
gf_status gf__bench_sheet_end(gf__bench_sheet *sheet, gf__text *out) GF_MUST_USE;

/* Three digits: "0.00123", "1.23", "123", "12345". */
gf__short_text gf__bench_number(double value);

#endif
