/* One image file: its kinds, its sizes, and what is refused. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/image.h"
#include "support/data_files.h"
#include "support/image_files.h"
#include "support/test.h"

/* The files of these tests are resized to 8 pixels, of which 6 are cut out. */
static const gf__image_fit fit_ = {8, 8, 6, 6};

static void write_text(const char *name, gf__text *file) {
  assert_int_equal(gf__text_status(file), GF_OK);
  write_bytes(name, file->data, file->size);
  gf__text_free(file);
}

/* ---- resizing ---- */

/* The triangle filter over all of the image, in double. */
static double reference(const uint8_t *pixels, int height, int width, int resize, int side, int y,
                        int x, int c) {
  int shorter = height < width ? height : width;
  int rows = (int)((long)resize * height / shorter),
      columns = (int)((long)resize * width / shorter);
  double step_y = (double)height / rows, step_x = (double)width / columns;
  /* torchvision: int(round((rows - side) / 2.0)), and Python's round goes to even. */
  double at_y = (y + nearbyint((rows - side) / 2.0) + 0.5) * step_y,
         at_x = (x + nearbyint((columns - side) / 2.0) + 0.5) * step_x;
  double sum = 0, weights = 0;
  for (int i = 0; i < height; i++)
    for (int k = 0; k < width; k++) {
      double wy = 1 - fabs(i + 0.5 - at_y) / fmax(step_y, 1);
      double wx = 1 - fabs(k + 0.5 - at_x) / fmax(step_x, 1);
      double weight = fmax(wy, 0) * fmax(wx, 0);
      sum += weight * pixels[(i * width + k) * 3 + c];
      weights += weight;
    }
  return sum / weights;
}

static void check_resample(int height, int width, int resize, int side) {
  size_t size = (size_t)height * (size_t)width * 3;
  uint8_t *pixels = malloc(size), *out = malloc((size_t)side * (size_t)side * 3);
  assert_true(pixels && out);
  for (size_t i = 0; i < size; i++) pixels[i] = (uint8_t)((i * 2654435761u) >> 24);
  assert_int_equal(
      gf__image_resample(pixels, height, width, &(gf__image_fit){resize, resize, side, side}, out),
      GF_OK);
  int bad = 0;
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++)
      for (int c = 0; c < 3; c++) {
        double expected = reference(pixels, height, width, resize, side, y, x, c);
        bad += !(fabs(out[(y * side + x) * 3 + c] - expected) <= 0.501);
      }
  if (bad) fail_msg("%d x %d to %d, %d: %d bytes are wrong", height, width, resize, side, bad);
  free(pixels);
  free(out);
}

