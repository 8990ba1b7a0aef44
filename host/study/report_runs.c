/* The runs that a report uses: how far each is, its settings, and what it ran on. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/os.h"
#include "report/html.h"
#include "study/report.h"

/* ---- environment.json ---- */

/* What of it is shown. */
static const struct {
  const char *title, *key;
  bool is_of_device;
} facts[] = {
    {"device", "name", true},      {"platform", "platform", true},  {"driver", "driver", true},
    {"OpenCL", "version", true},   {"gradflow", "gradflow", false}, {"commit", "commit", false},
    {"CLBlast", "clblast", false},
};
enum { FACTS = sizeof facts / sizeof *facts };

static const char *fact(const json_t *environment, int i) {
  const json_t *object =
      facts[i].is_of_device ? json_object_get(environment, "device") : environment;
  const char *text = json_string_value(json_object_get(object, facts[i].key));
  return text ? text : "unknown";
}

/* The facts of the beginning, and where the run went on somewhere else, what is different there. */
static void add_environment(gf__table *table, const json_t *environment) {
  for (int i = 0; i < FACTS; i++) {
    gf__table_add(table, "%s", facts[i].title);
    gf__table_add(table, "%s", fact(environment, i));
  }
  const json_t *before = environment, *resumed = json_object_get(environment, "resumed");
  for (size_t k = 0; k < json_array_size(resumed); k++) {
    const json_t *now = json_array_get(resumed, k);
    for (int i = 0; i < FACTS; i++) {
      if (strcmp(fact(before, i), fact(now, i)) == 0) continue;
      gf__table_add(table, "%s from epoch %d on", facts[i].title,
                    (int)json_integer_value(json_object_get(now, "epoch")));
      gf__table_add(table, "%s", fact(now, i));
    }
    before = now;
  }
}

/* NULL where there is none to read, which leaves the facts unknown. */
static json_t *load_environment(const char *folder) {
  char path[GF__PATH_SIZE];
  if (gf__path_join(path, sizeof path, folder, "environment.json") != GF_OK) return NULL;
  return gf__json_read(path);
}

/* ---- config.yaml ---- */

/* "model.filters" and "32"; lists of values in one cell. */
static void add_config(gf__table *table, const char *prefix, const gf__value *value) {
  for (size_t i = 0; i < value->count; i++) {
    const gf__value *item = value->items[i];
    char name[1024], index[24];
    snprintf(index, sizeof index, "%zu", i);
    snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "",
             item->key ? item->key : index);
    if (item->kind == GF__SCALAR) {
      gf__table_add(table, "%s", name);
      gf__table_add(table, "%s", item->text);
    } else {
      add_config(table, name, item);
    }
  }
}

static gf_status add_settings(gf__table *table, const char *folder) {
  char path[GF__PATH_SIZE];
  gf_config *config;
  GF_TRY(gf__path_join(path, sizeof path, folder, "config.yaml"));
  GF_TRY(gf_config_load(&config, path));
  add_config(table, "", gf__config_root(config));
  gf_config_free(&config);
  return GF_OK;
}

/* ---- runs ---- */

static const gf__table_column columns[] = {
    {"setting", false}, {"seed", true},         {"state", false}, {"verdict", false},
    {"train %", true},  {"validation %", true}, {"test %", true}};
enum { COLUMNS = sizeof columns / sizeof *columns };
enum { FILE_COLUMNS = COLUMNS + FACTS };

static void add_run(gf__table *table, const gf__setting *setting, uint64_t seed,
                    const gf__outcome *outcome) {
  gf__text state = {0};
  if (outcome->difference) gf__text_add(&state, "other settings: ");
  gf__outcome_describe(&state, outcome);
  gf__table_add(table, "%s", setting->name);
  gf__table_add(table, "%llu", (unsigned long long)seed);
  gf__table_add(table, "%s%s", state.data ? state.data : "",
                outcome->at_chance ? ", at chance" : "");
  gf__table_add(table, "%s", gf__outcome_verdict(outcome));
  gf__text_free(&state);
  for (int i = GF__COLUMN_TRAIN_ACCURACY; i <= GF__COLUMN_TEST_ACCURACY; i++) {
    if (isnan(outcome->values[i]))
      gf__table_add(table, "%s", "");
    else
      gf__table_add(table, "%.2f", outcome->values[i]);
  }
}

/* Folded away in the page. */
static gf_status show_run(gf__report *r, const gf__setting *setting, uint64_t seed,
                          const gf__outcome *outcome, const char *folder,
                          const json_t *environment) {
  static const gf__table_column pair[] = {{"key", false}, {"value", false}};
  gf__table table = {.columns = pair, .column_count = 2};
  gf__text summary = {0};
  gf__text_add(&summary, "%s, seed %llu: ", setting->label, (unsigned long long)seed);
  gf__outcome_describe(&summary, outcome);
  if (outcome->verdict < GF_VERDICT_COUNT)
    gf__text_add(&summary, ", %s", gf__outcome_verdict(outcome));
  gf_status status = gf__text_status(&summary);
  if (status == GF_OK) {
    gf__html_fold_begin(&r->html, summary.data);
    add_environment(&table, environment);
    status = add_settings(&table, folder);
  }
  if (status == GF_OK) status = gf__html_table(&r->html, NULL, &table);
  gf__html_fold_end(&r->html);
  gf__table_free(&table);
  gf__text_free(&summary);
  return status;
}

/* A row in each table, and the run itself in the page where it has begun. */
static gf_status report_run(gf__report *r, const gf__setting *setting, uint64_t seed,
                            const gf__outcome *outcome, gf__table *file) {
  char folder[GF__PATH_SIZE];
  GF_TRY(gf__study_run_folder(folder, r->study, setting, seed));
  json_t *environment = load_environment(folder);
  add_run(file, setting, seed, outcome);
  bool begun = outcome->state.status != GF_RUN_ABSENT;
  for (int i = 0; i < FACTS; i++) gf__table_add(file, "%s", begun ? fact(environment, i) : "");
  gf_status status = begun ? show_run(r, setting, seed, outcome, folder, environment) : GF_OK;
  json_decref(environment);
  return status;
}

static gf_status report_all(gf__report *r, gf__table *file) {
  gf__table page = {.columns = columns, .column_count = COLUMNS};
  const gf_study *study = r->study;
  for (int i = 0; i < study->setting_count; i++)
    for (int k = 0; k < study->settings[i].seed_count; k++)
      add_run(&page, &study->settings[i], study->settings[i].seeds[k], &r->outcomes[i][k]);
  gf_status status = gf__html_table(&r->html, NULL, &page);
  gf__table_free(&page);
  for (int i = 0; i < study->setting_count; i++)
    for (int k = 0; k < study->settings[i].seed_count && status == GF_OK; k++)
      status =
          report_run(r, &study->settings[i], study->settings[i].seeds[k], &r->outcomes[i][k], file);
  return status;
}

gf_status gf__report_runs(gf__report *r) {
  gf__table_column all[FILE_COLUMNS];
  memcpy(all, columns, sizeof columns);
  for (int i = 0; i < FACTS; i++) all[COLUMNS + i] = (gf__table_column){facts[i].title, false};
  gf__table file = {.columns = all, .column_count = FILE_COLUMNS};
  gf__text csv = {0};
  gf__html_heading(&r->html, "Runs");
  gf_status status = report_all(r, &file);
  if (status == GF_OK) status = gf__table_csv(&file, &csv);
  if (status == GF_OK) status = gf__report_write(r, "runs", "csv", &csv);
  gf__table_free(&file);
  gf__text_free(&csv);
  return status;
}
