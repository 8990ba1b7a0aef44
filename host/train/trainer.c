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
  gf_buffer *state[2];                  /* of the optimizer, like the flat parameters; or NULL */
  gf_buffer *clip_partial, *clip_scale; /* NULL without optimizer.clip_norm */
  /* For the statistics: the weights before the step, and the tensors' places. */
  gf_buffer *old, *ranges, *partial, *sums;
  gf__statistics_sums *read;
  gf_buffer *kept_running;  /* the running statistics before a step that may be skipped, or NULL */
  gf_buffer *sum;           /* of micro-batches' gradients; NULL: a batch is a single one */
  gf__allreduce *allreduce; /* with the other ranks */
  gf__allreduce *alone;     /* of this rank, for what it does without the others */
  bool skips_nonfinite;
  long skipped;
};

static gf_status open_allreduces(gf_trainer *trainer, const gf__trainer_options *options) {
  gf_model *model = trainer->model;
  GF_TRY(gf__allreduce_new(&trainer->alone, NULL, model, NULL));
  return gf__allreduce_new(&trainer->allreduce, options->communicator, model,
                           options->shard_bounds);
}

static size_t running_bytes(const gf_model *model) { return model->running_floats * sizeof(float); }

static gf_status trainer_allocate(gf_trainer *trainer, const gf__trainer_options *options) {
  gf_model *model = trainer->model;
  gf_device *device = model->device;
  size_t flat = model->flat_floats * sizeof(float);
  int tensors = model->trainable_count;
  size_t range_bytes = (size_t)tensors * 2 * sizeof(int);
  size_t sums_bytes = (size_t)tensors * sizeof(gf__statistics_sums);
  if (options->adds_micro_batches)
    GF_TRY(gf__buffer_new(&trainer->sum, device, flat, "the gradients of micro-batches"));
  for (int i = 0; i < gf__optimizers[trainer->optimizer.kind]->states; i++) {
    GF_TRY(gf__buffer_new(&trainer->state[i], device, flat, "the optimizer's state"));
    GF_TRY(gf__buffer_zero(trainer->state[i]));
  }
  if (trainer->optimizer.clip_norm > 0) {
    GF_TRY(gf__buffer_new(&trainer->clip_partial, device, gf__clip_workspace(),
                          "partial sums of the gradient's norm"));
    GF_TRY(gf__buffer_new(&trainer->clip_scale, device, sizeof(float), "the gradient's scale"));
  }
  GF_TRY(gf__buffer_new(&trainer->old, device, flat, "the weights before a step"));
  if (trainer->skips_nonfinite && model->running)
    GF_TRY(gf__buffer_new(&trainer->kept_running, device, running_bytes(model),
                          "the running statistics before a step"));
  GF_TRY(gf__buffer_new(&trainer->ranges, device, range_bytes, "the places of tensors"));
  GF_TRY(gf__buffer_new(&trainer->partial, device, gf__statistics_workspace(tensors),
                        "partial sums of gradient statistics"));
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
  int tensors = model->trainable_count, states = gf__optimizers[trainer->optimizer.kind]->states;
  size_t clip = trainer->optimizer.clip_norm > 0 ? gf__clip_workspace() + sizeof(float) : 0;
  size_t flat = (size_t)(states + 1 + (trainer->sum != NULL));
  return clip + (trainer->kept_running ? running_bytes(model) : 0) +
         flat * model->flat_floats * sizeof(float) +
         (size_t)tensors * (2 * sizeof(int) + sizeof(gf__statistics_sums)) +
         gf__statistics_workspace(tensors);
}

gf_status gf__trainer_open_with(gf_trainer **out, gf_model *model, const gf_config *config,
                                const gf__trainer_options *options) {
  *out = NULL;
  if (model->trainable_count == 0)
    return gf__fail(GF_ERROR_ARGUMENT, "the network has no parameters to train");
  gf_trainer *trainer = calloc(1, sizeof *trainer);
  if (!trainer) return gf__fail_host_memory(sizeof *trainer);
  trainer->model = model;
  trainer->skips_nonfinite = options->skips_nonfinite;
  gf_status status = gf__optimizer_config_read(&trainer->optimizer, config);
  if (status == GF_OK) status = trainer_allocate(trainer, options);
  if (status == GF_OK) status = open_allreduces(trainer, options);
  if (status != GF_OK) gf_trainer_free(&trainer);
  *out = trainer;
  return status;
}

gf_status gf_trainer_open(gf_trainer **out, gf_model *model, const gf_config *config) {
  return gf__trainer_open_with(out, model, config, &(gf__trainer_options){0});
}

