/* The line at the bottom of a terminal that says where training is. Redrawn in
 * place; nothing is drawn where the file is no terminal. */
#ifndef GF_CLI_PROGRESS_H
#define GF_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include <gradflow/status.h>
#include <gradflow/train.h>

typedef struct gf__bar {
  FILE *file;
  bool enabled, colours;
  bool shown; /* something is on the line */
} gf__bar;

void gf__bar_show(gf__bar *bar, const gf_progress *progress);
/* A short text instead, such as "loading…". */
void gf__bar_say(gf__bar *bar, const char *text);
/* How far a list of work is: "3/20  conv2d/direct  (device)". */
void gf__bar_count(gf__bar *bar, int done, int count, const char *what, const char *device);
/* A note of the library, for gf_log_to: warnings only, each on a line of its own. */
void gf__bar_log(void *bar, gf_log_level level, const char *message);
/* Before a permanent line is printed, and at the end. */
void gf__bar_clear(gf__bar *bar);

#endif
