/* Softmax and cross-entropy of logits (n, CLASSES) against labels (n). */
#include "vector.clh"
#include "epilogue.clh"

inline float largest(__global const float *row, int *where) {
  *where = 0;
  for (int k = 1; k < CLASSES; k++)
    if (row[k] > row[*where]) *where = k;
  return row[*where];
}

/* per_image (2, n): each image's loss, and 1 where its largest logit (the first
 * among equals) is the label's. */
__kernel void softmax_cross_entropy(__global const float *logits, __global const int *labels,
                                    __global float *per_image, int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  __global const float *row = logits + (size_t)i * CLASSES;
  int where;
  float most = largest(row, &where), sum = 0;
  for (int k = 0; k < CLASSES; k++) sum += exp(row[k] - most);
  per_image[i] = log(sum) + most - row[labels[i]];
  per_image[n + i] = where == labels[i];
}

/* results (., 2): at slot, the sums of per_image over the n images. */
__kernel void sum_losses(__global const float *per_image, __global float *results, int slot,
                         int n) {
  float total = 0, hits = 0;
  for (int i = 0; i < n; i++) {
    total += per_image[i];
    hits += per_image[n + i];
  }
  results[2 * slot] = total;
  results[2 * slot + 1] = hits;
}

/* dlogits of the mean loss: (softmax - one-hot) / n. */
__kernel void softmax_cross_entropy_backward(__global const float *logits,
                                             __global const int *labels, __global float *dlogits,
                                             int n, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= n) return;
  size_t at = (size_t)i * CLASSES;
  int where;
  float most = largest(logits + at, &where), sum = 0;
  for (int k = 0; k < CLASSES; k++) sum += exp(logits[at + k] - most);
  for (int k = 0; k < CLASSES; k++) {
    float v = (exp(logits[at + k] - most) / sum - (k == labels[i])) / n;
    dlogits[at + k] = epilogue1(v, at + k, k, EPILOGUE_ARGS);
  }
}
