/* The network of a run, and what it makes of images in memory. */
#include <gradflow/predict.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "data/byte_images.h"
#include "predict/predict.h"
#include "run/run_folder.h"
#include "train/train_config.h"

/* ---- opening ---- */

/* The networks for batches of p->batch. */
static gf_status open_networks(gf_predictor *p, gf_device *device, bool saliency) {
  const gf_dataset_info *info = &p->data->info;
  gf_image_shape image = {info->height, info->width, info->channels};
  GF_TRY(gf__model_open_with(&p->model, device, p->config, image, p->classes, p->batch, 0,
                             &(gf__model_options){.measures_nothing = true}));
  GF_TRY(gf_model_load(p->model, p->weights));
  return saliency ? gf__saliency_open(&p->saliency, p->model, p->config) : GF_OK;
}

static gf_status open_fitting_networks(gf_predictor *p, gf_device *device, bool saliency) {
  for (;; p->batch /= 2) {
    gf_status status = open_networks(p, device, saliency);
    if (status != GF_ERROR_DEVICE_MEMORY || p->batch == 1) return status;
    gf_model_free(&p->model);
    gf_model_free(&p->saliency);
  }
}

/* The run's own number of classes, and their names: of a file, else of the data set, else of the
 * run. */
static gf_status read_classes(gf_predictor *p, const char *folder, const char *file) {
  const gf__data_source source = {
      .format = p->data->format, .settings = &p->data->settings, .files = p->data->format->train};
  GF_TRY(gf__network_read_shaped(&p->network, folder));
  p->classes = p->network.classes;
  if (file) return gf__class_names_read(&p->names, file, "the network", p->classes);
  GF_TRY(gf__class_names_find(&p->names, &source, "the network", p->classes));
  if (p->names.v || !p->network.class_names) return GF_OK;
  size_t bytes = (size_t)p->classes * sizeof *p->names.v;
  p->names.v = malloc(bytes);
  if (!p->names.v) return gf__fail_host_memory(bytes);
  memcpy(p->names.v, p->network.class_names, bytes);
  return GF_OK;
}

static gf_status open_predictor(gf_predictor *p, gf_device *device, const char *folder,
                                const char *classes, bool saliency) {
  char path[GF__PATH_SIZE];
  gf__train_config run;
  GF_TRY(gf__run_path(path, folder, "config.yaml"));
  if (!gf__path_exists(path))
    return gf__fail(GF_ERROR_FILE,
                    "%s is no run folder: it has no config.yaml; name a folder that gradflow train "
                    "has made",
                    folder);
  GF_TRY(gf__run_config_load(&p->config, folder));
  GF_TRY(gf__train_config_read(&run, p->config));
  GF_TRY(gf__dataset_open_empty(&p->data, p->config));
  GF_TRY(gf__run_weights(p->weights, folder));
  GF_TRY(read_classes(p, folder, classes));
  p->batch = run.batch_size;
  GF_TRY(open_fitting_networks(p, device, saliency));
  const gf_dataset_info *info = &p->data->info;
  p->size = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
  size_t floats = (size_t)p->batch * p->size, scores = (size_t)p->batch * (size_t)p->classes;
  p->images = malloc(floats * sizeof *p->images);
  p->logits = malloc(scores * sizeof *p->logits);
  if (!p->images || !p->logits) return gf__fail_host_memory((floats + scores) * sizeof(float));
  return GF_OK;
}

gf_status gf__predictor_open_with(gf_predictor **out, gf_device *device, const char *folder,
                                  const char *classes, bool saliency) {
  *out = calloc(1, sizeof **out);
  if (!*out) return gf__fail_host_memory(sizeof **out);
  gf_status status = open_predictor(*out, device, folder, classes, saliency);
  if (status != GF_OK) gf_predictor_free(out);
  return status;
}

gf_status gf_predictor_open(gf_predictor **out, gf_device *device, const char *run_folder,
                            const char *classes) {
  return gf__predictor_open_with(out, device, run_folder, classes, false);
}

void gf_predictor_free(gf_predictor **predictor) {
  gf_predictor *p = *predictor;
  if (!p) return;
  gf_model_free(&p->saliency);
  gf_model_free(&p->model);
  gf__class_names_free(&p->names);
  gf__network_free(&p->network);
  gf_dataset_free(&p->data);
  gf_config_free(&p->config);
  free(p->images);
  free(p->logits);
  free(p);
  *predictor = NULL;
}

gf_predictor_info gf_predictor_describe(const gf_predictor *p) {
  const gf_dataset_info *info = &p->data->info;
  return (gf_predictor_info){.shape = {info->height, info->width, info->channels},
                             .classes = p->classes,
                             .class_names = p->names.v};
}

/* ---- running ---- */

gf_status gf__predictor_run(gf_predictor *p, int count) {
  GF_TRY(gf_model_forward(p->model, p->images, NULL, count, 0, NULL));
  return gf_model_logits(p->model, p->logits);
}

