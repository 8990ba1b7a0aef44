#include "report/heat_map.h"

#include <math.h>
#include <stdio.h>

#include "report/axis.h"
#include "report/canvas.h"
#include "report/legend.h"

enum { WIDTH = 1200, TITLE = 22, LABEL = 20, SMALL = 18, MARGIN = 20, BETWEEN = 10 };
/* A row's height: room for its name where there are not too many, and no tower of a few. */
enum { ROW_LEAST = 20, ROW_MOST = 48, ROWS_USUAL = 640, HIGHEST = 12000 };
enum { BAR = 26, BAR_LEAST = 160, SWATCH = 20, LONGEST_NAME = 320, LONGEST_TEXT = 256 };

static const gf__color ink = {0x22, 0x22, 0x22}, muted = {0x55, 0x55, 0x55},
                       zero = {0xd5, 0x5e, 0x00}, empty = {0xff, 0xff, 0xff};

/* From little to much: light to dark all the way, so that it can be read on grey paper as well, and
 * far from the colour of zero for every eye. */
static const gf__color scale[] = {
    {0xff, 0xf7, 0xc2}, {0xa9, 0xdc, 0xb8}, {0x45, 0xb0, 0xb8},
    {0x23, 0x6f, 0xa8}, {0x1c, 0x2f, 0x70}, {0x14, 0x0a, 0x2e},
};
enum { SCALE_LAST = sizeof scale / sizeof *scale - 1 };

/* A map on its way onto the canvas. */
typedef struct panel {
  gf__canvas *canvas;
  const gf__heat_map *map;
  gf__box plot, bar; /* the cells; the scale of colours */
  double row_height, column_width;
  gf__axis axis; /* of the values */
  bool has_zero, has_empty;
} panel;

static gf__color color_at(double at) {
  double place = fmax(0, fmin(1, at)) * SCALE_LAST;
  int i = place < SCALE_LAST ? (int)place : SCALE_LAST - 1;
  double fraction = place - i;
  gf__color a = scale[i], b = scale[i + 1];
  return (gf__color){(uint8_t)(a.r + fraction * (b.r - a.r) + 0.5),
                     (uint8_t)(a.g + fraction * (b.g - a.g) + 0.5),
                     (uint8_t)(a.b + fraction * (b.b - a.b) + 0.5)};
}

static gf__color value_color(const panel *p, double value) {
  if (p->map->log && value == 0) return zero;
  double at = gf__axis_place(&p->axis, value);
  return isnan(at) ? empty : color_at(at);
}

/* The axis of the values, and whether some have no place on it. */
static void heat_map_lay_out(panel *p, int ticks) {
  const gf__heat_map *map = p->map;
  double min = INFINITY, max = -INFINITY;
  size_t count = (size_t)map->rows * (size_t)map->column_count;
  for (size_t i = 0; i < count; i++) {
    double value = map->values[i];
    bool is_zero = map->log && value == 0;
    bool has_place = isfinite(value) && !(map->log && value <= 0);
    p->has_zero |= is_zero;
    p->has_empty |= !has_place && !is_zero;
    if (!has_place) continue;
    min = fmin(min, value);
    max = fmax(max, value);
  }
  if (min > max) min = map->log ? 0.1 : 0, max = 1;
  p->axis = map->log ? gf__axis_log(min, max, ticks) : gf__axis_linear(min, max, ticks);
}

static void heat_map_put_text(panel *p, double x, double y, gf__text_style style, double room,
                              const char *text) {
  char fitted[LONGEST_TEXT];
  gf__text_fit(p->canvas, style.size, room, text, fitted, sizeof fitted);
  gf__canvas_text(p->canvas, (gf__point){x, y}, style, fitted);
}

/* Title and note; returns the y below them. */
static double draw_head(panel *p) {
  double y = MARGIN, room = WIDTH - 2 * MARGIN;
  if (p->map->title) {
    y += TITLE;
    heat_map_put_text(p, MARGIN, y, (gf__text_style){.size = TITLE, .color = ink}, room,
                      p->map->title);
    y += BETWEEN;
  }
  if (p->map->note) {
    y += SMALL;
    heat_map_put_text(p, MARGIN, y, (gf__text_style){.size = SMALL, .color = muted}, room,
                      p->map->note);
    y += BETWEEN;
  }
  return y + BETWEEN;
}

