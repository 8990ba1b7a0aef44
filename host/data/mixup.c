#include <math.h>

#include "base/random.h"
#include "data/dataset.h"

/* (0, 1] */
static double positive(uint32_t bits) { return 1 - (double)gf__random_float(bits); }

/* The logarithm of a number with the distribution Gamma(alpha), by Marsaglia and Tsang, 2000: they
 * draw from Gamma(alpha + 1), and a uniform number's root makes Gamma(alpha) of it. Logarithms,
 * because small alphas leave the range of numbers. which: 0 or 1, of two independent ones. */
static double draw_log_gamma(double alpha, uint64_t seed, int epoch, int batch, uint32_t which) {
  const double two_pi = 6.283185307179586;
  double d = alpha + 2.0 / 3, c = 1 / sqrt(9 * d);
  for (uint32_t attempt = 0;; attempt++) {
    gf__random4 bits =
        gf__random(seed, GF__STREAM_MIXUP, (uint32_t)epoch, (uint32_t)batch, 2 * attempt + which);
    double x = sqrt(-2 * log(positive(bits.v[0]))) * cos(two_pi * positive(bits.v[1]));
    double v = pow(1 + c * x, 3);
    if (v > 0 && log(positive(bits.v[2])) < 0.5 * x * x + d - d * v + d * log(v))
      return log(d * v) + log(positive(bits.v[3])) / alpha;
  }
}

float gf__mixup_draw(double alpha, uint64_t seed, int epoch, int batch) {
  double first = draw_log_gamma(alpha, seed, epoch, batch, 0);
  double second = draw_log_gamma(alpha, seed, epoch, batch, 1);
  return (float)(1 / (1 + exp(second - first)));
}
