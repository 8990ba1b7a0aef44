/* Markdown files as the test of the documentation reads them: lines, each with what it is. */
#ifndef SUPPORT_MARKDOWN_H
#define SUPPORT_MARKDOWN_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum markdown_kind { MARKDOWN_TEXT, MARKDOWN_CODE } markdown_kind;

typedef struct markdown_line {
  markdown_kind kind;
  char *text;        /* of a code line: without the indentation of the block */
  char language[16]; /* of a code line: "" of an indented block and of a fence without one */
  bool starts_block; /* of a code line */
  int number;        /* from 1 */
} markdown_line;

typedef struct markdown {
  char *source;
  markdown_line *lines;
  size_t count;
} markdown;

/* Takes the text, which markdown_free frees. Lines that are fences themselves are left out. */
markdown markdown_read(char *source);

void markdown_free(markdown *m);

/* Whether the file has a heading with that anchor, as GitHub makes them: lower case, without
 * punctuation, and hyphens for spaces; "-1" and so on behind what was there before. */
bool markdown_has_anchor(const markdown *m, const char *anchor);

/* Calls visit with the target of each link and picture of a line, "[text](target)",
 * "[name]: target" and "<https://…>", and with each code span, `text`. */
void markdown_visit(const char *line, void (*link)(void *user, const char *target),
                    void (*code)(void *user, const char *text), void *user);

#endif
