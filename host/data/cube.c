/* Hyperspectral cubes: an array (height, width, bands) of numbers, first index fastest, and one
 * (height, width) of classes from 1 on, 0 where a pixel's is unknown; the largest array of a MATLAB
 * file of level 5 each. Samples are the labelled pixels with the squares around them. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/random.h"
#include "data/dataset.h"
#include "data/mat.h"

enum { MOST_SIDE = 16384, MOST_BANDS = 4096, MOST_CLASSES = 1024 };

/* ---- the keys ---- */

/* Names of the files, side of a patch in pixels, fractions of each class, and what only the files
 * tell; 0: not known. */
typedef struct cube_options {
  char *cube, *ground_truth;
  int patch;
  double train_fraction, validation_fraction;
  int bands, classes;
} cube_options;

static const gf__key cube_keys_[] = {
    GF__KEY(cube_options, cube, TEXT, .initial = "Indian_pines_corrected.mat",
            .help = "file with the array (height, width, bands)"),
    GF__KEY(cube_options, ground_truth, TEXT, .initial = "Indian_pines_gt.mat",
            .help = "file with each pixel's class from 1 on, 0 where it is unknown"),
    GF__KEY(cube_options, patch, INT, .initial = "7", .minimum = 1, .maximum = 255,
            .help = "side of the square around each pixel, odd"),
    GF__KEY(cube_options, train_fraction, FLOAT, .initial = "0.2", .minimum = 1e-6, .maximum = 1,
            .help = "fraction of each class's pixels to train on"),
    GF__KEY(cube_options, validation_fraction, FLOAT, .initial = "0.1", .maximum = 1,
            .help = "fraction to choose an epoch by; the others are the test's"),
    GF__KEY(cube_options, bands, INT, .initial = "0", .maximum = MOST_BANDS,
            .help = "of the cube, which has to have them; 0: what the file says"),
    GF__KEY(cube_options, classes, INT, .initial = "0", .maximum = MOST_CLASSES,
            .help = "of the ground truth, which has to have them; 0: what the file says"),
};

static const cube_options *cube_options_of(const gf__data_settings *settings) {
  return settings->options;
}

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
  const cube_options *options = cube_options_of(settings);
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
  const cube_options *options = cube_options_of(settings);
  return !strcmp(name, options->cube) || !strcmp(name, options->ground_truth);
}

/* ---- the samples ---- */

typedef struct gf__cube {
  float *values; /* (height + patch - 1, width + patch - 1, bands): zeros around the scene */
  int row;       /* floats of its rows */
  int patch, bands;
  int32_t *corners; /* (samples): the pixel of values at which each sample's square begins */
  int width;        /* of values, pixels */
} gf__cube;

/* ---- files ---- */

typedef struct array_file {
  char path[GF__PATH_SIZE];
  gf__mat *mat;
  gf__mat_array array;
} array_file;

static bool within(uint32_t size, uint32_t most) { return size >= 1 && size <= most; }

static gf_status cube_check_array(const array_file *file, int dim_count) {
  const gf__mat_array *a = &file->array;
  bool fits = a->dim_count == dim_count;
  uint64_t size = gf__mat_number_size(a->type);
  for (int i = 0; fits && i < dim_count; i++) {
    fits = within(a->dims[i], i < 2 ? MOST_SIDE : MOST_BANDS);
    size *= a->dims[i];
  }
  if (!fits || size != a->size)
    return gf__fail(GF_ERROR_DATA,
                    "%s: its largest array has %d dimensions and %u bytes; %s of at most %d x %d "
                    "pixels is wanted: it is damaged or another file",
                    file->path, a->dim_count, a->size,
                    dim_count == 3 ? "(height, width, bands)" : "(height, width)", MOST_SIDE,
                    MOST_SIDE);
  int64_t bytes = 0;
  GF_TRY(gf__data_file_size(file->path, &bytes));
  if ((int64_t)a->size / GF__DEFLATE_MOST <= bytes) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has %lld bytes, which cannot hold the %u that it announces; fetch it again",
                  file->path, (long long)bytes, a->size);
}

/* Leaves the reader positioned at the numbers. The caller closes file->mat whatever happens. */
static gf_status cube_open_array(array_file *file, const gf__data_source *source, const char *name,
                                 int dim_count) {
  *file = (array_file){0};
  GF_TRY(gf__data_find_file(source, name, file->path));
  GF_TRY(gf__data_compare_checksum(source, file->path));
  GF_TRY(gf__mat_open(&file->mat, file->path));
  GF_TRY(gf__mat_find_largest(file->mat, &file->array));
  return cube_check_array(file, dim_count);
}

/* ---- the ground truth ---- */

typedef struct scene {
  int height, width, bands, classes;
  int16_t *classes_of; /* (height, width): from 1 on, or 0 */
} scene;

