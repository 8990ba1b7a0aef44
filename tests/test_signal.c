/* What is said of a fresh network: mean-field theory against numbers that were integrated
 * elsewhere, where a signal is lost, the file of early steps, and gradflow diagnose of a config. */
#define _XOPEN_SOURCE 700 /* mkdtemp, popen */

#include <sys/wait.h>

#include <jansson.h>

#include <gradflow/diagnosis.h>

#include "diagnosis/rules.h"
#include "diagnosis/signal.h"
#include "support/runs.h"
#include "support/test.h"

static void expect(const char *what, double got, double expected, double relative) {
  if (!(fabs(got - expected) <= relative * fabs(expected)))
    fail_msg("%s is %.9g and not %.9g", what, got, expected);
}

/* ---- mean-field theory ---- */

/* Of a leaky rectifier all is known: chi = sw^2 (1 + a^2) / 2, length = sb^2 / (1 - chi). */
static void the_theory_of_rectifiers_is_exact(void **state) {
  (void)state;
  static const struct {
    double slope, weight, bias;
  } cases[] = {{0, 1.0 / 3, 0.01}, {0.01, 1.0 / 3, 1e-3}, {0.3, 1.5, 0.2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf_signal_theory t = {0};
    gf__mean_field_activation a = {"leaky_relu", cases[i].slope};
    assert_true(gf__mean_field(&a, cases[i].weight, cases[i].bias, &t));
    double chi = cases[i].weight * (1 + cases[i].slope * cases[i].slope) / 2;
    expect("chi", t.chi, chi, 1e-9);
    expect("the length", t.length, cases[i].bias / (1 - chi), 1e-9);
    expect("the depth", t.depth, -1 / log(chi), 1e-8);
    assert_true(t.correlation == 1);
  }
  gf_signal_theory he = {0}, none = {0};
  assert_true(gf__mean_field(&(gf__mean_field_activation){"relu", 0}, 2, 0, &he));
  expect("chi of He's", he.chi, 1, 1e-9);
  assert_true(isinf(he.depth));
  assert_true(gf__mean_field(&(gf__mean_field_activation){"relu", 0}, 1.0 / 3, 0, &none));
  assert_true(none.length == 0);
  assert_true(gf__mean_field(&(gf__mean_field_activation){"relu", 0}, 3, 0.1, &he));
  assert_true(isinf(he.length));
  assert_false(gf__mean_field(&(gf__mean_field_activation){"swirl", 0}, 1, 0, &he));
  assert_false(gf__mean_field(&(gf__mean_field_activation){0}, 1, 0, &he));
}

/* By Gauss-Hermite quadrature of 120 points in another program. */
static void the_theory_of_smooth_activations_agrees_with_quadrature(void **state) {
  (void)state;
  static const struct {
    const char *kind;
    double weight, bias, length, chi, correlation, depth;
  } cases[] = {
      {"tanh", 2.25, 0.0025, 0.798387114, 1.13670778, 0.0520862364, 16.2006417},
      {"tanh", 0.5, 0.1, 0.162782148, 0.392639526, 1, 1.06967508},
      {"gelu", 1, 0.05, 0.0694154317, 0.288789561, 1, 0.805116017},
      {"sigmoid", 1.0 / 3, 0.01, 0.0952286714, 0.0199161939, 1, 0.255348132},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf_signal_theory t = {0};
    assert_true(gf__mean_field(&(gf__mean_field_activation){cases[i].kind, 0}, cases[i].weight,
                               cases[i].bias, &t));
    expect("the length", t.length, cases[i].length, 1e-6);
    expect("chi", t.chi, cases[i].chi, 1e-6);
    expect("the correlation", t.correlation, cases[i].correlation, 1e-4);
    expect("the depth", t.depth, cases[i].depth, 1e-4);
  }
}

/* A rectifier's map of correlations is the arc-cosine kernel (Cho and Saul, 2009). */
static void a_layer_maps_correlations_by_the_arc_cosine_kernel(void **state) {
  (void)state;
  static const double pi = 3.14159265358979323846;
  for (int i = 1; i < 20; i++) {
    double c = i / 20.0, gain;
    gf__mean_field_state s = {.length = 1, .difference = 1 - c};
    assert_true(gf__mean_field_step(&(gf__mean_field_activation){"relu", 0}, 2, 0, &s, &gain));
    double next = (sqrt(1 - c * c) + c * (pi - acos(c))) / pi;
    expect("the length", s.length, 1, 1e-9);
    expect("the difference", s.difference, 1 - next, 2e-3);
    expect("the gain", gain, 1, 1e-9);
  }
  /* Far below what a double resolves of a correlation. */
  double gain;
  gf__mean_field_state tiny = {.length = 1, .difference = 1e-25};
  assert_true(
      gf__mean_field_step(&(gf__mean_field_activation){"relu", 0}, 1.0 / 3, 0.01, &tiny, &gain));
  expect("a tiny difference", tiny.difference, 1e-25 / 6, 1e-9);
}

/* ---- where a signal ends ---- */

static const char *const names_[] = {"a", "b", "c", "d"};

static gf__signal_end end_of(double a, double b, double c, double d) {
  double contrast[] = {a, b, c, d};
  gf__signal_course course = {4, names_, contrast, contrast, contrast};
  return gf__signal_end_of(&course);
}

static void a_signal_ends_where_nothing_brings_it_back(void **state) {
  (void)state;
  gf__signal_end e = end_of(0.9, 0.5, 0.5, 0.1);
  assert_true(e.state == GF__SIGNAL_IS_SOUND && e.at == -1 && e.steepest == 3);
  e = end_of(0.9, 1e-7, 1e-8, 1e-9);
  assert_true(e.state == GF__SIGNAL_IS_FAINT && e.at == 1 && e.steepest == 1);
  e = end_of(0.9, 1e-7, 1e-15, 1e-9); /* what comes after is rounding */
  assert_true(e.state == GF__SIGNAL_IS_LOST && e.at == 2);
  e = end_of(0.9, 1e-15, 0.3, 0.3); /* a branch beside a shortcut */
  assert_true(e.state == GF__SIGNAL_IS_SOUND && e.at == -1);
  e = end_of(0.9, 0.5, 0, 0);
  assert_true(e.state == GF__SIGNAL_IS_LOST && e.at == 2 && e.steepest == 1);
  e = end_of((double)NAN, (double)NAN, (double)NAN, (double)NAN);
  assert_true(e.state == GF__SIGNAL_IS_UNKNOWN && e.first == -1);
  e = end_of(0.9, (double)NAN, 0.3, (double)NAN);
  assert_true(e.state == GF__SIGNAL_IS_SOUND && e.first == 0 && e.last == 2);
}

/* ---- early_steps.csv ---- */

static void write_text(const char *name, const char *text) {
  assert_ok(gf__file_write(in_folder(name), text, strlen(text)));
}

#define EARLY "step,layer,rms,contrast,dead,mean_abs,loss\n"

static void early_steps_are_powers_of_two(void **state) {
  (void)state;
  static const long steps[] = {0, 1, 2, 4, 8, 16, 1024, 1L << 30};
  int found = 0;
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    assert_true(gf__early_steps_has(steps[i]));
  for (long step = 0; step <= 1000; step++) found += gf__early_steps_has(step);
  assert_int_equal(found, 11); /* 0, and 1 to 512 */
}

static void early_steps_are_read(void **state) {
  (void)state;
  gf__early_steps e;
  assert_ok(gf__make_folder(in_folder("run")));
  assert_ok(gf__early_steps_load(&e, in_folder("run")));
  assert_true(e.step_count == 0 && e.layer_count == 0);
  write_text("run/early_steps.csv", EARLY
             "0,a,1,0.9,nan,1e-3,2.3\n0,b,2,0.8,0.25,nan,2.3\n"
             "1,a,3,0.7,nan,1e-4,2.2\n1,b,4,0.6,0.5,nan,2.2\n"
             "2,a,5,0.5,nan,1e-5,2.1\n"); /* cut off */
  assert_ok(gf__early_steps_load(&e, in_folder("run")));
  assert_int_equal(e.step_count, 2);
  assert_int_equal(e.layer_count, 2);
  assert_string_equal(e.layers[1], "b");
  assert_true(e.steps[1] == 1 && e.losses[1] == 2.2);
  assert_true(e.rms[3] == 4 && e.contrast[2] == 0.7 && e.dead[3] == 0.5 && e.mean_abs[2] == 1e-4);
  gf__early_steps_free(&e);
  write_text("run/early_steps.csv", EARLY
             "0,a,1,0.9,nan,1e-3,2.3\n0,b,2,0.8,0.25,nan,2.3\n"
             "1,b,3,0.7,nan,1e-4,2.2\n1,a,4,0.6,0.5,nan,2.2\n");
  assert_int_equal(gf__early_steps_load(&e, in_folder("run")), GF_ERROR_DATA);
  assert_non_null(strstr(gf_error_message(),
                         "early_steps.csv:4: step 1, layer b: each step needs "
                         "the layers of the first one, in the same order"));
  gf__early_steps_free(&e);
}

/* ---- what a diagnosis says of it ---- */

/* A run of two layers and an epoch, whose loss is that of guessing among ten. */
static void make_run(const char *early, const char *last, const char *loss) {
  char text[512];
  write_text("run/gradients.csv",
             "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n"
             "1,9,a,a.weight,1e-3,1,1,0,1e-3\n1,9,b,b.weight,1e-3,1,1,0,1e-3\n");
  snprintf(text, sizeof text,
           "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
           "1,1e-3,%s,0.1,nan,nan\n",
           loss);
  write_text("run/metrics.csv", text);
  snprintf(text, sizeof text, "epoch,step,layer,mean,deviation,dead,contrast\n%s", last);
  write_text("run/activations.csv", text);
  snprintf(text, sizeof text, EARLY "%s", early);
  write_text("run/early_steps.csv", text);
  write_text("run/network.json",
             "{\"format\": 1, \"image\": [4, 4, 1], \"classes\": 10, \"layers\": ["
             "{\"name\": \"a\", \"type\": \"relu\"}, {\"name\": \"b\", \"type\": \"linear\"}]}");
}

/* The headline, or NULL where the rule does not hold. */
static char *headline_of(gf__find *find) {
  gf__case c;
  gf__draft d = {0};
  assert_ok(gf__case_load(&c, in_folder("run")));
  bool holds = find(&c, &d);
  assert_true(holds == (d.headline.data != NULL) && holds == (d.evidence.data != NULL));
  gf__text_free(&d.evidence);
  gf__case_free(&c);
  return d.headline.data;
}

static void assert_headline(gf__find *find, const char *expected) {
  char *got = headline_of(find);
  if (expected)
    assert_string_equal(got, expected);
  else
    assert_null(got);
  free(got);
}

static void a_signal_that_was_never_there_is_told_from_one_that_was_killed(void **state) {
  (void)state;
  static const char lost[] = "0,a,1,1e-2,0,1e-3,2.3\n0,b,1,1e-9,nan,1e-3,2.3\n";
  static const char killed[] =
      "0,a,1,0.9,0,1e-3,2.3\n0,b,1,0.3,nan,1e-3,2.3\n"
      "8,a,1,0.9,0,1e-3,2.3\n8,b,1,0.2,nan,1e-3,2.3\n"
      "16,a,1,1e-4,0.75,1e-3,2.3\n16,b,1,2e-4,nan,1e-3,2.3\n";
  static const char gone[] = "1,20,a,0,1,0.75,1e-5\n1,20,b,0,1,nan,1e-7\n";
  static const char sound[] = "1,20,a,0,1,0,0.9\n1,20,b,0,1,nan,0.3\n";
  make_run(lost, gone, "2.302");
  assert_headline(gf__find_signal_lost,
                  "signal lost: from b on the images make no difference, "
                  "contrast 1.0e-09 at the logits, already before the first "
                  "step");
  assert_headline(gf__find_killed, NULL);
  make_run(killed, gone, "2.302");
  assert_headline(gf__find_signal_lost, NULL);
  assert_headline(gf__find_killed,
                  "killed by training: contrast 3.0e-01 at the logits before the first step, lost "
                  "between steps 8 and 16, first in a");
  make_run("0,a,1,0.9,0,1e-3,2.3\n0,b,1,0.3,nan,1e-3,2.3\n", gone, "2.302");
  assert_headline(gf__find_killed,
                  "killed by training: contrast 3.0e-01 at the logits before the first step, lost "
                  "after step 0, in a");
  make_run(lost, sound, "2.302"); /* it has come back */
  assert_headline(gf__find_signal_lost, NULL);
  make_run(lost, gone, "1.9"); /* it learns all the same */
  assert_headline(gf__find_signal_lost, NULL);
  make_run(killed, gone, "1.9");
  assert_headline(gf__find_killed, NULL);
  make_run(killed, sound, "2.302");
  assert_headline(gf__find_killed, NULL);
  /* No gradient could have moved it. */
  make_run("0,a,1,0.9,0,1e-30,2.3\n0,b,1,0.3,nan,9e-9,2.3\n", gone, "2.302");
  assert_headline(gf__find_killed, NULL);
  /* A layer that has died as a whole. */
  make_run(
      "0,a,1,0.9,0,1e-3,2.3\n0,b,1,0.3,nan,1e-3,2.3\n"
      "1,a,1,0.9,1,1e-3,2.3\n1,b,1,0.3,nan,1e-3,2.3\n",
      "1,20,a,0,1,1,0.9\n1,20,b,0,1,nan,0.3\n", "2.302");
  assert_headline(gf__find_killed,
                  "killed by training: contrast 3.0e-01 at the logits before the first step, lost "
                  "between steps 0 and 1, first in a");
  assert_headline(gf__find_dead_at_start, NULL); /* in the first record of activations, but alive */
  make_run("0,a,1,0.9,1,1e-3,2.3\n0,b,1,0.3,nan,1e-3,2.3\n",
           "1,20,a,0,1,1,0.9\n1,20,b,0,1,nan,0.3\n", "2.302");
  assert_headline(gf__find_killed, NULL);
  assert_headline(gf__find_dead_at_start,
                  "dead at initialisation: 1 of 1 activations let no gradient through, the first "
                  "from the input a, from the first record on");
}

static void branches_that_grow_before_the_first_step_are_found(void **state) {
  (void)state;
  static const char last[] = "1,20,a,0,2,0,0.9\n1,20,b,0,4,nan,0.3\n";
  static const char network[] =
      "{\"format\": 1, \"image\": [4, 4, 1], \"classes\": 10, \"layers\": ["
      "{\"name\": \"a\", \"type\": \"add\"}, {\"name\": \"b\", \"type\": \"add\"}]}";
  make_run("0,a,2,0.9,0,1e-3,9\n0,b,202,0.3,nan,1e-3,9\n", last, "2.302");
  write_text("run/network.json", network);
  assert_headline(gf__find_growing_branch,
                  "residual branch grows: activations grow by a factor of 1.0e+02 from the first "
                  "residual block to the last before the first step");
  make_run("0,a,2,0.9,0,1e-3,9\n0,b,199,0.3,nan,1e-3,9\n", last, "2.302");
  write_text("run/network.json", network);
  assert_headline(gf__find_growing_branch, NULL);
  make_run("0,a,2,0.9,0,1e-3,9\n0,b,inf,0.3,nan,1e-3,9\n", last, "2.302");
  write_text("run/network.json", network);
  assert_headline(gf__find_growing_branch, NULL);
  make_run("1,a,2,0.9,0,1e-3,9\n1,b,202,0.3,nan,1e-3,9\n", last, "2.302"); /* not the first */
  write_text("run/network.json", network);
  assert_headline(gf__find_growing_branch, NULL);
}

/* ---- a network and its batch ---- */

static const char deep_[] = "model: {family: vgg_stages, blocks_per_stage: 2, filters: 4}\n";

static gf_signal *open_signal(const char *more) {
  gf_signal *signal = NULL;
  gf_config *config = config_of(deep_, "");
  for (const char *line = more; *line; line += strlen(line) + 1)
    assert_ok(gf_config_set(config, line));
  assert_ok(gf_signal_open(&signal, fixture_device, config));
  gf_config_free(&config);
  return signal;
}

/* The numbers are those that training records at its first step. */
static void a_fresh_network_is_that_of_the_first_step(void **state) {
  (void)state;
  gf_signal *s = open_signal("");
  gf__early_steps e;
  assert_ok(train(config_of(deep_, ""), "fresh", NULL));
  assert_ok(gf__early_steps_load(&e, in_folder("fresh")));
  assert_int_equal(e.layer_count, s->layer_count);
  assert_true(e.step_count >= 4 && e.steps[0] == 0 && e.steps[3] == 4);
  for (int i = 0; i < s->layer_count; i++) {
    const gf_signal_layer *l = &s->layers[i];
    assert_string_equal(l->layer, e.layers[i]);
    expect("the size", l->rms, e.rms[i], 1e-5);
    expect("the contrast", l->contrast, e.contrast[i], 1e-5);
    expect("the gradient", l->mean_abs, e.mean_abs[i], 1e-5);
    assert_true(isnan(l->dead) == isnan(e.dead[i]));
    assert_true(l->dimension > 0 && l->dimension < 32);
    assert_true(l->coherence > 0 && l->coherence <= 1.001);
  }
  expect("the loss", s->loss, e.losses[0], 1e-6);
  expect("that of guessing", s->guess, log(CLASSES), 1e-12);
  gf__early_steps_free(&e);
  gf_signal_free(&s);
  assert_null(s);
  gf_signal_free(&s);
}

/* As those of an imported network, which has no fresh ones. */
static void weights_that_the_config_names_are_measured(void **state) {
  (void)state;
  char weights[256] = {0}; /* with a NUL after its own, as open_signal wants it */
  gf__early_steps e;
  assert_ok(train(config_of(deep_, ""), "before", NULL));
  snprintf(weights, sizeof weights - 1, "train.weights=%s", in_folder("before"));
  gf_signal *s = open_signal(weights), *fresh = open_signal("");
  gf_config *config = config_of(deep_, "");
  assert_ok(gf_config_set(config, weights));
  assert_ok(train(config, "after", NULL));
  assert_ok(gf__early_steps_load(&e, in_folder("after")));
  assert_int_equal(e.layer_count, s->layer_count);
  for (int i = 0; i < s->layer_count; i++) {
    expect("the size", s->layers[i].rms, e.rms[i], 1e-5);
    expect("the gradient", s->layers[i].mean_abs, e.mean_abs[i], 1e-5);
  }
  assert_true(s->loss != fresh->loss);
  gf__early_steps_free(&e);
  gf_signal_free(&s);
  gf_signal_free(&fresh);
}

static void the_batch_is_counted(void **state) {
  (void)state;
  gf_signal *s = open_signal("");
  const gf_signal_batch *b = &s->batch;
  int images = 0;
  assert_int_equal(b->images, BATCH);
  assert_int_equal(b->classes, CLASSES);
  for (int c = 0; c < CLASSES; c++) images += b->class_images[c];
  assert_int_equal(images, BATCH);
  assert_true(b->wrong_labels == 0 && b->nonfinite == 0 && b->constant == 0 && b->duplicates == 0);
  gf_signal_free(&s);
  s = open_signal("data.mean=[-9, 0, 0]\0");
  bool is_noted = false;
  for (int i = 0; i < s->note_count; i++)
    is_noted |= strstr(s->notes[i], "The inputs are not normalised: channel 0 has mean ") != NULL;
  assert_true(is_noted);
  gf_signal_free(&s);
}

/* Theory follows a chain, and says why it does not follow another network. */
static void theory_stands_beside_what_was_measured(void **state) {
  (void)state;
  gf_signal *s = open_signal("model.filters=32\0");
  const gf_signal_theory *t = &s->theory;
  assert_null(t->reason);
  assert_string_equal(t->activation, "leaky_relu");
  expect("the weights' variance", t->weight_variance, 1.0 / 3, 0.02);
  expect("chi", t->chi, 1.0 / 6, 0.02);
  for (int i = 0; i < s->layer_count; i++) {
    const gf_signal_layer *l = &s->layers[i];
    if (isnan(l->contrast_expected) || l->contrast < 1e-9) continue;
    if (!(fabs(log(l->contrast / l->contrast_expected)) < log(30)))
      fail_msg("%s: contrast %g, expected %g", l->layer, l->contrast, l->contrast_expected);
  }
  gf_signal_free(&s);
  s = open_signal("model.shortcut=identity\0");
  assert_non_null(strstr(s->theory.reason, "shortcuts"));
  gf_signal_free(&s);
  s = open_signal("model.norm=every\0");
  assert_non_null(strstr(s->theory.reason, "norms"));
  gf_signal_free(&s);
}

static void a_network_without_data_is_refused(void **state) {
  (void)state;
  gf_config *config;
  gf_signal *s;
  assert_ok(gf_config_parse(&config, "net.yaml", deep_));
  assert_int_equal(gf_signal_open(&s, fixture_device, config), GF_ERROR_CONFIG);
  assert_null(s);
  assert_non_null(strstr(gf_error_message(),
                         "the config has no section 'data', and a diagnosis "
                         "before training needs a batch of it"));
  gf_config_free(&config);
}

/* ---- the command ---- */

static int run_command(const char *arguments, char *out, size_t size) {
  char command[1024];
  snprintf(command, sizeof command, "cd '%s' && '%s' %s 2>&1", fixture_folder, PROGRAM, arguments);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  size_t length = fread(out, 1, size - 1, pipe);
  out[length] = 0;
  int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_command_prints_a_config(void **state) {
  (void)state;
  static char out[1 << 18];
  char config[512];
  snprintf(config, sizeof config,
           "data: {name: cifar100, path: %s, validation: %d}\n%strain: {batch_size: 20}\n",
           fixture_folder, VALIDATION, deep_);
  write_text("net.yaml", config);
  assert_int_equal(run_command("diagnose net.yaml --out pictures", out, sizeof out), 0);
  assert_non_null(strstr(out, "net.yaml: the network before its first step\n"));
  assert_non_null(strstr(out, "\ntheory    leaky_relu, weight variance "));
  assert_non_null(strstr(out, "\nbatch     20 images, "));
  assert_non_null(strstr(out, "\npicture   pictures/signal.png\n"));
  assert_true(gf__path_exists(in_folder("pictures/signal.png")));
  assert_int_equal(run_command("diagnose net.yaml --json", out, sizeof out), 0);
  json_t *json = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(json);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "batch"), "images")),
                   20);
  assert_true(json_array_size(json_object_get(json, "layers")) > 10);
  assert_true(json_is_null(json_object_get(json, "picture")));
  json_decref(json);
}

