/* The words of a line for a shell, enough for the commands in the documentation. */
#ifndef SHELL_WORDS_H
#define SHELL_WORDS_H

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
static inline const char *shell_read(shell_words *out, const char *p) {
  static const char operators[] = "|&;<>()";
  char *to = out->text, *last = out->text + SHELL_TEXT - 2;
  out->count = 0;
  for (;;) {
    p += strspn(p, " \t");
    if (!*p || *p == '#' || strchr(operators, *p) || out->count == SHELL_WORDS) break;
    out->words[out->count++] = to;
    char quote = 0;
    for (; *p && to < last && (quote || !strchr(" \t|&;<>()", *p)); p++) {
      if (quote ? *p == quote : *p == '"' || *p == '\'')
        quote = quote ? 0 : *p;
      else if (*p == '\\' && quote != '\'' && p[1])
        *to++ = *++p;
      else
        *to++ = *p;
    }
    *to++ = 0;
  }
  out->words[out->count] = NULL;
  if (!*p || *p == '#') return NULL;
  return p + strspn(p, operators);
}

#endif
