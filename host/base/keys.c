#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/keys.h"

#include "base/numbers.h"

enum { MOST_FLOATS = sizeof((gf__floats *)0)->v / sizeof(double) };

/* A value that is being read: what it is called, and where it goes. */
typedef struct field {
  const gf__key *key;
  const char *where; /* the mapping's name, "" for the top level */
  void *target;      /* key->offset bytes into the struct */
} field;

static const char *dot(const char *where) { return *where ? "." : ""; }

/* ---- numbers ---- */

static size_t digits(const char *text) { return strspn(text, "0123456789"); }

/* [-+]?[0-9]+ */
static bool is_integer(const char *text) {
  text += *text == '-' || *text == '+';
  return digits(text) > 0 && !text[digits(text)];
}

/* [-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?, whatever the locale; finite. */
bool gf__float_parse(const char *text, double *out) {
  char local[128];
  const char *point = localeconv()->decimal_point, *p = text;
  p += *p == '-' || *p == '+';
  size_t whole = digits(p), before_point = (size_t)(p - text) + whole, fraction = 0;
  p += whole;
  bool has_point = *p == '.';
  if (has_point) fraction = digits(++p);
  p += fraction;
  if (whole + fraction == 0) return false;
  if (*p == 'e' || *p == 'E') {
    p++;
    p += *p == '-' || *p == '+';
    if (digits(p) == 0) return false;
    p += digits(p);
  }
  if (*p) return false;
  int n = snprintf(local, sizeof local, "%.*s%s%s", (int)before_point, text, has_point ? point : "",
                   text + before_point + has_point);
  if (n < 0 || (size_t)n >= sizeof local) return false;
  *out = strtod(local, NULL);
  return isfinite(*out);
}

static bool in_range(const gf__key *key, double number) {
  return !gf__key_has_range(key) || (number >= key->minimum && number <= key->maximum);
}

/* ---- reading ---- */

enum { LONGEST_SHOWN = 60 };

/* "'abc'", cut and on one line. */
static void add_quote(gf__text *out, const char *text) {
  size_t length = strlen(text), shown = GF__MIN(length, (size_t)LONGEST_SHOWN);
  while (shown < length && ((unsigned char)text[shown] & 0xc0) == 0x80) shown--;
  gf__text_add(out, "'");
  for (size_t i = 0; i < shown; i++)
    gf__text_add(out, "%c", (unsigned char)text[i] < ' ' ? '?' : text[i]);
  gf__text_add(out, shown < length ? "...'" : "'");
}

static void add_what_it_is(gf__text *out, const gf__value *value) {
  if (value->kind != GF__SCALAR)
    gf__text_add(out, value->kind == GF__MAPPING ? "a mapping" : "a list");
  else if (value->quoted)
    gf__text_add(out, "the text "), add_quote(out, value->text);
  else if (!value->text[0]) /* NOLINT(clang-analyzer-core.NullDereference): scalars have one */
    gf__text_add(out, "nothing");
  else
    add_quote(out, value->text);
}

/* Fails with the text that follows the place, and frees it. */
static gf_status fail_with(const gf__value *value, gf__text *message) {
  gf_status status = gf__text_status(message);
  if (status == GF_OK) status = gf__value_fail(value, "%s", message->data);
  gf__text_free(message);
  return status;
}

/* "train.epochs must be a whole number from 1 to 10, not 'abc'". */
static gf_status fail_type(const field *f, const gf__value *value, const char *type,
                           bool with_range) {
  gf__text message = {0};
  gf__text_add(&message, "%s%s%s must be %s", f->where, dot(f->where), f->key->name, type);
  if (with_range) gf__key_write_range(&message, f->key);
  gf__text_add(&message, ", not ");
  add_what_it_is(&message, value);
  return fail_with(value, &message);
}

static gf_status read_int(const field *f, const gf__value *value) {
  double number = 0;
  bool integer = gf__value_is_plain(value) && is_integer(value->text);
  bool fits =
      integer && gf__float_parse(value->text, &number) && number >= INT_MIN && number <= INT_MAX;
  if (integer && !fits && !gf__key_has_range(f->key))
    return fail_type(f, value, "a whole number from -2147483648 to 2147483647", false);
  if (!fits || !in_range(f->key, number)) return fail_type(f, value, "a whole number", true);
  *(int *)f->target = (int)number;
  return GF_OK;
}

