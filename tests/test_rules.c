/* The rules that need more than gradients: each verdict just inside and just outside of its
 * threshold, by records that are written by hand. No device is needed. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <gradflow/diagnosis.h>

#include "base/file.h"
#include "base/os.h"
#include "base/text.h"
#include "run/data_record.h"
#include "run/guess.h"
#include "support/assert.h"
#include "support/folder.h"
#include "support/test.h"

enum { LAYERS = 3, MOST_EPOCHS = 16 };

/* A run of conv_a, conv_b and conv_c, of ten classes and 1000 images, of which each class has 100.
 * What is 0 or NULL is that of one that learns. */
typedef struct records {
  int epochs;                                                                /* 0: 4 */
  double losses[MOST_EPOCHS], accuracies[MOST_EPOCHS];                       /* of training */
  double validation_losses[MOST_EPOCHS], validation_accuracies[MOST_EPOCHS]; /* 0: as training */
  double rates[MOST_EPOCHS];                                                 /* 0: 1e-3 */
  int predicted[2]; /* classes, in the last epoch but one and in the last; 0: 10 */
  double means[LAYERS], l2[LAYERS], weights[LAYERS], ratio, zero_updates; /* in each record */
  double dead[LAYERS], deviations[LAYERS];
  const char *data, *network, *optimizer, *decay; /* network: the layers */
} records;

static void write_text(const char *name, const char *text) {
  assert_ok(gf__file_write(in_folder(name), text, strlen(text)));
}

static double either(double value, double usual) { return value != 0 ? value : usual; }

static int epochs_of(const records *r) { return r->epochs ? r->epochs : 4; }

static void write_metrics(const records *r) {
  gf__text text = {0};
  int epochs = epochs_of(r);
  gf__text_add(&text,
               "epoch,learning_rate,train_loss,train_accuracy,validation_loss,"
               "validation_accuracy,predicted_classes,most_predicted\n");
  for (int e = 0; e < epochs; e++) {
    double loss = either(r->losses[e], 2.0 - 0.1 * e),
           accuracy = either(r->accuracies[e], 0.3 + 0.02 * e);
    int predicted = e >= epochs - 2 ? r->predicted[e - epochs + 2] : 0;
    gf__text_add(&text, "%d,%.9g,%.9g,%.9g,%.9g,%.9g,%d,%g\n", e + 1, either(r->rates[e], 1e-3),
                 loss, accuracy, either(r->validation_losses[e], loss),
                 either(r->validation_accuracies[e], accuracy), predicted ? predicted : 10,
                 predicted == 1 ? 1 : 0.2);
  }
  write_text("run/metrics.csv", text.data);
  gf__text_free(&text);
}

static void write_gradients(const records *r) {
  gf__text text = {0};
  gf__text_add(&text,
               "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio,weight_l2\n");
  for (int e = 0; e < epochs_of(r); e++)
    for (int i = 0; i < LAYERS; i++)
      gf__text_add(&text, "%d,%d,conv_%c,conv_%c.weight,%g,%g,1,0,%g,%g\n", e + 1, 100 * (e + 1),
                   'a' + i, 'a' + i, r->means[i] < 0 ? 0 : either(r->means[i], 0.01),
                   either(r->l2[i], 1), i < r->zero_updates ? 0 : either(r->ratio, 1e-3),
                   either(r->weights[i], 1));
  write_text("run/gradients.csv", text.data);
  gf__text_free(&text);
}

static void write_activations(const records *r) {
  gf__text text = {0};
  gf__text_add(&text, "epoch,step,layer,mean,deviation,dead\n");
  for (int e = 0; e < epochs_of(r); e++)
    for (int i = 0; i < LAYERS; i++)
      gf__text_add(&text, "%d,%d,act_%c,0.5,%g,%g\n", e + 1, 100 * (e + 1), 'a' + i,
                   either(r->deviations[i], 1), r->dead[i]);
  write_text("run/activations.csv", text.data);
  gf__text_free(&text);
}

static const char usual_network[] =
    "{\"name\": \"conv_a\", \"type\": \"conv2d\", \"activation\": \"act_a\"},"
    "{\"name\": \"act_a\", \"type\": \"relu\"},{\"name\": \"act_b\", \"type\": \"relu\"},"
    "{\"name\": \"act_c\", \"type\": \"relu\"}";

