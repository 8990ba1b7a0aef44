/* Keys of one data set are given by that data set alone, and old configs are still read. */
#include <stdbool.h>

#include "support/data_files.h"
#include "support/test.h"

static gf_status expect(gf_dataset_info *info, const char *yaml) {
  gf_config *config = NULL;
  assert_int_equal(gf_config_parse(&config, "test.yaml", yaml), GF_OK);
  gf_status status = gf__data_expect(info, config);
  gf_config_free(&config);
  return status;
}

static void refuse(const char *yaml, const char *message) {
  gf_dataset_info info;
  assert_int_equal(expect(&info, yaml), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(), message);
}

static void foreign_keys_are_refused_with_their_owner(void **state) {
  (void)state;
  refuse("data: {name: cifar100, cube: my.mat}",
         "test.yaml:1:24: data.cube is a key of hyperspectral; data.name is cifar100");
  refuse("data: {name: hyperspectral, resize: 40}",
         "test.yaml:1:29: data.resize is a key of image_folder; data.name is hyperspectral");
  refuse("data: {name: image_folder, image_shape: [8, 8]}",
         "test.yaml:1:28: data.image_shape is a key of mnist; data.name is image_folder");
  refuse("data: {name: svhn, patch: none}", /* whatever its value is */
         "test.yaml:1:20: data.patch is a key of hyperspectral; data.name is svhn");
  refuse("data: {name: mnist, classes: 7}",
         "test.yaml:1:21: data.classes is a key of image_folder; data.name is mnist");
}

static void former_names_lead_to_the_present_ones(void **state) {
  (void)state;
  refuse("data: {name: cifar100, verify: {train.bin: 00}}",
         "test.yaml:1:24: data.verify is called data.checksums now; rename it");
  refuse("data: {name: hyperspectral, train_share: 0.3}",
         "test.yaml:1:29: data.train_share is called data.train_fraction now; rename it");
  refuse("data: {name: cifar100, validation_share: 0.3}",
         "test.yaml:1:24: data.validation_share is a key of hyperspectral; data.name is cifar100");
}

/* What version 0.1 wrote into each run folder. */
#define OLD                                                                          \
  "resize: 256, image_size: 224, bad_file: stop, cube: Indian_pines_corrected.mat, " \
  "ground_truth: Indian_pines_gt.mat, patch: 7, train_share: 0.2, validation_share: 0.1}"

static void resolved_configs_of_earlier_versions_are_read(void **state) {
  (void)state;
  gf_dataset_info info;
  static const char cifar[] =
      "data: {name: cifar100, path: data/cifar-100-binary, validation: 2500, split_seed: 0, "
      "train_limit: 0, test_limit: 0, pad_to: 32, crop_padding: 4, flip: true, cutout: 0, "
      "jitter: [0, 0, 0], mixup: 0, mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201], ";
  char yaml[1024];
  snprintf(yaml, sizeof yaml, "%s" OLD, cifar);
  assert_int_equal(expect(&info, yaml), GF_OK);
  assert_int_equal(info.height, 32);
  assert_int_equal(info.classes, 100);
  /* Its own keys count whatever their value, and defaults of former names do. */
  assert_int_equal(expect(&info,
                          "data: {name: hyperspectral, pad_to: 32, validation: -1, mean: "
                          "[], std: [], flip: false, crop_padding: 0, patch: 9, "
                          "train_share: 0.2, validation_share: 0.1, resize: 256}"),
                   GF_OK);
  assert_int_equal(info.height, 9);
  assert_int_equal(expect(&info,
                          "data: {name: image_folder, resize: 64, image_size: 48, pad_to: "
                          "0, patch: 7, cube: 'Indian_pines_corrected.mat'}"),
                   GF_OK);
  assert_int_equal(info.width, 48);
}

static void unknown_keys_are_unknown(void **state) {
  (void)state;
  gf_dataset_info info;
  assert_int_equal(expect(&info, "data: {name: cifar100, pathe: x}"), GF_ERROR_CONFIG);
  assert_non_null(strstr(gf_error_message(), "unknown key 'pathe' in data; did you mean 'path'?"));
  assert_null(strstr(gf_error_message(), "image_size"));
}

/* Whether text has a line with this key. */
static bool has_key(const char *text, const char *key) {
  char line[64];
  snprintf(line, sizeof line, "\n  %s: ", key);
  return strstr(text, line);
}

static void a_run_writes_the_keys_of_its_own_set(void **state) {
  (void)state;
  gf__text text = {0};
  write_cifar("train.bin", 2, 100, 0, 20);
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", "  patch: 7\n");
  gf__text_add(&text, "data:\n");
  gf__data_write(&text, 2, dataset);
  for (size_t i = 0; i < gf__data_format_count; i++)
    for (size_t k = 0; k < gf__data_formats[i]->key_count; k++)
      assert_false(has_key(text.data, gf__data_formats[i]->keys[k].name));
  assert_true(has_key(text.data, "validation"));
  gf__text_free(&text);
  gf_dataset_free(&dataset);
  write_idx("train", 30, 9, 7, 6);
  dataset = open_split(GF_SPLIT_TRAIN, "mnist", "");
  gf__data_write(&text, 2, dataset);
  assert_non_null(strstr(text.data, "\n  image_shape: [9, 7]\n"));
  assert_false(has_key(text.data, "classes"));
  gf__text_free(&text);
  gf_dataset_free(&dataset);
}

/* ---- the shape of IDX images ---- */

