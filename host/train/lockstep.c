#include "train/lockstep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tensor in l->values. */
typedef struct tensor {
  gf_divergence_phase phase;
  const char *layer, *name;
  int shape[5], dims;
  size_t count;
} tensor;

/* ---- opening ---- */

static size_t largest_tensor(const gf_model *model) {
  size_t largest = gf__tensor_size(&model->graph.input) * (size_t)model->batch;
  for (int i = 0; i < model->graph.count; i++) {
    size_t count = gf__tensor_size(&model->graph.nodes[i]->out) * (size_t)model->batch;
    if (count > largest) largest = count;
  }
  for (int i = 0; i < model->parameter_count; i++)
    if (model->parameters[i]->count > largest) largest = model->parameters[i]->count;
  return largest;
}

static gf_status add_layers(gf_divergence *result, const gf_model *model) {
  size_t count = (size_t)model->graph.count;
  result->layers = calloc(count, sizeof *result->layers);
  if (!result->layers) return gf__fail_host_memory(count * sizeof *result->layers);
  result->layer_count = model->graph.count;
  result->parameter_count = model->trainable_count;
  for (size_t i = 0; i < count; i++) {
    memcpy(result->layers[i].name, model->graph.nodes[i]->name, sizeof result->layers[i].name);
    for (int k = 0; k < GF_DIVERGENCE_PHASES; k++) result->layers[i].differences[k] = NAN;
  }
  return GF_OK;
}

gf_status gf__lockstep_open(gf__lockstep *l, gf_device *const devices[2], const gf_config *config,
                            gf_dataset_info info, int batch, unsigned long long seed) {
  gf_image_shape image = {info.height, info.width, info.channels};
  for (int i = 0; i < 2; i++) {
    int launches;
    GF_TRY(gf__model_open_with(&l->models[i], devices[i], config, image, info.classes, batch, seed,
                               &(gf__model_options){.measures_nothing = true}));
    GF_TRY(gf_trainer_open(&l->trainers[i], l->models[i], config));
    GF_TRY(gf__trainer_prepare(l->trainers[i], seed, &launches));
  }
  size_t bytes = largest_tensor(l->models[0]) * sizeof *l->values[0];
  for (int i = 0; i < 2; i++) l->values[i] = malloc(bytes);
  if (!l->values[0] || !l->values[1]) return gf__fail_host_memory(2 * bytes);
  GF_TRY(gf__lockstep_align(l));
  return add_layers(l->result, l->models[0]);
}

void gf__lockstep_close(gf__lockstep *l) {
  for (int i = 0; i < 2; i++) {
    gf_trainer_free(&l->trainers[i]);
    gf_model_free(&l->models[i]);
    free(l->values[i]);
  }
}

/* Through the host: the devices may have nothing in common, nor the same alignment. */
static gf_status copy_state(gf__lockstep *l, int index, int state) {
  const gf__parameter *p = l->models[0]->parameters[index], *q = l->models[1]->parameters[index];
  gf_buffer *from = gf__trainer_state(l->trainers[0], state);
  gf_buffer *to = gf__trainer_state(l->trainers[1], state);
  size_t bytes = p->count * sizeof(float);
  if (!from) return GF_OK;
  GF_TRY(gf__buffer_read(from, p->offset * sizeof(float), bytes, l->values[0]));
  return gf__buffer_write(to, q->offset * sizeof(float), bytes, l->values[0]);
}

gf_status gf__lockstep_align(gf__lockstep *l) {
  for (int i = 0; i < l->models[0]->parameter_count; i++) {
    GF_TRY(gf_model_read_parameter(l->models[0], i, l->values[0]));
    GF_TRY(gf_model_write_parameter(l->models[1], i, l->values[0]));
  }
  for (int i = 0; i < l->models[0]->trainable_count; i++)
    for (int k = 0; k < 2; k++) GF_TRY(copy_state(l, i, k));
  return GF_OK;
}

/* ---- comparing ---- */

