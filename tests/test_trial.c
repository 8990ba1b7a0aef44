/* Trials of remedies: what they train, in which order, what they say of it, and what they leave
 * alone. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include <gradflow/study.h>
#include <gradflow/trial.h>
#include <jansson.h>

#include "base/os.h"
#include "support/runs.h"
#include "support/test.h"
#include "trial/trial.h"

static const char net[] =
    "model: {family: vgg_stages, stages: 1, blocks_per_stage: 0, filters: 4}\n";
enum { STEPS = 40, SEEDS = 2 };

typedef struct how {
  double seconds;
  int stop_after;  /* questions; 0: never */
  const char *set; /* an assignment, or NULL */
} how;

static int asked, stop_after;
static bool stop(void *user) {
  (void)user;
  return stop_after > 0 && ++asked > stop_after;
}

static gf_status try_in(const char *out, how h, gf_trial **trial) {
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder(out));
  gf_config *config = config_of(net, "");
  if (h.set) assert_ok(gf_config_set(config, h.set));
  gf_trial_options options = gf_trial_options_default();
  options.out = path;
  options.seconds = h.seconds > 0 ? h.seconds : 600;
  options.steps = STEPS;
  options.seeds = SEEDS;
  options.events.stop = stop;
  asked = 0;
  stop_after = h.stop_after;
  gf_status status = gf_trial_run(trial, fixture_device, config, &options);
  gf_config_free(&config);
  return status;
}

static json_t *read_json(const char *folder, const char *name) {
  size_t size;
  char *text = read_text(folder, name, &size);
  json_t *json = json_loads(text, 0, NULL);
  free(text);
  assert_non_null(json);
  return json;
}

/* ---- a trial ---- */

static const gf_trial_row *row_named(const gf_trial *trial, const char *name) {
  for (int i = 0; i < trial->row_count; i++)
    if (!strcmp(trial->rows[i].name, name)) return &trial->rows[i];
  return NULL;
}

/* Those of the table that a vgg_stages network without any of them takes. */
static void check_names(const gf_trial *trial) {
  static const char *const names[] = {"as it is",
                                      "shortcut identity",
                                      "norm every",
                                      "he",
                                      "xavier",
                                      "orthogonal",
                                      "learning_rate 0.01",
                                      "learning_rate 0.0001",
                                      "warmup_epochs 5",
                                      "zero_residual, shortcut identity",
                                      "elu",
                                      "norm_position after, norm every",
                                      "tanh",
                                      "clip_norm 1",
                                      "weight_decay 5e-4",
                                      "batch_size 25",
                                      "batch_size 100",
                                      "eps 1e-16"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!row_named(trial, names[i])) fail_msg("there is no %s", names[i]);
}

static void check_rows(const gf_trial *trial) {
  int left = 0;
  for (int i = 0; i < trial->row_count; i++) {
    const gf_trial_row *row = &trial->rows[i];
    if (row->steps == STEPS) {
      left++;
      assert_int_equal(row->seeds, SEEDS);
      assert_true(row->loss_least <= row->loss && row->loss <= row->loss_most);
    } else {
      assert_true(row->steps == 20 && row->seeds == 1);
    }
    if (i) assert_true(row->steps <= trial->rows[i - 1].steps);
    if (i && row->steps == trial->rows[i - 1].steps)
      assert_true(row->loss >= trial->rows[i - 1].loss);
    assert_true(row->flow > 0 && row->flow <= 1);
  }
  assert_int_equal(left, 4); /* the config as it is, and the three best */
  assert_int_equal(row_named(trial, "as it is")->steps, STEPS);
}

static void a_trial_tries_every_remedy_that_fits(void **state) {
  (void)state;
  gf_trial *trial;
  assert_ok(try_in("trial", (how){0}, &trial));
  assert_true(trial->is_complete && trial->is_validated);
  assert_int_equal(trial->images, VALIDATION);
  assert_true(fabs(trial->guessing - 4.605170186) < 1e-9);
  check_names(trial);
  check_rows(trial);
  assert_true(gf__path_exists(trial->picture));
  gf_study *study;
  assert_ok(gf_study_load(&study, trial->study, NULL));
  gf_study_item *items;
  int count;
  gf_study_options all = gf_study_options_default();
  assert_ok(gf_study_plan(study, &all, false, &items, &count));
  assert_int_equal(count, 4 * 3);
  gf_study_items_free(&items, count);
  gf_study_free(&study);
  json_t *report = read_json("trial", "report.json");
  assert_int_equal(json_array_size(json_object_get(report, "rows")), trial->row_count);
  assert_true(json_is_true(json_object_get(report, "complete")));
  json_decref(report);
  gf_trial_free(&trial);
}

