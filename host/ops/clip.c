#include "ops/clip.h"

#include <stdio.h>

enum { PARTS = 64, LANES = 64 };

size_t gf__clip_workspace(void) { return PARTS * sizeof(float); }

gf_status gf__clip_scale(gf_device *device, int count, const gf__buffer *gradient, double most,
                         gf__buffer *workspace, gf__buffer *scale) {
  gf__kernel *sum, *join;
  gf__grid grid = gf__grid_groups(device, PARTS * LANES, LANES);
  int lanes = (int)grid.local[0];
  char options[64];
  grid.global[0] = (size_t)(PARTS * lanes); /* a device may have smaller groups */
  grid.bytes = 4.0 * count;
  snprintf(options, sizeof options, "-DPARTS=%d -DLANES=%d", PARTS, lanes);
  GF_TRY(gf__kernel_get(&sum, device, "clip.cl", "sum_squares", options));
  GF_TRY(gf__kernel_get(&join, device, "clip.cl", "clip_scale", options));
  GF_TRY(GF_LAUNCH(sum, grid, GF_BUFFER(gradient), GF_BUFFER(workspace), GF_INT(count)));
  return GF_LAUNCH(join, gf__grid_single(1, 1, 1), GF_BUFFER(workspace), GF_BUFFER(scale),
                   GF_FLOAT(most));
}
