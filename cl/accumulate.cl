/* The gradient of a batch from those of its micro-batches. */

/* sum (count) = weight * gradient, plus what sum holds unless this is the first micro-batch. In
 * results (rows, 2), the micro-batch's loss and correct are added to those of the batch. */
__kernel void accumulate(__global const float *gradient, __global float *sum, int count,
                         float weight, int first, __global float *results, int row,
                         int micro_row) {
  int i = get_global_id(0);
  if (i < count) sum[i] = first ? weight * gradient[i] : fma(weight, gradient[i], sum[i]);
  if (i < 2)
    results[2 * row + i] = (first ? 0.0f : results[2 * row + i]) + results[2 * micro_row + i];
}
