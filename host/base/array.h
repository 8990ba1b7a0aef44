/* Arrays that grow by one item at a time. */
#ifndef GF_BASE_ARRAY_H
#define GF_BASE_ARRAY_H

#include <stddef.h>

#include "base/error.h"

/* Makes room for one item more in a malloc'ed array of count items: array is the address of the
 * pointer to it (NULL while count is 0). The memory doubles at each power of two, so only an array
 * that has grown by this function alone may be passed. After a failure it is as before. */
gf_status gf__grow(void *array, size_t count, size_t item_size) GF_MUST_USE;

#endif
