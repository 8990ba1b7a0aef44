#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <float.h>
#include <gradflow/report.h>
#include <math.h>
#include <stb/stb_image.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/os.h"
#include "report/axis.h"
#include "report/canvas.h"
#include "report/legend.h"
#include "report/range.h"
#include "report/table.h"
#include "report/utf8.h"
#include "run/run_records.h"
#include "support/test.h"

static char folder[64]; /* a fresh one for each test */

static int set_up(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/gradflow-report-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  return gf__remove_folder(folder) == GF_OK ? 0 : -1;
}

/* folder/name, valid until the fourth call after this one. */
static const char *in_folder(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static const char *write_file(const char *name, const char *bytes, size_t size) {
  const char *path = in_folder(name);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
  return path;
}

static const char *write_text(const char *name, const char *text) {
  return write_file(name, text, strlen(text));
}

static int files_in(const char *path) {
  int count = 0;
  DIR *dir = opendir(path);
  assert_non_null(dir);
  for (const struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

/* The path stands in the message for each %s. */
static void assert_failed(gf_status status, gf_status expected, const char *format,
                          const char *path) {
  char message[1024];
  snprintf(message, sizeof message, format, path, path);
  assert_int_equal(status, expected);
  assert_string_equal(gf_error_message(), message);
}

static void assert_near(double value, double expected, double tolerance) {
  if (!(fabs(value - expected) <= tolerance)) {
    print_error("%.17g, expected %.17g within %g\n", value, expected, tolerance);
    fail();
  }
}

/* ---- canvas ---- */

static const gf__color white = {255, 255, 255}, black = {0, 0, 0}, red = {255, 0, 0};
static const gf__box everywhere = {0, 0, 1000, 1000};

static gf__canvas *new_canvas(int width, int height) {
  gf__canvas *canvas;
  assert_int_equal(gf__canvas_new(&canvas, width, height), GF_OK);
  return canvas;
}

static bool same_color(gf__color a, gf__color b) { return a.r == b.r && a.g == b.g && a.b == b.b; }

static void assert_pixel(const gf__canvas *canvas, int x, int y, gf__color expected) {
  gf__color found = gf__canvas_pixel(canvas, x, y);
  if (!same_color(found, expected)) {
    print_error("pixel (%d, %d) is %d %d %d, expected %d %d %d\n", x, y, found.r, found.g, found.b,
                expected.r, expected.g, expected.b);
    fail();
  }
}

static void a_rectangle_is_filled(void **state) {
  (void)state;
  gf__canvas *canvas = new_canvas(10, 8);
  gf__canvas_fill(canvas, (gf__box){2, 3, 5, 6}, red);
  for (int y = 0; y < 8; y++)
    for (int x = 0; x < 10; x++)
      assert_pixel(canvas, x, y, x >= 2 && x < 5 && y >= 3 && y < 6 ? red : white);
  gf__canvas_fill(canvas, (gf__box){-1e9, -1e9, 1e9, 1e9}, black);
  assert_pixel(canvas, 0, 0, black);
  assert_pixel(canvas, 9, 7, black);
  gf__canvas_free(&canvas);
  assert_null(canvas);
}

static void a_line_is_drawn(void **state) {
  (void)state;
  gf__canvas *canvas = new_canvas(20, 20);
  gf__point level[] = {{4, 5}, {16, 5}};
  gf__canvas_line(canvas, level, 2, (gf__pen){black, 2, 0, 0}, everywhere);
  for (int x = 4; x < 16; x++) {
    assert_pixel(canvas, x, 3, white);
    assert_pixel(canvas, x, 4, black);
    assert_pixel(canvas, x, 5, black);
    assert_pixel(canvas, x, 6, white);
  }
  /* One pixel wide between two rows: half of each. */
  gf__point between[] = {{4, 12}, {16, 12}};
  gf__canvas_line(canvas, between, 2, (gf__pen){black, 1, 0, 0}, everywhere);
  assert_near(gf__canvas_pixel(canvas, 8, 11).g, 127.5, 1);
  assert_near(gf__canvas_pixel(canvas, 8, 12).g, 127.5, 1);
  assert_pixel(canvas, 8, 13, white);
  gf__canvas_free(&canvas);
}

static void assert_same_pixels(const gf__canvas *a, const gf__canvas *b, int width, int height) {
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) assert_pixel(a, x, y, gf__canvas_pixel(b, x, y));
}

static void joints_and_dashes_ignore_how_a_line_is_cut(void **state) {
  (void)state;
  for (int dashed = 0; dashed < 2; dashed++) {
    gf__canvas *whole = new_canvas(120, 60), *parts = new_canvas(120, 60);
    gf__point points[11];
    for (int i = 0; i <= 10; i++) points[i] = (gf__point){8 + 10 * i, 10 + 4 * i};
    gf__point ends[] = {points[0], points[10]};
    gf__pen pen = {red, 3, 10, dashed ? 9 : 0};
    gf__canvas_line(whole, ends, 2, pen, everywhere);
    gf__canvas_line(parts, points, 11, pen, everywhere);
    assert_pixel(whole, 8, 10, red);
    assert_same_pixels(whole, parts, 120, 60);
    gf__canvas_free(&whole);
    gf__canvas_free(&parts);
  }
}

static void dashes_are_drawn(void **state) {
  (void)state;
  gf__canvas *canvas = new_canvas(60, 10);
  gf__point points[] = {{0, 5}, {60, 5}};
  gf__canvas_line(canvas, points, 2, (gf__pen){black, 2, 10, 10}, everywhere);
  for (int x = 0; x < 60; x += 20) {
    assert_pixel(canvas, x + 5, 5, black);
    assert_pixel(canvas, x + 15, 5, white);
  }
  gf__canvas_free(&canvas);
}

static void drawing_keeps_within_its_clip(void **state) {
  (void)state;
  gf__canvas *canvas = new_canvas(40, 40);
  gf__box clip = {10, 10, 30, 30};
  gf__point steep[] = {{20, -1e6}, {20, 1e6}}, outside[] = {{-500, -10}, {500, -10}};
  gf__canvas_line(canvas, steep, 2, (gf__pen){red, 4, 10, 2}, clip);
  gf__canvas_line(canvas, outside, 2, (gf__pen){red, 4, 0, 0}, clip);
  gf__canvas_dot(canvas, (gf__point){30, 30}, 5, red, clip);
  bool drawn = false;
  for (int y = 0; y < 40; y++)
    for (int x = 0; x < 40; x++) {
      bool inside = x >= 10 && x < 30 && y >= 10 && y < 30;
      if (!inside) assert_pixel(canvas, x, y, white);
      drawn |= same_color(gf__canvas_pixel(canvas, x, y), red);
    }
  assert_true(drawn);
  assert_pixel(canvas, 28, 28, red);
  gf__canvas_free(&canvas);
}

/* The box of all pixels that are not white. */
static gf__box ink_box(const gf__canvas *canvas, int width, int height) {
  gf__box box = {width, height, 0, 0};
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      if (!same_color(gf__canvas_pixel(canvas, x, y), white))
        box = (gf__box){fmin(box.left, x), fmin(box.top, y), fmax(box.right, x + 1),
                        fmax(box.bottom, y + 1)};
  return box;
}

static void text_turns_by_a_right_angle(void **state) {
  (void)state;
  enum { SIDE = 120 };
  gf__canvas *upright = new_canvas(SIDE, SIDE), *turned = new_canvas(SIDE, SIDE);
  gf__text_style style = {.size = 20, .color = black};
  gf__canvas_text(upright, (gf__point){10, 30}, style, "Fig. 10⁻⁸");
  style.turned = true;
  gf__canvas_text(turned, (gf__point){30, SIDE - 10}, style, "Fig. 10⁻⁸");
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++)
      assert_pixel(turned, y, SIDE - 1 - x, gf__canvas_pixel(upright, x, y));
  /* An F rises 0.73 em over its base line in this font; g and the rest stay within one em. */
  gf__box ink = ink_box(upright, SIDE, SIDE);
  assert_near(ink.left, 12, 1);
  assert_near(ink.top, 30 - 0.73 * 20, 2);
  assert_true(ink.bottom > 31 && ink.bottom < 38);
  gf__canvas_free(&upright);
  gf__canvas_free(&turned);
}

static void text_aligns(void **state) {
  (void)state;
  for (int align = GF__ALIGN_START; align <= GF__ALIGN_END; align++) {
    gf__canvas *canvas = new_canvas(200, 40);
    gf__text_style style = {.size = 20, .color = black, .align = (gf__text_align)align};
    gf__canvas_text(canvas, (gf__point){100, 30}, style, "HHHH");
    double length = gf__canvas_text_length(canvas, 20, "HHHH");
    gf__box ink = ink_box(canvas, 200, 40);
    assert_near((ink.left + ink.right) / 2, 100 + length / 2 - length * align / 2, 1.5);
    assert_near(ink.right - ink.left, length, 5); /* less the room at both sides of an H */
    gf__canvas_free(&canvas);
  }
}

static void a_text_has_its_length(void **state) {
  (void)state;
  gf__canvas *canvas = new_canvas(1, 1);
  double one = gf__canvas_text_length(canvas, 20, "H");
  assert_true(one > 10 && one < 20);
  assert_near(gf__canvas_text_length(canvas, 20, "HHHHHHHHHH"), 10 * one, 1e-6);
  assert_near(gf__canvas_text_length(canvas, 40, "H"), 2 * one, 1e-3);
  assert_near(gf__canvas_text_length(canvas, 20, ""), 0, 0);
  double replacement = gf__canvas_text_length(canvas, 20, "\xef\xbf\xbd");
  assert_near(gf__canvas_text_length(canvas, 20, "\xff"), replacement, 0);
  assert_near(gf__canvas_text_length(canvas, 20, "\xe2\x81"), 2 * replacement, 1e-6);

  char out[64];
  gf__text_fit(canvas, 20, 10 * one, "HHHHHHHHHH", out, sizeof out);
  assert_string_equal(out, "HHHHHHHHHH");
  double more = gf__canvas_text_length(canvas, 20, "…");
  gf__text_fit(canvas, 20, 3.5 * one + more, "HHHHHHHHHH", out, sizeof out);
  assert_string_equal(out, "HHH…");
  gf__text_fit(canvas, 20, 0, "HHH", out, sizeof out);
  assert_string_equal(out, "…");
  gf__text_fit(canvas, 20, INFINITY, "€€€€€", out, 10); /* 3 bytes each, and 4 for the end */
  assert_string_equal(out, "€€…");
  gf__canvas_free(&canvas);
}

static void sizes_of_a_canvas_are_checked(void **state) {
  (void)state;
  static const struct {
    int width, height;
  } wrong[] = {{0, 5}, {5, 0}, {-1, 5}, {32769, 1}, {1, 32769}, {32768, 8193}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char message[256];
    snprintf(message, sizeof message,
             "a picture of %d x %d pixels: each side must be 1 to 32768, and the area at most "
             "268435456; draw fewer or smaller charts",
             wrong[i].width, wrong[i].height);
    gf__canvas *canvas;
    assert_failed(gf__canvas_new(&canvas, wrong[i].width, wrong[i].height), GF_ERROR_ARGUMENT, "%s",
                  message);
    assert_null(canvas);
  }
}

/* ---- axis ---- */

/* The labels of the numbered ticks with blanks between them. */
static const char *labels(const gf__axis *axis) {
  static char text[2048];
  size_t used = 0;
  text[0] = 0;
  for (int i = 0; i < axis->count; i++)
    if (*axis->ticks[i].label)
      used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? " " : "",
                               axis->ticks[i].label);
  return text;
}

