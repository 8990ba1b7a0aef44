/* The gradient flow live in a terminal: one row per layer with a bar on a logarithmic scale,
 * redrawn in place. */
#ifndef GF_CLI_WATCH_H
#define GF_CLI_WATCH_H

#include <stdbool.h>
#include <stdio.h>

#include <gradflow/train.h>

#include "run/thresholds.h"

/* Fill in the first four, zero the rest. */
typedef struct gf__watch {
  FILE *file;
  bool draws; /* a terminal where lines can be redrawn; else one line per record is written */
  bool colours;
  gf__vanishing vanishing; /* by the run's optimizer */
  int width, height;       /* columns and rows to keep within; 0: the terminal's */
  int lines;               /* that are on the terminal now */
  int drawn_width;         /* of the terminal when they were drawn */
} gf__watch;

/* Shows the gradients of a step; progress is the newest one, or NULL before the first. Nothing
 * else may be written to the file between two calls, except on the line below the last one. */
void gf__watch_show(gf__watch *watch, const gf_progress *progress, int epoch, long step,
                    const gf_gradient_stats *gradients, int count);
/* Leaves what is drawn where it is, so that lines may follow below it. */
void gf__watch_leave(gf__watch *watch);

#endif
