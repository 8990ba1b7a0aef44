#include "run/weight_rows.h"

#include <stdio.h>
#include <string.h>

static const char column_name[] = "is_weight";

/* Whether the first line of the file has the column. */
static bool has_column(const char *path) {
  char line[4096] = "";
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  bool is_read = fgets(line, sizeof line, file) != NULL;
  fclose(file);
  if (!is_read) return false;
  for (const char *cell = line; *cell; cell += strcspn(cell, ","), cell += *cell == ',') {
    size_t length = strcspn(cell, ",\r\n");
    if (length == strlen(column_name) && strncmp(cell, column_name, length) == 0) return true;
  }
  return false;
}

gf_status gf__weight_rows_read(gf__csv *csv, const char *path) {
  const gf__csv_column columns[] = {{.name = column_name}};
  *csv = (gf__csv){0};
  return has_column(path) ? gf__csv_read(csv, path, columns, 1) : GF_OK;
}
