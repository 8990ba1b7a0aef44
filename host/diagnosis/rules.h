/* What each rule of a diagnosis looks for; diagnosis_rules.c has the table of them. */
#ifndef GF_DIAGNOSIS_RULES_H
#define GF_DIAGNOSIS_RULES_H

#include "diagnosis/diagnosis_query.h"

/* The texts of a finding while they are written. */
typedef struct gf__draft {
  gf__text headline, evidence;
  gf__text here; /* what the threshold is in this run, or empty */
} gf__draft;

/* Whether the rule holds; fills in the draft then. Where the run has no records of gradients, only
 * rules that are marked so in the table are asked. */
typedef bool gf__find(const gf__case *c, gf__draft *d);

/* rules_data.c */
gf__find gf__find_norm_of_one, gf__find_constant_input, gf__find_input_scale;
/* rules_steps.c */
gf__find gf__find_high_rate, gf__find_low_rate, gf__find_decay, gf__find_small_steps,
    gf__find_large_steps;
/* rules_gradients.c */
gf__find gf__find_nonfinite, gf__find_exploding, gf__find_vanishing, gf__find_no_gradient;
/* rules_activations.c */
gf__find gf__find_growing_branch, gf__find_dead_at_start, gf__find_dead_layer, gf__find_dead,
    gf__find_saturated;
/* rules_signal.c */
gf__find gf__find_signal_lost, gf__find_killed;
/* rules_learning.c */
gf__find gf__find_one_class, gf__find_above_guessing, gf__find_not_learning, gf__find_overfitting,
    gf__find_plateau, gf__find_fitted, gf__find_healthy;

/* For a gradient that vanishes: whether the signal reaches the logits, so that the gradient is lost
 * on its way back. Nothing where that is not known. */
void gf__add_direction(gf__text *out, const gf__case *c);

/* Sentences that several rules have. */
extern const char gf__mean_gradient[];
void gf__add_loss(gf__text *out, const gf__case *c);
void gf__add_typical(gf__text *out, const gf__case *c);
/* " The loss of guessing is …, its accuracy …." */
void gf__add_guess(gf__text *out, const gf__case *c);
/* " This is the run's only record." where it is. */
void gf__add_only_record(gf__text *out, int records);

/* How many layers have lost their gradient in the records from first to last, indices, in each of
 * them; *nearest to the output. */
int gf__count_lost(const gf__case *c, int first, int last, int *nearest);
/* The record before the last one, or the last where it is the only one. */
int gf__record_before(int records);

#endif
