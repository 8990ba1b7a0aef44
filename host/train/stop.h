/* When a run ends before its last epoch: the section train.stop of a config. */
#ifndef GF_TRAIN_STOP_H
#define GF_TRAIN_STOP_H

#include <gradflow/train.h>

#include "base/config.h"
#include "base/help.h"
#include "run/position.h"

typedef struct gf__stop_config {
  const gf__value *verdict; /* of the config: a name or a list of names, or NULL */
  const gf__value *time;    /* of the config, or NULL */
  int metric;               /* 0: none */
  int patience;             /* epochs */
  double min_delta;
  uint64_t verdicts; /* a set, as gf__verdicts_of_run has it */
  double seconds;    /* by time; 0: no limit */
} gf__stop_config;

/* Why a run has ended before its last epoch. */
typedef struct gf__stop {
  char by[32];       /* "" where it has not: "time", "validation_loss", or a verdict's word */
  char message[256]; /* a clause */
} gf__stop;

/* section: train.stop, which may be NULL. */
gf_status gf__stop_config_read(gf__stop_config *out, const gf__value *section) GF_MUST_USE;
/* Appends the section, nothing where there is no rule. */
void gf__stop_config_write(gf__text *out, const gf__stop_config *stop);
void gf__stop_config_help(gf__help *help);
/* GF_ERROR_CONFIG for a metric of validation without validation images. */
gf_status gf__stop_config_check(const gf__stop_config *stop, int validation_images) GF_MUST_USE;

/* Whether there is any rule. */
bool gf__stop_has_rules(const gf__stop_config *stop);
/* Of a run that begins. */
gf__stop_state gf__stop_begin(void);
/* Of a stopped run that goes on all the same: epochs are counted anew, and so is time that is over.
 */
void gf__stop_go_on(const gf__stop_config *stop, gf__stop_state *state);
/* What the epoch's row says by train.stop.metric, and the records in the folder, which are on the
 * disk, by train.stop.verdict. Fills in *out where the run ends here. */
gf_status gf__stop_judge(const gf__stop_config *stop, const gf_epoch *epoch, const char *folder,
                         gf__stop_state *state, gf__stop *out) GF_MUST_USE;
/* Whether the seconds that the run has taken are more than it has. */
bool gf__stop_is_late(const gf__stop_config *stop, double seconds);
void gf__stop_by_time(const gf__stop_config *stop, gf__stop *out);

#endif
