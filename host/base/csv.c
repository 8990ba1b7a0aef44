#include "base/csv.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/numbers.h"

typedef struct reader {
  const char *path;
  size_t line; /* from 1 */
  char *next;  /* start of the line after this one */
  char *end;   /* just past the last whole line */
  int cell_count;
  char *cells[GF__CSV_MOST_COLUMNS]; /* of this line */
} reader;

static gf_status fail_nul(const reader *r) {
  return gf__fail(GF_ERROR_DATA, "%s:%zu: a NUL byte; this is not a CSV file, or it is damaged",
                  r->path, r->line);
}

/* Reads a cell that begins with a quote, in place, and moves *at to what follows it: a comma or a
 * line end. A quote in the cell is written twice (RFC 4180). */
static gf_status read_quoted(reader *r, char **at) {
  char *out = *at, *p = *at + 1;
  for (; p < r->end; *out++ = *p++) {
    if (*p == '"' && *++p != '"') break;
    if (!*p) return fail_nul(r);
    r->line += *p == '\n';
  }
  if (p < r->end && *p == '\r' && p[1] == '\n') p++;
  if (p >= r->end || (*p != ',' && *p != '\n'))
    return gf__fail(GF_ERROR_DATA, "%s:%zu: a quote is not closed at the end of its cell", r->path,
                    r->line);
  *out = 0;
  *at = p;
  return GF_OK;
}

static gf_status read_plain(const reader *r, char **at) {
  char *p = *at;
  while (*p != ',' && *p != '\n') {
    if (!*p) return fail_nul(r);
    p++;
  }
  if (*p == '\n' && p > *at && p[-1] == '\r') p[-1] = 0;
  *at = p;
  return GF_OK;
}

/* Splits the next line into cells; *found is false past the last line. */
static gf_status read_line(reader *r, bool *found) {
  *found = r->next < r->end;
  if (!*found) return GF_OK;
  char *at = r->next;
  r->line++;
  r->cell_count = 0;
  for (bool has_more = true; has_more; at++) {
    if (r->cell_count == GF__CSV_MOST_COLUMNS)
      return gf__fail(GF_ERROR_DATA, "%s:%zu: more than %d columns", r->path, r->line,
                      GF__CSV_MOST_COLUMNS);
    r->cells[r->cell_count++] = at;
    GF_TRY(*at == '"' ? read_quoted(r, &at) : read_plain(r, &at));
    has_more = *at == ',';
    *at = 0;
  }
  r->next = at;
  return GF_OK;
}

/* Finds the columns in the header. */
static gf_status find_columns(const reader *r, const gf__csv_column *columns, int count,
                              int places[]) {
  for (int i = 0; i < count; i++) {
    places[i] = -1;
    for (int k = 0; k < r->cell_count; k++) {
      if (strcmp(r->cells[k], columns[i].name) != 0) continue;
      if (places[i] >= 0)
        return gf__fail(GF_ERROR_DATA, "%s:1: the column '%s' stands twice", r->path,
                        columns[i].name);
      places[i] = k;
    }
    if (places[i] < 0 && columns[i].kind != GF__CSV_OPTIONAL)
      return gf__fail(GF_ERROR_DATA, "%s:1: no column '%s' among the %d; is this the right file?",
                      r->path, columns[i].name, r->cell_count);
  }
  return GF_OK;
}

static gf_status read_number(const reader *r, const char *column, const char *cell, double *out) {
  char *end;
  *out = strtod(cell, &end);
  bool blank_first = *cell == ' ' || *cell == '\t'; /* strtod skips blanks, a CSV has none */
  if (end == cell || *end || blank_first)
    return gf__fail(GF_ERROR_DATA, "%s:%zu: '%s' in the column '%s' is not a number", r->path,
                    r->line, cell, column);
  return GF_OK;
}

static gf_status allocate(gf__csv *csv, const gf__csv_column *columns, int count, size_t rows) {
  for (int i = 0; i < count; i++) {
    size_t size =
        (rows ? rows : 1) * (columns[i].kind == GF__CSV_TEXT ? sizeof(char *) : sizeof(double));
    void *column = malloc(size);
    if (!column) return gf__fail_host_memory(size);
    if (columns[i].kind == GF__CSV_TEXT)
      csv->texts[i] = column;
    else
      csv->numbers[i] = column;
  }
  return GF_OK;
}

static gf_status read_rows(gf__csv *csv, reader *r, const gf__csv_column *columns, int count) {
  int places[GF__CSV_MOST_COLUMNS], width;
  char missing[] = "nan";
  bool found;
  GF_TRY(read_line(r, &found));
  if (!found)
    return gf__fail(GF_ERROR_DATA, "%s: no header line; the file is empty or was cut off", r->path);
  GF_TRY(find_columns(r, columns, count, places));
  width = r->cell_count;
  size_t most = 0;
  for (const char *p = r->next; p < r->end; p++) most += *p == '\n';
  /* Each cell ends with a byte of its own. */
  most = GF__MIN(most, (size_t)(r->end - r->next) / (size_t)width);
  GF_TRY(allocate(csv, columns, count, most));
  for (;; csv->rows++) {
    GF_TRY(read_line(r, &found));
    if (!found) return GF_OK;
    if (r->cell_count != width)
      return gf__fail(GF_ERROR_DATA, "%s:%zu: %d cells, but the header has %d", r->path, r->line,
                      r->cell_count, width);
    for (int i = 0; i < count; i++) {
      char *cell = places[i] < 0 ? missing : r->cells[places[i]];
      if (columns[i].kind == GF__CSV_TEXT)
        csv->texts[i][csv->rows] = cell;
      else
        GF_TRY(read_number(r, columns[i].name, cell, &csv->numbers[i][csv->rows]));
    }
  }
}

gf_status gf__csv_read(gf__csv *out, const char *path, const gf__csv_column *columns, int count) {
  *out = (gf__csv){0};
  if (count < 1 || count > GF__CSV_MOST_COLUMNS)
    return gf__fail(GF_ERROR_ARGUMENT, "%d columns were asked of %s: must be 1 to %d", count, path,
                    GF__CSV_MOST_COLUMNS);
  size_t size;
  GF_TRY(gf__file_read_within(path, GF__CSV_LARGEST, &out->content, &size));
  while (size && out->content[size - 1] != '\n') size--;
  reader r = {.path = path, .next = out->content, .end = out->content + size};
  gf_status status = read_rows(out, &r, columns, count);
  if (status != GF_OK) gf__csv_free(out);
  return status;
}

void gf__csv_add_text(gf__text *out, const char *text) {
  if (!text[strcspn(text, ",\"\r\n")]) {
    gf__text_add(out, "%s", text);
    return;
  }
  gf__text_add(out, "\"");
  for (const char *c = text; *c; c++) gf__text_add(out, *c == '"' ? "\"\"" : "%c", *c);
  gf__text_add(out, "\"");
}

void gf__csv_free(gf__csv *csv) {
  for (int i = 0; i < GF__CSV_MOST_COLUMNS; i++) {
    free(csv->numbers[i]);
    free(csv->texts[i]);
  }
  free(csv->content);
  *csv = (gf__csv){0};
}
