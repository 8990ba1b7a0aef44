#include "study/tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/utf8.h"
#include "study/aggregate.h"

static const gf__setting *setting_of(const gf_study *study, const gf__study_table *spec, int row) {
  return &study->settings[spec->rows[row]];
}

static bool is_finished(const gf__outcome *outcome) {
  return outcome->state.status == GF_RUN_FINISHED;
}

static int count_finished(const gf__setting *setting, const gf__outcome *outcomes) {
  int count = 0;
  for (int i = 0; i < setting->seed_count; i++) count += is_finished(&outcomes[i]);
  return count;
}

static gf_status aggregate(const gf__setting *setting, const gf__outcome *outcomes, int column,
                           gf__aggregate *out) {
  double *values = malloc((size_t)setting->seed_count * sizeof *values);
  if (!values) return gf__fail_host_memory((size_t)setting->seed_count * sizeof *values);
  for (int i = 0; i < setting->seed_count; i++)
    values[i] = is_finished(&outcomes[i]) ? outcomes[i].values[column] : NAN;
  *out = gf__aggregate_values(values, setting->seed_count);
  free(values);
  return GF_OK;
}

static bool is_published(const gf_study *study, const gf__study_table *spec, int column) {
  for (int i = 0; i < spec->row_count; i++)
    if (!isnan(setting_of(study, spec, i)->published[column].mean)) return true;
  return false;
}

