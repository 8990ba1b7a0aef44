/* Learning-rate schedules, and what is said of a run's gradients, from CSVs
 * written by hand. No device is needed. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <gradflow/train.h>

#include "base/text.h"
#include "fixture.h"
#include "reference.h"
#include "train/schedules.h"

static void write_text(const char *name, const char *text) {
  assert_ok(gf__file_write(in_folder(name), text, strlen(text)));
}

/* ---- schedules ---- */

static double rate(const char *yaml, double base, int epoch, int epochs) {
  gf_config *config = parse_config(yaml);
  gf__schedule_config schedule;
  assert_ok(gf__schedule_config_read(&schedule, config));
  gf_config_free(&config);
  return gf__schedule_rate(&schedule, base, epoch, epochs);
}

#define assert_rate(value, expected)                                        \
  do {                                                                      \
    double rate_value = (value), rate_expected = (expected);                \
    if (!(fabs(rate_value - rate_expected) <= 1e-12 * fabs(rate_expected))) \
      fail_msg("%.17g and should be %.17g", rate_value, rate_expected);     \
  } while (0)

static void schedules_are_what_they_say(void **state) {
  (void)state;
  static const char step[] = "schedule: {name: step, every: 2, factor: 0.1}";
  static const double steps[] = {0.5, 0.5, 0.05, 0.05, 0.005};
  for (int epoch = 0; epoch < 100; epoch++) {
    assert_rate(rate("", 1e-3, epoch, 100), ref_cosine(1e-3, 2e-5, epoch, 100));
    assert_rate(rate("schedule: {final: 0.01}", 0.1, epoch, 100),
                ref_cosine(0.1, 0.01, epoch, 100));
  }
  assert_rate(rate("", 1e-3, 0, 100), 1e-3);
  assert_rate(rate("", 1e-3, 50, 100), 0.51e-3); /* halfway between 1e-3 and 2e-5 */
  for (int epoch = 0; epoch < 5; epoch++) {
    assert_rate(rate(step, 0.5, epoch, 5), steps[epoch]);
    assert_rate(rate("schedule: {name: constant}", 0.5, epoch, 5), 0.5);
  }
}

/* ---- diagnoses ---- */

static const char metrics_head_[] =
    "epoch,learning_rate,train_loss,train_accuracy,"
    "validation_loss,validation_accuracy,seconds,"
    "images_per_second\n";
static const char gradients_head_[] =
    "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n";

/* Mean |g| of the weights of three layers; each has a bias, too, which must not count. */
static const struct {
  const char *last[3], *text;
} diagnoses[] = {
    {{"0.02", "1e-8", "0.5"},
     "healthy: mean |gradient| of all 3 layers between 1.0e-08 and 5.0e-01"},
    {{"3e-12", "9.9e-09", "0.5"}, "vanishing: 2 of 3 layers below 1e-8, from b towards the input"},
    {{"0", "0.01", "0.5"}, "vanishing: 1 of 3 layers below 1e-8, from a towards the input"},
    {{"2500", "0.01", "1.5"}, "exploding: 2 of 3 layers above 1, up to 2.5e+03"},
    {{"2500", "0", "0.5"}, "exploding: 1 of 3 layers above 1, up to 2.5e+03"},
    {{"nan", "inf", "0.5"}, "exploding: the gradients of 2 of 3 layers are not finite"},
};

static void write_record(gf__text *out, int epoch, const char *const means[3]) {
  for (int i = 0; i < 3; i++)
    gf__text_add(out, "%d,%d,%c,%c.weight,%s,1,1,0,0\n%d,%d,%c,%c.bias,1e-30,1,1,0,0\n", epoch,
                 epoch * 10, 'a' + i, 'a' + i, means[i], epoch, epoch * 10, 'a' + i, 'a' + i);
}

static void diagnoses_are_of_the_last_epoch(void **state) {
  (void)state;
  static const char *const fine[3] = {"0.1", "0.1", "0.1"}, *const bad[3] = {"0", "7", "nan"};
  gf__text metrics = {0};
  gf__text_add(&metrics, "%s1,0.1,4,0.1,4,0.1,1,1\n2,0.1,4,0.1,4,0.1,1,1\n", metrics_head_);
  assert_ok(gf__make_folder(in_folder("written")));
  write_text("written/metrics.csv", metrics.data);
  for (size_t i = 0; i < sizeof diagnoses / sizeof *diagnoses; i++) {
    gf__text gradients = {0};
    gf__text_add(&gradients, "%s", gradients_head_);
    write_record(&gradients, 1, i % 2 ? fine : bad);
    write_record(&gradients, 2, diagnoses[i].last);
    write_text("written/gradients.csv", gradients.data);
    char *text = NULL;
    assert_ok(gf_diagnose(in_folder("written"), &text));
    assert_string_equal(text, diagnoses[i].text);
    free(text);
    gf__text_free(&gradients);
  }
  gf__text_free(&metrics);
}

static void nothing_to_diagnose_is_said(void **state) {
  (void)state;
  char message[512], *text = NULL;
  snprintf(message, sizeof message, "%s has no records of gradients; no epoch was finished",
           in_folder("written"));
  write_text("written/metrics.csv", metrics_head_);
  write_text("written/gradients.csv", gradients_head_);
  assert_fails(GF_ERROR_DATA, message, gf_diagnose(in_folder("written"), &text));
  assert_null(text);
  assert_int_equal(remove(in_folder("written/gradients.csv")), 0);
  assert_fails(GF_ERROR_DATA, message, gf_diagnose(in_folder("written"), &text));
  assert_int_equal(remove(in_folder("written/metrics.csv")), 0);
  snprintf(message, sizeof message,
           "%s has no metrics.csv: name a folder that a training run has written",
           in_folder("written"));
  assert_fails(GF_ERROR_FILE, message, gf_diagnose(in_folder("written"), &text));
  assert_null(text);
}

static int open_folder(void **state) {
  (void)state;
  strcpy(fixture_folder, "/tmp/gradflow-test-XXXXXX");
  return mkdtemp(fixture_folder) ? 0 : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(schedules_are_what_they_say),
      cmocka_unit_test(diagnoses_are_of_the_last_epoch),
      cmocka_unit_test(nothing_to_diagnose_is_said),
  };
  return cmocka_run_group_tests_name("diagnosis", tests, open_folder, fixture_close);
}
