/* Plain double-precision references of every operation, for tests.
 *
 * They include nothing of the library and allocate nothing. Activations are
 * (n, h, w, c), channels fastest; conv2d weights are (filters, channels of a
 * group, kernel height, kernel width); linear weights are (outputs, inputs). Pairs are
 * (height, width). A forward writes y. A backward takes the gradient dy of some
 * loss L with respect to y and writes, never accumulates, the gradients of L
 * with respect to its inputs; a result pointer that may be NULL says so.
 * Outputs never overlap inputs unless said. */
#ifndef REF_REFERENCE_H
#define REF_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

/* Positions of a window along one axis:
 * floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, or 0 if it does not fit. */
int ref_output_size(int size, int kernel, int stride, int padding, int dilation);

typedef struct ref_conv2d {
  int n, h, w, c, filters;
  int kernel[2], stride[2], padding[2], dilation[2];
  int groups;   /* divides c and filters */
  int extra[2]; /* zeros after the image beyond those before it; below 0: fewer */
} ref_conv2d;

/* Positions of the window along the height (axis 0) or the width (1). */
int ref_conv2d_outputs(const ref_conv2d *conv, int axis);

/* y[n,p,q,k] = bias[k] + sum over r,s,c of weight[k,c,r,s] x[n, i, j, g c / groups + c],
 * g = k / (filters / groups) rounded down, c up to the channels of a group,
 * i = p stride - padding + r dilation, j in the same way, x = 0 outside the image.
 * bias may be NULL: none. y (n, p, q, filters). */
void ref_conv2d_forward(const ref_conv2d *conv, const double *x, const double *weight,
                        const double *bias, double *y);
/* dx[n,i,j,c]       = sum of weight[k,c,r,s] dy[n,p,q,k] over all p,q,r,s,k that read it
 * dweight[k,c,r,s]  = sum over n,p,q of dy[n,p,q,k] x[n,i,j,c]
 * dbias[k]          = sum over n,p,q of dy[n,p,q,k]
 * Each result may be NULL. */
void ref_conv2d_backward(const ref_conv2d *conv, const double *x, const double *weight,
                         const double *dy, double *dx, double *dweight, double *dbias);

typedef struct ref_conv_transpose2d {
  int n, h, w, c, filters;
  int kernel[2], stride[2], begin[2], end[2], output_padding[2], dilation[2];
  int groups; /* divides c and filters */
} ref_conv_transpose2d;

/* (size - 1) stride + dilation (kernel - 1) + 1 + output_padding - begin - end, along the height
 * (axis 0) or the width (1). */
int ref_conv_transpose2d_outputs(const ref_conv_transpose2d *conv, int axis);
/* y[n,p,q,g f + k] = bias[g f + k] + sum of weight[c,k,r,s] x[n,i,j,c] over the channels c of group
 * g and over i, j, r, s with p = i stride + r dilation - begin, q in the same way; f = filters /
 * groups. Weights are (c, f, kernel height, kernel width); bias may be NULL: none. */
void ref_conv_transpose2d_forward(const ref_conv_transpose2d *conv, const double *x,
                                  const double *weight, const double *bias, double *y);
/* dbias may be NULL. */
void ref_conv_transpose2d_backward(const ref_conv_transpose2d *conv, const double *x,
                                   const double *weight, const double *dy, double *dx,
                                   double *dweight, double *dbias);

/* x (rows, c), rows = n h w, at least 2 in training. Per channel:
 * mean = sum x / rows, variance = sum (x - mean)^2 / rows (biased),
 * y = gamma (x - mean) / sqrt(variance + eps) + beta,
 * running_mean += momentum (mean - running_mean),
 * running_variance += momentum (variance rows / (rows - 1) - running_variance).
 * The running statistics (c each) may be NULL together. */
void ref_batch_norm_forward(int rows, int c, double eps, double momentum, const double *x,
                            const double *gamma, const double *beta, double *running_mean,
                            double *running_variance, double *y);
/* y = gamma (x - running_mean) / sqrt(running_variance + eps) + beta; rows may be 1. */
void ref_batch_norm_inference(int rows, int c, double eps, const double *x, const double *gamma,
                              const double *beta, const double *running_mean,
                              const double *running_variance, double *y);
/* Through the batch statistics, with u = (x - mean) / sqrt(variance + eps):
 * dbeta = sum dy, dgamma = sum dy u,
 * dx = gamma / sqrt(variance + eps) (dy - dbeta / rows - u dgamma / rows). */
