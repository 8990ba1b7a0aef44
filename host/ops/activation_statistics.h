/* Statistics of what a layer stores in a forward pass. */
#ifndef GF_OPS_ACTIVATION_STATISTICS_H
#define GF_OPS_ACTIVATION_STATISTICS_H

#include "ops/epilogue.h"

/* Outputs of an activation, without the ends. */
typedef struct gf__interval {
  double low, high;
} gf__interval;

/* A derivative of at most this lets hardly any gradient through. */
#define GF__ALIVE 0.01

/* What the kernels leave for one channel, in this order (cl/activation_statistics.cl). */
typedef struct gf__activation_moments {
  float shift;    /* the channel's first value, which mean is relative to */
  float mean;     /* over images and pixels */
  float variance; /* of the population */
  float alive;    /* values inside the interval; 0: the channel is dead */
  /* Sums of squares by size: of values below 2^-40 times 2^60, of usual ones, and of those above
   * 2^40 times 2^-80. energy is of the values, difference of their distance from the mean over the
   * images, unit by unit. */
  float energy[3], difference[3];
} gf__activation_moments;

/* The statistics of a layer, joined from those of its channels. */
typedef struct gf__activation_summary {
  double mean, deviation; /* of the population; not finite where a value is not */
  double dead;            /* fraction of the channels */
  /* Fraction of the energy that differs between the images: 0 where nothing does, NaN where a value
   * is not finite. */
  double contrast;
  double energy; /* sum of squares of all values */
} gf__activation_summary;

/* The outputs of the activation between which its derivative is above GF__ALIVE. */
gf__interval gf__activation_alive(gf__activation activation);

size_t gf__activation_statistics_workspace(const gf_device *device, int channels); /* bytes */
/* The moments of x (rows, channels) into out from first_channel on; rows is a multiple of images.
 */
gf_status gf__activation_statistics(gf_device *device, int images, int rows, int channels,
                                    const gf_buffer *x, gf__interval alive, gf_buffer *workspace,
                                    gf_buffer *out, int first_channel) GF_MUST_USE;
/* The moments of a channel over the images of several ranks: rank r has images[r] of them, and its
 * moments are moments[r * stride]. Differences remain those from each
 * rank's own mean over its images. */
gf__activation_moments gf__activation_join(const gf__activation_moments *moments, size_t stride,
                                           const int *images, int ranks);
/* The sum of squares that is energy or difference. */
double gf__squares_of(const float by_size[3]);
gf__activation_summary gf__activation_summarize(const gf__activation_moments *moments,
                                                int channels);

#endif
