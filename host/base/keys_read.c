/* Tables of keys: a mapping of a config into structs. */
#include <stdlib.h>
#include <string.h>

#include "base/keys.h"
#include "base/section.h"

enum { MOST_KNOWN = 128 };

/* What the unknown key may have been meant to be: a synonym, a key of another section, a key that
 * was misspelt. Studies and nodes have no sections to look in. */
static const char *find_close(const char *key, const char *where, const char *const *names,
                              size_t count) {
  bool is_config = gf__sections_has(where), is_root = !*where;
  for (size_t i = 0; is_root && i < count; i++) is_config |= strcmp(names[i], "train") == 0;
  const char *close = gf__synonym(key, names, count, sizeof *names);
  if (!close && is_config) close = gf__sections_find(key);
  return close ? close : gf__did_you_mean(key, names, count, sizeof *names);
}

gf_status gf__key_fail_unknown(const gf__value *entry, const char *where,
                               const gf__key_group *groups, size_t group_count) {
  gf__text message = {0}, known = {0};
  const char *names[MOST_KNOWN];
  size_t count = 0;
  for (size_t g = 0; g < group_count; g++)
    for (size_t k = 0; k < groups[g].count && count < MOST_KNOWN; k++) {
      gf__text_add(&known, "%s%s", count ? ", " : "", groups[g].keys[k].name);
      names[count++] = groups[g].keys[k].name;
    }
  gf__text_add(&message, "unknown key ");
  gf__value_quote(&message, entry->key);
  if (*where) gf__text_add(&message, " in %s", where);
  const char *close = find_close(entry->key, where, names, count);
  if (close) gf__text_add(&message, "; did you mean '%s'?", close);
  gf__text_add(&message, "%s known keys: %s", close ? "" : ";", count ? known.data : "none");
  gf__text_free(&known);
  return gf__value_fail_with(entry, &message);
}

bool gf__key_is_known(const char *name, const gf__key_group *groups, size_t group_count) {
  for (size_t g = 0; g < group_count; g++)
    for (size_t k = 0; k < groups[g].count; k++)
      if (strcmp(name, groups[g].keys[k].name) == 0) return true;
  return false;
}

gf_status gf__keys_check_mapping(const gf__value *map, const char *where) {
  bool is_empty = gf__value_is_plain(map) && !map->text[0];
  if (map->kind == GF__MAPPING || is_empty) return GF_OK;
  gf__text message = {0};
  gf__text_add(&message, "%s must be a mapping of keys to values, not ",
               *where ? where : "the config");
  gf__value_describe(&message, map);
  return gf__value_fail_with(map, &message);
}

static gf_status check_names(const gf__value *map, const char *where, const gf__key_group *groups,
                             size_t group_count) {
  GF_TRY(gf__keys_check_mapping(map, where));
  for (size_t i = 0; i < map->count; i++)
    if (!gf__key_is_known(map->items[i]->key, groups, group_count))
      return gf__key_fail_unknown(map->items[i], where, groups, group_count);
  return GF_OK;
}

static gf_status read_row(const gf__value *map, const char *where, const gf__key *key, void *at) {
  const gf__value *value = gf__value_get(map, key->name);
  if (value) return gf__key_read(key, where, value, at);
  if (key->initial) return gf__key_read_initial(key, where, at);
  return gf__value_fail(map, "%s%s%s is missing and has no default (%s)", where, *where ? "." : "",
                        key->name, key->help);
}

gf_status gf__keys_read_one(const gf__value *map, const char *where, const gf__key *key,
                            void *target) {
  return read_row(map, where, key, (char *)target + key->offset);
}

static void clear_pointers(const gf__key_group *group) {
  for (size_t i = 0; i < group->count; i++) {
    void *at = (char *)group->target + group->keys[i].offset;
    if (group->keys[i].type == GF__KEY_TEXT) *(char **)at = NULL;
    if (gf__key_is_value(&group->keys[i])) *(const gf__value **)at = NULL;
  }
}

gf_status gf__keys_fill(const gf__value *map, const char *where, const gf__key_group *groups,
                        size_t group_count) {
  gf_status status = GF_OK;
  for (size_t g = 0; g < group_count; g++) clear_pointers(&groups[g]);
  for (size_t g = 0; g < group_count; g++)
    for (size_t i = 0; i < groups[g].count && status == GF_OK; i++)
      status = gf__keys_read_one(map, where, &groups[g].keys[i], groups[g].target);
  for (size_t g = 0; g < group_count && status != GF_OK; g++)
    gf__keys_free(groups[g].keys, groups[g].count, groups[g].target);
  return status;
}

gf_status gf__keys_read_groups(const gf__value *map, const char *where, const gf__key_group *groups,
                               size_t group_count) {
  if (!where) where = "";
  for (size_t g = 0; g < group_count; g++) clear_pointers(&groups[g]);
  if (map) GF_TRY(check_names(map, where, groups, group_count));
  return gf__keys_fill(map, where, groups, group_count);
}

gf_status gf__keys_read(const gf__value *map, const char *where, const gf__key *keys, size_t count,
                        void *target) {
  return gf__keys_read_groups(map, where, &(gf__key_group){keys, count, target}, 1);
}

static void free_texts(gf__texts *texts) {
  for (size_t i = 0; i < texts->count; i++) free(texts->v[i]);
  free(texts->v);
  *texts = (gf__texts){0};
}

void gf__keys_free(const gf__key *keys, size_t count, void *target) {
  for (size_t i = 0; i < count; i++) {
    void *at = (char *)target + keys[i].offset;
    if (keys[i].type == GF__KEY_TEXTS) free_texts(at);
    if (keys[i].type != GF__KEY_TEXT) continue;
    free(*(char **)at);
    *(char **)at = NULL;
  }
}
