/* stb_image_resize would do, but it ends the process by assert where its float
 * coordinates round badly, and it resizes what is then cut off. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "data/image.h"

enum { CHANNELS = 3 };

/* One side of the image: which input pixels, by which weights, make an output pixel. */
typedef struct axis {
  int input;     /* pixels */
  double scale;  /* input pixels per output pixel */
  double radius; /* of the filter, input pixels */
  int offset;    /* of the cut in the resized image */
  int most_taps;
} axis;

/* The side that limits the size is resized to cover pixels, the other one in proportion. */
static axis make_axis(int input, int limiting, int cover, int side) {
  axis a = {.input = input};
  int resized = (int)((int64_t)cover * input / limiting);
  a.scale = (double)input / resized;
  a.radius = a.scale > 1 ? a.scale : 1;
  /* Half of the rest, rounded to even where it is half a pixel, as torchvision's CenterCrop is. */
  int rest = resized - side;
  a.offset = rest / 2 + (rest % 4 == 3);
  a.most_taps = (int)(2 * a.radius) + 2;
  return a;
}

/* The triangle around the output pixel's centre; returns the number of taps from *first on. */
static int weigh(const axis *a, int output, int *first, float *weights) {
  double centre = (a->offset + output + 0.5) * a->scale, sum = 0;
  int begin = (int)floor(centre - a->radius), end = (int)ceil(centre + a->radius);
  if (begin < 0) begin = 0;
  if (end > a->input) end = a->input;
  int count = end - begin;
  for (int i = 0; i < count; i++) {
    double weight = 1 - fabs(begin + i + 0.5 - centre) / a->radius;
    weights[i] = weight > 0 ? (float)weight : 0;
    sum += weights[i];
  }
  for (int i = 0; i < count; i++) weights[i] = (float)(weights[i] / sum);
  *first = begin;
  return count;
}

/* The columns' taps are the same for all rows. */
typedef struct column {
  int first, count;
  float *weights;
} column;

typedef struct workspace {
  column *columns;  /* (output width) */
  float *weights;   /* of the columns, and after them of one row */
  float *row;       /* (width, 3): the rows of an output row, added up */
  int begin, width; /* the range of the input's columns that is needed */
} workspace;

static void add_rows(const workspace *w, const uint8_t *pixels, const axis *vertical,
                     const axis *horizontal, int output, float *weights) {
  int first = 0, count = weigh(vertical, output, &first, weights), size = w->width * CHANNELS;
  for (int i = 0; i < size; i++) w->row[i] = 0;
  for (int k = 0; k < count; k++) {
    const uint8_t *in =
        pixels + ((size_t)(first + k) * (size_t)horizontal->input + (size_t)w->begin) * CHANNELS;
    float weight = weights[k];
    for (int i = 0; i < size; i++) w->row[i] += weight * in[i];
  }
}

static void add_columns(const workspace *w, int side, uint8_t *out) {
  for (int x = 0; x < side; x++) {
    const column *c = &w->columns[x];
    const float *in = w->row + (ptrdiff_t)(c->first - w->begin) * CHANNELS;
    float sum[CHANNELS] = {0};
    for (int k = 0; k < c->count; k++)
      for (int i = 0; i < CHANNELS; i++) sum[i] += c->weights[k] * in[k * CHANNELS + i];
    for (int i = 0; i < CHANNELS; i++) {
      float value = sum[i] + 0.5f;
      *out++ = (uint8_t)(value > 255 ? 255 : value);
    }
  }
}

/* The taps of all output columns. */
static void weigh_columns(workspace *w, const axis *horizontal, int columns) {
  for (int x = 0; x < columns; x++) {
    column *c = &w->columns[x];
    c->weights = w->weights + (size_t)x * (size_t)horizontal->most_taps;
    c->count = weigh(horizontal, x, &c->first, c->weights);
  }
  /* A side is at least 1. NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
  w->begin = w->columns[0].first;
  w->width = w->columns[columns - 1].first + w->columns[columns - 1].count - w->begin;
}

gf_status gf__image_resample(const uint8_t *pixels, int height, int width, const gf__image_fit *fit,
                             uint8_t *out) {
  /* Whether the height is what the covered size leaves least of. */
  bool by_height = (int64_t)height * fit->cover_width <= (int64_t)width * fit->cover_height;
  int limiting = by_height ? height : width;
  int cover = by_height ? fit->cover_height : fit->cover_width;
  axis vertical = make_axis(height, limiting, cover, fit->height);
  axis horizontal = make_axis(width, limiting, cover, fit->width);
  size_t columns = (size_t)fit->width * (size_t)horizontal.most_taps;
  size_t weights = columns + (size_t)vertical.most_taps, row = (size_t)width * CHANNELS;
  workspace w = {.columns = malloc((size_t)fit->width * sizeof *w.columns),
                 .weights = malloc(weights * sizeof *w.weights),
                 .row = malloc(row * sizeof *w.row)};
  bool has_all = w.columns && w.weights && w.row;
  if (has_all) {
    weigh_columns(&w, &horizontal, fit->width);
    for (int y = 0; y < fit->height; y++, out += fit->width * CHANNELS) {
      add_rows(&w, pixels, &vertical, &horizontal, y, w.weights + columns);
      add_columns(&w, fit->width, out);
    }
  }
  free(w.columns);
  free(w.weights);
  free(w.row);
  return has_all ? GF_OK : gf__fail_host_memory((weights + row) * sizeof *w.row);
}
