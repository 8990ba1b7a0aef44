/* Studies that run: shards, jobs, stops and kills, diverged and failed runs; the program's command.
 * The networks are tiny, and what convolves is fixed, so that runs are equal bit for bit. */
#define _XOPEN_SOURCE 700 /* mkdtemp, fork, kill */

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "study/outcome.h"
#include "support/device.h"
#include "support/studies.h"
#include "support/test.h"

/* 300 records, of which 5% validate. */
enum { RECORDS = 300, TESTED = 70, CLASSES = 100, EPOCHS = 3 };

/* ---- files ---- */

static int write_records(const char *name, int count, uint32_t random) {
  gf__text file = {0};
  for (int i = 0; i < count; i++) {
    unsigned char record[2 + 3072] = {(unsigned char)(i % 20), (unsigned char)(i * 3 % CLASSES)};
    for (int k = 0; k < 3072; k++)
      record[2 + k] = (unsigned char)(128 + 50 * next_float(&random) + 70 * sin(i + k / 1024));
    gf__text_add_bytes(&file, record, sizeof record);
  }
  gf_status status = gf__file_write(in_folder(name), file.data, file.size);
  gf__text_free(&file);
  return status == GF_OK ? 0 : -1;
}

static const char study_[] =
    "study: {name: s, title: S}\n"
    "seeds: [5, 6]\n"
    "settings:\n"
    "  - {name: four, base: base.yaml}\n"
    "  - {name: eight, base: base.yaml, set: {model.filters: 8}}\n"
    "vary: [{name: rate, base: base.yaml, grid: {optimizer.learning_rate: [1e-2]}}]\n"
    "tables: [{name: t}, {name: u, columns: [train_loss, validation_loss, test_loss]}]\n"
    "figures: [{name: f, kind: loss}, {name: g, kind: gradient_flow, log: true}]\n";

static int open_all(void **state) {
  if (fixture_open(state) != 0) return -1;
  char base[512];
  snprintf(base, sizeof base,
           "data: {name: cifar100, path: %s}\n"
           "model: {family: vgg_stages, stages: 1, blocks_per_stage: 0, filters: 4, tune: 'off'}\n"
           "train: {epochs: %d, batch_size: 50}\n",
           fixture_folder, EPOCHS);
  study_write("base.yaml", base);
  study_write("study.yaml", study_);
  return write_records("train.bin", RECORDS, 1) || write_records("test.bin", TESTED, 2) ? -1 : 0;
}

static const char *const reported_[] = {"t.csv", "t.md",  "t.tex", "u.csv",    "u.md",
                                        "u.tex", "f.png", "g.png", "runs.csv", "report.html"};

/* Every file of the report of one folder is that of the other. */
static void assert_same_report(const char *a, const char *b) {
  for (size_t i = 0; i < sizeof reported_ / sizeof *reported_; i++) {
    char path[2][256], *text[2] = {NULL, NULL};
    size_t size[2];
    for (int k = 0; k < 2; k++) {
      snprintf(path[k], sizeof path[k], "%s/%s/reports/s/%s", fixture_folder, k ? b : a,
               reported_[i]);
      assert_ok(gf__file_read(path[k], &text[k], &size[k]));
    }
    size_t same = 0, line = 0;
    for (; same < size[0] && same < size[1] && text[0][same] == text[1][same]; same++)
      if (text[0][same] == '\n') line = same + 1;
    if (same != size[0] || same != size[1])
      fail_msg("%s and %s differ: '%.200s' and '%.200s'", path[0], path[1], text[0] + line,
               text[1] + line);
    free(text[0]), free(text[1]);
  }
}

static void report(const char *out) {
  char *text;
  gf_study *study = load_study("study.yaml", out);
  assert_ok(gf_study_report(study, &text, NULL, NULL));
  free(text);
  gf_study_free(&study);
}

/* ---- events ---- */

typedef struct record {
  gf__text runs; /* "four/seed-5 finished\n" each */
  int progress, begun;
  bool has_time;   /* some progress knew how much is left */
  long stop_after; /* questions; 0: never */
  long questions;
} record;

static void on_progress(void *user, const gf_study_progress *p) {
  record *r = user;
  r->progress++;
  r->begun += p->training->epoch == 0;
  if (p->seconds_left > 0 && p->seconds_left < 1e4) r->has_time = true;
  assert_true(p->done >= 0 && p->done < p->runs);
}

