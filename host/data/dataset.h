/* Data sets past gradflow/data.h: the table of formats, the "data" section of a config, and what an
 * opened split is. */
#ifndef GF_DATA_DATASET_H
#define GF_DATA_DATASET_H

#include <sha256.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gradflow/data.h>

#include "base/error.h"
#include "base/file.h"
#include "base/help.h"
#include "base/text.h"
#include "data/augment.h"
#include "data/class_names.h"

enum {
  GF__DATA_LARGEST_COUNT = 10000000, /* images of a file; a header that promises more is damaged */
  GF__DATA_LARGEST_SIDE = 1024,      /* pixels */
  GF__DATA_MOST_CLASSES = 100000,
  GF__DEFLATE_MOST = 1032 /* bytes that deflate packs into one */
};

/* The "data" section: the keys that every format has. The sentinels (-1, no numbers) that stand
 * for a format's default are replaced by gf__data_settings_resolve. */
typedef struct gf__data_settings {
  int kind; /* row of gf__data_formats */
  char *path;
  int validation;
  uint64_t split_seed;
  int train_limit, test_limit; /* images; 0: all */
  int pad_to, crop_padding;    /* pixels */
  int flip;                    /* 0, 1, or 2: the format's default */
  int cutout;                  /* side, pixels; 0: none */
  gf__floats jitter;           /* strengths: brightness, contrast, saturation */
  double mixup;                /* alpha of Beta(alpha, alpha); 0: none */
  gf__floats mean, std;        /* one per channel, of pixels in [0, 1] */
  const gf__value *checksums;  /* file name -> SHA-256 in hex, checked; or NULL */
  void *options;               /* the values of the format's own keys, or NULL */
} gf__data_settings;

typedef struct gf__data_format gf__data_format;

/* What one split is read from. */
typedef struct gf__data_source {
  const gf__data_format *format;
  const gf__data_settings *settings; /* resolved; settings->path is the folder */
  const char *const *files;          /* NULL-terminated names in it */
  bool is_whole_split;               /* the files are the validation images, all of them */
} gf__data_source;

/* What an image file goes through to become an input, in pixels. */
typedef struct gf__data_input {
  int cover[2];  /* height, width that the resized image has at least, its proportions kept */
  int crop[2];   /* height, width that are cut out of its middle */
  int border[4]; /* black rows and columns around it: top, left, bottom, right */
} gf__data_input;

typedef gf_status gf__visit_size(void *user, int height, int width);

/* A row of the table. Its functions that may be NULL say so. */
struct gf__data_format {
  const char *name, *help;
  const char *files;  /* the files looked for, for messages */
  const char *source; /* what to fetch, and where */
  const char *folder; /* data.path when the config has none, or NULL */
  const char *input;  /* what a network takes, in words */

  const gf__key *keys; /* the format's own, read into options_size bytes */
  size_t key_count, options_size;

  /* What its samples are by themselves, where neither keys nor files tell. */
  int height, width, channels;
  int classes;                    /* 0: as many as the files tell */
  bool has_shape_in_files;        /* not only the number of classes */
  const char *names_file;         /* one class name per line, or NULL */
  const char *const *class_names; /* when there is no such file, or NULL */
  int label_bytes;                /* of a record of CIFAR, at most 2; the last one is the class */

  /* What keys of all formats default to. */
  int validation, full_count; /* default data.validation, when the file has full_count records */
  int pad_to, crop_padding;
  bool flip;
  double mean[3], std[3];

  const char *const *train; /* NULL-terminated names of files */
  const char *const *test;
  bool has_folders; /* these are folders of files that the row does not name */

  /* Finds settings that do not suit the format and resolves those that depend on it. */
  gf_status (*check)(gf__data_settings *settings, const gf__value *section);
  /* Whether the format reads a file of this name by its own keys; NULL: by train and test alone. */
  bool (*reads_file)(const gf__data_settings *settings, const char *name);
  /* The shape and, if known, the classes by the settings, without a look at any file. */
  void (*expect)(const gf__data_format *format, const gf__data_settings *settings,
                 gf_dataset_info *out);
  /* Corrects what expect has said by headers and folders; NULL: they tell nothing more. */
  gf_status (*describe)(const gf__data_source *source, gf_dataset_info *out);
  /* Appends one class name per line; NULL: by names_file or class_names. */
  gf_status (*list_classes)(const gf__data_source *source, gf__text *out);
  /* Fills a data set's info, labels and samples, and into its options what only files tell. */
  gf_status (*open)(gf_dataset *dataset, const gf__data_source *source, gf_split split);
  /* Whether the files of the test images are there; NULL: those that test names. */
  bool (*has_test)(const gf__data_settings *settings);
  /* Writes the sample index of the split, (height, width, channels) floats. */
  void (*render)(const gf_dataset *dataset, uint32_t index, const gf__augmentation *augmentation,
                 float *out);
  void (*close)(gf_dataset *dataset);

  /* How image files become samples; all NULL where no image file holds one. prepare makes the
   * samples of a data set that has none, read_file its pixels and floats (height, width,
   * channels). */
  gf_status (*prepare)(gf_dataset *dataset);
  gf__data_input (*input_of)(const gf_dataset *dataset);
  gf_status (*read_file)(const gf_dataset *dataset, const char *path, uint8_t *pixels,
                         float *floats);

