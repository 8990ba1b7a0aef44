/* Poole et al., 2016: Exponential expressivity in deep neural networks through transient chaos;
 * Schoenholz et al., 2017: Deep information propagation. Integrals over Gaussians are sums over a
 * grid, whose error for smooth functions is far below what is printed; the kink of a rectifier lies
 * on a point of the grid, where its slope is the root of the mean of the squares beside it. */
#include <math.h>
#include <string.h>

#include "diagnosis/signal.h"

enum { POINTS = 201 }; /* odd, so that 0 is one */
static const double WIDEST = 8;

typedef struct grid {
  double z[POINTS], weight[POINTS];
} grid;

static void grid_fill(grid *g) {
  double sum = 0;
  for (int i = 0; i < POINTS; i++) {
    g->z[i] = WIDEST * (2.0 * i / (POINTS - 1) - 1);
    g->weight[i] = exp(-0.5 * g->z[i] * g->z[i]);
    sum += g->weight[i];
  }
  for (int i = 0; i < POINTS; i++) g->weight[i] /= sum;
}

/* ---- activations ---- */

static double normal_distribution(double x) { return 0.5 * erfc(-x * sqrt(0.5)); }
static double logistic(double x) { return 1 / (1 + exp(-x)); }

static double leaky_relu_value(double x, double slope) { return x > 0 ? x : slope * x; }
static double leaky_relu_slope(double x, double slope) {
  return x > 0 ? 1 : x < 0 ? slope : sqrt(0.5 * (1 + slope * slope));
}
static double tanh_value(double x, double unused) { return (void)unused, tanh(x); }
static double tanh_slope(double x, double unused) { return (void)unused, 1 - tanh(x) * tanh(x); }
static double sigmoid_value(double x, double unused) { return (void)unused, logistic(x); }
static double sigmoid_slope(double x, double unused) {
  return (void)unused, logistic(x) * (1 - logistic(x));
}
static double elu_value(double x, double alpha) { return x > 0 ? x : alpha * expm1(x); }
static double elu_slope(double x, double alpha) { return x > 0 ? 1 : alpha * exp(x); }
static double gelu_value(double x, double unused) {
  return (void)unused, x * normal_distribution(x);
}
static double gelu_slope(double x, double unused) {
  static const double density_at_0 = 0.3989422804014327;
  return (void)unused, normal_distribution(x) + x * density_at_0 * exp(-0.5 * x * x);
}
static double silu_value(double x, double unused) { return (void)unused, x * logistic(x); }
static double silu_slope(double x, double unused) {
  return (void)unused, logistic(x) * (1 + x * (1 - logistic(x)));
}
static double hard_sigmoid_value(double x, double unused) {
  return (void)unused, x < -3 ? 0 : x > 3 ? 1 : x / 6 + 0.5;
}
static double hard_sigmoid_slope(double x, double unused) {
  return (void)unused, fabs(x) < 3 ? 1.0 / 6 : 0;
}
static double hard_swish_value(double x, double unused) {
  return x * hard_sigmoid_value(x, unused);
}
static double hard_swish_slope(double x, double unused) {
  return (void)unused, x < -3 ? 0 : x > 3 ? 1 : x / 3 + 0.5;
}
static double identity_value(double x, double unused) { return (void)unused, x; }
static double identity_slope(double x, double unused) { return (void)x, (void)unused, 1; }

typedef double function(double x, double parameter);
static const struct {
  const char *kind;
  function *value, *slope;
} activations[] = {
    {"leaky_relu", leaky_relu_value, leaky_relu_slope},
    {"relu", leaky_relu_value, leaky_relu_slope}, /* its slope is 0 */
    {"tanh", tanh_value, tanh_slope},
    {"sigmoid", sigmoid_value, sigmoid_slope},
    {"elu", elu_value, elu_slope},
    {"gelu", gelu_value, gelu_slope},
    {"silu", silu_value, silu_slope},
    {"hard_sigmoid", hard_sigmoid_value, hard_sigmoid_slope},
    {"hard_swish", hard_swish_value, hard_swish_slope},
    {"identity", identity_value, identity_slope},
};

/* ---- the maps of a layer ---- */

typedef struct map {
  grid g;
  function *value, *slope;
  double parameter, weight_variance, bias_variance;
} map;

