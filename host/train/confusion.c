/* The confusion matrix of a test, as a table and as a picture. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gradflow/train.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/os.h"
#include "report/heat_map.h"

static int confusion_at(const gf_test_result *r, int label, int found) {
  return r->confusion[(size_t)label * (size_t)(r->classes + 1) + (size_t)found];
}

static void add_class(gf__text *out, const gf_test_result *r, int class) {
  if (r->class_names)
    gf__csv_add_text(out, r->class_names[class]);
  else
    gf__text_add(out, "%d", class);
}

/* A row a class, a column what the network took it for; the last: no class. */
static gf_status write_table(const gf_test_result *r, const char *path) {
  gf__text text = {0};
  gf__text_add(&text, "label");
  for (int c = 0; c < r->classes; c++) {
    gf__text_add(&text, ",");
    add_class(&text, r, c);
  }
  gf__text_add(&text, ",none\n");
  for (int label = 0; label < r->classes; label++) {
    add_class(&text, r, label);
    for (int found = 0; found <= r->classes; found++)
      gf__text_add(&text, ",%d", confusion_at(r, label, found));
    gf__text_add(&text, "\n");
  }
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf__file_write(path, text.data, text.size);
  gf__text_free(&text);
  return status;
}

typedef struct matrix {
  const char **names; /* (classes), which point into numbered */
  char (*numbered)[64];
  double *columns, *values; /* (classes), (classes, classes): percent of the row */
} matrix;

static void fill_matrix(const gf_test_result *r, matrix *m) {
  for (int label = 0; label < r->classes; label++) {
    snprintf(m->numbered[label], sizeof m->numbered[label], "%d%s%.50s", label,
             r->class_names ? " " : "", r->class_names ? r->class_names[label] : "");
    m->names[label] = m->numbered[label];
    m->columns[label] = label;
    for (int found = 0; found < r->classes; found++)
      m->values[(size_t)label * (size_t)r->classes + (size_t)found] =
          r->class_images[label] ? 100.0 * confusion_at(r, label, found) / r->class_images[label]
                                 : NAN;
  }
}

static gf_status write_picture(const gf_test_result *r, const char *path) {
  size_t classes = (size_t)r->classes;
  matrix m = {malloc(classes * sizeof *m.names), malloc(classes * sizeof *m.numbered),
              malloc(classes * sizeof *m.columns), malloc(classes * classes * sizeof *m.values)};
  gf_status status = m.names && m.numbered && m.columns && m.values
                         ? GF_OK
                         : gf__fail_host_memory(classes * classes * sizeof *m.values);
  if (status == GF_OK) {
    fill_matrix(r, &m);
    status = gf__heat_map_write(
        path, &(gf__heat_map){.title = "What each class is taken for",
                              .x_label = "class that the network names, numbered as the rows",
                              .value_label = "% of a row",
                              .note = "Right answers are on the diagonal.",
                              .row_names = m.names,
                              .columns = m.columns,
                              .values = m.values,
                              .rows = r->classes,
                              .column_count = r->classes});
  }
  free(m.names);
  free(m.numbered);
  free(m.columns);
  free(m.values);
  return status;
}

gf_status gf_test_write_confusion(const gf_test_result *result, const char *folder,
                                  void (*written)(void *user, const char *path), void *user) {
  static const struct {
    const char *name;
    gf_status (*write)(const gf_test_result *r, const char *path);
  } files[] = {{"confusion.csv", write_table}, {"confusion.png", write_picture}};
  char path[GF__PATH_SIZE];
  GF_TRY(gf__make_folder(folder));
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    GF_TRY(gf__path_join(path, sizeof path, folder, files[i].name));
    GF_TRY(files[i].write(result, path));
    if (written) written(user, path);
  }
  return GF_OK;
}
