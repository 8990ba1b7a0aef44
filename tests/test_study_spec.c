/* Studies as files: what is read, grids, includes, every message, and the studies that come with
 * the program. */
#define _XOPEN_SOURCE 700 /* mkdtemp, glob */

#include <glob.h>
#include <math.h>
#include <stdbool.h>

#include "study/study.h"
#include "support/studies.h"
#include "support/test.h"

static const char base_[] =
    "data: {name: fashion_mnist}\n"
    "model: {family: vgg_stages, filters: 4}\n"
    "train: {epochs: 7, batch_size: 100, seed: 3}\n";

static int open_all(void **state) {
  if (folder_open(state) != 0) return -1;
  study_write("base.yaml", base_);
  return 0;
}

/* The text of a setting's key of two levels. */
static const char *value_of(const gf__setting *setting, const char *section, const char *key) {
  const gf__value *root = gf__config_root(setting->config);
  const gf__value *value = gf__value_get(gf__value_get(root, section), key);
  return value ? value->text : "(none)";
}

/* The message; one that is expected to end in "*" may go on, with keys of other modules. */
static void assert_message(const char *expected) {
  size_t length = strlen(expected);
  bool is_begin = expected[length - 1] == '*';
  if (is_begin ? strncmp(gf_error_message(), expected, length - 1) != 0
               : strcmp(gf_error_message(), expected) != 0)
    fail_msg("'%s'\nand should be '%s'", gf_error_message(), expected);
}

/* ---- what is read ---- */

static void a_study_is_read(void **state) {
  (void)state;
  study_write("sub/study.yaml",
              "study: {name: s1, title: The title, note: The note, out: some/where}\n"
              "seeds: [5, 0]\n"
              "set: {train.epochs: 2, model.filters: 8}\n"
              "settings:\n"
              "  - {name: a, base: ../base.yaml}\n"
              "  - name: b\n"
              "    label: The b\n"
              "    base: ../base.yaml\n"
              "    set: {model.filters: 16, optimizer.learning_rate: 1e-2, model.tune: 'off'}\n"
              "    published: {train_accuracy: [77.2, 0.6], test_loss: 1.5}\n"
              "tables:\n"
              "  - {name: t, rows: [b], columns: [test_loss, train_accuracy], note: N}\n"
              "  - {name: u, title: The u}\n"
              "figures:\n"
              "  - {name: f, kind: gradient_flow, settings: [b, a], seed: 0, log: true}\n"
              "  - {name: g, kind: loss}\n");
  gf_study *s = load_study("sub/study.yaml", NULL);
  assert_string_equal(s->name, "s1");
  assert_string_equal(s->title, "The title");
  assert_string_equal(s->note, "The note");
  assert_string_equal(s->out, "some/where");
  assert_int_equal(s->setting_count, 2);
  const gf__setting *a = &s->settings[0], *b = &s->settings[1];
  assert_string_equal(a->label, "a");
  assert_string_equal(b->label, "The b");
  assert_int_equal(b->seed_count, 2);
  assert_true(b->seeds[0] == 5 && b->seeds[1] == 0);
  assert_string_equal(value_of(a, "train", "epochs"), "2");
  assert_string_equal(value_of(a, "train", "batch_size"), "100");
  assert_string_equal(value_of(a, "model", "filters"), "8");
  assert_string_equal(value_of(a, "model", "tune"), "fast");
  assert_string_equal(value_of(b, "model", "filters"), "16");
  assert_string_equal(value_of(b, "model", "tune"), "off");
  assert_string_equal(value_of(b, "optimizer", "learning_rate"), "1e-2");
  assert_true(isnan(a->published[GF__COLUMN_TRAIN_ACCURACY].mean));
  assert_true(b->published[GF__COLUMN_TRAIN_ACCURACY].mean == 77.2);
  assert_true(b->published[GF__COLUMN_TRAIN_ACCURACY].deviation == 0.6);
  assert_true(b->published[GF__COLUMN_TEST_LOSS].mean == 1.5);
  assert_true(isnan(b->published[GF__COLUMN_TEST_LOSS].deviation));
  const gf__study_table *t = s->tables, *u = s->tables + 1;
  assert_int_equal(s->table_count, 2);
  assert_true(t->row_count == 1 && t->rows[0] == 1 && t->column_count == 2);
  assert_true(t->columns[0] == GF__COLUMN_TEST_LOSS && t->columns[1] == 0);
  assert_string_equal(t->title, "t");
  assert_string_equal(t->note, "N");
  assert_true(u->row_count == 2 && u->rows[0] == 0 && u->rows[1] == 1 && u->column_count == 3);
  assert_string_equal(u->title, "The u");
  const gf__study_figure *f = s->figures, *g = s->figures + 1;
  assert_int_equal(s->figure_count, 2);
  assert_true(f->setting_count == 2 && f->settings[0] == 1 && f->settings[1] == 0 && f->log);
  assert_true(f->seeds[0] == 0 && f->seeds[1] == 0 && f->kind == 2);
  assert_true(g->setting_count == 2 && g->seeds[0] == 5 && !g->log && g->kind == 0);
  gf_study_free(&s);
  assert_null(s);
}

