/* train.stop: what its keys say, when its rules end a run, and how such a run goes on. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include <jansson.h>

#include "base/duration.h"
#include "run/run_folder.h"
#include "support/runs.h"
#include "support/studies.h"
#include "support/test.h"
#include "train/stop.h"
#include "train/train_config.h"

/* ---- the keys ---- */

static void durations_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double seconds; /* 0: refused */
  } cases[] = {{"90s", 90},     {"5m", 300},    {"5min", 300}, {"2h", 7200},  {"1h30m", 5400},
               {"1d2h", 93600}, {"0.5h", 1800}, {"1.5s", 1.5}, {"", 0},       {"5", 0},
               {"h", 0},        {"-5m", 0},     {" 5m", 0},    {"5 m", 0},    {"30m1h", 0},
               {"5m5m", 0},     {"0s", 0},      {"1e3s", 0},   {"1.2.3s", 0}, {"5mx", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double seconds;
    bool good = gf__duration_parse(cases[i].text, &seconds);
    if (good != (cases[i].seconds > 0)) fail_msg("'%s' was %d", cases[i].text, good);
    if (good) assert_true(fabs(seconds - cases[i].seconds) < 1e-9);
  }
}

static void wrong_keys_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *yaml, *message;
  } cases[] = {
      {"train: {stop: {verdict: fading}}",
       "x:1:16: train.stop.verdict has 'fading'; the verdicts are "},
      {"train: {stop: {verdict: [vanishing, healthy]}}", "train.stop.verdict has 'healthy'; "},
      {"train: {stop: {time: 5}}",
       "x:1:16: train.stop.time must be a time with its unit, such as 90s, 30m, 2h or 1h30m, not "
       "'5'"},
      {"train: {stop: {metric: loss}}", "train.stop.metric must be one of none, validation_loss, "},
      {"train: {stop: {patience: 0}}", "train.stop.patience"},
      {"train: {stop: {waits: 3}}", "unknown key 'waits' in train.stop"},
      {"train: {stop: 3}", "train.stop must be a mapping of keys to values"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf_config *config;
    gf__train_config read;
    assert_ok(gf_config_parse(&config, "x", cases[i].yaml));
    assert_int_equal(gf__train_config_read(&read, config), GF_ERROR_CONFIG);
    if (!strstr(gf_error_message(), cases[i].message)) fail_msg("%s", gf_error_message());
    gf_config_free(&config);
  }
}

static void the_keys_are_written_as_they_were_read(void **state) {
  (void)state;
  gf_config *config, *again;
  gf__train_config read, back;
  gf__text text = {0};
  config = parse_config(
      "train: {stop: {verdict: [vanishing, not_learning], metric: validation_loss, patience: 3, "
      "min_delta: 0.01, time: 1h30m}}");
  assert_ok(gf__train_config_read(&read, config));
  assert_true(read.stop.seconds == 5400);
  gf__train_config_write(&text, &read);
  assert_ok(gf__text_status(&text));
  assert_non_null(strstr(text.data,
                         "  stop:\n    verdict: [vanishing, not_learning]\n"
                         "    metric: validation_loss\n    patience: 3\n    min_delta: 0.01\n"
                         "    time: 1h30m\n"));
  again = parse_config(text.data);
  assert_ok(gf__train_config_read(&back, again));
  assert_true(back.stop.verdicts == read.stop.verdicts && back.stop.seconds == 5400);
  gf__text_free(&text);
  gf_config_free(&config);
  gf_config_free(&again);
}

/* ---- the rule of the metric, counted by hand ---- */

static int stops_after(const gf__stop_config *stop, const double *values, int count) {
  gf__stop_state state = gf__stop_begin();
  gf__stop end = {{0}, {0}};
  for (int i = 0; i < count; i++) {
    gf_epoch row = {.epoch = i + 1,
                    .epochs = count,
                    .validation_loss = values[i],
                    .validation_accuracy = values[i]};
    assert_ok(gf__stop_judge(stop, &row, "", &state, &end));
    if (*end.by) return i + 1;
  }
  return 0;
}

