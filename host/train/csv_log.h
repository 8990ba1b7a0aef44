/* A CSV of a run that grows by whole rows, and can be cut back to where a checkpoint was. */
#ifndef GF_TRAIN_CSV_LOG_H
#define GF_TRAIN_CSV_LOG_H

#include <sha256.h>

#include "base/text.h"

typedef struct gf__csv_log {
  char path[4096];
  gf__text pending; /* rows that are not in the file yet */
  size_t size;      /* bytes in the file */
  SHA2_CTX hash;    /* of them */
} gf__csv_log;

/* Where a log was: what stands before it must not change. */
typedef struct gf__csv_mark {
  size_t size;
  char sha256[SHA256_DIGEST_STRING_LENGTH];
} gf__csv_mark;

/* Begins the file folder/name with its header. */
gf_status gf__csv_log_begin(gf__csv_log *log, const char *folder, const char *name,
                            const char *header) GF_MUST_USE;
/* Cuts the file back to the mark. GF_ERROR_DATA where what stands before it is not what stood. */
gf_status gf__csv_log_resume(gf__csv_log *log, const char *folder, const char *name,
                             const gf__csv_mark *mark) GF_MUST_USE;
/* Writes the pending rows. */
gf_status gf__csv_log_flush(gf__csv_log *log) GF_MUST_USE;
gf__csv_mark gf__csv_log_mark(const gf__csv_log *log); /* after a flush */
void gf__csv_log_free(gf__csv_log *log);

#endif
