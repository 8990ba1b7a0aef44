/* Contact sheets, read back from their PNGs. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <stb/stb_image.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "report/contact_sheet.h"
#include "support/test.h"

static char folder[64], path[128];

static int open_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/gradflow-test-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/sheet.png", folder);
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

static gf__contact_sheet *new_sheet(void) {
  gf__contact_sheet *sheet = NULL;
  assert_int_equal(gf__contact_sheet_new(&sheet), GF_OK);
  return sheet;
}

static void add(gf__contact_sheet *sheet, const gf__sheet_cell *cell) {
  if (gf__contact_sheet_add(sheet, cell) != GF_OK) fail_msg("%s", gf_error_message());
}

/* Writes the sheet and frees it. */
static picture draw(gf__contact_sheet *sheet) {
  picture p = {0};
  int channels;
  if (gf__contact_sheet_write(sheet, "a title", NULL, path) != GF_OK)
    fail_msg("%s", gf_error_message());
  assert_int_equal(gf__contact_sheet_count(sheet), 0);
  gf__contact_sheet_free(&sheet);
  assert_null(sheet);
  p.rgb = stbi_load(path, &p.width, &p.height, &channels, 3);
  assert_non_null(p.rgb);
  return p;
}

static int count_colour(const picture *p, int r, int g, int b) {
  int count = 0;
  for (int i = 0; i < p->width * p->height; i++)
    count += p->rgb[3 * i] == r && p->rgb[3 * i + 1] == g && p->rgb[3 * i + 2] == b;
  return count;
}

/* The smallest box around a colour: its width, height and area that has it. */
typedef struct extent {
  int left, top, width, height, area;
} extent;

