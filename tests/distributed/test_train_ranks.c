/* Runs of several ranks: they compute what one device computes. Each test starts mpirun. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <sys/wait.h>

#include "support/runs.h"
#include "support/test.h"
#include "train/trainer.h"

/* 64 images, of which 60 train: a batch is an epoch, so that metrics.csv has the loss of each of
 * 50 steps. */
enum { IMAGES = 64 };

static const char net_[] =
    "model:\n"
    "  graph:\n"
    "    - {name: a, type: conv2d, filters: 6, kernel: 3, padding: 1, stride: 2}\n"
    "    - {type: relu}\n"
    "    - {name: b, type: conv2d, filters: 8, kernel: 3, padding: 1, stride: 2}\n"
    "    - {type: relu}\n"
    "    - {type: avg_pool, kernel: 4}\n"
    "    - {type: flatten}\n"
    "    - {type: dropout, p: 0.3}\n"
    "    - {type: linear, outputs: 101}\n"
    "    - {type: dropout, p: 0.2}\n"
    "    - {type: linear, outputs: 100}\n";

static const char normed_[] =
    "model:\n"
    "  batch_norm: %s\n"
    "  graph:\n"
    "    - {name: a, type: conv2d, filters: 6, kernel: 3, padding: 1, stride: 2, bias: false}\n"
    "    - {name: n, type: batch_norm}\n"
    "    - {type: relu}\n"
    "    - {type: global_avg_pool}\n"
    "    - {type: linear, outputs: 100}\n";

static const char steps_[] =
    "train: {epochs: 50, batch_size: 60, seed: 7, gradients_every: 7}\n"
    "optimizer: {learning_rate: 0.002}\n"
    "schedule: {name: constant}\n";
static const char augmented_[] =
    "data: {name: cifar100, path: %s, validation: 4, cutout: 8, jitter: 0.2, mixup: 0.4}\n";

static void write_config(const char *name, const char *data, const char *model, const char *more) {
  char yaml[4096], section[256];
  snprintf(section, sizeof section, data, fixture_folder);
  snprintf(yaml, sizeof yaml, "%s%s%s", section, model, more);
  assert_ok(gf__file_write(in_folder(name), yaml, strlen(yaml)));
}

/* Trains in the folder out of the fixture's, and returns the exit code; what was said is in the
 * file "said". ranks of 0: without mpirun. */
