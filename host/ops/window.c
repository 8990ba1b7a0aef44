#include "ops/window.h"

#include <stdio.h>
#include <string.h>

gf__window gf__window_of(const int size[3]) {
  gf__window window = {.kernel = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
  memcpy(window.size, size, sizeof window.size);
  memcpy(window.out, size, sizeof window.out);
  return window;
}

static void pad_same(gf__window *w, int axis) {
  int outputs = (w->size[axis] + w->stride[axis] - 1) / w->stride[axis];
  int covered = (outputs - 1) * w->stride[axis] + w->dilation[axis] * (w->kernel[axis] - 1) + 1;
  int missing = covered > w->size[axis] ? covered - w->size[axis] : 0;
  w->padding[axis] = missing / 2;
  w->extra[axis] = missing % 2;
}

void gf__window_pad(gf__window *w, const int sides[4]) {
  for (int i = 0; i < 2; i++) {
    int axis = GF__WINDOW_HEIGHT + i;
    if (sides[0] == GF__SIDES_SAME) {
      pad_same(w, axis);
      continue;
    }
    w->padding[axis] = sides[2 * i];
    w->extra[axis] = sides[2 * i + 1] - sides[2 * i];
  }
}

static gf_status fail_to_fit(const gf__window *w) {
  bool is_dilated = w->dilation[0] > 1 || w->dilation[1] > 1 || w->dilation[2] > 1;
  return gf__fail(GF_ERROR_SHAPE, "a %s kernel%s%s does not fit a %s %s with padding %s",
                  gf__window_text(w, w->kernel).text, is_dilated ? " with dilation " : "",
                  is_dilated ? gf__window_text(w, w->dilation).text : "",
                  gf__window_text(w, w->size).text, gf__window_is_flat(w) ? "image" : "volume",
                  gf__window_padding_text(w).text);
}

gf_status gf__window_infer(gf__window *w) {
  for (int a = 0; a < 3; a++) {
    int covered = w->dilation[a] * (w->kernel[a] - 1) + 1;
    int room = w->size[a] + 2 * w->padding[a] + w->extra[a] - covered;
    if (room < 0) return fail_to_fit(w);
    w->out[a] = room / w->stride[a] + 1;
  }
  return GF_OK;
}

bool gf__window_is_flat(const gf__window *w) {
  return w->size[0] == 1 && w->kernel[0] == 1 && w->padding[0] == 0;
}

static size_t product(const int triple[3]) {
  return (size_t)triple[0] * (size_t)triple[1] * (size_t)triple[2];
}

size_t gf__window_inputs(const gf__window *w) { return product(w->size); }

size_t gf__window_outputs(const gf__window *w) { return product(w->out); }

size_t gf__window_taps(const gf__window *w) { return product(w->kernel); }

gf__triple_text gf__window_text(const gf__window *w, const int triple[3]) {
  gf__triple_text out;
  if (gf__window_is_flat(w))
    snprintf(out.text, sizeof out.text, "%dx%d", triple[1], triple[2]);
  else
    snprintf(out.text, sizeof out.text, "%dx%dx%d", triple[0], triple[1], triple[2]);
  return out;
}

gf__padding_text gf__window_padding_text(const gf__window *w) {
  gf__padding_text out;
  int after[3];
  for (int a = 0; a < 3; a++) after[a] = w->padding[a] + w->extra[a];
  gf__triple_text begin = gf__window_text(w, w->padding), end = gf__window_text(w, after);
  bool differs = memcmp(after, w->padding, sizeof after) != 0;
  snprintf(out.text, sizeof out.text, "%s%s%s%s", begin.text, differs ? " and " : "",
           differs ? end.text : "", differs ? " after" : "");
  return out;
}

int gf__window_options(char *out, size_t size, const gf__window *w) {
  const struct {
    const char *prefix;
    const int *triple;
  } options[] = {{"", w->size},     {"K", w->kernel},   {"S", w->stride},
                 {"P", w->padding}, {"D", w->dilation}, {"O", w->out}};
  int n = 0;
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    for (int a = 0; a < 3; a++)
      n += snprintf(out + n, size - (size_t)n, "-D%s%c=%d ", options[i].prefix, "DHW"[a],
                    options[i].triple[a]);
  return n;
}
