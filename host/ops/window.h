/* The window of a convolution or of a pool: what moves over a volume, and the sizes that this
 * gives. An image is a volume of depth 1. */
#ifndef GF_OPS_WINDOW_H
#define GF_OPS_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"

/* Depth, height and width, in this order, index the triples. */
typedef struct gf__window {
  int size[3]; /* of the input */
  int kernel[3], stride[3], dilation[3];
  int padding[3]; /* zeros before the input, and after it */
  int extra[3];   /* as many more after it; below 0: fewer. Kernels see it by the output's size */
  int out[3];     /* size of the output, by gf__window_infer */
} gf__window;

/* The axes of an image in a triple. */
enum { GF__WINDOW_HEIGHT = 1, GF__WINDOW_WIDTH = 2 };

/* A window of 1 x 1 x 1 that moves over every pixel of size. */
gf__window gf__window_of(const int size[3]);
/* Sets padding and extra of height and width as a key of type SIDES has them; of "same" by
 * TensorFlow's rule, by which the output's size depends on the stride alone. The rest of the window
 * is known. */
void gf__window_pad(gf__window *window, const int sides[4]);
/* Fills window->out. GF_ERROR_SHAPE if the kernel does not fit the padded input. */
gf_status gf__window_infer(gf__window *window) GF_MUST_USE;
/* Whether the window moves over images: neither it nor its input has a depth. */
bool gf__window_is_flat(const gf__window *window);

size_t gf__window_inputs(const gf__window *window);  /* pixels of the input */
size_t gf__window_outputs(const gf__window *window); /* pixels of the output */
size_t gf__window_taps(const gf__window *window);    /* pixels under the kernel */

/* Writes the build options of a kernel that knows the window: "-DD=… -DH=… -DW=… ", and the same
 * with a prefix before the axis: K for kernel, S, P, D for dilation, O for out. Returns their
 * length. */
int gf__window_options(char *out, size_t size, const gf__window *window);

/* A triple for people: "3x5", or "2x3x5" unless the window is flat. */
typedef struct gf__triple_text {
  char text[48];
} gf__triple_text;

/* The padding of a window for people: "1x1", or "0x0 and 1x1 after" where that differs. */
typedef struct gf__padding_text {
  char text[2 * sizeof(gf__triple_text) + 16];
} gf__padding_text;
gf__padding_text gf__window_padding_text(const gf__window *window);
gf__triple_text gf__window_text(const gf__window *window, const int triple[3]);

#endif
