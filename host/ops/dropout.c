#include "ops/dropout.h"

#include <stdio.h>

#include "base/numbers.h"

gf_status gf__dropout(gf_device *device, int count, float p, const uint32_t key[2], int step,
                      int node, size_t first, const gf_buffer *x, gf_buffer *y,
                      const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int skip = (int)(first % 4);
  GF_TRY(gf__kernel_get(&kernel, device, "dropout.cl", "dropout", ""));
  gf__grid grid = gf__grid_flat(device, ((size_t)count + (size_t)skip + 3) / 4);
  grid.bytes = 8.0 * count;
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_INT(count), GF_FLOAT(p),
                   GF_INT((int)key[0]), GF_INT((int)key[1]), GF_INT(step), GF_INT(node),
                   GF_INT((int)(first / 4)), GF_INT(skip), GF_EPILOGUE(epilogue));
}

/* A CPU's work-item has an image to itself, and reads it in order. */
gf_status gf__stochastic_depth(gf_device *device, int n, int size, float p, const uint32_t key[2],
                               int step, int node, int first, const gf_buffer *x, gf_buffer *y,
                               const gf__epilogue *epilogue) {
  enum { MOST_ITEMS = 1024 };
  gf__kernel *kernel;
  char options[64];
  bool is_cpu = gf_device_describe(device)->type == GF_DEVICE_CPU;
  int split = is_cpu ? 1 : GF__MIN(size, MOST_ITEMS);
  snprintf(options, sizeof options, "-DSIZE=%d -DSPLIT=%d", size, split);
  GF_TRY(gf__kernel_get(&kernel, device, "dropout.cl", "stochastic_depth", options));
  size_t items = (size_t)n * (size_t)split;
  gf__grid grid = is_cpu ? gf__grid_groups(device, items, 1) : gf__grid_flat(device, items);
  grid.bytes = 8.0 * n * size;
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_INT(n), GF_FLOAT(p),
                   GF_INT((int)key[0]), GF_INT((int)key[1]), GF_INT(step), GF_INT(node),
                   GF_INT(first), GF_EPILOGUE(epilogue));
}