void gf_trainer_free(gf_trainer **trainer_pointer) {
  gf_trainer *trainer = *trainer_pointer;
  if (!trainer) return;
  gf__allreduce_free(&trainer->allreduce);
  gf__allreduce_free(&trainer->alone);
  gf__optimizer_config_free(&trainer->optimizer);
  gf__buffer_free(&trainer->state[0]);
  gf__buffer_free(&trainer->state[1]);
  gf__buffer_free(&trainer->clip_partial);
  gf__buffer_free(&trainer->clip_scale);
  gf__buffer_free(&trainer->sum);
  gf__buffer_free(&trainer->kept_running);
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

long gf__trainer_skipped(const gf_trainer *trainer) { return trainer->skipped; }

gf__allreduce *gf__trainer_allreduce(const gf_trainer *trainer) { return trainer->allreduce; }

gf__allreduce *gf__trainer_alone(const gf_trainer *trainer) { return trainer->alone; }

/* ---- one step ---- */

static gf_status queue_forward(gf_trainer *trainer, int row, bool activations) {
  gf_model *model = trainer->model;
  model->takes_activation_statistics = activations;
  gf_status status = gf__model_queue_forward(model, true, row);
  model->takes_activation_statistics = false;
  return status;
}

static gf_status queue_statistics(gf_trainer *trainer, gf_buffer *gradient, gf_buffer *old) {
  const gf_model *model = trainer->model;
  return gf__statistics(model->device, model->trainable_count, gradient, model->weights, old,
                        trainer->ranges, trainer->partial, trainer->sums);
}

/* Whether the step's gradient is not finite, or what its forward has made of the running
 * statistics: a variance overflows before the loss does. Waits. */
static gf_status find_nonfinite(gf_trainer *trainer, gf_buffer *gradient, bool *found) {
  size_t tensors = (size_t)trainer->model->trainable_count;
  const char *name;
  GF_TRY(queue_statistics(trainer, gradient, trainer->model->weights));
  GF_TRY(gf__buffer_read(trainer->sums, 0, tensors * sizeof *trainer->read, trainer->read));
  GF_TRY(gf__model_find_nonfinite_running(trainer->model, &name));
  *found = name != NULL;
  for (size_t i = 0; i < tensors; i++) *found |= trainer->read[i].nonfinite > 0;
  return GF_OK;
}

static gf_status queue_optimizer(gf_trainer *trainer, gf_buffer *gradient, double learning_rate) {
  const gf_model *model = trainer->model;
  if (trainer->clip_scale)
    GF_TRY(gf__clip_scale(model->device, (int)model->flat_floats, gradient,
                          trainer->optimizer.clip_norm, trainer->clip_partial,
                          trainer->clip_scale));
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
  return gf__optimizers[trainer->optimizer.kind]->step(model->device, &step,
                                                       trainer->optimizer.options);
}

/* From the gradient to the new weights. */
static gf_status queue_update(gf_trainer *trainer, gf_buffer *gradient, double learning_rate,
                              bool statistics) {
  const gf_model *model = trainer->model;
  bool skip = false;
  gf__trainer_set_steps(trainer, trainer->steps + 1);
  if (trainer->skips_nonfinite) GF_TRY(find_nonfinite(trainer, gradient, &skip));
  trainer->skipped += skip;
  if (statistics)
    GF_TRY(gf__buffer_copy(model->weights, trainer->old, model->flat_floats * sizeof(float)));
  if (!skip) GF_TRY(queue_optimizer(trainer, gradient, learning_rate));
  return statistics ? queue_statistics(trainer, gradient, trainer->old) : GF_OK;
}

gf_status gf__trainer_queue_update(gf_trainer *trainer, double learning_rate) {
  return queue_update(trainer, trainer->model->gradients, learning_rate, false);
}

/* ---- micro-batches ---- */

/* The micro-batch of count images from first on, of which a shard may have none. */
static gf_status upload_micro_batch(gf_model *model, const gf_batch *batch, int first, int count) {
  const float *images = batch->images + (size_t)first * gf__tensor_size(&model->graph.input);
  const int *labels = batch->labels + first;
  bool is_mixed = batch->mix < 1, is_whole = count == batch->count;
  model->pass.first_image = batch->first + first;
  model->pass.n = 0;
  if (count == 0 && batch->whole > 0) return GF_OK; /* other ranks have some */
  if (!is_mixed || is_whole)
    return gf__model_upload_mixed(model, images, labels, count, (double)batch->mix);
  /* The second labels follow the first ones of the shard, not those of the micro-batch. */
  size_t bytes = 2 * (size_t)count * sizeof(int);
  int *both = malloc(bytes);
  if (!both) return gf__fail_host_memory(bytes);
  for (int i = 0; i < count; i++) {
    both[i] = labels[i];
    both[count + i] = labels[batch->count + i];
  }
  gf_status status = gf__model_upload_mixed(model, images, both, count, (double)batch->mix);
  free(both);
  return status;
}

/* A single micro-batch's gradient is sent as backward computes it; of several, their sum is. */
static gf_status queue_micro_batch(gf_trainer *trainer, gf__allreduce *allreduce,
                                   const gf_batch *batch, int first, int count, int row,
                                   bool activations) {
  gf_model *model = trainer->model;
  bool adds = trainer->sum && count, is_last = first + count == batch->count;
  GF_TRY(upload_micro_batch(model, batch, first, count));
  GF_TRY(queue_forward(trainer, adds ? GF__MICRO_BATCH_ROW : row, activations && is_last));
  if (!adds) return gf__allreduce_backward(allreduce);
  GF_TRY(gf__model_queue_backward(model));
  model->pass.step = trainer->steps; /* the micro-batches of a step draw from one stream */
  GF_TRY(gf__accumulate(model->device, (int)model->flat_floats, model->gradients, trainer->sum,
                        (double)count / batch->count, first == 0, model->results, row,
                        GF__MICRO_BATCH_ROW));
  return is_last ? gf__allreduce_send(allreduce, trainer->sum) : GF_OK;
}

/* The gradient of this rank's shard of the batch. */
static gf_status queue_gradient(gf_trainer *trainer, gf__allreduce *allreduce,
                                const gf_batch *batch, int row, bool activations) {
  int most = trainer->sum ? trainer->model->batch : batch->count, first = 0;
  do {
    int left = batch->count - first, count = left < most ? left : most;
    GF_TRY(queue_micro_batch(trainer, allreduce, batch, first, count, row, activations));
    first += count;
  } while (first < batch->count);
  return GF_OK;
}

static gf_status queue_step(gf_trainer *trainer, gf__allreduce *allreduce, const gf_batch *batch,
                            double learning_rate, int row, gf__measure measure) {
  gf_buffer *gradient = gf__trainer_gradient(trainer), *running = trainer->model->running;
  size_t bytes = running_bytes(trainer->model);
  long skipped = trainer->skipped;
  if (trainer->kept_running) GF_TRY(gf__buffer_copy(running, trainer->kept_running, bytes));
  gf__allreduce_start(allreduce, batch->whole);
  GF_TRY(queue_gradient(trainer, allreduce, batch, row, measure == GF__MEASURE_ACTIVATIONS));
  GF_TRY(gf__allreduce_finish(allreduce, gradient, row));
  GF_TRY(queue_update(trainer, gradient, learning_rate, measure != GF__MEASURE_NOTHING));
  bool undoes = trainer->kept_running && trainer->skipped > skipped;
  return undoes ? gf__buffer_copy(trainer->kept_running, running, bytes) : GF_OK;
}

gf_status gf__trainer_queue_step(gf_trainer *trainer, const gf_batch *batch, double learning_rate,
                                 int row, gf__measure measure) {
  return queue_step(trainer, trainer->allreduce, batch, learning_rate, row, measure);
}

/* ---- alone ---- */

gf_status gf__trainer_zeros(const gf_trainer *trainer, gf_batch *out) {
  const gf_model *model = trainer->model;
  size_t pixels = (size_t)model->batch * gf__tensor_size(&model->graph.input);
  float *images = calloc(pixels, sizeof *images);
  int *labels = calloc(2 * (size_t)model->batch, sizeof *labels);
  *out = (gf_batch){.images = images, .labels = labels, .count = model->batch, .mix = 1};
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
  gf_status status = queue_step(trainer, trainer->alone, &zeros, 0, 0, GF__MEASURE_NOTHING);
  *launches = (int)(gf__device_launches(model->device) - before);
  if (status == GF_OK)
    status = queue_step(trainer, trainer->alone, &zeros, 0, 0, GF__MEASURE_ACTIVATIONS);
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
    gf__allreduce_start(trainer->alone, zeros->count);
    GF_TRY(queue_gradient(trainer, trainer->alone, zeros, 0, false));
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

static gf_gradient_stats gradient_stats_of(const gf__parameter *p, const gf__statistics_sums *s) {
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
      .nonfinite = (long)s->nonfinite,
      .weight_l2 = weights};
}

gf_status gf__trainer_read_gradients(gf_trainer *trainer, gf_gradient_stats *out) {
  size_t tensors = (size_t)trainer->model->trainable_count;
  GF_TRY(gf__buffer_read(trainer->sums, 0, tensors * sizeof *trainer->read, trainer->read));
  for (size_t i = 0; i < tensors; i++)
    out[i] = gradient_stats_of(trainer->model->parameters[i], &trainer->read[i]);
  return GF_OK;
}

gf_status gf_trainer_step(gf_trainer *trainer, const float *images, const int *labels, int count,
                          double learning_rate, gf_loss *loss, gf_gradient_stats *gradients) {
  float sums[2];
  if (!labels) return gf__fail(GF_ERROR_ARGUMENT, "a training step needs labels");
  gf_batch batch = {.images = images, .labels = labels, .count = count, .mix = 1};
  GF_TRY(gf__trainer_queue_step(trainer, &batch, learning_rate, 0,
                                gradients ? GF__MEASURE_GRADIENTS : GF__MEASURE_NOTHING));
  GF_TRY(gf__model_read_results(trainer->model, 0, 1, sums));
  if (loss) *loss = (gf_loss){sums[0] / count, (int)sums[1]};
  return gradients ? gf__trainer_read_gradients(trainer, gradients) : GF_OK;
}
