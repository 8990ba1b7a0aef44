#include "report/html.h"

#include <string.h>

#include "base/embedded.h"
#include "report/html_text.h"

/* Marks that gf__html_end looks for; in texts their < is escaped. */
static const char blocks_tag[] = "<main class=\"blocks\">\n";
static const char heading_tag[] = "<h2>", heading_end[] = "</h2>";

static bool has_suffix(const char *name, const char *suffix) {
  size_t length = strlen(name), end = strlen(suffix);
  return length >= end && strcmp(name + length - end, suffix) == 0;
}

/* Appends the embedded files whose name ends so. A browser's tools would look for the source map
 * that a last comment names. */
static void add_files(gf__text *out, const char *suffix) {
  for (const gf__embedded *file = gf__page_files; file->name; file++) {
    if (!has_suffix(file->name, suffix)) continue;
    const char *bytes = (const char *)file->bytes, *map = strstr(bytes, "# sourceMappingURL=");
    gf__text_add_bytes(out, bytes, map ? (size_t)(map - 2 - bytes) : file->size);
    gf__text_add(out, "\n");
  }
}

void gf__html_begin(gf__text *out, const char *title, const char *subtitle) {
  gf__text_add(out,
               "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta name=\"color-scheme\" content=\"light dark\">\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
               "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
               "<link rel=\"icon\" href=\"data:,\">\n<title>");
  gf__html_add(out, title);
  gf__text_add(out, "</title>\n<!--\n");
  add_files(out, ".txt");
  gf__text_add(out, "-->\n<style>\n");
  add_files(out, ".css");
  gf__text_add(out, "</style>\n<script>\n");
  add_files(out, ".js");
  gf__text_add(out, "</script>\n</head>\n<body>\n<header>\n<h1>");
  gf__html_add(out, title);
  gf__text_add(out, "</h1>\n");
  if (subtitle) gf__html_paragraph(out, subtitle);
  gf__text_add(out, "</header>\n%s", blocks_tag);
}

void gf__html_heading(gf__text *out, const char *text) {
  gf__text_add(out, "%s", heading_tag);
  gf__html_add(out, text);
  gf__text_add(out, "%s\n", heading_end);
}

void gf__html_paragraph(gf__text *out, const char *text) {
  gf__text_add(out, "<p>");
  gf__html_add(out, text);
  gf__text_add(out, "</p>\n");
}

void gf__html_code(gf__text *out, const char *text) {
  gf__text_add(out, "<pre>");
  gf__html_add(out, text);
  gf__text_add(out, "</pre>\n");
}

void gf__html_fold_begin(gf__text *out, const char *summary) {
  gf__text_add(out, "<details>\n<summary>");
  gf__html_add(out, summary);
  gf__text_add(out, "</summary>\n<div class=\"blocks\">\n");
}

void gf__html_fold_end(gf__text *out) { gf__text_add(out, "</div>\n</details>\n"); }

/* ---- tables ---- */

static const char *alignment(const gf__table_column *column) {
  return column->right ? " class=\"right\"" : "";
}

static void add_header(gf__text *out, const gf__table *table) {
  gf__text_add(out, "<thead>\n<tr>");
  for (int i = 0; i < table->column_count; i++) {
    gf__text_add(out, "<th scope=\"col\"%s><button type=\"button\">",
                 alignment(&table->columns[i]));
    gf__html_add(out, table->columns[i].header);
    gf__text_add(out, "</button></th>");
  }
  gf__text_add(out, "</tr>\n</thead>\n");
}

static void add_rows(gf__text *out, const gf__table *table) {
  size_t count = (size_t)table->column_count;
  const char *cell = table->cells.data;
  gf__text_add(out, "<tbody>\n");
  for (size_t i = 0; i < table->cell_count; i++, cell += strlen(cell) + 1) {
    const gf__table_column *column = &table->columns[i % count];
    bool names_row = i % count == 0 && !column->right;
    if (i % count == 0) gf__text_add(out, "<tr>");
    gf__text_add(out, names_row ? "<th scope=\"row\">" : "<td%s>", alignment(column));
    gf__html_add(out, cell);
    gf__text_add(out, names_row ? "</th>" : "</td>");
    if (i % count + 1 == count) gf__text_add(out, "</tr>\n");
  }
  gf__text_add(out, "</tbody>\n");
}

gf_status gf__html_table(gf__text *out, const char *caption, const gf__table *table) {
  GF_TRY(gf__text_status(&table->cells));
  if (table->column_count < 1 || table->cell_count % (size_t)table->column_count)
    return gf__fail(GF_ERROR_ARGUMENT, "%zu cells do not fill the rows of a table of %d columns",
                    table->cell_count, table->column_count);
  /* With a name and a place in the order of tabs it can be scrolled by keys. */
  gf__text_add(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"");
  gf__html_add(out, caption ? caption : "table");
  gf__text_add(out, "\">\n<table>\n");
  if (caption) {
    gf__text_add(out, "<caption>");
    gf__html_add(out, caption);
    gf__text_add(out, "</caption>\n");
  }
  add_header(out, table);
  add_rows(out, table);
  gf__text_add(out, "</table>\n</div>\n");
  return gf__text_status(out);
}

/* ---- the list of contents ---- */

/* Appends a link to each heading of the body; nothing without headings. */
static void add_contents(gf__text *out, const char *body) {
  const char *at = strstr(body, heading_tag);
  if (!at) return;
  gf__text_add(out, "<nav aria-label=\"Contents\">\n<strong>Contents</strong>\n<ul>\n");
  for (int number = 1; at; at = strstr(at, heading_tag), number++) {
    at += strlen(heading_tag);
    const char *end = strstr(at, heading_end);
    gf__text_add(out, "<li><a href=\"#section-%d\">%.*s</a></li>\n", number, (int)(end - at), at);
  }
  gf__text_add(out, "</ul>\n</nav>\n");
}

/* Appends the body with an anchor at each heading. */
static void add_anchored(gf__text *out, const char *body) {
  const char *at = body;
  int number = 1;
  for (const char *found; (found = strstr(at, heading_tag)); number++) {
    gf__text_add_bytes(out, at, (size_t)(found - at));
    gf__text_add(out, "<h2 id=\"section-%d\">", number);
    at = found + strlen(heading_tag);
  }
  gf__text_add_bytes(out, at, strlen(at));
}

gf_status gf__html_end(gf__text *out) {
  gf__text_add(out, "</main>\n</body>\n</html>\n");
  GF_TRY(gf__text_status(out));
  const char *body = strstr(out->data, blocks_tag);
  gf__text page = {0};
  gf__text_add_bytes(&page, out->data, (size_t)(body - out->data));
  add_contents(&page, body);
  add_anchored(&page, body);
  gf_status status = gf__text_status(&page);
  if (status != GF_OK) {
    gf__text_free(&page);
    return status;
  }
  gf__text_free(out);
  *out = page;
  return GF_OK;
}