static void on_run(void *user, const gf_study_event *e) {
  static const char *const ends[] = {"absent", "started", "finished", "diverged"};
  record *r = user;
  gf__text_add(&r->runs, "%s %s\n", e->run, e->failure ? e->failure : ends[e->status]);
}

static bool on_stop(void *user) {
  record *r = user;
  return ++r->questions == r->stop_after;
}

static gf_status run_with(const char *file, const char *out, record *r, gf_study_options options) {
  gf_study *study = load_study(file, out);
  options.events = (gf_study_events){r, on_progress, on_run, on_stop};
  gf_status status = gf_study_run(study, &options);
  gf_study_free(&study);
  return status;
}

static void run_all(const char *out, gf_study_options options) {
  record r = {0};
  assert_ok(run_with("study.yaml", out, &r, options));
  gf__text_free(&r.runs);
}

/* ---- runs ---- */

static void a_study_trains_tests_and_reports(void **state) {
  (void)state;
  record r = {0};
  assert_ok(run_with("study.yaml", "whole", &r, gf_study_options_default()));
  assert_string_equal(
      r.runs.data,
      "four/seed-5 finished\nfour/seed-6 finished\neight/seed-5 finished\n"
      "eight/seed-6 finished\nrate_1e-2/seed-5 finished\nrate_1e-2/seed-6 finished\n");
  assert_int_equal(r.begun, 6);
  assert_true(r.has_time);
  gf__text_free(&r.runs);
  gf__outcome outcome;
  assert_ok(gf__outcome_load(&outcome, in_folder("whole/rate_1e-2/seed-6")));
  assert_int_equal(outcome.state.epochs_done, EPOCHS);
  assert_int_equal(outcome.classes, CLASSES);
  for (int i = 0; i < GF__COLUMN_COUNT; i++) assert_true(isfinite(outcome.values[i]));
  char *config = study_read("whole/eight/seed-6/config.yaml");
  assert_non_null(strstr(config, "filters: 8\n"));
  assert_non_null(strstr(config, "seed: 6\n"));
  free(config);
  report("whole");
}

/* Finished runs are neither trained nor tested again: what they left stays as it was written. */
static void finished_runs_are_left(void **state) {
  (void)state;
  record r = {0};
  static const char tested[] = "{\"loss\": 1, \"accuracy\": 0.5, \"images\": 2, \"classes\": 100}";
  study_write("whole/four/seed-5/last.safetensors", "not touched");
  study_write("whole/four/seed-5/test.json", tested);
  assert_ok(run_with("study.yaml", "whole", &r, gf_study_options_default()));
  assert_int_equal(r.begun, 0);
  gf__text_free(&r.runs);
  char *text = study_read("whole/four/seed-5/last.safetensors");
  assert_string_equal(text, "not touched");
  free(text);
  text = study_read("whole/four/seed-5/test.json");
  assert_string_equal(text, tested);
  free(text);
  r = (record){0};
  assert_ok(run_with("study.yaml", "whole", &r,
                     (gf_study_options){.overwrite = 1, .shard = 1, .shards = 6, .jobs = 1}));
  assert_int_equal(r.begun, 1);
  gf__text_free(&r.runs);
}

/* A result that names other weights than the run has: a report leaves it out, a run makes it anew.
 */
static void a_test_of_other_weights_is_made_anew(void **state) {
  (void)state;
  record r = {0};
  gf__outcome outcome;
  char *before = study_read("whole/eight/seed-5/test.json");
  assert_non_null(strstr(before, "\"weights\": \"best.safetensors\""));
  gf__text changed = {0};
  gf__text_add(&changed, "%s", before);
  strstr(changed.data, "\"weights_sha256\": \"")[19] ^= 1;
  study_write("whole/eight/seed-5/test.json", changed.data);
  assert_ok(gf__outcome_load(&outcome, in_folder("whole/eight/seed-5")));
  assert_true(outcome.has_stale_test);
  assert_true(isnan(outcome.values[GF__COLUMN_TEST_ACCURACY]));
  assert_ok(run_with("study.yaml", "whole", &r, gf_study_options_default()));
  gf__text_free(&r.runs);
  char *after = study_read("whole/eight/seed-5/test.json");
  assert_string_equal(before, after);
  gf__text_free(&changed);
  free(before), free(after);
}