static gf_status cube_read_class_column(const array_file *file, scene *s, int x, double *column) {
  GF_TRY(gf__mat_read_numbers(file->mat, file->array.type, column, (uint32_t)s->height));
  for (int y = 0; y < s->height; y++) {
    if (!(column[y] >= 0 && column[y] <= MOST_CLASSES && column[y] == floor(column[y])))
      return gf__fail(GF_ERROR_DATA,
                      "%s: pixel (%d, %d) has the class %g; classes are 0 to %d: it is damaged or "
                      "another file",
                      file->path, y, x, column[y], MOST_CLASSES);
    s->classes_of[y * s->width + x] = (int16_t)column[y];
    if ((int)column[y] > s->classes) s->classes = (int)column[y];
  }
  return GF_OK;
}

static gf_status cube_read_classes(const array_file *file, scene *s) {
  size_t pixels = (size_t)s->height * (size_t)s->width;
  double *column = malloc((size_t)s->height * sizeof *column);
  s->classes_of = malloc(pixels * sizeof *s->classes_of);
  gf_status status =
      column && s->classes_of ? GF_OK : gf__fail_host_memory(pixels * sizeof *s->classes_of);
  for (int x = 0; status == GF_OK && x < s->width; x++)
    status = cube_read_class_column(file, s, x, column);
  if (status == GF_OK) status = gf__mat_finish(file->mat);
  if (status == GF_OK && s->classes == 0)
    status = gf__fail(GF_ERROR_DATA, "%s has no labelled pixel", file->path);
  free(column);
  return status;
}

/* The caller frees s->classes_of whatever happens. */
static gf_status cube_read_ground_truth(const gf__data_source *source, scene *s) {
  array_file file;
  *s = (scene){0};
  gf_status status =
      cube_open_array(&file, source, cube_options_of(source->settings)->ground_truth, 2);
  if (status == GF_OK) {
    s->height = (int)file.array.dims[0];
    s->width = (int)file.array.dims[1];
    status = cube_read_classes(&file, s);
  }
  gf__mat_close(&file.mat);
  return status;
}

/* Opens the cube and checks that it is of the scene. The caller closes file->mat. */
static gf_status cube_open_values(array_file *file, const gf__data_source *source, scene *s) {
  GF_TRY(cube_open_array(file, source, cube_options_of(source->settings)->cube, 3));
  const uint32_t *dims = file->array.dims;
  if ((int)dims[0] != s->height || (int)dims[1] != s->width)
    return gf__fail(GF_ERROR_DATA,
                    "%s has %u x %u pixels, but %s has %d x %d; they are of different scenes",
                    file->path, dims[0], dims[1], cube_options_of(source->settings)->ground_truth,
                    s->height, s->width);
  s->bands = (int)dims[2];
  return GF_OK;
}

static void cube_fill_info(gf_dataset_info *out, const gf__data_source *source, const scene *s) {
  *out = (gf_dataset_info){.name = source->format->name,
                           .height = cube_options_of(source->settings)->patch,
                           .width = cube_options_of(source->settings)->patch,
                           .channels = s->bands,
                           .classes = s->classes};
}

/* That the files are as the config says, where it does. */
static gf_status cube_check_sizes(const gf__data_source *source, const scene *s) {
  const cube_options *options = cube_options_of(source->settings);
  bool fits = (!options->bands || options->bands == s->bands) &&
              (!options->classes || options->classes == s->classes);
  if (fits) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "the files in %s have %d bands and %d classes, but data.bands is %d and "
                  "data.classes %d, as in the run that the config is of; leave these keys out to "
                  "train on these files",
                  source->settings->path, s->bands, s->classes, options->bands, options->classes);
}

/* Reads the ground truth and opens the cube. The caller closes file->mat and frees s->classes_of
 * whatever happens. */
static gf_status cube_open_files(array_file *file, const gf__data_source *source, scene *s) {
  *file = (array_file){0};
  GF_TRY(cube_read_ground_truth(source, s));
  GF_TRY(cube_open_values(file, source, s));
  return cube_check_sizes(source, s);
}

static void cube_expect(const gf__data_format *format, const gf__data_settings *settings,
                        gf_dataset_info *out) {
  const cube_options *options = cube_options_of(settings);
  *out = (gf_dataset_info){.name = format->name,
                           .height = options->patch,
                           .width = options->patch,
                           .channels = options->bands ? options->bands : format->channels,
                           .classes = options->classes};
}

