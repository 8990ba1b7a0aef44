#include "ops/dropout.h"

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
