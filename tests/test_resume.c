/* Runs that were stopped, damaged or changed, and go on: to the bit as if they had not been. */
#define _XOPEN_SOURCE 700 /* mkdtemp, fork */

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ops/conv/conv.h"
#include "support/runs.h"
#include "support/test.h"
#include "support/warnings.h"

/* Whatever has a state: batch norm, dropout, augmentation, and records between epochs. */
static const char stateful_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 4, stride: 2}, {type: batch_norm}, "
    "{type: relu}, {type: dropout, p: 0.3}, {type: global_avg_pool}, {type: linear, outputs: "
    "100}]}\n";

static const char *const compared_[] = {"config.yaml",      "metrics.csv",     "gradients.csv",
                                        "early_steps.csv",  "activations.csv", "best.safetensors",
                                        "last.safetensors", "result.json"};

static gf_config *stateful(const char *more) {
  gf_config *config = config_of(stateful_, more);
  assert_ok(gf_config_set(config, "train.gradients_every=4"));
  return config;
}

/* Stops after a number of questions; 0: never. */
typedef struct stopper {
  int asked, stops_at;
} stopper;

static bool stop(void *user) {
  stopper *s = user;
  return ++s->asked == s->stops_at;
}

typedef struct part {
  int stops_at, resume, force;
  long checkpoint_steps;
  int keep;
} part;

static gf_status run_part(const char *more, const char *out, part p) {
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder(out));
  stopper s = {.stops_at = p.stops_at};
  gf_train_options options = {.out = path,
                              .resume = p.resume,
                              .force = p.force,
                              .checkpoint_steps = p.checkpoint_steps,
                              .keep_checkpoints = p.keep ? p.keep : 2,
                              .events = {.user = &s, .stop = stop}};
  gf_config *config = stateful(more);
  gf_status status = gf_train(fixture_device, config, &options);
  gf_config_free(&config);
  return status;
}

static void assert_same_runs(const char *run, const char *other) {
  for (size_t i = 0; i < sizeof compared_ / sizeof *compared_; i++)
    if (!is_same(run, other, compared_[i])) fail_msg("%s: %s differs", run, compared_[i]);
}

static const char sgd_[] = "optimizer: {name: sgd, learning_rate: 0.1}\n";

/* ---- stops ---- */

enum { QUESTIONS = 2 * (BATCHES + 1) };

static void a_stop_anywhere_changes_nothing(void **state) {
  (void)state;
  assert_ok(run_part("", "whole", (part){0}));
  for (int at = 1; at <= QUESTIONS; at++) {
    char out[32];
    snprintf(out, sizeof out, "stop-%d", at);
    assert_int_equal(run_part("", out, (part){.stops_at = at}), GF_ERROR_INTERRUPTED);
    assert_false(is_same(out, "whole", "metrics.csv"));
    assert_ok(run_part("", out, (part){.resume = 1}));
    assert_same_runs(out, "whole");
  }
}

static void so_do_many_stops(void **state) {
  (void)state;
  int parts = 1;
  assert_ok(run_part(sgd_, "whole-sgd", (part){0}));
  assert_false(is_same("whole-sgd", "whole", "last.safetensors"));
  while (run_part(sgd_, "many", (part){.stops_at = 3, .resume = 1}) == GF_ERROR_INTERRUPTED)
    if (++parts > QUESTIONS) fail_msg("it does not come to an end");
  assert_true(parts > 4);
  assert_same_runs("many", "whole-sgd");
}

/* ---- kills ---- */

/* What one process does, in another: killed before the at-th step on a file of the run. */
static int kill_at_, steps_seen_;
static double kill_after_; /* seconds; 0: never */

static bool is_here(const char *path) {
  return strstr(path, fixture_folder) && ++steps_seen_ >= kill_at_ && kill_at_;
}

static gf_status kill_here(const char *step, const char *path) {
  (void)step;
  if (is_here(path)) kill(getpid(), SIGKILL);
  return GF_OK;
}

static gf_status fail_here(const char *step, const char *path) {
  if (!is_here(path)) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "cannot %s %s: the disk is full", step, path);
}

static gf_status kill_at_checkpoint(const char *step, const char *path) {
  if (strstr(path, "checkpoint_")) kill(getpid(), SIGKILL);
  return kill_here(step, path);
}

/* Trains in a process of its own, since the driver's threads do not survive a fork; returns
 * whether it came to the end of the run, and *seen the number of steps. */
