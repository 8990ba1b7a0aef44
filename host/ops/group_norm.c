#include "ops/group_norm.h"

#include <stdio.h>

#include "base/numbers.h"
#include "ops/reduce.h"

static int norm_rows(const gf__group_norm *n) { return n->images * n->groups; }
static int norm_pixels(const gf__group_norm *n) { return n->height * n->width; }
static size_t norm_values(const gf__group_norm *n) {
  return (size_t)n->images * (size_t)norm_pixels(n) * (size_t)n->channels;
}
static size_t norm_weights(const gf__group_norm *n) {
  return (size_t)n->channels * (size_t)(n->by_pixel ? norm_pixels(n) : 1);
}
static int norm_width(const gf_device *device, const gf__group_norm *n) {
  return gf__vector_width(device, n->channels / n->groups);
}

/* Ranges of the pixels of a row, so that few long rows keep the device busy. */
static int row_partials(const gf_device *device, const gf__group_norm *n) {
  int wanted = gf__reduce_partials(device), rows = GF__MAX(norm_rows(n), 1);
  return GF__CLAMP((wanted + rows - 1) / rows, 1, norm_pixels(n));
}

/* Ranges of the rows of (rows, weights); many weights need no more work-items. */
static int weight_partials(const gf_device *device, const gf__group_norm *n) {
  return norm_weights(n) > 65536 ? 1 : gf__reduce_partials(device);
}

size_t gf__group_norm_workspace(const gf_device *device, const gf__group_norm *n) {
  size_t of_rows = 2 * (size_t)norm_rows(n) + 2 * (size_t)gf__reduce_partials(device),
         of_weights = 2 * (size_t)weight_partials(device, n) * norm_weights(n);
  return sizeof(float) * GF__MAX(2 * of_rows, of_weights);
}

size_t gf__group_norm_saved(const gf__group_norm *n) {
  return 2 * (size_t)norm_rows(n) * sizeof(float);
}

static gf_status get_group_norm_kernel(gf_device *device, const gf__group_norm *n, const char *name,
                                       gf__kernel **out) {
  char options[160];
  snprintf(options, sizeof options,
           "-DVEC=%d -DCHANNELS=%d -DGROUPS=%d -DPIXELS=%d -DBY_PIXEL=%d -DHEIGHT=%d -DWIDTH=%d",
           norm_width(device, n), n->channels, n->groups, norm_pixels(n), n->by_pixel,
           n->by_pixel ? n->height : 1, n->by_pixel ? n->width : 1);
  return gf__kernel_get(out, device, "group_norm.cl", name, options);
}

/* Few work-items, each of which sums much. */
enum { GROUP = 16 };

static gf__grid sums_grid(const gf_device *device, const gf__group_norm *n, int operands) {
  size_t items = (size_t)norm_rows(n) * (size_t)row_partials(device, n);
  gf__grid grid = gf__grid_groups(device, items, GROUP);
  grid.bytes = 4.0 * operands * (double)norm_values(n);
  return grid;
}

static gf__grid values_grid(const gf_device *device, const gf__group_norm *n, int operands,
                            int *count) {
  *count = (int)(norm_values(n) / (size_t)norm_width(device, n));
  gf__grid grid = gf__grid_flat(device, (size_t)*count);
  grid.bytes = 4.0 * operands * (double)norm_values(n);
  return grid;
}