void ref_batch_norm_backward(int rows, int c, double eps, const double *x, const double *gamma,
                             const double *dy, double *dx, double *dgamma, double *dbeta);

/* An activation f by its value and its derivative in terms of x; slope is that
 * of leaky_relu for negative x, or the alpha of elu, and is ignored by the others.
 * At a kink the derivative is the left one.
 * elu(x) = x for x > 0, else alpha (exp(x) - 1); gelu(x) = x Phi(x), Phi the normal
 * distribution's; silu(x) = x / (1 + exp(-x)); hard_sigmoid(x) = x / 6 + 1/2 between 0 and 1,
 * hard_swish(x) = x hard_sigmoid(x). */
typedef struct ref_activation {
  const char *name;
  double (*value)(double x, double slope);
  double (*derivative)(double x, double slope);
} ref_activation;

/* leaky_relu, relu, tanh, sigmoid, elu, gelu, silu, hard_sigmoid, hard_swish. */
extern const ref_activation ref_activations[];
extern const int ref_activation_count;
/* NULL if there is none of this name. */
const ref_activation *ref_activation_find(const char *name);
/* y = f(x); y may be x. */
void ref_activation_forward(const ref_activation *activation, double slope, size_t count,
                            const double *x, double *y);
/* dx = f'(x) dy; dx may be dy. */
void ref_activation_backward(const ref_activation *activation, double slope, size_t count,
                             const double *x, const double *dy, double *dx);

/* x between a minimum and a maximum, whose derivative at both is 0. */
void ref_clamp_forward(double minimum, double maximum, size_t count, const double *x, double *y);
void ref_clamp_backward(double minimum, double maximum, size_t count, const double *x,
                        const double *dy, double *dx);

/* Windows over each channel; padding is at most half the kernel, so that every
 * window holds at least one pixel. */
typedef struct ref_pool {
  int n, h, w, c;
  int kernel[2], stride[2], padding[2];
  int extra[2];     /* more padding after the image than before it */
  bool ceil_mode;   /* PyTorch's: one window more that begins before the zeros after the image */
  bool pixels_only; /* an average leaves zeros out: PyTorch's count_include_pad=False */
} ref_pool;
int ref_pool_outputs(const ref_pool *pool, int axis);

/* y = sum of the window / number of its pixels and zeros; what ceil_mode adds is neither. */
void ref_avg_pool_forward(const ref_pool *pool, const double *x, double *y);
void ref_avg_pool_backward(const ref_pool *pool, const double *dy, double *dx);
/* y = the window's largest pixel; padding never wins. */
void ref_max_pool_forward(const ref_pool *pool, const double *x, double *y);
/* The first largest pixel in row-major order receives the window's dy. */
void ref_max_pool_backward(const ref_pool *pool, const double *x, const double *dy, double *dx);

/* y (n, oh, ow, c): means of bins, as PyTorch's adaptive pools have them: bin o of out along an axis
 * of size pixels is [floor(o size / out), ceil((o + 1) size / out)). */
void ref_adaptive_avg_pool_forward(int n, int h, int w, int c, int oh, int ow, const double *x,
                                   double *y);
void ref_adaptive_avg_pool_backward(int n, int h, int w, int c, int oh, int ow, const double *dy,
                                    double *dx);

/* y[n,c] = sum over h,w of x[n,h,w,c] / (h w). */
void ref_global_avg_pool_forward(int n, int h, int w, int c, const double *x, double *y);
void ref_global_avg_pool_backward(int n, int h, int w, int c, const double *dy, double *dx);

/* y[n,o] = bias[o] + sum over i of weight[o,i] x[n,i]; bias may be NULL. */
void ref_linear_forward(int n, int inputs, int outputs, const double *x, const double *weight,
                        const double *bias, double *y);
/* dx[n,i] = sum over o of weight[o,i] dy[n,o], dweight[o,i] = sum over n of dy[n,o] x[n,i],
 * dbias[o] = sum over n of dy[n,o]. Each result may be NULL. */
void ref_linear_backward(int n, int inputs, int outputs, const double *x, const double *weight,
                         const double *dy, double *dx, double *dweight, double *dbias);

/* y = a + b; y may be either. */
void ref_add_forward(size_t count, const double *a, const double *b, double *y);
/* da = db = dy. */
void ref_add_backward(size_t count, const double *dy, double *da, double *db);

/* The product of x (n, pixels, c) and a factor (n, c) for all pixels of an image; pixels = 1 where
 * both have one shape. dx may not be dy. */
