/* Whether a batch looks right: its numbers, its labels, images that are there twice. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis/signal.h"

static void add_moments(const gf__fresh *s, size_t floats, gf_signal_batch *out, double *mean,
                        double *deviation) {
  const float *x = s->batch.images;
  size_t channels = (size_t)out->channels, count = (size_t)s->batch.count * floats;
  double each = (double)count / (double)channels;
  for (size_t i = 0; i < count; i++) {
    out->nonfinite += !isfinite(x[i]);
    mean[i % channels] += (double)x[i] / each;
  }
  for (size_t i = 0; i < count; i++) {
    double d = (double)x[i] - mean[i % channels];
    deviation[i % channels] += d * d / each;
  }
  for (size_t c = 0; c < channels; c++) deviation[c] = sqrt(deviation[c]);
}

static bool is_constant(const float *x, size_t floats) {
  for (size_t i = 1; i < floats; i++)
    if (x[i] != x[0]) return false;
  return true;
}

static void count_images(const gf__fresh *s, size_t floats, gf_signal_batch *out) {
  size_t bytes = floats * sizeof(float);
  for (int i = 0; i < s->batch.count; i++) {
    const float *x = s->batch.images + (size_t)i * floats;
    bool is_known = false;
    out->constant += is_constant(x, floats);
    for (int k = 0; k < i && !is_known; k++)
      is_known = !memcmp(x, s->batch.images + (size_t)k * floats, bytes);
    out->duplicates += is_known;
  }
}

static void count_labels(const gf__fresh *s, gf_signal_batch *out, int *class_images) {
  for (int i = 0; i < s->batch.count; i++) {
    int label = s->batch.labels[i];
    if (label < 0 || label >= out->classes)
      out->wrong_labels++;
    else
      class_images[label]++;
  }
  for (int c = 0; c < out->classes; c++) out->absent_classes += class_images[c] == 0;
}

gf_status gf__signal_read_batch(gf__fresh *s) {
  gf_dataset_info info = gf_dataset_describe(s->dataset);
  gf_signal_batch *b = &s->signal.batch;
  size_t channels = (size_t)info.channels;
  size_t floats = (size_t)info.height * (size_t)info.width * channels;
  s->batch_numbers = calloc(2 * channels, sizeof *s->batch_numbers);
  s->class_images = calloc((size_t)info.classes, sizeof *s->class_images);
  if (!s->batch_numbers || !s->class_images)
    return gf__fail_host_memory(2 * channels * sizeof *s->batch_numbers);
  *b = (gf_signal_batch){.images = s->batch.count,
                         .channels = info.channels,
                         .classes = info.classes,
                         .mean = s->batch_numbers,
                         .deviation = s->batch_numbers + channels,
                         .class_images = s->class_images};
  add_moments(s, floats, b, s->batch_numbers, s->batch_numbers + channels);
  count_images(s, floats, b);
  count_labels(s, b, s->class_images);
  s->signal.guess = log(info.classes);
  return GF_OK;
}
