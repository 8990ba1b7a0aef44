/* Devices of several files side by side. */
#ifndef GF_BENCH_COMPARE_H
#define GF_BENCH_COMPARE_H

#include <gradflow/bench.h>

#include "base/text.h"

/* As many as have a letter. */
enum { GF__BENCH_MOST_SUBJECTS = 26 };

/* A device of a file. */
typedef struct gf__bench_subject {
  const char *path;
  const gf_bench *bench;
  const gf_bench_device *device;
  int base;       /* the subject that it is compared with, or -1 */
  char letter;    /* its name in tables */
  char name[192]; /* "B  after.json: NVIDIA H100", for a legend */
} gf__bench_subject;

typedef struct gf__bench_set {
  int count, file_count;
  gf__bench_subject subjects[GF__BENCH_MOST_SUBJECTS];
  gf_bench **files; /* (file_count) */
} gf__bench_set;

/* Free it also after a failure. The paths must outlive the set. */
gf_status gf__bench_set_load(gf__bench_set *out, const char *const *paths, int count) GF_MUST_USE;
void gf__bench_set_free(gf__bench_set *set);

const char *gf__bench_form_name(gf_bench_form form); /* "quick"; json.c */
/* The row of the same name and batch, or NULL. */
const gf_bench_row *gf__bench_find(const gf_bench_device *device, const gf_bench_row *like);
/* How many times as fast as its base a subject is in a row of the base; NaN where it has not
 * measured it. */
double gf__bench_ratio(const gf__bench_subject *subject, const gf_bench_row *of_base);
/* The geometric mean (Fleming and Wallace, 1986) of the ratios of one kind of rows, and their
 * number; NaN for none. */
double gf__bench_mean_ratio(const gf__bench_set *set, const gf__bench_subject *subject,
                            gf_bench_kind kind, int *count);

/* Writes pictures and the page into comparison->folder; text is what the terminal shows.
 * pictures.c, page.c */
gf_status gf__bench_report(const gf__bench_set *set, const gf_bench_compare_options *comparison,
                           const char *verdict) GF_MUST_USE;

#endif