static void a_study_has_defaults(void **state) {
  (void)state;
  study_write("study.yaml", "study: {name: s2}\nsettings: [{name: a, base: base.yaml}]\n");
  gf_study *s = load_study("study.yaml", NULL);
  assert_string_equal(s->title, "s2");
  assert_string_equal(s->out, "runs/s2");
  assert_true(s->settings[0].seed_count == 1 && s->settings[0].seeds[0] == 0);
  gf_study_free(&s);
  s = load_study("study.yaml", "elsewhere");
  char *expected = with_folder("@elsewhere");
  assert_string_equal(s->out, expected);
  free(expected);
  gf_study_free(&s);
}

static void a_grid_becomes_settings(void **state) {
  (void)state;
  study_write(
      "study.yaml",
      "study: {name: s}\n"
      "seeds: [1, 2, 3]\n"
      "vary:\n"
      "  - name: g\n"
      "    label: G\n"
      "    base: base.yaml\n"
      "    set: {train.epochs: 3}\n"
      "    grid: {optimizer.learning_rate: [1e-2, 1e-3], train.batch_size: [10, 20, 30]}\n");
  static const char *const expected[][4] = {
      {"g_1e-2_10", "G, learning_rate 1e-2, batch_size 10", "1e-2", "10"},
      {"g_1e-2_20", "G, learning_rate 1e-2, batch_size 20", "1e-2", "20"},
      {"g_1e-2_30", "G, learning_rate 1e-2, batch_size 30", "1e-2", "30"},
      {"g_1e-3_10", "G, learning_rate 1e-3, batch_size 10", "1e-3", "10"},
      {"g_1e-3_20", "G, learning_rate 1e-3, batch_size 20", "1e-3", "20"},
      {"g_1e-3_30", "G, learning_rate 1e-3, batch_size 30", "1e-3", "30"}};
  gf_study *s = load_study("study.yaml", NULL);
  assert_int_equal(s->setting_count, 6);
  for (int i = 0; i < 6; i++) {
    assert_string_equal(s->settings[i].name, expected[i][0]);
    assert_string_equal(s->settings[i].label, expected[i][1]);
    assert_string_equal(value_of(&s->settings[i], "optimizer", "learning_rate"), expected[i][2]);
    assert_string_equal(value_of(&s->settings[i], "train", "batch_size"), expected[i][3]);
    assert_string_equal(value_of(&s->settings[i], "train", "epochs"), "3");
    assert_int_equal(s->settings[i].seed_count, 3);
  }
  gf_study_free(&s);
}

