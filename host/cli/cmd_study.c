/* gradflow study */
#include <math.h>
#include <popt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli/cli.h"
#include "cli/duration.h"
#include "cli/progress.h"
#include "cli/ranks.h"
#include "report/table.h"

enum { EXIT_BY_SIGNAL = 128 }; /* what shells add the signal's number to */

static volatile sig_atomic_t signal_; /* the first that came, or 0 */

/* The second one does not wait for the device. */
static void on_signal(int number) {
  if (signal_) _Exit(EXIT_BY_SIGNAL + number);
  signal_ = number;
}

/* ---- options ---- */

static gf_status read_number(const char *text, const char **end, int *out) {
  char *behind;
  long number = strtol(text, &behind, 10);
  bool good = *text >= '0' && *text <= '9' && number >= 1 && number <= 100000;
  *end = behind;
  *out = (int)number;
  return good ? GF_OK : GF_ERROR_ARGUMENT;
}

static gf_status read_options(const gf__cli *cli, gf_study_options *out) {
  const char *end = "";
  *out = (gf_study_options){.device = cli->device, .overwrite = cli->overwrite};
  if (cli->jobs && (read_number(cli->jobs, &end, &out->jobs) != GF_OK || *end))
    return gf__fail(GF_ERROR_ARGUMENT, "--jobs %s: must be a number of runs at a time, from 1",
                    cli->jobs);
  if (!cli->shard) return GF_OK;
  if (read_number(cli->shard, &end, &out->shard) != GF_OK || *end != '/' ||
      read_number(end + 1, &end, &out->shards) != GF_OK || *end || out->shard > out->shards)
    return gf__fail(GF_ERROR_ARGUMENT, "--shard %s: must be I/N, as 1/2 and 2/2 for two machines",
                    cli->shard);
  return GF_OK;
}

static gf_status load(const gf__cli *cli, gf_study **out) {
  GF_TRY(gf_study_load(out, cli->arguments[1], cli->out));
  for (char **set = cli->sets; set && *set; set++) GF_TRY(gf_study_set(*out, *set));
  return GF_OK;
}

/* ---- what happens while it runs ---- */

typedef struct screen {
  gf__lock *lock; /* notes of the library come from any thread */
  gf__bar bar;
  bool quiet, said_stopping;
} screen;

static void on_progress(void *user, const gf_study_progress *p) {
  screen *s = user;
  const gf_progress *t = p->training;
  gf__text line = {0};
  char left[GF__DURATION_SIZE];
  gf__text_add(&line, "%d/%d runs  %s  epoch %d/%d", p->done, p->runs, p->run, t->epoch, t->epochs);
  if (!isnan(t->loss)) gf__text_add(&line, "  %.4f %.1f%%", t->loss, 100 * t->accuracy);
  gf__format_duration(left, p->seconds_left);
  if (isfinite(p->seconds_left)) gf__text_add(&line, "  %s left", left);
  gf__lock_take(s->lock);
  if (line.data) gf__bar_say(&s->bar, line.data);
  if (t->epoch == 0 && !s->quiet && !s->bar.enabled)
    fprintf(stderr, "%s: begins or goes on, %d/%d runs are done\n", p->run, p->done, p->runs);
  gf__lock_release(s->lock);
  gf__text_free(&line);
}

static void add_accuracy(gf__text *line, const char *what, double percent) {
  if (!isnan(percent)) gf__text_add(line, ", %s %.1f%%", what, percent);
}

static void on_run(void *user, const gf_study_event *e) {
  static const char *const ends[] = {
      [GF_RUN_FINISHED] = "finished", [GF_RUN_DIVERGED] = "diverged"};
  screen *s = user;
  gf__text line = {0};
  char took[GF__DURATION_SIZE];
  gf__format_duration(took, e->seconds);
  if (e->failure)
    gf__text_add(&line, "%s: failed: %s", e->run, e->failure);
  else
    gf__text_add(&line, "%s: %s in %s, %d/%d runs", e->run, ends[e->status], took, e->done,
                 e->runs);
  add_accuracy(&line, "train", e->train_accuracy);
  add_accuracy(&line, "validation", e->validation_accuracy);
  add_accuracy(&line, "test", e->test_accuracy);
  gf__lock_take(s->lock);
  gf__bar_clear(&s->bar);
  if (line.data && (e->failure || !s->quiet)) fprintf(stderr, "%s\n", line.data);
  gf__lock_release(s->lock);
  gf__text_free(&line);
}

