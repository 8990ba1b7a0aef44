#include "run/data_record.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/os.h"
#include "run/run_folder.h"

enum { FORMAT = 1, MOST_CLASSES = 1000000, MOST_CHANNELS = 100000 };

/* ---- what is counted ---- */

gf_status gf__class_counts_make(gf__class_counts *out, const int *labels, int count, int classes) {
  *out = (gf__class_counts){.images = count};
  out->class_images = calloc((size_t)classes, sizeof *out->class_images);
  if (!out->class_images) return gf__fail_host_memory((size_t)classes * sizeof(long));
  for (int i = 0; i < count; i++)
    if (labels[i] >= 0 && labels[i] < classes) out->class_images[labels[i]]++;
  return GF_OK;
}

/* Two passes: pixels may have a mean that is large for their deviation. */
static void find_moments(gf__input_statistics *s, const float *images, long pixels) {
  size_t channels = (size_t)s->channels, rows = (size_t)s->images * (size_t)pixels;
  for (size_t i = 0; i < rows * channels; i++) s->mean[i % channels] += (double)images[i];
  for (size_t c = 0; c < channels; c++) s->mean[c] /= (double)rows;
  for (size_t i = 0; i < rows * channels; i++) {
    double d = (double)images[i] - s->mean[i % channels];
    s->deviation[i % channels] += d * d;
  }
  for (size_t c = 0; c < channels; c++) s->deviation[c] = sqrt(s->deviation[c] / (double)rows);
}

static double find_contrast(const float *images, size_t count, size_t values) {
  double energy = 0, rest = 0;
  for (size_t v = 0; v < values; v++) {
    double mean = 0;
    for (size_t i = 0; i < count; i++) mean += (double)images[i * values + v] / (double)count;
    for (size_t i = 0; i < count; i++) {
      double x = (double)images[i * values + v];
      energy += x * x;
      rest += (x - mean) * (x - mean);
    }
  }
  return energy > 0 ? rest / energy : 0;
}

gf_status gf__input_statistics_make(gf__input_statistics *out, const float *images, int count,
                                    long pixels, int channels) {
  *out = (gf__input_statistics){.contrast = (double)NAN};
  if (count < 1) return GF_OK;
  size_t size = (size_t)channels * sizeof(double);
  out->mean = calloc(1, size);
  out->deviation = calloc(1, size);
  if (!out->mean || !out->deviation) return gf__fail_host_memory(2 * size);
  out->images = count;
  out->channels = channels;
  find_moments(out, images, pixels);
  if (count > 1)
    out->contrast = find_contrast(images, (size_t)count, (size_t)pixels * (size_t)channels);
  return GF_OK;
}

/* ---- JSON ---- */

static json_t *pack_counts(const gf__class_counts *counts, int classes) {
  json_t *list = json_array();
  for (int c = 0; c < classes; c++)
    json_array_append_new(list, json_integer((json_int_t)counts->class_images[c]));
  return json_pack("{s:I, s:o}", "images", (json_int_t)counts->images, "class_images", list);
}

static json_t *pack_numbers(const double *numbers, int count) {
  json_t *list = json_array();
  for (int i = 0; i < count; i++) json_array_append_new(list, gf__json_number(numbers[i]));
  return list;
}

static json_t *pack_input(const gf__input_statistics *s) {
  if (s->images == 0) return json_null();
  return json_pack("{s:i, s:o, s:o, s:o}", "images", s->images, "mean",
                   pack_numbers(s->mean, s->channels), "deviation",
                   pack_numbers(s->deviation, s->channels), "contrast",
                   gf__json_number(s->contrast));
}

gf_status gf__data_record_write(const char *folder, const gf__data_record *record) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, folder, "data.json"));
  json_t *json = json_pack("{s:i, s:i, s:o, s:o, s:o}", "format", FORMAT, "classes",
                           record->classes, "train", pack_counts(&record->train, record->classes),
                           "validation", pack_counts(&record->validation, record->classes),
                           "first_batch", pack_input(&record->input));
  return gf__json_write(path, json);
}

static bool read_counts(gf__class_counts *out, const json_t *json, int classes) {
  const json_t *list = json_object_get(json, "class_images");
  out->images = (long)json_integer_value(json_object_get(json, "images"));
  if (json_array_size(list) != (size_t)classes) return false;
  out->class_images = calloc((size_t)classes, sizeof *out->class_images);
  for (int c = 0; c < classes && out->class_images; c++) {
    json_int_t count = json_integer_value(json_array_get(list, (size_t)c));
    if (count < 0 || count > out->images) return false;
    out->class_images[c] = (long)count;
  }
  return out->class_images != NULL;
}

static double *read_numbers(const json_t *list, int count) {
  double *numbers = malloc(((size_t)count + 1) * sizeof *numbers);
  for (int i = 0; i < count && numbers; i++)
    numbers[i] = gf__json_number_of(json_array_get(list, (size_t)i));
  return numbers;
}

static bool read_input(gf__input_statistics *out, const json_t *json) {
  const json_t *mean = json_object_get(json, "mean"),
               *deviation = json_object_get(json, "deviation"),
               *contrast = json_object_get(json, "contrast");
  size_t channels = json_array_size(mean);
  *out = (gf__input_statistics){.contrast = (double)NAN};
  if (!json_is_object(json)) return true; /* the run has not begun */
  if (channels < 1 || channels > MOST_CHANNELS || json_array_size(deviation) != channels)
    return false;
  out->images = (int)json_integer_value(json_object_get(json, "images"));
  out->channels = (int)channels;
  out->mean = read_numbers(mean, out->channels);
  out->deviation = read_numbers(deviation, out->channels);
  out->contrast = gf__json_number_of(contrast);
  return out->mean && out->deviation;
}

static bool read_record(gf__data_record *out, const json_t *json) {
  json_int_t classes = json_integer_value(json_object_get(json, "classes"));
  if (json_integer_value(json_object_get(json, "format")) != FORMAT) return false;
  if (classes < 1 || classes > MOST_CLASSES) return false;
  out->classes = (int)classes;
  return read_counts(&out->train, json_object_get(json, "train"), out->classes) &&
         read_counts(&out->validation, json_object_get(json, "validation"), out->classes) &&
         read_input(&out->input, json_object_get(json, "first_batch"));
}

gf_status gf__data_record_read(gf__data_record *out, const char *folder) {
  char path[GF__PATH_SIZE];
  *out = (gf__data_record){0};
  GF_TRY(gf__run_path(path, folder, "data.json"));
  if (!gf__path_exists(path)) return GF_OK;
  json_t *json = gf__json_read(path);
  bool is_whole = json && read_record(out, json);
  json_decref(json);
  if (is_whole) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s is damaged: it lacks a format, the classes, or their images in train and "
                  "validation; without the file the diagnosis leaves out what depends on it",
                  path);
}

void gf__data_record_free(gf__data_record *record) {
  free(record->train.class_images);
  free(record->validation.class_images);
  free(record->input.mean);
  free(record->input.deviation);
  *record = (gf__data_record){0};
}
