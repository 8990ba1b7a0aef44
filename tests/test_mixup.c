/* Mixup: the loader's mixed batches, and the shares' distribution. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/data.h>

#include "data/dataset.h"
#include "support/data_files.h"
#include "support/test.h"

enum { COUNT = 29, BATCH = 8, SEED = 6, EPOCHS = 3 };

static const char plain_[] = "  validation: 0\n  cutout: 6\n";
static const char mixed_[] = "  validation: 0\n  cutout: 6\n  mixup: 0.7\n";

/* The batch's images from itself, unmixed, and a permutation of it: the one whose labels and
 * pixels agree. Every image is a partner once. */
static void check_batch(const gf_batch *got, const gf_batch *from, size_t floats) {
  int used[BATCH] = {0}, wrong = 0;
  double share = (double)got->mix;
  assert_int_equal(got->count, from->count);
  assert_true(share >= 0 && share <= 1);
  for (int i = 0; i < got->count; i++) {
    int partner = -1;
    for (int j = 0; j < got->count && partner < 0; j++) {
      double worst = 0;
      for (size_t k = 0; k < floats; k++) {
        double first = (double)from->images[(size_t)i * floats + k];
        double second = (double)from->images[(size_t)j * floats + k];
        worst = fmax(worst, fabs((double)got->images[(size_t)i * floats + k] - share * first -
                                 (1 - share) * second));
      }
      if (worst <= 2e-6) partner = j;
    }
    assert_true(partner >= 0);
    used[partner]++;
    wrong += got->labels[i] != from->labels[i];
    wrong += got->labels[got->count + i] != from->labels[partner];
  }
  assert_int_equal(wrong, 0);
  for (int i = 0; i < got->count; i++) assert_int_equal(used[i], 1);
}

static void batches_are_mixed(void **state) {
  (void)state;
  write_cifar("train.bin", 2, 100, 0, COUNT);
  gf_dataset *plain = open_split(GF_SPLIT_TRAIN, "cifar100", plain_);
  gf_dataset *mixed = open_split(GF_SPLIT_TRAIN, "cifar100", mixed_);
  gf_loader *from = open_loader(plain, BATCH, 1, SEED, 1),
            *loader = open_loader(mixed, BATCH, 2, SEED, 1);
  double least = 1, most = 0;
  for (int epoch = 0; epoch < EPOCHS; epoch++) {
    assert_int_equal(gf_loader_start(from, epoch, 0), GF_OK);
    assert_int_equal(gf_loader_start(loader, epoch, 0), GF_OK);
    for (;;) {
      gf_batch a = next(from), b = next(loader);
      if (b.count == 0) break;
      assert_true(a.mix == 1);
      check_batch(&b, &a, floats_of(plain));
      least = fmin(least, (double)b.mix);
      most = fmax(most, (double)b.mix);
    }
  }
  assert_true(most - least > 0.3);
  gf_loader_free(&from);
  gf_loader_free(&loader);
  gf_dataset_free(&plain);
  gf_dataset_free(&mixed);
}

/* Neither the threads nor where an epoch is taken up again change a batch. */
static void threads_and_restarts_change_nothing(void **state) {
  (void)state;
  write_cifar("train.bin", 2, 100, 0, COUNT);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", mixed_);
  size_t bytes = floats_of(dataset) * sizeof(float);
  gf_loader *one = open_loader(dataset, BATCH, 1, SEED, 1);
  gf_loader *five = open_loader(dataset, BATCH, 5, SEED, 1);
  for (int first = 0; first < 3; first++) {
    assert_int_equal(gf_loader_start(one, 2, 0), GF_OK);
    assert_int_equal(gf_loader_start(five, 2, first), GF_OK);
    for (int i = 0; i < first; i++) (void)next(one);
    for (;;) {
      gf_batch a = next(one), b = next(five);
      assert_int_equal(a.count, b.count);
      if (a.count == 0) break;
      assert_true(a.mix == b.mix);
      assert_memory_equal(a.images, b.images, (size_t)a.count * bytes);
      assert_memory_equal(a.labels, b.labels, 2 * (size_t)a.count * sizeof *a.labels);
    }
  }
  gf_loader_free(&one);
  gf_loader_free(&five);
  gf_dataset_free(&dataset);
}

static void only_training_mixes(void **state) {
  (void)state;
  write_cifar("train.bin", 2, 100, 0, COUNT);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", mixed_);
  gf_loader *loader = open_loader(dataset, BATCH, 1, SEED, 0);
  assert_int_equal(gf_loader_start(loader, 0, 0), GF_OK);
  gf_batch batch = next(loader);
  assert_true(batch.mix == 1);
  size_t floats = floats_of(dataset);
  float *image = malloc(floats * sizeof *image);
  assert_non_null(image);
  gf__transform transform;
  gf__transform_init(&transform, dataset);
  gf__transform_apply(&transform, &(gf__augmentation){0}, gf__byte_images_of(dataset)->pixels,
                      image);
  assert_memory_equal(batch.images, image, floats * sizeof *image);
  free(image);
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
}

/* Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)), fourth central moment
 * 3 / (16 (2a + 1) (2a + 3)); within five standard errors. */
static void lambdas_have_their_distribution(void **state) {
  (void)state;
  enum { DRAWS = 20000 };
  static const double alphas[] = {0.05, 0.2, 1, 4, 50};
  for (size_t k = 0; k < sizeof alphas / sizeof *alphas; k++) {
    double a = alphas[k], variance = 1 / (4 * (2 * a + 1));
    double fourth = 3 / (16 * (2 * a + 1) * (2 * a + 3)), sum = 0, squares = 0;
    for (int i = 0; i < DRAWS; i++) {
      double share = (double)gf__mixup_draw(a, 3, i / 100, i % 100);
      assert_true(share >= 0 && share <= 1);
      sum += share;
      squares += (share - 0.5) * (share - 0.5);
    }
    if (!(fabs(sum / DRAWS - 0.5) <= 5 * sqrt(variance / DRAWS)) ||
        !(fabs(squares / DRAWS - variance) <= 5 * sqrt((fourth - variance * variance) / DRAWS)))
      fail_msg("alpha %g: mean %g, variance %g and not %g", a, sum / DRAWS, squares / DRAWS,
               variance);
  }
  /* Beta(1, 1) is uniform. */
  int seen[10] = {0};
  for (int i = 0; i < DRAWS; i++) {
    int bin = (int)(10 * gf__mixup_draw(1, 8, 0, i));
    seen[bin < 10 ? bin : 9]++;
  }
  for (int i = 0; i < 10; i++) /* 2000 expected, deviation 42 */
    assert_in_range(seen[i], 2000 - 5 * 42, 2000 + 5 * 42);
  assert_true(gf__mixup_draw(0.4, 1, 2, 3) == gf__mixup_draw(0.4, 1, 2, 3));
  assert_true(gf__mixup_draw(0.4, 1, 2, 3) != gf__mixup_draw(0.4, 2, 2, 3));
  assert_true(gf__mixup_draw(0.4, 1, 2, 3) != gf__mixup_draw(0.4, 1, 3, 3));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(batches_are_mixed),
      IN_FOLDER(threads_and_restarts_change_nothing),
      IN_FOLDER(only_training_mixes),
      cmocka_unit_test(lambdas_have_their_distribution),
  };
  return cmocka_run_group_tests_name("mixup", tests, NULL, NULL);
}