/* ---- against a loop of one's own ---- */

static json_t *result_of(const json_t *all, const char *settings, int seed, int steps) {
  size_t i;
  json_t *row;
  json_array_foreach(
      json_object_get(all, "results"), i,
      row) if (!strcmp(json_string_value(json_object_get(row, "settings")), settings) &&
               json_integer_value(json_object_get(row, "seed")) == seed &&
               json_integer_value(json_object_get(row, "steps")) == steps) return row;
  fail_msg("there is no result of %s, seed %d, %d steps", settings, seed, steps);
  return NULL;
}

/* The schedule of two epochs over 40 steps: the first 20 have the rate of the first epoch. */
static void check_losses(const char *setting, int seed, const json_t *row, int steps, int batch) {
  gf_dataset *data, *validation;
  gf_loader *loader;
  gf_model *model;
  gf_trainer *trainer;
  gf_loss loss;
  gf_batch b;
  gf_config *config = with_seed(config_of(net, ""), seed);
  if (*setting) assert_ok(gf_config_set(config, setting));
  gf_loader_options options = gf_loader_options_default();
  options.batch_size = batch;
  options.seed = (unsigned)seed;
  options.training = true;
  assert_ok(gf_dataset_open(&data, config, GF_SPLIT_TRAIN));
  assert_ok(gf_dataset_open(&validation, config, GF_SPLIT_VALIDATION));
  assert_ok(gf_loader_open(&loader, data, &options));
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, 3}, CLASSES,
                          batch, (unsigned)seed));
  assert_ok(gf_trainer_open(&trainer, model, config));
  int batches = gf_loader_batches(loader), longest = STEPS * BATCH / batch;
  assert_int_equal(json_array_size(json_object_get(row, "losses")), steps);
  for (int i = 0; i < steps; i++) {
    if (i % batches == 0) assert_ok(gf_loader_start(loader, i / batches, 0));
    assert_ok(gf_loader_next(loader, &b));
    assert_ok(gf_trainer_step(trainer, b.images, b.labels, b.count,
                              ref_cosine(1e-3, 2e-5, 2 * i / longest, 2), &loss, NULL));
    double kept = json_number_value(json_array_get(json_object_get(row, "losses"), (size_t)i));
    if (!(fabs(kept - loss.loss) <= 1e-5))
      fail_msg("%s: step %d has the loss %.9g, not %.9g", setting, i, kept, loss.loss);
  }
  gf_loader *all;
  options.batch_size = VALIDATION;
  options.training = false;
  assert_ok(gf_loader_open(&all, validation, &options));
  assert_ok(gf_loader_start(all, 0, 0));
  assert_ok(gf_loader_next(all, &b));
  assert_int_equal(b.count, VALIDATION);
  assert_ok(gf_model_forward(model, b.images, b.labels, b.count, 0, &loss));
  assert_true(fabs(json_number_value(json_object_get(row, "loss")) - loss.loss) <= 1e-5);
  assert_true(fabs(json_number_value(json_object_get(row, "accuracy")) -
                   (double)loss.correct / VALIDATION) < 1e-9);
  gf_loader_free(&all);
  gf_trainer_free(&trainer);
  gf_model_free(&model);
  gf_loader_free(&loader);
  gf_dataset_free(&data);
  gf_dataset_free(&validation);
  gf_config_free(&config);
}

/* The second rung goes on from a checkpoint of the first one, which must not show. */
static void trainings_are_those_of_a_loop(void **state) {
  (void)state;
  json_t *all = read_json("trial", "trial.json");
  check_losses("", 5, result_of(all, "", 5, STEPS), STEPS, BATCH);
  check_losses("", 6, result_of(all, "", 6, STEPS), STEPS, BATCH);
  check_losses("model.norm=every", 5, result_of(all, "model.norm=every", 5, 20), 20, BATCH);
  check_losses("train.batch_size=25", 5, result_of(all, "train.batch_size=25", 5, 20), 40, 25);
  json_decref(all);
}

