/* Hyperspectral cubes: an array (height, width, bands) or (bands, height, width) of numbers, first
 * index fastest, and one (height, width) of classes from 1 on, 0 where a pixel's is unknown; of
 * MATLAB files of level 5, or of one, the largest array of so many dimensions or the one that is
 * named. Samples are the labelled pixels with the squares around them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "data/cube.h"

/* ---- the keys ---- */

static const gf__key cube_keys_[] = {
    GF__KEY(gf__cube_options, cube, TEXT, .initial = "Indian_pines_corrected.mat",
            .help = "file with the array (height, width, bands) or (bands, height, width)"),
    GF__KEY(gf__cube_options, cube_variable, TEXT, .initial = "",
            .help = "name of that array; left out: the largest of three dimensions"),
    GF__KEY(gf__cube_options, ground_truth, TEXT, .initial = "Indian_pines_gt.mat",
            .help = "file with each pixel's class from 1 on, 0 where it is unknown; it may be that "
                    "of the cube"),
    GF__KEY(gf__cube_options, ground_truth_variable, TEXT, .initial = "",
            .help = "name of that array; left out: the largest of two dimensions"),
    GF__KEY(gf__cube_options, unknown, INT, .initial = "0", .maximum = GF__CUBE_MOST_UNKNOWN,
            .help = "class of unknown pixels besides 0, -1 and NaN; 0: 255 where it is far above "
                    "the other classes"),
    GF__KEY(gf__cube_options, patch, INT, .initial = "7", .minimum = 1, .maximum = 255,
            .help = "side of the square around each pixel, odd"),
    GF__KEY(gf__cube_options, train_fraction, FLOAT, .initial = "0.2", .minimum = 1e-6,
            .maximum = 1, .help = "fraction of each class's pixels to train on"),
    GF__KEY(gf__cube_options, validation_fraction, FLOAT, .initial = "0.1", .maximum = 1,
            .help = "fraction to choose an epoch by; the remaining pixels are for the test"),
    GF__KEY(gf__cube_options, bands, INT, .initial = "0", .maximum = GF__CUBE_MOST_BANDS,
            .help = "number of bands that the cube must have; 0: what the file says"),
    GF__KEY(gf__cube_options, classes, INT, .initial = "0", .maximum = GF__CUBE_MOST_CLASSES,
            .help = "number of classes that the ground truth must have; 0: what the file says"),
};

static bool has_strength(const gf__floats *floats) {
  for (int i = 0; i < floats->count; i++)
    if (floats->v[i] != 0) return true;
  return false;
}

/* The key that has no meaning for a cube, or NULL. */
static const char *cube_find_unsuitable(const gf__data_settings *s) {
  if (s->crop_padding > 0) return "crop_padding";
  if (s->flip == 1) return "flip";
  if (s->cutout > 0) return "cutout";
  if (has_strength(&s->jitter)) return "jitter";
  if (s->mean.count > 0) return "mean";
  if (s->std.count > 0) return "std";
  return s->validation >= 0 ? "validation" : NULL;
}

static gf_status cube_check(gf__data_settings *settings, const gf__value *section) {
  const gf__cube_options *options = gf__cube_options_of(settings);
  const char *name = cube_find_unsuitable(settings);
  if (name)
    return gf__value_fail(gf__value_get(section, name),
                          "data.%s is not for hyperspectral, whose bands are standardised, whose "
                          "squares are not augmented, and whose split is by data.train_fraction "
                          "and data.validation_fraction; leave it out",
                          name);
  if (options->patch % 2 == 0)
    return gf__value_fail(gf__value_get(section, "patch"),
                          "data.patch is %d; a square around a pixel has an odd side",
                          options->patch);
  if (options->train_fraction + options->validation_fraction <= 1) return GF_OK;
  return gf__value_fail(section,
                        "data.train_fraction and data.validation_fraction are %g and %g, more "
                        "than all pixels; lower one of them",
                        options->train_fraction, options->validation_fraction);
}

