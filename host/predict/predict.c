/* Image files to predictions, a batch at a time. */
#include "predict/predict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "data/image.h"
#include "report/contact_sheet.h"
#include "report/own_picture.h"
#include "run/run_folder.h"

enum { NUMBER_SIZE = 16 };

/* A file of the batch. */
typedef struct file {
  char *path, *message; /* of the failure, or NULL */
  gf_status status;
  int image; /* among those of the batch that could be read */
} file;

/* One call of gf_predict. */
typedef struct prediction_job {
  const char *folder;
  gf_predict_options options; /* top is at most the number of classes */
  gf_predicted *result;
  gf_predictor *predictor;
  int file_count, image_count;
  file *files;                         /* (batch) */
  uint8_t *pixels;                     /* (batch, height, width, channels) */
  float *gradient;                     /* (batch, height, width, channels) */
  float *map;                          /* (height, width) */
  double *probabilities, *top_of_them; /* (classes), (top): of one image */
  int *classes, *first;                /* (top): of one image; (batch): the most probable one */
  const char **top_names;              /* (top) */
  gf__contact_sheet *sheet;            /* NULL where none is wanted */
  int sheets;                          /* written */
} prediction_job;

/* ---- opening ---- */

static gf_status allocate(prediction_job *job) {
  const gf_predictor *net = job->predictor;
  size_t channels = (size_t)net->data->info.channels, area = net->size / channels;
  size_t batch = (size_t)net->batch, top = (size_t)job->options.top, values = batch * net->size;
  job->files = calloc(batch, sizeof *job->files);
  job->pixels = malloc(values);
  job->gradient = malloc(values * sizeof *job->gradient);
  job->map = malloc(area * sizeof *job->map);
  job->probabilities = malloc((size_t)net->classes * sizeof *job->probabilities);
  job->top_of_them = malloc(top * sizeof *job->top_of_them);
  job->classes = malloc(top * sizeof *job->classes);
  job->first = malloc(batch * sizeof *job->first);
  job->top_names = malloc(top * sizeof *job->top_names);
  bool has_all = job->files && job->pixels && job->gradient && job->map && job->probabilities &&
                 job->top_of_them && job->classes && job->first && job->top_names;
  return has_all ? GF_OK : gf__fail_host_memory(values * sizeof *job->gradient);
}

static gf_status open_job(prediction_job *job, gf_device *device) {
  if (job->options.top < 1)
    return gf__fail(GF_ERROR_ARGUMENT, "at least one class is listed of an image, not %d",
                    job->options.top);
  GF_TRY(gf__predictor_open_with(&job->predictor, device, job->folder, job->options.classes,
                                 job->options.saliency));
  int classes = job->predictor->classes;
  if (job->options.top > classes) job->options.top = classes;
  if (job->options.out) GF_TRY(gf__make_folder(job->options.out));
  if (job->options.out) GF_TRY(gf__contact_sheet_new(&job->sheet));
  return allocate(job);
}

static void forget_files(prediction_job *job) {
  for (int i = 0; i < job->file_count; i++) {
    free(job->files[i].path);
    free(job->files[i].message);
  }
  job->file_count = job->image_count = 0;
}

static void close_job(prediction_job *job) {
  if (job->files) forget_files(job);
  gf__contact_sheet_free(&job->sheet);
  gf_predictor_free(&job->predictor);
  free(job->files);
  free(job->pixels);
  free(job->gradient);
  free(job->map);
  free(job->probabilities);
  free(job->top_of_them);
  free(job->classes);
  free(job->first);
  free(job->top_names);
}

/* ---- contact sheets ---- */

static gf_status write_sheet(prediction_job *job) {
  char path[GF__PATH_SIZE], name[48] = "predictions.png";
  if (++job->sheets > 1) snprintf(name, sizeof name, "predictions-%d.png", job->sheets);
  GF_TRY(gf__run_path(path, job->options.out, name));
  GF_TRY(gf__own_picture_check(path));
  GF_TRY(gf__contact_sheet_write(
      job->sheet, job->folder,
      job->options.saliency ? "Beside each image: how strongly each pixel moves the score of its "
                              "first class (Simonyan et al., 2014); white is the most in the image."
                            : NULL,
      path));
  if (job->options.events.written) job->options.events.written(job->options.events.user, path);
  return GF_OK;
}

