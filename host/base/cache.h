/* Files of this user's cache folder. Who can write there decides what this program runs, so a
 * folder or a file that others can write is as none. */
#ifndef GF_BASE_CACHE_H
#define GF_BASE_CACHE_H

#include <stddef.h>

#include "base/text.h"

/* SHA-256 of the key as 64 hexadecimal digits, by which a file of the folder is named. Frees the
 * key's text. */
enum { GF__CACHE_DIGEST_SIZE = 65 };
gf_status gf__cache_digest(gf__text *key, char out[GF__CACHE_DIGEST_SIZE]) GF_MUST_USE;
/* The path of name in the folder, which is created; without symbolic links on the way.
 * GF_ERROR_FILE, with the reason, where there is no folder that can be trusted. */
gf_status gf__cache_path(char *out, size_t size, const char *name) GF_MUST_USE;
/* A file of at most largest bytes; the caller frees *out, with a NUL after its size bytes.
 * GF_ERROR_FILE also for one that others can write, GF_ERROR_DATA for one that is larger. */
gf_status gf__cache_read(const char *path, size_t largest, char **out, size_t *size) GF_MUST_USE;
/* Writes a file that others can neither read nor write. */
gf_status gf__cache_write(const char *path, const void *bytes, size_t size) GF_MUST_USE;

#endif