static void linear_axes_have_round_ticks(void **state) {
  (void)state;
  static const struct {
    double min, max;
    int most;
    double low, high;
    const char *labels;
  } cases[] = {
      {0, 4.6, 6, 0, 5, "0 1 2 3 4 5"},
      {0.021, 0.068, 6, 0.02, 0.07, "0.02 0.03 0.04 0.05 0.06 0.07"},
      {-1, 1, 5, -1, 1, "-1.0 -0.5 0 0.5 1.0"},
      {4.6049, 4.6081, 5, 4.604, 4.609, "4.604 4.605 4.606 4.607 4.608 4.609"},
      {0, 3e-8, 4, 0, 3e-8, "0 1×10⁻⁸ 2×10⁻⁸ 3×10⁻⁸"},
      {0, 2.5e6, 5, 0, 2.5e6, "0 0.5×10⁶ 1.0×10⁶ 1.5×10⁶ 2.0×10⁶ 2.5×10⁶"},
      {0, 100, 10, 0, 100, "0 10 20 30 40 50 60 70 80 90 100"},
      {12, 990, 5, 0, 1000, "0 200 400 600 800 1000"},
      {5, 5, 6, 4.4, 5.6, "4.4 4.6 4.8 5.0 5.2 5.4 5.6"},
      {0, 0, 4, -1, 1, "-1.0 -0.5 0 0.5 1.0"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf__axis axis = gf__axis_linear(cases[i].min, cases[i].max, cases[i].most);
    assert_string_equal(labels(&axis), cases[i].labels);
    double size = cases[i].high - cases[i].low;
    assert_near(axis.low, cases[i].low, 1e-9 * size);
    assert_near(axis.high, cases[i].high, 1e-9 * size);
    assert_near(axis.ticks[0].at, 0, 1e-9);
    assert_near(axis.ticks[axis.count - 1].at, 1, 1e-9);
  }
}

static void whole_and_snug_axes_have_their_ends(void **state) {
  (void)state;
  gf__axis axis = gf__axis_whole(1, 100, 12);
  assert_string_equal(labels(&axis), "10 20 30 40 50 60 70 80 90 100");
  assert_near(axis.ticks[0].at, 9.0 / 99, 1e-12);
  axis = gf__axis_whole(1, 4, 20);
  assert_string_equal(labels(&axis), "1 2 3 4");
  axis = gf__axis_whole(7, 7, 5);
  assert_string_equal(labels(&axis), "7");
  assert_near(axis.ticks[0].at, 0.5, 1e-12);
  axis = gf__axis_snug(0.1, 0.9, 5);
  assert_string_equal(labels(&axis), "0.2 0.4 0.6 0.8");
  assert_near(axis.low, 0.1, 0);
  assert_near(axis.high, 0.9, 0);
}

static void log_axes_have_powers_for_ticks(void **state) {
  (void)state;
  gf__axis axis = gf__axis_log(3e-5, 0.2, 12);
  assert_string_equal(labels(&axis), "10⁻⁵ 10⁻⁴ 10⁻³ 10⁻² 10⁻¹ 10⁰");
  assert_int_equal(axis.count, 5 * 9 + 1);
  assert_near(gf__axis_place(&axis, 1e-2), 0.6, 1e-12);
  axis = gf__axis_log(1e-30, 1e-4, 8);
  assert_string_equal(labels(&axis), "10⁻³⁰ 10⁻²⁵ 10⁻²⁰ 10⁻¹⁵ 10⁻¹⁰ 10⁻⁵");
  assert_near(axis.low, -30, 0);
  assert_near(axis.high, -4, 0);
  axis = gf__axis_log(0.02, 0.05, 8);
  assert_string_equal(labels(&axis), "10⁻² 2×10⁻² 5×10⁻² 10⁻¹");
  axis = gf__axis_log(1e-3, 1e-3, 8);
  assert_near(gf__axis_place(&axis, 1e-3), 0.5, 1e-12);
  axis = gf__axis_log(4.9406564584124654e-324, DBL_MAX, 8);
  assert_near(axis.low, -324, 0);
  assert_near(axis.high, 309, 0);
  assert_string_equal(labels(&axis), "10⁻³⁰⁰ 10⁻²⁰⁰ 10⁻¹⁰⁰ 10⁰ 10¹⁰⁰ 10²⁰⁰ 10³⁰⁰");
}

static void values_have_their_places(void **state) {
  (void)state;
  gf__axis line = gf__axis_linear(0, 10, 5), log = gf__axis_log(1, 100, 5);
  assert_near(gf__axis_place(&line, 2.5), 0.25, 1e-12);
  assert_near(gf__axis_place(&line, -10), -1, 1e-12);
  assert_true(isnan(gf__axis_place(&line, NAN)));
  assert_true(isnan(gf__axis_place(&line, INFINITY)));
  assert_false(isnan(gf__axis_place(&line, 0)));
  assert_true(isnan(gf__axis_place(&log, 0)));
  assert_true(isnan(gf__axis_place(&log, -1)));
}

static void extreme_axes_are_drawn(void **state) {
  (void)state;
  static const double ends[][2] = {
      {-DBL_MAX, DBL_MAX}, {DBL_MAX, DBL_MAX},       {0, DBL_MIN},
      {1e16, 1e16 + 2},    {1e-289, 1.0000002e-289}, {-5e-324, 5e-324}};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    for (int most = 1; most < 20; most += 6) {
      gf__axis axis = gf__axis_linear(ends[i][0], ends[i][1], most);
      assert_true(isfinite(axis.low) && isfinite(axis.high) && axis.low < axis.high);
      assert_true(axis.count >= 2 && axis.count <= most + 2);
      for (int k = 0; k < axis.count; k++) {
        assert_true(axis.ticks[k].at > -1e-6 && axis.ticks[k].at < 1 + 1e-6);
        assert_true(strlen(axis.ticks[k].label) > 0);
        if (k) assert_string_not_equal(axis.ticks[k].label, axis.ticks[k - 1].label);
      }
    }
}

/* ---- CSV ---- */

static const gf__csv_column name_and_value[] = {{"name", true}, {"value", false}};

static void a_csv_is_read(void **state) {
  (void)state;
  const char *path = write_text("a.csv",
                                "value,other,name\r\n1.5,x,first\r\n-2e-45,,second\r\n"
                                "nan,,\r\ninf,y,fourth\r\n7,to");
  gf__csv csv;
  assert_int_equal(gf__csv_read(&csv, path, name_and_value, 2), GF_OK);
  assert_int_equal(csv.rows, 4); /* the fifth was cut off */
  assert_string_equal(csv.texts[0][0], "first");
  assert_string_equal(csv.texts[0][1], "second");
  assert_string_equal(csv.texts[0][2], "");
  assert_null(csv.numbers[0]);
  assert_null(csv.texts[1]);
  assert_near(csv.numbers[1][0], 1.5, 0);
  assert_near(csv.numbers[1][1], -2e-45, 0);
  assert_true(isnan(csv.numbers[1][2]));
  assert_true(isinf(csv.numbers[1][3]));
  gf__csv_free(&csv);
  assert_null(csv.content);

  path = write_text("b.csv", "name,value\n");
  assert_int_equal(gf__csv_read(&csv, path, name_and_value, 2), GF_OK);
  assert_int_equal(csv.rows, 0);
  gf__csv_free(&csv);
}

/* Cells in quotes, by RFC 4180, and that what is written so is read again. */
static void quoted_cells_are_read(void **state) {
  (void)state;
  static const char *const names[] = {"a,b", "say \"a\"", "two\nlines", "plain", "\"", "\r\n,"};
  enum { NAMES = sizeof names / sizeof *names };
  const char *path = write_text("quoted.csv",
                                "name,\"value\"\r\n\"a,b\",\"1\"\r\n\"say \"\"a\"\"\",2\r\n"
                                "\"two\nlines\",3\nplain,4\n\"\"\"\",5\n\"\r\n,\",\"6\"\r\n");
  gf__text written = {0};
  gf__csv csv;
  for (int round = 0; round < 2; round++) {
    assert_int_equal(gf__csv_read(&csv, path, name_and_value, 2), GF_OK);
    assert_int_equal(csv.rows, NAMES);
    for (int i = 0; i < NAMES; i++) {
      assert_string_equal(csv.texts[0][i], names[i]);
      assert_near(csv.numbers[1][i], i + 1, 0);
    }
    gf__csv_free(&csv);
    gf__text_free(&written);
    gf__text_add(&written, "name,value\n");
    for (int i = 0; i < NAMES; i++) {
      gf__csv_add_text(&written, names[i]);
      gf__text_add(&written, ",%d\n", i + 1);
    }
    path = write_text("written.csv", written.data);
  }
  gf__text_free(&written);
}

static void a_broken_csv_is_refused(void **state) {
  (void)state;
#define BYTES(text) text, sizeof text - 1
  static const struct {
    const char *content;
    size_t size;
    const char *message;
  } cases[] = {
      {BYTES(""), "%s: no header line; the file is empty or was cut off"},
      {BYTES("name,value"), "%s: no header line; the file is empty or was cut off"},
      {BYTES("name,valu\n"), "%s:1: no column 'value' among the 2; is this the right file?"},
      {BYTES("name,value,name\n"), "%s:1: the column 'name' stands twice"},
      {BYTES("name,value\na,1\nb\n"), "%s:3: 1 cells, but the header has 2"},
      {BYTES("name,value\na,1,2\n"), "%s:2: 3 cells, but the header has 2"},
      {BYTES("name,value\na,1\n\nb,2\n"), "%s:3: 1 cells, but the header has 2"},
      {BYTES("name,value\na,1x\n"), "%s:2: '1x' in the column 'value' is not a number"},
      {BYTES("name,value\na,\n"), "%s:2: '' in the column 'value' is not a number"},
      {BYTES("name,value\na, 1\n"), "%s:2: ' 1' in the column 'value' is not a number"},
      {BYTES("name,value\na,1\nb\0,2\n"),
       "%s:3: a NUL byte; this is not a CSV file, or it is damaged"},
      {BYTES("name,value\n\"a\0\",2\n"),
       "%s:2: a NUL byte; this is not a CSV file, or it is damaged"},
      {BYTES("name,value\n\"a,1\n"), "%s:3: a quote is not closed at the end of its cell"},
      {BYTES("name,value\n\"a\"b,1\n"), "%s:2: a quote is not closed at the end of its cell"},
  };
#undef BYTES
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *path = write_file("c.csv", cases[i].content, cases[i].size);
    gf__csv csv;
    assert_failed(gf__csv_read(&csv, path, name_and_value, 2), GF_ERROR_DATA, cases[i].message,
                  path);
    assert_null(csv.content);
  }
  char wide[200];
  memset(wide, ',', sizeof wide);
  wide[sizeof wide - 1] = '\n';
  gf__csv csv;
  const char *path = write_file("d.csv", wide, sizeof wide);
  assert_failed(gf__csv_read(&csv, path, name_and_value, 2), GF_ERROR_DATA,
                "%s:1: more than 64 columns", path);
  assert_failed(gf__csv_read(&csv, in_folder("none"), name_and_value, 2), GF_ERROR_FILE,
                "cannot open %s: No such file or directory", in_folder("none"));
  assert_failed(gf__csv_read(&csv, path, name_and_value, 0), GF_ERROR_ARGUMENT,
                "0 columns were asked of %s: must be 1 to 64", path);
}

