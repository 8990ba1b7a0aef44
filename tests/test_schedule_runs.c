/* Runs whose learning rate depends on more than the epoch: what is recorded, and that a stop and a
 * resumption change nothing. */
#define _XOPEN_SOURCE 700

#include <math.h>

#include "base/csv.h"
#include "support/runs.h"
#include "support/test.h"
#include "train/schedules.h"

enum { EPOCHS = 4 };

static const char network_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 4, stride: 4}, {type: relu}, {type: "
    "global_avg_pool}, {type: linear, outputs: 100}]}\n";
static const char one_cycle_[] = "schedule: {name: one_cycle}\n";
/* No loss is better than nothing by half of itself, so that the rate halves from the third epoch
 * on. */
static const char plateau_[] =
    "schedule: {name: plateau, patience: 0, threshold: 0.5, factor: 0.5, minimum: 3e-4}\n";

typedef struct stopper {
  int asked, stops_at;
} stopper;

static bool stop(void *user) {
  stopper *s = user;
  return ++s->asked == s->stops_at;
}

static gf_status train_from(const char *schedule, const char *out, int stops_at) {
  char path[256];
  stopper s = {.stops_at = stops_at};
  snprintf(path, sizeof path, "%s", in_folder(out));
  gf_train_options options = {
      .out = path, .resume = true, .keep_checkpoints = 2, .events = {.user = &s, .stop = stop}};
  gf_config *config = config_of(network_, schedule);
  assert_ok(gf_config_set(config, "train.epochs=4"));
  gf_status status = gf_train(fixture_device, config, &options);
  gf_config_free(&config);
  return status;
}

static void read_rates(const char *run, double rates[EPOCHS]) {
  static const gf__csv_column columns[] = {{"learning_rate", false}};
  char name[64];
  gf__csv csv;
  snprintf(name, sizeof name, "%s/metrics.csv", run);
  assert_ok(gf__csv_read(&csv, in_folder(name), columns, 1));
  assert_int_equal(csv.rows, EPOCHS);
  for (int i = 0; i < EPOCHS; i++) rates[i] = csv.numbers[0][i];
  gf__csv_free(&csv);
}

static void check_stops(const char *schedule, const char *whole) {
  for (int at = 3; at <= EPOCHS * (BATCHES + 1); at += 6) {
    char out[32];
    snprintf(out, sizeof out, "%s-%d", whole, at);
    assert_int_equal(train_from(schedule, out, at), GF_ERROR_INTERRUPTED);
    assert_ok(train_from(schedule, out, 0));
    assert_true(is_same(out, whole, "metrics.csv"));
    assert_true(is_same(out, whole, "last.safetensors"));
  }
}

/* The rate of an epoch's last step, of 24 in all: by the formula, whose values test_schedule.c has
 * from PyTorch. */
static void one_cycle_changes_step_by_step(void **state) {
  (void)state;
  double rates[EPOCHS];
  gf__schedule_config s = {.rise = 0.3, .start_divisor = 25, .end_divisor = 1e4};
  assert_ok(train_from(one_cycle_, "cycle", 0));
  read_rates("cycle", rates);
  while (strcmp(gf__schedules[s.kind]->name, "one_cycle") != 0) s.kind++;
  for (int i = 0; i < EPOCHS; i++) {
    double expected = gf__schedule_step_rate(&s, 1e-3, BATCHES * (i + 1) - 1, BATCHES, EPOCHS);
    if (!(fabs(rates[i] - expected) <= 1e-8 * expected)) fail_msg("%d: %.9g", i, rates[i]);
  }
  check_stops(one_cycle_, "cycle");
}

static void plateau_drops_between_epochs(void **state) {
  (void)state;
  double rates[EPOCHS];
  static const double expected[EPOCHS] = {1e-3, 1e-3, 5e-4, 3e-4};
  assert_ok(train_from(plateau_, "flat", 0));
  read_rates("flat", rates);
  for (int i = 0; i < EPOCHS; i++)
    if (!(fabs(rates[i] - expected[i]) <= 1e-12)) fail_msg("%d: %.9g", i, rates[i]);
  check_stops(plateau_, "flat");
}

static void plateau_needs_validation_images(void **state) {
  (void)state;
  gf_config *config = config_of(network_, plateau_);
  assert_ok(gf_config_set(config, "data.validation=0"));
  assert_fails(GF_ERROR_CONFIG,
               "schedule.name plateau waits for the validation to improve, and there are no "
               "validation images; set data.validation, or take another schedule",
               train(config, "none", NULL));
  assert_false(gf__path_exists(in_folder("none")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_cycle_changes_step_by_step),
      cmocka_unit_test(plateau_drops_between_epochs),
      cmocka_unit_test(plateau_needs_validation_images),
  };
  return cmocka_run_group_tests_name("schedule_runs", tests, open_all, fixture_close);
}