static bool train_in_child(const char *out, gf_status (*fault)(const char *, const char *), int at,
                           long checkpoint_steps, int *seen) {
  int pipes[2];
  assert_int_equal(pipe(pipes), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (gf_device_open(&fixture_device, NULL) != GF_OK) _exit(2);
    kill_at_ = at;
    steps_seen_ = 0;
    gf__file_fault = fault;
    gf_status status = run_part("", out, (part){.resume = 1, .checkpoint_steps = checkpoint_steps});
    bool said = write(pipes[1], &steps_seen_, sizeof steps_seen_) == sizeof steps_seen_;
    _exit(status != GF_OK || !said);
  }
  int end;
  close(pipes[1]);
  if (kill_after_ > 0) {
    double whole = floor(kill_after_);
    nanosleep(&(struct timespec){(time_t)whole, (long)(1e9 * (kill_after_ - whole))}, NULL);
    kill(child, SIGKILL);
  }
  assert_int_equal(waitpid(child, &end, 0), child);
  if (read(pipes[0], seen, sizeof *seen) != sizeof *seen) *seen = 0;
  close(pipes[0]);
  return WIFEXITED(end) && WEXITSTATUS(end) == 0;
}

/* Faults at some steps of a run, or at all of them where GRADFLOW_SOAK is set. */
static void check_faults(const char *name, gf_status (*fault)(const char *, const char *)) {
  int steps, seen, stride = getenv("GRADFLOW_SOAK") ? 1 : 17;
  char whole[32];
  snprintf(whole, sizeof whole, "%s-whole", name);
  assert_true(train_in_child(whole, kill_here, 0, 4, &steps));
  assert_true(steps > 60);
  int tried = 0;
  for (int at = 1; at <= steps; at += stride, tried++) {
    char out[32];
    snprintf(out, sizeof out, "%s-%d", name, at);
    if (train_in_child(out, fault, at, 4, &seen)) fail_msg("no fault at step %d of %d", at, steps);
    if (!train_in_child(out, kill_here, 0, 4, &seen)) fail_msg("lost at step %d of %d", at, steps);
    assert_same_runs(out, whole);
    assert_ok(gf__remove_folder(in_folder(out)));
  }
  print_message("%d of %d steps on files: %s\n", tried, steps, name);
}

static void a_kill_at_a_write_changes_nothing(void **state) {
  (void)state;
  check_faults("kill", kill_here);
}

static void a_full_disk_loses_nothing(void **state) {
  (void)state;
  check_faults("full", fail_here);
}

/* For five minutes where GRADFLOW_SOAK is set. */
static void a_kill_at_any_time_changes_nothing(void **state) {
  (void)state;
  double seconds = getenv("GRADFLOW_SOAK") ? 300 : 5, begun = gf__seconds();
  int seen, kills = 0, runs = 0;
  srand((unsigned)time(NULL));
  assert_true(train_in_child("any-whole", kill_here, 0, 2, &seen));
  double longest = 1.5 * (gf__seconds() - begun);
  while (gf__seconds() - begun < seconds || kills == 0 || runs == 0) {
    kill_after_ = 1e-3 + longest * rand() / RAND_MAX;
    bool ended = train_in_child("any", kill_here, 0, 2, &seen);
    kill_after_ = 0;
    if (!ended && ++kills % 10) continue;
    if (!ended) assert_true(train_in_child("any", kill_here, 0, 2, &seen));
    assert_same_runs("any", "any-whole");
    assert_ok(gf__remove_folder(in_folder("any")));
    runs++;
  }
  print_message("%d kills within %.2f s, %d runs that came to their end\n", kills, longest, runs);
}

/* The first epoch is in the logs then, and no checkpoint is there. */
static void a_kill_at_the_first_checkpoint_changes_nothing(void **state) {
  (void)state;
  int seen;
  assert_true(train_in_child("first-whole", kill_here, 0, 0, &seen));
  assert_false(train_in_child("first", kill_at_checkpoint, 0, 0, &seen));
  gf_run_state run;
  assert_ok(gf_run_read_state(in_folder("first"), &run));
  assert_int_equal(run.epochs_done, 1);
  assert_true(train_in_child("first", kill_here, 0, 0, &seen));
  assert_same_runs("first", "first-whole");
}

