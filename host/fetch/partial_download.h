/* A file that is being downloaded: X.part, and beside it X.part.tag, by which the server says
 * whether it still has the same file. */
#ifndef GF_FETCH_PARTIAL_DOWNLOAD_H
#define GF_FETCH_PARTIAL_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/os.h"

enum { GF__LONGEST_TAG = 256 };

typedef struct gf__partial_download {
  char path[GF__PATH_SIZE], tag_path[GF__PATH_SIZE];
  gf__file_lock *lock;       /* held while it is open: two processes do not write one file */
  FILE *file;                /* between restart or resume and close_file */
  int64_t size;              /* bytes that are there */
  char tag[GF__LONGEST_TAG]; /* the server's ETag or, without, Last-Modified; "": neither */
  bool unwanted;             /* gf__partial_close removes it */
} gf__partial_download;

/* path is that of the whole file, and its folder is there. Finds what an earlier call left. The
 * caller closes the partial, after a failure as well. */
gf_status gf__partial_open(gf__partial_download *partial, const char *path) GF_MUST_USE;
/* Empties the file, for one with this tag. */
gf_status gf__partial_restart(gf__partial_download *partial, const char *tag) GF_MUST_USE;
/* Opens the file to append to what is there. */
gf_status gf__partial_resume(gf__partial_download *partial) GF_MUST_USE;
/* Appends size bytes; after a failure the download is unwanted. */
gf_status gf__partial_write(gf__partial_download *partial, const void *bytes,
                            size_t size) GF_MUST_USE;
/* Writes what is still in memory to the disk; without an open file it does nothing. */
gf_status gf__partial_close_file(gf__partial_download *partial) GF_MUST_USE;
/* Moves the file, which is whole, to path, and releases its lock if that works. */
gf_status gf__partial_finish(gf__partial_download *partial, const char *path) GF_MUST_USE;
/* Removes both files unless a later call can go on from them. */
void gf__partial_close(gf__partial_download *partial);

#endif
