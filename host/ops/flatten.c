#include "ops/flatten.h"

#include <stdio.h>

static gf_status get_flatten_kernel(gf_device *device, int h, int w, int c, const char *name,
                                    gf__kernel **out) {
  char options[64];
  snprintf(options, sizeof options, "-DH=%d -DW=%d -DC=%d", h, w, c);
  return gf__kernel_get(out, device, "flatten.cl", name, options);
}

gf_status gf__flatten(gf_device *device, int n, int h, int w, int c, const gf_buffer *x,
                      gf_buffer *y) {
  gf__kernel *kernel;
  GF_TRY(get_flatten_kernel(device, h, w, c, "flatten", &kernel));
  int count = n * h * w * c;
  return GF_LAUNCH(kernel, gf__grid_flat(device, (size_t)count), GF_BUFFER(x), GF_BUFFER(y),
                   GF_INT(count));
}

gf_status gf__flatten_backward(gf_device *device, int n, int h, int w, int c, const gf_buffer *dy,
                               gf_buffer *dx, const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  GF_TRY(get_flatten_kernel(device, h, w, c, "flatten_backward", &kernel));
  int count = n * h * w * c;
  return GF_LAUNCH(kernel, gf__grid_flat(device, (size_t)count), GF_BUFFER(dy), GF_BUFFER(dx),
                   GF_INT(count), GF_EPILOGUE(epilogue));
}
