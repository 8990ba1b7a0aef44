#include "diagnosis/signal.h"

#include <stdlib.h>

#include "train/train_config.h"
#include "train/training.h"

enum { MOST_IMAGES = 256 };

static gf_status open_batch(gf__fresh *s, const gf__train_config *config) {
  int count = gf_dataset_describe(s->dataset).count, size = config->batch_size;
  if (size > count) size = count;
  if (size > MOST_IMAGES) size = MOST_IMAGES;
  gf_loader_options options = gf_loader_options_default();
  options.batch_size = size;
  options.seed = config->seed;
  options.training = true;
  GF_TRY(gf_loader_open(&s->loader, s->dataset, &options));
  GF_TRY(gf_loader_start(s->loader, 0, 0));
  return gf_loader_next(s->loader, &s->batch);
}

static gf_status open_network(gf__fresh *s, gf_device *device, const gf_config *config,
                              unsigned long long seed) {
  gf_dataset_info info = gf_dataset_describe(s->dataset);
  gf_image_shape image = {info.height, info.width, info.channels};
  gf__model_options options = {.measures_nothing = true};
  GF_TRY(gf__model_open_with(&s->model, device, config, image, info.classes, s->batch.count, seed,
                             &options));
  return gf_trainer_open(&s->trainer, s->model, config);
}

static gf_status open_signal(gf__fresh *s, gf_device *device, const gf_config *config) {
  gf__train_config train;
  if (!gf__value_get(gf__config_root(config), "data"))
    return gf__fail(GF_ERROR_CONFIG,
                    "%s: the config has no section 'data', and a diagnosis before training needs a "
                    "batch of it",
                    gf__config_root(config)->place);
  GF_TRY(gf__train_config_read(&train, config));
  GF_TRY(gf_dataset_open(&s->dataset, config, GF_SPLIT_TRAIN));
  GF_TRY(open_batch(s, &train));
  GF_TRY(gf__signal_read_batch(s));
  GF_TRY(open_network(s, device, config, train.seed));
  GF_TRY(gf__training_load_weights(s->model, &train));
  s->vanishing = gf__vanishing_of_config(config);
  GF_TRY(gf__signal_measure(s));
  GF_TRY(gf__signal_add_theory(s));
  return gf__signal_judge(s);
}

gf_status gf_signal_open(gf_signal **out, gf_device *device, const gf_config *config) {
  *out = NULL;
  gf__fresh *s = calloc(1, sizeof *s);
  if (!s) return gf__fail_host_memory(sizeof *s);
  s->signal.owner = s;
  *out = &s->signal;
  gf_status status = open_signal(s, device, config);
  if (status != GF_OK) gf_signal_free(out);
  return status;
}

void gf_signal_free(gf_signal **signal) {
  if (!*signal) return;
  gf__fresh *s = (*signal)->owner;
  free(s->signal.headline);
  for (int i = 0; i < s->signal.note_count; i++) free(s->signal.notes[i]);
  gf_trainer_free(&s->trainer);
  gf_model_free(&s->model);
  gf_loader_free(&s->loader);
  gf_dataset_free(&s->dataset);
  free(s->layers);
  free(s->batch_numbers);
  free(s->class_images);
  free(s->names);
  free(s->course_numbers);
  free(s);
  *signal = NULL;
}
