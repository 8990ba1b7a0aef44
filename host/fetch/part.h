/* A file that is being downloaded: X.part, and beside it X.part.tag with what tells whether the
 * server still has the same file. */
#ifndef GF_FETCH_PART_H
#define GF_FETCH_PART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/os.h"

enum { GF__PART_LONGEST_TAG = 256 };

typedef struct gf__part {
  char path[GF__PATH_SIZE], tag_path[GF__PATH_SIZE];
  gf__file_lock *lock;            /* held while it is open: two processes do not write one file */
  FILE *file;                     /* between restart or resume and close_file */
  int64_t size;                   /* bytes that are there */
  char tag[GF__PART_LONGEST_TAG]; /* the server's ETag or, without, Last-Modified; "": neither */
  bool unwanted;                  /* gf__part_close removes it */
} gf__part;

/* path is that of the whole file, and its folder is there. Finds what an earlier call left. The
 * caller closes the part, after a failure as well. */
gf_status gf__part_open(gf__part *part, const char *path) GF_MUST_USE;
/* Empties the file, for one with this tag. */
gf_status gf__part_restart(gf__part *part, const char *tag) GF_MUST_USE;
/* Opens the file to write behind what is there. */
gf_status gf__part_resume(gf__part *part) GF_MUST_USE;
/* After a failure the part is unwanted. */
gf_status gf__part_write(gf__part *part, const void *bytes, size_t size) GF_MUST_USE;
/* Writes to the disk what is still in memory; without an open file does nothing. */
gf_status gf__part_close_file(gf__part *part) GF_MUST_USE;
/* The file is whole: moves it to path, and closes the part if that works. */
gf_status gf__part_finish(gf__part *part, const char *path) GF_MUST_USE;
/* Removes both files unless a later call can go on from them. */
void gf__part_close(gf__part *part);

#endif
