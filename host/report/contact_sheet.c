#include "report/contact_sheet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "report/canvas.h"
#include "report/utf8.h"

enum { TITLE = 22, TEXT = 16, LINE = 21, MARGIN = 24, BETWEEN = 30, GAP = 8 }; /* pixels */
enum { USUAL_WIDTH = 1600, LEAST_WIDTH = 560 };
/* Of an image: small ones are enlarged by a whole number, and large ones shrunk. */
enum { IMAGE_USUAL = 128, IMAGE_MOST = 256 };
enum { BAR = 110, PERCENT = 62, BAR_HEIGHT = 12, LABEL_MOST = 240, LONGEST_TEXT = 257 };

static const gf__color ink = {0x22, 0x22, 0x22}, muted = {0x55, 0x55, 0x55},
                       first_bar = {0x00, 0x72, 0xb2}, other_bar = {0x9c, 0xc4, 0xde};

typedef struct cell {
  gf__sheet_cell shown; /* its pointers are into store */
  gf__sheet_bar bars[GF__SHEET_MOST_BARS];
  void *store;
} cell;

struct gf__contact_sheet {
  cell cells[GF__SHEET_MOST_CELLS];
  int count;
};

/* ---- cells ---- */

gf_status gf__contact_sheet_new(gf__contact_sheet **out) {
  *out = calloc(1, sizeof **out);
  return *out ? GF_OK : gf__fail_host_memory(sizeof **out);
}

static void clear(gf__contact_sheet *sheet) {
  for (int i = 0; i < sheet->count; i++) free(sheet->cells[i].store);
  sheet->count = 0;
}

void gf__contact_sheet_free(gf__contact_sheet **sheet) {
  if (!*sheet) return;
  clear(*sheet);
  free(*sheet);
  *sheet = NULL;
}

int gf__contact_sheet_count(const gf__contact_sheet *sheet) { return sheet->count; }

/* Copies size bytes to *at, which moves past them. */
static void *sheet_copy(char **at, const void *from, size_t size) {
  void *copy = memcpy(*at, from, size);
  *at += size;
  return copy;
}

static const char *put_text(char **at, const char *text) {
  size_t length = strlen(text), most = LONGEST_TEXT - 1;
  char *copy = sheet_copy(at, text, GF__MIN(length, most));
  *(*at)++ = 0;
  return copy;
}

gf_status gf__contact_sheet_add(gf__contact_sheet *sheet, const gf__sheet_cell *from) {
  size_t area = (size_t)from->height * (size_t)from->width, bytes = area * (size_t)from->channels;
  size_t map = from->map ? area * sizeof *from->map : 0;
  size_t size = map + bytes + (GF__SHEET_MOST_BARS + 1) * (size_t)LONGEST_TEXT;
  if (sheet->count == GF__SHEET_MOST_CELLS || from->bar_count > GF__SHEET_MOST_BARS)
    return gf__fail(GF_ERROR_ARGUMENT, "a contact sheet has at most %d images, of %d bars each",
                    GF__SHEET_MOST_CELLS, GF__SHEET_MOST_BARS);
  char *at = malloc(size);
  if (!at) return gf__fail_host_memory(size);
  cell *to = &sheet->cells[sheet->count++];
  *to = (cell){.shown = *from, .store = at};
  if (map) to->shown.map = sheet_copy(&at, from->map, map);
  to->shown.pixels = sheet_copy(&at, from->pixels, bytes);
  to->shown.name = put_text(&at, from->name);
  for (int i = 0; i < from->bar_count; i++)
    to->bars[i] = (gf__sheet_bar){put_text(&at, from->bars[i].label), from->bars[i].fraction};
  to->shown.bars = to->bars;
  return GF_OK;
}

/* ---- text ---- */

/* Bytes of the text's beginning that fit into the room: all, up to the last blank or dash, or at
 * least one character. */
static size_t fitting(const gf__canvas *canvas, double size, double room, const char *text) {
  char piece[LONGEST_TEXT];
  size_t fits = 0, gap = 0;
  for (const char *next = text; *next && (size_t)(next - text) < sizeof piece - 4;) {
    gf__utf8_next(&next);
    size_t length = (size_t)(next - text);
    memcpy(piece, text, length);
    piece[length] = 0;
    if (fits && gf__canvas_text_length(canvas, size, piece) > room) return gap ? gap : fits;
    fits = length;
    if (strchr(" _-", text[length - 1])) gap = length;
  }
  return fits;
}

/* Draws the text in lines that fit into the room, the first on the base line; without draws it
 * only counts them. */
