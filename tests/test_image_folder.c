/* Image folders: what is listed, what is read, and what is refused. */
#define _XOPEN_SOURCE 700 /* mkdtemp, symlink */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gradflow/data.h>

#include "data/dataset.h"
#include "support/assert.h"
#include "support/data_files.h"
#include "support/image_files.h"
#include "support/test.h"

static const char small_[] =
    "  mean: 0\n  std: 1\n  pad_to: 0\n  resize: 8\n  image_size: 6\n  validation: 0\n";

static void make_folder_in(const char *name) {
  assert_int_equal(gf__make_folder(in_folder(name)), GF_OK);
}

static void write_text(const char *name, gf__text *file) {
  assert_int_equal(gf__text_status(file), GF_OK);
  write_bytes(name, file->data, file->size);
  gf__text_free(file);
}

/* A PNG of 9 x 10 pixels whose red, green and blue are the same. */
static void write_grey(const char *name, int value) {
  uint8_t rows[9 * 11];
  memset(rows, value, sizeof rows);
  for (int y = 0; y < 9; y++) rows[y * 11] = 0;
  gf__text file =
      make_png(&(png){.width = 10, .height = 9, .depth = 8, .rows = rows, .size = sizeof rows});
  write_text(name, &file);
}

static void fails(gf_split split, const char *more, gf_status status, const char *format, ...) {
  char expected[2048], yaml[256];
  va_list args;
  va_start(args, format);
  vsnprintf(expected, sizeof expected, format, args);
  va_end(args);
  snprintf(yaml, sizeof yaml, "%s%s", small_, more);
  gf_dataset *dataset = NULL;
  assert_int_equal(try_open(&dataset, split, "image_folder", yaml), status);
  assert_null(dataset);
  assert_string_equal(gf_error_message(), expected);
}

/* The bytes of the first pixel of each image, and its label. */
typedef struct seen {
  int red[16], label[16], count;
} seen;

static seen look_at(const char *keys, gf_split split, const char *more) {
  char yaml[256];
  seen s = {0};
  float *images;
  int *labels;
  snprintf(yaml, sizeof yaml, "%s%s", keys, more);
  gf_dataset *dataset = open_split(split, "image_folder", yaml);
  gf_loader *loader = open_loader(dataset, 4, 1, 0, 0);
  s.count = read_epoch(dataset, loader, 0, 0, &images, &labels);
  assert_true(s.count <= 16);
  for (int i = 0; i < s.count; i++) {
    s.red[i] = (int)lroundf(images[(size_t)i * floats_of(dataset)] * 255);
    s.label[i] = labels[i];
  }
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
  free(images);
  free(labels);
  return s;
}

static void a_folder_is_listed(void **state) {
  (void)state;
  static const char *const expected[] = {".a", "B", "_", "a", "a b", "a-", "ab"};
  enum { COUNT = sizeof expected / sizeof *expected };
  gf__names names;
  assert_int_equal(gf__list_folder(fixture_folder, &names), GF_OK);
  assert_int_equal(names.count, 0);
  gf__names_free(&names);
  for (int i = COUNT - 1; i >= 0; i--) write_bytes(expected[i], "", 0);
  assert_int_equal(gf__list_folder(fixture_folder, &names), GF_OK);
  assert_int_equal(names.count, COUNT);
  for (int i = 0; i < COUNT; i++) assert_string_equal(names.v[i], expected[i]);
  gf__names_free(&names);
  assert_null(names.v);
  assert_int_equal(gf__list_folder("/nonexistent", &names), GF_ERROR_FILE);
  assert_string_equal(gf_error_message(),
                      "cannot list the folder /nonexistent: No such file or directory");
  gf__names_free(&names);
}

static seen look(gf_split split, const char *more) { return look_at(small_, split, more); }

/* ---- folders ---- */

