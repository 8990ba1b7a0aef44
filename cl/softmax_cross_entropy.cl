/* Softmax and cross-entropy of logits (n, CLASSES) against labels (n), or (2, n)
 * of share < 1: the target is 1 - smoothing of the labels by their shares and
 * smoothing / CLASSES of every class. */
#include "vector.clh"
#include "epilogue.clh"

inline float largest(__global const float *row, int *where) {
  *where = 0;
  for (int k = 1; k < CLASSES; k++)
    if (row[k] > row[*where]) *where = k;
  return row[*where];
}

/* The labels' share that is class k. */
inline float share_of(__global const int *labels, int i, int n, float share, int k) {
  float s = k == labels[i] ? share : 0;
  return share < 1 && k == labels[n + i] ? s + (1 - share) : s;
}

/* per_image (2, n): each image's loss, and the label's share (1 without a second
 * label) where its largest logit (the first among equals) is the label's. */
__kernel void softmax_cross_entropy(__global const float *logits, __global const int *labels,
                                    float share, float smoothing, __global float *per_image,
                                    int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  __global const float *row = logits + (size_t)i * CLASSES;
  int where;
  float most = largest(row, &where), sum = 0, target = row[labels[i]];
  for (int k = 0; k < CLASSES; k++) sum += exp(row[k] - most);
  if (share < 1) {
    float second = row[labels[n + i]];
    target = fma(share, target - second, second);
  }
  if (smoothing > 0) {
    float shifted = 0;
    for (int k = 0; k < CLASSES; k++) shifted += row[k] - target;
    target = fma(smoothing / CLASSES, shifted, target);
  }
  per_image[i] = log(sum) + most - target;
  per_image[n + i] = share_of(labels, i, n, share, where);
}

/* results (., 2): at slot, the sums of per_image over the n images. */
__kernel void sum_losses(__global const float *per_image, __global float *results, int slot,
                         int n) {
  float total = 0, correct = 0;
  for (int i = 0; i < n; i++) {
    total += per_image[i];
    correct += per_image[n + i];
  }
  results[2 * slot] = total;
  results[2 * slot + 1] = correct;
}

/* dlogits of the mean loss: (softmax - target) / n. */
__kernel void softmax_cross_entropy_backward(__global const float *logits,
                                             __global const int *labels, float share,
                                             float smoothing, __global float *dlogits, int n,
                                             EPILOGUE) {
  int i = get_global_id(0);
  if (i >= n) return;
  size_t at = (size_t)i * CLASSES;
  int where;
  float most = largest(logits + at, &where), sum = 0;
  for (int k = 0; k < CLASSES; k++) sum += exp(logits[at + k] - most);
  for (int k = 0; k < CLASSES; k++) {
    float target = smoothing / CLASSES + (1 - smoothing) * share_of(labels, i, n, share, k);
    float v = (exp(logits[at + k] - most) / sum - target) / n;
    dlogits[at + k] = epilogue1(v, at + k, k, EPILOGUE_ARGS);
  }
}
