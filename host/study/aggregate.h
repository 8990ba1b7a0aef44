/* What several runs of a setting say together. */
#ifndef GF_STUDY_AGGREGATE_H
#define GF_STUDY_AGGREGATE_H

typedef struct gf__aggregate {
  int n;
  double mean;      /* NaN for n = 0 */
  double deviation; /* of the sample, with n - 1; NaN for n < 2 */
} gf__aggregate;

/* Of the finite ones of count values. Two passes, with the correction of the rounding of the first
 * (Chan, Golub and LeVeque, 1983). */
gf__aggregate gf__aggregate_values(const double *values, int count);

#endif
