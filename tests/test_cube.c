/* Hyperspectral cubes: what is read of the files, how pixels are split, what is refused, and that
 * the network for them learns classes that differ by their spectra. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <gradflow/data.h>
#include <gradflow/train.h>

#include "data/dataset.h"
#include "support/data_files.h"
#include "support/mat_files.h"
#include "support/test.h"

enum { HEIGHT = 11, WIDTH = 9, BANDS = 12, KINDS = 3, ALL = HEIGHT * WIDTH * BANDS };
enum { INT16 = 3, UINT16 = 4, SINGLE = 7, CLASS_INT16 = 10, CLASS_UINT16 = 11 };

/* ---- synthetic cubes ---- */

typedef struct cube {
  double values[HEIGHT][WIDTH][BANDS];
  int classes[HEIGHT][WIDTH];
} cube;

/* [-1, 1) */
static double noise(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return (double)(*state >> 8) / (1 << 23) - 1;
}

/* Whole numbers: a class's spectrum is a hump over bands of its own, with noise of a quarter of
 * it. Every seventh pixel has no class. */
static void make_cube(cube *c) {
  uint32_t state = 2463534242;
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++) {
      int kind = (y / 3 + x / 3) % KINDS, i = y * WIDTH + x;
      c->classes[y][x] = i % 7 == 3 ? 0 : kind + 1;
      for (int b = 0; b < BANDS; b++) {
        double hump = exp(-pow((b - 2 - 3.5 * kind) / 1.5, 2));
        c->values[y][x][b] = floor(1000 + 200 * b + 400 * hump + 100 * noise(&state));
      }
    }
}

typedef struct number_kind {
  uint32_t class, type;
  size_t size;
} number_kind;

static const number_kind kinds_[] = {{CLASS_UINT16, UINT16, 2},
                                     {CLASS_INT16, INT16, 2},
                                     {CLASS_SINGLE, SINGLE, 4},
                                     {CLASS_DOUBLE, DOUBLE, 8},
                                     {CLASS_DOUBLE, UINT16, 2}};

static void put_number(uint8_t *out, const number_kind *kind, double value) {
  float single = (float)value;
  uint64_t bits = (uint64_t)(int64_t)value;
  if (kind->type == DOUBLE) memcpy(&bits, &value, 8);
  if (kind->type == SINGLE) {
    bits = 0;
    memcpy(&bits, &single, 4);
  }
  for (size_t i = 0; i < kind->size; i++) out[i] = (uint8_t)(bits >> (8 * i));
}

/* What is wrong with the files; nothing where all is 0. */
typedef struct flaw {
  int dims[3], truth_dims[2];
  size_t missing; /* bytes of the cube's numbers */
  int class_of_first;
  double first; /* number of the cube; 0: the right one */
} flaw;

static void write_cube(const cube *c, const number_kind *kind, int compressed, const flaw *f) {
  static const int dims[] = {HEIGHT, WIDTH, BANDS};
  static uint8_t bytes[ALL * 8], truth[HEIGHT * WIDTH], small[32];
  mat_flaw packing = {.compressed = compressed};
  gf__text file = {0};
  for (int b = 0; b < BANDS; b++)
    for (int x = 0; x < WIDTH; x++)
      for (int y = 0; y < HEIGHT; y++)
        put_number(bytes + (size_t)((b * WIDTH + x) * HEIGHT + y) * kind->size, kind,
                   f->first != 0 && y + x + b == 0 ? f->first : c->values[y][x][b]);
  for (int x = 0; x < WIDTH; x++)
    for (int y = 0; y < HEIGHT; y++) truth[x * HEIGHT + y] = (uint8_t)c->classes[y][x];
  if (f->class_of_first) truth[0] = (uint8_t)f->class_of_first;
  add_mat_header(&file);
  /* The largest array is the cube, wherever it stands. */
  add_matrix(&file, &packing, "map", CLASS_UINT8, (int[]){4, 8}, 2, UINT8, small, sizeof small);
  add_matrix(&file, &packing, "scene", kind->class, f->dims[0] ? f->dims : dims, 3, kind->type,
             bytes, ALL * kind->size - f->missing);
  add_matrix(&file, &packing, "map", CLASS_UINT8, (int[]){8, 4}, 2, UINT8, small, sizeof small);
  write_bytes("scene.mat", file.data, file.size);
  gf__text_free(&file);
  add_mat_header(&file);
  add_matrix(&file, &packing, "truth", CLASS_UINT8, f->truth_dims[0] ? f->truth_dims : dims, 2,
             UINT8, truth, sizeof truth);
  write_bytes("truth.mat", file.data, file.size);
  gf__text_free(&file);
}