void ref_multiply_forward(int n, int pixels, int c, const double *x, const double *factor,
                          double *y);
void ref_multiply_backward(int n, int pixels, int c, const double *x, const double *factor,
                           const double *dy, double *dx, double *dfactor);

/* y (rows, a + b): the channels of a row of x0 (rows, a), then those of x1 (rows, b). */
void ref_concat_forward(int rows, int a, int b, const double *x0, const double *x1, double *y);
void ref_concat_backward(int rows, int a, int b, const double *dy, double *dx0, double *dx1);

/* Normalization of each image (pixels, c) by itself, or, unless over_image, of each of its pixels;
 * then the weights gamma and beta are (c), else (c, pixels). */
void ref_layer_norm_forward(int n, int pixels, int c, int over_image, double eps, const double *x,
                            const double *gamma, const double *beta, double *y);
void ref_layer_norm_backward(int n, int pixels, int c, int over_image, double eps, const double *x,
                             const double *gamma, const double *dy, double *dx, double *dgamma,
                             double *dbeta);

/* Normalization of each group of channels of each image (pixels, c) by itself; gamma, beta (c). */
void ref_group_norm_forward(int n, int pixels, int c, int groups, double eps, const double *x,
                            const double *gamma, const double *beta, double *y);
void ref_group_norm_backward(int n, int pixels, int c, int groups, double eps, const double *x,
                             const double *gamma, const double *dy, double *dx, double *dgamma,
                             double *dbeta);

/* y[r,k] = factor[k] x[r,k]. */
void ref_layer_scale_forward(int rows, int c, const double *x, const double *factor, double *y);
void ref_layer_scale_backward(int rows, int c, const double *x, const double *factor,
                              const double *dy, double *dx, double *dfactor);

/* y (rows, channels): of each row of x (rows, c) the channels from first on. */
void ref_slice_forward(int rows, int c, int first, int channels, const double *x, double *y);
void ref_slice_backward(int rows, int c, int first, int channels, const double *dy, double *dx);

/* y[r, k groups + g] = x[r, g (c / groups) + k]. */
void ref_channel_shuffle_forward(int rows, int c, int groups, const double *x, double *y);
void ref_channel_shuffle_backward(int rows, int c, int groups, const double *dy, double *dx);

/* The shortcut of option A (He et al., 2015): y[n,p,q,k] = x[n, p stride, q stride, k] for k < c,
 * else 0; y (n, ceil(h / stride), ceil(w / stride), channels). */
void ref_pad_shortcut_forward(int n, int h, int w, int c, int stride, int channels, const double *x,
                              double *y);
void ref_pad_shortcut_backward(int n, int h, int w, int c, int stride, int channels,
                               const double *dy, double *dx);

/* y[n, (c H + h) W + w] = x[n,h,w,c]: the order of PyTorch, whose images are
 * (n, c, h, w), so that the weights of a following linear layer agree. */
void ref_flatten_forward(int n, int h, int w, int c, const double *x, double *y);
void ref_flatten_backward(int n, int h, int w, int c, const double *dy, double *dx);

/* y = x mask / (1 - p), mask 1: kept, 0: dropped; 0 <= p < 1. */
void ref_dropout_forward(size_t count, double p, const unsigned char *mask, const double *x,
                         double *y);
/* dx = dy mask / (1 - p). */
void ref_dropout_backward(size_t count, double p, const unsigned char *mask, const double *dy,
                          double *dx);

/* Returns the loss -1/n sum over n of log softmax(logits[n])[label[n]]. Writes
 * correct, the rows whose first largest logit is the label's, and
 * dlogits = (softmax(logits) - onehot(label)) / n. Both may be NULL. */
double ref_softmax_cross_entropy(int n, int classes, const double *logits, const int *labels,
                                 int *correct, double *dlogits);
/* Label smoothing: returns the loss -1/n sum over n, k of target[n,k] log softmax(logits[n])[k]
 * with target[n,k] = (1 - smoothing) onehot(label[n])[k] + smoothing / classes, and writes
 * dlogits = (softmax(logits) - target) / n, which may be NULL. */
double ref_smoothed_cross_entropy(int n, int classes, double smoothing, const double *logits,
                                  const int *labels, double *dlogits);

/* Returns the loss 1/n sum over n and k != label[n] of max(0, 1 - s[label[n]] + s[k])^2 of the
 * logits s = logits[n] (Lee et al., 2015), and writes its gradient. */
double ref_squared_hinge(int n, int classes, const double *logits, const int *labels,
                         double *dlogits);

