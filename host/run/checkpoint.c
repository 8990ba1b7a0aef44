#include "run/checkpoint.h"
#include "base/json.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/device.h>

/* Format 1 has neither the images of the position nor what the run is computed from. */
enum { FORMAT = 2 };

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

/* Runs that have no rules for their end, and those of older programs, are without it. */
static void read_stop(const json_t *json, gf__stop_state *out) {
  const json_t *best = json_object_get(json, "best");
  *out =
      (gf__stop_state){.best = gf__json_number_of(best),
                       .best_epoch = (int)json_integer_value(json_object_get(json, "best_epoch")),
                       .waited = (int)json_integer_value(json_object_get(json, "waited")),
                       .ill = (int)json_integer_value(json_object_get(json, "ill")),
                       .seconds = json_number_value(json_object_get(json, "seconds"))};
}

static json_t *write_stop(const gf__stop_state *stop) {
  return json_pack("{s:o, s:i, s:i, s:i, s:f}", "best", gf__json_number(stop->best), "best_epoch",
                   stop->best_epoch, "waited", stop->waited, "ill", stop->ill, "seconds",
                   stop->seconds);
}

static json_t *pack_splits(const gf__origin *origin) {
  json_t *splits = json_array();
  for (int i = 0; i < GF__ORIGIN_SPLITS; i++)
    json_array_append_new(splits, json_pack("{s:i, s:s}", "images", origin->splits[i].count,
                                            "sha256", origin->splits[i].sha256));
  return splits;
}

static char *write_position(const gf__position *p, const gf__origin *origin) {
  const gf__loss_sums *trained = &p->trained;
  json_t *marks = json_array();
  for (int i = 0; i < GF__LOGS; i++)
    json_array_append_new(marks, json_pack("{s:I, s:s}", "size", (json_int_t)p->marks[i].size,
                                           "sha256", p->marks[i].sha256));
  json_t *json = json_pack(
      "{s:i, s:i, s:i, s:i, s:I, s:I, s:f, s:f, s:{s:i, s:I, s:f, s:f}, s:o, s:s, s:o}", "format",
      FORMAT, "epoch", p->epoch, "images", p->images, "batch", p->batch, "steps",
      (json_int_t)p->steps, "number", (json_int_t)p->number, "seconds", p->seconds, "best_accuracy",
      p->best_accuracy, "trained", "steps", trained->steps, "images", (json_int_t)trained->images,
      "losses", trained->losses, "correct", trained->correct, "logs", marks, "config",
      origin->config, "data", pack_splits(origin));
  if (json) json_object_set_new(json, "stop", write_stop(&p->stop));
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
  json_int_t epoch, batch, steps, trained_steps, images, number, trained_images;
} whole;

static bool is_possible(const whole *n) {
  return n->epoch >= 1 && n->epoch < INT_MAX && n->batch >= 0 && n->batch < INT_MAX &&
         n->steps >= 0 && n->steps < INT_MAX && n->trained_steps >= 0 &&
         n->trained_steps <= n->steps && n->images >= -1 && n->images < INT_MAX && n->number >= 0 &&
         n->trained_images >= 0;
}

static gf_status read_splits(const char *path, const json_t *splits, gf__found_checkpoint *out) {
  for (size_t i = 0; i < GF__ORIGIN_SPLITS; i++) {
    gf__split_digest *split = &out->splits[i];
    const json_t *stored = json_array_get(splits, i);
    const char *digest = json_string_value(json_object_get(stored, "sha256"));
    json_int_t count = json_integer_value(json_object_get(stored, "images"));
    if (!digest || strlen(digest) >= sizeof split->sha256 || count < 0 || count > INT_MAX)
      return gf__fail(GF_ERROR_DATA, "%s does not say which images its run had", path);
    split->count = (int)count;
    strcpy(split->sha256, digest);
  }
  return GF_OK;
}

static gf_status read_origin(const char *path, const json_t *json, gf__found_checkpoint *out) {
  const char *config = json_string_value(json_object_get(json, "config"));
  if (!config) return gf__fail(GF_ERROR_DATA, "%s does not say which config its run had", path);
  GF_TRY(read_splits(path, json_object_get(json, "data"), out));
  out->config = gf__text_copy(config);
  return out->config ? GF_OK : gf__fail_host_memory(strlen(config) + 1);
}