/* ---- tables ---- */

static void a_table_aligns_its_columns(void **state) {
  (void)state;
  static const gf__table_column columns[] = {{"layer", false}, {"count", true}, {"note", false}};
  gf__table table = {.columns = columns, .column_count = 3};
  gf__table_add(&table, "%s", "conv");
  gf__table_add(&table, "%d", 9);
  gf__table_add(&table, "%s", "größe");
  gf__table_add(&table, "%s", "linear_logits");
  gf__table_add(&table, "%d", 1234567);
  gf__table_add(&table, "%s", "");
  gf__text text = {0};
  assert_int_equal(gf__table_text(&table, 80, &text), GF_OK);
  assert_string_equal(text.data,
                      "layer            count  note\n"
                      "-------------  -------  -----\n"
                      "conv                 9  größe\n"
                      "linear_logits  1234567  \n");
  gf__text_free(&text);
  assert_int_equal(gf__table_text(&table, 26, &text), GF_OK);
  assert_string_equal(text.data,
                      "layer         count  note\n"
                      "----------  -------  -----\n"
                      "conv              9  größe\n"
                      "linear_lo…  1234567  \n");
  gf__text_free(&text);
  gf__table_add(&table, "one more");
  assert_failed(gf__table_text(&table, 80, &text), GF_ERROR_ARGUMENT,
                "7 cells do not fill the rows of a table of 3 columns", "");
  gf__table_free(&table);
  assert_int_equal(gf__table_text(&table, 80, &text), GF_OK);
  assert_string_equal(text.data, "layer  count  note\n-----  -----  ----\n");
  gf__text_free(&text);
}

static void a_table_shortens_and_cleans(void **state) {
  (void)state;
  static const gf__table_column columns[] = {{"a", false}, {"b", false}};
  gf__table table = {.columns = columns, .column_count = 2};
  gf__table_add(&table, "%s", "日本語日本語日本語"); /* 18 columns */
  gf__table_add(&table, "%s", "\x1b[31mred alert");  /* 14 columns */
  gf__text text = {0};
  assert_int_equal(gf__table_text(&table, 10, &text), GF_OK); /* no column falls below 8 */
  assert_string_equal(text.data,
                      "a         b\n"
                      "--------  --------\n"
                      "日本語…   \xef\xbf\xbd[31mre…\n");
  gf__text_free(&text);
  gf__table_free(&table);
}

