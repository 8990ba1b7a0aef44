/* What reaches the logits of a network, and what comes back: the contrast of activations forward,
 * mean |gradient| backward. One definition for the line that training prints, for diagnose of a
 * config, and for the rules. */
#ifndef GF_RUN_SIGNAL_H
#define GF_RUN_SIGNAL_H

#include "base/text.h"
#include "run/thresholds.h"

/* Below this contrast the images differ by less than a few last places of single precision, whose
 * rounding alone leaves about 1e-14. */
#define GF__SIGNAL_LOST 1e-13
/* Below this one they differ by less than a thousandth of the values. */
#define GF__SIGNAL_FAINT 1e-6

/* Numbers of measured layers from the input to the output, (count) each; NaN where unknown. */
typedef struct gf__signal_course {
  int count;
  const char *const *layers;
  const double *contrast, *mean_abs, *dead;
} gf__signal_course;

typedef enum gf__signal_state {
  GF__SIGNAL_IS_UNKNOWN, /* no layer has a contrast, as with a batch of one image */
  GF__SIGNAL_IS_SOUND,
  GF__SIGNAL_IS_FAINT, /* the logits' contrast is below GF__SIGNAL_FAINT */
  GF__SIGNAL_IS_LOST   /* and a layer's below GF__SIGNAL_LOST, after which none is above FAINT */
} gf__signal_state;

/* The state of the logits, and where the signal becomes so. */
typedef struct gf__signal_end {
  gf__signal_state state;
  int at;          /* the first layer that is faint up to the end, or is lost; else -1 */
  int first, last; /* layers with a contrast; -1: none */
  int steepest;    /* the layer whose contrast is the least fraction of that before it; or -1 */
} gf__signal_end;
gf__signal_end gf__signal_end_of(const gf__signal_course *course);

/* The layers with the least and the largest mean |gradient|, -1: none. lost: the layer nearest the
 * output that is below the level, or -1. */
typedef struct gf__gradient_ends {
  int least, most, lost, lost_count;
} gf__gradient_ends;
gf__gradient_ends gf__gradient_ends_of(const gf__signal_course *course, double level);

/* Appends the one line on a fresh network, without a line end. */
void gf__signal_add_line(gf__text *out, const gf__signal_course *course,
                         const gf__vanishing *vanishing);

#endif
