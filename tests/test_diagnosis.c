/* Learning-rate schedules, and what is said of runs whose CSVs are written by hand: each verdict
 * word for word, on both sides of its threshold. No device is needed. */
#include <math.h>
#include <stdbool.h>

#include <gradflow/diagnosis.h>

#include "base/text.h"
#include "reference.h"
#include "support/device.h"
#include "support/test.h"
#include "train/schedules.h"

static void write_text(const char *name, const char *text) {
  assert_ok(gf__file_write(in_folder(name), text, strlen(text)));
}

/* ---- schedules ---- */

static double rate(const char *yaml, double base, int epoch, int epochs) {
  gf_config *config = parse_config(yaml);
  gf__schedule_config schedule;
  assert_ok(gf__schedule_config_read(&schedule, config));
  gf_config_free(&config);
  return gf__schedule_rate(&schedule, base, epoch, epochs);
}

#define assert_rate(value, expected)                                        \
  do {                                                                      \
    double rate_value = (value), rate_expected = (expected);                \
    if (!(fabs(rate_value - rate_expected) <= 1e-12 * fabs(rate_expected))) \
      fail_msg("%.17g and should be %.17g", rate_value, rate_expected);     \
  } while (0)

static void schedules_are_what_they_say(void **state) {
  (void)state;
  static const char step[] = "schedule: {name: step, every: 2, factor: 0.1}";
  static const double steps[] = {0.5, 0.5, 0.05, 0.05, 0.005};
  for (int epoch = 0; epoch < 100; epoch++) {
    assert_rate(rate("", 1e-3, epoch, 100), ref_cosine(1e-3, 2e-5, epoch, 100));
    assert_rate(rate("schedule: {final: 0.01}", 0.1, epoch, 100),
                ref_cosine(0.1, 0.01, epoch, 100));
  }
  assert_rate(rate("", 1e-3, 0, 100), 1e-3);
  assert_rate(rate("", 1e-3, 50, 100), 0.51e-3); /* halfway between 1e-3 and 2e-5 */
  for (int epoch = 0; epoch < 5; epoch++) {
    assert_rate(rate(step, 0.5, epoch, 5), steps[epoch]);
    assert_rate(rate("schedule: {name: constant}", 0.5, epoch, 5), 0.5);
  }
}

/* ---- runs ---- */

enum { EPOCHS = 4, LAYERS = 3 };

/* A run of three layers a, b and c; what is NULL is that of one that learns. */
typedef struct history {
  const char *means[EPOCHS][LAYERS]; /* mean |g|; a NULL in [e][0]: as in the epoch before */
  const char *zeros, *ratio;         /* of all layers, always */
  const char *losses[EPOCHS];        /* of training */
  const char *accuracy;              /* of the last epoch */
  const char *dead[EPOCHS][LAYERS];  /* of act_a, act_b, act_c; all NULL: no activations.csv */
  const char *config, *result;       /* config.yaml and result.json; NULL: none */
  const char *kinds[LAYERS]; /* of the activations; NULL: no network.json, if classes is 0 */
  int classes;               /* 0: more than a verdict could depend on */
} history;

static void write_metrics(const history *h) {
  static const char *const losses[EPOCHS] = {"2.25", "2", "1.75", "1.5"};
  gf__text text = {0};
  gf__text_add(&text,
               "epoch,learning_rate,train_loss,train_accuracy,validation_loss,"
               "validation_accuracy\n");
  for (int e = 0; e < EPOCHS; e++)
    gf__text_add(&text, "%d,0.001,%s,%s,2,0.5\n", e + 1, h->losses[e] ? h->losses[e] : losses[e],
                 e == EPOCHS - 1 && h->accuracy ? h->accuracy : "0.5");
  write_text("run/metrics.csv", text.data);
  gf__text_free(&text);
}

