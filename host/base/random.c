#include "base/random.h"

#include <Random123/philox.h>

void gf__random_key(uint64_t seed, gf__stream stream, uint32_t key[2]) {
  /* The seed alone fills the key's 64 bits; the stream moves it by an odd constant. */
  uint64_t mixed = seed + (uint64_t)stream * 0x9E3779B97F4A7C15u;
  key[0] = (uint32_t)mixed;
  key[1] = (uint32_t)(mixed >> 32);
}

gf__random4 gf__random(uint64_t seed, gf__stream stream, uint32_t a, uint32_t b, uint32_t c) {
  philox4x32_key_t key;
  gf__random_key(seed, stream, key.v);
  philox4x32_ctr_t counter = {{a, b, c, 0}};
  philox4x32_ctr_t bits = philox4x32(counter, key);
  return (gf__random4){{bits.v[0], bits.v[1], bits.v[2], bits.v[3]}};
}

float gf__random_float(uint32_t bits) { return (float)(bits >> 8) * 0x1p-24f; }

uint32_t gf__random_below(uint32_t bits, uint32_t n) {
  return (uint32_t)(((uint64_t)bits * n) >> 32);
}

void gf__random_permutation(uint64_t seed, gf__stream stream, uint32_t epoch, uint32_t *out,
                            uint32_t count) {
  for (uint32_t i = 0; i < count; i++) out[i] = i;
  for (uint32_t i = count; i > 1; i--) {
    uint32_t j = gf__random_below(gf__random(seed, stream, epoch, i, 0).v[0], i);
    uint32_t t = out[i - 1];
    out[i - 1] = out[j];
    out[j] = t;
  }
}
