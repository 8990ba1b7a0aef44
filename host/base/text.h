/* A text that grows. Zero-initialise it, append, and free it; a failed
 * allocation is remembered and reported once by gf__text_status. */
#ifndef GF_BASE_TEXT_H
#define GF_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct gf__text {
  char *data; /* NUL-terminated, or NULL while empty */
  size_t size, capacity;
  bool failed;
} gf__text;

void gf__text_add(gf__text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gf__text_add_bytes(gf__text *text, const void *bytes, size_t size);
gf_status gf__text_status(const gf__text *text) GF_MUST_USE;
void gf__text_free(gf__text *text);

/* A copy of text, or of its first length bytes with a NUL after them, which the caller frees; NULL
 * where memory is out. */
char *gf__text_copy(const char *text) GF_MUST_USE;
char *gf__text_copy_bytes(const char *text, size_t length) GF_MUST_USE;

/* "512 KiB", "7.5 GiB". */
typedef struct gf__short_text {
  char text[32];
} gf__short_text;
gf__short_text gf__bytes_text(unsigned long long bytes);

/* The candidate that word is a synonym of ("lr" of "learning_rate"), else the closest one by edit
 * distance when it is close enough to be a misspelling, else NULL. The stride lets it walk an
 * array of structs whose first member is the name. */
const char *gf__did_you_mean(const char *word, const void *candidates, size_t count, size_t stride);
/* The candidate that word is a synonym of, or NULL; synonyms.c. */
const char *gf__synonym(const char *word, const void *candidates, size_t count, size_t stride);

#endif
