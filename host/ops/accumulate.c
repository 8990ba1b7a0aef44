#include "ops/accumulate.h"

gf_status gf__accumulate(gf_device *device, int count, const gf_buffer *gradient, gf_buffer *sum,
                         double share, bool first, gf_buffer *results, int slot, int part_slot) {
  gf__kernel *kernel;
  GF_TRY(gf__kernel_get(&kernel, device, "accumulate.cl", "accumulate", ""));
  gf__grid grid = gf__grid_flat(device, (size_t)(count > 2 ? count : 2));
  grid.bytes = 12.0 * count;
  return GF_LAUNCH(kernel, grid, GF_BUFFER(gradient), GF_BUFFER(sum), GF_INT(count),
                   GF_FLOAT(share), GF_INT(first), GF_BUFFER(results), GF_INT(slot),
                   GF_INT(part_slot));
}