static void write_network(const records *r) {
  gf__text text = {0};
  const char *optimizer = r->optimizer ? r->optimizer : "adam";
  gf__text_add(&text,
               "{\"format\": 1, \"image\": [32, 32, 3], \"classes\": 10, \"layers\": [%s], "
               "\"logit_layer\": \"conv_c\", \"optimizer\": {\"kind\": \"%s\", \"eps\": 1e-8}, "
               "\"statistics\": {\"gradient_images\": 50, \"activation_images\": 50, "
               "\"norm_images\": 1}}",
               r->network ? r->network : usual_network, optimizer);
  write_text("run/network.json", text.data);
  gf__text_free(&text);
  gf__text_add(&text,
               "data: {name: cifar10, mean: 0.5, std: 0.25}\n"
               "optimizer: {name: %s, weight_decay: %s}\nmodel: {family: vgg_stages}\n",
               optimizer, r->decay ? r->decay : "0");
  write_text("run/config.yaml", text.data);
  gf__text_free(&text);
}

#define TEN(n) "[" n "," n "," n "," n "," n "," n "," n "," n "," n "," n "]"
#define BALANCED \
  "\"train\": {\"images\": 1000, \"class_images\": " TEN("100") "}, \"validation\": {"     \
  "\"images\": 200, \"class_images\": " TEN("20") "}"
#define DATA(counts, batch) \
  "{\"format\": 1, \"classes\": 10, " counts ", \"first_batch\": " batch "}"
#define BATCH(mean, deviation, contrast)                                                           \
  "{\"images\": 50, \"mean\": [" mean "], \"deviation\": [" deviation "], \"contrast\": " contrast \
  "}"
#define USUAL_BATCH BATCH("0.1", "1.1", "0.9")

static gf_diagnosis *diagnose(const records *r) {
  gf_diagnosis *d = NULL;
  if (gf__path_exists(in_folder("run"))) assert_ok(gf__remove_folder(in_folder("run")));
  assert_ok(gf__make_folder(in_folder("run")));
  write_metrics(r);
  write_gradients(r);
  write_activations(r);
  write_network(r);
  write_text("run/data.json", r->data ? r->data : DATA(BALANCED, USUAL_BATCH));
  assert_ok(gf_diagnosis_open(&d, in_folder("run")));
  return d;
}

/* A run, its headline's verdict, and what is in the headline. */
typedef struct expectation {
  records run;
  gf_verdict verdict;
  const char *headline; /* or NULL */
} expectation;

static void assert_verdicts(const expectation *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    gf_diagnosis *d = diagnose(&cases[i].run);
    const gf_finding *f = &d->findings[0];
    if (f->verdict != cases[i].verdict)
      fail_msg("case %zu is '%s' and should be '%s'", i, f->headline,
               gf_verdict_name(cases[i].verdict));
    if (cases[i].headline) assert_string_equal(f->headline, cases[i].headline);
    assert_true(strlen(f->threshold) > 20);
    gf_diagnosis_free(&d);
  }
}
#define ASSERT_VERDICTS(cases) assert_verdicts(cases, sizeof cases / sizeof *cases)

#define LN10 2.302585
#define GUESSES .losses = {LN10, LN10, LN10, LN10}, .accuracies = {0.1, 0.1, 0.1, 0.1}

/* ---- data ---- */