static gf_status cube_describe(const gf__data_source *source, gf_dataset_info *out) {
  const cube_options *options = cube_options_of(source->settings);
  array_file file;
  scene s = {0};
  if (options->bands && options->classes) return GF_OK;
  if (!*source->settings->path) return gf__data_fail_no_path(source);
  gf_status status = cube_open_files(&file, source, &s);
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
static range cube_range_of(const cube_options *options, gf_split split, int count) {
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
static void cube_keep_samples(gf_dataset *dataset, gf_split split, const scene *s,
                              const int32_t *pixels, const uint32_t *order, int labelled) {
  gf__cube *cube = dataset->samples;
  const gf__data_settings *settings = &dataset->settings;
  int sizes[MOST_CLASSES + 1] = {0}, seen[MOST_CLASSES + 1] = {0}, count = 0;
  int limit = split == GF_SPLIT_TRAIN  ? settings->train_limit
              : split == GF_SPLIT_TEST ? settings->test_limit
                                       : 0;
  for (int i = 0; i < labelled; i++) sizes[s->classes_of[pixels[i]]]++;
  for (int i = 0; i < labelled && (limit == 0 || count < limit); i++) {
    int32_t pixel = pixels[order[i]];
    int class = s->classes_of[pixel], position = seen[class]++;
    range wanted = cube_range_of(cube_options_of(settings), split, sizes[class]);
    if (position < wanted.first || position >= wanted.end) continue;
    dataset->labels[count] = class - 1;
    cube->corners[count++] = pixel / s->width * cube->width + pixel % s->width;
  }
  dataset->info.count = count;
}

static gf_status cube_choose_samples(gf_dataset *dataset, gf_split split, const scene *s) {
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

/* ---- the cube ---- */

static gf_status cube_allocate(gf_dataset *dataset, const scene *s, const char *path) {
  int patch = cube_options_of(&dataset->settings)->patch, width = s->width + patch - 1;
  uint64_t pixels = (uint64_t)(s->height + patch - 1) * (uint64_t)width;
  uint64_t bytes = pixels * (uint64_t)s->bands * sizeof(float), memory = gf__host_memory();
  if (memory && bytes > memory / 4 * 3)
    return gf__fail(GF_ERROR_MEMORY,
                    "%s: a cube of %d x %d pixels and %d bands takes %.1f GB of memory, and this "
                    "machine has %.1f GB; cut out a smaller one",
                    path, s->height, s->width, s->bands, 1e-9 * (double)bytes,
                    1e-9 * (double)memory);
  gf__cube *cube = dataset->samples = calloc(1, sizeof *cube);
  if (!cube) return gf__fail_host_memory(sizeof *cube);
  *cube = (gf__cube){.row = width * s->bands, .patch = patch, .bands = s->bands, .width = width};
  cube->values = calloc(1, bytes);
  return cube->values ? GF_OK : gf__fail_host_memory(bytes);
}

/* A column of a band with the sum of its numbers. */
static gf_status cube_read_band_column(const array_file *file, const scene *s, double *column,
                                       int x, int band, double *sum) {
  GF_TRY(gf__mat_read_numbers(file->mat, file->array.type, column, (uint32_t)s->height));
  for (int y = 0; y < s->height; y++) {
    if (!(fabs(column[y]) <= FLT_MAX))
      return gf__fail(
          GF_ERROR_DATA,
          "%s: pixel (%d, %d) has no finite number in band %d; it is damaged or another "
          "file",
          file->path, y, x, band);
    *sum += column[y];
  }
  return GF_OK;
}

/* Mean 0 and deviation 1 over all pixels of the scene; a band of one number becomes 0. */
static void cube_store_band(gf__cube *cube, const scene *s, const double *numbers, double sum,
                            int band) {
  int margin = cube->patch / 2;
  double pixels = (double)s->height * s->width, mean = sum / pixels, squares = 0;
  for (int i = 0; i < s->height * s->width; i++)
    squares += (numbers[i] - mean) * (numbers[i] - mean);
  double deviation = sqrt(squares / pixels), rate = deviation > 0 ? 1 / deviation : 0;
  for (int x = 0; x < s->width; x++)
    for (int y = 0; y < s->height; y++)
      cube->values[(size_t)(y + margin) * (size_t)cube->row +
                   (size_t)(x + margin) * (size_t)cube->bands + (size_t)band] =
          (float)((numbers[x * s->height + y] - mean) * rate);
}

static gf_status cube_read_bands(const array_file *file, const scene *s, gf__cube *cube) {
  size_t pixels = (size_t)s->height * (size_t)s->width;
  double *numbers = calloc(pixels, sizeof *numbers);
  if (!numbers) return gf__fail_host_memory(pixels * sizeof *numbers);
  gf_status status = GF_OK;
  for (int band = 0; status == GF_OK && band < s->bands; band++) {
    double sum = 0;
    for (int x = 0; status == GF_OK && x < s->width; x++)
      status =
          cube_read_band_column(file, s, numbers + (size_t)x * (size_t)s->height, x, band, &sum);
    if (status == GF_OK) cube_store_band(cube, s, numbers, sum, band);
  }
  free(numbers);
  return status == GF_OK ? gf__mat_finish(file->mat) : status;
}

static gf_status cube_open(gf_dataset *dataset, const gf__data_source *source, gf_split split) {
  array_file file;
  scene s = {0};
  cube_options *options = dataset->settings.options;
  gf_status status = cube_open_files(&file, source, &s);
  if (status == GF_OK) cube_fill_info(&dataset->info, source, &s);
  if (status == GF_OK) status = cube_allocate(dataset, &s, file.path);
  if (status == GF_OK) status = cube_choose_samples(dataset, split, &s);
  if (status == GF_OK) status = cube_read_bands(&file, &s, dataset->samples);
  if (status == GF_OK) {
    options->bands = s.bands;
    options->classes = s.classes;
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
    .options_size = sizeof(cube_options),
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
