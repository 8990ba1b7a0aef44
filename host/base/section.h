/* Sections of a config. In some of them one key chooses a row of a table, an optimizer for
 * instance, and the row has keys of its own in the same section. */
#ifndef GF_BASE_SECTION_H
#define GF_BASE_SECTION_H

#include "base/config.h"
#include "base/help.h"

/* What rows begin with that bring keys of their own. */
typedef struct gf__row {
  const char *name, *help;
  const gf__key *keys;
  size_t key_count, options_size; /* bytes of the struct that the keys are read into */
} gf__row;

/* The first member of a row's struct: its fields are the struct's, and a pointer to the struct is
 * one to a gf__row. */
#define GF__ROW                       \
  union {                             \
    gf__row row;                      \
    struct {                          \
      const char *name, *help;        \
      const gf__key *keys;            \
      size_t key_count, options_size; \
    };                                \
  }

typedef struct gf__section {
  const char *name;
  const gf__key *keys; /* of all rows; the first is of type ROW and chooses the row */
  size_t key_count;
  /* The section has the keys of all rows, those of the others with their initial values, which
   * are written and accepted. Without it, a key of another row is refused whatever its value. */
  bool has_all_keys;
} gf__section;

/* The row that target has chosen, or NULL. */
const gf__row *gf__section_row(const gf__section *section, const void *target);
/* Reads the section of a config, map, which may be NULL. The choice is read first, so that its
 * error comes before those about keys; a key of another row fails as one ("optimizer.momentum is
 * a key of sgd and rmsprop; optimizer.name is adam"). *options becomes the row's struct, which
 * gf__section_free frees; options is NULL where the keys of all rows are fields of target. */
gf_status gf__section_read(const gf__section *section, const gf__value *map, void *target,
                           void **options) GF_MUST_USE;
/* Frees the texts of target, and the options. */
void gf__section_free(const gf__section *section, void *target, void **options);
/* Appends the resolved section. */
void gf__section_write(gf__text *out, int indent, const gf__section *section, const void *target,
                       const void *options);
/* A table of the common keys, and one per row that has keys. */
void gf__section_help(gf__help *help, const gf__section *section);

/* GF_ERROR_CONFIG where the config has a section that none reads. */
gf_status gf__sections_check(const gf_config *config) GF_MUST_USE;
/* The section that has a key of this name, "train.epochs" for "epochs" or a synonym of it; NULL
 * where there is none, or several. */
const char *gf__sections_find(const char *key);
/* Whether it is a section of a config, and not of a study or a node. */
bool gf__sections_has(const char *name);

#endif
