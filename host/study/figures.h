/* The charts of a study's figures, from the CSVs of its runs. */
#ifndef GF_STUDY_FIGURES_H
#define GF_STUDY_FIGURES_H

#include "report/plots.h"
#include "study/study.h"

/* Charts to draw side by side, and what they point into. */
typedef struct gf__figure {
  gf__run *runs;      /* (run_count) those that there are */
  const char **names; /* (run_count) labels of their settings, the study's */
  size_t run_count;
  gf_chart *charts; /* (count); none where there are no numbers */
  int count, columns;
  gf_series *series;
  char (*series_names)[32];
  double *depths;
  gf__guess_lines guess;
  gf__title *titles; /* of charts of a run each */
} gf__figure;

/* Free the result with gf__figure_free. */
gf_status gf__figure_open(gf__figure *out, const gf_study *study,
                          const gf__study_figure *figure) GF_MUST_USE;
void gf__figure_free(gf__figure *figure);

#endif
