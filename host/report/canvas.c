#include "report/canvas.h"

#include <math.h>
#include <stb/stb_truetype.h>
#include <stdlib.h>
#include <string.h>

#include "base/embedded.h"
#include "base/file.h"
#include "base/numbers.h"
#include "base/text.h"
#include "report/png.h"
#include "report/utf8.h"

/* stb_image_write counts bytes in an int: the area keeps it from an overflow. */
enum { LARGEST_SIDE = 32768, LARGEST_AREA = 1 << 28, CHANNELS = 3 };

struct gf__canvas {
  int width, height;
  stbtt_fontinfo font;
  uint8_t *rgb; /* (height, width, 3) */
  /* (height, width): how much of a pixel the shape being drawn covers, 0 between
   * shapes. The segments of a line meet here, so that their joints do not add up. */
  uint8_t *coverage;
};

/* A range of pixels, the last ones excluded. */
typedef struct pixels {
  int left, top, right, bottom;
} pixels;

gf_status gf__canvas_new(gf__canvas **out, int width, int height) {
  *out = NULL;
  if (width < 1 || height < 1 || width > LARGEST_SIDE || height > LARGEST_SIDE ||
      width > LARGEST_AREA / height)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "a picture of %d x %d pixels: each side must be 1 to %d, and the area at most "
                    "%d; draw fewer or smaller charts",
                    width, height, LARGEST_SIDE, LARGEST_AREA);
  size_t size = (size_t)width * (size_t)height;
  gf__canvas *canvas = calloc(1, sizeof *canvas);
  if (!canvas) return gf__fail_host_memory(sizeof *canvas);
  *canvas = (gf__canvas){.width = width, .height = height};
  canvas->rgb = malloc(size * CHANNELS);
  canvas->coverage = calloc(size, 1);
  gf_status status = GF_OK;
  if (!canvas->rgb || !canvas->coverage)
    status = gf__fail_host_memory(size * (CHANNELS + 1));
  else if (!stbtt_InitFont(&canvas->font, gf__font_files[0].bytes, 0))
    status = gf__fail(GF_ERROR_DATA,
                      "the font %s in this build is not TrueType: build with another GRADFLOW_FONT",
                      gf__font_files[0].name);
  if (status != GF_OK)
    gf__canvas_free(&canvas);
  else
    memset(canvas->rgb, 255, size * CHANNELS);
  *out = canvas;
  return status;
}

void gf__canvas_free(gf__canvas **canvas) {
  if (!*canvas) return;
  free((*canvas)->rgb);
  free((*canvas)->coverage);
  free(*canvas);
  *canvas = NULL;
}

static size_t pixel_index(const gf__canvas *canvas, int x, int y) {
  return (size_t)y * (size_t)canvas->width + (size_t)x;
}

gf__color gf__canvas_pixel(const gf__canvas *canvas, int x, int y) {
  const uint8_t *p = canvas->rgb + pixel_index(canvas, x, y) * CHANNELS;
  return (gf__color){p[0], p[1], p[2]};
}

static uint8_t mix(uint8_t below, uint8_t above, int alpha) {
  return (uint8_t)((below * (255 - alpha) + above * alpha + 127) / 255);
}

static void blend(gf__canvas *canvas, int x, int y, gf__color color, int alpha) {
  if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height) return;
  uint8_t *p = canvas->rgb + pixel_index(canvas, x, y) * CHANNELS;
  p[0] = mix(p[0], color.r, alpha);
  p[1] = mix(p[1], color.g, alpha);
  p[2] = mix(p[2], color.b, alpha);
}

/* The edge of a box as a whole pixel of a canvas that is size wide; of a NaN it is 0. */
static int pixel_edge(double edge, int size) {
  return (int)GF__MIN(GF__MAX(edge, 0.0), (double)size);
}

/* The pixels of the canvas whose centre is in the box. */
static pixels pixels_in(const gf__canvas *canvas, gf__box box) {
  return (pixels){pixel_edge(ceil(box.left - 0.5), canvas->width),
                  pixel_edge(ceil(box.top - 0.5), canvas->height),
                  pixel_edge(ceil(box.right - 0.5), canvas->width),
                  pixel_edge(ceil(box.bottom - 0.5), canvas->height)};
}

