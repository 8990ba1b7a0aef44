#include "verify/problems.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "verify/case_config.h"

const gf__problem_type *const gf__problem_types[] = {&gf__problem_conv2d,
                                                     &gf__problem_conv_transpose2d,
                                                     &gf__problem_linear,
                                                     &gf__problem_batch_norm,
                                                     &gf__problem_layer_norm,
                                                     &gf__problem_group_norm,
                                                     &gf__problem_layer_scale,
                                                     &gf__problem_leaky_relu,
                                                     &gf__problem_relu,
                                                     &gf__problem_tanh,
                                                     &gf__problem_sigmoid,
                                                     &gf__problem_elu,
                                                     &gf__problem_gelu,
                                                     &gf__problem_silu,
                                                     &gf__problem_clamp,
                                                     &gf__problem_hard_sigmoid,
                                                     &gf__problem_hard_swish,
                                                     &gf__problem_avg_pool,
                                                     &gf__problem_max_pool,
                                                     &gf__problem_conv3d,
                                                     &gf__problem_avg_pool3d,
                                                     &gf__problem_max_pool3d,
                                                     &gf__problem_to_volume,
                                                     &gf__problem_to_image,
                                                     &gf__problem_adaptive_avg_pool,
                                                     &gf__problem_global_avg_pool,
                                                     &gf__problem_add,
                                                     &gf__problem_multiply,
                                                     &gf__problem_concat,
                                                     &gf__problem_slice,
                                                     &gf__problem_channel_shuffle,
                                                     &gf__problem_pad_shortcut,
                                                     &gf__problem_flatten,
                                                     &gf__problem_dropout,
                                                     &gf__problem_stochastic_depth,
                                                     &gf__problem_softmax_cross_entropy,
                                                     &gf__problem_auxiliary_loss,
                                                     NULL};

const gf__problem_type *gf__problem_type_find(const char *layer) {
  for (int i = 0; gf__problem_types[i]; i++)
    if (strcmp(gf__problem_types[i]->layer, layer) == 0) return gf__problem_types[i];
  return NULL;
}

size_t gf__problem_pixels(const gf__problem *p) {
  return (size_t)p->n * (size_t)p->image.height * (size_t)p->image.width;
}

void gf__problem_add_parameter(gf__problem *p, size_t count) {
  p->parameter_size[p->parameter_count++] = count;
}

static gf_status problem_read_keys(gf__problem *p, const gf__cases *list) {
  gf__text keys = {0};
  gf__case_layer_keys(list, gf__layer_find(p->type->layer), &keys);
  gf_status status = gf__text_status(&keys);
  char *copy = gf__new_array(p->arena, keys.size + 1);
  if (keys.size > 0) memcpy(copy, keys.data, keys.size);
  p->keys = copy;
  gf__text_free(&keys);
  return status;
}

gf_status gf__problem_read(gf__problem *p, gf__arena *arena, const gf__problem_type *type,
                           gf__cases *list) {
  *p = (gf__problem){.type = type,
                     .arena = arena,
                     .n = gf__case_batch(list),
                     .image = gf__case_image(list),
                     .spread = 1,
                     .y_terms = 1,
                     .dx_terms = 1,
                     .d_terms = 1};
  p->x_count = p->y_count = gf__problem_pixels(p) * (size_t)p->image.channels;
  snprintf(p->before, sizeof p->before, "%s", type->before ? type->before : "");
  if (type->read) type->read(p, list);
  return problem_read_keys(p, list);
}

static double *problem_uniform(const gf__problem *p, size_t count, uint32_t stream, double low,
                               double high) {
  float *values = gf__new_floats(p->arena, count);
  gf__fill_uniform(values, count, stream, low, high);
  return gf__widen(p->arena, values, count);
}

static void problem_add_results(const gf__problem *p, gf__problem_values *v) {
  v->y = gf__new_doubles(p->arena, p->y_count);
  v->dx = gf__new_doubles(p->arena, p->x_count);
  v->loss = gf__new_doubles(p->arena, 1);
  for (int k = 0; k < p->parameter_count; k++)
    v->d[k] = gf__new_doubles(p->arena, p->parameter_size[k]);
}

gf__problem_values gf__problem_values_new(const gf__problem *p, uint32_t number) {
  gf__problem_values v = {0};
  uint32_t stream = 16 * number;
  if (p->integers) {
    float *x = gf__new_floats(p->arena, p->x_count);
    gf__fill_integers(x, p->x_count, 0, 4);
    v.x = gf__widen(p->arena, x, p->x_count);
  } else {
    v.x = problem_uniform(p, p->x_count, 0, p->offset - p->spread, p->offset + p->spread);
  }
  v.dy = problem_uniform(p, p->y_count, 1, -1, 1);
  for (int k = 0; k < p->parameter_count; k++)
    v.parameter[k] = problem_uniform(p, p->parameter_size[k], stream + 2 + (uint32_t)k,
                                     p->scales && k == GF__PROBLEM_VARIANCE ? 0.5 : -1.5, 1.5);
  problem_add_results(p, &v);
  return v;
}

gf__problem_values gf__problem_magnitudes(const gf__problem *p, const gf__problem_values *in) {
  gf__problem_values out = {0}, absolute = {0};
  problem_add_results(p, &out);
  if (p->type->magnitudes) {
    p->type->magnitudes(p, in, &out);
    return out;
  }
  absolute.x = gf__absolute(p->arena, in->x, p->x_count);
  absolute.dy = gf__absolute(p->arena, in->dy, p->y_count);
  for (int k = 0; k < p->parameter_count; k++)
    absolute.parameter[k] = gf__absolute(p->arena, in->parameter[k], p->parameter_size[k]);
  p->type->reference(p, &absolute, &out);
  return out;
}
