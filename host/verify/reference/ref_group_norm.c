#include <math.h>

#include "reference.h"

/* Rows that are normalized by themselves: of an image, each group of its channels. A layer norm has
 * one group, and over channels each pixel is an image. */
typedef struct sizes {
  int pixels, c, groups;
  int by_pixel; /* a weight for each value, in PyTorch's order: channels before pixels */
} sizes;

static int row_length(const sizes *s) { return s->pixels * (s->c / s->groups); }

/* The channel of value j of a row, whose pixels follow each other. */
static int channel_of(const sizes *s, int row, int j) {
  int each = s->c / s->groups;
  return row % s->groups * each + j % each;
}

static int weight_of(const sizes *s, int row, int j) {
  int channel = channel_of(s, row, j);
  return s->by_pixel ? channel * s->pixels + j / (s->c / s->groups) : channel;
}

static size_t place_of(const sizes *s, int row, int j) {
  size_t image = (size_t)(row / s->groups), pixel = (size_t)(j / (s->c / s->groups));
  return (image * (size_t)s->pixels + pixel) * (size_t)s->c + (size_t)channel_of(s, row, j);
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

static void row_backward(const sizes *s, int row, double eps, const double *x, const double *gamma,
                         const double *dy, double *dx, double *dgamma, double *dbeta) {
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

static void rows_forward(const sizes *s, int rows, double eps, const double *x, const double *gamma,
                         const double *beta, double *y) {
  for (int row = 0; row < rows; row++) {
    double mean, deviation;
    row_moments(s, row, eps, x, &mean, &deviation);
    for (int j = 0; j < row_length(s); j++) {
      size_t at = place_of(s, row, j);
      int w = weight_of(s, row, j);
      y[at] = gamma[w] * (x[at] - mean) / deviation + beta[w];
    }
  }
}

static void rows_backward(const sizes *s, int rows, double eps, const double *x,
                          const double *gamma, const double *dy, double *dx, double *dgamma,
                          double *dbeta) {
  for (int w = 0; w < s->c * (s->by_pixel ? s->pixels : 1); w++) dgamma[w] = dbeta[w] = 0;
  for (int row = 0; row < rows; row++) row_backward(s, row, eps, x, gamma, dy, dx, dgamma, dbeta);
}

void ref_group_norm_forward(int n, int pixels, int c, int groups, double eps, const double *x,
                            const double *gamma, const double *beta, double *y) {
  const sizes s = {pixels, c, groups, 0};
  rows_forward(&s, n * groups, eps, x, gamma, beta, y);
}

void ref_group_norm_backward(int n, int pixels, int c, int groups, double eps, const double *x,
                             const double *gamma, const double *dy, double *dx, double *dgamma,
                             double *dbeta) {
  const sizes s = {pixels, c, groups, 0};
  rows_backward(&s, n * groups, eps, x, gamma, dy, dx, dgamma, dbeta);
}

static sizes layer_norm_sizes(int pixels, int c, int over_image) {
  return (sizes){over_image ? pixels : 1, c, 1, over_image};
}

void ref_layer_norm_forward(int n, int pixels, int c, int over_image, double eps, const double *x,
                            const double *gamma, const double *beta, double *y) {
  const sizes s = layer_norm_sizes(pixels, c, over_image);
  rows_forward(&s, n * (over_image ? 1 : pixels), eps, x, gamma, beta, y);
}

void ref_layer_norm_backward(int n, int pixels, int c, int over_image, double eps, const double *x,
                             const double *gamma, const double *dy, double *dx, double *dgamma,
                             double *dbeta) {
  const sizes s = layer_norm_sizes(pixels, c, over_image);
  rows_backward(&s, n * (over_image ? 1 : pixels), eps, x, gamma, dy, dx, dgamma, dbeta);
}