static void folders_are_classes(void **state) {
  (void)state;
  static const char *const folders[] = {"train/b c",    "train/B", "train/a-a", "train/a",
                                        "train/.cache", "val/b c", "val/a",     "elsewhere"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) make_folder_in(folders[i]);
  write_grey("train/a/2.PNG", 20);
  write_grey("train/a/10.jpeg", 10);
  write_grey("train/B/x.JpG", 30);
  write_grey("train/a-a/x.png", 40);
  write_grey("elsewhere/real", 50);
  assert_int_equal(symlink("../../elsewhere/real", in_folder("train/b c/link.png")), 0);
  char target[256];
  snprintf(target, sizeof target, "%s/elsewhere", fixture_folder);
  write_grey("elsewhere/e.png", 60);
  assert_int_equal(symlink(target, in_folder("train/z")), 0);
  write_bytes("train/a/.hidden.png", "no image", 8);
  write_bytes("train/a/notes.txt", "no image", 8);
  write_bytes("train/a/png", "no image", 8);
  write_bytes("train/README", "no class", 8);
  write_grey("val/b c/1.png", 70);
  write_grey("val/a/1.png", 80);

  /* B, a, a-a, "b c", z: bytewise. */
  seen s = look(GF_SPLIT_TRAIN, "");
  int by_label[5][2] = {0};
  assert_int_equal(s.count, 6);
  for (int i = 0; i < s.count; i++) {
    by_label[s.label[i]][0] += s.red[i];
    by_label[s.label[i]][1]++;
  }
  static const int expected[5][2] = {{30, 1}, {30, 2}, {40, 1}, {50, 1}, {60, 1}};
  assert_memory_equal(by_label, expected, sizeof expected);
  s = look(GF_SPLIT_TEST, "");
  assert_int_equal(s.count, 2);
  assert_int_equal(s.label[0], 1);
  assert_int_equal(s.red[0], 80);
  assert_int_equal(s.label[1], 3);
  assert_int_equal(s.red[1], 70);

  gf_dataset *dataset = open_split(GF_SPLIT_TEST, "image_folder", "");
  gf_dataset_info info = gf_dataset_describe(dataset);
  assert_int_equal(info.classes, 5);
  assert_int_equal(info.height, 224);
  assert_int_equal(info.width, 224);
  assert_int_equal(info.channels, 3);
  static const char *const names[] = {"B", "a", "a-a", "b c", "z"};
  for (int i = 0; i < 5; i++) assert_string_equal(info.class_names[i], names[i]);
  gf_dataset_free(&dataset);
}

static void splits_share_no_image(void **state) {
  (void)state;
  make_folder_in("train/a");
  for (int i = 0; i < 10; i++) {
    char name[32];
    snprintf(name, sizeof name, "train/a/%d.png", i);
    write_grey(name, 20 * i);
  }
  char yaml[256];
  snprintf(yaml, sizeof yaml, "%s", small_);
  strcpy(strstr(yaml, "  validation"), "  validation: 3\n");
  int seen_reds[10] = {0};
  for (gf_split split = GF_SPLIT_TRAIN; split <= GF_SPLIT_VALIDATION; split++) {
    gf_dataset *dataset = open_split(split, "image_folder", yaml);
    assert_int_equal(gf_dataset_describe(dataset).count, split == GF_SPLIT_TRAIN ? 7 : 3);
    for (int i = 0; i < gf_dataset_describe(dataset).count; i++)
      seen_reds[gf__byte_images_of(dataset)->pixels[i * 6 * 6 * 3] / 20]++;
    gf_dataset_free(&dataset);
  }
  for (int i = 0; i < 10; i++) assert_int_equal(seen_reds[i], 1);
}

/* ---- val beside test ---- */

/* The validation images are those that the folders have. */
static const char open_[] =
    "  mean: 0\n  std: 1\n  pad_to: 0\n  resize: 8\n  image_size: 6\n  flip: false\n";

static gf_dataset *open_folder(gf_split split, const char *more) {
  char yaml[512];
  snprintf(yaml, sizeof yaml, "%s%s", open_, more);
  return open_split(split, "image_folder", yaml);
}

static void write_three_splits(bool has_test) {
  static const char *const folders[] = {"train/a", "train/b", "val/a", "val/b", "test/a", "test/b"};
  for (int i = 0; i < (has_test ? 6 : 4); i++) {
    make_folder_in(folders[i]);
    for (int k = 0; k < 3; k++) {
      char name[64];
      snprintf(name, sizeof name, "%s/%d.png", folders[i], k);
      write_grey(name, 40 * i + 10 * k);
    }
  }
}

/* The sum of the reds says which folder it is: 6 images of 40 i + 10 k each. */
static void assert_split(gf_split split, const char *more, int count, int reds) {
  seen s = look_at(open_, split, more);
  int sum = 0;
  for (int i = 0; i < s.count; i++) sum += s.red[i];
  assert_int_equal(s.count, count);
  assert_int_equal(sum, reds);
}

enum { OF_TRAIN = 180, OF_VAL = 660, OF_TEST = 1140 };

static void val_beside_test_is_for_validation(void **state) {
  (void)state;
  write_three_splits(true);
  assert_split(GF_SPLIT_TRAIN, "", 6, OF_TRAIN);
  assert_split(GF_SPLIT_VALIDATION, "", 6, OF_VAL);
  assert_split(GF_SPLIT_TEST, "", 6, OF_TEST);
}

