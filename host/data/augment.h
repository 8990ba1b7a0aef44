/* How the bytes of an image become floats, and what training changes about it. */
#ifndef GF_DATA_AUGMENT_H
#define GF_DATA_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <gradflow/data.h>

typedef struct gf__transform {
  int height, width, channels;
  float table[3][256]; /* of channel and pixel: (pixel / 255 - mean) / std */
  float unit[3][256];  /* pixel / 255 */
  float mean[3], std[3];
} gf__transform;

/* What is done to an image, in this order; all 0: nothing. */
typedef struct gf__augmentation {
  /* The window that is taken: output (y, x) is input (y + dy, x + dx), pixels; those outside the
   * image are black. Then its mirror image or not. */
  int dy, dx;
  bool flip;
  /* Factors of brightness, contrast (about the image's mean grey) and saturation (about each
   * pixel's grey), clamped to [0, 1] after each. */
  bool jitters;
  float brightness, contrast, saturation;
  /* A square of zeros after normalisation (DeVries and Taylor, 2017): its side, 0 for none, and
   * its first row and column, which may lie outside. */
  int cut_side, cut_y, cut_x;
} gf__augmentation;

/* By the data set's shape, mean and std. */
void gf__transform_init(gf__transform *out, const gf_dataset *dataset);
/* The augmentation of an image of an epoch; index counts in the split. */
gf__augmentation gf__augmentation_draw(const gf_dataset *dataset, uint64_t seed, int epoch,
                                       int index);
/* One image (height, width, channels), bytes in, floats out. */
void gf__transform_apply(const gf__transform *transform, const gf__augmentation *augmentation,
                         const uint8_t *image, float *out);

#endif
