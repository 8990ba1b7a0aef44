/* The tree that a config is read into, and tables of keys that read it into structs. The
 * same tables serve validation, help and the resolved config of a run. */
#ifndef GF_BASE_CONFIG_H
#define GF_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include <gradflow/config.h>

#include "base/error.h"
#include "base/text.h"

typedef enum gf__value_kind { GF__SCALAR, GF__SEQUENCE, GF__MAPPING } gf__value_kind;

/* One node of the tree. A mapping's entries are values with a key. */
typedef struct gf__value {
  gf__value_kind kind;
  char *key;   /* of an entry of a mapping, else NULL */
  char *text;  /* of a scalar, else NULL; a null or empty scalar is "" */
  bool quoted; /* of a scalar: written in quotes, so never a number or a bool */
  struct gf__value **items;
  size_t count;
  char *place; /* "configs/plain37.yaml:3:5" or "--set train.epochs", where the key is */
} gf__value;

const gf__value *gf__config_root(const gf_config *config);
const char *gf__config_path(const gf_config *config); /* of its file; "" of one that has none */
/* The entry of a mapping, or NULL; map may be NULL. */
const gf__value *gf__value_get(const gf__value *map, const char *key);
/* The text of a scalar; "" of a list, of a mapping and of NULL. */
const char *gf__scalar_words(const gf__value *value);
/* Gives a key of a section another name, where the section has the key, and no entry of that name.
 */
gf_status gf__config_rename(gf_config *config, const char *section, const char *key,
                            const char *name) GF_MUST_USE;
/* The caller frees *out. */
gf_status gf__config_copy(gf_config **out, const gf_config *config) GF_MUST_USE;
/* A failure at a value: "PLACE: message". */
gf_status gf__value_fail(const gf__value *value, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

#ifdef __clang_analyzer__
#define gf__value_fail(value, ...) (gf__value_fail((value), __VA_ARGS__), GF_ERROR_CONFIG)
#endif

/* How a key is read and what its field in the struct is. */
typedef enum gf__key_type {
  GF__KEY_INT,     /* int; "1e3" and "3.5" are errors, as is what does not fit */
  GF__KEY_SEED,    /* uint64_t, 0 to 2^63-1 */
  GF__KEY_FLOAT,   /* double; finite */
  GF__KEY_BOOL,    /* bool: true or false */
  GF__KEY_CHOICE,  /* int: the index of one of some words */
  GF__KEY_ROW,     /* int: the index of a row in the table that it is chosen from; or -1 */
  GF__KEY_TEXT,    /* char *, owned by the struct; "" if absent */
  GF__KEY_TEXTS,   /* gf__texts, owned by the struct; of options that may be repeated */
  GF__KEY_FLOATS,  /* gf__floats: a number or a list of at most 8 numbers */
  GF__KEY_PAIR,    /* int[2]: a whole number for both, or a list of two (vertical, horizontal) */
  GF__KEY_TRIPLE,  /* int[3]: a whole number for all, or a list of three (depth first) */
  GF__KEY_SIDES,   /* int[4], top, bottom, left, right: a whole number for all, a list of two
                      (vertical, horizontal) or of four; "same" is GF__SIDES_SAME four times */
  GF__KEY_SECTION, /* const gf__value *: keys that another table reads; NULL if absent */
  GF__KEY_LIST,    /* const gf__value *: items that are read one by one; NULL if absent */
  GF__KEY_NAMES,   /* const gf__value *: a name or a list of names; NULL if absent */
  GF__KEY_SCALAR   /* const gf__value *: one value, whose reader checks it; NULL if absent */
} gf__key_type;

/* What a reader of the key makes of the sizes and the stride. */
enum { GF__SIDES_SAME = -1 };

typedef struct gf__texts {
  char **v; /* count of them */
  size_t count;
} gf__texts;

typedef struct gf__floats {
  double v[8];
  int count;
} gf__floats;

typedef struct gf__key {
  const char *name;
  gf__key_type type;
  size_t offset;           /* of the field */
  const char *initial;     /* "3", "[0, 1]", "adam"; NULL: the key is required */
  double minimum, maximum; /* of numbers (each item of FLOATS), inclusive; both 0: no limit */
  /* Of CHOICE: words. Of ROW: pointers to rows, each of which begins with its name; an initial
   * value that names none of them means no row, -1. Of options that take a TEXT or a number:
   * words to show what may be given, for completion and messages. All are ended by NULL. */
  const void *choices;
  const char *help; /* one line */
} gf__key;

/* A row of a table of keys: the key has the member's name, and its type is that of the member.
 * Further fields are .initial, .minimum, .maximum, .choices and .help. */
#define GF__KEY(options, member, kind, ...) \
  { .name = #member, .type = GF__KEY_##kind, .offset = offsetof(options, member), __VA_ARGS__ }

/* Reads map (NULL: an empty one) into the struct at target by the table. Fails
 * on a key that is in none of the rows ("unknown key 'epoch'; did you mean
 * 'epochs'? known: …"), a missing required key, a wrong type and a value out
 * of range, each with its place. where names the mapping in messages when it
 * is absent ("train"). Fields that are text are allocated; after a failure none is left. A side
 * of a range may be open: minimum -INFINITY or maximum INFINITY (INT_MIN and INT_MAX of INT). */
gf_status gf__keys_read(const gf__value *map, const char *where, const gf__key *keys, size_t count,
                        void *target) GF_MUST_USE;
/* The same for a mapping whose keys belong to several structs. */
typedef struct gf__key_group {
  const gf__key *keys;
  size_t count;
  void *target;
} gf__key_group;
gf_status gf__keys_read_groups(const gf__value *map, const char *where, const gf__key_group *groups,
                               size_t group_count) GF_MUST_USE;
/* Reads one key of map, whatever else map has. */
gf_status gf__keys_read_one(const gf__value *map, const char *where, const gf__key *key,
                            void *target) GF_MUST_USE;
/* Frees the text fields and clears them. */
void gf__keys_free(const gf__key *keys, size_t count, void *target);
/* Appends "indent name: value" lines that read back to the same struct; what another table
 * or its reader has to write is left out: SECTION, LIST, NAMES and SCALAR. */
void gf__keys_write(gf__text *out, int indent, const gf__key *keys, size_t count,
                    const void *target);
/* Appends value (a whole subtree, without its own key) as YAML, block style, on lines of its own
 * that read back the same below "key:\n". */
void gf__value_write(gf__text *out, int indent, const gf__value *value);
/* Appends a table for help: name, type or choices, default, range, help line, within 80 columns. */
void gf__keys_help(gf__text *out, const gf__key *keys, size_t count);

#endif