static bool cube_reads_file(const gf__data_settings *settings, const char *name) {
  const gf__cube_options *options = gf__cube_options_of(settings);
  return !strcmp(name, options->cube) || !strcmp(name, options->ground_truth);
}

static void cube_fill_info(gf_dataset_info *out, const gf__data_source *source,
                           const gf__scene *s) {
  *out = (gf_dataset_info){.name = source->format->name,
                           .height = gf__cube_options_of(source->settings)->patch,
                           .width = gf__cube_options_of(source->settings)->patch,
                           .channels = s->bands,
                           .classes = s->classes};
}

static void cube_expect(const gf__data_format *format, const gf__data_settings *settings,
                        gf_dataset_info *out) {
  const gf__cube_options *options = gf__cube_options_of(settings);
  *out = (gf_dataset_info){.name = format->name,
                           .height = options->patch,
                           .width = options->patch,
                           .channels = options->bands ? options->bands : format->channels,
                           .classes = options->classes};
}

static gf_status cube_describe(const gf__data_source *source, gf_dataset_info *out) {
  const gf__cube_options *options = gf__cube_options_of(source->settings);
  gf__cube_array file;
  gf__scene s = {0};
  if (options->bands && options->classes) return GF_OK;
  if (!*source->settings->path) return gf__data_fail_no_path(source);
  gf_status status = gf__scene_open(&file, source, &s);
  if (status == GF_OK) cube_fill_info(out, source, &s);
  gf__mat_close(&file.mat);
  free(s.classes_of);
  return status;
}

/* ---- choosing samples ---- */

typedef struct range {
  int first, end; /* of a class's pixels in their random order */
} range;

/* The range of a class's count pixels that a split has; at least one pixel to train on. */
static range cube_range_of(const gf__cube_options *options, gf_split split, int count) {
  int train = (int)ceil(options->train_fraction * count - 1e-9);
  int validation = (int)floor(options->validation_fraction * count + 0.5);
  if (train > count) train = count;
  if (validation > count - train) validation = count - train;
  const range ranges[] = {[GF_SPLIT_TRAIN] = {0, train},
                          [GF_SPLIT_VALIDATION] = {train, train + validation},
                          [GF_SPLIT_TEST] = {train + validation, count}};
  return ranges[split];
}

/* Goes through the labelled pixels, pixels of them, in a random order and keeps those of the split,
 * class by class. */
static void cube_keep_samples(gf_dataset *dataset, gf_split split, const gf__scene *s,
                              const int32_t *pixels, const uint32_t *order, int labelled) {
  gf__cube *cube = dataset->samples;
  const gf__data_settings *settings = &dataset->settings;
  int sizes[GF__CUBE_MOST_CLASSES + 1] = {0}, seen[GF__CUBE_MOST_CLASSES + 1] = {0}, count = 0;
  int limit = split == GF_SPLIT_TRAIN  ? settings->train_limit
              : split == GF_SPLIT_TEST ? settings->test_limit
                                       : 0;
  for (int i = 0; i < labelled; i++) sizes[s->classes_of[pixels[i]]]++;
  for (int i = 0; i < labelled && (limit == 0 || count < limit); i++) {
    int32_t pixel = pixels[order[i]];
    int class = s->classes_of[pixel], position = seen[class]++;
    range wanted = cube_range_of(gf__cube_options_of(settings), split, sizes[class]);
    if (position < wanted.first || position >= wanted.end) continue;
    dataset->labels[count] = class - 1;
    cube->corners[count++] = pixel / s->width * cube->width + pixel % s->width;
  }
  dataset->info.count = count;
}

