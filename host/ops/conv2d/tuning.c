#include "ops/conv2d/tuning.h"

#include <math.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cache.h"
#include "base/json.h"
#include "base/os.h"
#include "base/random.h"
#include "base/text.h"

/* A candidate's result may differ from im2col's by this share of its root mean
 * square: ten times what F(4x4, 3x3) loses in single precision. */
static const double bound = 1e-4;

static const char *const pass_names[] = {"forward", "backward_data", "backward_weight"};

struct gf__tuning {
  gf_device *device;
  gf__tune mode;
  const char *force;
  /* "SHAPE pass": name of an algorithm. */
  json_t *choices;   /* known by the file, or measured */
  json_t *preferred; /* by an earlier run, or NULL */
  json_t *made;      /* for this network */
  int measured;      /* passes of convolutions */
  double begun;      /* seconds */
  char path[4096];   /* of the file; "" without a cache folder */
};

/* The operands of one convolution, filled with noise. */
typedef struct trial {
  gf_device *device;
  const gf__conv2d_shape *shape;
  int batch;
  gf_buffer *x, *w, *dy, *out, *workspace;
  size_t out_floats;
  float *expected, *got;
} trial;

static void file_name(const gf_device_info *d, char out[SHA256_DIGEST_STRING_LENGTH]) {
  gf_versions v = gf_versions_get();
  gf__text key = {0};
  gf__device_key(d, &key);
  /* A part of a CPU is slower than the whole. */
  gf__text_add(&key, "%d units\n%s\n%s\n%s\n", d->compute_units, v.program, v.commit, v.clblast);
  out[0] = 0;
  if (gf__text_status(&key) == GF_OK) SHA256Data((const uint8_t *)key.data, key.size, out);
  gf__text_free(&key);
}

static void find_file(gf__tuning *tuning) {
  char digest[SHA256_DIGEST_STRING_LENGTH], name[128];
  file_name(gf_device_describe(tuning->device), digest);
  snprintf(name, sizeof name, "tuning-%.32s.json", digest);
  if (gf__cache_path(tuning->path, sizeof tuning->path, name) != GF_OK) tuning->path[0] = 0;
}

/* What the file says, or NULL. */
static json_t *read_file(const char *path) {
  char *text;
  size_t size;
  if (gf__cache_read(path, GF__JSON_LARGEST, &text, &size) != GF_OK) return NULL;
  json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
  free(text);
  return json;
}

gf_status gf__tuning_open(gf__tuning **out, gf_device *device, gf__tune mode, const char *force) {
  gf__tuning *tuning = calloc(1, sizeof *tuning);
  *out = tuning;
  if (!tuning) return gf__fail_host_memory(sizeof *tuning);
  tuning->device = device;
  tuning->mode = mode;
  tuning->force = force;
  tuning->begun = gf__seconds();
  if (mode != GF__TUNE_OFF) find_file(tuning);
  if (mode == GF__TUNE_FAST && tuning->path[0]) tuning->choices = read_file(tuning->path);
  if (!json_is_object(tuning->choices)) {
    json_decref(tuning->choices);
    tuning->choices = json_object();
  }
  tuning->made = json_object();
  return GF_OK;
}

const char *gf__tuning_path(const gf__tuning *tuning) { return tuning->path; }

void gf__tuning_prefer(gf__tuning *tuning, const char *choices) {
  json_decref(tuning->preferred);
  tuning->preferred = json_loads(choices, JSON_REJECT_DUPLICATES, NULL);
}

gf_status gf__tuning_choices(const gf__tuning *tuning, char **out) {
  *out = json_dumps(tuning->made, JSON_INDENT(1) | JSON_SORT_KEYS);
  return *out ? GF_OK : gf__fail_host_memory(1);
}

void gf__tuning_close(gf__tuning **tuning_pointer) {
  gf__tuning *tuning = *tuning_pointer;
  if (!tuning) return;
  if (tuning->measured)
    gf__log(GF_LOG_INFO, "measured the algorithms of %d convolution passes in %.1f s",
            tuning->measured, gf__seconds() - tuning->begun);
  char *text = tuning->measured && tuning->path[0]
                   ? json_dumps(tuning->choices, JSON_INDENT(1) | JSON_SORT_KEYS)
                   : NULL;
  if (text && gf__cache_write(tuning->path, text, strlen(text)) != GF_OK)
    gf__log(GF_LOG_WARNING, "measured algorithms are not kept: %s", gf_error_message());
  free(text);
  json_decref(tuning->choices);
  json_decref(tuning->preferred);
  json_decref(tuning->made);
  free(tuning);
  *tuning_pointer = NULL;
}

