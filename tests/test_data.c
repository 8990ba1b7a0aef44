/* Data sets, on small files that the test writes itself, and on Debian's
 * Fashion-MNIST where it is installed. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/data.h>

#include "base/file.h"
#include "base/os.h"
#include "base/random.h"
#include "data/dataset.h"
#include "support/data_files.h"
#include "support/test.h"

static const char raw_[] = "  mean: 0\n  std: 1\n"; /* so that a float times 255 is the byte */

static int byte_of(float value) { return (int)lroundf(value * 255.0f); }

/* The records of a split in its order, told by their first pixels. The caller frees. */
static int *records_of(const gf_dataset *dataset) {
  float *images;
  int *labels;
  gf_loader *loader = open_loader(dataset, 7, 1, 0, 0);
  int count = read_epoch(dataset, loader, 0, 0, &images, &labels);
  assert_int_equal(count, gf_dataset_describe(dataset).count);
  for (int i = 0; i < count; i++) {
    const float *image = images + (size_t)i * floats_of(dataset);
    int record = byte_of(image[0]) + 256 * byte_of(image[gf_dataset_describe(dataset).channels]);
    assert_int_equal(labels[i], record * 3 % gf_dataset_describe(dataset).classes);
    labels[i] = record;
  }
  gf_loader_free(&loader);
  free(images);
  return labels;
}

/* ---- formats ---- */

static void check_pixels(const gf_dataset *dataset, const double *mean, const double *std) {
  float *images;
  int *labels;
  gf_loader *loader = open_loader(dataset, 2, 1, 0, 0);
  int count = read_epoch(dataset, loader, 0, 0, &images, &labels);
  int bad = 0;
  for (int i = 0; i < count; i++)
    for (int y = 0; y < SIDE; y++)
      for (int x = 0; x < SIDE; x++)
        for (int c = 0; c < 3; c++) {
          double expected = (pixel_of(i, c, y, x) / 255.0 - mean[c]) / std[c];
          double found = images[((i * SIDE + y) * SIDE + x) * 3 + c];
          bad += !(fabs(found - expected) <= 1e-6);
        }
  assert_int_equal(bad, 0);
  for (int i = 0; i < count; i++)
    assert_int_equal(labels[i], i * 3 % gf_dataset_describe(dataset).classes);
  gf_loader_free(&loader);
  free(images);
  free(labels);
}

static void cifar100_is_read(void **state) {
  (void)state;
  write_cifar("test.bin", 2, 100, 0, 3);
  gf_dataset *dataset = open_split(GF_SPLIT_TEST, "cifar100", "");
  gf_dataset_info info = gf_dataset_describe(dataset);
  assert_string_equal(info.name, "cifar100");
  assert_int_equal(info.count, 3);
  assert_int_equal(info.height, 32);
  assert_int_equal(info.width, 32);
  assert_int_equal(info.channels, 3);
  assert_int_equal(info.classes, 100);
  assert_null(info.class_names);
  check_pixels(dataset, (double[]){0.4914, 0.4822, 0.4465}, (double[]){0.2023, 0.1994, 0.2010});
  gf_dataset_free(&dataset);
  assert_null(dataset);
  gf_dataset_free(&dataset);
  dataset = open_split(GF_SPLIT_TEST, "cifar100", "  mean: [0.1, 0.2, 0.3]\n  std: 0.5\n");
  check_pixels(dataset, (double[]){0.1, 0.2, 0.3}, (double[]){0.5, 0.5, 0.5});
  gf_dataset_free(&dataset);
}

static void cifar10_is_read(void **state) {
  (void)state;
  static const char names[] =
      "airplane\r\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\n"
      "truck\n\n";
  write_cifar10();
  write_bytes("batches.meta.txt", names, strlen(names));
  char more[64];
  snprintf(more, sizeof more, "%s  validation: 0\n", raw_);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar10", more);
  gf_dataset_info info = gf_dataset_describe(dataset);
  assert_int_equal(info.count, 20);
  assert_int_equal(info.classes, 10);
  assert_string_equal(info.class_names[0], "airplane");
  assert_string_equal(info.class_names[1], "automobile");
  assert_string_equal(info.class_names[9], "truck");
  int *records = records_of(dataset), seen[20] = {0};
  for (int i = 0; i < 20; i++) seen[records[i]]++;
  for (int i = 0; i < 20; i++) assert_int_equal(seen[i], 1);
  free(records);
  gf_dataset_free(&dataset);
  write_bytes("batches.meta.txt", "cat\ndog\n", 8);
  check_fails(GF_SPLIT_TRAIN, "cifar10", "", GF_ERROR_DATA,
              "%s/batches.meta.txt has 2 class names, but cifar10 has 10 classes; give one "
              "name per line",
              fixture_folder);
}

