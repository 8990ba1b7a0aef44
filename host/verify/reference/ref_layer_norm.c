#include <math.h>

#include "reference.h"

typedef struct sizes {
  int pixels, c, over_image;
} sizes;

static int row_length(const sizes *s) { return s->over_image ? s->pixels * s->c : s->c; }

static size_t place_of(const sizes *s, int row, int j) {
  return (size_t)row * (size_t)row_length(s) + (size_t)j;
}

/* Weights are in PyTorch's order, channels before pixels. */
static int weight_of(const sizes *s, int row, int j) {
  (void)row;
  return s->over_image ? j % s->c * s->pixels + j / s->c : j;
}

/* Mean and deviation of the values of a row. */
static void row_moments(const sizes *s, int row, double eps, const double *x, double *mean,
                        double *deviation) {
  double sum = 0, squares = 0;
  int length = row_length(s);
  for (int j = 0; j < length; j++) sum += x[place_of(s, row, j)];
  *mean = sum / length;
  for (int j = 0; j < length; j++) squares += pow(x[place_of(s, row, j)] - *mean, 2);
  *deviation = sqrt(squares / length + eps);
}

static void layer_norm_row_backward(const sizes *s, int row, double eps, const double *x,
                                    const double *gamma, const double *dy, double *dx,
                                    double *dgamma, double *dbeta) {
  double mean, deviation, shift = 0, scale = 0;
  int length = row_length(s);
  row_moments(s, row, eps, x, &mean, &deviation);
  for (int j = 0; j < length; j++) {
    size_t at = place_of(s, row, j);
    int w = weight_of(s, row, j);
    double u = (x[at] - mean) / deviation;
    dbeta[w] += dy[at];
    dgamma[w] += dy[at] * u;
    shift += gamma[w] * dy[at] / length;
    scale += gamma[w] * dy[at] * u / length;
  }
  for (int j = 0; j < length; j++) {
    size_t at = place_of(s, row, j);
    double u = (x[at] - mean) / deviation;
    dx[at] = (gamma[weight_of(s, row, j)] * dy[at] - shift - u * scale) / deviation;
  }
}

void ref_layer_norm_forward(int n, int pixels, int c, int over_image, double eps, const double *x,
                            const double *gamma, const double *beta, double *y) {
  sizes s = {pixels, c, over_image};
  for (int row = 0; row < n * (over_image ? 1 : pixels); row++) {
    double mean, deviation;
    row_moments(&s, row, eps, x, &mean, &deviation);
    for (int j = 0; j < row_length(&s); j++) {
      size_t at = place_of(&s, row, j);
      int w = weight_of(&s, row, j);
      y[at] = gamma[w] * (x[at] - mean) / deviation + beta[w];
    }
  }
}

void ref_layer_norm_backward(int n, int pixels, int c, int over_image, double eps, const double *x,
                             const double *gamma, const double *dy, double *dx, double *dgamma,
                             double *dbeta) {
  sizes s = {pixels, c, over_image};
  for (int w = 0; w < c * (over_image ? pixels : 1); w++) dgamma[w] = dbeta[w] = 0;
  for (int row = 0; row < n * (over_image ? 1 : pixels); row++)
    layer_norm_row_backward(&s, row, eps, x, gamma, dy, dx, dgamma, dbeta);
}
