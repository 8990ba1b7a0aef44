/* A file of results: read, written, read again, and compared with itself in tables. */
#define _XOPEN_SOURCE 700
#include <gradflow/bench.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char path[512], again[512];
  gf_bench *bench, *copy;
  char *text, *json, *same;
  int failed;
  snprintf(path, sizeof path, "%s", fuzz_file("a.json", data, size));
  snprintf(again, sizeof again, "%s", fuzz_path("b.json"));
  if (gf_bench_load(&bench, path) != GF_OK) return 0;
  if (gf_bench_json(bench, &json) != GF_OK) fuzz_fail("no JSON");
  fuzz_file("b.json", json, strlen(json));
  if (gf_bench_load(&copy, again) != GF_OK) fuzz_fail("what was written is not read");
  if (gf_bench_json(copy, &same) != GF_OK) fuzz_fail("no JSON again");
  if (strcmp(json, same) != 0) fuzz_fail("what was read is not the same");
  if (gf_bench_text(bench, &text) != GF_OK) fuzz_fail("no tables");
  free(text);
  gf_bench_compare_options to = {.fail_below = 1};
  if (gf_bench_compare((const char *const[]){path, again}, 2, &to, &text, &failed) == GF_OK) {
    if (failed) fuzz_fail("slower than itself");
    free(text);
  }
  free(json);
  free(same);
  gf_bench_free(&bench);
  gf_bench_free(&copy);
  return 0;
}
