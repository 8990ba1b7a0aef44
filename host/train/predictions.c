#include "train/predictions.h"

#include <math.h>
#include <stdlib.h>

#include "distributed/communicator.h"

gf_status gf__predictions_begin(gf__predictions *p, const gf_model *model) {
  size_t classes = (size_t)model->classes, scores = (size_t)model->batch * classes;
  gf__predictions_free(p);
  p->classes = model->classes;
  p->images = calloc(classes, sizeof *p->images);
  p->logits = malloc(scores * sizeof *p->logits);
  return p->images && p->logits ? GF_OK : gf__fail_host_memory(scores * sizeof *p->logits);
}

/* The class of the highest score, the first among equals; -1 where one is not a number. */
static int predicted_class(const float *scores, int classes) {
  int best = 0;
  for (int c = 0; c < classes; c++) {
    if (isnan(scores[c])) return -1;
    if (scores[c] > scores[best]) best = c;
  }
  return best;
}

gf_status gf__predictions_add(gf__predictions *p, gf_model *model) {
  GF_TRY(gf_model_logits(model, p->logits));
  for (int i = 0; i < model->pass.n; i++) {
    int class = predicted_class(p->logits + (size_t)i * (size_t)p->classes, p->classes);
    if (class >= 0) p->images[class] += 1;
  }
  return GF_OK;
}

gf_status gf__predictions_sum(gf__predictions *p, gf_communicator *communicator) {
  if (gf__communicator_ranks(communicator) < 2) return GF_OK;
  return gf__communicator_sum(communicator, p->images, (size_t)p->classes);
}

int gf__predictions_classes(const gf__predictions *p) {
  int count = 0;
  for (int c = 0; c < p->classes; c++) count += p->images[c] > 0;
  return count;
}

double gf__predictions_most(const gf__predictions *p) {
  double sum = 0, most = 0;
  for (int c = 0; c < p->classes; c++) {
    sum += p->images[c];
    most = fmax(most, p->images[c]);
  }
  return sum > 0 ? most / sum : (double)NAN;
}

void gf__predictions_free(gf__predictions *p) {
  free(p->images);
  free(p->logits);
  *p = (gf__predictions){0};
}
