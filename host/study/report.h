/* A report that is being written. */
#ifndef GF_STUDY_REPORT_H
#define GF_STUDY_REPORT_H

#include "study/tables.h"

typedef struct gf__report {
  const gf_study *study;
  gf__outcome **outcomes; /* outcomes[setting][seed] */
  char folder[GF__PATH_SIZE];
  gf__text terminal, html;
  void (*written)(void *user, const char *path);
  void *user;
} gf__report;

/* Writes folder/NAME.extension. */
gf_status gf__report_write(const gf__report *report, const char *name, const char *extension,
                           const gf__text *text) GF_MUST_USE;
/* Every run of the study: runs.csv, and in the page with its settings, device, driver and commit.
 */
gf_status gf__report_runs(gf__report *report) GF_MUST_USE;

#endif
