/* Data sets behind gradflow/data.h: the table of formats, the "data" section of
 * a config, and how one image becomes floats. */
#ifndef GF_DATA_DATASET_H
#define GF_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gradflow/data.h>

#include "base/config.h"
#include "base/error.h"
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
  gf__floats mean, std;        /* a channel each, of pixels in [0, 1] */
} gf__data_settings;

extern const gf__key gf__data_keys[];
extern const size_t gf__data_key_count;

/* What a data set's file holds. */
typedef struct gf__data_shape {
  int count, height, width; /* channels are the row's */
} gf__data_shape;

/* Where the records of a file go: those of one split into memory, the others nowhere. */
typedef struct gf__data_sink {
  gf__data_shape file;
  int channels;
  const int32_t *place; /* (file.count): index in the split, or -1 */
  int height, width;    /* of the images in memory, at least those of the file */
  uint8_t *images;      /* (split, height, width, channels), zero before */
  int *labels;          /* (split) */
} gf__data_sink;

typedef struct gf__data_set gf__data_set;
struct gf__data_set {
  const char *name;
  const char *help;
  const char *files;  /* the files looked for, for messages */
  const char *source; /* what to fetch, and where */
  const char *folder; /* data.path when the config has none, or NULL */
  int channels, classes;
  int label_bytes;                /* of a record; at most 2, the last one is the class */
  const char *names_file;         /* a class name a line, or NULL */
  const char *const *class_names; /* when there is no such file, or NULL */
  int validation, full_count; /* default data.validation, when the file has full_count records */
  int crop_padding;
  bool flip;
  double mean[3], std[3];
  const char *const *train; /* NULL-terminated names of files */
  const char *const *test;
  /* Looks at sizes and headers of the folder's files. */
  gf_status (*measure)(const gf__data_set *set, const char *folder, const char *const *files,
                       gf__data_shape *out);
  /* Reads and checks every record, and stores those of the split. */
  gf_status (*read)(const gf__data_set *set, const char *folder, const char *const *files,
                    gf__data_sink *sink);
};

extern const gf__data_set gf__data_sets[];
extern const size_t gf__data_set_count;

struct gf_dataset {
  gf_dataset_info info;
  gf__data_settings settings; /* resolved; owns its path */
  uint8_t *images;            /* (count, height, width, channels) */
  int *labels;                /* (count) */
  char *names;                /* text that class_names points into, or NULL */
  const char **class_names;   /* (classes), or NULL when the row's are used */
};

/* Appends the lines below "data:" with every default resolved, indented; they
 * read back to the same split. dataset is the training split. */
void gf__data_write(gf__text *out, int indent, const gf_dataset *dataset);

/* cifar.c: binary CIFAR files. */
gf_status gf__cifar_measure(const gf__data_set *set, const char *folder, const char *const *files,
                            gf__data_shape *out) GF_MUST_USE;
gf_status gf__cifar_read(const gf__data_set *set, const char *folder, const char *const *files,
                         gf__data_sink *sink) GF_MUST_USE;
/* idx.c: IDX files, an images file and then a labels file, compressed (".gz") or not. */
gf_status gf__idx_measure(const gf__data_set *set, const char *folder, const char *const *files,
                          gf__data_shape *out) GF_MUST_USE;
gf_status gf__idx_read(const gf__data_set *set, const char *folder, const char *const *files,
                       gf__data_sink *sink) GF_MUST_USE;

/* For the formats: a file's size in bytes, of a file that exists. */
gf_status gf__data_file_size(const char *path, int64_t *out) GF_MUST_USE;
/* GF_ERROR_FILE for a file that is not in the folder, with what to do. */
gf_status gf__data_missing(const gf__data_set *set, const char *folder, const char *file);
/* GF_ERROR_DATA if label is no class; record counts from 0. */
gf_status gf__data_check_label(const gf__data_set *set, const char *path, int record,
                               int label) GF_MUST_USE;
/* Stores record's pixels (file.height, file.width, channels) in the middle of its image. */
void gf__data_store(const gf__data_sink *sink, int record, const uint8_t *pixels);

/* augment.c: how bytes become floats. */
typedef struct gf__transform {
  int height, width, channels;
  float table[3][256]; /* of channel and pixel: (pixel / 255 - mean) / std */
} gf__transform;

/* Which part of an image is taken: the window's offset (within the padding,
 * pixels outside the image are black), then the mirror image of it or not. */
typedef struct gf__crop {
  int dy, dx; /* pixels; output (y, x) is input (y + dy, x + dx) */
  bool flip;
} gf__crop;

void gf__transform_init(gf__transform *out, const gf_dataset *dataset);
/* The crop of an image of an epoch; index counts in the split. */
gf__crop gf__crop_draw(const gf__data_settings *settings, uint64_t seed, int epoch, int index);
/* One image (height, width, channels), bytes in, floats out. */
void gf__transform_apply(const gf__transform *transform, gf__crop crop, const uint8_t *image,
                         float *out);

#endif
