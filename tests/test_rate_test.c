/* The learning-rate range test: its rates, what it concludes from losses, that its steps are those
 * of training, and the command. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <jansson.h>
#include <math.h>

#include "base/file.h"
#include "base/os.h"
#include "support/program.h"
#include "support/runs.h"
#include "support/test.h"
#include "train/rate_test.h"

static const char model_[] =
    "model: {family: vgg_stages, stages: 2, blocks_per_stage: 0, filters: 4, norm: entry}\n";

/* ---- rates and losses ---- */

static void assert_near(double value, double expected) {
  if (!(fabs(value - expected) <= 1e-12 * fabs(expected)))
    fail_msg("%.17g and not %.17g", value, expected);
}

static void rates_rise_by_one_factor(void **state) {
  (void)state;
  gf_rate_test_options options = {.from = 1e-4, .to = 10, .steps = 11};
  assert_near(gf__rate_test_rate(&options, 0), 1e-4);
  assert_near(gf__rate_test_rate(&options, 2), 1e-3);
  assert_near(gf__rate_test_rate(&options, 10), 10);
}

/* Means by hand: 4; (0.9 4 + 2) / 1.9; (0.81 4 + 0.9 2 + 1) / 2.71. */
static void losses_are_smoothed_without_a_bias_to_zero(void **state) {
  (void)state;
  gf_rate_test_step steps[4];
  gf_rate_test test = {.steps = steps};
  assert_false(gf__rate_test_add(&test, 1e-3, 4));
  assert_false(gf__rate_test_add(&test, 2e-3, 2));
  assert_false(gf__rate_test_add(&test, 3e-3, 1));
  assert_int_equal(test.step_count, 3);
  assert_near(steps[0].smoothed, 4);
  assert_near(steps[1].smoothed, 5.6 / 1.9);
  assert_near(steps[2].smoothed, 6.04 / 2.71);
  assert_true(steps[2].loss == 1 && steps[2].learning_rate == 3e-3);
  assert_true(gf__rate_test_add(&test, 4e-3, NAN));
  assert_true(test.diverged);
}

static void a_loss_of_four_times_the_lowest_ends_the_test(void **state) {
  (void)state;
  gf_rate_test_step steps[3];
  gf_rate_test test = {.steps = steps};
  assert_false(gf__rate_test_add(&test, 1e-3, 1));
  assert_false(gf__rate_test_add(&test, 1e-2, 6.6)); /* (0.9 + 6.6) / 1.9 = 3.95 */
  test.step_count = 1;
  assert_true(gf__rate_test_add(&test, 1e-2, 6.8)); /* 4.05 */
  assert_true(test.diverged);
}

/* Rates of powers of ten, so that slopes are differences. */
static void the_steepest_fall_before_the_lowest_loss_is_suggested(void **state) {
  (void)state;
  static const double smoothed[] = {5, 5, 4.9, 4.5, 3.2, 2.4, 2.3, 2.2, 6, 1};
  gf_rate_test_step steps[10];
  gf_rate_test test = {.steps = steps, .step_count = 9};
  for (int i = 0; i < 10; i++) steps[i] = (gf_rate_test_step){pow(10, i - 9), 0, smoothed[i]};
  gf__rate_test_judge(&test); /* from 4.5 to 2.4 around step 4; the lowest is step 7 */
  assert_near(test.fastest, 1e-5);
  assert_near(test.lowest, 1e-2);
  assert_near(test.lowest_loss, 2.2);
  for (int i = 0; i < 9; i++) steps[i].smoothed = 5 - 0.006 * i; /* 0.8% since step 1 */
  gf__rate_test_judge(&test);
  assert_true(isnan(test.fastest) && isnan(test.lowest) && isnan(test.lowest_loss));
  for (int i = 0; i < 9; i++) steps[i].smoothed = NAN;
  gf__rate_test_judge(&test);
  assert_true(isnan(test.fastest));
  test.step_count = 1;
  gf__rate_test_judge(&test);
  assert_true(isnan(test.fastest));
}

/* ---- steps ---- */

typedef struct trained {
  double losses[2 * BATCHES];
  int count;
} trained;

