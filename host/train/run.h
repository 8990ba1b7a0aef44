/* A run under way: what its loop, its epochs and its way back from a checkpoint share. */
#ifndef GF_TRAIN_RUN_H
#define GF_TRAIN_RUN_H

#include <gradflow/data.h>

#include "train/checkpoint.h"
#include "train/run_config.h"
#include "train/run_events.h"

typedef struct gf__training {
  gf__run_config config;
  gf_train_options options;
  gf_device *device;
  gf_dataset *train, *validation;
  gf_loader *train_loader, *validation_loader;
  gf_model *model;
  gf_trainer *trainer;
  gf_gradient *gradients;     /* a row a trainable tensor */
  gf_activation *activations; /* a row a layer */
  gf__run_folder folder;
  gf__position position;
  double rate; /* of learning, in this epoch */
  int slot;    /* of the next checkpoint */
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
/* The share of the run's work that is done, by the images of each part. */
double gf__training_share(const gf__training *r);

#endif
