/* A study's runs over ranks: the same runs as one after another, the longest first. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <sys/wait.h>

#include "support/runs.h"
#include "support/test.h"

static const char base_[] =
    "data: {name: cifar100, path: %s}\n"
    "model: {family: vgg_stages, stages: 1, blocks_per_stage: 0, filters: 4, tune: 'off'}\n"
    "train: {epochs: 1, batch_size: 50}\n";

static const char study_[] =
    "study: {name: s, title: S}\n"
    "seeds: [5, 6]\n"
    "settings:\n"
    "  - {name: short, base: base.yaml}\n"
    /* What a setting takes is measured, on a machine that others may use: far apart, so that the
     * order is theirs. */
    "  - {name: long, base: base.yaml, set: {train.epochs: 18}}\n"
    "  - {name: middle, base: base.yaml, set: {train.epochs: 3, model.filters: 8}}\n"
    "tables: [{name: t}, {name: u, columns: [train_loss, validation_loss, test_loss]}]\n"
    "figures: [{name: f, kind: loss}]\n";

static const char *const runs_[] = {"short/seed-5", "short/seed-6",  "long/seed-5",
                                    "long/seed-6",  "middle/seed-5", "middle/seed-6"};
enum { RUNS = sizeof runs_ / sizeof *runs_ };

static int open_study(void **state) {
  if (open_all(state) != 0) return -1;
  char base[512];
  snprintf(base, sizeof base, base_, fixture_folder);
  bool written = gf__file_write(in_folder("base.yaml"), base, strlen(base)) == GF_OK &&
                 gf__file_write(in_folder("study.yaml"), study_, sizeof study_ - 1) == GF_OK;
  return written ? 0 : -1;
}

static char *read_all(const char *name) {
  char *text = NULL;
  size_t size;
  assert_ok(gf__file_read(in_folder(name), &text, &size));
  return text;
}

/* ranks of 0: without mpirun. The tables are in the file "printed", the rest in "said". */
static int run(int ranks, const char *out, const char *more) {
  char line[2048], launcher[512] = "";
  if (ranks) snprintf(launcher, sizeof launcher, "%s -n %d", MPIRUN, ranks);
  snprintf(line, sizeof line,
           "timeout 200 %s %s study run %s/study.yaml --out %s/%s %s >%s/printed 2>%s/said",
           launcher, PROGRAM, fixture_folder, fixture_folder, out, more, fixture_folder,
           fixture_folder);
  int status = system(line);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static void run_ok(int ranks, const char *out, const char *more) {
  if (run(ranks, out, more) != 0) fail_msg("%s", read_all("said"));
}

static void assert_same_study(const char *out, const char *other) {
  static const char *const logs[] = {"metrics.csv", "gradients.csv", "activations.csv",
                                     "best.safetensors", "test.json"};
  static const char *const reported[] = {"t.csv", "u.csv", "runs.csv", "f.png", "report.html"};
  char a[128], b[128];
  for (int i = 0; i < RUNS; i++)
    for (size_t k = 0; k < sizeof logs / sizeof *logs; k++) {
      snprintf(a, sizeof a, "%s/%s/%s", out, runs_[i], logs[k]);
      snprintf(b, sizeof b, "%s/%s/%s", other, runs_[i], logs[k]);
      if (!is_same_file(a, b)) fail_msg("%s and %s differ", a, b);
    }
  for (size_t k = 0; k < sizeof reported / sizeof *reported; k++) {
    snprintf(a, sizeof a, "%s/reports/s/%s", out, reported[k]);
    snprintf(b, sizeof b, "%s/reports/s/%s", other, reported[k]);
    if (!is_same_file(a, b)) fail_msg("%s and %s differ", a, b);
  }
}

static int count_of(const char *text, const char *part) {
  int count = 0;
  for (size_t i = 0; text[i]; i++) count += !strncmp(text + i, part, strlen(part));
  return count;
}

static void ranks_make_the_study_of_one_process(void **state) {
  (void)state;
  run_ok(0, "serial", "");
  run_ok(3, "spread", "");
  assert_same_study("spread", "serial");
  /* One table, not three; and each run by one rank. */
  char *printed = read_all("printed"), *said = read_all("said");
  assert_int_equal(count_of(printed, "\nreport     "), 1);
  for (int i = 0; i < RUNS; i++) {
    char line[64];
    snprintf(line, sizeof line, "%s: finished in ", runs_[i]);
    assert_int_equal(count_of(said, line), 1);
  }
  assert_non_null(strstr(said, ", 6/6 runs, "));
  free(printed), free(said);
}

static void the_longest_come_first(void **state) {
  (void)state;
  static const char *const order[] = {"long/seed-5",   "long/seed-6",  "middle/seed-5",
                                      "middle/seed-6", "short/seed-5", "short/seed-6"};
  run_ok(1, "ordered", "");
  char *said = read_all("said"), *at = said;
  for (int i = 0; i < RUNS; i++) {
    char line[64];
    snprintf(line, sizeof line, "%s: finished in ", order[i]);
    at = strstr(at, line);
    if (!at) fail_msg("%s is not number %d:\n%s", order[i], i + 1, said);
  }
  free(said);
}

static void a_run_that_fails_stops_no_other(void **state) {
  (void)state;
  char *said, path[256];
  snprintf(path, sizeof path, "%s", in_folder("failed/middle/seed-5"));
  assert_ok(gf__make_folder(in_folder("failed/middle")));
  assert_ok(gf__file_write(path, "no folder", 9));
  assert_int_equal(run(2, "failed", ""), 1);
  said = read_all("said");
  char expected[512];
  snprintf(expected, sizeof expected,
           "gradflow: 1 of 6 runs failed:\n  middle/seed-5: %s exists; choose another --out, or "
           "replace it with --overwrite\n",
           path);
  if (!strstr(said, expected)) fail_msg("not '%s':\n%s", expected, said);
  assert_true(is_same_file("failed/long/seed-6/metrics.csv", "serial/long/seed-6/metrics.csv"));
  free(said);
  assert_int_equal(run(2, "failed", "--jobs 2"), 2);
  said = read_all("said");
  assert_non_null(strstr(said,
                         "gradflow: 2 jobs: with several ranks each of them is a job; start more "
                         "ranks\n"));
  free(said);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranks_make_the_study_of_one_process),
      cmocka_unit_test(the_longest_come_first),
      cmocka_unit_test(a_run_that_fails_stops_no_other),
  };
  return cmocka_run_group_tests(tests, open_study, fixture_close);
}
