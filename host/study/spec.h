/* Reading a study's file: spec.c the file, settings.c what is run, views.c what is shown. */
#ifndef GF_STUDY_SPEC_H
#define GF_STUDY_SPEC_H

#include "base/help.h"
#include "study/study.h"

/* A file that is being read. What it says goes into the study. */
typedef struct gf__study_file {
  const char *path;
  gf_study *study;
  const gf__value *set; /* for all settings of the file, or NULL */
  uint64_t *seeds;      /* of all settings of the file */
  int seed_count;
} gf__study_file;

/* What the lists say, which may be NULL. Rows without a list of their own show all settings. */
gf_status gf__settings_read(gf__study_file *file, const gf__value *list) GF_MUST_USE;
gf_status gf__grids_read(gf__study_file *file, const gf__value *list) GF_MUST_USE;
gf_status gf__tables_read(gf__study_file *file, const gf__value *list) GF_MUST_USE;
gf_status gf__figures_read(gf__study_file *file, const gf__value *list) GF_MUST_USE;

/* Appends the keys of the items of those lists for help. */
void gf__settings_help(gf__help *help);
void gf__views_help(gf__help *help);

/* Applies the entries of a "set" mapping, which may be NULL, to every setting. */
gf_status gf__settings_apply(gf_study *study, const gf__value *set) GF_MUST_USE;
/* Moves the setting into the study. One of its name that is there has to be equal, and receives
 * the seeds that it lacks. *index is where it is. The setting is empty afterwards. */
gf_status gf__setting_add(gf_study *study, gf__setting *setting, int *index) GF_MUST_USE;
void gf__setting_free(gf__setting *setting);
/* Moves a table or a figure into the study; a second one of a name is an error. */
gf_status gf__table_add_to(gf_study *study, gf__study_table *table) GF_MUST_USE;
gf_status gf__figure_add_to(gf_study *study, gf__study_figure *figure) GF_MUST_USE;
void gf__study_table_free(gf__study_table *table);
void gf__study_figure_free(gf__study_figure *figure);

/* "FOLDER OF THE FILE/name", or name alone where it begins with a slash. */
gf_status gf__path_beside(char out[GF__PATH_SIZE], const char *file, const char *name) GF_MUST_USE;
/* What names files and folders: letters, digits, and ".", "_", "+", "-" after the first. */
gf_status gf__name_check(const gf__value *value, const char *what, const char *name) GF_MUST_USE;
/* Whether the value is a list, or absent; "PLACE: WHAT must be a list, …" else. */
gf_status gf__list_check(const gf__value *value, const char *what) GF_MUST_USE;
/* Reads an item of a list as if it were the value of the key, whose name is in messages. */
gf_status gf__item_read(const gf__value *item, const gf__key *key, void *target) GF_MUST_USE;

#endif
