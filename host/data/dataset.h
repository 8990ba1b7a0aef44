/* Data sets behind gradflow/data.h: the table of formats, the "data" section of
 * a config, and how one image becomes floats. */
#ifndef GF_DATA_DATASET_H
#define GF_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gradflow/data.h>

#include "base/error.h"
#include "base/help.h"
#include "base/text.h"

enum {
  GF__DATA_LARGEST_COUNT = 10000000, /* images of a file; a header that promises more is damaged */
  GF__DATA_LARGEST_SIDE = 1024,      /* pixels */
  GF__DATA_LARGEST_PATH = 4096
};

/* The "data" section, by gf__data_keys. The sentinels (-1, no numbers) that
 * stand for a data set's default are replaced when a split is opened. */
typedef struct gf__data_settings {
  int name; /* row of gf__data_sets */
  char *path;
  int validation;
  uint64_t split_seed;
  int train_limit, test_limit; /* images; 0: all */
  int pad_to, crop_padding;    /* pixels */
  int flip;                    /* 0, 1, or 2: the data set's default */
  int cutout;                  /* side, pixels; 0: none */
  gf__floats jitter;           /* strengths: brightness, contrast, saturation */
  double mixup;                /* alpha of Beta(alpha, alpha); 0: none */
  gf__floats mean, std;        /* a channel each, of pixels in [0, 1] */
  int resize, image_size;      /* pixels; of image_folder */
  int bad_file;                /* gf__bad_file; of image_folder */
  /* Of hyperspectral: names of its files, side of a patch in pixels, shares of each class. */
  char *cube, *ground_truth;
  int patch;
  double train_share, validation_share;
  const gf__value *verify; /* file name -> SHA-256 in hex, checked; or NULL */
} gf__data_settings;

typedef enum gf__bad_file { GF__BAD_FILE_STOP, GF__BAD_FILE_SKIP } gf__bad_file;

extern const gf__key gf__data_keys[];
extern const size_t gf__data_key_count;
/* The section's keys and, in Markdown, the data sets. */
void gf__data_help(gf__help *help);

typedef struct gf__data_set gf__data_set;

/* What one split is read from. */
typedef struct gf__data_source {
  const gf__data_set *set;
  const gf__data_settings *settings; /* resolved; settings->path is the folder */
  const char *const *files;          /* NULL-terminated names in it */
} gf__data_source;

/* What a data set's file holds. */
typedef struct gf__data_shape {
  int count, height, width; /* channels are the row's */
  int classes;              /* the row's, where it has any */
} gf__data_shape;

/* Where the records of a file go: those of one split into memory, the others nowhere. */
typedef struct gf__data_sink {
  gf__data_shape file;
  int channels;
  const int32_t *place; /* (file.count): index in the split, or -1 */
  int height, width;    /* of the images in memory, at least those of the file */
  uint8_t *images;      /* (split, height, width, channels), zero before */
  int *labels;          /* (split); -1 of an image that is left out */
} gf__data_sink;

struct gf__data_set {
  const char *name;
  const char *help;
  const char *files;              /* the files looked for, for messages */
  const char *source;             /* what to fetch, and where */
  const char *folder;             /* data.path when the config has none, or NULL */
  int side;                       /* pixels; 0: data.image_size */
  int channels, classes;          /* classes 0: as many as names gives */
  int label_bytes;                /* of a record; at most 2, the last one is the class */
  const char *names_file;         /* a class name a line, or NULL */
  const char *const *class_names; /* when there is no such file, or NULL */
  int validation, full_count; /* default data.validation, when the file has full_count records */
  int crop_padding;
  bool flip;
  double mean[3], std[3];
  const char *const *train; /* NULL-terminated names of files */
  const char *const *test;
  bool has_folders; /* these are folders of files that the row does not name */
  /* Appends a class name a line; NULL: by names_file or class_names. */
  gf_status (*names)(const gf__data_source *source, gf__text *out);
  /* Of a set whose images are no bytes: check finds settings that do not suit it, describe tells
   * its shape, and load fills the data set, all but the names; NULL for others, which have the two
   * below. channels are those of the best-known one. */
  gf_status (*check)(const gf__data_settings *settings, const gf__value *section);
  gf_status (*describe)(const gf__data_source *source, gf_dataset_info *out);
  gf_status (*load)(const gf__data_source *source, gf_split split, gf_dataset *dataset);
  /* Looks at sizes and headers of the folder's files. */
  gf_status (*measure)(const gf__data_source *source, gf__data_shape *out);
  /* Reads and checks every record, and stores those of the split. */
  gf_status (*read)(const gf__data_source *source, gf__data_sink *sink);
};

extern const char *const gf__data_set_names[]; /* of the rows in their order; NULL-terminated */
extern const gf__data_set gf__data_sets[];
extern const size_t gf__data_set_count;

struct gf_dataset {
  gf_dataset_info info;
  gf__data_settings settings; /* resolved; owns its path */
  uint8_t *images;            /* (count, height, width, channels), or NULL */
  struct gf__cube *cube;      /* that images are patches of, or NULL */
  int *labels;                /* (count) */
  gf__text names;             /* that class_names points into */
  const char **class_names;   /* (classes), or NULL when the row's are used */
  gf_config *verify;          /* what settings.verify points into, or NULL */
};

/* Appends the lines below "data:" with every default resolved, indented; they
 * read back to the same split. dataset is the training split. */
