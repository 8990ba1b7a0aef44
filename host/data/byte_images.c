#include "data/byte_images.h"

#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/os.h"
#include "data/image.h"
#include "data/split.h"

enum { RGB = 3 };

const gf__byte_images *gf__byte_images_of(const gf_dataset *dataset) { return dataset->samples; }

/* ---- settings ---- */

/* The values of each channel: those of the config, one for all, or the format's. */
static gf_status resolve_channels(gf__floats *floats, const gf__value *section, const char *key,
                                  const double *initial, const gf__data_format *format) {
  int given = floats->count;
  if (given > 1 && given != format->channels)
    return gf__value_fail(gf__value_get(section, key),
                          "data.%s has %d numbers; images of %s have %d channel%s", key, given,
                          format->name, format->channels, format->channels == 1 ? "" : "s");
  floats->count = format->channels;
  if (given == format->channels) return GF_OK;
  double all = floats->v[0];
  for (int c = 0; c < format->channels; c++) floats->v[c] = given == 0 ? initial[c] : all;
  return GF_OK;
}

gf_status gf__byte_images_check(gf__data_settings *settings, const gf__value *section) {
  const gf__data_format *format = gf__data_formats[settings->kind];
  GF_TRY(resolve_channels(&settings->mean, section, "mean", format->mean, format));
  return resolve_channels(&settings->std, section, "std", format->std, format);
}

/* ---- the shape ---- */

void gf__byte_images_shape(const gf__data_format *format, const gf__data_settings *settings,
                           int height, int width, gf_dataset_info *out) {
  *out = (gf_dataset_info){.name = format->name,
                           .height = GF__MAX(height, settings->pad_to),
                           .width = GF__MAX(width, settings->pad_to),
                           .channels = format->channels,
                           .classes = format->classes};
}

void gf__byte_images_expect(const gf__data_format *format, const gf__data_settings *settings,
                            gf_dataset_info *out) {
  gf__byte_images_shape(format, settings, format->height, format->width, out);
}

/* ---- storing ---- */

gf_status gf__byte_images_check_label(const gf__data_format *format, const char *path, int record,
                                      int label) {
  if (label < format->classes) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s: record %d (counted from 0) has the label %d; those of %s are 0 to %d: the "
                  "file is damaged or of another data set",
                  path, record, label, format->name, format->classes - 1);
}

void gf__byte_images_store(const gf__byte_sink *sink, int record, const uint8_t *pixels) {
  if (sink->index_of[record] < 0) return;
  size_t channels = (size_t)sink->channels, row = (size_t)sink->file.width * channels;
  size_t image_row = (size_t)sink->width * channels;
  size_t top = (size_t)(sink->height - sink->file.height) / 2;
  size_t left = (size_t)(sink->width - sink->file.width) / 2;
  uint8_t *image = sink->images + (size_t)sink->index_of[record] * (size_t)sink->height * image_row;
  for (size_t y = 0; y < (size_t)sink->file.height; y++)
    memcpy(image + (top + y) * image_row + left * channels, pixels + y * row, row);
}

static size_t image_bytes(const gf_dataset_info *info) {
  return (size_t)info->height * (size_t)info->width * (size_t)info->channels;
}

gf_status gf__byte_images_check_memory(const gf_dataset *dataset, gf_split split, uint64_t memory) {
  static const char *const limits[] = {[GF_SPLIT_TRAIN] = "train_limit",
                                       [GF_SPLIT_VALIDATION] = "validation",
                                       [GF_SPLIT_TEST] = "test_limit"};
  const gf_dataset_info *info = &dataset->info;
  uint64_t image = image_bytes(info), most = memory / 4 * 3 / image;
  if (!memory || (uint64_t)info->count <= most) return GF_OK;
  return gf__fail(GF_ERROR_MEMORY,
                  "%s: %d images of %d x %d pixels take %.1f GB of memory, and this machine has "
                  "%.1f GB; set data.%s to at most %llu%s",
                  dataset->settings.path, info->count, info->height, info->width,
                  1e-9 * (double)image * info->count, 1e-9 * (double)memory, limits[split],
                  (unsigned long long)most,
                  dataset->format->height ? "" : ", or data.image_size to less");
}

static gf_status allocate_images(gf_dataset *dataset, gf_split split) {
  GF_TRY(gf__byte_images_check_memory(dataset, split, gf__host_memory()));
  size_t image = image_bytes(&dataset->info);
  size_t count = dataset->info.count > 0 ? (size_t)dataset->info.count : 1;
  gf__byte_images *images = dataset->samples;
  images->pixels = calloc(count, image);
  if (!images->pixels) return gf__fail_host_memory(count * image);
  dataset->labels = calloc(count, sizeof *dataset->labels);
  return dataset->labels ? GF_OK : gf__fail_host_memory(count * sizeof *dataset->labels);
}

