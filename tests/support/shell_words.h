/* The words of a line for a shell, enough for the commands in the documentation. */
#ifndef SUPPORT_SHELL_WORDS_H
#define SUPPORT_SHELL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { SHELL_WORDS = 40, SHELL_TEXT = 2000 };

typedef struct shell_words {
  char text[SHELL_TEXT]; /* that words point into */
  const char *words[SHELL_WORDS + 1];
  size_t count;
} shell_words;

/* Reads one simple command: words until an operator (| & ; < > ( )) or a comment, with quotes and
 * backslashes. Returns where it ended, behind the operators, or NULL at the end of the line. */
const char *shell_read(shell_words *out, const char *p);

#endif
