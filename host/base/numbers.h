/* Small arithmetic that C11's library lacks. */
#ifndef GF_BASE_NUMBERS_H
#define GF_BASE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* The smaller and the larger of two numbers of one type. Each argument may be evaluated twice. */
#define GF__MIN(a, b) ((a) < (b) ? (a) : (b))
#define GF__MAX(a, b) ((a) > (b) ? (a) : (b))
/* The number in [low, high] that is nearest to value; a NaN stays one. Each argument may be
 * evaluated twice. */
#define GF__CLAMP(value, low, high) ((value) < (low) ? (low) : (value) > (high) ? (high) : (value))

/* The smallest multiple of alignment that is at least size; size itself where alignment is 0. */
static inline size_t gf__align(size_t size, size_t alignment) {
  return alignment ? (size + alignment - 1) / alignment * alignment : size;
}

/* The unsigned number that four bytes hold, the least significant byte first. */
static inline uint32_t gf__read_le32(const void *bytes) {
  const uint8_t *b = bytes;
  return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

/* The unsigned number that eight bytes hold, the least significant byte first. */
static inline uint64_t gf__read_le64(const void *bytes) {
  const uint8_t *b = bytes;
  return (uint64_t)gf__read_le32(b + 4) << 32 | gf__read_le32(b);
}

#endif
