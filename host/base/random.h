/* Counter-based random numbers: Philox 4x32-10 (Salmon et al., 2011, by
 * Random123). The same key and counter give the same numbers on every host and
 * device (cl/random.clh has the twin). */
#ifndef GF_BASE_RANDOM_H
#define GF_BASE_RANDOM_H

#include <stdint.h>

/* What a stream of numbers is for. The key contains it, so that streams are independent. */
typedef enum gf__stream {
  GF__STREAM_WEIGHTS = 1,
  GF__STREAM_SPLIT,
  GF__STREAM_SHUFFLE,
  GF__STREAM_AUGMENT,
  GF__STREAM_DROPOUT,
  GF__STREAM_TEST,
  GF__STREAM_MIXUP,
  GF__STREAM_MIXUP_PAIRS
} gf__stream;

typedef struct gf__random4 {
  uint32_t v[4];
} gf__random4;

/* Four numbers for the counter (a, b, c) of the stream. */
gf__random4 gf__random(uint64_t seed, gf__stream stream, uint32_t a, uint32_t b, uint32_t c);

/* The key's two words for a seed and a stream, as an argument of a kernel. */
void gf__random_key(uint64_t seed, gf__stream stream, uint32_t key[2]);

/* [0, 1) with 24 bits. */
float gf__random_float(uint32_t bits);

/* [0, n) without a bias that matters (n far below 2^32). */
uint32_t gf__random_below(uint32_t bits, uint32_t n);

/* A permutation of 0..count-1 by Fisher-Yates, the same for the same arguments. */
void gf__random_permutation(uint64_t seed, gf__stream stream, uint32_t epoch, uint32_t *out,
                            uint32_t count);

#endif
