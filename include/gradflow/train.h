/* Training, testing and diagnosis. */
#ifndef GRADFLOW_TRAIN_H
#define GRADFLOW_TRAIN_H

#include <gradflow/communicator.h>
#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/model.h>
#include <gradflow/status.h>

/* Statistics of one parameter's gradient, and how far the step moved the parameter. */
typedef struct gf_gradient_stats {
  const char *layer, *parameter; /* owned by the model */
  int is_weight;                 /* 0: a bias or a shift */
  double mean_abs, l2, max_abs;
  double zeros;        /* fraction of elements that are exactly 0 */
  double update_ratio; /* |w - w before the step| / |w before the step|, L2 */
  long nonfinite;      /* elements */
} gf_gradient_stats;

/* The optimizer of a config over a model's parameters. */
typedef struct gf_trainer gf_trainer;

/* The model must outlive the trainer. The caller frees *out. */
GF_API gf_status gf_trainer_open(gf_trainer **out, gf_model *model,
                                 const gf_config *config) GF_MUST_USE;
GF_API void gf_trainer_free(gf_trainer **trainer);
/* One step on count images (count, height, width, channels) and their labels:
 * forward, backward, optimizer. gradients, if not NULL, has room for
 * gf_trainer_gradient_count rows. Waits for the loss. */
GF_API gf_status gf_trainer_step(gf_trainer *trainer, const float *images, const int *labels,
                                 int count, double learning_rate, gf_loss *loss,
                                 gf_gradient_stats *gradients) GF_MUST_USE;
/* The number of trainable parameter tensors. */
GF_API int gf_trainer_gradient_count(const gf_trainer *trainer);

/* Where training is, a few times a second. */
typedef struct gf_progress {
  const char *phase;     /* "prepare" (kernels are compiled), "train" or "validate" */
  int epoch, epochs;     /* from 1; 0 while preparing */
  int batch, batches;    /* done and in all */
  double loss, accuracy; /* of the epoch so far; NaN before the first is known */
  double images_per_second;
  double seconds_left; /* of the whole run, estimated; NaN at first */
} gf_progress;

/* One training step. */
typedef struct gf_step_event {
  int epoch;             /* from 1 */
  long step;             /* of the run, from 1 */
  double loss, accuracy; /* means over the batch as it was trained */
  double learning_rate;
} gf_step_event;

/* A row of metrics.csv. */
typedef struct gf_epoch {
  int epoch, epochs; /* from 1 */
  double learning_rate;
  double train_loss, train_accuracy;           /* means over the images as they were trained */
  double validation_loss, validation_accuracy; /* NaN without a validation split */
  double seconds, images_per_second;
} gf_epoch;

/* Each may be NULL. */
typedef struct gf_train_events {
  void *user;
  void (*progress)(void *user, const gf_progress *progress);
  void (*epoch)(void *user, const gf_epoch *epoch);
  int (*stop)(void *user);                       /* asked before each step; not 0 ends the run */
  void (*written)(void *user, const char *path); /* a picture */
  /* The gradients of a step, about twice a second and at the end of each epoch:
   * count rows from the input to the output. */
  void (*gradients)(void *user, int epoch, long step, const gf_gradient_stats *gradients,
                    int count);
  /* Every step, in order; reported about five times a second, since the device is not waited for.
   */
  void (*step)(void *user, const gf_step_event *step);
} gf_train_events;

typedef struct gf_train_options {
  const char *out; /* the run folder, which is created */
  int overwrite;   /* an existing run folder there is replaced */
  /* A run in the folder is continued from its newest whole checkpoint, to the bit as if it had
   * never stopped; a finished one is left as it is; where there is none, one is started. */
  int resume;
  int force;                 /* resume although the config is not that of the folder */
  long checkpoint_steps;     /* a checkpoint every so many steps; 0: at the end of each epoch */
  double checkpoint_minutes; /* or every so many minutes; 0: not by time */
  int keep_checkpoints;      /* the newest ones; 0: 2 */
  /* The ranks that train together, each on the device that it hands over; the first one writes the
   * folder and has the events. NULL: this process alone. */
  gf_communicator *communicator;
  /* The shards of each batch that they take: "equal" or NULL; "auto" by their speeds, which are
   * measured once in a run; "again" by their speeds now; or a number a rank, "3,1". */
  const char *balance;
  gf_train_events events;
} gf_train_options;

/* Trains the config's network on its data and leaves a run folder: config.yaml
 * (resolved), environment.json, metrics.csv, gradients.csv, last.safetensors,
 * best.safetensors (of the best validation accuracy) and the pictures; with
 * logging.tensorboard, event files in tensorboard/.
 * GF_ERROR_INTERRUPTED after a stop, with the weights saved. */
GF_API gf_status gf_train(gf_device *device, const gf_config *config,
                          const gf_train_options *options) GF_MUST_USE;

/* The network of a config as the file network.json of a run has it, which docs/records.md
 * describes: layers, shapes, parameters, classes, optimizer. Needs no device, and what
 * gf_dataset_shape needs of the data. The caller frees *out with free. */
GF_API gf_status gf_network_json(const gf_config *config, char **out) GF_MUST_USE;

typedef enum gf_run_status {
  GF_RUN_ABSENT,  /* no run folder */
  GF_RUN_STARTED, /* and not at its end */
  GF_RUN_FINISHED,
  GF_RUN_DIVERGED /* ended by a loss that is not finite */
} gf_run_status;

/* How far the run of a folder is. */
typedef struct gf_run_state {
  gf_run_status status;
  int epochs_done, epochs; /* 0 where there is no run */
  double seconds;          /* spent on the epochs done */
  gf_epoch last, best;     /* by validation accuracy; of epoch 0 where there is none yet */
} gf_run_state;
GF_API gf_status gf_run_read_state(const char *run_folder, gf_run_state *out) GF_MUST_USE;

/* What a run would take on the device, by the plan and as it was allocated for
 * a moment; nothing is trained and no file is written. */
typedef struct gf_dry_run {
  gf_memory memory;          /* planned */
  size_t planned, allocated; /* bytes in all */
  size_t parameters;         /* trainable elements */
  int training_images, validation_images, batch_size, epochs;
  int micro_batch; /* images at a time; fewer than batch_size where memory asks for it */
} gf_dry_run;
GF_API gf_status gf_train_dry_run(gf_device *device, const gf_config *config,
                                  gf_dry_run *out) GF_MUST_USE;

typedef struct gf_test_result {
  double loss, accuracy;
  int images, classes;
  double *class_accuracy; /* of each class; NaN where there are no images */
  int *class_images;
  const char **class_names; /* or NULL */
  void *owner;
} gf_test_result;

/* Tests a run's best weights, or its last where there are no best, on the test split. */
GF_API gf_status gf_test(gf_device *device, const char *run_folder,
                         gf_test_result *out) GF_MUST_USE;
GF_API void gf_test_result_free(gf_test_result *result);

/* The keys of the config's sections, as a text for help; the caller frees *out with free. */
GF_API gf_status gf_config_help(char **out) GF_MUST_USE;
/* The same as Markdown, with the data sets and the layers that a graph is made of: a part of
 * docs/configuration.md. */
GF_API gf_status gf_config_reference(char **out) GF_MUST_USE;
/* What --set may be completed to, a line each: "train.epochs=" for a key, and
 * "model.tune=fast" for each choice of a key that has choices. The caller frees *out with free. */
GF_API gf_status gf_config_settings(char **out) GF_MUST_USE;

#endif
