/* One file from one server. */
#ifndef GF_FETCH_DOWNLOAD_H
#define GF_FETCH_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <gradflow/fetch.h>

#include "fetch/partial_download.h"

typedef struct gf__download {
  const char *url, *name;          /* and the file's name, for progress */
  int64_t size;                    /* that the file must have; 0: not known */
  const gf_fetch_options *options; /* without zeros */
} gf__download;

/* Downloads url into the partial download until it is whole, with as many attempts as the options
 * say. It continues what is there if the server still has the same file, and else starts anew. Of a
 * failure *is_server says whether another server may help. */
gf_status gf__download_run(const gf__download *download, gf__partial_download *partial,
                           bool *is_server) GF_MUST_USE;

#endif
