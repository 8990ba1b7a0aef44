/* The settings of a study: what of a base config they change, one by one or as a grid. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/os.h"
#include "data/dataset.h"
#include "model/network_config.h"
#include "study/spec.h"
#include "train/optimizers.h"
#include "train/train_config.h"

/* An item of settings or vary. */
typedef struct item {
  char *name, *label, *base;
  const gf__value *set, *published, *grid;
} item;

static const gf__key item_keys[] = {
    GF__KEY(item, name, TEXT, .help = "of the folder of its runs"),
    GF__KEY(item, label, TEXT, .initial = "", .help = "in tables and figures; empty: the name"),
    GF__KEY(item, base, TEXT, .help = "the config that it is made from, relative to this file"),
    GF__KEY(item, set, SECTION, .initial = "", .help = "dotted keys of the config and values"),
};
enum { ITEM_KEYS = sizeof item_keys / sizeof *item_keys };

static const gf__key settings_key =
    GF__KEY(item, published, SECTION, .initial = "",
            .help = "columns of tables and [mean, deviation], accuracies in %, to compare with");
static const gf__key grid_key =
    GF__KEY(item, grid, SECTION,
            .help =
                "dotted keys and lists of values: a setting NAME_VALUE_VALUE of each "
                "combination");

void gf__settings_help(gf__help *help) {
  gf__help_title(help, "an item of settings:");
  gf__help_keys(help, item_keys, ITEM_KEYS);
  gf__help_keys(help, &settings_key, 1);
  gf__help_title(help, "an item of vary: the same, and instead of published");
  gf__help_keys(help, &grid_key, 1);
}

/* ---- overrides ---- */

/* A dotted key and the value that it gets. */
typedef struct override {
  const char *key;
  const gf__value *value;
} override;

/* The message of the failure, at the override's place if it names it ("--set KEY: …"). */
static gf_status fail_override(const override *o, gf_status status) {
  const char *message = gf_error_message(), prefix[] = "--set ";
  size_t begin = sizeof prefix - 1, length = strlen(o->key);
  if (strncmp(message, prefix, begin) != 0 || strncmp(message + begin, o->key, length) != 0 ||
      message[begin + length] != ':')
    return status;
  return gf__fail(status, "%s:%s", o->value->place, message + begin + length + 1);
}

static gf_status apply(gf_config *config, const override *o) {
  if (strcmp(o->key, "train.seed") == 0)
    return gf__value_fail(o->value, "the seed of a run comes from the list 'seeds'");
  gf__text assignment = {0};
  gf__text_add(&assignment, "%s=", o->key);
  gf__value_write(&assignment, 0, o->value);
  gf_status status = gf__text_status(&assignment);
  if (status == GF_OK) status = gf_config_set(config, assignment.data);
  gf__text_free(&assignment);
  return status == GF_OK ? GF_OK : fail_override(o, status);
}

static gf_status check_setting(const gf_config *config) {
  gf__train_config run;
  gf__data_settings data;
  gf__network_config network;
  gf__optimizer_config optimizer;
  GF_TRY(gf__train_config_read(&run, config));
  GF_TRY(gf__data_settings_read(&data, config));
  gf__data_settings_free(&data);
  GF_TRY(gf__network_config_read(&network, config));
  gf__network_config_free(&network);
  GF_TRY(gf__optimizer_config_read(&optimizer, config));
  gf__optimizer_config_free(&optimizer);
  return GF_OK;
}

/* Applies them in order and checks what comes out. */
static gf_status change(gf_config *config, const override *overrides, int count) {
  gf_status status = GF_OK;
  for (int i = 0; i < count && status == GF_OK; i++) status = apply(config, &overrides[i]);
  if (status != GF_OK) return status;
  status = check_setting(config);
  for (int i = count - 1; i >= 0 && status != GF_OK; i--)
    if (strncmp(gf_error_message(), "--set ", strlen("--set ")) == 0)
      status = fail_override(&overrides[i], status);
  if (status != GF_OK) return status;
  /* As "gradflow train" has it where the config says nothing. */
  const gf__value *model = gf__value_get(gf__config_root(config), "model");
  return gf__value_get(model, "tune") ? GF_OK : gf_config_set(config, "model.tune=fast");
}

