/* Which records of the files a split has. */
#ifndef GF_DATA_SPLIT_H
#define GF_DATA_SPLIT_H

#include "data/byte_images.h"

/* Sets dataset->info.count, the number of records in the split, and for each record of the files
 * its index in the split, or -1. Resolves data.validation. The caller frees *index_of. */
gf_status gf__split_choose(gf_dataset *dataset, const gf__data_source *source, gf_split split,
                           const gf__byte_file *file, int32_t **index_of) GF_MUST_USE;

/* Chooses limit of count records with as many of each class as there are, at random by seed:
 * chosen[i] is whether record i is. Classes with too few records leave theirs to the others. */
gf_status gf__split_balance(const int *labels, int count, int classes, int limit, uint64_t seed,
                            bool *chosen) GF_MUST_USE;

#endif
