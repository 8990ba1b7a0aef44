/* What TensorBoard shows of a run: the events of its folder. Without gf__run_events_open each
 * function here does nothing. Steps count from 1 over the run. */
#ifndef GF_RUN_RUN_EVENTS_H
#define GF_RUN_RUN_EVENTS_H

#include "model/model.h"
#include "run/run_folder.h"

/* Lets the folder have events from here on, after those before the mark; without a mark of some
 * size, or where somebody has removed the file, they begin anew. */
gf_status gf__run_events_open(gf__run_folder *folder, const gf__record_mark *mark) GF_MUST_USE;

/* Whether gf__run_events_open would find what was before the mark. */
gf_status gf__run_events_check(const char *folder, const gf__record_mark *mark) GF_MUST_USE;

/* Records; they are in the file after gf__run_folder_flush. */
void gf__run_events_add_step(gf__run_folder *folder, const gf_step_event *step);
void gf__run_events_add_epoch(gf__run_folder *folder, long step, const gf_epoch *epoch);
/* Mean absolute gradients by their statistics, one per trainable tensor, and histograms, for which
 * all of gradient is read, a flat buffer like the model's weights: 4 bytes per parameter. */
gf_status gf__run_events_add_gradients(gf__run_folder *folder, long step, const gf_model *model,
                                       gf_buffer *gradient,
                                       const gf_gradient_stats *statistics) GF_MUST_USE;
/* A chart's PNG file, named after it. */
gf_status gf__run_events_add_picture(gf__run_folder *folder, long step,
                                     const char *path) GF_MUST_USE;

#endif
