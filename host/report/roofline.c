#include "report/roofline.h"

#include <gradflow/report.h>
#include <math.h>

#include "report/axis.h"
#include "report/canvas.h"
#include "report/legend.h"

enum { WIDTH = 1200, HEIGHT = 800, TITLE = 22, LABEL = 20, SMALL = 18, MARGIN = 20, BETWEEN = 10 };
enum { LONGEST_TEXT = 256, MOST_ROOFS = 64 };

static const gf__color ink = {0x22, 0x22, 0x22}, muted = {0x55, 0x55, 0x55},
                       grid = {0xdd, 0xdd, 0xdd}, faint = {0xf0, 0xf0, 0xf0},
                       paper = {0xff, 0xff, 0xff};

typedef struct panel {
  gf__canvas *canvas;
  const gf__roof *roofs;
  int count;
  gf__box plot;
  gf__axis x, y; /* flops a byte; GFLOP/s */
} panel;

static double intensity(const gf__roof_point *p) { return p->flops / p->bytes; }
static double rate(const gf__roof_point *p) { return 1e-9 * p->flops / p->seconds; }

static bool is_drawn(const gf__roof_point *p) {
  double x = intensity(p), y = rate(p);
  return isfinite(x) && isfinite(y) && x > 0 && y > 0;
}

/* The ridges of all roofs with room beside them, all points, and the roofs' tops. */
static void roofline_lay_out(panel *p, double width, double height) {
  double left = INFINITY, right = 0, low = INFINITY, high = 0;
  for (int i = 0; i < p->count; i++) {
    const gf__roof *roof = &p->roofs[i];
    double ridge = roof->flops / roof->bytes;
    left = fmin(left, ridge / 10);
    right = fmax(right, ridge * 10);
    low = fmin(low, 1e-9 * roof->flops / 10);
    high = fmax(high, 1.2e-9 * roof->flops); /* not on the edge */
    for (int k = 0; k < roof->count; k++) {
      if (!is_drawn(&roof->points[k])) continue;
      left = fmin(left, intensity(&roof->points[k]));
      right = fmax(right, intensity(&roof->points[k]));
      low = fmin(low, rate(&roof->points[k]));
      high = fmax(high, rate(&roof->points[k]));
    }
  }
  p->x = gf__axis_log(left, right, (int)(width / 90));
  p->y = gf__axis_log(low, high, (int)(height / 60));
}

static gf__point place(const panel *p, double x, double y) {
  gf__box b = p->plot;
  return (gf__point){b.left + gf__axis_place(&p->x, x) * (b.right - b.left),
                     b.bottom - gf__axis_place(&p->y, y) * (b.bottom - b.top)};
}

static void roofline_put_text(panel *p, double x, double y, gf__text_style style, double room,
                              const char *text) {
  char fitted[LONGEST_TEXT];
  gf__text_fit(p->canvas, style.size, room, text, fitted, sizeof fitted);
  gf__canvas_text(p->canvas, (gf__point){x, y}, style, fitted);
}

static double draw_head(panel *p, const char *title, const char *note) {
  static const double some = 1;
  gf_series series[MOST_ROOFS];
  double room = WIDTH - 2 * MARGIN, y = MARGIN + TITLE;
  roofline_put_text(p, MARGIN, y, (gf__text_style){.size = TITLE, .color = ink}, room, title);
  y += BETWEEN + SMALL;
  roofline_put_text(p, MARGIN, y, (gf__text_style){.size = SMALL, .color = muted}, room, note);
  y += BETWEEN;
  for (int i = 0; i < p->count; i++)
    series[i] = (gf_series){
        .name = p->roofs[i].name, .y = &some, .count = 1, .shade = 1, .hue = p->roofs[i].hue};
  y = gf__legend_draw(p->canvas, series, p->count, (gf__box){MARGIN, y, WIDTH - MARGIN, 0}, SMALL,
                      ink);
  return y + BETWEEN;
}