static void epochs_without_a_checkpoint_are_kept(void **state) {
  (void)state;
  assert_ok(run_part("", "foreign", (part){0}));
  remove(in_folder("foreign/checkpoint_0.safetensors"));
  remove(in_folder("foreign/checkpoint_1.safetensors"));
  remove(in_folder("foreign/result.json"));
  char *before, *after;
  size_t size;
  assert_ok(gf__file_read(in_folder("foreign/metrics.csv"), &before, &size));
  assert_int_equal(run_part("", "foreign", (part){.resume = 1}), GF_ERROR_DATA);
  char message[512];
  snprintf(message, sizeof message,
           "%s cannot be continued: it has 2 epochs and no checkpoint; replace it with --overwrite",
           in_folder("foreign"));
  assert_string_equal(gf_error_message(), message);
  assert_ok(gf__file_read(in_folder("foreign/metrics.csv"), &after, &size));
  assert_string_equal(before, after);
  free(before), free(after);
}

/* ---- damage ---- */

/* Stops a run in its second epoch, which leaves two checkpoints: at slot 1 the newest. */
static void stop_in_second(const char *out) {
  assert_int_equal(run_part("", out, (part){.stops_at = BATCHES + 4}), GF_ERROR_INTERRUPTED);
}

static void damage(const char *out, const char *name, size_t keep, int flip) {
  char path[128], *bytes;
  size_t size;
  snprintf(path, sizeof path, "%s/%s", out, name);
  bytes = read_text(out, name, &size);
  if (flip) bytes[size - 5] ^= 1;
  assert_ok(gf__file_write(in_folder(path), bytes, keep && keep < size ? keep : size));
  free(bytes);
}

static void the_checkpoint_before_a_damaged_one_is_taken(void **state) {
  (void)state;
  static const struct {
    size_t keep;
    int flip;
  } damages[] = {{0, 1}, {3000, 0}, {4, 0}};
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    char out[32];
    snprintf(out, sizeof out, "damaged-%zu", i);
    stop_in_second(out);
    damage(out, "checkpoint_1.safetensors", damages[i].keep, damages[i].flip);
    keep_warnings(NULL);
    gf_status status = run_part("", out, (part){.resume = 1});
    gf_log_to(NULL, NULL);
    assert_int_equal(status, GF_OK);
    assert_non_null(strstr(kept_warnings, "checkpoint_1.safetensors"));
    assert_non_null(
        strstr(kept_warnings, "the run goes on from an older checkpoint: epoch 2, batch 0\n"));
    assert_same_runs(out, "whole");
  }
}

static void without_a_whole_checkpoint_nothing_is_touched(void **state) {
  (void)state;
  char message[512];
  stop_in_second("ruined");
  damage("ruined", "checkpoint_0.safetensors", 0, 1);
  damage("ruined", "checkpoint_1.safetensors", 0, 1);
  snprintf(message, sizeof message,
           "%s cannot be continued: all of its 2 checkpoints are damaged; train it anew with "
           "--overwrite",
           in_folder("ruined"));
  assert_fails(GF_ERROR_DATA, message, run_part("", "ruined", (part){.resume = 1}));
  assert_true(gf__path_exists(in_folder("ruined/metrics.csv")));
}

static void logs_that_were_changed_are_found(void **state) {
  (void)state;
  stop_in_second("edited");
  size_t size;
  char message[512], *text = read_text("edited", "metrics.csv", &size);
  text[size - 3] = 'x';
  assert_ok(gf__file_write(in_folder("edited/metrics.csv"), text, size));
  snprintf(message, sizeof message, "%s was changed: its first %zu bytes are not those of the run",
           in_folder("edited/metrics.csv"), size);
  assert_fails(GF_ERROR_DATA, message, run_part("", "edited", (part){.resume = 1}));
  assert_ok(gf__file_write(in_folder("edited/metrics.csv"), text, size - 4));
  snprintf(message, sizeof message, "%s has %zu bytes, and had %zu at the checkpoint",
           in_folder("edited/metrics.csv"), size - 4, size);
  assert_fails(GF_ERROR_DATA, message, run_part("", "edited", (part){.resume = 1}));
  free(text);
}

/* ---- changes ---- */

/* Where the images lie, and how algorithms are found, is not what is computed. */
static void another_path_to_the_images_goes_on(void **state) {
  (void)state;
  char assignment[256];
  stop_in_second("elsewhere");
  assert_int_equal(symlink(fixture_folder, in_folder("images")), 0);
  snprintf(assignment, sizeof assignment, "data.path=%s", in_folder("images"));
  gf_config *config = stateful("");
  assert_ok(gf_config_set(config, assignment));
  assert_ok(gf_config_set(config, "model.tune=off"));
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder("elsewhere"));
  assert_ok(gf_train(fixture_device, config,
                     &(gf_train_options){.out = path, .resume = 1, .keep_checkpoints = 2}));
  gf_config_free(&config);
  assert_true(is_same("elsewhere", "whole", "last.safetensors"));
}

