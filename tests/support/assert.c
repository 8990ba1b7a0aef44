#include "support/assert.h"

void assert_ok_at(gf_status status, const char *call, const char *file, int line) {
  if (status == GF_OK) return;
  print_error("%s: %s\n", call, gf_error_message());
  _fail(file, line);
}
