/* From YAML text to trees of values, by libfyaml. Whoever receives a tree frees it. */
#ifndef GF_BASE_YAML_H
#define GF_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"

enum { GF__YAML_LARGEST = 1 << 20 }; /* bytes; larger texts are refused */

/* A text to read. The caller sets the first four and keeps them; the others begin as 0. */
typedef struct gf__yaml {
  const char *name; /* of the file, or "--set KEY" */
  const char *text;
  size_t size;
  bool is_override; /* places are the name alone, without line and column */
  int line, column; /* that the reading has reached, from 0 */
  size_t values;    /* made so far */
} gf__yaml;

/* Fails because the text of that name is larger than GF__YAML_LARGEST. */
gf_status gf__yaml_fail_size(const char *name) __attribute__((cold));
/* GF_ERROR_CONFIG with the place of the first byte that is not text, or of a text too large. */
gf_status gf__yaml_check(const gf__yaml *yaml) GF_MUST_USE;
/* Checks the text and reads it into a tree that will be depth levels below a root. An empty
 * text is an empty scalar. GF_ERROR_CONFIG with line, column and excerpt of what is no YAML or
 * has no place in a config: duplicate keys, tags, several documents, too many or too deep
 * values. */
gf_status gf__yaml_read(gf__yaml *yaml, int depth, gf__value **out) GF_MUST_USE;
/* Whether YAML takes this plain scalar for nothing; an empty one is not asked about. */
bool gf__yaml_is_null(const char *text);

/* A value without content whose place is where the reading is. */
gf_status gf__yaml_new_value(gf__yaml *yaml, gf__value_kind kind, gf__value **out) GF_MUST_USE;
/* Frees the value and all below it; NULL is fine. */
void gf__value_free(gf__value *value);
/* Appends child to a sequence or mapping, which owns it from then on; after a failure the caller
 * still does. */
gf_status gf__value_append(gf__value *parent, gf__value *child) GF_MUST_USE;
/* Copies length bytes into the key of a value that has none. */
gf_status gf__value_set_key(gf__value *value, const char *key, size_t length) GF_MUST_USE;

#endif
