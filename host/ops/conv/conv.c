#include "ops/conv/conv.h"

#include <string.h>

const char *const gf__conv_direction_names[GF__CONV_DIRECTIONS] = {"forward", "backward_data",
                                                                   "backward_weight"};

const gf__conv_algorithm *const gf__conv_algorithms[] = {
    &gf__conv_im2col,    &gf__conv_direct,    &gf__conv_tiled,
    &gf__conv_winograd2, &gf__conv_winograd4, &gf__conv_direct3d,
    &gf__conv_grouped,   &gf__conv_depthwise, NULL};

const gf__conv_algorithm *gf__conv_reference(const gf_device *device, const gf__conv_shape *shape,
                                             gf__conv_direction direction) {
  for (const gf__conv_algorithm *const *a = gf__conv_algorithms; *a; a++)
    if ((*a)->accepts(*a, device, shape, direction)) return *a;
  return NULL; /* not reached: every shape has an algorithm */
}

const gf__conv_algorithm *gf__conv_find(const char *name, const gf_device *device,
                                        const gf__conv_shape *shape, gf__conv_direction direction) {
  for (const gf__conv_algorithm *const *a = gf__conv_algorithms; *a; a++)
    if (!strcmp((*a)->name, name)) return (*a)->accepts(*a, device, shape, direction) ? *a : NULL;
  return NULL;
}

static const gf__conv_algorithm *default_of(const gf_device *device, const gf__conv_shape *shape,
                                            gf__conv_direction direction) {
  const gf__conv_algorithm *best = gf__conv_reference(device, shape, direction);
  for (const gf__conv_algorithm *const *a = gf__conv_algorithms; *a; a++)
    if ((*a)->accepts(*a, device, shape, direction) &&
        (*a)->priority(*a, device, shape) > best->priority(best, device, shape))
      best = *a;
  return best;
}

void gf__conv_choose(gf__conv *conv, const gf_device *device, const char *force) {
  for (gf__conv_direction d = 0; d < GF__CONV_DIRECTIONS; d++) {
    const gf__conv_algorithm *forced = force ? gf__conv_find(force, device, &conv->shape, d) : NULL;
    conv->algorithm[d] = forced ? forced : default_of(device, &conv->shape, d);
  }
}

size_t gf__conv_workspace(const gf__conv *conv, const gf_device *device, int batch) {
  size_t most = 0;
  for (gf__conv_direction d = 0; d < GF__CONV_DIRECTIONS; d++) {
    const gf__conv_algorithm *a = conv->algorithm[d];
    size_t bytes = a->workspace(a, device, &conv->shape, d, batch);
    if (bytes > most) most = bytes;
  }
  return most;
}

gf_status gf__conv_run(const gf__conv *conv, gf_device *device, gf__conv_direction direction,
                       const gf__conv_operands *operands) {
  const gf__conv_algorithm *a = conv->algorithm[direction];
  return a->run[direction](a, device, &conv->shape, operands);
}

size_t gf__conv_inputs(const gf__conv_shape *s) {
  return gf__window_inputs(&s->window) * (size_t)s->c;
}

size_t gf__conv_outputs(const gf__conv_shape *s) {
  return gf__window_outputs(&s->window) * (size_t)s->filters;
}

size_t gf__conv_weights(const gf__conv_shape *s) {
  return gf__window_taps(&s->window) * (size_t)gf__conv_group_channels(s) * (size_t)s->filters;
}

int gf__conv_group_channels(const gf__conv_shape *s) { return s->c / s->groups; }

double gf__conv_flops(const gf__conv_shape *s, int n) {
  return 2.0 * n * (double)gf__window_outputs(&s->window) * (double)gf__conv_weights(s);
}

double gf__conv_bytes(const gf__conv_shape *s, int n) {
  return 4.0 * n * ((double)gf__conv_inputs(s) + (double)gf__conv_outputs(s));
}

int gf__conv_weight_partials(const gf_device *device) {
  return 2 * gf_device_describe(device)->compute_units;
}

gf__conv_shape gf__conv_flipped(const gf__conv_shape *shape) {
  gf__conv_shape flipped = {
      .window = shape->window, .c = shape->filters, .filters = shape->c, .groups = shape->groups};
  gf__window *w = &flipped.window;
  memcpy(w->size, shape->window.out, sizeof w->size);
  memcpy(w->out, shape->window.size, sizeof w->out);
  for (int a = 0; a < 3; a++) {
    w->padding[a] = w->dilation[a] * (w->kernel[a] - 1) - w->padding[a];
    w->extra[a] = -w->extra[a];
  }
  return flipped;
}
