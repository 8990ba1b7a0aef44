/* A run's CSV files. */
#define _XOPEN_SOURCE 700
#include "base/csv.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const gf__csv_column columns[] = {{"epoch", false}, {"layer", true}, {"l2", false}};
  gf__csv csv;
  size_t length = 0;
  if (gf__csv_read(&csv, fuzz_file("a.csv", data, size), columns, 3) != GF_OK) return 0;
  for (size_t i = 0; i < csv.rows; i++) length += strlen(csv.texts[1][i]);
  if (length > size) fuzz_fail("cells overlap");
  gf__csv_free(&csv);
  return 0;
}
