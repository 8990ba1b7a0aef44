/* An ONNX model, with an external file beside it, as a run folder. */
#define _XOPEN_SOURCE 700
#include <gradflow/convert.h>

#include "convert/onnx/walk.h"
#include "fuzz.h"

static void fuzz_walk(const char *path) {
  gf__onnx_file file = {0};
  gf__importing im = {.file = &file};
  int logits = -1;
  gf_status status = gf__onnx_file_open(&file, path);
  if (status == GF_OK) status = gf__import_walk(&im, (gf_image_shape){8, 8, 3}, &logits);
  if (status == GF_OK && (logits < 0 || logits >= im.layer_count)) fuzz_fail("no logits");
  if (status != GF_OK && status != GF_ERROR_DATA && status != GF_ERROR_FILE &&
      status != GF_ERROR_MEMORY)
    fuzz_fail("the target is wrong");
  gf__importing_free(&im);
  gf__onnx_file_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const float external[64] = {1};
  char path[512], run[512];
  gf_import_options options = gf_import_options_default();
  fuzz_file("w.bin", external, sizeof external);
  snprintf(path, sizeof path, "%s", fuzz_file("a.onnx", data, size));
  snprintf(run, sizeof run, "%s", fuzz_path("run"));
  fuzz_walk(path);
  options.out = run;
  options.overwrite = true;
  if (gf_import_onnx(NULL, path, &options, NULL) != GF_OK && gf__path_exists(run) &&
      !gf__path_is_folder(run))
    fuzz_fail("a file in place of a run");
  return 0;
}
