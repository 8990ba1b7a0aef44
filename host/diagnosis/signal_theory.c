/* Mean-field theory of a network's own layers: the variances are those of the weights that it has
 * now, and each layer's expectation follows from the one before it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis/signal.h"
#include "model/parameters.h"

/* The mean square of the parameter; NaN where it cannot be read. */
static gf_status read_variance(const gf_model *model, const gf__parameter *p, double *out) {
  float *values = malloc(p->count * sizeof *values);
  if (!values) return gf__fail_host_memory(p->count * sizeof *values);
  gf_status status = gf__parameter_read(p, model->weights, values);
  *out = 0;
  for (size_t i = 0; status == GF_OK && i < p->count; i++)
    *out += (double)values[i] * (double)values[i] / (double)p->count;
  free(values);
  return status;
}

/* fan_in times the variance of the node's weight, and the variance of its bias, 0 without one. */
static gf_status read_variances(const gf_model *model, const gf_node *node, double *weight,
                                double *bias) {
  *weight = *bias = 0;
  for (int i = 0; i < node->parameter_count; i++) {
    const gf__parameter *p = &node->parameters[i];
    if (!p->trainable) continue;
    GF_TRY(read_variance(model, p, p->is_weight ? weight : bias));
    if (p->is_weight) *weight *= p->fan_in;
  }
  return GF_OK;
}

static bool is_kind(const gf_node *node, const char *kind) {
  return !strcmp(node->layer->name, kind);
}

static bool has_weights(const gf_node *node) {
  return gf__layer_has(node->layer, GF__LAYER_HAS_EPILOGUE) && node->parameter_count > 0 &&
         !is_kind(node, "batch_norm");
}

