/* Steps over flat buffers of count floats. weight_decay is coupled: it is added
 * to the gradient, as in PyTorch. Clipping comes before it. */

/* scale multiplies every gradient, unless it is NULL; limit bounds the size of each, unless it is 0. */
#define CLIP __global const float *scale, float limit

/* Comparisons, so that NaN stays NaN. */
inline float clip(float g, CLIP) {
  if (scale) g *= scale[0];
  if (limit > 0) g = g > limit ? limit : g < -limit ? -limit : g;
  return g;
}

/* Kingma and Ba, 2015. blend = 1 - beta, which a float holds better than beta;
 * rate1 = 1 / (1 - beta1^t), rate2 = 1 / sqrt(1 - beta2^t).
 * shrink: the fraction of the weights that decoupled decay removes. */
__kernel void adam(__global float *w, __global const float *gradient, __global float *m,
                   __global float *v, int count, float learning_rate, float weight_decay,
                   float shrink, CLIP, float blend1, float blend2, float eps, float rate1,
                   float rate2) {
  int i = get_global_id(0);
  if (i >= count) return;
  float g = fma(weight_decay, w[i], clip(gradient[i], scale, limit));
  float mean = fma(blend1, g - m[i], m[i]);
  float square = fma(blend2, g * g - v[i], v[i]);
  m[i] = mean;
  v[i] = square;
  w[i] = fma(-shrink, w[i], w[i]) - learning_rate * rate1 * mean / (sqrt(square) * rate2 + eps);
}

__kernel void sgd(__global float *w, __global const float *gradient, __global float *velocity,
                  int count, float learning_rate, float weight_decay, CLIP, float momentum,
                  int nesterov) {
  int i = get_global_id(0);
  if (i >= count) return;
  float g = fma(weight_decay, w[i], clip(gradient[i], scale, limit));
  float v = fma(momentum, velocity[i], g);
  velocity[i] = v;
  w[i] -= learning_rate * (nesterov ? fma(momentum, v, g) : v);
}

/* Tieleman and Hinton, 2012; blend = 1 - alpha. */
__kernel void rmsprop(__global float *w, __global const float *gradient, __global float *squares,
                      __global float *velocity, int count, float learning_rate, float weight_decay,
                      CLIP, float blend, float eps, float momentum) {
  int i = get_global_id(0);
  if (i >= count) return;
  float g = fma(weight_decay, w[i], clip(gradient[i], scale, limit));
  float square = fma(blend, g * g - squares[i], squares[i]);
  float v = fma(momentum, velocity[i], g / (sqrt(square) + eps));
  squares[i] = square;
  velocity[i] = v;
  w[i] -= learning_rate * v;
}