static void inputs_are_judged_by_the_first_batch(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{0}, GF_VERDICT_HEALTHY, NULL},
      {{.data = DATA(BALANCED, "null")}, GF_VERDICT_HEALTHY, NULL},
      {{.data = DATA(BALANCED, BATCH("10", "10", "0.5"))}, GF_VERDICT_HEALTHY, NULL},
      {{.data = DATA(BALANCED, BATCH("-10.1", "1", "0.5"))},
       GF_VERDICT_INPUT_SCALE,
       "input not normalised: the input has mean -10.1 and deviation 1, and 0 and 1 are usual"},
      {{.data = DATA(BALANCED, BATCH("0", "0.019", "0.5"))}, GF_VERDICT_INPUT_SCALE, NULL},
      {{.data = DATA(BALANCED, BATCH("0", "0.02", "0.5"))}, GF_VERDICT_HEALTHY, NULL},
      /* One channel of two, such as a dead band. */
      {{.data = DATA(BALANCED, BATCH("0, 0", "1, 0", "0.5"))}, GF_VERDICT_HEALTHY, NULL},
      {{.data = DATA(BALANCED, BATCH("0, 0, 0", "1, 0, 0", "0.5"))}, GF_VERDICT_INPUT_SCALE, NULL},
      {{.data = DATA(BALANCED, BATCH("0.3", "1", "0"))},
       GF_VERDICT_INPUT_CONSTANT,
       "constant input: the 50 images of the first batch are all the same"},
      {{.data = DATA(BALANCED, BATCH("0.3", "1", "1e-12"))}, GF_VERDICT_HEALTHY, NULL},
      /* Of a single image nothing is known. */
      {{.data = DATA(BALANCED, BATCH("0.3", "1", "null"))}, GF_VERDICT_HEALTHY, NULL},
  };
  ASSERT_VERDICTS(cases);
  /* What makes the batch of mean -10.1 and deviation 1 one of mean 0: 0.5 - 0.25 * 10.1. */
  gf_diagnosis *d = diagnose(&cases[3].run);
  assert_string_equal(d->findings[0].remedies[0].setting, "data.mean=[-2.025]");
  assert_string_equal(d->findings[0].remedies[1].setting, "data.std=[0.25]");
  gf_diagnosis_free(&d);
}

#define NORM(height, width)                                                                    \
  "{\"name\": \"conv_a\", \"type\": \"conv2d\"},{\"name\": \"norm_a\", \"type\": "             \
  "\"batch_norm\", \"output\": [16, 16, 8]},{\"name\": \"norm_b\", \"type\": \"batch_norm\", " \
  "\"output\": [" height ", " width ", 8]}"

/* The run's norms see one image. */
static void a_norm_over_one_value_is_the_cause(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{.network = NORM("1", "1"), GUESSES, .means = {-1, -1, 1e-3}},
       GF_VERDICT_NORM_OF_ONE,
       "norm over one value: 1 of 2 batch norms see one value of each channel, the first from the "
       "input norm_b, and store their shift whatever the image"},
      {{.network = NORM("1", "2")}, GF_VERDICT_HEALTHY, NULL},
  };
  ASSERT_VERDICTS(cases);
  gf_diagnosis *d = diagnose(&cases[0].run);
  assert_int_equal(d->finding_count, 1);
  for (int i = 0; i < d->findings[0].remedy_count; i++)
    if (d->findings[0].remedies[i].setting)
      assert_null(strstr(d->findings[0].remedies[i].setting, "norm=every"));
  gf_diagnosis_free(&d);
}

/* ---- the optimizer ---- */

#define RATES(rate) .rates = {rate, rate, rate, rate}

static void rates_far_from_the_usual_are_named_first(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{RATES(0.01), GUESSES},
       GF_VERDICT_RATE_HIGH,
       "rate too high: adam is at 0.01, 10 times as high as the usual 0.001"},
      {{RATES(0.0099), GUESSES}, GF_VERDICT_NOT_LEARNING, NULL},
      {{RATES(0.3)}, GF_VERDICT_HEALTHY, NULL}, /* it learns with it */
      /* A loss of the first epoch above 1.5 ln 10 = 3.4539, and gradients that are lost since. */
      {{RATES(0.3), .losses = {3.46}, .means = {1e-12, 1e-12}}, GF_VERDICT_RATE_HIGH, NULL},
      {{RATES(0.3), .losses = {3.45}, .means = {1e-12, 1e-12}}, GF_VERDICT_VANISHING, NULL},
      {{RATES(0.3), .losses = {3.46, 1.1, 1.1, 1.1}}, GF_VERDICT_HEALTHY, NULL},
      {{RATES(0.3), .optimizer = "sgd", GUESSES}, GF_VERDICT_RATE_HIGH, NULL},
      {{RATES(0.29), .optimizer = "sgd", GUESSES}, GF_VERDICT_NOT_LEARNING, NULL},
      {{RATES(1e-5)},
       GF_VERDICT_RATE_LOW,
       "rate too low: adam is at 1e-05, 100 times lower than the usual 0.001"},
      {{RATES(1.1e-5)}, GF_VERDICT_HEALTHY, NULL},
      /* Half of ln 10 is 1.1513. */
      {{RATES(1e-5), .losses = {2, 1.5, 1.2, 1.15}}, GF_VERDICT_HEALTHY, NULL},
  };
  ASSERT_VERDICTS(cases);
  gf_diagnosis *d = diagnose(&cases[0].run);
  assert_string_equal(d->findings[0].remedies[0].setting, "optimizer.learning_rate=0.001");
  gf_diagnosis_free(&d);
}

