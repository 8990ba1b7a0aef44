/* Helpers of reading (keys.c) and writing (keys_write.c) by a table of keys. */
#ifndef GF_BASE_KEYS_H
#define GF_BASE_KEYS_H

#include <stdbool.h>

#include "base/config.h"

/* Of numbers; inclusive, and a side at the end of what the type holds is open. */
static inline bool gf__key_has_range(const gf__key *key) {
  return key->minimum != 0 || key->maximum != 0;
}

/* A scalar without quotes, which alone can be a number, a bool or null. */
static inline bool gf__value_is_plain(const gf__value *value) {
  return value->kind == GF__SCALAR && !value->quoted;
}

/* A decimal number, all of text, with a point whatever the locale. False, and *out anything, if
 * it is none or not finite. */
bool gf__float_parse(const char *text, double *out);
/* Appends the shortest of a few forms that reads back to the same number. */
void gf__float_write(gf__text *out, double number);

/* Appends " from 1 to 10", " of at least 1", " of at most 10" or nothing. */
void gf__key_write_range(gf__text *out, const gf__key *key);
/* Appends the type, its choices or its range: "whole number from 1 to 10". */
void gf__key_write_values(gf__text *out, const gf__key *key);
/* Appends the choices of a CHOICE, separated by commas. */
void gf__key_write_choices(gf__text *out, const gf__key *key);

#endif