static void utf8_is_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint32_t code;
    int bytes, columns;
  } cases[] = {
      {"a", 'a', 1, 1},
      {"é", 0xe9, 2, 1},
      {"⁻", 0x207b, 3, 1},
      {"日", 0x65e5, 3, 2},
      {"😀", 0x1f600, 4, 2},
      {"\xcc\x81", 0x301, 2, 0},
      {"\x80", 0xfffd, 1, 1},
      {"\xc0\xaf", 0xfffd, 1, 2},
      {"\xed\xa0\x80", 0xfffd, 1, 3},
      {"\xf4\x90\x80\x80", 0xfffd, 1, 4},
      {"\n", 0xfffd, 1, 1},
      {"\xc2\x85", 0xfffd, 2, 1},
      {"\xe2\x81", 0xfffd, 1, 2},
      {"", 0, 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *text = cases[i].text;
    assert_int_equal(gf__utf8_next(&text), cases[i].code);
    assert_int_equal(text - cases[i].text, cases[i].bytes);
    assert_int_equal(gf__utf8_width(cases[i].text), cases[i].columns);
  }
}

/* ---- charts, read back from their PNGs ---- */

typedef struct picture {
  int width, height;
  uint8_t *rgb;
  int left, top, right, bottom; /* of the plot, by its frame */
} picture;

static const gf__color blue = {0x00, 0x72, 0xb2}, vermillion = {0xd5, 0x5e, 0x00},
                       frame = {0x55, 0x55, 0x55};

static gf__color pixel(const picture *p, int x, int y) {
  const uint8_t *bytes = p->rgb + 3 * (y * p->width + x);
  return (gf__color){bytes[0], bytes[1], bytes[2]};
}

static picture read_picture(const char *path) {
  int channels;
  picture p = {0};
  p.rgb = stbi_load(path, &p.width, &p.height, &channels, 3);
  assert_non_null(p.rgb);
  assert_int_equal(channels, 3);
  return p;
}

static int count_in_box(const picture *p, int left, int top, int right, int bottom,
                        gf__color color) {
  int count = 0;
  for (int y = top; y < bottom; y++)
    for (int x = left; x < right; x++) count += same_color(pixel(p, x, y), color);
  return count;
}

/* Finds the frame of a single chart: the last long row and the last long column of its colour. */
static picture read_chart(const char *path) {
  picture p = read_picture(path);
  for (int y = 0; y < p.height; y++)
    if (count_in_box(&p, 0, y, p.width, y + 1, frame) > p.width / 2) p.bottom = y;
  for (int x = 0; x < p.width; x++) {
    if (count_in_box(&p, x, 0, x + 1, p.height, frame) > p.height / 4) p.left = x;
    if (same_color(pixel(&p, x, p.bottom), frame)) p.right = x + 1;
  }
  /* A line that begins at the frame hides a few pixels of it. */
  p.top = p.bottom;
  for (int y = p.bottom; y > p.top - 12; y--)
    if (same_color(pixel(&p, p.left - 1, y), frame)) p.top = y;
  assert_true(p.right - p.left > p.width / 2 && p.bottom - p.top > p.height / 4);
  return p;
}

/* Pixels of the colour within 3 of the place, given as parts of the plot. */
static int count_near(const picture *p, double x, double y, gf__color color) {
  int px = (int)(p->left + x * (p->right - p->left)),
      py = (int)(p->bottom - y * (p->bottom - p->top));
  return count_in_box(p, px - 3, py - 3, px + 4, py + 4, color);
}

static int count_in_plot(const picture *p, gf__color color) {
  return count_in_box(p, p->left - 2, p->top - 2, p->right + 2, p->bottom + 2, color);
}

static picture draw(gf_chart chart) {
  const char *path = in_folder("chart.png");
  assert_int_equal(gf_charts_write(path, &chart, 1, 1), GF_OK);
  picture p = read_chart(path);
  assert_int_equal(p.width, chart.width ? chart.width : 1200);
  assert_int_equal(p.height, chart.height ? chart.height : 800);
  return p;
}

static void values_are_where_the_axis_says(void **state) {
  (void)state;
  double low[] = {2, 2, 2, 2, 2}, high[] = {7.5, 7.5, 7.5, 7.5, 7.5}, x[] = {0, 1, 2, 3, 4};
  gf_series series[] = {
      {.name = "low", .y = low, .count = 5, .shade = 1, .hue = 0},
      {.name = "high", .x = x, .y = high, .count = 5, .shade = 1, .hue = 1, .dashed = 1}};
  picture p = draw((gf_chart){.title = "t",
                              .x_label = "x",
                              .y_label = "y",
                              .note = "n",
                              .series = series,
                              .count = 2,
                              .y_min = 0,
                              .y_max = 10});
  for (int i = 1; i < 10; i++) assert_true(count_near(&p, i / 10.0, 0.2, blue) >= 14);
  int row = (int)(p.bottom - 0.75 * (p.bottom - p.top));
  int dashes = count_in_box(&p, p.left, row, p.right, row + 1, vermillion);
  /* Of each period of 19 the dash of 10 and its round ends are drawn. */
  assert_near(dashes / (double)(p.right - p.left), 12.0 / 19, 0.1);
  /* Nothing of them elsewhere in the plot. */
  assert_true(count_in_plot(&p, blue) <= 4 * (p.right - p.left));
  assert_int_equal(count_near(&p, 0.5, 0.5, blue) + count_near(&p, 0.5, 0.5, vermillion), 0);
  stbi_image_free(p.rgb);
}

static void a_slope_is_drawn(void **state) {
  (void)state;
  double y[] = {0, 10}, x[] = {10, 20};
  gf_series series = {.x = x, .y = y, .count = 2, .shade = 1};
  picture p = draw((gf_chart){.series = &series, .count = 1});
  for (int i = 1; i < 10; i++) {
    assert_true(count_near(&p, i / 10.0, i / 10.0, blue) >= 5);
    if (i != 5) assert_int_equal(count_near(&p, i / 10.0, 1 - i / 10.0, blue), 0);
  }
  stbi_image_free(p.rgb);
}

static void a_log_axis_leaves_out_zeros(void **state) {
  (void)state;
  double y[] = {1e-2, 1e-2, 0, 1e-2, 1e-2, -1, 1e-2};
  gf_series series = {.y = y, .count = 7, .shade = 1};
  picture p =
      draw((gf_chart){.series = &series, .count = 1, .log_y = 1, .y_min = 1e-4, .y_max = 1});
  assert_true(count_near(&p, 0.5 / 6, 0.5, blue) >= 14);
  assert_true(count_near(&p, 3.5 / 6, 0.5, blue) >= 14);
  assert_int_equal(count_near(&p, 2.0 / 6, 0.5, blue), 0);
  assert_int_equal(count_near(&p, 1.5 / 6, 0.5, blue), 0);
  assert_int_equal(count_near(&p, 5.0 / 6, 0.5, blue), 0);
  assert_true(count_near(&p, 0.999, 0.5, blue) >= 14); /* alone between gaps: a dot */
  stbi_image_free(p.rgb);
}

static void values_that_are_no_numbers_are_gaps(void **state) {
  (void)state;
  double y[] = {5, 5, NAN, 5, INFINITY, 5, 5}, x[] = {0, 1, 2, 3, 4, NAN, 6};
  gf_series series = {.x = x, .y = y, .count = 7, .shade = 1};
  picture p = draw((gf_chart){.series = &series, .count = 1, .y_max = 10});
  assert_true(count_near(&p, 0.5 / 6, 0.5, blue) >= 14);
  assert_int_equal(count_near(&p, 2.0 / 6, 0.5, blue), 0);
  assert_true(count_near(&p, 3.0 / 6, 0.5, blue) >= 30); /* a dot */
  assert_int_equal(count_near(&p, 4.0 / 6, 0.5, blue), 0);
  assert_int_equal(count_near(&p, 5.0 / 6, 0.5, blue), 0);
  stbi_image_free(p.rgb);
}