static void shape_key(const gf__conv2d_shape *s, int batch, gf__conv2d_pass pass, char out[160]) {
  snprintf(
      out, 160, "n%d %dx%dx%d filters %d kernel %dx%d stride %dx%d padding %dx%d dilation %dx%d %s",
      batch, s->h, s->w, s->c, s->filters, s->kernel[0], s->kernel[1], s->stride[0], s->stride[1],
      s->padding[0], s->padding[1], s->dilation[0], s->dilation[1], pass_names[pass]);
}

static gf_status noise(gf_device *device, size_t floats, uint32_t tensor, gf_buffer **out) {
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

static size_t largest(size_t a, size_t b) { return a > b ? a : b; }

static gf_status open_trial(trial *t, gf_device *device, const gf__conv2d_shape *s, int batch) {
  size_t n = (size_t)batch, x = n * (size_t)(s->h * s->w * s->c);
  size_t y = n * (size_t)(s->out_h * s->out_w * s->filters);
  size_t w = (size_t)(s->kernel[0] * s->kernel[1] * s->c) * (size_t)s->filters, workspace = 4;
  *t = (trial){.device = device, .shape = s, .batch = batch};
  for (int i = 0; gf__conv2d_algorithms[i]; i++)
    for (gf__conv2d_pass p = 0; p < GF__CONV2D_PASSES; p++)
      if (gf__conv2d_algorithms[i]->accepts(device, s, p))
        workspace = largest(workspace, gf__conv2d_algorithms[i]->workspace(device, s, p, batch));
  t->out_floats = largest(largest(x, y), w);
  t->expected = malloc(t->out_floats * sizeof(float));
  t->got = malloc(t->out_floats * sizeof(float));
  if (!t->expected || !t->got) return gf__fail_host_memory(2 * t->out_floats * sizeof(float));
  GF_TRY(noise(device, x, 0, &t->x));
  GF_TRY(noise(device, w, 1, &t->w));
  GF_TRY(noise(device, y, 2, &t->dy));
  GF_TRY(gf__buffer_new(&t->out, device, t->out_floats * sizeof(float), "a trial convolution"));
  return gf__buffer_new(&t->workspace, device, workspace, "a trial convolution");
}

static void close_trial(trial *t) {
  gf__buffer_free(&t->x);
  gf__buffer_free(&t->w);
  gf__buffer_free(&t->dy);
  gf__buffer_free(&t->out);
  gf__buffer_free(&t->workspace);
  free(t->expected);
  free(t->got);
}

static size_t result_floats(const trial *t, gf__conv2d_pass pass) {
  const gf__conv2d_shape *s = t->shape;
  const size_t floats[] = {(size_t)t->batch * (size_t)(s->out_h * s->out_w * s->filters),
                           (size_t)t->batch * (size_t)(s->h * s->w * s->c),
                           (size_t)(s->kernel[0] * s->kernel[1] * s->c) * (size_t)s->filters};
  return floats[pass];
}

static gf_status run_once(const trial *t, const gf__conv2d_algorithm *a, gf__conv2d_pass pass) {
  gf__conv2d_run run = {
      .n = t->batch, .x = t->x, .w = t->w, .dy = t->dy, .out = t->out, .workspace = t->workspace};
  GF_TRY(a->run[pass](t->device, t->shape, &run));
  return gf_device_finish(t->device);
}

/* The best of some runs, and the result in out. */
static gf_status measure(const trial *t, const gf__conv2d_algorithm *a, gf__conv2d_pass pass,
                         float *out, double *seconds) {
  enum { RUNS = 5 };
  GF_TRY(run_once(t, a, pass));
  GF_TRY(gf__buffer_read(t->out, 0, result_floats(t, pass) * sizeof(float), out));
  *seconds = INFINITY;
  for (int i = 0; i < RUNS; i++) {
    double begun = gf__seconds();
    GF_TRY(run_once(t, a, pass));
    *seconds = fmin(*seconds, gf__seconds() - begun);
  }
  return GF_OK;
}

static bool agrees(const trial *t, gf__conv2d_pass pass) {
  double squares = 0, differences = 0;
  size_t count = result_floats(t, pass);
  for (size_t i = 0; i < count; i++) {
    double d = (double)t->got[i] - t->expected[i];
    squares += (double)t->expected[i] * t->expected[i];
    differences += d * d;
  }
  return differences <= bound * bound * squares;
}

static bool has_time(const gf__tuning *tuning) {
  return tuning->mode == GF__TUNE_FULL || gf__seconds() - tuning->begun < GF__TUNE_SECONDS;
}

/* Measures the candidates of a pass, the device's default and then the others.
 * Without time for all of them, the choice is not kept. */
static gf_status tune_pass(gf__tuning *tuning, const trial *t, gf__conv2d *convolution,
                           gf__conv2d_pass pass) {
  const gf__conv2d_algorithm *reference = gf__conv2d_algorithms[0];
  double best, seconds, reference_seconds;
  bool complete = true, keeps = true;
  char key[160];
  shape_key(t->shape, t->batch, pass, key);
  GF_TRY(measure(t, reference, pass, t->expected, &reference_seconds));
  /* im2col has to be clearly faster than the others: CLBlast may allocate in a step. */
  best = 1.1 * reference_seconds;
  convolution->algorithm[pass] = reference;
  for (int i = 1; gf__conv2d_algorithms[i]; i++) {
    const gf__conv2d_algorithm *a = gf__conv2d_algorithms[i];
    if (!a->accepts(tuning->device, t->shape, pass) || a->rank(tuning->device, t->shape) < 0)
      continue;
    if (!has_time(tuning)) {
      complete = false;
      break;
    }
    gf_status status = measure(t, a, pass, t->got, &seconds);
    if (status != GF_OK || !agrees(t, pass)) {
      gf__log(GF_LOG_WARNING, "%s is not used for %s: %s", a->name, key,
              status != GF_OK ? gf_error_message() : "its result differs from im2col's");
      /* Another time the device may have the memory, or be there. */
      keeps = keeps && status != GF_ERROR_DEVICE_MEMORY && status != GF_ERROR_MEMORY &&
              status != GF_ERROR_DEVICE;
      continue;
    }
    if (seconds < best) {
      best = seconds;
      convolution->algorithm[pass] = a;
    }
  }
  if (!complete) {
    gf__conv2d defaults = {.shape = *t->shape};
    gf__conv2d_choose(&defaults, tuning->device, NULL);
    convolution->algorithm[pass] = defaults.algorithm[pass];
    return GF_OK;
  }
  if (convolution->algorithm[pass] == reference) best = reference_seconds;
  const gf__conv2d_shape *s = t->shape;
  gf__log(GF_LOG_DETAIL, "tuned %dx%d %d->%dx%d %d, %dx%d %s: %s %.2f ms, im2col %.2f ms", s->h,
          s->w, s->c, s->out_h, s->out_w, s->filters, s->kernel[0], s->kernel[1], pass_names[pass],
          convolution->algorithm[pass]->name, 1e3 * best, 1e3 * reference_seconds);
  if (!keeps) return GF_OK;
  json_object_set_new(tuning->choices, key, json_string(convolution->algorithm[pass]->name));
  tuning->measured++;
  return GF_OK;
}

/* The choice for the key, if it is one that takes the shape. */
static const gf__conv2d_algorithm *known(const gf_device *device, const json_t *choices,
                                         const char *key, const gf__conv2d_shape *shape,
                                         gf__conv2d_pass pass) {
  const char *name = json_string_value(json_object_get(choices, key));
  for (int i = 0; name && gf__conv2d_algorithms[i]; i++)
    if (!strcmp(gf__conv2d_algorithms[i]->name, name) &&
        gf__conv2d_algorithms[i]->accepts(device, shape, pass))
      return gf__conv2d_algorithms[i];
  return NULL;
}

static gf_status choose_pass(gf__tuning *tuning, trial *t, gf__conv2d *convolution, int batch,
                             gf__conv2d_pass pass, const char *key) {
  const gf__conv2d_shape *shape = &convolution->shape;
  const gf__conv2d_algorithm *found = known(tuning->device, tuning->preferred, key, shape, pass);
  bool tunes = !tuning->force && tuning->mode != GF__TUNE_OFF;
  if (!found && tunes) found = known(tuning->device, tuning->choices, key, shape, pass);
  if (found) {
    convolution->algorithm[pass] = found;
    return GF_OK;
  }
  if (!tunes || !has_time(tuning)) return GF_OK;
  const gf__conv2d_algorithm *standard = convolution->algorithm[pass];
  gf_status status = t->x ? GF_OK : open_trial(t, tuning->device, shape, batch);
  if (status == GF_OK) status = tune_pass(tuning, t, convolution, pass);
  if (status != GF_ERROR_DEVICE_MEMORY && status != GF_ERROR_MEMORY) return status;
  /* What is too large to be tried beside all else may still run: with the default. */
  close_trial(t);
  *t = (trial){0};
  convolution->algorithm[pass] = standard;
  return GF_OK;
}

gf_status gf__tuning_choose(gf__tuning *tuning, gf__conv2d *convolution, int batch) {
  trial t = {0};
  gf_status status = GF_OK;
  gf__conv2d_choose(convolution, tuning->device, tuning->force);
  for (gf__conv2d_pass pass = 0; pass < GF__CONV2D_PASSES && status == GF_OK; pass++) {
    char key[160];
    shape_key(&convolution->shape, batch, pass, key);
    status = choose_pass(tuning, &t, convolution, batch, pass, key);
    json_object_set_new(tuning->made, key, json_string(convolution->algorithm[pass]->name));
  }
  close_trial(&t);
  return status;
}
