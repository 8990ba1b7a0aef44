/* From runs to numbers: aggregation, outcomes, and a report of run folders that are written here.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include "study/aggregate.h"
#include "study/outcome.h"
#include "support/browser.h"
#include "support/device.h"
#include "support/studies.h"
#include "support/test.h"

/* ---- aggregation ---- */

static void assert_near(double value, double expected) {
  if (!(fabs(value - expected) <= 1e-12 * fmax(1, fabs(expected))))
    fail_msg("%.17g and should be %.17g", value, expected);
}

static void aggregates_are_known(void **state) {
  (void)state;
  static const double eight[] = {2, 4, 4, 4, 5, 5, 7, 9}; /* squares of deviations: 32 */
  gf__aggregate a = gf__aggregate_values(eight, 8);
  assert_int_equal(a.n, 8);
  assert_near(a.mean, 5);
  assert_near(a.deviation, sqrt(32.0 / 7));
  static const double two[] = {1, 2};
  a = gf__aggregate_values(two, 2);
  assert_int_equal(a.n, 2);
  assert_near(a.mean, 1.5);
  assert_near(a.deviation, sqrt(0.5));
}

static void one_value_has_no_deviation(void **state) {
  (void)state;
  gf__aggregate a = gf__aggregate_values((const double[]){3.25}, 1);
  assert_true(a.n == 1 && a.mean == 3.25 && isnan(a.deviation));
  a = gf__aggregate_values(NULL, 0);
  assert_true(a.n == 0 && isnan(a.mean) && isnan(a.deviation));
}

static void values_that_are_not_finite_are_left_out(void **state) {
  (void)state;
  static const double values[] = {NAN, 1, INFINITY, 3, -INFINITY};
  gf__aggregate a = gf__aggregate_values(values, 5);
  assert_int_equal(a.n, 2);
  assert_near(a.mean, 2);
  assert_near(a.deviation, sqrt(2));
}