static int on_stop(void *user) {
  screen *s = user;
  if (!signal_ || s->said_stopping) return signal_ != 0;
  s->said_stopping = true;
  gf__lock_take(s->lock);
  gf__bar_clear(&s->bar);
  fputs("gradflow: finishing the step and saving a checkpoint; once more leaves at once\n", stderr);
  gf__lock_release(s->lock);
  return 1;
}

static void on_log(void *user, gf_log_level level, const char *message) {
  screen *s = user;
  if (level == GF_LOG_INFO) return; /* of each run: too much */
  gf__lock_take(s->lock);
  if (level == GF_LOG_DETAIL) {
    gf__bar_say(&s->bar, message);
  } else {
    gf__bar_clear(&s->bar);
    gf__cli_log(NULL, level, message);
  }
  gf__lock_release(s->lock);
}

/* ---- what is done ---- */

static void keep_path(void *user, const char *path) { snprintf(user, 4096, "%s", path); }

static gf_status report(const gf_study *study) {
  char *text, last[4096] = "";
  GF_TRY(gf_study_report(study, &text, keep_path, last));
  printf("%s\nreport     %s\n", text, last);
  free(text);
  return GF_OK;
}

static const char *const states[] = {
    [GF_RUN_ABSENT] = "to do", [GF_RUN_FINISHED] = "done", [GF_RUN_DIVERGED] = "diverged"};

static void add_item(gf__table *table, const gf_study_item *item) {
  char left[GF__DURATION_SIZE];
  gf__table_add(table, "%s/seed-%llu", item->setting, item->seed);
  if (item->state.status == GF_RUN_STARTED)
    gf__table_add(table, "%d/%d epochs", item->state.epochs_done, item->state.epochs);
  else
    gf__table_add(table, "%s", states[item->state.status]);
  gf__format_duration(left, item->seconds_left);
  gf__table_add(table, "%s", item->seconds_left == 0 ? "" : left);
}

/* With the sum below. */
static gf_status print_plan(const gf_study_item *items, int count, int jobs) {
  static const gf__table_column columns[] = {{"run", false}, {"state", false}, {"time", true}};
  gf__table table = {.columns = columns, .column_count = 3};
  gf__text text = {0};
  double seconds = 0;
  int done = 0;
  char left[GF__DURATION_SIZE];
  for (int i = 0; i < count; i++) {
    add_item(&table, &items[i]);
    seconds += items[i].seconds_left;
    done += items[i].state.status == GF_RUN_FINISHED || items[i].state.status == GF_RUN_DIVERGED;
  }
  gf__format_duration(left, seconds / (jobs > 1 ? jobs : 1));
  gf__table_add(&table, "all");
  gf__table_add(&table, "%d of %d done", done, count);
  gf__table_add(&table, "%s", left);
  gf_status status = gf__table_text(&table, 80, &text);
  gf__table_free(&table);
  if (status == GF_OK) printf("%s", text.data);
  gf__text_free(&text);
  return status;
}

static gf_status dry_run(const gf_study *study, const gf_study_options *options) {
  gf_study_item *items;
  int count;
  GF_TRY(gf_study_plan(study, options, 1, &items, &count));
  gf_status status = print_plan(items, count, options->jobs);
  gf_study_items_free(&items, count);
  return status;
}

static gf_status run_all(const gf__cli *cli, const gf_study *study, gf_study_options *options) {
  bool draws = !cli->quiet && gf__cli_can_draw(stderr) && gf__cli_is_first(options->communicator);
  screen s = {.bar = {.file = stderr, .enabled = draws, .colours = gf__cli_has_colours(stderr)},
              .quiet = cli->quiet};
  GF_TRY(gf__lock_new(&s.lock));
  options->events =
      (gf_study_events){.user = &s, .progress = on_progress, .run = on_run, .stop = on_stop};
  gf_log_to(on_log, &s);
  gf__on_interrupt(on_signal);
  gf_status status = gf_study_run(study, options);
  gf__bar_clear(&s.bar);
  gf_log_to(gf__cli_log, NULL);
  gf__lock_free(&s.lock);
  return status;
}

