/* The folder of a run and what is in it. */
#ifndef GF_TRAIN_RUN_FOLDER_H
#define GF_TRAIN_RUN_FOLDER_H

#include <gradflow/train.h>

#include "base/text.h"

typedef struct gf__run_folder {
  const char *path;            /* the caller's */
  gf__text metrics, gradients; /* the CSVs so far */
} gf__run_folder;

/* Whether gf__run_folder_create would succeed, so that a long preparation is
 * not in vain: an existing path is refused unless it is a run folder and overwrite. */
gf_status gf__run_folder_check(const char *path, int overwrite) GF_MUST_USE;
/* Creates the folder with config.yaml and environment.json. */
gf_status gf__run_folder_create(gf__run_folder *out, const char *path, int overwrite,
                                const gf__text *config, const gf_device_info *device) GF_MUST_USE;
void gf__run_folder_free(gf__run_folder *folder);

gf_status gf__run_folder_add_epoch(gf__run_folder *folder, const gf_epoch *epoch) GF_MUST_USE;
/* step counts from 1 over the run. */
gf_status gf__run_folder_add_gradients(gf__run_folder *folder, int epoch, long step,
                                       const gf_gradient *gradients, int count) GF_MUST_USE;

/* "FOLDER/name" of a run. */
enum { GF__RUN_PATH_SIZE = 4096 };
gf_status gf__run_path(char out[GF__RUN_PATH_SIZE], const char *folder,
                       const char *name) GF_MUST_USE;

#endif
