/* Values of keys: from the text of a config or of a command line into a field. */
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
  const char *where, *dot; /* before the key's name in messages: "train" and ".", or "--" and "" */
  void *target;            /* key->offset bytes into the struct */
} field;

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

/* ---- messages ---- */

enum { LONGEST_SHOWN = 60 };

void gf__value_quote(gf__text *out, const char *text) {
  size_t length = strlen(text), shown = GF__MIN(length, (size_t)LONGEST_SHOWN);
  while (shown < length && ((unsigned char)text[shown] & 0xc0) == 0x80) shown--;
  gf__text_add(out, "'");
  for (size_t i = 0; i < shown; i++)
    gf__text_add(out, "%c", (unsigned char)text[i] < ' ' ? '?' : text[i]);
  gf__text_add(out, shown < length ? "...'" : "'");
}

void gf__value_describe(gf__text *out, const gf__value *value) {
  if (value->kind != GF__SCALAR)
    gf__text_add(out, value->kind == GF__MAPPING ? "a mapping" : "a list");
  else if (value->quoted)
    gf__text_add(out, "the text "), gf__value_quote(out, value->text);
  else if (!value->text[0]) /* NOLINT(clang-analyzer-core.NullDereference): scalars have one */
    gf__text_add(out, "nothing");
  else
    gf__value_quote(out, value->text);
}

gf_status gf__value_fail_with(const gf__value *value, gf__text *message) {
  gf_status status = gf__text_status(message);
  if (status == GF_OK) status = gf__value_fail(value, "%s", message->data);
  gf__text_free(message);
  return status;
}

/* "train.epochs must be a whole number from 1 to 10, not 'abc'". */
static gf_status fail_type(const field *f, const gf__value *value, const char *type,
                           bool with_range) {
  gf__text message = {0};
  gf__text_add(&message, "%s%s%s must be %s", f->where, f->dot, f->key->name, type);
  if (with_range) gf__key_write_range(&message, f->key);
  gf__text_add(&message, ", not ");
  gf__value_describe(&message, value);
  return gf__value_fail_with(value, &message);
}

/* ---- reading ---- */

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

enum { MOST_CHOICES = 128 };

/* Whether the initial value of a ROW names none of the rows. */
static bool allows_none(const gf__key *key, size_t rows) {
  const void *const *row = key->choices;
  if (key->type != GF__KEY_ROW || !key->initial) return false;
  for (size_t i = 0; i < rows; i++)
    if (strcmp(*(const char *const *)row[i], key->initial) == 0) return false;
  return true;
}

const char *gf__key_choice(const gf__key *key, size_t index, int *value) {
  const void *const *choices = key->choices;
  size_t count = 0;
  while (choices[count]) count++;
  *value = index < count ? (int)index : -1;
  if (index < count)
    return key->type == GF__KEY_ROW ? *(const char *const *)choices[index] : choices[index];
  return index == count && allows_none(key, count) ? key->initial : NULL;
}

static gf_status fail_choice(const field *f, const gf__value *value) {
  const char *names[MOST_CHOICES], *name;
  size_t count = 0;
  int unused;
  while (count < MOST_CHOICES && (name = gf__key_choice(f->key, count, &unused)))
    names[count++] = name;
  gf__text message = {0};
  gf__text_add(&message, "%s%s%s must be one of ", f->where, f->dot, f->key->name);
  gf__key_write_choices(&message, f->key);
  gf__text_add(&message, ", not ");
  gf__value_describe(&message, value);
  const char *close =
      value->kind == GF__SCALAR ? gf__did_you_mean(value->text, names, count, sizeof *names) : NULL;
  if (close) gf__text_add(&message, "; did you mean '%s'?", close);
  return gf__value_fail_with(value, &message);
}

static gf_status read_choice(const field *f, const gf__value *value) {
  const char *name;
  int index;
  for (size_t i = 0; value->kind == GF__SCALAR && (name = gf__key_choice(f->key, i, &index)); i++) {
    if (strcmp(value->text, name) != 0) continue;
    *(int *)f->target = index;
    return GF_OK;
  }
  return fail_choice(f, value);
}

static gf_status read_text(const field *f, const gf__value *value) {
  if (value->kind != GF__SCALAR) return fail_type(f, value, "text", false);
  char *copy = gf__text_copy(value->text);
  if (!copy) return gf__fail_host_memory(strlen(value->text) + 1);
  *(char **)f->target = copy;
  return GF_OK;
}