static int put_lines(gf__canvas *canvas, gf__point place, gf__text_style style, double room,
                     const char *text, bool draws) {
  int lines = 0;
  for (size_t length; *text; text += length, lines++) {
    char piece[LONGEST_TEXT] = "";
    length = fitting(canvas, style.size, room, text);
    memcpy(piece, text, length);
    if (draws) gf__canvas_text(canvas, (gf__point){place.x, place.y + lines * LINE}, style, piece);
  }
  return lines > 0 ? lines : 1;
}

static int count_lines(gf__canvas *canvas, double room, const char *text) {
  return put_lines(canvas, (gf__point){0, 0}, (gf__text_style){.size = TEXT}, room, text, false);
}

/* ---- layout ---- */

typedef struct layout {
  gf__canvas *canvas; /* for lengths of texts, and then to draw on */
  const gf__contact_sheet *sheet;
  int pictures; /* side by side in a cell: the image, and the map where one has any */
  double image_width, label_width, cell_width;
  int columns, width;
} layout;

/* Pixels of the sheet for a side of the longer side's picture. */
static double shown_side(int side, int longer) {
  if (longer >= IMAGE_USUAL)
    return longer > IMAGE_MOST ? (double)side * IMAGE_MOST / longer : (double)side;
  int scale = (IMAGE_USUAL + longer - 1) / longer;
  return (double)side * scale;
}

static int longer_side(const gf__sheet_cell *c) {
  return c->height > c->width ? c->height : c->width;
}

static double bars_height(const layout *l, const gf__sheet_cell *c) {
  int lines = 0;
  for (int i = 0; i < c->bar_count; i++)
    lines += count_lines(l->canvas, l->label_width, c->bars[i].label);
  return lines * LINE;
}

/* Heights of the names over a row's images, and of what is below them. */
typedef struct row {
  double names, images;
} row;

static row measure_row(const layout *l, int index) {
  row r = {0, 0};
  for (int i = index * l->columns; i < (index + 1) * l->columns && i < l->sheet->count; i++) {
    const gf__sheet_cell *c = &l->sheet->cells[i].shown;
    r.names = fmax(r.names, LINE * count_lines(l->canvas, l->cell_width, c->name));
    r.images = fmax(r.images, fmax(shown_side(c->height, longer_side(c)), bars_height(l, c)));
  }
  return r;
}

static double row_height(const row *r) { return r->names + r->images + BETWEEN; }

static void sheet_lay_out(layout *l) {
  const gf__contact_sheet *sheet = l->sheet;
  bool has_bars = false;
  l->pictures = 1;
  for (int i = 0; i < sheet->count; i++) {
    const gf__sheet_cell *c = &sheet->cells[i].shown;
    if (c->map) l->pictures = 2;
    has_bars |= c->bar_count > 0;
    l->image_width = fmax(l->image_width, shown_side(c->width, longer_side(c)));
    for (int b = 0; b < c->bar_count; b++)
      l->label_width =
          fmax(l->label_width, ceil(gf__canvas_text_length(l->canvas, TEXT, c->bars[b].label)));
  }
  l->label_width = fmin(l->label_width, LABEL_MOST);
  l->cell_width = l->pictures * (l->image_width + GAP);
  if (has_bars) l->cell_width += l->label_width + GAP + BAR + PERCENT;
  int fit = (int)((USUAL_WIDTH - 2 * MARGIN + BETWEEN) / (l->cell_width + BETWEEN));
  l->columns = GF__MAX(1, GF__MIN(fit, sheet->count));
  if (l->columns < 1) l->columns = 1;
  l->width = (int)ceil(2 * MARGIN + l->columns * (l->cell_width + BETWEEN) - BETWEEN);
  if (l->width < LEAST_WIDTH) l->width = LEAST_WIDTH;
}

/* ---- drawing ---- */

typedef gf__color colour_of(const gf__sheet_cell *c, size_t pixel, double scale);

static gf__color image_colour(const gf__sheet_cell *c, size_t pixel, double scale) {
  (void)scale;
  const uint8_t *p = c->pixels + pixel * (size_t)c->channels;
  return c->channels == 1 ? (gf__color){p[0], p[0], p[0]} : (gf__color){p[0], p[1], p[2]};
}

static gf__color map_colour(const gf__sheet_cell *c, size_t pixel, double scale) {
  double level = c->map[pixel] * scale;
  uint8_t grey = level > 0 ? (uint8_t)lround(fmin(level, 1) * 255) : 0;
  return (gf__color){grey, grey, grey};
}