/* The report is that of the runs there are, even if others failed. */
static int train(const gf__cli *cli, const gf_study *study, gf_study_options *options) {
  gf_status status = run_all(cli, study, options), reported = GF_OK;
  bool is_common = status == GF_OK || gf_communicator_agreed(options->communicator);
  bool reports = gf__cli_is_first(options->communicator) && is_common;
  bool stopped = status == GF_ERROR_INTERRUPTED;
  int code = gf__cli_leave(&options->communicator, status, stopped ? EXIT_BY_SIGNAL + signal_ : 0);
  if (stopped || !reports) return code;
  if (options->shards > 1)
    printf("shard %d of %d is done; after all of them: gradflow study report %s\n", options->shard,
           options->shards, cli->arguments[1]);
  else
    reported = report(study);
  if (reported != GF_OK) gf__cli_fail(reported);
  return status != GF_OK || reported != GF_OK;
}

static int run_runs(const gf__cli *cli, const gf_study *study) {
  gf_study_options options = {0};
  gf_communicator *communicator;
  gf_status status = gf__cli_join(cli, &communicator);
  if (status == GF_OK) status = gf_communicator_agree(communicator, read_options(cli, &options));
  options.communicator = communicator;
  if (status == GF_OK && !cli->dry_run) return train(cli, study, &options);
  if (status == GF_OK && gf__cli_is_first(communicator)) status = dry_run(study, &options);
  return gf__cli_leave(&communicator, status, 0);
}

static int run_report(const gf__cli *cli, const gf_study *study) {
  gf_status status =
      cli->dry_run || cli->shard || cli->jobs || cli->overwrite
          ? gf__fail(GF_ERROR_ARGUMENT,
                     "--dry-run, --shard, --jobs and --overwrite belong to study run")
          : report(study);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

static const struct {
  const char *word;
  int (*run)(const gf__cli *cli, const gf_study *study);
} actions[] = {{"run", run_runs}, {"report", run_report}};
enum { ACTIONS = sizeof actions / sizeof *actions };

static int run(const gf__cli *cli) {
  const char *word = cli->arguments[0];
  gf_study *study = NULL;
  size_t i = 0;
  while (i < ACTIONS && strcmp(actions[i].word, word) != 0) i++;
  if (i == ACTIONS)
    return gf__cli_fail(gf__fail(GF_ERROR_ARGUMENT,
                                 "study %s: must be study run or study report; see gradflow study "
                                 "--help",
                                 word));
  gf_status status = load(cli, &study);
  int code = status == GF_OK ? actions[i].run(cli, study) : gf__cli_fail(status);
  gf_study_free(&study);
  return code;
}

const gf__command gf__cmd_study = {
    .name = "study",
    .arguments = "run|report STUDY [OPTION]...",
    .help = "train a study's runs, and make its tables and figures",
    .text =
        "A study is a YAML file: settings that differ from a config in some values,\n"
        "seeds, tables and figures. run trains what is not trained yet, goes on where it\n"
        "was stopped, and then reports; report makes tables (CSV, Markdown, LaTeX),\n"
        "figures (PNG) and report.html of the runs there are. Each run has a folder\n"
        "OUT/SETTING/seed-SEED, the report is OUT/reports/NAME. Shards may share OUT, or\n"
        "each have one that is copied into one folder later.\n",
    .examples =
        "  gradflow study run configs/study/quick_remedies.yaml\n"
        "  gradflow study run configs/study/all.yaml --dry-run\n"
        "  gradflow study run configs/study/table1.yaml --shard 1/2\n"
        "  mpirun -n 4 gradflow study run configs/study/table1.yaml --device auto\n"
        "  gradflow study report configs/study/table1.yaml\n",
    .least = 2,
    .most = 2,
    .missing = "'run' or 'report' and a study",
    .options = {GF__OPTION_DEVICE,
                GF__OPTION_SET,
                {"out", 'o', POPT_ARG_STRING, offsetof(gf__cli, out), "DIR",
                 "the folder of the runs; default as the study says"},
                {"shard", 0, POPT_ARG_STRING, offsetof(gf__cli, shard), "I/N",
                 "only every Nth run, from the Ith on"},
                {"jobs", 0, POPT_ARG_STRING, offsetof(gf__cli, jobs), "N",
                 "runs at a time; default 1"},
                {"dry-run", 'n', POPT_ARG_NONE, offsetof(gf__cli, dry_run), NULL,
                 "list the runs and how long they take, train nothing"},
                {"overwrite", 0, POPT_ARG_NONE, offsetof(gf__cli, overwrite), NULL,
                 "replace the runs that are there"},
                GF__OPTION_RANK_TIMEOUT,
                {"quiet", 'q', POPT_ARG_NONE, offsetof(gf__cli, quiet), NULL,
                 "nothing but warnings, errors and the tables"},
                GF__OPTION_HELP},
    .more_title = "keys of a study:",
    .more = gf_study_help,
    .run = run,
};
