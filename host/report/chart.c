#include <gradflow/report.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/numbers.h"
#include "report/axis.h"
#include "report/canvas.h"
#include "report/legend.h"
#include "report/range.h"

enum { WIDTH = 1200, HEIGHT = 800, NARROWEST = 320, LOWEST = 240, LARGEST = 16384 };
enum { TITLE = 22, LABEL = 20, SMALL = 18, MARGIN = 20, BETWEEN = 10, LONGEST_TEXT = 256 };

static const gf__color ink = {0x22, 0x22, 0x22}, muted = {0x55, 0x55, 0x55},
                       grid = {0xdd, 0xdd, 0xdd}, faint = {0xf0, 0xf0, 0xf0},
                       paper = {0xff, 0xff, 0xff};

/* A chart on its way onto the canvas. */
typedef struct panel {
  gf__canvas *canvas;
  const gf_chart *chart;
  gf__trim trim;      /* values that y leaves out */
  gf__box cell, plot; /* all of it; where the lines are */
  gf__axis x, y;
} panel;

/* ---- ranges ---- */

typedef struct range {
  double min, max; /* min > max: no values */
  bool whole;      /* of whole numbers only */
} range;

static void extend(range *r, double value) {
  r->min = fmin(r->min, value);
  r->max = fmax(r->max, value);
  r->whole = r->whole && value == floor(value);
}

static double x_value(const gf_series *series, int i) { return series->x ? series->x[i] : i; }

/* Whether the point has a place on the chart. */
static bool is_drawn(const gf_chart *chart, const gf_series *series, int i) {
  double y = series->y[i];
  return isfinite(x_value(series, i)) && isfinite(y) && !(chart->log_y && y <= 0);
}

static void find_ranges(const gf_chart *chart, range *x, range *y) {
  *x = *y = (range){INFINITY, -INFINITY, true};
  for (int k = 0; k < chart->count; k++)
    for (int i = 0; i < chart->series[k].count; i++)
      if (is_drawn(chart, &chart->series[k], i)) {
        extend(x, x_value(&chart->series[k], i));
        extend(y, chart->series[k].y[i]);
      }
}

/* The levels are within the range, which is as wide as the chart wants it at least. */
static void widen(const gf_chart *chart, range *y) {
  for (int i = 0; i < chart->level_count; i++)
    if (isfinite(chart->levels[i].at) && !(chart->log_y && chart->levels[i].at <= 0))
      extend(y, chart->levels[i].at);
  double lack = chart->y_span - (y->max - y->min);
  if (chart->log_y || !(lack > 0) || y->min > y->max) return;
  double low = y->min - lack / 2;
  if (y->min >= 0 && low < 0) low = 0;
  y->min = low;
  y->max = low + chart->y_span;
}

static gf__axis y_axis(const gf_chart *chart, range y, double height) {
  int most = (int)GF__MAX(height / 60, 2.0);
  if (chart->y_min != 0 || chart->y_max != 0)
    y = (range){chart->y_min, chart->y_max, false};
  else if (y.min > y.max)
    y = (range){chart->log_y ? 0.1 : 0, 1, false};
  else if (!chart->log_y && y.min > 0 && y.min < y.max / 2)
    y.min = 0; /* half the axis or more is used anyhow, and lengths compare from 0 */
  return chart->log_y ? gf__axis_log(y.min, y.max, most) : gf__axis_linear(y.min, y.max, most);
}

static gf__axis x_axis(const gf_chart *chart, range x, double width) {
  int most = (int)GF__MAX(width / 90, 2.0);
  if (chart->x_names) return (gf__axis){.low = -0.5, .high = chart->x_name_count - 0.5};
  if (x.min > x.max) x = (range){0, 1, false};
  return x.whole ? gf__axis_whole(x.min, x.max, most) : gf__axis_snug(x.min, x.max, most);
}

/* ---- words ---- */

static void chart_put_text(panel *p, double x, double y, gf__text_style style, double room,
                           const char *text) {
  char fitted[LONGEST_TEXT];
  gf__text_fit(p->canvas, style.size, room, text, fitted, sizeof fitted);
  gf__canvas_text(p->canvas, (gf__point){x, y}, style, fitted);
}

