/* Image files to predictions, a batch at a time. */
#include "train/predict.h"

#include <gradflow/predict.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "report/contact_sheet.h"
#include "train/run_config.h"
#include "train/run_folder.h"

enum { USUAL_TOP = 5, NUMBER_SIZE = 16 };

/* A file of the batch. */
typedef struct file {
  char *path, *message; /* of the failure, or NULL */
  gf_status status;
  int image; /* among those of the batch that could be read */
} file;

typedef struct predictor {
  const char *folder;
  gf_predict_options options; /* with top as it is */
  gf_predicted *result;
  gf_config *config;
  gf__predict_input input;
  gf__class_names names;
  gf_model *model, *saliency; /* saliency is NULL where no maps are wanted */
  int batch, file_count, image_count;
  size_t size;              /* values of an image */
  file *files;              /* (batch) */
  uint8_t *pixels;          /* (batch, height, width, channels) */
  float *images, *gradient; /* likewise */
  float *map;               /* (height, width) */
  float *logits;            /* (batch, classes) */
  double *probabilities;    /* (batch, top) */
  int *classes;             /* (batch, top), and one of each image (batch) behind them */
  const char **top_names;   /* (top) */
  gf__contact_sheet *sheet; /* NULL where none is wanted */
  int sheets;               /* written */
} predictor;

/* ---- opening ---- */

static gf_status load_weights(predictor *p) {
  char best[GF__RUN_PATH_SIZE], last[GF__RUN_PATH_SIZE];
  GF_TRY(gf__run_path(best, p->folder, "best.safetensors"));
  GF_TRY(gf__run_path(last, p->folder, "last.safetensors"));
  bool has_best = gf__path_exists(best);
  if (!has_best && !gf__path_exists(last))
    return gf__fail(GF_ERROR_FILE,
                    "%s has no weights: neither best.safetensors nor last.safetensors; train it "
                    "for an epoch at least",
                    p->folder);
  gf_status status = gf_model_load(p->model, has_best ? best : last);
  /* Where nothing else tells the number of classes, the file of names may be what is wrong. */
  if (status != GF_ERROR_DATA || p->input.info.classes) return status;
  return gf__fail(status, "%d class names do not fit the weights: %s", p->names.count,
                  gf_error_message());
}

/* The networks for batches of p->batch. */
static gf_status open_networks(predictor *p, gf_device *device) {
  const gf_dataset_info *info = &p->input.info;
  gf_image_shape image = {info->height, info->width, info->channels};
  GF_TRY(gf_model_open(&p->model, device, p->config, image, p->names.count, p->batch, 0));
  GF_TRY(load_weights(p));
  return p->options.saliency ? gf__saliency_open(&p->saliency, p->model, p->config) : GF_OK;
}

static gf_status open_fitting_networks(predictor *p, gf_device *device) {
  for (;; p->batch /= 2) {
    gf_status status = open_networks(p, device);
    if (status != GF_ERROR_MEMORY || p->batch == 1) return status;
    gf_model_free(&p->model);
    gf_model_free(&p->saliency);
  }
}

static gf_status allocate(predictor *p) {
  const gf_dataset_info *info = &p->input.info;
  size_t area = (size_t)info->height * (size_t)info->width, batch = (size_t)p->batch;
  size_t top = (size_t)p->options.top, floats = batch * area * (size_t)info->channels;
  p->size = area * (size_t)info->channels;
  p->files = calloc(batch, sizeof *p->files);
  p->pixels = malloc(floats);
  p->images = malloc(floats * sizeof *p->images);
  p->gradient = malloc(floats * sizeof *p->gradient);
  p->map = malloc(area * sizeof *p->map);
  p->logits = malloc(batch * (size_t)p->names.count * sizeof *p->logits);
  p->probabilities = malloc(batch * top * sizeof *p->probabilities);
  p->classes = malloc(batch * (top + 1) * sizeof *p->classes);
  p->top_names = malloc(top * sizeof *p->top_names);
  bool has_all = p->files && p->pixels && p->images && p->gradient && p->map && p->logits &&
                 p->probabilities && p->classes && p->top_names;
  return has_all ? GF_OK : gf__fail_host_memory(floats * sizeof *p->images);
}

