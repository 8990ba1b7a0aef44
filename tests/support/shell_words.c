#define _XOPEN_SOURCE 700

#include "support/shell_words.h"

#include "support/test.h"

const char *shell_read(shell_words *out, const char *p) {
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
