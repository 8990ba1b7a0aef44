#include <math.h>

#include "reference.h"

typedef struct sizes {
  int pixels, c, groups;
} sizes;

static int row_length(const sizes *s) { return s->pixels * (s->c / s->groups); }

/* The channel of value j of a row, whose pixels follow each other. */
static int weight_of(const sizes *s, int row, int j) {
  int each = s->c / s->groups;
  return row % s->groups * each + j % each;
}

static size_t place_of(const sizes *s, int row, int j) {
  size_t image = (size_t)(row / s->groups), pixel = (size_t)(j / (s->c / s->groups));
  return (image * (size_t)s->pixels + pixel) * (size_t)s->c + (size_t)weight_of(s, row, j);
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

static void group_norm_row_backward(const sizes *s, int row, double eps, const double *x,
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

void ref_group_norm_forward(int n, int pixels, int c, int groups, double eps, const double *x,
                            const double *gamma, const double *beta, double *y) {
  sizes s = {pixels, c, groups};
  for (int row = 0; row < n * groups; row++) {
    double mean, deviation;
    row_moments(&s, row, eps, x, &mean, &deviation);
    for (int j = 0; j < row_length(&s); j++) {
      size_t at = place_of(&s, row, j);
      int w = weight_of(&s, row, j);
      y[at] = gamma[w] * (x[at] - mean) / deviation + beta[w];
    }
  }
}

void ref_group_norm_backward(int n, int pixels, int c, int groups, double eps, const double *x,
                             const double *gamma, const double *dy, double *dx, double *dgamma,
                             double *dbeta) {
  sizes s = {pixels, c, groups};
  for (int w = 0; w < c; w++) dgamma[w] = dbeta[w] = 0;
  for (int row = 0; row < n * groups; row++)
    group_norm_row_backward(&s, row, eps, x, gamma, dy, dx, dgamma, dbeta);
}