static cube make_files(void) {
  cube c;
  make_cube(&c);
  write_cube(&c, &kinds_[0], 1, &(flaw){0});
  return c;
}

#define FILES "  cube: scene.mat\n  ground_truth: truth.mat\n"

/* ---- what is read ---- */

static void standardise(cube *c) {
  for (int b = 0; b < BANDS; b++) {
    double mean = 0, squares = 0;
    double *all = &c->values[0][0][b];
    for (int i = 0; i < HEIGHT * WIDTH; i++) mean += all[i * BANDS] / (HEIGHT * WIDTH);
    for (int i = 0; i < HEIGHT * WIDTH; i++) squares += pow(all[i * BANDS] - mean, 2);
    for (int i = 0; i < HEIGHT * WIDTH; i++)
      all[i * BANDS] = (all[i * BANDS] - mean) / sqrt(squares / (HEIGHT * WIDTH));
  }
}

static double value_at(const cube *c, int y, int x, int b) {
  return y < 0 || y >= HEIGHT || x < 0 || x >= WIDTH ? 0 : c->values[y][x][b];
}

static bool is_patch(const cube *c, int y, int x, int patch, const float *image) {
  for (int i = 0; i < patch; i++)
    for (int j = 0; j < patch; j++)
      for (int b = 0; b < BANDS; b++) {
        double expected = value_at(c, y + i - patch / 2, x + j - patch / 2, b);
        if (!(fabs(image[(i * patch + j) * BANDS + b] - expected) <= 1e-5)) return false;
      }
  return true;
}

/* Finds the samples of a split in the cube and counts in found how often each pixel came. */
static int find_samples(const cube *c, gf_split split, const char *more, int patch,
                        int found[HEIGHT][WIDTH]) {
  gf_dataset *dataset = open_split(split, "hyperspectral", more);
  gf_dataset_info info = gf_dataset_describe(dataset);
  assert_int_equal(info.height, patch);
  assert_int_equal(info.width, patch);
  assert_int_equal(info.channels, BANDS);
  assert_int_equal(info.classes, KINDS);
  gf_loader *loader = open_loader(dataset, 5, 2, 1, split == GF_SPLIT_TRAIN);
  assert_int_equal(gf_loader_start(loader, 0, 0), GF_OK);
  int samples = 0;
  for (gf_batch batch; batch = next(loader), batch.count > 0;)
    for (int k = 0; k < batch.count; k++, samples++) {
      const float *image = batch.images + (size_t)k * (size_t)(patch * patch * BANDS);
      int matches = 0;
      for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
          if (c->classes[y][x] != batch.labels[k] + 1 || !is_patch(c, y, x, patch, image)) continue;
          matches++;
          found[y][x]++;
        }
      assert_int_equal(matches, 1);
    }
  assert_int_equal(samples, info.count);
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
  return samples;
}

static void samples_are_the_pixels_of_the_cube(void **state) {
  (void)state;
  cube c;
  make_cube(&c);
  cube standard = c;
  standardise(&standard);
  for (size_t k = 0; k < sizeof kinds_ / sizeof *kinds_; k++)
    for (int compressed = 0; compressed < 2; compressed++) {
      int found[HEIGHT][WIDTH] = {0}, labelled = 0;
      write_cube(&c, &kinds_[k], compressed, &(flaw){0});
      int patch = k == 0 ? 7 : 3;
      const char *more = k == 0 ? FILES : FILES "  patch: 3\n";
      int train = find_samples(&standard, GF_SPLIT_TRAIN, more, patch, found);
      int validation = find_samples(&standard, GF_SPLIT_VALIDATION, more, patch, found);
      int test = find_samples(&standard, GF_SPLIT_TEST, more, patch, found);
      for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
          assert_int_equal(found[y][x], c.classes[y][x] > 0);
          labelled += c.classes[y][x] > 0;
        }
      assert_int_equal(train + validation + test, labelled);
    }
}

