/* JSON files that this program has written, and that anybody may have changed since. */
#ifndef GF_BASE_JSON_H
#define GF_BASE_JSON_H

#include <jansson.h>

#include "base/error.h"

/* Bytes of a file. A tuning file has about 100 per convolution. In memory jansson takes up to 50
 * times as much. */
enum { GF__JSON_LARGEST = 4 << 20 };

/* What the file at path holds, or NULL where it cannot be read, is larger, or is no JSON; the
 * caller frees it with json_decref. */
json_t *gf__json_read(const char *path);

/* Writes json, indented by 2, to the file at path by gf__file_write, and frees it in any case. A
 * json of NULL is one that there was no memory for. */
gf_status gf__json_write(const char *path, json_t *json) GF_MUST_USE;

/* A number; null for one that is not finite, for which JSON has no word. */
json_t *gf__json_number(double value);
/* What gf__json_number has made: NaN for null, and for whatever is no number. */
double gf__json_number_of(const json_t *json);

/* A JSON string of length bytes. Drivers name their devices in any encoding; what is not UTF-8 has
 * "?" for each byte outside ASCII. NULL where memory is out. */
json_t *gf__json_text(const char *text, size_t length);

#endif