static gf_status add_to_sheet(prediction_job *job, const gf_prediction *prediction) {
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
  GF_TRY(gf__contact_sheet_add(job->sheet, &cell));
  return gf__contact_sheet_count(job->sheet) == GF__SHEET_MOST_CELLS ? write_sheet(job) : GF_OK;
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
static bool find_top_classes(prediction_job *job, int image) {
  int classes = job->predictor->classes;
  const float *logits = job->predictor->logits + (size_t)image * (size_t)classes;
  if (!gf__softmax(logits, classes, job->probabilities)) return false;
  choose_top(logits, classes, job->options.top, job->classes);
  for (int k = 0; k < job->options.top; k++)
    job->top_of_them[k] = job->probabilities[job->classes[k]];
  return true;
}

/* Pixels are in [0, 1]: the network sees (pixel - mean) / std. */
static const float *make_map(prediction_job *job, int image) {
  const gf_dataset *data = job->predictor->data;
  const float *gradient = job->gradient + (size_t)image * job->predictor->size;
  size_t channels = (size_t)data->info.channels, area = job->predictor->size / channels;
  for (size_t i = 0; i < area; i++) {
    job->map[i] = 0;
    for (size_t c = 0; c < channels; c++) {
      /* The device has written all. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
      float size = fabsf(gradient[i * channels + c]);
      job->map[i] = fmaxf(job->map[i], size / (float)data->settings.std.v[c]);
    }
  }
  return job->map;
}

static gf_status report_failure(prediction_job *job, const char *path, gf_status status,
                                const char *message) {
  gf_prediction failed = {.path = path, .status = status, .message = message};
  job->result->failed++;
  if (job->options.events.prediction)
    job->options.events.prediction(job->options.events.user, &failed);
  return GF_OK;
}

static gf_status report_file(prediction_job *job, const file *f) {
  if (f->status != GF_OK) return report_failure(job, f->path, f->status, f->message);
  const gf_predictor *net = job->predictor;
  const gf_dataset_info *info = &net->data->info;
  if (!find_top_classes(job, f->image)) {
    gf_status status = gf__fail(
        GF_ERROR_NONFINITE,
        "%s: the network's scores are not finite: its weights are of a run that diverged", f->path);
    return report_failure(job, f->path, status, gf_error_message());
  }
  gf_prediction prediction = {.path = f->path,
                              .count = job->options.top,
                              .classes = job->classes,
                              .probabilities = job->top_of_them,
                              .names = net->names.v ? job->top_names : NULL,
                              .shape = {info->height, info->width, info->channels},
                              .pixels = job->pixels + (size_t)f->image * net->size,
                              .saliency = net->saliency ? make_map(job, f->image) : NULL};
  for (int k = 0; net->names.v && k < job->options.top; k++)
    job->top_names[k] = net->names.v[prediction.classes[k]];
  job->result->images++;
  if (job->options.events.prediction)
    job->options.events.prediction(job->options.events.user, &prediction);
  return job->sheet ? add_to_sheet(job, &prediction) : GF_OK;
}

static gf_status run_network(prediction_job *job) {
  gf_predictor *net = job->predictor;
  int classes = net->classes;
  GF_TRY(gf__predictor_run(net, job->image_count));
  if (!net->saliency) return GF_OK;
  for (int i = 0; i < job->image_count; i++)
    choose_top(net->logits + (size_t)i * (size_t)classes, classes, 1, &job->first[i]);
  return gf__saliency_gradient(net->saliency, net->images, job->first, job->image_count,
                               job->gradient);
}

static gf_status end_batch(prediction_job *job) {
  gf_status status = job->image_count > 0 ? run_network(job) : GF_OK;
  for (int i = 0; i < job->file_count && status == GF_OK; i++)
    /* forget_files frees them. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    status = report_file(job, &job->files[i]);
  forget_files(job);
  return status;
}

/* ---- files ---- */

static char *copy_text(const char *text) {
  char *copy = malloc(strlen(text) + 1);
  return copy ? strcpy(copy, text) : NULL;
}

/* Puts a file into the batch, with its image or the failure that is status and the last message. */
static gf_status add_file(prediction_job *job, const char *path, gf_status status) {
  if (status == GF_ERROR_MEMORY || status == GF_ERROR_DEVICE_MEMORY) return status;
  file *f = &job->files[job->file_count];
  *f = (file){.status = status, .image = job->image_count};
  if (status != GF_OK) f->message = copy_text(gf_error_message());
  f->path = copy_text(path);
  job->file_count++;
  job->image_count += status == GF_OK;
  if (!f->path || (status != GF_OK && !f->message)) return gf__fail_host_memory(strlen(path) + 1);
  return job->file_count == job->predictor->batch ? end_batch(job) : GF_OK;
}

static gf_status add_image(prediction_job *job, const char *path) {
  gf_predictor *net = job->predictor;
  size_t at = (size_t)job->image_count * net->size;
  return add_file(
      job, path, net->data->format->read_file(net->data, path, job->pixels + at, net->images + at));
}

static gf_status add_names(prediction_job *job, const char *folder, const gf__names *names) {
  bool has_images = false;
  for (size_t i = 0; i < names->count; i++) {
    char path[GF__PATH_SIZE];
    if (!gf__is_image_name(names->v[i])) continue;
    has_images = true;
    GF_TRY(gf__path_join(path, sizeof path, folder, names->v[i]));
    GF_TRY(add_image(job, path));
  }
  if (has_images) return GF_OK;
  return add_file(job, folder,
                  gf__fail(GF_ERROR_DATA,
                           "%s has no images (.jpg, .jpeg, .png); those of folders in it are "
                           "not looked for",
                           folder));
}

static gf_status add_folder(prediction_job *job, const char *folder) {
  gf__names names = {0};
  gf_status status = gf__list_folder(folder, &names);
  if (status == GF_OK)
    status = add_names(job, folder, &names);
  else
    status = add_file(job, folder, status);
  gf__names_free(&names);
  return status;
}

static gf_status predict_all(prediction_job *job, const char *const *paths, int count) {
  for (int i = 0; i < count; i++)
    GF_TRY(gf__path_is_folder(paths[i]) ? add_folder(job, paths[i]) : add_image(job, paths[i]));
  GF_TRY(end_batch(job));
  return job->sheet && gf__contact_sheet_count(job->sheet) > 0 ? write_sheet(job) : GF_OK;
}

gf_predict_options gf_predict_options_default(void) { return (gf_predict_options){.top = 5}; }

gf_status gf_predict(gf_device *device, const char *run_folder, const char *const *paths, int count,
                     const gf_predict_options *options, gf_predicted *out) {
  prediction_job job = {.folder = run_folder,
                        .result = out,
                        .options = options ? *options : gf_predict_options_default()};
  *out = (gf_predicted){0};
  gf_status status = open_job(&job, device);
  if (status == GF_OK) status = predict_all(&job, paths, count);
  close_job(&job);
  return status;
}