/* The chart's note, and which values its axis leaves out. */
static void write_note(const panel *p, char out[LONGEST_TEXT]) {
  const char *note = p->chart->note;
  const gf__trim *t = &p->trim;
  size_t used = (size_t)snprintf(out, LONGEST_TEXT, "%s", note ? note : "");
  if (used >= LONGEST_TEXT) return;
  if (t->above + t->below)
    snprintf(out + used, LONGEST_TEXT - used, "%s%d value%s outside, %s %.3g", used ? "; " : "",
             t->above + t->below, t->above + t->below == 1 ? "" : "s",
             t->above ? "up to" : "down to", t->above ? t->most : t->least);
}

/* Title, note and legend; returns the y below them. */
static double draw_head(panel *p) {
  const gf_chart *chart = p->chart;
  double left = p->cell.left + MARGIN, right = p->cell.right - MARGIN, y = p->cell.top + MARGIN;
  if (chart->title) {
    y += TITLE;
    chart_put_text(p, left, y, (gf__text_style){.size = TITLE, .color = ink}, right - left,
                   chart->title);
    y += BETWEEN;
  }
  char note[LONGEST_TEXT];
  write_note(p, note);
  if (*note) {
    y += SMALL;
    chart_put_text(p, left, y, (gf__text_style){.size = SMALL, .color = muted}, right - left, note);
    y += BETWEEN;
  }
  if (chart->bar[0] && chart->count)
    return BETWEEN + gf__bar_draw(p->canvas, chart, (gf__box){left, y, right, 0}, SMALL, ink);
  y = gf__legend_draw(p->canvas, chart->series, chart->count, (gf__box){left, y, right, 0}, SMALL,
                      ink);
  return y + BETWEEN;
}

/* Pixels that the labels of the x axis need below the plot. */
static double x_label_height(const panel *p) {
  double longest = 0, most = (p->cell.bottom - p->cell.top) * 0.4;
  if (!p->chart->x_names) return SMALL;
  for (int i = 0; i < p->chart->x_name_count; i++)
    longest = fmax(longest, gf__canvas_text_length(p->canvas, SMALL, p->chart->x_names[i]));
  return fmin(longest + 1, most);
}

static double y_label_width(const panel *p) {
  double longest = 0;
  for (int i = 0; i < p->y.count; i++)
    longest = fmax(longest, gf__canvas_text_length(p->canvas, SMALL, p->y.ticks[i].label));
  return longest;
}

static void lay_out(panel *p, range x, range y) {
  p->plot.top = draw_head(p);
  double label = p->chart->x_label ? LABEL + BETWEEN : 0;
  p->plot.bottom = p->cell.bottom - MARGIN - label - x_label_height(p) - BETWEEN;
  p->plot.bottom = round(fmax(p->plot.bottom, p->plot.top + 1));
  p->y = y_axis(p->chart, y, p->plot.bottom - p->plot.top);
  label = p->chart->y_label ? LABEL + BETWEEN : 0;
  p->plot.left = round(p->cell.left + MARGIN + label + y_label_width(p) + BETWEEN);
  p->plot.right = p->cell.right - 2 * MARGIN;
  p->x = x_axis(p->chart, x, p->plot.right - p->plot.left);
}

/* ---- axes ---- */

static double x_place(const panel *p, double at) {
  return p->plot.left + at * (p->plot.right - p->plot.left);
}

static double y_place(const panel *p, double at) {
  return p->plot.bottom - at * (p->plot.bottom - p->plot.top);
}

static void draw_row(panel *p, double y, gf__color color) {
  gf__canvas_fill(p->canvas, (gf__box){p->plot.left, floor(y), p->plot.right, floor(y) + 1}, color);
}

static void draw_column(panel *p, double x, gf__color color) {
  gf__canvas_fill(p->canvas, (gf__box){floor(x), p->plot.top, floor(x) + 1, p->plot.bottom}, color);
}

