/* The report's page: what it says, and that a browser shows it without errors or a network. */
#define _XOPEN_SOURCE 700 /* mkdtemp, popen */

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/os.h"
#include "report/html.h"
#include "report/legend.h"
#include "support/browser.h"
#include "support/test.h"

static const gf__table_column columns[] = {{"run", false}, {"loss", true}};

static gf__table new_table(const char *name, const char *value) {
  gf__table table = {.columns = columns, .column_count = 2};
  gf__table_add(&table, "%s", name);
  gf__table_add(&table, "%s", value);
  return table;
}

static void end_page(gf__text *page) { assert_int_equal(gf__html_end(page), GF_OK); }

/* The part of the page behind its head, where no script or style of the page's own stands. */
static const char *body_of(const gf__text *page) {
  const char *body = strstr(page->data, "<body>");
  assert_non_null(body);
  return body;
}

static int count_of(const char *text, const char *part) {
  int count = 0;
  for (; (text = strstr(text, part)); text += strlen(part)) count++;
  return count;
}

static void assert_has(const char *text, const char *part) {
  if (!text || !strstr(text, part)) fail_msg("not found: %s\nin:\n%.3000s", part, text ? text : "");
}

/* The JSON of the page's figure number index. */
static json_t *figure_data(const gf__text *page, int index) {
  static const char start[] = "<script type=\"application/json\">", end[] = "</script>";
  const char *at = body_of(page);
  for (int i = 0; i <= index; i++) {
    at = strstr(at, start);
    assert_non_null(at);
    at += strlen(start);
  }
  json_error_t error;
  json_t *data = json_loadb(at, (size_t)(strstr(at, end) - at), JSON_REJECT_DUPLICATES, &error);
  if (!data) fail_msg("line %d, column %d: %s\n%.300s", error.line, error.column, error.text, at);
  return data;
}

