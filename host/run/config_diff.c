#include "run/config_diff.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *text_of(const gf__value *value) {
  if (!value) return "absent";
  if (value->kind != GF__SCALAR) return value->kind == GF__MAPPING ? "a mapping" : "a list";
  return value->text;
}

static void compare_values(const char *path, const gf__value *now, const gf__value *before,
                           gf__text *out);

/* How a run is computed, where its images lie, what is recorded besides, and when it ends: not what
 * it computes. */
static const char *const free_keys[] = {"model.tune", "data.path", "logging", "train.stop"};

static bool is_free(const char *path) {
  for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++)
    if (!strcmp(path, free_keys[i])) return true;
  return false;
}

static void compare_item(const char *path, const char *key, const gf__value *now,
                         const gf__value *before, gf__text *out) {
  char below[512];
  snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", key);
  if (!is_free(below)) compare_values(below, now, before, out);
}

static void compare_items(const char *path, const gf__value *now, const gf__value *before,
                          gf__text *out) {
  for (size_t i = 0; i < now->count; i++)
    compare_item(path, now->items[i]->key, now->items[i], gf__value_get(before, now->items[i]->key),
                 out);
  for (size_t i = 0; i < before->count; i++)
    if (!gf__value_get(now, before->items[i]->key))
      compare_item(path, before->items[i]->key, NULL, before->items[i], out);
}

static void compare_sequence(const char *path, const gf__value *now, const gf__value *before,
                             gf__text *out) {
  for (size_t i = 0; i < now->count || i < before->count; i++) {
    char index[24];
    snprintf(index, sizeof index, "%zu", i);
    compare_item(path, index, i < now->count ? now->items[i] : NULL,
                 i < before->count ? before->items[i] : NULL, out);
  }
}

static void compare_values(const char *path, const gf__value *now, const gf__value *before,
                           gf__text *out) {
  if (now && before && now->kind == GF__MAPPING && before->kind == GF__MAPPING)
    compare_items(path, now, before, out);
  else if (now && before && now->kind == GF__SEQUENCE && before->kind == GF__SEQUENCE)
    compare_sequence(path, now, before, out);
  else if (!now || !before || now->kind != before->kind || strcmp(now->text, before->text) != 0)
    gf__text_add(out, "\n  %s: %s, was %s", path, text_of(now), text_of(before));
}

void gf__config_diff(const gf__value *now, const gf__value *before, gf__text *out) {
  compare_values("", now, before, out);
}
