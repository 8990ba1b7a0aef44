/* In place of host/convert/onnx/ where the build has no ONNX. */
#include <gradflow/convert.h>

#include "base/error.h"

gf_status gf_export_onnx(const char *run_folder, const char *path, const gf_export_options *options,
                         gf_conversion *out) {
  (void)run_folder, (void)options, (void)out;
  return gf__fail(GF_ERROR_ARGUMENT,
                  "%s is not written: this gradflow was built without ONNX; install "
                  "libprotobuf-c-dev, protobuf-c-compiler and libonnx-dev, and build it again",
                  path);
}

gf_status gf_import_onnx(const gf_config *config, const char *path,
                         const gf_import_options *options, gf_conversion *result) {
  (void)config, (void)options, (void)result;
  return gf__fail(GF_ERROR_ARGUMENT,
                  "%s is not read: this gradflow was built without ONNX; install "
                  "libprotobuf-c-dev, protobuf-c-compiler and libonnx-dev, and build it again",
                  path);
}
