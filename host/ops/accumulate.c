#include "ops/accumulate.h"

gf_status gf__accumulate(gf_device *device, int count, const gf_buffer *gradient, gf_buffer *sum,
                         double weight, bool first, gf_buffer *results, int row, int micro_row) {
  gf__kernel *kernel;
  GF_TRY(gf__kernel_get(&kernel, device, "accumulate.cl", "accumulate", ""));
  gf__grid grid = gf__grid_flat(device, (size_t)(count > 2 ? count : 2));
  grid.bytes = 12.0 * count;
  return GF_LAUNCH(kernel, grid, GF_BUFFER(gradient), GF_BUFFER(sum), GF_INT(count),
                   GF_FLOAT(weight), GF_INT(first), GF_BUFFER(results), GF_INT(row),
                   GF_INT(micro_row));
}
