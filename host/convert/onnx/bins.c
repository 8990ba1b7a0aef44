/* Adaptive pools whose bins overlap, as PyTorch's exporter writes them for inference: a GatherND of
 * the pixels of each bin, a Where that sets those past a bin's end to 0, a Gather of each pixel of
 * the bins, their sum, and a Div by the number of pixels. */
#include <math.h>
#include <string.h>

#include "convert/onnx/importing.h"
#include "ops/adaptive_avg_pool.h"

enum { MOST_PIXELS = 64 }; /* of a bin, a bit of taken each */

static int bin_length(const gf__import_bins *b, int axis, int o) {
  return gf__bin_end(o, b->size[axis], b->out[axis]) -
         gf__bin_first(o, b->size[axis], b->out[axis]);
}

/* The output becomes the input with these bins, which are copied. */
static gf_status output_bins(gf__operation *op, const gf__import_value *in,
                             const gf__import_bins *bins) {
  gf__import_bins *kept = gf__onnx_file_keep(op->importing->file, sizeof *kept);
  if (!kept) return GF_ERROR_MEMORY;
  *kept = *bins;
  gf__operation_alias(op, in);
  op->out->bins = kept;
  return GF_OK;
}

static gf_status reject_bins(gf__operation *op) {
  return gf__operation_reject(op,
                              "it gathers or leaves out elements, for which there are layers only "
                              "as a step of an adaptive pool that is exported for inference");
}

/* ---- the pixels of each bin ---- */

static bool are_pixels_of_bins(const gf__import_bins *b, const gf__onnx_elements *places) {
  size_t at = 0;
  for (int p = 0; p < b->out[0]; p++)
    for (int i = 0; i < b->most[0]; i++)
      for (int q = 0; q < b->out[1]; q++)
        for (int j = 0; j < b->most[1]; j++, at += 2) {
          int row = gf__bin_first(p, b->size[0], b->out[0]) + i,
              column = gf__bin_first(q, b->size[1], b->out[1]) + j;
          if (row >= b->size[0]) row = b->size[0] - 1;
          if (column >= b->size[1]) column = b->size[1] - 1;
          if (places->ints[at] != row || places->ints[at + 1] != column) return false;
        }
  return true;
}

gf_status gf__operation_gather_nd(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  gf__onnx_elements places = {0};
  if (op->in[1]->kind != GF__ONNX_CONSTANT || in->kind != GF__ONNX_ACTIVATION ||
      !gf__import_is_plain(in) || in->is_channels_last || in->shape.rank != 4 ||
      memcmp(in->axes, "hwnc", 4) != 0 || gf__operation_int(op, "batch_dims", 0))
    return reject_bins(op);
  GF_TRY(gf__import_elements(op->importing, op->in[1], &places));
  const int64_t *dims = places.shape.dims;
  bool fits = places.ints && places.shape.rank == 5 && dims[4] == 2;
  for (int d = 0; fits && d < 4; d++) fits = dims[d] >= 1 && dims[d] <= 1024;
  if (!fits || dims[1] * dims[3] > MOST_PIXELS) return reject_bins(op);
  gf__import_bins bins = {.size = {(int)in->shape.dims[0], (int)in->shape.dims[1]},
                          .out = {(int)dims[0], (int)dims[2]},
                          .most = {(int)dims[1], (int)dims[3]},
                          .chosen = {-1, -1}};
  if (!are_pixels_of_bins(&bins, &places)) return reject_bins(op);
  GF_TRY(output_bins(op, in, &bins));
  op->out->shape = (gf__onnx_shape){
      6, {dims[0], dims[1], dims[2], dims[3], in->shape.dims[2], in->shape.dims[3]}};
  memcpy(op->out->axes, "piqjnc", 6);
  return GF_OK;
}

/* ---- zeros past the ends ---- */

/* Whether the condition is that of pixels past the ends of the bins along one axis; *axis: which.
 */
static bool masks_ends(const gf__import_bins *b, const gf__onnx_elements *past, int *axis) {
  gf__onnx_shape shape = {.rank = 4, .dims = {1, 1, 1, 1}};
  int missing = 4 - past->shape.rank;
  if (!past->ints || missing < 0) return false;
  for (int d = missing; d < 4; d++) shape.dims[d] = past->shape.dims[d - missing];
  *axis = shape.dims[0] * shape.dims[1] > 1 ? 0 : 1;
  const int64_t *dims = shape.dims + 2 * *axis, *others = shape.dims + 2 - 2 * *axis;
  if (dims[0] != b->out[*axis] || dims[1] != b->most[*axis] || others[0] * others[1] != 1)
    return false;
  for (int o = 0; o < b->out[*axis]; o++)
    for (int k = 0; k < b->most[*axis]; k++)
      if ((past->ints[o * b->most[*axis] + k] != 0) != (k >= bin_length(b, *axis, o))) return false;
  return true;
}

gf_status gf__operation_where(gf__operation *op) {
  const gf__import_value *in = op->in[2];
  gf__onnx_elements past;
  double other = 1;
  bool is_number;
  int axis;
  if (!in->bins || in->shape.rank != 6 || memcmp(in->axes, "ncpiqj", 6) != 0 ||
      op->in[0]->kind != GF__ONNX_CONSTANT)
    return reject_bins(op);
  GF_TRY(gf__operation_scalar(op, 1, &is_number, &other));
  GF_TRY(gf__import_elements(op->importing, op->in[0], &past));
  if (!is_number || other != 0 || !masks_ends(in->bins, &past, &axis)) return reject_bins(op);
  gf__import_bins bins = *in->bins;
  bins.is_masked[axis] = true;
  return output_bins(op, in, &bins);
}

