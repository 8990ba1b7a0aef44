/* The tables and figures of a study. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "study/figures.h"
#include "study/spec.h"

const gf__column_info gf__columns[GF__COLUMN_COUNT] = {
    [GF__COLUMN_TRAIN_ACCURACY] = {"train_accuracy", "train %", 1, true, false},
    [GF__COLUMN_VALIDATION_ACCURACY] = {"validation_accuracy", "validation %", 1, true, false},
    [GF__COLUMN_TEST_ACCURACY] = {"test_accuracy", "test %", 1, true, false},
    [GF__COLUMN_TRAIN_LOSS] = {"train_loss", "train loss", 3, false, false},
    [GF__COLUMN_VALIDATION_LOSS] = {"validation_loss", "validation loss", 3, false, false},
    [GF__COLUMN_TEST_LOSS] = {"test_loss", "test loss", 3, false, false},
    [GF__COLUMN_FIRST_GRADIENT] = {"first_gradient", "first |g|", 1, false, true},
    [GF__COLUMN_LAST_GRADIENT] = {"last_gradient", "last |g|", 1, false, true},
};

static const char *const column_words[] = {"train_accuracy", "validation_accuracy", "test_accuracy",
                                           "train_loss",     "validation_loss",     "test_loss",
                                           "first_gradient", "last_gradient",       NULL};
_Static_assert(sizeof column_words / sizeof *column_words == GF__COLUMN_COUNT + 1,
               "column_words follows gf__columns row by row");

/* An item of tables or figures. */
typedef struct view {
  char *name, *title, *note;
  const gf__value *rows, *columns, *settings, *seed;
  int kind, log;
} view;

static const gf__key view_keys[] = {
    GF__KEY(view, name, TEXT, .help = "of its files"),
    GF__KEY(view, title, TEXT, .initial = "", .help = "empty: the name"),
    GF__KEY(view, note, TEXT, .initial = "", .help = "below it: what it can and cannot show"),
};
enum { VIEW_KEYS = sizeof view_keys / sizeof *view_keys };

static const gf__key table_keys[] = {
    GF__KEY(view, rows, LIST, .initial = "", .help = "names of settings; default all"),
    GF__KEY(view, columns, LIST, .initial = "",
            .help = "train_, validation_ and test_ with accuracy or loss, first_gradient and "
                    "last_gradient; default the accuracies"),
};
enum { TABLE_KEYS = sizeof table_keys / sizeof *table_keys };

static const char *const log_words[] = {"auto", "true", "false", NULL};
enum { LOG_AUTO, LOG_TRUE };

static const gf__key figure_keys[] = {
    GF__KEY(view, kind, CHOICE, .choices = gf__figure_words, .help = "what is drawn"),
    GF__KEY(view, settings, LIST, .initial = "", .help = "names of settings; default all"),
    GF__KEY(view, seed, SCALAR, .initial = "",
            .help = "the seed whose runs are drawn; default the first of each setting"),
    GF__KEY(view, log, CHOICE, .choices = log_words, .initial = "auto",
            .help = "a logarithmic y axis; auto: of gradients"),
};
enum { FIGURE_KEYS = sizeof figure_keys / sizeof *figure_keys };

void gf__views_help(gf__help *help) {
  gf__help_title(help, "an item of tables:");
  gf__help_keys(help, view_keys, VIEW_KEYS);
  gf__help_keys(help, table_keys, TABLE_KEYS);
  gf__help_title(help, "an item of figures: name, title and note as well, and");
  gf__help_keys(help, figure_keys, FIGURE_KEYS);
}

/* ---- names of settings ---- */

static gf_status find_setting(const gf_study *study, const gf__value *item, int *index) {
  const char *name = gf__scalar_words(item);
  for (int i = 0; i < study->setting_count; i++) {
    *index = i;
    if (strcmp(study->settings[i].name, name) == 0) return GF_OK;
  }
  const char *guess = gf__did_you_mean(name, study->settings, (size_t)study->setting_count,
                                       sizeof *study->settings);
  gf__text known = {0};
  for (int i = 0; i < study->setting_count; i++)
    gf__text_add(&known, "%s%s", i ? ", " : "", study->settings[i].name);
  gf_status status = gf__text_status(&known);
  if (status == GF_OK && guess)
    status = gf__value_fail(item, "no setting '%s'; did you mean '%s'? known settings: %s", name,
                            guess, known.data);
  else if (status == GF_OK)
    status = gf__value_fail(item, "no setting '%s'; known settings: %s", name, known.data);
  gf__text_free(&known);
  return status;
}

