#include "study/outcome.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/os.h"
#include "run/run_records.h"

/* A network that guesses is right at most this often, times 1 / classes. */
static const double CHANCE = 1.5;

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

/* The layers of auxiliary classifiers come after the logits, although they are nearer to the
 * input. */
static bool is_auxiliary(const char *layer) {
  static const char prefix[] = "auxiliary_";
  return strncmp(layer, prefix, sizeof prefix - 1) == 0;
}

static gf_status load_gradients(gf__outcome *out, const char *folder) {
  gf__run run;
  GF_TRY(gf__run_load(&run, folder));
  int last = run.layer_count - 1;
  while (last > 0 && is_auxiliary(run.layers[last])) last--;
  if (last >= 0 && run.epoch_count > 0) {
    const double *means =
        run.mean_gradients + (size_t)(run.epoch_count - 1) * (size_t)run.layer_count;
    out->values[GF__COLUMN_FIRST_GRADIENT] = means[0];
    out->values[GF__COLUMN_LAST_GRADIENT] = means[last];
  }
  gf__run_free(&run);
  return GF_OK;
}

/* ---- test.json ---- */

static gf_status load_test(gf__outcome *out, const char *folder) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__path_join(path, sizeof path, folder, "test.json"));
  if (!gf__path_exists(path)) return GF_OK;
  json_t *json = gf__json_read(path);
  json_t *loss = json_object_get(json, "loss"), *accuracy = json_object_get(json, "accuracy"),
         *classes = json_object_get(json, "classes");
  bool good = json_is_number(accuracy) && json_is_integer(classes);
  if (good) {
    out->classes = (int)json_integer_value(classes);
    out->values[GF__COLUMN_TEST_ACCURACY] = 100 * json_number_value(accuracy);
    /* JSON has no infinity: null. */
    out->values[GF__COLUMN_TEST_LOSS] = json_is_number(loss) ? json_number_value(loss) : NAN;
  }
  json_decref(json);
  if (good) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s does not have an accuracy and a number of classes; remove it, and run the "
                  "study again",
                  path);
}

gf_status gf__outcome_test(gf_device *device, const char *folder) {
  char path[GF__PATH_SIZE];
  gf_test_result result;
  GF_TRY(gf__path_join(path, sizeof path, folder, "test.json"));
  if (gf__path_exists(path)) return GF_OK;
  GF_TRY(gf_test(device, folder, &result));
  json_t *loss = isfinite(result.loss) ? json_real(result.loss) : json_null();
  json_t *json = json_pack("{s:o, s:f, s:i, s:i}", "loss", loss, "accuracy", result.accuracy,
                           "images", result.images, "classes", result.classes);
  gf_test_result_free(&result);
  return gf__json_write(path, json);
}

/* ---- all of it ---- */

gf__outcome gf__outcome_none(void) {
  gf__outcome none = {.state = {.status = GF_RUN_ABSENT}};
  for (int i = 0; i < GF__COLUMN_COUNT; i++) none.values[i] = NAN;
  return none;
}

gf_status gf__outcome_load(gf__outcome *out, const char *folder) {
  *out = gf__outcome_none();
  GF_TRY(gf_run_read_state(folder, &out->state));
  take_epochs(out);
  if (out->state.status != GF_RUN_FINISHED) return GF_OK;
  GF_TRY(load_gradients(out, folder));
  GF_TRY(load_test(out, folder));
  double accuracy = out->values[GF__COLUMN_TRAIN_ACCURACY];
  out->at_chance = out->classes > 0 && accuracy < 100 * CHANCE / out->classes;
  return GF_OK;
}
