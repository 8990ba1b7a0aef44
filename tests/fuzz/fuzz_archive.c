/* An archive of a data set from a server: whatever is in it stays in its folder. */
#define _XOPEN_SOURCE 700
#include "fetch/unpack.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const gf__unpack_limits limits = {.entries = 8, .file_bytes = 1 << 16, .bytes = 1 << 17};
  static const gf_fetch_events events = {0};
  char parent[512], folder[512];
  gf__names names;
  const char *archive = fuzz_file("a.tar.gz", data, size);
  snprintf(parent, sizeof parent, "%s/unpacked", fuzz_folder());
  snprintf(folder, sizeof folder, "%s/here", parent);
  if (gf__unpack(archive, "a.tar.gz", folder, &limits, &events) == GF_ERROR_ARGUMENT)
    fuzz_fail("the target is wrong");
  if (gf__list_folder(parent, &names) != GF_OK || names.count != 1) fuzz_fail("it got out");
  gf__names_free(&names);
  if (gf__list_folder(fuzz_folder(), &names) != GF_OK || names.count != 2) fuzz_fail("it got out");
  gf__names_free(&names);
  if (gf__remove_folder(parent) != GF_OK) fuzz_fail("the folder stays");
  return 0;
}