/* Decay times |w| is 1e-2 times 1 against a gradient of 3e-2. */
static void decay_is_weighed_against_the_gradient(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{GUESSES, .decay = "1e-2", .l2 = {0.0299, 0.0299, 1}},
       GF_VERDICT_DECAY,
       "decay too strong: in 2 of 3 layers a decay of 0.01 outweighs the gradient, since epoch 1"},
      {{GUESSES, .decay = "1e-2", .l2 = {0.0299, 0.0301, 1}}, GF_VERDICT_NOT_LEARNING, NULL},
      {{.decay = "1e-2", .l2 = {1e-4, 1e-4, 1e-4}}, GF_VERDICT_HEALTHY, NULL}, /* it learns */
      /* What had vanished before there was anything to outweigh. */
      {{GUESSES, .decay = "1e-4", .means = {1e-12, 1e-12}, .l2 = {1e-9, 1e-9, 1}},
       GF_VERDICT_VANISHING,
       NULL},
      /* A network that had learnt and has collapsed: 0.97 ln 10 = 2.2335. */
      {{.losses = {2.23, 2.31, 2.31, 2.31},
        .accuracies = {0.2, 0.1, 0.1, 0.1},
        .decay = "1e-4",
        .means = {1e-12, 1e-12},
        .l2 = {1e-9, 1e-9, 1}},
       GF_VERDICT_DECAY,
       NULL},
  };
  ASSERT_VERDICTS(cases);
}

/* ---- gradients and activations ---- */

static void a_layer_without_a_gradient_is_not_vanishing(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{.means = {-1, -1, 0.1}},
       GF_VERDICT_NO_GRADIENT,
       "no gradient: 2 of 3 layers get none, from conv_b towards the input"},
      /* What is next to 0 may have been rounded to it. */
      {{.means = {-1, 1e-20, 0.1}}, GF_VERDICT_VANISHING, NULL},
      {{.means = {-1, -1, 0.1}, .dead = {0, 0, 1}}, GF_VERDICT_DEAD_LAYER, NULL},
      {{.zero_updates = 1},
       GF_VERDICT_NO_GRADIENT,
       "no gradient: 1 of 3 layers are never moved, from conv_a towards the input"},
  };
  ASSERT_VERDICTS(cases);
}

static void dead_layers_have_a_date(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{GUESSES, .dead = {0, 1, 0}},
       GF_VERDICT_DEAD_AT_START,
       "dead at initialisation: 1 of 3 activations let no gradient through, the first from the "
       "input act_b, from the first record on"},
      {{GUESSES, .dead = {0, 0.99, 0}}, GF_VERDICT_NOT_LEARNING, NULL},
      /* It had learnt, so it was alive. */
      {{.losses = {2.2, LN10, LN10, LN10}, .accuracies = {0.2, 0.1, 0.1, 0.1}, .dead = {0, 1, 0}},
       GF_VERDICT_DEAD_LAYER,
       NULL},
      /* A dead branch beside a shortcut. */
      {{.dead = {0, 1, 0}}, GF_VERDICT_HEALTHY, NULL},
  };
  ASSERT_VERDICTS(cases);
}

#define BLOCKS                                                          \
  "{\"name\": \"add_a\", \"type\": \"add\"},"                           \
  "{\"name\": \"act_a\", \"type\": \"relu\", \"inputs\": [\"add_a\"]}," \
  "{\"name\": \"add_b\", \"type\": \"add\"},"                           \
  "{\"name\": \"act_b\", \"type\": \"relu\", \"inputs\": [\"add_b\"]}"