static gf_status read_seed(const field *f, const gf__value *value) {
  uint64_t seed = 0;
  bool fits =
      gf__value_is_plain(value) && digits(value->text) > 0 && !value->text[digits(value->text)];
  for (const char *p = fits ? value->text : ""; *p && fits; p++) {
    uint64_t digit = (uint64_t)(*p - '0');
    fits = seed <= (INT64_MAX - digit) / 10;
    seed = seed * 10 + digit;
  }
  if (!fits) return fail_type(f, value, "a whole number from 0 to 9223372036854775807", false);
  *(uint64_t *)f->target = seed;
  return GF_OK;
}

static gf_status read_float(const field *f, const gf__value *value) {
  double number;
  if (!gf__value_is_plain(value) || !gf__float_parse(value->text, &number) ||
      !in_range(f->key, number))
    return fail_type(f, value, "a number", true);
  *(double *)f->target = number;
  return GF_OK;
}

static gf_status read_bool(const field *f, const gf__value *value) {
  bool is_true = gf__value_is_plain(value) && strcmp(value->text, "true") == 0;
  if (!is_true && !(gf__value_is_plain(value) && strcmp(value->text, "false") == 0))
    return fail_type(f, value, "true or false", false);
  *(bool *)f->target = is_true;
  return GF_OK;
}

static size_t choice_count(const gf__key *key) {
  size_t count = 0;
  while (key->choices[count]) count++;
  return count;
}

static gf_status read_choice(const field *f, const gf__value *value) {
  const char *text = value->kind == GF__SCALAR ? value->text : NULL;
  for (int i = 0; text && f->key->choices[i]; i++) {
    if (strcmp(text, f->key->choices[i]) != 0) continue;
    *(int *)f->target = i;
    return GF_OK;
  }
  gf__text message = {0};
  gf__text_add(&message, "%s%s%s must be one of ", f->where, dot(f->where), f->key->name);
  gf__key_write_choices(&message, f->key);
  gf__text_add(&message, ", not ");
  add_what_it_is(&message, value);
  const char *close =
      text ? gf__did_you_mean(text, f->key->choices, choice_count(f->key), sizeof *f->key->choices)
           : NULL;
  if (close) gf__text_add(&message, "; did you mean '%s'?", close);
  return fail_with(value, &message);
}

static gf_status read_text(const field *f, const gf__value *value) {
  if (value->kind != GF__SCALAR) return fail_type(f, value, "text", false);
  char *copy = gf__text_copy(value->text);
  if (!copy) return gf__fail_host_memory(strlen(value->text) + 1);
  *(char **)f->target = copy;
  return GF_OK;
}

static gf_status read_floats(const field *f, const gf__value *value) {
  gf__floats *floats = f->target;
  const gf__value *const *items = (const gf__value *const *)value->items;
  size_t count = value->count;
  if (value->kind != GF__SEQUENCE) {
    items = &value;
    count = 1;
  }
  if (count > MOST_FLOATS)
    return gf__value_fail(value, "%s%s%s must be at most %d numbers, not %zu", f->where,
                          dot(f->where), f->key->name, MOST_FLOATS, count);
  *floats = (gf__floats){.count = (int)count};
  for (size_t i = 0; i < count; i++) {
    bool fits = gf__value_is_plain(items[i]) && gf__float_parse(items[i]->text, &floats->v[i]);
    if (!fits || !in_range(f->key, floats->v[i]))
      return fail_type(f, items[i], "a number or a list of numbers", true);
  }
  return GF_OK;
}

/* One whole number for all, or a list of count. */
static gf_status read_sizes(const field *f, const gf__value *value, size_t count,
                            const char *expected) {
  int *sizes = f->target;
  bool is_list = value->kind == GF__SEQUENCE && value->count == count;
  for (size_t i = 0; i < count; i++) {
    const gf__value *item = is_list ? value->items[i] : value;
    double number = 0;
    if (!gf__value_is_plain(item) || !is_integer(item->text) ||
        !gf__float_parse(item->text, &number) || number < INT_MIN || number > INT_MAX ||
        !in_range(f->key, number))
      return fail_type(f, item, expected, true);
    sizes[i] = (int)number;
  }
  return GF_OK;
}

static gf_status read_pair(const field *f, const gf__value *value) {
  return read_sizes(f, value, 2, "a whole number or a list of two");
}

static gf_status read_triple(const field *f, const gf__value *value) {
  return read_sizes(f, value, 3, "a whole number or a list of three");
}

static gf_status read_any(const field *f, const gf__value *value) {
  *(const gf__value **)f->target = value;
  return GF_OK;
}

/* ---- tables ---- */

