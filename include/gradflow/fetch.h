/* Fetching data sets over http and https. */
#ifndef GRADFLOW_FETCH_H
#define GRADFLOW_FETCH_H

#include <gradflow/status.h>

/* Where a file is, a few times a second. */
typedef struct gf_fetch_progress {
  const char *phase;       /* "download" or "unpack" */
  const char *file;        /* its name */
  long long done, size;    /* bytes of it; size 0: not known yet */
  double bytes_per_second; /* 0 at first */
  double seconds_left;     /* estimated; NaN at first */
} gf_fetch_progress;

/* Each may be NULL. Called on the thread that calls gf_fetch. */
typedef struct gf_fetch_events {
  void *user;
  void (*progress)(void *user, const gf_fetch_progress *progress);
  int (*stop)(void *user); /* asked several times a second; not 0 ends the fetch */
} gf_fetch_events;

typedef struct gf_fetch_options {
  const char *to;         /* the folder for data sets; NULL: "data" */
  const char *mirror;     /* where the files are instead, http:// or https://; NULL: as published */
  int attempts;           /* at a file on a server; 0: 5 */
  double backoff_seconds; /* before the second attempt, then twice as long each; 0: 1 */
  double connect_seconds; /* the longest; 0: 20 */
  double stall_seconds;   /* without a byte, the longest; 0: 30 */
  gf_fetch_events events;
} gf_fetch_options;

typedef struct gf_fetched {
  const char *data_name; /* what data.name says in a config; owned by the library */
  char *data_path;       /* and data.path; the caller frees it with free */
} gf_fetched;

/* Fetches a data set ("cifar100", "cifar10", "mnist", "fashion-mnist" or "svhn") into a folder of
 * its own in options->to, checks sizes and the MD5 that its authors publish, and unpacks archives.
 * options may be NULL. What is there and right is not fetched again. Files and folders appear whole
 * or not at all.
 *
 * GF_ERROR_FILE where the network or the file system refuses and GF_ERROR_INTERRUPTED after a
 * stop: what was downloaded stays as FILE.part, from which the next call goes on if the server
 * still has the same file (RFC 9110, If-Range). GF_ERROR_DATA where a server has another file or
 * a hostile archive: nothing of it stays. GF_ERROR_ARGUMENT for an unknown name or mirror.
 *
 * MD5 finds damage; against forgery stands https, with which not all are published. */
GF_API gf_status gf_fetch(const char *name, const gf_fetch_options *options,
                          gf_fetched *out) GF_MUST_USE;

/* A text for help: a line a data set, with its size and its server; the caller frees *out with
 * free. */
GF_API gf_status gf_fetch_help(char **out) GF_MUST_USE;

#endif
