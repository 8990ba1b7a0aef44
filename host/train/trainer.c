#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>

#include "ops/statistics.h"

struct gf_trainer {
  gf_model *model;
  gf__optimizer_config optimizer;
  int steps;
  gf__buffer *state[2]; /* of the optimizer, like the flat parameters; or NULL */
  /* For the statistics: the weights before the step, and the tensors' places. */
  gf__buffer *old, *ranges, *partial, *sums;
  gf__statistics_sums *read;
};

static gf_status allocate(gf_trainer *trainer) {
  gf_model *model = trainer->model;
  gf_device *device = model->device;
  size_t flat = model->flat_floats * sizeof(float);
  int tensors = model->trainable_count;
  size_t range_bytes = (size_t)tensors * 2 * sizeof(int);
  size_t sums_bytes = (size_t)tensors * sizeof(gf__statistics_sums);
  for (int i = 0; i < gf__optimizers[trainer->optimizer.name]->states; i++) {
    GF_TRY(gf__buffer_new(&trainer->state[i], device, flat, "the optimizer's state"));
    GF_TRY(gf__buffer_zero(trainer->state[i]));
  }
  GF_TRY(gf__buffer_new(&trainer->old, device, flat, "the weights before a step"));
  GF_TRY(gf__buffer_new(&trainer->ranges, device, range_bytes, "the places of tensors"));
  GF_TRY(gf__buffer_new(&trainer->partial, device, gf__statistics_workspace(tensors),
                        "parts of gradient statistics"));
  GF_TRY(gf__buffer_new(&trainer->sums, device, sums_bytes, "gradient statistics"));
  trainer->read = malloc(sums_bytes);
  int *ranges = malloc(range_bytes);
  if (!trainer->read || !ranges) {
    free(ranges);
    return gf__fail_host_memory(sums_bytes + range_bytes);
  }
  for (int i = 0; i < tensors; i++) {
    ranges[2 * i] = (int)model->parameters[i]->offset;
    ranges[2 * i + 1] = (int)model->parameters[i]->count;
  }
  gf_status status = gf__buffer_write(trainer->ranges, 0, range_bytes, ranges);
  free(ranges);
  return status;
}

size_t gf__trainer_memory(const gf_trainer *trainer) {
  const gf_model *model = trainer->model;
  int tensors = model->trainable_count, states = gf__optimizers[trainer->optimizer.name]->states;
  return (size_t)(states + 1) * model->flat_floats * sizeof(float) +
         (size_t)tensors * (2 * sizeof(int) + sizeof(gf__statistics_sums)) +
         gf__statistics_workspace(tensors);
}

gf_status gf_trainer_open(gf_trainer **out, gf_model *model, const gf_config *config) {
  *out = NULL;
  if (model->trainable_count == 0)
    return gf__fail(GF_ERROR_ARGUMENT, "the network has no parameters to train");
  gf_trainer *trainer = calloc(1, sizeof *trainer);
  if (!trainer) return gf__fail_host_memory(sizeof *trainer);
  trainer->model = model;
  gf_status status = gf__optimizer_config_read(&trainer->optimizer, config);
  if (status == GF_OK) status = allocate(trainer);
  if (status != GF_OK) gf_trainer_free(&trainer);
  *out = trainer;
  return status;
}

void gf_trainer_free(gf_trainer **trainer_pointer) {
  gf_trainer *trainer = *trainer_pointer;
  if (!trainer) return;
  gf__optimizer_config_free(&trainer->optimizer);
  gf__buffer_free(&trainer->state[0]);
  gf__buffer_free(&trainer->state[1]);
  gf__buffer_free(&trainer->old);
  gf__buffer_free(&trainer->ranges);
  gf__buffer_free(&trainer->partial);
  gf__buffer_free(&trainer->sums);
  free(trainer->read);
  free(trainer);
  *trainer_pointer = NULL;
}

const gf__optimizer_config *gf__trainer_optimizer(const gf_trainer *trainer) {
  return &trainer->optimizer;
}