static void another_config_is_refused(void **state) {
  (void)state;
  char message[512];
  stop_in_second("changed");
  snprintf(message, sizeof message,
           "the config is not that of the run in %s:\n"
           "  optimizer.learning_rate: 0.5, was 0.001\n"
           "To go on with it all the same, train --resume with --force; else choose another "
           "folder, --out",
           in_folder("changed"));
  assert_fails(GF_ERROR_CONFIG, message,
               run_part("optimizer: {learning_rate: 0.5}\n", "changed", (part){.resume = 1}));
  assert_ok(
      run_part("optimizer: {learning_rate: 0.5}\n", "changed", (part){.resume = 1, .force = 1}));
  assert_false(is_same("changed", "whole", "last.safetensors"));
  size_t size;
  char *config = read_text("changed", "config.yaml", &size);
  assert_non_null(strstr(config, "learning_rate: 0.5\n"));
  free(config);
}

static void a_finished_run_is_left_as_it_is(void **state) {
  (void)state;
  gf_run_state now;
  size_t size;
  char *before = read_text("whole", "environment.json", &size);
  assert_ok(run_part("", "whole", (part){.resume = 1}));
  char *after = read_text("whole", "environment.json", &size);
  assert_string_equal(before, after);
  free(before), free(after);
  assert_ok(gf_run_read_state(in_folder("whole"), &now));
  assert_int_equal(now.status, GF_RUN_FINISHED);
  assert_int_equal(now.epochs_done, 2);
  assert_int_equal(now.epochs, 2);
  assert_true(now.seconds > 0);
}

static void how_far_a_run_is_can_be_asked(void **state) {
  (void)state;
  gf_run_state now;
  assert_ok(gf_run_read_state(in_folder("nowhere"), &now));
  assert_int_equal(now.status, GF_RUN_ABSENT);
  stop_in_second("half");
  assert_ok(gf_run_read_state(in_folder("half"), &now));
  assert_int_equal(now.status, GF_RUN_STARTED);
  assert_int_equal(now.epochs_done, 1);
  assert_int_equal(now.epochs, 2);
}

static void a_run_that_diverged_stays_so(void **state) {
  (void)state;
  static const char wild[] =
      "optimizer: {name: sgd, learning_rate: 1000, weight_decay: 1000, momentum: 0}\n"
      "schedule: {name: constant}\n";
  gf_run_state now;
  char first[1024], message[2048];
  assert_int_equal(run_part(wild, "wild", (part){.resume = 1}), GF_ERROR_NONFINITE);
  snprintf(first, sizeof first, "%s", gf_error_message());
  assert_non_null(strstr(first, "the loss is not finite in epoch 1"));
  snprintf(message, sizeof message, "%s has diverged: %s", in_folder("wild"), first);
  assert_fails(GF_ERROR_NONFINITE, message, run_part(wild, "wild", (part){.resume = 1}));
  assert_ok(gf_run_read_state(in_folder("wild"), &now));
  assert_int_equal(now.status, GF_RUN_DIVERGED);
}

static void two_processes_do_not_share_a_run(void **state) {
  (void)state;
  gf__file_lock *lock;
  char message[512];
  stop_in_second("shared");
  assert_ok(gf__file_lock_take(&lock, in_folder("shared/.lock")));
  snprintf(message, sizeof message, "%s is held by another process that is at work here",
           in_folder("shared/.lock"));
  assert_fails(GF_ERROR_FILE, message, run_part("", "shared", (part){.resume = 1}));
  gf__file_lock_release(&lock);
  assert_ok(run_part("", "shared", (part){.resume = 1}));
  assert_same_runs("shared", "whole");
}

static void another_driver_is_told(void **state) {
  (void)state;
  stop_in_second("moved");
  static const char elsewhere[] = "{\"device\": {\"name\": \"Babbage\", \"driver\": \"1837\"}}";
  assert_ok(gf__file_write(in_folder("moved/environment.json"), elsewhere, strlen(elsewhere)));
  keep_warnings(NULL);
  gf_status status = run_part("", "moved", (part){.resume = 1});
  gf_log_to(NULL, NULL);
  assert_int_equal(status, GF_OK);
  assert_non_null(
      strstr(kept_warnings, "this run began on Babbage (driver 1837, gradflow unknown) and "));
  assert_non_null(strstr(kept_warnings, "its last digits may differ"));
  size_t size;
  char *environment = read_text("moved", "environment.json", &size);
  assert_non_null(strstr(environment, "\"resumed\""));
  free(environment);
}

