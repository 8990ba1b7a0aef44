/* Successive halving (Jamieson and Talwalkar, 2016; Karnin et al., 2013): all remedies are trained
 * for a few steps, the better ones and pairs of the best for more, and the best of those with
 * several seeds for the most. */
#include <math.h>
#include <stdlib.h>

#include "trial/trial.h"

enum {
  LEAST_STEPS = 20, /* fewer say nothing of a remedy */
  GROWTH = 3,       /* of the steps from rung to rung; the best 1 / GROWTH remain */
  KEPT = 3,         /* that remain at least */
  FINALISTS = 3,
  PAIRS = 3
};
static const double reserve = 0.85; /* of the time, as later networks may be slower */
/* Of the seconds that the first network took to open: kernels that it shares with others are
 * compiled by then. */
static const double reopening = 0.3;
static const double slower_opening = 1.5; /* than the shortest */
/* Of the time: what the first rung leaves. */
static const double for_others = 0.45;
enum { LEAST_IMAGES = 300 }; /* of validation */

/* ---- the plan ---- */

static int at_least(int value, int least) { return value > least ? value : least; }

static void set_steps(gf__trial_plan *p, int longest) {
  p->steps[2] = longest;
  p->steps[1] = at_least(longest / GROWTH, LEAST_STEPS);
  p->steps[0] = at_least(longest / GROWTH / GROWTH, LEAST_STEPS);
}

static int count_trainings(const gf__trial_plan *p) {
  return p->candidates + p->kept + 1 + p->pairs + (p->finalists + 1) * p->seeds;
}

/* Seconds from a rung on, with what is opened for each training and the validation, whose forward
 * costs about a third of a step. */
static double cost_of(const gf__trial_state *trial, const gf__trial_plan *p, int rung) {
  double first = p->steps[0], second = p->steps[1], third = p->steps[2];
  double validation = (double)p->validation_images / trial->batch_size / 3;
  double steps = (p->kept + 1) * (second - first) + p->pairs * second +
                 (p->finalists + 1) * (third * p->seeds - second);
  int trainings = count_trainings(p);
  if (rung == 0)
    steps += p->candidates * first;
  else
    trainings -= p->candidates;
  double opening = trial->opened ? trial->open_seconds : reopening * trial->open_seconds;
  return (steps + trainings * validation) * trial->step_seconds + trainings * opening;
}

static void size_plan(const gf__trial_state *trial, gf__trial_plan *p, int candidates, int seeds,
                      int longest) {
  int remedies = candidates - 1, images = gf_dataset_describe(trial->validation).count;
  set_steps(p, longest);
  p->candidates = candidates;
  p->kept = at_least((remedies + GROWTH - 1) / GROWTH, KEPT);
  if (p->kept > remedies) p->kept = remedies;
  p->pairs = seeds > 1 && remedies > 1 ? PAIRS : 0;
  p->finalists = remedies < FINALISTS ? remedies : FINALISTS;
  p->seeds = seeds;
  p->validation_images = at_least(p->steps[0] / 2 * trial->batch_size, LEAST_IMAGES);
  if (p->validation_images > images) p->validation_images = images;
}

static bool fits(const gf__trial_state *trial, const gf__trial_plan *p, double seconds) {
  return cost_of(trial, p, 0) <= reserve * seconds;
}

static gf_status fail_short(const gf__trial_state *trial) {
  gf__trial_plan least;
  size_plan(trial, &least, 2, 1, LEAST_STEPS);
  double seconds = gf__seconds() - trial->begun + cost_of(trial, &least, 0) / reserve;
  return gf__fail(GF_ERROR_ARGUMENT,
                  "a time of %.0f s is too short for one trial: a step takes %.2g s here, and %d "
                  "steps of the config as it is and of one remedy about %.0f s in all; allow more "
                  "time, or make the steps smaller by train.batch_size",
                  trial->options.seconds, trial->step_seconds, LEAST_STEPS, ceil(seconds));
}

