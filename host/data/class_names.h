/* What the classes of a data set are called. */
#ifndef GF_DATA_CLASS_NAMES_H
#define GF_DATA_CLASS_NAMES_H

#include "base/error.h"
#include "base/text.h"

struct gf__data_source;

typedef struct gf__class_names {
  int count;
  const char **v; /* (count), or NULL where they are not known */
  gf__text text;  /* that v points into */
} gf__class_names;

/* Reads one name per line of a file; owner, such as "cifar10", has that many classes. GF_ERROR_DATA
 * where their numbers differ. Free *out, also after a failure. */
gf_status gf__class_names_read(gf__class_names *out, const char *path, const char *owner,
                               int classes) GF_MUST_USE;
/* Those of the format's row, its file or its folders; none where these are not there. */
gf_status gf__class_names_find(gf__class_names *out, const struct gf__data_source *source,
                               const char *owner, int classes) GF_MUST_USE;
void gf__class_names_free(gf__class_names *names);

#endif
