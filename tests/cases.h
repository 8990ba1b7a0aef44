/* Case lists: tests/cases/<operation>.txt, read by tests and by bench programs.
 *
 *   # a comment
 *   keys n h w kernel bias          the keys that cases of this file may have
 *   n=2 h=7 w=5 kernel=3,2 bias=true
 *
 * The first failure (no file, an unknown or repeated key, a wrong value, a list
 * without a case) ends the list and stays in error, so a reader's loop is
 *
 *   cases list = {0};
 *   cases_open(&list, folder, "conv2d");
 *   while (cases_next(&list)) { int n = cases_int(&list, "n", 1); … }
 *   cases_close(&list);
 *   fail if list.error[0] */
#ifndef CASES_H
#define CASES_H

#include <stdbool.h>
#include <stdio.h>

enum { CASES_LINE = 512, CASES_WORDS = 32 };

typedef struct cases {
  FILE *file;
  char path[CASES_LINE];
  int line, count;            /* line of the file, cases so far */
  char text[CASES_LINE];      /* the case as it stands in the file, to repeat it by */
  char error[3 * CASES_LINE]; /* "PATH:LINE: …", or "" */
  char keys_text[CASES_LINE], words_text[CASES_LINE];
  char *keys[CASES_WORDS];   /* into keys_text; NULL-terminated */
  char *words[CASES_WORDS];  /* the keys of the case, into words_text; NULL-terminated */
  char *values[CASES_WORDS]; /* their values */
} cases;

/* Opens folder/operation.txt; the caller closes the list even after a failure. */
bool cases_open(cases *list, const char *folder, const char *operation);
/* The next case; false at the end and after a failure. */
bool cases_next(cases *list);
void cases_close(cases *list);

bool cases_has(const cases *list, const char *key);
/* The value of key in this case, initial where it has none. A value of another
 * type is a failure and gives initial. */
int cases_int(cases *list, const char *key, int initial);
double cases_float(cases *list, const char *key, double initial);
/* "true" or "false". */
bool cases_bool(cases *list, const char *key, bool initial);
/* "3,2", height and width, or "3" for both. */
void cases_pair(cases *list, const char *key, int initial, int out[2]);

#endif