static void resampling_equals_the_reference(void **state) {
  (void)state;
  static const int cases[][4] = {
      {7, 7, 7, 7},    {7, 11, 7, 5},   {11, 7, 7, 5},   {5, 9, 23, 20},
      {40, 31, 8, 8},  {31, 47, 9, 6},  {1, 1, 5, 5},    {1, 99, 4, 4},
      {99, 1, 4, 4},   {64, 64, 16, 9}, {17, 90, 17, 3}, {90, 89, 7, 1},
      {10, 14, 10, 7}, {14, 10, 10, 7}, {9, 13, 9, 8},   {20, 27, 20, 5}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_resample(cases[i][0], cases[i][1], cases[i][2], cases[i][3]);
}

/* What alternates from pixel to pixel has no trace in the small image. */
static void resampling_does_not_alias(void **state) {
  (void)state;
  enum { LARGE = 60, SMALL = 20 };
  uint8_t pixels[LARGE * LARGE * 3], out[SMALL * SMALL * 3];
  for (int i = 0; i < LARGE * LARGE; i++)
    memset(pixels + 3 * i, (i / LARGE + i % LARGE) % 2 ? 255 : 0, 3);
  assert_int_equal(
      gf__image_resample(pixels, LARGE, LARGE, &(gf__image_fit){SMALL, SMALL, SMALL, SMALL}, out),
      GF_OK);
  for (size_t i = 0; i < sizeof out; i++)
    if (!(abs(out[i] - 127) <= 4)) fail_msg("byte %zu is %d", i, out[i]);
}

/* ---- files ---- */

static void check_colour(const char *name, const uint8_t *colour, int tolerance) {
  uint8_t out[6 * 6 * 3];
  if (gf__image_read(in_folder(name), &fit_, out) != GF_OK) fail_msg("%s", gf_error_message());
  for (size_t i = 0; i < sizeof out; i++)
    if (!(abs(out[i] - colour[i % 3]) <= tolerance))
      fail_msg("%s: byte %zu is %d instead of %d", name, i, out[i], colour[i % 3]);
}

static void check_png(const png *p, const uint8_t *colour) {
  gf__text file = make_png(p);
  write_text("a.png", &file);
  check_colour("a.png", colour, 0);
}

static void kinds_of_files_are_read(void **state) {
  (void)state;
  static const uint8_t red[] = {200, 30, 40, 7}, grey[] = {77, 77, 77};
  gf__text file = make_jpeg(13, 9, 3, red);
  write_text("a.jpg", &file);
  check_colour("a.jpg", red, 3);
  file = make_jpeg(13, 9, 1, grey);
  write_text("a.jpg", &file);
  check_colour("a.jpg", grey, 2);
  /* One row of two pixels is enough; what they hold is the same. */
  check_png(&(png){2, 1, 8, 0, .rows = "\0\115\115", .size = 3}, grey);
  check_png(&(png){2, 1, 8, 4, .rows = "\0\115\1\115\2", .size = 5}, grey);
  check_png(&(png){2, 1, 8, 2, .rows = "\0\310\36\50\310\36\50", .size = 7}, red);
  check_png(&(png){2, 1, 8, 6, .rows = "\0\310\36\50\7\310\36\50\0", .size = 9}, red);
  check_png(&(png){2, 1, 16, 0, .rows = "\0\115\377\115\0", .size = 5}, grey);
  check_png(&(png){2, 1, 16, 2, .rows = "\0\310\1\36\2\50\3\310\4\36\5\50\6", .size = 13}, red);
  check_png(&(png){2, 1, 1, 3, .rows = "\0\100", .size = 2,
                   .palette = (const uint8_t *)"\310\36\50\310\36\50", .colours = 2},
            red);
  /* Interlaced: of 2 x 1 pixels the first pass has one, the sixth the other. */
  check_png(&(png){2, 1, 8, 0, 1, .rows = "\0\115\0\115", .size = 4}, grey);
}

/* The file says JPEG, its name PNG; and so it is in ImageNet. */
static void names_do_not_matter(void **state) {
  (void)state;
  static const uint8_t blue[] = {10, 20, 220};
  gf__text file = make_jpeg(8, 8, 3, blue);
  write_text("a.png", &file);
  check_colour("a.png", blue, 3);
}

static void fails_image(gf__text *file, const char *format, ...) {
  char expected[512], rest[384];
  uint8_t out[6 * 6 * 3];
  va_list args;
  va_start(args, format);
  vsnprintf(rest, sizeof rest, format, args);
  va_end(args);
  snprintf(expected, sizeof expected, "%s/a.png %s", fixture_folder, rest);
  write_text("a.png", file);
  assert_int_equal(gf__image_read(in_folder("a.png"), &fit_, out), GF_ERROR_DATA);
  assert_string_equal(gf_error_message(), expected);
}

static void fails_bytes(const void *bytes, size_t size, const char *rest) {
  gf__text file = {0};
  gf__text_add_bytes(&file, bytes, size);
  fails_image(&file, "%s", rest);
}

static void other_files_are_refused(void **state) {
  (void)state;
  static const char neither[] = "is neither a JPEG nor a PNG file";
  fails_bytes("", 0, neither);
  fails_bytes("GIF89a\1\0\1\0\0\0\0;", 14, neither);
  fails_bytes("P6 1 1 255\n123", 14, neither);
  fails_bytes("\x89PNG\r\n\x1a\n", 8, neither);
  fails_bytes("\x89PNG\r\n\x1a\n\0\0\0\4CgBI1234\0\0\0\0", 24, neither);
  fails_bytes("\xff\xd8\xff", 3, "has a damaged header");
}

static void sides_keep_within_limits(void **state) {
  (void)state;
  static const char format[] =
      "has %d x %d pixels; images have 1 to 16384 a side and 67108864 in all, and no side is 100 "
      "times the other";
  static const uint32_t wrong[][2] = {{16385, 16000}, {9000, 9000}, {1, 100}, {1600, 16}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    gf__text file = make_png(&(png){wrong[i][1], wrong[i][0], 8, 0, .rows = "\0", .size = 1});
    fails_image(&file, format, (int)wrong[i][0], (int)wrong[i][1]);
  }
  gf__text file = make_png(&(png){0, 5, 8, 0, .rows = "\0", .size = 1});
  fails_image(&file, "has a damaged header");
}

static void bombs_are_refused(void **state) {
  (void)state;
  enum { HUGE_SIZE = 1 << 24 };
  void *zeros = calloc(HUGE_SIZE, 1);
  assert_non_null(zeros);
  gf__text file = make_png(&(png){2, 3, 8, 0, .rows = zeros, .size = HUGE_SIZE});
  fails_image(&file, "unpacks to more than the 34 bytes of its pixels");
  free(zeros);
  /* A chunk that is said to have 2 GB. */
  file = make_png(&(png){2, 1, 8, 0, .rows = "\0ab", .size = 3});
  memcpy(file.data + 33, "\x7f\xff\xff\xff", 4);
  size_t size = file.size;
  fails_image(&file, "is truncated: its image data do not end within its %zu bytes", size);
}

static void a_damaged_png_is_refused(void **state) {
  (void)state;
  gf__text file = make_png(&(png){2, 1, 8, 0, .rows = "\0ab", .size = 3, .extra = "CgBI"});
  fails_image(&file, "is a PNG file in Apple's own form");
  file = make_png(&(png){2, 1, 8, 0, .rows = "\0ab", .size = 3});
  file.data[33 + 8] ^= 1; /* zlib's header */
  fails_image(&file, "is corrupt (zlib: incorrect header check)");
  file = make_png(&(png){2, 2, 8, 0, .rows = "\0ab", .size = 3});
  fails_image(&file, "cannot be decoded (stb_image: not enough pixels)");
  for (size_t cut = 1;; cut += 3) {
    file = make_png(&(png){2, 1, 8, 0, .rows = "\0ab", .size = 3});
    file.size -= cut;
    bool is_png = file.size >= 33; /* with a whole header */
    if (!is_png) {
      gf__text_free(&file);
      break;
    }
    size_t size = file.size;
    fails_image(&file, "is truncated: its image data do not end within its %zu bytes", size);
  }
}

/* ---- kinds of JPEG ---- */

/* Replaces the frame's marker, its precision and its number of components; 0: as it is. */
static void write_frame(int start, int precision, int components) {
  static const uint8_t red[] = {255, 0, 0};
  gf__text file = make_jpeg(8, 8, 3, red);
  size_t at = 2;
  while ((uint8_t)file.data[at + 1] != 0xc0)
    at += 2 + ((size_t)(uint8_t)file.data[at + 2] << 8 | (uint8_t)file.data[at + 3]);
  if (start) file.data[at + 1] = (char)start;
  if (precision) file.data[at + 4] = (char)precision;
  if (components) file.data[at + 9] = (char)components;
  write_text("kind.jpg", &file);
}

/* Colours were wrong, or a whole file was called damaged. */
static void jpeg_kinds_that_are_not_supported_are_named(void **state) {
  (void)state;
  static const struct {
    int start, precision, components;
    const char *kind;
  } cases[] = {{0, 0, 4, "CMYK (without Adobe's marker)"},
               {0xc2, 0, 4, "CMYK (without Adobe's marker)"},
               {0xc9, 0, 0, "arithmetic-coded"},
               {0xca, 0, 0, "arithmetic-coded"},
               {0xc3, 0, 0, "lossless"},
               {0xc5, 0, 0, "hierarchical"},
               {0xc1, 12, 0, "12-bit"}};
  uint8_t out[6 * 6 * 3];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char expected[256];
    write_frame(cases[i].start, cases[i].precision, cases[i].components);
    snprintf(expected, sizeof expected,
             "%s/kind.jpg is a JPEG file of a kind that is not supported: %s; convert it to RGB "
             "and save it again",
             fixture_folder, cases[i].kind);
    assert_int_equal(gf__image_read(in_folder("kind.jpg"), &fit_, out), GF_ERROR_DATA);
    assert_string_equal(gf_error_message(), expected);
  }
  write_frame(0, 0, 0);
  assert_int_equal(gf__image_read(in_folder("kind.jpg"), &fit_, out), GF_OK);
}