static void a_chart_may_have_little_to_draw(void **state) {
  (void)state;
  double nothing[] = {NAN, NAN}, zeros[] = {0, 0}, y[] = {3, 3, 3};
  gf_series none = {.name = "none"}, missing = {.name = "missing", .y = nothing, .count = 2},
            zero = {.y = zeros, .count = 2}, one = {.y = y, .count = 1, .shade = 1},
            constant = {.y = y, .count = 3, .shade = 1};
  gf_chart empty[] = {{.title = "no series"},
                      {.series = &none, .count = 1},
                      {.series = &missing, .count = 1},
                      {.series = &zero, .count = 1, .log_y = 1}};
  for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
    picture p = draw(empty[i]);
    int x = (p.left + p.right) / 2, y0 = (p.top + p.bottom) / 2;
    assert_true(count_in_box(&p, x - 90, y0 - 20, x + 90, y0 + 8, frame) > 50); /* the words */
    stbi_image_free(p.rgb);
  }
  picture p = draw((gf_chart){.series = &one, .count = 1});
  assert_true(count_near(&p, 0.5, 0.5, blue) >= 30);
  assert_int_equal(count_near(&p, 0.4, 0.5, blue), 0);
  stbi_image_free(p.rgb);
  p = draw((gf_chart){.series = &constant, .count = 1});
  for (int i = 1; i < 10; i++) assert_true(count_near(&p, i / 10.0, 0.5, blue) >= 14);
  stbi_image_free(p.rgb);
}

static void huge_values_are_drawn(void **state) {
  (void)state;
  double y[] = {-DBL_MAX, DBL_MAX, -1e300, 1e300, 0}, over[] = {0, 1e300, 0, 0, 0};
  gf_series series[] = {{.y = y, .count = 5, .shade = 1, .hue = 0},
                        {.y = over, .count = 5, .shade = 1, .hue = 1, .dashed = 1}};
  picture p = draw((gf_chart){.series = series, .count = 2});
  assert_true(count_in_plot(&p, blue) > 500);
  stbi_image_free(p.rgb);
  /* Far beyond a fixed range: cut at the frame. */
  p = draw((gf_chart){.series = series, .count = 2, .y_min = -1, .y_max = 1});
  assert_true(count_in_box(&p, 0, 0, p.width, p.height, vermillion) > 1000);
  assert_int_equal(count_in_box(&p, 0, 0, p.width, 25, vermillion), 0); /* the margin is 30 */
  assert_int_equal(count_in_box(&p, p.left, p.bottom + 3, p.width, p.height, blue), 0);
  stbi_image_free(p.rgb);
}

static void shades_run_from_light_to_dark(void **state) {
  (void)state;
  double y[3][2] = {{1, 1}, {2, 2}, {3, 3}};
  gf_series series[3];
  for (int i = 0; i < 3; i++) series[i] = (gf_series){.y = y[i], .count = 2, .shade = (float)i / 2};
  picture p = draw((gf_chart){.series = series, .count = 3, .y_max = 4});
  int last = 256;
  for (int i = 0; i < 3; i++) {
    int row = (int)(p.bottom - (i + 1) / 4.0 * (p.bottom - p.top));
    int red_part = pixel(&p, (p.left + p.right) / 2 + 7, row).r;
    assert_true(red_part < last - 40);
    last = red_part;
  }
  assert_int_equal(last, blue.r);
  stbi_image_free(p.rgb);
}

static void a_reference_line_is_drawn(void **state) {
  (void)state;
  double y[] = {1, 1};
  gf_series series = {.y = y, .count = 2, .shade = 1};
  gf_chart chart = {.series = &series,
                    .count = 1,
                    .log_y = 1,
                    .y_min = 1e-10,
                    .y_max = 1,
                    .reference = 1e-8,
                    .reference_name = "eps"};
  picture p = draw(chart);
  int row = (int)(p.bottom - 0.2 * (p.bottom - p.top));
  assert_true(count_in_box(&p, p.left + 60, row - 1, p.right, row + 2, frame) > 300);
  stbi_image_free(p.rgb);
  chart.y_min = 1e-6;
  p = draw(chart);
  assert_int_equal(count_in_box(&p, p.left + 1, p.top, p.right, p.bottom - 2, frame), 0);
  stbi_image_free(p.rgb);
}

static void many_names_stay_apart(void **state) {
  (void)state;
  enum { COUNT = 200 };
  static char names[COUNT][24];
  const char *pointers[COUNT];
  double y[COUNT];
  for (int i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof names[i], "block %d conv", i);
    pointers[i] = names[i];
    y[i] = i;
  }
  gf_series series = {.y = y, .count = COUNT, .shade = 1};
  picture p =
      draw((gf_chart){.series = &series, .count = 1, .x_names = pointers, .x_name_count = COUNT});
  int runs = 0, widest = 0, width = 0;
  for (int x = p.left; x < p.width; x++) {
    int ink = 0;
    for (int row = p.bottom + 3; row < p.height; row++)
      ink += !same_color(pixel(&p, x, row), white);
    runs += ink && !width;
    width = ink ? width + 1 : 0;
    widest = width > widest ? width : widest;
  }
  /* The plot is some 1090 pixels wide, 5.5 a name; a name needs 1.1 em, 19.8. So every fourth one
   * stands, 0 to 192, and the last, 199; no such name is an em high. */
  assert_true(widest >= 10 && widest <= 19);
  assert_true(p.right - p.left > 1000 && p.right - p.left < 1130);
  assert_int_equal(runs, 49 + 1);
  assert_true(count_near(&p, 0.5 / COUNT, 0.002, blue) > 3);
  stbi_image_free(p.rgb);

  /* Names far too long are cut, and leave room for the plot. */
  char longest[600];
  memset(longest, 'w', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  const char *two[] = {longest, "short"};
  gf_series both = {.name = longest, .y = y, .count = 2, .shade = 1};
  p = draw((gf_chart){.title = longest,
                      .note = longest,
                      .x_label = longest,
                      .y_label = longest,
                      .series = &both,
                      .count = 1,
                      .x_names = two,
                      .x_name_count = 2});
  assert_true(p.bottom - p.top > 250);
  stbi_image_free(p.rgb);
}

static void many_names_fit_the_legend(void **state) {
  (void)state;
  enum { COUNT = 300 };
  static gf_series series[COUNT];
  double y[] = {1, 2};
  for (int i = 0; i < COUNT; i++)
    series[i] =
        (gf_series){.name = "a run of some length", .y = y, .count = 2, .shade = 1, .hue = i};
  picture p = draw((gf_chart){.series = series, .count = COUNT});
  assert_true(p.bottom - p.top > 350);
  stbi_image_free(p.rgb);
}

static void charts_form_a_grid(void **state) {
  (void)state;
  gf_chart charts[] = {{.title = "a"},
                       {.title = "b", .width = 400, .height = 300},
                       {.title = "c", .width = 500, .height = 900}};
  const char *path = in_folder("grid.png");
  assert_int_equal(gf_charts_write(path, charts, 3, 2), GF_OK);
  picture p = read_picture(path);
  assert_int_equal(p.width, 1200 + 400);
  assert_int_equal(p.height, 800 + 900);
  /* The second stands at the top right, and below it nothing. */
  assert_true(count_in_box(&p, 1200, 0, 1600, 300, frame) > 300);
  assert_int_equal(count_in_box(&p, 1200, 300, 1600, 1700, white), 400 * 1400);
  assert_true(count_in_box(&p, 0, 800, 500, 1700, frame) > 500);
  stbi_image_free(p.rgb);
  assert_int_equal(gf_charts_write(path, charts, 3, 100), GF_OK);
  p = read_picture(path);
  assert_int_equal(p.width, 1200 + 400 + 500);
  assert_int_equal(p.height, 900);
  stbi_image_free(p.rgb);
}