static void the_command_refuses_what_it_cannot_read(void **state) {
  (void)state;
  static char out[1 << 14];
  static const struct {
    const char *arguments, *message;
  } cases[] = {
      {"diagnose none.yaml", "cannot open none.yaml"},
      {"diagnose bare.yaml", "the config has no section 'data'"},
      {"diagnose gone.yaml", "train.bin"},
      {"diagnose bare.yaml run",
       "bare.yaml is a config, which is diagnosed alone; name it or run "
       "folders, not both"},
  };
  write_text("bare.yaml", deep_);
  write_text("gone.yaml", "data: {name: cifar100, path: nowhere}\nmodel: {family: vgg_stages}\n");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int code = run_command(cases[i].arguments, out, sizeof out);
    if (code == 0 || !strstr(out, cases[i].message))
      fail_msg("%s: exit code %d, %s", cases[i].arguments, code, out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_theory_of_rectifiers_is_exact),
      cmocka_unit_test(the_theory_of_smooth_activations_agrees_with_quadrature),
      cmocka_unit_test(a_layer_maps_correlations_by_the_arc_cosine_kernel),
      cmocka_unit_test(a_signal_ends_where_nothing_brings_it_back),
      cmocka_unit_test(early_steps_are_powers_of_two),
      cmocka_unit_test(early_steps_are_read),
      cmocka_unit_test(a_signal_that_was_never_there_is_told_from_one_that_was_killed),
      cmocka_unit_test(branches_that_grow_before_the_first_step_are_found),
      cmocka_unit_test(a_fresh_network_is_that_of_the_first_step),
      cmocka_unit_test(weights_that_the_config_names_are_measured),
      cmocka_unit_test(the_batch_is_counted),
      cmocka_unit_test(theory_stands_beside_what_was_measured),
      cmocka_unit_test(a_network_without_data_is_refused),
      cmocka_unit_test(the_command_prints_a_config),
      cmocka_unit_test(the_command_refuses_what_it_cannot_read),
  };
  return cmocka_run_group_tests_name("signal", tests, open_all, fixture_close);
}
