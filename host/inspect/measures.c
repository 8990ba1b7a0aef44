/* Pixels and sizes. */
#include <math.h>
#include <stdlib.h>

#include "base/array.h"
#include "inspect/inspect.h"

/* ---- pixels ---- */

/* counts (channels, 256) of the pixels of an image but for its border. */
static void count_pixels(const gf_dataset *train, const gf__data_input *input, const uint8_t *image,
                         uint64_t counts[GF_INSPECT_MOST_CHANNELS][256]) {
  int width = train->info.width, channels = train->info.channels;
  for (int y = input->border[0]; y < train->info.height - input->border[2]; y++)
    for (int x = input->border[1]; x < width - input->border[3]; x++)
      for (int c = 0; c < channels; c++)
        counts[c][image[((ptrdiff_t)y * width + x) * channels + c]]++;
}

static void describe_channel(gf_data_report *report, int channel, const uint64_t counts[256]) {
  double sum = 0, pixels = 0, squares = 0;
  for (int v = 0; v < 256; v++) {
    pixels += (double)counts[v];
    sum += v / 255.0 * (double)counts[v];
  }
  double mean = sum / pixels;
  for (int v = 0; v < 256; v++)
    squares += (v / 255.0 - mean) * (v / 255.0 - mean) * (double)counts[v];
  report->mean[channel] = mean;
  report->deviation[channel] = sqrt(squares / pixels);
}

void gf__inspect_pixels(gf_data_report *report, const gf_dataset *train) {
  uint64_t counts[GF_INSPECT_MOST_CHANNELS][256] = {{0}};
  const gf_dataset_info *info = &train->info;
  size_t bytes = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
  gf__data_input input = train->format->input_of(train);
  for (int i = 0; i < info->count; i++)
    count_pixels(train, &input, gf__byte_images_of(train)->pixels + (size_t)i * bytes, counts);
  report->channels = info->channels;
  for (int c = 0; c < info->channels; c++) {
    describe_channel(report, c, counts[c]);
    report->configured_mean[c] = train->settings.mean.v[c];
    report->configured_std[c] = train->settings.std.v[c];
  }
}

/* ---- sizes ---- */

typedef struct size_list {
  gf_image_size *sizes; /* with images 1 each */
  size_t count;
} size_list;

static gf_status add_size(void *user, int height, int width) {
  size_list *list = user;
  GF_TRY(gf__grow(&list->sizes, list->count, sizeof *list->sizes));
  list->sizes[list->count++] = (gf_image_size){height, width, 1};
  return GF_OK;
}

static double area_of(const gf_image_size *s) { return (double)s->height * s->width; }

static int by_area(const void *a, const void *b) {
  const gf_image_size *x = a, *y = b;
  double difference = area_of(x) - area_of(y);
  return difference != 0 ? (difference < 0 ? -1 : 1) : x->height - y->height;
}

/* The commonest first. */
static int by_images(const void *a, const void *b) {
  const gf_image_size *x = a, *y = b;
  return x->images != y->images ? y->images - x->images : by_area(a, b);
}

/* Joins equal sizes of a sorted list. */
static void join_sizes(size_list *list) {
  size_t count = 0;
  for (size_t i = 0; i < list->count; i++) {
    gf_image_size *last = count ? &list->sizes[count - 1] : NULL;
    if (last && last->height == list->sizes[i].height && last->width == list->sizes[i].width)
      last->images++;
    else
      list->sizes[count++] = list->sizes[i];
  }
  list->count = count;
}

/* What is left of an image that covers the input's size, after the crop (host/data/resample.c). */
static void add_cut(gf_inspected_sizes *out, const gf_image_size *s, const gf__data_input *input) {
  bool by_height = (int64_t)s->height * input->cover[1] <= (int64_t)s->width * input->cover[0];
  int limiting = by_height ? s->height : s->width, cover = input->cover[by_height ? 0 : 1];
  int64_t height = (int64_t)cover * s->height / limiting,
          width = (int64_t)cover * s->width / limiting;
  double cut = 1 - (double)input->crop[0] * input->crop[1] / ((double)height * (double)width);
  out->cut += cut * s->images;
  out->most_cut = fmax(out->most_cut, cut);
  if (limiting < cover) out->enlarged += s->images;
}

static void describe_sizes(gf_inspected_sizes *out, size_list *list, const gf__data_input *input) {
  out->files = (int)list->count;
  qsort(list->sizes, list->count, sizeof *list->sizes, by_area);
  join_sizes(list);
  out->distinct = (int)list->count;
  out->smallest = list->sizes[0];
  out->largest = list->sizes[list->count - 1];
  for (size_t i = 0; i < list->count; i++) add_cut(out, &list->sizes[i], input);
  out->cut /= out->files;
  qsort(list->sizes, list->count, sizeof *list->sizes, by_images);
  while (out->common_count < GF_INSPECT_MOST_SIZES && (size_t)out->common_count < list->count) {
    out->common[out->common_count] = list->sizes[out->common_count];
    out->common_count++;
  }
}

gf_status gf__inspect_sizes(gf_inspected_sizes *out, const gf_dataset *train) {
  size_list list = {0};
  const gf__data_source source = {
      .format = train->format, .settings = &train->settings, .files = train->format->train};
  *out = (gf_inspected_sizes){0};
  if (!train->format->visit_sizes) return GF_OK;
  gf__data_input input = train->format->input_of(train);
  gf_status status = train->format->visit_sizes(&source, add_size, &list);
  if (status == GF_OK && list.count) describe_sizes(out, &list, &input);
  free(list.sizes);
  return status;
}
