/* Equal images. */
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/inspect.h"

gf_status gf__digests_add(gf__sample_digest **digests, size_t *count, const gf_dataset *dataset,
                          gf_split split) {
  const gf_dataset_info *info = &dataset->info;
  const uint8_t *pixels = gf__byte_images_of(dataset)->pixels;
  size_t bytes = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
  size_t all = *count + (size_t)info->count;
  gf__sample_digest *grown = realloc(*digests, (all + 1) * sizeof *grown);
  if (!grown) return gf__fail_host_memory((all + 1) * sizeof *grown);
  *digests = grown;
  for (int i = 0; i < info->count; i++) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA2_CTX context;
    gf__sample_digest *d = &grown[(*count)++];
    SHA256Init(&context);
    SHA256Update(&context, pixels + (size_t)i * bytes, bytes);
    SHA256Final(digest, &context);
    memcpy(d->digest, digest, sizeof d->digest);
    d->split = (int)split;
    d->label = dataset->labels[i];
    d->index = i;
  }
  return GF_OK;
}

/* By digest, then by split and index. */
static int compare_digests(const void *a, const void *b) {
  const gf__sample_digest *x = a, *y = b;
  for (int i = 0; i < 2; i++)
    if (x->digest[i] != y->digest[i]) return x->digest[i] < y->digest[i] ? -1 : 1;
  return x->split != y->split ? x->split - y->split : x->index - y->index;
}

static bool is_same_image(const gf__sample_digest *a, const gf__sample_digest *b) {
  return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static void count_duplicate(gf_duplicates *d, const gf__sample_digest *image,
                            const gf__sample_digest *first) {
  d->images++;
  d->other_label += image->label != first->label;
}

/* Images from first to end are equal, those of a split one after the other. */
static void count_group(const gf__sample_digest *first, const gf__sample_digest *end,
                        gf_duplicates out[GF_SPLITS][GF_SPLITS]) {
  const gf__sample_digest *of_split[GF_SPLITS] = {NULL}; /* the first image */
  for (const gf__sample_digest *d = first; d < end; d++) {
    for (int before = 0; before < d->split; before++)
      if (of_split[before]) count_duplicate(&out[d->split][before], d, of_split[before]);
    if (of_split[d->split])
      count_duplicate(&out[d->split][d->split], d, of_split[d->split]);
    else
      of_split[d->split] = d;
  }
}

void gf__digests_compare(gf__sample_digest *digests, size_t count,
                         gf_duplicates out[GF_SPLITS][GF_SPLITS]) {
  if (count == 0) return;
  qsort(digests, count, sizeof *digests, compare_digests);
  for (size_t first = 0, end; first < count; first = end) {
    for (end = first + 1; end < count && is_same_image(&digests[first], &digests[end]);) end++;
    count_group(digests + first, digests + end, out);
  }
}
