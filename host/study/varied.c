#include "study/varied.h"

#include <stdlib.h>
#include <string.h>

#include "base/keys.h"
#include "base/text.h"

/* ---- values ---- */

/* The value at a path with points between its keys, or NULL. */
static const gf__value *find_value(const gf__setting *setting, const char *path) {
  const gf__value *value = gf__config_root(setting->config);
  char key[128];
  while (value && *path) {
    size_t length = strcspn(path, ".");
    if (length >= sizeof key) return NULL;
    memcpy(key, path, length);
    key[length] = 0;
    value = gf__value_get(value, key);
    path += length + (path[length] == '.');
  }
  return value;
}

static void add_value(gf__text *out, const gf__value *value) {
  if (value->kind == GF__SCALAR) {
    gf__text_add(out, "%s", value->text);
    return;
  }
  gf__text_add(out, "[");
  for (size_t i = 0; i < value->count; i++) {
    if (i) gf__text_add(out, ", ");
    if (value->items[i]->key) gf__text_add(out, "%s: ", value->items[i]->key);
    add_value(out, value->items[i]);
  }
  gf__text_add(out, "]");
}

void gf__varied_add_value(gf__text *out, const gf__setting *setting, const char *key) {
  const gf__value *value = find_value(setting, key);
  if (value)
    add_value(out, value);
  else
    gf__text_add(out, "-");
}

/* ---- keys ---- */

static gf_status is_equal(const gf__setting *a, const gf__setting *b, const char *key, bool *out) {
  gf__text texts[2] = {{0}};
  gf__varied_add_value(&texts[0], a, key);
  gf__varied_add_value(&texts[1], b, key);
  gf_status status = gf__text_status(&texts[0]);
  if (status == GF_OK) status = gf__text_status(&texts[1]);
  *out = status == GF_OK && !strcmp(texts[0].data, texts[1].data);
  gf__text_free(&texts[0]);
  gf__text_free(&texts[1]);
  return status;
}

static gf_status differs(const gf_study *study, const gf__study_table *table, const char *key,
                         bool *out) {
  *out = false;
  for (int i = 1; i < table->row_count && !*out; i++) {
    bool equal;
    GF_TRY(
        is_equal(&study->settings[table->rows[0]], &study->settings[table->rows[i]], key, &equal));
    *out = !equal;
  }
  return GF_OK;
}

static bool is_known(const gf__varied *v, const char *key) {
  for (int i = 0; i < v->count && i < GF__MOST_VARIED; i++)
    if (!strcmp(v->keys[i], key)) return true;
  return false;
}

/* Adds the key if it differs; past the most only the count grows. */
static gf_status add_key(gf__varied *v, const gf_study *study, const gf__study_table *table,
                         const char *key) {
  bool different;
  if (is_known(v, key)) return GF_OK;
  GF_TRY(differs(study, table, key, &different));
  if (!different || v->count++ >= GF__MOST_VARIED) return GF_OK;
  v->keys[v->count - 1] = gf__text_copy(key);
  return v->keys[v->count - 1] ? GF_OK : gf__fail_host_memory(strlen(key) + 1);
}

/* The keys below a value, whose own path is prefix; lists are one value. */
static gf_status add_keys(gf__varied *v, const gf_study *study, const gf__study_table *table,
                          const gf__value *value, const char *prefix) {
  for (size_t i = 0; i < value->count && v->count <= GF__MOST_VARIED; i++) {
    const gf__value *item = value->items[i];
    gf__text path = {0};
    gf__text_add(&path, "%s%s%s", prefix, *prefix ? "." : "", item->key);
    gf_status status = gf__text_status(&path);
    bool is_map = item->kind != GF__SCALAR && item->count && item->items[0]->key;
    if (status == GF_OK)
      status =
          is_map ? add_keys(v, study, table, item, path.data) : add_key(v, study, table, path.data);
    gf__text_free(&path);
    GF_TRY(status);
  }
  return GF_OK;
}

static const char *key_end(const char *key) {
  const char *point = strrchr(key, '.');
  return point ? point + 1 : key;
}

static void choose_names(gf__varied *v) {
  for (int i = 0; i < v->count; i++) {
    v->names[i] = key_end(v->keys[i]);
    for (int k = 0; k < v->count; k++)
      if (k != i && !strcmp(key_end(v->keys[k]), key_end(v->keys[i]))) v->names[i] = v->keys[i];
  }
}

gf_status gf__varied_find(gf__varied *out, const gf_study *study, const gf__study_table *table) {
  *out = (gf__varied){0};
  gf_status status = GF_OK;
  for (int i = 0; i < table->row_count && status == GF_OK; i++) {
    const gf__setting *setting = &study->settings[table->rows[i]];
    status = add_keys(out, study, table, gf__config_root(setting->config), "");
  }
  if (status != GF_OK || out->count > GF__MOST_VARIED) gf__varied_free(out);
  choose_names(out);
  return status;
}

void gf__varied_free(gf__varied *varied) {
  for (int i = 0; i < GF__MOST_VARIED; i++) free(varied->keys[i]);
  *varied = (gf__varied){0};
}
