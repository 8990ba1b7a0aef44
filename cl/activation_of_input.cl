/* Activations whose derivative is computed from their input x. Options: VEC, CHANNELS, and one of
 * ELU (Clevert et al., 2016), GELU (Hendrycks and Gimpel, 2016) and SILU (Elfwing et al., 2018). */
#include "vector.clh"
#include "epilogue.clh"

#ifdef ELU
inline V value(V x, float alpha) { return select(alpha * expm1(x), x, x > (V)0); }
inline V slope_at(V x, float alpha) { return select(alpha * exp(x), (V)1, x > (V)0); }
#endif

#ifdef GELU
/* The normal distribution by erfc, which keeps its digits where x is far below 0. */
inline V normal(V x) { return 0.5f * erfc(x * -0.70710678f); }
inline V value(V x, float alpha) { return x * normal(x); }
inline V slope_at(V x, float alpha) {
  return normal(x) + x * (0.39894228f * exp(-0.5f * x * x)); /* 1 / sqrt(2 pi) */
}
#endif

#ifdef SILU
inline V sigmoid(V x) { return (V)1 / ((V)1 + exp(-x)); }
inline V value(V x, float alpha) { return x * sigmoid(x); }
inline V slope_at(V x, float alpha) {
  V s = sigmoid(x);
  return s * ((V)1 + x * ((V)1 - s));
}
#endif

__kernel void activation_of_input_forward(__global const float *x, __global float *y, int count, float alpha) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  VSTORE(value(VLOAD(x + at), alpha), y + at);
}

/* dx = epilogue(dy * the derivative at x). */
__kernel void activation_of_input_backward(__global const float *dy, __global const float *x,
                              __global float *dx, int count, float alpha, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  V v = VLOAD(dy + at) * slope_at(VLOAD(x + at), alpha);
  VSTORE(epilogue(v, at, (int)(at % CHANNELS), EPILOGUE_ARGS), dx + at);
}
