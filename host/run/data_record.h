/* data.json of a run folder: what the network was trained on. docs/records.md has the format. */
#ifndef GF_RUN_DATA_RECORD_H
#define GF_RUN_DATA_RECORD_H

#include <stdbool.h>

#include "base/error.h"

/* The images of one split, by class. */
typedef struct gf__class_counts {
  long images;
  long *class_images; /* (classes) or NULL where they are not known */
} gf__class_counts;

/* The first batch of the run, as the network sees it. Free the list with the record. */
typedef struct gf__input_statistics {
  int images; /* 0 where nothing is known */
  int channels;
  double *mean, *deviation; /* (channels) over images and pixels */
  /* The energy that is left of the pixels after the mean image is taken away, as a fraction of all;
   * NaN of a single image. */
  double contrast;
} gf__input_statistics;

typedef struct gf__data_record {
  int classes;
  gf__class_counts train, validation;
  gf__input_statistics input;
} gf__data_record;

/* Counts labels (count) from 0 to classes - 1. */
gf_status gf__class_counts_make(gf__class_counts *out, const int *labels, int count,
                                int classes) GF_MUST_USE;
/* Of images (count, pixels, channels). */
gf_status gf__input_statistics_make(gf__input_statistics *out, const float *images, int count,
                                    long pixels, int channels) GF_MUST_USE;

gf_status gf__data_record_write(const char *folder, const gf__data_record *record) GF_MUST_USE;
/* Without data.json, as older programs left a run, the record is empty: 0 classes. GF_ERROR_DATA
 * for a damaged one. Free *out, also after a failure. */
gf_status gf__data_record_read(gf__data_record *out, const char *folder) GF_MUST_USE;
void gf__data_record_free(gf__data_record *record); /* clears; an empty one is fine */

#endif
