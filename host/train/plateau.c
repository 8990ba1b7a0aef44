#include "train/plateau.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/csv.h"
#include "run/run_folder.h"

void gf__plateau_begin(gf__plateau *plateau) { *plateau = (gf__plateau){.factor = 1, .best = NAN}; }

/* As metrics.csv has it, so that what is read from there decides alike. */
static double as_recorded(double value) {
  char text[40];
  snprintf(text, sizeof text, "%.9g", value);
  return strtod(text, NULL);
}

static bool is_better(const gf__plateau *p, const gf__schedule_config *s, double value) {
  if (isnan(p->best)) return !isnan(value);
  if (s->metric == GF__PLATEAU_ACCURACY) return value > p->best * (1 + s->threshold);
  return value < p->best * (1 - s->threshold);
}

void gf__plateau_add(gf__plateau *p, const gf__schedule_config *s, double base, int epoch,
                     double loss, double accuracy) {
  double value = as_recorded(s->metric == GF__PLATEAU_ACCURACY ? accuracy : loss);
  if (epoch < s->warmup_epochs) return;
  if (is_better(p, s, value)) {
    p->best = value;
    p->waited = 0;
    return;
  }
  if (++p->waited <= s->patience) return;
  p->waited = 0;
  if (base * p->factor > s->minimum) p->factor *= s->factor;
}

double gf__plateau_rate(const gf__plateau *plateau, const gf__schedule_config *schedule,
                        double rate) {
  return fmax(rate * plateau->factor, fmin(rate, schedule->minimum));
}

gf_status gf__plateau_replay(gf__plateau *plateau, const gf__schedule_config *schedule, double base,
                             const char *folder, int epoch) {
  enum { EPOCH, LOSS, ACCURACY, COLUMNS };
  static const gf__csv_column columns[COLUMNS] = {
      {"epoch", false}, {"validation_loss", false}, {"validation_accuracy", false}};
  char path[GF__PATH_SIZE];
  gf__csv csv;
  gf__plateau_begin(plateau);
  GF_TRY(gf__run_path(path, folder, "metrics.csv"));
  GF_TRY(gf__csv_read(&csv, path, columns, COLUMNS));
  for (size_t i = 0; i < csv.rows && csv.numbers[EPOCH][i] < epoch; i++)
    gf__plateau_add(plateau, schedule, base, (int)csv.numbers[EPOCH][i] - 1, csv.numbers[LOSS][i],
                    csv.numbers[ACCURACY][i]);
  gf__csv_free(&csv);
  return GF_OK;
}