static void the_resolved_config_names_the_folders(void **state) {
  (void)state;
  gf__text text = {0};
  write_three_splits(true);
  gf_dataset *dataset = open_folder(GF_SPLIT_TRAIN, "");
  gf__data_write(&text, 2, dataset);
  assert_non_null(strstr(text.data, "\n  validation: 0\n"));
  assert_non_null(strstr(text.data, "\n  validation_folder: val\n"));
  assert_non_null(strstr(text.data, "\n  test_folder: test\n"));
  gf__text_free(&text);
  gf_dataset_free(&dataset);
  assert_split(GF_SPLIT_VALIDATION,
               "  validation: 0\n  validation_folder: val\n  test_folder: test\n", 6, OF_VAL);
  assert_split(GF_SPLIT_TEST, "  validation_folder: test\n  test_folder: val\n", 6, OF_VAL);
  assert_split(GF_SPLIT_VALIDATION, "  validation_folder: test\n  test_folder: val\n", 6, OF_TEST);
  gf_dataset *none;
  assert_int_equal(try_open(&none, GF_SPLIT_TRAIN, "image_folder",
                            "  validation: 2\n  validation_folder: val\n"),
                   GF_ERROR_CONFIG);
  assert_non_null(strstr(gf_error_message(),
                         "data.validation is 2 and data.validation_folder val: validation images "
                         "are some of train or those of a folder; leave one of them out"));
}

/* As before: without test, val is tested on. */
static void val_alone_is_for_the_test(void **state) {
  (void)state;
  write_three_splits(false);
  assert_split(GF_SPLIT_VALIDATION, "", 0, 0);
  assert_split(GF_SPLIT_TRAIN, "", 6, OF_TRAIN);
  assert_split(GF_SPLIT_TEST, "", 6, OF_VAL);
}

/* Images of train that the config asks for come before val. */
static void a_number_of_validation_images_is_taken_from_train(void **state) {
  (void)state;
  write_three_splits(true);
  gf_dataset *dataset = open_folder(GF_SPLIT_TRAIN, "  validation: 2\n");
  assert_int_equal(gf_dataset_describe(dataset).count, 4);
  gf_dataset_free(&dataset);
}

static char warnings_of_data_[1024];

static void keep_data_warning(void *user, gf_log_level level, const char *message) {
  (void)user;
  size_t used = strlen(warnings_of_data_);
  if (level == GF_LOG_WARNING)
    snprintf(warnings_of_data_ + used, sizeof warnings_of_data_ - used, "%s\n", message);
}

static void what_is_missing_is_found_before_training(void **state) {
  (void)state;
  char expected[512];
  write_three_splits(true);
  gf_dataset *train = open_folder(GF_SPLIT_TRAIN, "");
  gf_dataset *validation = open_folder(GF_SPLIT_VALIDATION, "");
  gf_log_to(keep_data_warning, NULL);
  gf__dataset_warn(train, validation);
  assert_string_equal(
      warnings_of_data_,
      "of 6 validation images an accuracy is known to 41 points or so, and the best "
      "epoch is chosen by it; take some 200 or more (data.validation)\n");
  gf_dataset_free(&train);
  gf_dataset_free(&validation);
  assert_ok(gf__remove_folder(in_folder("test")));
  assert_ok(gf__remove_folder(in_folder("val")));
  train = open_folder(GF_SPLIT_TRAIN, "");
  validation = open_folder(GF_SPLIT_VALIDATION, "");
  warnings_of_data_[0] = 0;
  gf__dataset_warn(train, validation);
  gf_log_to(NULL, NULL);
  snprintf(expected, sizeof expected,
           "there are no test images in %s, so that gradflow test will have none; image_folder is "
           "read from train/CLASS/*.jpg and val/CLASS/*.jpg (or .jpeg, .png)\n",
           fixture_folder);
  assert_string_equal(warnings_of_data_, expected);
  gf_dataset_free(&train);
  gf_dataset_free(&validation);
}

/* ---- what is refused ---- */

