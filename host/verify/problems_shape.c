/* Problems of layers that move and add what they read. */
#include <stdio.h>

#include "verify/problems.h"

static const double other_slope = 0.5; /* of the node before the add, in its row below */

static void add_reference(const gf__problem *p, const gf__problem_values *in,
                          gf__problem_values *out) {
  const ref_activation *leaky = ref_activation_find("leaky_relu");
  double *other = gf__new_doubles(p->arena, p->y_count),
         *direct = gf__new_doubles(p->arena, p->y_count);
  ref_activation_forward(leaky, other_slope, p->y_count, in->x, other);
  ref_add_forward(p->y_count, in->x, other, out->y);
  ref_add_backward(p->y_count, in->dy, direct, other);
  ref_activation_backward(leaky, other_slope, p->y_count, in->x, other, out->dx);
  ref_add_forward(p->y_count, direct, out->dx, out->dx);
}

/* The factor is that of the node before: leaky_relu(x), or the mean of each channel. */
static void multiply_read(gf__problem *p, gf__cases *list) {
  p->has_one_factor = gf__cases_int(list, "one", 0) == 1;
  snprintf(p->before, sizeof p->before, "{name: other, type: %s, input: %%s}",
           p->has_one_factor ? "global_avg_pool" : "leaky_relu, slope: 0.5");
  if (p->has_one_factor) p->dx_terms = p->image.height * p->image.width;
}

static void multiply_reference(const gf__problem *p, const gf__problem_values *in,
                               gf__problem_values *out) {
  const gf_image_shape *i = &p->image;
  const ref_activation *leaky = ref_activation_find("leaky_relu");
  int pixels = p->has_one_factor ? i->height * i->width : 1;
  int images = (int)(p->y_count / (size_t)(pixels * i->channels));
  double *factor = gf__new_doubles(p->arena, p->y_count),
         *dfactor = gf__new_doubles(p->arena, p->y_count),
         *through = gf__new_doubles(p->arena, p->y_count);
  if (p->has_one_factor)
    ref_global_avg_pool_forward(p->n, i->height, i->width, i->channels, in->x, factor);
  else
    ref_activation_forward(leaky, other_slope, p->y_count, in->x, factor);
  ref_multiply_forward(images, pixels, i->channels, in->x, factor, out->y);
  ref_multiply_backward(images, pixels, i->channels, in->x, factor, in->dy, out->dx, dfactor);
  if (p->has_one_factor)
    ref_global_avg_pool_backward(p->n, i->height, i->width, i->channels, dfactor, through);
  else
    ref_activation_backward(leaky, other_slope, p->y_count, in->x, dfactor, through);
  ref_add_forward(p->y_count, out->dx, through, out->dx);
}

/* Of the node before the concat, in its row below: zeros follow x. */
enum { OTHER_CHANNELS = 40 };

static void concat_read(gf__problem *p, gf__cases *list) {
  (void)list;
  p->y_count = gf__problem_pixels(p) * (size_t)(2 * p->image.channels + OTHER_CHANNELS);
}

/* y = x, then x and zeros, then x. */
static void concat_reference(const gf__problem *p, const gf__problem_values *in,
                             gf__problem_values *out) {
  int rows = (int)gf__problem_pixels(p), c = p->image.channels, wide = c + OTHER_CHANNELS;
  const gf_image_shape *i = &p->image;
  double *other = gf__new_doubles(p->arena, (size_t)rows * OTHER_CHANNELS);
  double *first = gf__new_doubles(p->arena, (size_t)rows * wide),
         *last = gf__new_doubles(p->arena, p->x_count);
  ref_pad_shortcut_forward(p->n, i->height, i->width, c, 1, OTHER_CHANNELS, in->x, other);
  ref_concat_forward(rows, c, OTHER_CHANNELS, in->x, other, first);
  ref_concat_forward(rows, wide, c, first, in->x, out->y);
  ref_concat_backward(rows, wide, c, in->dy, first, last);
  ref_concat_backward(rows, c, OTHER_CHANNELS, first, out->dx, other);
  ref_add_forward(p->x_count, out->dx, last, out->dx);
  ref_pad_shortcut_backward(p->n, i->height, i->width, c, 1, OTHER_CHANNELS, other, last);
  ref_add_forward(p->x_count, out->dx, last, out->dx);
}