static void a_metric_waits_for_its_patience(void **state) {
  (void)state;
  enum { LOSS = 1, ACCURACY = 2, MOST = 6 };
  static const struct {
    int metric, patience;
    double min_delta, values[MOST];
    int stops; /* after this epoch; 0: never */
  } cases[] = {
      {LOSS, 2, 0, {5, 4, 4, 3, 3, 3}, 6},
      {LOSS, 2, 0, {5, 4, 4.5, 3.9, 4, 3.8}, 0},
      {LOSS, 1, 0, {5, 4, 4, 3, 2, 1}, 3},
      {LOSS, 3, 0.5, {5, 4.9, 4.8, 4.6, 4, 4}, 4},   /* 4.6 is not more than 0.5 below 5 */
      {LOSS, 3, 0.5, {5, 4.9, 4.8, 4.4, 4.3, 4}, 0}, /* 4.4 is */
      {ACCURACY, 2, 0, {0.1, 0.2, 0.2, 0.2, 0.3, 0.3}, 4},
      {ACCURACY, 2, 0, {0.1, 0.1, 0.2, 0.2, 0.3, 0.3}, 0},
      {LOSS, 2, 0, {NAN, 4, NAN, NAN, 3, 3}, 4}, /* what is not a number has not improved */
      {LOSS, 2, 0, {5, -INFINITY, 1, 1, 1, 1}, 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf__stop_config stop = {
        .metric = cases[i].metric, .patience = cases[i].patience, .min_delta = cases[i].min_delta};
    int after = stops_after(&stop, cases[i].values, MOST);
    if (after != cases[i].stops) fail_msg("case %zu stops after %d", i, after);
  }
}

/* ---- runs ---- */

static const char net[] =
    "model: {family: vgg_stages, stages: 1, blocks_per_stage: 0, filters: 4}\n"
    "schedule: {name: constant}\n";

typedef struct how {
  bool resume, force;
  const char *more; /* an assignment, or NULL */
} how;

static gf_status make(const char *out, int epochs, const char *stop, how h) {
  char path[256], set[64];
  snprintf(path, sizeof path, "%s", in_folder(out));
  gf_config *config = config_of(net, "");
  snprintf(set, sizeof set, "train.epochs=%d", epochs);
  assert_ok(gf_config_set(config, set));
  if (stop) assert_ok(gf_config_set(config, stop));
  if (h.more) assert_ok(gf_config_set(config, h.more));
  gf_train_options options = gf_train_options_default();
  options.out = path;
  options.resume = h.resume;
  options.force = h.force;
  gf_status status = gf_train(fixture_device, config, &options);
  gf_config_free(&config);
  return status;
}

static gf_run_state state_of(const char *out) {
  gf_run_state state;
  assert_ok(gf_run_read_state(in_folder(out), &state));
  return state;
}

static void assert_result(const char *out, const char *by, int epoch) {
  size_t size;
  char *text = read_text(out, "result.json", &size);
  json_t *json = json_loads(text, 0, NULL);
  assert_string_equal(json_string_value(json_object_get(json, "status")), "finished");
  assert_string_equal(json_string_value(json_object_get(json, "stopped_by")), by);
  assert_int_equal(json_integer_value(json_object_get(json, "epoch")), epoch);
  assert_true(json_string_length(json_object_get(json, "message")) > 0);
  json_decref(json);
  free(text);
}

/* No accuracy is better than another by 1: the first epoch stays the best. */
static const char never_better[] =
    "train.stop={metric: validation_accuracy, min_delta: 1, patience: 2}";

static void early_stopping_ends_a_run(void **state) {
  (void)state;
  assert_ok(make("early", 6, never_better, (how){0}));
  assert_int_equal(state_of("early").epochs_done, 3);
  assert_int_equal(state_of("early").status, GF_RUN_FINISHED);
  assert_string_equal(state_of("early").stopped_by, "validation_accuracy");
  assert_result("early", "validation_accuracy", 3);
  assert_ok(make("three", 3, NULL, (how){0}));
  assert_string_equal(state_of("three").stopped_by, "");
  assert_true(is_same("early", "three", "last.safetensors"));
  assert_true(is_same("early", "three", "metrics.csv"));
}

static void a_stopped_run_stays_as_it_is(void **state) {
  (void)state;
  assert_ok(make("early", 6, never_better, (how){.resume = true}));
  assert_true(is_same("early", "three", "last.safetensors"));
  assert_result("early", "validation_accuracy", 3);
}

/* Its epochs are counted anew: 4 is the best, and 6 the last one. */
static void with_force_it_goes_on(void **state) {
  (void)state;
  assert_ok(make("early", 6, never_better, (how){.resume = true, .force = true}));
  assert_int_equal(state_of("early").epochs_done, 6);
  assert_string_equal(state_of("early").stopped_by, "");
  assert_ok(make("six", 6, NULL, (how){0}));
  assert_true(is_same("early", "six", "last.safetensors"));
  assert_true(is_same("early", "six", "metrics.csv"));
}

static void with_another_rule_it_goes_on(void **state) {
  (void)state;
  assert_ok(make("other", 6, never_better, (how){0}));
  assert_ok(make("other", 6, never_better, (how){.resume = true, .more = "train.stop.patience=4"}));
  assert_int_equal(state_of("other").epochs_done, 6);
  assert_true(is_same("other", "six", "last.safetensors"));
}

/* The count of epochs survives a stop by the user. */
static int asked;
static bool stop_in_third_epoch(void *user) {
  (void)user;
  return ++asked > 2 * (BATCHES + 1) + 2;
}

static void an_interrupted_run_counts_on(void **state) {
  (void)state;
  gf_train_events events = {.stop = stop_in_third_epoch};
  gf_config *config = config_of(net, "");
  assert_ok(gf_config_set(config, "train.epochs=6"));
  assert_ok(gf_config_set(config, never_better));
  asked = 0;
  assert_int_equal(train(config, "cut", &events), GF_ERROR_INTERRUPTED);
  assert_int_equal(state_of("cut").epochs_done, 2);
  assert_ok(make("cut", 6, never_better, (how){.resume = true}));
  assert_int_equal(state_of("cut").epochs_done, 3);
  assert_true(is_same("cut", "three", "metrics.csv"));
}

/* A rate of 1e-9 is a millionth of what Adam usually takes. */
static void a_verdict_ends_a_run(void **state) {
  (void)state;
  assert_ok(make("verdict", 6, "train.stop={verdict: [vanishing, rate_too_low], patience: 2}",
                 (how){.more = "optimizer.learning_rate=1e-9"}));
  assert_int_equal(state_of("verdict").epochs_done, 2);
  assert_result("verdict", "rate_too_low", 2);
  assert_ok(make("unasked", 2, "train.stop={verdict: exploding, patience: 1}",
                 (how){.more = "optimizer.learning_rate=1e-9"}));
  assert_string_equal(state_of("unasked").stopped_by, "");
}

static void time_ends_a_run_after_a_step(void **state) {
  (void)state;
  assert_ok(make("late", 6, "train.stop.time=0.000001s", (how){0}));
  assert_int_equal(state_of("late").epochs_done, 0);
  assert_result("late", "time", 1);
  assert_string_equal(state_of("late").stopped_by, "time");
  assert_ok(make("late", 6, NULL, (how){.resume = true}));
  assert_true(is_same("late", "six", "last.safetensors"));
  assert_true(is_same("late", "six", "metrics.csv"));
}

static void a_metric_needs_validation_images(void **state) {
  (void)state;
  assert_int_equal(make("none", 2, never_better, (how){.more = "data.validation=0"}),
                   GF_ERROR_CONFIG);
  assert_non_null(strstr(gf_error_message(),
                         "train.stop.metric is validation_accuracy, but there are no validation "
                         "images; give it some with data.validation"));
  assert_int_equal(state_of("none").status, GF_RUN_ABSENT);
}

/* ---- studies ---- */

static void a_study_says_which_runs_were_stopped(void **state) {
  (void)state;
  char *yaml = with_folder(
      "study: {name: s, title: s, out: study}\n"
      "seeds: [5]\n"
      "settings:\n"
      "  - {name: whole, base: base.yaml}\n"
      "  - {name: short, base: base.yaml, set: {train.stop.metric: validation_accuracy, "
      "train.stop.min_delta: 1, train.stop.patience: 1}}\n"
      "tables: [{name: t, title: t, columns: [train_loss]}]\n");
  char *base = with_folder(
      "data: {name: cifar100, path: @}\ntrain: {epochs: 3, batch_size: 50}\n"
      "model: {family: vgg_stages, stages: 1, blocks_per_stage: 0, filters: 4}\n");
  study_write("s.yaml", yaml);
  study_write("base.yaml", base);
  gf_study *study = load_study("s.yaml", "study");
  gf_study_options options = gf_study_options_default();
  assert_ok(gf_study_run(study, &options));
  char *text, *csv;
  assert_ok(gf_study_report(study, &text, NULL, NULL));
  const char *note =
      "Ended by train.stop before the last epoch: short/seed-5 (stopped by "
      "validation\\_accuracy after 2 of 3 epochs).";
  csv = study_read("study/reports/s/t.md");
  if (!strstr(csv, note)) fail_msg("%s", csv);
  free(csv);
  csv = study_read("study/reports/s/runs.csv");
  assert_non_null(strstr(csv, "stopped by validation_accuracy after 2 of 3 epochs"));
  free(csv);
  free(text);
  free(yaml);
  free(base);
  gf_study_free(&study);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(durations_are_read),
      cmocka_unit_test(wrong_keys_are_refused),
      cmocka_unit_test(the_keys_are_written_as_they_were_read),
      cmocka_unit_test(a_metric_waits_for_its_patience),
      cmocka_unit_test(early_stopping_ends_a_run),
      cmocka_unit_test(a_stopped_run_stays_as_it_is),
      cmocka_unit_test(with_force_it_goes_on),
      cmocka_unit_test(with_another_rule_it_goes_on),
      cmocka_unit_test(an_interrupted_run_counts_on),
      cmocka_unit_test(a_verdict_ends_a_run),
      cmocka_unit_test(time_ends_a_run_after_a_step),
      cmocka_unit_test(a_metric_needs_validation_images),
      cmocka_unit_test(a_study_says_which_runs_were_stopped),
  };
  return cmocka_run_group_tests_name("stop", tests, open_all, fixture_close);
}
