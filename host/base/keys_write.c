#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/keys.h"
#include "base/yaml.h"

/* ---- numbers, ranges, choices ---- */

void gf__float_write(gf__text *out, double number) {
  static const int precisions[] = {6, 9, 17};
  char text[64];
  double again = 0;
  for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++) {
    snprintf(text, sizeof text, "%.*g", precisions[i], number);
    const char *point = localeconv()->decimal_point;
    char *found = strcmp(point, ".") == 0 ? NULL : strstr(text, point);
    if (found) {
      *found = '.';
      memmove(found + 1, found + strlen(point), strlen(found + strlen(point)) + 1);
    }
    if (gf__float_parse(text, &again) && again == number) break;
  }
  gf__text_add(out, "%s", text);
}

static bool is_whole(const gf__key *key) {
  return key->type == GF__KEY_INT || key->type == GF__KEY_PAIR || key->type == GF__KEY_TRIPLE ||
         key->type == GF__KEY_SIDES;
}

static void add_bound(gf__text *out, const gf__key *key, const char *before, double bound) {
  gf__text_add(out, "%s", before);
  if (is_whole(key))
    gf__text_add(out, "%.0f", bound);
  else
    gf__float_write(out, bound);
}

void gf__key_write_range(gf__text *out, const gf__key *key) {
  double least = is_whole(key) ? INT_MIN : -DBL_MAX;
  double most = is_whole(key) ? INT_MAX : DBL_MAX;
  bool from = gf__key_has_range(key) && key->minimum > least,
       to = gf__key_has_range(key) && key->maximum < most;
  if (from) add_bound(out, key, to ? " from " : " of at least ", key->minimum);
  if (to) add_bound(out, key, from ? " to " : " of at most ", key->maximum);
}

void gf__key_write_choices(gf__text *out, const gf__key *key) {
  const char *name;
  int unused;
  for (size_t i = 0; (name = gf__key_choice(key, i, &unused)); i++)
    gf__text_add(out, "%s%s", i ? ", " : "", name);
}

/* ---- values of keys ---- */

/* ASCII, whatever the locale. */
static bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Whether text needs no quotes anywhere in a block. Stricter than YAML; a number, true and false
 * are simple, because quotes would make text of them. */
static bool is_simple(const char *text) {
  if (gf__yaml_is_null(text)) return false;
  if (!is_word(*text) && (!*text || !strchr("/.+-", *text))) return false;
  if (strcmp(text, "-") == 0 || strncmp(text, "---", 3) == 0 || strncmp(text, "...", 3) == 0)
    return false;
  for (const char *p = text; *p; p++) {
    bool inside = *p == ' '   ? p[1] && p[1] != ' ' && p[-1] != '-'
                  : *p == ':' ? p[1] && p[1] != ' '
                              : is_word(*p) || strchr("/.+-=()@%~", *p);
    if (!inside) return false;
  }
  return true;
}