static void shapes_come_from_the_key_or_the_files(void **state) {
  (void)state;
  char yaml[256];
  gf_dataset_info info;
  gf_config *config = NULL;
  write_idx("train", 3, 9, 50, 6);
  snprintf(yaml, sizeof yaml, "data: {name: mnist, path: %s}", fixture_folder);
  assert_int_equal(gf_config_parse(&config, "test.yaml", yaml), GF_OK);
  assert_int_equal(gf_dataset_shape(&info, config), GF_OK);
  assert_int_equal(info.height, 32); /* padded */
  assert_int_equal(info.width, 50);
  assert_int_equal(gf__data_recall(&info, config), GF_OK);
  assert_int_equal(info.width, 50);
  gf_config_free(&config);
  assert_int_equal(
      expect(&info, "data: {name: mnist, path: gone, pad_to: 0, image_shape: [40, 24]}"), GF_OK);
  assert_int_equal(info.height, 40);
  assert_int_equal(info.width, 24);
  check_fails(GF_SPLIT_TRAIN, "mnist", "  image_shape: 28\n", GF_ERROR_DATA,
              "%s/train-images-idx3-ubyte.gz has images of 9 x 50 pixels, but data.image_shape is "
              "28 x 28, as in the run that the config is of; leave the key out to train on these",
              fixture_folder);
}

/* ---- limits ---- */

/* A file sorted by class: 12 of class 0, 6 of 1 and 2 of 2; each image is of its record's number.
 */
static void write_sorted(void) {
  enum { COUNT = 20, AREA = 4 };
  uint8_t bytes[16 + COUNT * AREA], *p = bytes;
  p += put_header(p, 0x803, (const uint32_t[]){COUNT, 2, 2}, 3);
  for (int i = 0; i < COUNT * AREA; i++) *p++ = (uint8_t)(i / AREA);
  write_packed("t10k-images-idx3-ubyte", bytes, sizeof bytes, -1);
  p = bytes + put_header(bytes, 0x801, (const uint32_t[]){COUNT}, 1);
  for (int i = 0; i < COUNT; i++) *p++ = (uint8_t)(i < 12 ? 0 : i < 18 ? 1 : 2);
  write_packed("t10k-labels-idx1-ubyte", bytes, 8 + COUNT, -1);
}

/* The records of a limited test split; counts[k]: of class k. Returns how many. */
static int limited(int limit, int seed, int counts[3], int records[20]) {
  char more[96];
  snprintf(more, sizeof more, "  pad_to: 0\n  test_limit: %d\n  split_seed: %d\n", limit, seed);
  gf_dataset *dataset = open_split(GF_SPLIT_TEST, "mnist", more);
  int count = gf_dataset_describe(dataset).count;
  for (int k = 0; k < 3; k++) counts[k] = 0;
  for (int i = 0; i < count; i++) {
    records[i] = gf__byte_images_of(dataset)->pixels[i * 4];
    int label = dataset->labels[i];
    assert_int_equal(label, records[i] < 12 ? 0 : records[i] < 18 ? 1 : 2);
    if (i) assert_true(records[i] > records[i - 1]);
    counts[label]++;
  }
  gf_dataset_free(&dataset);
  return count;
}

static void limits_of_the_test_split_are_balanced(void **state) {
  (void)state;
  static const struct {
    int limit, counts[3];
  } rows[] = {{6, {2, 2, 2}},   {8, {3, 3, 2}},   {16, {8, 6, 2}},
              {19, {11, 6, 2}}, {20, {12, 6, 2}}, {0, {12, 6, 2}}};
  int counts[3], records[20], others[20], differ = 0;
  write_sorted();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(limited(rows[i].limit, 0, counts, records),
                     rows[i].limit ? rows[i].limit : 20);
    assert_memory_equal(counts, rows[i].counts, sizeof counts);
  }
  /* One more than there are turns of all: no class has two more than another. */
  assert_int_equal(limited(7, 0, counts, records), 7);
  assert_true(counts[0] + counts[1] == 5 && counts[2] == 2);
  assert_int_equal(limited(7, 0, counts, others), 7);
  assert_memory_equal(records, others, 7 * sizeof *records);
  for (int seed = 1; seed < 5; seed++) {
    limited(7, seed, counts, others);
    differ += memcmp(records, others, 7 * sizeof *records) != 0;
  }
  assert_true(differ > 0);
}

static void limits_of_other_formats_are_balanced(void **state) {
  (void)state;
  int counts[10] = {0};
  /* Labels i * 3 % 10: of 20 records two per class. */
  write_cifar("test_batch.bin", 1, 10, 0, 20);
  gf_dataset *dataset = open_split(GF_SPLIT_TEST, "cifar10", "  test_limit: 10\n");
  assert_int_equal(gf_dataset_describe(dataset).count, 10);
  for (int i = 0; i < 10; i++) counts[dataset->labels[i]]++;
  for (int k = 0; k < 10; k++) assert_int_equal(counts[k], 1);
  gf_dataset_free(&dataset);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(foreign_keys_are_refused_with_their_owner),
      cmocka_unit_test(former_names_lead_to_the_present_ones),
      cmocka_unit_test(resolved_configs_of_earlier_versions_are_read),
      cmocka_unit_test(unknown_keys_are_unknown),
      IN_FOLDER(a_run_writes_the_keys_of_its_own_set),
      IN_FOLDER(shapes_come_from_the_key_or_the_files),
      IN_FOLDER(limits_of_the_test_split_are_balanced),
      IN_FOLDER(limits_of_other_formats_are_balanced),
  };
  return cmocka_run_group_tests_name("data_keys", tests, NULL, NULL);
}