/* ---- going on ---- */

static void a_trial_that_is_complete_trains_nothing_more(void **state) {
  (void)state;
  gf_trial *trial;
  char *before, *after;
  size_t a, b;
  before = read_text("trial", "trial.json", &a);
  assert_ok(try_in("trial", (how){0}, &trial));
  assert_true(trial->is_complete);
  gf_trial_free(&trial);
  after = read_text("trial", "trial.json", &b);
  assert_true(a == b && !memcmp(before, after, a));
  free(before);
  free(after);
}

static void an_interrupted_trial_goes_on(void **state) {
  (void)state;
  gf_trial *trial;
  assert_int_equal(try_in("cut", (how){.stop_after = 150}, &trial), GF_ERROR_INTERRUPTED);
  assert_null(trial);
  assert_non_null(strstr(gf_error_message(), "the same command goes on"));
  json_t *before = read_json("cut", "trial.json");
  size_t kept = json_array_size(json_object_get(before, "results"));
  assert_true(kept >= 3 && kept < 10);
  assert_ok(try_in("cut", (how){0}, &trial));
  assert_true(trial->is_complete);
  gf_trial_free(&trial);
  json_t *after = read_json("cut", "trial.json"), *whole = read_json("trial", "trial.json");
  for (size_t i = 0; i < kept; i++)
    assert_true(json_equal(json_array_get(json_object_get(before, "results"), i),
                           json_array_get(json_object_get(after, "results"), i)));
  assert_true(json_equal(json_object_get(after, "results"), json_object_get(whole, "results")));
  json_decref(before);
  json_decref(after);
  json_decref(whole);
}

/* ---- what is refused ---- */

static void assert_refused(const char *out, how h, gf_status status, const char *message) {
  gf_trial *trial;
  assert_int_equal(try_in(out, h, &trial), status);
  assert_null(trial);
  if (!strstr(gf_error_message(), message)) fail_msg("%s", gf_error_message());
}

static void what_cannot_be_tried_is_refused(void **state) {
  (void)state;
  assert_refused("trial", (how){.set = "optimizer.learning_rate=0.5"}, GF_ERROR_CONFIG,
                 "has the trial of another config; remove it, or choose another --out");
  assert_refused("short", (how){.seconds = 0.001}, GF_ERROR_ARGUMENT, "is too short for one trial");
  assert_ok(train(config_of(net, ""), "run", NULL));
  assert_refused("run", (how){0}, GF_ERROR_ARGUMENT, "is the folder of a run");
  assert_refused("run/below/trial", (how){0}, GF_ERROR_ARGUMENT, "the folder of a run, which");
  assert_false(gf__path_exists(in_folder("run/below")));
}

static void a_damaged_record_is_named(void **state) {
  (void)state;
  static const char *const texts[] = {"", "{", "[]", "{\"format\": 1}", "{\"format\": 2}"};
  gf__text path = {0};
  gf_trial *trial;
  assert_int_equal(try_in("torn", (how){.stop_after = 60}, &trial), GF_ERROR_INTERRUPTED);
  gf__text_add(&path, "%s", in_folder("torn/trial.json"));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    assert_ok(gf__file_write(path.data, texts[i], strlen(texts[i])));
    assert_refused("torn", (how){0}, GF_ERROR_DATA, "trial.json is damaged, or of another version");
  }
  gf__text_free(&path);
}

/* ---- the rules, by hand ---- */

typedef struct fake {
  int candidate, seed, steps;
  double loss;
} fake;

/* Three remedies: 1 has all seeds below all of the config's, 2 the median alone, 3 was stopped. */
static const fake fakes[] = {
    {0, 0, 20, 4.62}, {1, 0, 20, 4.3},  {2, 0, 20, 4.4},  {3, 0, 20, 4.63}, {4, 0, 20, 5.0},
    {0, 0, 60, 4.60}, {0, 1, 60, 4.61}, {0, 2, 60, 4.50}, {1, 0, 60, 4.2},  {1, 1, 60, 4.0},
    {1, 2, 60, 4.1},  {2, 0, 60, 4.4},  {2, 1, 60, 4.7},  {2, 2, 60, 4.3},  {5, 0, 20, NAN},
};

