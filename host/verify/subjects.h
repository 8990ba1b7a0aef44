/* What there is to verify. */
#ifndef GF_VERIFY_SUBJECTS_H
#define GF_VERIFY_SUBJECTS_H

#include "verify/cases.h"
#include "verify/check.h"

typedef struct gf__subject gf__subject;

/* An algorithm of an operation, with the list of its cases. */
struct gf__subject {
  char operation[32], algorithm[32], list[32];
  const char *needs; /* of the device, for those that not every device can run; or NULL */
  const void *what;  /* the row of a table that run is about, */
  int index;         /* and a number with it: a direction, or the row's own */
  /* Whether the algorithm accepts the list's current case; NULL: always. */
  bool (*accepts)(const gf__subject *subject, gf__check *check, gf__cases *list);
  /* Runs that case. What is wrong is a fault of check, and so is a status other than GF_OK. */
  gf_status (*run)(const gf__subject *subject, gf__check *check, gf__cases *list);
};

/* Calls add for each subject of a file. */
typedef void gf__subject_add(void *user, const gf__subject *subject);
void gf__layer_subjects(gf__subject_add *add, void *user);
void gf__conv2d_subjects(gf__subject_add *add, void *user);
void gf__batch_norm_subjects(gf__subject_add *add, void *user);
void gf__optimizer_subjects(gf__subject_add *add, void *user);
void gf__operation_subjects(gf__subject_add *add, void *user);

#endif
