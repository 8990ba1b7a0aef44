/* The warm-up of learning rates, with every schedule. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "reference.h"
#include "support/assert.h"
#include "train/schedules.h"

static gf__schedule_config read(const char *keys) {
  char yaml[256];
  gf_config *config;
  gf__schedule_config schedule;
  snprintf(yaml, sizeof yaml, "schedule: {%s}", keys);
  assert_int_equal(gf_config_parse(&config, "net", yaml), GF_OK);
  gf_status status = gf__schedule_config_read(&schedule, config);
  gf_config_free(&config);
  if (status != GF_OK) fail_msg("%s", gf_error_message());
  return schedule;
}

static void assert_rates(const char *keys, double base, const double *expected, int epochs) {
  gf__schedule_config schedule = read(keys);
  for (int epoch = 0; epoch < epochs; epoch++) {
    double rate = gf__schedule_rate(&schedule, base, epoch, epochs);
    if (!(fabs(rate - expected[epoch]) <= 1e-12 * fabs(expected[epoch])))
      fail_msg("%s, epoch %d: %.17g and not %.17g", keys, epoch, rate, expected[epoch]);
  }
}

static void warmup_rises_in_equal_steps(void **state) {
  (void)state;
  assert_rates("name: constant, warmup_epochs: 4, warmup_start: 0.2", 0.5,
               (double[]){0.1, 0.2, 0.3, 0.4, 0.5, 0.5}, 6);
  assert_rates("name: constant, warmup_epochs: 1, warmup_start: 0", 2, (double[]){0, 2, 2}, 3);
  assert_rates("name: constant, warmup_epochs: 3", 1, (double[]){0.1, 0.4, 0.7, 1}, 4);
  /* A start of 1 is no warm-up. */
  assert_rates("name: constant, warmup_epochs: 2, warmup_start: 1", 3, (double[]){3, 3, 3}, 3);
}

/* From the full rate in the first epoch after the warm-up, towards the final one. */
static void cosine_spans_the_rest(void **state) {
  (void)state;
  enum { EPOCHS = 37, WARM = 5 };
  double expected[EPOCHS];
  for (int epoch = 0; epoch < EPOCHS; epoch++)
    expected[epoch] = epoch < WARM ? 0.1 * (0.25 + 0.15 * epoch)
                                   : ref_cosine(0.1, 0.01, epoch - WARM, EPOCHS - WARM);
  assert_rates("final: 0.01, warmup_epochs: 5, warmup_start: 0.25", 0.1, expected, EPOCHS);
  assert_true(fabs(expected[WARM] - 0.1) <= 1e-15);
}

/* Each stretch is as long as every says, and the full rate is reached, however long the warm-up. */
static void drops_count_from_the_end_of_the_warmup(void **state) {
  (void)state;
  assert_rates("name: step, every: 3, factor: 0.5, warmup_epochs: 2, warmup_start: 0.5", 8,
               (double[]){4, 6, 8, 8, 8, 4, 4, 4, 2}, 9);
  assert_rates("name: step, every: 1, factor: 0.5, warmup_epochs: 2, warmup_start: 0.5", 8,
               (double[]){4, 6, 8, 4}, 4);
  assert_rates("name: step, every: 2, factor: 0.1, warmup_epochs: 3, warmup_start: 0.1", 1,
               (double[]){0.1, 0.4, 0.7, 1, 1, 0.1, 0.1, 0.01}, 8);
}

/* ---- the final rate of a cosine ---- */

static double final_of(const char *yaml) {
  gf_config *config;
  gf__schedule_config schedule;
  assert_ok(gf_config_parse(&config, "net", yaml));
  assert_ok(gf__schedule_config_read(&schedule, config));
  gf_config_free(&config);
  return schedule.final;
}

