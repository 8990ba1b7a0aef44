/* One batch forward and backward through a fresh network, and some of its images alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis/signal.h"

/* Images that are also sent alone, and those whose directions are counted. */
enum { MOST_ALONE = 8, MOST_COMPARED = 32 };

/* ---- gradients ---- */

static const double *mean_abs_of(const gf_gradient_stats *gradients, int count, const char *layer) {
  for (int i = 0; i < count; i++)
    if (gradients[i].is_weight && !strcmp(gradients[i].layer, layer)) return &gradients[i].mean_abs;
  return NULL;
}

/* The statistics of a step on the batch whose update is nothing. */
static gf_status step_without_update(gf__fresh *s, const gf_batch *batch, bool activations,
                                     gf_gradient_stats *out) {
  GF_TRY(gf__trainer_queue_step(s->trainer, batch, 0, 0,
                                activations ? GF__MEASURE_ACTIVATIONS : GF__MEASURE_GRADIENTS));
  return gf__trainer_read_gradients(s->trainer, out);
}

/* sums (gradients): of mean |g| of each of count images alone. */
static gf_status add_alone(gf__fresh *s, int count, gf_gradient_stats *gradients, double *sums) {
  size_t floats = gf__tensor_size(&s->model->graph.input);
  const gf_batch *all = &s->batch;
  for (int i = 0; i < count; i++) {
    int labels[2] = {all->labels[i], all->mix < 1 ? all->labels[all->count + i] : 0};
    gf_batch one = {.images = all->images + (size_t)i * floats,
                    .labels = labels,
                    .count = 1,
                    .mix = all->mix,
                    .first = i,
                    .whole = 1};
    GF_TRY(step_without_update(s, &one, false, gradients));
    for (int k = 0; k < gf_trainer_gradient_count(s->trainer); k++)
      sums[k] += gradients[k].mean_abs / count;
  }
  return GF_OK;
}

static void fill_layers(gf__fresh *s, const gf_activation_stats *activations,
                        const gf_gradient_stats *gradients) {
  int tensors = gf_trainer_gradient_count(s->trainer);
  for (int i = 0; i < s->signal.layer_count; i++) {
    const gf_activation_stats *a = &activations[i];
    const double *g = mean_abs_of(gradients, tensors, a->stored_by);
    s->layers[i] = (gf_signal_layer){.layer = a->layer,
                                     .rms = hypot(a->mean, a->deviation),
                                     .contrast = a->contrast,
                                     .contrast_expected = NAN,
                                     .dimension = NAN,
                                     .dead = a->dead,
                                     .mean_abs = g ? *g : (double)NAN,
                                     .coherence = NAN};
  }
}

static void fill_coherence(gf__fresh *s, const gf_activation_stats *activations,
                           gf_gradient_stats *gradients, const double *alone) {
  int tensors = gf_trainer_gradient_count(s->trainer);
  for (int k = 0; k < tensors; k++) gradients[k].mean_abs = alone[k];
  for (int i = 0; i < s->signal.layer_count; i++) {
    const double *g = mean_abs_of(gradients, tensors, activations[i].stored_by);
    if (g && *g > 0) s->layers[i].coherence = s->layers[i].mean_abs / *g;
  }
}

static gf_status measure_with(gf__fresh *s, gf_activation_stats *activations,
                              gf_gradient_stats *gradients, double *alone) {
  float sums[2];
  int count = s->batch.count < MOST_ALONE ? s->batch.count : MOST_ALONE;
  GF_TRY(step_without_update(s, &s->batch, true, gradients));
  GF_TRY(gf__model_read_results(s->model, 0, 1, sums));
  s->signal.loss = (double)sums[0] / s->batch.count;
  GF_TRY(gf__model_read_activations(s->model, NULL, activations));
  fill_layers(s, activations, gradients);
  GF_TRY(add_alone(s, count, gradients, alone));
  fill_coherence(s, activations, gradients, alone);
  return GF_OK;
}

/* ---- directions ---- */

/* (tr G)^2 / tr G^2 of the products G of what is left of count images (count, units) after their
 * mean: the number of directions in which they differ, if each had as much. 0 where none does. */
static double effective_dimension(float *x, int count, size_t units) {
  double trace = 0, squares = 0;
  for (size_t u = 0; u < units; u++) {
    double mean = 0;
    for (int i = 0; i < count; i++) mean += (double)x[(size_t)i * units + u] / count;
    for (int i = 0; i < count; i++)
      x[(size_t)i * units + u] = (float)((double)x[(size_t)i * units + u] - mean);
  }
  for (int i = 0; i < count; i++)
    for (int k = 0; k <= i; k++) {
      const float *a = x + (size_t)i * units, *b = x + (size_t)k * units;
      double product = 0;
      for (size_t u = 0; u < units; u++) product += (double)a[u] * (double)b[u];
      if (i == k) trace += product;
      squares += (i == k ? 1 : 2) * product * product;
    }
  return squares > 0 ? trace * trace / squares : trace == 0 ? 0 : (double)NAN;
}

static gf_status measure_dimension(const gf_node *node, int count, gf_signal_layer *out) {
  size_t units = gf__tensor_size(&node->out), bytes = (size_t)count * units * sizeof(float);
  float *values = malloc(bytes);
  if (!values) return gf__fail_host_memory(bytes);
  gf_status status = gf__buffer_read(node->out.data, 0, bytes, values);
  if (status == GF_OK) out->dimension = effective_dimension(values, count, units);
  free(values);
  return status;
}

static gf_status measure_dimensions(gf__fresh *s) {
  gf_model *model = s->model;
  const gf_batch *b = &s->batch;
  int row = 0, count = b->count < MOST_COMPARED ? b->count : MOST_COMPARED;
  GF_TRY(gf__model_upload_mixed(model, b->images, b->labels, b->count, (double)b->mix));
  gf__model_begin_forward(model, true, 0);
  for (int i = 0; i < model->graph.count; i++) {
    gf_node *node = model->graph.nodes[i];
    GF_TRY(node->layer->forward(node, &model->pass));
    if (gf__activations_has(node)) GF_TRY(measure_dimension(node, count, &s->layers[row++]));
  }
  return GF_OK;
}

gf_status gf__signal_measure(gf__fresh *s) {
  int layers = gf__model_activation_count(s->model);
  int tensors = gf_trainer_gradient_count(s->trainer);
  s->signal.layer_count = layers;
  s->layers = calloc((size_t)layers + 1, sizeof *s->layers);
  s->signal.layers = s->layers;
  gf_activation_stats *activations = calloc((size_t)layers + 1, sizeof *activations);
  gf_gradient_stats *gradients = calloc((size_t)tensors, sizeof *gradients);
  double *alone = calloc((size_t)tensors, sizeof *alone);
  gf_status status = s->layers && activations && gradients && alone
                         ? measure_with(s, activations, gradients, alone)
                         : gf__fail_host_memory((size_t)tensors * sizeof *gradients);
  free(activations);
  free(gradients);
  free(alone);
  if (status == GF_OK) status = measure_dimensions(s);
  return status;
}