/* Each layer has a bias, too, which must not count. */
static void write_gradients(const history *h) {
  static const char *const fine[LAYERS] = {"0.01", "0.02", "0.03"};
  gf__text text = {0};
  const char *const *means = fine;
  gf__text_add(&text, "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n");
  for (int e = 0; e < EPOCHS; e++) {
    if (h->means[e][0]) means = h->means[e];
    for (int i = 0; i < LAYERS; i++)
      gf__text_add(&text,
                   "%d,%d,conv_%c,conv_%c.weight,%s,1,1,%s,%s\n%d,%d,x,x.bias,1e-30,1,1,0,0\n",
                   e + 1, 100 * (e + 1), 'a' + i, 'a' + i, means[i], h->zeros ? h->zeros : "0",
                   h->ratio ? h->ratio : "1e-3", e + 1, 100 * (e + 1));
  }
  write_text("run/gradients.csv", text.data);
  gf__text_free(&text);
}

static void write_activations(const history *h) {
  if (!h->dead[0][0]) return;
  gf__text text = {0};
  gf__text_add(&text, "epoch,step,layer,mean,deviation,dead\n");
  for (int e = 0; e < EPOCHS; e++)
    for (int i = 0; i < LAYERS; i++)
      gf__text_add(&text, "%d,%d,act_%c,0.5,1,%s\n%d,%d,pool_%c,0,1,nan\n", e + 1, 100 * (e + 1),
                   'a' + i, h->dead[e][i], e + 1, 100 * (e + 1), 'a' + i);
  write_text("run/activations.csv", text.data);
  gf__text_free(&text);
}

/* conv_a goes through act_a, and so on. */
static void write_network(const history *h) {
  gf__text text = {0};
  if (!h->classes && !h->kinds[0]) return;
  gf__text_add(&text, "{\"format\": 1, \"image\": [32, 32, 3], \"classes\": %d, \"layers\": [",
               h->classes ? h->classes : 100000);
  for (int i = 0; i < LAYERS; i++)
    gf__text_add(&text,
                 "%s{\"name\": \"conv_%c\", \"type\": \"conv2d\", \"activation\": \"act_%c\"}, "
                 "{\"name\": \"act_%c\", \"type\": \"%s\"}",
                 i ? ", " : "", 'a' + i, 'a' + i, 'a' + i, h->kinds[0] ? h->kinds[i] : "relu");
  gf__text_add(&text, "]}");
  write_text("run/network.json", text.data);
  gf__text_free(&text);
}

static gf_diagnosis *diagnose(const history *h) {
  gf_diagnosis *diagnosis = NULL;
  if (gf__path_exists(in_folder("run"))) assert_ok(gf__remove_folder(in_folder("run")));
  assert_ok(gf__make_folder(in_folder("run")));
  write_metrics(h);
  write_gradients(h);
  write_activations(h);
  write_network(h);
  if (h->config) write_text("run/config.yaml", h->config);
  if (h->result) write_text("run/result.json", h->result);
  assert_ok(gf_diagnosis_open(&diagnosis, in_folder("run")));
  assert_true(diagnosis->finding_count >= 1);
  return diagnosis;
}

static void assert_headline(const history *h, const char *expected) {
  gf_diagnosis *d = diagnose(h);
  assert_string_equal(d->findings[0].headline, expected);
  gf_diagnosis_free(&d);
  assert_null(d);
}

/* ---- verdicts ---- */

#define HEALTHY "healthy: mean |gradient| of all 3 layers between 1.0e-02 and 3.0e-02"
#define ADAM "model: {family: vgg_stages}\noptimizer: {name: adam, eps: 1e-6}\n"
#define SGD "model: {family: vgg_stages}\noptimizer: {name: sgd}\n"
#define LAST(a, b, c)                   \
  {                                     \
    {NULL}, {NULL}, {NULL}, { a, b, c } \
  }
#define ALWAYS(a, b, c) \
  {                     \
    { a, b, c }         \
  }

typedef struct verdict {
  history history;
  const char *headline;
} verdict;