static int run(int ranks, const char *config, const char *out, const char *more) {
  char line[2048], launcher[512] = "";
  if (ranks) snprintf(launcher, sizeof launcher, "%s -n %d", MPIRUN, ranks);
  snprintf(line, sizeof line, "timeout 120 %s %s train %s/%s --out %s/%s -t off %s >%s 2>&1",
           launcher, PROGRAM, fixture_folder, config, fixture_folder, out, more, in_folder("said"));
  int status = system(line);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static char *said(void) {
  char *text = NULL;
  size_t size;
  assert_ok(gf__file_read(in_folder("said"), &text, &size));
  return text;
}

static void train_ok(int ranks, const char *config, const char *out, const char *more) {
  if (run(ranks, config, out, more) == 0) return;
  fail_msg("%s", said());
}

static int open_small(void **state) {
  if (fixture_open(state) != 0) return -1;
  return write_records("train.bin", IMAGES, 1) == GF_OK && write_records("test.bin", 9, 2) == GF_OK
             ? 0
             : -1;
}

/* ---- as one device ---- */

static const char *const logs_[] = {"metrics.csv", "gradients.csv", "activations.csv"};
enum { LOGS = 3 };

/* Losses and accuracies of all steps to 1e-5. Sums of many small gradients of both signs have fewer
 * digits in common. */
static void compare_logs(const char *out, const char *other) {
  compare_run_csv(out, other, "metrics.csv", 1e-5);
  compare_run_csv(out, other, "gradients.csv", 2e-3);
  compare_run_csv(out, other, "activations.csv", 2e-4);
}

static void assert_equal_bits(const char *out, const char *other) {
  for (int i = 0; i < LOGS; i++)
    if (!is_same(out, other, logs_[i])) fail_msg("%s of %s and %s differ", logs_[i], out, other);
  assert_true(is_same(out, other, "last.safetensors"));
  assert_true(is_same(out, other, "best.safetensors"));
}

static void ranks_train_as_one_device(void **state) {
  (void)state;
  write_config("net.yaml", augmented_, net_, steps_);
  train_ok(0, "net.yaml", "one", "");
  train_ok(1, "net.yaml", "rank", "");
  train_ok(2, "net.yaml", "two", "");
  train_ok(4, "net.yaml", "four", "");
  compare_logs("rank", "one");
  compare_logs("two", "one");
  compare_logs("four", "one");
}

static void runs_of_as_many_ranks_are_equal(void **state) {
  (void)state;
  write_config("net.yaml", augmented_, net_, steps_);
  train_ok(2, "net.yaml", "two", "--overwrite");
  train_ok(2, "net.yaml", "again", "");
  assert_equal_bits("again", "two");
  train_ok(4, "net.yaml", "four", "--overwrite");
  train_ok(4, "net.yaml", "four_again", "");
  assert_equal_bits("four_again", "four");
}

/* Three quarters for the first; by measured speeds, of which only that they differ little from
 * equal ones is known here. */
static void shards_need_not_be_equal(void **state) {
  (void)state;
  write_config("net.yaml", augmented_, net_, steps_);
  train_ok(0, "net.yaml", "one", "--overwrite");
  train_ok(2, "net.yaml", "uneven", "--balance 3,1");
  compare_logs("uneven", "one");
  size_t size;
  char *ranks = read_text("uneven", "ranks.json", &size);
  assert_non_null(strstr(ranks, "\"share\": 0.75"));
  assert_non_null(strstr(ranks, "\"share\": 0.25"));
  free(ranks);
  train_ok(2, "net.yaml", "measured", "--balance auto");
  compare_logs("measured", "one");
  ranks = read_text("measured", "ranks.json", &size);
  const char *share = strstr(ranks, "\"share\": ");
  assert_non_null(share);
  double first = strtod(share + 9, NULL);
  assert_true(first > 0.05 && first < 0.95);
  free(ranks);
}

/* Batches of 59, then of 1: some ranks have no image of it, and wait for the one that has. */
static void ranks_may_have_no_image_of_a_small_batch(void **state) {
  (void)state;
  char model[2048];
  snprintf(model, sizeof model, normed_, "sync");
  write_config("small.yaml", augmented_, model,
               "train: {epochs: 5, batch_size: 59, seed: 3}\n"
               "optimizer: {learning_rate: 0.002}\n");
  train_ok(0, "small.yaml", "small_one", "");
  train_ok(4, "small.yaml", "small_four", "");
  compare_run_csv("small_four", "small_one", "metrics.csv", 1e-5);
  write_config("small.yaml", augmented_, net_,
               "train: {epochs: 5, batch_size: 59, seed: 3}\n"
               "optimizer: {learning_rate: 0.002, clip_norm: 0.5}\n");
  train_ok(0, "small.yaml", "small_one", "--overwrite");
  train_ok(4, "small.yaml", "small_four", "--overwrite");
  compare_run_csv("small_four", "small_one", "metrics.csv", 1e-5);
}

/* ---- batch norm ---- */

static void synchronous_batch_norm_is_over_the_whole_batch(void **state) {
  (void)state;
  char model[2048];
  snprintf(model, sizeof model, normed_, "sync");
  write_config("sync.yaml", augmented_, model, steps_);
  train_ok(0, "sync.yaml", "sync_one", "");
  train_ok(2, "sync.yaml", "sync_two", "");
  train_ok(4, "sync.yaml", "sync_four", "--balance 1,2,3,4");
  compare_logs("sync_two", "sync_one");
  compare_logs("sync_four", "sync_one");
}

/* The column train_loss of metrics.csv, of 50 rows. */
static void read_losses(const char *out, double losses[50]) {
  size_t size;
  char *text = read_text(out, "metrics.csv", &size);
  size_t at = strcspn(text, "\n");
  for (int i = 0; i < 50; i++, at += 1 + strcspn(text + at + 1, "\n"))
    assert_int_equal(sscanf(text + at, "\n%*d,%*f,%lf", &losses[i]), 1);
  free(text);
}

/* What two ranks do, on one device: halves of a batch one after the other, each with statistics of
 * its own. */
static void train_halves(const char *yaml, double losses[50]) {
  gf_config *config = NULL;
  gf_dataset *data;
  gf_loader *loader;
  gf_model *model;
  gf_trainer *trainer;
  assert_ok(gf_config_load(&config, in_folder(yaml)));
  assert_ok(gf_dataset_open(&data, config, GF_SPLIT_TRAIN));
  gf_loader_options options = {.batch_size = 60, .seed = 7, .training = 1, .to = 1};
  assert_ok(gf_loader_open(&loader, data, &options));
  gf_image_shape image = {32, 32, 3};
  assert_ok(gf_model_open(&model, fixture_device, config, image, CLASSES, 30, 7));
  gf__trainer_options micro_batches = {.adds_micro_batches = true};
  assert_ok(gf__trainer_open_with(&trainer, model, config, &micro_batches));
  for (int step = 0; step < 50; step++) {
    gf_batch batch;
    float sums[2];
    assert_ok(gf_loader_start(loader, step, 0));
    assert_ok(gf_loader_next(loader, &batch));
    assert_ok(gf__trainer_queue_step(trainer, &batch, 0.002, 0, GF__MEASURE_NOTHING));
    assert_ok(gf__model_read_results(model, 0, 1, sums));
    losses[step] = (double)sums[0] / 60;
  }
  gf_trainer_free(&trainer);
  gf_model_free(&model);
  gf_loader_free(&loader);
  gf_dataset_free(&data);
  gf_config_free(&config);
}

static void local_batch_norm_is_over_each_part(void **state) {
  (void)state;
  char model[2048];
  double one[50], two[50], halves[50];
  int other = 0;
  snprintf(model, sizeof model, normed_, "local");
  write_config("local.yaml", augmented_, model, steps_);
  train_ok(0, "local.yaml", "local_one", "");
  train_ok(2, "local.yaml", "local_two", "");
  train_halves("local.yaml", halves);
  read_losses("local_one", one);
  read_losses("local_two", two);
  for (int i = 0; i < 50; i++) {
    if (!(fabs(two[i] - halves[i]) <= 1e-5 * halves[i]))
      fail_msg("step %d: loss %.9g, of halves %.9g", i, two[i], halves[i]);
    other += fabs(two[i] - one[i]) > 1e-4 * one[i];
  }
  assert_true(other > 25);
}

/* ---- going on ---- */

/* 25 steps with some ranks and 25 with as many or others. */
static void go_on(const char *out, int ranks, int then) {
  char more[256];
  write_config("net.yaml", augmented_, net_, steps_);
  train_ok(ranks, "net.yaml", out, "--overwrite --set train.epochs=25");
  snprintf(more, sizeof more, "--set train.epochs=50 --force");
  char line[1024];
  snprintf(line, sizeof line, "timeout 120 %s -n %d %s train --resume %s/%s %s -t off >%s 2>&1",
           MPIRUN, then, PROGRAM, fixture_folder, out, more, in_folder("said"));
  if (system(line) != 0) fail_msg("%s", said());
}

static void a_run_goes_on_with_any_number_of_ranks(void **state) {
  (void)state;
  write_config("net.yaml", augmented_, net_, steps_);
  train_ok(2, "net.yaml", "two", "--overwrite");
  go_on("two_two", 2, 2);
  assert_equal_bits("two_two", "two");
  go_on("two_four", 2, 4);
  compare_logs("two_four", "two");
  go_on("four_one", 4, 1);
  compare_logs("four_one", "two");
}

/* ---- what is wrong ---- */

static int count_of(const char *text, const char *part) {
  int count = 0;
  for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) count++;
  return count;
}

