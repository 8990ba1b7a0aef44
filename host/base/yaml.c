#include "base/yaml.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/index.h"

/* A config is written by hand: what exceeds these is a wrong file or an attack,
 * and the recursions over the tree rely on the depth. */
enum { DEEPEST = 32, MOST_VALUES = 100000, MOST_KEYS = 4096, LONGEST_KEY = 200 };

/* A name, and the value that the last anchor of the name is at. */
typedef struct anchor {
  char *name;
  const gf__value *value;
} anchor;

typedef struct reader {
  gf__yaml *yaml;
  struct fy_diag *diag;
  struct fy_parser *parser;
  struct fy_event *event; /* the current one */
  anchor *anchors;
  size_t anchor_count;
  gf__index anchor_index; /* of names */
  size_t copied;          /* bytes of text, by aliases */
} reader;

/* Bytes of the UTF-8 character at p, 0 if it is none or a control character. */
static size_t character(const char *p, size_t n) {
  const unsigned char *u = (const unsigned char *)p;
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (n == 0) return 0;
  if (u[0] < 0x80) return (u[0] >= 0x20 && u[0] != 0x7f) || u[0] == '\t' || u[0] == '\n';
  size_t length = u[0] >= 0xf8 ? 0 : u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : u[0] >= 0xc0 ? 2 : 0;
  if (length == 0 || length > n) return 0;
  unsigned code = u[0] & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((u[i] & 0xc0) != 0x80) return 0;
    code = code << 6 | (u[i] & 0x3f);
  }
  bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < least[length] || code > 0x10ffff || surrogate ? 0 : length;
}

/* ---- failures, with the line that caused them ---- */

/* An error at the end is after the last line; the last line itself is shown instead. */
static void clamp_to_content(const gf__yaml *yaml, int *line, int *column) {
  size_t used = yaml->size, start = 0;
  while (used && strchr(" \t\r\n", yaml->text[used - 1])) used--;
  int last = 0;
  for (size_t i = 0; i < used; i++)
    if (yaml->text[i] == '\n') last++, start = i + 1;
  if (*line <= last) return;
  *line = last;
  *column = 0;
  for (size_t length; (length = character(yaml->text + start, used - start)); start += length)
    ++*column;
}

enum { EXCERPT_BEFORE = 60, EXCERPT_SHOWN = 76, EXCERPT_SIZE = 6 * EXCERPT_SHOWN };

/* "\n  LINE\n     ^", of a long line what is around the column. */
static void excerpt(const gf__yaml *yaml, int line, int column, char out[EXCERPT_SIZE]) {
  const char *p = yaml->text, *end = p + yaml->size;
  *out = 0;
  for (; line > 0; line--) {
    p = memchr(p, '\n', (size_t)(end - p));
    if (!p) return;
    p++;
  }
  int first = column > EXCERPT_BEFORE ? column - EXCERPT_BEFORE : 0, indent = 0;
  for (int i = 0; i < first; i++) p += character(p, (size_t)(end - p));
  char before_caret[EXCERPT_SHOWN + 1];
  size_t used = (size_t)snprintf(out, EXCERPT_SIZE, "\n  ");
  for (int i = first; i < first + EXCERPT_SHOWN; i++) {
    size_t length = character(p, (size_t)(end - p));
    if (length == 0 || *p == '\n') break;
    if (i < column) before_caret[indent++] = *p == '\t' ? '\t' : ' ';
    memcpy(out + used, p, length);
    used += length;
    p += length;
  }
  before_caret[indent] = 0;
  snprintf(out + used, EXCERPT_SIZE - used, "\n  %s^", before_caret);
}