static void includes_share_settings(void **state) {
  (void)state;
  study_write("in/one.yaml",
              "study: {name: one}\nseeds: [0, 1]\n"
              "settings: [{name: a, base: ../base.yaml}, {name: b, base: ../base.yaml}]\n"
              "tables: [{name: t1}]\n");
  study_write("in/two.yaml",
              "study: {name: two}\nseeds: [1, 2]\n"
              "settings: [{name: c, base: ../base.yaml}, {name: a, base: ../base.yaml}]\n"
              "tables: [{name: t2}]\nfigures: [{name: f2, kind: loss}]\n");
  study_write("study.yaml",
              "study: {name: s}\nset: {train.epochs: 2}\ninclude: [in/one.yaml, in/two.yaml]\n"
              "settings: [{name: d, base: base.yaml}]\ntables: [{name: t3}]\n");
  gf_study *s = load_study("study.yaml", NULL);
  static const char *const names[] = {"a", "b", "c", "d"};
  static const int seeds[] = {3, 2, 2, 1};
  assert_int_equal(s->setting_count, 4);
  for (int i = 0; i < 4; i++) {
    assert_string_equal(s->settings[i].name, names[i]);
    assert_int_equal(s->settings[i].seed_count, seeds[i]);
    assert_string_equal(value_of(&s->settings[i], "train", "epochs"), "2");
  }
  assert_true(s->settings[0].seeds[2] == 2);
  assert_int_equal(s->table_count, 3);
  assert_true(s->tables[0].row_count == 2 && s->tables[0].rows[1] == 1);
  assert_true(s->tables[1].row_count == 2 && s->tables[1].rows[0] == 2 && !s->tables[1].rows[1]);
  assert_int_equal(s->tables[2].row_count, 4);
  assert_true(s->figures[0].settings[0] == 2 && s->figures[0].seeds[0] == 1);
  gf_study_free(&s);
}

static void a_value_can_be_set_for_all(void **state) {
  (void)state;
  study_write("study.yaml",
              "study: {name: s}\nsettings: [{name: a, base: base.yaml}, "
              "{name: b, base: base.yaml, set: {train.epochs: 5}}]\n");
  gf_study *s = load_study("study.yaml", NULL);
  assert_ok(gf_study_set(s, "train.epochs=4"));
  assert_string_equal(value_of(&s->settings[0], "train", "epochs"), "4");
  assert_string_equal(value_of(&s->settings[1], "train", "epochs"), "4");
  assert_fails(GF_ERROR_CONFIG, "--set train.seed: the seeds of a study stand in its file",
               gf_study_set(s, "train.seed=1"));
  assert_int_equal(gf_study_set(s, "train.epoch=1"), GF_ERROR_CONFIG);
  assert_message("--set train.epoch: unknown key 'epoch' in train; did you mean 'epochs'? *");
  gf_study_free(&s);
}

/* ---- the runs of shards ---- */

static void shards_share_the_runs(void **state) {
  (void)state;
  study_write("study.yaml",
              "study: {name: s}\nseeds: [4, 7]\nsettings: [{name: a, base: base.yaml}, "
              "{name: b, base: base.yaml}, {name: c, base: base.yaml, set: {train.epochs: 2}}]\n");
  static const struct {
    int shard, shards, count;
    const char *folders[6];
  } cases[] = {{1, 1, 6, {"a/seed-4", "a/seed-7", "b/seed-4", "b/seed-7", "c/seed-4", "c/seed-7"}},
               {1, 4, 2, {"a/seed-4", "c/seed-4"}},
               {4, 4, 1, {"b/seed-7"}},
               {7, 9, 0, {NULL}}};
  gf_study *s = load_study("study.yaml", "runs");
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    gf_study_options options = gf_study_options_default();
    options.shard = cases[k].shard;
    options.shards = cases[k].shards;
    gf_study_item *items;
    int count;
    assert_ok(gf_study_plan(s, &options, 0, &items, &count));
    assert_int_equal(count, cases[k].count);
    for (int i = 0; i < count; i++) {
      char expected[256];
      snprintf(expected, sizeof expected, "%s/runs/%s", fixture_folder, cases[k].folders[i]);
      assert_string_equal(items[i].folder, expected);
      assert_int_equal(items[i].state.status, GF_RUN_ABSENT);
      assert_int_equal(items[i].state.epochs, items[i].setting[0] == 'c' ? 2 : 7);
    }
    gf_study_items_free(&items, count);
    assert_null(items);
  }
  gf_study_item *items;
  int count;
  assert_fails(GF_ERROR_ARGUMENT, "shard 0 of 0: must be 1 of 1 to N of N",
               gf_study_plan(s, &(gf_study_options){.jobs = 1}, 0, &items, &count));
  assert_fails(
      GF_ERROR_ARGUMENT, "shard 3 of 2: must be 1 of 1 to N of N",
      gf_study_plan(s, &(gf_study_options){.shard = 3, .shards = 2, .jobs = 1}, 0, &items, &count));
  assert_fails(GF_ERROR_ARGUMENT, "-1 jobs: must be at least 1",
               gf_study_plan(s, &(gf_study_options){.shard = 1, .shards = 1, .jobs = -1}, 0, &items,
                             &count));
  gf_study_free(&s);
}

