/* Augmentation and the loader, on small files that the test writes itself. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nanosleep */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gradflow/data.h>

#include "base/random.h"
#include "data/dataset.h"
#include "support/data_files.h"
#include "support/test.h"

/* ---- augmentation ---- */

/* Pads in memory, crops, mirrors and normalises, one step after the other, in double. */
static void augment_slowly(const uint8_t *image, int side, int channels, int padding, int oy,
                           int ox, bool flip, double mean, double std, double *out) {
  int padded = side + 2 * padding;
  double *canvas = calloc((size_t)(padded * padded * channels), sizeof *canvas);
  assert_non_null(canvas);
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side * channels; x++)
      canvas[((y + padding) * padded + padding) * channels + x] =
          image[y * side * channels + x] / 255.0;
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++)
      for (int c = 0; c < channels; c++) {
        int column = ox + (flip ? side - 1 - x : x);
        out[(y * side + x) * channels + c] =
            (canvas[((y + oy) * padded + column) * channels + c] - mean) / std;
      }
  free(canvas);
}

static void check_augmentation(const char *name, int side, int channels, int padding, bool flip) {
  enum { SEED = 77, EPOCHS = 6 };
  char more[256];
  snprintf(more, sizeof more,
           "  validation: 0\n  mean: 0.3\n  std: 0.7\n  pad_to: 0\n  crop_padding: %d\n"
           "  flip: %s\n",
           padding, flip ? "true" : "false");
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, name, more);
  int count = gf_dataset_describe(dataset).count;
  size_t floats = floats_of(dataset);
  assert_int_equal(floats, (size_t)(side * side * channels));
  gf_loader *loader = open_loader(dataset, 4, 2, SEED, 1);
  double *expected = malloc(floats * sizeof *expected);
  uint32_t *order = malloc((size_t)count * sizeof *order);
  assert_true(expected && order);
  int bad = 0;
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    float *images;
    int *labels;
    assert_int_equal(read_epoch(dataset, loader, epoch, 0, &images, &labels), count);
    gf__random_permutation(SEED, GF__STREAM_SHUFFLE, (uint32_t)epoch, order, (uint32_t)count);
    for (int i = 0; i < count; i++) {
      int index = (int)order[i];
      gf__random4 bits = gf__random(SEED, GF__STREAM_AUGMENT, (uint32_t)epoch, (uint32_t)index, 0);
      uint32_t places = 2 * (uint32_t)padding + 1;
      augment_slowly(gf__byte_images_of(dataset)->pixels + (size_t)index * floats, side, channels,
                     padding, (int)gf__random_below(bits.v[0], places),
                     (int)gf__random_below(bits.v[1], places), flip && bits.v[2] >> 31, 0.3, 0.7,
                     expected);
      bad += labels[i] != dataset->labels[index];
      for (size_t k = 0; k < floats; k++)
        bad += !(fabs(images[(size_t)i * floats + k] - expected[k]) <= 1e-6);
    }
    free(images);
    free(labels);
  }
  assert_int_equal(bad, 0);
  free(expected);
  free(order);
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
}

static void the_loader_augments(void **state) {
  (void)state;
  write_cifar("train.bin", 2, 100, 0, 11);
  check_augmentation("cifar100", 32, 3, 4, true);
  check_augmentation("cifar100", 32, 3, 4, false);
  check_augmentation("cifar100", 32, 3, 0, true);
  check_augmentation("cifar100", 32, 3, 40, true); /* windows beside the image: all black */
  write_idx("train", 11, 9, 9, 6);
  check_augmentation("fashion_mnist", 9, 1, 3, true);
}

