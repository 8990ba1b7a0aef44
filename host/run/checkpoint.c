#include "run/checkpoint.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/parameters.h"

enum { FORMAT = 1 };

static gf_status slot_path(char out[GF__PATH_SIZE], const char *folder, int slot) {
  char name[40];
  snprintf(name, sizeof name, "checkpoint_%d.safetensors", slot);
  return gf__run_path(out, folder, name);
}

/* ---- tensors ---- */

static const char *const state_names[] = {"optimizer.first.", "optimizer.second."};
enum { STATES = sizeof state_names / sizeof *state_names };

/* Calls what on every tensor of a checkpoint: the parameters, then each state of the optimizer,
 * with the flat buffer where the tensor lies. */
typedef gf_status (*visitor)(const gf__parameter *p, gf_buffer *flat, const char *prefix,
                             gf__named_tensor *tensor);

static gf_status visit(gf_trainer *trainer, gf__named_tensor *tensors, visitor what) {
  gf_model *model = gf__trainer_model(trainer);
  gf__named_tensor *next = tensors;
  for (int i = 0; i < model->parameter_count; i++) {
    const gf__parameter *p = model->parameters[i];
    GF_TRY(what(p, p->trainable ? model->weights : model->running, "", next++));
  }
  for (int s = 0; s < STATES; s++)
    for (int i = 0; i < model->trainable_count && gf__trainer_state(trainer, s); i++)
      GF_TRY(what(model->parameters[i], gf__trainer_state(trainer, s), state_names[s], next++));
  return GF_OK;
}

static gf_status make(const gf__parameter *p, gf_buffer *flat, const char *prefix,
                      gf__named_tensor *tensor) {
  (void)flat;
  return gf__parameter_tensor(p, prefix, tensor);
}

static gf_status from_device(const gf__parameter *p, gf_buffer *flat, const char *prefix,
                             gf__named_tensor *tensor) {
  (void)prefix;
  return gf__parameter_read(p, flat, tensor->values);
}

static gf_status to_device(const gf__parameter *p, gf_buffer *flat, const char *prefix,
                           gf__named_tensor *tensor) {
  (void)prefix;
  return gf__parameter_write(p, flat, tensor->values);
}

static gf_status make_tensors(gf_trainer *trainer, gf__named_tensor **out, size_t *count) {
  const gf_model *model = gf__trainer_model(trainer);
  *count = (size_t)model->parameter_count;
  for (int s = 0; s < STATES; s++)
    if (gf__trainer_state(trainer, s)) *count += (size_t)model->trainable_count;
  *out = calloc(*count, sizeof **out);
  if (!*out) return gf__fail_host_memory(*count * sizeof **out);
  return visit(trainer, *out, make);
}

/* ---- position ---- */

static char *describe(const gf__position *p) {
  const gf__results *r = &p->trained;
  json_t *marks = json_array();
  for (int i = 0; i < GF__LOGS; i++)
    json_array_append_new(marks, json_pack("{s:I, s:s}", "size", (json_int_t)p->marks[i].size,
                                           "sha256", p->marks[i].sha256));
  json_t *json = json_pack(
      "{s:i, s:i, s:i, s:I, s:f, s:f, s:{s:i, s:I, s:f, s:f, s:f, s:f}, s:o}", "format", FORMAT,
      "epoch", p->epoch, "batch", p->batch, "steps", (json_int_t)p->steps, "seconds", p->seconds,
      "best_accuracy", p->best_accuracy, "trained", "steps", r->steps, "images",
      (json_int_t)r->images, "batch_losses", r->batch_losses, "batch_accuracies",
      r->batch_accuracies, "losses", r->losses, "correct", r->correct, "logs", marks);
  char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
  json_decref(json);
  return text;
}

static gf_status read_marks(const char *path, const json_t *logs, gf__position *out) {
  for (size_t i = 0; i < GF__LOGS; i++) {
    gf__record_mark *mark = &out->marks[i];
    const json_t *log = json_array_get(logs, i);
    if (i == GF__LOG_EVENTS && !log) continue; /* older runs have none */
    const char *digest = json_string_value(json_object_get(log, "sha256"));
    json_int_t size = json_integer_value(json_object_get(log, "size"));
    if (!digest || strlen(digest) >= sizeof mark->sha256 || size < 0)
      return gf__fail(GF_ERROR_DATA, "%s does not say how long the logs were", path);
    mark->size = (size_t)size;
    strcpy(mark->sha256, digest);
  }
  return GF_OK;
}

/* Whole numbers of a position and what they may be. */
typedef struct whole {
  json_int_t format, epoch, batch, steps, trained_steps, images;
} whole;