static void wrong_layouts_are_refused(void **state) {
  (void)state;
  static const char from[] =
      "image_folder is read from train/CLASS/*.jpg and val/CLASS/*.jpg (or .jpeg, .png)";
  static const char how[] =
      "make a folder train in it, with a folder of images for each class, and a folder val "
      "of the same kind with images to test on";
  fails(GF_SPLIT_TRAIN, "", GF_ERROR_FILE, "there is no train in %s; %s; %s", fixture_folder, from,
        how);
  make_folder_in("train/.git");
  fails(GF_SPLIT_TRAIN, "", GF_ERROR_DATA, "%s/train has no folders of classes; %s", fixture_folder,
        from);
  make_folder_in("train/a");
  fails(GF_SPLIT_TRAIN, "", GF_ERROR_DATA,
        "%s/train/a has no images (.jpg, .jpeg, .png); fill it or remove it", fixture_folder);
  write_grey("train/a/1.png", 1);
  fails(GF_SPLIT_TEST, "", GF_ERROR_FILE, "there is no val in %s; %s; %s", fixture_folder, from,
        how);
  make_folder_in("val/A");
  fails(GF_SPLIT_TEST, "", GF_ERROR_DATA,
        "%s/val has a folder A, which is no class: there is none in train", fixture_folder);
  make_folder_in("train/a/images");
  fails(GF_SPLIT_TRAIN, "", GF_ERROR_DATA,
        "%s/train/a/images is a folder; images belong in the folder of their class itself: move "
        "them there",
        fixture_folder);
  make_folder_in("train/b\n");
  fails(GF_SPLIT_TRAIN, "", GF_ERROR_DATA,
        "%s/train: the name of its folder 2 has a control character; rename it", fixture_folder);
}

static void sizes_follow_the_config(void **state) {
  (void)state;
  gf_dataset *dataset = NULL;
  assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "image_folder", "  image_size: 300\n"),
                   GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "test.yaml:1:1: data.resize is 256, from which no 300 pixels "
                      "(data.image_size) can be cut; make it at least as large");
}

/* ---- bad files ---- */

static int warnings_;
static char warning_[1024];

static void count_warnings(void *user, gf_log_level level, const char *message) {
  (void)user;
  warnings_ += level == GF_LOG_WARNING;
  snprintf(warning_, sizeof warning_, "%s", message);
}

static void write_some_bad(void) {
  make_folder_in("train/a");
  make_folder_in("train/b");
  for (int i = 0; i < 12; i++) {
    char name[32];
    snprintf(name, sizeof name, "train/%c/%02d.png", i < 6 ? 'a' : 'b', i);
    if (i % 3 == 2)
      write_bytes(name, "bad", 3);
    else
      write_grey(name, 20 * i);
  }
}

static void a_bad_file_stops_the_run(void **state) {
  (void)state;
  write_some_bad();
  for (int i = 0; i < 20; i++) /* whichever thread is the first */
    fails(GF_SPLIT_TRAIN, "", GF_ERROR_DATA,
          "%s/train/a/02.png is neither a JPEG nor a PNG file; remove it, or set data.bad_file to "
          "skip",
          fixture_folder);
}

static void a_bad_file_is_skipped_where_that_is_set(void **state) {
  (void)state;
  char expected[512];
  write_some_bad();
  warnings_ = 0;
  gf_log_to(count_warnings, NULL);
  seen s = look(GF_SPLIT_TRAIN, "  bad_file: skip\n");
  gf_log_to(NULL, NULL);
  assert_int_equal(warnings_, 1);
  snprintf(expected, sizeof expected,
           "4 of 12 images in %s cannot be read and are left out; the first: %s/train/a/02.png is "
           "neither a JPEG nor a PNG file",
           fixture_folder, fixture_folder);
  assert_string_equal(warning_, expected);
  int found[12] = {0};
  assert_int_equal(s.count, 8);
  for (int i = 0; i < s.count; i++) {
    int record = s.red[i] / 20;
    found[record]++;
    assert_int_equal(s.label[i], record >= 6);
  }
  for (int i = 0; i < 12; i++) assert_int_equal(found[i], i % 3 != 2);
}

/* Where a file's end never comes, nothing is read. */
static void no_regular_files(void **state) {
  (void)state;
  make_folder_in("train/a");
  write_grey("train/a/0.png", 20);
  assert_int_equal(symlink("/dev/zero", in_folder("train/a/1.png")), 0);
  fails(GF_SPLIT_TRAIN, "", GF_ERROR_FILE,
        "cannot read %s/train/a/1.png: it is no regular file, but a device, a pipe or a socket; "
        "remove it, or set data.bad_file to skip",
        fixture_folder);
  assert_int_equal(remove(in_folder("train/a/1.png")), 0);
  assert_int_equal(mkfifo(in_folder("train/a/2.png"), 0600), 0);
  fails(GF_SPLIT_TRAIN, "", GF_ERROR_FILE,
        "cannot read %s/train/a/2.png: it is no regular file, but a device, a pipe or a socket; "
        "remove it, or set data.bad_file to skip",
        fixture_folder);
  seen s = look(GF_SPLIT_TRAIN, "  bad_file: skip\n");
  assert_int_equal(s.count, 1);
  assert_int_equal(symlink("/dev/zero", in_folder("train.bin")), 0);
  gf_dataset *dataset = NULL;
  assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "cifar100", ""), GF_ERROR_FILE);
  assert_non_null(strstr(gf_error_message(), "train.bin: it is no regular file"));
  assert_int_equal(mkfifo(in_folder("train-images-idx3-ubyte"), 0600), 0);
  assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "mnist", ""), GF_ERROR_FILE);
  assert_non_null(strstr(gf_error_message(), "train-images-idx3-ubyte: it is no regular file"));
}