/* The text with name in place of every algorithm. */
static gf__text with_algorithm(const char *text, const char *name) {
  gf__text out = {0};
  for (const char *end; *text; text = end) {
    end = text + 1;
    for (int i = 0; gf__conv_algorithms[i]; i++) {
      const char *old = gf__conv_algorithms[i]->name;
      if (*text == '"' && strncmp(end, old, strlen(old)) == 0) end += strlen(old);
    }
    gf__text_add_bytes(&out, text, 1);
    if (end > text + 1) gf__text_add(&out, "%s", name);
  }
  return out;
}

/* Even where another choice would be made now. */
static void the_algorithms_stay(void **state) {
  (void)state;
  size_t size;
  stop_in_second("chosen");
  char *text = read_text("chosen", "algorithms.json", &size);
  gf__text other = with_algorithm(text, "im2col");
  if (strcmp(other.data, text) == 0) {
    free(text);
    gf__text_free(&other);
    print_message("skipped: the device has no other algorithm\n");
    skip();
  }
  assert_ok(gf__file_write(in_folder("chosen/algorithms.json"), other.data, other.size));
  assert_ok(run_part("", "chosen", (part){.resume = 1}));
  char *after = read_text("chosen", "algorithms.json", &size);
  assert_string_equal(after, other.data);
  free(text), free(after);
  gf__text_free(&other);
}

static void another_device_agrees(void **state) {
  (void)state;
  gf_device *home = fixture_device, *other = NULL;
  if (gf_device_open(&other, "basic") != GF_OK) {
    print_message("skipped: there is no second device: %s\n", gf_error_message());
    skip();
  }
  stop_in_second("away");
  fixture_device = other;
  keep_warnings(NULL);
  gf_status status = run_part("", "away", (part){.resume = 1});
  gf_log_to(NULL, NULL);
  fixture_device = home;
  gf_device_free(&other);
  assert_int_equal(status, GF_OK);
  assert_non_null(strstr(kept_warnings, " and continues on basic"));
  compare_run_csv("away", "whole", "metrics.csv", 1e-4);
}

static void as_many_checkpoints_are_kept_as_wanted(void **state) {
  (void)state;
  assert_ok(run_part("", "three", (part){.checkpoint_steps = 2, .keep = 3}));
  assert_true(gf__path_exists(in_folder("three/checkpoint_2.safetensors")));
  assert_false(gf__path_exists(in_folder("three/checkpoint_3.safetensors")));
  assert_same_runs("three", "whole");
}

static int open_group(void **state) {
  if (folder_open(state)) return -1;
  return write_records("train.bin", RECORDS, 1) == GF_OK ? 0 : -1;
}

/* After the tests that fork. */
static void open_the_device(void **state) {
  (void)state;
  if (gf_device_open(&fixture_device, "pthread") != GF_OK)
    assert_ok(gf_device_open(&fixture_device, NULL));
}

int main(void) {
  setenv("POCL_DEVICES", "pthread basic", 0); /* pocl has two devices then; others do not mind */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_kill_at_a_write_changes_nothing),
      cmocka_unit_test(a_full_disk_loses_nothing),
      cmocka_unit_test(a_kill_at_any_time_changes_nothing),
      cmocka_unit_test(a_kill_at_the_first_checkpoint_changes_nothing),
      cmocka_unit_test(open_the_device),
      cmocka_unit_test(a_stop_anywhere_changes_nothing),
      cmocka_unit_test(so_do_many_stops),
      cmocka_unit_test(the_checkpoint_before_a_damaged_one_is_taken),
      cmocka_unit_test(without_a_whole_checkpoint_nothing_is_touched),
      cmocka_unit_test(epochs_without_a_checkpoint_are_kept),
      cmocka_unit_test(logs_that_were_changed_are_found),
      cmocka_unit_test(another_path_to_the_images_goes_on),
      cmocka_unit_test(another_config_is_refused),
      cmocka_unit_test(a_finished_run_is_left_as_it_is),
      cmocka_unit_test(how_far_a_run_is_can_be_asked),
      cmocka_unit_test(a_run_that_diverged_stays_so),
      cmocka_unit_test(two_processes_do_not_share_a_run),
      cmocka_unit_test(another_driver_is_told),
      cmocka_unit_test(the_algorithms_stay),
      cmocka_unit_test(another_device_agrees),
      cmocka_unit_test(as_many_checkpoints_are_kept_as_wanted),
  };
  return cmocka_run_group_tests_name("resume", tests, open_group, fixture_close);
}
