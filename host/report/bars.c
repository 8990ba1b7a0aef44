#include "report/bars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/axis.h"
#include "report/canvas.h"
#include "report/legend.h"

enum { WIDTH = 1200, TITLE = 22, LABEL = 20, SMALL = 18, MARGIN = 20, BETWEEN = 10 };
enum { LONGEST_NAME = 420, LONGEST_TEXT = 256, VALUE_WIDTH = 110, MOST_SERIES = 64 };
/* A bar's height, and a group's at least, so that its name fits. */
enum { BAR_ALONE = 20, BAR_OF_MANY = 14, GROUP_GAP = 8, GROUP_LEAST = 26 };

static const gf__color ink = {0x22, 0x22, 0x22}, muted = {0x55, 0x55, 0x55},
                       grid = {0xdd, 0xdd, 0xdd}, paper = {0xff, 0xff, 0xff};

/* Bars on their way onto the canvas. */
typedef struct panel {
  gf__canvas *canvas;
  const gf__bars *bars;
  gf__box plot;
  gf__axis axis;
  double bar_height, group_height;
} panel;

static bool is_drawn(const gf__bars *b, double value) {
  return isfinite(value) && (b->log ? value > 0 : value >= 0);
}

static gf__axis value_axis(const gf__bars *b, int ticks) {
  double min = INFINITY, max = 0;
  for (int s = 0; s < b->series_count; s++)
    for (int r = 0; r < b->rows; r++) {
      double value = b->series[s].values[r];
      if (!is_drawn(b, value)) continue;
      min = fmin(min, value);
      max = fmax(max, value);
    }
  if (b->reference_name) {
    min = fmin(min, b->reference);
    max = fmax(max, b->reference);
  }
  if (!(max > 0)) min = 0.1, max = 1;
  return b->log ? gf__axis_log(min, max, ticks) : gf__axis_linear(0, max, ticks);
}

static double x_place(const panel *p, double value) {
  double at = fmax(0, fmin(1, gf__axis_place(&p->axis, value)));
  return p->plot.left + at * (p->plot.right - p->plot.left);
}

static void bars_put_text(panel *p, double x, double y, gf__text_style style, double room,
                          const char *text) {
  char fitted[LONGEST_TEXT];
  gf__text_fit(p->canvas, style.size, room, text, fitted, sizeof fitted);
  gf__canvas_text(p->canvas, (gf__point){x, y}, style, fitted);
}

/* ---- head ---- */

static double draw_legend(panel *p, double y) {
  static const double some = 1;
  gf_series series[MOST_SERIES];
  if (p->bars->series_count < 2) return y;
  for (int i = 0; i < p->bars->series_count; i++)
    series[i] = (gf_series){.name = p->bars->series[i].name,
                            .y = &some,
                            .count = 1,
                            .shade = 1,
                            .hue = p->bars->series[i].hue};
  return gf__legend_draw(p->canvas, series, p->bars->series_count,
                         (gf__box){MARGIN, y, WIDTH - MARGIN, 0}, SMALL, ink);
}

/* Returns the y below it. */
static double draw_head(panel *p) {
  double y = MARGIN, room = WIDTH - 2 * MARGIN;
  if (p->bars->title) {
    y += TITLE;
    bars_put_text(p, MARGIN, y, (gf__text_style){.size = TITLE, .color = ink}, room,
                  p->bars->title);
    y += BETWEEN;
  }
  if (p->bars->note) {
    y += SMALL;
    bars_put_text(p, MARGIN, y, (gf__text_style){.size = SMALL, .color = muted}, room,
                  p->bars->note);
    y += BETWEEN;
  }
  return draw_legend(p, y) + BETWEEN;
}

/* ---- bars ---- */

/* Ratios of a few read as 0.5 and 2; larger ones have powers of ten. */
static void draw_axis(panel *p) {
  enum { MOST_PLAIN = 4 };
  gf__text_style style = {.size = SMALL, .color = ink, .align = GF__ALIGN_MIDDLE};
  gf__box b = p->plot;
  for (int i = 0; i < p->axis.count; i++) {
    const gf__tick *tick = &p->axis.ticks[i];
    double x = floor(b.left + tick->at * (b.right - b.left));
    if (!*tick->label) continue;
    gf__canvas_fill(p->canvas, (gf__box){x, b.top, x + 1, b.bottom}, grid);
    char label[40];
    double exponent = p->axis.low + tick->at * (p->axis.high - p->axis.low);
    bool is_plain = p->axis.log && fabs(exponent) < MOST_PLAIN;
    if (is_plain) snprintf(label, sizeof label, "%.4g", pow(10, exponent));
    bars_put_text(p, x, b.bottom + BETWEEN + 0.8 * SMALL, style, INFINITY,
                  is_plain ? label : tick->label);
  }
  style.size = LABEL;
  if (p->bars->x_label)
    bars_put_text(p, (b.left + b.right) / 2, b.bottom + 3 * BETWEEN + SMALL + 0.6 * LABEL, style,
                  b.right - b.left, p->bars->x_label);
}

