/* Files that the build put into the library. */
#ifndef GF_BASE_EMBEDDED_H
#define GF_BASE_EMBEDDED_H

#include <stddef.h>

typedef struct gf__embedded {
  const char *name;           /* without a folder; NULL ends a table */
  const unsigned char *bytes; /* with a NUL after the last one */
  size_t size;
} gf__embedded;

extern const gf__embedded gf__kernel_files[]; /* cl/ */
extern const gf__embedded gf__font_files[];   /* one TrueType font */
extern const gf__embedded gf__page_files[];   /* style, scripts and notices of the report's page */

#endif
