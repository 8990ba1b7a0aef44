/* Tables of keys for people: as a text for a terminal, or as Markdown for the documentation. */
#ifndef GF_BASE_HELP_H
#define GF_BASE_HELP_H

#include "base/config.h"

/* Zero-initialise it, but for the form; the text is freed by gf__text_free, or taken by
 * gf__help_take. */
typedef struct gf__help {
  gf__text text;
  bool markdown;
  bool settings;    /* only lines of "section.key=" and "section.key=choice" */
  char section[64]; /* that the newest title names */
} gf__help;

/* Starts a section. The title ends in the colon, if any, that a terminal shows. */
void gf__help_title(gf__help *help, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends one row per key: its name, what it may be, its default, its help line. Tables that follow
 * each other are one. */
void gf__help_keys(gf__help *help, const gf__key *keys, size_t count);
/* Appends to Markdown alone: a paragraph, and the head and a row of a table, whose cells, ended by
 * NULL, are escaped. */
void gf__help_paragraph(gf__help *help, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void gf__help_head(gf__help *help, const char *const *cells);
void gf__help_row(gf__help *help, const char *const *cells);

/* Moves the text to *out, which the caller frees with free. */
gf_status gf__help_take(gf__help *help, char **out) GF_MUST_USE;

#endif
