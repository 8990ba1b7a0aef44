#include "base/section.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/keys.h"

/* ---- rows ---- */

static const gf__row *const *rows_of(const gf__section *section) {
  return section->keys[0].choices;
}

static int chosen(const gf__section *section, const void *target) {
  return *(const int *)((const char *)target + section->keys[0].offset);
}

const gf__row *gf__section_row(const gf__section *section, const void *target) {
  int index = chosen(section, target);
  return index < 0 ? NULL : rows_of(section)[index];
}

static const gf__key *find_key(const gf__row *row, const char *name) {
  for (size_t i = 0; i < row->key_count; i++)
    if (!strcmp(row->keys[i].name, name)) return &row->keys[i];
  return NULL;
}

/* ---- keys of other rows ---- */

/* Whether value is what the key has where it is left out. */
static bool is_initial(const gf__key *key, const char *where, const gf__value *value) {
  union {
    int whole;
    uint64_t seed;
    double number;
    bool flag;
    gf__floats floats;
    int triple[3];
    char *text;
    const gf__value *value;
  } given, initial;
  if (gf__key_is_value(key) || gf__key_read(key, where, value, &given) != GF_OK) return false;
  gf_status status = gf__key_read_initial(key, where, &initial);
  gf__key bare = *key;
  gf__text texts[2] = {{0}};
  bare.offset = 0;
  gf__keys_write(&texts[0], 0, &bare, 1, &given);
  if (status == GF_OK) gf__keys_write(&texts[1], 0, &bare, 1, &initial);
  bool same = texts[0].data && texts[1].data && !strcmp(texts[0].data, texts[1].data);
  for (int i = 0; i < 2; i++) gf__text_free(&texts[i]);
  gf__keys_free(&bare, 1, &given);
  if (status == GF_OK) gf__keys_free(&bare, 1, &initial);
  return same;
}

/* "sgd", "sgd and rmsprop", "sgd, adam and rmsprop". */
static void add_owners(gf__text *out, const gf__section *section, const char *key) {
  const gf__row *const *rows = rows_of(section);
  int left = 0;
  for (int i = 0; rows[i]; i++) left += find_key(rows[i], key) != NULL;
  for (int i = 0; rows[i]; i++) {
    if (!find_key(rows[i], key)) continue;
    left--;
    gf__text_add(out, "%s%s", rows[i]->name, left > 1 ? ", " : left == 1 ? " and " : "");
  }
}

static gf_status fail_foreign(const gf__section *section, const gf__value *entry,
                              const gf__row *row) {
  gf__text message = {0};
  gf__text_add(&message, "%s.%s is a key of ", section->name, entry->key);
  add_owners(&message, section, entry->key);
  gf__text_add(&message, "; %s.%s is %s", section->name, section->keys[0].name,
               row ? row->name : section->keys[0].initial);
  return gf__value_fail_with(entry, &message);
}

static gf_status check_unknown(const gf__section *section, const gf__value *entry,
                               const gf__row *row, const gf__key_group *groups, size_t count) {
  const gf__row *const *rows = rows_of(section);
  bool is_foreign = false;
  for (int i = 0; rows[i]; i++) {
    const gf__key *key = find_key(rows[i], entry->key);
    is_foreign |= key != NULL;
    if (key && section->has_all_keys && is_initial(key, section->name, entry)) return GF_OK;
  }
  return is_foreign ? fail_foreign(section, entry, row)
                    : gf__key_fail_unknown(entry, section->name, groups, count);
}

/* ---- reading ---- */

static gf_status check_keys(const gf__section *section, const gf__value *map, const gf__row *row) {
  const gf__key_group groups[] = {{section->keys, section->key_count, NULL},
                                  {row ? row->keys : NULL, row ? row->key_count : 0, NULL}};
  for (size_t i = 0; map && i < map->count; i++)
    if (!gf__key_is_known(map->items[i]->key, groups, 2))
      GF_TRY(check_unknown(section, map->items[i], row, groups, 2));
  return GF_OK;
}

/* Initial values for the keys of the rows that are not chosen. The chosen one comes after them:
 * rows may share fields. */
static gf_status fill_others(const gf__section *section, const gf__row *chosen_row, void *target) {
  const gf__row *const *rows = rows_of(section);
  for (int i = 0; rows[i]; i++)
    if (rows[i] != chosen_row)
      GF_TRY(gf__keys_fill(NULL, section->name,
                           &(gf__key_group){rows[i]->keys, rows[i]->key_count, target}, 1));
  return GF_OK;
}

gf_status gf__section_read(const gf__section *section, const gf__value *map, void *target,
                           void **options) {
  if (options) *options = NULL;
  if (map) GF_TRY(gf__keys_check_mapping(map, section->name));
  GF_TRY(gf__keys_read_one(map, section->name, &section->keys[0], target));
  const gf__row *row = gf__section_row(section, target);
  GF_TRY(check_keys(section, map, row));
  if (row && options) {
    *options = calloc(1, row->options_size + 1);
    if (!*options) return gf__fail_host_memory(row->options_size);
  }
  const gf__key_group groups[] = {
      {section->keys, section->key_count, target},
      {row ? row->keys : NULL, row ? row->key_count : 0, options ? *options : target}};
  gf_status status = options ? GF_OK : fill_others(section, row, target);
  if (status == GF_OK) status = gf__keys_fill(map, section->name, groups, row ? 2 : 1);
  if (status != GF_OK && options) free(*options), *options = NULL;
  return status;
}

void gf__section_free(const gf__section *section, void *target, void **options) {
  gf__keys_free(section->keys, section->key_count, target);
  if (!options || !*options) return;
  const gf__row *row = gf__section_row(section, target);
  if (row) gf__keys_free(row->keys, row->key_count, *options);
  free(*options);
  *options = NULL;
}

/* ---- writing ---- */

static bool has_before(const gf__section *section, int before, const gf__row *row,
                       const char *key) {
  for (int i = 0; i < before; i++)
    if (find_key(rows_of(section)[i], key)) return true;
  return row && find_key(row, key);
}

static void write_others(gf__text *out, int indent, const gf__section *section,
                         const gf__row *row) {
  const gf__row *const *rows = rows_of(section);
  for (int i = 0; rows[i]; i++)
    for (size_t k = 0; rows[i] != row && k < rows[i]->key_count; k++) {
      const gf__key *key = &rows[i]->keys[k];
      if (gf__key_is_value(key) || has_before(section, i, row, key->name)) continue;
      gf__text_add(out, "%*s%s: %s\n", indent, "", key->name,
                   *key->initial ? key->initial : "\"\"");
    }
}

void gf__section_write(gf__text *out, int indent, const gf__section *section, const void *target,
                       const void *options) {
  const gf__row *row = gf__section_row(section, target);
  gf__keys_write(out, indent, section->keys, section->key_count, target);
  if (row) gf__keys_write(out, indent, row->keys, row->key_count, options ? options : target);
  if (section->has_all_keys) write_others(out, indent, section, row);
}

/* ---- help ---- */

void gf__section_help(gf__help *help, const gf__section *section) {
  const gf__row *const *rows = rows_of(section);
  gf__help_title(help, "%s:", section->name);
  gf__help_keys(help, section->keys, section->key_count);
  for (int i = 0; rows[i]; i++) {
    if (rows[i]->key_count == 0) continue;
    gf__help_title(help, "%s, with %s %s (%s):", section->name, section->keys[0].name,
                   rows[i]->name, rows[i]->help);
    gf__help_keys(help, rows[i]->keys, rows[i]->key_count);
  }
}
