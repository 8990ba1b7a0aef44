/* The steps of gf_inspect_data. */
#ifndef GF_INSPECT_INSPECT_H
#define GF_INSPECT_INSPECT_H

#include <gradflow/inspect.h>

#include "data/byte_images.h"

/* The samples' bytes of one split, by a digest, with their labels. */
typedef struct gf__sample_digest {
  uint64_t digest[2];
  int split, label, index;
} gf__sample_digest;

/* duplicates.c: appends the samples of a data set of byte images to digests (*count). */
gf_status gf__digests_add(gf__sample_digest **digests, size_t *count, const gf_dataset *dataset,
                          gf_split split) GF_MUST_USE;
/* Sorts the digests, and counts those that are equal. */
void gf__digests_compare(gf__sample_digest *digests, size_t count,
                         gf_duplicates out[GF_SPLITS][GF_SPLITS]);

/* measures.c: mean and deviation of each channel. */
void gf__inspect_pixels(gf_data_report *report, const gf_dataset *train);
/* The sizes of the training files, where the format has any. */
gf_status gf__inspect_sizes(gf_inspected_sizes *out, const gf_dataset *train) GF_MUST_USE;

/* warnings.c: fills the report's warnings. */
gf_status gf__inspect_warn(gf_data_report *report) GF_MUST_USE;

/* batch_sheet.c: draws the first batch of the first epoch to path. */
gf_status gf__inspect_draw_batch(const gf_dataset *train, const gf_config *config,
                                 const char *title, const char *path) GF_MUST_USE;

#endif
