/* Cutout and colour jitter, on small files that the test writes itself; crops and mirror images
 * are in test_loader.c. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/data.h>

#include "base/random.h"
#include "data/dataset.h"
#include "support/data_files.h"
#include "support/test.h"

static double clamped(double v) { return fmin(fmax(v, 0), 1); }

/* ITU-R BT.601's luma of one pixel. */
static double grey(const double *pixel, int channels) {
  return channels == 1 ? pixel[0] : 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
}

/* Brightness, contrast and saturation of an image of values in [0, 1], one after the other. */
static void jitter_slowly(double *image, int pixels, int channels, const double factors[3]) {
  double mean = 0;
  for (int i = 0; i < pixels * channels; i++) image[i] = clamped(image[i] * factors[0]);
  for (int i = 0; i < pixels; i++) mean += grey(image + i * channels, channels) / pixels;
  for (int i = 0; i < pixels * channels; i++)
    image[i] = clamped(factors[1] * image[i] + (1 - factors[1]) * mean);
  for (int i = 0; i < pixels; i++) {
    double *pixel = image + i * channels, own = grey(pixel, channels);
    for (int c = 0; c < channels; c++)
      pixel[c] = clamped(factors[2] * pixel[c] + (1 - factors[2]) * own);
  }
}

static gf__random4 bits_of(uint64_t seed, int epoch, int index, uint32_t draw) {
  return gf__random(seed, GF__STREAM_AUGMENT, (uint32_t)epoch, (uint32_t)index, draw);
}

/* The image as the settings say, in double: its crop and mirror image by the library's own draw,
 * all that comes after it from the definition. */
static void augment_slowly(const gf_dataset *dataset, uint64_t seed, int epoch, int index,
                           const double strengths[3], int side, double *out) {
  int height = dataset->info.height, width = dataset->info.width;
  int channels = dataset->info.channels;
  const uint8_t *image =
      gf__byte_images_of(dataset)->pixels + (size_t)index * (size_t)(height * width * channels);
  gf__augmentation a = gf__augmentation_draw(dataset, seed, epoch, index);
  double factors[3];
  gf__random4 jitter = bits_of(seed, epoch, index, 2), cut = bits_of(seed, epoch, index, 1);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int c = 0; c < channels; c++) {
        int from_y = y + a.dy, from_x = (a.flip ? width - 1 - x : x) + a.dx;
        bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
        out[(y * width + x) * channels + c] =
            inside ? image[(from_y * width + from_x) * channels + c] / 255.0 : 0;
      }
  for (int k = 0; k < 3; k++)
    factors[k] = 1 - strengths[k] + 2 * strengths[k] * (double)gf__random_float(jitter.v[k]);
  jitter_slowly(out, height * width, channels, factors);
  int middle_y = (int)gf__random_below(cut.v[0], (uint32_t)height);
  int middle_x = (int)gf__random_below(cut.v[1], (uint32_t)width);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int c = 0; c < channels; c++) {
        bool is_cut = y >= middle_y - side / 2 && y < middle_y - side / 2 + side &&
                      x >= middle_x - side / 2 && x < middle_x - side / 2 + side;
        double *value = &out[(y * width + x) * channels + c];
        *value = is_cut ? 0 : (*value - 0.3) / 0.7;
      }
}

static void check(const char *name, const char *jitter, const double strengths[3], int side) {
  enum { SEED = 31, EPOCHS = 3 };
  char more[256];
  snprintf(more, sizeof more,
           "  validation: 0\n  mean: 0.3\n  std: 0.7\n  pad_to: 0\n  crop_padding: 3\n"
           "  flip: true\n  jitter: %s\n  cutout: %d\n",
           jitter, side);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, name, more);
  int count = gf_dataset_describe(dataset).count, bad = 0;
  size_t floats = floats_of(dataset);
  gf_loader *loader = open_loader(dataset, 4, 2, SEED, 1);
  double *expected = malloc(floats * sizeof *expected);
  uint32_t *order = malloc((size_t)count * sizeof *order);
  assert_true(expected && order);
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    float *images;
    int *labels;
    assert_int_equal(read_epoch(dataset, loader, epoch, 0, &images, &labels), count);
    gf__random_permutation(SEED, GF__STREAM_SHUFFLE, (uint32_t)epoch, order, (uint32_t)count);
    for (int i = 0; i < count; i++) {
      augment_slowly(dataset, SEED, epoch, (int)order[i], strengths, side, expected);
      for (size_t k = 0; k < floats; k++)
        bad += !(fabs((double)images[(size_t)i * floats + k] - expected[k]) <= 3e-6);
    }
    free(images);
    free(labels);
  }
  if (bad) fail_msg("%s, jitter %s, cutout %d: %d values are wrong", name, jitter, side, bad);
  free(expected);
  free(order);
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
}

