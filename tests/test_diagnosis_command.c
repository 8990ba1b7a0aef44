/* What a diagnosis advises, and what gradflow diagnose prints, writes and refuses. No device is
 * needed. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include <gradflow/diagnosis.h>

#include "base/text.h"
#include "support/device.h"
#include "support/program.h"
#include "support/test.h"

static void write_text(const char *name, const char *text) {
  assert_ok(gf__file_write(in_folder(name), text, strlen(text)));
}

/* A run of two epochs and three layers; update/weight is 1e-3. */
static void make_run(const char *folder, const char *const means[3], const char *config,
                     bool activations) {
  char name[128];
  gf__text text = {0};
  if (gf__path_exists(in_folder(folder))) assert_ok(gf__remove_folder(in_folder(folder)));
  assert_ok(gf__make_folder(in_folder(folder)));
  snprintf(name, sizeof name, "%s/metrics.csv", folder);
  write_text(name,
             "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
             "1,0.001,2.3,0.1,2.3,0.1\n2,0.001,2,0.25,2,0.25\n");
  gf__text_add(&text, "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n");
  for (int e = 1; e <= 2; e++)
    for (int i = 0; i < 3; i++)
      gf__text_add(&text, "%d,%d,conv_%c,conv_%c.weight,%s,0.5,1,0.125,1e-3\n", e, e, 'a' + i,
                   'a' + i, means[i]);
  snprintf(name, sizeof name, "%s/gradients.csv", folder);
  write_text(name, text.data);
  gf__text_free(&text);
  snprintf(name, sizeof name, "%s/activations.csv", folder);
  if (activations)
    write_text(name,
               "epoch,step,layer,mean,deviation,dead\n1,1,act_a,0,1,0\n1,1,act_b,0,1,0.25\n"
               "2,2,act_a,0,1,0\n2,2,act_b,0,nan,0.25\n");
  snprintf(name, sizeof name, "%s/network.json", folder);
  if (activations)
    write_text(name,
               "{\"format\": 1, \"image\": [32, 32, 3], \"classes\": 10, \"layers\": ["
               "{\"name\": \"conv_a\", \"type\": \"conv2d\", \"activation\": \"act_a\"}, "
               "{\"name\": \"conv_b\", \"type\": \"conv2d\", \"activation\": \"act_b\"}, "
               "{\"name\": \"conv_c\", \"type\": \"conv2d\"}, "
               "{\"name\": \"act_a\", \"type\": \"relu\"}, "
               "{\"name\": \"act_b\", \"type\": \"relu\"}]}");
  snprintf(name, sizeof name, "%s/config.yaml", folder);
  if (config) write_text(name, config);
}

static const char *const vanishing[3] = {"1e-12", "1e-4", "0.1"};
static const char *const exploding[3] = {"5", "1e-4", "0.1"};
static const char *const fine[3] = {"0.1", "0.1", "0.1"};

#define OPTIMIZER "optimizer: {name: adam, learning_rate: 0.003, eps: 1e-8, clip_norm: 0}\n"
#define SCHEDULE "schedule: {name: cosine, warmup_epochs: 0}\n"
#define VGG(more) \
  "data: {name: cifar10}\nmodel: {family: vgg_stages, " more "}\n" OPTIMIZER SCHEDULE

/* ---- remedies ---- */

/* Of the first finding: the settings, a blank behind each; "-" for one without. */
static char *settings_of(const char *const means[3], const char *config) {
  gf_diagnosis *d = NULL;
  gf__text text = {0};
  make_run("run", means, config, false);
  assert_ok(gf_diagnosis_open(&d, in_folder("run")));
  for (int i = 0; i < d->findings[0].remedy_count; i++) {
    const gf_remedy *r = &d->findings[0].remedies[i];
    assert_true(strlen(r->text) > 20);
    gf__text_add(&text, "%s ", r->setting ? r->setting : "-");
  }
  gf__text_add(&text, "%s", "");
  gf_diagnosis_free(&d);
  return text.data;
}