static void branches_may_grow_a_hundredfold(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{GUESSES, .network = BLOCKS, .deviations = {2, 202, 1}},
       GF_VERDICT_BRANCH_GROWS,
       "residual branch grows: activations grow by a factor of 1.0e+02 from the first residual "
       "block to the last"},
      {{GUESSES, .network = BLOCKS, .deviations = {2, 199, 1}}, GF_VERDICT_NOT_LEARNING, NULL},
      {{.network = BLOCKS, .deviations = {2, 202, 1}}, GF_VERDICT_HEALTHY, NULL},
      {{GUESSES, .deviations = {2, 202, 1}}, GF_VERDICT_NOT_LEARNING, NULL},
  };
  ASSERT_VERDICTS(cases);
}

/* ---- learning ---- */

#define SKEWED(first)                                       \
  "\"train\": {\"images\": 1000, \"class_images\": [" first \
  ",40,40,40,40,40,40,40,40,40]}, "                         \
  "\"validation\": {\"images\": 50, \"class_images\": [32,2,2,2,2,2,2,2,2,2]}"
/* Of frequencies 0.64 and nine times 0.04: -0.64 ln 0.64 - 0.36 ln 0.04 = 1.444416. */
#define SKEWED_LOSS .losses = {1.45, 1.44, 1.44, 1.44}

static void one_class_is_told_from_guessing(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{.data = DATA(SKEWED("640"), USUAL_BATCH),
        SKEWED_LOSS,
        .predicted = {1, 1},
        .accuracies = {0.6, 0.62, 0.63, 0.64}},
       GF_VERDICT_ONE_CLASS,
       "predicts one class: whatever the image, the answer is the same; class 0 has 64.0% of the "
       "training images"},
      /* By the accuracy of training alone: 640 of 1000 right, twice. */
      {{.data = DATA(SKEWED("640"), USUAL_BATCH),
        SKEWED_LOSS,
        .accuracies = {0.6, 0.62, 0.64, 0.64}},
       GF_VERDICT_ONE_CLASS,
       NULL},
      {{.data = DATA(SKEWED("640"), USUAL_BATCH),
        SKEWED_LOSS,
        .predicted = {1, 2},
        .accuracies = {0.6, 0.62, 0.641, 0.64}},
       GF_VERDICT_NOT_LEARNING,
       NULL},
      /* 0.64 and three times sqrt(0.64 * 0.36 / 1000) = 0.045537: 68.5% and 68.6%. */
      {{.data = DATA(SKEWED("640"), USUAL_BATCH),
        SKEWED_LOSS,
        .accuracies = {0.6, 0.62, 0.64, 0.685}},
       GF_VERDICT_NOT_LEARNING,
       NULL},
      {{.data = DATA(SKEWED("640"), USUAL_BATCH),
        SKEWED_LOSS,
        .accuracies = {0.6, 0.62, 0.64, 0.686}},
       GF_VERDICT_HEALTHY,
       NULL},
      /* Dead units are the consequence. */
      {{.data = DATA(SKEWED("640"), USUAL_BATCH),
        SKEWED_LOSS,
        .predicted = {1, 1},
        .accuracies = {0.6, 0.62, 0.63, 0.64},
        .dead = {0.6, 0.6, 0.6}},
       GF_VERDICT_ONE_CLASS,
       NULL},
      /* It trains, but is of one mind on validation. */
      {{.predicted = {1, 1}}, GF_VERDICT_ONE_CLASS, NULL},
      {{.predicted = {2, 1}}, GF_VERDICT_HEALTHY, NULL},
      {{GUESSES, .predicted = {1, 1}}, GF_VERDICT_NOT_LEARNING, NULL},
  };
  ASSERT_VERDICTS(cases);
}

