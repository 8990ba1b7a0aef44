#include "train/results.h"

#include <math.h>

#include "base/os.h"

void gf__results_begin(gf__results *results, gf_model *model, gf__loss_sums *sums) {
  *results =
      (gf__results){.model = model, .sums = sums, .started = gf__seconds(), .first_nonfinite = -1};
}

void gf__results_add(gf__results *results, double losses, double correct, int count, int later) {
  gf__loss_sums *sums = results->sums;
  bool finite = isfinite(losses);
  if (results->step) results->step(results->user, later, losses / count, correct / count);
  if (!finite && results->skips) return;
  sums->batch_losses += losses / count;
  sums->batch_accuracies += correct / count;
  sums->losses += losses;
  sums->correct += correct;
  sums->images += count;
  if (!finite && results->first_nonfinite < 0) results->first_nonfinite = sums->steps;
  sums->steps++;
}

gf_status gf__results_read(gf__results *results) {
  float sums[2 * GF__RESULT_SLOTS];
  if (results->pending == 0) return GF_OK;
  GF_TRY(gf__model_read_results(results->model, 0, results->pending, sums));
  for (int i = 0; i < results->pending; i++)
    gf__results_add(results, (double)sums[2 * i], (double)sums[2 * i + 1], results->counts[i],
                    results->pending - 1 - i);
  results->pending = 0;
  return GF_OK;
}

gf_status gf__results_slot(gf__results *results, int count, int *slot) {
  if (results->pending == GF__PART_SLOT) GF_TRY(gf__results_read(results));
  *slot = results->pending;
  results->counts[results->pending++] = count;
  return GF_OK;
}