static extent find(const picture *p, int r, int g, int b) {
  int left = p->width, top = p->height, right = -1, bottom = -1;
  for (int y = 0; y < p->height; y++)
    for (int x = 0; x < p->width; x++) {
      const uint8_t *c = p->rgb + 3 * (y * p->width + x);
      if (c[0] != r || c[1] != g || c[2] != b) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  return (extent){left, top, right + 1 - left, bottom + 1 - top, count_colour(p, r, g, b)};
}

static void assert_box(extent e, int width, int height) {
  assert_int_equal(e.width, width);
  assert_int_equal(e.height, height);
  assert_int_equal(e.area, width * height);
}

/* ---- tests ---- */

/* Pixels become squares of whole pixels, and large images shrink to 256. */
static void images_have_their_sizes(void **state) {
  (void)state;
  static const struct {
    int side, shown;
  } cases[] = {{1, 128}, {2, 128}, {32, 128}, {33, 132}, {128, 128}, {200, 200}, {512, 256}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int side = cases[i].side;
    uint8_t *pixels = malloc((size_t)(side * side) * 3);
    assert_non_null(pixels);
    for (int k = 0; k < side * side; k++) memcpy(pixels + 3 * k, (uint8_t[]){200, 10, 30}, 3);
    gf__contact_sheet *sheet = new_sheet();
    add(sheet, &(gf__sheet_cell){"x", side, side, 3, pixels, NULL, NULL, 0});
    memset(pixels, 0, (size_t)(side * side) * 3); /* it was copied */
    free(pixels);
    picture p = draw(sheet);
    assert_box(find(&p, 200, 10, 30), cases[i].shown, cases[i].shown);
    free(p.rgb);
  }
}

static void pixels_stand_where_they_are(void **state) {
  (void)state;
  /* Grey, two rows of three; the map's largest value is white. */
  static const uint8_t pixels[] = {1, 2, 3, 4, 5, 6};
  static const float map[] = {0, 0.25f, 0.5f, 0, 0, 0.5f};
  gf__contact_sheet *sheet = new_sheet();
  add(sheet, &(gf__sheet_cell){"x", 2, 3, 1, pixels, map, NULL, 0});
  picture p = draw(sheet);
  enum { PIXEL = 43 }; /* of 3 pixels at least 128 */
  extent first = find(&p, 1, 1, 1);
  assert_box(first, PIXEL, PIXEL);
  for (int i = 0; i < 6; i++) {
    extent e = find(&p, i + 1, i + 1, i + 1);
    assert_box(e, PIXEL, PIXEL);
    assert_int_equal(e.left, first.left + i % 3 * PIXEL);
    assert_int_equal(e.top, first.top + i / 3 * PIXEL);
    const uint8_t *beside =
        p.rgb + 3 * ((e.top + PIXEL / 2) * p.width + e.left + 3 * PIXEL + 8 + PIXEL / 2);
    assert_int_equal(beside[0], (int)(map[i] * 2 * 255 + 0.5f));
  }
  free(p.rgb);
}

/* A map of zeros is black, and one that is not there is left out. */
static void maps_may_be_empty(void **state) {
  (void)state;
  static const uint8_t pixels[] = {7};
  static const float map[] = {0};
  gf__contact_sheet *sheet = new_sheet();
  add(sheet, &(gf__sheet_cell){"x", 1, 1, 1, pixels, map, NULL, 0});
  add(sheet, &(gf__sheet_cell){"x", 1, 1, 1, pixels, NULL, NULL, 0});
  picture p = draw(sheet);
  assert_box(find(&p, 0, 0, 0), 128, 128);
  free(p.rgb);
}

static void bars_are_as_long_as_their_shares(void **state) {
  (void)state;
  static const uint8_t pixels[] = {7};
  for (int share = 0; share <= 100; share += 25) {
    gf__sheet_bar bars[] = {{"cat", share / 100.0}, {"dog", 1 - share / 100.0}};
    gf__contact_sheet *sheet = new_sheet();
    add(sheet, &(gf__sheet_cell){"x", 1, 1, 1, pixels, NULL, bars, 2});
    picture p = draw(sheet);
    extent first = find(&p, 0x00, 0x72, 0xb2), second = find(&p, 0x9c, 0xc4, 0xde);
    int expected = share * 110 / 100; /* one pixel at least, so that there is something to see */
    assert_true(abs(first.width - (expected ? expected : 1)) <= 1);
    assert_true(abs(second.width - (expected < 110 ? 110 - expected : 1)) <= 1);
    assert_int_equal(first.left, second.left);
    assert_true(second.top >= first.top + first.height);
    free(p.rgb);
  }
}

/* Rows of the picture that have ink of the labels' colour, which is nobody else's. */
static int label_height(const char *label) {
  static const uint8_t pixels[] = {7};
  gf__sheet_bar bar = {label, 0.5};
  gf__contact_sheet *sheet = new_sheet();
  add(sheet, &(gf__sheet_cell){"x", 1, 1, 1, pixels, NULL, &bar, 1});
  picture p = draw(sheet);
  extent bars = find(&p, 0x00, 0x72, 0xb2);
  int rows = 0, right = 0;
  for (int y = bars.top - 4; y < p.height; y++) {
    bool has_ink = false;
    for (int x = 24 + 128 + 8; x < bars.left; x++)
      if (p.rgb[3 * (y * p.width + x)] < 0x80) {
        has_ink = true;
        if (x > right) right = x;
      }
    rows += has_ink;
  }
  assert_true(right < bars.left - 2); /* it does not reach into the bar */
  free(p.rgb);
  return rows;
}

/* One that is too long for a line goes on below, whether it has blanks or not. */
static void labels_are_whole(void **state) {
  (void)state;
  int one = label_height("xxxxxxxx");
  assert_in_range(one, 7, 12);
  assert_int_equal(label_height("xxxxxxxx xxxxxxxx xxx"), one); /* the room grows with them */
  assert_int_equal(label_height("xxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxx xxxxxxxxxxxxxxx"), 3 * one);
  /* 10 lines of 24 letters or so */
  char endless[241];
  memset(endless, 'x', 240);
  endless[240] = 0;
  assert_in_range(label_height(endless), 8 * one, 12 * one);
}

static void sheets_have_an_end(void **state) {
  (void)state;
  static const uint8_t pixels[] = {7};
  gf__sheet_cell cell = {"x", 1, 1, 1, pixels, NULL, NULL, 0};
  gf__contact_sheet *sheet = new_sheet();
  for (int i = 0; i < GF__SHEET_MOST_CELLS; i++) add(sheet, &cell);
  assert_int_equal(gf__contact_sheet_add(sheet, &cell), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(), "a contact sheet has at most 60 images, of 10 bars each");
  picture p = draw(sheet);
  assert_int_equal(count_colour(&p, 7, 7, 7), 60 * 128 * 128);
  free(p.rgb);
  sheet = new_sheet();
  add(sheet, &cell);
  strcpy(path + strlen(folder), "/no/sheet.png");
  assert_int_equal(gf__contact_sheet_write(sheet, "x", "a note", path), GF_ERROR_FILE);
  strcpy(path + strlen(folder), "/sheet.png");
  gf__contact_sheet_free(&sheet);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_have_their_sizes), cmocka_unit_test(pixels_stand_where_they_are),
      cmocka_unit_test(maps_may_be_empty),       cmocka_unit_test(bars_are_as_long_as_their_shares),
      cmocka_unit_test(labels_are_whole),        cmocka_unit_test(sheets_have_an_end),
  };
  return cmocka_run_group_tests_name("contact_sheet", tests, open_folder, close_folder);
}