/* So small that the squares are hardly numbers; found by tests/fuzz/fuzz_cube.c. */
static void tiny_numbers_are_kept(void **state) {
  (void)state;
  enum { PATCH = 7 };
  cube c;
  float patch[PATCH * PATCH * BANDS];
  double largest = 0;
  make_cube(&c);
  for (int i = 0; i < ALL; i++) (&c.values[0][0][0])[i] *= 1e-158;
  write_cube(&c, &kinds_[3], 0, &(flaw){0});
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "hyperspectral", FILES);
  for (int i = 0; i < dataset->info.count; i++) {
    dataset->format->render(dataset, (uint32_t)i, &(gf__augmentation){0}, patch);
    for (size_t k = 0; k < sizeof patch / sizeof *patch; k++) {
      if (!(fabsf(patch[k]) <= HEIGHT * WIDTH)) fail_msg("%g", (double)patch[k]);
      largest = fmax(largest, fabs((double)patch[k]));
    }
  }
  assert_true(largest > 1);
  gf_dataset_free(&dataset);
}

static void count_classes(gf_split split, const char *more, int counts[KINDS]) {
  gf_dataset *dataset = open_split(split, "hyperspectral", more);
  for (int i = 0; i < dataset->info.count; i++) counts[dataset->labels[i]]++;
  gf_dataset_free(&dataset);
}

/* Each class by itself: a fifth, rounded up, a tenth, rounded, and the rest. */
static void each_class_is_split_by_its_fraction(void **state) {
  (void)state;
  cube c = make_files();
  int sizes[KINDS] = {0}, counts[3][KINDS] = {0};
  for (int i = 0; i < HEIGHT * WIDTH; i++)
    if (c.classes[i / WIDTH][i % WIDTH]) sizes[c.classes[i / WIDTH][i % WIDTH] - 1]++;
  for (int split = 0; split < 3; split++) count_classes((gf_split)split, FILES, counts[split]);
  for (int k = 0; k < KINDS; k++) {
    assert_int_equal(counts[GF_SPLIT_TRAIN][k], (sizes[k] + 4) / 5);
    assert_int_equal(counts[GF_SPLIT_VALIDATION][k], (sizes[k] + 5) / 10);
    assert_int_equal(counts[GF_SPLIT_TEST][k], sizes[k] - counts[0][k] - counts[1][k]);
  }
  memset(counts, 0, sizeof counts);
  const char *all = FILES "  train_fraction: 1\n  validation_fraction: 0\n";
  count_classes(GF_SPLIT_TRAIN, all, counts[0]);
  count_classes(GF_SPLIT_TEST, all, counts[1]);
  for (int k = 0; k < KINDS; k++) {
    assert_int_equal(counts[0][k], sizes[k]);
    assert_int_equal(counts[1][k], 0);
  }
}

static void the_seed_decides_the_split(void **state) {
  (void)state;
  make_files();
  int found[3][HEIGHT][WIDTH] = {0}, differ = 0;
  cube c;
  make_cube(&c);
  standardise(&c);
  const char *more[] = {FILES, FILES, FILES "  split_seed: 1\n"};
  for (int i = 0; i < 3; i++) find_samples(&c, GF_SPLIT_TRAIN, more[i], 7, found[i]);
  assert_memory_equal(found[0], found[1], sizeof found[0]);
  for (int i = 0; i < HEIGHT * WIDTH; i++)
    differ += found[0][i / WIDTH][i % WIDTH] != found[2][i / WIDTH][i % WIDTH];
  assert_true(differ > 0);
}

