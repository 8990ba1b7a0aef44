/* gradflow test */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/os.h"
#include "cli/cli.h"
#include "report/table.h"

typedef struct test_options {
  char *device, *out; /* or NULL */
  bool json;
} test_options;

static const gf__option option_rows[] = {
    GF__OPTION_DEVICE(test_options),
    GF__OPTION("out", 'o', "DIR", test_options, out, TEXT,
               .help = "where the confusion matrix goes: confusion.csv and confusion.png"),
    GF__OPTION_JSON(test_options), GF__OPTIONS_END};

/* ---- for people ---- */

typedef struct row {
  int label, images;
  double accuracy; /* NaN without images */
} row;

/* From best to worst, classes without images last. */
static int compare_rows(const void *a, const void *b) {
  const row *x = a, *y = b;
  bool x_known = !isnan(x->accuracy), y_known = !isnan(y->accuracy);
  if (x_known != y_known) return x_known ? -1 : 1;
  if (x_known && x->accuracy != y->accuracy) return x->accuracy > y->accuracy ? -1 : 1;
  return x->label - y->label;
}

static void add_row(gf__table *table, const gf_test_result *result, const row *r) {
  gf__table_add(table, "%d", r->label);
  if (result->class_names) gf__table_add(table, "%s", result->class_names[r->label]);
  gf__table_add(table, "%d", r->images);
  if (isnan(r->accuracy))
    gf__table_add(table, "-");
  else
    gf__table_add(table, "%.1f%%", 100 * r->accuracy);
}

/* Tables side by side, filled downwards, each but the first after an empty column. */
static void fill_table(gf__table *table, const gf_test_result *result, const row *rows,
                       int groups) {
  int height = (result->classes + groups - 1) / groups, cells = result->class_names ? 4 : 3;
  for (int y = 0; y < height; y++)
    for (int g = 0; g < groups; g++) {
      int i = g * height + y;
      if (g > 0) gf__table_add(table, "%s", "");
      if (i < result->classes) add_row(table, result, &rows[i]);
      for (int c = 0; i >= result->classes && c < cells; c++) gf__table_add(table, "%s", "");
    }
}

enum { USUAL_WIDTH = 80, MOST_GROUPS = 3 };

/* How many tables are printed side by side: as many as 80 columns hold, if the list is long. */
static int count_groups(const gf_test_result *result, int width) {
  enum { SHORT_LIST = 20 };
  if (result->classes <= SHORT_LIST || width < USUAL_WIDTH) return 1;
  return result->class_names ? 2 : 3;
}

static gf_status print_classes(const gf_test_result *result) {
  static const gf__table_column group[] = {
      {"class", true}, {"name", false}, {"images", true}, {"accuracy", true}};
  int width = gf__is_terminal(stdout) ? gf__terminal_width(stdout) : USUAL_WIDTH;
  int groups = count_groups(result, width), column_count = 0;
  gf__table_column columns[MOST_GROUPS * (sizeof group / sizeof *group + 1)];
  for (int g = 0; g < groups; g++) {
    if (g > 0) columns[column_count++] = (gf__table_column){"", true};
    for (size_t c = 0; c < sizeof group / sizeof *group; c++)
      if (group[c].right || result->class_names) columns[column_count++] = group[c];
  }
  size_t bytes = (size_t)result->classes * sizeof(row);
  row *rows = malloc(bytes);
  if (!rows) return gf__fail_host_memory(bytes);
  for (int i = 0; i < result->classes; i++)
    rows[i] = (row){i, result->class_images[i], result->class_accuracy[i]};
  qsort(rows, (size_t)result->classes, sizeof *rows, compare_rows);
  gf__table table = {.columns = columns, .column_count = column_count};
  fill_table(&table, result, rows, groups);
  free(rows);
  gf__text text = {0};
  gf_status status = gf__table_text(&table, width < USUAL_WIDTH ? width : USUAL_WIDTH, &text);
  gf__table_free(&table);
  if (status == GF_OK) printf("\n%s", text.data);
  gf__text_free(&text);
  return status;
}

static gf_status print_text(const gf_test_result *result) {
  enum { TOP = 5 };
  printf("images    %d\nloss      %.4f\naccuracy  %.2f%%\n", result->images, result->loss,
         100 * result->accuracy);
  if (result->classes > TOP) printf("top 5     %.2f%%\n", 100 * result->top5_accuracy);
  printf("weights   %s, SHA-256 %.12s...\n", result->weights, result->weights_sha256);
  return print_classes(result);
}

/* ---- for programs ---- */

static json_t *list_classes(const gf_test_result *result) {
  json_t *list = json_array();
  for (int i = 0; list && i < result->classes; i++) {
    json_t *item =
        json_pack("{s:i, s:s?, s:i, s:o}", "class", i, "name",
                  result->class_names ? result->class_names[i] : NULL, "images",
                  result->class_images[i], "accuracy", gf__json_number(result->class_accuracy[i]));
    if (json_array_append_new(list, item) == 0) continue;
    json_decref(list);
    list = NULL;
  }
  return list;
}

static gf_status print_json(const char *folder, const gf_test_result *result) {
  json_t *classes = list_classes(result);
  if (!classes)
    return gf__fail(GF_ERROR_DATA,
                    "no JSON of the result: a class name is not UTF-8, or memory "
                    "ran out");
  return gf__cli_print_json(json_pack(
      "{s:s%, s:s, s:s, s:i, s:o, s:o, s:o, s:o}", "run", folder, strlen(folder), "weights",
      result->weights, "weights_sha256", result->weights_sha256, "images", result->images, "loss",
      gf__json_number(result->loss), "accuracy", gf__json_number(result->accuracy), "top5_accuracy",
      gf__json_number(result->top5_accuracy), "classes", classes));
}

static void print_path(void *user, const char *path) {
  (void)user;
  printf("wrote     %s\n", path);
}

static int run_test(const gf__cli *cli) {
  const test_options *o = cli->options;
  gf_device *device = NULL;
  gf_test_result result = {0};
  const char *folder = cli->arguments[0];
  gf_status status = gf_device_open(&device, o->device);
  if (status == GF_OK) status = gf_test(device, folder, &result);
  if (status == GF_OK) status = o->json ? print_json(folder, &result) : print_text(&result);
  if (status == GF_OK && o->out)
    status = gf_test_write_confusion(&result, o->out, o->json ? NULL : print_path, NULL);
  gf_test_result_free(&result);
  gf_device_free(&device);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

const gf__command gf__cmd_test = {
    .name = "test",
    .arguments = "RUN [--device DEVICE] [--out DIR] [--json]",
    .help = "test a trained network on the test images",
    .text =
        "Tests the weights of a run that were best on the validation images, or its last\n"
        "where there are none, on the data set's test images. Prints the loss, the\n"
        "accuracy, how often the label is among the five highest scores, and the accuracy\n"
        "of each class from best to worst. With --out it leaves the confusion matrix:\n"
        "what each class is taken for.\n",
    .examples =
        "  gradflow test runs/residual37\n"
        "  gradflow test runs/residual37 --out tested\n"
        "  gradflow test runs/residual37 --json | jq .accuracy\n",
    .least = 1,
    .most = 1,
    .missing = "a run folder",
    .options = option_rows,
    .options_size = sizeof(test_options),
    .run = run_test,
};
