/* The results of a device as tables. */
#ifndef GF_BENCH_TABLES_H
#define GF_BENCH_TABLES_H

#include <gradflow/bench.h>

#include "report/table.h"

enum { GF__BENCH_COLUMNS = 7, GF__BENCH_WIDTH = 80 };

/* Cells with the columns that they stand in. Free the table. */
typedef struct gf__bench_sheet {
  gf__table table;
  gf__table_column columns[GF__BENCH_COLUMNS];
  char headers[2][sizeof((gf_device_info *)0)->name];
} gf__bench_sheet;

/* The device, its limits, and what was compiled. */
void gf__bench_card(gf__bench_sheet *out, const gf_bench_device *device);
void gf__bench_operation_rows(gf__bench_sheet *out, const gf_bench_device *device);
void gf__bench_step_rows(gf__bench_sheet *out, const gf_bench_device *device);

/* Begins a sheet of the columns, which end in a row without a header. */
void gf__bench_sheet_begin(gf__bench_sheet *out, const gf__table_column *columns);
/* Appends the sheet as text behind an empty line, and frees its table. */
gf_status gf__bench_sheet_end(gf__bench_sheet *sheet, gf__text *out) GF_MUST_USE;

/* Three digits: "0.00123", "1.23", "123", "12345". */
gf__short_text gf__bench_number(double value);

#endif
