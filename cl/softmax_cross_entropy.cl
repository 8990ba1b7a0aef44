/* Softmax and cross-entropy of logits (n, CLASSES) against labels (n), or, with mix < 1, (2, n):
 * the target is mix of the first label and 1 - mix of the second, all times 1 - smoothing, and
 * smoothing / CLASSES of every class. */
#include "vector.clh"
#include "epilogue.clh"

inline float largest(__global const float *row, int *where) {
  *where = 0;
  for (int k = 1; k < CLASSES; k++)
    if (row[k] > row[*where]) *where = k;
  return row[*where];
}

/* How much of the labels is class k. */
inline float label_weight(__global const int *labels, int i, int n, float mix, int k) {
  float s = k == labels[i] ? mix : 0;
  return mix < 1 && k == labels[n + i] ? s + (1 - mix) : s;
}

/* per_image (2, n): each image's loss, and the weight of the class of its largest logit (the first
 * among equals) in the labels: 1 or 0 without a second label. Logits of which one is not a number
 * have no largest one, and their loss is none either. */
__kernel void softmax_cross_entropy(__global const float *logits, __global const int *labels,
                                    float mix, float smoothing, __global float *per_image,
                                    int n) {
  int i = get_global_id(0);
  if (i >= n) return;
  __global const float *row = logits + (size_t)i * CLASSES;
  int where;
  float most = largest(row, &where), sum = 0, target = row[labels[i]];
  for (int k = 0; k < CLASSES; k++) sum += exp(row[k] - most);
  if (mix < 1) {
    float second = row[labels[n + i]];
    target = fma(mix, target - second, second);
  }
  if (smoothing > 0) {
    float shifted = 0;
    for (int k = 0; k < CLASSES; k++) shifted += row[k] - target;
    target = fma(smoothing / CLASSES, shifted, target);
  }
  float loss = log(sum) + most - target;
  per_image[i] = loss;
  per_image[n + i] = isnan(loss) ? 0.0f : label_weight(labels, i, n, mix, where);
}

/* results (rows, 2): in one row, the sums of per_image over the n images. */
__kernel void sum_losses(__global const float *per_image, __global float *results, int row,
                         int n) {
  float total = 0, correct = 0;
  for (int i = 0; i < n; i++) {
    total += per_image[i];
    correct += per_image[n + i];
  }
  results[2 * row] = total;
  results[2 * row + 1] = correct;
}

/* dlogits of the mean loss: (softmax - target) / n. */
__kernel void softmax_cross_entropy_backward(__global const float *logits,
                                             __global const int *labels, float mix,
                                             float smoothing, __global float *dlogits, int n,
                                             EPILOGUE) {
  int i = get_global_id(0);
  if (i >= n) return;
  size_t at = (size_t)i * CLASSES;
  int where;
  float most = largest(logits + at, &where), sum = 0;
  for (int k = 0; k < CLASSES; k++) sum += exp(logits[at + k] - most);
  for (int k = 0; k < CLASSES; k++) {
    float target = smoothing / CLASSES + (1 - smoothing) * label_weight(labels, i, n, mix, k);
    float v = (exp(logits[at + k] - most) / sum - target) / n;
    dlogits[at + k] = epilogue1(v, at + k, k, EPILOGUE_ARGS);
  }
}
