#include "base/duration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *word;
  double seconds;
} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"m", 60}, {"s", 1}};

/* The row of the unit that the text begins with, or -1. */
static int unit_at(const char *text) {
  for (int i = 0; i < (int)(sizeof units / sizeof *units); i++)
    if (!strncmp(text, units[i].word, strlen(units[i].word))) return i;
  return -1;
}

/* Digits and a point only: strtod would take signs, blanks, "inf" and "0x10". */
static const char *read_number(const char *text, double *out) {
  size_t length = strspn(text, "0123456789."), digits = strcspn(text, ".");
  char *end;
  if (length == 0 || length > 15 ||
      (digits < length && strchr(text + digits + 1, '.') &&
       strchr(text + digits + 1, '.') < text + length))
    return NULL;
  *out = strtod(text, &end);
  return end == text + length ? end : NULL;
}

bool gf__duration_parse(const char *text, double *seconds) {
  double last = INFINITY;
  *seconds = 0;
  if (!*text) return false;
  while (*text) {
    double number;
    if (!(text = read_number(text, &number))) return false;
    int unit = unit_at(text);
    if (unit < 0 || !(units[unit].seconds < last)) return false;
    last = units[unit].seconds;
    *seconds += number * last;
    text += strlen(units[unit].word);
  }
  return *seconds > 0;
}
