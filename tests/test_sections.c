/* Sections of a config: keys that are another row's or another section's, and synonyms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <gradflow/train.h>

#include "base/section.h"
#include "model/network_config.h"
#include "train/optimizers.h"
#include "train/train_config.h"

static gf_config *parse(const char *yaml) {
  gf_config *config;
  if (gf_config_parse(&config, "x", yaml) != GF_OK) fail_msg("%s", gf_error_message());
  return config;
}

static gf_status read_all(const char *yaml) {
  gf_config *config = parse(yaml);
  gf__train_config train;
  gf__optimizer_config optimizer = {0};
  gf__network_config network = {0};
  gf_status status = gf__train_config_read(&train, config);
  if (status == GF_OK) status = gf__optimizer_config_read(&optimizer, config);
  if (status == GF_OK && gf__value_get(gf__config_root(config), "model"))
    status = gf__network_config_read(&network, config);
  gf__optimizer_config_free(&optimizer);
  gf__network_config_free(&network);
  gf_config_free(&config);
  return status;
}

static const struct {
  const char *yaml, *begin; /* of the message */
} wrong[] = {
    /* keys of other rows */
    {"optimizer: {momentum: 0.9}",
     "x:1:13: optimizer.momentum is a key of sgd and rmsprop; optimizer.name is adam"},
    {"optimizer: {name: sgd, beta1: 0.9}",
     "x:1:24: optimizer.beta1 is a key of adam and adamw; optimizer.name is sgd"},
    {"optimizer: {name: sgd, eps: 1}",
     "x:1:24: optimizer.eps is a key of adam, adamw and rmsprop; optimizer.name is sgd"},
    {"schedule: {name: cosine, every: 10}",
     "x:1:26: schedule.every is a key of step; schedule.name is cosine"},
    {"schedule: {name: constant, final: 0}",
     "x:1:28: schedule.final is a key of cosine and polynomial; schedule.name is constant"},
    {"model: {family: vgg_stages, depth: 20}",
     "x:1:29: model.depth is a key of resnet_cifar and resnet_imagenet; model.family is "
     "vgg_stages"},
    {"model: {graph: [{type: flatten}], depth: 20}",
     "x:1:35: model.depth is a key of resnet_cifar and resnet_imagenet; model.family is none"},
    /* the choice comes first */
    {"model: {depth: 18, family: resnet}", "x:1:20: model.family must be one of vgg_stages, "},
    {"optimizer: {momentum: 0.9, name: sgdm}", "x:1:28: optimizer.name must be one of adam, "},
    {"schedule: {every: 3, name: steps}",
     "x:1:22: schedule.name must be one of cosine, constant, step, plateau, one_cycle, "
     "exponential, "
     "polynomial, not 'steps'; did you mean "
     "'step'?"},
    {"model: 3", "x:1:1: model must be a mapping of keys to values, not '3'"},
    /* synonyms */
    {"optimizer: {lr: 1}", "x:1:13: unknown key 'lr' in optimizer; did you mean 'learning_rate'?"},
    {"optimizer: {lr0: 1}",
     "x:1:13: unknown key 'lr0' in optimizer; did you mean 'learning_rate'?"},
    {"optimizer: {learning-rate: 1}",
     "x:1:13: unknown key 'learning-rate' in optimizer; did you mean 'learning_rate'?"},
    {"optimizer: {wd: 1}", "x:1:13: unknown key 'wd' in optimizer; did you mean 'weight_decay'?"},
    {"train: {n_epochs: 1}", "x:1:9: unknown key 'n_epochs' in train; did you mean 'epochs'?"},
    {"model: {family: vgg_stages, bn: every}",
     "x:1:29: unknown key 'bn' in model; did you mean 'norm'?"},
    {"model: {family: vgg_stages, activation: swish}",
     "x:1:29: model.activation must be one of leaky_relu, relu, tanh, sigmoid, elu, gelu, silu, "
     "not 'swish'; did you mean 'silu'?"},
    /* keys of other sections */
    {"batch_size: 3", "x:1:1: unknown key 'batch_size'; did you mean 'train.batch_size'?"},
    {"lr: 3", "x:1:1: unknown key 'lr'; did you mean 'optimizer.learning_rate'?"},
    {"train: {lr: 3}", "x:1:9: unknown key 'lr' in train; did you mean 'optimizer.learning_rate'?"},
    {"train: {momentum: 0.9}",
     "x:1:9: unknown key 'momentum' in train; did you mean 'optimizer.momentum'?"},
    {"optimizer: {epochs: 3}",
     "x:1:13: unknown key 'epochs' in optimizer; did you mean 'train.epochs'?"},
    /* sections */
    {"optimiser: {name: sgd}", "x:1:1: unknown key 'optimiser'; did you mean 'optimizer'?"},
    {"scheduler: {name: step}", "x:1:1: unknown key 'scheduler'; did you mean 'schedule'?"},
};

