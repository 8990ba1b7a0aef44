#include "study/outcome.h"

#include <jansson.h>
#include <math.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/os.h"
#include "run/run_folder.h"
#include "run/run_records.h"

static void take_epochs(gf__outcome *out) {
  const gf_epoch *last = &out->state.last, *best = &out->state.best;
  if (last->epoch) {
    out->values[GF__COLUMN_TRAIN_LOSS] = last->train_loss;
    out->values[GF__COLUMN_TRAIN_ACCURACY] = 100 * last->train_accuracy;
  }
  if (best->epoch) {
    out->values[GF__COLUMN_VALIDATION_LOSS] = best->validation_loss;
    out->values[GF__COLUMN_VALIDATION_ACCURACY] = 100 * best->validation_accuracy;
  }
}

/* ---- gradients.csv ---- */

static gf_status load_gradients(gf__outcome *out, const char *folder) {
  gf__run run;
  GF_TRY(gf__run_load(&run, folder));
  int last = run.layer_count - 1;
  while (last > 0 && gf__layer_is_auxiliary(run.layers[last])) last--;
  if (last >= 0 && run.epoch_count > 0) {
    const double *means =
        run.mean_gradients + (size_t)(run.epoch_count - 1) * (size_t)run.layer_count;
    out->values[GF__COLUMN_FIRST_GRADIENT] = means[0];
    out->values[GF__COLUMN_LAST_GRADIENT] = means[last];
  }
  out->guess = run.guess;
  gf__run_free(&run);
  return GF_OK;
}

/* A run of which nothing can be said is reported all the same. */
static void find_verdict(gf__outcome *out, const char *folder) {
  gf_diagnosis *diagnosis;
  if (gf_diagnosis_open(&diagnosis, folder) != GF_OK) return;
  out->verdict = diagnosis->findings[0].verdict;
  gf_diagnosis_free(&diagnosis);
}

/* ---- test.json ---- */

/* Whether a test.json is of other weights than the run has now. */
static gf_status is_stale(const json_t *json, const char *folder, bool *out) {
  char digest[SHA256_DIGEST_STRING_LENGTH];
  const char *tested = json_string_value(json_object_get(json, "weights_sha256"));
  *out = false;
  if (!tested) return GF_OK;
  GF_TRY(gf__run_weights_digest(digest, folder));
  *out = strcmp(tested, digest) != 0;
  return GF_OK;
}

static gf_status take_test(gf__outcome *out, const char *folder, const char *path,
                           const json_t *json) {
  const json_t *loss = json_object_get(json, "loss"), *accuracy = json_object_get(json, "accuracy"),
               *classes = json_object_get(json, "classes");
  if (!json_is_number(accuracy) || !json_is_integer(classes))
    return gf__fail(GF_ERROR_DATA,
                    "%s does not have an accuracy and a number of classes; remove it, and run the "
                    "study again",
                    path);
  out->classes = (int)json_integer_value(classes);
  GF_TRY(is_stale(json, folder, &out->has_stale_test));
  if (out->has_stale_test) return GF_OK;
  out->values[GF__COLUMN_TEST_ACCURACY] = 100 * json_number_value(accuracy);
  out->values[GF__COLUMN_TEST_LOSS] = gf__json_number_of(loss);
  return GF_OK;
}

static gf_status load_test(gf__outcome *out, const char *folder) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__path_join(path, sizeof path, folder, "test.json"));
  if (!gf__path_exists(path)) return GF_OK;
  json_t *json = gf__json_read(path);
  gf_status status = take_test(out, folder, path, json);
  json_decref(json);
  return status;
}

static gf_status write_test(gf_device *device, const char *folder, const char *path) {
  gf_test_result result;
  GF_TRY(gf_test(device, folder, &result));
  json_t *json =
      json_pack("{s:o, s:f, s:i, s:i, s:s, s:s}", "loss", gf__json_number(result.loss), "accuracy",
                result.accuracy, "images", result.images, "classes", result.classes, "weights",
                result.weights, "weights_sha256", result.weights_sha256);
  gf_test_result_free(&result);
  return gf__json_write(path, json);
}

gf_status gf__outcome_test(gf_device *device, const char *folder) {
  char path[GF__PATH_SIZE];
  bool stale = true;
  GF_TRY(gf__path_join(path, sizeof path, folder, "test.json"));
  if (gf__path_exists(path)) {
    json_t *json = gf__json_read(path);
    gf_status status = is_stale(json, folder, &stale);
    json_decref(json);
    GF_TRY(status);
  }
  return stale ? write_test(device, folder, path) : GF_OK;
}

/* ---- all of it ---- */

gf__outcome gf__outcome_none(void) {
  gf__outcome none = {.state = {.status = GF_RUN_ABSENT}, .verdict = GF_VERDICT_COUNT};
  for (int i = 0; i < GF__COLUMN_COUNT; i++) none.values[i] = NAN;
  return none;
}

gf_status gf__outcome_load(gf__outcome *out, const char *folder) {
  *out = gf__outcome_none();
  GF_TRY(gf_run_read_state(folder, &out->state));
  take_epochs(out);
  if (out->state.status != GF_RUN_ABSENT) find_verdict(out, folder);
  if (out->state.status != GF_RUN_FINISHED) return GF_OK;
  GF_TRY(load_gradients(out, folder));
  GF_TRY(load_test(out, folder));
  gf__data_record none = {0};
  if (out->guess.classes == 0) out->guess = gf__guess_of(out->classes, &none, 0);
  out->at_chance = gf__is_guessing(&out->guess, out->values[GF__COLUMN_TRAIN_LOSS],
                                   out->values[GF__COLUMN_TRAIN_ACCURACY] / 100);
  return GF_OK;
}
