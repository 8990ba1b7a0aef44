/** @file
 * Fetching data sets over http and https. */
#ifndef GRADFLOW_FETCH_H
#define GRADFLOW_FETCH_H

#include <stdbool.h>

#include <gradflow/status.h>

/** How far a file is. */
typedef struct gf_fetch_progress {
  const char *phase;       /**< "download" or "unpack" */
  const char *file;        /**< its name */
  long long done;          /**< bytes of it so far */
  long long size;          /**< bytes of it; 0: not known yet */
  double bytes_per_second; /**< 0 at first */
  double seconds_left;     /**< estimated; NaN at first */
} gf_fetch_progress;

/** What is called while a data set is fetched. */
typedef struct gf_fetch_events {
  void *user;                                                      /**< passed to each function */
  void (*progress)(void *user, const gf_fetch_progress *progress); /**< a few times a second */
  bool (*stop)(void *user); /**< asked several times a second; true ends the fetch */
} gf_fetch_events;

/** From where and how patiently a data set is fetched. */
typedef struct gf_fetch_options {
  const char *to;     /**< the folder for data sets */
  const char *mirror; /**< where the files are instead, http:// or https://; NULL: as published */
  int attempts;       /**< per file on a server, at least 1 */
  double backoff_seconds; /**< before the second attempt, then twice as long each; above 0 */
  double connect_seconds; /**< the longest wait for a connection; above 0 */
  double stall_seconds;   /**< the longest wait for a byte; above 0 */
  gf_fetch_events events; /**< what is called meanwhile */
} gf_fetch_options;

/** To the folder "data", as published, in 5 attempts from 1 second apart, with at most 20 seconds
 * for a connection and 30 without a byte. */
GF_API gf_fetch_options gf_fetch_options_default(void);

/** What was fetched. */
typedef struct gf_fetched {
  const char *data_name; /**< the value for data.name in a config; owned by the library */
  char *data_path;       /**< the value for data.path; the caller frees it with free */
} gf_fetched;

/** Fetches a data set ("cifar100", "cifar10", "mnist", "fashion-mnist" or "svhn") into a folder of
 * its own in options->to, checks sizes and the MD5 that its authors publish, and unpacks archives.
 * What is there and right is not fetched again. Files and folders appear whole or not at all. MD5
 * finds damage; against forgery only https helps, with which not all are published. options NULL
 * are the defaults.
 *
 * GF_ERROR_FILE where the network or the file system refuses and GF_ERROR_INTERRUPTED after a
 * stop: what was downloaded stays as FILE.part, from which the next call goes on if the server
 * still has the same file (RFC 9110, If-Range). GF_ERROR_DATA where a server has another file or
 * a hostile archive: nothing of it stays. GF_ERROR_ARGUMENT for an unknown name or mirror, and for
 * options out of their ranges. */
GF_API gf_status gf_fetch(const char *name, const gf_fetch_options *options,
                          gf_fetched *out) GF_MUST_USE;

/** A text for help: a line per data set, with its size and its server. The caller frees *out with
 * free. */
GF_API gf_status gf_fetch_help(char **out) GF_MUST_USE;

#endif
