/* What the parameters of a network start as. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "model/model.h"

/* Uniform in +-bound. */
static void fill_uniform(float *out, size_t count, double bound, uint64_t seed, uint32_t tensor) {
  for (size_t i = 0; i < count; i++) {
    gf__random4 r = gf__random(seed, GF__STREAM_WEIGHTS, tensor, (uint32_t)(i / 4), 0);
    out[i] = (float)((2.0 * gf__random_float(r.v[i % 4]) - 1.0) * bound);
  }
}

/* Normal by Box and Muller, 1958. */
static void fill_normal(float *out, size_t count, double deviation, uint64_t seed,
                        uint32_t tensor) {
  const double two_pi = 6.283185307179586;
  for (size_t i = 0; i < count; i++) {
    gf__random4 r = gf__random(seed, GF__STREAM_WEIGHTS, tensor, (uint32_t)i, 0);
    double u = 1.0 - (double)gf__random_float(r.v[0]), v = (double)gf__random_float(r.v[1]);
    out[i] = (float)(deviation * sqrt(-2.0 * log(u)) * cos(two_pi * v));
  }
}

static void fill_constant(float *out, size_t count, float value) {
  for (size_t i = 0; i < count; i++) out[i] = value;
}

enum { LANES = 8 };

/* Partial sums that the compiler keeps in vectors. */
static double dot(const double *a, const double *b, size_t count) {
  double lanes[LANES] = {0}, sum = 0;
  size_t whole = count / LANES * LANES;
  for (size_t i = 0; i < whole; i += LANES)
    for (size_t k = 0; k < LANES; k++) lanes[k] += a[i + k] * b[i + k];
  for (size_t k = 0; k < LANES; k++) sum += lanes[k];
  for (size_t i = whole; i < count; i++) sum += a[i] * b[i];
  return sum;
}

/* The rows of a (count, length), count <= length, become orthonormal: the Q of a QR decomposition
 * of the transpose whose R has a positive diagonal, by modified Gram and Schmidt. In double
 * precision that is exact enough for matrices as well conditioned as random ones are. */
static void orthonormalise(double *a, size_t count, size_t length) {
  for (size_t i = 0; i < count; i++) {
    double *row = a + i * length, norm = sqrt(dot(row, row, length));
    for (size_t k = 0; k < length; k++) row[k] /= norm;
    for (size_t j = i + 1; j < count; j++) {
      double *other = a + j * length, projection = dot(row, other, length);
      for (size_t k = 0; k < length; k++) other[k] -= projection * row[k];
    }
  }
}

/* gain times the matrix (rows, columns) in out, whose rows, or columns where those are fewer,
 * become orthonormal. */
static gf_status make_orthogonal(float *out, size_t rows, size_t columns, double gain) {
  size_t count = rows * columns;
  bool wide = rows <= columns;
  size_t length = wide ? columns : rows, row_step = wide ? length : 1, step = wide ? 1 : length;
  double *a = malloc(count * sizeof *a);
  if (!a) return gf__fail_host_memory(count * sizeof *a);
  for (size_t r = 0; r < rows; r++)
    /* fill_normal has set it. NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
    for (size_t c = 0; c < columns; c++) a[r * row_step + c * step] = out[r * columns + c];
  /* A side is at least 1. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
  orthonormalise(a, count / length, length);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++)
      out[r * columns + c] = (float)(gain * a[r * row_step + c * step]);
  free(a);
  return GF_OK;
}

/* A matrix (filters, the rest) of each group. */
static gf_status fill_orthogonal(float *out, const gf__parameter *p, double gain, uint64_t seed,
                                 uint32_t tensor) {
  size_t groups = (size_t)p->groups, rows = (size_t)p->dims[0] / groups;
  size_t count = p->count / groups;
  fill_normal(out, p->count, 1, seed, tensor);
  for (size_t g = 0; g < groups; g++)
    GF_TRY(make_orthogonal(out + g * count, rows, count / rows, gain));
  return GF_OK;
}

static gf_status fill_random(const gf_model *model, const gf__parameter *p, uint64_t seed,
                             uint32_t tensor, float *out) {
  double fan_in = p->fan_in, fan_out = p->fan_out;
  if (model->initialisation == GF__ORTHOGONAL)
    return fill_orthogonal(out, p, model->orthogonal_gain, seed, tensor);
  if (model->initialisation == GF__LSUV) return fill_orthogonal(out, p, 1, seed, tensor);
  if (model->initialisation == GF__HE)
    fill_normal(out, p->count, sqrt(2 / fan_in), seed, tensor);
  else if (model->initialisation == GF__XAVIER)
    fill_uniform(out, p->count, sqrt(6 / (fan_in + fan_out)), seed, tensor);
  else
    fill_uniform(out, p->count, 1 / sqrt(fan_in), seed, tensor);
  return GF_OK;
}

static gf_status fill(const gf_model *model, const gf__parameter *p, uint64_t seed, uint32_t tensor,
                      float *out) {
  bool uniform = model->initialisation == GF__UNIFORM_FAN_IN;
  if (p->fill == GF__FILL_RANDOM || (p->fill == GF__FILL_FAN_IN && uniform))
    return fill_random(model, p, seed, tensor, out);
  double value = p->fill == GF__FILL_VALUE ? p->value : p->fill == GF__FILL_ONE;
  fill_constant(out, p->count, (float)value);
  return GF_OK;
}

gf_status gf__model_initialise(gf_model *model, unsigned long long seed) {
  for (int i = 0; i < model->parameter_count; i++) {
    size_t bytes = model->parameters[i]->count * sizeof(float);
    float *values = malloc(bytes);
    if (!values) return gf__fail_host_memory(bytes);
    gf_status status = fill(model, model->parameters[i], seed, (uint32_t)i, values);
    if (status == GF_OK) status = gf_model_write_parameter(model, i, values);
    free(values);
    GF_TRY(status);
  }
  return GF_OK;
}
