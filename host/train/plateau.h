/* The rate that falls when the validation no longer improves: schedule.name plateau. */
#ifndef GF_TRAIN_PLATEAU_H
#define GF_TRAIN_PLATEAU_H

#include "train/schedules.h"

/* What the epochs so far make of it. It follows from the records of these epochs alone, so that a
 * run that is resumed has it from there. */
typedef struct gf__plateau {
  double factor; /* of the rate */
  double best;   /* value of the metric; NaN before the first */
  int waited;    /* epochs since */
} gf__plateau;

void gf__plateau_begin(gf__plateau *plateau);
/* Takes the validation of an epoch, counted from 0, of a run with the rate base. */
void gf__plateau_add(gf__plateau *plateau, const gf__schedule_config *schedule, double base,
                     int epoch, double loss, double accuracy);
/* The rate instead of the schedule's, which it is without a drop. */
double gf__plateau_rate(const gf__plateau *plateau, const gf__schedule_config *schedule,
                        double rate);
/* Takes the epochs before the one of that number, from 1, from the records of a run folder. */
gf_status gf__plateau_replay(gf__plateau *plateau, const gf__schedule_config *schedule, double base,
                             const char *folder, int epoch) GF_MUST_USE;

#endif