/* Of 1000 images: 0.1 and three times sqrt(0.1 * 0.9 / 1000) = 0.0284605. */
static void guessing_has_a_sampling_error(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{.losses = {LN10, LN10, LN10, LN10}, .accuracies = {0.1, 0.1, 0.1, 0.128}},
       GF_VERDICT_NOT_LEARNING,
       NULL},
      {{.losses = {LN10, LN10, LN10, LN10}, .accuracies = {0.1, 0.1, 0.1, 0.129}},
       GF_VERDICT_HEALTHY,
       NULL},
      /* 1.05 ln 10 = 2.417714. */
      {{.losses = {2, 2, 2.42, 2.418}, .accuracies = {0.1, 0.1, 0.1, 0.1}},
       GF_VERDICT_ABOVE_GUESSING,
       "loss above guessing: after 4 epochs the train loss is 2.418, and ln 10 = 2.303 is that of "
       "guessing"},
      {{.losses = {2, 2, 2.42, 2.417}, .accuracies = {0.1, 0.1, 0.1, 0.1}},
       GF_VERDICT_NOT_LEARNING,
       NULL},
      /* It falls by a tenth. */
      {{.losses = {9, 5, 3, 2.69}, .accuracies = {0.1, 0.1, 0.1, 0.2}}, GF_VERDICT_HEALTHY, NULL},
      /* It falls, but from far: 3 ln 10 = 6.907755. */
      {{.losses = {90, 50, 30, 6.908}, .accuracies = {0.1, 0.1, 0.1, 0.2}},
       GF_VERDICT_ABOVE_GUESSING,
       NULL},
      {{.losses = {90, 50, 30, 6.907}, .accuracies = {0.1, 0.1, 0.1, 0.2}},
       GF_VERDICT_HEALTHY,
       NULL},
  };
  ASSERT_VERDICTS(cases);
}

static void overfitting_has_a_date(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{.epochs = 5,
        .losses = {2, 1.5, 1.2, 1.0, 0.9},
        .accuracies = {0.3, 0.4, 0.5, 0.6, 0.7},
        .validation_losses = {2, 1.8, 1.6, 1.9, 1.93},
        .validation_accuracies = {0.3, 0.4, 0.45, 0.45, 0.45}},
       GF_VERDICT_OVERFITTING,
       "overfitting since epoch 3: the validation loss rose from 1.600 to 1.930 while the train "
       "loss fell from 1.200 to 0.900"},
      /* 1.2 times 1.6 is 1.92. */
      {{.epochs = 5,
        .losses = {2, 1.5, 1.2, 1.0, 0.9},
        .accuracies = {0.3, 0.4, 0.5, 0.6, 0.7},
        .validation_losses = {2, 1.8, 1.6, 1.9, 1.91},
        .validation_accuracies = {0.3, 0.4, 0.45, 0.45, 0.45}},
       GF_VERDICT_HEALTHY,
       NULL},
      /* Three times sqrt(0.45 * 0.55 / 200) = 0.105534 between the accuracies. */
      {{.epochs = 5,
        .losses = {2, 1.5, 1.2, 1.0, 0.9},
        .accuracies = {0.3, 0.4, 0.5, 0.52, 0.555},
        .validation_losses = {2, 1.8, 1.6, 1.9, 1.93},
        .validation_accuracies = {0.3, 0.4, 0.45, 0.45, 0.45}},
       GF_VERDICT_HEALTHY,
       NULL},
      /* One epoch is a chance. */
      {{.losses = {2, 1.5, 1.2, 0.9},
        .accuracies = {0.3, 0.4, 0.5, 0.9},
        .validation_losses = {2, 1.8, 1.6, 2.5},
        .validation_accuracies = {0.3, 0.4, 0.45, 0.45}},
       GF_VERDICT_HEALTHY,
       NULL},
  };
  ASSERT_VERDICTS(cases);
}

#define FLAT(n) \
  .epochs = n,  \
  .losses = {2, 1.8, 1.5, 1.4, 1.4, 1.39, 1.4, 1.4, 1.39, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4}

static void a_plateau_is_long_and_at_a_steady_rate(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{FLAT(14)},
       GF_VERDICT_PLATEAU,
       "plateau: the train loss has not fallen below 1.390 by more than 1% for 10 epochs"},
      {{FLAT(13)}, GF_VERDICT_HEALTHY, NULL},
      /* A schedule that ends at less than half of the rate ends flat on purpose. */
      {{FLAT(14), .rates = {1e-3, 1e-3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4.9e-4}},
       GF_VERDICT_HEALTHY,
       NULL},
  };
  ASSERT_VERDICTS(cases);
}

static void what_is_fitted_has_no_gradient_left(void **state) {
  (void)state;
  static const expectation cases[] = {
      {{.losses = {1, 0.1, 0.01, 0.0099},
        .accuracies = {0.5, 0.9, 1, 0.99},
        .means = {1e-12, 1e-12, 1e-3}},
       GF_VERDICT_FITTED,
       "fitted: the train loss is 9.9e-03 and the accuracy 99.0%, so gradients have little left to "
       "do"},
      {{.losses = {1, 0.1, 0.01, 0.01}, .accuracies = {0.5, 0.9, 1, 1}}, GF_VERDICT_HEALTHY, NULL},
      {{.losses = {1, 0.1, 0.01, 0.0099}, .accuracies = {0.5, 0.9, 1, 0.989}},
       GF_VERDICT_HEALTHY,
       NULL},
  };
  ASSERT_VERDICTS(cases);
}

