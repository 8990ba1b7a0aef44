/* The table of data sets, one row each. */
#include <string.h>

#include "data/dataset.h"

#define ROW(name) &gf__format_##name,
#define NAME(name) #name,

const gf__data_format *const gf__data_formats[] = {GF__DATA_FORMATS(ROW)};
const char *const gf__data_format_names[] = {GF__DATA_FORMATS(NAME) NULL};
const size_t gf__data_format_count = sizeof gf__data_formats / sizeof *gf__data_formats;

const gf__data_format *gf__data_format_find(const char *name) {
  for (size_t i = 0; i < gf__data_format_count; i++)
    if (!strcmp(name, gf__data_formats[i]->name)) return gf__data_formats[i];
  return NULL;
}