/* The sum of squares minus the square of the sum would give nothing, or the root of less. */
static void small_deviations_of_large_values_are_kept(void **state) {
  (void)state;
  static const double values[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
  gf__aggregate a = gf__aggregate_values(values, 4);
  assert_near(a.mean, 1e9 + 10);
  assert_near(a.deviation, sqrt(30));
}

/* ---- run folders ---- */

#define HEADER "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
#define GRADIENTS                                                       \
  "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n" \
  "1,5,a,a.weight,1e-3,0,0,0,0\n1,5,b,b.weight,2e-3,0,0,0,0\n"          \
  "2,9,a,a.weight,0,0,0,0,0\n2,9,b,b.weight,3e-3,0,0,0,0\n"

/* A run of "out/SETTING/seed-SEED"; how it ended and its test are left out if they are NULL. */
static void write_run(const char *run, const char *metrics, const char *end, const char *test) {
  char name[256], text[1024];
  const struct {
    const char *name, *text;
  } files[] = {{"metrics.csv", metrics},
               {"result.json", end},
               {"test.json", test},
               {"gradients.csv", GRADIENTS},
               {"config.yaml", "train: {epochs: 2, seed: 1}\nmodel: {filters: [4, 8]}\n"},
               {"environment.json",
                "{\"started\": \"2026-01-01T00:00:00Z\", \"commit\": \"abc\", \"gradflow\": "
                "\"0.1\", \"clblast\": \"1.6\", \"device\": {\"name\": \"D & E\", \"driver\": "
                "\"7\", \"platform\": \"P\", \"version\": \"OpenCL 3\"}, \"resumed\": "
                "[{\"epoch\": 2, \"commit\": \"abc\", \"gradflow\": \"0.1\", \"clblast\": "
                "\"1.6\", \"device\": {\"name\": \"F\", \"driver\": \"7\", \"platform\": \"P\", "
                "\"version\": \"OpenCL 3\"}}, {\"epoch\": 3, \"commit\": \"abd\", \"gradflow\": "
                "\"0.1\", \"clblast\": \"1.6\", \"device\": {\"name\": \"F\", \"driver\": \"7\", "
                "\"platform\": \"P\", \"version\": \"OpenCL 3\"}}]}"}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    if (!files[i].text) continue;
    snprintf(name, sizeof name, "%s/%s", run, files[i].name);
    snprintf(text, sizeof text, "%s", files[i].text);
    study_write(name, text);
  }
}

#define FINISHED "{\"status\": \"finished\"}"
#define DIVERGED "{\"status\": \"diverged\", \"message\": \"the loss is not finite\"}"

static const char study_[] =
    "study: {name: s, title: A study, note: Of nothing.}\n"
    "seeds: [1, 2, 3]\n"
    "settings:\n"
    "  - name: good\n"
    "    label: Good_one\n"
    "    base: base.yaml\n"
    "    published: {train_accuracy: [50, 0.5], validation_accuracy: 41.25}\n"
    "  - {name: stuck, label: Stuck, base: base.yaml}\n"
    "  - {name: wild, label: Wild, base: base.yaml}\n"
    "  - {name: late, label: Late, base: base.yaml}\n"
    "tables:\n"
    "  - {name: t1, title: The table, note: A note., columns: [train_accuracy, "
    "validation_accuracy]}\n"
    "  - {name: t2, rows: [good, wild], columns: [train_loss, validation_loss, test_loss, "
    "test_accuracy]}\n"
    "figures:\n"
    "  - {name: loss, title: The loss, note: A hint., kind: loss, seed: 2}\n"
    "  - {name: flow, title: The flow, kind: gradient_flow, settings: [good], log: true}\n"
    "  - {name: none, title: Nothing, kind: accuracy, settings: [late], seed: 2}\n"
    "  - {name: last, title: The last, kind: gradient_flow_compare, settings: [good, wild], log: "
    "true}\n";

/* good: three finished runs; stuck: two at chance, one missing; wild: one finished, two diverged;
 * late: one in the middle, two not begun. */
static void write_runs(const char *out) {
  char run[128];
  for (int seed = 1; seed <= 3; seed++) {
    char metrics[512], test[128];
    snprintf(metrics, sizeof metrics,
             HEADER "1,0.001,1.5,0.1,1.%d,0.4%d\n2,0.0005,1.%d,0.%d,9,0.2\n", seed, seed, seed,
             50 + 2 * seed);
    snprintf(test, sizeof test,
             "{\"loss\": 2.%d, \"accuracy\": 0.3%d, \"images\": 100, \"classes\": 10}", seed, seed);
    snprintf(run, sizeof run, "%s/good/seed-%d", out, seed);
    write_run(run, metrics, FINISHED, test);
  }
  for (int seed = 1; seed <= 2; seed++) {
    snprintf(run, sizeof run, "%s/stuck/seed-%d", out, seed);
    write_run(run, HEADER "1,0.001,2.3,0.1,2.3,0.1\n2,0.0005,2.3,0.1499,2.3,0.1\n", FINISHED,
              "{\"loss\": 2.3, \"accuracy\": 0.1, \"images\": 100, \"classes\": 10}");
  }
  snprintf(run, sizeof run, "%s/wild/seed-1", out);
  write_run(run, HEADER "1,0.001,2,0.2,nan,nan\n2,0.0005,1,0.15,nan,nan\n", FINISHED,
            "{\"loss\": null, \"accuracy\": 0.5, \"images\": 100, \"classes\": 10}");
  snprintf(run, sizeof run, "%s/wild/seed-2", out);
  write_run(run, HEADER "1,0.001,2,0.9,2,0.9\n", DIVERGED, NULL);
  snprintf(run, sizeof run, "%s/wild/seed-3", out);
  write_run(run, HEADER, DIVERGED, NULL);
  snprintf(run, sizeof run, "%s/late/seed-1", out);
  write_run(run, HEADER "1,0.001,2,0.9,2,0.9\n", NULL, NULL);
}

static int open_all(void **state) {
  if (fixture_open(state) != 0) return -1;
  study_write("base.yaml",
              "data: {name: fashion_mnist}\nmodel: {family: vgg_stages}\ntrain: {epochs: 2}\n");
  study_write("study.yaml", study_);
  write_runs("out");
  write_runs("second/out");
  return 0;
}

static gf__outcome outcome_of(const char *run) {
  char folder[256];
  gf__outcome outcome;
  snprintf(folder, sizeof folder, "%s/out/%s", fixture_folder, run);
  assert_ok(gf__outcome_load(&outcome, folder));
  return outcome;
}

static void outcomes_are_those_of_the_right_epochs(void **state) {
  (void)state;
  gf__outcome o = outcome_of("good/seed-1");
  assert_int_equal(o.state.status, GF_RUN_FINISHED);
  assert_near(o.values[GF__COLUMN_TRAIN_ACCURACY], 52);      /* of the last epoch */
  assert_near(o.values[GF__COLUMN_TRAIN_LOSS], 1.1);         /* likewise */
  assert_near(o.values[GF__COLUMN_VALIDATION_ACCURACY], 41); /* of the first, the best */
  assert_near(o.values[GF__COLUMN_VALIDATION_LOSS], 1.1);    /* likewise */
  assert_near(o.values[GF__COLUMN_TEST_ACCURACY], 31);
  assert_near(o.values[GF__COLUMN_TEST_LOSS], 2.1);
  assert_near(o.values[GF__COLUMN_FIRST_GRADIENT], 0); /* of the last epoch */
  assert_near(o.values[GF__COLUMN_LAST_GRADIENT], 3e-3);
  assert_true(o.classes == 10 && !o.at_chance);
  assert_true(outcome_of("stuck/seed-1").at_chance);
  o = outcome_of("wild/seed-1");
  assert_true(!o.at_chance &&
              isnan(o.values[GF__COLUMN_VALIDATION_ACCURACY])); /* 15% is not below */
  assert_true(isnan(o.values[GF__COLUMN_TEST_LOSS]));
  o = outcome_of("wild/seed-3");
  assert_int_equal(o.state.status, GF_RUN_DIVERGED);
  assert_true(isnan(o.values[GF__COLUMN_TRAIN_LOSS]) && !o.at_chance);
  assert_true(isnan(o.values[GF__COLUMN_FIRST_GRADIENT]));
  o = outcome_of("late/seed-2");
  assert_int_equal(o.state.status, GF_RUN_ABSENT);
}

static void a_damaged_test_is_told(void **state) {
  (void)state;
  static const char *const tests[] = {"", "{\"accuracy\": 1}",
                                      "{\"accuracy\": \"1\", \"classes\": 2}", "[1]"};
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
    gf__outcome outcome;
    write_run("torn/seed-1", HEADER, FINISHED, tests[i]);
    char *expected = with_folder(
        "@torn/seed-1/test.json does not have an accuracy and a number of classes; remove it, and "
        "run the study again");
    assert_fails(GF_ERROR_DATA, expected, gf__outcome_load(&outcome, in_folder("torn/seed-1")));
    free(expected);
  }
}