static bool is_possible(const whole *n) {
  return n->format == FORMAT && n->epoch >= 1 && n->epoch < INT_MAX && n->batch >= 0 &&
         n->batch < INT_MAX && n->steps >= 0 && n->steps < INT_MAX && n->trained_steps >= 0 &&
         n->trained_steps <= n->steps && n->images >= 0;
}

static gf_status read_position(const char *path, const char *text, gf__position *out) {
  json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  whole n = {0};
  gf__results *r = &out->trained;
  *out = (gf__position){.trained = {.first_nonfinite = -1}};
  int failed = json_unpack(json, "{s:I, s:I, s:I, s:I, s:F, s:F, s:{s:I, s:I, s:F, s:F, s:F, s:F}}",
                           "format", &n.format, "epoch", &n.epoch, "batch", &n.batch, "steps",
                           &n.steps, "seconds", &out->seconds, "best_accuracy", &out->best_accuracy,
                           "trained", "steps", &n.trained_steps, "images", &n.images,
                           "batch_losses", &r->batch_losses, "batch_accuracies",
                           &r->batch_accuracies, "losses", &r->losses, "correct", &r->correct);
  gf_status status = GF_OK;
  if (failed || !is_possible(&n))
    status = gf__fail(GF_ERROR_DATA, "%s does not say where its run was, or is of another version",
                      path);
  else
    status = read_marks(path, json_object_get(json, "logs"), out);
  out->epoch = (int)n.epoch;
  out->batch = (int)n.batch;
  out->steps = (long)n.steps;
  r->steps = (int)n.trained_steps;
  r->images = (long)n.images;
  json_decref(json);
  return status;
}

/* ---- files ---- */

gf_status gf__checkpoint_write(const char *folder, int slot, gf_trainer *trainer,
                               const gf__position *position) {
  char path[GF__PATH_SIZE];
  gf__named_tensor *tensors = NULL;
  size_t count = 0;
  char *text = describe(position);
  gf_status status = text ? slot_path(path, folder, slot) : gf__fail_host_memory(1);
  if (status == GF_OK) status = make_tensors(trainer, &tensors, &count);
  if (status == GF_OK) status = visit(trainer, tensors, from_device);
  if (status == GF_OK) status = gf__safetensors_write(path, tensors, count, text);
  gf__named_tensors_free(tensors, count);
  free(text);
  return status;
}

static gf_status read_slot(const char *path, gf__position *out) {
  char *text;
  GF_TRY(gf__safetensors_metadata(path, &text));
  gf_status status = read_position(path, text, out);
  free(text);
  return status;
}

int gf__checkpoint_newest(const char *folder, gf__position *out, int *damaged) {
  int newest = -1;
  *damaged = 0;
  for (int slot = 0; slot < GF__MOST_CHECKPOINTS; slot++) {
    char path[GF__PATH_SIZE];
    gf__position p;
    if (slot_path(path, folder, slot) != GF_OK || !gf__path_exists(path)) continue;
    if (read_slot(path, &p) != GF_OK) {
      gf__log(GF_LOG_WARNING, "%s", gf_error_message());
      ++*damaged;
    } else if (newest < 0 || p.steps > out->steps ||
               (p.steps == out->steps && p.epoch > out->epoch)) {
      newest = slot;
      *out = p;
    }
  }
  return newest;
}

static gf_status load(const char *path, gf_trainer *trainer, long steps) {
  gf__named_tensor *tensors = NULL;
  size_t count = 0;
  gf_status status = make_tensors(trainer, &tensors, &count);
  if (status == GF_OK) status = gf__safetensors_read(path, tensors, count);
  if (status == GF_OK) status = visit(trainer, tensors, to_device);
  if (status == GF_OK) gf__trainer_set_steps(trainer, (int)steps);
  gf__named_tensors_free(tensors, count);
  return status;
}

gf_status gf__checkpoint_read(const char *folder, gf_trainer *trainer, gf__position *position,
                              int *slot) {
  char path[GF__PATH_SIZE];
  int damaged;
  *slot = gf__checkpoint_newest(folder, position, &damaged);
  if (*slot < 0 && damaged)
    return gf__fail(GF_ERROR_DATA,
                    "%s cannot be continued: all of its %d checkpoints are damaged; train it anew "
                    "with --overwrite",
                    folder, damaged);
  if (*slot < 0) return GF_OK;
  if (damaged)
    gf__log(GF_LOG_WARNING, "the run goes on from an older checkpoint: epoch %d, batch %d",
            position->epoch, position->batch);
  GF_TRY(slot_path(path, folder, *slot));
  return load(path, trainer, position->steps);
}
