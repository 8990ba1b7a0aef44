/* trial.json: the plan, and what each training came to. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"
#include "trial/trial.h"

enum { FORMAT = 1 };

void gf__trial_result_free(gf__trial_result *result) {
  free(result->id);
  free(result->failure);
  free(result->losses);
  *result = (gf__trial_result){0};
}

const gf__trial_result *gf__trial_find(const gf__trial_state *trial, const gf__candidate *candidate,
                                       unsigned long long seed, int steps) {
  for (int i = 0; i < trial->result_count; i++) {
    const gf__trial_result *r = &trial->results[i];
    if (!strcmp(r->id, candidate->id) && r->seed == seed && r->steps == steps) return r;
  }
  return NULL;
}

/* ---- writing ---- */

static json_t *write_result(const gf__trial_result *r) {
  json_t *losses = json_array();
  for (int i = 0; i < r->loss_count; i++)
    json_array_append_new(losses, gf__json_number(r->losses[i]));
  return json_pack("{s:s, s:I, s:i, s:o, s:o, s:o, s:b, s:s?, s:o}", "settings", r->id, "seed",
                   (json_int_t)r->seed, "steps", r->steps, "loss", gf__json_number(r->loss),
                   "accuracy", gf__json_number(r->accuracy), "flow", gf__json_number(r->flow),
                   "diverged", r->has_diverged, "failure", r->failure, "losses", losses);
}

gf_status gf__trial_write(const gf__trial_state *trial) {
  char path[GF__PATH_SIZE];
  const gf__trial_plan *p = &trial->plan;
  json_t *results = json_array();
  GF_TRY(gf__path_join(path, sizeof path, trial->folder, "trial.json"));
  for (int i = 0; i < trial->result_count; i++)
    json_array_append_new(results, write_result(&trial->results[i]));
  json_t *json = json_pack("{s:i, s:{s:[i,i,i], s:b, s:i, s:i, s:i, s:i, s:i, s:i}, s:o}", "format",
                           FORMAT, "plan", "steps", p->steps[0], p->steps[1], p->steps[2],
                           "settled", p->is_settled, "candidates", p->candidates, "kept", p->kept,
                           "pairs", p->pairs, "finalists", p->finalists, "seeds", p->seeds,
                           "validation_images", p->validation_images, "results", results);
  return gf__json_write(path, json);
}

static gf_status add_result(gf__trial_state *trial, gf__trial_result *result) {
  gf_status status = gf__grow(&trial->results, (size_t)trial->result_count, sizeof *trial->results);
  if (status == GF_OK)
    trial->results[trial->result_count++] = *result;
  else
    gf__trial_result_free(result);
  return status;
}

gf_status gf__trial_keep(gf__trial_state *trial, gf__trial_result *result) {
  GF_TRY(add_result(trial, result));
  return gf__trial_write(trial);
}

/* ---- reading ---- */

static double read_number(const json_t *object, const char *key) {
  return gf__json_number_of(json_object_get(object, key));
}

static char *read_text(const json_t *object, const char *key) {
  const char *words = json_string_value(json_object_get(object, key));
  return words ? gf__text_copy(words) : NULL;
}

static gf_status read_losses(const json_t *list, gf__trial_result *out) {
  size_t count = json_array_size(list);
  out->losses = malloc((count + 1) * sizeof *out->losses);
  if (!out->losses) return gf__fail_host_memory((count + 1) * sizeof *out->losses);
  out->loss_count = (int)count;
  for (size_t i = 0; i < count; i++) out->losses[i] = gf__json_number_of(json_array_get(list, i));
  return GF_OK;
}

static gf_status read_result(gf__trial_state *trial, const json_t *json) {
  gf__trial_result r = {
      .id = read_text(json, "settings"),
      .seed = (unsigned long long)json_integer_value(json_object_get(json, "seed")),
      .steps = (int)json_integer_value(json_object_get(json, "steps")),
      .loss = read_number(json, "loss"),
      .accuracy = read_number(json, "accuracy"),
      .flow = read_number(json, "flow"),
      .has_diverged = json_is_true(json_object_get(json, "diverged")),
      .failure = read_text(json, "failure")};
  if (!r.id) return gf__fail(GF_ERROR_DATA, "a result has no settings");
  gf_status status = read_losses(json_object_get(json, "losses"), &r);
  if (status == GF_OK) return add_result(trial, &r);
  gf__trial_result_free(&r);
  return status;
}

static bool is_possible(const gf__trial_plan *p) {
  bool planned = p->steps[0] > 0 && p->steps[0] <= p->steps[1] && p->steps[1] <= p->steps[2];
  return (planned || p->steps[2] == 0) && p->candidates >= 0 && p->kept >= 0 && p->pairs >= 0 &&
         p->finalists >= 0 && p->seeds >= 0 && p->seeds <= GF__TRIAL_MOST_SEEDS &&
         p->validation_images >= 0;
}

gf_status gf__trial_read(gf__trial_state *trial) {
  char path[GF__PATH_SIZE];
  gf__trial_plan *p = &trial->plan;
  int format, settled = 0;
  GF_TRY(gf__path_join(path, sizeof path, trial->folder, "trial.json"));
  if (!gf__path_exists(path)) return GF_OK;
  json_t *json = gf__json_read(path), *results;
  gf_status status = GF_OK;
  if (!json ||
      json_unpack(json, "{s:i, s:{s:[i,i,i], s:b, s:i, s:i, s:i, s:i, s:i, s:i}, s:o}", "format",
                  &format, "plan", "steps", &p->steps[0], &p->steps[1], &p->steps[2], "settled",
                  &settled, "candidates", &p->candidates, "kept", &p->kept, "pairs", &p->pairs,
                  "finalists", &p->finalists, "seeds", &p->seeds, "validation_images",
                  &p->validation_images, "results", &results) ||
      format != FORMAT || !is_possible(p) || !json_is_array(results))
    status = gf__fail(GF_ERROR_DATA,
                      "%s is damaged, or of another version; remove the folder, or choose another "
                      "one, --out",
                      path);
  p->is_settled = settled;
  for (size_t i = 0; status == GF_OK && i < json_array_size(results); i++)
    status = read_result(trial, json_array_get(results, i));
  json_decref(json);
  return status;
}
