#include "ops/statistics.h"

#include <stdio.h>

enum { PARTIALS = 16 };

size_t gf__statistics_workspace(int tensors) {
  return (size_t)tensors * PARTIALS * sizeof(gf__statistics_sums);
}

gf_status gf__statistics(gf_device *device, int tensors, const gf_buffer *gradient,
                         const gf_buffer *w, const gf_buffer *old, const gf_buffer *ranges,
                         gf_buffer *workspace, gf_buffer *out) {
  gf__kernel *partial, *join;
  char options[32];
  snprintf(options, sizeof options, "-DPARTIALS=%d", PARTIALS);
  GF_TRY(gf__kernel_get(&partial, device, "statistics.cl", "statistics", options));
  GF_TRY(gf__kernel_get(&join, device, "statistics.cl", "join_statistics", options));
  gf__grid grid = gf__grid_single(PARTIALS, (size_t)tensors, 1);
  grid.bytes = 3.0 * (double)gf__buffer_size(gradient);
  GF_TRY(GF_LAUNCH(partial, grid, GF_BUFFER(gradient), GF_BUFFER(w), GF_BUFFER(old),
                   GF_BUFFER(ranges), GF_BUFFER(workspace)));
  return GF_LAUNCH(join, gf__grid_single((size_t)tensors, 1, 1), GF_BUFFER(workspace),
                   GF_BUFFER(out));
}
