/* A finished run on the test split. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/data.h>
#include <gradflow/train.h>

#include "model/model.h"
#include "run/run_folder.h"
#include "train/train_config.h"

typedef struct test_run {
  gf_config *config;
  gf__train_config run;
  gf_dataset *dataset;
  gf_loader *loader;
  gf_model *model;
  float *logits; /* (batch, classes) */
} test_run;

static gf_status load_weights(test_run *t, const char *folder) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_weights(path, folder));
  return gf_model_load(t->model, path);
}

/* Names the weights, so that the result is known for what it is once the run has others. */
static gf_status name_weights(const char *folder, gf_test_result *out) {
  static const char *const names[] = {"best.safetensors", "last.safetensors"};
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_weights(path, folder));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(gf__path_base(path), names[i])) out->weights = names[i];
  return gf__run_weights_digest(out->weights_sha256, folder);
}

static gf_status open_test(test_run *t, gf_device *device, const char *folder) {
  GF_TRY(gf__run_config_load(&t->config, folder));
  GF_TRY(gf__train_config_read(&t->run, t->config));
  GF_TRY(gf_dataset_open(&t->dataset, t->config, GF_SPLIT_TEST));
  gf_dataset_info info = gf_dataset_describe(t->dataset);
  gf_image_shape image = {info.height, info.width, info.channels};
  int batch = t->run.batch_size < info.count ? t->run.batch_size : info.count;
  GF_TRY(gf__model_open_with(&t->model, device, t->config, image, info.classes, batch, 0,
                             &(gf__model_options){.measures_nothing = true}));
  GF_TRY(load_weights(t, folder));
  gf_loader_options options = gf_loader_options_default();
  options.batch_size = batch;
  GF_TRY(gf_loader_open(&t->loader, t->dataset, &options));
  size_t bytes = (size_t)batch * (size_t)info.classes * sizeof *t->logits;
  t->logits = malloc(bytes);
  return t->logits ? GF_OK : gf__fail_host_memory(bytes);
}

static void close_test(test_run *t) {
  gf_loader_free(&t->loader);
  gf_model_free(&t->model);
  gf_dataset_free(&t->dataset);
  gf_config_free(&t->config);
  free(t->logits);
}

/* Room for the classes, and copies of their names, which outlive the data set. */
static gf_status make_result(const gf_dataset_info *info, gf_test_result *out) {
  size_t classes = (size_t)info->classes, names = 1;
  *out = (gf_test_result){.classes = info->classes};
  for (size_t c = 0; info->class_names && c < classes; c++)
    names += strlen(info->class_names[c]) + 1;
  out->class_accuracy = calloc(classes, sizeof *out->class_accuracy);
  out->class_images = calloc(classes, sizeof *out->class_images);
  out->class_names = calloc(classes, sizeof *out->class_names);
  out->confusion = calloc(classes * (classes + 1), sizeof *out->confusion);
  char *at = out->owner = malloc(names);
  if (!out->class_accuracy || !out->class_images || !out->class_names || !out->confusion || !at)
    return gf__fail_host_memory(names + classes * (classes + 8) * sizeof *out->confusion);
  if (!info->class_names) {
    free(out->class_names);
    out->class_names = NULL;
    return GF_OK;
  }
  for (size_t c = 0; c < classes; c++) {
    size_t size = strlen(info->class_names[c]) + 1;
    out->class_names[c] = memcpy(at, info->class_names[c], size);
    at += size;
  }
  return GF_OK;
}

static bool are_numbers(const float *scores, int classes) {
  int c = 0;
  while (c < classes && !isnan(scores[c])) c++;
  return c == classes;
}

/* How many classes come before one: those of a higher score, and of an equal one those with a
 * smaller number. */
static int place_of(const float *scores, int classes, int class) {
  int before = 0;
  for (int c = 0; c < classes; c++)
    before += scores[c] > scores[class] || (c < class && scores[c] == scores[class]);
  return before;
}

/* The class of the largest score, the first among equals. */
static int best_class(const float *scores, int classes) {
  int best = 0;
  for (int c = 1; c < classes; c++)
    if (scores[c] > scores[best]) best = c;
  return best;
}

/* Counts a batch; top5 are images whose label is among the five highest scores. */
static void count_classes(const test_run *t, const gf_batch *batch, gf_test_result *out,
                          int *top5) {
  enum { TOP = 5 };
  int classes = out->classes;
  for (int i = 0; i < batch->count; i++) {
    const float *scores = t->logits + (size_t)i * (size_t)classes;
    int label = batch->labels[i], found = classes;
    if (are_numbers(scores, classes)) {
      found = best_class(scores, classes);
      *top5 += place_of(scores, classes, label) < TOP;
    }
    out->class_images[label]++;
    out->confusion[(size_t)label * (size_t)(classes + 1) + (size_t)found]++;
  }
}

static void warn_of_scores(const gf_test_result *result, const char *folder) {
  int without = 0;
  for (int c = 0; c < result->classes; c++)
    without += result->confusion[(size_t)(c + 1) * (size_t)(result->classes + 1) - 1];
  if (without)
    gf__log(GF_LOG_WARNING,
            "%s: the scores of %d of %d images are not numbers and count for no class: its weights "
            "are of a run that diverged",
            folder, without, result->images);
}

static gf_status run_test(test_run *t, gf_test_result *out) {
  gf_batch batch;
  double losses = 0, correct = 0;
  int top5 = 0;
  GF_TRY(gf_loader_start(t->loader, 0, 0));
  for (;;) {
    gf_loss loss;
    GF_TRY(gf_loader_next(t->loader, &batch));
    if (batch.count == 0) break;
    GF_TRY(gf_model_forward(t->model, batch.images, batch.labels, batch.count, 0, &loss));
    GF_TRY(gf_model_logits(t->model, t->logits));
    count_classes(t, &batch, out, &top5);
    losses += loss.loss * batch.count;
    correct += loss.correct;
    out->images += batch.count;
  }
  out->loss = losses / out->images;
  out->accuracy = correct / out->images;
  out->top5_accuracy = (double)top5 / out->images;
  for (int c = 0; c < out->classes; c++) {
    int right = out->confusion[(size_t)c * (size_t)(out->classes + 1) + (size_t)c];
    out->class_accuracy[c] = out->class_images[c] ? (double)right / out->class_images[c] : NAN;
  }
  return GF_OK;
}

gf_status gf_test(gf_device *device, const char *run_folder, gf_test_result *out) {
  test_run t = {0};
  *out = (gf_test_result){0};
  gf_status status = open_test(&t, device, run_folder);
  if (status == GF_OK) {
    gf_dataset_info info = gf_dataset_describe(t.dataset);
    status = make_result(&info, out);
  }
  if (status == GF_OK) status = name_weights(run_folder, out);
  if (status == GF_OK) status = run_test(&t, out);
  if (status == GF_OK) warn_of_scores(out, run_folder);
  if (status != GF_OK) gf_test_result_free(out);
  close_test(&t);
  return status;
}

void gf_test_result_free(gf_test_result *result) {
  free(result->class_accuracy);
  free(result->class_images);
  free(result->confusion);
  free(result->class_names);
  free(result->owner);
  *result = (gf_test_result){0};
}
