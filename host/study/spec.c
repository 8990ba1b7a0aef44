/* A study's file: its sections, and the files that it includes. */
#include "study/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"

enum { DEEPEST_INCLUDE = 8 };

typedef struct sections {
  const gf__value *study, *seeds, *set, *settings, *vary, *tables, *figures, *include;
} sections;

static const gf__key section_keys[] = {
    GF__KEY(sections, study, SECTION, .help = "what it is"),
    GF__KEY(sections, seeds, LIST, .initial = "",
            .help = "every setting is run with each as train.seed; default [0]"),
    GF__KEY(sections, set, SECTION, .initial = "",
            .help = "dotted keys of the config and values, for all settings, those of include too"),
    GF__KEY(sections, settings, LIST, .initial = "", .help = "what is trained, see below"),
    GF__KEY(sections, vary, LIST, .initial = "", .help = "grids, each of which becomes settings"),
    GF__KEY(sections, tables, LIST, .initial = "", .help = "of results"),
    GF__KEY(sections, figures, LIST, .initial = "", .help = "of losses, accuracies and gradients"),
    GF__KEY(sections, include, LIST, .initial = "",
            .help = "studies, relative to this file, whose settings, tables and figures are added"),
};
enum { SECTIONS = sizeof section_keys / sizeof *section_keys };

static const gf__key study_keys[] = {
    GF__KEY(gf_study, name, TEXT, .help = "of the report: OUT/reports/NAME"),
    GF__KEY(gf_study, title, TEXT, .initial = "", .help = "of the report; empty: the name"),
    GF__KEY(gf_study, note, TEXT, .initial = "", .help = "under that title"),
    GF__KEY(gf_study, out, TEXT, .initial = "", .help = "folder of the runs; empty: runs/NAME"),
};
enum { STUDY_KEYS = sizeof study_keys / sizeof *study_keys };

/* ---- helpers of the readers ---- */

gf_status gf__name_check(const gf__value *value, const char *what, const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  enum { LONGEST = 100 };
  size_t length = strlen(name);
  size_t good = *name && strchr(letters, *name) ? 1 : 0;
  if (good)
    while (name[good] && (strchr(letters, name[good]) || strchr("._+-", name[good]))) good++;
  if (length > 0 && length <= LONGEST && good == length) return GF_OK;
  return gf__value_fail(value,
                        "%s '%s' names files: begin it with a letter or a digit, and use only "
                        "these and . _ + - (at most %d)",
                        what, name, LONGEST);
}

gf_status gf__list_check(const gf__value *value, const char *what) {
  if (!value || value->kind == GF__SEQUENCE) return GF_OK;
  return gf__value_fail(value, "%s must be a list", what);
}

gf_status gf__item_read(const gf__value *item, const gf__key *key, void *target) {
  char name[64];
  strcpy(name, key->name);
  gf__value entry = *item, *entries[] = {&entry};
  entry.key = name;
  gf__value map = {.kind = GF__MAPPING, .items = entries, .count = 1, .place = item->place};
  return gf__keys_read(&map, "", key, 1, target);
}

/* ---- sections ---- */

static gf_status read_study(gf_study *study, const gf__value *section, const char *folder) {
  GF_TRY(gf__keys_read(section, "study", study_keys, STUDY_KEYS, study));
  GF_TRY(gf__name_check(gf__value_get(section, "name"), "the study's name", study->name));
  gf__text out = {0};
  if (folder || *study->out)
    gf__text_add(&out, "%s", folder ? folder : study->out);
  else
    gf__text_add(&out, "runs/%s", study->name);
  GF_TRY(gf__text_status(&out));
  free(study->out);
  study->out = out.data;
  if (*study->title) return GF_OK;
  free(study->title);
  study->title = gf__text_copy(study->name);
  return study->title ? GF_OK : gf__fail_host_memory(strlen(study->name) + 1);
}

static gf_status read_seeds(gf__study_file *file, const gf__value *list) {
  static const gf__key key = {.name = "seeds", .type = GF__KEY_SEED};
  GF_TRY(gf__list_check(list, "seeds"));
  int count = list ? (int)list->count : 1;
  if (count == 0) return gf__value_fail(list, "seeds is an empty list; leave it out for [0]");
  file->seeds = calloc((size_t)count, sizeof *file->seeds);
  if (!file->seeds) return gf__fail_host_memory((size_t)count * sizeof *file->seeds);
  file->seed_count = count;
  for (int i = 0; list && i < count; i++) {
    GF_TRY(gf__item_read(list->items[i], &key, &file->seeds[i]));
    for (int k = 0; k < i; k++)
      if (file->seeds[k] == file->seeds[i])
        return gf__value_fail(list->items[i], "the seed %s is in the list twice",
                              list->items[i]->text);
  }
  return GF_OK;
}

/* ---- include ---- */

static gf_status load_study(gf_study **out, const char *path, const char *folder, int depth);

static void remap(int *indices, int count, const int *map) {
  for (int i = 0; i < count; i++) indices[i] = map[indices[i]];
}

