#include "train/results.h"

#include <math.h>

#include "base/os.h"

void gf__results_begin(gf__results *results, gf__allreduce *allreduce, gf__loss_sums *sums) {
  *results = (gf__results){
      .allreduce = allreduce, .sums = sums, .started = gf__seconds(), .first_nonfinite = -1};
}

static void add_step_result(gf__results *results, const double sums_of_step[2], int count,
                            int later) {
  gf__loss_sums *sums = results->sums;
  double losses = sums_of_step[0], correct = sums_of_step[1];
  bool finite = isfinite(losses);
  if (results->step) results->step(results->user, later, losses / count, correct / count);
  if (!finite && results->skips) return;
  sums->losses += losses;
  sums->correct += correct;
  sums->images += count;
  if (!finite && results->first_nonfinite < 0) results->first_nonfinite = sums->steps;
  sums->steps++;
}

gf_status gf__results_read(gf__results *results) {
  double sums[2 * GF__RESULT_ROWS];
  int pending = results->pending;
  if (pending == 0) return GF_OK;
  GF_TRY(gf__allreduce_read_results(results->allreduce, 0, pending, sums));
  for (int i = 0; i < pending; i++)
    add_step_result(results, &sums[2 * i], results->counts[i], pending - 1 - i);
  results->pending = 0;
  return GF_OK;
}

int gf__results_row(gf__results *results, int count) {
  results->counts[results->pending] = count;
  return results->pending++;
}

gf_status gf__results_poll(gf__results *results) {
  bool is_full = results->pending == gf__allreduce_result_rows(results->allreduce);
  return is_full ? gf__results_read(results) : GF_OK;
}