void gf__canvas_fill(gf__canvas *canvas, gf__box box, gf__color color) {
  pixels in = pixels_in(canvas, box);
  for (int y = in.top; y < in.bottom; y++)
    for (int x = in.left; x < in.right; x++) blend(canvas, x, y, color, 255);
}

/* ---- lines ---- */

/* Covers the pixels within radius of the segment a..b. */
static void cover_segment(gf__canvas *canvas, gf__point a, gf__point b, double radius,
                          gf__box clip) {
  double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy, reach = radius + 1;
  double top = fmax(fmin(a.y, b.y) - reach, clip.top);
  double bottom = fmin(fmax(a.y, b.y) + reach, clip.bottom);
  pixels rows = pixels_in(canvas, (gf__box){0, top, 1, bottom});
  for (int row = rows.top; row < rows.bottom; row++) {
    /* Only what is near this row of the segment can reach it. */
    double y = row + 0.5, from = 0, to = 1;
    if (fabs(dy) > 1e-9) {
      double t0 = (y - reach - a.y) / dy, t1 = (y + reach - a.y) / dy;
      from = GF__CLAMP(fmin(t0, t1), 0, 1);
      to = GF__CLAMP(fmax(t0, t1), 0, 1);
    }
    double x0 = a.x + from * dx, x1 = a.x + to * dx;
    gf__box near = {fmax(fmin(x0, x1) - reach, clip.left), y - 0.5,
                    fmin(fmax(x0, x1) + reach, clip.right), y + 0.5};
    pixels in = pixels_in(canvas, near);
    for (int column = in.left; column < in.right; column++) {
      double px = column + 0.5 - a.x, py = y - a.y;
      double t = square > 0 ? GF__CLAMP((px * dx + py * dy) / square, 0, 1) : 0;
      double distance = hypot(px - t * dx, py - t * dy);
      int covered = (int)(GF__CLAMP(radius + 0.5 - distance, 0, 1) * 255 + 0.5);
      uint8_t *cell = canvas->coverage + pixel_index(canvas, column, row);
      if (covered > *cell) *cell = (uint8_t)covered;
    }
  }
}

/* Paints what was covered within the box and clears it. */
static void paint_coverage(gf__canvas *canvas, gf__box box, gf__color color) {
  pixels in = pixels_in(canvas, box);
  for (int y = in.top; y < in.bottom; y++) {
    uint8_t *cells = canvas->coverage + pixel_index(canvas, 0, y);
    for (int x = in.left; x < in.right; x++)
      if (cells[x]) blend(canvas, x, y, color, cells[x]);
    if (in.left < in.right) memset(cells + in.left, 0, (size_t)(in.right - in.left));
  }
}

/* Cuts a..b to the box (Liang and Barsky, 1984): the fraction of the segment that
 * is inside is *from..*to. */
static bool cut(gf__point a, gf__point b, gf__box box, double *from, double *to) {
  double dx = b.x - a.x, dy = b.y - a.y;
  const double step[] = {-dx, dx, -dy, dy};
  const double room[] = {a.x - box.left, box.right - a.x, a.y - box.top, box.bottom - a.y};
  *from = 0, *to = 1;
  for (int i = 0; i < 4; i++) {
    if (step[i] == 0 && room[i] < 0) return false;
    if (step[i] < 0) *from = fmax(*from, room[i] / step[i]);
    if (step[i] > 0) *to = fmin(*to, room[i] / step[i]);
  }
  return *from <= *to;
}

static gf__point along(gf__point a, gf__point b, double t) {
  return (gf__point){a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)};
}

/* Of a segment: more than the longest side of a picture has pixels. */
enum { MOST_DASHES = 1 << 16 };

/* Covers the dashes of a..b, which is visible from..to; walked is the length of the line
 * before a. */
static void cover_dashes(gf__canvas *canvas, gf__point a, gf__point b, double from, double to,
                         double walked, gf__pen pen, gf__box clip) {
  double length = hypot(b.x - a.x, b.y - a.y), radius = pen.width / 2, period = pen.dash + pen.gap;
  if (pen.gap <= 0 || length == 0) {
    cover_segment(canvas, along(a, b, from), along(a, b, to), radius, clip);
    return;
  }
  double start = from * length, end = to * length;
  double begin = start - fmod(walked + start, period);
  int dashes = (int)fmax(0, fmin(ceil((end - begin) / period), MOST_DASHES));
  for (int i = 0; i < dashes; i++) {
    double at = begin + i * period, first = fmax(at, start), last = fmin(at + pen.dash, end);
    if (first < last)
      cover_segment(canvas, along(a, b, first / length), along(a, b, last / length), radius, clip);
  }
}