/* All settings where there is no list. The caller frees *out. */
static gf_status read_names(const gf_study *study, const gf__value *list, const char *what,
                            int **out, int *out_count) {
  GF_TRY(gf__list_check(list, what));
  int count = list ? (int)list->count : study->setting_count;
  if (count == 0) return gf__value_fail(list, "%s is an empty list; leave it out for all", what);
  *out = calloc((size_t)count, sizeof **out);
  if (!*out) return gf__fail_host_memory((size_t)count * sizeof **out);
  *out_count = count;
  for (int i = 0; i < count; i++) {
    (*out)[i] = i;
    if (list) GF_TRY(find_setting(study, list->items[i], &(*out)[i]));
    for (int k = 0; k < i; k++)
      if ((*out)[k] == (*out)[i])
        return gf__value_fail(list->items[i], "the setting '%s' is in the list twice",
                              list->items[i]->text);
  }
  return GF_OK;
}

/* Moves the texts, which every kind of view has. */
static gf_status take_texts(view *v, const gf__value *place, const char *what, char **name,
                            char **title, char **note, char **where) {
  GF_TRY(gf__name_check(gf__value_get(place, "name"), what, v->name));
  *where = gf__text_copy(place->place);
  *title = gf__text_copy(*v->title ? v->title : v->name);
  if (!*where || !*title) return gf__fail_host_memory(strlen(v->name));
  *name = v->name;
  *note = v->note;
  v->name = v->note = NULL;
  return GF_OK;
}

static gf_status fail_twice(const char *place, const char *what, const char *name,
                            const char *first) {
  return gf__fail(GF_ERROR_CONFIG, "%s: the %s '%s' is already defined at %s", place, what, name,
                  first);
}

/* ---- tables ---- */

void gf__study_table_free(gf__study_table *table) {
  free(table->name);
  free(table->title);
  free(table->note);
  free(table->place);
  free(table->rows);
  *table = (gf__study_table){0};
}

gf_status gf__table_add_to(gf_study *study, gf__study_table *table) {
  for (int i = 0; i < study->table_count; i++)
    if (strcmp(study->tables[i].name, table->name) == 0)
      return fail_twice(table->place, "table", table->name, study->tables[i].place);
  GF_TRY(gf__grow(&study->tables, (size_t)study->table_count, sizeof *study->tables));
  study->tables[study->table_count++] = *table;
  *table = (gf__study_table){0};
  return GF_OK;
}

static gf_status read_columns(const gf__value *list, gf__study_table *out) {
  static const gf__key key = {.name = "columns", .type = GF__KEY_CHOICE, .choices = column_words};
  GF_TRY(gf__list_check(list, "columns"));
  if (list && list->count == 0)
    return gf__value_fail(list, "columns is an empty list; leave it out for the accuracies");
  for (int i = 0; !list && i < GF__COLUMN_COUNT; i++)
    if (gf__columns[i].is_accuracy) out->columns[out->column_count++] = i;
  for (size_t i = 0; list && i < list->count; i++) {
    int column;
    GF_TRY(gf__item_read(list->items[i], &key, &column));
    for (int k = 0; k < out->column_count; k++)
      if ((int)out->columns[k] == column)
        return gf__value_fail(list->items[i], "the column %s is in the list twice",
                              column_words[column]);
    out->columns[out->column_count++] = column;
  }
  return GF_OK;
}

