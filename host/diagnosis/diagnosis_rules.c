/* The table of rules. docs/diagnosis.md has the same rows. */
#include <stdio.h>

#include "diagnosis/rules.h"

#define BIT(verdict) (1 << GF_VERDICT_##verdict)

enum {
  /* What reaches the network, or how it is stepped, is wrong: all else follows from it. */
  OUTSIDE = BIT(NORM_OF_ONE) | BIT(INPUT_CONSTANT) | BIT(RATE_HIGH) | BIT(DECAY),
  TOO_LARGE = BIT(NONFINITE) | BIT(EXPLODING) | BIT(BRANCH_GROWS),
  STOPPED = BIT(NO_GRADIENT) | BIT(DEAD_AT_START) | BIT(DEAD_LAYER) | BIT(VANISHING) |
            BIT(SIGNAL_LOST) | BIT(KILLED),
  CAUSES = OUTSIDE | TOO_LARGE | STOPPED | BIT(INPUT_SCALE) | BIT(RATE_LOW),
  STEPS = BIT(SMALL_STEPS) | BIT(LARGE_STEPS),
  ANY = -1
};

/* A rule, where it is looked for, and what it follows from. */
typedef struct rule_row {
  gf_rule rule;
  gf__find *find;
  int unless;           /* findings of which this one is a consequence, so that it is not said */
  bool needs_no_record; /* of gradients */
} rule_row;

