#include "ops/pad_shortcut.h"

#include <stdio.h>

static gf_status get_pad_shortcut_kernel(gf_device *device, const gf__pad_shape *s,
                                         const char *name, gf__kernel **out) {
  char options[160];
  snprintf(options, sizeof options, "-DH=%d -DW=%d -DC=%d -DSTRIDE=%d -DOH=%d -DOW=%d -DOC=%d",
           s->h, s->w, s->c, s->stride, s->out_h, s->out_w, s->out_c);
  return gf__kernel_get(out, device, "pad_shortcut.cl", name, options);
}

static gf__grid pad_shortcut_grid(const gf_device *device, const gf__pad_shape *s, int n,
                                  int count) {
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.bytes = 4.0 * n * s->out_h * s->out_w * s->c + 4.0 * count;
  return grid;
}

gf_status gf__pad_shortcut(gf_device *device, const gf__pad_shape *s, int n, const gf_buffer *x,
                           gf_buffer *y) {
  gf__kernel *kernel;
  int count = n * s->out_h * s->out_w * s->out_c;
  GF_TRY(get_pad_shortcut_kernel(device, s, "pad_shortcut", &kernel));
  return GF_LAUNCH(kernel, pad_shortcut_grid(device, s, n, count), GF_BUFFER(x), GF_BUFFER(y),
                   GF_INT(count));
}

gf_status gf__pad_shortcut_backward(gf_device *device, const gf__pad_shape *s, int n,
                                    const gf_buffer *dy, gf_buffer *dx, const gf__epilogue *e) {
  gf__kernel *kernel;
  int count = n * s->h * s->w * s->c;
  GF_TRY(get_pad_shortcut_kernel(device, s, "pad_shortcut_backward", &kernel));
  return GF_LAUNCH(kernel, pad_shortcut_grid(device, s, n, count), GF_BUFFER(dy), GF_BUFFER(dx),
                   GF_INT(count), GF_EPILOGUE(e));
}