static void draw_y_axis(panel *p) {
  gf__text_style style = {.size = SMALL, .color = ink, .align = GF__ALIGN_END};
  for (int i = 0; i < p->y.count; i++) {
    const gf__tick *tick = &p->y.ticks[i];
    double y = y_place(p, tick->at);
    draw_row(p, y, *tick->label ? grid : faint);
    chart_put_text(p, p->plot.left - BETWEEN, y + 0.36 * SMALL, style, INFINITY, tick->label);
  }
  if (!p->chart->y_label) return;
  style = (gf__text_style){.size = LABEL, .color = ink, .align = GF__ALIGN_MIDDLE, .turned = true};
  chart_put_text(p, p->cell.left + MARGIN + 0.8 * LABEL, (p->plot.top + p->plot.bottom) / 2, style,
                 p->cell.bottom - p->cell.top, p->chart->y_label);
}

static void draw_x_numbers(panel *p) {
  gf__text_style style = {.size = SMALL, .color = ink, .align = GF__ALIGN_MIDDLE};
  for (int i = 0; i < p->x.count; i++) {
    double x = x_place(p, p->x.ticks[i].at);
    draw_column(p, x, grid);
    chart_put_text(p, x, p->plot.bottom + BETWEEN + 0.8 * SMALL, style, INFINITY,
                   p->x.ticks[i].label);
  }
}

static void draw_x_names(panel *p) {
  gf__text_style style = {.size = SMALL, .color = ink, .align = GF__ALIGN_END, .turned = true};
  int last = p->chart->x_name_count - 1;
  double each = (p->plot.right - p->plot.left) / (last + 1), room = x_label_height(p);
  int stride = (int)GF__MAX(ceil(1.1 * SMALL / each), 1.0);
  for (int i = 0; i <= last; i++) {
    /* The last name is always shown, and none so close before it that they would touch. */
    if (i != last && (i % stride || last - i < stride)) continue;
    double x = x_place(p, gf__axis_place(&p->x, i));
    draw_column(p, x, faint);
    chart_put_text(p, x + 0.36 * SMALL, p->plot.bottom + BETWEEN, style, room,
                   p->chart->x_names[i]);
  }
}

static void draw_frame(panel *p) {
  gf__box b = p->plot;
  gf__canvas_fill(p->canvas, (gf__box){b.left - 1, b.top, b.left + 1, b.bottom + 1}, muted);
  gf__canvas_fill(p->canvas, (gf__box){b.left - 1, b.bottom - 1, b.right, b.bottom + 1}, muted);
  if (!p->chart->x_label) return;
  chart_put_text(p, (b.left + b.right) / 2, p->cell.bottom - MARGIN - 0.2 * LABEL,
                 (gf__text_style){.size = LABEL, .color = ink, .align = GF__ALIGN_MIDDLE},
                 b.right - b.left, p->chart->x_label);
}

/* How many points are within a label's height of y, above it or, for a direction of 1, below. */
static int count_near(const panel *p, double y, int direction) {
  const gf_chart *chart = p->chart;
  int count = 0;
  for (int k = 0; k < chart->count; k++)
    for (int i = 0; i < chart->series[k].count; i++) {
      if (!is_drawn(chart, &chart->series[k], i)) continue;
      double d = direction * (y_place(p, gf__axis_place(&p->y, chart->series[k].y[i])) - y);
      count += d > 1 && d < SMALL + 2 * BETWEEN;
    }
  return count;
}

/* Its name is at the left, or for every other one at the right, so that two that are close do not
 * cover each other. */
static void draw_level(panel *p, gf_level level, bool at_right) {
  double at = gf__axis_place(&p->y, level.at);
  if (!level.name || !(at >= 0 && at <= 1)) return;
  double y = floor(y_place(p, at)) + 0.5;
  gf__point ends[] = {{p->plot.left, y}, {p->plot.right, y}};
  gf__canvas_line(p->canvas, ends, 2, (gf__pen){muted, 1.5, 6, 6}, p->plot);
  double length = gf__canvas_text_length(p->canvas, SMALL, level.name);
  double left = at_right ? p->plot.right - BETWEEN - length : p->plot.left + BETWEEN;
  if (left < p->plot.left) left = p->plot.left;
  /* Above the line, or below it where the plot ends or fewer points are. */
  bool has_room = y - SMALL - BETWEEN > p->plot.top,
       has_room_below = y + SMALL + BETWEEN < p->plot.bottom;
  bool is_above = has_room && (!has_room_below || count_near(p, y, -1) <= count_near(p, y, 1));
  double base = is_above ? y - BETWEEN : y + SMALL + BETWEEN / 2.0;
  gf__canvas_fill(p->canvas,
                  (gf__box){left - 3, base - SMALL, left + length + 3, base + 0.25 * SMALL}, paper);
  chart_put_text(p, left, base, (gf__text_style){.size = SMALL, .color = muted},
                 p->plot.right - left, level.name);
}

