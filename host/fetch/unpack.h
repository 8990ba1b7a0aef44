/* Archives from servers that are not trusted. */
#ifndef GF_FETCH_UNPACK_H
#define GF_FETCH_UNPACK_H

#include <stdint.h>

#include <gradflow/fetch.h>

#include "base/error.h"

/* The most that an archive may hold. */
typedef struct gf__unpack_limits {
  int entries;
  int64_t file_bytes, bytes; /* of one file, and of all */
} gf__unpack_limits;

/* Unpacks a tar archive, compressed by gzip or not, into folder, which is created and was not
 * there; after a failure the caller removes it. Only regular files and folders whose names lead
 * nowhere else are unpacked; one other entry, one name twice or anything beyond the limits is
 * GF_ERROR_DATA, as is damage. name is the archive's in messages. */
gf_status gf__unpack(const char *archive, const char *name, const char *folder,
                     const gf__unpack_limits *limits, const gf_fetch_events *events) GF_MUST_USE;

#endif
