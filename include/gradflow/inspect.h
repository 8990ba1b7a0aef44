/** @file
 * What the images of a config are like, before a network is trained on them. */
#ifndef GRADFLOW_INSPECT_H
#define GRADFLOW_INSPECT_H

#include <stdbool.h>

#include <gradflow/config.h>
#include <gradflow/data.h>
#include <gradflow/status.h>

/** Sizes of the arrays in a report. */
enum {
  GF_SPLITS = 3,                /**< splits of a data set */
  GF_INSPECT_MOST_CHANNELS = 3, /**< channels whose pixels are measured */
  GF_INSPECT_MOST_SIZES = 5     /**< sizes of files that are listed */
};

/** One split. */
typedef struct gf_inspected_split {
  const char *name;  /**< "train", "validation" or "test" */
  char *failure;     /**< why it could not be read, or NULL */
  int images;        /**< of it */
  int *class_images; /**< (classes): of each class; NULL after a failure */
} gf_inspected_split;

/** Images of a split that it, or another one, has as well, byte for byte, as they are before they
 * are augmented. */
typedef struct gf_duplicates {
  int images;      /**< that are there as well */
  int other_label; /**< those of them whose label is another one there */
} gf_duplicates;

/** A size of image files. */
typedef struct gf_image_size {
  int height; /**< in pixels */
  int width;  /**< in pixels */
  int images; /**< files of this size */
} gf_image_size;

/** The sizes of image files, and what becomes of them. */
typedef struct gf_inspected_sizes {
  int files;              /**< that were measured; 0: the format has images of one size */
  int distinct;           /**< sizes */
  gf_image_size smallest; /**< by its area */
  gf_image_size largest;  /**< by its area */
  int common_count;       /**< of common */
  gf_image_size common[GF_INSPECT_MOST_SIZES]; /**< the commonest sizes */
  double cut;      /**< mean fraction of a resized image that the crop cuts off */
  double most_cut; /**< the largest such fraction */
  int enlarged;    /**< files whose shorter side is smaller than what it is resized to */
} gf_inspected_sizes;

/** What was found. */
typedef struct gf_data_report {
  gf_dataset_info info; /**< of the data set; count is 0, and the names are the report's */
  gf_inspected_split splits[GF_SPLITS]; /**< by gf_split */
  bool has_duplicates; /**< whether they were looked for: not in a cube, whose squares overlap */
  /** [a][a]: images of a that equal an earlier one of a; [a][b] with b before a: images of a that b
   * has as well. */
  gf_duplicates duplicates[GF_SPLITS][GF_SPLITS];
  int channels; /**< whose pixels were measured, in the training images without borders; or 0 */
  double mean[GF_INSPECT_MOST_CHANNELS];            /**< of pixels in [0, 1] */
  double deviation[GF_INSPECT_MOST_CHANNELS];       /**< of the same */
  double configured_mean[GF_INSPECT_MOST_CHANNELS]; /**< data.mean */
  double configured_std[GF_INSPECT_MOST_CHANNELS];  /**< data.std */
  gf_inspected_sizes sizes;                         /**< of the training images */
  int warning_count;                                /**< of warnings */
  char **warnings;                                  /**< what looks wrong, a sentence each */
  char *sheet;                                      /**< the path of the picture, or NULL */
  void *owner;                                      /**< the library's */
} gf_data_report;

/** What is wanted of an inspection. */
typedef struct gf_inspect_options {
  const char *out;   /**< a folder for batch.png, created where it is not; NULL: none is drawn */
  const char *title; /**< of the picture; NULL: the data set's name */
} gf_inspect_options;

/** No picture. */
GF_API gf_inspect_options gf_inspect_options_default(void);

/** Reads all splits of the config's data, one after the other, and with options->out draws the
 * first training batch as the network sees it. A validation or test split that cannot be read is in
 * the report; errors are those of gf_dataset_open() for the training images. options NULL are the
 * defaults. The caller frees *out. */
GF_API gf_status gf_inspect_data(gf_data_report **out, const gf_config *config,
                                 const gf_inspect_options *options) GF_MUST_USE;

/** Frees a report; a pointer to NULL is fine. */
GF_API void gf_data_report_free(gf_data_report **report);

#endif
