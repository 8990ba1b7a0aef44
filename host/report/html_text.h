/* Texts and numbers as a page has them. */
#ifndef GF_REPORT_HTML_TEXT_H
#define GF_REPORT_HTML_TEXT_H

#include "base/text.h"

/* Appends the text for HTML, between tags or in a quoted attribute. What is not UTF-8, and control
 * characters other than line ends and tabs, become U+FFFD. */
void gf__html_add(gf__text *out, const char *text);

/* Appends a JSON string that is safe in a script; null for NULL. */
void gf__html_add_json_text(gf__text *out, const char *text);

/* Appends a JSON number that reads as the same double; null for a non-finite one. */
void gf__html_add_json_number(gf__text *out, double number);

/* Appends a JSON array of count numbers. */
void gf__html_add_json_numbers(gf__text *out, const double *numbers, size_t count);

#endif