/* ---- sums ---- */

gf_status gf__operation_gather_bins(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  double index = 0;
  bool is_number;
  int64_t at = gf__operation_int(op, "axis", 0);
  int rank = in->shape.rank;
  GF_TRY(gf__operation_scalar(op, 1, &is_number, &index));
  if (at < 0) at += rank;
  if (at < 0 || at >= rank) return gf__operation_fail(op, "has an axis that is not there");
  int axis = in->axes[at] == 'i' ? 0 : in->axes[at] == 'j' ? 1 : -1;
  if (!is_number || op->in[1]->shape.rank != 0 || axis < 0 || !(index >= 0) ||
      !(index < in->bins->most[axis]))
    return reject_bins(op);
  gf__import_bins bins = *in->bins;
  bins.chosen[axis] = (int)index;
  if (bins.chosen[0] >= 0 && bins.chosen[1] >= 0)
    bins.taken = (uint64_t)1 << (bins.chosen[0] * bins.most[1] + bins.chosen[1]);
  GF_TRY(output_bins(op, in, &bins));
  op->out->shape.rank = rank - 1;
  for (int d = (int)at; d + 1 < rank; d++) {
    op->out->shape.dims[d] = in->shape.dims[d + 1];
    op->out->axes[d] = in->axes[d + 1];
  }
  return GF_OK;
}

gf_status gf__operation_add_bins(gf__operation *op) {
  const gf__import_value *a = op->in[0], *b = op->in[1];
  if (op->in_count != 2 || !a->bins || !b || !b->bins || a->layer != b->layer ||
      a->shape.rank != 4 || b->shape.rank != 4 || memcmp(a->axes, "ncpq", 4) != 0 ||
      memcmp(b->axes, "ncpq", 4) != 0 || (a->bins->taken & b->bins->taken) != 0 ||
      memcmp(a->bins->out, b->bins->out, sizeof a->bins->out) != 0 ||
      memcmp(a->bins->most, b->bins->most, sizeof a->bins->most) != 0)
    return reject_bins(op);
  gf__import_bins bins = *a->bins;
  bins.taken |= b->bins->taken;
  for (int axis = 0; axis < 2; axis++) bins.is_masked[axis] &= b->bins->is_masked[axis];
  return output_bins(op, a, &bins);
}

static uint64_t all_pixels(const gf__import_bins *b) {
  int pixels = b->most[0] * b->most[1];
  return pixels == MOST_PIXELS ? ~(uint64_t)0 : ((uint64_t)1 << pixels) - 1;
}

/* Whether every pixel of each bin has been added, and those past its end have been set to 0. */
static bool are_whole(const gf__import_bins *b) {
  for (int axis = 0; axis < 2; axis++)
    for (int o = 0; o < b->out[axis]; o++) {
      int length = bin_length(b, axis, o);
      if (length > b->most[axis] || (length < b->most[axis] && !b->is_masked[axis])) return false;
    }
  return b->taken == all_pixels(b);
}

static bool are_lengths(const gf__import_bins *b, const gf__onnx_elements *counts) {
  const gf__onnx_shape *shape = &counts->shape;
  int64_t dims[2] = {1, 1};
  if (!counts->floats || shape->rank > 2) return false;
  for (int d = 0; d < shape->rank; d++) dims[2 - shape->rank + d] = shape->dims[d];
  for (int axis = 0; axis < 2; axis++)
    if (dims[axis] != 1 && dims[axis] != b->out[axis]) return false;
  for (int p = 0; p < b->out[0]; p++)
    for (int q = 0; q < b->out[1]; q++) {
      int64_t at = (dims[0] > 1 ? p : 0) * dims[1] + (dims[1] > 1 ? q : 0);
      if (counts->floats[at] != (float)(bin_length(b, 0, p) * bin_length(b, 1, q))) return false;
    }
  return true;
}

static gf_status add_adaptive_pool(gf__operation *op, const int *out) {
  gf__import_layer *layer;
  GF_TRY(gf__operation_layer(op, "adaptive_avg_pool", NULL, &layer));
  gf__text_add(&layer->options, ", size: [%d, %d]", out[0], out[1]);
  gf__import_layer_shape(layer, 1, out[0], out[1], layer->c);
  gf__operation_output(op, "nchw");
  return GF_OK;
}

/* Where all bins have as many pixels, their mean is one operator. */
gf_status gf__operation_mean_bins(gf__operation *op, const bool *is_reduced) {
  const gf__import_value *in = op->in[0];
  gf__import_bins bins = *in->bins;
  bool fits = in->shape.rank == 6 && !memcmp(in->axes, "ncpiqj", 6) &&
              !gf__operation_int(op, "keepdims", 1) && !bins.is_masked[0] && !bins.is_masked[1];
  for (int d = 0; fits && d < 6; d++) fits = is_reduced[d] == (d == 3 || d == 5);
  bins.taken = all_pixels(&bins);
  return fits && are_whole(&bins) ? add_adaptive_pool(op, bins.out) : reject_bins(op);
}

gf_status gf__operation_divide_bins(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  gf__onnx_elements counts;
  if (!in->bins || op->in[1]->kind != GF__ONNX_CONSTANT || in->shape.rank != 4 ||
      memcmp(in->axes, "ncpq", 4) != 0 || !are_whole(in->bins))
    return reject_bins(op);
  GF_TRY(gf__import_elements(op->importing, op->in[1], &counts));
  return are_lengths(in->bins, &counts) ? add_adaptive_pool(op, in->bins->out) : reject_bins(op);
}
