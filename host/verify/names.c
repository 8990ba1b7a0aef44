/* The names of operations and of their algorithms, for completion. */
#include <string.h>

#include "verify/subjects.h"
#include "verify/verify.h"

typedef struct name_list {
  gf__text *out;
  char operation[32]; /* the one before */
} name_list;

static void add_name(void *user, const gf__subject *subject) {
  name_list *list = user;
  const char *space = list->out->size ? " " : "";
  if (strcmp(list->operation, subject->operation) != 0)
    gf__text_add(list->out, "%s%s", space, subject->operation), space = " ";
  memcpy(list->operation, subject->operation, sizeof list->operation);
  gf__text_add(list->out, "%s%s/%s", space, subject->operation, subject->algorithm);
}

void gf__verify_names(gf__text *out) {
  name_list list = {.out = out};
  gf__conv2d_subjects(add_name, &list);
  gf__layer_subjects(add_name, &list);
  gf__batch_norm_subjects(add_name, &list);
  gf__operation_subjects(add_name, &list);
  gf__optimizer_subjects(add_name, &list);
}
