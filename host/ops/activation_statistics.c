#include "ops/activation_statistics.h"

#include <math.h>
#include <stdio.h>

#include "ops/reduce.h"

/* The outputs that are alive, by kind; those of leaky_relu also depend on its slope. */
static const gf__interval alive_outputs[] = {
    [GF__ACTIVATION_NONE] = {-INFINITY, INFINITY},
    [GF__ACTIVATION_LEAKY_RELU] = {0, INFINITY},
    /* +-sqrt(1 - GF__ALIVE) */
    [GF__ACTIVATION_TANH] = {-0.99498743710661997, 0.99498743710661997},
    /* 1/2 +- sqrt(1/4 - GF__ALIVE) */
    [GF__ACTIVATION_SIGMOID] = {0.010102051443364381, 0.98989794855663562},
};

gf__interval gf__activation_alive(gf__activation activation) {
  bool is_steep = activation.slope > (float)GF__ALIVE; /* below 0 as well */
  return alive_outputs[is_steep ? GF__ACTIVATION_NONE : activation.kind];
}

size_t gf__activation_statistics_workspace(const gf_device *device, int channels) {
  enum { VALUES = 9 }; /* per range of the rows and channel */
  return (size_t)gf__reduce_partials(device) * VALUES * (size_t)channels * sizeof(float);
}

gf_status gf__activation_statistics(gf_device *device, int images, int rows, int channels,
                                    const gf_buffer *x, gf__interval alive, gf_buffer *workspace,
                                    gf_buffer *out, int first_channel) {
  gf__kernel *partial, *join;
  char options[32];
  int width = gf__vector_width(device, channels), partials = gf__reduce_partials(device);
  snprintf(options, sizeof options, "-DVEC=%d", width);
  GF_TRY(
      gf__kernel_get(&partial, device, "activation_statistics.cl", "activation_moments", options));
  GF_TRY(gf__kernel_get(&join, device, "activation_statistics.cl", "join_activation_moments",
                        options));
  gf__grid grid = gf__grid_single((size_t)(channels / width), (size_t)partials, 1);
  grid.bytes = 4.0 * rows * channels;
  GF_TRY(GF_LAUNCH(partial, grid, GF_BUFFER(x), GF_BUFFER(workspace), GF_INT(rows),
                   GF_INT(channels), GF_INT(partials), GF_FLOAT(alive.low), GF_FLOAT(alive.high),
                   GF_INT(images)));
  gf__grid each_channel = {.global = {(size_t)channels, 1, 1}};
  return GF_LAUNCH(join, each_channel, GF_BUFFER(x), GF_BUFFER(workspace), GF_BUFFER(out),
                   GF_INT(rows), GF_INT(channels), GF_INT(partials), GF_INT(first_channel));
}

gf__activation_moments gf__activation_join(const gf__activation_moments *moments, size_t stride,
                                           const int *images, int ranks) {
  double total = 0, mean = 0, variance = 0, alive = 0;
  for (int p = 0; p < ranks; p++) total += images[p];
  for (int p = 0; p < ranks; p++) {
    const gf__activation_moments *m = &moments[(size_t)p * stride];
    if (images[p] == 0) continue;
    mean += images[p] / total * ((double)m->shift + (double)m->mean);
    alive += (double)m->alive;
  }
  for (int p = 0; p < ranks; p++) {
    const gf__activation_moments *m = &moments[(size_t)p * stride];
    double d = (double)m->shift + (double)m->mean - mean;
    if (images[p]) variance += images[p] / total * ((double)m->variance + d * d);
  }
  float shift = (float)mean;
  gf__activation_moments joined = {.shift = shift,
                                   .mean = (float)(mean - (double)shift),
                                   .variance = (float)variance,
                                   .alive = (float)alive};
  for (int p = 0; p < ranks; p++)
    for (int k = 0; k < 3 && images[p]; k++) {
      joined.energy[k] += moments[(size_t)p * stride].energy[k];
      joined.difference[k] += moments[(size_t)p * stride].difference[k];
    }
  return joined;
}

double gf__squares_of(const float by_size[3]) {
  return (double)by_size[0] * 0x1p-120 + (double)by_size[1] + (double)by_size[2] * 0x1p160;
}

/* All channels have equally many values, so the layer's variance is the mean of theirs plus the
 * variance of their means. */
gf__activation_summary gf__activation_summarize(const gf__activation_moments *moments,
                                                int channels) {
  double mean = 0, variance = 0, energy = 0, difference = 0;
  int dead = 0;
  for (int c = 0; c < channels; c++) {
    mean += ((double)moments[c].shift + (double)moments[c].mean) / channels;
    dead += moments[c].alive == 0;
    energy += gf__squares_of(moments[c].energy);
    difference += gf__squares_of(moments[c].difference);
  }
  for (int c = 0; c < channels; c++) {
    double d = (double)moments[c].shift + (double)moments[c].mean - mean;
    variance += ((double)moments[c].variance + d * d) / channels;
  }
  /* Of a layer that is 0 everywhere nothing differs. */
  double contrast = energy == 0 ? 0 : difference / energy;
  return (gf__activation_summary){mean, sqrt(variance), (double)dead / channels,
                                  isfinite(contrast) ? contrast : (double)NAN, energy};
}