static void crops_are_uniform(void **state) {
  (void)state;
  enum { PLACES = 9, DRAWS = 81 * 200 };
  const gf_dataset dataset = {.info = {.height = 32, .width = 32},
                              .settings = {.crop_padding = 4, .flip = 1}};
  static int seen[PLACES][PLACES];
  int flips = 0;
  for (int i = 0; i < DRAWS; i++) {
    gf__augmentation crop = gf__augmentation_draw(&dataset, 5, i % 7, i);
    assert_true(crop.dy >= -4 && crop.dy <= 4 && crop.dx >= -4 && crop.dx <= 4);
    seen[crop.dy + 4][crop.dx + 4]++;
    flips += crop.flip;
  }
  /* 200 of each expected, deviation 14; half of the flips, deviation 64: six deviations. */
  for (int i = 0; i < PLACES * PLACES; i++) assert_in_range(seen[i / PLACES][i % PLACES], 116, 284);
  assert_in_range(flips, DRAWS / 2 - 384, DRAWS / 2 + 384);
}

/* ---- the loader ---- */

static void threads_change_nothing(void **state) {
  (void)state;
  static const int threads[] = {1, 2, 5, 0};
  write_cifar("train.bin", 2, 100, 0, 103);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", "  validation: 0\n");
  size_t bytes = 103 * floats_of(dataset) * sizeof(float);
  float *first[3] = {0};
  int *first_labels[3] = {0};
  for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
    gf_loader *loader = open_loader(dataset, 8, threads[t], 9, 1);
    assert_int_equal(gf_loader_batches(loader), 13);
    for (int epoch = 0; epoch < 3; epoch++) {
      float *images;
      int *labels;
      assert_int_equal(read_epoch(dataset, loader, epoch, 0, &images, &labels), 103);
      if (t == 0) {
        first[epoch] = images;
        first_labels[epoch] = labels;
        continue;
      }
      assert_memory_equal(images, first[epoch], bytes);
      assert_memory_equal(labels, first_labels[epoch], 103 * sizeof *labels);
      free(images);
      free(labels);
    }
    gf_loader_free(&loader);
  }
  assert_memory_not_equal(first[0], first[1], bytes);
  gf_loader *loader = open_loader(dataset, 8, 2, 10, 1);
  float *images;
  int *labels;
  read_epoch(dataset, loader, 0, 0, &images, &labels);
  assert_memory_not_equal(images, first[0], bytes);
  gf_loader_free(&loader);
  free(images);
  free(labels);
  for (int epoch = 0; epoch < 3; epoch++) {
    free(first[epoch]);
    free(first_labels[epoch]);
  }
  gf_dataset_free(&dataset);
}

static void a_restart_gives_the_same_batches(void **state) {
  (void)state;
  enum { COUNT = 29, BATCH = 4, BATCHES = 8 };
  write_cifar("train.bin", 2, 100, 0, COUNT);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", "  validation: 0\n");
  size_t floats = floats_of(dataset);
  gf_loader *whole = open_loader(dataset, BATCH, 1, 3, 1);
  gf_loader *resumed = open_loader(dataset, BATCH, 3, 3, 1); /* restarted again and again */
  for (int epoch = 0; epoch < 2; epoch++) {
    float *images, *rest;
    int *labels, *rest_labels;
    assert_int_equal(read_epoch(dataset, whole, epoch, 0, &images, &labels), COUNT);
    for (int first = 0; first <= BATCHES; first++) {
      int skipped = first < BATCHES ? first * BATCH : COUNT;
      assert_int_equal(gf_loader_start(resumed, 1 - epoch, first / 2), GF_OK);
      (void)next(resumed); /* and left in the middle */
      int count = read_epoch(dataset, resumed, epoch, first, &rest, &rest_labels);
      assert_int_equal(count, COUNT - skipped);
      assert_memory_equal(rest, images + (size_t)skipped * floats,
                          (size_t)count * floats * sizeof *rest);
      assert_memory_equal(rest_labels, labels + skipped, (size_t)count * sizeof *labels);
      assert_int_equal(next(resumed).count, 0);
      free(rest);
      free(rest_labels);
    }
    free(images);
    free(labels);
  }
  gf_loader_free(&whole);
  gf_loader_free(&resumed);
  assert_null(resumed);
  gf_loader_free(&resumed);
  gf_dataset_free(&dataset);
}

