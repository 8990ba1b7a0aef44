/* A run under way: what its loop, its epochs and its way back from a checkpoint share. */
#ifndef GF_TRAIN_TRAINING_H
#define GF_TRAIN_TRAINING_H

#include <gradflow/data.h>

#include "run/checkpoint.h"
#include "run/data_record.h"
#include "run/run_events.h"
#include "run/thresholds.h"
#include "train/plateau.h"
#include "train/predictions.h"
#include "train/results.h"
#include "train/train_config.h"
#include "train/trainer.h"

typedef struct gf__training {
  gf__train_config config;
  gf_train_options options;
  gf_device *device;
  gf_dataset *train, *validation;
  gf_loader *train_loader, *validation_loader;
  gf_model *model;
  gf_trainer *trainer;
  gf_gradient_stats *gradients;     /* one row per trainable tensor */
  gf_activation_stats *activations; /* one row per layer */
  gf_communicator *communicator;    /* the options' */
  bool writes;                      /* whether this rank is the one that does */
  double *shard_bounds;             /* (ranks + 1) */
  gf__run_folder folder;
  gf__text resolved;                          /* the config with all defaults */
  gf__split_digest splits[GF__ORIGIN_SPLITS]; /* of the images */
  gf__checkpoints found;                      /* where the run goes on; of the rank that writes */
  bool has_changed; /* by force: the config or the images, since the newest of them */
  bool cuts_batch;  /* the run may go on within a batch, as batches are now */
  gf__position position;
  gf__predictions predictions; /* of this epoch's validation */
  gf__results trained;         /* of this epoch; its sums are the position's */
  double rate;                 /* of learning, now */
  double step_loss;            /* of the last step that was read */
  gf__vanishing vanishing;
  gf__plateau plateau; /* of a schedule that waits for validation */
  int next_checkpoint; /* its index */
  gf__stop stop;       /* why the run ends before its last epoch, if it does */
  /* Seconds on the clock. */
  double started;       /* when this process took up the run */
  double epoch_started; /* or would have been without a stop */
  double reported;      /* progress, last */
  double watched;       /* gradients, last */
  double checkpointed;  /* last */
  double done_before;   /* progress of the run at started */
  double spent_before;  /* seconds of the run at started */
} gf__training;

/* From the position on to the end of its epoch, which becomes the start of the next. */
gf_status gf__training_epoch(gf__training *t) GF_MUST_USE;
/* Writes the weights into the run folder, under name. */
gf_status gf__training_save(gf__training *t, const char *name) GF_MUST_USE;
/* Writes everything that is needed to go on from here. */
gf_status gf__training_checkpoint(gf__training *t) GF_MUST_USE;
/* The tensors of such a checkpoint. */
gf__checkpoint_tensors gf__training_tensors(const gf__training *t);
/* The number of images in a batch. */
int gf__training_batch(const gf__training *t);
/* The network for this rank's shards, and its trainer; in micro-batches where the device has no
 * memory for a shard. */
gf_status gf__training_open_network(gf__training *t, const gf_config *config,
                                    const char *algorithms) GF_MUST_USE;
void gf__training_close_network(gf__training *t);
/* Loads the weights that the config wants a run to start with, if any. */
gf_status gf__training_load_weights(gf_model *model, const gf__train_config *config) GF_MUST_USE;
/* What a run's weights begin with, besides their random numbers: those that the config wants, or a
 * scale by the loader's first batch. */
gf_status gf__training_start_weights(gf_model *model, const gf__train_config *train,
                                     const gf_config *config, gf_loader *loader) GF_MUST_USE;
/* The fraction of the run's work that is done. */
double gf__training_progress(const gf__training *t);

/* ---- resume.c: of the rank that writes ---- */

/* Whether the run in the folder can go on with this config and these images; *has_ended: there is
 * nothing left to do. Finds its checkpoints. Changes nothing. */
gf_status gf__resume_check(gf__training *t, bool *has_ended) GF_MUST_USE;
/* Goes on from the newest checkpoint that fits. Changes nothing unless it succeeds. */
gf_status gf__resume_folder(gf__training *t) GF_MUST_USE;

/* ---- ranks.c: each of these does nothing, or the obvious, for one rank ---- */

/* GF_ERROR_CONFIG where a rank has another config or other images than the first one. */
gf_status gf__ranks_compare(gf__training *t) GF_MUST_USE;
/* Chooses the shard bounds, and opens each rank's network for its shards. config: the run's. */
gf_status gf__ranks_open_networks(gf__training *t, const gf_config *config,
                                  const char *algorithms) GF_MUST_USE;
/* All ranks go on from the position of the first one. */
gf_status gf__ranks_join(gf__training *t) GF_MUST_USE;
/* Weights, statistics and the optimizer's state become those of the first rank. */
gf_status gf__ranks_align(gf__training *t) GF_MUST_USE;
/* The sums of this rank's shard of the validation images become those of all. */
gf_status gf__ranks_sum_validation(gf__training *t, gf__loss_sums *sums) GF_MUST_USE;
/* The most images of a batch that this rank takes. */
int gf__ranks_largest_shard(const gf__training *t, int batch);
/* The fewest images of a whole batch that a batch norm sees together. */
int gf__ranks_norm_images(const gf__training *t);
/* Writes ranks.json: the ranks, and which fraction of a batch each takes. */
gf_status gf__ranks_write(const gf__training *t) GF_MUST_USE;

#endif