/* Closes the gaps of images that were left out. */
static void close_gaps(gf_dataset *dataset) {
  uint8_t *pixels = ((gf__byte_images *)dataset->samples)->pixels;
  size_t image = image_bytes(&dataset->info);
  int count = 0;
  for (int i = 0; i < dataset->info.count; i++) {
    if (dataset->labels[i] < 0) continue;
    if (count < i) memcpy(pixels + (size_t)count * image, pixels + (size_t)i * image, image);
    dataset->labels[count++] = dataset->labels[i];
  }
  dataset->info.count = count;
}

/* ---- opening ---- */

gf_status gf__byte_images_prepare(gf_dataset *dataset) {
  gf__byte_images *images = dataset->samples = calloc(1, sizeof *images);
  if (!images) return gf__fail_host_memory(sizeof *images);
  gf__transform_init(&images->transform, dataset);
  return GF_OK;
}

static gf_status read_images(gf_dataset *dataset, const gf__data_source *source,
                             const gf__byte_file *file, const int32_t *index_of) {
  gf__byte_sink sink = {.file = *file,
                        .channels = dataset->info.channels,
                        .index_of = index_of,
                        .height = dataset->info.height,
                        .width = dataset->info.width,
                        .images = ((gf__byte_images *)dataset->samples)->pixels,
                        .labels = dataset->labels};
  GF_TRY(source->format->reader->read(source, &sink));
  close_gaps(dataset);
  return GF_OK;
}

gf_status gf__byte_images_open_measured(gf_dataset *dataset, const gf__data_source *source,
                                        gf_split split, gf__byte_file *file) {
  int32_t *index_of = NULL;
  *file = (gf__byte_file){.classes = source->format->classes};
  GF_TRY(source->format->reader->measure(source, file));
  gf__byte_images_shape(source->format, source->settings, file->height, file->width,
                        &dataset->info);
  dataset->info.classes = file->classes;
  gf_status status = gf__split_choose(dataset, source, split, file, &index_of);
  if (status == GF_OK) status = gf__byte_images_prepare(dataset);
  if (status == GF_OK) status = allocate_images(dataset, split);
  if (status == GF_OK) status = read_images(dataset, source, file, index_of);
  free(index_of);
  return status;
}

gf_status gf__byte_images_open(gf_dataset *dataset, const gf__data_source *source, gf_split split) {
  gf__byte_file file;
  return gf__byte_images_open_measured(dataset, source, split, &file);
}

void gf__byte_images_close(gf_dataset *dataset) {
  gf__byte_images *images = dataset->samples;
  if (images) free(images->pixels);
  free(images);
}

void gf__byte_images_render(const gf_dataset *dataset, uint32_t index,
                            const gf__augmentation *augmentation, float *out) {
  const gf__byte_images *images = dataset->samples;
  gf__transform_apply(&images->transform, augmentation,
                      images->pixels + index * image_bytes(&dataset->info), out);
}

/* ---- image files ---- */

gf__data_input gf__byte_images_frame(const gf_dataset *dataset, const int cover[2],
                                     const int crop[2]) {
  int rows = dataset->info.height - crop[0], columns = dataset->info.width - crop[1];
  return (gf__data_input){
      .cover = {cover[0], cover[1]},
      .crop = {crop[0], crop[1]},
      .border = {rows / 2, columns / 2, rows - rows / 2, columns - columns / 2}};
}

gf__data_input gf__byte_images_input(const gf_dataset *dataset) {
  const int size[] = {dataset->format->height, dataset->format->width};
  return gf__byte_images_frame(dataset, size, size);
}

/* The luma of ITU-R BT.601, which leaves grey as it is. */
static void make_grey(uint8_t *rgb, size_t pixels) {
  for (size_t i = 0; i < pixels; i++) {
    const uint8_t *p = rgb + i * RGB;
    rgb[i] = (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000);
  }
}

gf_status gf__byte_images_read_file(const gf_dataset *dataset, const char *path, uint8_t *pixels,
                                    float *floats) {
  static const int32_t first[] = {0};
  const gf_dataset_info *info = &dataset->info;
  const gf__byte_images *images = dataset->samples;
  gf__data_input input = dataset->format->input_of(dataset);
  gf__image_fit fit = {input.cover[0], input.cover[1], input.crop[0], input.crop[1]};
  size_t area = (size_t)fit.height * (size_t)fit.width;
  uint8_t *rgb = malloc(area * RGB);
  if (!rgb) return gf__fail_host_memory(area * RGB);
  gf__byte_sink sink = {.file = {.count = 1, .height = fit.height, .width = fit.width},
                        .channels = info->channels,
                        .index_of = first,
                        .height = info->height,
                        .width = info->width,
                        .images = pixels};
  gf_status status = gf__image_read(path, &fit, rgb);
  if (status == GF_OK) {
    if (info->channels == 1) make_grey(rgb, area);
    memset(pixels, 0, image_bytes(info));
    gf__byte_images_store(&sink, 0, rgb);
    gf__transform_apply(&images->transform, &(gf__augmentation){0}, pixels, floats);
  }
  free(rgb);
  return status;
}