/* Auxiliarys' layers stand behind the last one, and are none of the network's ends. */
static void gradients_are_shown_as_powers(void **state) {
  (void)state;
  static const char *const means[][3] = {{"1.1e-5", "2e-3", "9"}, {"1.3e-5", "2e-3", "9"}};
  for (int seed = 1; seed <= 2; seed++) {
    char run[64], name[96], text[512];
    const char *const *m = means[seed - 1];
    snprintf(run, sizeof run, "powers/a/seed-%d", seed);
    write_run(run, HEADER "1,0.001,2,0.2,2,0.2\n", FINISHED, NULL);
    snprintf(name, sizeof name, "%s/gradients.csv", run);
    snprintf(text, sizeof text,
             "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n"
             "1,5,a,a.weight,%s,0,0,0,0\n1,5,b,b.weight,1,0,0,0,0\n1,5,c,c.weight,%s,0,0,0,0\n"
             "1,5,auxiliary_a_linear,auxiliary_a_linear.weight,%s,0,0,0,0\n",
             m[0], m[1], m[2]);
    study_write(name, text);
  }
  study_write("powers.yaml",
              "study: {name: p}\nseeds: [1, 2]\nsettings: [{name: a, base: base.yaml, published: "
              "{first_gradient: 1e-3, last_gradient: 2e-3}}]\n"
              "tables: [{name: t, columns: [first_gradient, last_gradient]}]\n");
  gf_study *study = load_study("powers.yaml", "powers");
  char *text;
  assert_ok(gf_study_report(study, &text, NULL, NULL));
  gf_study_free(&study);
  free(text);
  text = study_read("powers/reports/p/t.md");
  assert_non_null(strstr(text,
                         "\n| a | 2 | 1.2e-05 ± 1.4e-06 | 1.0e-03 | -9.9e-04 | "
                         "2.0e-03 ± 0.0e+00 | 2.0e-03 | 0.0e+00 |\n"));
  assert_non_null(strstr(text, ", for the last batch of the last epoch.\n"));
  free(text);
}