static gf_status check_set(const gf__value *set) {
  if (!set || set->kind == GF__MAPPING) return GF_OK;
  return gf__value_fail(set, "set must be a mapping of dotted keys to values");
}

/* Appends the entries of a mapping to those that there are. */
static int add_set(override *overrides, int count, const gf__value *set) {
  for (size_t i = 0; set && i < set->count; i++)
    overrides[count++] = (override){set->items[i]->key, set->items[i]};
  return count;
}

gf_status gf__settings_apply(gf_study *study, const gf__value *set) {
  GF_TRY(check_set(set));
  if (!set || set->count == 0) return GF_OK;
  override *overrides = malloc(set->count * sizeof *overrides);
  if (!overrides) return gf__fail_host_memory(set->count * sizeof *overrides);
  int count = add_set(overrides, 0, set);
  gf_status status = GF_OK;
  for (int i = 0; i < study->setting_count && status == GF_OK; i++)
    status = change(study->settings[i].config, overrides, count);
  free(overrides);
  return status;
}

gf_status gf_study_set(gf_study *study, const char *assignment) {
  if (strncmp(assignment, "train.seed=", strlen("train.seed=")) == 0)
    return gf__fail(GF_ERROR_CONFIG, "--set train.seed: the seeds of a study stand in its file");
  for (int i = 0; i < study->setting_count; i++) {
    GF_TRY(gf_config_set(study->settings[i].config, assignment));
    GF_TRY(change(study->settings[i].config, NULL, 0));
  }
  return GF_OK;
}

/* ---- settings of one study ---- */

void gf__setting_free(gf__setting *setting) {
  free(setting->name);
  free(setting->label);
  free(setting->place);
  free(setting->seeds);
  gf_config_free(&setting->config);
  *setting = (gf__setting){0};
}