static void outcomes_are_by_medians_and_ranges(void **state) {
  (void)state;
  static char *names[] = {"as it is", "one", "two", "three", "four", "five", "six"};
  enum { CANDIDATES = 7, RESULTS = sizeof fakes / sizeof *fakes };
  gf__candidate candidates[CANDIDATES] = {{0}};
  gf__trial_result results[RESULTS] = {{0}};
  for (int i = 0; i < CANDIDATES; i++)
    candidates[i] = (gf__candidate){.name = names[i], .id = names[i], .text = ""};
  for (int i = 0; i < RESULTS; i++)
    results[i] = (gf__trial_result){.id = names[fakes[i].candidate],
                                    .seed = (unsigned)fakes[i].seed,
                                    .steps = fakes[i].steps,
                                    .loss = fakes[i].loss,
                                    .accuracy = 0.5,
                                    .flow = 0.1,
                                    .has_diverged = isnan(fakes[i].loss)};
  gf__trial_state trial = {.candidates = candidates,
                           .candidate_count = CANDIDATES,
                           .results = results,
                           .result_count = RESULTS,
                           .plan = {.steps = {20, 40, 60}, .seeds = 3}};
  gf_config *config = config_of(net, "");
  assert_ok(gf_dataset_open(&trial.train, config, GF_SPLIT_TRAIN));
  gf_config_free(&config);
  gf_trial_row *rows;
  assert_true(fabs(gf__trial_margin(&trial) - 0.11) < 1e-12);
  assert_ok(gf__trial_rows(&trial, &rows));
  static const struct {
    const char *name;
    gf_trial_outcome outcome;
    double loss;
  } right[CANDIDATES] = {
      {"one", GF_TRIAL_HELPS, 4.1},          {"two", GF_TRIAL_MAY_HELP, 4.4},
      {"as it is", GF_TRIAL_AS_IT_IS, 4.60}, {"three", GF_TRIAL_DOES_NOT_HELP, 4.63},
      {"four", GF_TRIAL_MAKES_WORSE, 5.0},   {"five", GF_TRIAL_DIVERGES, NAN},
      {"six", GF_TRIAL_NO_TIME, NAN}};
  for (int i = 0; i < CANDIDATES; i++) {
    if (strcmp(rows[i].name, right[i].name)) fail_msg("row %d is %s", i, rows[i].name);
    if (rows[i].outcome != right[i].outcome)
      fail_msg("%s: %s", rows[i].name, gf_trial_outcome_name(rows[i].outcome));
    if (isfinite(right[i].loss)) assert_true(fabs(rows[i].loss - right[i].loss) < 1e-12);
  }
  assert_int_equal(gf__trial_best(rows, CANDIDATES), 0);
  assert_int_equal(gf__trial_best(rows + 2, CANDIDATES - 2), -1);
  free(rows);
  gf_dataset_free(&trial.train);
}

/* Adam's steps of 1 are far too large: the loss is many times that of guessing. */
static void a_cure_is_found(void **state) {
  (void)state;
  gf_trial *trial;
  assert_ok(try_in("cure", (how){.set = "optimizer.learning_rate=1"}, &trial));
  const gf_trial_row *row = row_named(trial, "learning_rate 0.1");
  assert_non_null(row);
  assert_true(row->loss < row_named(trial, "as it is")->loss);
  assert_true(trial->best >= 0);
  const gf_trial_row *best = &trial->rows[trial->best];
  assert_int_equal(best->outcome, GF_TRIAL_HELPS);
  assert_true(best->loss_most < row_named(trial, "as it is")->loss_least);
  gf_trial_free(&trial);
}

/* ---- unit variance on data ---- */

/* Without fusion each layer's own output is on record. A rate of 1e-30 leaves the weights as they
 * begin; records are of another batch than the one that scaled them. */
