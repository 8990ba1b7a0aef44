/* Hyperspectral cubes: what their sources share. */
#ifndef GF_DATA_CUBE_H
#define GF_DATA_CUBE_H

#include "data/dataset.h"
#include "data/mat.h"

enum {
  GF__CUBE_MOST_SIDE = 16384,
  GF__CUBE_MOST_BANDS = 4096,
  GF__CUBE_MOST_CLASSES = 1024,
  GF__CUBE_MOST_UNKNOWN = 65535
};

/* Names of the files, side of a patch in pixels, fractions of each class, and what only the files
 * tell; 0: not known. */
typedef struct gf__cube_options {
  char *cube, *ground_truth;
  char *cube_variable, *ground_truth_variable; /* "": the largest array */
  int patch, unknown;
  double train_fraction, validation_fraction;
  int bands, classes;
} gf__cube_options;

static inline const gf__cube_options *gf__cube_options_of(const gf__data_settings *settings) {
  return settings->options;
}

/* The samples of a data set. */
typedef struct gf__cube {
  float *values; /* (height + patch - 1, width + patch - 1, bands): zeros around the scene */
  int row;       /* floats of its rows */
  int patch, bands;
  int32_t *corners; /* (samples): the pixel of values at which each sample's square begins */
  int width;        /* of values, pixels */
} gf__cube;

/* A variable of a file. */
typedef struct gf__cube_array {
  char path[GF__PATH_SIZE];
  gf__mat *mat;
  gf__mat_array array;
} gf__cube_array;

typedef struct gf__scene {
  int height, width, bands, classes;
  bool has_bands_first;
  int unknown;         /* as the option, where that is 0 by what the map has */
  int16_t *classes_of; /* (height, width): from 1 on, or 0 */
} gf__scene;

/* cube_scene.c: reads the ground truth and opens the cube. The caller closes file->mat and frees
 * s->classes_of whatever happens. */
gf_status gf__scene_open(gf__cube_array *file, const gf__data_source *source,
                         gf__scene *s) GF_MUST_USE;
/* Positions the reader at the numbers of the variable, or of the largest array where its name is
 * empty, with dim_count dimensions. */
gf_status gf__cube_find_array(gf__cube_array *file, const char *variable,
                              int dim_count) GF_MUST_USE;
/* Says which class was taken for that of unknown pixels, and warns of classes that no pixel has;
 * they are classes of the network all the same. */
void gf__scene_warn(const gf__data_source *source, const gf__scene *s);

/* cube_values.c: the memory of the data set's samples, and their standardised numbers. */
gf_status gf__cube_allocate(gf_dataset *dataset, const gf__scene *s, const char *path) GF_MUST_USE;
gf_status gf__cube_read(gf__cube_array *file, const char *variable, const gf__scene *s,
                        gf__cube *cube) GF_MUST_USE;

#endif
