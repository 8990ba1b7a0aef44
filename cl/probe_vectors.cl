/* Moves vectors as a transform of a convolution does, between global and private memory, neither of
 * which is aligned to a vector: whether VLOAD and VSTORE compute right, and how long they take. The
 * host puts vector.clh before it. */
#define SIDE 6

/* y (VEC + 1) from x (SIDE * SIDE + VEC); its first float is left alone. */
__kernel void probe_vectors(__global const float *x, __global float *y, int repeats) {
  float scratch[SIDE * SIDE * VEC + 1];
  V total = 0;
  for (int n = 0; n < repeats; n++) {
    V t[SIDE][SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) VSTORE(VLOAD(x + i) + (V)n, scratch + 1 + i * VEC);
    UNROLL for (int j = 0; j < SIDE; j++) {
      V d[SIDE];
      UNROLL for (int i = 0; i < SIDE; i++) d[i] = VLOAD(scratch + 1 + (i * SIDE + j) * VEC);
      UNROLL for (int i = 0; i < SIDE; i++) t[i][j] = d[i] - d[(i + 2) % SIDE];
    }
    UNROLL for (int i = 0; i < SIDE; i++)
      UNROLL for (int j = 0; j < SIDE; j++)
        VSTORE(t[i][j] - t[i][(j + 1) % SIDE], scratch + 1 + (i * SIDE + j) * VEC);
    for (int i = 0; i < SIDE * SIDE; i++) total += VLOAD(scratch + 1 + i * VEC) * (V)(i % 4);
  }
  VSTORE(total, y + 1);
}
