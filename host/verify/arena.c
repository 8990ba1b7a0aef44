#include "verify/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* Five times what the largest case needs. Memory that is not touched costs nothing. */
enum { BLOCK = 256 << 20, ALIGNMENT = 16 };

gf_status gf__arena_open(gf__arena *arena) {
  *arena = (gf__arena){.block = calloc(1, BLOCK)};
  return arena->block ? GF_OK : gf__fail_host_memory(BLOCK);
}

void gf__arena_close(gf__arena *arena) {
  free(arena->block);
  *arena = (gf__arena){0};
}

void gf__arena_reset(gf__arena *arena) {
  memset(arena->block, 0, arena->most);
  arena->used = arena->most = arena->missing = 0;
}

gf_status gf__arena_status(const gf__arena *arena) {
  if (arena->missing == 0) return GF_OK;
  return gf__fail(GF_ERROR_MEMORY, "a case needs %zu bytes more than the %d MiB that there are",
                  arena->missing, BLOCK >> 20);
}

void *gf__new_array(gf__arena *arena, size_t bytes) {
  size_t whole = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  if (whole > BLOCK - arena->used) {
    if (arena->missing == 0) arena->missing = whole;
    arena->used = 0;
  }
  void *array = arena->block + arena->used;
  arena->used += whole;
  if (arena->used > arena->most) arena->most = arena->used;
  return array;
}

float *gf__new_floats(gf__arena *arena, size_t count) {
  return gf__new_array(arena, count * sizeof(float));
}

double *gf__new_doubles(gf__arena *arena, size_t count) {
  return gf__new_array(arena, count * sizeof(double));
}

double *gf__widen(gf__arena *arena, const float *values, size_t count) {
  double *out = gf__new_doubles(arena, count);
  for (size_t i = 0; i < count; i++) out[i] = (double)values[i];
  return out;
}

float *gf__narrow(gf__arena *arena, const double *values, size_t count) {
  float *out = gf__new_floats(arena, count);
  for (size_t i = 0; i < count; i++) out[i] = (float)values[i];
  return out;
}

double *gf__absolute(gf__arena *arena, const double *values, size_t count) {
  double *out = gf__new_doubles(arena, count);
  for (size_t i = 0; i < count; i++) out[i] = fabs(values[i]);
  return out;
}

static uint32_t bits_of(uint32_t stream, size_t i) {
  return gf__random(1, GF__STREAM_TEST, stream, (uint32_t)(i / 4), 0).v[i % 4];
}

void gf__fill_uniform(float *out, size_t count, uint32_t stream, double low, double high) {
  for (size_t i = 0; i < count; i++)
    out[i] = (float)(low + (high - low) * (double)gf__random_float(bits_of(stream, i)));
}

void gf__fill_integers(float *out, size_t count, uint32_t stream, int most) {
  for (size_t i = 0; i < count; i++)
    out[i] = (float)((int)gf__random_below(bits_of(stream, i), 2 * (uint32_t)most + 1) - most);
}

float *gf__uniform(gf__arena *arena, size_t count, uint32_t stream, double low, double high) {
  float *out = gf__new_floats(arena, count);
  gf__fill_uniform(out, count, stream, low, high);
  return out;
}
