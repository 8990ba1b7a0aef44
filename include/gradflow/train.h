/** @file
 * Training and testing. */
#ifndef GRADFLOW_TRAIN_H
#define GRADFLOW_TRAIN_H

#include <stdbool.h>
#include <stddef.h>

#include <gradflow/communicator.h>
#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/model.h>
#include <gradflow/status.h>

/** Statistics of one parameter's gradient g, and how far the step moved the parameter w. */
typedef struct gf_gradient_stats {
  const char *layer;     /**< owned by the model */
  const char *parameter; /**< its name, owned by the model */
  bool is_weight;        /**< false: a bias or a shift */
  double mean_abs;       /**< mean |g| */
  double l2;             /**< the L2 norm of g */
  double max_abs;        /**< the largest |g| */
  double zeros;          /**< fraction of elements that are exactly 0 */
  double update_ratio;   /**< |w - w before the step| / |w before the step|, in the L2 norm */
  long nonfinite;        /**< elements that are an infinity or a NaN */
  double weight_l2;      /**< the L2 norm of w before the step */
} gf_gradient_stats;

/** The optimizer of a config over a model's parameters. */
typedef struct gf_trainer gf_trainer;

/** Opens the optimizer of the config's "train" section for a model, which must outlive the trainer.
 * The caller frees *out. GF_ERROR_CONFIG for a section that is wrong. */
GF_API gf_status gf_trainer_open(gf_trainer **out, gf_model *model,
                                 const gf_config *config) GF_MUST_USE;

/** Frees a trainer with the optimizer's state. */
GF_API void gf_trainer_free(gf_trainer **trainer);

/** Makes one step on count images (count, height, width, channels) and their labels (count), each
 * from 0 to classes - 1: forward, backward, optimizer. *loss is that before the update. gradients
 * has room for gf_trainer_gradient_count() rows, or is NULL. Waits for the loss. */
GF_API gf_status gf_trainer_step(gf_trainer *trainer, const float *images, const int *labels,
                                 int count, double learning_rate, gf_loss *loss,
                                 gf_gradient_stats *gradients) GF_MUST_USE;

/** The number of trainable parameter tensors. */
GF_API int gf_trainer_gradient_count(const gf_trainer *trainer);

/** How far training is. */
typedef struct gf_progress {
  const char *phase;        /**< "prepare" (kernels are compiled), "train" or "validate" */
  int epoch;                /**< from 1; 0 while preparing */
  int epochs;               /**< of the run */
  int batch;                /**< batches done, of this epoch and phase */
  int batches;              /**< batches of this epoch and phase */
  double loss;              /**< of the epoch so far; NaN before the first is known */
  double accuracy;          /**< in [0, 1], of the epoch so far; NaN before the first is known */
  double images_per_second; /**< of late */
  double seconds_left;      /**< of the whole run, estimated; NaN at first */
} gf_progress;

/** One training step. */
typedef struct gf_step_event {
  int epoch;            /**< from 1 */
  long step;            /**< of the run, from 1 */
  double loss;          /**< mean over the batch as it was trained */
  double accuracy;      /**< in [0, 1], of the batch as it was trained */
  double learning_rate; /**< of this step */
} gf_step_event;

/** A row of metrics.csv. */
typedef struct gf_epoch {
  int epoch;                  /**< from 1 */
  int epochs;                 /**< of the run */
  double learning_rate;       /**< at the start of the epoch */
  double train_loss;          /**< mean over the images as they were trained */
  double train_accuracy;      /**< in [0, 1], of the images as they were trained */
  double validation_loss;     /**< NaN without a validation split */
  double validation_accuracy; /**< in [0, 1]; NaN without a validation split */
  double seconds;             /**< that the epoch took */
  double images_per_second;   /**< while training */
  /** How many classes at least one validation image was taken for; 0 where that is not known. */
  int predicted_classes;
  /** The fraction of validation images that were taken for the commonest of those, or NaN. */
  double most_predicted;
} gf_epoch;

