#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>

#include "base/os.h"
#include "ops/accumulate.h"
#include "ops/clip.h"
#include "ops/statistics.h"

struct gf_trainer {
  gf_model *model;
  gf__optimizer_config optimizer;
  int steps;
  gf_buffer *state[2];                /* of the optimizer, like the flat parameters; or NULL */
  gf_buffer *clip_parts, *clip_scale; /* NULL without optimizer.clip_norm */
  /* For the statistics: the weights before the step, and the tensors' places. */
  gf_buffer *old, *ranges, *partial, *sums;
  gf__statistics_sums *read;
  gf_buffer *sum; /* of the gradients of a batch's parts; NULL where batches are not split */
  bool skips;     /* steps whose gradient is not finite */
  long skipped;
  gf__allreduce *exchange; /* with the other ranks; NULL: there are none */
  gf__global_step step;    /* of all ranks, the last */
  bool wants_stop;
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
  if (trainer->optimizer.clip_norm > 0) {
    GF_TRY(gf__buffer_new(&trainer->clip_parts, device, gf__clip_workspace(),
                          "parts of the gradient's norm"));
    GF_TRY(gf__buffer_new(&trainer->clip_scale, device, sizeof(float), "the gradient's scale"));
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
  size_t clip = trainer->optimizer.clip_norm > 0 ? gf__clip_workspace() + sizeof(float) : 0;
  size_t flat = (size_t)(states + 1 + (trainer->sum != NULL));
  return clip + flat * model->flat_floats * sizeof(float) +
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
  gf__buffer_free(&trainer->clip_parts);
  gf__buffer_free(&trainer->clip_scale);
  gf__buffer_free(&trainer->sum);
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

gf_model *gf__trainer_model(const gf_trainer *trainer) { return trainer->model; }

gf_buffer *gf__trainer_gradient(const gf_trainer *trainer) {
  return trainer->sum ? trainer->sum : trainer->model->gradients;
}

gf_buffer *gf__trainer_state(const gf_trainer *trainer, int index) { return trainer->state[index]; }

void gf__trainer_set_steps(gf_trainer *trainer, int steps) {
  trainer->steps = trainer->model->pass.step = steps;
}

int gf_trainer_gradient_count(const gf_trainer *trainer) { return trainer->model->trainable_count; }

gf_status gf__trainer_split_batches(gf_trainer *trainer) {
  return gf__buffer_new(&trainer->sum, trainer->model->device,
                        trainer->model->flat_floats * sizeof(float),
                        "the gradients of the parts of a batch");
}

void gf__trainer_skip_nonfinite(gf_trainer *trainer) { trainer->skips = true; }

long gf__trainer_skipped(const gf_trainer *trainer) { return trainer->skipped; }

void gf__trainer_share(gf_trainer *trainer, gf__allreduce *exchange) {
  trainer->exchange = exchange;
}

gf__global_step gf__trainer_step_of_all(const gf_trainer *trainer) { return trainer->step; }

void gf__trainer_want_stop(gf_trainer *trainer) { trainer->wants_stop = true; }

/* ---- one step ---- */

static gf_status queue_forward(gf_trainer *trainer, int slot, bool activations) {
  gf_model *model = trainer->model;
  model->takes_activation_statistics = activations;
  gf_status status = gf__model_queue_forward(model, true, slot);
  model->takes_activation_statistics = false;
  return status;
}

/* Forward and backward of what was uploaded. */
static gf_status queue_pass(gf_trainer *trainer, int slot, bool activations) {
  GF_TRY(queue_forward(trainer, slot, activations));
  return gf__model_queue_backward(trainer->model);
}

static gf_status queue_statistics(gf_trainer *trainer, gf_buffer *gradient, gf_buffer *old) {
  const gf_model *model = trainer->model;
  return gf__statistics(model->device, model->trainable_count, gradient, model->weights, old,
                        trainer->ranges, trainer->partial, trainer->sums);
}

/* Waits for it. */
static gf_status find_nonfinite(gf_trainer *trainer, gf_buffer *gradient, bool *found) {
  size_t tensors = (size_t)trainer->model->trainable_count;
  GF_TRY(queue_statistics(trainer, gradient, trainer->model->weights));
  GF_TRY(gf__buffer_read(trainer->sums, 0, tensors * sizeof *trainer->read, trainer->read));
  *found = false;
  for (size_t i = 0; i < tensors; i++) *found |= trainer->read[i].nonfinite > 0;
  return GF_OK;
}

static gf_status queue_optimizer(gf_trainer *trainer, gf_buffer *gradient, double learning_rate) {
  const gf_model *model = trainer->model;
  if (trainer->clip_scale)
    GF_TRY(gf__clip_scale(model->device, (int)model->flat_floats, gradient,
                          trainer->optimizer.clip_norm, trainer->clip_parts, trainer->clip_scale));
  gf__optimizer_step step = {.t = trainer->steps,
                             .count = (int)model->flat_floats,
                             .w = model->weights,
                             .gradient = gradient,
                             .first = trainer->state[0],
                             .second = trainer->state[1],
                             .learning_rate = learning_rate,
                             .weight_decay = trainer->optimizer.weight_decay,
                             .clip_scale = trainer->clip_scale,
                             .clip_value = trainer->optimizer.clip_value};
  return gf__optimizers[trainer->optimizer.name]->step(model->device, &step,
                                                       trainer->optimizer.options);
}

/* From the gradient to the new weights. */
static gf_status queue_update(gf_trainer *trainer, gf_buffer *gradient, double learning_rate,
                              bool statistics) {
  const gf_model *model = trainer->model;
  bool skip = false;
  gf__trainer_set_steps(trainer, trainer->steps + 1);
  if (trainer->skips) GF_TRY(find_nonfinite(trainer, gradient, &skip));
  trainer->skipped += skip;
  if (statistics)
    GF_TRY(gf__buffer_copy(model->weights, trainer->old, model->flat_floats * sizeof(float)));
  if (!skip) GF_TRY(queue_optimizer(trainer, gradient, learning_rate));
  return statistics ? queue_statistics(trainer, gradient, trainer->old) : GF_OK;
}

gf_status gf__trainer_queue_update(gf_trainer *trainer, double learning_rate) {
  return queue_update(trainer, trainer->model->gradients, learning_rate, false);
}

/* Images first to first + count - 1 of the batch. */
static gf_status upload_part(gf_model *model, const gf_batch *batch, int first, int count) {
  const float *images = batch->images + (size_t)first * gf__tensor_size(&model->graph.input);
  const int *labels = batch->labels + first;
  model->pass.first_image = batch->first + first;
  bool is_mixed = batch->share < 1, is_whole = count == batch->count;
  if (!is_mixed || is_whole)
    return gf__model_upload_mixed(model, images, labels, count, (double)batch->share);
  /* The labels of the other images follow those of all images, not those of the part. */
  size_t bytes = 2 * (size_t)count * sizeof(int);
  int *both = malloc(bytes);
  if (!both) return gf__fail_host_memory(bytes);
  for (int i = 0; i < count; i++) {
    both[i] = labels[i];
    both[count + i] = labels[batch->count + i];
  }
  gf_status status = gf__model_upload_mixed(model, images, both, count, (double)batch->share);
  free(both);
  return status;
}

static gf_status queue_parts(gf_trainer *trainer, const gf_batch *batch, int slot,
                             bool activations) {
  gf_model *model = trainer->model;
  for (int first = 0; first < batch->count; first += model->batch) {
    int left = batch->count - first, count = left < model->batch ? left : model->batch;
    GF_TRY(upload_part(model, batch, first, count));
    GF_TRY(queue_pass(trainer, GF__PART_SLOT, activations && count == left));
    model->pass.step = trainer->steps; /* the parts of a step draw from one stream */
    GF_TRY(gf__accumulate(model->device, (int)model->flat_floats, model->gradients, trainer->sum,
                          (double)count / batch->count, first == 0, model->results, slot,
                          GF__PART_SLOT));
  }
  return GF_OK;
}

/* This rank's part of the batch, which may be none of it, and the exchange with the others. */
static gf_status queue_shared(gf_trainer *trainer, const gf_batch *batch, int slot,
                              bool activations) {
  gf_model *model = trainer->model;
  gf__allreduce *exchange = trainer->exchange;
  gf__allreduce_begin(exchange, batch->whole);
  if (trainer->sum && batch->count) {
    GF_TRY(queue_parts(trainer, batch, slot, activations));
    return gf__allreduce_send(exchange, trainer->sum);
  }
  model->pass.n = 0;
  if (batch->count) GF_TRY(upload_part(model, batch, 0, batch->count));
  GF_TRY(queue_forward(trainer, slot, activations));
  return gf__allreduce_backward(exchange);
}

gf_status gf__trainer_queue_step(gf_trainer *trainer, const gf_batch *batch, double learning_rate,
                                 int slot, gf__measure measure) {
  gf_model *model = trainer->model;
  bool activations = measure == GF__MEASURE_ACTIVATIONS, gradients = measure != GF__MEASURE_NOTHING;
  if (trainer->exchange) {
    gf_buffer *gradient = trainer->sum ? trainer->sum : model->gradients;
    GF_TRY(queue_shared(trainer, batch, slot, activations));
    GF_TRY(gf__allreduce_finish(trainer->exchange, gradient, slot, trainer->wants_stop,
                                &trainer->step));
    return queue_update(trainer, gradient, learning_rate, gradients);
  }
  if (trainer->sum) {
    GF_TRY(queue_parts(trainer, batch, slot, activations));
  } else {
    GF_TRY(upload_part(model, batch, 0, batch->count));
    GF_TRY(queue_pass(trainer, slot, activations));
  }
  return queue_update(trainer, gf__trainer_gradient(trainer), learning_rate, gradients);
}

gf_status gf__trainer_zeros(const gf_trainer *trainer, gf_batch *out) {
  const gf_model *model = trainer->model;
  size_t pixels = (size_t)model->batch * gf__tensor_size(&model->graph.input);
  float *images = calloc(pixels, sizeof *images);
  int *labels = calloc(2 * (size_t)model->batch, sizeof *labels);
  *out = (gf_batch){.images = images, .labels = labels, .count = model->batch, .share = 1};
  if (images && labels) return GF_OK;
  free(images);
  free(labels);
  return gf__fail_host_memory(pixels * sizeof *images);
}

void gf__trainer_zeros_free(gf_batch *zeros) {
  free((float *)zeros->images);
  free((int *)zeros->labels);
}

gf_status gf__trainer_prepare(gf_trainer *trainer, unsigned long long seed, int *launches) {
  gf_model *model = trainer->model;
  gf_batch zeros;
  GF_TRY(gf__trainer_zeros(trainer, &zeros));
  long before = gf__device_launches(model->device);
  gf_status status = gf__trainer_queue_step(trainer, &zeros, 0, 0, GF__MEASURE_NOTHING);
  *launches = (int)(gf__device_launches(model->device) - before);
  if (status == GF_OK)
    status = gf__trainer_queue_step(trainer, &zeros, 0, 0, GF__MEASURE_ACTIVATIONS);
  gf__trainer_zeros_free(&zeros);
  GF_TRY(status);
  GF_TRY(gf__model_queue_forward(model, false, 0));
  GF_TRY(gf_device_finish(model->device));
  for (int i = 0; i < 2; i++)
    if (trainer->state[i]) GF_TRY(gf__buffer_zero(trainer->state[i]));
  gf__trainer_set_steps(trainer, 0);
  return gf__model_initialise(model, seed);
}

static gf_status measure_steps(gf_trainer *trainer, const gf_batch *zeros, double *seconds) {
  static const double enough = 0.5; /* seconds */
  enum { LEAST = 3, MOST = 200 };
  int steps = 0;
  double begin = gf__seconds();
  do {
    GF_TRY(upload_part(trainer->model, zeros, 0, zeros->count));
    GF_TRY(queue_pass(trainer, 0, false));
    GF_TRY(gf_device_finish(trainer->model->device));
    *seconds = (gf__seconds() - begin) / ++steps;
  } while (steps < LEAST || (steps < MOST && *seconds * steps < enough));
  return GF_OK;
}

gf_status gf__trainer_measure(gf_trainer *trainer, double *seconds) {
  gf_batch zeros;
  int steps = trainer->steps;
  GF_TRY(gf__trainer_zeros(trainer, &zeros));
  gf_status status = measure_steps(trainer, &zeros, seconds);
  gf__trainer_zeros_free(&zeros);
  gf__trainer_set_steps(trainer, steps);
  return status;
}

gf_status gf__trainer_measure_update(gf_trainer *trainer, double *seconds) {
  enum { TIMES = 5 };
  int steps = trainer->steps;
  *seconds = INFINITY;
  for (int i = 0; i < TIMES; i++) {
    double begin = gf__seconds();
    GF_TRY(gf__trainer_queue_update(trainer, 0));
    GF_TRY(gf_device_finish(trainer->model->device));
    *seconds = fmin(*seconds, gf__seconds() - begin);
  }
  gf__trainer_set_steps(trainer, steps);
  return GF_OK;
}

static gf_gradient_stats describe(const gf__parameter *p, const gf__statistics_sums *s) {
  double count = (double)p->count, weights = sqrt((double)s->weight_squares);
  return (gf_gradient_stats){
      .layer = p->layer,
      .parameter = p->name,
      .is_weight = p->is_weight,
      .mean_abs = s->absolute / count,
      .l2 = sqrt(s->squares + s->small_squares * 0x1p-120),
      .max_abs = s->maximum,
      .zeros = s->zeros / count,
      .update_ratio = weights > 0 ? sqrt((double)s->update_squares) / weights : NAN,
      .nonfinite = (long)s->nonfinite};
}

gf_status gf__trainer_read_gradients(gf_trainer *trainer, gf_gradient_stats *out) {
  size_t tensors = (size_t)trainer->model->trainable_count;
  GF_TRY(gf__buffer_read(trainer->sums, 0, tensors * sizeof *trainer->read, trainer->read));
  for (size_t i = 0; i < tensors; i++)
    out[i] = describe(trainer->model->parameters[i], &trainer->read[i]);
  return GF_OK;
}

gf_status gf_trainer_step(gf_trainer *trainer, const float *images, const int *labels, int count,
                          double learning_rate, gf_loss *loss, gf_gradient_stats *gradients) {
  float sums[2];
  if (!labels) return gf__fail(GF_ERROR_ARGUMENT, "a training step needs labels");
  gf_batch batch = {.images = images, .labels = labels, .count = count, .share = 1};
  GF_TRY(gf__trainer_queue_step(trainer, &batch, learning_rate, 0,
                                gradients ? GF__MEASURE_GRADIENTS : GF__MEASURE_NOTHING));
  GF_TRY(gf__model_read_results(trainer->model, 0, 1, sums));
  if (loss) *loss = (gf_loss){sums[0] / count, (int)sums[1]};
  return gradients ? gf__trainer_read_gradients(trainer, gradients) : GF_OK;
}
