/* One threshold for vanished gradients: what a training run prints at its end, its live view, the
 * diagnosis, and the pages and charts of a study agree, whatever the optimizer. */
#define _XOPEN_SOURCE 700 /* mkdtemp, popen */

#include <math.h>
#include <stdbool.h>

#include "run/run_records.h"
#include "support/runs.h"
#include "support/test.h"

/* ---- the table ---- */

static void thresholds_follow_the_optimizer(void **state) {
  (void)state;
  static const struct {
    const char *config;
    double level;
    bool is_eps;
    const char *label;
  } cases[] = {
      {"optimizer: {name: adam}", 1e-8, true, "adam's eps, 1e-8"},
      {"optimizer: {eps: 1e-3}", 1e-3, true, "adam's eps, 0.001"},
      {"optimizer: {name: adamw, eps: 2.5e-7}", 2.5e-7, true, "adamw's eps, 2.5e-7"},
      {"optimizer: {name: rmsprop, eps: 1e-12}", 1e-12, true, "rmsprop's eps, 1e-12"},
      {"optimizer: {name: sgd}", 1e-8, false, "vanished below 1e-8"},
      /* Below the normal numbers of single precision nothing can be told from 0. */
      {"optimizer: {name: adam, eps: 0}", 1.18e-38, true, "adam's eps, 1.18e-38"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf_config *config = parse_config(cases[i].config);
    gf__vanishing v = gf__vanishing_of_config(config);
    gf_config_free(&config);
    assert_true(v.level == cases[i].level);
    assert_int_equal(v.is_eps, cases[i].is_eps);
    assert_string_equal(v.label, cases[i].label);
  }
}

/* ---- a run, from its start to the study's page ---- */

/* The output of a command in the fixture's folder; the caller frees it. */
static char *run_command(const char *arguments) {
  char command[1024], piece[4096];
  gf__text text = {0};
  snprintf(command, sizeof command, "cd %s && %s %s", fixture_folder, PROGRAM, arguments);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  for (size_t n; (n = fread(piece, 1, sizeof piece, pipe)) > 0;)
    gf__text_add_bytes(&text, piece, n);
  assert_int_equal(pclose(pipe), 0);
  gf__text_add(&text, "%s", "");
  return text.data;
}

typedef struct count {
  int vanished, layers;
  char number[32];
} count;

/* "3 of 5 layers below 1e-8, from …" or "3 of 5 vanished below 1e-8\n" at text. */
static count read_count(const char *text) {
  count c = {0};
  if (sscanf(text, "%d of %d layers below %31[^, \n]", &c.vanished, &c.layers, c.number) != 3)
    assert_int_equal(
        sscanf(text, "%d of %d vanished below %31[^, \n]", &c.vanished, &c.layers, c.number), 3);
  return c;
}

/* The last line of the live view. */
static count read_watched(const char *name) {
  char path[64], *text = NULL;
  size_t size;
  snprintf(path, sizeof path, "%s.watched", name);
  assert_ok(gf__file_read(in_folder(path), &text, &size));
  char *last = NULL;
  for (char *next = strstr(text, " below "); next; next = strstr(next + 1, " below ")) last = next;
  assert_non_null(last);
  while (last > text && last[-1] != ';') last--;
  count c = read_count(last + 1);
  free(text);
  return c;
}

static const struct kind {
  const char *name, *optimizer, *number, *label;
} kinds[] = {
    {"adam", "{name: adam, eps: 1e-3}", "0.001", "adam's eps, 0.001"},
    {"sgd", "{name: sgd, learning_rate: 1e-2}", "1e-8", "vanished below 1e-8"},
    {"rmsprop", "{name: rmsprop, eps: 1e-2}", "0.01", "rmsprop's eps, 0.01"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void train_kind(const struct kind *kind) {
  char yaml[512], name[64], arguments[256], diagnose[64];
  snprintf(yaml, sizeof yaml,
           "data: {name: cifar100, path: %s}\ntrain: {epochs: 2, batch_size: 50, seed: 1}\n"
           "model: {family: vgg_stages, stages: 1, blocks_per_stage: 1, filters: 4, activation: "
           "sigmoid}\n"
           "optimizer: %s\n",
           fixture_folder, kind->optimizer);
  snprintf(name, sizeof name, "%s.yaml", kind->name);
  assert_ok(gf__file_write(in_folder(name), yaml, strlen(yaml)));
  snprintf(arguments, sizeof arguments,
           "train %s --out out/%s/seed-1 --watch --tune off 2>%s.watched", name, kind->name,
           kind->name);
  char *printed = run_command(arguments);
  count watched = read_watched(kind->name);
  assert_string_equal(watched.number, kind->number);
  const char *verdict = strstr(printed, "gradients  ");
  assert_non_null(verdict);
  verdict += strlen("gradients  ");
  bool has_vanished = strncmp(verdict, "vanishing: ", 11) == 0;
  if (has_vanished != (watched.vanished > 0)) fail_msg("%d, and %.200s", watched.vanished, verdict);
  assert_int_equal(has_vanished, strcmp(kind->name, "sgd") != 0);
  if (has_vanished) {
    count printed_count = read_count(verdict + 11);
    assert_memory_equal(&printed_count, &watched, sizeof watched);
  }
  snprintf(diagnose, sizeof diagnose, "diagnose out/%s/seed-1", kind->name);
  char *diagnosed = run_command(diagnose);
  gf__text line = {0};
  gf__text_add(&line, "%.*s", (int)strcspn(verdict, "\n,"), verdict);
  assert_non_null(strstr(diagnosed, line.data));
  gf__text_free(&line);
  gf__run run;
  snprintf(name, sizeof name, "out/%s/seed-1", kind->name);
  assert_ok(gf__run_load(&run, in_folder(name)));
  assert_string_equal(run.vanishing.label, kind->label);
  gf__run_free(&run);
  free(printed);
  free(diagnosed);
}

static void all_agree_on_what_has_vanished(void **state) {
  (void)state;
  static const char study[] =
      "study: {name: s, title: A study}\nseeds: [1]\nsettings:\n"
      "  - {name: adam, base: adam.yaml}\n  - {name: sgd, base: sgd.yaml}\n"
      "  - {name: rmsprop, base: rmsprop.yaml}\n"
      "tables:\n  - {name: t, title: The table, columns: [train_accuracy]}\n"
      "figures:\n"
      "  - {name: adam, title: Flow, kind: gradient_flow, settings: [adam], log: true}\n"
      "  - {name: sgd, title: Flow, kind: gradient_flow, settings: [sgd], log: true}\n"
      "  - {name: rmsprop, title: Flow, kind: gradient_flow, settings: [rmsprop], log: true}\n"
      "  - {name: all, title: All, kind: gradient_flow_compare, log: true}\n";
  for (int i = 0; i < KINDS; i++) train_kind(&kinds[i]);
  assert_ok(gf__file_write(in_folder("study.yaml"), study, strlen(study)));
  free(run_command("study report study.yaml --out out"));
  char *page = NULL;
  size_t size;
  assert_ok(gf__file_read(in_folder("out/reports/s/report.html"), &page, &size));
  for (int i = 0; i < KINDS; i++) {
    char expected[96];
    snprintf(expected, sizeof expected, "\"reference_name\":\"%s\"", kinds[i].label);
    const char *found = strstr(page, expected);
    if (!found) fail_msg("%s is not in the page", expected);
    assert_null(strstr(found + 1, expected)); /* of three optimizers no single line holds */
  }
  free(page);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(thresholds_follow_the_optimizer),
      cmocka_unit_test(all_agree_on_what_has_vanished),
  };
  return cmocka_run_group_tests(tests, open_all, fixture_close);
}
