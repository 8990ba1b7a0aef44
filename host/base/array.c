#include "base/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

gf_status gf__grow(void *array, size_t count, size_t item_size) {
  if ((count & (count - 1)) != 0) return GF_OK; /* full at 0 and at every power of two */
  size_t capacity = count ? 2 * count : 1;
  if (capacity > SIZE_MAX / 2 / item_size) return gf__fail_host_memory(SIZE_MAX);
  void *items;
  memcpy(&items, array, sizeof items); /* the pointer's type is the caller's */
  items = realloc(items, capacity * item_size);
  if (!items) return gf__fail_host_memory(capacity * item_size);
  memcpy(array, &items, sizeof items);
  return GF_OK;
}