/* The study says 5e-3 now where the runs had 1e-2. */
static void runs_of_other_settings_are_left_out(void **state) {
  (void)state;
  char *text, *csv;
  gf_study *study = load_study("study.yaml", "whole");
  assert_ok(gf_study_set(study, "model.dropout=0.5"));
  assert_ok(gf_study_report(study, &text, NULL, NULL));
  static const char note[] =
      "Made with other settings, and left out: four/seed-5 (model.dropout: "
      "0.5, was 0)";
  gf__text words = {0}; /* in one line */
  for (const char *p = text; *p; p++) gf__text_add(&words, "%c", *p == '\n' ? ' ' : *p);
  if (!strstr(words.data, note)) fail_msg("%s", text);
  assert_null(strstr(text, "finished)"));
  gf__text_free(&words);
  free(text);
  csv = study_read("whole/reports/s/runs.csv");
  assert_non_null(strstr(csv, "\nfour,5,\"other settings: model.dropout: 0.5, was 0\",,,"));
  free(csv);
  csv = study_read("whole/reports/s/t.csv");
  assert_non_null(strstr(csv, "\nfour,four,4,-,0,,"));
  free(csv);
  gf_study_free(&study);
  report("whole");
}

static void copy_into(const char *from, const char *to) {
  char command[512];
  snprintf(command, sizeof command, "cp -r %s/%s/. %s/%s", fixture_folder, from, fixture_folder,
           to);
  assert_int_equal(system(command), 0);
}

static void two_shards_merged_are_one_run(void **state) {
  (void)state;
  run_all("shard1", (gf_study_options){.shard = 1, .shards = 2, .jobs = 1});
  run_all("shard2", (gf_study_options){.shard = 2, .shards = 2, .jobs = 1});
  assert_true(gf__path_exists(in_folder("shard1/four/seed-5")));
  assert_false(gf__path_exists(in_folder("shard1/four/seed-6")));
  assert_false(gf__path_exists(in_folder("shard2/four/seed-5")));
  assert_true(gf__path_exists(in_folder("shard2/four/seed-6")));
  copy_into("shard2", "shard1");
  report("shard1");
  assert_same_report("whole", "shard1");
}

static void jobs_give_the_same(void **state) {
  (void)state;
  run_all("jobs", (gf_study_options){.shard = 1, .shards = 1, .jobs = 3});
  report("jobs");
  assert_same_report("whole", "jobs");
}

static void a_stopped_study_goes_on(void **state) {
  (void)state;
  static const long stops[] = {1, 10, 25, 60};
  for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
    record r = {.stop_after = stops[i]};
    assert_int_equal(run_with("study.yaml", "stopped", &r, gf_study_options_default()),
                     GF_ERROR_INTERRUPTED);
    assert_non_null(strstr(gf_error_message(),
                           "of 6 runs are at their end. The same command goes "
                           "on from here"));
    gf__text_free(&r.runs);
  }
  run_all("stopped", gf_study_options_default());
  report("stopped");
  assert_same_report("whole", "stopped");
}

/* ---- results that are none ---- */

static void a_diverged_run_is_a_result(void **state) {
  (void)state;
  record r = {0};
  study_write("wild.yaml",
              "study: {name: s}\nseeds: [5]\nsettings:\n"
              "  - {name: wild, base: base.yaml, set: {optimizer.name: sgd, "
              "optimizer.learning_rate: 1000}}\n"
              "  - {name: calm, base: base.yaml}\n"
              "tables: [{name: t}]\n");
  assert_ok(run_with("wild.yaml", "wild", &r, gf_study_options_default()));
  assert_string_equal(r.runs.data, "wild/seed-5 diverged\ncalm/seed-5 finished\n");
  gf__text_free(&r.runs);
  r = (record){0}; /* and stays one */
  assert_ok(run_with("wild.yaml", "wild", &r, gf_study_options_default()));
  assert_string_equal(r.runs.data, "wild/seed-5 diverged\ncalm/seed-5 finished\n");
  assert_int_equal(r.begun, 0);
  gf__text_free(&r.runs);
  char *text;
  gf_study *study = load_study("wild.yaml", "wild");
  assert_ok(gf_study_report(study, &text, NULL, NULL));
  gf_study_free(&study);
  assert_non_null(
      strstr(text, "Diverged, and left out of the means: wild/seed-5 (diverged in epoch"));
  assert_non_null(strstr(text, "\nwild      sgd           1000  0"));
  assert_non_null(strstr(text, "\ncalm"));
  free(text);
}