/* ---- the cells ---- */

/* Where column or row i begins; the end of the one before is the same number, so that no seam of
 * paper shows. */
static double column_edge(const panel *p, int i) { return p->plot.left + i * p->column_width; }
static double row_edge(const panel *p, int i) { return p->plot.top + i * p->row_height; }

static void draw_cells(panel *p) {
  const gf__heat_map *map = p->map;
  for (int r = 0; r < map->rows; r++)
    for (int c = 0; c < map->column_count; c++) {
      gf__box cell = {column_edge(p, c), row_edge(p, r), column_edge(p, c + 1), row_edge(p, r + 1)};
      double value = map->values[(size_t)r * (size_t)map->column_count + (size_t)c];
      gf__canvas_fill(p->canvas, cell, value_color(p, value));
    }
}

static int stride_of(double needed, double each) {
  return needed > each ? (int)ceil(needed / each) : 1;
}

static void draw_names(panel *p) {
  gf__text_style style = {.size = SMALL, .color = ink, .align = GF__ALIGN_END};
  int stride = stride_of(1.1 * SMALL, p->row_height);
  for (int r = 0; r < p->map->rows; r += stride)
    heat_map_put_text(p, p->plot.left - BETWEEN,
                      p->plot.top + (r + 0.5) * p->row_height + 0.36 * SMALL, style, LONGEST_NAME,
                      p->map->row_names[r]);
}

/* Whether column c of 0..last gets its number: the last always, before it the ends of strides, and
 * the first; needed columns lie between two at least. */
static bool is_numbered(int c, int last, int needed) {
  static const int strides[] = {1, 2, 5};
  int stride = 1;
  for (int power = 1, i = 0; stride < needed; power *= ++i % 3 ? 1 : 10)
    stride = strides[i % 3] * power;
  if (c == last) return true;
  if (last - c < needed) return false;
  return c == 0 ? stride - 1 >= needed || stride == 1 : (c + 1) % stride == 0;
}

static void draw_columns(panel *p) {
  gf__text_style style = {.size = SMALL, .color = ink, .align = GF__ALIGN_MIDDLE};
  char text[32];
  int last = p->map->column_count - 1;
  snprintf(text, sizeof text, "%g", p->map->columns[last]);
  double longest = gf__canvas_text_length(p->canvas, SMALL, text) + 2 * BETWEEN;
  int needed = stride_of(longest, p->column_width);
  for (int c = 0; c <= last; c++) {
    if (!is_numbered(c, last, needed)) continue;
    snprintf(text, sizeof text, "%g", p->map->columns[c]);
    heat_map_put_text(p, column_edge(p, c) + p->column_width / 2,
                      p->plot.bottom + BETWEEN + 0.8 * SMALL, style, INFINITY, text);
  }
  if (!p->map->x_label) return;
  heat_map_put_text(p, (p->plot.left + p->plot.right) / 2,
                    p->plot.bottom + 3 * BETWEEN + SMALL + 0.6 * LABEL,
                    (gf__text_style){.size = LABEL, .color = ink, .align = GF__ALIGN_MIDDLE},
                    INFINITY, p->map->x_label);
}

static void draw_frame(panel *p, gf__box b) {
  gf__canvas_fill(p->canvas, (gf__box){b.left - 1, b.top - 1, b.right + 1, b.top}, muted);
  gf__canvas_fill(p->canvas, (gf__box){b.left - 1, b.bottom, b.right + 1, b.bottom + 1}, muted);
  gf__canvas_fill(p->canvas, (gf__box){b.left - 1, b.top, b.left, b.bottom}, muted);
  gf__canvas_fill(p->canvas, (gf__box){b.right, b.top, b.right + 1, b.bottom}, muted);
}

/* ---- the scale ---- */

static void draw_swatch(panel *p, double top, gf__color color, const char *text) {
  gf__box box = {p->bar.left, top, p->bar.left + BAR, top + SWATCH};
  gf__canvas_fill(p->canvas, box, color);
  draw_frame(p, box);
  heat_map_put_text(p, box.right + BETWEEN, top + SWATCH / 2.0 + 0.36 * SMALL,
                    (gf__text_style){.size = SMALL, .color = ink}, INFINITY, text);
}