static const verdict gradients[] = {
    {{.classes = 0}, HEALTHY},
    {{.means = LAST("0.02", "1e-8", "1")},
     "healthy: mean |gradient| of all 3 layers between 1.0e-08 and 1.0e+00"},
    /* A single record of several is no verdict. */
    {{.means = LAST("3e-12", "9.9e-09", "0.5")},
     "healthy: mean |gradient| of all 3 layers between 3.0e-12 and 5.0e-01"},
    {{.means = {{"0.1", "0.1", "0.1"}, {"0.1", "0.1", "0.1"}, {"3e-12", "9.9e-09", "0.5"}}},
     "vanishing: 2 of 3 layers below 1e-8, from conv_b towards the input, since epoch 3"},
    {{.means = {{"0", "0.01", "0.5"}, {"0.1", "0.1", "0.1"}, {"0", "0.1", "0.1"}, {"0", "1", "1"}}},
     "vanishing: 1 of 3 layers below 1e-8, from conv_a towards the input, since epoch 3"},
    {{.means = ALWAYS("0", "0", "0.5")},
     "vanishing: 2 of 3 layers below 1e-8, from conv_b towards the input, since epoch 1"},
    /* What is small at the output as well has lost nothing on its way: 1e-3 of it is the limit. */
    {{.means = ALWAYS("9e-9", "9e-9", "8.9e-6")},
     "healthy: mean |gradient| of all 3 layers between 9.0e-09 and 8.9e-06"},
    {{.means = ALWAYS("9e-9", "9e-9", "9.1e-6")},
     "vanishing: 2 of 3 layers below 1e-8, from conv_b towards the input, since epoch 1"},
    {{.means = ALWAYS("1e-12", "2e-12", "3e-12")},
     "healthy: mean |gradient| of all 3 layers between 1.0e-12 and 3.0e-12"},
    /* The run's own eps is the threshold of Adam; what has none keeps 1e-8. */
    {{.means = ALWAYS("9.9e-7", "1e-6", "1"), .config = ADAM},
     "vanishing: 1 of 3 layers below 1e-6, from conv_a towards the input, since epoch 1"},
    {{.means = ALWAYS("1e-6", "1e-6", "1"), .config = ADAM},
     "healthy: mean |gradient| of all 3 layers between 1.0e-06 and 1.0e+00"},
    {{.means = ALWAYS("9.9e-7", "9.9e-9", "1"), .config = SGD},
     "vanishing: 1 of 3 layers below 1e-8, from conv_b towards the input, since epoch 1"},
    /* Ten times the layer at the output is the limit of what grows. */
    {{.means = ALWAYS("2500", "0.01", "1.5")},
     "exploding: 2 of 3 layers above 1, up to 2.5e+03, since epoch 1"},
    {{.means = LAST("2500", "0.01", "1.5")},
     "healthy: mean |gradient| of all 3 layers between 1.0e-02 and 2.5e+03"},
    {{.means = ALWAYS("15", "2", "1.5")},
     "healthy: mean |gradient| of all 3 layers between 1.5e+00 and 1.5e+01"},
    {{.means = ALWAYS("15.1", "2", "1.5")},
     "exploding: 3 of 3 layers above 1, up to 1.5e+01, since epoch 1"},
    {{.means = ALWAYS("2500", "0", "0.5")},
     "exploding: 1 of 3 layers above 1, up to 2.5e+03, since epoch 1"},
    {{.means = LAST("nan", "inf", "0.5")},
     "non-finite: the gradients of 2 of 3 layers are not finite, since epoch 4"},
    {{.losses = {"2", "2", "2", "nan"}}, "non-finite: the run diverged in epoch 4"},
    {{.result = "{\"status\": \"diverged\", \"message\": \"the loss is not finite\"}"},
     "non-finite: the run diverged after epoch 4"},
    {{.result = "{\"status\": \"finished\"}"}, HEALTHY},
};

static void gradients_are_judged_by_two_records(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof gradients / sizeof *gradients; i++)
    assert_headline(&gradients[i].history, gradients[i].headline);
}

