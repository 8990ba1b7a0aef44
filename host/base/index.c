#include "base/index.h"

#include <stdlib.h>
#include <string.h>

struct gf__index_entry {
  const void *key; /* NULL: none */
  size_t size, number;
};

uint64_t gf__hash(const void *key, size_t size) {
  const unsigned char *bytes = key;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

/* The key's entry, or the empty one where it would be. */
static struct gf__index_entry *place_of(const gf__index *index, const void *key, size_t size) {
  uint64_t hash = gf__hash(key, size);
  size_t at = (size_t)(hash ^ hash >> 32) & (index->capacity - 1); /* high bits are mixed in */
  for (;; at = (at + 1) & (index->capacity - 1)) {
    struct gf__index_entry *e = &index->entries[at];
    if (!e->key || (e->size == size && memcmp(e->key, key, size) == 0)) return e;
  }
}

/* A quarter of the entries stays empty, so that searches are short. */
static gf_status make_room(gf__index *index) {
  enum { LEAST = 16 };
  if (index->count + 1 <= index->capacity / 4 * 3) return GF_OK;
  gf__index wider = {.capacity = index->capacity ? 2 * index->capacity : LEAST};
  wider.entries = calloc(wider.capacity, sizeof *wider.entries);
  if (!wider.entries) return gf__fail_host_memory(wider.capacity * sizeof *wider.entries);
  for (size_t i = 0; i < index->capacity; i++) {
    const struct gf__index_entry *e = &index->entries[i];
    if (e->key) *place_of(&wider, e->key, e->size) = *e;
  }
  wider.count = index->count;
  free(index->entries);
  *index = wider;
  return GF_OK;
}

gf_status gf__index_set(gf__index *index, const void *key, size_t size, size_t number) {
  GF_TRY(make_room(index));
  struct gf__index_entry *e = place_of(index, key, size);
  index->count += !e->key;
  *e = (struct gf__index_entry){key, size, number};
  return GF_OK;
}

bool gf__index_find(const gf__index *index, const void *key, size_t size, size_t *number) {
  if (index->count == 0) return false;
  const struct gf__index_entry *e = place_of(index, key, size);
  if (e->key) *number = e->number;
  return e->key;
}

void gf__index_free(gf__index *index) {
  free(index->entries);
  *index = (gf__index){0};
}
