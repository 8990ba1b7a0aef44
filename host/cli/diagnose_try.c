#include "cli/diagnose_try.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/file.h"
#include "base/json.h"
#include "base/os.h"
#include "cli/duration.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "report/table.h"

enum { NARROW = 80, WIDE = 110, LARGE = 1000 };

typedef struct screen {
  gf__bar bar;
  bool said_stopping;
} screen;

/* ---- while it trains ---- */

static void on_progress(void *user, const gf_trial_progress *p) {
  screen *s = user;
  char left[GF__DURATION_SIZE], line[256], loss[24] = "";
  gf__format_duration(left, p->seconds_left);
  if (isfinite(p->loss)) snprintf(loss, sizeof loss, "  loss %.4f", p->loss);
  snprintf(line, sizeof line, "%d/%d  %s left  %s, seed %llu  step %d/%d%s", p->done + 1,
           p->trials > p->done ? p->trials : p->done + 1, left, p->remedy, p->seed, p->step,
           p->steps, loss);
  gf__bar_say(&s->bar, line);
}

static bool on_stop(void *user) {
  screen *s = user;
  if (!gf__interrupt_signal() || s->said_stopping) return gf__interrupt_signal() != 0;
  s->said_stopping = true;
  gf__bar_clear(&s->bar);
  fputs("gradflow: keeping what is trained; once more leaves at once\n", stderr);
  return true;
}

static void on_log(void *user, gf_log_level level, const char *message) {
  screen *s = user;
  gf__bar_log(&s->bar, level, message);
}

/* ---- the table ---- */

static void add_number(gf__table *table, const char *format, double value) {
  char text[32];
  if (isfinite(value))
    snprintf(text, sizeof text, format, value);
  else
    snprintf(text, sizeof text, "-");
  gf__table_add(table, "%s", text);
}

static void add_row(gf__table *table, const gf_trial_row *row) {
  gf__table_add(table, "%s", row->name);
  add_number(table, row->loss < LARGE ? "%.3f" : "%.2g", row->loss);
  if (row->seeds > 1 && row->loss_most < LARGE)
    gf__table_add(table, "%.3f-%.3f", row->loss_least, row->loss_most);
  else
    gf__table_add(table, "-");
  add_number(table, "%.1f", 100 * row->accuracy);
  add_number(table, "%.0e", row->flow);
  if (row->steps)
    gf__table_add(table, "%d x %d", row->steps, row->seeds);
  else
    gf__table_add(table, "-");
  gf__table_add(table, "%s", gf_trial_outcome_name(row->outcome));
}

static gf_status print_table(const gf_trial *trial) {
  static const gf__table_column columns[] = {{"remedy", false}, {"loss", true}, {"range", true},
                                             {"%", true},       {"flow", true}, {"steps", true},
                                             {"outcome", false}};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  gf__text text = {0};
  /* Names of two remedies together are long; a file and a pipe have room. */
  int width = gf__is_terminal(stdout) ? gf__terminal_width(stdout) : WIDE;
  for (int i = 0; i < trial->row_count; i++) add_row(&table, &trial->rows[i]);
  gf_status status = gf__table_text(&table, width < NARROW ? NARROW : width, &text);
  gf__table_free(&table);
  if (status == GF_OK) printf("%s", text.data);
  gf__text_free(&text);
  return status;
}

static void print_notes(const gf_trial *trial) {
  printf(
      "\nloss and %%: of %d %s images, the median over the seeds, whose losses range as shown.\n"
      "flow: the smallest mean |g| of a layer by the largest, in the last step. steps: x seeds.\n"
      "Differences below %.3f say nothing; guessing has a loss of %.3f.\n",
      trial->images, trial->is_validated ? "validation" : "training", trial->margin,
      trial->guessing);
  for (int i = 0; i < trial->row_count; i++)
    if (*trial->rows[i].note) printf("%s: %s\n", trial->rows[i].name, trial->rows[i].note);
  if (!trial->is_complete)
    printf("The time was over before all was trained; the same command goes on with the rest.\n");
}

static void print_command(const gf_trial *trial) {
  const gf_trial_row *row = &trial->rows[trial->best];
  gf__text line = {0};
  gf__text_add(&line, "gradflow train ");
  gf__cli_add_word(&line, trial->config);
  for (int i = 0; i < row->setting_count; i++) {
    gf__text_add(&line, " \\\n    --set ");
    gf__cli_add_word(&line, row->settings[i]);
  }
  gf__text_add(&line, " \\\n    --out ");
  gf__text out = {0};
  gf__text_add(&out, "%.*s-best", (int)(strlen(trial->config) - strlen("/config.yaml")),
               trial->config);
  gf__cli_add_word(&line, out.data ? out.data : "");
  printf("\n%s: %s\n  %s\n", row->outcome == GF_TRIAL_HELPS ? "best" : "most promising", row->name,
         line.data ? line.data : "");
  gf__text_free(&out);
  gf__text_free(&line);
}

