/* Tables of numbers and names from CSV files, read strictly: a plot of half a
 * file must not look like a plot of the whole. */
#ifndef GF_BASE_CSV_H
#define GF_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

enum { GF__CSV_MOST_COLUMNS = 64 };
/* Bytes of a file; its numbers take about as much again. */
static const size_t GF__CSV_LARGEST = (size_t)2 << 30;

typedef enum gf__csv_kind {
  GF__CSV_NUMBER, /* NaN and infinities among them */
  GF__CSV_TEXT,
  GF__CSV_OPTIONAL /* numbers, all NaN where the file has no such column */
} gf__csv_kind;

/* A column to read; the file may have others, in any order. */
typedef struct gf__csv_column {
  const char *name;
  gf__csv_kind kind;
} gf__csv_column;

/* Row r is line r + 2 of the file, unless a quoted cell before it has line breaks. */
typedef struct gf__csv {
  size_t rows;
  double *numbers[GF__CSV_MOST_COLUMNS]; /* (rows) by the order asked for; NULL for text */
  char **texts[GF__CSV_MOST_COLUMNS];    /* (rows) by the same order; NULL for numbers */
  char *content;                         /* of the file, which the texts point into */
} gf__csv;

/* Reads the columns of the file at path; free the result with gf__csv_free. A
 * last line without a line end is a write that was cut off, and is left out.
 * GF_ERROR_FILE if it cannot be read; GF_ERROR_DATA, with path and line, for a
 * missing or repeated column, a row of another length, or a cell that is no number. */
gf_status gf__csv_read(gf__csv *out, const char *path, const gf__csv_column *columns,
                       int count) GF_MUST_USE;
/* Appends a cell, in quotes where it has a comma, a quote or a line break (RFC 4180). */
void gf__csv_add_text(gf__text *out, const char *text);
void gf__csv_free(gf__csv *csv); /* clears; an empty one is fine */

#endif