static gf_status open_predictor(predictor *p, gf_device *device) {
  char path[GF__RUN_PATH_SIZE];
  gf__run_config run;
  if (p->options.top < 0)
    return gf__fail(GF_ERROR_ARGUMENT, "at least one class is listed of an image, not %d",
                    p->options.top);
  GF_TRY(gf__run_path(path, p->folder, "config.yaml"));
  if (!gf__path_exists(path))
    return gf__fail(GF_ERROR_FILE,
                    "%s is no run folder: it has no config.yaml; name a folder that gradflow train "
                    "has made",
                    p->folder);
  GF_TRY(gf_config_load(&p->config, path));
  GF_TRY(gf__run_config_read(&run, p->config));
  GF_TRY(gf__predict_input_open(&p->input, p->config));
  GF_TRY(gf__class_names_read(&p->names, &p->input, p->options.classes));
  p->batch = run.batch_size;
  if (!p->options.top) p->options.top = USUAL_TOP;
  if (p->options.top > p->names.count) p->options.top = p->names.count;
  GF_TRY(open_fitting_networks(p, device));
  if (p->options.out) GF_TRY(gf__make_folder(p->options.out));
  if (p->options.out) GF_TRY(gf__contact_sheet_new(&p->sheet));
  return allocate(p);
}

static void forget_files(predictor *p) {
  for (int i = 0; i < p->file_count; i++) {
    free(p->files[i].path);
    free(p->files[i].message);
  }
  p->file_count = p->image_count = 0;
}

static void close_predictor(predictor *p) {
  if (p->files) forget_files(p);
  gf__contact_sheet_free(&p->sheet);
  gf_model_free(&p->saliency);
  gf_model_free(&p->model);
  gf__class_names_free(&p->names);
  gf__predict_input_free(&p->input);
  gf_config_free(&p->config);
  free(p->files);
  free(p->pixels);
  free(p->images);
  free(p->gradient);
  free(p->map);
  free(p->logits);
  free(p->probabilities);
  free(p->classes);
  free(p->top_names);
}

/* ---- contact sheets ---- */

static gf_status write_sheet(predictor *p) {
  char path[GF__RUN_PATH_SIZE], name[48] = "predictions.png";
  if (++p->sheets > 1) snprintf(name, sizeof name, "predictions-%d.png", p->sheets);
  GF_TRY(gf__run_path(path, p->options.out, name));
  GF_TRY(gf__contact_sheet_write(
      p->sheet, p->folder,
      p->options.saliency ? "Beside each image: how strongly each pixel moves the score of its "
                            "first class (Simonyan et al., 2014); white is the most in the image."
                          : NULL,
      path));
  if (p->options.events.written) p->options.events.written(p->options.events.user, path);
  return GF_OK;
}

