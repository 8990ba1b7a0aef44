/* The tables of a study: from the outcomes of its runs to cells. */
#ifndef GF_STUDY_TABLES_H
#define GF_STUDY_TABLES_H

#include "report/table.h"
#include "study/outcome.h"
#include "study/varied.h"

/* Of the file for programs, which has the most: setting, label, varied keys, n, and five of each
 * column. */
enum { GF__STUDY_TABLE_COLUMNS = 3 + GF__MOST_VARIED + 5 * GF__COLUMN_COUNT };

/* Cells, and the columns that they are in. Free the table. */
typedef struct gf__sheet {
  gf__table table;
  gf__table_column columns[GF__STUDY_TABLE_COLUMNS];
  char headers[GF__STUDY_TABLE_COLUMNS][64];
} gf__sheet;

/* Every outcome: outcomes[setting][seed]. */
typedef const gf__outcome *const *gf__outcomes;

/* For people: one row per setting, the values of the varied keys, "mean ± deviation" of count of
 * the table's columns, with the published value and the difference after those that have one. The
 * best of several rows is marked. varied may be NULL. */
gf_status gf__study_table_cells(gf__sheet *out, const gf_study *study, gf__outcomes outcomes,
                                const gf__study_table *spec, const gf__varied *varied, int first,
                                int count) GF_MUST_USE;
/* The number of columns of a terminal that it needs. */
int gf__sheet_width(const gf__sheet *sheet);
/* For programs: every number in a column of its own, accuracies in percent; empty without one. */
gf_status gf__study_table_numbers(gf__sheet *out, const gf_study *study, gf__outcomes outcomes,
                                  const gf__study_table *spec,
                                  const gf__varied *varied) GF_MUST_USE;
/* Appends what is below the table, one paragraph per line: what is shown, and which runs are
 * missing, diverged or at chance. */
void gf__study_table_notes(gf__text *out, const gf_study *study, gf__outcomes outcomes,
                           const gf__study_table *spec);

/* The verdict of a run, "" where nothing can be said. */
const char *gf__outcome_verdict(const gf__outcome *outcome);
/* Appends how far a run is: "finished", "12 of 100 epochs", "not begun", "diverged in epoch 3". */
void gf__outcome_describe(gf__text *out, const gf__outcome *outcome);

#endif