/* ---- reports ---- */

static const char *const names_[] = {"t1.csv",   "t1.md",    "t1.tex",     "t2.csv",
                                     "t2.md",    "t2.tex",   "loss.png",   "flow.png",
                                     "last.png", "runs.csv", "report.html"};
enum { NAMES = sizeof names_ / sizeof *names_ };

typedef struct paths {
  const char *out;
  int count;
} paths;

static void check_path(void *user, const char *path) {
  paths *p = user;
  char expected[256];
  assert_true(p->count < NAMES);
  snprintf(expected, sizeof expected, "%s/%s/reports/s/%s", fixture_folder, p->out,
           names_[p->count++]);
  assert_string_equal(path, expected);
}

/* The terminal's text; the caller frees it. */
static char *report(const char *out) {
  char *text;
  paths p = {.out = out};
  gf_study *study = load_study("study.yaml", out);
  assert_ok(gf_study_report(study, &text, check_path, &p));
  assert_int_equal(p.count, NAMES);
  gf_study_free(&study);
  return text;
}

static const char notes_[] =
    "Mean ± sample standard deviation (divisor n - 1) over the seeds of the n\n"
    "finished runs; a single run has no deviation.\n"
    "Train: the last epoch, as the mean over its batches as they were trained.\n"
    "Validation and test: the epoch with the best validation accuracy.\n";

static void the_terminal_has_the_tables(void **state) {
  (void)state;
  char *text = report("out"), expected[8192];
  snprintf(expected, sizeof expected,
           "A study\n"
           "Of nothing.\n"
           "\n"
           "The table\n"
           "\n"
           "setting          n     train %%   published  diff  validation %%  published  diff\n"
           "---------------  -  ----------  ----------  ----  ------------  ---------  ----\n"
           "Good_one (best)  3  54.0 ± 2.0  50.0 ± 0.5  +4.0    42.0 ± 1.0       41.2  +0.8\n"
           "Stuck *          2  15.0 ± 0.0           -     -    10.0 ± 0.0          -     -\n"
           "Wild             1        15.0           -     -             -          -     -\n"
           "Late             0           -           -     -             -          -     -\n"
           "\n"
           "A note.\n"
           "%sDiff: measured - published.\n"
           "Verdicts: good: small steps (3); stuck: small steps (2); wild: non-finite (2),\n"
           "healthy (1); late: small steps (1).\n"
           "* at chance, with the loss and the accuracy of guessing in the last epoch of\n"
           "training: stuck/seed-1, stuck/seed-2.\n"
           "Diverged, and left out of the means: wild/seed-2 (diverged in epoch 2),\n"
           "wild/seed-3 (diverged in epoch 1).\n"
           "Missing: stuck/seed-3 (not begun), late/seed-1 (1 of 2 epochs), late/seed-2 (not\n"
           "begun), late/seed-3 (not begun).\n"
           "\n"
           "t2\n"
           "\n"
           "setting      n     train loss  validation loss      test loss      test %%\n"
           "-----------  -  -------------  ---------------  -------------  ----------\n"
           "Good_one     3  1.200 ± 0.100    1.200 ± 0.100  2.200 ± 0.100  32.0 ± 1.0\n"
           "Wild (best)  1          1.000                -              -        50.0\n"
           "\n"
           "%s"
           "Verdicts: good: small steps (3); wild: non-finite (2), healthy (1).\n"
           "Diverged, and left out of the means: wild/seed-2 (diverged in epoch 2),\n"
           "wild/seed-3 (diverged in epoch 1).\n"
           "\n"
           "The loss (loss.png)\n"
           "\n"
           "A hint.\n"
           "Runs: good/seed-2, stuck/seed-2, wild/seed-2 (diverged in epoch 2), late/seed-2\n"
           "(not begun).\n"
           "\n"
           "The flow (flow.png)\n"
           "\n"
           "Runs: good/seed-1.\n"
           "\n"
           "Nothing (no run has begun)\n"
           "\n"
           "Runs: late/seed-2 (not begun).\n"
           "\n"
           "The last (last.png)\n"
           "\n"
           "Runs: good/seed-1, wild/seed-1.\n",
           notes_, notes_);
  assert_string_equal(text, expected);
  free(text);
}