/* What is written of the settings opens the same split again. */
static void the_config_is_written_resolved(void **state) {
  (void)state;
  make_files();
  gf__text text = {0};
  gf_config *config;
  gf_dataset *again, *dataset = open_split(GF_SPLIT_TRAIN, "hyperspectral", FILES);
  gf__text_add(&text, "data:\n");
  gf__data_write(&text, 2, dataset);
  assert_int_equal(gf_config_parse(&config, "again", text.data), GF_OK);
  assert_int_equal(gf_dataset_open(&again, config, GF_SPLIT_TRAIN), GF_OK);
  assert_int_equal(again->info.count, dataset->info.count);
  assert_memory_equal(again->labels, dataset->labels, (size_t)again->info.count * sizeof(int));
  gf_dataset_info info;
  assert_int_equal(gf_dataset_shape(&info, config), GF_OK);
  assert_int_equal(info.channels, BANDS);
  assert_int_equal(info.classes, KINDS);
  assert_int_equal(info.height, 7);
  gf_config_free(&config);
  gf__text_free(&text);
  gf_dataset_free(&dataset);
  gf_dataset_free(&again);
}

/* ---- other forms of files ---- */

enum { INT64 = 12, UINT64 = 13, CLASS_INT64 = 14, CLASS_UINT64 = 15, CLASS_INT8 = 8 };

/* A cube of 64-bit integers as numpy makes them, and its map, in one file or two. */
typedef struct form {
  bool has_bands_first, is_one_file;
  int unknown; /* instead of 0 in the map */
  number_kind cube, map;
} form;

static void add_numbers(gf__text *out, const char *name, const number_kind *kind, const int *dims,
                        size_t rank, const double *values) {
  static uint8_t bytes[ALL * 8];
  size_t count = 1;
  for (size_t i = 0; i < rank; i++) count *= (size_t)dims[i];
  for (size_t i = 0; i < count; i++) put_number(bytes + i * kind->size, kind, values[i]);
  add_matrix(out, &(mat_flaw){.compressed = 1}, name, kind->class, dims, rank, kind->type, bytes,
             count * kind->size);
}

static void add_form_cube(gf__text *out, const cube *c, const form *f) {
  static double values[ALL];
  const int last[] = {HEIGHT, WIDTH, BANDS}, first[] = {BANDS, HEIGHT, WIDTH};
  double *at = values;
  if (f->has_bands_first) {
    for (int x = 0; x < WIDTH; x++)
      for (int y = 0; y < HEIGHT; y++)
        for (int b = 0; b < BANDS; b++) *at++ = c->values[y][x][b];
  } else {
    for (int b = 0; b < BANDS; b++)
      for (int x = 0; x < WIDTH; x++)
        for (int y = 0; y < HEIGHT; y++) *at++ = c->values[y][x][b];
  }
  add_numbers(out, "scene", &f->cube, f->has_bands_first ? first : last, 3, values);
}

static void add_form_map(gf__text *out, const cube *c, const form *f) {
  double values[HEIGHT * WIDTH], other[4] = {1, 2, 3, 4};
  for (int x = 0; x < WIDTH; x++)
    for (int y = 0; y < HEIGHT; y++) {
      int class = c->classes[y][x];
      values[x * HEIGHT + y] = class ? class : f->unknown;
    }
  /* numpy's (height, width, 1) stays what it is. */
  add_numbers(out, "truth", &f->map, (int[]){HEIGHT, WIDTH, 1}, 3, values);
  add_numbers(out, "small", &kinds_[0], (int[]){2, 2}, 2, other);
}

static void write_form(const cube *c, const form *f) {
  gf__text file = {0};
  add_mat_header(&file);
  if (f->is_one_file) add_form_map(&file, c, f);
  add_form_cube(&file, c, f);
  write_bytes("scene.mat", file.data, file.size);
  gf__text_free(&file);
  add_mat_header(&file);
  add_form_map(&file, c, f);
  write_bytes("truth.mat", file.data, file.size);
  gf__text_free(&file);
}

#define ONE_FILE "  cube: scene.mat\n  ground_truth: scene.mat\n"