static void assert_said_once(int code, const char *message) {
  char *text = said();
  int warnings = count_of(text, "gradflow: warning: of 4 validation images"); /* they are few */
  if (code == 0 || count_of(text, message) != 1 || warnings > 1 ||
      count_of(text, "gradflow: ") != 1 + warnings)
    fail_msg("exit code %d, and not once '%s':\n%s", code, message, text);
  free(text);
}

static void what_is_wrong_is_said_once(void **state) {
  (void)state;
  write_config("net.yaml", augmented_, net_, steps_);
  assert_said_once(run(4, "net.yaml", "wrong", "--set train.batch_size=3"),
                   "gradflow: a batch of 3 images leaves none for rank 2 of 4; use fewer ranks, a "
                   "larger train.batch_size, or another --balance");
  assert_said_once(
      run(2, "net.yaml", "wrong", "--balance 1,0"),
      "gradflow: --balance 1,0: must be equal, auto, again, or 2 positive numbers with "
      "commas between them, one a rank");
  assert_said_once(run(2, "net.yaml", "wrong", "--set train.epoch=3"),
                   "unknown key 'epoch' in train; did you mean 'epochs'?");
  assert_said_once(
      run(2, "net.yaml", "wrong", "--rank-timeout 0"),
      "gradflow: --rank-timeout must be a number from 1 to 86400, not '0'; for example "
      "--rank-timeout 60");
  assert_false(gf__path_exists(in_folder("wrong")));
}

