/* Image files to predictions, a batch at a time. */
#include "predict/predict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "report/contact_sheet.h"
#include "run/run_folder.h"

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
  gf_predictor *network;
  int file_count, image_count;
  file *files;                         /* (batch) */
  uint8_t *pixels;                     /* (batch, height, width, channels) */
  float *gradient;                     /* likewise */
  float *map;                          /* (height, width) */
  double *probabilities, *top_of_them; /* (classes), (top): of one image */
  int *classes, *first;                /* (top): of one image; (batch): the most probable one */
  const char **top_names;              /* (top) */
  gf__contact_sheet *sheet;            /* NULL where none is wanted */
  int sheets;                          /* written */
} predictor;

/* ---- opening ---- */

static gf_status allocate(predictor *p) {
  const gf_predictor *net = p->network;
  size_t channels = (size_t)net->input.info.channels, area = net->size / channels;
  size_t batch = (size_t)net->batch, top = (size_t)p->options.top, values = batch * net->size;
  p->files = calloc(batch, sizeof *p->files);
  p->pixels = malloc(values);
  p->gradient = malloc(values * sizeof *p->gradient);
  p->map = malloc(area * sizeof *p->map);
  p->probabilities = malloc((size_t)net->names.count * sizeof *p->probabilities);
  p->top_of_them = malloc(top * sizeof *p->top_of_them);
  p->classes = malloc(top * sizeof *p->classes);
  p->first = malloc(batch * sizeof *p->first);
  p->top_names = malloc(top * sizeof *p->top_names);
  bool has_all = p->files && p->pixels && p->gradient && p->map && p->probabilities &&
                 p->top_of_them && p->classes && p->first && p->top_names;
  return has_all ? GF_OK : gf__fail_host_memory(values * sizeof *p->gradient);
}

static gf_status open_predictor(predictor *p, gf_device *device) {
  if (p->options.top < 0)
    return gf__fail(GF_ERROR_ARGUMENT, "at least one class is listed of an image, not %d",
                    p->options.top);
  GF_TRY(gf__predictor_open_with(&p->network, device, p->folder, p->options.classes,
                                 p->options.saliency != 0));
  int classes = p->network->names.count;
  if (!p->options.top) p->options.top = USUAL_TOP;
  if (p->options.top > classes) p->options.top = classes;
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
  gf_predictor_free(&p->network);
  free(p->files);
  free(p->pixels);
  free(p->gradient);
  free(p->map);
  free(p->probabilities);
  free(p->top_of_them);
  free(p->classes);
  free(p->first);
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
  int classes = p->network->names.count;
  const float *logits = p->network->logits + (size_t)image * (size_t)classes;
  if (!gf__softmax(logits, classes, p->probabilities)) return false;
  choose_top(logits, classes, p->options.top, p->classes);
  for (int k = 0; k < p->options.top; k++) p->top_of_them[k] = p->probabilities[p->classes[k]];
  return true;
}

/* Pixels are in [0, 1]: the network sees (pixel - mean) / std. */
static const float *make_map(predictor *p, int image) {
  const gf__predict_input *input = &p->network->input;
  const float *gradient = p->gradient + (size_t)image * p->network->size;
  size_t channels = (size_t)input->info.channels, area = p->network->size / channels;
  for (size_t i = 0; i < area; i++) {
    p->map[i] = 0;
    for (size_t c = 0; c < channels; c++)
      /* The device has written all. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
      p->map[i] = fmaxf(p->map[i], fabsf(gradient[i * channels + c]) / input->transform.std[c]);
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
  const gf_predictor *net = p->network;
  const gf_dataset_info *info = &net->input.info;
  if (!rank(p, f->image)) {
    gf_status status = gf__fail(
        GF_ERROR_NONFINITE,
        "%s: the network's scores are not finite: its weights are of a run that diverged", f->path);
    return tell_failure(p, f->path, status, gf_error_message());
  }
  gf_prediction prediction = {.path = f->path,
                              .count = p->options.top,
                              .classes = p->classes,
                              .probabilities = p->top_of_them,
                              .names = net->names.v ? p->top_names : NULL,
                              .shape = {info->height, info->width, info->channels},
                              .pixels = p->pixels + (size_t)f->image * net->size,
                              .saliency = net->saliency ? make_map(p, f->image) : NULL};
  for (int k = 0; net->names.v && k < p->options.top; k++)
    p->top_names[k] = net->names.v[prediction.classes[k]];
  p->result->images++;
  if (p->options.events.prediction)
    p->options.events.prediction(p->options.events.user, &prediction);
  return p->sheet ? add_to_sheet(p, &prediction) : GF_OK;
}

static gf_status run_network(predictor *p) {
  gf_predictor *net = p->network;
  int classes = net->names.count;
  GF_TRY(gf__predictor_run(net, p->image_count));
  if (!net->saliency) return GF_OK;
  for (int i = 0; i < p->image_count; i++)
    choose_top(net->logits + (size_t)i * (size_t)classes, classes, 1, &p->first[i]);
  return gf__saliency_gradient(net->saliency, net->images, p->first, p->image_count, p->gradient);
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
  if (status == GF_ERROR_MEMORY || status == GF_ERROR_DEVICE_MEMORY) return status;
  file *f = &p->files[p->file_count];
  *f = (file){.status = status, .image = p->image_count};
  if (status != GF_OK) f->message = copy_text(gf_error_message());
  f->path = copy_text(path);
  p->file_count++;
  p->image_count += status == GF_OK;
  if (!f->path || (status != GF_OK && !f->message)) return gf__fail_host_memory(strlen(path) + 1);
  return p->file_count == p->network->batch ? end_batch(p) : GF_OK;
}

static gf_status add_image(predictor *p, const char *path) {
  gf_predictor *net = p->network;
  size_t at = (size_t)p->image_count * net->size;
  return add_file(p, path,
                  gf__predict_input_read(&net->input, path, p->pixels + at, net->images + at));
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