#define ROW(kind, name, find, unless, needs_no_record, holds, source) \
  { {GF_VERDICT_##kind, name, holds, source}, find, unless, needs_no_record }

/* The first that holds is the headline. */
static const rule_row rules[] = {
    ROW(NORM_OF_ONE, "norm over one value", gf__find_norm_of_one, 0, true,
        "A batch norm sees one image with one pixel in training. Its mean is the value itself, so "
        "that nothing is left after it but its shift.",
        "Ioffe and Szegedy, 2015, whose algorithm divides by the deviation of the batch"),
    ROW(INPUT_CONSTANT, "constant input", gf__find_constant_input, 0, true,
        "Less than 1e-12 of the energy of the first batch differs between its images.",
        "the rounding of single precision"),
    ROW(INPUT_SCALE, "input not normalised", gf__find_input_scale, BIT(INPUT_CONSTANT), true,
        "In most channels of the first batch |mean| > 10, or the deviation is above 10 or below "
        "0.02.",
        "LeCun et al., 1998, who ask for mean 0 and deviation 1; the margins are this program's"),
    ROW(RATE_HIGH, "rate too high", gf__find_high_rate, BIT(NORM_OF_ONE) | BIT(INPUT_CONSTANT),
        true,
        "The rate is at least 10 times what the optimizer usually takes (adam, adamw and rmsprop "
        "1e-3, sgd 0.03), and the run diverged, guesses, or had a loss above 1.5 ln(classes).",
        "Kingma and Ba, 2015; Bengio, 2012; the factor is this program's"),
    ROW(RATE_LOW, "rate too low", gf__find_low_rate,
        BIT(NORM_OF_ONE) | BIT(INPUT_CONSTANT) | BIT(RATE_HIGH), true,
        "The rate is at most a hundredth of what the optimizer usually takes, and the loss is "
        "above half of that of guessing.",
        "Kingma and Ba, 2015; Bengio, 2012; the factor is this program's"),
    ROW(DECAY, "decay too strong", gf__find_decay,
        BIT(NORM_OF_ONE) | BIT(INPUT_CONSTANT) | BIT(RATE_HIGH), false,
        "In most layers decay times |weights| is more than a third of |gradient|, in two records, "
        "and the loss is not better than by guessing.",
        "the two terms of the step (Krogh and Hertz, 1991); with equal terms weights shrink "
        "whatever the gradient"),
    ROW(NONFINITE, "non-finite", gf__find_nonfinite, 0, true,
        "An infinity or a NaN in a gradient or a loss.", "none is needed"),
    ROW(BRANCH_GROWS, "residual branch grows", gf__find_growing_branch, BIT(NONFINITE), false,
        "The deviation of activations grows by more than 100 from the first addition to the "
        "last, or their root mean square does before the first step; and the network is not "
        "better than guessing.",
        "Zhang et al., 2019 (Fixup), on residual networks whose variance doubles per block; the "
        "factor is this program's"),
    ROW(EXPLODING, "exploding", gf__find_exploding, 0, false,
        "In two records mean |gradient| of a layer is above 1 and above 10 times that of the layer "
        "nearest to the loss, and the loss is above half of that of guessing.",
        "Pascanu et al., 2013, on gradients that explode; at 1 a usual step is larger than "
        "weights, which begin below 1/sqrt(fan_in)"),
    ROW(NO_GRADIENT, "no gradient", gf__find_no_gradient, OUTSIDE | BIT(NONFINITE), false,
        "A layer's gradient is exactly 0 in each record while that of the next layer towards the "
        "loss is above 1e-20; or no step moves it although its gradient has not vanished.",
        "single precision, which rounds nothing of that size to 0"),
    ROW(DEAD_AT_START, "dead at initialisation", gf__find_dead_at_start, OUTSIDE | TOO_LARGE, false,
        "From the first record on, that before the first step included, all channels of an "
        "activation are dead, and the loss was never below that of guessing.",
        "Lu et al., 2019, on ReLU networks that are born dead"),
    ROW(KILLED, "killed by training", gf__find_killed,
        OUTSIDE | BIT(NONFINITE) | BIT(DEAD_AT_START), false,
        "Before the first step the contrast of the logits was above 1e-6 and mean |gradient| "
        "of a layer above optimizer.eps (1e-8 without one); by now the contrast is at most a "
        "thousandth of what it was, or all channels of an activation have died; and the loss "
        "is not better than by guessing.",
        "Lu et al., 2019, on networks that die; the thousandth is this program's"),
    ROW(DEAD_LAYER, "dead layer", gf__find_dead_layer,
        OUTSIDE | TOO_LARGE | BIT(DEAD_AT_START) | BIT(KILLED), false,
        "In two records all channels of an activation are dead, and gradients are lost or the "
        "network is not better than guessing.",
        "Lu et al., 2019: one such layer stops a network"),
    ROW(SATURATED, "saturated", gf__find_saturated, OUTSIDE | BIT(NONFINITE), false,
        "In two records more than 40% of the channels of sigmoids or tanhs have a derivative of "
        "at most 0.01 on a whole batch, and the loss is above half of that of guessing.",
        "Glorot and Bengio, 2010, on layers that saturate one after the other; 40% as for dead "
        "units"),
    ROW(VANISHING, "vanishing", gf__find_vanishing,
        BIT(NORM_OF_ONE) | BIT(INPUT_CONSTANT) | BIT(NO_GRADIENT), false,
        "In two records mean |gradient| of a layer is below optimizer.eps (1e-8 without one) and "
        "below 1e-3 times that of the layer nearest to the loss.",
        "Kingma and Ba, 2015: below eps steps shrink with the gradient; 1e-3 is ten times less "
        "than healthy networks of this program have"),
    ROW(SIGNAL_LOST, "signal lost", gf__find_signal_lost, OUTSIDE | BIT(NONFINITE), false,
        "The contrast of the logits, the fraction of their energy that differs between images, is "
        "below 1e-6 before the first step and in the last record, and the loss is not better than "
        "by guessing.",
        "Schoenholz et al., 2017, on correlations that tend to 1 with depth; 1e-6 is a thousandth "
        "of the values, and rounding alone leaves about 1e-14"),
    ROW(ONE_CLASS, "predicts one class", gf__find_one_class, CAUSES, true,
        "All validation images were taken for one class, or exactly the commonest class was right "
        "in training, in two epochs, and that class is larger than 1.5 / classes.",
        "He and Garcia, 2009, on imbalanced data"),
    ROW(DEAD, "dead units", gf__find_dead,
        OUTSIDE | BIT(NONFINITE) | BIT(DEAD_AT_START) | BIT(DEAD_LAYER) | BIT(ONE_CLASS), false,
        "In two records more than 40% of the channels of all activations are dead on a batch of at "
        "least 16 images, and the loss is above half of that of guessing.",
        "Stanford's notes CS231n: as much as 40% of a network can die of a rate that is too high"),
    ROW(SMALL_STEPS, "small steps", gf__find_small_steps, CAUSES, false,
        "The median of |update| / |weights| over layers and epochs is below 1e-4, and the loss is "
        "above half of that of guessing.",
        "Hinton, 2010, whose rule of thumb is 1e-3"),
    ROW(LARGE_STEPS, "large steps", gf__find_large_steps, OUTSIDE | BIT(NONFINITE) | BIT(EXPLODING),
        false,
        "The median of |update| / |weights| over layers and epochs is above 0.1, and the loss is "
        "above half of that of guessing.",
        "Hinton, 2010, whose rule of thumb is 1e-3"),
    ROW(ABOVE_GUESSING, "loss above guessing", gf__find_above_guessing, CAUSES | STEPS, true,
        "In two epochs the train loss is above 1.05 ln(classes), and it does not fall by a tenth "
        "or is "
        "still above 3 ln(classes).",
        "ln(classes) is the cross-entropy of equal scores"),
    ROW(NOT_LEARNING, "not learning", gf__find_not_learning,
        CAUSES | STEPS | BIT(ONE_CLASS) | BIT(ABOVE_GUESSING) | BIT(SATURATED), false,
        "After 3 epochs and 100 steps or more the train loss is within 1% of that of guessing and "
        "did "
        "not fall by 0.1% of it in each of the last two epochs, and the accuracy is at most three "
        "binomial standard deviations above the larger of 1 / classes and the fraction of the "
        "commonest class.",
        "the loss of guessing is the entropy of the classes; the margins are this program's"),
    ROW(OVERFITTING, "overfitting", gf__find_overfitting, BIT(NONFINITE), true,
        "For two epochs or more the validation loss is above its lowest, by now by 20%, while the "
        "train loss fell by 10%, and the accuracies differ by more than 5% and three binomial "
        "standard deviations.",
        "Prechelt, 1998, on stopping early; the margins are this program's"),
    ROW(PLATEAU, "plateau", gf__find_plateau,
        CAUSES | STEPS | BIT(ABOVE_GUESSING) | BIT(OVERFITTING), true,
        "For 10 epochs or more, and a third of the run, the train loss has not fallen by 1%, at a "
        "rate of at least half of its highest and a loss above a tenth of that of guessing.",
        "He et al., 2015b, who lower the rate where the error stops falling; 10 epochs are the "
        "default of PyTorch's ReduceLROnPlateau"),
    ROW(FITTED, "fitted", gf__find_fitted, BIT(NONFINITE), true,
        "The train loss is below 0.01 and the accuracy at least 99%.", "this program's"),
    ROW(HEALTHY, "healthy", gf__find_healthy, ANY, false, "None of the other rules holds.",
        "none is needed"),
};

_Static_assert(sizeof rules / sizeof *rules == GF_VERDICT_COUNT, "a row for each verdict");

const gf_rule *gf_rule_of(gf_verdict verdict) {
  return (unsigned)verdict < GF_VERDICT_COUNT ? &rules[verdict].rule : NULL;
}

const char *gf_verdict_name(gf_verdict verdict) {
  const gf_rule *rule = gf_rule_of(verdict);
  return rule ? rule->name : "unknown";
}

static gf_status add_finding(gf_diagnosis *out, const rule_row *row, const gf__draft *d) {
  gf__text threshold = {0};
  gf__text_add(&threshold, "%s%s%s Source: %s.", row->rule.holds, d->here.data ? " " : "",
               d->here.data ? d->here.data : "", row->rule.source);
  out->findings[out->finding_count++] = (gf_finding){.verdict = row->rule.verdict,
                                                     .headline = d->headline.data,
                                                     .evidence = d->evidence.data,
                                                     .threshold = threshold.data};
  GF_TRY(gf__text_status(&d->headline));
  GF_TRY(gf__text_status(&d->evidence));
  return gf__text_status(&threshold);
}

gf_status gf__apply_rules(const gf__case *c, gf_diagnosis *out) {
  int found = 0;
  bool has_records = c->run.epoch_count > 0;
  for (const rule_row *row = rules; row < rules + GF_VERDICT_COUNT; row++) {
    gf__draft d = {0};
    if (found & row->unless || (!has_records && !row->needs_no_record)) continue;
    if (!row->find(c, &d)) continue;
    found |= 1 << row->rule.verdict;
    gf__text_add(&d.evidence, "%s", ""); /* it may be empty, but is there */
    gf_status status = add_finding(out, row, &d);
    gf__text_free(&d.here);
    GF_TRY(status);
  }
  return GF_OK;
}
