/* UTF-8 text, a character at a time. */
#ifndef GF_REPORT_UTF8_H
#define GF_REPORT_UTF8_H

#include <stdint.h>

enum { GF__REPLACEMENT = 0xfffd };

/* The code point at *text, which moves past it; 0 at the end, where *text
 * stays. A byte that is not UTF-8 or is a control character is GF__REPLACEMENT. */
uint32_t gf__utf8_next(const char **text);

/* Columns that a terminal gives to the character: 0, 1 or 2. */
int gf__utf8_columns(uint32_t code);

/* Columns of the whole text. */
int gf__utf8_width(const char *text);

#endif