static gf_status cube_choose_samples(gf_dataset *dataset, gf_split split, const gf__scene *s) {
  gf__cube *cube = dataset->samples;
  int all = s->height * s->width, labelled = 0;
  size_t room = (size_t)all;
  int32_t *pixels = malloc(room * sizeof *pixels);
  uint32_t *order = malloc(room * sizeof *order);
  dataset->labels = malloc(room * sizeof *dataset->labels);
  cube->corners = malloc(room * sizeof *cube->corners);
  gf_status status = GF_OK;
  if (!pixels || !order || !dataset->labels || !cube->corners) {
    status = gf__fail_host_memory(room * sizeof *order);
  } else {
    for (int i = 0; i < all; i++)
      if (s->classes_of[i]) pixels[labelled++] = i;
    gf__random_permutation(dataset->settings.split_seed, GF__STREAM_SPLIT, 0, order,
                           (uint32_t)labelled);
    cube_keep_samples(dataset, split, s, pixels, order, labelled);
  }
  free(pixels);
  free(order);
  return status;
}

/* ---- opening ---- */

static gf_status cube_open(gf_dataset *dataset, const gf__data_source *source, gf_split split) {
  gf__cube_array file;
  gf__scene s = {0};
  gf__cube_options *options = dataset->settings.options;
  gf_status status = gf__scene_open(&file, source, &s);
  if (status == GF_OK) cube_fill_info(&dataset->info, source, &s);
  if (status == GF_OK) status = gf__cube_allocate(dataset, &s, file.path);
  if (status == GF_OK) status = cube_choose_samples(dataset, split, &s);
  if (status == GF_OK) status = gf__cube_read(&file, options->cube_variable, &s, dataset->samples);
  if (status == GF_OK && split == GF_SPLIT_TRAIN) gf__scene_warn(source, &s);
  if (status == GF_OK) {
    options->bands = s.bands;
    options->classes = s.classes;
    options->unknown = s.unknown;
  }
  gf__mat_close(&file.mat);
  free(s.classes_of);
  return status;
}

/* Copies a square of standardised floats, (patch, patch, bands), which is never augmented. */
static void cube_render(const gf_dataset *dataset, uint32_t index,
                        const gf__augmentation *augmentation, float *out) {
  const gf__cube *cube = dataset->samples;
  size_t row = (size_t)cube->patch * (size_t)cube->bands;
  const float *from = cube->values + (size_t)cube->corners[index] * (size_t)cube->bands;
  (void)augmentation;
  for (int y = 0; y < cube->patch; y++)
    memcpy(out + (size_t)y * row, from + (size_t)y * (size_t)cube->row, row * sizeof *out);
}

static void cube_close(gf_dataset *dataset) {
  gf__cube *cube = dataset->samples;
  if (!cube) return;
  free(cube->values);
  free(cube->corners);
  free(cube);
}

/* ---- the row ---- */

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

const gf__data_format gf__format_hyperspectral = {
    .name = "hyperspectral",
    .help = "squares around the labelled pixels of a hyperspectral cube (MATLAB files)",
    .files =
        "a cube and its ground truth, such as Indian_pines_corrected.mat and "
        "Indian_pines_gt.mat (data.cube, data.ground_truth)",
    .source =
        "get them from "
        "https://www.ehu.eus/ccwintco/index.php/Hyperspectral_Remote_Sensing_Scenes",
    .input =
        "squares of a cube, bands first: each band less its mean over the scene and divided "
        "by its standard deviation; zeros outside the scene",
    .keys = cube_keys_,
    .key_count = sizeof cube_keys_ / sizeof *cube_keys_,
    .options_size = sizeof(gf__cube_options),
    .channels = 200,
    .has_shape_in_files = true,
    .train = FILES("Indian_pines_corrected.mat", "Indian_pines_gt.mat"),
    .test = FILES("Indian_pines_corrected.mat", "Indian_pines_gt.mat"),
    .check = cube_check,
    .reads_file = cube_reads_file,
    .expect = cube_expect,
    .describe = cube_describe,
    .open = cube_open,
    .render = cube_render,
    .close = cube_close};
