/* The choice of algorithms by measurement on the device, and the file that keeps it. */
#ifndef GF_OPS_CONV2D_TUNING_H
#define GF_OPS_CONV2D_TUNING_H

#include "ops/conv2d/conv2d.h"

typedef enum gf__tune {
  GF__TUNE_OFF,  /* the device's defaults, or the algorithm that is forced */
  GF__TUNE_FAST, /* what the file knows; the rest is measured while time is left */
  GF__TUNE_FULL  /* all is measured again, however long it takes */
} gf__tune;

/* Seconds that GF__TUNE_FAST spends on a network at the most, not counting the
 * candidate that is being compiled when they are over. */
enum { GF__TUNE_SECONDS = 20 };

/* How the convolutions of one network choose. */
typedef struct gf__tuning gf__tuning;

/* force: the name of an algorithm or NULL. Reads the file of this device,
 * driver and these versions, in the cache folder; one that cannot be read is as none. */
gf_status gf__tuning_open(gf__tuning **out, gf_device *device, gf__tune mode,
                          const char *force) GF_MUST_USE;
/* Choices of an earlier run on this device, as gf__tuning_choices gave them: they come before
 * whatever is known or measured, so that a run that goes on computes the same bits. */
void gf__tuning_prefer(gf__tuning *tuning, const char *choices);
/* What was chosen so far, as JSON; the caller frees *out. */
gf_status gf__tuning_choices(const gf__tuning *tuning, char **out) GF_MUST_USE;
/* The file; "" where there is no cache folder that can be used. */
const char *gf__tuning_path(const gf__tuning *tuning);
/* Writes the file if something was measured, and frees. */
void gf__tuning_close(gf__tuning **tuning);
/* Sets the algorithm of every pass of convolution->shape for batches of batch images. */
gf_status gf__tuning_choose(gf__tuning *tuning, gf__conv2d *convolution, int batch) GF_MUST_USE;

#endif
