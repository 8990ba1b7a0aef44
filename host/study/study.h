/* What a study's file says, resolved. */
#ifndef GF_STUDY_STUDY_H
#define GF_STUDY_STUDY_H

#include <gradflow/study.h>
#include <stdint.h>

#include "base/config.h"
#include "base/file.h"

/* What a table can show of a run. Accuracies are in percent; gradients are the mean |g| of a
 * tensor of weights. */
typedef enum gf__column {
  GF__COLUMN_TRAIN_ACCURACY,
  GF__COLUMN_VALIDATION_ACCURACY,
  GF__COLUMN_TEST_ACCURACY,
  GF__COLUMN_TRAIN_LOSS,
  GF__COLUMN_VALIDATION_LOSS,
  GF__COLUMN_TEST_LOSS,
  GF__COLUMN_FIRST_GRADIENT, /* of the tensor nearest to the input */
  GF__COLUMN_LAST_GRADIENT,  /* of the tensor nearest to the logits */
  GF__COLUMN_COUNT
} gf__column;

typedef struct gf__column_info {
  const char *name;   /* in the study's file: "train_accuracy" */
  const char *header; /* in tables: "train %" */
  int digits;         /* after the point */
  bool is_accuracy;
  bool is_gradient; /* shown as 1.2e-05 */
} gf__column_info;
extern const gf__column_info gf__columns[GF__COLUMN_COUNT];

typedef struct gf__published {
  double mean, deviation; /* NaN where there is none */
} gf__published;

/* Runs that differ in nothing but the seed. */
typedef struct gf__setting {
  char *name, *label;
  char *place;       /* where it is defined */
  gf_config *config; /* without a seed of its own */
  uint64_t *seeds;
  int seed_count;
  gf__published published[GF__COLUMN_COUNT];
} gf__setting;

typedef struct gf__study_table {
  char *name, *title, *note, *place;
  int *rows; /* indices of settings */
  int row_count;
  gf__column columns[GF__COLUMN_COUNT];
  int column_count;
} gf__study_table;

typedef struct gf__study_figure {
  char *name, *title, *note, *place;
  int kind;      /* row of gf__figure_kinds */
  int *settings; /* indices */
  int setting_count;
  uint64_t *seeds; /* (setting_count) the run of each that is drawn */
  bool log;
} gf__study_figure;

struct gf_study {
  char *name, *title, *note, *out;
  gf__setting *settings;
  gf__study_table *tables;
  gf__study_figure *figures;
  int setting_count, table_count, figure_count;
};

/* The words of a figure's kind, for its key; figures.c has what they draw. */
extern const char *const gf__figure_words[];
bool gf__figure_is_of_gradients(int kind);

/* "OUT/SETTING/seed-SEED" */
gf_status gf__study_run_folder(char out[GF__PATH_SIZE], const gf_study *study,
                               const gf__setting *setting, uint64_t seed) GF_MUST_USE;

#endif
