/* Bars and rooflines, read back from their PNGs. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stb/stb_image.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "report/bars.h"
#include "report/roofline.h"
#include "support/test.h"

static char folder[64], path[128];

static int open_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/gradflow-test-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/a.png", folder);
  return 0;
}

static int close_folder(void **state) {
  (void)state;
  return gf__remove_folder(folder) == GF_OK ? 0 : -1;
}

typedef struct picture {
  int width, height;
  uint8_t *rgb;
} picture;

static picture read_picture(void) {
  picture p;
  int channels;
  p.rgb = stbi_load(path, &p.width, &p.height, &channels, 3);
  assert_non_null(p.rgb);
  return p;
}

/* The first two hues. */
static const uint8_t blue[3] = {0x00, 0x72, 0xb2}, vermillion[3] = {0xd5, 0x5e, 0x00};

static bool has(const picture *p, int x, int y, const uint8_t color[3]) {
  return memcmp(p->rgb + 3 * ((size_t)y * (size_t)p->width + (size_t)x), color, 3) == 0;
}

typedef struct bar {
  int left, length, top, height;
} bar;

/* The bars of a colour from the top down, which are longer than a legend's sample is thick; returns
 * their number. */
static int find_bars(const picture *p, const uint8_t color[3], bar *out, int most) {
  int count = 0, last = -1;
  for (int y = 0; y < p->height; y++) {
    int left = 0, height = 0;
    while (left < p->width && !has(p, left, y, color)) left++;
    if (left == p->width || y <= last) continue;
    while (y + height < p->height && has(p, left, y + height, color)) height++;
    last = y + height;
    if (height < 10) continue;
    bar found = {left, 0, y, height};
    while (left + found.length < p->width && has(p, left + found.length, y + 2, color))
      found.length++;
    assert_true(count < most);
    out[count++] = found;
  }
  return count;
}

static const char *const names[] = {"one", "two", "three", "none"};

static void bars_are_as_long_as_their_values(void **state) {
  (void)state;
  static const double values[] = {100, 200, 400, NAN}, others[] = {400, 0, 100, 300};
  const gf__bar_series series[] = {{"a", values, 0}, {"b", others, 1}};
  gf__bars bars = {.title = "t",
                   .x_label = "x",
                   .row_names = names,
                   .series = series,
                   .rows = 4,
                   .series_count = 2};
  bar a[8], b[8];
  assert_int_equal(gf__bars_write(path, &bars), GF_OK);
  picture p = read_picture();
  assert_int_equal(find_bars(&p, blue, a, 8), 3);
  assert_int_equal(find_bars(&p, vermillion, b, 8), 3); /* of 0 there is none */
  assert_true(a[0].length > 100);
  assert_in_range(a[1].length, 2 * a[0].length - 2, 2 * a[0].length + 2);
  assert_in_range(a[2].length, 4 * a[0].length - 4, 4 * a[0].length + 4);
  assert_in_range(b[0].length, a[2].length - 1, a[2].length + 1);
  assert_in_range(b[1].length, a[0].length - 1, a[0].length + 1);
  assert_in_range(b[2].length, 3 * a[0].length - 3, 3 * a[0].length + 3);
  /* All begin at one place, the second of a row below the first and above the next row. */
  for (int i = 0; i < 3; i++) assert_true(a[i].left == a[0].left && b[i].left == a[0].left);
  assert_true(b[0].top >= a[0].top + a[0].height && a[1].top > b[0].top + b[0].height);
  assert_true(b[1].top >= a[2].top + a[2].height && b[2].top > b[1].top + b[1].height);
  stbi_image_free(p.rgb);
}