static void the_files_have_the_tables(void **state) {
  (void)state;
  char *text = study_read("out/reports/s/t1.csv");
  assert_string_equal(
      text,
      "setting,label,n,train_accuracy_percent,train_accuracy_percent_deviation,"
      "train_accuracy_percent_published,train_accuracy_percent_published_deviation,"
      "train_accuracy_percent_difference,validation_accuracy_percent,"
      "validation_accuracy_percent_deviation,validation_accuracy_percent_published,"
      "validation_accuracy_percent_published_deviation,validation_accuracy_percent_difference\r\n"
      "good,Good_one,3,54,2,50,0.5,4,42,1,41.25,,0.75\r\n"
      "stuck,Stuck,2,14.99,0,,,,10,0,,,\r\n"
      "wild,Wild,1,15,,,,,,,,,\r\n"
      "late,Late,0,,,,,,,,,,\r\n");
  free(text);
  text = study_read("out/reports/s/t2.md");
  assert_string_equal(
      text,
      "## t2\n\n"
      "| setting | n | train loss | validation loss | test loss | test % |\n"
      "|---|---:|---:|---:|---:|---:|\n"
      "| Good\\_one | 3 | 1.200 ± 0.100 | 1.200 ± 0.100 | 2.200 ± 0.100 | 32.0 ± 1.0 |\n"
      "| Wild (best) | 1 | 1.000 | - | - | 50.0 |\n\n"
      "Mean ± sample standard deviation (divisor n - 1) over the seeds of the n finished runs; a "
      "single run has no deviation.\n\n"
      "Train: the last epoch, as the mean over its batches as they were trained. Validation and "
      "test: the epoch with the best validation accuracy.\n\n"
      "Verdicts: good: small steps (3); wild: non-finite (2), healthy (1).\n\n"
      "Diverged, and left out of the means: wild/seed-2 (diverged in epoch 2), wild/seed-3 "
      "(diverged in epoch 1).\n");
  free(text);
  text = study_read("out/reports/s/t2.tex");
  assert_string_equal(
      text,
      "% Needs \\usepackage{booktabs}.\n"
      "\\begin{tabular}{lrrrrr}\n\\toprule\n"
      "setting & n & train loss & validation loss & test loss & test \\% \\\\\n\\midrule\n"
      "Good\\_one & 3 & 1.200 $\\pm$ 0.100 & 1.200 $\\pm$ 0.100 & 2.200 $\\pm$ 0.100 & 32.0 "
      "$\\pm$ 1.0 \\\\\n"
      "Wild (best) & 1 & 1.000 & - & - & 50.0 \\\\\n\\bottomrule\n\\end{tabular}\n"
      "\\par\\smallskip{\\footnotesize\n"
      "Mean $\\pm$ sample standard deviation (divisor n - 1) over the seeds of the n finished "
      "runs; a single run has no deviation.\\par\n"
      "Train: the last epoch, as the mean over its batches as they were trained. Validation and "
      "test: the epoch with the best validation accuracy.\\par\n"
      "Verdicts: good: small steps (3); wild: non-finite (2), healthy (1).\\par\n"
      "Diverged, and left out of the means: wild/seed-2 (diverged in epoch 2), wild/seed-3 "
      "(diverged in epoch 1).\\par\n}\n");
  free(text);
}