static void augmentation_equals_the_reference(void **state) {
  (void)state;
  write_cifar("train.bin", 2, 100, 0, 11);
  write_idx("train", 11, 9, 7, 6);
  check("cifar100", "[0, 0, 0]", (double[]){0, 0, 0}, 0);
  check("cifar100", "[0, 0, 0]", (double[]){0, 0, 0}, 16);
  check("cifar100", "[0, 0, 0]", (double[]){0, 0, 0}, 5);
  check("cifar100", "[0, 0, 0]", (double[]){0, 0, 0}, 100); /* nothing is left */
  check("cifar100", "[0.4, 0, 0]", (double[]){0.4, 0, 0}, 0);
  check("cifar100", "[0, 0.4, 0]", (double[]){0, 0.4, 0}, 0);
  check("cifar100", "[0, 0, 0.9]", (double[]){0, 0, 0.9}, 0);
  check("cifar100", "[0.25, 0.5, 1]", (double[]){0.25, 0.5, 1}, 7);
  check("cifar100", "0.75", (double[]){0.75, 0.75, 0.75}, 1);
  check("fashion_mnist", "[0.25, 0.5, 1]", (double[]){0.25, 0.5, 1}, 4); /* 9 x 7, grey */
}

/* ---- draws ---- */

static void draws_are_uniform(void **state) {
  (void)state;
  enum { HEIGHT = 6, WIDTH = 9, DRAWS = HEIGHT * WIDTH * 200, SQUARE = 5 };
  const gf_dataset dataset = {.info = {.height = HEIGHT, .width = WIDTH},
                              .settings = {.cutout = SQUARE, .jitter = {{0.1, 0.4, 1}, 3}}};
  static int seen[HEIGHT][WIDTH];
  double sum[3] = {0}, least[3] = {9, 9, 9}, most[3] = {0};
  for (int i = 0; i < DRAWS; i++) {
    gf__augmentation a = gf__augmentation_draw(&dataset, 5, i % 7, i);
    int y = a.cut_y + SQUARE / 2, x = a.cut_x + SQUARE / 2;
    const double factors[] = {(double)a.brightness, (double)a.contrast, (double)a.saturation};
    assert_true(y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH);
    seen[y][x]++;
    for (int k = 0; k < 3; k++) {
      sum[k] += factors[k];
      least[k] = fmin(least[k], factors[k]);
      most[k] = fmax(most[k], factors[k]);
    }
  }
  /* 200 of each expected, deviation 14: six deviations. */
  for (int i = 0; i < HEIGHT * WIDTH; i++) assert_in_range(seen[i / WIDTH][i % WIDTH], 116, 284);
  for (int k = 0; k < 3; k++) {
    double strength = dataset.settings.jitter.v[k];
    assert_true(fabs(sum[k] / DRAWS - 1) <= 6 * strength / sqrt(3.0 * DRAWS));
    assert_true(least[k] >= 1 - strength - 1e-6 && least[k] < 1 - 0.99 * strength);
    assert_true(most[k] <= 1 + strength + 1e-6 && most[k] > 1 + 0.99 * strength);
  }
}

/* What is drawn for one remedy leaves the others' draws alone. */
static void draws_are_independent(void **state) {
  (void)state;
  const gf_dataset plain = {.info = {.height = 32, .width = 32},
                            .settings = {.crop_padding = 4, .flip = 1}};
  gf_dataset all = plain;
  all.settings.cutout = 8;
  all.settings.jitter = (gf__floats){{1, 1, 1}, 3};
  for (int i = 0; i < 100; i++) {
    gf__augmentation a = gf__augmentation_draw(&plain, 1, 2, i);
    gf__augmentation b = gf__augmentation_draw(&all, 1, 2, i);
    assert_true(a.dy == b.dy && a.dx == b.dx && a.flip == b.flip);
    assert_false(a.jitters);
    assert_true(b.jitters && a.cut_side == 0 && b.cut_side == 8);
  }
}

