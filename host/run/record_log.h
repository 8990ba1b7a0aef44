/* A file of a run that grows by whole records, such as a CSV by its rows, and can be cut back to
 * where a checkpoint was. */
#ifndef GF_RUN_RECORD_LOG_H
#define GF_RUN_RECORD_LOG_H

#include <sha256.h>

#include "base/file.h"
#include "base/text.h"

typedef struct gf__record_log {
  char path[GF__PATH_SIZE];
  gf__text pending; /* records that are not in the file yet */
  size_t size;      /* bytes in the file */
  SHA2_CTX hash;    /* of them */
  /* Cells of a row that the file takes: a CSV that an earlier version began lacks the last columns
   * of today, and its rows stay as long as its header. 0: all that are given. */
  int columns;
} gf__record_log;

/* Where a log was: what stands before it must not change. */
typedef struct gf__record_mark {
  size_t size;
  char sha256[SHA256_DIGEST_STRING_LENGTH];
} gf__record_mark;

/* Begins the file folder/name with its header. Without this or a resumption a log has no file, and
 * its mark is of size 0. */
gf_status gf__record_log_begin(gf__record_log *log, const char *folder, const char *name,
                               const char *header) GF_MUST_USE;
/* GF_ERROR_DATA where what stood before the mark does not, or not as it did. */
gf_status gf__record_log_check(const char *folder, const char *name,
                               const gf__record_mark *mark) GF_MUST_USE;
/* Cuts the file back to the mark. GF_ERROR_DATA where what stands before it is not what stood. */
gf_status gf__record_log_resume(gf__record_log *log, const char *folder, const char *name,
                                const gf__record_mark *mark) GF_MUST_USE;
/* Writes the pending records. */
gf_status gf__record_log_flush(gf__record_log *log) GF_MUST_USE;
gf__record_mark gf__record_log_mark(const gf__record_log *log); /* after a flush */
void gf__record_log_free(gf__record_log *log);

#endif
