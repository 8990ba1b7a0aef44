/* What a trial says: a row for each candidate, and which of them to use. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trial/trial.h"

/* Of ln(classes): what a difference has to be at least. The diagnosis has it for "not learning". */
static const double least_margin = 0.01;

/* The results of a candidate in the longest trainings that it was given. */
typedef struct group {
  const gf__trial_result *v[GF__TRIAL_MOST_SEEDS];
  int count, steps;
} group;

/* Those of that many steps, of any number where steps is 0. */
static group find_group(const gf__trial_state *trial, const gf__candidate *c, int steps) {
  group g = {.steps = steps};
  for (int i = 0; i < trial->result_count; i++) {
    const gf__trial_result *r = &trial->results[i];
    if (strcmp(r->id, c->id) != 0 || (steps && r->steps != steps)) continue;
    if (r->steps > g.steps) g = (group){.steps = r->steps};
    if (r->steps == g.steps && g.count < GF__TRIAL_MOST_SEEDS) g.v[g.count++] = r;
  }
  return g;
}

/* ---- medians ---- */

static int compare_numbers(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

typedef double field_of(const gf__trial_result *result);
static double loss_of(const gf__trial_result *r) { return r->loss; }
static double accuracy_of(const gf__trial_result *r) { return r->accuracy; }
static double flow_of(const gf__trial_result *r) { return r->flow; }

typedef struct spread {
  double median, least, most; /* NaN where there are no values */
} spread;

static spread spread_of(const group *g, field_of *field) {
  double values[GF__TRIAL_MOST_SEEDS];
  size_t count = 0;
  for (int i = 0; i < g->count; i++)
    if (isfinite(field(g->v[i]))) values[count++] = field(g->v[i]);
  if (count == 0) return (spread){NAN, NAN, NAN};
  qsort(values, count, sizeof *values, compare_numbers);
  return (spread){(values[(count - 1) / 2] + values[count / 2]) / 2, values[0], values[count - 1]};
}

/* ---- outcomes ---- */

const char *gf_trial_outcome_name(gf_trial_outcome outcome) {
  static const char *const names[] = {[GF_TRIAL_HELPS] = "helps",
                                      [GF_TRIAL_MAY_HELP] = "may help",
                                      [GF_TRIAL_DOES_NOT_HELP] = "does not help",
                                      [GF_TRIAL_MAKES_WORSE] = "makes it worse",
                                      [GF_TRIAL_DIVERGES] = "diverges",
                                      [GF_TRIAL_FAILS] = "cannot be trained",
                                      [GF_TRIAL_NO_TIME] = "no time",
                                      [GF_TRIAL_AS_IT_IS] = ""};
  return (unsigned)outcome < sizeof names / sizeof *names ? names[outcome] : "unknown";
}

double gf__trial_least_margin(const gf__trial_state *trial) {
  return least_margin * log(gf_dataset_describe(trial->train).classes);
}

double gf__trial_margin(const gf__trial_state *trial) {
  group as_it_is = find_group(trial, &trial->candidates[0], 0);
  spread loss = spread_of(&as_it_is, loss_of);
  double least = gf__trial_least_margin(trial);
  return isfinite(loss.median) ? fmax(loss.most - loss.least, least) : least;
}

static bool has_diverged(const group *g) {
  for (int i = 0; i < g->count; i++)
    if (g->v[i]->has_diverged) return true;
  return false;
}

/* Against the config as it is after as many steps. Where that has diverged, all that has not is
 * better. */
static gf_trial_outcome judge(const gf__trial_state *trial, const group *g, double margin) {
  if (g->count == 0) return GF_TRIAL_NO_TIME;
  if (g->v[0]->failure) return GF_TRIAL_FAILS;
  if (has_diverged(g)) return GF_TRIAL_DIVERGES;
  group base = find_group(trial, &trial->candidates[0], g->steps);
  spread own = spread_of(g, loss_of), other = spread_of(&base, loss_of);
  bool has_seeds = g->count > 1 && base.count > 1;
  bool is_longest = g->steps == trial->plan.steps[GF__TRIAL_RUNGS - 1];
  bool base_diverged = has_diverged(&base);
  bool is_apart = base_diverged || own.most < other.least - gf__trial_least_margin(trial);
  if (is_apart && has_seeds && is_longest) return GF_TRIAL_HELPS;
  if (base_diverged || own.median < other.median - margin) return GF_TRIAL_MAY_HELP;
  return own.median > other.median + margin ? GF_TRIAL_MAKES_WORSE : GF_TRIAL_DOES_NOT_HELP;
}

static gf_trial_row row_of(const gf__trial_state *trial, int index, double margin) {
  const gf__candidate *c = &trial->candidates[index];
  group g = find_group(trial, c, 0);
  spread loss = spread_of(&g, loss_of);
  gf_trial_outcome outcome = index ? judge(trial, &g, margin) : GF_TRIAL_AS_IT_IS;
  return (gf_trial_row){.name = c->name,
                        .settings = (const char *const *)c->settings,
                        .setting_count = c->setting_count,
                        .text = c->text,
                        .outcome = outcome,
                        .note = g.count && outcome == GF_TRIAL_FAILS ? g.v[0]->failure : "",
                        .steps = g.steps,
                        .seeds = g.count,
                        .loss = has_diverged(&g) ? (double)NAN : loss.median,
                        .loss_least = loss.least,
                        .loss_most = loss.most,
                        .accuracy = spread_of(&g, accuracy_of).median,
                        .flow = spread_of(&g, flow_of).median};
}

static int compare_rows(const void *a, const void *b) {
  const gf_trial_row *x = a, *y = b;
  bool has_x = isfinite(x->loss), has_y = isfinite(y->loss);
  if (has_x != has_y) return has_y - has_x;
  if (x->steps != y->steps) return x->steps < y->steps ? 1 : -1;
  if (has_x && x->loss != y->loss) return x->loss < y->loss ? -1 : 1;
  return strcmp(x->name, y->name);
}

gf_status gf__trial_rows(const gf__trial_state *trial, gf_trial_row **out) {
  size_t bytes = (size_t)trial->candidate_count * sizeof **out;
  double margin = gf__trial_margin(trial);
  *out = malloc(bytes);
  if (!*out) return gf__fail_host_memory(bytes);
  for (int i = 0; i < trial->candidate_count; i++) (*out)[i] = row_of(trial, i, margin);
  qsort(*out, (size_t)trial->candidate_count, sizeof **out, compare_rows);
  return GF_OK;
}

int gf__trial_best(const gf_trial_row *rows, int count) {
  for (int outcome = GF_TRIAL_HELPS; outcome <= GF_TRIAL_MAY_HELP; outcome++)
    for (int i = 0; i < count; i++)
      if ((int)rows[i].outcome == outcome) return i;
  return -1;
}