static void draw_levels(panel *p) {
  draw_level(p, (gf_level){p->chart->reference, p->chart->reference_name}, false);
  for (int i = 0; i < p->chart->level_count; i++) draw_level(p, p->chart->levels[i], i % 2);
}

/* ---- lines ---- */

/* Keeps places far outside the plot where the canvas can count. */
static double near_plot(double at) { return fmax(-100, fmin(100, at)); }

static void draw_lone_point(panel *p, gf__point point, gf__pen pen) {
  double radius = 1.6 * pen.width, reach = radius + 1;
  gf__box b = p->plot;
  gf__box clip = {b.left - reach, b.top - reach, b.right + reach, b.bottom + reach};
  if (point.x >= b.left && point.x <= b.right && point.y >= b.top && point.y <= b.bottom)
    gf__canvas_dot(p->canvas, point, radius, pen.color, clip);
}

static gf_status draw_series(panel *p, const gf_series *series) {
  if (series->count == 0) return GF_OK;
  size_t size = (size_t)series->count * sizeof(gf__point);
  gf__point *points = malloc(size);
  if (!points) return gf__fail_host_memory(size);
  gf__pen pen = gf__series_pen(series);
  gf__box clip = {p->plot.left - 2, p->plot.top - 2, p->plot.right + 2, p->plot.bottom + 2};
  int used = 0;
  for (int i = 0; i <= series->count; i++) {
    if (i < series->count && is_drawn(p->chart, series, i)) {
      double x = gf__axis_place(&p->x, x_value(series, i)), y = gf__axis_place(&p->y, series->y[i]);
      points[used++] = (gf__point){x_place(p, near_plot(x)), y_place(p, near_plot(y))};
    } else { /* a gap, or the end */
      gf__canvas_line(p->canvas, points, used, pen, clip);
      if (used == 1) draw_lone_point(p, points[0], pen);
      used = 0;
    }
  }
  free(points);
  return GF_OK;
}

/* The values that would flatten the others. */
static gf_status trim_chart(const gf_chart *chart, gf__trim *out) {
  size_t count = 0;
  for (int k = 0; k < chart->count; k++) count += (size_t)chart->series[k].count;
  double *values = malloc((count + 1) * sizeof *values);
  if (!values) return gf__fail_host_memory((count + 1) * sizeof *values);
  count = 0;
  for (int k = 0; k < chart->count; k++)
    for (int i = 0; i < chart->series[k].count; i++)
      if (is_drawn(chart, &chart->series[k], i)) values[count++] = chart->series[k].y[i];
  *out = gf__trim_values(values, count, chart->levels, chart->level_count);
  free(values);
  return GF_OK;
}

static gf_status draw_chart(gf__canvas *canvas, const gf_chart *chart, gf__box cell) {
  panel p = {.canvas = canvas, .chart = chart, .cell = cell};
  range x, y;
  find_ranges(chart, &x, &y);
  if (chart->trims && !chart->log_y) {
    GF_TRY(trim_chart(chart, &p.trim));
    if (p.trim.above) y.max = p.trim.high;
    if (p.trim.below) y.min = p.trim.low;
  }
  widen(chart, &y);
  lay_out(&p, x, y);
  draw_y_axis(&p);
  (chart->x_names ? draw_x_names : draw_x_numbers)(&p);
  draw_levels(&p);
  draw_frame(&p);
  for (int i = 0; i < chart->count; i++) GF_TRY(draw_series(&p, &chart->series[i]));
  if (x.min > x.max)
    chart_put_text(&p, (p.plot.left + p.plot.right) / 2, (p.plot.top + p.plot.bottom) / 2,
                   (gf__text_style){.size = LABEL, .color = muted, .align = GF__ALIGN_MIDDLE},
                   p.plot.right - p.plot.left, "no values to draw");
  return GF_OK;
}