static void see_step(void *user, const gf_step_event *step) {
  trained *t = user;
  if (t->count < 2 * BATCHES) t->losses[t->count++] = step->loss;
}

/* At rates that do not differ in single precision. The last batch of an epoch, which is smaller, is
 * left out, so that epochs are compared up to there. */
static void the_steps_are_those_of_training(void **state) {
  (void)state;
  static const double rate = 0.01;
  trained t = {.count = 0};
  gf_rate_test result;
  const char *more = "schedule: {name: constant}\noptimizer: {name: sgd, learning_rate: 0.01}\n";
  gf_rate_test_options options = {.from = rate, .to = rate * (1 + 1e-12), .steps = 10};
  gf_config *config = config_of(model_, more);
  assert_ok(gf_rate_test_run(&result, fixture_device, config, &options));
  assert_int_equal(result.step_count, 10);
  assert_int_equal(result.batch_size, BATCH);
  assert_string_equal(result.optimizer, "sgd");
  assert_true(result.configured == rate && !result.diverged && !result.out_of_time);
  assert_ok(train(config, "trained", &(gf_train_events){.user = &t, .step = see_step}));
  assert_int_equal(t.count, 2 * BATCHES);
  for (int i = 0; i < BATCHES - 1; i++)
    if (!(fabs(result.steps[i].loss - t.losses[i]) <= 1e-6 * t.losses[i]))
      fail_msg("step %d: %.9g and %.9g", i, result.steps[i].loss, t.losses[i]);
  gf_rate_test_free(&result);
  assert_null(result.steps);
}

static bool stop_after_two(void *user, const gf_rate_test *test) {
  (void)user;
  return test->step_count == 2;
}

static void a_callback_or_the_time_ends_it(void **state) {
  (void)state;
  gf_rate_test result;
  gf_config *config = config_of(model_, "");
  gf_rate_test_options options = gf_rate_test_options_default();
  options.step = stop_after_two;
  assert_fails(GF_ERROR_INTERRUPTED, "the range test was stopped after 2 of 100 steps",
               gf_rate_test_run(&result, fixture_device, config, &options));
  assert_int_equal(result.step_count, 2);
  gf_rate_test_free(&result);
  options.step = NULL;
  options.seconds = 1e-9;
  assert_ok(gf_rate_test_run(&result, fixture_device, config, &options));
  assert_true(result.out_of_time && result.step_count == 1);
  gf_rate_test_free(&result);
  gf_config_free(&config);
}

/* A rate at which each step throws the weights far away. */
static void it_ends_where_the_loss_diverges(void **state) {
  (void)state;
  gf_rate_test result;
  gf_config *config = config_of(model_, "optimizer: {name: sgd}\n");
  gf_rate_test_options options = {.from = 1e-3, .to = 1e6, .steps = 40};
  assert_ok(gf_rate_test_run(&result, fixture_device, config, &options));
  assert_true(result.diverged && result.step_count < 40);
  gf_rate_test_free(&result);
  gf_config_free(&config);
}

