#include "base/random.h"
#include "data/dataset.h"

void gf__transform_init(gf__transform *out, const gf_dataset *dataset) {
  const gf__data_settings *settings = &dataset->settings;
  *out = (gf__transform){.height = dataset->info.height,
                         .width = dataset->info.width,
                         .channels = dataset->info.channels};
  for (int c = 0; c < out->channels; c++)
    for (int pixel = 0; pixel < 256; pixel++)
      out->table[c][pixel] = (float)((pixel / 255.0 - settings->mean.v[c]) / settings->std.v[c]);
}

gf__crop gf__crop_draw(const gf__data_settings *settings, uint64_t seed, int epoch, int index) {
  gf__random4 bits = gf__random(seed, GF__STREAM_AUGMENT, (uint32_t)epoch, (uint32_t)index, 0);
  int padding = settings->crop_padding;
  uint32_t places = 2 * (uint32_t)padding + 1;
  return (gf__crop){.dy = (int)gf__random_below(bits.v[0], places) - padding,
                    .dx = (int)gf__random_below(bits.v[1], places) - padding,
                    .flip = settings->flip && gf__random_below(bits.v[2], 2)};
}

/* count pixels; step is the distance of two output pixels in floats, negative when mirrored. */
static inline void convert(float *out, ptrdiff_t step, const uint8_t *in, int count, int channels,
                           const float (*table)[256]) {
  for (int i = 0; i < count; i++, out += step, in += channels)
    for (int c = 0; c < channels; c++) out[c] = table[c][in[c]];
}

/* The two calls let the compiler unroll the loop over channels. */
static void convert_pixels(float *out, ptrdiff_t step, const uint8_t *in, int count, int channels,
                           const float (*table)[256]) {
  if (channels == 1)
    convert(out, step, in, count, 1, table);
  else
    convert(out, step, in, count, 3, table);
}

static int clamp(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

void gf__transform_apply(const gf__transform *transform, gf__crop crop, const uint8_t *image,
                         float *out) {
  static const uint8_t black[GF__DATA_LARGEST_SIDE * 3];
  int height = transform->height, width = transform->width, channels = transform->channels;
  int first = clamp(-crop.dx, width), last = clamp(width - crop.dx, width);
  ptrdiff_t step = crop.flip ? -channels : channels;
  for (int y = 0; y < height; y++) {
    float *row = out + (ptrdiff_t)y * width * channels;
    if (crop.flip) row += (ptrdiff_t)(width - 1) * channels;
    int from = y + crop.dy;
    if (from < 0 || from >= height || first >= last) {
      convert_pixels(row, step, black, width, channels, transform->table);
      continue;
    }
    const uint8_t *pixels = image + ((ptrdiff_t)from * width + first + crop.dx) * channels;
    convert_pixels(row, step, black, first, channels, transform->table);
    convert_pixels(row + first * step, step, pixels, last - first, channels, transform->table);
    convert_pixels(row + last * step, step, black, width - last, channels, transform->table);
  }
}
