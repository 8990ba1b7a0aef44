/* Keys to numbers, in constant time for each: a table of open addresses. */
#ifndef GF_BASE_INDEX_H
#define GF_BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct gf__index {
  struct gf__index_entry *entries; /* (capacity), which is 0 or a power of two */
  size_t count, capacity;
} gf__index;

/* FNV-1a of 64 bits. */
uint64_t gf__hash(const void *key, size_t size);

/* Lets key, size bytes that outlive the index, stand for number; a later one replaces an earlier
 * one. An empty index is all zeros. */
gf_status gf__index_set(gf__index *index, const void *key, size_t size, size_t number) GF_MUST_USE;
/* Whether there is such a key; *number is what it stands for. */
bool gf__index_find(const gf__index *index, const void *key, size_t size, size_t *number);
void gf__index_free(gf__index *index); /* clears */

#endif
