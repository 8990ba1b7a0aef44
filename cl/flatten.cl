/* NHWC images to vectors in the order C, H, W of PyTorch, and back. Options: H W C. */
#define VEC 1
#include "vector.clh"
#include "epilogue.clh"

inline int vector_index(int i) {
  int c = i % C, x = i / C % W, y = i / C / W % H, n = i / (C * W * H);
  return ((n * C + c) * H + y) * W + x;
}

__kernel void flatten(__global const float *x, __global float *y, int count) {
  int i = get_global_id(0);
  if (i < count) y[vector_index(i)] = x[i];
}

__kernel void flatten_backward(__global const float *dy, __global float *dx, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i < count) dx[i] = epilogue1(dy[vector_index(i)], i, i % C, EPILOGUE_ARGS);
}