static void draw_scale(panel *p) {
  double height = p->bar.bottom - p->bar.top, longest = 0;
  for (int y = 0; y < height; y++)
    gf__canvas_fill(p->canvas,
                    (gf__box){p->bar.left, p->bar.top + y, p->bar.right, p->bar.top + y + 1},
                    color_at(1 - (y + 0.5) / height));
  draw_frame(p, p->bar);
  for (int i = 0; i < p->axis.count; i++) {
    const gf__tick *tick = &p->axis.ticks[i];
    if (!*tick->label) continue;
    double y = p->bar.bottom - tick->at * height;
    gf__canvas_fill(p->canvas, (gf__box){p->bar.right, floor(y), p->bar.right + 6, floor(y) + 1},
                    muted);
    heat_map_put_text(p, p->bar.right + BETWEEN, y + 0.36 * SMALL,
                      (gf__text_style){.size = SMALL, .color = ink}, INFINITY, tick->label);
    longest = fmax(longest, gf__canvas_text_length(p->canvas, SMALL, tick->label));
  }
  double below = p->bar.bottom + 1.5 * SMALL;
  if (p->has_zero) draw_swatch(p, below, zero, "0");
  if (p->has_zero) below += 1.5 * SWATCH;
  if (p->has_empty) draw_swatch(p, below, empty, "none");
  if (!p->map->value_label) return;
  heat_map_put_text(
      p, p->bar.right + 2 * BETWEEN + longest + LABEL, (p->bar.top + p->bar.bottom) / 2,
      (gf__text_style){.size = LABEL, .color = ink, .align = GF__ALIGN_MIDDLE, .turned = true},
      height, p->map->value_label);
}

/* ---- the picture ---- */

/* Room at the right: the bar, its numbers (at longest "−1.00×10⁻¹⁰⁰") and its label. */
enum { SCALE_WIDTH = BETWEEN + BAR + 130 };

static void heat_map_draw(panel *p, double top, double height) {
  double longest = 0, swatches = 1.5 * SWATCH * (p->has_zero + p->has_empty);
  for (int r = 0; r < p->map->rows; r++)
    longest = fmax(longest, gf__canvas_text_length(p->canvas, SMALL, p->map->row_names[r]));
  p->plot = (gf__box){ceil(MARGIN + fmin(longest, LONGEST_NAME) + BETWEEN), top,
                      WIDTH - MARGIN - SCALE_WIDTH, top + height};
  p->row_height = height / p->map->rows;
  p->column_width = (p->plot.right - p->plot.left) / p->map->column_count;
  double end = fmin(height, ROWS_USUAL) - (swatches > 0 ? swatches + SMALL : 0);
  p->bar.left = p->plot.right + 2 * BETWEEN;
  p->bar = (gf__box){p->bar.left, top, p->bar.left + BAR, top + fmax(end, BAR_LEAST)};
  heat_map_lay_out(p, (int)((p->bar.bottom - top) / 45));
  draw_cells(p);
  draw_frame(p, p->plot);
  draw_names(p);
  draw_columns(p);
  draw_scale(p);
}

static double plot_height(const gf__heat_map *map) {
  double row = fmax(ROW_LEAST, fmin(ROW_MOST, (double)ROWS_USUAL / map->rows));
  return fmin(HIGHEST, row * map->rows);
}

gf_status gf__heat_map_write(const char *path, const gf__heat_map *map) {
  if (map->rows < 1 || map->column_count < 1)
    return gf__fail(GF_ERROR_ARGUMENT, "%s: the heat map '%s' has %d rows and %d columns", path,
                    map->title ? map->title : "without a title", map->rows, map->column_count);
  panel p = {.map = map};
  heat_map_lay_out(&p, 2);
  double head =
      MARGIN + BETWEEN + (map->title ? TITLE + BETWEEN : 0) + (map->note ? SMALL + BETWEEN : 0);
  double scale_height = BAR_LEAST + 2 * SMALL + 1.5 * SWATCH * (p.has_zero + p.has_empty);
  double height = plot_height(map), below = 2 * BETWEEN + SMALL + LABEL + 2 * MARGIN;
  double body = fmax(height + below, scale_height + MARGIN);
  GF_TRY(gf__canvas_new(&p.canvas, WIDTH, (int)ceil(head + body)));
  heat_map_draw(&p, draw_head(&p), height);
  gf_status status = gf__canvas_write(p.canvas, path);
  gf__canvas_free(&p.canvas);
  return status;
}