gf_status gf__group_norm_forward(gf_device *device, const gf__group_norm *n, const gf_buffer *x,
                                 gf_buffer *y, const gf__epilogue *epilogue, gf_buffer *workspace) {
  gf__kernel *moments, *join, *normalize;
  int count, rows = norm_rows(n), partials = row_partials(device, n);
  GF_TRY(get_group_norm_kernel(device, n, "row_moments", &moments));
  GF_TRY(get_group_norm_kernel(device, n, "join_row_moments", &join));
  GF_TRY(get_group_norm_kernel(device, n, "normalize_groups", &normalize));
  GF_TRY(GF_LAUNCH(moments, sums_grid(device, n, 1), GF_BUFFER(x), GF_BUFFER(workspace),
                   GF_INT(rows), GF_INT(partials)));
  GF_TRY(GF_LAUNCH(join, gf__grid_groups(device, (size_t)rows, GROUP), GF_BUFFER(workspace),
                   GF_BUFFER(n->saved), GF_INT(rows), GF_INT(partials), GF_FLOAT(n->eps)));
  gf__grid grid = values_grid(device, n, 2 + !!epilogue->residual, &count);
  return GF_LAUNCH(normalize, grid, GF_BUFFER(x), GF_BUFFER(n->saved), GF_BUFFER(n->gamma),
                   GF_BUFFER(n->beta), GF_BUFFER(y), GF_INT(count), GF_EPILOGUE(epilogue));
}

/* The sums of ranges, and then the means, follow each other in the workspace. */
gf_status gf__group_norm_backward(gf_device *device, const gf__group_norm *n, const gf_buffer *x,
                                  const gf_buffer *dy, gf_buffer *dx, const gf__epilogue *epilogue,
                                  gf_buffer *workspace) {
  gf__kernel *sums, *join, *backward;
  int count, rows = norm_rows(n), partials = row_partials(device, n);
  GF_TRY(get_group_norm_kernel(device, n, "row_gradient_sums", &sums));
  GF_TRY(get_group_norm_kernel(device, n, "join_row_gradient_sums", &join));
  GF_TRY(get_group_norm_kernel(device, n, "normalize_groups_backward", &backward));
  GF_TRY(GF_LAUNCH(sums, sums_grid(device, n, 2), GF_BUFFER(x), GF_BUFFER(dy), GF_BUFFER(n->saved),
                   GF_BUFFER(n->gamma), GF_BUFFER(workspace), GF_INT(rows), GF_INT(partials)));
  size_t means = 2 * (size_t)rows * (size_t)partials;
  GF_TRY(GF_LAUNCH(join, gf__grid_groups(device, (size_t)rows, GROUP), GF_BUFFER(workspace),
                   GF_INT((int)means), GF_INT(rows), GF_INT(partials)));
  gf__grid grid = values_grid(device, n, 3 + !!epilogue->residual, &count);
  return GF_LAUNCH(backward, grid, GF_BUFFER(x), GF_BUFFER(dy), GF_BUFFER(n->saved),
                   GF_BUFFER(n->gamma), GF_BUFFER(workspace), GF_INT((int)means), GF_BUFFER(dx),
                   GF_INT(count), GF_EPILOGUE(epilogue));
}

gf_status gf__group_norm_backward_weights(gf_device *device, const gf__group_norm *n,
                                          const gf_buffer *x, const gf_buffer *dy,
                                          gf_buffer *dgamma, gf_buffer *dbeta,
                                          gf_buffer *workspace) {
  gf__kernel *sums, *join;
  size_t weights = norm_weights(n);
  int rows = (int)(norm_values(n) / weights), partials = weight_partials(device, n);
  GF_TRY(get_group_norm_kernel(device, n, "weight_sums", &sums));
  GF_TRY(get_group_norm_kernel(device, n, "join_weight_sums", &join));
  gf__grid grid = gf__grid_single(weights / (size_t)norm_width(device, n), (size_t)partials, 1);
  grid.bytes = 8.0 * (double)norm_values(n);
  GF_TRY(GF_LAUNCH(sums, grid, GF_BUFFER(x), GF_BUFFER(dy), GF_BUFFER(n->saved),
                   GF_BUFFER(workspace), GF_INT(rows), GF_INT(partials)));
  return GF_LAUNCH(join, gf__grid_flat(device, weights), GF_BUFFER(workspace), GF_BUFFER(dgamma),
                   GF_BUFFER(dbeta), GF_INT(partials));
}
