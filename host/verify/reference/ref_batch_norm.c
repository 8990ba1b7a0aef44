#include <math.h>

#include "reference.h"

static void moments(int rows, int c, int channel, const double *x, double *mean, double *variance) {
  double sum = 0, squares = 0;
  for (int i = 0; i < rows; i++) sum += x[(size_t)i * c + channel];
  *mean = sum / rows;
  for (int i = 0; i < rows; i++) squares += pow(x[(size_t)i * c + channel] - *mean, 2);
  *variance = squares / rows;
}

void ref_batch_norm_forward(int rows, int c, double eps, double momentum, const double *x,
                            const double *gamma, const double *beta, double *running_mean,
                            double *running_variance, double *y) {
  for (int k = 0; k < c; k++) {
    double mean, variance;
    moments(rows, c, k, x, &mean, &variance);
    for (int i = 0; i < rows; i++) {
      size_t at = (size_t)i * c + k;
      y[at] = gamma[k] * (x[at] - mean) / sqrt(variance + eps) + beta[k];
    }
    if (!running_mean) continue;
    double unbiased = variance * rows / (rows - 1);
    running_mean[k] = (1 - momentum) * running_mean[k] + momentum * mean;
    running_variance[k] = (1 - momentum) * running_variance[k] + momentum * unbiased;
  }
}

void ref_batch_norm_inference(int rows, int c, double eps, const double *x, const double *gamma,
                              const double *beta, const double *running_mean,
                              const double *running_variance, double *y) {
  for (int i = 0; i < rows; i++)
    for (int k = 0; k < c; k++) {
      size_t at = (size_t)i * c + k;
      y[at] = gamma[k] * (x[at] - running_mean[k]) / sqrt(running_variance[k] + eps) + beta[k];
    }
}

void ref_batch_norm_backward(int rows, int c, double eps, const double *x, const double *gamma,
                             const double *dy, double *dx, double *dgamma, double *dbeta) {
  for (int k = 0; k < c; k++) {
    double mean, variance;
    moments(rows, c, k, x, &mean, &variance);
    double deviation = sqrt(variance + eps);
    dgamma[k] = dbeta[k] = 0;
    for (int i = 0; i < rows; i++) {
      size_t at = (size_t)i * c + k;
      dbeta[k] += dy[at];
      dgamma[k] += dy[at] * (x[at] - mean) / deviation;
    }
    for (int i = 0; i < rows; i++) {
      size_t at = (size_t)i * c + k;
      double u = (x[at] - mean) / deviation;
      dx[at] = gamma[k] / deviation * (dy[at] - dbeta[k] / rows - u * dgamma[k] / rows);
    }
  }
}