/* max that knows NaN as nothing. */
static void keep_largest(double *largest, double value) {
  if (!(*largest >= value)) *largest = value;
}

static gf_divergence_place place_of(const gf__lockstep *l, const tensor *t, size_t element,
                                    double difference) {
  gf_divergence_place place = {.step = l->step,
                               .phase = t->phase,
                               .dims = t->dims,
                               .a = (double)l->values[0][element],
                               .b = (double)l->values[1][element],
                               .difference = difference};
  snprintf(place.layer, sizeof place.layer, "%s", t->layer);
  snprintf(place.tensor, sizeof place.tensor, "%s", t->name);
  for (int i = t->dims - 1; i >= 0; i--) {
    place.shape[i] = t->shape[i];
    place.index[i] = (int)(element % (size_t)t->shape[i]);
    element /= (size_t)t->shape[i];
  }
  return place;
}

static double *differences_of(gf_divergence *result, const char *layer) {
  for (int i = 0; i < result->layer_count; i++)
    if (strcmp(result->layers[i].name, layer) == 0) return result->layers[i].differences;
  return NULL; /* not reached: every tensor is of a layer */
}

/* Of l->values, which are a's and b's; *element is where they differ most. *square, the mean of a's
 * squares, becomes what it is, but no less than it was. */
static double rms_difference(const gf__lockstep *l, size_t count, double *square, size_t *element) {
  double squares = 0, apart = 0, most = 0;
  *element = 0;
  for (size_t i = 0; i < count; i++) {
    double a = (double)l->values[0][i], b = (double)l->values[1][i];
    if (isfinite(a)) squares += a * a;
    if (a == b || (isnan(a) && isnan(b))) continue;
    double d = isfinite(a - b) ? fabs(a - b) : (double)INFINITY;
    apart += d * d;
    if (d > most) most = d, *element = i;
  }
  *square = fmax(*square, squares / (double)count);
  return apart > 0 ? sqrt(apart / (double)count / *square) : 0;
}

/* square: as rms_difference has it; 0 for a tensor by itself. */
static void compare_values(gf__lockstep *l, const tensor *t, double *square) {
  gf_divergence *result = l->result;
  size_t element;
  double difference = rms_difference(l, t->count, square, &element);
  gf_divergence_place place = place_of(l, t, element, difference);
  keep_largest(&differences_of(result, t->layer)[t->phase], difference);
  keep_largest(&result->steps[l->step - 1].differences[t->phase], difference);
  if (!result->worst.step || difference > result->worst.difference) result->worst = place;
  if (difference <= l->tolerance) return;
  result->first = place;
  result->diverged = 1;
}

/* What lies in a buffer of each device, batch first. */
static gf_status compare_tensor(gf__lockstep *l, const gf_node *node, gf_divergence_phase phase,
                                const gf__tensor *t, gf_buffer *const buffers[2]) {
  int images = l->models[0]->pass.n;
  tensor c = {.phase = phase,
              .layer = node->name,
              .name = *t->name ? t->name : "input",
              .count = (size_t)images * gf__tensor_size(t)};
  const int dims[] = {images, t->d, t->h, t->w, t->c};
  for (int i = 0; i < 5; i++)
    if (i != 1 || t->d > 1) c.shape[c.dims++] = dims[i];
  for (int i = 0; i < 2; i++)
    GF_TRY(gf__buffer_read(buffers[i], 0, c.count * sizeof(float), l->values[i]));
  compare_values(l, &c, &(double){0});
  return GF_OK;
}

static gf_status compare_parameter(gf__lockstep *l, int index, gf_divergence_phase phase,
                                   double *square) {
  gf_parameter_info p = gf_model_parameter(l->models[0], index);
  tensor c = {
      .phase = phase, .layer = p.layer, .name = p.name, .dims = p.dim_count, .count = p.count};
  memcpy(c.shape, p.dims, sizeof c.shape);
  for (int i = 0; i < 2; i++)
    GF_TRY(phase == GF_DIVERGENCE_GRADIENT
               ? gf_model_read_gradient(l->models[i], index, l->values[i])
               : gf_model_read_parameter(l->models[i], index, l->values[i]));
  compare_values(l, &c, square);
  return GF_OK;
}