bool gf__softmax(const float *logits, int classes, double *out) {
  double largest = -INFINITY, sum = 0;
  for (int c = 0; c < classes; c++) {
    if (!isfinite(logits[c])) return false;
    largest = fmax(largest, (double)logits[c]);
  }
  for (int c = 0; c < classes; c++) sum += out[c] = exp((double)logits[c] - largest);
  for (int c = 0; c < classes; c++) out[c] /= sum;
  return true;
}

/* Images of a caller: one of the two. */
typedef struct source {
  const unsigned char *bytes;
  const float *floats;
  gf_image_shape shape;
} source;

static gf_status check_shape(const gf_predictor *p, const source *s) {
  const gf_dataset_info *info = &p->data->info;
  bool fits = s->shape.height >= 1 && s->shape.height <= info->height && s->shape.width >= 1 &&
              s->shape.width <= info->width && s->shape.channels == info->channels;
  if (fits) return GF_OK;
  return gf__fail(GF_ERROR_SHAPE,
                  "images are %d x %d x %d (height, width, channels), and the network takes "
                  "%d x %d x %d, or smaller ones of as many channels; resize them first",
                  s->shape.height, s->shape.width, s->shape.channels, info->height, info->width,
                  info->channels);
}

/* One value, normalised; at counts over all images. */
static float normalised_value(const gf_predictor *p, const source *s, size_t at, int channel) {
  const gf__data_settings *settings = &p->data->settings;
  if (s->bytes) return gf__byte_images_of(p->data)->transform.table[channel][s->bytes[at]];
  return (float)(((double)s->floats[at] - settings->mean.v[channel]) / settings->std.v[channel]);
}

/* Puts an image into the middle of a black one of the network's shape. */
static void normalise(const gf_predictor *p, const source *s, int image, float *out) {
  const gf_dataset_info *info = &p->data->info;
  gf_image_shape shape = s->shape;
  int top = (info->height - shape.height) / 2, left = (info->width - shape.width) / 2;
  for (int y = -top; y < info->height - top; y++)
    for (int x = -left; x < info->width - left; x++)
      for (int c = 0; c < info->channels; c++) {
        bool is_inside = y >= 0 && y < shape.height && x >= 0 && x < shape.width;
        size_t row = (size_t)image * (size_t)shape.height + (size_t)(is_inside ? y : 0);
        size_t pixel = row * (size_t)shape.width + (size_t)(is_inside ? x : 0);
        *out++ = is_inside ? normalised_value(p, s, pixel * (size_t)shape.channels + (size_t)c, c)
                           : gf__byte_images_of(p->data)->transform.table[c][0];
      }
}

static gf_status check_range(const source *s, int count) {
  size_t size = (size_t)s->shape.height * (size_t)s->shape.width * (size_t)s->shape.channels;
  for (size_t i = 0; s->floats && i < size * (size_t)count; i++)
    if (!(s->floats[i] >= 0 && s->floats[i] <= 1))
      return gf__fail(GF_ERROR_ARGUMENT,
                      "image %zu has a pixel of %g; pixels that are floats are in [0, 1]", i / size,
                      (double)s->floats[i]);
  return GF_OK;
}

static gf_status predict_batch(gf_predictor *p, const source *s, int first, int count,
                               double *probabilities) {
  size_t classes = (size_t)p->classes;
  for (int i = 0; i < count; i++) normalise(p, s, first + i, p->images + (size_t)i * p->size);
  GF_TRY(gf__predictor_run(p, count));
  for (int i = 0; i < count; i++)
    if (!gf__softmax(p->logits + (size_t)i * classes, p->classes,
                     probabilities + (size_t)(first + i) * classes))
      return gf__fail(GF_ERROR_NONFINITE,
                      "image %d: the network's scores are not finite: its weights are of a run "
                      "that diverged",
                      first + i);
  return GF_OK;
}

static gf_status predict_images(gf_predictor *p, const source *s, int count,
                                double *probabilities) {
  GF_TRY(check_shape(p, s));
  GF_TRY(check_range(s, count));
  for (int first = 0; first < count; first += p->batch)
    GF_TRY(predict_batch(p, s, first, count - first < p->batch ? count - first : p->batch,
                         probabilities));
  return GF_OK;
}

gf_status gf_predictor_run_bytes(gf_predictor *predictor, const unsigned char *images,
                                 gf_image_shape shape, int count, double *probabilities) {
  return predict_images(predictor, &(source){.bytes = images, .shape = shape}, count,
                        probabilities);
}

gf_status gf_predictor_run_floats(gf_predictor *predictor, const float *images,
                                  gf_image_shape shape, int count, double *probabilities) {
  return predict_images(predictor, &(source){.floats = images, .shape = shape}, count,
                        probabilities);
}