/* A base rate below 2e-5 was raised to it by the default. */
static void the_final_rate_is_at_most_the_base_rate(void **state) {
  (void)state;
  assert_true(final_of("optimizer: {learning_rate: 1e-3}") == 2e-5);
  assert_true(final_of("optimizer: {learning_rate: 1e-5}") == 1e-5);
  assert_true(final_of("optimizer: {learning_rate: 0}\nschedule: {name: cosine}") == 0);
  assert_true(final_of("optimizer: {learning_rate: 1e-5}\nschedule: {final: 2e-5}") == 2e-5);
  gf__schedule_config flat = {.final = 1e-5};
  for (int epoch = 0; epoch < 7; epoch++)
    assert_true(gf__schedule_rate(&flat, 1e-5, epoch, 7) == 1e-5);
}

static int warnings_;
static char warning_[300];

static void keep_warning(void *user, gf_log_level level, const char *message) {
  (void)user;
  if (level != GF_LOG_WARNING) return;
  warnings_++;
  snprintf(warning_, sizeof warning_, "%s", message);
}

static void a_cosine_that_does_not_fall_is_warned_of(void **state) {
  (void)state;
  gf__schedule_config rising = read("final: 2e-5"), step = read("name: step");
  gf_log_to(keep_warning, NULL);
  gf__schedule_config_warn(&rising, 1e-3);
  gf__schedule_config_warn(&step, 1e-9);
  assert_int_equal(warnings_, 0);
  gf__schedule_config_warn(&rising, 1e-5);
  assert_string_equal(warning_,
                      "schedule.final is 2e-05 and optimizer.learning_rate 1e-05: the rate rises; "
                      "for a cosine that falls, set schedule.final to less");
  gf__schedule_config_warn(&rising, 2e-5);
  assert_string_equal(warning_,
                      "schedule.final is 2e-05 and optimizer.learning_rate 2e-05: the rate stays "
                      "the same; for a cosine that falls, set schedule.final to less");
  gf_log_to(NULL, NULL);
}

static void a_run_may_be_all_warmup(void **state) {
  (void)state;
  assert_rates("warmup_epochs: 4, warmup_start: 0", 4, (double[]){0, 1, 2}, 3);
  assert_rates("warmup_epochs: 3, warmup_start: 0", 3, (double[]){0, 1, 2}, 3);
}

/* Without a warm-up nothing changes, to the bit. */
static void none_is_none(void **state) {
  (void)state;
  const double pi = 3.14159265358979323846;
  gf__schedule_config plain = read(""), none = read("warmup_epochs: 0, warmup_start: 0.7");
  for (int epoch = 0; epoch < 100; epoch++) {
    double rate = gf__schedule_rate(&plain, 1e-3, epoch, 100);
    assert_true(rate == 2e-5 + (1e-3 - 2e-5) * (1 + cos(pi * epoch / 100)) / 2);
    assert_true(rate == gf__schedule_rate(&none, 1e-3, epoch, 100));
  }
}

static void the_resolved_config_reads_back(void **state) {
  (void)state;
  gf__schedule_config schedule = read("name: constant, warmup_epochs: 7, warmup_start: 0.375"),
                      back;
  gf__text text = {0};
  gf_config *config;
  gf__schedule_config_write(&text, &schedule);
  assert_int_equal(gf_config_parse(&config, "back", text.data), GF_OK);
  assert_int_equal(gf__schedule_config_read(&back, config), GF_OK);
  assert_int_equal(back.warmup_epochs, 7);
  assert_true(back.warmup_start == 0.375);
  gf_config_free(&config);
  gf__text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(warmup_rises_in_equal_steps),
      cmocka_unit_test(cosine_spans_the_rest),
      cmocka_unit_test(drops_count_from_the_end_of_the_warmup),
      cmocka_unit_test(the_final_rate_is_at_most_the_base_rate),
      cmocka_unit_test(a_cosine_that_does_not_fall_is_warned_of),
      cmocka_unit_test(a_run_may_be_all_warmup),
      cmocka_unit_test(none_is_none),
      cmocka_unit_test(the_resolved_config_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