/* Images smaller than the border that MNIST gets by default. */
static void small_images(void **state) {
  (void)state;
  make_folder_in("train/a");
  for (int i = 0; i < 30; i++) {
    char name[32];
    snprintf(name, sizeof name, "train/a/%02d.png", i);
    write_grey(name, 100);
  }
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "image_folder", "  image_size: 16\n");
  gf_dataset_info info = gf_dataset_describe(dataset);
  assert_int_equal(info.height, 16);
  assert_int_equal(info.width, 16);
  gf_dataset_free(&dataset);
  dataset = open_split(GF_SPLIT_TRAIN, "image_folder", "  image_size: 16\n  pad_to: 32\n");
  assert_int_equal(gf_dataset_describe(dataset).width, 32);
  gf_dataset_free(&dataset);
}

static void only_bad_files_are_an_error(void **state) {
  (void)state;
  make_folder_in("train/a");
  write_bytes("train/a/1.png", "bad", 3);
  write_bytes("train/a/2.png", "bad", 3);
  fails(GF_SPLIT_TRAIN, "  bad_file: skip\n", GF_ERROR_DATA,
        "none of 2 images in %s can be read; the first: %s/train/a/1.png is neither a JPEG nor a "
        "PNG file",
        fixture_folder, fixture_folder);
  make_folder_in("train/a/0.png");
  fails(GF_SPLIT_TRAIN, "", GF_ERROR_FILE,
        "cannot read %s/train/a/0.png: it is a folder; remove it, or set data.bad_file to skip",
        fixture_folder);
}

/* ---- memory ---- */

static void more_images_than_memory_are_refused(void **state) {
  (void)state;
  gf_dataset dataset = {.format = &gf__format_image_folder,
                        .info = {.count = 1281167, .height = 224, .width = 224, .channels = 3},
                        .settings = {.path = "images"}};
  const uint64_t memory = 16000000000;
  assert_int_equal(gf__byte_images_check_memory(&dataset, GF_SPLIT_TRAIN, memory), GF_ERROR_MEMORY);
  assert_string_equal(gf_error_message(),
                      "images: 1281167 images of 224 x 224 pixels take 192.9 GB of memory, and "
                      "this machine has 16.0 GB; set data.train_limit to at most 79719, or "
                      "data.image_size to less");
  dataset.info.count = 79720; /* 12 GB are 79719.4 images */
  assert_int_equal(gf__byte_images_check_memory(&dataset, GF_SPLIT_TEST, memory), GF_ERROR_MEMORY);
  assert_non_null(strstr(gf_error_message(), "set data.test_limit to at most 79719"));
  dataset.info.count = 79719;
  assert_int_equal(gf__byte_images_check_memory(&dataset, GF_SPLIT_TRAIN, memory), GF_OK);
  dataset.info.count = 1281167;
  assert_int_equal(gf__byte_images_check_memory(&dataset, GF_SPLIT_TRAIN, 0), GF_OK);
  assert_true(gf__host_memory() > 1 << 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(a_folder_is_listed),
      IN_FOLDER(folders_are_classes),
      IN_FOLDER(splits_share_no_image),
      IN_FOLDER(val_beside_test_is_for_validation),
      IN_FOLDER(the_resolved_config_names_the_folders),
      IN_FOLDER(val_alone_is_for_the_test),
      IN_FOLDER(a_number_of_validation_images_is_taken_from_train),
      IN_FOLDER(what_is_missing_is_found_before_training),
      IN_FOLDER(wrong_layouts_are_refused),
      IN_FOLDER(sizes_follow_the_config),
      IN_FOLDER(a_bad_file_stops_the_run),
      IN_FOLDER(a_bad_file_is_skipped_where_that_is_set),
      IN_FOLDER(no_regular_files),
      IN_FOLDER(small_images),
      IN_FOLDER(only_bad_files_are_an_error),
      cmocka_unit_test(more_images_than_memory_are_refused),
  };
  return cmocka_run_group_tests_name("image folder", tests, NULL, NULL);
}