static void wrong_charts_are_refused(void **state) {
  (void)state;
  gf_series series = {.count = 2};
  const struct {
    gf_chart chart;
    const char *message;
  } cases[] = {
      {{.title = "t", .width = 100},
       "%s: the chart 't' of 100 x 800 pixels: must be 320 x 240 to 16384 x 16384"},
      {{.height = 20000},
       "%s: the chart 'without a title' of 1200 x 20000 pixels: must be 320 x 240 to 16384 x "
       "16384"},
      {{.title = "t", .count = 1}, "%s: the chart 't' has 1 series and 0 names of x"},
      {{.title = "t", .series = &series, .count = 1}, "%s: series 0 of the chart 't' has 2 values"},
      {{.title = "t", .y_min = 2, .y_max = 1}, "%s: the chart 't' cannot show y from 2 to 1"},
      {{.title = "t", .y_max = 1, .log_y = 1},
       "%s: the chart 't' cannot show y from 0 to 1 on a log axis"},
      {{.title = "t", .y_max = INFINITY}, "%s: the chart 't' cannot show y from 0 to inf"},
  };
  const char *path = in_folder("wrong.png");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_failed(gf_charts_write(path, &cases[i].chart, 1, 1), GF_ERROR_ARGUMENT, cases[i].message,
                  path);
  gf_chart chart = {.title = "t"};
  assert_failed(gf_charts_write(path, &chart, 0, 1), GF_ERROR_ARGUMENT,
                "%s: 0 charts in 1 columns: must be 1 to 1024 in at least 1", path);
  assert_failed(gf_charts_write(path, &chart, 1, 0), GF_ERROR_ARGUMENT,
                "%s: 1 charts in 0 columns: must be 1 to 1024 in at least 1", path);
  assert_int_equal(files_in(folder), 0);
}

static void paths_that_cannot_be_written_are_named(void **state) {
  (void)state;
  gf_chart chart = {.title = "t", .width = 320, .height = 240};
  char message[512];
  const char *path = in_folder("missing/a.png");
  snprintf(message, sizeof message, "cannot create %s: No such file or directory", path);
  assert_failed(gf_charts_write(path, &chart, 1, 1), GF_ERROR_FILE, "%s", message);
  assert_int_equal(files_in(folder), 0);

  path = in_folder("taken.png"); /* a folder stands there */
  assert_int_equal(mkdir(path, 0777), 0);
  snprintf(message, sizeof message, "cannot replace %s: Is a directory", path);
  assert_failed(gf_charts_write(path, &chart, 1, 1), GF_ERROR_FILE, "%s", message);
  assert_int_equal(files_in(folder), 1);
}

/* ---- run folders ---- */

static const char metrics_header[] =
    "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds,"
    "images_per_second\n";
static const char gradients_header[] =
    "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n";