int gf_trainer_gradient_count(const gf_trainer *trainer) { return trainer->model->trainable_count; }

gf_status gf__trainer_queue_step(gf_trainer *trainer, double learning_rate, int slot,
                                 bool statistics) {
  gf_model *model = trainer->model;
  GF_TRY(gf__model_queue_forward(model, true, slot));
  GF_TRY(gf__model_queue_backward(model));
  if (statistics)
    GF_TRY(gf__buffer_copy(model->weights, trainer->old, model->flat_floats * sizeof(float)));
  gf__optimizer_step step = {.count = (int)model->flat_floats,
                             .w = model->weights,
                             .gradient = model->gradients,
                             .first = trainer->state[0],
                             .second = trainer->state[1],
                             .learning_rate = learning_rate,
                             .weight_decay = trainer->optimizer.weight_decay};
  GF_TRY(gf__optimizers[trainer->optimizer.name]->step(model->device, &step, ++trainer->steps,
                                                       trainer->optimizer.options));
  if (!statistics) return GF_OK;
  return gf__statistics(model->device, model->trainable_count, model->gradients, model->weights,
                        trainer->old, trainer->ranges, trainer->partial, trainer->sums);
}

gf_status gf__trainer_prepare(gf_trainer *trainer, unsigned long long seed, int *launches) {
  gf_model *model = trainer->model;
  GF_TRY(gf__buffer_zero(model->graph.input.data));
  GF_TRY(gf__buffer_zero(model->labels));
  model->pass.n = model->batch;
  model->pass.labels = model->labels;
  long before = gf__device_launches(model->device);
  GF_TRY(gf__trainer_queue_step(trainer, 0, 0, false));
  *launches = (int)(gf__device_launches(model->device) - before);
  GF_TRY(gf__trainer_queue_step(trainer, 0, 0, true));
  GF_TRY(gf__model_queue_forward(model, false, 0));
  GF_TRY(gf_device_finish(model->device));
  for (int i = 0; i < 2; i++)
    if (trainer->state[i]) GF_TRY(gf__buffer_zero(trainer->state[i]));
  trainer->steps = model->pass.step = 0;
  return gf__model_initialise(model, seed);
}

static gf_gradient describe(const gf__parameter *p, const gf__statistics_sums *s) {
  double count = (double)p->count, weights = sqrt(s->weight_squares);
  return (gf_gradient){.layer = p->layer,
                       .parameter = p->name,
                       .is_weight = p->is_weight,
                       .mean_abs = s->absolute / count,
                       .l2 = sqrt(s->squares + s->small_squares * 0x1p-120),
                       .max_abs = s->maximum,
                       .zeros = s->zeros / count,
                       .update_ratio = weights > 0 ? sqrt(s->update_squares) / weights : NAN,
                       .nonfinite = (long)s->nonfinite};
}

gf_status gf__trainer_read_gradients(gf_trainer *trainer, gf_gradient *out) {
  size_t tensors = (size_t)trainer->model->trainable_count;
  GF_TRY(gf__buffer_read(trainer->sums, 0, tensors * sizeof *trainer->read, trainer->read));
  for (size_t i = 0; i < tensors; i++)
    out[i] = describe(trainer->model->parameters[i], &trainer->read[i]);
  return GF_OK;
}

gf_status gf_trainer_step(gf_trainer *trainer, const float *images, const int *labels, int count,
                          double learning_rate, gf_loss *loss, gf_gradient *gradients) {
  float sums[2];
  if (!labels) return gf__fail(GF_ERROR_ARGUMENT, "a training step needs labels");
  GF_TRY(gf__model_upload(trainer->model, images, labels, count));
  GF_TRY(gf__trainer_queue_step(trainer, learning_rate, 0, gradients != NULL));
  GF_TRY(gf__model_read_results(trainer->model, 0, 1, sums));
  if (loss) *loss = (gf_loss){sums[0] / count, (int)sums[1]};
  return gradients ? gf__trainer_read_gradients(trainer, gradients) : GF_OK;
}