/* ---- messages ---- */

#define NAME "study: {name: s}\n"
#define ONE NAME "settings: [{name: a, base: base.yaml}]\n"

/* "@" is the folder. The study begins in line 1 of study.yaml. */
static const struct {
  const char *text, *message;
} faults_[] = {
    {"seeds: [0]\n", "@study.yaml:1:1: study is missing and has no default (what it is)"},
    {"stuy: {name: s}\n",
     "@study.yaml:1:1: unknown key 'stuy'; did you mean 'study'? known keys: study, seeds, set, "
     "settings, vary, tables, figures, include"},
    {"study: {nme: s}\n",
     "@study.yaml:1:9: unknown key 'nme' in study; did you mean 'name'? known keys: name, title, "
     "note, out"},
    {"study: {name: ../s}\n",
     "@study.yaml:1:9: the study's name '../s' names files: begin it with a letter or a digit, and "
     "use only these and . _ + - (at most 100)"},
    {NAME, "@study.yaml:1:1: the study has nothing to run: give it settings, vary or include"},
    {NAME "seeds: 3\n", "@study.yaml:2:1: seeds must be a list"},
    {NAME "seeds: []\n", "@study.yaml:2:1: seeds is an empty list; leave it out for [0]"},
    {NAME "seeds: [1, x]\n",
     "@study.yaml:2:12: seeds must be a whole number from 0 to 9223372036854775807, not 'x'"},
    {NAME "seeds: [1, 2, 1]\n", "@study.yaml:2:15: the seed 1 is in the list twice"},
    {NAME "set: 3\nsettings: []\n",
     "@study.yaml:2:1: set must be a mapping of dotted keys to values"},
    {NAME "settings: {a: 1}\n", "@study.yaml:2:1: settings must be a list"},
    {NAME "settings: [{base: base.yaml}]\n",
     "@study.yaml:2:12: settings.name is missing and has no default (of the folder of its runs)"},
    {NAME "settings: [{name: a}]\n",
     "@study.yaml:2:12: settings.base is missing and has no default (the config that it is made "
     "from, relative to this file)"},
    {NAME "settings: [{name: a, base: base.yaml, sett: {}}]\n",
     "@study.yaml:2:39: unknown key 'sett' in settings; did you mean 'set'? known keys: name, "
     "label, base, set, published"},
    {NAME "settings: [{name: a b, base: base.yaml}]\n",
     "@study.yaml:2:12: the setting's name 'a b' names files: begin it with a letter or a digit, "
     "and use only these and . _ + - (at most 100)"},
    {NAME "settings: [{name: reports, base: base.yaml}]\n",
     "@study.yaml:2:12: a setting cannot be called 'reports', which is another folder"},
    {NAME "settings: [{name: a, base: ../none.yaml}]\n",
     "@study.yaml:2:22: there is no config @../none.yaml"},
    {NAME "settings: [{name: a, base: base.yaml, set: [1]}]\n",
     "@study.yaml:2:39: set must be a mapping of dotted keys to values"},
    {NAME "settings: [{name: a, base: base.yaml, set: {train.epoch: 1}}]\n",
     "@study.yaml:2:45: unknown key 'epoch' in train; did you mean 'epochs'? *"},
    {NAME "set: {train.epochs: x}\nsettings: [{name: a, base: base.yaml}]\n",
     "@study.yaml:2:7: train.epochs must be a whole number from 1 to 100000, not 'x'"},
    {NAME "settings: [{name: a, base: base.yaml, set: {tran.epochs: 1}}]\n",
     "@study.yaml:2:45: unknown key 'tran'; did you mean 'train'? *"},
    {NAME "settings: [{name: a, base: base.yaml, set: {train.epochs.x: 1}}]\n",
     "@study.yaml:2:45: train.epochs is a single value (@base.yaml:3:9) and has no key 'x'"},
    {NAME "settings: [{name: a, base: base.yaml, set: {train.seed: 1}}]\n",
     "@study.yaml:2:45: the seed of a run comes from the list 'seeds'"},
    {NAME "settings: [{name: a, base: base.yaml, published: {train: 1}}]\n",
     "@study.yaml:2:51: unknown key 'train' in published; known keys: train_accuracy, "
     "validation_accuracy, test_accuracy, train_loss, validation_loss, test_loss, "
     "first_gradient, last_gradient"},
    {NAME "settings: [{name: a, base: base.yaml, published: {train_loss: [1, 2, 3]}}]\n",
     "@study.yaml:2:51: published.train_loss must be a mean, or [mean, deviation]"},
    {NAME "settings:\n - {name: a, base: base.yaml}\n"
          " - {name: a, base: base.yaml, set: {train.epochs: 1}}\n",
     "@study.yaml:4:4: the setting 'a' is not the one of the same name at @study.yaml:3:4 (config, "
     "label or published values); give it another name"},
    {NAME "settings:\n - {name: a, base: base.yaml}\n - {name: a, base: base.yaml, label: x}\n",
     "@study.yaml:4:4: the setting 'a' is not the one of the same name at @study.yaml:3:4 (config, "
     "label or published values); give it another name"},
    {NAME "settings:\n - {name: a, base: base.yaml, published: {train_loss: 1}}\n"
          " - {name: a, base: base.yaml}\n",
     "@study.yaml:4:4: the setting 'a' is not the one of the same name at @study.yaml:3:4 (config, "
     "label or published values); give it another name"},
    {NAME "vary: [{name: g, base: base.yaml}]\n",
     "@study.yaml:2:8: vary.grid is missing and has no default (dotted keys and lists of values: a "
     "setting NAME_VALUE_VALUE of each combination)"},
    {NAME "vary: [{name: g, base: base.yaml, grid: [1]}]\n",
     "@study.yaml:2:35: grid must be a mapping of dotted keys to lists of values"},
    {NAME "vary: [{name: g, base: base.yaml, grid: {train.epochs: 3}}]\n",
     "@study.yaml:2:42: train.epochs must be a list of values to try"},
    {NAME "vary: [{name: g, base: base.yaml, grid: {train.epochs: [[3]]}}]\n",
     "@study.yaml:2:57: a value of a grid becomes part of a name; write lists and mappings as "
     "settings"},
    {NAME "vary: [{name: g, base: base.yaml, grid: {train.epochs: [3, 0]}}]\n",
     "@study.yaml:2:60: train.epochs must be a whole number from 1 to 100000, not '0'"},
    {ONE "tables: [{name: t, rows: [a, aa]}]\n",
     "@study.yaml:3:30: no setting 'aa'; did you mean 'a'? known settings: a"},
    {ONE "tables: [{name: t, rows: [zzz]}]\n",
     "@study.yaml:3:27: no setting 'zzz'; known settings: a"},
    {ONE "tables: [{name: t, rows: []}]\n",
     "@study.yaml:3:20: rows is an empty list; leave it out for all"},
    {ONE "tables: [{name: t, rows: [a, a]}]\n",
     "@study.yaml:3:30: the setting 'a' is in the list twice"},
    {ONE "tables: [{name: t, columns: [train_acc]}]\n",
     "@study.yaml:3:30: columns must be one of train_accuracy, validation_accuracy, "
     "test_accuracy, train_loss, validation_loss, test_loss, first_gradient, last_gradient, not "
     "'train_acc'; did you mean 'train_loss'?"},
    {ONE "tables: [{name: t, columns: []}]\n",
     "@study.yaml:3:20: columns is an empty list; leave it out for the accuracies"},
    {ONE "tables: [{name: t, columns: [test_loss, test_loss]}]\n",
     "@study.yaml:3:41: the column test_loss is in the list twice"},
    {ONE "tables: [{name: t}, {name: t}]\n",
     "@study.yaml:3:21: the table 't' is already defined at @study.yaml:3:10"},
    {ONE "tables: [{name: runs}]\n",
     "@study.yaml:3:11: a table cannot be called 'runs', which is a file of every report"},
    {ONE "tables: [{name: t/u}]\n",
     "@study.yaml:3:11: the table's name 't/u' names files: begin it with a letter or a digit, and "
     "use only these and . _ + - (at most 100)"},
    {ONE "figures: [{name: f}]\n",
     "@study.yaml:3:11: figures.kind is missing and has no default (what is drawn)"},
    {ONE "figures: [{name: f, kind: los}]\n",
     "@study.yaml:3:21: figures.kind must be one of loss, accuracy, gradient_flow, "
     "gradient_flow_compare, signal_flow, not 'los'; did you mean 'loss'?"},
    {ONE "figures: [{name: f, kind: loss, settings: [b]}]\n",
     "@study.yaml:3:44: no setting 'b'; known settings: a"},
    {ONE "figures: [{name: f, kind: loss, seed: 7}]\n",
     "@study.yaml:3:33: the setting 'a' is not run with the seed 7"},
    {ONE "figures: [{name: f, kind: loss}, {name: f, kind: loss}]\n",
     "@study.yaml:3:34: the figure 'f' is already defined at @study.yaml:3:11"},
    {NAME "include: study.yaml\n", "@study.yaml:2:1: include must be a list"},
    {NAME "include: [[a]]\n", "@study.yaml:2:11: an item of include must be the path of a study"},
    {NAME "include: [none.yaml]\n", "@study.yaml:2:11: there is no file @none.yaml to include"},
    {NAME "include: [study.yaml]\n",
     "@study.yaml:2:11: files are included 8 deep; does one include itself?"},
};