  /* Calls visit with the size of each image file that source->files name; NULL: all are of one
   * size. */
  gf_status (*visit_sizes)(const gf__data_source *source, gf__visit_size *visit, void *user);

  /* Of formats whose samples are images of bytes, see byte_images.h; else NULL. */
  const struct gf__byte_reader *reader;
};

#define GF__DATA_FORMATS(X) \
  X(cifar100) X(cifar10) X(mnist) X(fashion_mnist) X(svhn) X(image_folder) X(hyperspectral)
#define GF__DATA_DECLARE(name) extern const gf__data_format gf__format_##name;
GF__DATA_FORMATS(GF__DATA_DECLARE)

/* formats.c */
extern const gf__data_format *const gf__data_formats[];
extern const char *const gf__data_format_names[]; /* in the same order; NULL-terminated */
extern const size_t gf__data_format_count;
/* NULL if there is none of the name. */
const gf__data_format *gf__data_format_find(const char *name);

struct gf_dataset {
  const gf__data_format *format;
  gf_dataset_info info;
  gf__data_settings settings; /* resolved */
  int *labels;                /* (count) */
  void *samples;              /* of the format: gf__byte_images or gf__cube */
  gf__class_names names;      /* that info.class_names points into */
  gf_config *checksums;       /* what settings.checksums points into, or NULL */
};

/* settings.c */
extern const gf__key gf__data_keys[]; /* of all formats */
extern const size_t gf__data_key_count;
/* Reads the "data" section of a config, the format's own keys into out->options. A key of another
 * format is refused, unless its value is that key's default: the resolved configs of earlier
 * versions have the keys of all formats. Free out after a success. */
gf_status gf__data_settings_read(gf__data_settings *out, const gf_config *config) GF_MUST_USE;
void gf__data_settings_free(gf__data_settings *settings);
/* Replaces the sentinels, and checks what can be checked without files. */
gf_status gf__data_settings_resolve(gf__data_settings *settings,
                                    const gf__value *section) GF_MUST_USE;
/* Appends the lines below "data:" with every default resolved, indented; they read back to the same
 * split. dataset is the training split. */
void gf__data_write(gf__text *out, int indent, const gf_dataset *dataset);
/* The same of settings that were resolved without a look at files, which may say more. */
void gf__data_settings_write(gf__text *out, int indent, const gf__data_settings *settings);
/* The section's keys, those of each format and, in Markdown, the data sets. */
void gf__data_help(gf__help *help);

/* dataset.c: gf_dataset_shape without a look at any file: where only files tell the classes, they
 * are 0. */
gf_status gf__data_expect(gf_dataset_info *out, const gf_config *config) GF_MUST_USE;
/* The same of a run's config: where it does not tell the shape, files do, as for a run of an
 * earlier version. */
gf_status gf__data_recall(gf_dataset_info *out, const gf_config *config) GF_MUST_USE;
/* The data set of a run without its samples, which renders image files. Needs none of its files.
 * GF_ERROR_CONFIG where no image file holds a sample. The caller frees *out. */
gf_status gf__dataset_open_empty(gf_dataset **out, const gf_config *config) GF_MUST_USE;

/* Warns of what a run can do without, and its user may not: test images, and enough validation
 * images to know their accuracy. */
void gf__dataset_warn(const gf_dataset *train, const gf_dataset *validation);

/* checksums.c: checks that settings->checksums maps files of the format to digests; an empty one
 * becomes NULL. */
gf_status gf__data_check_checksums(const gf__data_format *format,
                                   gf__data_settings *settings) GF_MUST_USE;
/* Compares the SHA-256 of a file below the folder with that of data.checksums, if there is one.
 * Where the row names all files, one without a digest is an error. */
gf_status gf__data_compare_checksum(const gf__data_source *source, const char *path) GF_MUST_USE;

/* files.c: a file's size in bytes. GF_ERROR_FILE for what is no regular file, such as a device or
 * a pipe, whose end may never come. */
gf_status gf__data_file_size(const char *path, int64_t *out) GF_MUST_USE;
/* The path of a regular file in the folder. GF_ERROR_FILE where there is none, with what to do. */
gf_status gf__data_find_file(const gf__data_source *source, const char *file,
                             char path[GF__PATH_SIZE]) GF_MUST_USE;
gf_status gf__data_fail_missing(const gf__data_source *source, const char *file);
gf_status gf__data_fail_no_path(const gf__data_source *source);

/* digest.c: the number of a split's images, and a digest of their pixels and labels in the split's
 * order; "" where it is not known. */
typedef struct gf__split_digest {
  int count;
  char sha256[SHA256_DIGEST_STRING_LENGTH];
} gf__split_digest;
gf_status gf__dataset_digest(const gf_dataset *dataset, gf__split_digest *out) GF_MUST_USE;

/* loader.c: gf_loader_start past that many images of the epoch. Where a batch is cut in two by
 * that, the rest of it is the first one. */
gf_status gf__loader_start_after(gf_loader *loader, int epoch, int images) GF_MUST_USE;
/* The first of count images in the shard that starts at a fraction of them. */
int gf__shard_begin(double at, int count);

/* mixup.c: Zhang et al., 2018. The fraction of the first images of a batch of an epoch. */
float gf__mixup_draw(double alpha, uint64_t seed, int epoch, int batch);

#endif