/* The longest trainings that fit; then fewer seeds; then fewer remedies, of which the first ones
 * are those with the most evidence. */
gf_status gf__trial_make_plan(gf__trial_state *trial) {
  gf__trial_plan *p = &trial->plan;
  double seconds = gf__trial_seconds_left(trial);
  int most = trial->options.steps, all = trial->candidate_count;
  if (p->steps[2]) return GF_OK;
  for (int longest = at_least(most, LEAST_STEPS); longest >= LEAST_STEPS; longest--) {
    size_plan(trial, p, all, trial->options.seeds, longest);
    if (fits(trial, p, seconds)) return gf__trial_write(trial);
  }
  for (int candidates = all; candidates >= 2; candidates--) {
    size_plan(trial, p, candidates, 1, LEAST_STEPS);
    if (fits(trial, p, seconds)) return gf__trial_write(trial);
  }
  *p = (gf__trial_plan){0};
  return fail_short(trial);
}

/* Sizes the rungs after the first one by what that took: with all seeds if the steps of the first
 * rung allow it, and then as long as the time allows. What is trained already stays as it is. */
static gf_status settle_plan(gf__trial_state *trial) {
  gf__trial_plan *p = &trial->plan, next = *p;
  double seconds = gf__trial_seconds_left(trial);
  bool found = false;
  if (p->is_settled || !trial->opened || !trial->stepped) return GF_OK;
  trial->open_seconds = slower_opening * trial->opening;
  trial->step_seconds = trial->stepping / trial->stepped;
  for (next.seeds = trial->options.seeds; !found && next.seeds >= 1; next.seeds -= !found) {
    next.pairs = next.seeds > 1 && p->candidates > 2 ? PAIRS : 0;
    for (int longest = trial->options.steps; !found && longest >= p->steps[0]; longest--) {
      next.steps[2] = longest;
      next.steps[1] = at_least(longest / GROWTH, p->steps[0]);
      found = cost_of(trial, &next, 1) <= reserve * seconds;
    }
  }
  if (found) *p = next;
  p->is_settled = true;
  trial->expected = count_trainings(p);
  return gf__trial_write(trial);
}

/* ---- the rungs ---- */

/* A training that is there, or is made now; *out is NULL where the time is over. The first rung
 * leaves time to the others. */
static gf_status train_once(gf__trial_state *trial, int candidate, unsigned long long seed,
                            int rung, const gf__trial_result **out) {
  double kept = rung || candidate == 0 ? 0 : for_others * trial->options.seconds;
  const gf__candidate *c = &trial->candidates[candidate];
  int steps = trial->plan.steps[rung];
  gf__trial_result made;
  bool is_late = gf__trial_seconds_left(trial) <= kept;
  if ((*out = gf__trial_find(trial, c, seed, steps))) return GF_OK;
  if (!is_late) GF_TRY(gf__trainee_train(trial, c, seed, steps, &made, &is_late));
  if (is_late) return GF_OK;
  GF_TRY(gf__trial_keep(trial, &made));
  *out = gf__trial_find(trial, c, seed, steps);
  return GF_OK;
}

/* A candidate in a rung. */
typedef struct entrant {
  int candidate;
  double loss, flow;
  bool is_ahead; /* of the config as it is, by more than the margin */
} entrant;

/* First those that are ahead, by loss. Among the others the loss misleads as long as steps are few:
 * a network whose gradient vanishes stays at the loss of guessing, and one that is about to learn
 * comes from above it. They are in the order of their gradient flow. */