static const verdict others[] = {
    /* The median of the ratio. */
    {{.ratio = "1e-4"}, HEALTHY},
    {{.ratio = "9.9e-5"},
     "small steps: a step moves the weights by 9.9e-05 of their size, and 1e-3 is usual"},
    {{.ratio = "0"},
     "small steps: a step moves the weights by 0.0e+00 of their size, and 1e-3 is usual"},
    {{.ratio = "0.1"}, HEALTHY},
    {{.ratio = "0.11"},
     "large steps: a step moves the weights by 1.1e-01 of their size, and 1e-3 is usual"},
    {{.ratio = "nan"}, HEALTHY},
    /* Who has learnt half of what there was to learn needs no other steps: ln 100 = 4.605. */
    {{.ratio = "9.9e-5", .classes = 100}, HEALTHY},
    /* ln 10 = 2.302585, of which 99% are 2.279559; 15% is half as much again as guessing. */
    {{.losses = {"2.3", "2.3", "2.3", "2.2797"}, .accuracy = "0.15", .classes = 10},
     "not learning: after 4 epochs the train loss is 2.280 and the accuracy 15.0%, as by guessing "
     "among 10 classes, although gradients flow"},
    {{.losses = {"2.3", "2.3", "2.3", "2.2794"}, .accuracy = "0.15", .classes = 10}, HEALTHY},
    {{.losses = {"2.3", "2.3", "2.3", "2.2797"}, .accuracy = "0.151", .classes = 10}, HEALTHY},
    {{.losses = {"2.3", "2.3", "2.3", "2.3257"}, .accuracy = "0.1", .classes = 10},
     "not learning: after 4 epochs the train loss is 2.326 and the accuracy 10.0%, as by guessing "
     "among 10 classes, although gradients flow"},
    /* The loss alone, or the accuracy alone, may be that of guessing. */
    {{.losses = {"2.3", "2.3", "2.3", "2.3"}, .classes = 10}, HEALTHY},
    {{.accuracy = "0.1", .classes = 10}, HEALTHY},
    /* A loss that has begun to fall: 0.1% of 2.3026 an epoch. */
    {{.losses = {"2.31", "2.3047", "2.3023", "2.2999"}, .accuracy = "0.1", .classes = 10}, HEALTHY},
    {{.losses = {"2.31", "2.3045", "2.3022", "2.2999"}, .accuracy = "0.1", .classes = 10},
     "not learning: after 4 epochs the train loss is 2.300 and the accuracy 10.0%, as by guessing "
     "among 10 classes, although gradients flow"},
    {{.accuracy = "0.1"}, HEALTHY}, /* of how many is not known */
    /* What is a consequence of another finding is not said. */
    {{.losses = {"2.3", "2.3", "2.3", "2.3"}, .accuracy = "0.1", .classes = 10, .ratio = "1e-5"},
     "small steps: a step moves the weights by 1.0e-05 of their size, and 1e-3 is usual"},
};

static void steps_and_learning_are_judged(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    gf_diagnosis *d = diagnose(&others[i].history);
    assert_string_equal(d->findings[0].headline, others[i].headline);
    assert_int_equal(d->finding_count, 1);
    gf_diagnosis_free(&d);
  }
}

/* Without a network.json the network is built from the config. */
#define GRAPH                                                                                  \
  "data: {name: cifar10}\nmodel:\n  graph:\n  - {name: act_a, type: tanh}\n  - {name: act_b, " \
  "type: relu}\n"                                                                              \
  "  - {name: act_c, type: relu}\n  - {type: global_avg_pool}\n"                               \
  "  - {type: linear, outputs: 10}\n"