static gf_status read_numbers(const char *path, json_t *json, gf__position *out) {
  whole n = {.images = -1};
  gf__loss_sums *trained = &out->trained;
  int failed =
      json_unpack(json, "{s:I, s:I, s:I, s:F, s:F, s:{s:I, s:I, s:F, s:F}, s?I, s?I}", "epoch",
                  &n.epoch, "batch", &n.batch, "steps", &n.steps, "seconds", &out->seconds,
                  "best_accuracy", &out->best_accuracy, "trained", "steps", &n.trained_steps,
                  "images", &n.trained_images, "losses", &trained->losses, "correct",
                  &trained->correct, "images", &n.images, "number", &n.number);
  if (failed || !is_possible(&n))
    return gf__fail(GF_ERROR_DATA, "%s does not say where its run was", path);
  out->epoch = (int)n.epoch;
  out->images = (int)n.images;
  out->batch = (int)n.batch;
  out->steps = (long)n.steps;
  out->number = (long)n.number;
  trained->steps = (int)n.trained_steps;
  trained->images = (long)n.trained_images;
  read_stop(json_object_get(json, "stop"), &out->stop);
  return read_marks(path, json_object_get(json, "logs"), out);
}

static gf_status check_format(const char *path, const json_t *json, json_int_t *format) {
  *format = json_integer_value(json_object_get(json, "format"));
  if (*format >= 1 && *format <= FORMAT) return GF_OK;
  if (*format < 1) return gf__fail(GF_ERROR_DATA, "%s does not say where its run was", path);
  return gf__fail(GF_ERROR_DATA,
                  "%s has format %lld, and this gradflow (%s) knows formats up to %d: a newer "
                  "version has written it; go on with that one",
                  path, (long long)*format, gf_versions_get().program, FORMAT);
}

/* Free out->config, also after a failure. */
static gf_status read_text(const char *path, const char *text, gf__found_checkpoint *out) {
  json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  json_int_t format;
  gf_status status = check_format(path, json, &format);
  if (status == GF_OK) status = read_numbers(path, json, &out->position);
  if (status == GF_OK && format > 1) status = read_origin(path, json, out);
  json_decref(json);
  return status;
}

/* ---- files ---- */

gf_status gf__checkpoint_write(const char *folder, int index, const gf__checkpoint_tensors *tensors,
                               const gf__position *position, const gf__origin *origin) {
  char path[GF__PATH_SIZE];
  gf__named_tensor *named = NULL;
  size_t count = 0;
  char *text = write_position(position, origin);
  gf_status status = text ? checkpoint_path(path, folder, index) : gf__fail_host_memory(1);
  if (status == GF_OK) status = name_tensors(tensors, &named, &count);
  if (status == GF_OK) status = visit_tensors(tensors, named, read_from_device);
  if (status == GF_OK) status = gf__safetensors_write(path, named, count, text);
  gf__named_tensors_free(named, count);
  free(text);
  return status;
}

static gf_status read_checkpoint(const char *path, gf__found_checkpoint *out) {
  char *text;
  GF_TRY(gf__safetensors_metadata(path, &text));
  gf_status status = read_text(path, text, out);
  free(text);
  if (status != GF_OK) free(out->config);
  return status;
}

static bool is_later(const gf__position *a, const gf__position *b) {
  if (a->steps != b->steps) return a->steps > b->steps;
  if (a->epoch != b->epoch) return a->epoch > b->epoch;
  return a->number > b->number;
}

/* Keeps the newest first. */
static void insert_checkpoint(gf__checkpoints *list, const gf__found_checkpoint *found) {
  int at = list->count++;
  for (; at > 0 && is_later(&found->position, &list->v[at - 1].position); at--)
    list->v[at] = list->v[at - 1];
  list->v[at] = *found;
}

void gf__checkpoints_find(gf__checkpoints *out, const char *folder) {
  *out = (gf__checkpoints){0};
  for (int index = 0; index < GF__MOST_CHECKPOINTS; index++) {
    char path[GF__PATH_SIZE];
    gf__found_checkpoint found = {.index = index};
    if (checkpoint_path(path, folder, index) != GF_OK || !gf__path_exists(path)) continue;
    if (read_checkpoint(path, &found) == GF_OK) {
      insert_checkpoint(out, &found);
    } else {
      gf__log(GF_LOG_WARNING, "%s", gf_error_message());
      out->damaged++;
    }
  }
}

void gf__checkpoints_free(gf__checkpoints *list) {
  for (int i = 0; i < list->count; i++) free(list->v[i].config);
  *list = (gf__checkpoints){0};
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

gf_status gf__checkpoint_load(const char *folder, int index,
                              const gf__checkpoint_tensors *tensors) {
  char path[GF__PATH_SIZE];
  GF_TRY(checkpoint_path(path, folder, index));
  return load_tensors(path, tensors);
}