/* Batches of the old epoch that are still being filled when a new one starts never reach it. */
static void a_restart_under_way_gives_the_same_batches(void **state) {
  (void)state;
  enum { COUNT = 400, BATCH = 100, ROUNDS = 300 };
  write_cifar("train.bin", 2, 100, 0, COUNT);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", "  validation: 0\n");
  size_t bytes = BATCH * floats_of(dataset) * sizeof(float);
  gf_loader *loader = open_loader(dataset, BATCH, 3, 8, 1);
  float *first;
  int *labels;
  read_epoch(dataset, loader, 0, 0, &first, &labels);
  int bad = 0;
  for (int i = 0; i < ROUNDS; i++) {
    assert_int_equal(gf_loader_start(loader, 1, 0), GF_OK);
    (void)next(loader);
    assert_int_equal(gf_loader_start(loader, 0, 0), GF_OK);
    bad += memcmp(next(loader).images, first, bytes) != 0;
  }
  assert_int_equal(bad, 0);
  gf_loader_free(&loader);
  free(first);
  free(labels);
  gf_dataset_free(&dataset);
}

static void a_batch_stays_until_the_next(void **state) {
  (void)state;
  enum { BATCH = 2 };
  write_cifar("train.bin", 2, 100, 0, 60);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", "  validation: 0\n");
  size_t bytes = BATCH * floats_of(dataset) * sizeof(float);
  gf_loader *loader = open_loader(dataset, BATCH, 4, 1, 1);
  float *copy = malloc(bytes);
  assert_non_null(copy);
  assert_int_equal(gf_loader_start(loader, 0, 0), GF_OK);
  for (int i = 0; i < 10; i++) {
    gf_batch batch = next(loader);
    memcpy(copy, batch.images, bytes);
    nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL); /* the workers fill what they may */
    assert_memory_equal(batch.images, copy, bytes);
  }
  gf_loader_free(&loader); /* in the middle of an epoch */
  loader = open_loader(dataset, BATCH, 4, 1, 1);
  gf_loader_free(&loader); /* never started */
  free(copy);
  gf_dataset_free(&dataset);
}

static void failures_of_the_loader_are_reported(void **state) {
  (void)state;
  write_cifar("test.bin", 2, 100, 0, 5);
  gf_dataset *dataset = open_split(GF_SPLIT_TEST, "cifar100", "");
  gf_loader *loader = NULL;
  gf_loader_options options = {.batch_size = 0, .to = 1};
  assert_int_equal(gf_loader_open(&loader, dataset, &options), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(), "a loader's batch size is at least 1, not 0");
  options = (gf_loader_options){.batch_size = 2, .threads = -1};
  assert_int_equal(gf_loader_open(&loader, dataset, &options), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(), "a loader has 0 to 256 threads, not -1");
  assert_null(loader);
  loader = open_loader(dataset, 2, 0, 0, 0);
  gf_batch batch;
  assert_int_equal(gf_loader_next(loader, &batch), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(), "gf_loader_start comes before gf_loader_next");
  assert_int_equal(gf_loader_start(loader, 0, 4), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(),
                      "an epoch has 3 batches; the loader was asked to start at batch 4");
  assert_int_equal(gf_loader_start(loader, -1, 0), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(), "epochs count from 0; the loader was asked for -1");
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(the_loader_augments),
      cmocka_unit_test(crops_are_uniform),
      IN_FOLDER(threads_change_nothing),
      IN_FOLDER(a_restart_gives_the_same_batches),
      IN_FOLDER(a_restart_under_way_gives_the_same_batches),
      IN_FOLDER(a_batch_stays_until_the_next),
      IN_FOLDER(failures_of_the_loader_are_reported),
  };
  return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
