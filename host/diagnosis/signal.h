/* What a fresh network does with a batch: the pieces of gf_signal. */
#ifndef GF_DIAGNOSIS_SIGNAL_H
#define GF_DIAGNOSIS_SIGNAL_H

#include <gradflow/data.h>
#include <gradflow/diagnosis.h>

#include "model/activations.h"
#include "run/signal.h"
#include "train/trainer.h"

/* A signal with the memory that it points into. */
typedef struct gf__fresh {
  gf_signal signal;
  gf_dataset *dataset;
  gf_loader *loader;
  gf_model *model; /* owns the layers' names */
  gf_trainer *trainer;
  gf_batch batch;
  gf_signal_layer *layers;
  double *batch_numbers; /* mean and deviation of each channel */
  int *class_images;
  gf__vanishing vanishing;
  /* The layers' numbers one after the other, as courses have them. */
  const char **names;
  double *course_numbers;
  gf__signal_course course;
} gf__fresh;

/* signal_measure.c: sends the batch through the network, and fills in the layers and the loss. */
gf_status gf__signal_measure(gf__fresh *s) GF_MUST_USE;
/* signal_batch.c: what the batch is like. */
gf_status gf__signal_read_batch(gf__fresh *s) GF_MUST_USE;
/* signal_notes.c: headline and notes of what the rest says. */
gf_status gf__signal_judge(gf__fresh *s) GF_MUST_USE;

/* ---- mean_field.c ---- */

/* An activation in double precision; kind is NULL for one that is not known here. */
typedef struct gf__mean_field_activation {
  const char *kind; /* as a config has it */
  double parameter; /* slope or alpha */
} gf__mean_field_activation;

/* What layers of this activation tend to, whose weights have weight_variance / fan_in and whose
 * biases have bias_variance. Fills in length, chi, correlation and depth. False for an activation
 * that is not known. */
bool gf__mean_field(const gf__mean_field_activation *activation, double weight_variance,
                    double bias_variance, gf_signal_theory *out);
/* The mean square of activations, and how much of it differs between images. */
typedef struct gf__mean_field_state {
  double length, difference;
} gf__mean_field_state;
/* What one layer makes of the state; of kind "identity" where no activation follows its weights.
 * *gain: what it does to squared gradients on the way back. */
bool gf__mean_field_step(const gf__mean_field_activation *activation, double weight_variance,
                         double bias_variance, gf__mean_field_state *state, double *gain);
/* signal_theory.c: the theory for the network, and what was measured beside it. */
gf_status gf__signal_add_theory(gf__fresh *s) GF_MUST_USE;

#endif
