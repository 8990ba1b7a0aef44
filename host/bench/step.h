/* A training step of a network, or inference, on one constant batch in host memory. */
#ifndef GF_BENCH_STEP_H
#define GF_BENCH_STEP_H

#include "train/trainer.h"

typedef struct gf__bench_step {
  gf_model *model;
  gf_trainer *trainer;
  gf_batch batch; /* its images and labels belong to the step */
  float *images;
  int *labels;
} gf__bench_step;

/* Free it also after a failure. */
gf_status gf__bench_step_open(gf__bench_step *out, gf_device *device, const gf_config *config,
                              gf_image_shape image, int classes, int batch) GF_MUST_USE;
void gf__bench_step_free(gf__bench_step *step);
/* A gf__bench_work: forward, backward and the optimizer of the gf__bench_step at user; waits for
 * the loss. */
gf_status gf__bench_step_run(void *user) GF_MUST_USE;

/* Of a step: multiply-adds of its convolutions and linear layers, and the bytes that its passes
 * read and write at least. */
double gf__bench_step_flops(const gf__bench_step *step);
double gf__bench_step_bytes(const gf__bench_step *step);
double gf__bench_step_upload(const gf__bench_step *step);
/* The same of inference. */
double gf__bench_inference_flops(const gf__bench_step *step);
double gf__bench_inference_bytes(const gf__bench_step *step);

#endif