/** What is called while a network is trained. */
typedef struct gf_train_events {
  void *user;                                                /**< passed to each function */
  void (*progress)(void *user, const gf_progress *progress); /**< a few times a second */
  void (*epoch)(void *user, const gf_epoch *epoch);          /**< at the end of each epoch */
  bool (*stop)(void *user);                      /**< asked before each step; true ends the run */
  void (*written)(void *user, const char *path); /**< a picture */
  /** The gradients of a step, about twice a second and at the end of each epoch: count rows from
   * the input to the output. */
  void (*gradients)(void *user, int epoch, long step, const gf_gradient_stats *gradients,
                    int count);
  /** Every step, in order; reported about five times a second, since the device is not waited for.
   */
  void (*step)(void *user, const gf_step_event *step);
  /** The run ends before its time, by a stop or a loss that is not finite: what gf_train() returns
   * once the pictures are drawn, for which there may be no time. What the run needs to go on is
   * saved. */
  void (*ended)(void *user, gf_status status, const char *message);
} gf_train_events;

/** Where and how a network is trained. */
typedef struct gf_train_options {
  const char *out; /**< the run folder, which is created; there is no default */
  /** The files of a run in the folder are replaced; refused where the folder has others, or what
   * the new run reads, or the working directory. */
  bool overwrite;
  /** A run in the folder is continued from its newest whole checkpoint, to the bit as if it had
   * never stopped; a finished one is left as it is; where there is none, one is started. */
  bool resume;
  bool force; /**< resume although the config or the images are not those of the run so far */
  long checkpoint_steps;     /**< a checkpoint every so many steps; 0: at the end of each epoch */
  double checkpoint_minutes; /**< or every so many minutes; 0: not by time */
  int keep_checkpoints;      /**< how many of the newest ones are kept, at least 1 */
  /** The ranks that train together, each on the device that it passes; the first one writes the
   * folder and has the events. NULL: this process alone. */
  gf_communicator *communicator;
  /** The shards of each batch that the ranks get: "equal" or NULL; "auto" by their speeds, which
   * are measured once in a run; "again" by their speeds now; or a number per rank, "3,1". */
  const char *balance;
  gf_train_events events; /**< what is called meanwhile */
} gf_train_options;

/** No folder; a run of this process alone, with a checkpoint at the end of each epoch, of which the
 * newest 2 are kept. */
GF_API gf_train_options gf_train_options_default(void);

/** Trains the config's network on its data and leaves a run folder: config.yaml (resolved),
 * environment.json, network.json, metrics.csv, gradients.csv, last.safetensors, best.safetensors
 * (of the best validation accuracy) and the pictures; with logging.tensorboard, event files in
 * tensorboard/. docs/records.md describes all of them. GF_ERROR_INTERRUPTED after a stop, with the
 * weights and a checkpoint saved; GF_ERROR_NONFINITE for a loss that is not finite;
 * GF_ERROR_ARGUMENT for a folder that is there and options out of their ranges. */
GF_API gf_status gf_train(gf_device *device, const gf_config *config,
                          const gf_train_options *options) GF_MUST_USE;

/** The network of a config as the file network.json of a run has it, which docs/records.md
 * describes: layers, shapes, parameters, classes, optimizer. Needs no device, and of the data what
 * gf_dataset_shape() needs. The caller frees *out with free. */
GF_API gf_status gf_network_json(const gf_config *config, char **out) GF_MUST_USE;

/** How a run is. */
typedef enum gf_run_status {
  GF_RUN_ABSENT,   /**< no run folder */
  GF_RUN_STARTED,  /**< and not at its end */
  GF_RUN_FINISHED, /**< all epochs are done */
  GF_RUN_DIVERGED  /**< ended by a loss that is not finite */
} gf_run_status;