/* Twice as much is as far to the right as half is to the left. */
static void bars_of_ratios_begin_at_the_reference(void **state) {
  (void)state;
  static const double values[] = {2, 0.5, 4, 1};
  const gf__bar_series series[] = {{"a", values, 1}};
  gf__bars bars = {.title = "t",
                   .row_names = names,
                   .series = series,
                   .rows = 4,
                   .series_count = 1,
                   .log = true,
                   .reference = 1,
                   .reference_name = "as fast"};
  bar found[8];
  assert_int_equal(gf__bars_write(path, &bars), GF_OK);
  picture p = read_picture();
  assert_int_equal(find_bars(&p, vermillion, found, 8), 4);
  int start = found[0].left;
  assert_in_range(found[1].left + found[1].length, start - 1, start + 2);
  assert_in_range(found[1].length, found[0].length - 2, found[0].length + 2);
  assert_in_range(found[2].length, 2 * found[0].length - 3, 2 * found[0].length + 3);
  assert_in_range(found[3].length, 1, 2);
  stbi_image_free(p.rgb);
}

static void no_rows_are_refused(void **state) {
  (void)state;
  char message[256];
  gf__bars bars = {.title = "t"};
  assert_int_equal(gf__bars_write(path, &bars), GF_ERROR_ARGUMENT);
  snprintf(message, sizeof message, "%s: the bars 't' have 0 rows and 0 series", path);
  assert_string_equal(gf_error_message(), message);
  assert_int_equal(gf__roofline_write(path, "t", "n", NULL, 0), GF_ERROR_ARGUMENT);
  snprintf(message, sizeof message, "%s: 0 roofs: must be 1 to 64", path);
  assert_string_equal(gf_error_message(), message);
}

/* The highest pixel of the colour in a column below the legend, or -1. */
static int top_of(const picture *p, int x, const uint8_t color[3]) {
  for (int y = 130; y < p->height; y++)
    if (has(p, x, y, color)) return y;
  return -1;
}

/* Axes from 0.1 to 1000 flops a byte and from 10 to 10000 GFLOP/s: the ridge of 1 TFLOP/s and
 * 100 GB/s is at 10 flops a byte, in the middle of the x axis. */
static void a_roof_rises_and_is_flat(void **state) {
  (void)state;
  /* At 100 flops a byte and 100 GFLOP/s, in the middle of the flat part, and to the right of it a
   * ring. The last has no place. */
  static const gf__roof_point points[] = {
      {1e11, 1e9, 1, false}, {1e11, 2e8, 1, true}, {1e10, 1e11, 1, false}, {0, 1e9, 1, false}};
  const gf__roof roof = {"a", 1e12, 1e11, points, 4, 0};
  assert_int_equal(gf__roofline_write(path, "t", "n", &roof, 1), GF_OK);
  picture p = read_picture();
  int left = 0, right = p.width - 1;
  while (top_of(&p, left, blue) < 0) left++;
  while (top_of(&p, right, blue) < 0) right--;
  int width = right - left, roof_at = top_of(&p, right - width / 16, blue);
  assert_true(width > 900);
  /* Flat in the right half, and a quarter of a decade down for a quarter to the left. */
  assert_in_range(top_of(&p, left + width * 9 / 16, blue), roof_at - 2, roof_at + 2);
  int decade = top_of(&p, left + width / 4, blue) - roof_at;
  int quarter = top_of(&p, left + width * 7 / 16, blue) - roof_at;
  assert_true(decade > 100);
  assert_in_range(quarter, decade / 4 - 2, decade / 4 + 2);
  /* The dot is a decade below the roof, three quarters to the right; the ring has paper inside. */
  int x = left + width * 3 / 4, y = roof_at + decade;
  assert_true(has(&p, x, y, blue) && has(&p, x + 3, y, blue) && has(&p, x, y - 3, blue));
  static const uint8_t paper[3] = {255, 255, 255};
  int ring = right, inside = 0;
  while (!has(&p, ring, y, blue)) ring--;
  while (!has(&p, ring, y, paper)) ring--;
  while (has(&p, ring - inside, y, paper)) inside++;
  assert_in_range(inside, 6, 10);
  stbi_image_free(p.rgb);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bars_are_as_long_as_their_values),
      cmocka_unit_test(bars_of_ratios_begin_at_the_reference),
      cmocka_unit_test(no_rows_are_refused),
      cmocka_unit_test(a_roof_rises_and_is_flat),
  };
  return cmocka_run_group_tests(tests, open_folder, close_folder);
}