static void slice_read(gf__problem *p, gf__cases *list) {
  p->first = gf__cases_int(list, "first", 0);
  p->channels = gf__cases_int(list, "channels", 1);
  p->y_count = gf__problem_pixels(p) * (size_t)p->channels;
}

static void slice_reference(const gf__problem *p, const gf__problem_values *in,
                            gf__problem_values *out) {
  int rows = (int)gf__problem_pixels(p), c = p->image.channels;
  ref_slice_forward(rows, c, p->first, p->channels, in->x, out->y);
  ref_slice_backward(rows, c, p->first, p->channels, in->dy, out->dx);
}

static void channel_shuffle_read(gf__problem *p, gf__cases *list) {
  p->groups = gf__cases_int(list, "groups", 2);
}

static void channel_shuffle_reference(const gf__problem *p, const gf__problem_values *in,
                                      gf__problem_values *out) {
  int rows = (int)gf__problem_pixels(p), c = p->image.channels;
  ref_channel_shuffle_forward(rows, c, p->groups, in->x, out->y);
  ref_channel_shuffle_backward(rows, c, p->groups, in->dy, out->dx);
}

static void pad_shortcut_read(gf__problem *p, gf__cases *list) {
  p->channels = gf__cases_int(list, "channels", 1);
  p->stride = gf__cases_int(list, "stride", 2);
  p->y_count = (size_t)(p->n * p->channels);
  p->y_count *= (size_t)((p->image.height + p->stride - 1) / p->stride);
  p->y_count *= (size_t)((p->image.width + p->stride - 1) / p->stride);
}

static void pad_shortcut_reference(const gf__problem *p, const gf__problem_values *in,
                                   gf__problem_values *out) {
  const gf_image_shape *i = &p->image;
  ref_pad_shortcut_forward(p->n, i->height, i->width, i->channels, p->stride, p->channels, in->x,
                           out->y);
  ref_pad_shortcut_backward(p->n, i->height, i->width, i->channels, p->stride, p->channels, in->dy,
                            out->dx);
}

static void flatten_reference(const gf__problem *p, const gf__problem_values *in,
                              gf__problem_values *out) {
  const gf_image_shape *i = &p->image;
  ref_flatten_forward(p->n, i->height, i->width, i->channels, in->x, out->y);
  ref_flatten_backward(p->n, i->height, i->width, i->channels, in->dy, out->dx);
}

const gf__problem_type gf__problem_add = {
    .layer = "add",
    .inputs = "[%s, other]",
    .before = "{name: other, type: leaky_relu, slope: 0.5, input: %s}",
    .reference = add_reference};
const gf__problem_type gf__problem_multiply = {.layer = "multiply",
                                               .inputs = "[%s, other]",
                                               .read = multiply_read,
                                               .reference = multiply_reference};
const gf__problem_type gf__problem_concat = {
    .layer = "concat",
    .inputs = "[%s, other, %s]",
    .before = "{name: other, type: pad_shortcut, channels: 40, stride: 1, input: %s}",
    .read = concat_read,
    .reference = concat_reference};
const gf__problem_type gf__problem_slice = {
    .layer = "slice", .read = slice_read, .reference = slice_reference};
const gf__problem_type gf__problem_channel_shuffle = {.layer = "channel_shuffle",
                                                      .read = channel_shuffle_read,
                                                      .reference = channel_shuffle_reference};
const gf__problem_type gf__problem_pad_shortcut = {
    .layer = "pad_shortcut", .read = pad_shortcut_read, .reference = pad_shortcut_reference};
const gf__problem_type gf__problem_flatten = {.layer = "flatten", .reference = flatten_reference};
