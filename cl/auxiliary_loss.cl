/* Gradients of auxiliary losses with respect to their logits (n, CLASSES), times weight / n.
 * Labels as in softmax_cross_entropy.cl: (n), or (2, n) of mix < 1. Options: CLASSES, and
 * SQUARED_HINGE or nothing. */
#define VEC 1
#include "vector.clh"
#include "epilogue.clh"

#ifdef SQUARED_HINGE

/* How far class k is inside the margin of 1 below the label's logit; 0 outside of it. */
inline float lack(__global const float *row, int label, int k) {
  return k == label ? 0.0f : fmax(0.0f, 1.0f - row[label] + row[k]);
}

/* The derivative of the sum over k of lack^2 with respect to logit k. */
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
                                      float mix, float weight, __global float *dlogits, int n,
                                      EPILOGUE) {
  int i = get_global_id(0);
  if (i >= n) return;
  size_t at = (size_t)i * CLASSES;
  __global const float *row = logits + at;
  int first = labels[i], second = mix < 1 ? labels[n + i] : first;
#ifdef SQUARED_HINGE
  float of_first = lacks(row, first), of_second = lacks(row, second);
#else
  float most = row[0], sum = 0;
  for (int k = 1; k < CLASSES; k++) most = fmax(most, row[k]);
  for (int k = 0; k < CLASSES; k++) sum += exp(row[k] - most);
#endif
  for (int k = 0; k < CLASSES; k++) {
#ifdef SQUARED_HINGE
    float v = mix * hinge_slope(row, first, of_first, k) +
              (1 - mix) * hinge_slope(row, second, of_second, k);
#else
    float v = exp(row[k] - most) / sum - (k == first ? mix : 0) - (k == second ? 1 - mix : 0);
#endif
    dlogits[at + k] = epilogue1(v * (weight / n), at + k, k, EPILOGUE_ARGS);
  }
}