/* Adds one to those that are there. */
static gf_status read_texts(const field *f, const gf__value *value) {
  gf__texts *texts = f->target;
  size_t bytes = (texts->count + 1) * sizeof *texts->v;
  char **more = realloc(texts->v, bytes);
  if (!more) return gf__fail_host_memory(bytes);
  texts->v = more;
  GF_TRY(read_text(&(field){f->key, f->where, f->dot, &more[texts->count]}, value));
  texts->count++;
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
    return gf__value_fail(value, "%s%s%s must be at most %d numbers, not %zu", f->where, f->dot,
                          f->key->name, MOST_FLOATS, count);
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

/* "same", one number, or a list of two or four. */
static gf_status read_sides(const field *f, const gf__value *value) {
  static const char expected[] = "'same', a whole number, or a list of two or four";
  int *sides = f->target;
  bool is_pair = value->kind == GF__SEQUENCE && value->count == 2;
  if (value->kind == GF__SCALAR && !strcmp(value->text, "same")) {
    for (int i = 0; i < 4; i++) sides[i] = GF__SIDES_SAME;
    return GF_OK;
  }
  GF_TRY(read_sizes(f, value, is_pair ? 2 : 4, expected));
  if (is_pair) {
    sides[2] = sides[3] = sides[1];
    sides[1] = sides[0];
  }
  return GF_OK;
}

static gf_status read_value(const field *f, const gf__value *value) {
  *(const gf__value **)f->target = value;
  return GF_OK;
}

/* ---- the types ---- */

static gf_status (*const readers[])(const field *f, const gf__value *value) = {
    [GF__KEY_INT] = read_int,     [GF__KEY_SEED] = read_seed,     [GF__KEY_FLOAT] = read_float,
    [GF__KEY_BOOL] = read_bool,   [GF__KEY_CHOICE] = read_choice, [GF__KEY_ROW] = read_choice,
    [GF__KEY_TEXT] = read_text,   [GF__KEY_TEXTS] = read_texts,   [GF__KEY_FLOATS] = read_floats,
    [GF__KEY_PAIR] = read_pair,   [GF__KEY_TRIPLE] = read_triple, [GF__KEY_SECTION] = read_value,
    [GF__KEY_LIST] = read_value,  [GF__KEY_NAMES] = read_value,   [GF__KEY_SCALAR] = read_value,
    [GF__KEY_SIDES] = read_sides,
};

gf_status gf__key_read(const gf__key *key, const char *where, const gf__value *value, void *at) {
  return readers[key->type](&(field){key, where, *where ? "." : "", at}, value);
}

/* Cuts the items of "1, 2]" apart. */
static void split_items(char *text, gf__value *items, gf__value *list) {
  for (char *p = text; *p && *p != ']' && list->count < MOST_FLOATS; list->count++) {
    char *item = p + strspn(p, " ");
    p = item + strcspn(item, ",]");
    if (*p == ',') *p++ = 0;
    if (*p == ']') *p = 0;
    items[list->count] = (gf__value){.kind = GF__SCALAR, .text = item, .place = list->place};
    list->items[list->count] = &items[list->count];
  }
}

gf_status gf__key_read_initial(const gf__key *key, const char *where, void *at) {
  enum { LONGEST = 256 };
  char text[LONGEST], place[] = "the default";
  gf__value items[MOST_FLOATS], *pointers[MOST_FLOATS];
  gf__value value = {.kind = GF__SCALAR, .text = text, .place = place};
  if (gf__key_is_value(key)) return GF_OK;
  snprintf(text, sizeof text, "%s", key->initial);
  if (*text == '[' && key->type != GF__KEY_TEXT) {
    value = (gf__value){.kind = GF__SEQUENCE, .items = pointers, .place = place};
    split_items(text + 1, items, &value);
  }
  return gf__key_read(key, where, &value, at);
}

gf_status gf__key_parse(const gf__key *key, const char *text, void *at) {
  char *copy = gf__text_copy(text);
  if (!copy) return gf__fail_host_memory(strlen(text) + 1);
  gf__value value = {.kind = GF__SCALAR, .text = copy};
  gf_status status = readers[key->type](&(field){key, "--", "", at}, &value);
  free(copy);
  return status == GF_ERROR_CONFIG ? gf__fail(GF_ERROR_ARGUMENT, "%s", gf_error_message()) : status;
}