static void remedies_are_lines_that_the_run_has_not(void **state) {
  (void)state;
  static const struct {
    const char *const *means;
    const char *config, *settings;
  } cases[] = {
      {vanishing, VGG("shortcut: none, norm: entry, initialisation: uniform_fan_in"),
       "model.shortcut=identity model.norm=every model.initialisation=he "},
      {vanishing, VGG("shortcut: identity, norm: entry, initialisation: he"), "model.norm=every "},
      {vanishing, VGG("shortcut: identity, norm: every, initialisation: he"), ""},
      {vanishing, VGG("shortcut: identity, norm: every, activation: tanh"),
       "model.activation=leaky_relu model.initialisation=xavier "},
      {exploding, VGG("norm: every, initialisation: he"),
       "optimizer.clip_norm=1 optimizer.learning_rate=0.0003 schedule.warmup_epochs=5 "},
      {exploding,
       "model: {family: vgg_stages, norm: every, initialisation: he}\n"
       "optimizer: {name: sgd, learning_rate: 1, clip_norm: 5}\nschedule: {warmup_epochs: 2}\n",
       "optimizer.learning_rate=0.1 "},
      /* A config that is older than the key. */
      {exploding,
       "model: {family: vgg_stages, norm: every, initialisation: he}\n"
       "optimizer: {name: sgd, learning_rate: 1}\n",
       "optimizer.clip_norm=1 optimizer.learning_rate=0.1 schedule.warmup_epochs=5 "},
      /* What a graph lacks cannot be known, so there are words; what lies outside it can be set. */
      {vanishing, "model: {graph: [{name: a, type: relu}]}\n", "- - - model.initialisation=he "},
      /* Without a config nothing can be tried. */
      {vanishing, NULL, "- - - - "},
      {fine, VGG("norm: entry"), ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *settings = settings_of(cases[i].means, cases[i].config);
    assert_string_equal(settings, cases[i].settings);
    free(settings);
  }
}

/* A family takes the word that is its own. */
static void families_have_their_own_words(void **state) {
  (void)state;
  char *settings = settings_of(vanishing,
                               "model: {family: resnet_cifar, shortcut: none, initialisation: he}\n"
                               "optimizer: {name: adam}\n");
  assert_string_equal(settings, "model.shortcut=option_a ");
  free(settings);
}

/* Auxiliarys are put on activations of the run, spread over its depth; a layer without one and the
 * ends of the network do not count. */
static void auxiliarys_stand_on_layers_of_the_run(void **state) {
  (void)state;
  static const char config[] =
      "model: {family: vgg_stages, shortcut: identity, norm: every, initialisation: he%s}\n";
  static const struct {
    const char *more, *setting;
    int activations;
  } cases[] = {{"", "model.auxiliaries=[act_2,act_4,act_6]", 8},
               {"", "model.auxiliaries=[act_1,act_2,act_3]", 5},
               {"", NULL, 4},
               {", auxiliaries: [act_1]", NULL, 8}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[256];
    gf_diagnosis *d = NULL;
    gf__text rows = {0};
    snprintf(text, sizeof text, config, cases[i].more);
    make_run("run", vanishing, text, false);
    gf__text_add(&rows, "epoch,step,layer,mean,deviation,dead\n1,1,conv,0,1,nan\n");
    for (int k = 0; k < cases[i].activations; k++)
      gf__text_add(&rows, "1,1,act_%d,0,1,0\n1,1,pool_%d,0,1,nan\n", k, k);
    write_text("run/activations.csv", rows.data);
    gf__text_free(&rows);
    assert_ok(gf_diagnosis_open(&d, in_folder("run")));
    assert_int_equal(d->findings[0].verdict, GF_VERDICT_VANISHING);
    assert_int_equal(d->findings[0].remedy_count, cases[i].setting != NULL);
    if (cases[i].setting) assert_string_equal(d->findings[0].remedies[0].setting, cases[i].setting);
    gf_diagnosis_free(&d);
  }
}

/* ---- the command ---- */

static void the_report_is_this(void **state) {
  (void)state;
  make_run("deep net", vanishing, VGG("norm: every, initialisation: he"), true);
  assert_prints("diagnose 'deep net/'", 0,
                "deep net/\n"
                "\n"
                "vanishing: 1 of 3 layers below 1e-8, from conv_a towards the input, since epoch\n"
                "1\n"
                "  evidence   In epoch 2 mean |gradient| is between 1.0e-12 (conv_a) and 1.0e-01\n"
                "             (conv_c). In conv_c, nearest to the loss, it is 1.0e-01.\n"
                "  threshold  In two records mean |gradient| of a layer is below optimizer.eps\n"
                "             (1e-8 without one) and below 1e-3 times that of the layer nearest\n"
                "             to the loss. The level is 1e-8, which adam adds as eps. Source:\n"
                "             Kingma and Ba, 2015: below eps steps shrink with the gradient; 1e-3\n"
                "             is ten times less than healthy networks of this program have.\n"
                "  remedies   Shortcuts around the blocks hand the gradient on as it is (He et\n"
                "             al., 2015).\n"
                "               gradflow train 'deep net/config.yaml' \\\n"
                "                 --set model.shortcut=identity --out 'deep net-shortcut'\n"
                "\n"
                "the weights: mean |gradient| and, of epoch 2, the rest\n"
                "\n"
                "layer   |g| in 1  |g| in 2       L2  zeros  update/weight  dead\n"
                "------  --------  --------  -------  -----  -------------  ----\n"
                "conv_a   1.0e-12   1.0e-12  5.0e-01    12%        1.0e-03    0%\n"
                "conv_b   1.0e-04   1.0e-04  5.0e-01    12%        1.0e-03   25%\n"
                "conv_c   1.0e-01   1.0e-01  5.0e-01    12%        1.0e-03     -\n"
                "\n"
                "pictures   deep net/loss.png\n"
                "           deep net/accuracy.png\n"
                "           deep net/gradient_flow.png\n"
                "           deep net/gradient_flow_linear.png\n"
                "           deep net/update_ratio.png\n"
                "           deep net/gradient_heat_map.png\n"
                "           deep net/gradient_layers.png\n"
                "           deep net/activations.png\n"
                "           deep net/activation_heat_map.png\n");
  assert_true(gf__path_exists(in_folder("deep net/activation_heat_map.png")));
}

static void several_runs_are_compared(void **state) {
  (void)state;
  int code;
  make_run("one", vanishing, NULL, false);
  make_run("two", fine, NULL, false);
  char *text = run_program("diagnose one two", &code);
  assert_int_equal(code, 0);
  const char *first = strstr(text, "one\n\nvanishing: 1 of 3 layers"),
             *second = strstr(text, "\n\n\ntwo\n\nhealthy: mean |gradient| of all 3 layers");
  assert_true(first == text && second > first);
  assert_non_null(strstr(second, "\n           comparison/gradient_layers.png\n"));
  assert_true(gf__path_exists(in_folder("comparison/gradient_layers.png")));
  free(text);
  text = run_program("diagnose one two --out elsewhere", &code);
  assert_int_equal(code, 0);
  assert_true(gf__path_exists(in_folder("elsewhere/gradient_layers.png")));
  free(text);
}

static void json_has_all_of_it(void **state) {
  (void)state;
  int code;
  make_run("run", vanishing, VGG("norm: every, initialisation: he"), true);
  char *text = run_program("diagnose run --json", &code);
  assert_int_equal(code, 0);
  json_t *root = json_loads(text, 0, NULL);
  free(text);
  assert_non_null(root);
  json_t *run = json_array_get(json_object_get(root, "runs"), 0);
  const char *verdict, *setting, *command, *layer;
  double mean, l2, zeros, ratio, dead, epoch, activation_dead;
  json_t *deviation;
  assert_int_equal(
      json_unpack(run,
                  "{s:[{s:s, s:[{s:s, s:s}]}], s:[F, F], s:[o, {s:s, s:[F], s:[F], s:[F], "
                  "s:[F], s:F}], s:[o, {s:[o, o], s:[F]}]}",
                  "findings", "verdict", &verdict, "remedies", "setting", &setting, "command",
                  &command, "epochs", &(double){0}, &epoch, "layers", &(json_t *){NULL}, "name",
                  &layer, "mean_abs", &mean, "l2", &l2, "zeros", &zeros, "update_ratio", &ratio,
                  "dead", &dead, "activations", &(json_t *){NULL}, "deviation", &(json_t *){NULL},
                  &deviation, "dead", &activation_dead),
      0);
  assert_string_equal(verdict, "vanishing");
  assert_string_equal(setting, "model.shortcut=identity");
  assert_string_equal(command,
                      "gradflow train run/config.yaml --set model.shortcut=identity --out "
                      "run-shortcut");
  assert_string_equal(layer, "conv_b");
  assert_true(epoch == 2 && mean == 1e-4 && l2 == 0.5 && zeros == 0.125 && ratio == 1e-3);
  assert_true(dead == 0.25 && activation_dead == 0.25);
  assert_true(json_is_null(deviation)); /* JSON has no NaN */
  assert_int_equal(json_array_size(json_object_get(root, "pictures")), 9);
  json_decref(root);
}

static void wrong_calls_are_refused(void **state) {
  (void)state;
  make_run("run", fine, NULL, false);
  assert_prints("diagnose", 2,
                "gradflow: a run folder or a config is missing; see gradflow diagnose --help\n");
  assert_prints("diagnose nothing", 1,
                "gradflow: nothing has no metrics.csv: name a folder that a training run has "
                "written\n");
  assert_prints("diagnose run --out x", 2,
                "gradflow: --out is where pictures that compare several runs go; those of one run "
                "go into its folder; see gradflow diagnose --help\n");
  write_text("run/gradients.csv", "epoch\n");
  assert_prints("diagnose run", 1,
                "gradflow: run/gradients.csv:1: no column 'step' among the 1; is this the right "
                "file?\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(remedies_are_lines_that_the_run_has_not),
      cmocka_unit_test(families_have_their_own_words),
      cmocka_unit_test(auxiliarys_stand_on_layers_of_the_run),
      cmocka_unit_test(the_report_is_this),
      cmocka_unit_test(several_runs_are_compared),
      cmocka_unit_test(json_has_all_of_it),
      cmocka_unit_test(wrong_calls_are_refused),
  };
  return cmocka_run_group_tests_name("diagnosis_command", tests, folder_open, fixture_close);
}