static gf_status (*const readers[])(const field *f, const gf__value *value) = {
    [GF__KEY_INT] = read_int,       [GF__KEY_SEED] = read_seed,     [GF__KEY_FLOAT] = read_float,
    [GF__KEY_BOOL] = read_bool,     [GF__KEY_CHOICE] = read_choice, [GF__KEY_TEXT] = read_text,
    [GF__KEY_FLOATS] = read_floats, [GF__KEY_PAIR] = read_pair,     [GF__KEY_TRIPLE] = read_triple,
    [GF__KEY_ANY] = read_any,
};

enum { MOST_KNOWN = 128 };

static gf_status fail_unknown(const gf__value *entry, const char *where,
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
  add_quote(&message, entry->key);
  if (*where) gf__text_add(&message, " in %s", where);
  const char *close = gf__did_you_mean(entry->key, names, count, sizeof *names);
  if (close) gf__text_add(&message, "; did you mean '%s'?", close);
  gf__text_add(&message, "%s known keys: %s", close ? "" : ";", count ? known.data : "none");
  gf__text_free(&known);
  return fail_with(entry, &message);
}

static bool is_known(const char *name, const gf__key_group *groups, size_t group_count) {
  for (size_t g = 0; g < group_count; g++)
    for (size_t k = 0; k < groups[g].count; k++)
      if (strcmp(name, groups[g].keys[k].name) == 0) return true;
  return false;
}

static gf_status check_map(const gf__value *map, const char *where, const gf__key_group *groups,
                           size_t group_count) {
  bool is_empty = gf__value_is_plain(map) && !map->text[0];
  if (map->kind != GF__MAPPING && !is_empty) {
    gf__text message = {0};
    gf__text_add(&message, "%s must be a mapping of keys to values, not ",
                 *where ? where : "the config");
    add_what_it_is(&message, map);
    return fail_with(map, &message);
  }
  for (size_t i = 0; i < map->count; i++)
    if (!is_known(map->items[i]->key, groups, group_count))
      return fail_unknown(map->items[i], where, groups, group_count);
  return GF_OK;
}

/* Reads the row's initial value, which is YAML like any other. */
static gf_status read_initial(const field *f) {
  if (f->key->type == GF__KEY_ANY) return GF_OK;
  gf__text yaml = {0};
  gf_config *config = NULL;
  gf__text_add(&yaml, "%s: %s\n", f->key->name, f->key->initial);
  gf_status status = gf__text_status(&yaml);
  if (status == GF_OK) status = gf_config_parse(&config, "the default", yaml.data);
  const gf__value *value = config ? gf__value_get(gf__config_root(config), f->key->name) : NULL;
  if (status == GF_OK) status = readers[f->key->type](f, value);
  gf_config_free(&config);
  gf__text_free(&yaml);
  return status;
}

static gf_status read_row(const field *f, const gf__value *map) {
  const gf__value *value = gf__value_get(map, f->key->name);
  if (value) return readers[f->key->type](f, value);
  if (f->key->initial) return read_initial(f);
  return gf__value_fail(map, "%s%s%s is missing and has no default (%s)", f->where, dot(f->where),
                        f->key->name, f->key->help);
}

static void clear_pointers(const gf__key_group *group) {
  for (size_t i = 0; i < group->count; i++) {
    void *at = (char *)group->target + group->keys[i].offset;
    if (group->keys[i].type == GF__KEY_TEXT) *(char **)at = NULL;
    if (group->keys[i].type == GF__KEY_ANY) *(const gf__value **)at = NULL;
  }
}

gf_status gf__keys_read_groups(const gf__value *map, const char *where, const gf__key_group *groups,
                               size_t group_count) {
  if (!where) where = "";
  for (size_t g = 0; g < group_count; g++) clear_pointers(&groups[g]);
  gf_status status = map ? check_map(map, where, groups, group_count) : GF_OK;
  for (size_t g = 0; g < group_count; g++)
    for (size_t i = 0; i < groups[g].count && status == GF_OK; i++) {
      const gf__key *key = &groups[g].keys[i];
      status = read_row(&(field){key, where, (char *)groups[g].target + key->offset}, map);
    }
  for (size_t g = 0; g < group_count && status != GF_OK; g++)
    gf__keys_free(groups[g].keys, groups[g].count, groups[g].target);
  return status;
}

gf_status gf__keys_read(const gf__value *map, const char *where, const gf__key *keys, size_t count,
                        void *target) {
  return gf__keys_read_groups(map, where, &(gf__key_group){keys, count, target}, 1);
}

void gf__keys_free(const gf__key *keys, size_t count, void *target) {
  for (size_t i = 0; i < count; i++) {
    if (keys[i].type != GF__KEY_TEXT) continue;
    char **text = (char **)((char *)target + keys[i].offset);
    free(*text);
    *text = NULL;
  }
}
