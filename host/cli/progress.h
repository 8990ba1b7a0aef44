/* The line at the bottom of a terminal that says where training is. Redrawn in
 * place; nothing is drawn where the file is no terminal. */
#ifndef GF_CLI_PROGRESS_H
#define GF_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include <gradflow/train.h>

typedef struct gf__bar {
  FILE *file;
  bool enabled, colours;
  bool shown; /* something is on the line */
} gf__bar;

void gf__bar_show(gf__bar *bar, const gf_progress *progress);
/* A short text instead, such as "loading…". */
void gf__bar_say(gf__bar *bar, const char *text);
/* Before a permanent line is printed, and at the end. */
void gf__bar_clear(gf__bar *bar);

#endif
