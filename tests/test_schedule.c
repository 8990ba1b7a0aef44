/* The warm-up of learning rates, with every schedule. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "reference.h"
#include "support/assert.h"
#include "train/plateau.h"

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

/* ---- the other schedules ---- */

static void exponential_and_polynomial_are_what_they_say(void **state) {
  (void)state;
  assert_rates("name: exponential, decay: 0.5", 8, (double[]){8, 4, 2, 1}, 4);
  assert_rates("name: exponential, decay: 0.5, warmup_epochs: 2, warmup_start: 0.5", 8,
               (double[]){4, 6, 8, 4, 2}, 5);
  /* PyTorch's PolynomialLR, with the final rate added: (1 - epoch/epochs)^power. */
  assert_rates("name: polynomial, final: 0, power: 2", 16, (double[]){16, 9, 4, 1}, 4);
  assert_rates("name: polynomial, final: 1", 5, (double[]){5, 4, 3, 2}, 4);
  assert_true(final_of("optimizer: {learning_rate: 1e-6}\nschedule: {name: polynomial}") == 1e-6);
}

/* torch.optim.lr_scheduler.OneCycleLR of PyTorch 2.15 with max_lr 0.1, total_steps 10, pct_start
 * 0.3, div_factor 25 and final_div_factor 1e4. */
static void one_cycle_is_that_of_pytorch(void **state) {
  (void)state;
  static const double expected[] = {0.0040000000000000036,
                                    0.052000000000000005,
                                    0.1,
                                    0.09504846320134738,
                                    0.0811745653949763,
                                    0.06112620219362893,
                                    0.03887419780637107,
                                    0.0188258346050237,
                                    0.004951936798652629,
                                    4e-07};
  gf__schedule_config s = read("name: one_cycle");
  for (int i = 0; i < 10; i++) {
    double rate = gf__schedule_step_rate(&s, 0.1, i, 5, 2);
    if (!(fabs(rate - expected[i]) <= 1e-12)) fail_msg("%d: %.17g", i, rate);
  }
  gf_config *config;
  assert_ok(gf_config_parse(&config, "net", "schedule: {name: one_cycle, warmup_epochs: 2}"));
  assert_fails(GF_ERROR_CONFIG,
               "net:1:29: schedule.warmup_epochs is 2, and one_cycle begins with a rise of its own "
               "(schedule.rise); leave it out",
               gf__schedule_config_read(&s, config));
  gf_config_free(&config);
}

/* The steps of an epoch have the rate of the epoch with every other schedule. */
static void other_rates_stay_within_an_epoch(void **state) {
  (void)state;
  static const char *const all[] = {"name: cosine",     "name: step, every: 2", "name: exponential",
                                    "name: polynomial", "name: constant",       "name: plateau"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    gf__schedule_config s = read(all[i]);
    for (int step = 0; step < 5 * 7; step++)
      assert_true(gf__schedule_step_rate(&s, 0.1, step, 7, 5) ==
                  gf__schedule_rate(&s, 0.1, step / 7, 5));
  }
}

/* torch.optim.lr_scheduler.ReduceLROnPlateau of PyTorch 2.15 with these settings and losses: the
 * rate after each. */
static void plateau_drops_as_pytorch_does(void **state) {
  (void)state;
  static const double losses[] = {2,      1.5,  1.4999, 1.49, 1.6, 1.7, 1.8, 1.48,
                                  1.4799, 1.48, 1.48,   1.2,  1.3, 1.3, 1.3, 1.3};
  static const double expected[] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5,
                                    0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3};
  enum { EPOCHS = sizeof losses / sizeof *losses };
  gf__schedule_config s =
      read("name: plateau, factor: 0.5, patience: 2, threshold: 1e-3, minimum: 0.3");
  gf__plateau p;
  gf__plateau_begin(&p);
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    gf__plateau_add(&p, &s, 1, epoch, losses[epoch], NAN);
    double rate = gf__plateau_rate(&p, &s, gf__schedule_rate(&s, 1, epoch + 1, 100));
    if (!(fabs(rate - expected[epoch]) <= 1e-15)) fail_msg("epoch %d: %.17g", epoch, rate);
  }
}

/* Of an accuracy more is better, and the warm-up's epochs do not count. */
static void plateau_may_watch_the_accuracy(void **state) {
  (void)state;
  gf__schedule_config s =
      read("name: plateau, metric: accuracy, patience: 0, warmup_epochs: 1, factor: 0.1");
  static const double accuracies[] = {0.9, 0.5, 0.6, 0.6, 0.7};
  static const double factors[] = {1, 1, 1, 0.1, 0.1};
  gf__plateau p;
  gf__plateau_begin(&p);
  for (int epoch = 0; epoch < 5; epoch++) {
    gf__plateau_add(&p, &s, 1, epoch, 1, accuracies[epoch]);
    assert_true(p.factor == factors[epoch]);
  }
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
      cmocka_unit_test(exponential_and_polynomial_are_what_they_say),
      cmocka_unit_test(one_cycle_is_that_of_pytorch),
      cmocka_unit_test(other_rates_stay_within_an_epoch),
      cmocka_unit_test(plateau_drops_as_pytorch_does),
      cmocka_unit_test(plateau_may_watch_the_accuracy),
      cmocka_unit_test(a_run_may_be_all_warmup),
      cmocka_unit_test(none_is_none),
      cmocka_unit_test(the_resolved_config_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
