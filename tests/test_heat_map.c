/* Heat maps, read back from their PNGs. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stb/stb_image.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "report/heat_map.h"
#include "support/test.h"

static char folder[64], path[128];

static int open_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/gradflow-test-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/map.png", folder);
  return 0;
}

static int close_folder(void **state) {
  (void)state;
  return gf__remove_folder(folder) == GF_OK ? 0 : -1;
}

typedef struct color {
  int r, g, b;
} color;

static bool same(color a, color b) { return a.r == b.r && a.g == b.g && a.b == b.b; }

/* A picture and where its cells are, by the frame around them. */
typedef struct picture {
  int width, height, left, top, right, bottom;
  uint8_t *rgb;
} picture;

static color pixel(const picture *p, int x, int y) {
  const uint8_t *bytes = p->rgb + 3 * (y * p->width + x);
  return (color){bytes[0], bytes[1], bytes[2]};
}

static const color frame = {0x55, 0x55, 0x55}, zero = {0xd5, 0x5e, 0x00}, white = {255, 255, 255};

/* The length of the run of the frame's colour that begins at the place, to the right or down. */
static int frame_run(const picture *p, int x, int y, bool down) {
  int length = 0;
  while (x < p->width && y < p->height && same(pixel(p, x, y), frame)) {
    length++;
    x += !down;
    y += down;
  }
  return length;
}

static picture draw(const gf__heat_map *map) {
  picture p = {0};
  int channels;
  assert_int_equal(gf__heat_map_write(path, map), GF_OK);
  p.rgb = stbi_load(path, &p.width, &p.height, &channels, 3);
  assert_non_null(p.rgb);
  for (int y = 0; y < p.height && !p.right; y++)
    for (int x = 0; x < p.width && !p.right; x++)
      if (frame_run(&p, x, y, false) > 300) {
        p.left = x + 1;
        p.top = y + 1;
        p.right = x + frame_run(&p, x, y, false) - 1;
        p.bottom = y + frame_run(&p, x, y, true) - 1;
      }
  assert_true(p.right - p.left > 300 && p.bottom > p.top);
  return p;
}

/* The colour at the middle of a cell; all of the cell but its edge must have it. */
static color cell(const picture *p, const gf__heat_map *map, int row, int column) {
  double width = (double)(p->right - p->left) / map->column_count,
         height = (double)(p->bottom - p->top) / map->rows;
  int x = (int)(p->left + (column + 0.5) * width), y = (int)(p->top + (row + 0.5) * height);
  color found = pixel(p, x, y);
  for (int i = -1; i <= 1; i++)
    for (int k = -1; k <= 1; k++) {
      color c = pixel(p, x + (int)(i * (width / 2 - 2)), y + (int)(k * (height / 2 - 2)));
      assert_true(same(c, found));
    }
  return found;
}

/* The luminance of ITU-R BT.709, without its curve; only an order is asked for. */
static double light(color c) { return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b; }

static const char *const names[] = {"input_conv", "block_0_conv", "logit_linear"};
static const double epochs[] = {1, 2, 3, 4};

static void cells_stand_where_their_row_and_column_are(void **state) {
  (void)state;
  static const double values[] = {1e-8, 1e-6, 1e-4, 1e-2, 0, NAN, 1e-8, INFINITY, -1, 1e-2, 0, 1};
  gf__heat_map map = {.title = "t",
                      .x_label = "epoch",
                      .value_label = "mean |g|",
                      .note = "n",
                      .row_names = names,
                      .columns = epochs,
                      .values = values,
                      .rows = 3,
                      .column_count = 4,
                      .log = true};
  picture p = draw(&map);
  assert_int_equal(p.width, 1200);
  for (int i = 0; i < 12; i++) {
    color c = cell(&p, &map, i / 4, i % 4);
    bool has_place = values[i] > 0 && isfinite(values[i]);
    if (values[i] == 0) assert_true(same(c, zero));
    if (!has_place && values[i] != 0) assert_true(same(c, white));
    if (has_place) assert_false(same(c, zero) || same(c, white));
  }
  /* The more, the darker; the same value has one colour. */
  for (int i = 0; i < 3; i++)
    assert_true(light(cell(&p, &map, 0, i)) > light(cell(&p, &map, 0, i + 1)) + 20);
  assert_true(light(cell(&p, &map, 0, 3)) > light(cell(&p, &map, 2, 3)) + 10);
  assert_true(same(cell(&p, &map, 0, 0), cell(&p, &map, 1, 2)));
  assert_true(same(cell(&p, &map, 0, 3), cell(&p, &map, 2, 1)));
  stbi_image_free(p.rgb);
}

/* Halfway up a log axis is another colour than halfway up a linear one. */
static void a_linear_map_has_zero_on_its_scale(void **state) {
  (void)state;
  static const double values[] = {0, 0.5, 1, 1, 0.25, 0};
  gf__heat_map map = {
      .row_names = names, .columns = epochs, .values = values, .rows = 2, .column_count = 3};
  picture p = draw(&map);
  assert_false(same(cell(&p, &map, 0, 0), zero));
  assert_true(light(cell(&p, &map, 0, 0)) > light(cell(&p, &map, 1, 1)));
  assert_true(light(cell(&p, &map, 1, 1)) > light(cell(&p, &map, 0, 1)));
  assert_true(light(cell(&p, &map, 0, 1)) > light(cell(&p, &map, 0, 2)));
  assert_true(same(cell(&p, &map, 0, 0), cell(&p, &map, 1, 2)));
  stbi_image_free(p.rgb);
}

