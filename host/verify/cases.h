/* Case lists: host/verify/cases/<operation>.txt, which the build puts into the program.
 *
 *   # a comment
 *   keys n h w kernel bias          the keys that cases of this file may have
 *   n=2 h=7 w=5 kernel=3,2 bias=true
 *
 * The first failure (no list, an unknown or repeated key, a wrong value, a list
 * without a case) ends the list and stays in error, so a reader's loop is
 *
 *   gf__cases list = {0};
 *   gf__cases_open(&list, "conv2d");
 *   while (gf__cases_next(&list)) { int n = gf__cases_int(&list, "n", 1); … }
 *   fail if list.error[0] */
#ifndef GF_VERIFY_CASES_H
#define GF_VERIFY_CASES_H

#include <stdbool.h>

#include "base/embedded.h"

enum { GF__CASES_LINE = 512, GF__CASES_NAME = 64, GF__CASES_WORDS = 32 };

typedef struct gf__cases {
  const char *next; /* the line after that of the case */
  char name[GF__CASES_NAME];
  int line, count;                /* line of the list, cases so far */
  char text[GF__CASES_LINE];      /* the case as the list has it */
  char error[3 * GF__CASES_LINE]; /* "conv2d.txt:LINE: …", or "" */
  char keys_text[GF__CASES_LINE], words_text[GF__CASES_LINE];
  char *keys[GF__CASES_WORDS];   /* into keys_text; NULL-terminated */
  char *words[GF__CASES_WORDS];  /* the keys of the case, into words_text; NULL-terminated */
  char *values[GF__CASES_WORDS]; /* their values */
} gf__cases;

/* All case lists, ended by a row without a name. */
extern const gf__embedded gf__case_files[];

/* Opens the list of an operation. */
bool gf__cases_open(gf__cases *list, const char *operation);
/* The next case; false at the end and after a failure. */
bool gf__cases_next(gf__cases *list);

bool gf__cases_has(const gf__cases *list, const char *key);
/* The value of key in this case, initial where it has none. A value of another
 * type is a failure and gives initial. */
int gf__cases_int(gf__cases *list, const char *key, int initial);
double gf__cases_float(gf__cases *list, const char *key, double initial);
/* "true" or "false". */
bool gf__cases_bool(gf__cases *list, const char *key, bool initial);
/* "squared_hinge"; the text belongs to the list and lasts until its next case. */
const char *gf__cases_text(const gf__cases *list, const char *key, const char *initial);
/* "3,2", count numbers in the order in which a config has them, or "3" for all of them. */
void gf__cases_ints(gf__cases *list, const char *key, int initial, int count, int *out);
/* Top, bottom, left, right: "1,2,0,3"; or "1,2" as vertical, horizontal; or "1"; initially 0. */
void gf__cases_sides(gf__cases *list, const char *key, int out[4]);

#endif
