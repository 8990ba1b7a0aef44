/* Steps over flat buffers of count floats; weight decay is coupled: it is added
 * to the gradient, as in PyTorch's Adam and SGD. */

/* Kingma and Ba, 2015. blend = 1 - beta, which a float holds better than beta;
 * rate1 = 1 / (1 - beta1^t), rate2 = 1 / sqrt(1 - beta2^t). */
__kernel void adam(__global float *w, __global const float *gradient, __global float *m,
                   __global float *v, int count, float learning_rate, float weight_decay,
                   float blend1, float blend2, float eps, float rate1, float rate2) {
  int i = get_global_id(0);
  if (i >= count) return;
  float g = fma(weight_decay, w[i], gradient[i]);
  float mean = fma(blend1, g - m[i], m[i]);
  float square = fma(blend2, g * g - v[i], v[i]);
  m[i] = mean;
  v[i] = square;
  w[i] -= learning_rate * rate1 * mean / (sqrt(square) * rate2 + eps);
}

__kernel void sgd(__global float *w, __global const float *gradient, __global float *velocity,
                  int count, float learning_rate, float weight_decay, float momentum) {
  int i = get_global_id(0);
  if (i >= count) return;
  float g = fma(weight_decay, w[i], gradient[i]);
  float v = fma(momentum, velocity[i], g);
  velocity[i] = v;
  w[i] -= learning_rate * v;
}
