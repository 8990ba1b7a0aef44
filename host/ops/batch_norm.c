#include "ops/batch_norm.h"

#include <stdio.h>

#include "ops/reduce.h"

size_t gf__batch_norm_workspace(const gf_device *device, int channels) {
  return (size_t)gf__reduce_partials(device) * 2 * (size_t)channels * sizeof(float);
}

/* Vectors of channels side by side: a CPU's caches want long pieces of a row, a GPU wants many
 * work-items. */
static int batch_norm_block(const gf_device *device, int channels) {
  if (gf_device_describe(device)->type != GF_DEVICE_CPU) return 1;
  int vectors = channels / gf__vector_width(device, channels), block = 4;
  while (vectors % block) block--;
  return block;
}

static gf_status get_batch_norm_kernel(gf_device *device, int channels, const char *name,
                                       gf__kernel **out) {
  char options[64];
  snprintf(options, sizeof options, "-DVEC=%d -DC=%d -DBLOCK=%d",
           gf__vector_width(device, channels), channels, batch_norm_block(device, channels));
  return gf__kernel_get(out, device, "batch_norm.cl", name, options);
}

/* One work-item per block of channels and range of the rows. */
static gf__grid batch_norm_partials_grid(const gf_device *device, int channels, int rows,
                                         int operands) {
  int lanes = gf__vector_width(device, channels) * batch_norm_block(device, channels);
  gf__grid grid =
      gf__grid_single((size_t)(channels / lanes), (size_t)gf__reduce_partials(device), 1);
  grid.bytes = 4.0 * rows * channels * operands;
  return grid;
}

static gf__grid batch_norm_grid(const gf_device *device, int channels, int rows, int operands,
                                int *count) {
  int width = gf__vector_width(device, channels);
  *count = rows * (channels / width);
  gf__grid grid = gf__grid_flat(device, (size_t)*count);
  grid.bytes = 4.0 * rows * channels * operands;
  return grid;
}

/* From partial moments, as many as partials, to the norm's saved and running ones. */
static gf_status join_saved_moments(gf_device *device, const gf__batch_norm *norm,
                                    const gf_buffer *partial, long rows, int partials) {
  gf__kernel *join;
  gf__grid each_channel = {.global = {(size_t)norm->channels, 1, 1}};
  GF_TRY(get_batch_norm_kernel(device, norm->channels, "join_moments", &join));
  return GF_LAUNCH(join, each_channel, GF_BUFFER(partial), GF_BUFFER(norm->saved),
                   GF_BUFFER(norm->running_mean), GF_BUFFER(norm->running_variance),
                   GF_INT((int)rows), GF_INT(partials), GF_FLOAT(norm->eps),
                   GF_FLOAT(norm->momentum));
}

static gf_status find_moments(gf_device *device, const gf__batch_norm *norm, int rows,
                              const gf_buffer *x, gf_buffer *partial) {
  gf__kernel *moments;
  GF_TRY(get_batch_norm_kernel(device, norm->channels, "moments", &moments));
  return GF_LAUNCH(moments, batch_norm_partials_grid(device, norm->channels, rows, 1), GF_BUFFER(x),
                   GF_BUFFER(partial), GF_INT(rows), GF_INT(gf__reduce_partials(device)));
}

static gf_status normalize(gf_device *device, const gf__batch_norm *norm, int rows,
                           const gf_buffer *x, gf_buffer *y, const gf__epilogue *epilogue) {
  int count;
  gf__kernel *kernel;
  GF_TRY(get_batch_norm_kernel(device, norm->channels, "normalize_rows", &kernel));
  gf__grid grid = batch_norm_grid(device, norm->channels, rows, 2 + !!epilogue->residual, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(norm->saved), GF_BUFFER(norm->gamma),
                   GF_BUFFER(norm->beta), GF_BUFFER(y), GF_INT(count), GF_EPILOGUE(epilogue));
}

gf_status gf__batch_norm_forward(gf_device *device, const gf__batch_norm *norm,
                                 const gf__batch_norm_operands *o, bool training) {
  gf__kernel *running;
  gf__grid each_channel = {.global = {(size_t)norm->channels, 1, 1}};
  if (training) {
    GF_TRY(find_moments(device, norm, o->rows, o->x, o->workspace));
    GF_TRY(join_saved_moments(device, norm, o->workspace, o->rows, gf__reduce_partials(device)));
  } else {
    GF_TRY(get_batch_norm_kernel(device, norm->channels, "use_running", &running));
    GF_TRY(GF_LAUNCH(running, each_channel, GF_BUFFER(norm->running_mean),
                     GF_BUFFER(norm->running_variance), GF_BUFFER(norm->saved),
                     GF_FLOAT(norm->eps)));
  }
  return normalize(device, norm, o->rows, o->x, o->y, &o->epilogue);
}

gf_status gf__batch_norm_moments(gf_device *device, const gf__batch_norm *norm, int rows,
                                 const gf_buffer *x, gf_buffer *moments, gf_buffer *workspace) {
  gf__kernel *join;
  gf__grid each_channel = {.global = {(size_t)norm->channels, 1, 1}};
  GF_TRY(find_moments(device, norm, rows, x, workspace));
  GF_TRY(get_batch_norm_kernel(device, norm->channels, "join_partials", &join));
  return GF_LAUNCH(join, each_channel, GF_BUFFER(workspace), GF_BUFFER(moments), GF_INT(rows),
                   GF_INT(gf__reduce_partials(device)));
}

