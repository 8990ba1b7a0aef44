/* Two devices in lockstep: what differs is found at its step, phase, layer and element. Both are
 * the same device; one of them is given other numbers on purpose. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <sys/wait.h>

#include <gradflow/divergence.h>

#include "support/runs.h"
#include "support/test.h"
#include "train/lockstep.h"

static const char model_[] =
    "model: {family: vgg_stages, stages: 2, blocks_per_stage: 0, filters: 4, norm: entry}\n";

/* ---- whole runs ---- */

static int told_;

static void count_steps(void *user, int step, const gf_divergence *so_far) {
  (void)user;
  assert_int_equal(step, ++told_);
  assert_int_equal(so_far->step_count, step - 1);
}

static void a_device_agrees_with_itself(void **state) {
  (void)state;
  enum { STEPS = BATCHES + 2 };
  gf_divergence result;
  gf_config *config = config_of(model_, "");
  gf_divergence_options options = {.steps = STEPS, .progress = count_steps};
  assert_ok(gf_divergence_run(&result, fixture_device, fixture_device, config, &options));
  gf_config_free(&config);
  assert_int_equal(told_, STEPS);
  assert_false(result.diverged);
  assert_int_equal(result.step_count, STEPS);
  assert_true(result.worst.difference == 0);
  int compared[GF_DIVERGENCE_PHASES] = {0};
  for (int i = 0; i < result.layer_count; i++)
    for (int k = 0; k < GF_DIVERGENCE_PHASES; k++) {
      double difference = result.layers[i].differences[k];
      if (!isnan(difference)) assert_true(difference == 0);
      compared[k] += !isnan(difference);
    }
  assert_true(compared[GF_DIVERGENCE_FORWARD] >= 8);
  assert_true(compared[GF_DIVERGENCE_BACKWARD] >= 8);
  assert_int_equal(compared[GF_DIVERGENCE_GRADIENT], compared[GF_DIVERGENCE_WEIGHT]);
  gf_divergence_free(&result);
}

/* The mean loss of an epoch in lockstep is that of a run's first epoch. */
static void the_steps_are_those_of_training(void **state) {
  (void)state;
  gf_divergence result;
  gf_config *config = config_of(model_, "");
  gf_divergence_options options = {.steps = BATCHES};
  assert_ok(gf_divergence_run(&result, fixture_device, fixture_device, config, &options));
  gf_config_free(&config);
  double sum = 0;
  for (int i = 0; i < BATCHES; i++)
    sum += result.steps[i].losses[0] * (i + 1 < BATCHES ? BATCH : 35) / (RECORDS - VALIDATION);
  gf_divergence_free(&result);
  assert_ok(train(config_of(model_, ""), "trained", NULL));
  size_t size;
  char *metrics;
  assert_ok(gf__file_read(in_folder("trained/metrics.csv"), &metrics, &size));
  int epoch;
  double rate, loss;
  assert_int_equal(sscanf(strchr(metrics, '\n'), "\n%d,%lf,%lf", &epoch, &rate, &loss), 3);
  free(metrics);
  assert_int_equal(epoch, 1);
  if (!(fabs(sum - loss) <= 1e-6 * loss)) fail_msg("%.9g and %.9g", sum, loss);
}

/* ---- one step, of which something is changed ---- */

typedef struct pair {
  gf__lockstep lockstep;
  gf_divergence result;
  gf_dataset *dataset;
  gf_loader *loader;
  gf_batch batch;
} pair;

static void open_pair(pair *p, double tolerance) {
  gf_config *config = config_of(model_, "");
  gf_device *const devices[] = {fixture_device, fixture_device};
  *p = (pair){.lockstep = {.tolerance = tolerance, .result = &p->result}};
  assert_ok(gf_dataset_open(&p->dataset, config, GF_SPLIT_TRAIN));
  assert_ok(gf_loader_open(&p->loader, p->dataset,
                           &(gf_loader_options){.batch_size = BATCH, .training = 1, .to = 1}));
  assert_ok(gf_loader_start(p->loader, 0, 0));
  assert_ok(gf_loader_next(p->loader, &p->batch));
  assert_ok(
      gf__lockstep_open(&p->lockstep, devices, config, gf_dataset_describe(p->dataset), BATCH, 1));
  gf_config_free(&config);
  p->result.steps = calloc(4, sizeof *p->result.steps);
  assert_non_null(p->result.steps);
}

