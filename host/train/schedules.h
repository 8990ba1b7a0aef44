/* Learning-rate schedules: the "schedule" section of a config. */
#ifndef GF_TRAIN_SCHEDULES_H
#define GF_TRAIN_SCHEDULES_H

#include "base/section.h"

typedef struct gf__schedule_config {
  int kind;                  /* index in gf__schedules */
  double final;              /* cosine, polynomial: the rate that the last epoch approaches */
  int every;                 /* step: epochs from one drop to the next */
  double factor;             /* step, plateau: of each drop */
  int patience, metric;      /* plateau: epochs; GF__PLATEAU_LOSS or _ACCURACY */
  double threshold, minimum; /* plateau: a fraction; a rate */
  double rise, start_divisor, end_divisor; /* one_cycle */
  double decay, power;                     /* exponential; polynomial */
  int warmup_epochs;
  double warmup_start; /* fraction of the rate */
} gf__schedule_config;

typedef struct gf__schedule {
  GF__ROW; /* the keys' fields are those of gf__schedule_config */
  /* The rate of an epoch of those after the warm-up, both counted from its end. */
  double (*rate)(const gf__schedule_config *schedule, double base, int epoch, int epochs);
  /* Instead of rate, where that changes within an epoch: of a step of a run of steps. */
  double (*step_rate)(const gf__schedule_config *schedule, double base, long index, long steps);
} gf__schedule;

enum { GF__PLATEAU_LOSS, GF__PLATEAU_ACCURACY };

/* The table, ended by NULL. */
extern const gf__schedule *const gf__schedules[];

/* A cosine's final rate, where the config has none, is at most optimizer.learning_rate. */
gf_status gf__schedule_config_read(gf__schedule_config *out, const gf_config *config) GF_MUST_USE;
/* Warns of a cosine or a polynomial that does not fall from the rate base. */
void gf__schedule_config_warn(const gf__schedule_config *schedule, double base);
void gf__schedule_config_write(gf__text *out, const gf__schedule_config *schedule);
void gf__schedule_config_help(gf__help *help);

/* The rate of an epoch, counted from 0, of a run of epochs with the rate base.
 * The first w = warmup_epochs (Goyal et al., 2017) rise to it in equal steps:
 * base (start + (1 - start) epoch / w). The schedule begins after them, with the
 * full rate: a cosine spans the epochs that are left, and step counts from there. */
double gf__schedule_rate(const gf__schedule_config *schedule, double base, int epoch, int epochs);
/* The rate of step index of the run, counted from 0, with batches in an epoch: that of its epoch,
 * but for one_cycle. */
double gf__schedule_step_rate(const gf__schedule_config *schedule, double base, long index,
                              int batches, int epochs);
/* Whether the run's validation decides about the rate (train/plateau.h). */
bool gf__schedule_is_plateau(const gf__schedule_config *schedule);

#endif
