/* What the images of a config are like, before a network is trained on them. */
#ifndef GRADFLOW_INSPECT_H
#define GRADFLOW_INSPECT_H

#include <stdbool.h>

#include <gradflow/data.h>

enum { GF_SPLITS = 3, GF_INSPECT_MOST_CHANNELS = 3, GF_INSPECT_MOST_SIZES = 5 };

/* One split. */
typedef struct gf_inspected_split {
  const char *name; /* "train", "validation", "test" */
  char *failure;    /* why it could not be read, or NULL */
  int images;
  int *class_images; /* (classes); NULL after a failure */
} gf_inspected_split;

/* Images of a split that another one has as well, byte for byte, as the network sees them. */
typedef struct gf_duplicates {
  int images;
  int other_label; /* those of them whose label is another one there */
} gf_duplicates;

/* Sizes of image files, pixels. */
typedef struct gf_image_size {
  int height, width;
  int images;
} gf_image_size;

typedef struct gf_inspected_sizes {
  int files;                       /* that were measured; 0: the format has images of one size */
  int distinct;                    /* sizes */
  gf_image_size smallest, largest; /* by area */
  int common_count;
  gf_image_size common[GF_INSPECT_MOST_SIZES]; /* the commonest ones */
  double cut, most_cut; /* fraction of a resized image that the crop cuts off: mean and largest */
  int enlarged;         /* files whose shorter side is smaller than what it is resized to */
} gf_inspected_sizes;

typedef struct gf_data_report {
  gf_dataset_info info;                 /* count is 0; names are the report's */
  gf_inspected_split splits[GF_SPLITS]; /* by gf_split */
  bool has_duplicates;                  /* were looked for: not in a cube, whose squares overlap */
  /* [a][a]: images of a that equal an earlier one of a; [a][b] with b before a: images of a that b
   * has. */
  gf_duplicates duplicates[GF_SPLITS][GF_SPLITS];
  int channels; /* whose pixels were measured, in the training images without their border; 0: none
                 */
  double mean[GF_INSPECT_MOST_CHANNELS], deviation[GF_INSPECT_MOST_CHANNELS]; /* of [0, 1] */
  double configured_mean[GF_INSPECT_MOST_CHANNELS], configured_std[GF_INSPECT_MOST_CHANNELS];
  gf_inspected_sizes sizes; /* of the training images */
  int warning_count;
  char **warnings; /* what looks wrong, a sentence each */
  char *sheet;     /* the path of the picture, or NULL */
  void *owner;     /* of texts */
} gf_data_report;

typedef struct gf_inspect_options {
  const char *out;   /* the folder for the sheet of the first training batch; NULL: none is drawn */
  const char *title; /* of the sheet, or NULL */
} gf_inspect_options;

/* Reads all splits of the config's data, one after the other. GF_ERROR_* where the training images
 * cannot be read; a failure of another split is in the report. options may be NULL. The caller
 * frees *out. */
GF_API gf_status gf_inspect_data(gf_data_report **out, const gf_config *config,
                                 const gf_inspect_options *options) GF_MUST_USE;
GF_API void gf_data_report_free(gf_data_report **report);

#endif