static void every_fault_is_told_with_its_place(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof faults_ / sizeof *faults_; i++) {
    char *expected = with_folder(faults_[i].message);
    gf_study *study = NULL;
    study_write("study.yaml", faults_[i].text);
    assert_int_equal(gf_study_load(&study, in_folder("study.yaml"), NULL), GF_ERROR_CONFIG);
    assert_message(expected);
    assert_null(study);
    free(expected);
  }
}

static void faults_of_other_files_have_their_own_places(void **state) {
  (void)state;
  gf_study *study = NULL;
  study_write("bad.yaml", "data: {name: fashion_mnist}\nmodel: {family: vgg_stages, filers: 4}\n");
  study_write("study.yaml", NAME "settings: [{name: a, base: bad.yaml}]\n");
  char *expected =
      with_folder("@bad.yaml:2:29: unknown key 'filers' in model; did you mean 'filters'? *");
  assert_int_equal(gf_study_load(&study, in_folder("study.yaml"), NULL), GF_ERROR_CONFIG);
  assert_message(expected);
  free(expected);
  expected = with_folder("cannot open @none.yaml: No such file or directory");
  assert_fails(GF_ERROR_FILE, expected, gf_study_load(&study, in_folder("none.yaml"), NULL));
  free(expected);
}

/* ---- the studies that come with the program ---- */