static gf_status open_text(const char *yaml) {
  gf_config *config = NULL;
  gf_dataset *dataset = NULL;
  assert_int_equal(gf_config_parse(&config, "test.yaml", yaml), GF_OK);
  gf_status status = gf_dataset_open(&dataset, config, GF_SPLIT_TRAIN);
  gf_config_free(&config);
  assert_null(dataset);
  return status;
}

static void wrong_configs_are_refused(void **state) {
  (void)state;
  assert_int_equal(open_text("data:\n  name: cifar100\n"), GF_ERROR_CONFIG);
  assert_string_equal(
      gf_error_message(),
      "test.yaml:1:1: data.path is missing: name the folder with train.bin and "
      "test.bin of cifar100; run gradflow fetch cifar100, or get cifar-100-binary.tar.gz from "
      "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it");
  assert_int_equal(open_text("data:\n  name: mnist\n  path: /nonexistent/mnist\n"), GF_ERROR_FILE);
  assert_string_equal(
      gf_error_message(),
      "data.path: there is no folder /nonexistent/mnist; mnist is read from "
      "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte "
      "and t10k-labels-idx1-ubyte, each compressed (.gz) or not; run gradflow fetch mnist, or "
      "get them from https://ossci-datasets.s3.amazonaws.com/mnist/");
  assert_int_equal(open_text("train:\n  epochs: 3\n"), GF_ERROR_CONFIG);
  assert_int_equal(open_text("data:\n  name: cifar100\n  fold: 3\n"), GF_ERROR_CONFIG);
  assert_int_equal(open_text("data:\n  name: cifar1000\n"), GF_ERROR_CONFIG);
  write_cifar("train.bin", 2, 100, 0, 20);
  check_fails(GF_SPLIT_TRAIN, "cifar100", "  std: [1, 2]\n", GF_ERROR_CONFIG,
              "test.yaml:4:3: data.std has 2 numbers; images of cifar100 have 3 channels");
  check_fails(GF_SPLIT_TRAIN, "cifar100", "  validation: 20\n", GF_ERROR_CONFIG,
              "data.validation is 20, but %s has only 20 training images; leave some to train on",
              fixture_folder);
  gf_dataset *dataset = NULL;
  assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "cifar100", "  std: 0\n"), GF_ERROR_CONFIG);
  assert_null(dataset);
}

/* Images of h x w in the middle of 32 x 32 zeros, or as they are. */
static void check_idx(int height, int width, int level, int pad_to) {
  char more[128];
  snprintf(more, sizeof more, "%s  pad_to: %d\n", raw_, pad_to);
  write_idx("t10k", 3, height, width, level);
  gf_dataset *dataset = open_split(GF_SPLIT_TEST, "fashion_mnist", more);
  gf_dataset_info info = gf_dataset_describe(dataset);
  int h = height < pad_to ? pad_to : height, w = width < pad_to ? pad_to : width;
  int top = (h - height) / 2, left = (w - width) / 2, bad = 0;
  assert_int_equal(info.count, 3);
  assert_int_equal(info.height, h);
  assert_int_equal(info.width, w);
  assert_int_equal(info.channels, 1);
  assert_string_equal(info.class_names[9], "ankle boot");
  float *images;
  int *labels;
  gf_loader *loader = open_loader(dataset, 100, 2, 0, 0);
  assert_int_equal(gf_loader_batches(loader), 1);
  assert_int_equal(read_epoch(dataset, loader, 0, 0, &images, &labels), 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(labels[i], i * 3);
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) {
        bool inside = y >= top && y < top + height && x >= left && x < left + width;
        int expected = inside ? pixel_of(i, 0, y - top, x - left) : 0;
        bad += byte_of(images[(i * h + y) * w + x]) != expected;
      }
  }
  assert_int_equal(bad, 0);
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
  free(images);
  free(labels);
}

static void idx_files_are_read(void **state) {
  (void)state;
  check_idx(28, 28, -1, 32);
  check_idx(28, 28, -1, 0);
  check_idx(5, 9, 9, 32); /* the compressed file goes before the other one */
  check_idx(33, 28, 9, 32);
}

/* ---- splits ---- */