static void close_pair(pair *p) {
  gf__lockstep_close(&p->lockstep);
  gf_divergence_free(&p->result);
  gf_loader_free(&p->loader);
  gf_dataset_free(&p->dataset);
}

static int find_parameter(const gf_model *model, const char *name) {
  for (int i = 0; i < gf_model_parameter_count(model); i++)
    if (strcmp(gf_model_parameter(model, i).name, name) == 0) return i;
  fail_msg("there is no %s", name);
  return -1;
}

/* An element of the second network's parameter. */
static void set_weight(pair *p, const char *name, size_t element, float value) {
  gf_model *model = p->lockstep.models[1];
  int index = find_parameter(model, name);
  float *values = malloc(gf_model_parameter(model, index).count * sizeof *values);
  assert_non_null(values);
  assert_ok(gf_model_read_parameter(model, index, values));
  values[element] = value;
  assert_ok(gf_model_write_parameter(model, index, values));
  free(values);
}

static const gf_divergence_layer *layer_of(const gf_divergence *result, const char *name) {
  for (int i = 0; i < result->layer_count; i++)
    if (strcmp(result->layers[i].name, name) == 0) return &result->layers[i];
  fail_msg("there is no %s", name);
  return NULL;
}

static void assert_first(const gf_divergence *result, int step, gf_divergence_phase phase,
                         const char *layer, const char *tensor) {
  assert_true(result->diverged);
  assert_int_equal(result->first.step, step);
  assert_string_equal(gf_divergence_phase_name(result->first.phase),
                      gf_divergence_phase_name(phase));
  assert_string_equal(result->first.layer, layer);
  assert_string_equal(result->first.tensor, tensor);
}

/* Filter 2 of a convolution (4 filters of 3x3x4): the layers before it agree, and in its output
 * channel 2 alone differs. The second step is the one with the other weight. */
static void another_weight_is_found_forward(void **state) {
  (void)state;
  pair p;
  open_pair(&p, 1e-4);
  assert_ok(gf__lockstep_step(&p.lockstep, &p.batch, 1e-3));
  assert_false(p.result.diverged);
  set_weight(&p, "reduction_0_conv_1.weight", 2 * 36 + 5, 0.7F);
  assert_ok(gf__lockstep_step(&p.lockstep, &p.batch, 1e-3));
  assert_first(&p.result, 2, GF_DIVERGENCE_FORWARD, "reduction_0_conv_1", "reduction_0_act_1");
  const gf_divergence_place *first = &p.result.first;
  assert_int_equal(first->dims, 4);
  assert_int_equal(first->shape[0], BATCH);
  assert_int_equal(first->shape[3], 4);
  assert_int_equal(first->index[3], 2);
  assert_true(first->a != first->b);
  assert_true(first->difference > 1e-2 && first->difference < 10);
  assert_true(layer_of(&p.result, "reduction_0_pool")->differences[GF_DIVERGENCE_FORWARD] == 0);
  assert_true(isnan(layer_of(&p.result, "loss")->differences[GF_DIVERGENCE_FORWARD]));
  assert_true(isnan(p.result.steps[1].losses[0]));
  close_pair(&p);
}

static void what_is_not_finite_is_infinitely_far(void **state) {
  (void)state;
  pair p;
  open_pair(&p, 1e30);
  set_weight(&p, "input_conv.weight", 1 * 27 + 4, NAN);
  assert_ok(gf__lockstep_step(&p.lockstep, &p.batch, 1e-3));
  assert_first(&p.result, 1, GF_DIVERGENCE_FORWARD, "input_conv", "input_conv");
  assert_true(isinf(p.result.first.difference));
  assert_int_equal(p.result.first.index[3], 1);
  close_pair(&p);
}

