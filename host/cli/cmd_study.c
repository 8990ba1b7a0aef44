/* gradflow study */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli/cli.h"
#include "cli/duration.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/ranks.h"
#include "report/table.h"

typedef struct study_options {
  char *device, *out, *shard; /* or NULL */
  int jobs;                   /* 0: one at a time */
  double rank_timeout;
  bool dry_run, overwrite, quiet;
  gf__texts sets;
} study_options;

static const char *const jobs_example[] = {"2", NULL};

static const gf__option option_rows[] = {
    GF__OPTION_DEVICE(study_options),
    GF__OPTION_SET(study_options),
    GF__OPTION("out", 'o', "DIR", study_options, out, TEXT,
               .help = "the folder of the runs; default as the study says"),
    GF__OPTION("shard", 0, "I/N", study_options, shard, TEXT,
               .help = "only every Nth run, from the Ith on"),
    GF__OPTION("jobs", 0, "N", study_options, jobs, INT, .minimum = 1, .maximum = 100000,
               .choices = jobs_example, .help = "runs at a time; default 1"),
    GF__FLAG("dry-run", 'n', study_options, dry_run,
             "list the runs and how long they take, train nothing"),
    GF__FLAG("overwrite", 0, study_options, overwrite, "replace the runs that are there"),
    GF__OPTION_RANK_TIMEOUT(study_options),
    GF__FLAG("quiet", 'q', study_options, quiet, "nothing but warnings, errors and the tables"),
    GF__OPTIONS_END};

/* ---- options ---- */

/* "1/2": the first of two. */
static gf_status read_shard(const char *text, gf_study_options *out) {
  enum { MOST_SHARDS = 100000 };
  char *end;
  long shard = strtol(text, &end, 10), shards = 0;
  if (*end == '/') shards = strtol(end + 1, &end, 10);
  if (strspn(text, "0123456789/") != strlen(text) || *end || shard < 1 || shards < shard ||
      shards > MOST_SHARDS)
    return gf__fail(GF_ERROR_ARGUMENT, "--shard %s: must be I/N, as 1/2 and 2/2 for two machines",
                    text);
  out->shard = (int)shard;
  out->shards = (int)shards;
  return GF_OK;
}

static gf_status read_options(const study_options *o, gf_study_options *out) {
  *out = gf_study_options_default();
  out->device = o->device;
  out->overwrite = o->overwrite;
  if (o->jobs) out->jobs = o->jobs;
  return o->shard ? read_shard(o->shard, out) : GF_OK;
}

static gf_status load_study(const gf__cli *cli, gf_study **out) {
  const study_options *o = cli->options;
  GF_TRY(gf_study_load(out, cli->arguments[1], o->out));
  for (size_t i = 0; i < o->sets.count; i++) GF_TRY(gf_study_set(*out, o->sets.v[i]));
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
    gf__text_add(&line, "%s: %s%s in %s, %d/%d runs", e->run,
                 *e->stopped_by ? "stopped by " : ends[e->status], e->stopped_by, took, e->done,
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

static bool on_stop(void *user) {
  screen *s = user;
  if (!gf__interrupt_signal() || s->said_stopping) return gf__interrupt_signal();
  s->said_stopping = true;
  gf__lock_take(s->lock);
  gf__bar_clear(&s->bar);
  fputs(GF__STOPPING_NOTE, stderr);
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

static gf_status report_study(const gf_study *study) {
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

static gf_status print_dry_run(const gf_study *study, const gf_study_options *how) {
  gf_study_item *items;
  int count;
  GF_TRY(gf_study_plan(study, how, 1, &items, &count));
  gf_status status = print_plan(items, count, how->jobs);
  gf_study_items_free(&items, count);
  return status;
}

static gf_status run_all(const study_options *o, const gf_study *study, gf_study_options *how) {
  bool draws = !o->quiet && gf__cli_can_draw(stderr) && gf__cli_is_first(how->communicator);
  screen s = {.bar = {.file = stderr, .enabled = draws, .colours = gf__cli_has_colours(stderr)},
              .quiet = o->quiet};
  GF_TRY(gf__lock_new(&s.lock));
  how->events =
      (gf_study_events){.user = &s, .progress = on_progress, .run = on_run, .stop = on_stop};
  gf_log_to(on_log, &s);
  gf__interrupt_catch();
  gf_status status = gf_study_run(study, how);
  gf__bar_clear(&s.bar);
  gf_log_to(gf__cli_log, NULL);
  gf__lock_free(&s.lock);
  return status;
}

/* The report is that of the runs there are, even if others failed. */
static int train_study(const gf__cli *cli, const gf_study *study, gf_study_options *how) {
  const study_options *o = cli->options;
  gf_status status = run_all(o, study, how), reported = GF_OK;
  bool is_common = status == GF_OK || gf_communicator_agreed(how->communicator);
  bool reports = gf__cli_is_first(how->communicator) && is_common;
  bool stopped = status == GF_ERROR_INTERRUPTED;
  int code =
      gf__cli_leave(&how->communicator, status, stopped ? gf__interrupt_exit_code() : 0, false);
  if (stopped || !reports) return code;
  if (how->shards > 1)
    printf("shard %d of %d is done; after all of them: gradflow study report %s\n", how->shard,
           how->shards, cli->arguments[1]);
  else
    reported = report_study(study);
  if (reported != GF_OK) gf__cli_fail(reported);
  return status != GF_OK || reported != GF_OK;
}

static int run_runs(const gf__cli *cli, const gf_study *study) {
  const study_options *o = cli->options;
  gf_study_options how = gf_study_options_default();
  gf_communicator *communicator;
  gf_status status = gf_communicator_open(&communicator, o->rank_timeout);
  if (status == GF_OK) status = gf_communicator_agree(communicator, read_options(o, &how));
  how.communicator = communicator;
  if (status == GF_OK && !o->dry_run) return train_study(cli, study, &how);
  if (status == GF_OK && gf__cli_is_first(communicator)) status = print_dry_run(study, &how);
  return gf__cli_leave(&communicator, status, 0, false);
}

static int run_report(const gf__cli *cli, const gf_study *study) {
  const study_options *o = cli->options;
  gf_status status =
      o->dry_run || o->shard || o->jobs || o->overwrite
          ? gf__fail(GF_ERROR_ARGUMENT,
                     "--dry-run, --shard, --jobs and --overwrite belong to study run")
          : report_study(study);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

static const struct {
  const char *word;
  int (*run)(const gf__cli *cli, const gf_study *study);
} actions[] = {{"run", run_runs}, {"report", run_report}};
enum { ACTIONS = sizeof actions / sizeof *actions };

static void add_words(gf__text *out) {
  for (size_t i = 0; i < ACTIONS; i++) gf__text_add(out, "%s%s", i ? " " : "", actions[i].word);
}

static int run_study(const gf__cli *cli) {
  const char *word = cli->arguments[0];
  gf_study *study = NULL;
  size_t i = 0;
  while (i < ACTIONS && strcmp(actions[i].word, word) != 0) i++;
  if (i == ACTIONS)
    return gf__cli_fail(gf__fail(GF_ERROR_ARGUMENT,
                                 "study %s: must be study run or study report; see gradflow study "
                                 "--help",
                                 word));
  gf_status status = load_study(cli, &study);
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
    .options = option_rows,
    .options_size = sizeof(study_options),
    .more_title = "keys of a study:",
    .more = gf_study_help,
    .has_ranks = true,
    .words = add_words,
    .run = run_study,
};
