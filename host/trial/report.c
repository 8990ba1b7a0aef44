/* What a trial leaves for people and programs: a picture, a study, and report.json. */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/report.h>

#include "base/json.h"
#include "trial/trial.h"

/* ---- the picture ---- */

enum { MOST_CURVES = 7 }; /* as many as there are colours */

typedef struct curves {
  gf_series series[MOST_CURVES];
  double *numbers[MOST_CURVES]; /* x, then y */
  int count;
} curves;

static const gf__candidate *candidate_of(const gf__trial_state *trial, const gf_trial_row *row) {
  for (int i = 0; i < trial->candidate_count; i++)
    if (trial->candidates[i].name == row->name) return &trial->candidates[i];
  return NULL;
}

/* The mean over a window of a tenth of the steps that ends at each: single batches differ too much
 * for an eye to follow. */
static void smooth(const double *losses, int count, double *out) {
  int window = count / 10 > 1 ? count / 10 : 1;
  for (int i = 0; i < count; i++) {
    double sum = 0;
    int first = i + 1 < window ? 0 : i + 1 - window;
    for (int k = first; k <= i; k++) sum += losses[k];
    out[i] = sum / (i + 1 - first);
  }
}

static gf_status add_curve(const gf__trial_state *trial, const gf_trial_row *row, curves *c) {
  const gf__candidate *candidate = candidate_of(trial, row);
  const gf__trial_result *r = gf__trial_find(trial, candidate, trial->seed, row->steps);
  if (!r || r->loss_count == 0 || c->count == MOST_CURVES) return GF_OK;
  size_t count = (size_t)r->loss_count;
  double *numbers = malloc(2 * count * sizeof *numbers);
  if (!numbers) return gf__fail_host_memory(2 * count * sizeof *numbers);
  for (size_t i = 0; i < count; i++) /* in steps of the config as it is */
    numbers[i] = (double)(i + 1) * row->steps / (double)count;
  smooth(r->losses, r->loss_count, numbers + count);
  c->numbers[c->count] = numbers;
  c->series[c->count] = (gf_series){.name = row->name,
                                    .x = numbers,
                                    .y = numbers + count,
                                    .count = r->loss_count,
                                    .shade = 1,
                                    .hue = c->count,
                                    .dashed = row->outcome == GF_TRIAL_AS_IT_IS};
  c->count++;
  return GF_OK;
}

/* The config as it is, and the best remedies. */
static gf_status add_curves(const gf__trial_state *trial, const gf_trial *out, curves *c) {
  for (int i = 0; i < out->row_count; i++)
    if (out->rows[i].outcome == GF_TRIAL_AS_IT_IS) GF_TRY(add_curve(trial, &out->rows[i], c));
  for (int i = 0; i < out->row_count; i++)
    if (out->rows[i].outcome != GF_TRIAL_AS_IT_IS && isfinite(out->rows[i].loss))
      GF_TRY(add_curve(trial, &out->rows[i], c));
  return GF_OK;
}

/* The first steps of a network that is initialised badly would flatten all others: what is far
 * above guessing, and above all curves in the end, is left out. */
static double cut_curves(const gf_trial *out, curves *c) {
  double limit = 1.2 * out->guessing;
  for (int i = 0; i < c->count; i++) {
    int count = c->series[i].count;
    double last = c->numbers[i][2 * count - 1];
    if (isfinite(last)) limit = fmax(limit, 1.1 * last);
  }
  for (int i = 0; i < c->count; i++) {
    double *y = c->numbers[i] + c->series[i].count;
    for (int k = 0; k < c->series[i].count; k++)
      if (y[k] > limit) y[k] = NAN;
  }
  return limit;
}

gf_status gf__trial_draw(const gf__trial_state *trial, const gf_trial *out) {
  curves c = {.count = 0};
  char note[160];
  gf_chart chart = {.title = "Trial of remedies: training loss",
                    .x_label = "step",
                    .y_label = "loss, mean over a tenth of the steps",
                    .series = c.series,
                    .note = note,
                    .reference = out->guessing,
                    .reference_name = "guessing"};
  gf_status status = add_curves(trial, out, &c);
  chart.count = c.count;
  snprintf(note, sizeof note,
           "the same images in the same order; a line that ends early was stopped; losses above "
           "%.3g are left out",
           cut_curves(out, &c));
  if (status == GF_OK) status = gf_charts_write(out->picture, &chart, 1, 1);
  for (int i = 0; i < c.count; i++) free(c.numbers[i]);
  return status;
}