static void draw_axes(panel *p) {
  gf__box b = p->plot;
  gf__text_style style = {.size = SMALL, .color = ink, .align = GF__ALIGN_MIDDLE};
  for (int i = 0; i < p->x.count; i++) {
    const gf__tick *tick = &p->x.ticks[i];
    double x = floor(b.left + tick->at * (b.right - b.left));
    gf__canvas_fill(p->canvas, (gf__box){x, b.top, x + 1, b.bottom}, *tick->label ? grid : faint);
    roofline_put_text(p, x, b.bottom + BETWEEN + 0.8 * SMALL, style, INFINITY, tick->label);
  }
  style.align = GF__ALIGN_END;
  for (int i = 0; i < p->y.count; i++) {
    const gf__tick *tick = &p->y.ticks[i];
    double y = floor(b.bottom - tick->at * (b.bottom - b.top));
    gf__canvas_fill(p->canvas, (gf__box){b.left, y, b.right, y + 1}, *tick->label ? grid : faint);
    roofline_put_text(p, b.left - BETWEEN, y + 0.36 * SMALL, style, INFINITY, tick->label);
  }
  gf__canvas_fill(p->canvas, (gf__box){b.left - 1, b.top, b.left + 1, b.bottom + 1}, muted);
  gf__canvas_fill(p->canvas, (gf__box){b.left - 1, b.bottom - 1, b.right, b.bottom + 1}, muted);
  style = (gf__text_style){.size = LABEL, .color = ink, .align = GF__ALIGN_MIDDLE};
  roofline_put_text(p, (b.left + b.right) / 2, HEIGHT - MARGIN, style, INFINITY,
                    "arithmetic intensity, flops a byte");
  style.turned = true;
  roofline_put_text(p, MARGIN + 0.8 * LABEL, (b.top + b.bottom) / 2, style, INFINITY, "GFLOP/s");
}

static void draw_roof(panel *p, const gf__roof *roof) {
  double left = pow(10, p->x.low), right = pow(10, p->x.high);
  double top = 1e-9 * roof->flops, slope = 1e-9 * roof->bytes;
  gf_series series = {.shade = 1, .hue = roof->hue};
  gf__pen pen = gf__series_pen(&series);
  gf__point line[] = {place(p, left, slope * left), place(p, top / slope, top),
                      place(p, right, top)};
  gf__canvas_line(p->canvas, line, 3, pen, p->plot);
  for (int k = 0; k < roof->count; k++) {
    const gf__roof_point *point = &roof->points[k];
    if (!is_drawn(point)) continue;
    gf__point at = place(p, intensity(point), rate(point));
    gf__canvas_dot(p->canvas, at, point->is_ring ? 8 : 6, pen.color, p->plot);
    if (point->is_ring) gf__canvas_dot(p->canvas, at, 5, paper, p->plot);
  }
}

gf_status gf__roofline_write(const char *path, const char *title, const char *note,
                             const gf__roof *roofs, int count) {
  enum { NUMBERS = 80 }; /* pixels for those of the y axis */
  if (count < 1 || count > MOST_ROOFS)
    return gf__fail(GF_ERROR_ARGUMENT, "%s: %d roofs: must be 1 to %d", path, count, MOST_ROOFS);
  panel p = {.roofs = roofs, .count = count};
  GF_TRY(gf__canvas_new(&p.canvas, WIDTH, HEIGHT));
  p.plot = (gf__box){MARGIN + LABEL + NUMBERS + BETWEEN, draw_head(&p, title, note),
                     WIDTH - 2 * MARGIN, HEIGHT - MARGIN - LABEL - SMALL - 3 * BETWEEN};
  roofline_lay_out(&p, p.plot.right - p.plot.left, p.plot.bottom - p.plot.top);
  draw_axes(&p);
  for (int i = 0; i < count; i++) draw_roof(&p, &roofs[i]);
  gf_status status = gf__canvas_write(p.canvas, path);
  gf__canvas_free(&p.canvas);
  return status;
}
