/* The folder of a run and what is in it. */
#ifndef GF_RUN_RUN_FOLDER_H
#define GF_RUN_RUN_FOLDER_H

#include <gradflow/train.h>

#include "base/file.h"
#include "base/os.h"
#include "run/record_log.h"
#include "run/run_files.h"

enum {
  GF__LOG_METRICS,
  GF__LOG_TIMING,
  GF__LOG_GRADIENTS,
  GF__LOG_ACTIVATIONS,
  GF__LOG_EVENTS,      /* run_events.h: without a file where the run does not want them */
  GF__LOG_EARLY_STEPS, /* early_steps.h: not in checkpoints of older programs */
  GF__LOGS
};

typedef struct gf__run_folder {
  const char *path; /* the caller's */
  gf__record_log logs[GF__LOGS];
  bool lacks_contrast; /* activations.csv was begun by a program that did not know it */
  gf__file_lock *lock; /* one process at a time writes into a run */
} gf__run_folder;

/* Whether a run can be made there, so that a long preparation is not in vain: an existing folder is
 * refused unless it is a run's, whole, and overwrite. needed: as gf__run_files_check has them. */
gf_status gf__run_folder_check(const char *path, bool overwrite,
                               const char *const *needed) GF_MUST_USE;
/* Whether the folder has a run, by either of the files that all have, whatever their version and
 * whether they were trained. */
bool gf__run_folder_has_run(const char *folder);
/* Creates the folder, or after a check replaces the files of the run in it; with run.json,
 * config.yaml, and environment.json where there is a device. */
gf_status gf__run_folder_create(gf__run_folder *out, const char *path, bool replaces,
                                gf__run_kind kind, const gf__text *config,
                                const gf_device_info *device) GF_MUST_USE;
/* Opens the folder of a run, which no other process can open then, and changes nothing. */
gf_status gf__run_folder_open(gf__run_folder *out, const char *path) GF_MUST_USE;
/* Whether the logs are what they were at the marks, and perhaps longer. */
gf_status gf__run_folder_check_logs(const char *path,
                                    const gf__record_mark marks[GF__LOGS]) GF_MUST_USE;
/* Lets the run of an open folder go on at epoch, its logs cut back to the marks; config
 * replaces config.yaml. Another device, driver or version than before is reported. */
gf_status gf__run_folder_resume(gf__run_folder *folder, const gf__record_mark marks[GF__LOGS],
                                int epoch, const gf__text *config,
                                const gf_device_info *device) GF_MUST_USE;
void gf__run_folder_free(gf__run_folder *folder);

/* Rows of the logs; they are in the files after gf__run_folder_flush. step counts from 1 over
 * the run. */
void gf__run_folder_add_epoch(gf__run_folder *folder, const gf_epoch *epoch);
void gf__run_folder_add_gradients(gf__run_folder *folder, int epoch, long step,
                                  const gf_gradient_stats *gradients, int count);
void gf__run_folder_add_activations(gf__run_folder *folder, int epoch, long step,
                                    const gf_activation_stats *activations, int count);
gf_status gf__run_folder_flush(gf__run_folder *folder) GF_MUST_USE;

/* Writes result.json: how the run ended; message may be NULL. */
gf_status gf__run_folder_end(const char *folder, gf_run_status how,
                             const char *message) GF_MUST_USE;
/* The same for a run that has finished before its last epoch, by a rule of train.stop. */
gf_status gf__run_folder_end_early(const char *folder, const char *stopped_by, int epoch,
                                   const char *message) GF_MUST_USE;
/* Which rule has ended the run by result.json; "" where none has. */
void gf__run_folder_stopped_by(const char *folder, char out[32]);
/* How result.json says that the run ended, GF_RUN_STARTED without one; the caller frees
 * *message, which may become NULL. */
gf_run_status gf__run_folder_result(const char *folder, char **message);

/* "FOLDER/name" of a run. */
gf_status gf__run_path(char out[GF__PATH_SIZE], const char *folder, const char *name) GF_MUST_USE;

/* run_config.c: config.yaml of the run, in which keys that older programs called otherwise have
 * their names of today. The caller frees *out. */
gf_status gf__run_config_load(gf_config **out, const char *folder) GF_MUST_USE;
/* Gives the keys of such a config their names of today. */
gf_status gf__run_config_rename(gf_config *config) GF_MUST_USE;

/* The weights of a run: the best ones, or the last where there are no best. GF_ERROR_FILE where
 * there are neither. */
gf_status gf__run_weights(char out[GF__PATH_SIZE], const char *folder) GF_MUST_USE;

/* SHA-256 of their file, in hexadecimal digits. */
gf_status gf__run_weights_digest(char out[SHA256_DIGEST_STRING_LENGTH],
                                 const char *folder) GF_MUST_USE;

/* environment.c: environment.json, written anew or with one more entry in "resumed". */
gf_status gf__environment_write(const char *path, const gf_device_info *device) GF_MUST_USE;
gf_status gf__environment_resume(const char *path, int epoch,
                                 const gf_device_info *device) GF_MUST_USE;
/* algorithms.json: what the convolutions of a run take on the device. */
gf_status gf__algorithms_write(const char *path, const char *algorithms,
                               const gf_device_info *device) GF_MUST_USE;
/* Those of the file if they were chosen on this device, else NULL; the caller frees them. */
char *gf__algorithms_read(const char *path, const gf_device_info *device);

#endif