void gf__data_write(gf__text *out, int indent, const gf_dataset *dataset);

/* shape.c: gf_dataset_shape without a look at any file: where only the folders tell the classes,
 * they are 0. */
gf_status gf__data_expect(gf_dataset_info *out, const gf_config *config) GF_MUST_USE;

/* cifar.c: binary CIFAR files. */
gf_status gf__cifar_measure(const gf__data_source *source, gf__data_shape *out) GF_MUST_USE;
gf_status gf__cifar_read(const gf__data_source *source, gf__data_sink *sink) GF_MUST_USE;
/* idx.c: IDX files, an images file and then a labels file, compressed (".gz") or not. */
gf_status gf__idx_measure(const gf__data_source *source, gf__data_shape *out) GF_MUST_USE;
gf_status gf__idx_read(const gf__data_source *source, gf__data_sink *sink) GF_MUST_USE;
/* svhn.c: MATLAB files of level 5. */
gf_status gf__svhn_measure(const gf__data_source *source, gf__data_shape *out) GF_MUST_USE;
gf_status gf__svhn_read(const gf__data_source *source, gf__data_sink *sink) GF_MUST_USE;
/* image_folder.c: a folder of images a class. */
gf_status gf__image_folder_names(const gf__data_source *source, gf__text *out) GF_MUST_USE;
gf_status gf__image_folder_measure(const gf__data_source *source, gf__data_shape *out) GF_MUST_USE;
gf_status gf__image_folder_read(const gf__data_source *source, gf__data_sink *sink) GF_MUST_USE;

/* cube.c: hyperspectral cubes. */
typedef struct gf__cube gf__cube;
gf_status gf__cube_check(const gf__data_settings *settings, const gf__value *section) GF_MUST_USE;
gf_status gf__cube_describe(const gf__data_source *source, gf_dataset_info *out) GF_MUST_USE;
gf_status gf__cube_load(const gf__data_source *source, gf_split split,
                        gf_dataset *dataset) GF_MUST_USE;
/* Sample index of the split: (patch, patch, bands) standardised floats. */
void gf__cube_patch(const gf__cube *cube, uint32_t index, float *out);
void gf__cube_free(gf__cube **cube);

/* verify.c: that settings->verify maps files of the set to digests; null or absent becomes NULL. */
gf_status gf__data_check_verify(const gf__data_set *set, gf__data_settings *settings) GF_MUST_USE;
/* Compares the SHA-256 of a file below the folder with that of data.verify, if there is one. Where
 * the row names all files, one without a digest is an error. */
gf_status gf__data_verify(const gf__data_source *source, const char *path) GF_MUST_USE;

/* For the formats: a file's size in bytes, of a file that exists. */
gf_status gf__data_file_size(const char *path, int64_t *out) GF_MUST_USE;
/* GF_ERROR_FILE for a file that is not in the folder, with what to do. */
gf_status gf__data_missing(const gf__data_source *source, const char *file);
/* GF_ERROR_MEMORY for images that would take more than most of the host's memory (bytes; 0 if
 * unknown), with a limit that fits. */
gf_status gf__data_check_memory(const gf_dataset *dataset, gf_split split,
                                uint64_t memory) GF_MUST_USE;
/* GF_ERROR_DATA if label is no class; record counts from 0. */
gf_status gf__data_check_label(const gf__data_set *set, const char *path, int record,
                               int label) GF_MUST_USE;
/* Stores record's pixels (file.height, file.width, channels) in the middle of its image. */
void gf__data_store(const gf__data_sink *sink, int record, const uint8_t *pixels);

/* augment.c: how bytes become floats. */
typedef struct gf__transform {
  int height, width, channels;
  float table[3][256]; /* of channel and pixel: (pixel / 255 - mean) / std */
  float unit[3][256];  /* pixel / 255 */
  float mean[3], std[3];
} gf__transform;

/* What is done to an image, in this order; all 0: nothing. */
typedef struct gf__augmentation {
  /* The part that is taken: output (y, x) is input (y + dy, x + dx), pixels;
   * those outside the image are black. Then the mirror image of it or not. */
  int dy, dx;
  bool flip;
  /* Factors of brightness, contrast (about the image's mean grey) and
   * saturation (about each pixel's grey), clamped to [0, 1] after each. */
  bool jitters;
  float brightness, contrast, saturation;
  /* A square of zeros after normalisation (DeVries and Taylor, 2017): its side,
   * 0 for none, and its first row and column, which may lie outside. */
  int cut_side, cut_y, cut_x;
} gf__augmentation;

void gf__transform_init(gf__transform *out, const gf_dataset *dataset);
/* The augmentation of an image of an epoch; index counts in the split. */
gf__augmentation gf__augmentation_draw(const gf_dataset *dataset, uint64_t seed, int epoch,
                                       int index);
/* One image (height, width, channels), bytes in, floats out. */
void gf__transform_apply(const gf__transform *transform, const gf__augmentation *augmentation,
                         const uint8_t *image, float *out);

/* loader.c: the image of count where the part of them begins that begins at a share of all. */
int gf__part_begin(double at, int count);

/* mixup.c: Zhang et al., 2018. The first images' share of a batch of an epoch, in [0, 1]. */
float gf__mixup_share(double alpha, uint64_t seed, int epoch, int batch);

#endif
