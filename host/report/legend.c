#include "report/legend.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/utf8.h"

/* Okabe and Ito (2008), without yellow, which white paper swallows. */
static const gf__color hues[] = {
    {0x00, 0x72, 0xb2}, /* blue */
    {0xd5, 0x5e, 0x00}, /* vermillion */
    {0x00, 0x9e, 0x73}, /* bluish green */
    {0xcc, 0x79, 0xa7}, /* reddish purple */
    {0xe6, 0x9f, 0x00}, /* orange */
    {0x56, 0xb4, 0xe9}, /* sky blue */
    {0x00, 0x00, 0x00}, /* black */
};

enum { HUE_COUNT = sizeof hues / sizeof *hues };

/* The lightest shade has this much of its hue, so that it is seen on white. */
static const double LIGHTEST = 0.35;

static uint8_t shaded(uint8_t channel, double amount) {
  return (uint8_t)(255 - amount * (255 - channel) + 0.5);
}

gf__pen gf__series_pen(const gf_series *series) {
  gf__color hue = hues[(unsigned)series->hue % HUE_COUNT];
  double shade = series->shade > 0 ? series->shade < 1 ? series->shade : 1 : 0;
  double amount = LIGHTEST + (1 - LIGHTEST) * shade;
  gf__color color = {shaded(hue.r, amount), shaded(hue.g, amount), shaded(hue.b, amount)};
  return (gf__pen){color, 3, 10, series->dashed ? 9 : 0};
}

void gf__text_fit(const gf__canvas *canvas, double size, double room, const char *text, char *out,
                  size_t out_size) {
  static const char more[] = "…";
  size_t length = strlen(text), kept = 0;
  bool whole = length < out_size && gf__canvas_text_length(canvas, size, text) <= room;
  if (whole) {
    memcpy(out, text, length + 1);
    return;
  }
  for (const char *next = text; gf__utf8_next(&next);) {
    size_t used = (size_t)(next - text);
    if (used + sizeof more > out_size) break;
    memcpy(out, text, used);
    memcpy(out + used, more, sizeof more);
    if (gf__canvas_text_length(canvas, size, out) > room) break;
    kept = used;
  }
  memcpy(out + kept, more, sizeof more);
}

double gf__legend_draw(gf__canvas *canvas, const gf_series *series, int count, gf__box box,
                       double size, gf__color color) {
  enum { SWATCH = 44, GAP = 10, BETWEEN = 26, MOST_ROWS = 6 };
  gf__text_style style = {.size = size, .color = color};
  double x = box.left, row = size + GAP, y = box.top + row;
  int named = 0, drawn = 0, rows = 1;
  for (int i = 0; i < count; i++) named += series[i].name && series[i].count > 0;
  if (!named) return box.top;
  for (int i = 0; i < count; i++) {
    if (!series[i].name || series[i].count == 0) continue;
    char name[256];
    gf__text_fit(canvas, size, box.right - box.left - SWATCH - GAP, series[i].name, name,
                 sizeof name);
    double length = SWATCH + GAP + gf__canvas_text_length(canvas, size, name);
    if (drawn && x + length > box.right) {
      x = box.left;
      y += row;
      if (++rows > MOST_ROWS) {
        snprintf(name, sizeof name, "… and %d more", named - drawn);
        gf__canvas_text(canvas, (gf__point){x, y}, style, name);
        return y + GAP;
      }
    }
    gf__point swatch[] = {{x + 2, y - 0.33 * size}, {x + SWATCH - 2, y - 0.33 * size}};
    gf__box clip = {x, y - size, x + SWATCH, y + size};
    gf__canvas_line(canvas, swatch, 2, gf__series_pen(&series[i]), clip);
    gf__canvas_text(canvas, (gf__point){x + SWATCH + GAP, y}, style, name);
    x += length + BETWEEN;
    drawn++;
  }
  return y + GAP;
}

double gf__bar_draw(gf__canvas *canvas, const gf_chart *chart, gf__box box, double size,
                    gf__color color) {
  enum { LENGTH = 320, GAP = 10 };
  gf__text_style style = {.size = size, .color = color};
  double base = box.top + size + GAP;
  gf_series series = chart->series[0];
  gf__canvas_text(canvas, (gf__point){box.left, base}, style, chart->bar[0]);
  double left = ceil(box.left + gf__canvas_text_length(canvas, size, chart->bar[0]) + GAP);
  for (int i = 0; i < LENGTH; i++) {
    series.shade = (float)i / (float)(LENGTH - 1);
    gf__canvas_fill(canvas, (gf__box){left + i, base - 0.8 * size, left + i + 1, base},
                    gf__series_pen(&series).color);
  }
  gf__canvas_text(canvas, (gf__point){left + LENGTH + GAP, base}, style, chart->bar[1]);
  return base + GAP;
}