static bool is_same_number(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static gf_status is_equal(const gf__setting *a, const gf__setting *b, bool *out) {
  gf__text x = {0}, y = {0};
  gf__value_write(&x, 0, gf__config_root(a->config));
  gf__value_write(&y, 0, gf__config_root(b->config));
  gf_status status = gf__text_status(&x);
  if (status == GF_OK) status = gf__text_status(&y);
  *out = status == GF_OK && strcmp(x.data, y.data) == 0 && strcmp(a->label, b->label) == 0;
  for (int i = 0; i < GF__COLUMN_COUNT; i++)
    *out &= is_same_number(a->published[i].mean, b->published[i].mean) &&
            is_same_number(a->published[i].deviation, b->published[i].deviation);
  gf__text_free(&x);
  gf__text_free(&y);
  return status;
}

static gf_status add_seed(gf__setting *to, uint64_t seed) {
  GF_TRY(gf__grow(&to->seeds, (size_t)to->seed_count, sizeof *to->seeds));
  to->seeds[to->seed_count++] = seed;
  return GF_OK;
}

static gf_status add_seeds(gf__setting *to, const gf__setting *from) {
  for (int i = 0; i < from->seed_count; i++) {
    bool known = false;
    for (int k = 0; k < to->seed_count; k++) known |= to->seeds[k] == from->seeds[i];
    if (!known) GF_TRY(add_seed(to, from->seeds[i]));
  }
  return GF_OK;
}

gf_status gf__setting_add(gf_study *study, gf__setting *setting, int *index) {
  for (int i = 0; i < study->setting_count; i++) {
    gf__setting *known = &study->settings[i];
    if (strcmp(known->name, setting->name) != 0) continue;
    bool equal;
    GF_TRY(is_equal(known, setting, &equal));
    if (!equal)
      return gf__fail(GF_ERROR_CONFIG,
                      "%s: the setting '%s' is not the one of the same name at %s (config, label "
                      "or published values); give it another name",
                      setting->place, setting->name, known->place);
    GF_TRY(add_seeds(known, setting));
    gf__setting_free(setting);
    *index = i;
    return GF_OK;
  }
  GF_TRY(gf__grow(&study->settings, (size_t)study->setting_count, sizeof *study->settings));
  *index = study->setting_count;
  study->settings[study->setting_count++] = *setting;
  *setting = (gf__setting){0};
  return GF_OK;
}

/* ---- items ---- */

static gf_status read_published(const gf__value *section, gf__published *out) {
  gf__key keys[GF__COLUMN_COUNT];
  gf__floats values[GF__COLUMN_COUNT];
  for (int i = 0; i < GF__COLUMN_COUNT; i++)
    keys[i] = (gf__key){
        gf__columns[i].name, GF__KEY_FLOATS, (size_t)i * sizeof *values, "[]", 0, 0, NULL, ""};
  GF_TRY(gf__keys_read(section, "published", keys, GF__COLUMN_COUNT, values));
  for (int i = 0; i < GF__COLUMN_COUNT; i++) {
    if (values[i].count > 2)
      return gf__value_fail(gf__value_get(section, gf__columns[i].name),
                            "published.%s must be a mean, or [mean, deviation]",
                            gf__columns[i].name);
    out[i] = (gf__published){values[i].count > 0 ? values[i].v[0] : NAN,
                             values[i].count > 1 ? values[i].v[1] : NAN};
  }
  return GF_OK;
}

/* Makes a setting of the item, with overrides after those of the file. */
static gf_status fill_setting(gf__study_file *file, const gf__value *place, const item *it,
                              const override *overrides, int count, gf__setting *out) {
  char path[GF__PATH_SIZE];
  const gf__value *base = gf__value_get(place, "base");
  if (!strcmp(out->name, "reports"))
    return gf__value_fail(place, "a setting cannot be called 'reports', which is another folder");
  GF_TRY(gf__path_beside(path, file->path, it->base));
  if (!gf__path_exists(path)) return gf__value_fail(base, "there is no config %s", path);
  GF_TRY(gf_config_load(&out->config, path));
  GF_TRY(read_published(it->published, out->published));
  GF_TRY(change(out->config, overrides, count));
  out->place = gf__text_copy(place->place);
  if (!out->place) return gf__fail_host_memory(strlen(place->place) + 1);
  for (int i = 0; i < file->seed_count; i++) GF_TRY(add_seed(out, file->seeds[i]));
  return GF_OK;
}

/* Adds a setting, which owns name and label from then on. */
static gf_status add_setting(gf__study_file *file, const gf__value *place, const item *it,
                             const override *overrides, int count, gf__text *name,
                             gf__text *label) {
  gf__setting setting = {.name = name->data, .label = label->data};
  gf_status status = gf__text_status(name);
  if (status == GF_OK) status = gf__text_status(label);
  if (status == GF_OK) status = gf__name_check(place, "the setting's name", setting.name);
  if (status == GF_OK) status = fill_setting(file, place, it, overrides, count, &setting);
  int index;
  if (status == GF_OK) status = gf__setting_add(file->study, &setting, &index);
  gf__setting_free(&setting);
  return status;
}

/* Room for the overrides of the file, the item and one of each list of its grid. */
static override *make_overrides(const gf__study_file *file, const item *it, int *count) {
  size_t most = 1;
  most += file->set ? file->set->count : 0;
  most += it->set ? it->set->count : 0;
  most += it->grid ? it->grid->count : 0;
  override *overrides = malloc(most * sizeof *overrides);
  if (!overrides) return NULL;
  *count = add_set(overrides, add_set(overrides, 0, file->set), it->set);
  return overrides;
}

static const char *label_of(const item *it) { return *it->label ? it->label : it->name; }

static gf_status add_one(gf__study_file *file, const gf__value *place, const item *it) {
  int count;
  override *overrides = make_overrides(file, it, &count);
  if (!overrides) return gf__fail_host_memory(sizeof *overrides);
  gf__text name = {0}, label = {0};
  gf__text_add(&name, "%s", it->name);
  gf__text_add(&label, "%s", label_of(it));
  gf_status status = add_setting(file, place, it, overrides, count, &name, &label);
  free(overrides);
  return status;
}

/* ---- grids ---- */

static gf_status check_grid(const gf__value *grid, int *combinations) {
  enum { MOST = 10000 };
  if (grid->kind != GF__MAPPING || grid->count == 0)
    return gf__value_fail(grid, "grid must be a mapping of dotted keys to lists of values");
  *combinations = 1;
  for (size_t i = 0; i < grid->count; i++) {
    const gf__value *list = grid->items[i];
    if (list->kind != GF__SEQUENCE || list->count == 0)
      return gf__value_fail(list, "%s must be a list of values to try", list->key);
    for (size_t k = 0; k < list->count; k++)
      if (list->items[k]->kind != GF__SCALAR)
        return gf__value_fail(list->items[k],
                              "a value of a grid becomes part of a name; write lists and "
                              "mappings as settings");
    if (list->count > (size_t)(MOST / *combinations))
      return gf__value_fail(grid, "the grid has more than %d combinations", MOST);
    *combinations *= (int)list->count;
  }
  return GF_OK;
}

/* Combination number c of the grid; the last key's values change fastest. */
static gf_status add_combination(gf__study_file *file, const gf__value *place, const item *it,
                                 override *overrides, int count, int c, int combinations) {
  gf__text name = {0}, label = {0};
  gf__text_add(&name, "%s", it->name);
  gf__text_add(&label, "%s", label_of(it));
  for (size_t i = 0; i < it->grid->count; i++) {
    const gf__value *list = it->grid->items[i];
    combinations /= (int)list->count;
    const gf__value *value = list->items[c / combinations % (int)list->count];
    const char *dot = strrchr(list->key, '.');
    overrides[count++] = (override){list->key, value};
    gf__text_add(&name, "_%s", value->text);
    gf__text_add(&label, ", %s %s", dot ? dot + 1 : list->key, value->text);
  }
  return add_setting(file, place, it, overrides, count, &name, &label);
}

static gf_status add_grid(gf__study_file *file, const gf__value *place, const item *it) {
  int count, combinations = 0;
  GF_TRY(check_grid(it->grid, &combinations));
  override *overrides = make_overrides(file, it, &count);
  gf_status status = overrides ? GF_OK : gf__fail_host_memory(sizeof *overrides);
  for (int c = 0; c < combinations && status == GF_OK; c++)
    status = add_combination(file, place, it, overrides, count, c, combinations);
  free(overrides);
  return status;
}

/* ---- lists ---- */

static gf_status read_items(gf__study_file *file, const gf__value *list, const char *what,
                            const gf__key *more,
                            gf_status (*add)(gf__study_file *, const gf__value *, const item *)) {
  GF_TRY(gf__list_check(list, what));
  GF_TRY(check_set(file->set));
  for (size_t i = 0; list && i < list->count; i++) {
    item it = {0};
    const gf__key_group groups[] = {{item_keys, ITEM_KEYS, &it}, {more, 1, &it}};
    GF_TRY(gf__keys_read_groups(list->items[i], what, groups, 2));
    gf_status status = check_set(it.set);
    if (status == GF_OK) status = add(file, list->items[i], &it);
    gf__keys_free(item_keys, ITEM_KEYS, &it);
    GF_TRY(status);
  }
  return GF_OK;
}

gf_status gf__settings_read(gf__study_file *file, const gf__value *list) {
  return read_items(file, list, "settings", &settings_key, add_one);
}

gf_status gf__grids_read(gf__study_file *file, const gf__value *list) {
  return read_items(file, list, "vary", &grid_key, add_grid);
}
