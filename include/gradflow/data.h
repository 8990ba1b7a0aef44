/* Data sets and the loader that prepares batches on host threads. */
#ifndef GRADFLOW_DATA_H
#define GRADFLOW_DATA_H

#include <gradflow/config.h>
#include <gradflow/status.h>

/* Images of one split in memory, as bytes; of a hyperspectral cube, as the cube. */
typedef struct gf_dataset gf_dataset;

typedef enum gf_split { GF_SPLIT_TRAIN, GF_SPLIT_VALIDATION, GF_SPLIT_TEST } gf_split;

/* What a data set holds: images (count, height, width, channels) and class names. */
typedef struct gf_dataset_info {
  const char *name; /* "cifar100" */
  int count, height, width, channels, classes;
  const char *const *class_names; /* classes of them, or NULL; owned by the data set */
} gf_dataset_info;

/* Opens the split that the config's "data" section names. Training and
 * validation are disjoint parts of the training file, chosen by
 * data.split_seed, not by the run's seed. The caller frees *out. */
GF_API gf_status gf_dataset_open(gf_dataset **out, const gf_config *config,
                                 gf_split split) GF_MUST_USE;
GF_API void gf_dataset_free(gf_dataset **dataset);
GF_API gf_dataset_info gf_dataset_describe(const gf_dataset *dataset);
/* What the config's data set would hold, without opening it: count is 0 and class_names NULL.
 * Headers and folders are inspected where they are there and the config does not tell. Files are
 * needed only where nothing else tells the classes (image_folder without data.classes) and the
 * bands, which are the channels (hyperspectral without data.bands). */
GF_API gf_status gf_dataset_shape(gf_dataset_info *out, const gf_config *config) GF_MUST_USE;

/* One batch: images (count, height, width, channels) normalised floats, and
 * count labels; owned by the loader and valid until the next call. With
 * data.mixup, images are mix times one image and 1 - mix times another,
 * whose count labels follow the first count; mix is 1 without. */
typedef struct gf_batch {
  const float *images;
  const int *labels;
  int count;
  float mix;
  int first, whole; /* the index of the first image in the whole batch, and its size */
} gf_batch;

typedef struct gf_loader gf_loader;

typedef struct gf_loader_options {
  int batch_size;
  int threads; /* 0: chosen from the number of CPUs */
  unsigned long long seed;
  int training; /* shuffle and augment; otherwise in order and normalised only */
  /* The shard that is wanted, 0 to 1: of each batch in training, else of the split; both 0: all. */
  double from, to;
} gf_loader_options;

/* The data set must outlive the loader. */
GF_API gf_status gf_loader_open(gf_loader **out, const gf_dataset *dataset,
                                const gf_loader_options *options) GF_MUST_USE;
GF_API void gf_loader_free(gf_loader **loader);
GF_API int gf_loader_batches(const gf_loader *loader); /* an epoch, the last one may be smaller */
/* Begins an epoch at a batch (0 for the first); order and augmentation depend on
 * seed and epoch only, never on the threads. */
GF_API gf_status gf_loader_start(gf_loader *loader, int epoch, int first_batch) GF_MUST_USE;
/* The next batch; whole is 0 after the last, and so is count, which may be 0 before where a shard
 * of the batches is wanted. Waits only if it is not ready yet. */
GF_API gf_status gf_loader_next(gf_loader *loader, gf_batch *out) GF_MUST_USE;

#endif
