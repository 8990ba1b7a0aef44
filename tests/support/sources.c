#define _XOPEN_SOURCE 700

#include "support/sources.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "support/assert.h"
#include "support/test.h"

static bool begins(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/* Blanks comments, and texts unless they are of an #include; lines stay. */
void source_strip(char *text) {
  bool in_include = false;
  for (char *p = text; *p; p++) {
    if (*p == '\n') in_include = false;
    if (*p == '#') in_include = begins(p + 1 + strspn(p + 1, " \t"), "include");
    if (p[0] == '/' && p[1] == '/') {
      while (*p && *p != '\n') *p++ = ' ';
      p--;
    } else if (p[0] == '/' && p[1] == '*') {
      for (; *p && !(p[0] == '*' && p[1] == '/'); p++)
        if (*p != '\n') *p = ' ';
      if (*p) p[0] = p[1] = ' ';
    } else if ((*p == '"' || *p == '\'') && !in_include) {
      char quote = *p;
      for (*p++ = ' '; *p && *p != quote && *p != '\n'; p++) {
        if (*p == '\\' && p[1]) *p++ = ' ';
        if (*p != '\n') *p = ' ';
      }
      if (*p == quote) *p = ' ';
    }
    if (!*p) return;
  }
}

const char *source_identifier(const char *p, size_t *length) {
  for (*length = 0; *p && !isalpha((unsigned char)*p) && *p != '_';)
    p += isdigit((unsigned char)*p) ? strspn(p, "0123456789abcdefxABCDEFXuUlL.") : 1;
  while (isalnum((unsigned char)p[*length]) || p[*length] == '_') ++*length;
  return *p ? p : NULL;
}

static bool is_source(const char *name) {
  static const char *const endings[] = {".c", ".h", ".cl", ".clh"};
  const char *ending = strrchr(name, '.');
  for (size_t i = 0; ending && i < sizeof endings / sizeof *endings; i++)
    if (!strcmp(ending, endings[i])) return true;
  return false;
}

void sources_visit(const char *root, const char *folder, source_visitor *visit, void *user) {
  char path[GF__PATH_SIZE], below[GF__PATH_SIZE];
  gf__names names;
  assert_ok(gf__path_join(path, sizeof path, root, folder));
  assert_ok(gf__list_folder(path, &names));
  for (size_t i = 0; i < names.count; i++) {
    assert_ok(gf__path_join(below, sizeof below, folder, names.v[i]));
    assert_ok(gf__path_join(path, sizeof path, root, below));
    if (gf__path_is_folder(path)) {
      sources_visit(root, below, visit, user);
    } else if (is_source(names.v[i])) {
      char *text;
      size_t size;
      assert_ok(gf__file_read(path, &text, &size));
      visit(user, below, text);
      free(text);
    }
  }
  gf__names_free(&names);
}
