/* The gradient of a batch from those of its parts. */

/* sum (count) = share * gradient, plus what it has unless first; the part's loss and correct at
 * part_slot are added to the batch's at slot of results (slots, 2). */
__kernel void accumulate(__global const float *gradient, __global float *sum, int count,
                         float share, int first, __global float *results, int slot,
                         int part_slot) {
  int i = get_global_id(0);
  if (i < count) sum[i] = first ? share * gradient[i] : fma(share, gradient[i], sum[i]);
  if (i < 2) results[2 * slot + i] = (first ? 0.0f : results[2 * slot + i]) + results[2 * part_slot + i];
}
