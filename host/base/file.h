/* Whole files in and out. Writes go to a temporary file beside the target, are
 * synced and renamed, so that a reader sees the old file or the new one. */
#ifndef GF_BASE_FILE_H
#define GF_BASE_FILE_H

#include <stddef.h>

#include "base/error.h"

/* The caller frees *out, which has a NUL behind its size bytes. */
gf_status gf__file_read(const char *path, char **out, size_t *size) GF_MUST_USE;
gf_status gf__file_write(const char *path, const void *bytes, size_t size) GF_MUST_USE;

/* "folder/name" in out; GF_ERROR_ARGUMENT if it is too long. */
gf_status gf__path_join(char *out, size_t size, const char *folder, const char *name) GF_MUST_USE;

#endif
