/* What values of keys (keys.c), reading by a table of them (keys_read.c, section.c), and writing
 * and help by it (keys_write.c) share. */
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

/* Appends words, wrapped at 80 columns, and a line end. The line is at column indent, and so begin
 * those that follow. */
void gf__text_wrap(gf__text *out, size_t indent, const char *words);

/* Appends " from 1 to 10", " of at least 1", " of at most 10" or nothing. */
void gf__key_write_range(gf__text *out, const gf__key *key);
/* Appends the type, its choices or its range: "whole number from 1 to 10". */
void gf__key_write_values(gf__text *out, const gf__key *key);
/* Appends the choices of a CHOICE or ROW, separated by commas. */
void gf__key_write_choices(gf__text *out, const gf__key *key);

/* Whether the key leaves its value to another reader. */
static inline bool gf__key_is_value(const gf__key *key) {
  return key->type == GF__KEY_SECTION || key->type == GF__KEY_LIST || key->type == GF__KEY_NAMES ||
         key->type == GF__KEY_SCALAR;
}
static inline bool gf__key_is_choice(const gf__key *key) {
  return key->type == GF__KEY_CHOICE || key->type == GF__KEY_ROW;
}

/* Choice number index, and the value that it is read to; NULL after the last. */
const char *gf__key_choice(const gf__key *key, size_t index, int *value);

/* Reads a value, or the initial one, into the field at at. where is the section's name or "". */
gf_status gf__key_read(const gf__key *key, const char *where, const gf__value *value,
                       void *at) GF_MUST_USE;
gf_status gf__key_read_initial(const gf__key *key, const char *where, void *at) GF_MUST_USE;
/* Reads a word of a command line, of which messages say "--NAME". GF_ERROR_ARGUMENT. */
gf_status gf__key_parse(const gf__key *key, const char *text, void *at) GF_MUST_USE;

/* Appends "'abc'", cut and on one line. */
void gf__value_quote(gf__text *out, const char *text);
/* Appends what the value is: "'abc'", "a list", "nothing". */
void gf__value_describe(gf__text *out, const gf__value *value);
/* Fails at the value with the message, and frees it. */
gf_status gf__value_fail_with(const gf__value *value, gf__text *message);

/* The steps of gf__keys_read_groups. */
gf_status gf__keys_check_mapping(const gf__value *map, const char *where) GF_MUST_USE;
bool gf__key_is_known(const char *name, const gf__key_group *groups, size_t group_count);
gf_status gf__key_fail_unknown(const gf__value *entry, const char *where,
                               const gf__key_group *groups, size_t group_count);
gf_status gf__keys_fill(const gf__value *map, const char *where, const gf__key_group *groups,
                        size_t group_count) GF_MUST_USE;

#endif
