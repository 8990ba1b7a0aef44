/* Charts and heat maps: a figure with its texts, and its numbers as JSON for the page's scripts. */
#include "report/html.h"
#include "report/html_text.h"
#include "report/legend.h"

/* On dark paper, in the order of the hues of gf__series_pen and as far apart: lighter, black white.
 */
static const gf__color dark_hues[] = {
    {0x4d, 0xa3, 0xe0}, /* blue */
    {0xff, 0x83, 0x3d}, /* vermillion */
    {0x2c, 0xc9, 0x9c}, /* bluish green */
    {0xe2, 0x9a, 0xc6}, /* reddish purple */
    {0xf4, 0xb9, 0x3c}, /* orange */
    {0xa6, 0xdc, 0xff}, /* sky blue */
    {0xf0, 0xf0, 0xf0}, /* white */
};
static const gf__color dark_paper = {0x15, 0x18, 0x1c};

enum { HUE_COUNT = sizeof dark_hues / sizeof *dark_hues };

/* The faintest shade has this much of its hue, so that it is seen on the paper. */
static const double FAINTEST = 0.35;

static unsigned mixed(uint8_t paper, uint8_t hue, double amount) {
  return (unsigned)(paper + amount * (hue - paper) + 0.5);
}

static void add_colors(gf__text *out, const gf_series *series) {
  gf__color light = gf__series_pen(series).color,
            hue = dark_hues[(unsigned)series->hue % HUE_COUNT];
  double shade = series->shade > 0 ? series->shade < 1 ? series->shade : 1 : 0;
  double amount = FAINTEST + (1 - FAINTEST) * shade;
  gf__text_add(out, "\"light\":\"#%02x%02x%02x\",\"dark\":\"#%02x%02x%02x\"", light.r, light.g,
               light.b, mixed(dark_paper.r, hue.r, amount), mixed(dark_paper.g, hue.g, amount),
               mixed(dark_paper.b, hue.b, amount));
}

static void add_series(gf__text *out, const gf_series *series) {
  gf__text_add(out, "{\"name\":");
  gf__html_add_json_text(out, series->name);
  gf__text_add(out, ",\"dashed\":%s,", series->dashed ? "true" : "false");
  add_colors(out, series);
  if (series->x) {
    gf__text_add(out, ",\"x\":");
    gf__html_add_json_numbers(out, series->x, (size_t)series->count);
  }
  gf__text_add(out, ",\"y\":");
  gf__html_add_json_numbers(out, series->y, (size_t)series->count);
  gf__text_add(out, "}");
}

static void add_names(gf__text *out, const char *const *names, int count) {
  gf__text_add(out, "[");
  for (int i = 0; i < count; i++) {
    if (i) gf__text_add(out, ",");
    gf__html_add_json_text(out, names[i]);
  }
  gf__text_add(out, "]");
}

/* Appends <tag>text</tag>; nothing for NULL. */
static void add_line(gf__text *out, const char *tag, const char *class, const char *text) {
  if (!text) return;
  gf__text_add(out, "<%s class=\"%s\">", tag, class);
  gf__html_add(out, text);
  gf__text_add(out, "</%s>\n", tag);
}

static void add_label_attribute(gf__text *out, const char *title) {
  gf__text_add(out, " role=\"img\" aria-label=\"");
  gf__html_add(out, title ? title : "chart");
  gf__text_add(out, "\"");
}

/* What chart.c draws and does to the range of y. */
static void add_levels(gf__text *out, const gf_chart *chart) {
  gf__text_add(out, ",\"levels\":[");
  for (int i = 0; i < chart->level_count; i++) {
    gf__text_add(out, "%s{\"at\":", i ? "," : "");
    gf__html_add_json_number(out, chart->levels[i].at);
    gf__text_add(out, ",\"name\":");
    gf__html_add_json_text(out, chart->levels[i].name);
    gf__text_add(out, "}");
  }
  gf__text_add(out, "],\"y_span\":");
  gf__html_add_json_number(out, chart->y_span);
  gf__text_add(out, ",\"trims\":%s,\"bar\":", chart->trims ? "true" : "false");
  if (!chart->bar[0]) {
    gf__text_add(out, "null");
    return;
  }
  gf__text_add(out, "[");
  gf__html_add_json_text(out, chart->bar[0]);
  gf__text_add(out, ",");
  gf__html_add_json_text(out, chart->bar[1]);
  gf__text_add(out, "]");
}

void gf__html_chart(gf__text *out, const gf_chart *chart) {
  gf__text_add(out, "<figure class=\"chart\">\n");
  add_line(out, "figcaption", "title", chart->title);
  add_line(out, "p", "note", chart->note);
  gf__text_add(out, "<ul class=\"legend\"></ul>\n");
  add_line(out, "p", "y-label", chart->y_label);
  gf__text_add(out, "<div class=\"plot\"");
  add_label_attribute(out, chart->title);
  gf__text_add(out, "></div>\n");
  add_line(out, "p", "x-label", chart->x_label);
  gf__text_add(out, "<p class=\"hint\"></p>\n<script type=\"application/json\">{\"x_label\":");
  gf__html_add_json_text(out, chart->x_label);
  gf__text_add(out, ",\"log\":%s,\"y_min\":", chart->log_y ? "true" : "false");
  gf__html_add_json_number(out, chart->y_min);
  gf__text_add(out, ",\"y_max\":");
  gf__html_add_json_number(out, chart->y_max);
  gf__text_add(out, ",\"reference\":");
  gf__html_add_json_number(out, chart->reference);
  gf__text_add(out, ",\"reference_name\":");
  gf__html_add_json_text(out, chart->reference_name);
  add_levels(out, chart);
  if (chart->x_names) {
    gf__text_add(out, ",\"x_names\":");
    add_names(out, chart->x_names, chart->x_name_count);
  }
  gf__text_add(out, ",\"series\":[");
  for (int i = 0; i < chart->count; i++) {
    if (i) gf__text_add(out, ",\n");
    add_series(out, &chart->series[i]);
  }
  gf__text_add(out, "]}</script>\n</figure>\n");
}

void gf__html_heat_map(gf__text *out, const gf__heat_map *map) {
  size_t columns = (size_t)map->column_count;
  gf__text_add(out, "<figure class=\"heat\">\n");
  add_line(out, "figcaption", "title", map->title);
  add_line(out, "p", "note", map->note);
  add_line(out, "p", "value-label", map->value_label);
  gf__text_add(out, "<div class=\"scale\"></div>\n<div class=\"plot\"><canvas tabindex=\"0\"");
  add_label_attribute(out, map->title);
  gf__text_add(out, "></canvas></div>\n");
  add_line(out, "p", "x-label", map->x_label);
  gf__text_add(out,
               "<p class=\"hint\" aria-live=\"polite\"></p>\n"
               "<script type=\"application/json\">{\"x_label\":");
  gf__html_add_json_text(out, map->x_label);
  gf__text_add(out, ",\"log\":%s,\"row_names\":", map->log ? "true" : "false");
  add_names(out, map->row_names, map->rows);
  gf__text_add(out, ",\"columns\":");
  gf__html_add_json_numbers(out, map->columns, columns);
  gf__text_add(out, ",\n\"values\":");
  gf__html_add_json_numbers(out, map->values, (size_t)map->rows * columns);
  gf__text_add(out, "}</script>\n</figure>\n");
}
