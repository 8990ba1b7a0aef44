/* Which rows of gradients.csv are of weights, where their names do not say it. */
#ifndef GF_RUN_WEIGHT_ROWS_H
#define GF_RUN_WEIGHT_ROWS_H

#include "base/csv.h"

/* The column is_weight, which other frameworks write: (rows) numbers, 0 for what is no weight, in
 * *csv, which gf__csv_free frees. A file without the column leaves it empty. */
gf_status gf__weight_rows_read(gf__csv *csv, const char *path) GF_MUST_USE;

#endif
