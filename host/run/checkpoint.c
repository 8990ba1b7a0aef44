#include "run/checkpoint.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1 };

static gf_status checkpoint_path(char out[GF__PATH_SIZE], const char *folder, int index) {
  char name[40];
  snprintf(name, sizeof name, "checkpoint_%d.safetensors", index);
  return gf__run_path(out, folder, name);
}

/* ---- tensors ---- */

gf__checkpoint_tensors gf__checkpoint_tensors_of(const gf_model *model, gf_buffer *first,
                                                 gf_buffer *second) {
  gf__parameter *const *all = model->parameters;
  int trainable = model->trainable_count, running = model->parameter_count - trainable;
  gf__checkpoint_tensors out = {
      {{all, trainable, model->weights, ""}, {all + trainable, running, model->running, ""}}, 2};
  if (first) out.flats[out.count++] = (gf__flat_tensors){all, trainable, first, "optimizer.first."};
  if (second)
    out.flats[out.count++] = (gf__flat_tensors){all, trainable, second, "optimizer.second."};
  return out;
}

/* What is done with each tensor of a checkpoint. */
typedef gf_status (*tensor_visitor)(const gf__parameter *p, const gf__flat_tensors *flat,
                                    gf__named_tensor *tensor);

static gf_status visit_tensors(const gf__checkpoint_tensors *tensors, gf__named_tensor *named,
                               tensor_visitor visitor) {
  for (int f = 0; f < tensors->count; f++) {
    const gf__flat_tensors *flat = &tensors->flats[f];
    for (int i = 0; i < flat->count; i++) GF_TRY(visitor(flat->parameters[i], flat, named++));
  }
  return GF_OK;
}

static gf_status name_tensor(const gf__parameter *p, const gf__flat_tensors *flat,
                             gf__named_tensor *tensor) {
  return gf__parameter_tensor(p, flat->prefix, tensor);
}

static gf_status read_from_device(const gf__parameter *p, const gf__flat_tensors *flat,
                                  gf__named_tensor *tensor) {
  return gf__parameter_read(p, flat->flat, tensor->values);
}

static gf_status write_to_device(const gf__parameter *p, const gf__flat_tensors *flat,
                                 gf__named_tensor *tensor) {
  return gf__parameter_write(p, flat->flat, tensor->values);
}

static gf_status name_tensors(const gf__checkpoint_tensors *tensors, gf__named_tensor **out,
                              size_t *count) {
  *count = 0;
  for (int f = 0; f < tensors->count; f++) *count += (size_t)tensors->flats[f].count;
  *out = calloc(*count, sizeof **out);
  if (!*out) return gf__fail_host_memory(*count * sizeof **out);
  return visit_tensors(tensors, *out, name_tensor);
}

/* ---- position ---- */

static char *write_position(const gf__position *p) {
  const gf__loss_sums *trained = &p->trained;
  json_t *marks = json_array();
  for (int i = 0; i < GF__LOGS; i++)
    json_array_append_new(marks, json_pack("{s:I, s:s}", "size", (json_int_t)p->marks[i].size,
                                           "sha256", p->marks[i].sha256));
  json_t *json =
      json_pack("{s:i, s:i, s:i, s:I, s:f, s:f, s:{s:i, s:I, s:f, s:f}, s:o}", "format", FORMAT,
                "epoch", p->epoch, "batch", p->batch, "steps", (json_int_t)p->steps, "seconds",
                p->seconds, "best_accuracy", p->best_accuracy, "trained", "steps", trained->steps,
                "images", (json_int_t)trained->images, "losses", trained->losses, "correct",
                trained->correct, "logs", marks);
  char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
  json_decref(json);
  return text;
}

