/* Activations whose derivative is computed from their input x. Options: VEC, CHANNELS, and one of
 * ELU (Clevert et al., 2016), GELU (Hendrycks and Gimpel, 2016), SILU (Elfwing et al., 2018), CLAMP,
 * HARD_SIGMOID (Courbariaux et al., 2015) and HARD_SWISH (Howard et al., 2019). a is elu's alpha or
 * clamp's minimum, b clamp's maximum. Comparisons let a NaN through. */
#include "vector.clh"
#include "epilogue.clh"

#ifdef ELU
inline V value(V x, float a, float b) { return select(a * expm1(x), x, x > (V)0); }
inline V slope_at(V x, float a, float b) { return select(a * exp(x), (V)1, x > (V)0); }
#endif

#ifdef GELU
/* The normal distribution by erfc, which keeps its digits where x is far below 0. */
inline V normal(V x) { return 0.5f * erfc(x * -0.70710678f); }
inline V value(V x, float a, float b) { return x * normal(x); }
inline V slope_at(V x, float a, float b) {
  return normal(x) + x * (0.39894228f * exp(-0.5f * x * x)); /* 1 / sqrt(2 pi) */
}
#endif

#ifdef SILU
inline V sigmoid(V x) { return (V)1 / ((V)1 + exp(-x)); }
inline V value(V x, float a, float b) { return x * sigmoid(x); }
inline V slope_at(V x, float a, float b) {
  V s = sigmoid(x);
  return s * ((V)1 + x * ((V)1 - s));
}
#endif

#ifdef CLAMP
inline V value(V x, float a, float b) { return select(select(x, (V)b, x > (V)b), (V)a, x < (V)a); }
inline V slope_at(V x, float a, float b) {
  return select((V)0, (V)1, (x > (V)a) & (x < (V)b));
}
#endif

#if defined HARD_SIGMOID || defined HARD_SWISH
inline V hard_sigmoid(V x) {
  return select(select(x * 0.16666667f + 0.5f, (V)1, x > (V)3), (V)0, x < (V)-3);
}
#endif

#ifdef HARD_SIGMOID
inline V value(V x, float a, float b) { return hard_sigmoid(x); }
inline V slope_at(V x, float a, float b) {
  return select((V)0, (V)0.16666667f, (x > (V)-3) & (x < (V)3));
}
#endif

#ifdef HARD_SWISH
inline V value(V x, float a, float b) { return x * hard_sigmoid(x); }
inline V slope_at(V x, float a, float b) {
  return select(select(x * 0.33333333f + 0.5f, (V)1, x > (V)3), (V)0, x <= (V)-3);
}
#endif

__kernel void activation_of_input_forward(__global const float *x, __global float *y, int count,
                                          float a, float b) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  VSTORE(value(VLOAD(x + at), a, b), y + at);
}

/* dx = epilogue(dy * the derivative at x). */
__kernel void activation_of_input_backward(__global const float *dy, __global const float *x,
                              __global float *dx, int count, float a, float b,
                                           EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  V v = VLOAD(dy + at) * slope_at(VLOAD(x + at), a, b);
  VSTORE(epilogue(v, at, (int)(at % CHANNELS), EPILOGUE_ARGS), dx + at);
}
