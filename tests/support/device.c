#include "support/device.h"

gf_device *fixture_device;

int fixture_open(void **state) {
  if (folder_open(state) != 0) return -1;
  gf_status status = gf_device_open(&fixture_device, NULL);
  if (status != GF_OK) print_error("%s\n", gf_error_message());
  return status == GF_OK ? 0 : -1;
}

int fixture_close(void **state) {
  gf_device_free(&fixture_device);
  return folder_close(state);
}