static gf_status add_table(gf_study *study, const gf__value *place, view *v) {
  gf__study_table table = {0};
  if (strcmp(v->name, "runs") == 0)
    return gf__value_fail(gf__value_get(place, "name"),
                          "a table cannot be called 'runs', which is a file of every report");
  gf_status status = take_texts(v, place, "the table's name", &table.name, &table.title,
                                &table.note, &table.place);
  if (status == GF_OK) status = read_names(study, v->rows, "rows", &table.rows, &table.row_count);
  if (status == GF_OK) status = read_columns(v->columns, &table);
  if (status == GF_OK) status = gf__table_add_to(study, &table);
  gf__study_table_free(&table);
  return status;
}

/* ---- figures ---- */

void gf__study_figure_free(gf__study_figure *figure) {
  free(figure->name);
  free(figure->title);
  free(figure->note);
  free(figure->place);
  free(figure->settings);
  free(figure->seeds);
  *figure = (gf__study_figure){0};
}

gf_status gf__figure_add_to(gf_study *study, gf__study_figure *figure) {
  for (int i = 0; i < study->figure_count; i++)
    if (strcmp(study->figures[i].name, figure->name) == 0)
      return fail_twice(figure->place, "figure", figure->name, study->figures[i].place);
  GF_TRY(gf__grow(&study->figures, (size_t)study->figure_count, sizeof *study->figures));
  study->figures[study->figure_count++] = *figure;
  *figure = (gf__study_figure){0};
  return GF_OK;
}

static gf_status read_figure_seeds(const gf_study *study, const gf__value *value,
                                   gf__study_figure *figure) {
  static const gf__key key = {.name = "seed", .type = GF__KEY_SEED};
  uint64_t seed = 0;
  figure->seeds = malloc((size_t)figure->setting_count * sizeof *figure->seeds);
  if (!figure->seeds)
    return gf__fail_host_memory((size_t)figure->setting_count * sizeof *figure->seeds);
  if (value) GF_TRY(gf__item_read(value, &key, &seed));
  for (int i = 0; i < figure->setting_count; i++) {
    const gf__setting *setting = &study->settings[figure->settings[i]];
    bool known = !value;
    for (int k = 0; k < setting->seed_count; k++) known |= setting->seeds[k] == seed;
    if (!known)
      return gf__value_fail(value, "the setting '%s' is not run with the seed %" PRIu64,
                            setting->name, seed);
    figure->seeds[i] = value ? seed : setting->seeds[0];
  }
  return GF_OK;
}

static gf_status add_figure(gf_study *study, const gf__value *place, view *v) {
  gf__study_figure figure = {
      .kind = v->kind,
      .log = v->log == LOG_AUTO ? gf__figure_is_of_gradients(v->kind) : v->log == LOG_TRUE};
  gf_status status = take_texts(v, place, "the figure's name", &figure.name, &figure.title,
                                &figure.note, &figure.place);
  if (status == GF_OK)
    status = read_names(study, v->settings, "settings", &figure.settings, &figure.setting_count);
  if (status == GF_OK) status = read_figure_seeds(study, v->seed, &figure);
  if (status == GF_OK) status = gf__figure_add_to(study, &figure);
  gf__study_figure_free(&figure);
  return status;
}

/* ---- lists ---- */

static gf_status read_views(gf__study_file *file, const gf__value *list, const char *what,
                            const gf__key *more, size_t more_count,
                            gf_status (*add)(gf_study *, const gf__value *, view *)) {
  GF_TRY(gf__list_check(list, what));
  for (size_t i = 0; list && i < list->count; i++) {
    view v = {0};
    const gf__key_group groups[] = {{view_keys, VIEW_KEYS, &v}, {more, more_count, &v}};
    GF_TRY(gf__keys_read_groups(list->items[i], what, groups, 2));
    gf_status status = add(file->study, list->items[i], &v);
    gf__keys_free(view_keys, VIEW_KEYS, &v);
    GF_TRY(status);
  }
  return GF_OK;
}

gf_status gf__tables_read(gf__study_file *file, const gf__value *list) {
  return read_views(file, list, "tables", table_keys, TABLE_KEYS, add_table);
}

gf_status gf__figures_read(gf__study_file *file, const gf__value *list) {
  return read_views(file, list, "figures", figure_keys, FIGURE_KEYS, add_figure);
}
