/* Whole files in and out. Writes go to a temporary file beside the target, are
 * synced and renamed, so that a reader sees the old file or the new one. */
#ifndef GF_BASE_FILE_H
#define GF_BASE_FILE_H

#include <stddef.h>

#include "base/error.h"

/* Bytes of any path that the library makes, with its NUL. */
enum { GF__PATH_SIZE = 4096 };

/* The caller frees *out, with a NUL after its size bytes. */
gf_status gf__file_read(const char *path, char **out, size_t *size) GF_MUST_USE;
/* The same; a file of more than largest bytes is GF_ERROR_DATA, and is not read. */
gf_status gf__file_read_within(const char *path, size_t largest, char **out,
                               size_t *size) GF_MUST_USE;
gf_status gf__file_write(const char *path, const void *bytes, size_t size) GF_MUST_USE;
/* Like gf__file_write, for this user alone to read and write. */
gf_status gf__file_write_private(const char *path, const void *bytes, size_t size) GF_MUST_USE;
/* Where the bytes of gf__file_stream go. */
typedef struct gf__file_sink gf__file_sink;
gf_status gf__file_put(gf__file_sink *sink, const void *bytes, size_t size) GF_MUST_USE;
/* Like gf__file_write, of bytes that are never in memory all at once: fill puts them into the sink,
 * one piece after the other. Where it fails, the file at path stays as it was. */
gf_status gf__file_stream(const char *path, gf_status (*fill)(gf__file_sink *sink, void *user),
                          void *user) GF_MUST_USE;
/* Appends to what the file holds, and syncs; what was there is not touched. */
gf_status gf__file_append(const char *path, const void *bytes, size_t size) GF_MUST_USE;

/* For tests: called before each step of a write ("create", "write", "sync", "rename", "append"),
 * which fails where it does. NULL otherwise. */
extern gf_status (*gf__file_fault)(const char *step, const char *path);

/* Of the name of a temporary file, or of one that a killed process has left, the length of the name
 * that it was to get; 0 of other names. */
size_t gf__temporary_stem(const char *name);
/* Removes those of the folder that nobody has written to for an hour: a process that was killed has
 * left them. stem: of files of that name alone; NULL: of all. */
void gf__remove_abandoned(const char *folder, const char *stem);

/* "folder/name" in out; GF_ERROR_ARGUMENT if it is too long. */
gf_status gf__path_join(char *out, size_t size, const char *folder, const char *name) GF_MUST_USE;
/* The last component of path: what follows its last slash. */
const char *gf__path_base(const char *path);

#endif