/* ---- the table, and data.json ---- */

static void rules_are_in_the_order_of_verdicts(void **state) {
  (void)state;
  for (int v = 0; v < GF_VERDICT_COUNT; v++) {
    const gf_rule *rule = gf_rule_of((gf_verdict)v);
    assert_int_equal(rule->verdict, v);
    assert_string_equal(rule->name, gf_verdict_name((gf_verdict)v));
    assert_true(*rule->holds && *rule->source);
  }
  assert_null(gf_rule_of(GF_VERDICT_COUNT));
}

/* Two images of two pixels and two channels: channel 0 is 1, 2, 3, 4, whose mean is 2.5 and whose
 * variance is 1.25; channel 1 is always 2. Taking the mean image away leaves 1 of each of the four
 * values of channel 0, that is 4 of an energy of 30 + 16. */
static void the_first_batch_is_measured(void **state) {
  (void)state;
  static const float images[] = {1, 2, 2, 2, 3, 2, 4, 2};
  gf__data_record record = {.classes = 3}, read;
  static const int labels[] = {2, 0, 2, 2};
  assert_ok(gf__class_counts_make(&record.train, labels, 4, 3));
  assert_ok(gf__class_counts_make(&record.validation, labels, 1, 3));
  assert_ok(gf__input_statistics_make(&record.input, images, 2, 2, 2));
  assert_ok(gf__make_folder(in_folder("written")));
  assert_ok(gf__data_record_write(in_folder("written"), &record));
  gf__data_record_free(&record);
  assert_ok(gf__data_record_read(&read, in_folder("written")));
  assert_int_equal(read.classes, 3);
  assert_int_equal(read.train.images, 4);
  assert_int_equal(read.train.class_images[0], 1);
  assert_int_equal(read.train.class_images[2], 3);
  assert_int_equal(read.validation.class_images[2], 1);
  assert_int_equal(read.input.images, 2);
  assert_true(read.input.mean[0] == 2.5 && read.input.mean[1] == 2);
  assert_true(fabs(read.input.deviation[0] - sqrt(1.25)) < 1e-15 && read.input.deviation[1] == 0);
  assert_true(fabs(read.input.contrast - 4.0 / 46) < 1e-15);
  gf__guess g = gf__guess_of(3, &read, 0);
  assert_true(fabs(g.loss - (0.75 * log(4 / 3.0) + 0.25 * log(4))) < 1e-15);
  assert_true(g.commonest == 0.75 && g.commonest_class == 2 && g.accuracy == 0.75);
  gf__data_record_free(&read);
  write_text("written/data.json", "{\"format\": 1, \"classes\": 3, \"train\": {}}");
  assert_int_equal(gf__data_record_read(&read, in_folder("written")), GF_ERROR_DATA);
  gf__data_record_free(&read);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(inputs_are_judged_by_the_first_batch),
      cmocka_unit_test(a_norm_over_one_value_is_the_cause),
      cmocka_unit_test(rates_far_from_the_usual_are_named_first),
      cmocka_unit_test(decay_is_weighed_against_the_gradient),
      cmocka_unit_test(a_layer_without_a_gradient_is_not_vanishing),
      cmocka_unit_test(dead_layers_have_a_date),
      cmocka_unit_test(branches_may_grow_a_hundredfold),
      cmocka_unit_test(one_class_is_told_from_guessing),
      cmocka_unit_test(guessing_has_a_sampling_error),
      cmocka_unit_test(overfitting_has_a_date),
      cmocka_unit_test(a_plateau_is_long_and_at_a_steady_rate),
      cmocka_unit_test(what_is_fitted_has_no_gradient_left),
      cmocka_unit_test(rules_are_in_the_order_of_verdicts),
      cmocka_unit_test(the_first_batch_is_measured),
  };
  return cmocka_run_group_tests_name("rules", tests, folder_open, folder_close);
}