static void other_forms_are_read_as_well(void **state) {
  (void)state;
  static const number_kind int64 = {CLASS_INT64, INT64, 8}, uint64 = {CLASS_UINT64, UINT64, 8},
                           int8 = {CLASS_INT8, INT8, 1}, byte = {CLASS_UINT8, UINT8, 1},
                           word = {CLASS_UINT16, UINT16, 2};
  const form forms[] = {{false, false, 0, int64, int64},       {false, true, 0, uint64, uint64},
                        {true, false, 0, kinds_[0], int64},    {true, true, 255, kinds_[3], byte},
                        {false, false, 255, kinds_[0], int64}, {false, false, -1, kinds_[0], int8},
                        {false, false, 65535, kinds_[0], word}};
  cube c;
  make_cube(&c);
  cube standard = c;
  standardise(&standard);
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    int found[HEIGHT][WIDTH] = {0};
    char more[128];
    write_form(&c, &forms[i]);
    snprintf(more, sizeof more, "%s  patch: 3\n", forms[i].is_one_file ? ONE_FILE : FILES);
    for (int split = 0; split < 3; split++)
      find_samples(&standard, (gf_split)split, more, 3, found);
    for (int p = 0; p < HEIGHT * WIDTH; p++)
      assert_int_equal(found[p / WIDTH][p % WIDTH], c.classes[p / WIDTH][p % WIDTH] > 0);
  }
}

/* Where its bands are makes no difference, to the bit. */
static void bands_first_are_standardised_alike(void **state) {
  (void)state;
  enum { PATCH = 3 };
  cube c;
  float patches[2][PATCH * PATCH * BANDS];
  make_cube(&c);
  gf_dataset *sets[2];
  for (int first = 0; first < 2; first++) {
    write_form(&c, &(form){first, false, 0, kinds_[3], kinds_[0]});
    sets[first] = open_split(GF_SPLIT_TRAIN, "hyperspectral", FILES "  patch: 3\n");
  }
  assert_int_equal(sets[0]->info.count, sets[1]->info.count);
  for (int i = 0; i < sets[0]->info.count; i++) {
    for (int k = 0; k < 2; k++)
      sets[k]->format->render(sets[k], (uint32_t)i, &(gf__augmentation){0}, patches[k]);
    assert_memory_equal(patches[0], patches[1], sizeof patches[0]);
  }
  gf_dataset_free(&sets[0]);
  gf_dataset_free(&sets[1]);
}

static void unknown_classes_are_kept_in_the_config(void **state) {
  (void)state;
  cube c;
  gf__text text = {0};
  make_cube(&c);
  write_form(&c, &(form){.unknown = 255, .cube = kinds_[0], .map = kinds_[0]});
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "hyperspectral", FILES);
  assert_int_equal(dataset->info.classes, KINDS);
  gf__data_write(&text, 2, dataset);
  assert_non_null(strstr(text.data, "\n  unknown: 255\n"));
  gf__text_free(&text);
  gf_dataset_free(&dataset);
  /* Whatever stands for them, the key may say so. */
  write_form(&c, &(form){.unknown = 99, .cube = kinds_[0], .map = kinds_[0]});
  dataset = open_split(GF_SPLIT_TRAIN, "hyperspectral", FILES "  unknown: 99\n");
  assert_int_equal(dataset->info.classes, KINDS);
  gf_dataset_free(&dataset);
}

static void refuse(const char *more, gf_status status, const char *message);