static void draw_picture(gf__canvas *canvas, double left, double top, const gf__sheet_cell *c,
                         colour_of *colour, double scale) {
  double width = shown_side(c->width, longer_side(c)) / c->width;
  double height = shown_side(c->height, longer_side(c)) / c->height;
  for (int y = 0; y < c->height; y++)
    for (int x = 0; x < c->width; x++) {
      gf__box box = {left + x * width, top + y * height, left + (x + 1) * width,
                     top + (y + 1) * height};
      gf__canvas_fill(canvas, box, colour(c, (size_t)y * (size_t)c->width + (size_t)x, scale));
    }
}

/* The map's largest value is white. */
static double map_scale(const gf__sheet_cell *c) {
  double most = 0;
  for (size_t i = 0; i < (size_t)c->height * (size_t)c->width; i++) most = fmax(most, c->map[i]);
  return most > 0 ? 1 / most : 0;
}

static void draw_bars(const layout *l, double left, double y, const gf__sheet_cell *c) {
  double bar = left + l->label_width + GAP, text = bar + BAR + PERCENT;
  for (int i = 0; i < c->bar_count; i++) {
    char percent[16];
    double fraction = fmin(fmax(c->bars[i].fraction, 0), 1), base = y + TEXT;
    snprintf(percent, sizeof percent, "%.1f%%", 100 * fraction);
    gf__box box = {bar, base - BAR_HEIGHT, bar + fmax(1, BAR * fraction), base};
    gf__canvas_fill(l->canvas, box, i == 0 ? first_bar : other_bar);
    gf__canvas_text(l->canvas, (gf__point){text, base},
                    (gf__text_style){TEXT, muted, GF__ALIGN_END, false}, percent);
    y += LINE * put_lines(l->canvas, (gf__point){left, base}, (gf__text_style){.size = TEXT, ink},
                          l->label_width, c->bars[i].label, true);
  }
}

static void draw_cell(const layout *l, double left, double top, double names,
                      const gf__sheet_cell *c) {
  gf__text_style style = {.size = TEXT, .color = muted};
  put_lines(l->canvas, (gf__point){left, top + TEXT}, style, l->cell_width, c->name, true);
  top += names;
  draw_picture(l->canvas, left, top, c, image_colour, 0);
  left += l->image_width + GAP;
  if (c->map) draw_picture(l->canvas, left, top, c, map_colour, map_scale(c));
  left += (l->pictures - 1) * (l->image_width + GAP);
  draw_bars(l, left, top, c);
}

/* Title and note; returns the y below them. Without draws it only measures. */
static double draw_head(const layout *l, const char *title, const char *note, bool draws) {
  double y = MARGIN, room = l->width - 2 * MARGIN;
  gf__text_style style = {.size = TITLE, .color = ink};
  y += (LINE + 4) * put_lines(l->canvas, (gf__point){MARGIN, y + TITLE}, style, room, title, draws);
  style = (gf__text_style){.size = TEXT, .color = muted};
  if (note)
    y += LINE * put_lines(l->canvas, (gf__point){MARGIN, y + TEXT}, style, room, note, draws);
  return y + MARGIN / 2.0;
}

static void draw_row(const layout *l, int index, double y, double names) {
  for (int i = 0; i < l->columns && index * l->columns + i < l->sheet->count; i++)
    draw_cell(l, MARGIN + i * (l->cell_width + BETWEEN), y, names,
              &l->sheet->cells[index * l->columns + i].shown);
}

gf_status gf__contact_sheet_write(gf__contact_sheet *sheet, const char *title, const char *note,
                                  const char *path) {
  layout l = {.sheet = sheet};
  GF_TRY(gf__canvas_new(&l.canvas, 1, 1)); /* lengths of texts need one */
  sheet_lay_out(&l);
  double head = draw_head(&l, title, note, false), height = head;
  int rows = (sheet->count + l.columns - 1) / l.columns;
  row measured[GF__SHEET_MOST_CELLS];
  for (int i = 0; i < rows; i++) {
    measured[i] = measure_row(&l, i);
    height += row_height(&measured[i]);
  }
  gf__canvas_free(&l.canvas);
  GF_TRY(gf__canvas_new(&l.canvas, l.width, (int)ceil(height)));
  draw_head(&l, title, note, true);
  for (int i = 0; i < rows; i++) {
    draw_row(&l, i, head, measured[i].names);
    head += row_height(&measured[i]);
  }
  gf_status status = gf__canvas_write(l.canvas, path);
  gf__canvas_free(&l.canvas);
  if (status == GF_OK) clear(sheet);
  return status;
}