static void a_failed_run_stops_no_other(void **state) {
  (void)state;
  record r = {0};
  study_write("failing.yaml",
              "study: {name: s}\nseeds: [5]\nsettings:\n"
              "  - {name: lost, base: base.yaml, set: {data.path: /nonexistent}}\n"
              "  - {name: calm, base: base.yaml}\n"
              "  - {name: more, base: base.yaml, set: {data.path: /nonexistent/too}}\n");
  assert_int_equal(run_with("failing.yaml", "failing", &r, gf_study_options_default()),
                   GF_ERROR_FILE);
  const char *message = gf_error_message(),
             *begin =
                 "2 of 3 runs failed:\n  lost/seed-5: data.path: there is no folder "
                 "/nonexistent; ";
  if (strncmp(message, begin, strlen(begin)) != 0) fail_msg("%s", message);
  assert_non_null(
      strstr(message, "\n  more/seed-5: data.path: there is no folder /nonexistent/too; "));
  assert_non_null(strstr(r.runs.data, "\ncalm/seed-5 finished\n"));
  assert_false(gf__path_exists(in_folder("failing/lost/seed-5")));
  gf__text_free(&r.runs);
}

/* A run of another config is not continued as if it were this one. */
static void a_changed_setting_is_refused(void **state) {
  (void)state;
  record r = {0};
  study_write("changed.yaml",
              "study: {name: s}\nseeds: [5]\n"
              "settings: [{name: calm, base: base.yaml, set: {model.filters: 5}}]\n");
  assert_int_equal(run_with("changed.yaml", "wild", &r, gf_study_options_default()),
                   GF_ERROR_CONFIG);
  assert_non_null(strstr(gf_error_message(),
                         "1 of 1 runs failed:\n  calm/seed-5: the config is not "
                         "that of the run in "));
  assert_non_null(strstr(gf_error_message(), "model.filters"));
  gf__text_free(&r.runs);
}

/* ---- plans ---- */

static void plans_know_states_and_times(void **state) {
  gf_study_options options = gf_study_options_default();
  (void)state;
  gf_study_item *items;
  int count;
  gf_study *study = load_study("study.yaml", "plan");
  assert_ok(gf_study_plan(study, &options, 1, &items, &count));
  assert_int_equal(count, 6);
  for (int i = 0; i < count; i++) /* measured */
    assert_true(items[i].seconds_left > 0 && items[i].seconds_left < 600);
  assert_false(gf__path_exists(in_folder("plan")));
  gf_study_items_free(&items, count);
  /* Two epochs of three are done in 10 s, so that one is left, and three of the other seed. */
  study_write("plan/four/seed-5/config.yaml", "train: {epochs: 3}\n");
  study_write("plan/four/seed-5/metrics.csv",
              "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
              "1,1,1,1,1,1\n2,1,1,1,1,1\n");
  study_write("plan/four/seed-5/timing.csv", "epoch,seconds,images_per_second\n1,6,1\n2,4,1\n");
  assert_ok(gf_study_plan(study, &options, 1, &items, &count));
  assert_int_equal(items[0].state.status, GF_RUN_STARTED);
  assert_int_equal(items[0].state.epochs_done, 2);
  assert_true(items[0].seconds_left == 5 && items[1].seconds_left == 15);
  gf_study_items_free(&items, count);
  gf_study_free(&study);
  study = load_study("study.yaml", "whole");
  assert_ok(gf_study_plan(study, &options, 1, &items, &count));
  for (int i = 0; i < count; i++) {
    assert_int_equal(items[i].state.status, GF_RUN_FINISHED);
    assert_true(items[i].seconds_left == 0);
  }
  gf_study_items_free(&items, count);
  gf_study_free(&study);
}

static void add_log(void *user, gf_log_level level, const char *message) {
  gf__text_add(user, "%d %s\n", level, message);
}

