/* Gradients of auxiliary losses with respect to their logits (n, CLASSES), times weight / n.
 * Labels as in softmax_cross_entropy.cl: (n), or (2, n) of share < 1. Options: CLASSES, and
 * SQUARED_HINGE or nothing. */
#define VEC 1
#include "vector.clh"
#include "epilogue.clh"

#ifdef SQUARED_HINGE

/* By how much class k comes too close to the label's; 0 where it does not. */
inline float lack(__global const float *row, int label, int k) {
  return k == label ? 0.0f : fmax(0.0f, 1.0f - row[label] + row[k]);
}

/* Of the sum over k of lack^2, for each k. */
inline float hinge_slope(__global const float *row, int label, float sum, int k) {
  return 2.0f * (k == label ? -sum : lack(row, label, k));
}

inline float lacks(__global const float *row, int label) {
  float sum = 0;
  for (int k = 0; k < CLASSES; k++) sum += lack(row, label, k);
  return sum;
}

#endif

__kernel void auxiliary_loss_backward(__global const float *logits, __global const int *labels,
                                      float share, float weight, __global float *dlogits, int n,
                                      EPILOGUE) {
  int i = get_global_id(0);
  if (i >= n) return;
  size_t at = (size_t)i * CLASSES;
  __global const float *row = logits + at;
  int first = labels[i], second = share < 1 ? labels[n + i] : first;
#ifdef SQUARED_HINGE
  float of_first = lacks(row, first), of_second = lacks(row, second);
#else
  float most = row[0], sum = 0;
  for (int k = 1; k < CLASSES; k++) most = fmax(most, row[k]);
  for (int k = 0; k < CLASSES; k++) sum += exp(row[k] - most);
#endif
  for (int k = 0; k < CLASSES; k++) {
#ifdef SQUARED_HINGE
    float v = share * hinge_slope(row, first, of_first, k) +
              (1 - share) * hinge_slope(row, second, of_second, k);
#else
    float v = exp(row[k] - most) / sum - (k == first ? share : 0) - (k == second ? 1 - share : 0);
#endif
    dlogits[at + k] = epilogue1(v * (weight / n), at + k, k, EPILOGUE_ARGS);
  }
}