static void add_scalar(gf__text *out, const char *text, bool quoted) {
  if (!quoted && is_simple(text)) {
    gf__text_add(out, "%s", text);
    return;
  }
  gf__text_add(out, "\"");
  for (const char *p = text; *p; p++) {
    if (*p == '\n')
      gf__text_add(out, "\\n");
    else if ((unsigned char)*p < ' ' || *p == 0x7f)
      gf__text_add(out, "\\x%02x", (unsigned char)*p);
    else
      gf__text_add(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
  }
  gf__text_add(out, "\"");
}

static void write_int(gf__text *out, const gf__key *key, const void *at) {
  (void)key;
  gf__text_add(out, "%d", *(const int *)at);
}

static void write_seed(gf__text *out, const gf__key *key, const void *at) {
  (void)key;
  gf__text_add(out, "%" PRIu64, *(const uint64_t *)at);
}

static void write_float(gf__text *out, const gf__key *key, const void *at) {
  (void)key;
  gf__float_write(out, *(const double *)at);
}

static void write_bool(gf__text *out, const gf__key *key, const void *at) {
  (void)key;
  gf__text_add(out, *(const bool *)at ? "true" : "false");
}

static void write_choice(gf__text *out, const gf__key *key, const void *at) {
  int value = -1;
  const char *name;
  for (size_t i = 0; (name = gf__key_choice(key, i, &value)); i++)
    if (value == *(const int *)at) break;
  add_scalar(out, name ? name : "", false);
}

static void write_text(gf__text *out, const gf__key *key, const void *at) {
  (void)key;
  const char *text = *(char *const *)at;
  add_scalar(out, text ? text : "", false);
}

static void write_floats(gf__text *out, const gf__key *key, const void *at) {
  (void)key;
  const gf__floats *floats = at;
  if (floats->count != 1) gf__text_add(out, "[");
  for (int i = 0; i < floats->count; i++) {
    if (i) gf__text_add(out, ", ");
    gf__float_write(out, floats->v[i]);
  }
  if (floats->count != 1) gf__text_add(out, "]");
}

static void write_pair(gf__text *out, const gf__key *key, const void *at) {
  (void)key;
  const int *pair = at;
  gf__text_add(out, "[%d, %d]", pair[0], pair[1]);
}

static void write_triple(gf__text *out, const gf__key *key, const void *at) {
  (void)key;
  const int *triple = at;
  gf__text_add(out, "[%d, %d, %d]", triple[0], triple[1], triple[2]);
}

static void write_sides(gf__text *out, const gf__key *key, const void *at) {
  const int *sides = at;
  if (sides[0] == GF__SIDES_SAME)
    gf__text_add(out, "same");
  else if (sides[0] == sides[1] && sides[2] == sides[3])
    write_pair(out, key, (int[]){sides[0], sides[2]});
  else
    gf__text_add(out, "[%d, %d, %d, %d]", sides[0], sides[1], sides[2], sides[3]);
}

/* ---- the types ---- */

typedef struct type_row {
  const char *help;
  /* NULL: left out of what is written */
  void (*write)(gf__text *out, const gf__key *key, const void *at);
} type_row;

static const type_row types[] = {
    [GF__KEY_INT] = {"whole number", write_int},
    [GF__KEY_SEED] = {"whole number", write_seed},
    [GF__KEY_FLOAT] = {"number", write_float},
    [GF__KEY_BOOL] = {"true or false", write_bool},
    [GF__KEY_CHOICE] = {"one of ", write_choice},
    [GF__KEY_ROW] = {"one of ", write_choice},
    [GF__KEY_TEXT] = {"text", write_text},
    [GF__KEY_TEXTS] = {"text", NULL},
    [GF__KEY_FLOATS] = {"number or list of numbers", write_floats},
    [GF__KEY_PAIR] = {"whole number or list of two", write_pair},
    [GF__KEY_TRIPLE] = {"whole number or list of three", write_triple},
    [GF__KEY_SIDES] = {"same, or whole number or list of two or four", write_sides},
    [GF__KEY_SECTION] = {"a section of its own", NULL},
    [GF__KEY_LIST] = {"list", NULL},
    [GF__KEY_NAMES] = {"name or list of names", NULL},
    [GF__KEY_SCALAR] = {"one value", NULL},
};

/* ---- configs ---- */

void gf__keys_write(gf__text *out, int indent, const gf__key *keys, size_t count,
                    const void *target) {
  for (size_t i = 0; i < count; i++) {
    if (!types[keys[i].type].write) continue;
    gf__text_add(out, "%*s", indent, "");
    add_scalar(out, keys[i].name, false);
    gf__text_add(out, ": ");
    types[keys[i].type].write(out, &keys[i], (const char *)target + keys[i].offset);
    gf__text_add(out, "\n");
  }
}

/* started: the line is already indented, after a "- ". */
static void write_value(gf__text *out, int indent, const gf__value *value, bool started) {
  if (value->count == 0) {
    static const char *const empty[] = {[GF__SEQUENCE] = "[]", [GF__MAPPING] = "{}"};
    if (!started) gf__text_add(out, "%*s", indent, "");
    if (value->kind != GF__SCALAR)
      gf__text_add(out, "%s", empty[value->kind]);
    else if (gf__value_is_plain(value) && !value->text[0])
      gf__text_add(out, "null");
    else
      add_scalar(out, value->text, value->quoted);
    gf__text_add(out, "\n");
  }
  for (size_t i = 0; i < value->count; i++) {
    const gf__value *item = value->items[i];
    if (!started || i > 0) gf__text_add(out, "%*s", indent, "");
    if (value->kind == GF__SEQUENCE) {
      gf__text_add(out, "- ");
      write_value(out, indent + 2, item, true);
      continue;
    }
    add_scalar(out, item->key, false);
    gf__text_add(out, item->count ? ":\n" : ": ");
    write_value(out, indent + 2, item, item->count == 0);
  }
}

void gf__value_write(gf__text *out, int indent, const gf__value *value) {
  write_value(out, indent, value, false);
}

/* ---- help ---- */

enum { HELP_WIDTH = 80, HELP_NAME = 20, HELP_INDENT = 2 };

void gf__text_wrap(gf__text *out, size_t indent, const char *words) {
  size_t column = indent, room = HELP_WIDTH - indent;
  for (const char *p = words; *p;) {
    size_t length = strcspn(p, " "), space = column > indent;
    if (space && column + 1 + length > HELP_WIDTH) {
      gf__text_add(out, "\n%*s", (int)indent, "");
      column = indent;
      space = 0;
    }
    if (length > room) length = room; /* a longer word goes on in the next line */
    gf__text_add(out, "%s%.*s", space ? " " : "", (int)length, p);
    column += length + space;
    p += length;
    while (*p == ' ') p++;
  }
  gf__text_add(out, "\n");
}

void gf__key_write_values(gf__text *out, const gf__key *key) {
  gf__text_add(out, "%s", types[key->type].help);
  if (gf__key_is_choice(key)) gf__key_write_choices(out, key);
  gf__key_write_range(out, key);
}

void gf__keys_help(gf__text *out, const gf__key *keys, size_t count) {
  size_t widest = 0;
  for (size_t i = 0; i < count; i++) {
    size_t length = strlen(keys[i].name);
    if (length <= HELP_NAME && length > widest) widest = length;
  }
  size_t indent = HELP_INDENT + widest + 2;
  for (size_t i = 0; i < count; i++) {
    const gf__key *key = &keys[i];
    gf__text what = {0};
    gf__key_write_values(&what, key);
    if (!key->initial)
      gf__text_add(&what, "; required");
    else if (!gf__key_is_value(key))
      gf__text_add(&what, "; default %s", *key->initial ? key->initial : "\"\"");
    gf__text_add(out, "%*s%-*s", HELP_INDENT, "", (int)widest, key->name);
    if (strlen(key->name) > widest)
      gf__text_add(out, "\n%*s", (int)indent, "");
    else
      gf__text_add(out, "  ");
    if (what.failed)
      out->failed = true;
    else
      gf__text_wrap(out, indent, what.data);
    gf__text_free(&what);
    gf__text_add(out, "%*s", (int)indent, "");
    gf__text_wrap(out, indent, key->help);
  }
}