static void dead_and_saturated_units_are_told_apart(void **state) {
  (void)state;
  static const verdict cases[] = {
      {{.dead = {{"0", "0", "0"}, {"0", "0", "0"}, {"0.5", "1", "0"}, {"0.4", "0.4", "nan"}}},
       HEALTHY},
      /* A mean of 40% over the network is the limit, in each of two records. */
      {{.dead = {{"0", "0", "0"}, {"0", "0", "0"}, {"0", "0.9", "0"}, {"0.41", "0.75", "0.1"}}},
       HEALTHY},
      {{.dead = {{"0", "0", "0"}, {"0", "0", "0"}, {"0.3", "1", "0"}, {"0.41", "0.75", "nan"}}},
       "dead units: 2 of 2 activations with more than 40% of dead channels, up to 75% in act_b, "
       "since epoch 3"},
      {{.dead = {{"1", "0", "0"}, {"0", "1", "0"}, {"0.3", "1", "0"}, {"0.3", "0.3", "1"}},
        .kinds = {"sigmoid", "sigmoid", "sigmoid"},
        .classes = 10},
       "saturated: 1 of 3 activations with more than 40% of saturated channels, up to 100% in "
       "act_c, since epoch 1"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_headline(&cases[i].history, cases[i].headline);

  /* In one graph both: the types are those of its nodes. */
  history both = {
      .dead = {{"0", "0", "0"}, {"0", "0", "0"}, {"0.5", "0.9", "0.5"}, {"0.5", "0.9", "0"}},
      .config = GRAPH};
  gf_diagnosis *d = diagnose(&both);
  assert_int_equal(d->finding_count, 2);
  assert_string_equal(d->findings[1].headline,
                      "dead units: 1 of 2 activations with more than 40% of dead channels, up to "
                      "90% in act_b, since epoch 3");
  assert_string_equal(d->findings[0].headline,
                      "saturated: 1 of 1 activations with more than 40% of saturated channels, up "
                      "to 50% in act_a, since epoch 3");
  gf_diagnosis_free(&d);
}

/* What vanishes behind a layer that is all dead is second; a layer that is nearly so is. */
static void a_dead_layer_comes_before_what_it_stops(void **state) {
  (void)state;
  static const gf_verdict orders[2][2] = {{GF_VERDICT_DEAD_LAYER, GF_VERDICT_VANISHING},
                                          {GF_VERDICT_VANISHING, GF_VERDICT_DEAD}};
  static const char *const fractions[2] = {"1", "0.99"};
  for (int i = 0; i < 2; i++) {
    const char *s = fractions[i];
    history h = {.means = ALWAYS("0", "1e-30", "0.1"),
                 .dead = {{"0", s, "0"}, {"0", s, "0"}, {"0.3", s, "0"}, {"0.3", s, "0"}}};
    gf_diagnosis *d = diagnose(&h);
    assert_int_equal(d->finding_count, 2);
    for (int k = 0; k < 2; k++) assert_int_equal(d->findings[k].verdict, orders[i][k]);
    gf_diagnosis_free(&d);
  }
}

static void several_findings_stand_in_order(void **state) {
  (void)state;
  static const gf_verdict order[] = {GF_VERDICT_NONFINITE, GF_VERDICT_EXPLODING,
                                     GF_VERDICT_VANISHING};
  history h = {.means = ALWAYS("1e-9", "200", "2"),
               .losses = {NULL, NULL, NULL, "nan"},
               .ratio = "1e-9",
               .accuracy = "0.1",
               .classes = 10,
               .dead = {{"1", "1", "1"}, {"1", "1", "1"}, {"1", "1", "1"}, {"1", "1", "1"}}};
  gf_diagnosis *d = diagnose(&h);
  assert_int_equal(d->finding_count, 3);
  for (int i = 0; i < 3; i++) assert_int_equal(d->findings[i].verdict, order[i]);
  gf_diagnosis_free(&d);
  assert_string_equal(gf_verdict_name(GF_VERDICT_DEAD), "dead units");
  assert_string_equal(gf_verdict_name(GF_VERDICT_COUNT), "unknown");
}

/* ---- evidence ---- */

static void evidence_and_thresholds_have_the_numbers(void **state) {
  (void)state;
  static const struct {
    history history;
    const char *evidence, *here; /* what the threshold is in this run, before its source */
  } cases[] = {
      {{.classes = 0},
       "The train loss went from 2.250 to 1.500 in 4 epochs. A step moves the weights by 1.0e-03 "
       "of their size (median of layers and epochs).",
       ""},
      {{.means = ALWAYS("1e-12", "0.5", "0.25"), .zeros = "0.6"},
       "In epoch 4 mean |gradient| is between 1.0e-12 (conv_a) and 5.0e-01 (conv_b). In conv_c, "
       "nearest to the loss, it is 2.5e-01. In 3 layers most elements of the gradient are exactly "
       "0.",
       "The level is 1e-8, which adam adds as eps. "},
      {{.means = ALWAYS("1e-12", "0.5", "0.25"), .config = SGD},
       "In epoch 4 mean |gradient| is between 1.0e-12 (conv_a) and 5.0e-01 (conv_b). In conv_c, "
       "nearest to the loss, it is 2.5e-01.",
       "The level is 1e-8. "},
      {{.means = ALWAYS("0.1", "nan", "0.1"),
        .result = "{\"status\": \"diverged\", \"message\": \"the loss is not finite\"}"},
       "The first from the input is conv_b. The run ended: the loss is not finite.",
       ""},
      {{.dead = {{"1", "0", "1"}, {"1", "0", "1"}, {"1", "0", "1"}, {"1", "0", "0.5"}}},
       "Fraction of dead channels in epoch 4: act_a 100%, act_c 50%; 50% over all activations.",
       ""},
      {{.ratio = "1e-5"},
       "In epoch 4 |update| / |weights| is 1.0e-05 in every layer. The "
       "train loss went from 2.250 to 1.500 in 4 epochs.",
       ""},
      {{.losses = {"2.3", "2.3", "2.3", "2.3"}, .accuracy = "0.1", .classes = 10},
       "In epoch 4 mean |gradient| is between 1.0e-02 (conv_a) and 3.0e-02 (conv_c). A step moves "
       "the weights by 1.0e-03 of their size (median of layers and epochs).",
       "Guessing has a loss of 2.303 and an accuracy of 10%, at most 15% here, as the number of "
       "images is not known. "},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf_diagnosis *d = diagnose(&cases[i].history);
    assert_string_equal(d->findings[0].evidence, cases[i].evidence);
    const gf_rule *rule = gf_rule_of(d->findings[0].verdict);
    gf__text threshold = {0};
    gf__text_add(&threshold, "%s %sSource: %s.", rule->holds, cases[i].here, rule->source);
    assert_string_equal(d->findings[0].threshold, threshold.data);
    gf__text_free(&threshold);
    gf_diagnosis_free(&d);
  }
}

static void the_layer_table_is_that_of_the_files(void **state) {
  (void)state;
  history h = {.means = {{"1", "2", "3"}, {"4", "5", "6"}, {"7", "8", "9"}, {"10", "11", "12"}},
               .zeros = "0.25",
               .ratio = "0.5",
               .kinds = {"relu", "relu", "relu"},
               .dead = {{"0", "0", "0"}, {"0", "0", "0"}, {"0", "0", "0"}, {"0.1", "0.2", "nan"}}};
  gf_diagnosis *d = diagnose(&h);
  assert_int_equal(d->layer_count, LAYERS);
  assert_int_equal(d->epoch_count, EPOCHS);
  assert_string_equal(d->layers[1], "conv_b");
  for (int i = 0; i < EPOCHS * LAYERS; i++) {
    assert_true(d->mean_abs[i] == i + 1);
    assert_true(d->l2[i] == 1 && d->zeros[i] == 0.25 && d->update_ratio[i] == 0.5);
  }
  assert_true(d->epochs[3] == 4);
  assert_true(d->dead[0] == 0.1 && d->dead[1] == 0.2 && isnan(d->dead[2]));
  assert_int_equal(d->activation_count, 2 * LAYERS);
  assert_int_equal(d->activation_epoch_count, EPOCHS);
  assert_string_equal(d->activations[1], "pool_a");
  assert_true(d->activation_mean[0] == 0.5 && d->activation_deviation[0] == 1);
  assert_true(isnan(d->activation_dead[1]) && d->activation_dead[3 * 2 * LAYERS + 2] == 0.2);
  gf_diagnosis_free(&d);
}

/* Whatever the names are: the network says which activation a layer's output goes through. */
static void the_activation_after_a_layer_is_that_of_the_network(void **state) {
  (void)state;
  history h = {0};
  gf_diagnosis *d = diagnose(&h);
  gf_diagnosis_free(&d);
  write_text("run/gradients.csv",
             "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n"
             "1,5,x,stage_0_block_2_norm_1.weight,1,1,1,0,1e-3\n"
             "1,5,x,layer1.0.bn2.weight,1,1,1,0,1e-3\n"
             "1,5,x,layer2.0.downsample.1.weight,1,1,1,0,1e-3\n");
  write_text("run/activations.csv",
             "epoch,step,layer,mean,deviation,dead\n"
             "1,5,stage_0_block_2_act_1,0,1,0.125\n1,5,layer1.0.act2,0,1,0.25\n");
  write_text("run/network.json",
             "{\"format\": 1, \"image\": [32, 32, 3], \"classes\": 10, \"layers\": [\n"
             "{\"name\": \"stage_0_block_2_norm_1\", \"type\": \"batch_norm\", \"activation\": "
             "\"stage_0_block_2_act_1\"},\n"
             "{\"name\": \"layer1.0.bn2\", \"type\": \"batch_norm\", \"activation\": "
             "\"layer1.0.act2\"},\n"
             "{\"name\": \"layer2.0.downsample.1\", \"type\": \"batch_norm\"}]}");
  assert_ok(gf_diagnosis_open(&d, in_folder("run")));
  assert_true(d->dead[0] == 0.125 && d->dead[1] == 0.25 && isnan(d->dead[2]));
  gf_diagnosis_free(&d);
}

/* ---- what cannot be diagnosed ---- */

static void nothing_to_diagnose_is_said(void **state) {
  (void)state;
  char message[512], *text = NULL;
  static const char metrics[] =
      "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n";
  history h = {0};
  gf_diagnosis *d = diagnose(&h);
  gf_diagnosis_free(&d);
  snprintf(message, sizeof message, "%s has no records of gradients; no epoch was finished",
           in_folder("run"));
  write_text("run/metrics.csv", metrics);
  write_text("run/gradients.csv",
             "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n");
  assert_fails(GF_ERROR_DATA, message, gf_diagnose(in_folder("run"), &text));
  assert_null(text);
  assert_int_equal(remove(in_folder("run/gradients.csv")), 0);
  assert_fails(GF_ERROR_DATA, message, gf_diagnose(in_folder("run"), &text));
  /* A run that diverged before its first epoch was over has a verdict all the same. */
  write_text("run/result.json", "{\"status\": \"diverged\", \"message\": \"why\"}");
  assert_ok(gf_diagnose(in_folder("run"), &text));
  assert_string_equal(text, "non-finite: the run diverged in its first epoch");
  free(text);
  assert_int_equal(remove(in_folder("run/metrics.csv")), 0);
  snprintf(message, sizeof message,
           "%s has no metrics.csv: name a folder that a training run has written",
           in_folder("run"));
  assert_fails(GF_ERROR_FILE, message, gf_diagnose(in_folder("run"), &text));
  assert_null(text);
}

static void damaged_files_are_named(void **state) {
  (void)state;
  static const struct {
    const char *file, *text, *message;
    gf_status status;
  } cases[] = {
      {"run/gradients.csv", "epoch,step\n",
       "%s:1: no column 'parameter' among the 2; is this the right file?", GF_ERROR_DATA},
      {"run/activations.csv", "epoch,step,layer,mean,deviation,dead\n1,1,a,0,1\n",
       "%s:2: 5 cells, but the header has 6", GF_ERROR_DATA},
      {"run/activations.csv",
       "epoch,step,layer,mean,deviation,dead\n1,1,a,0,1,0\n2,2,b,0,1,0\n2,2,a,0,1,0\n",
       "%s:3: the layer 'b' is not in the first record", GF_ERROR_DATA},
      {"run/config.yaml", "a: 1\na: 2\n",
       "%s:2:1: duplicate key 'a'; the first is at %s:1:1\n  a: 2\n  ^", GF_ERROR_CONFIG},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char message[512];
    history h = {0};
    gf_diagnosis *d = diagnose(&h);
    gf_diagnosis_free(&d);
    write_text(cases[i].file, cases[i].text);
    const char *path = in_folder(cases[i].file);
    snprintf(message, sizeof message, cases[i].message, path, path);
    assert_fails(cases[i].status, message, gf_diagnosis_open(&d, in_folder("run")));
    assert_null(d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(schedules_are_what_they_say),
      cmocka_unit_test(gradients_are_judged_by_two_records),
      cmocka_unit_test(steps_and_learning_are_judged),
      cmocka_unit_test(dead_and_saturated_units_are_told_apart),
      cmocka_unit_test(a_dead_layer_comes_before_what_it_stops),
      cmocka_unit_test(several_findings_stand_in_order),
      cmocka_unit_test(evidence_and_thresholds_have_the_numbers),
      cmocka_unit_test(the_layer_table_is_that_of_the_files),
      cmocka_unit_test(the_activation_after_a_layer_is_that_of_the_network),
      cmocka_unit_test(nothing_to_diagnose_is_said),
      cmocka_unit_test(damaged_files_are_named),
  };
  return cmocka_run_group_tests_name("diagnosis", tests, folder_open, fixture_close);
}