static const char *text_of(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

/* ---- texts ---- */

/* Ends scripts, attributes and comments; breaks a line of JavaScript; is not UTF-8. */
#define NASTY "</script><!-- --><b>&'\"\\ \xe2\x80\xa8 \xff \x01 a\nb\tc"
#define NASTY_READ "</script><!-- --><b>&'\"\\ \xe2\x80\xa8 \xef\xbf\xbd \xef\xbf\xbd a\nb\tc"
#define NASTY_HTML                                      \
  "&lt;/script&gt;&lt;!-- --&gt;&lt;b&gt;&amp;&#39;"    \
  "&quot;\\ \xe2\x80\xa8 \xef\xbf\xbd \xef\xbf\xbd a\n" \
  "b\tc"

static void texts_are_escaped_in_html(void **state) {
  (void)state;
  gf__text page = {0};
  gf__html_begin(&page, NASTY, NASTY);
  gf__html_heading(&page, NASTY);
  gf__html_paragraph(&page, NASTY);
  static const gf__table_column nasty[] = {{NASTY, false}};
  gf__table table = {.columns = nasty, .column_count = 1};
  gf__table_add(&table, "%s", NASTY);
  assert_int_equal(gf__html_table(&page, NASTY, &table), GF_OK);
  gf__table_free(&table);
  gf__html_fold_begin(&page, NASTY);
  gf__html_fold_end(&page);
  end_page(&page);
  assert_has(page.data, "<title>" NASTY_HTML "</title>");
  static const char *const expected[] = {
      "<h1>" NASTY_HTML "</h1>\n<p>" NASTY_HTML "</p>\n</header>",
      "<li><a href=\"#section-1\">" NASTY_HTML "</a></li>",
      "<h2 id=\"section-1\">" NASTY_HTML "</h2>\n<p>" NASTY_HTML "</p>\n",
      "aria-label=\"" NASTY_HTML "\">\n<table>\n<caption>" NASTY_HTML "</caption>",
      "<button type=\"button\">" NASTY_HTML "</button>",
      "<th scope=\"row\">" NASTY_HTML "</th>",
      "<summary>" NASTY_HTML "</summary>",
  };
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
    assert_has(body_of(&page), expected[i]);
  assert_int_equal(count_of(body_of(&page), "<script"), 0);
  assert_int_equal(count_of(body_of(&page), "<b>"), 0);
  assert_int_equal(count_of(page.data, "\xff"), 0);
  gf__text_free(&page);
}

static void texts_are_escaped_in_scripts(void **state) {
  (void)state;
  gf__text page = {0};
  const char *names[] = {NASTY, "b"};
  double y[] = {1, 2};
  gf_series series = {.name = NASTY, .y = y, .count = 2};
  gf_chart chart = {.title = NASTY,
                    .x_label = NASTY,
                    .series = &series,
                    .count = 1,
                    .x_names = names,
                    .x_name_count = 2,
                    .reference_name = NASTY};
  gf__html_begin(&page, "t", NULL);
  gf__html_chart(&page, &chart);
  end_page(&page);
  json_t *data = figure_data(&page, 0);
  assert_string_equal(text_of(data, "x_label"), NASTY_READ);
  assert_string_equal(text_of(data, "reference_name"), NASTY_READ);
  const json_t *x_names = json_object_get(data, "x_names");
  assert_int_equal(json_array_size(x_names), 2);
  assert_string_equal(json_string_value(json_array_get(x_names, 0)), NASTY_READ);
  const json_t *line = json_array_get(json_object_get(data, "series"), 0);
  assert_string_equal(text_of(line, "name"), NASTY_READ);
  json_decref(data);
  /* What the parser cannot show: nothing in the script ends it, opens a tag or ends a line. */
  const char *script = strstr(body_of(&page), "<script");
  assert_int_equal(count_of(script, "<"), 6); /* script, /script, /figure, /main, /body, /html */
  assert_int_equal(count_of(script, "\xe2\x80\xa8"), 0);
  gf__text_free(&page);
}

/* ---- numbers ---- */

static void numbers_are_written_for_scripts(void **state) {
  (void)state;
  double x[] = {0.1, 1.0 / 3, 1e300, 5e-324, -0.7, 2, NAN};
  double y[] = {NAN, INFINITY, -INFINITY, 1.5e-17, 4.605170185988092, 0, -3};
  enum { COUNT = sizeof x / sizeof *x };
  gf_series series[] = {{.name = "a", .x = x, .y = y, .count = COUNT, .shade = 1, .dashed = 1},
                        {.y = y, .count = 0}};
  gf_chart chart = {.series = series, .count = 2, .log_y = 1, .y_min = 1e-9, .y_max = 10};
  gf__text page = {0};
  gf__html_begin(&page, "t", NULL);
  gf__html_chart(&page, &chart);
  end_page(&page);
  json_t *data = figure_data(&page, 0);
  assert_true(json_is_true(json_object_get(data, "log")));
  assert_true(json_is_null(json_object_get(data, "reference_name")));
  assert_null(json_object_get(data, "x_names"));
  assert_true(json_number_value(json_object_get(data, "y_min")) == 1e-9);
  assert_true(json_number_value(json_object_get(data, "y_max")) == 10);
  const json_t *lines = json_object_get(data, "series"), *line = json_array_get(lines, 0);
  assert_true(json_is_true(json_object_get(line, "dashed")));
  const json_t *xs = json_object_get(line, "x"), *ys = json_object_get(line, "y");
  assert_int_equal(json_array_size(xs), COUNT);
  assert_int_equal(json_array_size(ys), COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    const json_t *at[] = {json_array_get(xs, i), json_array_get(ys, i)};
    double expected[] = {x[i], y[i]};
    for (int k = 0; k < 2; k++) {
      assert_int_equal(json_is_null(at[k]), !isfinite(expected[k]));
      if (isfinite(expected[k])) assert_true(json_number_value(at[k]) == expected[k]);
    }
  }
  line = json_array_get(lines, 1);
  assert_true(json_is_null(json_object_get(line, "name")));
  assert_null(json_object_get(line, "x"));
  assert_int_equal(json_array_size(json_object_get(line, "y")), 0);
  json_decref(data);
  gf__text_free(&page);
}

static void a_heat_map_has_its_numbers(void **state) {
  (void)state;
  const char *rows[] = {"input", "logit"};
  double epochs[] = {1, 2, 3}, values[] = {1e-9, 0, NAN, 0.25, INFINITY, 3};
  gf__heat_map map = {.title = "Map",
                      .x_label = "epoch",
                      .row_names = rows,
                      .columns = epochs,
                      .values = values,
                      .rows = 2,
                      .column_count = 3,
                      .log = true};
  gf__text page = {0};
  gf__html_begin(&page, "t", NULL);
  gf__html_heat_map(&page, &map);
  end_page(&page);
  json_t *data = figure_data(&page, 0);
  const json_t *all = json_object_get(data, "values");
  assert_int_equal(json_array_size(all), 6);
  for (size_t i = 0; i < 6; i++) {
    const json_t *value = json_array_get(all, i);
    assert_int_equal(json_is_null(value), !isfinite(values[i]));
    if (isfinite(values[i])) assert_true(json_number_value(value) == values[i]);
  }
  assert_string_equal(json_string_value(json_array_get(json_object_get(data, "row_names"), 1)),
                      "logit");
  assert_true(json_number_value(json_array_get(json_object_get(data, "columns"), 2)) == 3);
  assert_true(json_is_true(json_object_get(data, "log")));
  json_decref(data);
  gf__text_free(&page);
}

/* A chart of one series of that hue and shade, as JSON; release it. */
static json_t *series_data(int hue, float shade) {
  double y = 1;
  gf_series series = {.y = &y, .count = 1, .shade = shade, .hue = hue};
  gf__text page = {0};
  gf__html_begin(&page, "t", NULL);
  gf__html_chart(&page, &(gf_chart){.series = &series, .count = 1});
  end_page(&page);
  json_t *data = figure_data(&page, 0);
  json_t *line = json_incref(json_array_get(json_object_get(data, "series"), 0));
  json_decref(data);
  gf__text_free(&page);
  return line;
}

/* 0..255, the mean of the channels. */
static double brightness(const char *color) {
  unsigned r, g, b;
  assert_int_equal(sscanf(color, "#%2x%2x%2x", &r, &g, &b), 3);
  return (r + g + b) / 3.0;
}

static void colors_are_those_of_the_pictures(void **state) {
  (void)state;
  json_t *first = series_data(0, 1);
  int hues = 0;
  for (bool again = false; !again; hues++) {
    gf__color color = gf__series_pen(&(gf_series){.hue = hues, .shade = 1}).color;
    char expected[8];
    snprintf(expected, sizeof expected, "#%02x%02x%02x", color.r, color.g, color.b);
    json_t *plain = series_data(hues, 1), *faint = series_data(hues, 0);
    assert_string_equal(text_of(plain, "light"), expected);
    /* A fainter shade is nearer to the paper, which is white or nearly black. */
    assert_true(brightness(text_of(faint, "light")) > brightness(text_of(plain, "light")) + 30);
    assert_true(brightness(text_of(faint, "dark")) < brightness(text_of(plain, "dark")) - 30);
    again = hues && strcmp(text_of(plain, "light"), text_of(first, "light")) == 0;
    /* Both papers' hues come round together. */
    assert_int_equal(!hues || again, !strcmp(text_of(plain, "dark"), text_of(first, "dark")));
    json_decref(plain);
    json_decref(faint);
  }
  assert_in_range(hues, 5, 20);
  json_decref(first);
}

/* ---- structure ---- */

static void a_table_is_written(void **state) {
  (void)state;
  gf__table table = new_table("plain 7", "2.1 ± 0.2");
  gf__text page = {0};
  assert_int_equal(gf__html_table(&page, "Losses", &table), GF_OK);
  assert_string_equal(
      page.data,
      "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Losses\">\n<table>\n"
      "<caption>Losses</caption>\n<thead>\n<tr>"
      "<th scope=\"col\"><button type=\"button\">run</button></th>"
      "<th scope=\"col\" class=\"right\"><button type=\"button\">loss</button></th></tr>\n"
      "</thead>\n<tbody>\n<tr><th scope=\"row\">plain 7</th>"
      "<td class=\"right\">2.1 ± 0.2</td></tr>\n</tbody>\n</table>\n</div>\n");
  gf__text_free(&page);
  gf__table_add(&table, "half a row");
  assert_int_equal(gf__html_table(&page, NULL, &table), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(), "3 cells do not fill the rows of a table of 2 columns");
  assert_null(page.data);
  gf__table_free(&table);
}

static void contents_link_to_their_headings(void **state) {
  (void)state;
  gf__text page = {0};
  gf__html_begin(&page, "t", NULL);
  gf__html_heading(&page, "Loss");
  gf__html_paragraph(&page, "between");
  gf__html_heading(&page, "Gradients");
  end_page(&page);
  assert_has(page.data,
             "</header>\n<nav aria-label=\"Contents\">\n<strong>Contents</strong>\n<ul>\n"
             "<li><a href=\"#section-1\">Loss</a></li>\n"
             "<li><a href=\"#section-2\">Gradients</a></li>\n</ul>\n</nav>\n"
             "<main class=\"blocks\">\n<h2 id=\"section-1\">Loss</h2>\n<p>between</p>\n"
             "<h2 id=\"section-2\">Gradients</h2>\n</main>\n</body>\n</html>\n");
  gf__text_free(&page);
  gf__html_begin(&page, "t", "only a paragraph");
  end_page(&page);
  assert_int_equal(count_of(body_of(&page), "<nav"), 0);
  gf__text_free(&page);
}

/* A page with every kind of block: 5 charts in view, of which one has no values, and one folded.
 * dygraphs draws on two canvases; a heat map's stands in the page from the start. */
enum { DRAWN_CHARTS = 4, HEAT_MAPS = 2, CANVASES = 2 * DRAWN_CHARTS + HEAT_MAPS };

static void add_every_block(gf__text *page) {
  double epochs[] = {1, 2, 3, 4}, loss[] = {4.6, 3.1, NAN, 2.5}, zero[] = {0, 1e-9, 1e-4, 0};
  double none[] = {NAN, INFINITY, -1, 0};
  const char *layers[] = {"entry.conv", "stage1.<b>", NASTY, "logit"};
  gf_series lines[] = {{"train", epochs, loss, 4, 1, 0, 0}, {NULL, epochs, zero, 4, 1, 0, 1}};
  gf_series flow[] = {{"epoch 1", NULL, zero, 4, 0, 2, 0}, {NASTY, NULL, loss, 4, 1, 2, 0}};
  gf_series empty = {"none", NULL, none, 4, 1, 0, 0};
  gf_chart chart = {
      .title = "Loss", .x_label = "epoch", .y_label = "loss", .series = lines, .count = 2};
  gf_chart log = {.title = "Flow",
                  .series = flow,
                  .count = 2,
                  .log_y = 1,
                  .x_names = layers,
                  .x_name_count = 4,
                  .note = "zero where the line is missing",
                  .reference = 1e-8,
                  .reference_name = "Adam's eps, 1e-8"};
  gf_chart fixed = {.series = flow, .count = 2, .y_min = -2, .y_max = 9};
  gf_chart one = {
      .title = "One", .series = &(gf_series){"one", epochs, loss, 1, 1, 0, 0}, .count = 1};
  gf_chart blank = {.title = "Blank", .series = &empty, .count = 1, .log_y = 1};
  const gf_chart *charts[] = {&chart, &log, &fixed, &one, &blank};
  gf__heat_map map = {.title = "Map",
                      .x_label = "epoch",
                      .value_label = "mean |gradient|",
                      .row_names = layers,
                      .columns = epochs,
                      .values = zero,
                      .rows = 1,
                      .column_count = 4,
                      .log = true};
  gf__html_begin(page, "Report " NASTY, "every kind of block");
  gf__html_heading(page, "Tables");
  gf__html_paragraph(page, "See http://example.invalid/ for more.");
  gf__table table = new_table(NASTY, "1e-3");
  assert_int_equal(gf__html_table(page, NULL, &table), GF_OK);
  gf__html_heading(page, "Charts");
  for (size_t i = 0; i < sizeof charts / sizeof *charts; i++) gf__html_chart(page, charts[i]);
  gf__html_heat_map(page, &map);
  map.log = false;
  map.values = none;
  gf__html_heat_map(page, &map);
  gf__html_fold_begin(page, "More");
  assert_int_equal(gf__html_table(page, "Again", &table), GF_OK);
  gf__html_chart(page, &chart);
  gf__html_fold_end(page);
  gf__table_free(&table);
  end_page(page);
}

static void equal_input_gives_equal_bytes(void **state) {
  (void)state;
  gf__text a = {0}, b = {0};
  add_every_block(&a);
  add_every_block(&b);
  assert_int_equal(a.size, b.size);
  assert_memory_equal(a.data, b.data, a.size);
  assert_int_equal(strlen(a.data), a.size);
  gf__text_free(&a);
  gf__text_free(&b);
}

static void a_page_needs_no_other_file(void **state) {
  (void)state;
  gf__text page = {0};
  add_every_block(&page);
  assert_has(page.data,
             "content=\"default-src 'none'; style-src 'unsafe-inline'; "
             "script-src 'unsafe-inline'; img-src data:\"");
  assert_has(page.data, "Copyright (c) 2006, 2009, 2011, 2012, 2013, 2017 Dan Vanderkam");
  assert_has(page.data, "The above copyright notice and this permission notice shall be included");
  static const char *const outside[] = {
      "sourceMappingURL", "@import", "url(", " src=", "<iframe", "<link rel=\"stylesheet\""};
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
    assert_int_equal(count_of(page.data, outside[i]), 0);
  /* Every reference is to the page itself or holds its data. */
  int all = count_of(page.data, "href=\"");
  assert_true(all > 2);
  assert_int_equal(
      all, count_of(page.data, "href=\"#section-") + count_of(page.data, "href=\"data:,\""));
  assert_int_equal(count_of(body_of(&page), "http"), 1); /* the paragraph's */
  gf__text_free(&page);
}

/* ---- in a browser ---- */

static char folder[64];

static int set_up(void **state) {
  (void)state;
  strcpy(folder, "/tmp/gradflow-html-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  return gf__remove_folder(folder) == GF_OK ? 0 : -1;
}

static void assert_console_empty(const browser_visit *seen) {
  const char *said = strstr(seen->log, "CONSOLE");
  if (said) fail_msg("%.600s", said);
}

static void every_block_is_drawn_in_a_browser(void **state) {
  (void)state;
  const char *browser = browser_find();
  if (!browser) {
    print_message("skipped: no chromium, chromium-browser or google-chrome in PATH\n");
    skip();
  }
  /* First that errors and requests are noticed at all. */
  static const char bad[] =
      "<!doctype html><title>t</title><img src=\"http://example.invalid/a\">"
      "<script>console.warn('a warning')</script>";
  browser_visit seen = browser_open(browser, folder, bad, "true");
  assert_has(seen.log, "CONSOLE");
  assert_true(seen.asked);
  browser_visit_free(&seen);

  gf__text page = {0};
  char condition[128];
  snprintf(condition, sizeof condition, "document.querySelectorAll('canvas').length === %d",
           CANVASES);
  add_every_block(&page);
  for (size_t i = 0; i < sizeof browser_own_hosts / sizeof *browser_own_hosts; i++)
    assert_int_equal(count_of(page.data, browser_own_hosts[i]), 0);
  seen = browser_open(browser, folder, page.data, condition);
  gf__text_free(&page);
  assert_console_empty(&seen);
  assert_false(seen.asked);
  const char *body = strstr(seen.dom.data, "<body>");
  assert_non_null(body);
  assert_int_equal(count_of(body, "<canvas"), CANVASES);
  assert_int_equal(count_of(body, "no values to draw"), 1);
  assert_int_equal(count_of(body, "aria-pressed=\"true\""), 8); /* 1 + 2 + 2 + 1 + 1, 1 folded */
  assert_has(body, ">10⁻⁸</div>");
  assert_has(body, ">logit</div>");
  assert_has(body, ">stage1.&lt;b&gt;</div>");
  assert_has(body, "<span class=\"ramp\"");
  assert_has(body, ">1×10⁻⁹</span>");
  browser_visit_free(&seen);
}

/* Uses the page as a reader does, and says what came of it in a last element of the body. */
static const char reader[] =
    "<script>addEventListener('ready', () => {\n"
    "const said = [], say = text => said.push(text), one = (p, q) => p.querySelector(q);\n"
    "const rows = () => say([...one(document, 'tbody').rows].map(r => r.cells[1].textContent));\n"
    "const sort = one(document, 'th.right button');\n"
    "sort.click(); rows(); sort.click(); rows();\n"
    "const figure = one(document, 'figure'), canvas = figure.querySelectorAll('canvas')[1];\n"
    "const box = canvas.getBoundingClientRect();\n"
    "const mouse = (type, x, y, target) => target.dispatchEvent(new MouseEvent(type,\n"
    "  {bubbles: true, clientX: box.left + x * box.width, clientY: box.top + y * box.height}));\n"
    "const ticks = () => say([...figure.querySelectorAll('.dygraph-axis-label-y')].map(\n"
    "  e => e.textContent));\n"
    "mouse('mousemove', 0.4, 0.5, canvas);\n"
    "say(one(figure, '.hint').textContent + ' ' + one(figure, '.value').textContent);\n"
    "ticks(); mouse('mousedown', 0.5, 0.2, canvas); mouse('mousemove', 0.5, 0.3, document);\n"
    "mouse('mousemove', 0.5, 0.5, document); mouse('mouseup', 0.5, 0.5, document); ticks();\n"
    "mouse('mousedown', 0.5, 0.5, canvas); mouse('mouseup', 0.5, 0.5, document);\n"
    "mouse('dblclick', 0.5, 0.5, canvas); ticks();\n"
    "one(figure, '.legend button').click();\n"
    "say(one(figure, '[aria-pressed=false] .name').textContent); ticks();\n"
    "const map = one(document, '.heat canvas'), down = new KeyboardEvent('keydown',\n"
    "  {key: 'ArrowRight'});\n"
    "map.dispatchEvent(down); say(one(document, '.heat .hint').textContent);\n"
    "const end = document.createElement('pre'); end.textContent = said.join('\\n');\n"
    "document.body.append(end); })</script>";

static void a_page_reacts_to_its_reader(void **state) {
  (void)state;
  const char *browser = browser_find();
  if (!browser) skip();
  double x[] = {1, 2, 3, 4}, y[] = {8, 2, 4.5, 4}, small[] = {0.1, 0.2, 0.9, 1};
  const char *rows[] = {"input"}, *const values[] = {"9.5 ± 1", "missing", "1e-3", "10.25", "-2"};
  gf_series lines[] = {{"large", x, y, 4, 1, 0, 0}, {"small", x, small, 4, 1, 1, 0}};
  gf_chart chart = {.x_label = "epoch", .series = lines, .count = 2};
  gf__heat_map map = {.x_label = "epoch",
                      .row_names = rows,
                      .columns = x,
                      .values = y,
                      .rows = 1,
                      .column_count = 4};
  gf__text page = {0};
  gf__table table = {.columns = columns, .column_count = 2};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    gf__table_add(&table, "a run");
    gf__table_add(&table, "%s", values[i]);
  }
  gf__html_begin(&page, "t", NULL);
  assert_int_equal(gf__html_table(&page, NULL, &table), GF_OK);
  gf__html_chart(&page, &chart);
  gf__html_heat_map(&page, &map);
  end_page(&page);
  gf__text_add(&page, "%s", reader);
  gf__table_free(&table);
  browser_visit seen =
      browser_open(browser, folder, page.data, "document.querySelectorAll('canvas').length === 3");
  gf__text_free(&page);
  assert_console_empty(&seen);
  const char *said = strstr(seen.dom.data, "<pre>");
  if (!said) fail_msg("%s", seen.dom.data);
  /* The plot is 340 pixels high, and 0.3 of it and its 22 below are zoomed into: 3.7 to 6.3. */
  assert_has(said,
             "<pre>-2,1e-3,9.5 ± 1,10.25,missing\n10.25,9.5 ± 1,1e-3,-2,missing\nepoch 2 2\n"
             "0,1,2,3,4,5,6,7,8\n4.0,4.5,5.0,5.5,6.0\n0,1,2,3,4,5,6,7,8\n"
             "large\n0,0.2,0.4,0.6,0.8,1.0\ninput, epoch 2: 2</pre>");
  browser_visit_free(&seen);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_are_escaped_in_html),
      cmocka_unit_test(texts_are_escaped_in_scripts),
      cmocka_unit_test(numbers_are_written_for_scripts),
      cmocka_unit_test(a_heat_map_has_its_numbers),
      cmocka_unit_test(colors_are_those_of_the_pictures),
      cmocka_unit_test(a_table_is_written),
      cmocka_unit_test(contents_link_to_their_headings),
      cmocka_unit_test(equal_input_gives_equal_bytes),
      cmocka_unit_test(a_page_needs_no_other_file),
      cmocka_unit_test_setup_teardown(every_block_is_drawn_in_a_browser, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_page_reacts_to_its_reader, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("html", tests, NULL, NULL);
}
