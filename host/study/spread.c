#include "study/spread.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distributed/communicator.h"

typedef struct rated {
  int index;
  double seconds; /* infinite: unknown, and better begun early */
} rated;

static int compare(const void *a, const void *b) {
  const rated *x = a, *y = b;
  if (x->seconds != y->seconds) return x->seconds < y->seconds ? 1 : -1;
  return x->index - y->index;
}

static void sort(const gf_study_item *items, int count, rated *all, int *order) {
  for (int i = 0; i < count; i++) {
    double seconds = items[i].seconds_left;
    all[i] = (rated){i, isnan(seconds) ? INFINITY : seconds};
  }
  qsort(all, (size_t)count, sizeof *all, compare);
  for (int i = 0; i < count; i++) order[i] = all[i].index;
}

/* By the first rank. */
static gf_status estimate(const gf_study *study, const gf_study_options *options, int count,
                          int *order) {
  gf_study_options first = *options;
  gf_study_item *items;
  int found;
  char device[256] = "";
  if (options->device)
    snprintf(device, sizeof device, "%.*s", (int)strcspn(options->device, ","), options->device);
  first.device = *device ? device : NULL;
  GF_TRY(gf_study_plan(study, &first, true, &items, &found));
  rated *all = malloc(((size_t)count + 1) * sizeof *all);
  gf_status status = all ? GF_OK : gf__fail_host_memory((size_t)count * sizeof *all);
  if (status == GF_OK) sort(items, count, all, order);
  free(all);
  gf_study_items_free(&items, found);
  return status;
}

gf_status gf__spread_order(const gf_study *study, const gf_study_options *options, int count,
                           int *order) {
  gf_communicator *communicator = options->communicator;
  gf_status status = GF_OK;
  for (int i = 0; i < count; i++) order[i] = i;
  if (!communicator) return GF_OK;
  int most = count;
  GF_TRY(gf__communicator_broadcast(communicator, &most, sizeof most));
  if (most != count)
    status = gf__fail(GF_ERROR_CONFIG,
                      "it finds %d runs in the study and rank 0 finds %d; give all ranks the same "
                      "files and options",
                      count, most);
  else if (gf__communicator_rank(communicator) == 0)
    status = estimate(study, options, count, order);
  GF_TRY(gf_communicator_agree(communicator, status));
  return gf__communicator_broadcast(communicator, order, (size_t)count * sizeof *order);
}

/* ---- the end ---- */

typedef struct rank_tally {
  int done, failed, stopped, status;
  char failures[4096];
} rank_tally;

static gf_status join(gf__tally *tally, const rank_tally *all, int ranks) {
  gf__text_free(&tally->failures);
  *tally = (gf__tally){.status = GF_OK};
  for (int r = 0; r < ranks; r++) {
    tally->done += all[r].done;
    tally->failed += all[r].failed;
    tally->stopped |= all[r].stopped;
    if (tally->status == GF_OK) tally->status = (gf_status)all[r].status;
    gf__text_add(&tally->failures, "%s", all[r].failures);
  }
  return gf__text_status(&tally->failures);
}

gf_status gf__spread_join(gf_communicator *communicator, gf__tally *tally) {
  if (!communicator) return GF_OK;
  int ranks = gf__communicator_ranks(communicator);
  rank_tally mine = {tally->done, tally->failed, tally->stopped, (int)tally->status, ""};
  rank_tally *all = malloc((size_t)ranks * sizeof *all);
  if (!all) return gf__fail_host_memory((size_t)ranks * sizeof *all);
  if (tally->failures.data)
    snprintf(mine.failures, sizeof mine.failures, "%s", tally->failures.data);
  gf_status status = gf__communicator_gather(communicator, &mine, sizeof mine, all);
  if (status == GF_OK) status = join(tally, all, ranks);
  free(all);
  if (tally->failed || tally->stopped) gf__communicator_set_agreed(communicator);
  return status;
}