/* Smoothed labels change nothing but the gradient of the logits. */
static void another_loss_is_found_backward(void **state) {
  (void)state;
  pair p;
  open_pair(&p, 1e-4);
  p.lockstep.models[1]->pass.label_smoothing = 0.1;
  assert_ok(gf__lockstep_step(&p.lockstep, &p.batch, 1e-3));
  assert_first(&p.result, 1, GF_DIVERGENCE_BACKWARD, "loss", "logit_linear");
  assert_int_equal(p.result.first.dims, 4);
  assert_true(isnan(p.result.steps[0].differences[GF_DIVERGENCE_GRADIENT]));
  close_pair(&p);
}

/* Adam's mean of one element's gradient. */
static void another_state_is_found_in_the_new_weights(void **state) {
  (void)state;
  pair p;
  open_pair(&p, 1e-6);
  gf_model *model = p.lockstep.models[1];
  const gf__parameter *weight = model->parameters[find_parameter(model, "logit_linear.bias")];
  float value = 100;
  assert_ok(gf__buffer_write(gf__trainer_state(p.lockstep.trainers[1], 0),
                             (weight->offset + 7) * sizeof value, sizeof value, &value));
  assert_ok(gf__lockstep_step(&p.lockstep, &p.batch, 1e-3));
  assert_first(&p.result, 1, GF_DIVERGENCE_WEIGHT, "logit_linear", "logit_linear.bias");
  assert_int_equal(p.result.first.dims, 1);
  assert_int_equal(p.result.first.index[0], 7);
  assert_true(p.result.steps[0].differences[GF_DIVERGENCE_GRADIENT] == 0);
  assert_false(isnan(p.result.steps[0].losses[1]));
  close_pair(&p);
}

static void aligned_networks_agree_again(void **state) {
  (void)state;
  pair p;
  open_pair(&p, 0);
  float value = 100;
  assert_ok(
      gf__buffer_write(gf__trainer_state(p.lockstep.trainers[1], 0), 0, sizeof value, &value));
  set_weight(&p, "input_conv.weight", 3, 9);
  set_weight(&p, "input_norm.running_mean", 0, 9);
  assert_ok(gf__lockstep_align(&p.lockstep));
  assert_ok(gf__lockstep_step(&p.lockstep, &p.batch, 1e-3));
  assert_false(p.result.diverged);
  assert_true(p.result.worst.difference == 0);
  close_pair(&p);
}

/* |a - b| / |a| by hand: a = (3, 4, 0, ...), b = (3, 4, 0, 0.5, 0, ...). */
static void differences_are_in_the_norm(void **state) {
  (void)state;
  pair p;
  open_pair(&p, 1);
  for (int i = 0; i < 2; i++) {
    gf_model *model = p.lockstep.models[i];
    const float bias[CLASSES] = {3, 4, 0, i ? 0.5F : 0};
    assert_ok(gf_model_write_parameter(model, find_parameter(model, "logit_linear.bias"), bias));
  }
  assert_ok(gf__lockstep_step(&p.lockstep, &p.batch, 0)); /* at a rate of 0 they stay */
  double difference = layer_of(&p.result, "logit_linear")->differences[GF_DIVERGENCE_WEIGHT];
  assert_false(p.result.diverged);
  if (!(fabs(difference - 0.1) <= 1e-7)) fail_msg("%.9g, expected 0.1", difference);
  close_pair(&p);
}

/* ---- misfits, and the program ---- */

static void misfits_are_told(void **state) {
  (void)state;
  gf_divergence result;
  gf_config *config = config_of(model_, "");
  assert_fails(GF_ERROR_ARGUMENT, "0 steps with a tolerance of 0: at least 1 and 0",
               gf_divergence_run(&result, fixture_device, fixture_device, config,
                                 &(gf_divergence_options){0}));
  assert_fails(GF_ERROR_ARGUMENT, "1 steps with a tolerance of nan: at least 1 and 0",
               gf_divergence_run(&result, fixture_device, fixture_device, config,
                                 &(gf_divergence_options){.steps = 1, .tolerance = (double)NAN}));
  gf_config_free(&config);
}