static void lsuv_gives_each_layer_unit_variance(void **state) {
  (void)state;
  static const char deep[] =
      "model: {family: vgg_stages, stages: 1, blocks_per_stage: 4, filters: 8, norm: none, "
      "initialisation: lsuv, fuse: off}\n";
  gf_config *config = config_of(deep, "optimizer: {learning_rate: 1e-30}\n");
  assert_ok(gf_config_set(config, "train.epochs=1"));
  assert_ok(train(config, "lsuv", NULL));
  config = config_of(deep, "optimizer: {learning_rate: 1e-30}\n");
  assert_ok(gf_config_set(config, "train.epochs=1"));
  assert_ok(gf_config_set(config, "model.initialisation=orthogonal"));
  assert_ok(train(config, "orthogonal", NULL));
  size_t size;
  char *text = read_text("lsuv", "activations.csv", &size), *line = text;
  int layers = 0;
  for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    double mean, deviation;
    char layer[64];
    if (sscanf(line, "%*d,%*d,%63[^,],%lf,%lf", layer, &mean, &deviation) != 3) continue;
    if (!strstr(layer, "conv") && !strstr(layer, "logits")) continue;
    layers++;
    if (!(fabs(deviation - 1) < 0.2)) fail_msg("%s has a deviation of %g", layer, deviation);
  }
  assert_true(layers >= 11);
  free(text);
  assert_false(is_same("lsuv", "orthogonal", "last.safetensors"));
}

/* ---- the command ---- */

static void the_command_leaves_the_run_alone(void **state) {
  (void)state;
  char line[1024];
  gf__names names;
  assert_ok(gf__list_folder(in_folder("run"), &names));
  snprintf(line, sizeof line, "cp -r %s/run %s/copy", fixture_folder, fixture_folder);
  assert_int_equal(system(line), 0);
  snprintf(line, sizeof line,
           "%s diagnose %s/run --try --time 10m --steps 20 --json >%s/said 2>%s/errors", PROGRAM,
           fixture_folder, fixture_folder, fixture_folder);
  assert_int_equal(system(line), 0);
  snprintf(line, sizeof line, "diff -r %s/run %s/copy", fixture_folder, fixture_folder);
  assert_int_equal(system(line), 0);
  assert_true(gf__path_exists(in_folder("run-trial/report.json")));
  assert_true(is_same_file("said", "said"));
  json_t *said = json_load_file(in_folder("said"), 0, NULL);
  json_t *report = read_json("run-trial", "report.json");
  assert_true(json_equal(said, report));
  json_decref(said);
  json_decref(report);
  gf__names_free(&names);
}

static void wrong_command_lines_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *arguments, *message;
  } cases[] = {
      {"run --try --time 5", "--time 5: must be a time with its unit, such as 90s, 5m or 1h30m"},
      {"run copy --try", "--try takes one run or config"},
      {"run --time 5m", "--time and --steps belong to --try"},
      {"cut/checkpoints --try", ""},
      {"run --try --out run/x", "the folder of a run, which a trial never touches"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char line[1024];
    size_t size;
    snprintf(line, sizeof line, "cd %s && %s diagnose %s 2>errors", fixture_folder, PROGRAM,
             cases[i].arguments);
    assert_int_not_equal(system(line), 0);
    char *text = read_text(".", "errors", &size);
    if (!strstr(text, cases[i].message)) fail_msg("%s: %s", cases[i].arguments, text);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(outcomes_are_by_medians_and_ranges),
      cmocka_unit_test(a_trial_tries_every_remedy_that_fits),
      cmocka_unit_test(trainings_are_those_of_a_loop),
      cmocka_unit_test(a_trial_that_is_complete_trains_nothing_more),
      cmocka_unit_test(an_interrupted_trial_goes_on),
      cmocka_unit_test(what_cannot_be_tried_is_refused),
      cmocka_unit_test(a_damaged_record_is_named),
      cmocka_unit_test(a_cure_is_found),
      cmocka_unit_test(lsuv_gives_each_layer_unit_variance),
      cmocka_unit_test(the_command_leaves_the_run_alone),
      cmocka_unit_test(wrong_command_lines_are_refused),
  };
  return cmocka_run_group_tests_name("trial", tests, open_all, fixture_close);
}
