#define _XOPEN_SOURCE 700

#include "support/markdown.h"

#include "support/test.h"

static bool markdown_is_blank(const char *text) { return !text[strspn(text, " \t")]; }

/* Where a fence stands in the line, or NULL. */
static const char *markdown_fence(const char *text) {
  text += strspn(text, " ");
  return strncmp(text, "```", 3) == 0 ? text + 3 : NULL;
}

markdown markdown_read(char *source) {
  markdown m = {.source = source};
  size_t most = 1;
  for (const char *p = source; *p; p++) most += *p == '\n';
  m.lines = calloc(most, sizeof *m.lines);
  bool is_fenced = false, was_blank = true, was_code = false;
  char language[16] = "";
  int number = 0;
  for (char *line = source, *end; m.lines && line; line = end) {
    end = strchr(line, '\n');
    if (end) *end++ = 0;
    number++;
    const char *fence = markdown_fence(line);
    if (fence) {
      is_fenced = !is_fenced;
      snprintf(language, sizeof language, "%s", is_fenced ? fence : "");
      was_code = false;
      was_blank = true;
      continue;
    }
    /* Four spaces behind an empty line; the same in a list would be a paragraph of it. */
    bool is_indented = strncmp(line, "    ", 4) == 0 && (was_blank || was_code);
    bool is_code = is_fenced || is_indented;
    markdown_line *out = &m.lines[m.count++];
    *out = (markdown_line){.kind = is_code ? MARKDOWN_CODE : MARKDOWN_TEXT,
                           .text = line + (is_indented && !is_fenced ? 4 : 0),
                           .starts_block = is_code && !was_code,
                           .number = number};
    memcpy(out->language, language, sizeof language);
    was_code = is_code;
    was_blank = markdown_is_blank(line);
  }
  return m;
}

void markdown_free(markdown *m) {
  free(m->lines);
  free(m->source);
  *m = (markdown){0};
}

/* The text of a heading, or NULL. */
static const char *markdown_heading(const markdown_line *line) {
  size_t level = strspn(line->text, "#");
  if (line->kind != MARKDOWN_TEXT || level < 1 || level > 6 || line->text[level] != ' ')
    return NULL;
  return line->text + level + 1;
}

bool markdown_has_anchor(const markdown *m, const char *anchor) {
  for (size_t i = 0; i < m->count; i++) {
    const char *heading = markdown_heading(&m->lines[i]);
    if (!heading) continue;
    const char *a = anchor;
    for (; *heading; heading++) {
      unsigned char c = (unsigned char)*heading;
      if (c < 128 && !isalnum(c) && c != ' ' && c != '-' && c != '_') continue;
      if (*a++ != (c == ' ' ? '-' : c < 128 ? (char)tolower(c) : *heading)) break;
    }
    if (!*heading && (!*a || (*a == '-' && a[1] && !a[1 + strspn(a + 1, "0123456789")])))
      return true;
  }
  return false;
}

void markdown_visit(const char *line, void (*link)(void *user, const char *target),
                    void (*code)(void *user, const char *text), void *user) {
  char found[512];
  for (const char *p = line; *p; p++) {
    const char *from = NULL, *until = NULL;
    if (*p == '`') {
      from = p + 1;
      until = strchr(from, '`');
    } else if (p[0] == ']' && (p[1] == '(' || (p[1] == ':' && p[2] == ' ' && *line == '['))) {
      from = p + (p[1] == '(' ? 2 : 3);
      until = from + strcspn(from, p[1] == '(' ? ")" : " ");
    } else if (strncmp(p, "<http", 5) == 0) {
      from = p + 1;
      until = strchr(from, '>');
    }
    if (!from || !until) continue;
    snprintf(found, sizeof found, "%.*s", (int)(until - from), from);
    (*p == '`' ? code : link)(user, found);
    p = until - (*until ? 0 : 1);
  }
}