static gf_status fail_at(const gf__yaml *yaml, int line, int column, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

static gf_status fail_at(const gf__yaml *yaml, int line, int column, const char *format, ...) {
  char message[1024], source[EXCERPT_SIZE];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  clamp_to_content(yaml, &line, &column);
  excerpt(yaml, line, column, source);
  if (yaml->is_override) return gf__fail(GF_ERROR_CONFIG, "%s: %s%s", yaml->name, message, source);
  return gf__fail(GF_ERROR_CONFIG, "%s:%d:%d: %s%s", yaml->name, line + 1, column + 1, message,
                  source);
}

#define fail_here(yaml, ...) \
  (fail_at((yaml), (yaml)->line, (yaml)->column, __VA_ARGS__), GF_ERROR_CONFIG)

/* ---- checks ahead of libfyaml ---- */

gf_status gf__yaml_fail_size(const char *name) {
  return gf__fail(GF_ERROR_CONFIG, "%s: more than %d bytes; is this a config?", name,
                  GF__YAML_LARGEST);
}

/* What libfyaml 0.7.12 does not survive or does not report: it takes the first byte that is not
 * UTF-8, or a NUL, for the end of the text. */
gf_status gf__yaml_check(const gf__yaml *yaml) {
  int line = 0, column = 0;
  if (yaml->size > GF__YAML_LARGEST) return gf__yaml_fail_size(yaml->name);
  bool has_question = memchr(yaml->text, '?', yaml->size);
  for (size_t i = 0, length; i < yaml->size; i += length) {
    bool line_end = yaml->text[i] == '\r' && i + 1 < yaml->size && yaml->text[i + 1] == '\n';
    length = line_end ? 1 : character(yaml->text + i, yaml->size - i);
    if (length == 0)
      return fail_at(yaml, line, column, "the byte 0x%02x is neither UTF-8 text nor a line end",
                     (unsigned char)yaml->text[i]);
    /* libfyaml 0.7.12 frees a key twice where a tab follows it and a "?" precedes it. */
    if (yaml->text[i] == '\t' && has_question)
      return fail_at(yaml, line, column, "write spaces, not tabs, in a config that has a '?'");
    column = yaml->text[i] == '\n' ? 0 : column + 1;
    line += yaml->text[i] == '\n';
  }
  return GF_OK;
}

/* ---- values ---- */

void gf__value_free(gf__value *value) {
  if (!value) return;
  for (size_t i = 0; i < value->count; i++) gf__value_free(value->items[i]);
  free(value->items);
  free(value->key);
  free(value->text);
  free(value->place);
  free(value);
}

gf_status gf__value_append(gf__value *parent, gf__value *child) {
  GF_TRY(gf__grow(&parent->items, parent->count, sizeof *parent->items));
  parent->items[parent->count++] = child;
  return GF_OK;
}

gf_status gf__value_set_key(gf__value *value, const char *key, size_t length) {
  value->key = gf__text_copy_bytes(key, length);
  return value->key ? GF_OK : gf__fail_host_memory(length + 1);
}

gf_status gf__yaml_new_value(gf__yaml *yaml, gf__value_kind kind, gf__value **out) {
  *out = NULL;
  if (++yaml->values > MOST_VALUES)
    return fail_here(yaml, "more than %d values; is this a config?", MOST_VALUES);
  char position[32] = "";
  if (!yaml->is_override)
    snprintf(position, sizeof position, ":%d:%d", yaml->line + 1, yaml->column + 1);
  size_t size = strlen(yaml->name) + strlen(position) + 1;
  gf__value *value = calloc(1, sizeof *value);
  char *place = malloc(size);
  if (!value || !place) {
    free(value);
    free(place);
    return gf__fail_host_memory(sizeof *value + size);
  }
  snprintf(place, size, "%s%s", yaml->name, position);
  value->kind = kind;
  value->place = place;
  *out = value;
  return GF_OK;
}

/* ---- from events to a tree ---- */

static gf_status next_event(reader *r) {
  fy_parser_event_free(r->parser, r->event);
  r->event = fy_parser_parse(r->parser);
  if (!r->event) {
    void *position = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(r->diag, &position);
    /* A few errors, such as a strange %YAML line, come without a text. */
    if (!e) return fail_here(r->yaml, "this is not YAML");
    return fail_at(r->yaml, e->line - 1, e->column - 1, "%s", e->msg);
  }
  const struct fy_mark *mark = fy_event_start_mark(r->event);
  if (mark) r->yaml->line = mark->line, r->yaml->column = mark->column;
  return GF_OK;
}

/* By chunks, because fy_token_get_text of libfyaml 0.7.12 returns memory that it
 * has not written where a block scalar is indented no deeper than its key. */
static gf_status token_text(const reader *r, struct fy_token *token, char **out) {
  *out = NULL;
  gf__text text = {0};
  gf__text_add_bytes(&text, "", 0);
  struct fy_token_iter *iterator = token ? fy_token_iter_create(token) : NULL;
  if (token && !iterator) text.failed = true;
  int error = 0;
  for (const struct fy_iter_chunk *chunk = NULL;
       iterator && (chunk = fy_token_iter_chunk_next(iterator, chunk, &error));)
    gf__text_add_bytes(&text, chunk->str, chunk->len);
  if (iterator) fy_token_iter_destroy(iterator);
  gf_status status = gf__text_status(&text);
  if (status == GF_OK && error) status = fail_here(r->yaml, "this is not YAML");
  if (status == GF_OK && memchr(text.data, 0, text.size))
    status = fail_here(r->yaml, "a NUL character cannot be used");
  if (status == GF_OK)
    *out = text.data;
  else
    gf__text_free(&text);
  return status;
}

bool gf__yaml_is_null(const char *text) {
  static const char *const nulls[] = {"~", "null", "Null", "NULL"};
  for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
    if (strcmp(text, nulls[i]) == 0) return true;
  return false;
}

/* keys: of parent's entries so far, or NULL where it is a sequence. */
static gf_status read_value(reader *r, int depth, gf__value *parent, gf__index *keys);

/* The readers of the kinds of values fill value; their caller frees it if they fail. */

static gf_status read_scalar(reader *r, int depth, gf__value *value) {
  (void)depth;
  struct fy_token *token = fy_event_get_token(r->event);
  value->quoted = token && fy_token_scalar_style(token) != FYSS_PLAIN;
  GF_TRY(token_text(r, token, &value->text));
  if (!value->quoted && gf__yaml_is_null(value->text)) value->text[0] = 0;
  return GF_OK;
}

static gf_status read_sequence(reader *r, int depth, gf__value *value) {
  value->kind = GF__SEQUENCE;
  for (;;) {
    GF_TRY(next_event(r));
    if (r->event->type == FYET_SEQUENCE_END) return GF_OK;
    GF_TRY(read_value(r, depth + 1, value, NULL));
  }
}

static gf_status read_mapping(reader *r, int depth, gf__value *value) {
  gf__index keys = {0};
  value->kind = GF__MAPPING;
  gf_status status = next_event(r);
  while (status == GF_OK && r->event->type != FYET_MAPPING_END) {
    status = read_value(r, depth + 1, value, &keys);
    if (status == GF_OK) status = next_event(r);
  }
  gf__index_free(&keys);
  return status;
}

static gf_status copy_value(reader *r, int depth, const gf__value *from, gf__value *to) {
  if (depth > DEEPEST) return fail_here(r->yaml, "nested deeper than %d levels", DEEPEST);
  to->kind = from->kind;
  to->quoted = from->quoted;
  r->copied += from->text ? strlen(from->text) : 0;
  if (r->copied > GF__YAML_LARGEST)
    return fail_here(r->yaml, "aliases repeat more than %d bytes; is this a config?",
                     GF__YAML_LARGEST);
  if (from->text && !(to->text = gf__text_copy(from->text)))
    return gf__fail_host_memory(strlen(from->text) + 1);
  for (size_t i = 0; i < from->count; i++) {
    const gf__value *item = from->items[i];
    gf__value *copy;
    GF_TRY(gf__yaml_new_value(r->yaml, item->kind, &copy));
    gf_status status = gf__value_append(to, copy);
    if (status != GF_OK) gf__value_free(copy);
    GF_TRY(status);
    if (item->key) GF_TRY(gf__value_set_key(copy, item->key, strlen(item->key)));
    GF_TRY(copy_value(r, depth + 1, item, copy));
  }
  return GF_OK;
}

static gf_status read_alias(reader *r, int depth, gf__value *value) {
  char *name;
  GF_TRY(token_text(r, r->event->alias.anchor, &name));
  size_t place;
  const gf__value *found = NULL;
  if (r->anchors && gf__index_find(&r->anchor_index, name, strlen(name), &place))
    found = r->anchors[place].value;
  gf_status status = found ? copy_value(r, depth, found, value)
                           : fail_here(r->yaml, "no value before this has the anchor &%s", name);
  free(name);
  return status;
}

static gf_status add_anchor(reader *r, char *name, const gf__value *value) {
  GF_TRY(gf__grow(&r->anchors, r->anchor_count, sizeof *r->anchors));
  GF_TRY(gf__index_set(&r->anchor_index, name, strlen(name), r->anchor_count));
  r->anchors[r->anchor_count++] = (anchor){name, value};
  return GF_OK;
}

static gf_status read_key(reader *r, const gf__value *map, gf__value *entry, gf__index *keys) {
  if (r->event->type != FYET_SCALAR)
    return fail_here(r->yaml, "a key must be text, not a list, a mapping or an alias");
  GF_TRY(token_text(r, fy_event_get_token(r->event), &entry->key));
  size_t length = strlen(entry->key);
  if (length == 0) return fail_here(r->yaml, "a key is empty");
  if (length > LONGEST_KEY)
    return fail_here(r->yaml, "a key of %zu bytes; at most %d are read", length, LONGEST_KEY);
  if (map->count == MOST_KEYS)
    return fail_here(r->yaml, "more than %d keys in a mapping", MOST_KEYS);
  size_t twin;
  if (gf__index_find(keys, entry->key, length, &twin))
    return fail_here(r->yaml, "duplicate key '%s'; the first is at %s", entry->key,
                     map->items[twin]->place);
  GF_TRY(gf__index_set(keys, entry->key, length, map->count));
  return next_event(r);
}

/* Fills value from the current event on. */
static gf_status read_content(reader *r, int depth, gf__value *value) {
  static gf_status (*const readers[])(reader *, int, gf__value *) = {
      [FYET_SCALAR] = read_scalar,
      [FYET_ALIAS] = read_alias,
      [FYET_SEQUENCE_START] = read_sequence,
      [FYET_MAPPING_START] = read_mapping,
  };
  size_t type = (size_t)r->event->type;
  if (type >= sizeof readers / sizeof *readers || !readers[type])
    return fail_here(r->yaml, "a value was expected here");
  if (depth > DEEPEST) return fail_here(r->yaml, "nested deeper than %d levels", DEEPEST);
  if (fy_event_get_tag_token(r->event))
    return fail_here(r->yaml, "tags such as !!int have no use here; write the value alone");
  struct fy_token *token = type == FYET_ALIAS ? NULL : fy_event_get_anchor_token(r->event);
  char *name = NULL;
  if (token) GF_TRY(token_text(r, token, &name));
  gf_status status = readers[type](r, depth, value);
  if (status == GF_OK && name) {
    status = add_anchor(r, name, value);
    if (status == GF_OK) name = NULL;
  }
  free(name);
  return status;
}

/* Reads an item or an entry from the current event on and appends it to parent. */
static gf_status read_value(reader *r, int depth, gf__value *parent, gf__index *keys) {
  gf__value *value;
  GF_TRY(gf__yaml_new_value(r->yaml, GF__SCALAR, &value));
  gf_status status = keys ? read_key(r, parent, value, keys) : GF_OK;
  if (status == GF_OK) status = read_content(r, depth, value);
  if (status == GF_OK) status = gf__value_append(parent, value);
  if (status != GF_OK) gf__value_free(value);
  return status;
}

static gf_status read_document(reader *r, int depth, gf__value *root) {
  GF_TRY(next_event(r)); /* the start of the stream */
  GF_TRY(next_event(r));
  if (r->event->type == FYET_STREAM_END) {
    root->text = gf__text_copy("");
    return root->text ? GF_OK : gf__fail_host_memory(1);
  }
  GF_TRY(next_event(r)); /* past the start of the document */
  GF_TRY(read_content(r, depth, root));
  GF_TRY(next_event(r)); /* the end of the document */
  GF_TRY(next_event(r));
  if (r->event->type != FYET_STREAM_END)
    return fail_here(r->yaml, "a second document begins here; a config is one document");
  return GF_OK;
}

static void drop_diagnostics(struct fy_diag *diag, void *user, const char *text, size_t size) {
  (void)diag, (void)user, (void)text, (void)size;
}

gf_status gf__yaml_read(gf__yaml *yaml, int depth, gf__value **out) {
  *out = NULL;
  GF_TRY(gf__yaml_check(yaml));
  gf__value *root;
  GF_TRY(gf__yaml_new_value(yaml, GF__SCALAR, &root));
  /* An empty block scalar that ends without a line end makes libfyaml 0.7.12 read past it. */
  char *text = gf__text_copy_bytes(yaml->text, yaml->size);
  if (text) text[yaml->size] = '\n';
  struct fy_diag_cfg quiet;
  fy_diag_cfg_default(&quiet);
  quiet.fp = NULL;
  quiet.output_fn = drop_diagnostics;
  reader r = {.yaml = yaml, .diag = text ? fy_diag_create(&quiet) : NULL};
  if (r.diag) fy_diag_set_collect_errors(r.diag, true);
  struct fy_parse_cfg options = {.flags = FYPCF_QUIET | FYPCF_JSON_NONE, .diag = r.diag};
  r.parser = r.diag ? fy_parser_create(&options) : NULL;
  bool ready = r.parser && fy_parser_set_string(r.parser, text, yaml->size + 1) == 0;
  gf_status status = ready ? read_document(&r, depth, root) : gf__fail_host_memory(yaml->size);
  if (r.parser) fy_parser_event_free(r.parser, r.event);
  if (r.parser) fy_parser_destroy(r.parser);
  fy_diag_destroy(r.diag);
  free(text);
  for (size_t i = 0; i < r.anchor_count; i++) free(r.anchors[i].name);
  free(r.anchors);
  gf__index_free(&r.anchor_index);
  if (status != GF_OK) {
    gf__value_free(root);
    root = NULL;
  }
  *out = root;
  return status;
}
