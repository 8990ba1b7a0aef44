/** @file
 * Data sets, and the loader that prepares batches on host threads. */
#ifndef GRADFLOW_DATA_H
#define GRADFLOW_DATA_H

#include <stdbool.h>

#include <gradflow/config.h>
#include <gradflow/status.h>

/** Images of one split in memory, as bytes; those of a hyperspectral cube, as the cube. Constant
 * once opened: several loaders and threads may read it at a time. */
typedef struct gf_dataset gf_dataset;

/** The part of a data set. */
typedef enum gf_split {
  GF_SPLIT_TRAIN,      /**< images to train on */
  GF_SPLIT_VALIDATION, /**< images kept from training, to choose weights by */
  GF_SPLIT_TEST        /**< images of the test file */
} gf_split;

/** What a data set holds. */
typedef struct gf_dataset_info {
  const char *name;               /**< as in data.name: "cifar100" */
  int count;                      /**< images */
  int height;                     /**< of an image, in pixels */
  int width;                      /**< of an image, in pixels */
  int channels;                   /**< of an image */
  int classes;                    /**< how many there are */
  const char *const *class_names; /**< (classes), or NULL; owned by the data set */
} gf_dataset_info;

/** Opens the split that the config's "data" section names. Training and validation are disjoint
 * parts of the training file, chosen by data.split_seed, not by the run's seed. The caller frees
 * *out. GF_ERROR_CONFIG for wrong keys, GF_ERROR_FILE where files are missing, GF_ERROR_DATA where
 * they are damaged. */
GF_API gf_status gf_dataset_open(gf_dataset **out, const gf_config *config,
                                 gf_split split) GF_MUST_USE;

/** Frees a data set, after the loaders that read it. */
GF_API void gf_dataset_free(gf_dataset **dataset);

/** What the data set holds. */
GF_API gf_dataset_info gf_dataset_describe(const gf_dataset *dataset);

/** What the config's data set would hold, without opening it: count is 0 and class_names NULL.
 * Headers and folders are inspected where they are there and the config does not say. Files are
 * needed only where nothing else says how many classes there are (image_folder without
 * data.classes) and how many bands, which are the channels (hyperspectral without data.bands).
 * Errors are those of gf_dataset_open(). */
GF_API gf_status gf_dataset_shape(gf_dataset_info *out, const gf_config *config) GF_MUST_USE;

/** A batch of a loader, which owns its memory; valid until the next call of gf_loader_next(),
 * gf_loader_start() or gf_loader_free(). */
typedef struct gf_batch {
  const float *images; /**< (count, height, width, channels), normalised */
  /** (count). With data.mixup images are mix times one image and 1 - mix times another, and the
   * labels of the latter follow: (2, count). */
  const int *labels;
  int count; /**< images */
  float mix; /**< the fraction of the first image; 1 without data.mixup */
  int first; /**< the index of the first image in the whole batch */
  int whole; /**< images of the whole batch, of which a shard may have been asked for */
} gf_batch;

/** Prepares the batches of a data set, on threads of its own. */
typedef struct gf_loader gf_loader;

/** Which batches a loader prepares. */
typedef struct gf_loader_options {
  int batch_size;          /**< images, at least 1; there is no default */
  int threads;             /**< 0: chosen from the number of CPUs */
  unsigned long long seed; /**< of order and augmentation */
  bool training;           /**< shuffle and augment; otherwise in order and normalised only */
  /** The shard that is wanted, from a fraction up to another, in [0, 1]: of each batch in training,
   * else of the split. */
  double from;
  double to; /**< see from */
} gf_loader_options;

/** Whole batches in order, threads by the number of CPUs. */
GF_API gf_loader_options gf_loader_options_default(void);

/** Opens a loader and starts its threads. The data set must outlive it. The caller frees *out.
 * GF_ERROR_ARGUMENT for options out of their ranges. */
GF_API gf_status gf_loader_open(gf_loader **out, const gf_dataset *dataset,
                                const gf_loader_options *options) GF_MUST_USE;

/** Stops the threads and frees the loader. */
GF_API void gf_loader_free(gf_loader **loader);

/** The number of batches per epoch; the last one may be smaller than the others. */
GF_API int gf_loader_batches(const gf_loader *loader);

/** Begins an epoch at a batch, 0 for the first. Order and augmentation depend on the seed and the
 * epoch only, never on the number of threads. */
GF_API gf_status gf_loader_start(gf_loader *loader, int epoch, int first_batch) GF_MUST_USE;

/** Gives the next batch of the epoch, and waits for it if it is not ready yet. After the last one
 * out->whole and out->count are 0. Where a shard of the batches is wanted, count alone may be 0
 * before. */
GF_API gf_status gf_loader_next(gf_loader *loader, gf_batch *out) GF_MUST_USE;

#endif
