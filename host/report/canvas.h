/* An RGB picture to draw on. Places are in pixels from the top left corner;
 * pixel (i, j) covers i..i+1 and j..j+1. What lies outside is not drawn. */
#ifndef GF_REPORT_CANVAS_H
#define GF_REPORT_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct gf__canvas gf__canvas;

typedef struct gf__color {
  uint8_t r, g, b;
} gf__color;

typedef struct gf__point {
  double x, y;
} gf__point;

typedef struct gf__box {
  double left, top, right, bottom;
} gf__box;

typedef struct gf__pen {
  gf__color color;
  double width;     /* pixels */
  double dash, gap; /* pixels; a gap of 0 draws solid */
} gf__pen;

typedef enum gf__text_align { GF__ALIGN_START, GF__ALIGN_MIDDLE, GF__ALIGN_END } gf__text_align;

typedef struct gf__text_style {
  double size; /* pixels an em */
  gf__color color;
  gf__text_align align; /* of the text on its place, along the direction of writing */
  bool turned;          /* reads from bottom to top */
} gf__text_style;

/* A white canvas; free it with gf__canvas_free. GF_ERROR_ARGUMENT for a size that is not 1 to
 * 32768 a side and 2^28 pixels in all. */
gf_status gf__canvas_new(gf__canvas **out, int width, int height) GF_MUST_USE;
void gf__canvas_free(gf__canvas **canvas); /* clears; NULL is fine */

/* For tests: the colour of a pixel, which must be on the canvas. */
gf__color gf__canvas_pixel(const gf__canvas *canvas, int x, int y);

/* Fills the pixels whose centre is in the box. */
void gf__canvas_fill(gf__canvas *canvas, gf__box box, gf__color color);

/* An anti-aliased line through the points with round ends and joints, drawn
 * within clip. Places must be within a million pixels. */
void gf__canvas_line(gf__canvas *canvas, const gf__point *points, int count, gf__pen pen,
                     gf__box clip);

/* A filled circle. */
void gf__canvas_dot(gf__canvas *canvas, gf__point center, double radius, gf__color color,
                    gf__box clip);

/* A line of UTF-8 text; place is on its base line. */
void gf__canvas_text(gf__canvas *canvas, gf__point place, gf__text_style style, const char *text);

/* The length of the text in pixels. */
double gf__canvas_text_length(const gf__canvas *canvas, double size, const char *text);

/* Writes a PNG; the file appears whole or not at all. */
gf_status gf__canvas_write(const gf__canvas *canvas, const char *path) GF_MUST_USE;

#endif
