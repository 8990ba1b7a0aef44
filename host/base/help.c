#include "base/help.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/keys.h"

#define CELLS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool ends_in(const gf__text *text, const char *end) {
  size_t length = strlen(end);
  return text->size >= length && strcmp(text->data + text->size - length, end) == 0;
}

/* Blocks have an empty line between them. */
static void begin_block(gf__text *text) {
  if (text->size && !ends_in(text, "\n\n")) gf__text_add(text, "\n");
}

void gf__help_title(gf__help *help, const char *format, ...) {
  char title[256];
  va_list args;
  va_start(args, format);
  vsnprintf(title, sizeof title, format, args);
  va_end(args);
  size_t length = strlen(title);
  snprintf(help->section, sizeof help->section, "%.*s", (int)strcspn(title, ",: "), title);
  if (help->settings) return;
  if (help->markdown && length && title[length - 1] == ':') title[length - 1] = 0;
  begin_block(&help->text);
  gf__text_add(&help->text, "%s%s\n", help->markdown ? "## " : "", title);
}

void gf__help_paragraph(gf__help *help, const char *format, ...) {
  if (!help->markdown) return;
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  begin_block(&help->text);
  gf__text_add(&help->text, "%s\n", text);
}

void gf__help_row(gf__help *help, const char *const *cells) {
  if (!help->markdown) return;
  gf__text_add(&help->text, "|");
  for (; *cells; cells++) {
    gf__text_add(&help->text, **cells ? " " : "");
    for (const char *p = *cells; *p; p++) gf__text_add(&help->text, *p == '|' ? "\\%c" : "%c", *p);
    gf__text_add(&help->text, " |");
  }
  gf__text_add(&help->text, "\n");
}

void gf__help_head(gf__help *help, const char *const *cells) {
  if (!help->markdown) return;
  begin_block(&help->text);
  gf__help_row(help, cells);
  for (; *cells; cells++) gf__text_add(&help->text, "|---");
  gf__text_add(&help->text, "|\n");
}

static void add_key(gf__help *help, const gf__key *key) {
  gf__text name = {0}, values = {0}, initial = {0};
  gf__text_add(&name, "`%s`", key->name);
  gf__key_write_values(&values, key);
  if (!key->initial)
    gf__text_add(&initial, "required");
  else if (!gf__key_is_value(key))
    gf__text_add(&initial, "`%s`", *key->initial ? key->initial : "\"\"");
  help->text.failed |= name.failed || values.failed || initial.failed;
  if (!help->text.failed)
    gf__help_row(help, CELLS(name.data, values.data, initial.data ? initial.data : "", key->help));
  gf__text_free(&name);
  gf__text_free(&values);
  gf__text_free(&initial);
}

/* A key that several rows have is in it once. */
static void add_setting(gf__help *help, const char *key, const char *value) {
  char line[192];
  snprintf(line, sizeof line, "%s.%s=%s\n", help->section, key, value);
  if (!help->text.data || !strstr(help->text.data, line)) gf__text_add(&help->text, "%s", line);
}

static void add_settings(gf__help *help, const gf__key *key) {
  const char *name;
  int unused;
  if (!gf__key_is_choice(key)) add_setting(help, key->name, "");
  for (size_t i = 0; gf__key_is_choice(key) && (name = gf__key_choice(key, i, &unused)); i++)
    add_setting(help, key->name, name);
}

void gf__help_keys(gf__help *help, const gf__key *keys, size_t count) {
  for (size_t i = 0; help->settings && i < count; i++) add_settings(help, &keys[i]);
  if (help->settings) return;
  if (!help->markdown) {
    gf__keys_help(&help->text, keys, count);
    return;
  }
  if (count == 0) return;
  if (!ends_in(&help->text, "|\n"))
    gf__help_head(help, CELLS("key", "value", "default", "what it is"));
  for (size_t i = 0; i < count; i++) add_key(help, &keys[i]);
}

gf_status gf__help_take(gf__help *help, char **out) {
  gf_status status = gf__text_status(&help->text);
  if (status != GF_OK) gf__text_free(&help->text);
  *out = help->text.data;
  help->text = (gf__text){0};
  return status;
}
