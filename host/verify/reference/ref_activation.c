#include <math.h>
#include <string.h>

#include "reference.h"

static double leaky_relu(double x, double slope) { return x > 0 ? x : slope * x; }
static double leaky_relu_derivative(double x, double slope) { return x > 0 ? 1 : slope; }

static double relu(double x, double slope) {
  (void)slope;
  return x > 0 ? x : 0;
}

static double relu_derivative(double x, double slope) {
  (void)slope;
  return x > 0 ? 1 : 0;
}

static double tangent(double x, double slope) {
  (void)slope;
  return tanh(x);
}

static double tangent_derivative(double x, double slope) {
  (void)slope;
  return 1 - tanh(x) * tanh(x);
}

static double sigmoid(double x, double slope) {
  (void)slope;
  return 1 / (1 + exp(-x));
}

static double sigmoid_derivative(double x, double slope) {
  return sigmoid(x, slope) * (1 - sigmoid(x, slope));
}

static double elu(double x, double alpha) { return x > 0 ? x : alpha * expm1(x); }
static double elu_derivative(double x, double alpha) { return x > 0 ? 1 : alpha * exp(x); }

static double normal(double x) { return erfc(-x / sqrt(2)) / 2; }

static double gelu(double x, double slope) {
  (void)slope;
  return x * normal(x);
}

static double gelu_derivative(double x, double slope) {
  (void)slope;
  return normal(x) + x * exp(-x * x / 2) / sqrt(2 * acos(-1));
}

static double silu(double x, double slope) { return x * sigmoid(x, slope); }

static double silu_derivative(double x, double slope) {
  double s = sigmoid(x, slope);
  return s * (1 + x * (1 - s));
}

static double hard_sigmoid(double x, double slope) {
  (void)slope;
  return x < -3 ? 0 : x > 3 ? 1 : x / 6 + 0.5;
}

static double hard_sigmoid_derivative(double x, double slope) {
  (void)slope;
  return x > -3 && x < 3 ? 1.0 / 6 : 0;
}

static double hard_swish(double x, double slope) { return x * hard_sigmoid(x, slope); }

static double hard_swish_derivative(double x, double slope) {
  (void)slope;
  return x <= -3 ? 0 : x > 3 ? 1 : x / 3 + 0.5;
}

const ref_activation ref_activations[] = {
    {"leaky_relu", leaky_relu, leaky_relu_derivative},
    {"relu", relu, relu_derivative},
    {"tanh", tangent, tangent_derivative},
    {"sigmoid", sigmoid, sigmoid_derivative},
    {"elu", elu, elu_derivative},
    {"gelu", gelu, gelu_derivative},
    {"silu", silu, silu_derivative},
    {"hard_sigmoid", hard_sigmoid, hard_sigmoid_derivative},
    {"hard_swish", hard_swish, hard_swish_derivative},
};
const int ref_activation_count = sizeof ref_activations / sizeof *ref_activations;

const ref_activation *ref_activation_find(const char *name) {
  for (int i = 0; i < ref_activation_count; i++)
    if (strcmp(ref_activations[i].name, name) == 0) return &ref_activations[i];
  return NULL;
}

void ref_activation_forward(const ref_activation *activation, double slope, size_t count,
                            const double *x, double *y) {
  for (size_t i = 0; i < count; i++) y[i] = activation->value(x[i], slope);
}

void ref_activation_backward(const ref_activation *activation, double slope, size_t count,
                             const double *x, const double *dy, double *dx) {
  for (size_t i = 0; i < count; i++) dx[i] = activation->derivative(x[i], slope) * dy[i];
}

void ref_clamp_forward(double minimum, double maximum, size_t count, const double *x, double *y) {
  for (size_t i = 0; i < count; i++)
    y[i] = x[i] < minimum ? minimum : x[i] > maximum ? maximum : x[i];
}

void ref_clamp_backward(double minimum, double maximum, size_t count, const double *x,
                        const double *dy, double *dx) {
  for (size_t i = 0; i < count; i++) dx[i] = x[i] > minimum && x[i] < maximum ? dy[i] : 0;
}
