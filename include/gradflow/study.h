/** @file
 * Studies: many runs that differ in settings and seeds, and the tables and figures made of them.
 *
 * A study is a YAML file; gf_study_help() lists its keys. Every run of it has a folder
 * OUT/SETTING/seed-SEED, and the report goes to OUT/reports/NAME. Studies that share OUT share the
 * runs of settings with the same name. Folders of several machines (shards) that are copied
 * together are the folder of one. */
#ifndef GRADFLOW_STUDY_H
#define GRADFLOW_STUDY_H

#include <stdbool.h>

#include <gradflow/communicator.h>
#include <gradflow/device.h>
#include <gradflow/status.h>
#include <gradflow/train.h>

/** A study that was read. */
typedef struct gf_study gf_study;

/** Reads a study with everything that it includes, and checks the config of every setting. folder
 * replaces the study's own "out"; NULL does not. The caller frees *out. GF_ERROR_CONFIG with the
 * place of what is wrong. */
GF_API gf_status gf_study_load(gf_study **out, const char *path, const char *folder) GF_MUST_USE;

/** Frees a study. */
GF_API void gf_study_free(gf_study **study);

/** Applies "a.b.c=value" to every setting, as gf_config_set() does to a config, and checks them.
 * After a failure the study can only be freed. */
GF_API gf_status gf_study_set(gf_study *study, const char *assignment) GF_MUST_USE;

/** One run. */
typedef struct gf_study_item {
  const char *setting;     /**< its name, owned by the study */
  unsigned long long seed; /**< of train.seed */
  char *folder;            /**< owned by the list of items */
  gf_run_state state;      /**< how far it is */
  double seconds_left;     /**< that it will take, estimated; 0 at its end, NaN unknown */
} gf_study_item;

/** How far a study is. */
typedef struct gf_study_progress {
  int done;                    /**< runs at their end, of this shard */
  int runs;                    /**< runs of this shard */
  const char *run;             /**< "residual37/seed-0" */
  const gf_progress *training; /**< of that run */
  double seconds_left;         /**< of all runs, estimated; NaN at first */
} gf_study_progress;

/** A run that is at its end, or failed. */
typedef struct gf_study_event {
  int done;                   /**< runs at their end, of this shard */
  int runs;                   /**< runs of this shard */
  const char *run;            /**< "residual37/seed-0" */
  gf_run_status status;       /**< how far it came */
  const char *stopped_by;     /**< as in gf_run_state */
  const char *failure;        /**< the message of a run that failed, else NULL */
  double seconds;             /**< that it took here */
  double train_accuracy;      /**< in %, of the last epoch; NaN where there is none */
  double validation_accuracy; /**< in %, the best; NaN where there is none */
  double test_accuracy;       /**< in %; NaN where there is none */
} gf_study_event;

/** What is called while a study runs. With several jobs the functions are called from several
 * threads, but never two at a time. */
typedef struct gf_study_events {
  void *user;                                                      /**< passed to each function */
  void (*progress)(void *user, const gf_study_progress *progress); /**< a few times a second */
  void (*run)(void *user, const gf_study_event *event);            /**< after each run */
  bool (*stop)(void *user); /**< asked before each step; true ends the study */
} gf_study_events;

/** Which runs of a study are made, and how. */
typedef struct gf_study_options {
  const char *device; /**< as in gf_device_open(); NULL: auto */
  int shard;          /**< from 1 to shards: runs whose index, modulo shards, is shard - 1 */
  int shards;         /**< into how many shards the runs are divided, at least 1 */
  int jobs;           /**< runs at a time, each with a device of its own, at least 1 */
  bool overwrite;     /**< runs that are there are replaced */
  /** Ranks that take the runs from one queue, the longest first, each on a whole device and with
   * its own events, of which done is of all ranks; they share OUT, and jobs is 1. NULL: this
   * process alone. */
  gf_communicator *communicator;
  gf_study_events events; /**< what is called meanwhile */
} gf_study_options;

/** All runs, one at a time, on the best device. */
GF_API gf_study_options gf_study_options_default(void);

/** Lists the runs of the shard in the order of the file, seeds innermost, with their states; *count
 * is their number. With estimate also with their times: from epochs that are done of runs of the
 * same setting, else by a few training steps on the device; a setting that cannot be measured is
 * logged as a warning, and its time is unknown. The caller frees *out with gf_study_items_free().
 */
GF_API gf_status gf_study_plan(const gf_study *study, const gf_study_options *options,
                               bool estimate, gf_study_item **out, int *count) GF_MUST_USE;

/** Frees a list of count items. */
GF_API void gf_study_items_free(gf_study_item **items, int count);

/** Trains the runs of the shard that are not at their end, and tests each into its test.json. A run
 * that diverges is a result. One that fails stops no other; the status of the first that failed is
 * returned in the end, with the messages of all. GF_ERROR_INTERRUPTED after a stop: what is begun
 * goes on where it was when the study is run again. */
GF_API gf_status gf_study_run(const gf_study *study, const gf_study_options *options) GF_MUST_USE;

/** Writes the report of the runs there are: each table as .csv, .md and .tex, each figure as .png,
 * runs.csv, and report.html. *text, which the caller frees with free, is the tables for a terminal
 * of 80 columns. Equal runs give equal files. written, unless NULL, is called with user and the
 * path of each file in order. */
GF_API gf_status gf_study_report(const gf_study *study, char **text,
                                 void (*written)(void *user, const char *path),
                                 void *user) GF_MUST_USE;

/** Writes one self-contained page about run folders, which need not belong to a study: what their
 * gradients did and what helps, and the pictures of gf_plot_runs() to zoom and hover. The pictures
 * are drawn as gf_plot_runs() does, whose other arguments and errors these are; page is the path of
 * the page, which is the last that is written. */
GF_API gf_status gf_runs_page(const char *const *folders, int count, const char *out,
                              const char *page, void (*written)(void *user, const char *path),
                              void *user) GF_MUST_USE;

/** The keys of a study's file as a text for help. The caller frees *out with free. */
GF_API gf_status gf_study_help(char **out) GF_MUST_USE;

/** The keys of a study's file as Markdown. The caller frees *out with free. */
GF_API gf_status gf_study_reference(char **out) GF_MUST_USE;

#endif