static void splits_share_no_image(void **state) {
  (void)state;
  enum { COUNT = 300, DEFAULT = COUNT / 20 };
  write_cifar("train.bin", 2, 100, 0, COUNT);
  gf_dataset *train = open_split(GF_SPLIT_TRAIN, "cifar100", raw_);
  gf_dataset *validation = open_split(GF_SPLIT_VALIDATION, "cifar100", raw_);
  assert_int_equal(gf_dataset_describe(train).count, COUNT - DEFAULT);
  assert_int_equal(gf_dataset_describe(validation).count, DEFAULT);
  int *a = records_of(train), *b = records_of(validation), seen[COUNT] = {0}, in_order = 0;
  for (int i = 0; i < COUNT - DEFAULT; i++) seen[a[i]]++;
  for (int i = 0; i < DEFAULT; i++) {
    seen[b[i]]++;
    in_order += b[i] == i;
  }
  for (int i = 0; i < COUNT; i++) assert_int_equal(seen[i], 1);
  assert_true(in_order < DEFAULT);
  gf_dataset_free(&train);
  gf_dataset_free(&validation);

  char more[128];
  snprintf(more, sizeof more, "%s  train_limit: 40\n  validation: 15\n", raw_);
  train = open_split(GF_SPLIT_TRAIN, "cifar100", more);
  assert_int_equal(gf_dataset_describe(train).count, 40);
  int *limited = records_of(train);
  assert_memory_equal(limited, a, 40 * sizeof *a);
  gf_dataset_free(&train);

  snprintf(more, sizeof more, "%s  split_seed: 1\n", raw_);
  validation = open_split(GF_SPLIT_VALIDATION, "cifar100", more);
  int *other = records_of(validation);
  assert_memory_not_equal(other, b, DEFAULT * sizeof *b);
  gf_dataset_free(&validation);
  free(other);
  free(limited);
  free(a);
  free(b);

  write_cifar("test.bin", 2, 100, 0, 9);
  snprintf(more, sizeof more, "%s  test_limit: 4\n", raw_);
  gf_dataset *test = open_split(GF_SPLIT_TEST, "cifar100", more);
  assert_int_equal(gf_dataset_describe(test).count, 4);
  /* Each record has a class of its own: the first in the permutation, in the order of the file. */
  int *records = records_of(test), expected[9], at = 0;
  uint32_t order[9];
  bool chosen[9] = {false};
  gf__random_permutation(0, GF__STREAM_SPLIT, 1, order, 9);
  for (int i = 0; i < 4; i++) chosen[order[i]] = true;
  for (int i = 0; i < 9; i++)
    if (chosen[i]) expected[at++] = i;
  assert_memory_equal(records, expected, 4 * sizeof *records);
  free(records);
  gf_dataset_free(&test);
}

static void validation_may_be_empty(void **state) {
  (void)state;
  write_cifar("train.bin", 2, 100, 0, 5);
  gf_dataset *validation = open_split(GF_SPLIT_VALIDATION, "cifar100", "  validation: 0\n");
  assert_int_equal(gf_dataset_describe(validation).count, 0);
  gf_loader *loader = open_loader(validation, 4, 2, 0, 0);
  assert_int_equal(gf_loader_batches(loader), 0);
  assert_int_equal(gf_loader_start(loader, 0, 0), GF_OK);
  assert_int_equal(next(loader).count, 0);
  gf_loader_free(&loader);
  gf_dataset_free(&validation);
}

static void the_config_is_written_resolved(void **state) {
  (void)state;
  write_cifar("train.bin", 2, 100, 0, 40);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", "");
  gf__text text = {0};
  gf__text_add(&text, "data:\n");
  gf__data_write(&text, 2, dataset);
  assert_int_equal(gf__text_status(&text), GF_OK);
  assert_non_null(strstr(text.data, "  validation: 2\n"));
  assert_non_null(strstr(text.data, "  crop_padding: 4\n"));
  assert_non_null(strstr(text.data, "  flip: true\n"));
  gf_config *config = NULL;
  gf_dataset *again = NULL;
  assert_int_equal(gf_config_parse(&config, "resolved.yaml", text.data), GF_OK);
  if (gf_dataset_open(&again, config, GF_SPLIT_TRAIN) != GF_OK) fail_msg("%s", gf_error_message());
  gf_config_free(&config);
  gf__data_settings first = dataset->settings, second = again->settings;
  assert_string_equal(second.path, first.path);
  assert_int_equal(second.kind, first.kind);
  assert_int_equal(second.validation, 2);
  assert_int_equal(second.crop_padding, 4);
  assert_int_equal(second.flip, 1);
  assert_int_equal(second.mean.count, 3);
  for (int c = 0; c < 3; c++) {
    assert_true(second.mean.v[c] == first.mean.v[c]);
    assert_true(second.std.v[c] == first.std.v[c]);
  }
  gf__text_free(&text);
  gf_dataset_free(&dataset);
  gf_dataset_free(&again);
}