void gf__canvas_line(gf__canvas *canvas, const gf__point *points, int count, gf__pen pen,
                     gf__box clip) {
  double reach = pen.width / 2 + 1, walked = 0, from, to;
  gf__box near = {clip.left - reach, clip.top - reach, clip.right + reach, clip.bottom + reach};
  for (int i = 0; i + 1 < count; i++) {
    if (cut(points[i], points[i + 1], near, &from, &to))
      cover_dashes(canvas, points[i], points[i + 1], from, to, walked, pen, clip);
    walked += hypot(points[i + 1].x - points[i].x, points[i + 1].y - points[i].y);
  }
  paint_coverage(canvas, clip, pen.color);
}

void gf__canvas_dot(gf__canvas *canvas, gf__point center, double radius, gf__color color,
                    gf__box clip) {
  cover_segment(canvas, center, center, radius, clip);
  paint_coverage(canvas, clip, color);
}

/* ---- text ---- */

/* Pixels from the glyph's origin to the next one's. */
static double advance(const gf__canvas *canvas, double scale, int glyph, const char *rest) {
  int width, bearing;
  stbtt_GetGlyphHMetrics(&canvas->font, glyph, &width, &bearing);
  uint32_t next = gf__utf8_next(&rest);
  if (next)
    width += stbtt_GetGlyphKernAdvance(&canvas->font, glyph,
                                       stbtt_FindGlyphIndex(&canvas->font, (int)next));
  return scale * width;
}

double gf__canvas_text_length(const gf__canvas *canvas, double size, const char *text) {
  double scale = stbtt_ScaleForMappingEmToPixels(&canvas->font, (float)size), length = 0;
  for (uint32_t code; (code = gf__utf8_next(&text));)
    length += advance(canvas, scale, stbtt_FindGlyphIndex(&canvas->font, (int)code), text);
  return length;
}

/* origin is where the glyph begins on the base line. */
static void draw_glyph(gf__canvas *canvas, gf__point origin, gf__text_style style, float scale,
                       int glyph) {
  /* Along the base line glyphs are at fractions of a pixel, across it on whole ones. */
  double start = style.turned ? -origin.y : origin.x, line = style.turned ? origin.x : origin.y;
  double whole = floor(start);
  int width, height, left, top, base = (int)floor(line + 0.5);
  unsigned char *bitmap = stbtt_GetGlyphBitmapSubpixel(
      &canvas->font, scale, scale, (float)(start - whole), 0, glyph, &width, &height, &left, &top);
  for (int j = 0; bitmap && j < height; j++)
    for (int i = 0; i < width; i++) {
      int u = (int)whole + left + i, v = base + top + j, alpha = bitmap[j * width + i];
      if (alpha) blend(canvas, style.turned ? v : u, style.turned ? -u - 1 : v, style.color, alpha);
    }
  stbtt_FreeBitmap(bitmap, NULL);
}

void gf__canvas_text(gf__canvas *canvas, gf__point place, gf__text_style style, const char *text) {
  float scale = stbtt_ScaleForMappingEmToPixels(&canvas->font, (float)style.size);
  double at = -gf__canvas_text_length(canvas, style.size, text) * style.align / GF__ALIGN_END;
  for (uint32_t code; (code = gf__utf8_next(&text));) {
    int glyph = stbtt_FindGlyphIndex(&canvas->font, (int)code);
    gf__point origin =
        style.turned ? (gf__point){place.x, place.y - at} : (gf__point){place.x + at, place.y};
    draw_glyph(canvas, origin, style, scale, glyph);
    at += advance(canvas, scale, glyph, text);
  }
}

gf_status gf__canvas_write(const gf__canvas *canvas, const char *path) {
  gf__text png = {0};
  gf_status status = gf__png_encode(&png, canvas->rgb, canvas->width, canvas->height);
  if (status == GF_OK) status = gf__file_write(path, png.data, png.size);
  gf__text_free(&png);
  return status;
}
