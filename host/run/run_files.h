/* Which folders are a run's, and which of their files are. */
#ifndef GF_RUN_RUN_FILES_H
#define GF_RUN_RUN_FILES_H

#include <stdbool.h>

#include "base/file.h"

/* run.json, the marker of a run folder, says which. */
typedef enum gf__run_kind {
  GF__RUN_NONE, /* nothing says that gradflow has made the folder */
  GF__RUN_TRAINED,
  GF__RUN_IMPORTED /* weights that came from elsewhere */
} gf__run_kind;

gf_status gf__run_marker_write(const char *folder, gf__run_kind kind) GF_MUST_USE;
/* Runs of earlier versions have no marker: they are known by the version in environment.json.
 * GF_ERROR_DATA for a marker that a newer version has written. */
gf_status gf__run_kind_read(const char *folder, gf__run_kind *out) GF_MUST_USE;

/* Whether there is nothing in the folder but what a run leaves that was killed as it began. */
bool gf__run_is_bare(const char *folder);
/* Whether a run may replace what is in the folder. It may not where the folder is no run's, where
 * something in it is not a run's file, where the working directory is in it, or one of needed
 * (NULL-terminated, or NULL), paths that the new run reads. */
gf_status gf__run_files_check(const char *folder, const char *const *needed) GF_MUST_USE;
/* Removes the run's files but for its lock and its marker. Whatever else is in the folder stays. */
gf_status gf__run_files_remove(const char *folder) GF_MUST_USE;
/* Removes what writes into the folder that were killed have left. */
gf_status gf__run_files_remove_torn(const char *folder) GF_MUST_USE;
/* Whether path is in a run folder and has the name of one of its files. */
bool gf__run_files_have(const char *path);

#endif