static const struct {
  const char *name;
  int runs, tables, figures, epochs;
  const char *out;
} studies_[] = {
    {"all", 95, 9, 9, 100, "runs/study"},
    {"figure1", 10, 1, 1, 100, "runs/study"},
    {"figure2", 10, 0, 3, 100, "runs/study"},
    {"figure4", 15, 1, 1, 100, "runs/study"},
    {"figure5", 5, 0, 2, 100, "runs/study"},
    {"figure6", 10, 0, 1, 100, "runs/study"},
    {"figure7", 10, 1, 1, 100, "runs/study"},
    {"networks", 10, 1, 1, 1, "runs/networks"},
    {"networks_imagenet", 5, 1, 0, 1, "runs/networks_imagenet"},
    {"part", 5, 2, 7, 10, "runs/part"},
    {"quick_rates", 24, 3, 1, 3, "runs/quick"},
    {"quick_remedies", 5, 2, 6, 5, "runs/quick"},
    {"remedies", 32, 1, 3, 1, "runs/remedies"},
    {"table1", 5, 1, 0, 100, "runs/study"},
    {"table2", 20, 1, 0, 100, "runs/study"},
    {"table3", 25, 1, 0, 100, "runs/study"},
    {"table4", 25, 1, 0, 100, "runs/study"},
    {"table5", 20, 1, 0, 100, "runs/study"},
    {"table6", 5, 1, 0, 100, "runs/study"},
};
enum { STUDIES = sizeof studies_ / sizeof *studies_ };

