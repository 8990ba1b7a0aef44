#include "train/results.h"

#include <math.h>

#include "base/os.h"

void gf__results_begin(gf__results *results, gf_model *model) {
  *results = (gf__results){.model = model, .started = gf__seconds(), .first_nonfinite = -1};
}

gf_status gf__results_read(gf__results *results) {
  float sums[2 * GF__RESULT_SLOTS];
  if (results->pending == 0) return GF_OK;
  GF_TRY(gf__model_read_results(results->model, 0, results->pending, sums));
  for (int i = 0; i < results->pending; i++) {
    double loss = sums[2 * i], correct = sums[2 * i + 1], count = results->counts[i];
    bool finite = isfinite(loss);
    if (results->step)
      results->step(results->user, results->pending - 1 - i, loss / count, correct / count);
    if (!finite && results->skips) continue;
    results->batch_losses += loss / count;
    results->batch_accuracies += correct / count;
    results->losses += loss;
    results->correct += correct;
    results->images += results->counts[i];
    if (!finite && results->first_nonfinite < 0) results->first_nonfinite = results->steps;
    results->steps++;
  }
  results->pending = 0;
  return GF_OK;
}

gf_status gf__results_slot(gf__results *results, int count, int *slot) {
  if (results->pending == GF__PART_SLOT) GF_TRY(gf__results_read(results));
  *slot = results->pending;
  results->counts[results->pending++] = count;
  return GF_OK;
}
