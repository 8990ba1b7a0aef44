/* A run under way: what its loop, its epochs and its way back from a checkpoint share. */
#ifndef GF_TRAIN_TRAINING_H
#define GF_TRAIN_TRAINING_H

#include <gradflow/data.h>

#include "run/checkpoint.h"
#include "run/run_events.h"
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
  gf_gradient_stats *gradients;     /* a row a trainable tensor */
  gf_activation_stats *activations; /* a row a layer */
  gf_cluster *cluster;              /* the options' */
  bool writes;                      /* this rank is the one that does */
  double *edges;                    /* (ranks + 1) of the parts of a batch, 0 to 1 */
  gf__allreduce *exchange;          /* NULL: there are no other ranks */
  bool stops;                       /* some rank has asked to */
  gf__run_folder folder;
  gf__position position;
  gf__results trained; /* of this epoch; its sums are the position's */
  double rate;         /* of learning, in this epoch */
  int next_checkpoint; /* its index */
  /* Seconds on the clock. */
  double started;      /* this process's part of the run */
  double epoch_begun;  /* or would have without a stop */
  double reported;     /* progress, last */
  double watched;      /* gradients, last */
  double checkpointed; /* last */
  double done_before;  /* share of the run that was done at started */
} gf__training;

/* From the position on to the end of its epoch, which becomes the beginning of the next. */
gf_status gf__training_epoch(gf__training *r) GF_MUST_USE;
/* The weights into the run folder, under name. */
gf_status gf__training_save(gf__training *r, const char *name) GF_MUST_USE;
/* Everything that is needed to go on from here. */
gf_status gf__training_checkpoint(gf__training *r) GF_MUST_USE;
/* The tensors that this takes. */
gf__checkpoint_tensors gf__training_tensors(const gf__training *r);
/* The network for this rank's part of batches, and its trainer. */
gf_status gf__training_open_network(gf__training *r, const gf_config *config,
                                    const char *algorithms) GF_MUST_USE;
void gf__training_close_network(gf__training *r);
/* Those that the config wants a run to begin with, if any. */
gf_status gf__training_load_weights(gf_model *model, const gf__train_config *config) GF_MUST_USE;

/* ---- ranks.c ---- */

/* GF_ERROR_CONFIG where a rank has another config or other images than the first one. */
gf_status gf__ranks_compare(gf__training *r, const gf__text *config) GF_MUST_USE;
/* Chooses the edges and opens the network of this rank's part. config: the run's. */
gf_status gf__ranks_open_network(gf__training *r, const gf_config *config,
                                 const char *algorithms) GF_MUST_USE;
/* After preparation: all ranks stand where the first one stands, and take steps together. */
gf_status gf__ranks_join(gf__training *r) GF_MUST_USE;
/* Weights, statistics and the optimizer's state become those of the first rank. */
gf_status gf__ranks_align(gf__training *r) GF_MUST_USE;
/* Sums what each rank has of a split. */
gf_status gf__ranks_sum_results(gf__training *r, gf__loss_sums *sums) GF_MUST_USE;
/* The part of batches, and of splits, that this rank takes. */
void gf__ranks_part(const gf__training *r, double *from, double *to);
/* The most images that it takes of a batch. */
int gf__ranks_batch(const gf__training *r, int batch);
/* ranks.json: who took part, with which share. */
gf_status gf__ranks_write(const gf__training *r) GF_MUST_USE;

/* The share of the run's work that is done, by the images of each part. */
double gf__training_share(const gf__training *r);

#endif