/* The mean of f^2 over z of variance q. */
static double mean_square(const map *m, function *f, double q) {
  double sum = 0, deviation = sqrt(q);
  for (int i = 0; i < POINTS; i++) {
    double y = f(deviation * m->g.z[i], m->parameter);
    sum += m->g.weight[i] * y * y;
  }
  return sum;
}

/* The mean of f f over two numbers of variance q and correlation c. */
static double mean_product(const map *m, function *f, double q, double c) {
  double sum = 0, deviation = sqrt(q), rest = sqrt(fmax(0, 1 - c * c));
  for (int i = 0; i < POINTS; i++) {
    double inner = 0, first = m->g.z[i];
    for (int k = 0; k < POINTS; k++)
      inner += m->g.weight[k] * f(deviation * (c * first + rest * m->g.z[k]), m->parameter);
    sum += m->g.weight[i] * f(deviation * first, m->parameter) * inner;
  }
  return sum;
}

static double next_length(const map *m, double q) {
  return m->weight_variance * mean_square(m, m->value, q) + m->bias_variance;
}

/* The mean square that layers tend to from 1: 0, a number, or infinity. */
static double fixed_length(const map *m) {
  enum { MOST_LAYERS = 20000 };
  double q = 1;
  for (int i = 0; i < MOST_LAYERS; i++) {
    double next = next_length(m, q);
    if (!(next < 1e30)) return INFINITY;
    if (next < 1e-30) return 0;
    if (fabs(next - q) <= 1e-13 * q) return next;
    q = next;
  }
  return q;
}

/* The correlation that layers tend to from 0.5. */
static double fixed_correlation(const map *m, double q) {
  enum { MOST_LAYERS = 300 };
  double c = 0.5;
  for (int i = 0; i < MOST_LAYERS; i++) {
    double product = m->weight_variance * mean_product(m, m->value, q, c) + m->bias_variance;
    double next = fmin(product / next_length(m, q), 1);
    bool is_there = fabs(next - c) <= 1e-9;
    c = next;
    if (is_there) break;
  }
  return c;
}

/* At a length of 0 or infinity, which only what is nearly linear or a rectifier tends to, the
 * activation is taken there at a length that stands for it. */
static double usable_length(double q) { return q == 0 ? 1e-12 : isinf(q) ? 1e12 : q; }

/* False where the activation is not known. */
static bool map_make(map *m, const gf__mean_field_activation *activation, double weight_variance,
                     double bias_variance) {
  *m = (map){.parameter = activation->parameter,
             .weight_variance = weight_variance,
             .bias_variance = bias_variance};
  for (size_t i = 0; i < sizeof activations / sizeof *activations && activation->kind; i++)
    if (!strcmp(activations[i].kind, activation->kind)) {
      m->value = activations[i].value;
      m->slope = activations[i].slope;
    }
  grid_fill(&m->g);
  return m->value != NULL;
}

bool gf__mean_field_step(const gf__mean_field_activation *activation, double weight_variance,
                         double bias_variance, gf__mean_field_state *state, double *gain) {
  static const double small = 1e-2; /* differences up to which a layer is linear in them */
  map m;
  if (!map_make(&m, activation, weight_variance, bias_variance)) return false;
  double length = weight_variance * state->length + bias_variance;
  double difference = weight_variance * state->difference;
  double slopes = mean_square(&m, m.slope, length);
  state->length = mean_square(&m, m.value, length);
  state->difference =
      difference <= small * length
          ? slopes * difference
          : state->length - mean_product(&m, m.value, length, 1 - difference / length);
  *gain = weight_variance * slopes;
  return true;
}

bool gf__mean_field(const gf__mean_field_activation *activation, double weight_variance,
                    double bias_variance, gf_signal_theory *out) {
  map m;
  if (!map_make(&m, activation, weight_variance, bias_variance)) return false;
  double q = fixed_length(&m), usable = usable_length(q);
  double chi = weight_variance * mean_square(&m, m.slope, usable);
  double c = chi > 1 ? fixed_correlation(&m, usable) : 1;
  double rate = chi;
  if (c < 1) rate = weight_variance * mean_product(&m, m.slope, usable, c);
  out->length = q;
  out->chi = chi;
  out->correlation = c;
  out->depth = rate > 0 && rate < 1 - 1e-9 ? -1 / log(rate) : rate <= 0 ? 0 : INFINITY;
  return true;
}