static void a_truncated_jpeg_is_refused(void **state) {
  (void)state;
  static const uint8_t red[] = {200, 30, 40};
  gf__text whole = make_jpeg(40, 40, 3, red), thumbnail = make_jpeg(8, 8, 3, red);
  /* Behind the start a segment with a whole picture in it, as cameras write it. */
  for (int with_thumbnail = 0; with_thumbnail < 2; with_thumbnail++)
    for (size_t cut = 1; cut < 60; cut += 7) {
      gf__text file = {0};
      size_t length = thumbnail.size + 2;
      gf__text_add_bytes(&file, whole.data, 2);
      if (with_thumbnail) {
        uint8_t head[] = {0xff, 0xe1, (uint8_t)(length >> 8), (uint8_t)length};
        gf__text_add_bytes(&file, head, 4);
        gf__text_add_bytes(&file, thumbnail.data, thumbnail.size);
      }
      gf__text_add_bytes(&file, whole.data + 2, whole.size - 2);
      if (cut == 1) {
        write_bytes("b.jpg", file.data, file.size);
        check_colour("b.jpg", red, 3);
      }
      file.size -= cut;
      size_t size = file.size;
      fails_image(&file, "is truncated: its image data do not end within its %zu bytes", size);
    }
  gf__text_free(&whole);
  gf__text_free(&thumbnail);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resampling_equals_the_reference),
      cmocka_unit_test(resampling_does_not_alias),
      IN_FOLDER(kinds_of_files_are_read),
      IN_FOLDER(names_do_not_matter),
      IN_FOLDER(other_files_are_refused),
      IN_FOLDER(sides_keep_within_limits),
      IN_FOLDER(bombs_are_refused),
      IN_FOLDER(a_damaged_png_is_refused),
      IN_FOLDER(jpeg_kinds_that_are_not_supported_are_named),
      IN_FOLDER(a_truncated_jpeg_is_refused),
  };
  return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