/* Every row's name has room, and the picture ends behind the last; a huge one is bounded. */
static void many_rows_make_a_higher_picture(void **state) {
  (void)state;
  enum { MOST = 2000, COLUMNS = 3 };
  static const char *many[MOST];
  static double values[MOST * COLUMNS];
  static const struct {
    int rows, plot_height;
  } cases[] = {{1, 48}, {10, 480}, {32, 640}, {100, 2000}, {MOST, 12000}};
  for (int i = 0; i < MOST; i++) many[i] = "block_12_3_conv_1";
  for (int i = 0; i < MOST * COLUMNS; i++) values[i] = i + 1;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf__heat_map map = {.title = "t",
                        .row_names = many,
                        .columns = epochs,
                        .values = values,
                        .rows = cases[i].rows,
                        .column_count = COLUMNS,
                        .log = true};
    picture p = draw(&map);
    assert_int_equal(p.bottom - p.top, cases[i].plot_height);
    assert_true(p.height - p.bottom >= 50);
    stbi_image_free(p.rgb);
  }
}

/* Whatever the cells' size is in pixels, nothing shows between them. */
static void cells_have_no_seams(void **state) {
  (void)state;
  enum { MOST = 120 };
  static const char *const pair[] = {"layer0.10.conv1", "conv"};
  static double values[2 * MOST], columns[MOST];
  for (int i = 0; i < 2 * MOST; i++) values[i] = 1;
  for (int i = 0; i < MOST; i++) columns[i] = i + 1;
  for (int count = 1; count <= MOST; count++) {
    gf__heat_map map = {
        .row_names = pair, .columns = columns, .values = values, .rows = 2, .column_count = count};
    picture p = draw(&map);
    color first = pixel(&p, p.left, p.top);
    for (int y = p.top; y < p.bottom; y++)
      for (int x = p.left; x < p.right; x++)
        if (!same(pixel(&p, x, y), first)) fail_msg("%d columns: (%d, %d)", count, x, y);
    stbi_image_free(p.rgb);
  }
}

/* Labels that are too long are cut; nothing but finite places is drawn. */
static void odd_maps_are_drawn(void **state) {
  (void)state;
  char longest[600];
  memset(longest, 'w', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  const char *both[] = {longest, "short"};
  static const double nothing[] = {NAN, NAN}, zeros[] = {0, 0}, huge[] = {5e-324, 1e308},
                      one[] = {3, 3};
  static const double *const all[] = {nothing, zeros, huge, one};
  for (int i = 0; i < 4; i++)
    for (int log = 0; log < 2; log++) {
      gf__heat_map map = {.title = longest,
                          .note = longest,
                          .x_label = longest,
                          .value_label = longest,
                          .row_names = both,
                          .columns = epochs,
                          .values = all[i],
                          .rows = 2,
                          .column_count = 1,
                          .log = log};
      picture p = draw(&map);
      color c = cell(&p, &map, 0, 0);
      if (i == 0) assert_true(same(c, white));
      if (i == 1 && log) assert_true(same(c, zero));
      stbi_image_free(p.rgb);
    }
}

static void wrong_maps_are_refused(void **state) {
  (void)state;
  static const double value[] = {1};
  char message[512];
  gf__heat_map map = {.title = "t",
                      .row_names = names,
                      .columns = epochs,
                      .values = value,
                      .rows = 0,
                      .column_count = 1};
  assert_int_equal(gf__heat_map_write(path, &map), GF_ERROR_ARGUMENT);
  snprintf(message, sizeof message, "%s: the heat map 't' has 0 rows and 1 columns", path);
  assert_string_equal(gf_error_message(), message);
  map.rows = 1;
  map.column_count = 0;
  map.title = NULL;
  assert_int_equal(gf__heat_map_write(path, &map), GF_ERROR_ARGUMENT);
  snprintf(message, sizeof message, "%s: the heat map 'without a title' has 1 rows and 0 columns",
           path);
  assert_string_equal(gf_error_message(), message);
  map.column_count = 1;
  char missing[160];
  snprintf(missing, sizeof missing, "%s/none/map.png", folder);
  assert_int_equal(gf__heat_map_write(missing, &map), GF_ERROR_FILE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cells_stand_where_their_row_and_column_are),
      cmocka_unit_test(a_linear_map_has_zero_on_its_scale),
      cmocka_unit_test(many_rows_make_a_higher_picture),
      cmocka_unit_test(cells_have_no_seams),
      cmocka_unit_test(odd_maps_are_drawn),
      cmocka_unit_test(wrong_maps_are_refused),
  };
  return cmocka_run_group_tests_name("heat_map", tests, open_folder, close_folder);
}