static gf_status read_marks(const char *path, const json_t *logs, gf__position *out) {
  for (size_t i = 0; i < GF__LOGS; i++) {
    gf__record_mark *mark = &out->marks[i];
    const json_t *log = json_array_get(logs, i);
    if (i >= GF__LOG_EVENTS && !log) continue; /* older runs have none */
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
  gf__loss_sums *trained = &out->trained;
  *out = (gf__position){0};
  int failed = json_unpack(json, "{s:I, s:I, s:I, s:I, s:F, s:F, s:{s:I, s:I, s:F, s:F}}", "format",
                           &n.format, "epoch", &n.epoch, "batch", &n.batch, "steps", &n.steps,
                           "seconds", &out->seconds, "best_accuracy", &out->best_accuracy,
                           "trained", "steps", &n.trained_steps, "images", &n.images, "losses",
                           &trained->losses, "correct", &trained->correct);
  gf_status status = GF_OK;
  if (failed || !is_possible(&n))
    status = gf__fail(GF_ERROR_DATA, "%s does not say where its run was, or is of another version",
                      path);
  else
    status = read_marks(path, json_object_get(json, "logs"), out);
  out->epoch = (int)n.epoch;
  out->batch = (int)n.batch;
  out->steps = (long)n.steps;
  trained->steps = (int)n.trained_steps;
  trained->images = (long)n.images;
  json_decref(json);
  return status;
}

/* ---- files ---- */

gf_status gf__checkpoint_write(const char *folder, int index, const gf__checkpoint_tensors *tensors,
                               const gf__position *position) {
  char path[GF__PATH_SIZE];
  gf__named_tensor *named = NULL;
  size_t count = 0;
  char *text = write_position(position);
  gf_status status = text ? checkpoint_path(path, folder, index) : gf__fail_host_memory(1);
  if (status == GF_OK) status = name_tensors(tensors, &named, &count);
  if (status == GF_OK) status = visit_tensors(tensors, named, read_from_device);
  if (status == GF_OK) status = gf__safetensors_write(path, named, count, text);
  gf__named_tensors_free(named, count);
  free(text);
  return status;
}

static gf_status read_position_of(const char *path, gf__position *out) {
  char *text;
  GF_TRY(gf__safetensors_metadata(path, &text));
  gf_status status = read_position(path, text, out);
  free(text);
  return status;
}

static bool is_later(const gf__position *a, const gf__position *b) {
  return a->steps > b->steps || (a->steps == b->steps && a->epoch > b->epoch);
}

int gf__checkpoint_newest(const char *folder, gf__position *out, int *damaged) {
  int newest = -1;
  *damaged = 0;
  for (int index = 0; index < GF__MOST_CHECKPOINTS; index++) {
    char path[GF__PATH_SIZE];
    gf__position p;
    if (checkpoint_path(path, folder, index) != GF_OK || !gf__path_exists(path)) continue;
    if (read_position_of(path, &p) != GF_OK) {
      gf__log(GF_LOG_WARNING, "%s", gf_error_message());
      ++*damaged;
    } else if (newest < 0 || is_later(&p, out)) {
      newest = index;
      *out = p;
    }
  }
  return newest;
}

static gf_status load_tensors(const char *path, const gf__checkpoint_tensors *tensors) {
  gf__named_tensor *named = NULL;
  size_t count = 0;
  gf_status status = name_tensors(tensors, &named, &count);
  if (status == GF_OK) status = gf__safetensors_read(path, named, count);
  if (status == GF_OK) status = visit_tensors(tensors, named, write_to_device);
  gf__named_tensors_free(named, count);
  return status;
}

gf_status gf__checkpoint_read(const char *folder, const gf__checkpoint_tensors *tensors,
                              gf__position *position, int *index) {
  char path[GF__PATH_SIZE];
  int damaged;
  *index = gf__checkpoint_newest(folder, position, &damaged);
  if (*index < 0 && damaged)
    return gf__fail(GF_ERROR_DATA,
                    "%s cannot be continued: all of its %d checkpoints are damaged; train it anew "
                    "with --overwrite",
                    folder, damaged);
  if (*index < 0) return GF_OK;
  if (damaged)
    gf__log(GF_LOG_WARNING, "the run goes on from an older checkpoint: epoch %d, batch %d",
            position->epoch, position->batch);
  GF_TRY(checkpoint_path(path, folder, *index));
  return load_tensors(path, tensors);
}