static gf_status add_to_sheet(predictor *p, const gf_prediction *prediction) {
  char numbers[GF__SHEET_MOST_BARS][NUMBER_SIZE];
  gf__sheet_bar bars[GF__SHEET_MOST_BARS];
  int count = prediction->count < GF__SHEET_MOST_BARS ? prediction->count : GF__SHEET_MOST_BARS;
  for (int i = 0; i < count; i++) {
    snprintf(numbers[i], sizeof numbers[i], "%d", prediction->classes[i]);
    bars[i] = (gf__sheet_bar){prediction->names ? prediction->names[i] : numbers[i],
                              prediction->probabilities[i]};
  }
  /* Files have a path. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
  const char *slash = strrchr(prediction->path, '/');
  gf__sheet_cell cell = {.name = slash ? slash + 1 : prediction->path,
                         .height = prediction->shape.height,
                         .width = prediction->shape.width,
                         .channels = prediction->shape.channels,
                         .pixels = prediction->pixels,
                         .map = prediction->saliency,
                         .bars = bars,
                         .bar_count = count};
  GF_TRY(gf__contact_sheet_add(p->sheet, &cell));
  return gf__contact_sheet_count(p->sheet) == GF__SHEET_MOST_CELLS ? write_sheet(p) : GF_OK;
}

/* ---- a batch ---- */

/* Of equal ones the lower class comes first. */
static void choose_top(const float *logits, int classes, int top, int *out) {
  for (int k = 0; k < top; k++) {
    int best = -1;
    for (int c = 0; c < classes; c++) {
      bool is_after = k == 0 || logits[c] < logits[out[k - 1]] ||
                      (logits[c] == logits[out[k - 1]] && c > out[k - 1]);
      if (is_after && (best < 0 || logits[c] > logits[best])) best = c;
    }
    out[k] = best;
  }
}

/* The classes and probabilities of an image of the batch; false where a score is not finite. */
static bool rank(predictor *p, int image) {
  int classes = p->names.count, top = p->options.top;
  const float *logits = p->logits + (size_t)image * (size_t)classes;
  int *chosen = p->classes + (size_t)image * (size_t)top;
  double *probabilities = p->probabilities + (size_t)image * (size_t)top, sum = 0;
  bool finite = true;
  /* The device has written all. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
  for (int c = 0; c < classes; c++) finite &= isfinite(logits[c]) != 0;
  if (!finite) return false;
  choose_top(logits, classes, top, chosen);
  for (int c = 0; c < classes; c++) sum += exp((double)logits[c] - logits[chosen[0]]);
  for (int k = 0; k < top; k++)
    probabilities[k] = exp((double)logits[chosen[k]] - logits[chosen[0]]) / sum;
  return true;
}

/* Pixels are in [0, 1]: the network sees (pixel - mean) / std. */
static const float *make_map(predictor *p, int image) {
  const gf_dataset_info *info = &p->input.info;
  const float *gradient = p->gradient + (size_t)image * p->size;
  size_t channels = (size_t)info->channels, area = p->size / channels;
  for (size_t i = 0; i < area; i++) {
    p->map[i] = 0;
    for (size_t c = 0; c < channels; c++)
      /* The device has written all. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
      p->map[i] = fmaxf(p->map[i], fabsf(gradient[i * channels + c]) / p->input.transform.std[c]);
  }
  return p->map;
}

static gf_status tell_failure(predictor *p, const char *path, gf_status status,
                              const char *message) {
  gf_prediction failed = {.path = path, .status = status, .message = message};
  p->result->failed++;
  if (p->options.events.prediction) p->options.events.prediction(p->options.events.user, &failed);
  return GF_OK;
}

static gf_status tell(predictor *p, const file *f) {
  if (f->status != GF_OK) return tell_failure(p, f->path, f->status, f->message);
  const gf_dataset_info *info = &p->input.info;
  size_t image = (size_t)f->image, first = image * (size_t)p->options.top;
  if (!rank(p, f->image)) {
    gf_status status = gf__fail(
        GF_ERROR_NONFINITE,
        "%s: the network's scores are not finite: its weights are of a run that diverged", f->path);
    return tell_failure(p, f->path, status, gf_error_message());
  }
  gf_prediction prediction = {.path = f->path,
                              .count = p->options.top,
                              .classes = p->classes + first,
                              .probabilities = p->probabilities + first,
                              .names = p->names.v ? p->top_names : NULL,
                              .shape = {info->height, info->width, info->channels},
                              .pixels = p->pixels + image * p->size,
                              .saliency = p->saliency ? make_map(p, f->image) : NULL};
  for (int k = 0; p->names.v && k < p->options.top; k++)
    p->top_names[k] = p->names.v[prediction.classes[k]];
  p->result->images++;
  if (p->options.events.prediction)
    p->options.events.prediction(p->options.events.user, &prediction);
  return p->sheet ? add_to_sheet(p, &prediction) : GF_OK;
}

static gf_status run_network(predictor *p) {
  int classes = p->names.count;
  int *first = p->classes + (size_t)p->batch * (size_t)p->options.top;
  GF_TRY(gf_model_forward(p->model, p->images, NULL, p->image_count, 0, NULL));
  GF_TRY(gf_model_logits(p->model, p->logits));
  if (!p->saliency) return GF_OK;
  for (int i = 0; i < p->image_count; i++)
    choose_top(p->logits + (size_t)i * (size_t)classes, classes, 1, &first[i]);
  return gf__saliency_gradient(p->saliency, p->images, first, p->image_count, p->gradient);
}

static gf_status end_batch(predictor *p) {
  gf_status status = p->image_count > 0 ? run_network(p) : GF_OK;
  /* forget_files frees them. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
  for (int i = 0; i < p->file_count && status == GF_OK; i++) status = tell(p, &p->files[i]);
  forget_files(p);
  return status;
}

/* ---- files ---- */

static char *copy_text(const char *text) {
  char *copy = malloc(strlen(text) + 1);
  return copy ? strcpy(copy, text) : NULL;
}

/* Puts a file into the batch, with its image or the failure that is status and the last message. */
static gf_status add_file(predictor *p, const char *path, gf_status status) {
  if (status == GF_ERROR_MEMORY) return status;
  file *f = &p->files[p->file_count];
  *f = (file){.status = status, .image = p->image_count};
  if (status != GF_OK) f->message = copy_text(gf_error_message());
  f->path = copy_text(path);
  p->file_count++;
  p->image_count += status == GF_OK;
  if (!f->path || (status != GF_OK && !f->message)) return gf__fail_host_memory(strlen(path) + 1);
  return p->file_count == p->batch ? end_batch(p) : GF_OK;
}

static gf_status add_image(predictor *p, const char *path) {
  size_t at = (size_t)p->image_count * p->size;
  return add_file(p, path, gf__predict_input_read(&p->input, path, p->pixels + at, p->images + at));
}

static gf_status add_names(predictor *p, const char *folder, const gf__names *names) {
  bool has_images = false;
  for (size_t i = 0; i < names->count; i++) {
    char path[GF__DATA_LARGEST_PATH];
    if (!gf__predict_is_image(names->v[i])) continue;
    has_images = true;
    GF_TRY(gf__path_join(path, sizeof path, folder, names->v[i]));
    GF_TRY(add_image(p, path));
  }
  if (has_images) return GF_OK;
  return add_file(p, folder,
                  gf__fail(GF_ERROR_DATA,
                           "%s has no images (.jpg, .jpeg, .png); those of folders in it are "
                           "not looked for",
                           folder));
}

static gf_status add_folder(predictor *p, const char *folder) {
  gf__names names = {0};
  gf_status status = gf__list_folder(folder, &names);
  if (status == GF_OK)
    status = add_names(p, folder, &names);
  else
    status = add_file(p, folder, status);
  gf__names_free(&names);
  return status;
}

static gf_status predict_all(predictor *p, const char *const *paths, int count) {
  for (int i = 0; i < count; i++)
    GF_TRY(gf__path_is_folder(paths[i]) ? add_folder(p, paths[i]) : add_image(p, paths[i]));
  GF_TRY(end_batch(p));
  return p->sheet && gf__contact_sheet_count(p->sheet) > 0 ? write_sheet(p) : GF_OK;
}

gf_status gf_predict(gf_device *device, const char *run_folder, const char *const *paths, int count,
                     const gf_predict_options *options, gf_predicted *out) {
  predictor p = {.folder = run_folder, .result = out};
  if (options) p.options = *options;
  *out = (gf_predicted){0};
  gf_status status = open_predictor(&p, device);
  if (status == GF_OK) status = predict_all(&p, paths, count);
  close_predictor(&p);
  return status;
}