static void unknown_times_have_one_line_a_reason(void **state) {
  gf_study_options options = gf_study_options_default();
  (void)state;
  gf_study_item *items;
  int count;
  gf__text log = {0};
  study_write("lost.yaml", "data: {name: cifar100, path: /nowhere}\nmodel: {family: vgg_stages}\n");
  study_write("unknown.yaml",
              "study: {name: u}\nseeds: [5, 6]\nsettings:\n"
              "  - {name: a, base: lost.yaml}\n  - {name: b, base: lost.yaml}\n"
              "  - {name: c, base: base.yaml}\n  - {name: d, base: lost.yaml}\n"
              "  - {name: e, base: lost.yaml, set: {data.path: /nowhere_else}}\n");
  gf_study *study = load_study("unknown.yaml", "unknown");
  gf_log_to(add_log, &log);
  gf_status status = gf_study_plan(study, &options, 1, &items, &count);
  gf_log_to(NULL, NULL);
  assert_ok(status);
  for (int i = 0; i < count; i++)
    assert_int_equal(isnan(items[i].seconds_left), strcmp(items[i].setting, "c") != 0);
#define SOURCE                                                                           \
  "; cifar100 is read from train.bin and test.bin; run gradflow fetch cifar100, or get " \
  "cifar-100-binary.tar.gz from "                                                        \
  "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it\n"
  assert_string_equal(log.data,
                      "2 the time of a and 2 more is unknown: data.path: there is no folder "
                      "/nowhere" SOURCE
                      "2 the time of e is unknown: data.path: there is no folder "
                      "/nowhere_else" SOURCE);
  gf__text_free(&log);
  gf_study_items_free(&items, count);
  gf_study_free(&study);
}

/* ---- the program ---- */

