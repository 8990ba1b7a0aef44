/* Image files as the run's data set would have given them to the network. */
#include <stdlib.h>
#include <string.h>

#include "data/image.h"
#include "predict/predict.h"

enum { RGB = 3 };

bool gf__predict_is_image(const char *name) {
  static const char *const endings[] = {".jpg", ".jpeg", ".png"};
  const char *dot = strrchr(name, '.');
  char ending[8] = "";
  if (name[0] == '.' || !dot || strlen(dot) >= sizeof ending) return false;
  for (size_t i = 0; dot[i]; i++)
    ending[i] = (char)(dot[i] >= 'A' && dot[i] <= 'Z' ? dot[i] + 32 : dot[i]);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (!strcmp(ending, endings[i])) return true;
  return false;
}

/* The numbers a channel: those of a run's config, one for all, or the data set's. */
static gf_status fill_channels(gf__floats *floats, const char *key, const double *initial,
                               int channels) {
  int given = floats->count;
  double all = floats->v[0];
  if (given > 1 && given != channels)
    return gf__fail(GF_ERROR_CONFIG, "data.%s of the run's config.yaml has %d numbers for %d %s",
                    key, given, channels, channels == 1 ? "channel" : "channels");
  for (int c = 0; c < channels && given != channels; c++)
    floats->v[c] = given == 0 ? initial[c] : all;
  floats->count = channels;
  return GF_OK;
}

static gf_status open_input(gf__predict_input *input) {
  gf__data_settings *settings = &input->settings;
  const gf__data_set *set = &gf__data_sets[settings->name];
  if (set->load)
    return gf__fail(GF_ERROR_CONFIG,
                    "the run was trained on %s, whose patches no image file holds; take a run on "
                    "images",
                    set->name);
  input->side = set->side ? set->side : settings->image_size;
  if (!set->side && settings->resize < settings->image_size)
    return gf__fail(GF_ERROR_CONFIG,
                    "data.resize of the run's config.yaml is %d, from which no %d pixels "
                    "(data.image_size) can be cut",
                    settings->resize, settings->image_size);
  GF_TRY(fill_channels(&settings->mean, "mean", set->mean, set->channels));
  GF_TRY(fill_channels(&settings->std, "std", set->std, set->channels));
  gf_dataset like = {.info = input->info, .settings = *settings};
  gf__transform_init(&input->transform, &like);
  size_t bytes = (size_t)input->side * (size_t)input->side * RGB;
  input->rgb = malloc(bytes);
  return input->rgb ? GF_OK : gf__fail_host_memory(bytes);
}

gf_status gf__predict_input_open(gf__predict_input *out, const gf_config *config) {
  *out = (gf__predict_input){0};
  GF_TRY(gf__data_expect(&out->info, config));
  GF_TRY(gf__keys_read(gf__value_get(gf__config_root(config), "data"), "data", gf__data_keys,
                       gf__data_key_count, &out->settings));
  gf_status status = open_input(out);
  if (status != GF_OK) gf__predict_input_free(out);
  return status;
}

void gf__predict_input_free(gf__predict_input *input) {
  gf__keys_free(gf__data_keys, gf__data_key_count, &input->settings);
  free(input->rgb);
  *input = (gf__predict_input){0};
}

/* The luma of ITU-R BT.601, which leaves grey as it is. */
static void make_grey(uint8_t *rgb, size_t pixels) {
  for (size_t i = 0; i < pixels; i++) {
    const uint8_t *p = rgb + i * RGB;
    rgb[i] = (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000);
  }
}

gf_status gf__predict_input_read(const gf__predict_input *input, const char *path, uint8_t *pixels,
                                 float *floats) {
  const gf_dataset_info *info = &input->info;
  const gf__data_set *set = &gf__data_sets[input->settings.name];
  size_t square = (size_t)input->side * (size_t)input->side;
  int resize = set->side ? set->side : input->settings.resize;
  GF_TRY(gf__image_read(path, resize, input->side, input->rgb));
  if (info->channels == 1) make_grey(input->rgb, square);
  memset(pixels, 0, (size_t)info->height * (size_t)info->width * (size_t)info->channels);
  gf__data_sink sink = {.file = {.count = 1, .height = input->side, .width = input->side},
                        .channels = info->channels,
                        .place = (const int32_t[]){0},
                        .height = info->height,
                        .width = info->width,
                        .images = pixels};
  gf__data_store(&sink, 0, input->rgb);
  gf__transform_apply(&input->transform, &(gf__augmentation){0}, pixels, floats);
  return GF_OK;
}
