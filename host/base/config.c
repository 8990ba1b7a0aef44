#include "base/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/yaml.h"

struct gf_config {
  char *path;      /* of the file that it was read from, or NULL */
  gf__value *root; /* a mapping */
};

/* ---- the tree ---- */

const char *gf__scalar_words(const gf__value *value) {
  return value && value->kind == GF__SCALAR ? value->text : "";
}

gf_status(gf__value_fail)(const gf__value *value, const char *format, ...) {
  char message[4096];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  if (!value || !value->place) return gf__fail(GF_ERROR_CONFIG, "%s", message);
  return gf__fail(GF_ERROR_CONFIG, "%s: %s", value->place, message);
}

const gf__value *gf__config_root(const gf_config *config) { return config->root; }

static gf__value **find_entry(const gf__value *map, const char *key, size_t length) {
  for (size_t i = 0; i < map->count; i++)
    if (strncmp(map->items[i]->key, key, length) == 0 && !map->items[i]->key[length])
      return &map->items[i];
  return NULL;
}

const gf__value *gf__value_get(const gf__value *map, const char *key) {
  if (!map || map->kind != GF__MAPPING) return NULL;
  gf__value **found = find_entry(map, key, strlen(key));
  return found ? *found : NULL;
}

static bool is_empty(const gf__value *value) {
  return value->kind == GF__SCALAR && !value->quoted && !value->text[0];
}

static gf_status parse(gf_config **out, const char *name, const char *yaml, size_t size) {
  *out = NULL;
  gf_config *config = calloc(1, sizeof *config);
  if (!config) return gf__fail_host_memory(sizeof *config);
  gf__yaml source = {.name = name, .text = yaml, .size = size};
  gf_status status = gf__yaml_read(&source, 0, &config->root);
  gf__value *root = config->root;
  if (root && is_empty(root)) {
    free(root->text);
    root->text = NULL;
    root->kind = GF__MAPPING;
  }
  if (root && root->kind != GF__MAPPING)
    status = gf__value_fail(root, "a config is a mapping of keys to values, not a %s",
                            root->kind == GF__SEQUENCE ? "list" : "single value");
  if (status != GF_OK) gf_config_free(&config);
  *out = config;
  return status;
}

gf_status gf_config_parse(gf_config **out, const char *name, const char *yaml) {
  return parse(out, name, yaml, strlen(yaml));
}

gf_status gf_config_load(gf_config **out, const char *path) {
  char *yaml;
  size_t size;
  *out = NULL;
  gf_status status = gf__file_read_within(path, GF__YAML_LARGEST, &yaml, &size);
  if (status == GF_ERROR_DATA) return gf__yaml_fail_size(path);
  if (status == GF_OK) status = parse(out, path, yaml, size);
  free(yaml);
  if (status == GF_OK) (*out)->path = gf__text_copy(path);
  return status;
}

const char *gf__config_path(const gf_config *config) { return config->path ? config->path : ""; }

gf_status gf__config_copy(gf_config **out, const gf_config *config) {
  gf__text text = {0};
  *out = NULL;
  gf__value_write(&text, 0, config->root);
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf_config_parse(out, "a copy of the config", text.data);
  gf__text_free(&text);
  return status;
}

void gf_config_free(gf_config **config) {
  if (!*config) return;
  gf__value_free((*config)->root);
  free((*config)->path);
  free(*config);
  *config = NULL;
}

gf_status gf__config_rename(gf_config *config, const char *section, const char *key,
                            const char *name) {
  const gf__value *map = gf__value_get(config->root, section);
  if (!gf__value_get(map, key) || gf__value_get(map, name)) return GF_OK;
  char *copy = gf__text_copy(name);
  if (!copy) return gf__fail_host_memory(strlen(name) + 1);
  for (size_t i = 0; i < map->count; i++) {
    if (strcmp(map->items[i]->key, key) != 0) continue;
    free(map->items[i]->key);
    map->items[i]->key = copy;
    break;
  }
  return GF_OK;
}

/* ---- overrides ---- */

/* Walks path ("a.b.0.c") from *entry_at as far as the tree goes. Leaves the value
 * that was reached in *entry_at and the keys that are missing below it in *rest, or NULL. */