/* A run whose train loss is always 1, its validation loss 4, its accuracies 0.25 and 0.75. */
static const char *make_run(const char *name, int epochs, const char *gradients) {
  char text[8192], file[64];
  const char *path = in_folder(name);
  assert_int_equal(mkdir(path, 0777), 0);
  size_t used = (size_t)snprintf(text, sizeof text, "%s", metrics_header);
  for (int i = 1; i <= epochs; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%d,1e-3,1,0.25,4,0.75,9,100\n", i);
  snprintf(file, sizeof file, "%s/metrics.csv", name);
  write_text(file, text);
  if (gradients) {
    gf__text all = {0};
    gf__text_add(&all, "%s%s", gradients_header, gradients);
    snprintf(file, sizeof file, "%s/gradients.csv", name);
    write_text(file, all.data);
    gf__text_free(&all);
  }
  return in_folder(name);
}

static void the_metrics_of_a_run_are_read(void **state) {
  (void)state;
  const char *path = make_run("run", 2, NULL);
  gf__run run;
  assert_int_equal(gf__run_load(&run, path), GF_OK);
  assert_int_equal(run.layer_count, 0);
  assert_int_equal(run.metrics.rows, 2);
  assert_near(run.metrics.numbers[GF__TRAIN_ACCURACY][1], 25, 1e-12);
  assert_near(run.metrics.numbers[GF__VALIDATION_LOSS][0], 4, 0);
  gf__run_free(&run);
  assert_null(run.name);
}

static void the_gradients_of_a_run_are_read(void **state) {
  (void)state;
  static const char records[] =
      "1,10,a,a.weight,0.5,1,1,0,1\n1,10,a,a.bias,7,1,1,0,1\n1,10,b,b.weight,0.25,1,1,0,1\n"
      "1,20,a,a.weight,0.125,1,9,0,0.25\n1,20,a,a.bias,7,1,1,0,1\n1,20,b,b.weight,0,2,9,1,0.25\n"
      "2,30,a,a.weight,3,1,1,0,1\n2,30,a,a.bias,7,1,1,0,1\n2,30,b,b.weight,4,1,1,0,1\n"
      /* The run was resumed from epoch 1 and does epoch 2 again. */
      "2,25,a,a.weight,5,3,9,0,0.25\n2,25,a,a.bias,7,1,1,0,1\n2,25,b,b.weight,6,4,9,0,0.25\n"
      /* The last record is not whole. */
      "2,30,a,a.weight,9,1,1,0,1\n2,30,a,a.bi";
  gf__run run;
  assert_int_equal(gf__run_load(&run, make_run("run", 2, records)), GF_OK);
  assert_string_equal(run.name, "run");
  assert_int_equal(run.layer_count, 2);
  assert_string_equal(run.layers[0], "a");
  assert_string_equal(run.layers[1], "b");
  assert_int_equal(run.epoch_count, 2);
  assert_near(run.epochs[0], 1, 0);
  assert_near(run.epochs[1], 2, 0);
  static const double expected[] = {0.125, 0, 5, 6}, zeros[] = {0, 1, 0, 0};
  for (int i = 0; i < 4; i++) {
    assert_near(run.mean_gradients[i], expected[i], 0);
    assert_near(run.l2_norms[i], i + 1, 0);
    assert_near(run.zeros[i], zeros[i], 0);
    assert_near(run.update_ratios[i], 0.25, 0);
  }
  assert_int_equal(run.activations.layer_count, 0);
  gf__run_free(&run);
}

/* Charts of a run with one or two epochs have its records and its steps in place of epochs. */
static void short_runs_are_drawn_by_steps(void **state) {
  (void)state;
  static const char records[] =
      "1,10,a,a.weight,1,1,1,0,1\n1,20,a,a.weight,2,1,1,0,1\n"
      "2,30,a,a.weight,3,1,1,0,1\n2,40,a,a.weight,4,1,1,0,1\n";
  gf__run run;
  const char *path = make_run("short", 2, records);
  assert_int_equal(gf__run_load_for_charts(&run, path), GF_OK);
  assert_true(run.counts_steps);
  assert_int_equal(run.epoch_count, 4);
  for (int i = 0; i < 4; i++) {
    assert_near(run.epochs[i], 10 * (i + 1), 0);
    assert_near(run.mean_gradients[i], i + 1, 0);
  }
  assert_near(run.metrics.numbers[GF__EPOCH][0], 20, 0);
  assert_near(run.metrics.numbers[GF__EPOCH][1], 40, 0);
  gf__run_free(&run);
  assert_int_equal(gf__run_load(&run, path), GF_OK);
  assert_int_equal(run.epoch_count, 2);
  gf__run_free(&run);
  assert_int_equal(gf__run_load_for_charts(&run, make_run("long", 3, records)), GF_OK);
  assert_true(!run.counts_steps && run.epoch_count == 2);
  gf__run_free(&run);
}

/* A tenth of 20 values lies far outside; what is within the levels stays. */
static void outliers_do_not_flatten_the_rest(void **state) {
  (void)state;
  double values[20];
  for (int i = 0; i < 20; i++) values[i] = 2 + 0.01 * i;
  values[0] = 2e12;
  values[1] = 500;
  gf__trim t = gf__trim_values(values, 20, NULL, 0);
  assert_true(t.above == 2 && t.below == 0 && t.high == 2.19 && t.low == 2.02);
  assert_true(t.most == 2e12 && t.least == 2.02);
  /* Sorted now, from 2.02 to 2.19: 0.17 is more than a twentieth of 5.41 - 2.02. */
  values[18] = values[19] = 5.41;
  t = gf__trim_values(values, 20, NULL, 0);
  assert_true(t.above == 0 && t.below == 0);
  values[18] = values[19] = 5.43;
  const gf_level level = {5.4, "guessing"};
  t = gf__trim_values(values, 20, NULL, 0);
  assert_int_equal(t.above, 2);
  t = gf__trim_values(values, 20, &level, 1);
  assert_int_equal(t.above, 0);
}

/* Two epochs of three layers; the logits have no activation. */
static const char activations[] =
    "epoch,step,layer,mean,deviation,dead\n1,10,a,-1,2,0.5\n1,10,b,0,1,0\n1,10,c,0.5,4,nan\n"
    "2,20,a,-2,0.25,0.75\n2,20,b,0,nan,1\n2,20,c,0.25,8,nan\n";

static void the_activations_of_a_run_are_read(void **state) {
  (void)state;
  gf__run run;
  make_run("run", 2, NULL);
  write_text("run/activations.csv", activations);
  assert_int_equal(gf__run_load(&run, in_folder("run")), GF_OK);
  const gf__run_activations *a = &run.activations;
  assert_int_equal(run.layer_count, 0);
  assert_int_equal(a->layer_count, 3);
  assert_int_equal(a->epoch_count, 2);
  assert_string_equal(a->layers[2], "c");
  assert_near(a->epochs[1], 2, 0);
  assert_near(a->means[3], -2, 0);
  assert_near(a->deviations[2], 4, 0);
  assert_true(isnan(a->deviations[4]));
  assert_near(a->dead[4], 1, 0);
  assert_true(isnan(a->dead[2]));
  gf__run_free(&run);
}

static void runs_have_names(void **state) {
  (void)state;
  make_run("run", 1, NULL);
  gf__run run;
  assert_int_equal(gf__run_load(&run, in_folder("run///")), GF_OK);
  assert_string_equal(run.name, "run");
  gf__run_free(&run);
  char here[4096];
  assert_non_null(getcwd(here, sizeof here));
  assert_int_equal(chdir(in_folder("run")), 0);
  assert_int_equal(gf__run_load(&run, "."), GF_OK);
  assert_string_equal(run.name, ".");
  gf__run_free(&run);
  assert_int_equal(chdir(folder), 0);
  assert_int_equal(gf__run_load(&run, "run"), GF_OK);
  assert_string_equal(run.name, "run");
  gf__run_free(&run);
  assert_int_equal(chdir(here), 0);
  assert_int_equal(gf__make_folder(in_folder("deep")), GF_OK);
  make_run("deep/seed-3", 1, NULL);
  assert_int_equal(gf__run_load(&run, in_folder("deep/seed-3/")), GF_OK);
  assert_string_equal(run.name, "deep/seed-3");
  gf__run_free(&run);
}

/* The base names of the files written, a blank behind each. */
static void note_written(void *user, const char *path) {
  gf__text_add(user, "%s ", path + strlen(folder) + 1);
}

static void a_run_gets_its_pictures(void **state) {
  (void)state;
  gf__text gradients = {0}, written = {0};
  /* Twenty epochs, flat over the layers, a decade apart; zero in the middle layer. */
  for (int e = 1; e <= 20; e++)
    for (int k = 0; k < 5; k++)
      gf__text_add(&gradients, "%d,1,l%d,l%d.weight,%s%d,1,1,0,1\n", e, k, k,
                   k == 2 ? "0e-" : "2e-", e);
  const char *run = make_run("run", 3, gradients.data);
  write_text("run/activations.csv", activations);
  gf__text_free(&gradients);
  assert_int_equal(gf_plot_runs(&run, 1, NULL, note_written, &written), GF_OK);
  assert_string_equal(written.data,
                      "run/loss.png run/accuracy.png run/gradient_flow.png "
                      "run/gradient_flow_linear.png run/update_ratio.png "
                      "run/gradient_heat_map.png run/gradient_layers.png run/activations.png "
                      "run/activation_heat_map.png ");
  gf__text_free(&written);
  assert_int_equal(files_in(run), 12);

  picture p = read_chart(in_folder("run/loss.png")); /* y from 0 to 4 */
  assert_true(count_near(&p, 0.5, 0.25, blue) >= 14);
  assert_true(count_in_box(&p, p.left, p.top - 2, p.right, p.top + 2, vermillion) > 500);
  stbi_image_free(p.rgb);
  p = read_chart(in_folder("run/accuracy.png")); /* from 0 to 80, as 25 is less than half of 75 */
  assert_true(count_near(&p, 0.5, 25.0 / 80, blue) >= 14);
  stbi_image_free(p.rgb);

  p = read_chart(in_folder("run/gradient_flow.png")); /* decades from 10^-20 to 10^0 */
  int column = (int)(p.left + 0.2 * (p.right - p.left)), lines = 0, inside = 0;
  for (int y = p.top - 2; y < p.bottom + 2; y++) {
    gf__color c = pixel(&p, column, y);
    int is_line = c.b > c.r + 60; /* blue of any shade */
    lines += is_line && !inside;
    inside = is_line;
  }
  assert_int_equal(lines, 12);
  assert_true(count_in_plot(&p, blue) > 500); /* the last epoch is the darkest, at the bottom */
  assert_true(count_near(&p, 0.2, log10(2) / 20, blue) >= 14);
  int middle = (int)(p.left + 0.5 * (p.right - p.left));
  for (int y = p.top; y < p.bottom - 2; y++) {
    gf__color c = pixel(&p, middle + 9, y);
    assert_false(c.b > c.r + 60);
  }
  stbi_image_free(p.rgb);
  int bottom = p.bottom;
  p = read_picture(in_folder("run/gradient_flow_linear.png")); /* the last epochs lie on 0 */
  assert_true(count_in_box(&p, 0, bottom, p.width, bottom + 1, blue) > p.width / 2);
  assert_int_equal(count_in_box(&p, 0, 100, p.width, bottom - 3, blue), 0);
  stbi_image_free(p.rgb);
}

/* Whatever lies where a comparison is drawn: text, and PNGs of other programs. */
static void pictures_of_others_are_not_replaced(void **state) {
  (void)state;
  char paths[2][128], file[256], *bytes, *after;
  size_t size, length;
  snprintf(paths[0], sizeof paths[0], "%s",
           make_run("one", 3, "1,1,a,a.weight,1e-3,1,1,0,1\n1,1,b,b.weight,1e-3,1,1,0,1\n"));
  snprintf(paths[1], sizeof paths[1], "%s",
           make_run("two", 3, "1,1,a,a.weight,1e-3,1,1,0,1\n1,1,b,b.weight,1e-3,1,1,0,1\n"));
  const char *folders[] = {paths[0], paths[1]};
  assert_int_equal(gf_plot_runs(folders, 2, in_folder("both"), NULL, NULL), GF_OK);
  assert_int_equal(gf_plot_runs(folders, 2, in_folder("both"), NULL, NULL), GF_OK);
  snprintf(file, sizeof file, "%s", in_folder("both/loss.png"));
  assert_int_equal(gf__file_read(file, &bytes, &size), GF_OK);
  /* A chunk before the pixels, as others write: tEXt with 4 bytes. */
  gf__text other = {0};
  gf__text_add_bytes(&other, bytes, 33);
  gf__text_add_bytes(&other, "\0\0\0\4tEXta\0b\0....", 16);
  gf__text_add_bytes(&other, bytes + 33, size - 33);
  const struct {
    const char *bytes;
    size_t size;
  } foreign[] = {{"mine", 4}, {other.data, other.size}, {bytes, size - 1}};
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    assert_int_equal(gf__file_write(file, foreign[i].bytes, foreign[i].size), GF_OK);
    assert_failed(gf_plot_runs(folders, 2, in_folder("both"), NULL, NULL), GF_ERROR_FILE,
                  "%s is not a picture that gradflow has drawn, so it is not replaced; move it "
                  "away, or choose another --out",
                  file);
    assert_int_equal(gf__file_read(file, &after, &length), GF_OK);
    assert_int_equal(length, foreign[i].size);
    assert_memory_equal(after, foreign[i].bytes, length);
    free(after);
  }
  gf__text_free(&other);
  free(bytes);
}