long gf__batch_norm_join(int channels, int places, const long *rows, const float *all, float *out) {
  long total = 0;
  for (int p = 0; p < places; p++) total += rows[p];
  for (int c = 0; c < channels; c++) {
    double mean = 0, squares = 0, seen = 0;
    for (int p = 0; p < places; p++) {
      const float *moments = all + (size_t)p * 2 * (size_t)channels;
      if (rows[p] == 0) continue;
      double d = (double)moments[c] - mean, fraction = (double)rows[p] / (seen + (double)rows[p]);
      squares += (double)moments[channels + c] + d * d * seen * fraction;
      mean += d * fraction;
      seen += (double)rows[p];
    }
    out[c] = (float)mean;
    out[channels + c] = (float)squares;
  }
  return total;
}

gf_status gf__batch_norm_forward_by(gf_device *device, const gf__batch_norm *norm, int rows,
                                    const gf_buffer *x, gf_buffer *y, const gf_buffer *moments,
                                    long all_rows, const gf__epilogue *epilogue) {
  GF_TRY(join_saved_moments(device, norm, moments, all_rows, 1));
  return rows ? normalize(device, norm, rows, x, y, epilogue) : GF_OK;
}

gf_status gf__batch_norm_backward_sums(gf_device *device, const gf__batch_norm *norm, int rows,
                                       const gf_buffer *x, const gf_buffer *dy, gf_buffer *dgamma,
                                       gf_buffer *dbeta, gf_buffer *workspace) {
  int channels = norm->channels;
  gf__kernel *sums, *join;
  gf__grid each_channel = {.global = {(size_t)channels, 1, 1}};
  GF_TRY(get_batch_norm_kernel(device, channels, "gradient_sums", &sums));
  GF_TRY(get_batch_norm_kernel(device, channels, "join_gradient_sums", &join));
  GF_TRY(GF_LAUNCH(sums, batch_norm_partials_grid(device, channels, rows, 2), GF_BUFFER(x),
                   GF_BUFFER(dy), GF_BUFFER(norm->saved), GF_BUFFER(workspace), GF_INT(rows),
                   GF_INT(gf__reduce_partials(device))));
  return GF_LAUNCH(join, each_channel, GF_BUFFER(workspace), GF_BUFFER(dgamma), GF_BUFFER(dbeta),
                   GF_INT(gf__reduce_partials(device)));
}

gf_status gf__batch_norm_backward_by(gf_device *device, const gf__batch_norm *norm, int rows,
                                     const gf_buffer *x, const gf_buffer *dy,
                                     const gf_buffer *dgamma, const gf_buffer *dbeta, gf_buffer *dx,
                                     const gf__epilogue *epilogue) {
  int count;
  gf__kernel *kernel;
  GF_TRY(get_batch_norm_kernel(device, norm->channels, "normalize_rows_backward", &kernel));
  gf__grid grid = batch_norm_grid(device, norm->channels, rows, 3, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(dy), GF_BUFFER(norm->saved),
                   GF_BUFFER(norm->gamma), GF_BUFFER(dgamma), GF_BUFFER(dbeta), GF_BUFFER(dx),
                   GF_INT(rows), GF_INT(count), GF_EPILOGUE(epilogue));
}

gf_status gf__batch_norm_backward(gf_device *device, const gf__batch_norm *norm,
                                  const gf__batch_norm_operands *o) {
  GF_TRY(gf__batch_norm_backward_sums(device, norm, o->rows, o->x, o->dy, o->dgamma, o->dbeta,
                                      o->workspace));
  if (!o->dx) return GF_OK;
  return gf__batch_norm_backward_by(device, norm, o->rows, o->x, o->dy, o->dgamma, o->dbeta, o->dx,
                                    &o->epilogue);
}

gf_status gf__batch_norm_backward_running(gf_device *device, const gf__batch_norm *norm, int rows,
                                          const gf_buffer *dy, gf_buffer *dx,
                                          const gf__epilogue *epilogue) {
  int count;
  gf__kernel *kernel;
  GF_TRY(get_batch_norm_kernel(device, norm->channels, "scale_rows_backward", &kernel));
  gf__grid grid = batch_norm_grid(device, norm->channels, rows, 2, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(dy), GF_BUFFER(norm->running_variance),
                   GF_BUFFER(norm->gamma), GF_FLOAT(norm->eps), GF_BUFFER(dx), GF_INT(count),
                   GF_EPILOGUE(epilogue));
}

gf_status gf__batch_norm_fold(gf_device *device, const gf__batch_norm *norm, size_t count,
                              const gf_buffer *weight, const gf_buffer *bias,
                              gf_buffer *folded_weight, gf_buffer *folded_bias) {
  gf__kernel *kernel;
  GF_TRY(get_batch_norm_kernel(device, norm->channels, "fold", &kernel));
  gf__grid grid = gf__grid_flat(device, count);
  grid.bytes = 8.0 * (double)count;
  return GF_LAUNCH(kernel, grid, GF_BUFFER(weight), GF_BUFFER(bias), GF_BUFFER(norm->running_mean),
                   GF_BUFFER(norm->running_variance), GF_BUFFER(norm->gamma), GF_BUFFER(norm->beta),
                   GF_FLOAT(norm->eps), GF_BUFFER(folded_weight), GF_BUFFER(folded_bias),
                   GF_INT((int)count));
}