static void variables_are_chosen_by_name(void **state) {
  (void)state;
  cube c;
  make_cube(&c);
  write_form(&c, &(form){.is_one_file = true, .cube = kinds_[0], .map = kinds_[0]});
  gf_dataset *dataset =
      open_split(GF_SPLIT_TRAIN, "hyperspectral",
                 ONE_FILE "  cube_variable: scene\n  ground_truth_variable: truth\n");
  assert_int_equal(dataset->info.classes, KINDS);
  gf_dataset_free(&dataset);
  refuse(ONE_FILE "  ground_truth_variable: small\n", GF_ERROR_DATA,
         "scene.mat has 11 x 9 pixels, but scene.mat has 2 x 2; they are of different scenes, or "
         "the bands of the array (11 x 9 x 12) are neither its last dimension nor its first");
  refuse(ONE_FILE "  cube_variable: Scene\n", GF_ERROR_DATA,
         "scene.mat has no variable Scene; is it another file? Its variables: truth (11 x 9 x 1, "
         "uint16), small (2 x 2, uint16), scene (11 x 9 x 12, uint16)");
  refuse(ONE_FILE "  cube_variable: small\n", GF_ERROR_DATA,
         "scene.mat: the variable small is no array of real numbers with 3 dimensions");
  refuse("  cube: truth.mat\n  ground_truth: truth.mat\n  cube_variable: small\n", GF_ERROR_DATA,
         "truth.mat: the variable small is no array");
}

/* ---- what is refused ---- */

static void refuse(const char *more, gf_status status, const char *message) {
  gf_dataset *dataset;
  assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "hyperspectral", more), status);
  if (!strstr(gf_error_message(), message)) fail_msg("%s", gf_error_message());
}

static void settings_are_checked(void **state) {
  (void)state;
  static const char *const keys[][2] = {
      {"crop_padding", "4"}, {"flip", "true"}, {"cutout", "3"},     {"jitter", "0.5"},
      {"mean", "0.5"},       {"std", "1"},     {"validation", "9"},
  };
  make_files();
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    char more[128], message[300];
    snprintf(more, sizeof more, FILES "  %s: %s\n", keys[i][0], keys[i][1]);
    snprintf(
        message, sizeof message,
        ": data.%s is not for hyperspectral, whose bands are standardised, whose squares are "
        "not augmented, and whose split is by data.train_fraction and data.validation_fraction; "
        "leave it out",
        keys[i][0]);
    refuse(more, GF_ERROR_CONFIG, message);
  }
  refuse(FILES "  patch: 6\n", GF_ERROR_CONFIG,
         ": data.patch is 6; a square around a pixel has an odd side");
  refuse(FILES "  train_fraction: 0.95\n", GF_ERROR_CONFIG,
         "data.train_fraction and data.validation_fraction are 0.95 and 0.1, more than all pixels; "
         "lower "
         "one of them");
  refuse("  cube: other.mat\n  ground_truth: truth.mat\n", GF_ERROR_FILE,
         "there is no other.mat in ");
  refuse(FILES "  checksums: {other.mat: 00}\n", GF_ERROR_CONFIG,
         "data.checksums has 'other.mat', which is no file of hyperspectral");
}

static void damaged_files_are_refused(void **state) {
  (void)state;
  static const struct {
    flaw flaw;
    const char *message;
  } rows[] = {
      {{.dims = {HEIGHT, WIDTH + 1, BANDS}},
       "scene.mat: its largest array has 3 dimensions and 9504 bytes; (height, width, bands) of at "
       "most 16384 x 16384 pixels is wanted: it is damaged or another file"},
      {{.dims = {WIDTH, HEIGHT, BANDS}},
       "scene.mat has 9 x 11 pixels, but truth.mat has 11 x 9; they are of different scenes"},
      {{.truth_dims = {WIDTH * HEIGHT + 1, 1}},
       "truth.mat: its largest array has 2 dimensions and 99 bytes; (height, width) of at most "
       "16384 x 16384 pixels is wanted: it is damaged or another file"},
      {{.truth_dims = {WIDTH, HEIGHT}},
       "scene.mat has 11 x 9 pixels, but truth.mat has 9 x 11; they are of different scenes"},
      {{.missing = 8}, "scene.mat: its largest array has 3 dimensions and 9496 bytes; "},
      {{.first = NAN},
       "scene.mat: pixel (0, 0) has no finite number in band 0; it is damaged or another file"},
      {{.first = -1e300}, /* beyond the numbers that the network has */
       "scene.mat: pixel (0, 0) has no finite number in band 0; it is damaged or another file"},
  };
  cube c;
  make_cube(&c);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    write_cube(&c, &kinds_[3], 0, &rows[i].flaw);
    refuse(FILES, GF_ERROR_DATA, rows[i].message);
  }
  memset(c.classes, 0, sizeof c.classes);
  write_cube(&c, &kinds_[0], 1, &(flaw){0});
  refuse(FILES, GF_ERROR_DATA, "truth.mat has no labelled pixel");
  /* Cut off anywhere, a file is refused. */
  make_files();
  for (size_t size = size_of("scene.mat"); size > 300; size -= size / 5) {
    damage("scene.mat", size - 1, -1, 0);
    gf_dataset *dataset;
    assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "hyperspectral", FILES), GF_ERROR_DATA);
  }
}

