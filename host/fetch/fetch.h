/* Data sets from the network: the table of sources, and how one is fetched. */
#ifndef GF_FETCH_FETCH_H
#define GF_FETCH_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include <gradflow/fetch.h>

#include "base/error.h"
#include "base/file.h"
#include "fetch/unpack.h"

enum { GF__MD5_DIGITS = 32 };

typedef struct gf__fetch_file {
  const char *name; /* NULL ends a table */
  int64_t size;     /* bytes; 0: not known */
  const char *md5;  /* as published, or NULL of what comes out of an archive */
} gf__fetch_file;

typedef struct gf__fetch_source {
  const char *name;               /* as the program's user writes it */
  const char *data_name;          /* of the data set's row in host/data/sets.c */
  const char *folder;             /* for its files; of an archive: the one folder in it */
  const char *const *servers;     /* addresses that a file's name is appended to; NULL-terminated */
  const gf__fetch_file *files;    /* on the servers; an archive alone */
  const gf__fetch_file *unpacked; /* what must come out of the archive, or NULL: no archive */
  gf__unpack_limits limits;       /* of the archive */
} gf__fetch_source;

extern const gf__fetch_source gf__fetch_sources[];
extern const size_t gf__fetch_source_count;

/* gf_fetch for a source that need not be in the table. */
gf_status gf__fetch_source_to(const gf__fetch_source *source, const gf_fetch_options *options,
                              gf_fetched *out) GF_MUST_USE;

#endif
