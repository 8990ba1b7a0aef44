#include "ops/clip.h"

#include <stdio.h>

enum { PARTIALS = 64, LANES = 64 };

size_t gf__clip_workspace(void) { return PARTIALS * sizeof(float); }

gf_status gf__clip_scale(gf_device *device, int count, const gf_buffer *gradient, double most,
                         gf_buffer *workspace, gf_buffer *scale) {
  gf__kernel *sum, *join;
  size_t lanes = LANES;
  char options[64];
  /* A device may have smaller groups, and a kernel smaller ones than its device. */
  for (size_t group = gf_device_describe(device)->work_group_size;; group = gf__kernel_group(sum)) {
    while (lanes > group) lanes /= 2;
    snprintf(options, sizeof options, "-DPARTIALS=%d -DLANES=%zu", PARTIALS, lanes);
    GF_TRY(gf__kernel_get(&sum, device, "clip.cl", "sum_squares", options));
    if (lanes <= gf__kernel_group(sum)) break;
  }
  gf__grid grid = {
      .global = {PARTIALS * lanes, 1, 1}, .local = {lanes, 1, 1}, .bytes = 4.0 * count};
  GF_TRY(gf__kernel_get(&join, device, "clip.cl", "clip_scale", options));
  GF_TRY(GF_LAUNCH(sum, grid, GF_BUFFER(gradient), GF_BUFFER(workspace), GF_INT(count)));
  return GF_LAUNCH(join, gf__grid_single(1, 1, 1), GF_BUFFER(workspace), GF_BUFFER(scale),
                   GF_FLOAT(most));
}