static void runs_are_compared(void **state) {
  (void)state;
  char paths[3][128];
  snprintf(paths[0], sizeof paths[0], "%s",
           make_run("deep", 3,
                    "1,1,a,a.weight,1e-9,1,1,0,1\n1,1,b,b.weight,1e-5,1,1,0,1\n"
                    "1,1,c,c.weight,1e-1,1,1,0,1\n"));
  snprintf(paths[1], sizeof paths[1], "%s",
           make_run("flat", 3, "1,1,a,a.weight,1e-3,1,1,0,1\n1,1,b,b.weight,1e-3,1,1,0,1\n"));
  snprintf(paths[2], sizeof paths[2], "%s", make_run("bare", 0, NULL));
  write_text("bare/activations.csv", activations);
  const char *folders[] = {paths[0], paths[1], paths[2]}, *out = in_folder("out/here");
  gf__text written = {0};
  assert_int_equal(gf_plot_runs(folders, 3, out, note_written, &written), GF_OK);
  assert_string_equal(
      written.data,
      "deep/loss.png deep/accuracy.png deep/gradient_flow.png deep/gradient_flow_linear.png "
      "deep/update_ratio.png deep/gradient_heat_map.png deep/gradient_layers.png "
      "flat/loss.png flat/accuracy.png flat/gradient_flow.png flat/gradient_flow_linear.png "
      "flat/update_ratio.png flat/gradient_heat_map.png flat/gradient_layers.png "
      "bare/loss.png bare/accuracy.png bare/activations.png bare/activation_heat_map.png "
      "out/here/loss.png out/here/accuracy.png out/here/gradient_flow.png "
      "out/here/gradient_flow_last.png out/here/gradient_layers.png "
      "out/here/activations_last.png ");
  gf__text_free(&written);

  picture p = read_chart(in_folder("out/here/gradient_flow_last.png")); /* 10^-9 to 10^-1 */
  assert_true(count_near(&p, 0.25, 0.25, blue) >= 5);
  assert_true(count_near(&p, 0.75, 0.75, blue) >= 5);
  assert_true(count_near(&p, 0.25, 0.75, vermillion) >= 14);
  assert_true(count_near(&p, 0.875, 0.75, vermillion) >= 14);
  stbi_image_free(p.rgb);

  p = read_picture(in_folder("out/here/gradient_flow.png")); /* two panels of the same range */
  assert_int_equal(p.width, 2000);
  assert_int_equal(p.height, 800);
  stbi_image_free(p.rgb);
}

/* The course of the first, the middle and the last of three layers over the epochs. */
static void each_layer_has_a_course(void **state) {
  (void)state;
  static const char gradients[] =
      "1,1,a,a.weight,1e-8,1,1,0,1\n1,1,b,b.weight,1e-4,1,1,0,1\n1,1,c,c.weight,1e-2,1,1,0,1\n"
      "2,2,a,a.weight,1e-4,1,1,0,1\n2,2,b,b.weight,1e-4,1,1,0,1\n2,2,c,c.weight,1,1,1,0,1\n";
  static const gf__color green = {0x00, 0x9e, 0x73};
  char paths[2][128];
  snprintf(paths[0], sizeof paths[0], "%s", make_run("run", 2, gradients));
  snprintf(paths[1], sizeof paths[1], "%s", make_run("other", 2, gradients));
  const char *two[] = {paths[0], paths[1]};
  assert_int_equal(gf_plot_runs(two, 1, NULL, NULL, NULL), GF_OK);
  picture p = read_chart(in_folder("run/gradient_layers.png")); /* 10^-8 to 10^0 */
  assert_true(count_near(&p, 0.5, 0.25, blue) >= 5);
  assert_true(count_near(&p, 0.25, 0.5, vermillion) >= 14);
  assert_true(count_near(&p, 0.5, 0.875, green) >= 5);
  stbi_image_free(p.rgb);

  assert_int_equal(gf_plot_runs(two, 2, in_folder("out"), NULL, NULL), GF_OK);
  p = read_picture(in_folder("out/gradient_layers.png")); /* panels: input, middle, output */
  assert_int_equal(p.width, 2700);
  assert_int_equal(p.height, 800);
  /* The second run's lines lie on the first's; the middle one is level. */
  int level[3] = {0};
  for (int panel = 0; panel < 3; panel++)
    for (int y = 150; y < p.height; y++)
      level[panel] += count_in_box(&p, 900 * panel, y, 900 * (panel + 1), y + 1, vermillion) > 600;
  assert_int_equal(level[0], 0);
  assert_in_range(level[1], 2, 4);
  assert_int_equal(level[2], 0);
  stbi_image_free(p.rgb);
}

static void panels_share_their_range(void **state) {
  (void)state;
  char paths[2][128];
  snprintf(paths[0], sizeof paths[0], "%s",
           make_run("a", 1, "1,1,a,a.weight,1e-9,1,1,0,1\n1,1,b,b.weight,1e-1,1,1,0,1\n"));
  snprintf(paths[1], sizeof paths[1], "%s",
           make_run("b", 1, "1,1,a,a.weight,1e-3,1,1,0,1\n1,1,b,b.weight,1e-3,1,1,0,1\n"));
  const char *folders[] = {paths[0], paths[1]};
  assert_int_equal(gf_plot_runs(folders, 2, in_folder("out"), NULL, NULL), GF_OK);
  picture p = read_picture(in_folder("out/gradient_flow.png"));
  /* The right line is level where the left one is three quarters of its way up. */
  int right_row = -1, left_top = p.height, left_bottom = 0;
  for (int y = 100; y < p.height; y++) {
    for (int x = 0; x < 1000; x++)
      if (same_color(pixel(&p, x, y), blue)) {
        left_top = y < left_top ? y : left_top;
        left_bottom = y;
      }
    if (count_in_box(&p, 1000, y, 2000, y + 1, vermillion) > 300) right_row = y;
  }
  assert_near(right_row, left_bottom - 0.75 * (left_bottom - left_top), 3);
  stbi_image_free(p.rgb);
}

static void what_cannot_be_plotted_is_refused(void **state) {
  (void)state;
  const char *run = make_run("run", 1,
                             "1,1,a,a.weight,1,1,1,0,1\n1,1,b,b.weight,1,1,1,0,1\n"
                             "2,1,a,a.weight,1,1,1,0,1\n2,1,c,c.weight,1,1,1,0,1\n");
  assert_failed(gf_plot_runs(&run, 1, NULL, NULL, NULL), GF_ERROR_DATA,
                "%s/gradients.csv:5: the parameter 'c.weight' is not in the first record", run);
  const char *none = in_folder("none");
  assert_failed(gf_plot_runs(&none, 1, NULL, NULL, NULL), GF_ERROR_FILE,
                "%s has no metrics.csv: name a folder that a training run has written", none);
  assert_failed(gf_plot_runs(&run, 0, NULL, NULL, NULL), GF_ERROR_ARGUMENT,
                "0 run folders to plot: must be 1 to 1024", "");
  const char *two[] = {make_run("a", 1, NULL), make_run("b", 1, NULL)};
  assert_failed(gf_plot_runs(two, 2, NULL, NULL, NULL), GF_ERROR_ARGUMENT,
                "2 runs to compare and no folder for the pictures", "");
  assert_failed(gf_plot_runs(two, 2, two[1], NULL, NULL), GF_ERROR_ARGUMENT,
                "%s is a run folder: name another one for the pictures that compare runs", two[1]);
  assert_int_equal(files_in(two[0]), 1); /* nothing was drawn before the error */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(a_rectangle_is_filled),
      TEST(a_line_is_drawn),
      TEST(joints_and_dashes_ignore_how_a_line_is_cut),
      TEST(dashes_are_drawn),
      TEST(drawing_keeps_within_its_clip),
      TEST(text_turns_by_a_right_angle),
      TEST(text_aligns),
      TEST(a_text_has_its_length),
      TEST(sizes_of_a_canvas_are_checked),
      TEST(linear_axes_have_round_ticks),
      TEST(whole_and_snug_axes_have_their_ends),
      TEST(log_axes_have_powers_for_ticks),
      TEST(values_have_their_places),
      TEST(extreme_axes_are_drawn),
      TEST(a_csv_is_read),
      TEST(quoted_cells_are_read),
      TEST(a_broken_csv_is_refused),
      TEST(a_table_aligns_its_columns),
      TEST(a_table_shortens_and_cleans),
      TEST(utf8_is_read),
      TEST(values_are_where_the_axis_says),
      TEST(a_slope_is_drawn),
      TEST(a_log_axis_leaves_out_zeros),
      TEST(values_that_are_no_numbers_are_gaps),
      TEST(a_chart_may_have_little_to_draw),
      TEST(huge_values_are_drawn),
      TEST(shades_run_from_light_to_dark),
      TEST(a_reference_line_is_drawn),
      TEST(many_names_stay_apart),
      TEST(many_names_fit_the_legend),
      TEST(charts_form_a_grid),
      TEST(wrong_charts_are_refused),
      TEST(paths_that_cannot_be_written_are_named),
      TEST(the_metrics_of_a_run_are_read),
      TEST(the_gradients_of_a_run_are_read),
      TEST(short_runs_are_drawn_by_steps),
      TEST(outliers_do_not_flatten_the_rest),
      TEST(the_activations_of_a_run_are_read),
      TEST(runs_have_names),
      TEST(a_run_gets_its_pictures),
      TEST(pictures_of_others_are_not_replaced),
      TEST(runs_are_compared),
      TEST(each_layer_has_a_course),
      TEST(panels_share_their_range),
      TEST(what_cannot_be_plotted_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