/* ---- learning ---- */

static double accuracy_of(gf_model *model, const gf_dataset *dataset) {
  gf_loader *loader = open_loader(dataset, 16, 1, 0, 0);
  gf_loss loss;
  int correct = 0;
  assert_int_equal(gf_loader_start(loader, 0, 0), GF_OK);
  for (gf_batch batch; batch = next(loader), batch.count > 0; correct += loss.correct)
    if (gf_model_forward(model, batch.images, batch.labels, batch.count, 0, &loss) != GF_OK)
      fail_msg("%s", gf_error_message());
  gf_loader_free(&loader);
  return (double)correct / gf_dataset_describe(dataset).count;
}

static void must(gf_status status) {
  if (status != GF_OK) fail_msg("%s", gf_error_message());
}

/* A third of the pixels are of each class, so chance is a third, and of the test's n pixels more
 * than 1/3 + 5 sqrt(2/9/n) are right by chance in less than one of a million networks. */
static void a_network_learns_a_cube(void **state) {
  (void)state;
  const char *more = FILES "  patch: 5\n  train_fraction: 0.4\n";
  make_files();
  gf_device *device;
  gf_model *model;
  gf_trainer *trainer;
  gf_config *config;
  must(gf_device_open(&device, NULL));
  must(gf_config_parse(&config, "net",
                       "model: {family: spectral_spatial, filters: 8, bridge_filters: 16, "
                       "spectral_blocks: 1, spatial_blocks: 1}\n"
                       "optimizer: {name: adam}\n"));
  gf_dataset *train = open_split(GF_SPLIT_TRAIN, "hyperspectral", more);
  gf_dataset *test = open_split(GF_SPLIT_TEST, "hyperspectral", more);
  must(gf_model_open(&model, device, config, (gf_image_shape){5, 5, BANDS}, KINDS, 16, 1));
  must(gf_trainer_open(&trainer, model, config));
  gf_loader *loader = open_loader(train, 16, 1, 1, 1);
  for (int epoch = 0; epoch < 30; epoch++) {
    gf_loss loss;
    must(gf_loader_start(loader, epoch, 0));
    for (gf_batch batch; batch = next(loader), batch.count > 0;)
      must(gf_trainer_step(trainer, batch.images, batch.labels, batch.count, 3e-3, &loss, NULL));
  }
  double n = gf_dataset_describe(test).count, right = accuracy_of(model, test);
  if (!(right > 1.0 / 3 + 5 * sqrt(2.0 / 9 / n))) fail_msg("%g of %g are right", right, n);
  gf_loader_free(&loader);
  gf_trainer_free(&trainer);
  gf_model_free(&model);
  gf_dataset_free(&train);
  gf_dataset_free(&test);
  gf_config_free(&config);
  gf_device_free(&device);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(samples_are_the_pixels_of_the_cube),
      IN_FOLDER(each_class_is_split_by_its_fraction),
      IN_FOLDER(the_seed_decides_the_split),
      IN_FOLDER(the_config_is_written_resolved),
      IN_FOLDER(other_forms_are_read_as_well),
      IN_FOLDER(bands_first_are_standardised_alike),
      IN_FOLDER(unknown_classes_are_kept_in_the_config),
      IN_FOLDER(variables_are_chosen_by_name),
      IN_FOLDER(settings_are_checked),
      IN_FOLDER(damaged_files_are_refused),
      IN_FOLDER(tiny_numbers_are_kept),
      IN_FOLDER(a_network_learns_a_cube),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