static int compare_entrants(const void *a, const void *b) {
  const entrant *x = a, *y = b;
  if (x->is_ahead != y->is_ahead) return x->is_ahead ? -1 : 1;
  if (x->is_ahead && x->loss != y->loss) return x->loss < y->loss ? -1 : 1;
  if (!x->is_ahead && x->flow != y->flow) return x->flow > y->flow ? -1 : 1;
  return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

static void sort_entrants(entrant *all, int count, double margin) {
  for (int i = 1; i < count; i++) {
    all[i].is_ahead = !isfinite(all[0].loss) || all[i].loss < all[0].loss - margin;
    if (isnan(all[i].flow)) all[i].flow = 0;
  }
  qsort(all + 1, (size_t)count - 1, sizeof *all, compare_entrants);
}

/* Trains the entrants in a rung, and sorts them; those that have no loss are dropped. The first of
 * them is the config as it is, which stays the first. *is_late: not all were trained. */
static gf_status train_rung(gf__trial_state *trial, entrant *all, int *count, int rung,
                            bool *is_late) {
  int left = 0;
  for (int i = 0; i < *count; i++) {
    const gf__trial_result *result;
    GF_TRY(train_once(trial, all[i].candidate, trial->seed, rung, &result));
    *is_late |= !result;
    if (i == 0 && !result) return GF_OK;
    if (result && (isfinite(result->loss) || i == 0))
      all[left++] = (entrant){all[i].candidate, result->loss, result->flow, false};
  }
  *count = left;
  sort_entrants(all, left, gf__trial_least_margin(trial));
  return GF_OK;
}

/* Pairs of the best three remedies, the best two first. Those of a plan with a place for fewer do
 * not come to it. */
static gf_status add_pairs(gf__trial_state *trial, entrant *all, int *count) {
  static const int pairs[PAIRS][2] = {{1, 2}, {1, 3}, {2, 3}};
  int remedies = *count;
  for (int i = 0; i < trial->plan.pairs && i < PAIRS; i++) {
    int index, a = pairs[i][0], b = pairs[i][1];
    if (a >= remedies || b >= remedies) continue;
    GF_TRY(gf__trial_candidates_pair(trial, all[a].candidate, all[b].candidate, &index));
    if (index >= 0) all[(*count)++].candidate = index;
  }
  return GF_OK;
}

/* The seeds one after the other, so that each of them is there for all where the time ends. */
static gf_status train_final(gf__trial_state *trial, const entrant *all, int count, bool *is_late) {
  for (int seed = 0; seed < trial->plan.seeds; seed++)
    for (int i = 0; i < count; i++) {
      const gf__trial_result *result;
      GF_TRY(train_once(trial, all[i].candidate, trial->seed + (unsigned)seed, 2, &result));
      *is_late |= !result;
    }
  return GF_OK;
}

static int cut(int count, int most) { return count < most + 1 ? count : most + 1; }

static gf_status train_rungs(gf__trial_state *trial, entrant *all, bool *is_late) {
  const gf__trial_plan *p = &trial->plan;
  int count = p->candidates < trial->candidate_count ? p->candidates : trial->candidate_count;
  for (int i = 0; i < count; i++) all[i] = (entrant){.candidate = i};
  GF_TRY(train_rung(trial, all, &count, 0, is_late));
  if (!gf__trial_find(trial, &trial->candidates[0], trial->seed, p->steps[0]))
    return fail_short(trial);
  count = cut(count, p->kept);
  GF_TRY(settle_plan(trial));
  GF_TRY(train_rung(trial, all, &count, 1, is_late));
  if (*is_late && gf__trial_seconds_left(trial) <= 0) return GF_OK; /* no pairs that have no time */
  GF_TRY(add_pairs(trial, all, &count));
  GF_TRY(train_rung(trial, all, &count, 1, is_late));
  return train_final(trial, all, cut(count, p->finalists), is_late);
}

gf_status gf__trial_halve(gf__trial_state *trial, bool *is_complete) {
  bool is_late = trial->plan.candidates < trial->candidate_count;
  size_t bytes = ((size_t)trial->candidate_count + PAIRS) * sizeof(entrant);
  entrant *all = malloc(bytes);
  if (!all) return gf__fail_host_memory(bytes);
  trial->expected = count_trainings(&trial->plan);
  gf_status status = train_rungs(trial, all, &is_late);
  free(all);
  *is_complete = !is_late;
  return status;
}