static pid_t start(const char *const words[]) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child > 0) return child;
  int out = open(in_folder("stdout"), O_WRONLY | O_CREAT | O_TRUNC, 0600),
      err = open(in_folder("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (chdir(fixture_folder) != 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(126);
  execv(PROGRAM, (char *const *)(uintptr_t)words);
  _exit(127);
}

/* The exit code, or 1000 + the signal. */
static int end_code(pid_t child) {
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#define RUN(...) end_code(start((const char *const[]){PROGRAM, "study", __VA_ARGS__, NULL}))

static void sleep_ms(long ms) {
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Waits until the run has a checkpoint, so that the kill is at one of its steps. */
static void wait_for(pid_t child, const char *path) {
  for (int i = 0; i < 60000 && !gf__path_exists(in_folder(path)); i++) {
    int status;
    if (waitpid(child, &status, WNOHANG) != 0) fail_msg("ended before there was %s", path);
    sleep_ms(1);
  }
}

static void a_killed_study_goes_on(void **state) {
  (void)state;
  static const struct {
    const char *path; /* until it is there, */
    long ms;          /* and then */
  } kills[] = {{"killed/four/seed-5/config.yaml", 0},  {"killed/four/seed-5/metrics.csv", 30},
               {"killed/four/seed-6/metrics.csv", 0},  {"killed/eight/seed-5/config.yaml", 80},
               {"killed/eight/seed-6/result.json", 0}, {"killed/rate_1e-2/seed-5/metrics.csv", 10}};
  const size_t last = sizeof kills / sizeof *kills - 1;
  for (size_t i = 0; i <= last; i++) {
    pid_t child = start(
        (const char *const[]){PROGRAM, "study", "run", "study.yaml", "--out", "killed", NULL});
    wait_for(child, kills[i].path);
    sleep_ms(kills[i].ms);
    kill(child, SIGKILL);
    int code = end_code(child);
    /* Whoever waits may sleep so long meanwhile that the study ends before the last kill. */
    assert_true(code == 1000 + SIGKILL || (i == last && code == 0));
  }
  assert_int_equal(RUN("run", "study.yaml", "--out", "killed"), 0);
  assert_same_report("whole", "killed");
}

static void a_signal_stops_the_program(void **state) {
  (void)state;
  pid_t child =
      start((const char *const[]){PROGRAM, "study", "run", "study.yaml", "--out", "signal", NULL});
  wait_for(child, "signal/four/seed-5/metrics.csv");
  kill(child, SIGINT);
  assert_int_equal(end_code(child), 130);
  char *text = study_read("stderr");
  assert_non_null(strstr(text, "once more leaves at once\n"));
  assert_non_null(strstr(text, "The same command goes on from here\n"));
  free(text);
}

static void the_program_lists_and_reports(void **state) {
  (void)state;
  assert_int_equal(RUN("run", "study.yaml", "--out", "whole", "--dry-run"), 0);
  char *text = study_read("stdout");
  assert_string_equal(text,
                      "run               state        time\n"
                      "----------------  -----------  ----\n"
                      "four/seed-5       done             \n"
                      "four/seed-6       done             \n"
                      "eight/seed-5      done             \n"
                      "eight/seed-6      done             \n"
                      "rate_1e-2/seed-5  done             \n"
                      "rate_1e-2/seed-6  done             \n"
                      "all               6 of 6 done  0:00\n");
  free(text);
  assert_int_equal(RUN("report", "study.yaml", "--out", "whole"), 0);
  text = study_read("stdout");
  assert_memory_equal(text, "S\n\nt\n\nsetting ", strlen("S\n\nt\n\nsetting "));
  assert_non_null(strstr(text, "\nreport     whole/reports/s/report.html\n"));
  free(text);
  assert_int_equal(RUN("run", "failing.yaml", "--out", "failing"), 1);
  assert_int_equal(RUN("run", "study.yaml", "--out", "part", "--shard", "6/6"), 0);
  text = study_read("stdout");
  assert_string_equal(text,
                      "shard 6 of 6 is done; after all of them: gradflow study report "
                      "study.yaml\n");
  free(text);
}

static void command_lines_that_make_no_sense(void **state) {
  (void)state;
  static const struct {
    const char *words[7], *message;
  } lines[] = {
      {{PROGRAM, "study", "run", "study.yaml", "--shard", "3/2"},
       "gradflow: --shard 3/2: must be I/N, as 1/2 and 2/2 for two machines\n"},
      {{PROGRAM, "study", "run", "study.yaml", "--shard", "1"},
       "gradflow: --shard 1: must be I/N, as 1/2 and 2/2 for two machines\n"},
      {{PROGRAM, "study", "run", "study.yaml", "--jobs", "0"},
       "gradflow: --jobs must be a whole number from 1 to 100000, not '0'; for example --jobs 2\n"},
      {{PROGRAM, "study", "report", "study.yaml", "--jobs", "2"},
       "gradflow: --dry-run, --shard, --jobs and --overwrite belong to study run\n"},
      {{PROGRAM, "study", "rum", "study.yaml"},
       "gradflow: study rum: must be study run or study report; see gradflow study --help\n"},
      {{PROGRAM, "study", "run"},
       "gradflow: 'run' or 'report' and a study is missing; see gradflow study --help\n"},
      {{PROGRAM, "study", "run", "none.yaml"},
       "gradflow: cannot open none.yaml: No such file or directory\n"},
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    int code = end_code(start(lines[i].words));
    char *text = study_read("stderr");
    assert_string_equal(text, lines[i].message);
    assert_int_equal(code, strstr(text, "cannot open") ? 1 : 2);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_study_trains_tests_and_reports),
      cmocka_unit_test(two_shards_merged_are_one_run),
      cmocka_unit_test(jobs_give_the_same),
      cmocka_unit_test(a_stopped_study_goes_on),
      cmocka_unit_test(a_diverged_run_is_a_result),
      cmocka_unit_test(a_failed_run_stops_no_other),
      cmocka_unit_test(a_changed_setting_is_refused),
      cmocka_unit_test(plans_know_states_and_times),
      cmocka_unit_test(unknown_times_have_one_line_a_reason),
      cmocka_unit_test(a_killed_study_goes_on),
      cmocka_unit_test(a_signal_stops_the_program),
      cmocka_unit_test(the_program_lists_and_reports),
      cmocka_unit_test(a_test_of_other_weights_is_made_anew),
      cmocka_unit_test(runs_of_other_settings_are_left_out),
      cmocka_unit_test(finished_runs_are_left),
      cmocka_unit_test(command_lines_that_make_no_sense),
  };
  return cmocka_run_group_tests_name("study_run", tests, open_all, fixture_close);
}