/* Moves what the other study has into this one. */
static gf_status merge(gf_study *study, gf_study *other, int *map) {
  for (int i = 0; i < other->setting_count; i++)
    GF_TRY(gf__setting_add(study, &other->settings[i], &map[i]));
  for (int i = 0; i < other->table_count; i++) {
    remap(other->tables[i].rows, other->tables[i].row_count, map);
    GF_TRY(gf__table_add_to(study, &other->tables[i]));
  }
  for (int i = 0; i < other->figure_count; i++) {
    remap(other->figures[i].settings, other->figures[i].setting_count, map);
    GF_TRY(gf__figure_add_to(study, &other->figures[i]));
  }
  return GF_OK;
}

gf_status gf__path_beside(char out[GF__PATH_SIZE], const char *file, const char *name) {
  char folder[GF__PATH_SIZE];
  size_t length = (size_t)(gf__path_base(file) - file);
  if (length + strlen(name) >= GF__PATH_SIZE)
    return gf__fail(GF_ERROR_ARGUMENT, "the path is too long: %s beside %s", name, file);
  memcpy(folder, file, length);
  folder[length] = 0;
  if (*name == '/') folder[0] = 0;
  strcpy(out, folder);
  strcat(out, name);
  return GF_OK;
}

static gf_status include_study(gf__study_file *file, const gf__value *item, int depth) {
  char path[GF__PATH_SIZE];
  if (item->kind != GF__SCALAR || !*item->text)
    return gf__value_fail(item, "an item of include must be the path of a study");
  if (depth == DEEPEST_INCLUDE)
    return gf__value_fail(item, "files are included %d deep; does one include itself?", depth);
  GF_TRY(gf__path_beside(path, file->path, item->text));
  if (!gf__path_exists(path)) return gf__value_fail(item, "there is no file %s to include", path);
  gf_study *other = NULL;
  GF_TRY(load_study(&other, path, NULL, depth + 1));
  gf_status status = gf__settings_apply(other, file->set);
  int *map = malloc(((size_t)other->setting_count + 1) * sizeof *map);
  if (status == GF_OK && !map)
    status = gf__fail_host_memory((size_t)other->setting_count * sizeof *map);
  if (status == GF_OK) status = merge(file->study, other, map);
  free(map);
  gf_study_free(&other);
  return status;
}

/* ---- files ---- */

static gf_status read_file(gf__study_file *file, const gf__value *root, const char *folder,
                           int depth) {
  sections all;
  GF_TRY(gf__keys_read(root, "", section_keys, SECTIONS, &all));
  GF_TRY(read_study(file->study, all.study, folder));
  GF_TRY(read_seeds(file, all.seeds));
  file->set = all.set;
  GF_TRY(gf__list_check(all.include, "include"));
  for (size_t i = 0; all.include && i < all.include->count; i++)
    GF_TRY(include_study(file, all.include->items[i], depth));
  GF_TRY(gf__settings_read(file, all.settings));
  GF_TRY(gf__grids_read(file, all.vary));
  if (file->study->setting_count == 0)
    return gf__value_fail(root, "the study has nothing to run: give it settings, vary or include");
  GF_TRY(gf__tables_read(file, all.tables));
  return gf__figures_read(file, all.figures);
}

static gf_status load_study(gf_study **out, const char *path, const char *folder, int depth) {
  *out = NULL;
  gf_config *yaml = NULL;
  GF_TRY(gf_config_load(&yaml, path));
  gf_study *study = calloc(1, sizeof *study);
  gf__study_file file = {.path = path, .study = study};
  gf_status status = study ? read_file(&file, gf__config_root(yaml), folder, depth)
                           : gf__fail_host_memory(sizeof *study);
  free(file.seeds);
  gf_config_free(&yaml);
  if (status != GF_OK) gf_study_free(&study);
  *out = study;
  return status;
}

gf_status gf_study_load(gf_study **out, const char *path, const char *folder) {
  return load_study(out, path, folder, 0);
}

void gf_study_free(gf_study **study) {
  gf_study *s = *study;
  if (!s) return;
  for (int i = 0; i < s->setting_count; i++) gf__setting_free(&s->settings[i]);
  for (int i = 0; i < s->table_count; i++) gf__study_table_free(&s->tables[i]);
  for (int i = 0; i < s->figure_count; i++) gf__study_figure_free(&s->figures[i]);
  free(s->settings);
  free(s->tables);
  free(s->figures);
  gf__keys_free(study_keys, STUDY_KEYS, s);
  free(s);
  *study = NULL;
}

gf_status gf__study_run_folder(char out[GF__PATH_SIZE], const gf_study *study,
                               const gf__setting *setting, uint64_t seed) {
  char name[256];
  snprintf(name, sizeof name, "%s/seed-%llu", setting->name, (unsigned long long)seed);
  return gf__path_join(out, GF__PATH_SIZE, study->out, name);
}

static void add_sections(gf__help *help) {
  gf__help_keys(help, section_keys, SECTIONS);
  gf__help_title(help, "study:");
  gf__help_keys(help, study_keys, STUDY_KEYS);
  gf__settings_help(help);
  gf__views_help(help);
}

gf_status gf_study_help(char **out) {
  gf__help help = {0};
  add_sections(&help);
  return gf__help_take(&help, out);
}

gf_status gf_study_reference(char **out) {
  gf__help help = {.markdown = true};
  add_sections(&help);
  return gf__help_take(&help, out);
}