/* What short forms can and cannot show is said at each table and figure. */
static void check_notes(const gf_study *study) {
  for (int i = 0; i < study->table_count; i++)
    if (!*study->tables[i].note) fail_msg("%s has no note", study->tables[i].place);
  for (int i = 0; i < study->figure_count; i++)
    if (!*study->figures[i].note) fail_msg("%s has no note", study->figures[i].place);
}

static void check_study(const char *path) {
  gf_study_options options = gf_study_options_default();
  gf_study *study;
  gf_study_item *items;
  int count, row = 0;
  assert_ok(gf_study_load(&study, path, NULL));
  while (row < STUDIES && strcmp(studies_[row].name, study->name) != 0) row++;
  if (row == STUDIES) fail_msg("%s is not in the list of this test", path);
  assert_non_null(strstr(path, study->name));
  assert_ok(gf_study_plan(study, &options, 0, &items, &count));
  assert_int_equal(count, studies_[row].runs);
  assert_int_equal(study->table_count, studies_[row].tables);
  assert_int_equal(study->figure_count, studies_[row].figures);
  assert_string_equal(study->out, studies_[row].out);
  for (int i = 0; i < count; i++) assert_int_equal(items[i].state.epochs, studies_[row].epochs);
  if (studies_[row].epochs < 10) check_notes(study);
  gf_study_items_free(&items, count);
  gf_study_free(&study);
}

static void the_studies_have_their_runs(void **state) {
  (void)state;
  glob_t files;
  assert_int_equal(glob(SOURCE_FOLDER "/configs/study/*.yaml", 0, NULL, &files), 0);
  assert_int_equal(files.gl_pathc, STUDIES);
  for (size_t i = 0; i < files.gl_pathc; i++) check_study(files.gl_pathv[i]);
  globfree(&files);
}

static void the_full_studies_have_the_seeds_of_the_report(void **state) {
  (void)state;
  static const uint64_t seeds[] = {0, 2045458, 186285, 2122020, 11132};
  gf_study *study;
  assert_ok(gf_study_load(&study, SOURCE_FOLDER "/configs/study/all.yaml", NULL));
  for (int i = 0; i < study->setting_count; i++) {
    assert_int_equal(study->settings[i].seed_count, 5);
    assert_memory_equal(study->settings[i].seeds, seeds, sizeof seeds);
  }
  gf_study_free(&study);
}

static void help_names_every_section(void **state) {
  (void)state;
  static const char *const words[] = {"study:",   "seeds", "settings", "vary",    "grid",
                                      "figures:", "rows",  "columns",  "include", "published"};
  char *text;
  assert_ok(gf_study_help(&text));
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strstr(text, words[i])) fail_msg("the help does not name %s", words[i]);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_study_is_read),
      cmocka_unit_test(a_study_has_defaults),
      cmocka_unit_test(a_grid_becomes_settings),
      cmocka_unit_test(includes_share_settings),
      cmocka_unit_test(a_value_can_be_set_for_all),
      cmocka_unit_test(shards_share_the_runs),
      cmocka_unit_test(every_fault_is_told_with_its_place),
      cmocka_unit_test(faults_of_other_files_have_their_own_places),
      cmocka_unit_test(the_studies_have_their_runs),
      cmocka_unit_test(the_full_studies_have_the_seeds_of_the_report),
      cmocka_unit_test(help_names_every_section),
  };
  return cmocka_run_group_tests_name("study_spec", tests, open_all, folder_close);
}