typedef struct ref_adam {
  double lr, beta1, beta2, eps, weight_decay;
} ref_adam;

/* Step t = 1, 2, …, with g = gradient + weight_decay w (coupled):
 * m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
 * w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps).
 * m and v are 0 before the first step. */
void ref_adam_step(const ref_adam *adam, int t, size_t count, const double *gradient, double *w,
                   double *m, double *v);
/* The same with decoupled decay: w -= lr weight_decay w, and then the step with
 * g = gradient. */
void ref_adamw_step(const ref_adam *adam, int t, size_t count, const double *gradient, double *w,
                    double *m, double *v);

typedef struct ref_sgd {
  double lr, momentum, weight_decay;
  int nesterov;
} ref_sgd;

/* g = gradient + weight_decay w, velocity = momentum velocity + g, w -= lr velocity;
 * with nesterov, w -= lr (g + momentum velocity). velocity is 0 before the first step. */
void ref_sgd_step(const ref_sgd *sgd, size_t count, const double *gradient, double *w,
                  double *velocity);

typedef struct ref_rmsprop {
  double lr, alpha, eps, momentum, weight_decay;
} ref_rmsprop;

/* g = gradient + weight_decay w, s = alpha s + (1 - alpha) g^2,
 * velocity = momentum velocity + g / (sqrt(s) + eps), w -= lr velocity.
 * s and velocity are 0 before the first step. */
void ref_rmsprop_step(const ref_rmsprop *rmsprop, size_t count, const double *gradient, double *w,
                      double *s, double *velocity);

/* What a gradient is multiplied by so that its L2 norm is at most most:
 * min(1, most / (norm + 1e-6)). */
double ref_clip_scale(size_t count, const double *gradient, double most);

typedef struct ref_statistics {
  double mean_abs; /* sum |x| / count */
  double l2;       /* sqrt(sum x^2) */
  double max_abs;
  double zero_fraction; /* elements that equal 0 / count */
} ref_statistics;

/* count is at least 1. */
ref_statistics ref_statistics_of(size_t count, const double *x);

typedef struct ref_activation_statistics {
  double mean, deviation; /* sqrt(sum (y - mean)^2 / count) */
  double dead;            /* channels whose derivative is never above 0.01 / c */
} ref_activation_statistics;

/* Of y (rows, c) = f(x) and the derivative f'(x) there, like y; NULL: no activation, dead is NaN.
 */
ref_activation_statistics ref_activation_statistics_of(size_t rows, int c, const double *y,
                                                       const double *derivative);

/* Of y (images, units): sum (y - mean over the images)^2 / sum y^2, 0 where y is 0. */
double ref_contrast_of(int images, size_t units, const double *y);

/* lr(epoch) = minimum + (lr0 - minimum) (1 + cos(pi epoch / epochs)) / 2, epoch = 0, 1, … */
double ref_cosine(double lr0, double minimum, int epoch, int epochs);

/* 3-D convolution: x (n, size, c), y (n, out, filters), weight (filters, c, kernel); triples are
 * (depth, height, width), out by ref_output_size. As ref_conv2d with one more axis. */
typedef struct ref_conv3d {
  int n, size[3], c, filters;
  int kernel[3], stride[3], padding[3];
} ref_conv3d;

void ref_conv3d_forward(const ref_conv3d *conv, const double *x, const double *weight,
                        const double *bias, double *y);
/* Each result may be NULL. */
void ref_conv3d_backward(const ref_conv3d *conv, const double *x, const double *weight,
                         const double *dy, double *dx, double *dweight, double *dbias);

/* As ref_pool with one more axis; the first largest voxel in row-major order gets the gradient. */
typedef struct ref_pool3d {
  int n, size[3], c;
  int kernel[3], stride[3], padding[3];
} ref_pool3d;

void ref_avg_pool3d_forward(const ref_pool3d *pool, const double *x, double *y);
void ref_avg_pool3d_backward(const ref_pool3d *pool, const double *dy, double *dx);
void ref_max_pool3d_forward(const ref_pool3d *pool, const double *x, double *y);
void ref_max_pool3d_backward(const ref_pool3d *pool, const double *x, const double *dy, double *dx);

/* volume[n,z,p,k] = image[n,p,k d + z] of (n, pixels, c d); each is the gradient of the other. */
void ref_to_volume(int n, int pixels, int d, int c, const double *image, double *volume);
void ref_to_image(int n, int pixels, int d, int c, const double *volume, double *image);

#endif
