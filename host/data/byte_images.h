/* Formats whose samples are images of bytes: how their records get into memory, and from there to
 * a network. */
#ifndef GF_DATA_BYTE_IMAGES_H
#define GF_DATA_BYTE_IMAGES_H

#include "data/dataset.h"

/* What the files of a split hold. */
typedef struct gf__byte_file {
  int count, height, width; /* channels are the row's */
  int classes;              /* the row's, where it has any */
} gf__byte_file;

/* Where the records of a file go: those of one split into memory, the others nowhere. */
typedef struct gf__byte_sink {
  gf__byte_file file;
  int channels;
  const int32_t *index_of; /* (file.count): each record's index in the split, or -1 */
  int height, width;       /* of the images in memory, at least those of the file */
  uint8_t *images;         /* (split, height, width, channels), zero before */
  int *labels;             /* (split); -1 of an image that is left out */
} gf__byte_sink;

/* What each of these formats does by itself. */
typedef struct gf__byte_reader {
  /* Inspects sizes and headers of the files. */
  gf_status (*measure)(const gf__data_source *source, gf__byte_file *out);
  /* Reads the label of every record, (file->count); called only where a choice depends on it. */
  gf_status (*read_labels)(const gf__data_source *source, const gf__byte_file *file, int *labels);
  /* Reads and checks every record, and stores those of the split. */
  gf_status (*read)(const gf__data_source *source, gf__byte_sink *sink);
} gf__byte_reader;

/* The samples of a data set. */
typedef struct gf__byte_images {
  uint8_t *pixels; /* (count, height, width, channels); NULL without images */
  gf__transform transform;
} gf__byte_images;

const gf__byte_images *gf__byte_images_of(const gf_dataset *dataset);

/* For readers: stores record's pixels (file.height, file.width, channels) in the middle of its
 * image. */
void gf__byte_images_store(const gf__byte_sink *sink, int record, const uint8_t *pixels);
/* GF_ERROR_DATA if label is no class; record counts from 0. */
gf_status gf__byte_images_check_label(const gf__data_format *format, const char *path, int record,
                                      int label) GF_MUST_USE;
/* GF_ERROR_MEMORY for images that would take more than most of the host's memory (bytes; 0 if
 * unknown), with a limit that fits. */
gf_status gf__byte_images_check_memory(const gf_dataset *dataset, gf_split split,
                                       uint64_t memory) GF_MUST_USE;

/* What rows may have in common. */
gf_status gf__byte_images_check(gf__data_settings *settings, const gf__value *section) GF_MUST_USE;
void gf__byte_images_expect(const gf__data_format *format, const gf__data_settings *settings,
                            gf_dataset_info *out);
/* The shape of images of height x width pixels in files. */
void gf__byte_images_shape(const gf__data_format *format, const gf__data_settings *settings,
                           int height, int width, gf_dataset_info *out);
gf_status gf__byte_images_open(gf_dataset *dataset, const gf__data_source *source,
                               gf_split split) GF_MUST_USE;
/* The same, and what the files hold. */
gf_status gf__byte_images_open_measured(gf_dataset *dataset, const gf__data_source *source,
                                        gf_split split, gf__byte_file *file) GF_MUST_USE;
void gf__byte_images_render(const gf_dataset *dataset, uint32_t index,
                            const gf__augmentation *augmentation, float *out);
void gf__byte_images_close(gf_dataset *dataset);
gf_status gf__byte_images_prepare(gf_dataset *dataset) GF_MUST_USE;
gf__data_input gf__byte_images_input(const gf_dataset *dataset);
/* An input of images that are resized to cover, and cut to crop, before the border is added. */
gf__data_input gf__byte_images_frame(const gf_dataset *dataset, const int cover[2],
                                     const int crop[2]);
gf_status gf__byte_images_read_file(const gf_dataset *dataset, const char *path, uint8_t *pixels,
                                    float *floats) GF_MUST_USE;

/* What all rows have in common. */
#define GF__BYTE_IMAGES                                             \
  .render = gf__byte_images_render, .close = gf__byte_images_close, \
  .read_file = gf__byte_images_read_file

#define GF__GREY_INPUT "grey images, channels first: (pixel / 255 - mean) / std"
#define GF__RGB_INPUT "RGB images, channels first: (pixel / 255 - mean) / std"

#endif