static void draw_reference(panel *p) {
  if (!p->bars->reference_name) return;
  double x = floor(x_place(p, p->bars->reference)) + 0.5;
  gf__point ends[] = {{x, p->plot.top}, {x, p->plot.bottom}};
  gf__canvas_line(p->canvas, ends, 2, (gf__pen){muted, 1.5, 6, 6}, p->plot);
  bars_put_text(p, x, p->plot.top - 4,
                (gf__text_style){.size = SMALL, .color = muted, .align = GF__ALIGN_MIDDLE},
                INFINITY, p->bars->reference_name);
}

static void draw_bar(panel *p, int row, int s) {
  const gf__bars *b = p->bars;
  double value = b->series[s].values[row];
  double inside = b->series_count * p->bar_height;
  double top =
      p->plot.top + row * p->group_height + (p->group_height - inside) / 2 + s * p->bar_height;
  double start = b->log && b->reference_name ? x_place(p, b->reference) : p->plot.left;
  gf__text_style style = {.size = fmin(SMALL, p->bar_height), .color = ink};
  double end = is_drawn(b, value) ? x_place(p, value) : start;
  char text[32] = "–";
  if (is_drawn(b, value)) {
    gf_series series = {.shade = 1, .hue = b->series[s].hue};
    /* Half a pixel at least, so that a bar at the reference is seen. */
    gf__box box = {floor(fmin(start, end)), top + 1, ceil(fmax(fmax(start, end), start + 1)),
                   top + p->bar_height - 1};
    gf__canvas_fill(p->canvas, box, gf__series_pen(&series).color);
    snprintf(text, sizeof text, value < 1000 ? "%.3g" : "%.0f", value);
  }
  /* On white: grid lines would cross the digits. */
  double x = fmax(start, end) + 5, base = top + p->bar_height / 2 + 0.36 * style.size;
  double length = gf__canvas_text_length(p->canvas, style.size, text);
  gf__canvas_fill(p->canvas, (gf__box){x - 2, top + 1, x + length + 2, top + p->bar_height - 1},
                  paper);
  bars_put_text(p, x, base, style, INFINITY, text);
}

static void draw_rows(panel *p) {
  gf__text_style style = {.size = SMALL, .color = ink, .align = GF__ALIGN_END};
  for (int r = 0; r < p->bars->rows; r++) {
    bars_put_text(p, p->plot.left - BETWEEN,
                  p->plot.top + (r + 0.5) * p->group_height + 0.36 * SMALL, style, LONGEST_NAME,
                  p->bars->row_names[r]);
    for (int s = 0; s < p->bars->series_count; s++) draw_bar(p, r, s);
  }
  gf__box b = p->plot;
  gf__canvas_fill(p->canvas, (gf__box){b.left - 1, b.top, b.left + 1, b.bottom}, muted);
}

/* ---- the picture ---- */

static double name_width(const panel *p) {
  double longest = 0;
  for (int r = 0; r < p->bars->rows; r++)
    longest = fmax(longest, gf__canvas_text_length(p->canvas, SMALL, p->bars->row_names[r]));
  return fmin(longest, LONGEST_NAME);
}

static void bars_draw(panel *p) {
  p->plot.top = draw_head(p) + (p->bars->reference_name ? SMALL : 0);
  p->plot.left = ceil(MARGIN + name_width(p) + BETWEEN);
  p->plot.right = WIDTH - MARGIN - VALUE_WIDTH;
  p->plot.bottom = p->plot.top + p->bars->rows * p->group_height;
  p->axis = value_axis(p->bars, (int)((p->plot.right - p->plot.left) / 90));
  draw_axis(p);
  draw_reference(p);
  draw_rows(p);
}

static gf_status head_height(panel *p, double *out) {
  GF_TRY(gf__canvas_new(&p->canvas, WIDTH, 1));
  *out = draw_head(p);
  gf__canvas_free(&p->canvas);
  return GF_OK;
}

gf_status gf__bars_write(const char *path, const gf__bars *bars) {
  if (bars->rows < 1 || bars->series_count < 1 || bars->series_count > MOST_SERIES)
    return gf__fail(GF_ERROR_ARGUMENT, "%s: the bars '%s' have %d rows and %d series", path,
                    bars->title ? bars->title : "without a title", bars->rows, bars->series_count);
  panel p = {.bars = bars, .bar_height = bars->series_count > 1 ? BAR_OF_MANY : BAR_ALONE};
  p.group_height = fmax(GROUP_LEAST, bars->series_count * p.bar_height + GROUP_GAP);
  double head, below = 3 * BETWEEN + SMALL + LABEL + MARGIN;
  GF_TRY(head_height(&p, &head));
  double height = head + SMALL + bars->rows * p.group_height + below;
  GF_TRY(gf__canvas_new(&p.canvas, WIDTH, (int)ceil(height)));
  bars_draw(&p);
  gf_status status = gf__canvas_write(p.canvas, path);
  gf__canvas_free(&p.canvas);
  return status;
}