static void diverge(const char *out, const char *settings, const char *message) {
  char options[160];
  snprintf(options, sizeof options,
           "-q --set optimizer.name=sgd --set optimizer.learning_rate=1000%s", settings);
  write_config("net.yaml", augmented_, net_, steps_);
  int code = run(2, "net.yaml", out, options);
  assert_said_once(code, message);
  assert_int_equal(code, 1);
  size_t size;
  char *result = read_text(out, "result.json", &size);
  assert_non_null(strstr(result, "\"status\": \"diverged\""));
  free(result);
}

static void a_loss_that_is_not_finite_is_said_once(void **state) {
  (void)state;
  diverge("diverged", " --set data.validation=0", "gradflow: the loss is not finite in epoch ");
  diverge("validated", "", "gradflow: the validation loss is not finite in epoch ");
}

/* ---- scale ---- */

static void measured_steps_stand_beside_the_model(void **state) {
  (void)state;
  char line[1024];
  write_config("net.yaml", augmented_, net_, steps_);
  for (int ranks = 2; ranks <= 4; ranks += 2) {
    snprintf(line, sizeof line,
             "timeout 100 %s -n %d %s scale %s/net.yaml --out %s/scale --ranks 1..8 >%s 2>&1",
             MPIRUN, ranks, PROGRAM, fixture_folder, fixture_folder, in_folder("said"));
    if (system(line) != 0) fail_msg("%s", said());
  }
  char *text = said();
  assert_int_equal(count_of(text, "(measured between these ranks)"), 1);
  free(text);
  size_t size;
  text = read_text("scale", "measured.csv", &size);
  double step[2];
  assert_int_equal(
      sscanf(text, "ranks,images_a_rank,step_seconds\n4,60,%lf\n2,60,%lf\n", &step[0], &step[1]),
      2);
  assert_true(step[0] > 0 && step[1] > 0);
  free(text);
}

/* ---- train.stop ---- */

/* Ranks that did not agree on the end would wait for each other until the timeout. */
static void ranks_stop_at_the_same_epoch(void **state) {
  (void)state;
  static const char rule[] =
      "--set 'train.stop={metric: validation_accuracy, min_delta: 1, patience: 3}'";
  write_config("net.yaml", augmented_, net_, steps_);
  train_ok(0, "net.yaml", "stop-one", rule);
  train_ok(2, "net.yaml", "stop-two", rule);
  compare_logs("stop-two", "stop-one");
  gf_run_state run;
  assert_ok(gf_run_read_state(in_folder("stop-two"), &run));
  assert_int_equal(run.epochs_done, 4);
  assert_string_equal(run.stopped_by, "validation_accuracy");
}

static void ranks_stop_at_the_same_time(void **state) {
  (void)state;
  write_config("net.yaml", augmented_, net_, steps_);
  train_ok(2, "net.yaml", "stop-late", "--set train.stop.time=0.001s");
  gf_run_state run;
  assert_ok(gf_run_read_state(in_folder("stop-late"), &run));
  assert_string_equal(run.stopped_by, "time");
  assert_true(run.epochs_done < 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranks_train_as_one_device),
      cmocka_unit_test(ranks_stop_at_the_same_epoch),
      cmocka_unit_test(ranks_stop_at_the_same_time),
      cmocka_unit_test(runs_of_as_many_ranks_are_equal),
      cmocka_unit_test(shards_need_not_be_equal),
      cmocka_unit_test(ranks_may_have_no_image_of_a_small_batch),
      cmocka_unit_test(synchronous_batch_norm_is_over_the_whole_batch),
      cmocka_unit_test(local_batch_norm_is_over_each_part),
      cmocka_unit_test(a_run_goes_on_with_any_number_of_ranks),
      cmocka_unit_test(what_is_wrong_is_said_once),
      cmocka_unit_test(a_loss_that_is_not_finite_is_said_once),
      cmocka_unit_test(measured_steps_stand_beside_the_model),
  };
  return cmocka_run_group_tests(tests, open_small, fixture_close);
}
