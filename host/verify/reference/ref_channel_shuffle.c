#include "reference.h"

/* Where channel k of group g of a row is in the input, and in the output. */
static size_t place_in(int c, int groups, int r, int g, int k) {
  return (size_t)r * (size_t)c + (size_t)g * (size_t)(c / groups) + (size_t)k;
}
static size_t place_out(int c, int groups, int r, int g, int k) {
  return (size_t)r * (size_t)c + (size_t)k * (size_t)groups + (size_t)g;
}

void ref_channel_shuffle_forward(int rows, int c, int groups, const double *x, double *y) {
  for (int r = 0; r < rows; r++)
    for (int g = 0; g < groups; g++)
      for (int k = 0; k < c / groups; k++)
        y[place_out(c, groups, r, g, k)] = x[place_in(c, groups, r, g, k)];
}

void ref_channel_shuffle_backward(int rows, int c, int groups, const double *dy, double *dx) {
  for (int r = 0; r < rows; r++)
    for (int g = 0; g < groups; g++)
      for (int k = 0; k < c / groups; k++)
        dx[place_in(c, groups, r, g, k)] = dy[place_out(c, groups, r, g, k)];
}