static const char augmented_[] = "  validation: 0\n  cutout: 8\n  jitter: [0.3, 0.3, 0.3]\n";

/* Neither the threads nor where an epoch is taken up again change a batch. */
static void threads_and_restarts_change_nothing(void **state) {
  (void)state;
  enum { COUNT = 41, BATCH = 8 };
  write_cifar("train.bin", 2, 100, 0, COUNT);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", augmented_);
  size_t floats = floats_of(dataset);
  gf_loader *one = open_loader(dataset, BATCH, 1, 9, 1),
            *five = open_loader(dataset, BATCH, 5, 9, 1);
  float *whole, *rest;
  int *labels, *rest_labels;
  assert_int_equal(read_epoch(dataset, one, 3, 0, &whole, &labels), COUNT);
  for (int first = 0; first < 3; first++) {
    int skipped = first * BATCH;
    assert_int_equal(read_epoch(dataset, five, 3, first, &rest, &rest_labels), COUNT - skipped);
    assert_memory_equal(rest, whole + (size_t)skipped * floats,
                        (size_t)(COUNT - skipped) * floats * sizeof *rest);
    free(rest);
    free(rest_labels);
  }
  assert_int_equal(read_epoch(dataset, five, 4, 0, &rest, &rest_labels), COUNT);
  assert_memory_not_equal(rest, whole, COUNT * floats * sizeof *rest);
  free(rest);
  free(rest_labels);
  free(whole);
  free(labels);
  gf_loader_free(&one);
  gf_loader_free(&five);
  gf_dataset_free(&dataset);
}

static void only_training_augments(void **state) {
  (void)state;
  write_cifar("train.bin", 2, 100, 0, 9);
  float *images[2];
  int *labels;
  size_t bytes = 0;
  for (int i = 0; i < 2; i++) {
    gf_dataset *dataset =
        open_split(GF_SPLIT_TRAIN, "cifar100", i ? augmented_ : "  validation: 0\n");
    gf_loader *loader = open_loader(dataset, 4, 1, 9, 0);
    assert_int_equal(read_epoch(dataset, loader, 0, 0, &images[i], &labels), 9);
    bytes = 9 * floats_of(dataset) * sizeof(float);
    free(labels);
    gf_loader_free(&loader);
    gf_dataset_free(&dataset);
  }
  assert_memory_equal(images[0], images[1], bytes);
  free(images[0]);
  free(images[1]);
}

/* ---- the config ---- */

static void wrong_settings_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *more, *message;
  } wrong[] = {
      {"  jitter: [0.1, 0.2]\n",
       "test.yaml:4:3: data.jitter has 2 numbers; give one, or three: of brightness, contrast and "
       "saturation"},
      {"  jitter: []\n",
       "test.yaml:4:3: data.jitter has 0 numbers; give one, or three: of brightness, contrast and "
       "saturation"},
      {"  cutout: -1\n",
       "test.yaml:4:3: data.cutout must be a whole number from 0 to 1024, not '-1'"},
  };
  write_cifar("train.bin", 2, 100, 0, 9);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    gf_dataset *dataset;
    assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "cifar100", wrong[i].more),
                     GF_ERROR_CONFIG);
    assert_string_equal(gf_error_message(), wrong[i].message);
    assert_null(dataset);
  }
}

static void settings_are_written_resolved(void **state) {
  (void)state;
  write_cifar("train.bin", 2, 100, 0, 9);
  gf_dataset *dataset =
      open_split(GF_SPLIT_TRAIN, "cifar100", "  validation: 0\n  cutout: 8\n  jitter: 0.25\n");
  gf__text text = {0};
  gf__data_write(&text, 2, dataset);
  assert_non_null(strstr(text.data, "\n  cutout: 8\n  jitter: [0.25, 0.25, 0.25]\n"));
  gf__text_free(&text);
  gf_dataset_free(&dataset);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(augmentation_equals_the_reference),
      cmocka_unit_test(draws_are_uniform),
      cmocka_unit_test(draws_are_independent),
      IN_FOLDER(threads_and_restarts_change_nothing),
      IN_FOLDER(only_training_augments),
      IN_FOLDER(wrong_settings_are_refused),
      IN_FOLDER(settings_are_written_resolved),
  };
  return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