/* A bias is compared relative to the preceding weights, if those are larger: before a norm its
 * gradient is 0 but for rounding. */
static gf_status compare_parameters(gf__lockstep *l, gf_divergence_phase phase, int count) {
  double square = 0;
  for (int i = 0; i < count && !l->result->diverged; i++) {
    if (gf_model_parameter(l->models[0], i).is_weight) square = 0;
    GF_TRY(compare_parameter(l, i, phase, &square));
  }
  return GF_OK;
}

/* ---- a step ---- */

static gf_status lockstep_forward(gf__lockstep *l, const gf_batch *batch) {
  for (int i = 0; i < 2; i++) {
    GF_TRY(gf__model_upload_mixed(l->models[i], batch->images, batch->labels, batch->count,
                                  (double)batch->mix));
    gf__model_begin_forward(l->models[i], true, 0);
  }
  for (int n = 0; n < l->models[0]->graph.count && !l->result->diverged; n++) {
    gf_node *nodes[] = {l->models[0]->graph.nodes[n], l->models[1]->graph.nodes[n]};
    for (int i = 0; i < 2; i++) GF_TRY(nodes[i]->layer->forward(nodes[i], &l->models[i]->pass));
    gf_buffer *const outputs[] = {nodes[0]->out.data, nodes[1]->out.data};
    if (outputs[0])
      GF_TRY(compare_tensor(l, nodes[0], GF_DIVERGENCE_FORWARD, &nodes[0]->out, outputs));
  }
  return GF_OK;
}

static gf_status read_losses(gf__lockstep *l, int images) {
  for (int i = 0; i < 2; i++) {
    float sums[2];
    GF_TRY(gf__model_read_results(l->models[i], 0, 1, sums));
    l->result->steps[l->step - 1].losses[i] = (double)sums[0] / images;
  }
  return GF_OK;
}

static gf_status lockstep_backward(gf__lockstep *l) {
  for (int n = l->models[0]->graph.count - 1; n >= 0 && !l->result->diverged; n--) {
    const gf_node *nodes[] = {l->models[0]->graph.nodes[n], l->models[1]->graph.nodes[n]};
    for (int i = 0; i < 2; i++) GF_TRY(gf__model_queue_backward_nodes(l->models[i], n, n + 1));
    for (int k = 0; k < nodes[0]->in_count && !l->result->diverged; k++) {
      gf_buffer *const gradients[] = {nodes[0]->input_gradients[k].grad,
                                      nodes[1]->input_gradients[k].grad};
      if (gradients[0])
        GF_TRY(compare_tensor(l, nodes[0], GF_DIVERGENCE_BACKWARD, nodes[0]->in[k], gradients));
    }
  }
  return GF_OK;
}

gf_status gf__lockstep_step(gf__lockstep *l, const gf_batch *batch, double learning_rate) {
  gf_divergence *result = l->result;
  gf_divergence_step *row = &result->steps[result->step_count++];
  const gf_model *model = l->models[0];
  l->step = result->step_count;
  *row = (gf_divergence_step){.losses = {NAN, NAN}};
  for (int i = 0; i < GF_DIVERGENCE_PHASES; i++) row->differences[i] = NAN;
  GF_TRY(lockstep_forward(l, batch));
  if (!result->diverged) GF_TRY(read_losses(l, batch->count));
  if (!result->diverged) GF_TRY(lockstep_backward(l));
  GF_TRY(compare_parameters(l, GF_DIVERGENCE_GRADIENT, model->trainable_count));
  for (int i = 0; i < 2 && !result->diverged; i++)
    GF_TRY(gf__trainer_queue_update(l->trainers[i], learning_rate));
  return compare_parameters(l, GF_DIVERGENCE_WEIGHT, model->parameter_count);
}