/* ---- the picture ---- */

static int chart_width(const gf_chart *chart) { return chart->width ? chart->width : WIDTH; }
static int chart_height(const gf_chart *chart) { return chart->height ? chart->height : HEIGHT; }

static gf_status check_chart(const gf_chart *chart, const char *path) {
  const char *title = chart->title ? chart->title : "without a title";
  int width = chart_width(chart), height = chart_height(chart);
  if (width < NARROWEST || height < LOWEST || width > LARGEST || height > LARGEST)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "%s: the chart '%s' of %d x %d pixels: must be %d x %d to %d x %d", path, title,
                    width, height, NARROWEST, LOWEST, LARGEST, LARGEST);
  if (chart->count < 0 || (chart->count && !chart->series) ||
      (chart->x_names && chart->x_name_count < 1))
    return gf__fail(GF_ERROR_ARGUMENT, "%s: the chart '%s' has %d series and %d names of x", path,
                    title, chart->count, chart->x_name_count);
  for (int i = 0; i < chart->count; i++)
    if (chart->series[i].count < 0 || (chart->series[i].count && !chart->series[i].y))
      return gf__fail(GF_ERROR_ARGUMENT, "%s: series %d of the chart '%s' has %d values", path, i,
                      title, chart->series[i].count);
  bool automatic = chart->y_min == 0 && chart->y_max == 0;
  bool fits = isfinite(chart->y_min) && isfinite(chart->y_max) && chart->y_min < chart->y_max &&
              !(chart->log_y && chart->y_min <= 0);
  if (!automatic && !fits)
    return gf__fail(GF_ERROR_ARGUMENT, "%s: the chart '%s' cannot show y from %g to %g%s", path,
                    title, chart->y_min, chart->y_max, chart->log_y ? " on a log axis" : "");
  return GF_OK;
}

/* The place of a chart in the grid: the sizes of the columns before it and the rows above it. */
static gf__point grid_corner(const gf_chart *charts, int count, int columns, int column, int row) {
  gf__point corner = {0, 0};
  for (int k = 0; k < column; k++) {
    int widest = 0;
    for (int i = k; i < count; i += columns) widest = GF__MAX(widest, chart_width(&charts[i]));
    corner.x += widest;
  }
  for (int k = 0; k < row; k++) {
    int highest = 0;
    for (int i = k * columns; i < (k + 1) * columns && i < count; i++)
      highest = GF__MAX(highest, chart_height(&charts[i]));
    corner.y += highest;
  }
  return corner;
}

gf_status gf_charts_write(const char *path, const gf_chart *charts, int count, int columns) {
  enum { MOST_CHARTS = 1024 };
  if (count < 1 || count > MOST_CHARTS || columns < 1)
    return gf__fail(GF_ERROR_ARGUMENT, "%s: %d charts in %d columns: must be 1 to %d in at least 1",
                    path, count, columns, MOST_CHARTS);
  for (int i = 0; i < count; i++) GF_TRY(check_chart(&charts[i], path));
  if (columns > count) columns = count;
  int rows = (count + columns - 1) / columns;
  gf__point end = grid_corner(charts, count, columns, columns, rows);
  gf__canvas *canvas;
  gf_status status = gf__canvas_new(&canvas, (int)end.x, (int)end.y);
  for (int i = 0; i < count && status == GF_OK; i++) {
    gf__point at = grid_corner(charts, count, columns, i % columns, i / columns);
    gf__box cell = {at.x, at.y, at.x + chart_width(&charts[i]), at.y + chart_height(&charts[i])};
    status = draw_chart(canvas, &charts[i], cell);
  }
  if (status == GF_OK) status = gf__canvas_write(canvas, path);
  gf__canvas_free(&canvas);
  return status;
}