static void the_table_is_whole(void **state) {
  (void)state;
  const char *const *names = gf__data_keys[0].choices;
  assert_string_equal(gf__data_keys[0].name, "name");
  for (size_t i = 0; i < gf__data_format_count; i++) {
    const gf__data_format *format = gf__data_formats[i];
    assert_string_equal(names[i], format->name);
    assert_true(!format->reader || format->channels == 1 || format->channels == 3);
    assert_true(!format->reader || format->std[format->channels - 1] > 0);
    assert_true(*format->help && *format->files && *format->source && *format->input);
  }
  assert_null(names[gf__data_format_count]);
}

static gf_dataset_info expect(const char *yaml) {
  gf_config *config = NULL;
  gf_dataset_info info = {0};
  assert_int_equal(gf_config_parse(&config, "test.yaml", yaml), GF_OK);
  assert_int_equal(gf__data_expect(&info, config), GF_OK);
  gf_config_free(&config);
  assert_int_equal(info.count, 0);
  return info;
}

static void shapes_are_known_without_files(void **state) {
  (void)state;
  gf_dataset_info info = expect("data:\n  name: mnist\n");
  assert_string_equal(info.name, "mnist");
  assert_int_equal(info.height, 32);
  assert_int_equal(info.width, 32);
  assert_int_equal(info.channels, 1);
  assert_int_equal(info.classes, 10);
  info = expect("data:\n  name: mnist\n  pad_to: 0\n");
  assert_int_equal(info.height, 28);
  info = expect("data:\n  name: image_folder\n  image_size: 160\n");
  assert_int_equal(info.height, 160);
  assert_int_equal(info.width, 160);
  assert_int_equal(info.channels, 3);
  assert_int_equal(info.classes, 0);
  info = expect("data:\n  name: hyperspectral\n  patch: 9\n");
  assert_int_equal(info.height, 9);
  assert_int_equal(info.width, 9);
  assert_int_equal(info.channels, 200);
}

/* ---- real data ---- */

static void check_fashion(gf_split split, const char *more, int count, int a_class) {
  char yaml[128];
  snprintf(yaml, sizeof yaml, "data:\n  name: fashion_mnist\n%s", more);
  gf_config *config = NULL;
  gf_dataset *dataset = NULL;
  assert_int_equal(gf_config_parse(&config, "fashion.yaml", yaml), GF_OK);
  if (gf_dataset_open(&dataset, config, split) != GF_OK) fail_msg("%s", gf_error_message());
  gf_config_free(&config);
  gf_dataset_info info = gf_dataset_describe(dataset);
  assert_int_equal(info.count, count);
  assert_int_equal(info.height, 32);
  assert_int_equal(info.width, 32);
  int histogram[10] = {0};
  gf_loader *loader = open_loader(dataset, 1000, 2, 0, 0);
  assert_int_equal(gf_loader_start(loader, 0, 0), GF_OK);
  double sum = 0, squares = 0;
  for (gf_batch batch = next(loader); batch.count; batch = next(loader)) {
    for (int i = 0; i < batch.count; i++) histogram[batch.labels[i]]++;
    for (int i = 0; i < batch.count; i++)
      for (int y = 2; y < 30; y++)
        for (int x = 2; x < 30; x++) {
          double v = batch.images[(i * 32 + y) * 32 + x];
          sum += v;
          squares += v * v;
        }
  }
  if (a_class)
    for (int i = 0; i < 10; i++) assert_int_equal(histogram[i], a_class);
  /* Normalised by what the data set is known for: mean 0 and deviation 1, without the border. */
  double n = 784.0 * count, mean = sum / n;
  assert_true(fabs(mean) <= 0.02);
  assert_true(fabs(sqrt(squares / n - mean * mean) - 1) <= 0.02);
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
}

static void fashion_mnist_is_read(void **state) {
  (void)state;
  if (!gf__path_exists("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")) {
    print_message("skipped: dataset-fashion-mnist is not installed\n");
    skip();
  }
  check_fashion(GF_SPLIT_TRAIN, "  validation: 0\n", 60000, 6000);
  check_fashion(GF_SPLIT_TEST, "", 10000, 1000);
  check_fashion(GF_SPLIT_TRAIN, "", 55000, 0);
  check_fashion(GF_SPLIT_VALIDATION, "", 5000, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(cifar100_is_read),
      IN_FOLDER(cifar10_is_read),
      IN_FOLDER(wrong_configs_are_refused),
      IN_FOLDER(idx_files_are_read),
      IN_FOLDER(splits_share_no_image),
      IN_FOLDER(validation_may_be_empty),
      IN_FOLDER(the_config_is_written_resolved),
      cmocka_unit_test(the_table_is_whole),
      cmocka_unit_test(shapes_are_known_without_files),
      cmocka_unit_test(fashion_mnist_is_read),
  };
  return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