/* Where no loss has moved, the gradient says which network could learn. */
static void print_none(const gf_trial *trial) {
  const gf_trial_row *best = NULL, *as_it_is = NULL;
  for (int i = 0; i < trial->row_count; i++) {
    const gf_trial_row *row = &trial->rows[i];
    if (row->outcome == GF_TRIAL_AS_IT_IS) as_it_is = row;
    bool counts = row->outcome == GF_TRIAL_DOES_NOT_HELP && isfinite(row->flow);
    if (counts && (!best || row->flow > best->flow)) best = row;
  }
  printf("\nNone of the remedies lowers the loss within these steps.\n");
  if (best && as_it_is && best->flow > 10 * as_it_is->flow)
    printf(
        "The gradient flows best with %s (%.0e, as it is %.0e): a longer --time,\nmore --steps or "
        "larger batches show whether it learns.\n",
        best->name, best->flow, as_it_is->flow);
}

static gf_status print_trial(const gf_trial *trial) {
  GF_TRY(print_table(trial));
  print_notes(trial);
  if (trial->best >= 0)
    print_command(trial);
  else
    print_none(trial);
  printf("\n%-10s %s\n%-10s gradflow study run %s\n%-10s %s\n", "picture", trial->picture,
         "full length", trial->study, "report", trial->report);
  return GF_OK;
}

static gf_status print_json(const gf_trial *trial) {
  json_t *json = gf__json_read(trial->report);
  return json ? gf__cli_print_json(json) : gf__fail(GF_ERROR_FILE, "cannot read %s", trial->report);
}

/* ---- before ---- */

static gf_status read_time(const char *text, double *seconds) {
  if (!text || gf__duration_parse(text, seconds)) return GF_OK;
  return gf__fail(GF_ERROR_ARGUMENT,
                  "--time %s: must be a time with its unit, such as 90s, 5m or 1h30m", text);
}

/* "RUN-trial" beside a run, "runs/NAME-trial" for a config. */
static void add_default_out(gf__text *out, const char *source) {
  size_t length = strlen(source);
  while (length > 1 && source[length - 1] == '/') length--;
  bool is_dots = strspn(gf__path_base(source), "./") == strlen(gf__path_base(source));
  if (!gf__path_is_folder(source))
    gf__cli_default_out(source, out);
  else if (is_dots) /* "." and ".." have no name to add to */
    gf__text_add(out, "%.*s/../", (int)length, source);
  else
    gf__text_add(out, "%.*s", (int)length, source);
  gf__text_add(out, "%s", is_dots && gf__path_is_folder(source) ? "trial" : "-trial");
}

static gf_status load_config(gf_config **out, const char *source, const gf__texts *sets) {
  char path[GF__PATH_SIZE];
  if (!gf__path_is_folder(source)) return gf__cli_load_config(out, sets, source);
  GF_TRY(gf__path_join(path, sizeof path, source, "config.yaml"));
  if (!gf__path_exists(path))
    return gf__fail(GF_ERROR_FILE, "%s is not the folder of a run: it has no config.yaml", source);
  return gf__cli_load_config(out, sets, path);
}

static gf_status run_trial(const gf_config *config, const gf__try_options *o, const char *out,
                           double seconds) {
  screen s = {.bar = {.file = stderr,
                      .enabled = gf__cli_can_draw(stderr),
                      .colours = gf__cli_has_colours(stderr)}};
  gf_trial_options how = gf_trial_options_default();
  how.out = out;
  if (seconds > 0) how.seconds = seconds;
  if (o->steps) how.steps = o->steps;
  how.events = (gf_trial_events){.user = &s, .progress = on_progress, .stop = on_stop};
  gf_device *device = NULL;
  gf_trial *trial = NULL;
  gf_log_to(on_log, &s);
  gf__interrupt_catch();
  gf_status status = gf_device_open(&device, o->device);
  if (status == GF_OK) status = gf_trial_run(&trial, device, config, &how);
  gf__bar_clear(&s.bar);
  gf_log_to(gf__cli_log, NULL);
  if (status == GF_OK) status = o->json ? print_json(trial) : print_trial(trial);
  gf_trial_free(&trial);
  gf_device_free(&device);
  return status;
}

int gf__cli_try(const char *source, const gf__try_options *o) {
  gf_config *config = NULL;
  gf__text out = {0};
  double seconds = 0;
  if (o->out)
    gf__text_add(&out, "%s", o->out);
  else
    add_default_out(&out, source);
  gf_status status = gf__text_status(&out);
  if (status == GF_OK) status = read_time(o->time, &seconds);
  if (status == GF_OK) status = load_config(&config, source, o->sets);
  if (status == GF_OK) status = run_trial(config, o, out.data, seconds);
  gf_config_free(&config);
  gf__text_free(&out);
  if (status == GF_OK) return 0;
  int by_signal = status == GF_ERROR_INTERRUPTED ? gf__interrupt_exit_code() : 0;
  int code = gf__cli_fail(status);
  return by_signal ? by_signal : code;
}
