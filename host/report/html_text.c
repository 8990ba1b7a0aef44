#include "report/html_text.h"

#include <math.h>
#include <stdint.h>

#include "base/keys.h"
#include "report/utf8.h"

/* What replaces a character; NULL ends a table. */
typedef struct escape {
  uint32_t code;
  const char *text;
} escape;

static const escape html_escapes[] = {
    {'&', "&amp;"},  {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"},
    {'\'', "&#39;"}, {'\n', "\n"},  {'\t', "\t"},  {GF__REPLACEMENT, "\xef\xbf\xbd"},
    {0, NULL},
};

/* Without < and > no tag can end the script; JavaScript reads U+2028 and U+2029 as line ends. */
static const escape json_escapes[] = {
    {'"', "\\\""},       {'\\', "\\\\"},
    {'<', "\\u003c"},    {'>', "\\u003e"},
    {'&', "\\u0026"},    {'\n', "\\n"},
    {'\t', "\\t"},       {0x2028, "\\u2028"},
    {0x2029, "\\u2029"}, {GF__REPLACEMENT, "\xef\xbf\xbd"},
    {0, NULL},
};

static void add_escaped(gf__text *out, const char *text, const escape *escapes) {
  for (const char *next = text; *text; text = next) {
    uint32_t code = gf__utf8_next(&next);
    /* Control characters to the reader of UTF-8, but fine in a page. */
    if (*text == '\n' || *text == '\t') code = (uint32_t)*text;
    const escape *found = escapes;
    while (found->text && found->code != code) found++;
    if (found->text)
      gf__text_add(out, "%s", found->text);
    else
      gf__text_add_bytes(out, text, (size_t)(next - text));
  }
}

void gf__html_add(gf__text *out, const char *text) { add_escaped(out, text, html_escapes); }

void gf__html_add_json_text(gf__text *out, const char *text) {
  if (!text) {
    gf__text_add(out, "null");
    return;
  }
  gf__text_add(out, "\"");
  add_escaped(out, text, json_escapes);
  gf__text_add(out, "\"");
}

void gf__html_add_json_number(gf__text *out, double number) {
  if (isfinite(number))
    gf__float_write(out, number);
  else
    gf__text_add(out, "null");
}

void gf__html_add_json_numbers(gf__text *out, const double *numbers, size_t count) {
  gf__text_add(out, "[");
  for (size_t i = 0; i < count; i++) {
    if (i) gf__text_add(out, ",");
    gf__html_add_json_number(out, numbers[i]);
  }
  gf__text_add(out, "]");
}