/* ---- the study ---- */

/* Letters, digits and underscores, as the names of folders. */
static void add_identifier(gf__text *out, const char *name) {
  bool is_first = true;
  for (; *name; name++) {
    bool is_plain = isalnum((unsigned char)*name);
    if (is_plain || !is_first) gf__text_add(out, "%c", is_plain ? *name : '_');
    is_first = false;
  }
}

static void add_setting(gf__text *out, const gf_trial_row *row) {
  gf__text_add(out, "  - name: ");
  add_identifier(out, row->name);
  gf__text_add(out, "\n    label: \"%s\"\n    base: config.yaml\n", row->name);
  if (row->setting_count) gf__text_add(out, "    set:\n");
  for (int i = 0; i < row->setting_count; i++) {
    const char *equals = strchr(row->settings[i], '=');
    gf__text_add(out, "      %.*s: %s\n", (int)(equals - row->settings[i]), row->settings[i],
                 equals + 1);
  }
}

gf_status gf__trial_write_study(const gf__trial_state *trial, const gf_trial *out) {
  gf__text text = {0};
  int longest = 0;
  for (int i = 0; i < out->row_count; i++)
    if (out->rows[i].steps > longest) longest = out->rows[i].steps;
  gf__text_add(&text,
               "# The best remedies of the trial beside the config as it is, at full length:\n"
               "#   gradflow study run %s\n"
               "study:\n  name: remedies\n  title: \"Remedies at full length\"\n  out: study\n"
               "seeds: [%llu, %llu, %llu]\nsettings:\n",
               out->study, trial->seed, trial->seed + 1, trial->seed + 2);
  for (int i = 0; i < out->row_count; i++) {
    const gf_trial_row *row = &out->rows[i];
    bool is_left = row->steps == longest && isfinite(row->loss);
    if (is_left || row->outcome == GF_TRIAL_AS_IT_IS) add_setting(&text, row);
  }
  gf__text_add(&text,
               "tables:\n  - name: remedies\n    title: \"Remedies\"\n"
               "    columns: [train_loss, validation_loss, validation_accuracy, test_accuracy]\n"
               "figures:\n  - {name: loss, title: \"Loss\", kind: loss}\n");
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf__file_write(out->study, text.data, text.size);
  gf__text_free(&text);
  return status;
}

/* ---- report.json ---- */

static json_t *report_row(const gf_trial_row *row) {
  json_t *settings = json_array();
  const char *outcome =
      row->outcome == GF_TRIAL_AS_IT_IS ? "as it is" : gf_trial_outcome_name(row->outcome);
  for (int i = 0; i < row->setting_count; i++)
    json_array_append_new(settings, json_string(row->settings[i]));
  return json_pack("{s:s, s:o, s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "name",
                   row->name, "settings", settings, "text", row->text, "outcome", outcome, "note",
                   row->note, "steps", row->steps, "seeds", row->seeds, "loss",
                   gf__json_number(row->loss), "loss_least", gf__json_number(row->loss_least),
                   "loss_most", gf__json_number(row->loss_most), "accuracy",
                   gf__json_number(row->accuracy), "flow", gf__json_number(row->flow));
}

gf_status gf__trial_write_report(const gf__trial_state *trial, const gf_trial *out) {
  const gf__trial_plan *p = &trial->plan;
  json_t *rows = json_array();
  for (int i = 0; i < out->row_count; i++) json_array_append_new(rows, report_row(&out->rows[i]));
  json_t *best = out->best < 0 ? json_null() : json_string(out->rows[out->best].name);
  json_t *json = json_pack("{s:b, s:o, s:[i,i,i], s:i, s:s, s:i, s:f, s:f, s:s, s:s, s:s, s:o}",
                           "complete", out->is_complete, "best", best, "steps", p->steps[0],
                           p->steps[1], p->steps[2], "batch_size", trial->batch_size, "losses_of",
                           out->is_validated ? "validation" : "training", "images", out->images,
                           "margin", out->margin, "guessing", out->guessing, "config", out->config,
                           "picture", out->picture, "study", out->study, "rows", rows);
  return gf__json_write(out->report, json);
}