static void every_run_is_listed(void **state) {
  (void)state;
  char *text = study_read("out/reports/s/runs.csv");
  static const char begin[] =
      "setting,seed,state,verdict,train %,validation %,test "
      "%,device,platform,driver,OpenCL,gradflow,"
      "commit,CLBlast\r\n"
      "good,1,finished,small steps,52.00,41.00,31.00,D & E,P,7,OpenCL 3,0.1,abc,1.6\r\n";
  assert_memory_equal(text, begin, sizeof begin - 1);
  static const char *const lines[] = {
      "\nstuck,1,\"finished, at chance\",small steps,14.99,10.00,10.00,D & E,",
      "\nwild,3,diverged in epoch 1,non-finite,,,,D",
      "\nlate,1,1 of 2 epochs,small steps,90.00,90.00,,D & E", "\nlate,3,not begun,,,,,,,,,,,\r\n"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    if (!strstr(text, lines[i])) fail_msg("no line '%s' in\n%s", lines[i], text);
  int rows = 0;
  for (const char *p = text; (p = strchr(p, '\n')); p++) rows++;
  assert_int_equal(rows, 13);
  free(text);
}

static void the_page_has_everything(void **state) {
  (void)state;
  static const char *const words[] = {
      "A study",      "The table",       "Good_one", "The loss",   "A hint.",
      "The flow",     "D &amp; E",       "abc",      "54.0 ± 2.0", "device from epoch 2 on",
      "train.epochs", "model.filters.1", "stuck",    "wild",       "late"};
  char *text = study_read("out/reports/s/report.html");
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strstr(text, words[i])) fail_msg("no '%s' in report.html", words[i]);
  assert_null(strstr(text, fixture_folder));
  assert_null(strstr(text, "2026-01-01"));
  assert_non_null(strstr(text, "commit from epoch 3 on"));
  assert_null(strstr(text, "platform from epoch")); /* the same in all epochs */
  assert_null(strstr(text, "device from epoch 3"));
  free(text);
}

/* The page's charts are drawn, its console stays empty, and it asks nobody for anything. */
static void the_page_opens_in_a_browser(void **state) {
  (void)state;
  const char *browser = browser_find();
  if (!browser) {
    print_message("skipped: no chromium, chromium-browser or google-chrome in PATH\n");
    skip();
  }
  char *page = study_read("out/reports/s/report.html");
  browser_visit seen = browser_open(browser, fixture_folder, page,
                                    "document.querySelectorAll('figure canvas').length >= 4");
  free(page);
  const char *said = strstr(seen.log, "CONSOLE");
  if (said) fail_msg("%.600s", said);
  assert_false(seen.asked);
  assert_non_null(strstr(seen.dom.data, "<canvas"));
  assert_non_null(strstr(seen.dom.data, "54.0 ± 2.0"));
  browser_visit_free(&seen);
}

static void equal_runs_give_equal_files(void **state) {
  (void)state;
  free(report("second/out"));
  for (int i = 0; i < NAMES; i++) {
    char a[128], b[128], *x = NULL, *y = NULL;
    size_t m, n;
    snprintf(a, sizeof a, "out/reports/s/%s", names_[i]);
    snprintf(b, sizeof b, "second/out/reports/s/%s", names_[i]);
    assert_ok(gf__file_read(in_folder(a), &x, &m));
    assert_ok(gf__file_read(in_folder(b), &y, &n));
    if (m != n || memcmp(x, y, n) != 0) fail_msg("%s differs", names_[i]);
    free(x), free(y);
  }
}

