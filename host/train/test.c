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
  float *logits;     /* (batch, classes) */
  int *correct;      /* (classes) */
  int without_class; /* images whose scores are not numbers */
} test_run;

static gf_status load_weights(test_run *t, const char *folder) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_weights(path, folder));
  return gf_model_load(t->model, path);
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
  t->correct = calloc((size_t)info.classes, sizeof *t->correct);
  return t->logits && t->correct ? GF_OK : gf__fail_host_memory(bytes);
}

static void close_test(test_run *t) {
  gf_loader_free(&t->loader);
  gf_model_free(&t->model);
  gf_dataset_free(&t->dataset);
  gf_config_free(&t->config);
  free(t->logits);
  free(t->correct);
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
  char *at = out->owner = malloc(names);
  if (!out->class_accuracy || !out->class_images || !out->class_names || !at)
    return gf__fail_host_memory(names + classes * 32);
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

/* The class of the largest score, the first among equals; -1 where a score is not a number. */
static int best_class(const float *scores, int classes) {
  int best = 0;
  for (int c = 0; c < classes; c++) {
    if (isnan(scores[c])) return -1;
    if (scores[c] > scores[best]) best = c;
  }
  return best;
}

static void count_classes(test_run *t, const gf_batch *batch, gf_test_result *out) {
  for (int i = 0; i < batch->count; i++) {
    int best = best_class(t->logits + (size_t)i * (size_t)out->classes, out->classes);
    out->class_images[batch->labels[i]]++;
    t->correct[batch->labels[i]] += best == batch->labels[i];
    t->without_class += best < 0;
  }
}

static void warn_of_scores(const test_run *t, const gf_test_result *result, const char *folder) {
  if (t->without_class)
    gf__log(GF_LOG_WARNING,
            "%s: the scores of %d of %d images are not numbers and count for no class: its weights "
            "are of a run that diverged",
            folder, t->without_class, result->images);
}

static gf_status run_test(test_run *t, gf_test_result *out) {
  gf_batch batch;
  double losses = 0, correct = 0;
  GF_TRY(gf_loader_start(t->loader, 0, 0));
  for (;;) {
    gf_loss loss;
    GF_TRY(gf_loader_next(t->loader, &batch));
    if (batch.count == 0) break;
    GF_TRY(gf_model_forward(t->model, batch.images, batch.labels, batch.count, 0, &loss));
    GF_TRY(gf_model_logits(t->model, t->logits));
    count_classes(t, &batch, out);
    losses += loss.loss * batch.count;
    correct += loss.correct;
    out->images += batch.count;
  }
  out->loss = losses / out->images;
  out->accuracy = correct / out->images;
  for (int c = 0; c < out->classes; c++)
    out->class_accuracy[c] =
        out->class_images[c] ? (double)t->correct[c] / out->class_images[c] : NAN;
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
  if (status == GF_OK) status = run_test(&t, out);
  if (status == GF_OK) warn_of_scores(&t, out, run_folder);
  if (status != GF_OK) gf_test_result_free(out);
  close_test(&t);
  return status;
}

void gf_test_result_free(gf_test_result *result) {
  free(result->class_accuracy);
  free(result->class_images);
  free(result->class_names);
  free(result->owner);
  *result = (gf_test_result){0};
}
