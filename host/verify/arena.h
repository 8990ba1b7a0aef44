/* Host memory of one case: arrays that are all freed at once. */
#ifndef GF_VERIFY_ARENA_H
#define GF_VERIFY_ARENA_H

#include <stdint.h>

#include "base/error.h"

/* One block, so that what computes with arrays need not ask each time whether it got one. An array
 * for which there is no room lies where the first one does, and what comes of it is worthless:
 * gf__arena_status says so. No array of the case lists is as large as the block. */
typedef struct gf__arena {
  unsigned char *block;
  size_t used, most;
  size_t missing; /* bytes of the first array that had no room */
} gf__arena;

gf_status gf__arena_open(gf__arena *arena) GF_MUST_USE;
void gf__arena_close(gf__arena *arena); /* of a zeroed one: nothing */
void gf__arena_reset(gf__arena *arena); /* ends the life of all arrays */
gf_status gf__arena_status(const gf__arena *arena) GF_MUST_USE;

/* Zeros. */
void *gf__new_array(gf__arena *arena, size_t bytes);
float *gf__new_floats(gf__arena *arena, size_t count);
double *gf__new_doubles(gf__arena *arena, size_t count);
double *gf__widen(gf__arena *arena, const float *values, size_t count);
float *gf__narrow(gf__arena *arena, const double *values, size_t count);
double *gf__absolute(gf__arena *arena, const double *values, size_t count);

/* The same numbers for the same stream. Uniform in [low, high), or whole numbers from -most to
 * most, whose sums of products are exact in floats. */
void gf__fill_uniform(float *out, size_t count, uint32_t stream, double low, double high);
void gf__fill_integers(float *out, size_t count, uint32_t stream, int most);
/* An array of uniform ones. */
float *gf__uniform(gf__arena *arena, size_t count, uint32_t stream, double low, double high);

#endif