static void options_that_make_no_sense_are_refused(void **state) {
  (void)state;
  gf_rate_test result;
  gf_config *config = config_of(model_, "");
  static const struct {
    gf_rate_test_options options;
    const char *message;
  } rows[] = {
      {{0, 1, 10, 0, NULL, NULL},
       "rates from 0 to 1: the first has to be above 0, and the last above it"},
      {{1, 1, 10, 0, NULL, NULL},
       "rates from 1 to 1: the first has to be above 0, and the last above it"},
      {{1, INFINITY, 10, 0, NULL, NULL},
       "rates from 1 to inf: the first has to be above 0, and the last above it"},
      {{NAN, 1, 10, 0, NULL, NULL},
       "rates from nan to 1: the first has to be above 0, and the last above it"},
      {{1, 2, 9, 0, NULL, NULL}, "9 steps: a range test has from 10 to 100000"},
      {{1, 2, 10, -1, NULL, NULL}, "-1 seconds: a range test takes 0 or more"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_fails(GF_ERROR_ARGUMENT, rows[i].message,
                 gf_rate_test_run(&result, fixture_device, config, &rows[i].options));
    assert_null(result.steps);
  }
  gf_config_free(&config);
}

/* ---- the command ---- */

static void write_config(void) {
  char yaml[1024];
  int size = snprintf(yaml, sizeof yaml,
                      "data: {name: cifar100, path: %s}\ntrain: {epochs: 2, batch_size: 50, seed: "
                      "5}\noptimizer: {name: sgd, learning_rate: 0.02}\n%s",
                      fixture_folder, model_);
  assert_ok(gf__file_write(in_folder("net.yaml"), yaml, (size_t)size));
}

static void assert_has(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("no '%s' in: %s", part, text);
}

static void the_command_prints_a_table_and_writes_files(void **state) {
  (void)state;
  int code, lines = 0;
  size_t size;
  write_config();
  char *printed = run_program("lr net.yaml --from 1e-4 --to 1e6 --steps 40 --out lr", &code);
  assert_int_equal(code, 0);
  assert_has(printed, " steps of 50 images by sgd, each at a higher rate\n");
  assert_has(printed, "\nlearning rate   ");
  assert_has(printed, "\nsuggested  ");
  assert_has(printed, "\ndiverged   at ");
  assert_has(printed, "\npicture    lr/lr.png\n");
  free(printed);
  char *csv = read_text("lr", "lr.csv", &size);
  assert_true(!strncmp(csv, "learning_rate,loss,smoothed\n0.0001,", 35));
  for (char *at = csv; (at = strchr(at, '\n')); at++) lines++;
  assert_in_range(lines, 11, 40); /* it diverges before the 40th */
  free(csv);
  char *png = read_text("lr", "lr.png", &size);
  assert_true(size > 8 && !memcmp(png, "\x89PNG", 4));
  free(png);
}

static void the_command_has_json(void **state) {
  (void)state;
  int code;
  write_config();
  char *printed = run_program("lr net.yaml --steps 10 --to 1e-6 --json", &code);
  assert_int_equal(code, 0);
  json_error_t error;
  json_t *json = json_loads(printed, 0, &error);
  if (!json) fail_msg("%s: %s", error.text, printed);
  assert_int_equal(json_array_size(json_object_get(json, "steps")), 10);
  assert_true(json_is_false(json_object_get(json, "diverged")));
  assert_true(json_is_null(json_object_get(json, "suggested"))); /* such rates change nothing */
  assert_true(json_real_value(json_object_get(json, "configured")) == 0.02);
  json_decref(json);
  free(printed);
}

static void the_command_adds_nothing_to_a_run(void **state) {
  (void)state;
  char expected[512];
  write_config();
  assert_ok(train(config_of(model_, ""), "kept", NULL));
  snprintf(expected, sizeof expected,
           "gradflow: kept is the folder of a run, to which nothing is added; choose another "
           "--out\n");
  assert_prints("lr net.yaml --steps 10 --out kept", 2, expected);
  assert_false(gf__path_exists(in_folder("kept/lr.csv")));
  assert_ok(gf__make_folder(in_folder("older")));
  assert_ok(gf__file_write(in_folder("older/metrics.csv"), "epoch\n", 6));
  assert_prints("lr net.yaml --steps 10 --out older", 2,
                "gradflow: older is the folder of a run, to which nothing is added; choose another "
                "--out\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rates_rise_by_one_factor),
      cmocka_unit_test(losses_are_smoothed_without_a_bias_to_zero),
      cmocka_unit_test(a_loss_of_four_times_the_lowest_ends_the_test),
      cmocka_unit_test(the_steepest_fall_before_the_lowest_loss_is_suggested),
      cmocka_unit_test(the_steps_are_those_of_training),
      cmocka_unit_test(a_callback_or_the_time_ends_it),
      cmocka_unit_test(it_ends_where_the_loss_diverges),
      cmocka_unit_test(options_that_make_no_sense_are_refused),
      cmocka_unit_test(the_command_prints_a_table_and_writes_files),
      cmocka_unit_test(the_command_has_json),
      cmocka_unit_test(the_command_adds_nothing_to_a_run),
  };
  return cmocka_run_group_tests_name("rate test", tests, open_all, fixture_close);
}