/* Runs gradflow divergence on a config with further words; its outputs go to files. */
static int run(const char *words) {
  char command[1024];
  snprintf(command, sizeof command, "'%s' divergence '%s' %s >'%s' 2>'%s'", PROGRAM,
           in_folder("net.yaml"), words, in_folder("stdout"), in_folder("stderr"));
  int end = system(command);
  assert_true(WIFEXITED(end));
  return WEXITSTATUS(end);
}

static void assert_says(const char *file, const char *expected) {
  char *text;
  size_t size;
  assert_ok(gf__file_read(in_folder(file), &text, &size));
  if (!strstr(text, expected)) fail_msg("%s\nhas not: %s", text, expected);
  free(text);
}

static void the_program_says_how_far(void **state) {
  (void)state;
  char yaml[1024];
  snprintf(yaml, sizeof yaml,
           "data: {name: cifar100, path: %s}\ntrain: {epochs: 2, batch_size: 50}\n%s",
           fixture_folder, model_);
  assert_ok(gf__file_write(in_folder("net.yaml"), yaml, strlen(yaml)));
  assert_int_equal(run("--devices 0:0,0:0 --steps 2 --tolerance 0"), 0);
  assert_says("stdout", "\nagreed to the last bit for 2 steps\n");
  assert_int_equal(run("--devices 0:0,0:0 --steps 2 --json"), 0);
  json_error_t error;
  json_t *json = json_load_file(in_folder("stdout"), 0, &error);
  assert_non_null(json);
  assert_true(json_is_true(json_object_get(json, "agreed")));
  assert_int_equal(json_array_size(json_object_get(json, "steps")), 2);
  json_decref(json);
  assert_int_equal(run("--devices 0:0"), 2);
  assert_says("stderr",
              "gradflow: --devices 0:0: name two devices, as in --devices 0:0,0:1; the same one "
              "twice is possible; gradflow devices lists them\n");
  assert_int_equal(run("--devices 0:0,0:0 --steps 1.5"), 2);
  assert_says("stderr",
              "gradflow: --steps must be a whole number from 1 to 100000, not '1.5'; for example "
              "--steps 10\n");
}

/* Rounding, at least, is another on another device, if there is one. */
static void the_program_ends_with_1_where_devices_part(void **state) {
  (void)state;
  gf_device_info *infos;
  int count, platforms;
  assert_ok(gf_devices_list(&infos, &count, &platforms));
  bool has_two = count > 1 && infos[1].platform == 0;
  gf_devices_free(&infos);
  if (!has_two) {
    print_message("there is one device only\n");
    skip();
  }
  assert_int_equal(run("--devices 0:0,0:1 --steps 3 --tolerance 1e-12"), 1);
  assert_says("stdout", "\nbeyond the tolerance of 1e-12:\n  place       step 1, forward of ");
}

int main(void) {
  setenv("POCL_DEVICES", "pthread basic", 0); /* pocl has two devices then; others do not mind */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_device_agrees_with_itself),
      cmocka_unit_test(the_steps_are_those_of_training),
      cmocka_unit_test(another_weight_is_found_forward),
      cmocka_unit_test(what_is_not_finite_is_infinitely_far),
      cmocka_unit_test(another_loss_is_found_backward),
      cmocka_unit_test(another_state_is_found_in_the_new_weights),
      cmocka_unit_test(aligned_networks_agree_again),
      cmocka_unit_test(differences_are_in_the_norm),
      cmocka_unit_test(misfits_are_told),
      cmocka_unit_test(the_program_says_how_far),
      cmocka_unit_test(the_program_ends_with_1_where_devices_part),
  };
  return cmocka_run_group_tests_name("divergence", tests, open_all, fixture_close);
}