static gf_status find_target(const char *place, const char *path, gf__value ***entry_at,
                             const char **rest) {
  for (const char *component = path; component;) {
    const gf__value *value = **entry_at;
    int length = (int)strcspn(component, "."),
        walked = component > path ? (int)(component - path) - 1 : 0;
    *rest = component;
    if (is_empty(value)) return GF_OK;
    if (value->kind == GF__SCALAR)
      return gf__fail(GF_ERROR_CONFIG, "%s: %.*s is a single value (%s) and has no key '%.*s'",
                      place, walked, path, value->place, length, component);
    if (value->kind == GF__MAPPING) {
      gf__value **entry = find_entry(value, component, (size_t)length);
      if (!entry) return GF_OK;
      *entry_at = entry;
    } else {
      bool is_index = (int)strspn(component, "0123456789") == length && length < 7;
      size_t index = is_index ? strtoul(component, NULL, 10) : value->count;
      if (index >= value->count)
        return gf__fail(GF_ERROR_CONFIG,
                        "%s: %.*s is a list of %zu, counted from 0, and has no item '%.*s'", place,
                        walked, path, value->count, length, component);
      *entry_at = &value->items[index];
    }
    component = component[length] ? component + length + 1 : NULL;
  }
  *rest = NULL;
  return GF_OK;
}

/* Puts *value below the keys of rest, from the last to the first, into *entry_at; clears it when
 * the tree owns it. */
static gf_status attach(gf__yaml *yaml, gf__value **entry_at, const char *rest, gf__value **value) {
  size_t end = rest ? strlen(rest) : 0;
  while (end > 0) {
    size_t start = end;
    while (start > 0 && rest[start - 1] != '.') start--;
    GF_TRY(gf__value_set_key(*value, rest + start, end - start));
    end = start > 0 ? start - 1 : 0;
    gf__value *map = *entry_at;
    bool is_last = end == 0 && map->kind == GF__MAPPING;
    if (!is_last) GF_TRY(gf__yaml_new_value(yaml, GF__MAPPING, &map));
    gf_status status = gf__value_append(map, *value);
    if (status != GF_OK && !is_last) gf__value_free(map);
    GF_TRY(status);
    *value = is_last ? NULL : map;
    if (is_last) return GF_OK;
  }
  (*value)->key = (*entry_at)->key;
  (*entry_at)->key = NULL;
  gf__value_free(*entry_at);
  *entry_at = *value;
  *value = NULL;
  return GF_OK;
}

gf_status gf_config_set(gf_config *config, const char *assignment) {
  gf__yaml whole = {
      .name = "--set", .is_override = true, .text = assignment, .size = strlen(assignment)};
  GF_TRY(gf__yaml_check(&whole));
  const char *equals = strchr(assignment, '=');
  if (!equals)
    return gf__fail(GF_ERROR_CONFIG, "--set '%s': expected key=value, as in train.epochs=3",
                    assignment);
  size_t prefix = strlen("--set "), length = (size_t)(equals - assignment);
  char *place = malloc(prefix + length + 1);
  if (!place) return gf__fail_host_memory(prefix + length + 1);
  memcpy(place, "--set ", prefix);
  memcpy(place + prefix, assignment, length);
  place[prefix + length] = 0;
  const char *path = place + prefix, *rest = NULL;
  int depth = 1;
  for (size_t i = 0; i < length; i++) depth += path[i] == '.';
  gf__yaml yaml = {
      .name = place, .is_override = true, .text = equals + 1, .size = strlen(equals + 1)};
  gf__value **entry_at = &config->root, *value = NULL;
  gf_status status;
  if (length == 0 || path[0] == '.' || path[length - 1] == '.' || strstr(path, ".."))
    status = gf__fail(GF_ERROR_CONFIG,
                      "--set '%s': a word of the key is empty; expected one as in train.epochs=3",
                      assignment);
  else
    status = find_target(place, path, &entry_at, &rest);
  if (status == GF_OK) status = gf__yaml_read(&yaml, depth, &value);
  if (status == GF_OK) status = attach(&yaml, entry_at, rest, &value);
  gf__value_free(value);
  free(place);
  return status;
}
