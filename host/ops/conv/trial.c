#include "ops/conv/trial.h"

#include <math.h>
#include <stdlib.h>

#include "base/numbers.h"
#include "base/os.h"
#include "base/random.h"

/* The relative error, of root mean squares, up to which a result agrees with the reference's: ten
 * times what F(4x4, 3x3) loses in single precision. */
static const double agreement_ = 1e-4;

static gf_status new_noise(gf_device *device, size_t floats, uint32_t tensor, gf_buffer **out) {
  float *values = malloc(floats * sizeof *values);
  if (!values) return gf__fail_host_memory(floats * sizeof *values);
  for (size_t i = 0; i < floats; i += 4) {
    gf__random4 r = gf__random(0, GF__STREAM_TEST, tensor, (uint32_t)(i / 4), 0);
    for (size_t k = 0; k < 4 && i + k < floats; k++)
      values[i + k] = 2 * gf__random_float(r.v[k]) - 1;
  }
  gf_status status = gf__buffer_new(out, device, floats * sizeof *values, "a trial convolution");
  if (status == GF_OK) status = gf__buffer_write(*out, 0, floats * sizeof *values, values);
  free(values);
  return status;
}

/* The bytes of workspace that suffice for each candidate. */
static size_t largest_workspace(const gf_device *device, const gf__conv_shape *s, int batch) {
  size_t bytes = 4;
  for (const gf__conv_algorithm *const *a = gf__conv_algorithms; *a; a++)
    for (gf__conv_direction d = 0; d < GF__CONV_DIRECTIONS; d++)
      if ((*a)->accepts(*a, device, s, d) && (*a)->priority(*a, device, s) >= 0)
        bytes = GF__MAX(bytes, (*a)->workspace(*a, device, s, d, batch));
  return bytes;
}

gf_status gf__conv_trial_open(gf__conv_trial *t, gf_device *device, const gf__conv_shape *s,
                              int batch) {
  size_t x = (size_t)batch * gf__conv_inputs(s), y = (size_t)batch * gf__conv_outputs(s);
  size_t w = gf__conv_weights(s), out = GF__MAX(GF__MAX(x, y), w);
  *t = (gf__conv_trial){.device = device, .shape = s, .batch = batch};
  t->expected = malloc(out * sizeof(float));
  t->got = malloc(out * sizeof(float));
  if (!t->expected || !t->got) return gf__fail_host_memory(2 * out * sizeof(float));
  GF_TRY(new_noise(device, x, 0, &t->x));
  GF_TRY(new_noise(device, w, 1, &t->w));
  GF_TRY(new_noise(device, y, 2, &t->dy));
  GF_TRY(gf__buffer_new(&t->out, device, out * sizeof(float), "a trial convolution"));
  return gf__buffer_new(&t->workspace, device, largest_workspace(device, s, batch),
                        "a trial convolution");
}

void gf__conv_trial_close(gf__conv_trial *t) {
  gf__buffer_free(&t->x);
  gf__buffer_free(&t->w);
  gf__buffer_free(&t->dy);
  gf__buffer_free(&t->out);
  gf__buffer_free(&t->workspace);
  free(t->expected);
  free(t->got);
  *t = (gf__conv_trial){0};
}

static size_t result_floats(const gf__conv_trial *t, gf__conv_direction direction) {
  const size_t floats[GF__CONV_DIRECTIONS] = {(size_t)t->batch * gf__conv_outputs(t->shape),
                                              (size_t)t->batch * gf__conv_inputs(t->shape),
                                              gf__conv_weights(t->shape)};
  return floats[direction];
}

static gf_status run_trial(const gf__conv_trial *t, const gf__conv_algorithm *a,
                           gf__conv_direction direction) {
  gf__conv_operands operands = {
      .n = t->batch, .x = t->x, .w = t->w, .dy = t->dy, .out = t->out, .workspace = t->workspace};
  GF_TRY(a->run[direction](a, t->device, t->shape, &operands));
  return gf_device_finish(t->device);
}

gf_status gf__conv_trial_measure(const gf__conv_trial *t, const gf__conv_algorithm *a,
                                 gf__conv_direction direction, float *result, double *seconds) {
  enum { RUNS = 5 };
  GF_TRY(run_trial(t, a, direction));
  GF_TRY(gf__buffer_read(t->out, 0, result_floats(t, direction) * sizeof(float), result));
  *seconds = INFINITY;
  for (int i = 0; i < RUNS; i++) {
    double start = gf__seconds();
    GF_TRY(run_trial(t, a, direction));
    *seconds = fmin(*seconds, gf__seconds() - start);
  }
  return GF_OK;
}

bool gf__conv_trial_agrees(const gf__conv_trial *t, gf__conv_direction direction) {
  double squares = 0, differences = 0;
  size_t count = result_floats(t, direction);
  for (size_t i = 0; i < count; i++) {
    double d = (double)t->got[i] - t->expected[i];
    squares += (double)t->expected[i] * t->expected[i];
    differences += d * d;
  }
  return differences <= agreement_ * agreement_ * squares;
}