static void wrong_keys_lead_to_the_right_ones(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(read_all(wrong[i].yaml), GF_ERROR_CONFIG);
    if (strncmp(gf_error_message(), wrong[i].begin, strlen(wrong[i].begin)) != 0)
      fail_msg("%s\n  gave     %s\n  and not  %s", wrong[i].yaml, gf_error_message(),
               wrong[i].begin);
  }
}

/* As the config.yaml of a run of 0.1, whatever the schedule. */
static void initial_values_of_other_schedules_are_read(void **state) {
  (void)state;
  static const char *const names[] = {"cosine", "constant", "step"};
  for (size_t i = 0; i < 3; i++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "schedule:\n  name: %s\n  final: 2e-05\n  every: 30\n  factor: 0.1\n"
             "  warmup_epochs: 0\n  warmup_start: 0.1\n",
             names[i]);
    if (read_all(yaml) != GF_OK) fail_msg("%s", gf_error_message());
  }
  assert_int_equal(read_all("schedule: {name: constant, every: 31}"), GF_ERROR_CONFIG);
}

/* What is written has all schedules' keys, so that a resumed run differs in nothing. */
static void a_schedule_is_written_whole(void **state) {
  (void)state;
  gf_config *config = parse("schedule: {name: step, every: 7}");
  gf__schedule_config schedule;
  gf__text text = {0};
  assert_int_equal(gf__schedule_config_read(&schedule, config), GF_OK);
  assert_true(schedule.final == 2e-5 && schedule.every == 7);
  gf__schedule_config_write(&text, &schedule);
  assert_string_equal(
      text.data,
      "schedule:\n  name: step\n  warmup_epochs: 0\n  warmup_start: 0.1\n"
      "  every: 7\n  factor: 0.1\n  final: 2e-5\n"
      "  patience: 10\n  metric: loss\n  threshold: 1e-4\n  minimum: 0\n  rise: 0.3\n"
      "  start_divisor: 25\n  end_divisor: 1e4\n  decay: 0.95\n  power: 1\n");
  gf__text_free(&text);
  gf_config_free(&config);
}

/* Each key that people are led to is one. */
static void every_place_is_a_key(void **state) {
  (void)state;
  static const char *const words[] = {"epochs", "batch_size", "lr",   "wd",     "momentum",
                                      "seed",   "path",       "norm", "family", "tensorboard"};
  char *reference;
  assert_int_equal(gf_config_reference(&reference), GF_OK);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    const char *place = gf__sections_find(words[i]);
    char row[64];
    assert_non_null(place);
    snprintf(row, sizeof row, "| `%s` |", strchr(place, '.') + 1);
    if (!strstr(reference, row)) fail_msg("%s is no key", place);
  }
  free(reference);
  assert_null(gf__sections_find("nothing_of_the_kind"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_keys_lead_to_the_right_ones),
      cmocka_unit_test(initial_values_of_other_schedules_are_read),
      cmocka_unit_test(a_schedule_is_written_whole),
      cmocka_unit_test(every_place_is_a_key),
  };
  return cmocka_run_group_tests_name("sections", tests, NULL, NULL);
}