/** How far the run of a folder is. */
typedef struct gf_run_state {
  gf_run_status status; /**< how it is */
  int epochs_done;      /**< 0 where there is no run */
  int epochs;           /**< 0 where there is no run */
  double seconds;       /**< spent on the epochs done */
  gf_epoch last;        /**< of epoch 0 where there is none yet */
  gf_epoch best;        /**< by validation accuracy; of epoch 0 where there is none yet */
  /** Of a finished run that a rule of train.stop has ended before its last epoch: "time",
   * "validation_loss", "validation_accuracy" or a verdict such as "vanishing"; else "". */
  char stopped_by[32];
} gf_run_state;

/** Reads how far the run of a folder is. A folder that is missing is no error. GF_ERROR_DATA where
 * its files are damaged. */
GF_API gf_status gf_run_read_state(const char *run_folder, gf_run_state *out) GF_MUST_USE;

/** What a run would take on a device. */
typedef struct gf_dry_run {
  gf_memory memory;      /**< planned */
  size_t planned;        /**< bytes of memory together */
  size_t allocated;      /**< bytes that were allocated for a moment, to compare */
  size_t parameters;     /**< trainable elements */
  int training_images;   /**< of the training split */
  int validation_images; /**< of the validation split */
  int batch_size;        /**< the config's */
  int epochs;            /**< the config's */
  int micro_batch;       /**< images at a time; fewer than batch_size where memory asks for it */
} gf_dry_run;

/** Says what a run would take on the device, by the plan and as it was allocated for a moment;
 * nothing is trained and no file is written. Errors are those of gf_train(). */
GF_API gf_status gf_train_dry_run(gf_device *device, const gf_config *config,
                                  gf_dry_run *out) GF_MUST_USE;

/** How well a run's network does on the test split. */
typedef struct gf_test_result {
  double loss;            /**< mean over the images */
  double accuracy;        /**< in [0, 1] */
  double top5_accuracy;   /**< images whose label is among the 5 highest scores, in [0, 1] */
  int images;             /**< of the test split */
  int classes;            /**< how many there are */
  double *class_accuracy; /**< (classes), in [0, 1]; NaN where there are no images */
  int *class_images;      /**< (classes) */
  /** (classes, classes + 1): images of the row's class whose highest score is the column's; in the
   * last column those with a score that is no number. */
  int *confusion;
  const char **class_names; /**< (classes), or NULL */
  void *owner;              /**< the library's */
  const char *weights;      /**< which of the run's were tested: "best.safetensors", or the last */
  char weights_sha256[65];  /**< of that file, in hexadecimal digits */
} gf_test_result;

/** Tests a run's best weights, or its last where there are no best, on the test split. The caller
 * frees *out with gf_test_result_free(). Errors are those of gf_predict(). */
GF_API gf_status gf_test(gf_device *device, const char *run_folder,
                         gf_test_result *out) GF_MUST_USE;

/** Writes the matrix of a result into a folder, created where it is not: confusion.csv, a row per
 * class with the images that the network takes for each class, and confusion.png, the same in
 * percent of the row. written, which may be NULL, is called with each path. GF_ERROR_FILE where one
 * cannot be written. */
GF_API gf_status gf_test_write_confusion(const gf_test_result *result, const char *folder,
                                         void (*written)(void *user, const char *path),
                                         void *user) GF_MUST_USE;

/** Frees what a result points to. */
GF_API void gf_test_result_free(gf_test_result *result);

/** The keys of the config's sections, as a text for help. The caller frees *out with free. */
GF_API gf_status gf_config_help(char **out) GF_MUST_USE;

/** The keys as Markdown, with the data sets and the layers that a graph is made of: a section of
 * docs/configuration.md. The caller frees *out with free. */
GF_API gf_status gf_config_reference(char **out) GF_MUST_USE;

/** What --set may be completed to, a line each: "train.epochs=" for a key, and "model.tune=fast"
 * for each choice of a key that has choices. The caller frees *out with free. */
GF_API gf_status gf_config_settings(char **out) GF_MUST_USE;

#endif
