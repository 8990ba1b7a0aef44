/* Sizes that no run has: shapes whose products leave an int, and files that are too large for what
 * they should be. Each is an error before anything of its size is allocated. */
#define _XOPEN_SOURCE 700 /* mkdtemp, truncate */

#include <math.h>

#include <unistd.h>

#include <gradflow/model.h>
#include <gradflow/report.h>

#include "base/cache.h"
#include "base/csv.h"
#include "base/json.h"
#include "support/device.h"
#include "support/test.h"

/* ---- shapes ---- */

static gf_status summarise(const char *graph, gf_image_shape image) {
  char yaml[1024];
  gf_layer_summary *layers = NULL;
  int count;
  snprintf(yaml, sizeof yaml, "model: {graph: [%s]}", graph);
  gf_config *config = parse_config(yaml);
  gf_status status = gf_model_summarise(&layers, &count, config, image, 10);
  gf_config_free(&config);
  free(layers);
  return status;
}

/* 56x56 pixels of 65536 channels: 205 million values, which are possible. */
#define LARGE "{name: a, type: conv2d, filters: 65536, kernel: 1, padding: 24}"

static void shapes_that_leave_an_int_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *graph, *message;
  } cases[] = {
      {"{type: conv2d, filters: 65536, kernel: 1, padding: 1024}",
       "net:1:17: conv2d 'conv2d_0' with input 'input' (8x8x3): its output of 2056x2056x65536 has "
       "more "
       "than 268435455 values an image"},
      {"{type: conv2d, filters: 65536, kernel: 1024, padding: 1024}",
       "net:1:17: conv2d 'conv2d_0' with input 'input' (8x8x3): its weight would have 206158430208 "
       "elements; at most 268435455 are possible"},
      {LARGE ", {type: concat, input: [a, a, a, a, a, a, a, a]}",
       "net:1:82: concat 'concat_1' with input 'a' (56x56x65536) and 'a' (56x56x65536) and 'a' "
       "(56x56x65536) and 'a' (56x56x65536) and 'a' (56x56x65536) and 'a' (56x56x65536) and 'a' "
       "(56x56x65536) and 'a' (56x56x65536): its output of 56x56x524288 has more than 268435455 "
       "values an image"},
      {LARGE ", {type: flatten}, {type: linear, outputs: 10}",
       "net:1:99: linear 'linear_2' with input 'flatten_1' (1x1x205520896): its weight would have "
       "2055208960 elements; at most 268435455 are possible"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_fails(GF_ERROR_SHAPE, cases[i].message,
                 summarise(cases[i].graph, (gf_image_shape){8, 8, 3}));
  assert_fails(GF_ERROR_SHAPE, "images of 46341x46341x3 have more than 268435455 values",
               summarise("{type: global_avg_pool}", (gf_image_shape){46341, 46341, 3}));
  assert_ok(summarise(LARGE ", {type: global_avg_pool}, {type: linear, outputs: 10}",
                      (gf_image_shape){8, 8, 3}));
}

/* ---- charts ---- */

/* Epochs and losses as a damaged CSV may have them; found by tests/fuzz/fuzz_chart.c. */
static void charts_of_any_numbers_are_drawn(void **state) {
  (void)state;
  static const double xs[][2] = {{1e300, 1e300}, {1e15, 1e15}, {0, 1}, {-1e300, 1e300}},
                      ys[][2] = {{1, 2}, {-1e300, 1e300}, {NAN, INFINITY}, {1e-320, 1e-310}};
  for (size_t i = 0; i < sizeof xs / sizeof *xs; i++)
    for (size_t k = 0; k < sizeof ys / sizeof *ys; k++) {
      gf_series series = {.name = "s", .x = xs[i], .y = ys[k], .count = 2, .dashed = 1};
      gf_chart chart = {.title = "t",
                        .series = &series,
                        .count = 1,
                        .width = 320,
                        .height = 240,
                        .y_max = 100 * (double)(k % 2)};
      assert_ok(gf_charts_write(in_folder("a.png"), &chart, 1, 1));
      chart.log_y = 1;
      chart.y_max = 0;
      assert_ok(gf_charts_write(in_folder("a.png"), &chart, 1, 1));
    }
}

/* ---- files ---- */

/* A file of so many zeros that take no room on the disk. */
static const char *sparse(const char *name, off_t size) {
  const char *path = in_folder(name);
  assert_ok(gf__file_write_private(path, "{", 1));
  assert_int_equal(truncate(path, size), 0);
  return path;
}

enum { FOUR_GIB_IN_MIB = 4096 };
static const off_t huge_ = (off_t)FOUR_GIB_IN_MIB << 20;

static void files_that_are_too_large_are_not_read(void **state) {
  (void)state;
  static const gf__csv_column column = {"epoch", false};
  char *bytes = (char *)1, message[512];
  size_t size = 1, before = gf__peak_memory();
  gf__csv csv;
  const char *path = sparse("huge", huge_);
  snprintf(message, sizeof message,
           "%s has more than 1000 bytes, too many for what it should be; is it the right file?",
           path);
  assert_fails(GF_ERROR_DATA, message, gf__file_read_within(path, 1000, &bytes, &size));
  assert_null(bytes);
  assert_int_equal(size, 0);
  assert_int_equal(gf__cache_read(path, 1000, &bytes, &size), GF_ERROR_DATA);
  assert_null(gf__json_read(path));
  snprintf(message, sizeof message,
           "%s has more than 2147483648 bytes, too many for what it should be; is it the right "
           "file?",
           path);
  assert_fails(GF_ERROR_DATA, message, gf__csv_read(&csv, path, &column, 1));
  assert_true(gf__peak_memory() - before < (size_t)64 << 20);
}

static void a_file_of_just_the_size_is_read(void **state) {
  (void)state;
  char *bytes;
  size_t size;
  assert_ok(gf__file_write(in_folder("five"), "12345", 5));
  assert_ok(gf__file_read_within(in_folder("five"), 5, &bytes, &size));
  assert_int_equal(size, 5);
  assert_string_equal(bytes, "12345");
  free(bytes);
  assert_int_equal(gf__file_read_within(in_folder("five"), 4, &bytes, &size), GF_ERROR_DATA);
  assert_ok(gf__file_write(in_folder("none"), "", 0));
  assert_ok(gf__file_read_within(in_folder("none"), 0, &bytes, &size));
  assert_int_equal(size, 0);
  free(bytes);
}

/* What has no size before it is read ends at the limit, too. */
static void endless_files_are_not_read(void **state) {
  (void)state;
  char *bytes;
  size_t size;
  assert_fails(GF_ERROR_DATA,
               "/dev/zero has more than 100000 bytes, too many for what it should be; is it the "
               "right file?",
               gf__file_read_within("/dev/zero", 100000, &bytes, &size));
  assert_null(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shapes_that_leave_an_int_are_refused),
      cmocka_unit_test(charts_of_any_numbers_are_drawn),
      cmocka_unit_test(files_that_are_too_large_are_not_read),
      cmocka_unit_test(a_file_of_just_the_size_is_read),
      cmocka_unit_test(endless_files_are_not_read),
  };
  return cmocka_run_group_tests_name("limits", tests, folder_open, folder_close);
}