/* The settings differ in two keys, of which one is left to its default in a row. */
static void varied_keys_have_columns(void **state) {
  (void)state;
  char *text;
  for (int i = 1; i <= 2; i++) {
    char run[64];
    snprintf(run, sizeof run, "varied/%s/seed-1", i == 1 ? "slow" : "fast");
    write_run(run, i == 1 ? HEADER "1,0.001,2,0.2,2,0.25\n" : HEADER "1,0.001,2,0.2,2,0.5\n",
              FINISHED, NULL);
  }
  study_write("varied.yaml",
              "study: {name: v}\nseeds: [1]\nsettings:\n"
              "  - {name: slow, base: base.yaml, set: {optimizer.learning_rate: 1e-4}}\n"
              "  - {name: fast, base: base.yaml, set: {optimizer.learning_rate: 1e-2, "
              "train.batch_size: 50}}\n"
              "tables: [{name: t, columns: [validation_accuracy]}]\n");
  gf_study *study = load_study("varied.yaml", "varied");
  assert_ok(gf_study_report(study, &text, NULL, NULL));
  gf_study_free(&study);
  assert_non_null(strstr(text,
                         "setting      learning_rate  batch_size  n  validation %\n"
                         "-----------  -------------  ----------  -  ------------\n"
                         "slow                  1e-4           -  1          25.0\n"
                         "fast (best)           1e-2          50  1          50.0\n"));
  free(text);
  text = study_read("varied/reports/v/t.csv");
  static const char begin[] = "setting,label,optimizer.learning_rate,train.batch_size,n,";
  assert_memory_equal(text, begin, sizeof begin - 1);
  free(text);
}

/* What fits beside each other stands so, the other columns below. */
static void wide_tables_are_split_in_the_terminal(void **state) {
  (void)state;
  char *text;
  study_write("study.yaml",
              "study: {name: s}\nseeds: [1, 2, 3]\n"
              "settings: [{name: good, base: base.yaml, label: A label of twenty-three, "
              "published: {train_accuracy: 1, test_accuracy: 2}}]\n"
              "tables: [{name: t}]\n");
  gf_study *study = load_study("study.yaml", "out");
  assert_ok(gf_study_report(study, &text, NULL, NULL));
  gf_study_free(&study);
  static const char *const heads[] = {"  n     train %  published   diff  validation %\n",
                                      "  n      test %  published   diff\n"};
  for (size_t i = 0; i < 2; i++)
    if (!strstr(text, heads[i])) fail_msg("no '%s' in\n%s", heads[i], text);
  for (const char *p = text, *end; (end = strchr(p, '\n')); p = end + 1) {
    int columns = 0;
    for (const char *q = p; q < end; q++) columns += ((unsigned char)*q & 0xc0) != 0x80;
    assert_true(columns <= 80);
  }
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(aggregates_are_known),
      cmocka_unit_test(one_value_has_no_deviation),
      cmocka_unit_test(values_that_are_not_finite_are_left_out),
      cmocka_unit_test(small_deviations_of_large_values_are_kept),
      cmocka_unit_test(outcomes_are_those_of_the_right_epochs),
      cmocka_unit_test(a_damaged_test_is_told),
      cmocka_unit_test(gradients_are_shown_as_powers),
      cmocka_unit_test(the_terminal_has_the_tables),
      cmocka_unit_test(the_files_have_the_tables),
      cmocka_unit_test(every_run_is_listed),
      cmocka_unit_test(the_page_has_everything),
      cmocka_unit_test(the_page_opens_in_a_browser),
      cmocka_unit_test(equal_runs_give_equal_files),
      cmocka_unit_test(varied_keys_have_columns),
      cmocka_unit_test(wide_tables_are_split_in_the_terminal),
  };
  return cmocka_run_group_tests_name("study_report", tests, open_all, fixture_close);
}
