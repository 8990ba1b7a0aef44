#include "ops/conv2d/conv2d.h"

#include <string.h>

const gf__conv2d_algorithm *const gf__conv2d_algorithms[] = {
    &gf__conv2d_im2col,    &gf__conv2d_direct,    &gf__conv2d_tiled,
    &gf__conv2d_winograd2, &gf__conv2d_winograd4, NULL};

gf_status gf__conv2d_infer(gf__conv2d_shape *shape) {
  const int image[2] = {shape->h, shape->w};
  int *out[2] = {&shape->out_h, &shape->out_w};
  for (int d = 0; d < 2; d++) {
    int covered = shape->dilation[d] * (shape->kernel[d] - 1) + 1;
    int room = image[d] + 2 * shape->padding[d] - covered;
    if (room < 0)
      return gf__fail(GF_ERROR_SHAPE,
                      "a %dx%d kernel with dilation %dx%d does not fit a %dx%d image with padding "
                      "%dx%d",
                      shape->kernel[0], shape->kernel[1], shape->dilation[0], shape->dilation[1],
                      shape->h, shape->w, shape->padding[0], shape->padding[1]);
    *out[d] = room / shape->stride[d] + 1;
  }
  return GF_OK;
}

static const gf__conv2d_algorithm *choose(const gf__conv2d_shape *shape, const gf_device *device,
                                          gf__conv2d_pass pass, const char *force) {
  const gf__conv2d_algorithm *best = NULL;
  for (int i = 0; gf__conv2d_algorithms[i]; i++) {
    const gf__conv2d_algorithm *a = gf__conv2d_algorithms[i];
    if (!a->accepts(device, shape, pass)) continue;
    if (force && !strcmp(force, a->name)) return a;
    if (!best || a->rank(device, shape) > best->rank(device, shape)) best = a;
  }
  return best;
}

void gf__conv2d_choose(gf__conv2d *convolution, const gf_device *device, const char *force) {
  for (gf__conv2d_pass pass = 0; pass < GF__CONV2D_PASSES; pass++)
    convolution->algorithm[pass] = choose(&convolution->shape, device, pass, force);
}

size_t gf__conv2d_workspace(const gf__conv2d *convolution, const gf_device *device, int batch) {
  size_t most = 0;
  for (gf__conv2d_pass pass = 0; pass < GF__CONV2D_PASSES; pass++) {
    size_t bytes =
        convolution->algorithm[pass]->workspace(device, &convolution->shape, pass, batch);
    if (bytes > most) most = bytes;
  }
  return most;
}

gf_status gf__conv2d_run_pass(const gf__conv2d *convolution, gf_device *device,
                              gf__conv2d_pass pass, const gf__conv2d_run *run) {
  return convolution->algorithm[pass]->run[pass](device, &convolution->shape, run);
}

double gf__conv2d_flops(const gf__conv2d_shape *s, int n) {
  return 2.0 * n * s->out_h * s->out_w * s->filters * s->kernel[0] * s->kernel[1] * s->c;
}

double gf__conv2d_bytes(const gf__conv2d_shape *s, int n) {
  return 4.0 * n * ((double)s->h * s->w * s->c + (double)s->out_h * s->out_w * s->filters);
}

int gf__conv2d_weight_parts(const gf_device *device) {
  return 2 * gf_device_describe(device)->compute_units;
}

gf__conv2d_shape gf__conv2d_flipped(const gf__conv2d_shape *shape) {
  gf__conv2d_shape flipped = *shape;
  flipped.h = shape->out_h;
  flipped.w = shape->out_w;
  flipped.c = shape->filters;
  flipped.filters = shape->c;
  flipped.out_h = shape->h;
  flipped.out_w = shape->w;
  for (int d = 0; d < 2; d++)
    flipped.padding[d] = shape->dilation[d] * (shape->kernel[d] - 1) - shape->padding[d];
  return flipped;
}
