#include "base/random.h"
#include "data/dataset.h"

void gf__transform_init(gf__transform *out, const gf_dataset *dataset) {
  const gf__data_settings *settings = &dataset->settings;
  *out = (gf__transform){.height = dataset->info.height,
                         .width = dataset->info.width,
                         .channels = dataset->info.channels};
  for (int c = 0; c < out->channels; c++) {
    out->mean[c] = (float)settings->mean.v[c];
    out->std[c] = (float)settings->std.v[c];
    for (int pixel = 0; pixel < 256; pixel++) {
      out->table[c][pixel] = (float)((pixel / 255.0 - settings->mean.v[c]) / settings->std.v[c]);
      out->unit[c][pixel] = (float)(pixel / 255.0);
    }
  }
}

/* Uniform in 1 +- strength. */
static float draw_factor(double strength, uint32_t bits) {
  return (float)(1 + strength * (2.0 * (double)gf__random_float(bits) - 1));
}

gf__augmentation gf__augmentation_draw(const gf_dataset *dataset, uint64_t seed, int epoch,
                                       int index) {
  enum { CROP, CUTOUT, JITTER, DRAWS };
  const gf__data_settings *settings = &dataset->settings;
  gf__random4 bits[DRAWS];
  for (uint32_t k = 0; k < DRAWS; k++)
    bits[k] = gf__random(seed, GF__STREAM_AUGMENT, (uint32_t)epoch, (uint32_t)index, k);
  int padding = settings->crop_padding, side = settings->cutout;
  uint32_t places = 2 * (uint32_t)padding + 1;
  const double *jitter = settings->jitter.v;
  return (gf__augmentation){
      .dy = (int)gf__random_below(bits[CROP].v[0], places) - padding,
      .dx = (int)gf__random_below(bits[CROP].v[1], places) - padding,
      .flip = settings->flip && gf__random_below(bits[CROP].v[2], 2),
      .jitters = jitter[0] > 0 || jitter[1] > 0 || jitter[2] > 0,
      .brightness = draw_factor(jitter[0], bits[JITTER].v[0]),
      .contrast = draw_factor(jitter[1], bits[JITTER].v[1]),
      .saturation = draw_factor(jitter[2], bits[JITTER].v[2]),
      .cut_side = side,
      .cut_y = (int)gf__random_below(bits[CUTOUT].v[0], (uint32_t)dataset->info.height) - side / 2,
      .cut_x = (int)gf__random_below(bits[CUTOUT].v[1], (uint32_t)dataset->info.width) - side / 2};
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

static void crop_and_flip(const gf__transform *transform, const gf__augmentation *augmentation,
                          const float (*table)[256], const uint8_t *image, float *out) {
  static const uint8_t black[GF__DATA_LARGEST_SIDE * 3];
  int height = transform->height, width = transform->width, channels = transform->channels;
  int first = clamp(-augmentation->dx, width), last = clamp(width - augmentation->dx, width);
  ptrdiff_t step = augmentation->flip ? -channels : channels;
  for (int y = 0; y < height; y++) {
    float *row = out + (ptrdiff_t)y * width * channels;
    if (augmentation->flip) row += (ptrdiff_t)(width - 1) * channels;
    int from = y + augmentation->dy;
    if (from < 0 || from >= height || first >= last) {
      convert_pixels(row, step, black, width, channels, table);
      continue;
    }
    const uint8_t *pixels = image + ((ptrdiff_t)from * width + first + augmentation->dx) * channels;
    convert_pixels(row, step, black, first, channels, table);
    convert_pixels(row + first * step, step, pixels, last - first, channels, table);
    convert_pixels(row + last * step, step, black, width - last, channels, table);
  }
}

/* Luma of ITU-R BT.601. */
static float grey_of(const float *pixel, int channels) {
  return channels == 3 ? 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2] : pixel[0];
}

/* Moves count values away from centre by factor, within [0, 1]. */
static void blend(float *values, int count, float centre, float factor) {
  for (int i = 0; i < count; i++) {
    float v = centre + factor * (values[i] - centre);
    values[i] = v < 0 ? 0 : v > 1 ? 1 : v;
  }
}

static void jitter(const gf__transform *transform, const gf__augmentation *augmentation,
                   float *image) {
  int channels = transform->channels, pixels = transform->height * transform->width;
  double sum = 0;
  blend(image, pixels * channels, 0, augmentation->brightness);
  for (int i = 0; i < pixels; i++) sum += (double)grey_of(image + i * channels, channels);
  blend(image, pixels * channels, (float)(sum / pixels), augmentation->contrast);
  for (int i = 0; i < pixels; i++) {
    float *pixel = image + i * channels;
    blend(pixel, channels, grey_of(pixel, channels), augmentation->saturation);
  }
  for (int i = 0; i < pixels; i++)
    for (int c = 0; c < channels; c++) {
      float *value = &image[i * channels + c];
      *value = (*value - transform->mean[c]) / transform->std[c];
    }
}

static void cut(const gf__transform *transform, const gf__augmentation *augmentation,
                float *image) {
  int height = transform->height, width = transform->width, channels = transform->channels;
  int side = augmentation->cut_side;
  int top = clamp(augmentation->cut_y, height), bottom = clamp(augmentation->cut_y + side, height);
  int left = clamp(augmentation->cut_x, width), right = clamp(augmentation->cut_x + side, width);
  for (int y = top; y < bottom; y++)
    for (int i = left * channels; i < right * channels; i++) image[y * width * channels + i] = 0;
}

void gf__transform_apply(const gf__transform *transform, const gf__augmentation *augmentation,
                         const uint8_t *image, float *out) {
  bool jitters = augmentation->jitters;
  crop_and_flip(transform, augmentation, jitters ? transform->unit : transform->table, image, out);
  if (jitters) jitter(transform, augmentation, out);
  if (augmentation->cut_side > 0) cut(transform, augmentation, out);
}