static void add_column(gf__sheet *sheet, bool right, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_column(gf__sheet *sheet, bool right, const char *format, ...) {
  int i = sheet->table.column_count++;
  va_list args;
  va_start(args, format);
  vsnprintf(sheet->headers[i], sizeof sheet->headers[i], format, args);
  va_end(args);
  sheet->columns[i] = (gf__table_column){sheet->headers[i], right};
}

static void begin_sheet(gf__sheet *sheet) {
  *sheet = (gf__sheet){0};
  sheet->table.columns = sheet->columns;
}

/* ---- for people ---- */

int gf__sheet_width(const gf__sheet *sheet) {
  enum { BETWEEN = 2 };
  int columns = sheet->table.column_count, all = BETWEEN * (columns - 1);
  for (int i = 0; i < columns; i++) {
    int widest = gf__utf8_width(sheet->headers[i]);
    const char *cell = sheet->table.cells.data;
    for (int k = 0; k < (int)sheet->table.cell_count; k++, cell += strlen(cell) + 1)
      if (k % columns == i && gf__utf8_width(cell) > widest) widest = gf__utf8_width(cell);
    all += widest;
  }
  return all;
}

/* A number of a column as text; the largest has 309 digits before the point. */
typedef struct number {
  char text[320];
} number;

static number number_of(const gf__column_info *column, double value) {
  number out;
  snprintf(out.text, sizeof out.text, column->is_gradient ? "%.*e" : "%.*f", column->digits, value);
  return out;
}

static void add_spread(gf__table *table, const gf__column_info *column, double mean,
                       double deviation, const char *more) {
  if (isnan(mean))
    gf__table_add(table, "-");
  else if (isnan(deviation))
    gf__table_add(table, "%s%s", number_of(column, mean).text, more);
  else
    gf__table_add(table, "%s ± %s%s", number_of(column, mean).text,
                  number_of(column, deviation).text, more);
}

static void add_difference(gf__table *table, const gf__column_info *column, double difference) {
  number size = number_of(column, fabs(difference));
  if (isnan(difference))
    gf__table_add(table, "-");
  else /* what is rounded to 0 has no sign */
    gf__table_add(table, "%s%s",
                  strtod(size.text, NULL) == 0 ? ""
                  : difference < 0             ? "-"
                                               : "+",
                  size.text);
}

/* ---- the best row ---- */

/* What rows are ranked by: the first of these that the table has. */
static const gf__column ranking[] = {
    GF__COLUMN_VALIDATION_ACCURACY, GF__COLUMN_TEST_ACCURACY, GF__COLUMN_TRAIN_ACCURACY,
    GF__COLUMN_VALIDATION_LOSS,     GF__COLUMN_TEST_LOSS,     GF__COLUMN_TRAIN_LOSS,
};
enum { RANKINGS = sizeof ranking / sizeof *ranking };

/* The column that the rows are ranked by, or GF__COLUMN_COUNT. */
static gf__column ranking_column(const gf__study_table *spec) {
  for (int k = 0; k < RANKINGS; k++)
    for (int i = 0; i < spec->column_count; i++)
      if (spec->columns[i] == ranking[k]) return ranking[k];
  return GF__COLUMN_COUNT;
}

/* The row with the best mean, *best, -1 where there are no two to compare. */
static gf_status find_best(const gf_study *study, gf__outcomes outcomes,
                           const gf__study_table *spec, int *best) {
  gf__column column = ranking_column(spec);
  double least = 0;
  int compared = 0;
  *best = -1;
  for (int row = 0; row < spec->row_count && column != GF__COLUMN_COUNT; row++) {
    gf__aggregate a = {0};
    GF_TRY(aggregate(setting_of(study, spec, row), outcomes[spec->rows[row]], (int)column, &a));
    double value = gf__columns[column].is_accuracy ? -a.mean : a.mean;
    if (isnan(value)) continue;
    if (compared++ == 0 || value < least) {
      least = value;
      *best = row;
    }
  }
  if (compared < 2) *best = -1;
  return GF_OK;
}

static void add_varied(gf__table *table, const gf__setting *setting, const gf__varied *varied) {
  for (int i = 0; varied && i < varied->count; i++) {
    gf__text value = {0};
    gf__varied_add_value(&value, setting, varied->keys[i]);
    gf__table_add(table, "%s", value.data ? value.data : "");
    table->cells.failed |= value.failed;
    gf__text_free(&value);
  }
}

static gf_status add_row(gf__table *table, const gf_study *study, gf__outcomes outcomes,
                         const gf__study_table *spec, const gf__varied *varied, int row,
                         bool is_best, int first, int count) {
  const gf__setting *setting = setting_of(study, spec, row);
  const gf__outcome *own = outcomes[spec->rows[row]];
  int finished = count_finished(setting, own);
  bool at_chance = false;
  for (int i = 0; i < setting->seed_count; i++) at_chance |= own[i].at_chance;
  gf__table_add(table, "%s%s%s", setting->label, is_best ? " (best)" : "", at_chance ? " *" : "");
  add_varied(table, setting, varied);
  gf__table_add(table, "%d", finished);
  for (int i = first; i < first + count; i++) {
    const gf__column_info *column = &gf__columns[spec->columns[i]];
    const gf__published *published = &setting->published[spec->columns[i]];
    char more[32] = "";
    gf__aggregate a;
    GF_TRY(aggregate(setting, own, spec->columns[i], &a));
    if (a.n < finished) snprintf(more, sizeof more, " (n = %d)", a.n);
    add_spread(table, column, a.mean, a.deviation, more);
    if (!is_published(study, spec, spec->columns[i])) continue;
    add_spread(table, column, published->mean, published->deviation, "");
    add_difference(table, column, a.mean - published->mean);
  }
  return GF_OK;
}

gf_status gf__study_table_cells(gf__sheet *out, const gf_study *study, gf__outcomes outcomes,
                                const gf__study_table *spec, const gf__varied *varied, int first,
                                int count) {
  int best;
  begin_sheet(out);
  add_column(out, false, "setting");
  for (int i = 0; varied && i < varied->count; i++) add_column(out, true, "%s", varied->names[i]);
  add_column(out, true, "n");
  for (int i = first; i < first + count; i++) {
    add_column(out, true, "%s", gf__columns[spec->columns[i]].header);
    if (!is_published(study, spec, spec->columns[i])) continue;
    add_column(out, true, "published");
    add_column(out, true, "diff");
  }
  gf_status status = find_best(study, outcomes, spec, &best);
  for (int row = 0; row < spec->row_count && status == GF_OK; row++)
    status = add_row(&out->table, study, outcomes, spec, varied, row, row == best, first, count);
  if (status != GF_OK) gf__table_free(&out->table);
  return status;
}

/* ---- for programs ---- */

static void add_number(gf__table *table, double value) {
  if (isnan(value))
    gf__table_add(table, "%s", "");
  else
    gf__table_add(table, "%.10g", value);
}

static gf_status add_numbers(gf__table *table, const gf_study *study, gf__outcomes outcomes,
                             const gf__study_table *spec, const gf__varied *varied, int row) {
  const gf__setting *setting = setting_of(study, spec, row);
  gf__table_add(table, "%s", setting->name);
  gf__table_add(table, "%s", setting->label);
  add_varied(table, setting, varied);
  gf__table_add(table, "%d", count_finished(setting, outcomes[spec->rows[row]]));
  for (int i = 0; i < spec->column_count; i++) {
    const gf__published *published = &setting->published[spec->columns[i]];
    gf__aggregate a;
    GF_TRY(aggregate(setting, outcomes[spec->rows[row]], spec->columns[i], &a));
    add_number(table, a.mean);
    add_number(table, a.deviation);
    add_number(table, published->mean);
    add_number(table, published->deviation);
    add_number(table, a.mean - published->mean);
  }
  return GF_OK;
}

gf_status gf__study_table_numbers(gf__sheet *out, const gf_study *study, gf__outcomes outcomes,
                                  const gf__study_table *spec, const gf__varied *varied) {
  static const char *const suffixes[] = {"", "_deviation", "_published", "_published_deviation",
                                         "_difference"};
  begin_sheet(out);
  add_column(out, false, "setting");
  add_column(out, false, "label");
  for (int i = 0; i < varied->count; i++) add_column(out, true, "%s", varied->keys[i]);
  add_column(out, true, "n");
  for (int i = 0; i < spec->column_count; i++) {
    const gf__column_info *column = &gf__columns[spec->columns[i]];
    for (size_t k = 0; k < sizeof suffixes / sizeof *suffixes; k++)
      add_column(out, true, "%s%s%s", column->name, column->is_accuracy ? "_percent" : "",
                 suffixes[k]);
  }
  gf_status status = GF_OK;
  for (int row = 0; row < spec->row_count && status == GF_OK; row++)
    status = add_numbers(&out->table, study, outcomes, spec, varied, row);
  if (status != GF_OK) gf__table_free(&out->table);
  return status;
}

/* ---- notes ---- */

void gf__outcome_describe(gf__text *out, const gf__outcome *outcome) {
  const gf_run_state *state = &outcome->state;
  if (outcome->difference)
    gf__text_add(out, "%s", outcome->difference);
  else if (state->status == GF_RUN_ABSENT)
    gf__text_add(out, "not begun");
  else if (state->status == GF_RUN_STARTED)
    gf__text_add(out, "%d of %d epochs", state->epochs_done, state->epochs);
  else if (state->status == GF_RUN_DIVERGED)
    gf__text_add(out, "diverged in epoch %d", state->epochs_done + 1);
  else if (*state->stopped_by)
    gf__text_add(out, "stopped by %s after %d of %d epochs", state->stopped_by, state->epochs_done,
                 state->epochs);
  else
    gf__text_add(out, "finished");
}

static bool is_changed(const gf__outcome *o) { return o->difference != NULL; }

static bool has_stale_test(const gf__outcome *o) { return o->has_stale_test; }

static bool is_missing(const gf__outcome *o) {
  if (is_changed(o)) return false;
  return o->state.status == GF_RUN_ABSENT || o->state.status == GF_RUN_STARTED;
}

static bool has_diverged(const gf__outcome *o) { return o->state.status == GF_RUN_DIVERGED; }

static bool was_stopped(const gf__outcome *o) { return *o->state.stopped_by; }

static bool is_at_chance(const gf__outcome *o) { return o->at_chance; }

const char *gf__outcome_verdict(const gf__outcome *o) {
  return o->verdict < GF_VERDICT_COUNT ? gf_verdict_name(o->verdict) : "";
}

/* "Verdicts: plain: vanishing (3); residual: healthy (2), overfitting (1)." */
static void add_verdicts(gf__text *out, const gf_study *study, gf__outcomes outcomes,
                         const gf__study_table *spec) {
  bool any = false;
  for (int row = 0; row < spec->row_count; row++) {
    const gf__setting *setting = setting_of(study, spec, row);
    const gf__outcome *own = outcomes[spec->rows[row]];
    bool is_first = true;
    for (int v = 0; v < GF_VERDICT_COUNT; v++) {
      int count = 0;
      for (int i = 0; i < setting->seed_count; i++) count += own[i].verdict == (gf_verdict)v;
      if (count == 0) continue;
      gf__text_add(out, "%s", !any ? "Verdicts: " : is_first ? "; " : ", ");
      if (is_first) gf__text_add(out, "%s: ", setting->name);
      gf__text_add(out, "%s", gf_verdict_name((gf_verdict)v));
      if (setting->seed_count > 1) gf__text_add(out, " (%d)", count);
      any = true;
      is_first = false;
    }
  }
  if (any) gf__text_add(out, ".\n");
}

static const struct {
  bool (*holds)(const gf__outcome *);
  const char *title;
  bool describes;
} lists[] = {
    {is_at_chance,
     "* at chance, with the loss and the accuracy of guessing in the last epoch of training: ",
     false},
    {has_diverged, "Diverged, and left out of the means: ", true},
    {was_stopped, "Ended by train.stop before the last epoch: ", true},
    {is_missing, "Missing: ", true},
    {is_changed, "Made with other settings, and left out: ", true},
    {has_stale_test,
     "Without a test, as theirs was of weights from before they were trained on (study run tests "
     "them anew): ",
     false},
};

static void add_list(gf__text *out, const gf_study *study, gf__outcomes outcomes,
                     const gf__study_table *spec, size_t list) {
  bool any = false;
  for (int row = 0; row < spec->row_count; row++) {
    const gf__setting *setting = setting_of(study, spec, row);
    for (int i = 0; i < setting->seed_count; i++) {
      const gf__outcome *outcome = &outcomes[spec->rows[row]][i];
      if (!lists[list].holds(outcome)) continue;
      gf__text_add(out, "%s%s/seed-%" PRIu64, any ? ", " : lists[list].title, setting->name,
                   setting->seeds[i]);
      any = true;
      if (!lists[list].describes) continue;
      gf__text_add(out, " (");
      gf__outcome_describe(out, outcome);
      gf__text_add(out, ")");
    }
  }
  if (any) gf__text_add(out, ".\n");
}

void gf__study_table_notes(gf__text *out, const gf_study *study, gf__outcomes outcomes,
                           const gf__study_table *spec) {
  bool published = false, gradients = false;
  for (int i = 0; i < spec->column_count; i++) {
    published |= is_published(study, spec, spec->columns[i]);
    gradients |= gf__columns[spec->columns[i]].is_gradient;
  }
  if (*spec->note) gf__text_add(out, "%s\n", spec->note);
  gf__text_add(out,
               "Mean ± sample standard deviation (divisor n - 1) over the seeds of the n finished "
               "runs; a single run has no deviation.\n"
               "Train: the last epoch, as the mean over its batches as they were trained. "
               "Validation and test: the epoch with the best validation accuracy.\n");
  if (gradients)
    gf__text_add(out,
                 "First and last |g|: the mean of the gradient's absolute values over the "
                 "weights of the first and of the last layer, for the last batch of the last "
                 "epoch.\n");
  if (published) gf__text_add(out, "Diff: measured - published.\n");
  add_verdicts(out, study, outcomes, spec);
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) add_list(out, study, outcomes, spec, i);
}
