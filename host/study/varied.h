/* The keys of their configs in which the settings of a table differ. */
#ifndef GF_STUDY_VARIED_H
#define GF_STUDY_VARIED_H

#include "study/study.h"

enum { GF__MOST_VARIED = 6 };

/* Texts are the configs'. Free it. */
typedef struct gf__varied {
  int count;                          /* of keys; 0 where more than GF__MOST_VARIED differ */
  char *keys[GF__MOST_VARIED];        /* "optimizer.learning_rate" */
  const char *names[GF__MOST_VARIED]; /* "learning_rate", the end of a key that no other has */
} gf__varied;

gf_status gf__varied_find(gf__varied *out, const gf_study *study,
                          const gf__study_table *table) GF_MUST_USE;
void gf__varied_free(gf__varied *varied);

/* Appends the value of a key in a setting's config, "-" where it is left to its default. */
void gf__varied_add_value(gf__text *out, const gf__setting *setting, const char *key);

#endif
