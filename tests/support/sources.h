/* The project's own sources, as texts: for tests that hold them to rules. */
#ifndef SUPPORT_SOURCES_H
#define SUPPORT_SOURCES_H

#include <stddef.h>

/* Blanks comments, and texts unless they are of an #include; lines stay. */
void source_strip(char *text);

/* The next identifier of a stripped text from p on, and its length; NULL after the last one.
 * Numbers are passed over. */
const char *source_identifier(const char *p, size_t *length);

/* path: below root, such as "host/base/text.c"; text may be changed. */
typedef void source_visitor(void *user, const char *path, char *text);
/* Calls visit for every file of C or OpenCL C in a folder of root, and in those below it. */
void sources_visit(const char *root, const char *folder, source_visitor *visit, void *user);

#endif