/* The activation in the node's store, or that it is; kind NULL: none. */
static gf__mean_field_activation activation_of(const gf_node *node) {
  gf__activation a = node->layer->activation ? node->layer->activation(node) : node->activation;
  if (a.kind == GF__ACTIVATION_LEAKY_RELU)
    return (gf__mean_field_activation){a.slope == 0 ? "relu" : "leaky_relu", (double)a.slope};
  if (a.kind == GF__ACTIVATION_TANH) return (gf__mean_field_activation){.kind = "tanh"};
  if (a.kind == GF__ACTIVATION_SIGMOID) return (gf__mean_field_activation){.kind = "sigmoid"};
  /* Its alpha is the first of its options. */
  if (is_kind(node, "elu"))
    return (gf__mean_field_activation){"elu", *(const double *)node->options};
  static const char *const kinds[] = {"gelu", "silu", "hard_sigmoid", "hard_swish"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (is_kind(node, kinds[i])) return (gf__mean_field_activation){.kind = kinds[i]};
  return (gf__mean_field_activation){0};
}

/* The walk over the nodes of a chain. */
typedef struct walk {
  gf__fresh *s;
  int row; /* of the next measured layer */
  bool has_begun;
  gf__mean_field_state state;
  gf__mean_field_activation activation;  /* the first one */
  bool has_weights;                      /* that no activation has followed yet */
  double weight, bias;                   /* variances of these */
  double weight_sum, bias_sum, log_gain; /* over layers */
  double expected_first, expected_last;  /* contrasts */
  double measured_first, measured_last;
  int layers, compared; /* steps of the walk, and those before rounding is all that is left */
  bool is_lost;
} walk;

static void begin_walk(walk *w, const gf_signal_layer *row) {
  double length = row->rms * row->rms;
  w->has_begun = true;
  w->state = (gf__mean_field_state){length, row->contrast * length};
  w->expected_first = w->measured_first = row->contrast;
}

static void walk_step(walk *w, gf_signal_layer *row, gf__mean_field_activation activation) {
  double gain;
  bool is_last = !activation.kind; /* as of the logits */
  if (is_last) activation.kind = "identity";
  if (!gf__mean_field_step(&activation, w->weight, w->bias, &w->state, &gain)) return;
  row->contrast_expected = w->state.difference / w->state.length;
  w->has_weights = false;
  if (is_last) return;
  w->layers++;
  w->weight_sum += w->weight;
  w->bias_sum += w->bias;
  w->log_gain += log(gain);
  w->is_lost |= !(row->contrast >= GF__SIGNAL_LOST);
  if (w->is_lost) return;
  w->compared++;
  w->expected_last = row->contrast_expected;
  w->measured_last = row->contrast;
}

static gf_status walk_node(walk *w, const gf_node *node) {
  gf_signal_layer *row = gf__activations_has(node) ? &w->s->layers[w->row++] : NULL;
  gf__mean_field_activation activation = activation_of(node);
  if (has_weights(node)) {
    GF_TRY(read_variances(w->s->model, node, &w->weight, &w->bias));
    w->has_weights = true;
  }
  const gf_node *reader = node->out.reader;
  bool is_logits = w->has_weights && reader && gf__node_is_loss(reader);
  if (!row || !(activation.kind || is_logits)) return GF_OK;
  if (activation.kind && !w->activation.kind) w->activation = activation;
  if (!w->has_begun && activation.kind)
    begin_walk(w, row);
  else if (w->has_begun && w->has_weights)
    walk_step(w, row, activation);
  return GF_OK;
}

/* Why the theory says nothing of the network, or NULL. The entry may have a norm: the walk begins
 * after it. */
static const char *find_reason(const gf_model *model) {
  bool is_activated = false;
  for (int i = 0; i < model->graph.count; i++) {
    const gf_node *node = model->graph.nodes[i];
    if (gf__node_is_loss(node)) continue;
    if (node->in_count > 1 || node->trains_only)
      return "the theory is of plain chains, and this network has shortcuts or branches";
    if (is_activated && is_kind(node, "batch_norm"))
      return "the theory is of plain chains, and in this network norms set the scale anew";
    is_activated |= activation_of(node).kind != NULL;
  }
  return is_activated ? NULL : "no layer of the network has an activation that the theory knows";
}

/* The geometric mean per layer of what mean |g| is multiplied by from the output to the input. */
static double gradient_per_layer(const gf__fresh *s) {
  int first = -1, last = -1, steps = 0;
  for (int i = 0; i < s->signal.layer_count; i++) {
    if (!(s->layers[i].mean_abs > 0)) continue;
    if (first < 0) first = i;
    if (last >= 0) steps++;
    last = i;
  }
  if (steps == 0) return NAN;
  return pow(s->layers[first].mean_abs / s->layers[last].mean_abs, 1.0 / steps);
}

static double per_layer(double first, double last, int layers) {
  return layers > 0 && first > 0 ? pow(last / first, 1.0 / layers) : (double)NAN;
}

gf_status gf__signal_add_theory(gf__fresh *s) {
  gf_signal_theory *t = &s->signal.theory;
  *t = (gf_signal_theory){.weight_variance = NAN,
                          .bias_variance = NAN,
                          .length = NAN,
                          .chi = NAN,
                          .correlation = NAN,
                          .depth = NAN,
                          .contrast_expected = NAN,
                          .contrast_measured = NAN,
                          .gradient_expected = NAN,
                          .gradient_measured = gradient_per_layer(s),
                          .reason = find_reason(s->model)};
  if (t->reason) return GF_OK;
  walk w = {.s = s};
  for (int i = 0; i < s->model->graph.count; i++) GF_TRY(walk_node(&w, s->model->graph.nodes[i]));
  t->activation = w.activation.kind;
  t->layers = w.layers;
  if (w.layers == 0) {
    t->reason = "the theory needs two layers with an activation";
    return GF_OK;
  }
  t->weight_variance = w.weight_sum / w.layers;
  t->bias_variance = w.bias_sum / w.layers;
  gf__mean_field(&w.activation, t->weight_variance, t->bias_variance, t);
  t->contrast_expected = per_layer(w.expected_first, w.expected_last, w.compared);
  t->contrast_measured = per_layer(w.measured_first, w.measured_last, w.compared);
  t->gradient_expected = exp(0.5 * w.log_gain / w.layers);
  return GF_OK;
}
