/* What is found out about images before training: counts, duplicates, sizes, pixels, warnings; and
 * the command that prints it. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <gradflow/inspect.h>

#include "inspect/inspect.h"
#include "support/assert.h"
#include "support/data_files.h"
#include "support/image_files.h"
#include "support/inputs.h"
#include "support/test.h"

/* ---- files ---- */

/* A PNG of one grey. */
static void write_image(const char *name, int height, int width, int value) {
  size_t size = (size_t)height * (size_t)(width + 1);
  uint8_t *rows = malloc(size);
  assert_non_null(rows);
  memset(rows, value, size);
  for (int y = 0; y < height; y++) rows[y * (width + 1)] = 0;
  gf__text file = make_png(&(png){.width = (uint32_t)width,
                                  .height = (uint32_t)height,
                                  .depth = 8,
                                  .rows = rows,
                                  .size = size});
  assert_ok(gf__text_status(&file));
  write_bytes(name, file.data, file.size);
  gf__text_free(&file);
  free(rows);
}

static void make_folders(const char *const *names) {
  for (; *names; names++) assert_ok(gf__make_folder(in_folder(*names)));
}

static gf_config *folder_config(void) {
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "data: {name: image_folder, path: %s, resize: 8, image_size: 6, pad_to: 0, mean: [0.5], "
           "std: [0.25], flip: false}\n"
           "model: {family: vgg_stages}\ntrain: {batch_size: 4}\n",
           fixture_folder);
  return parse_config(yaml);
}

/* Twelve images of a and one of b to train on: two greys of a are there twice, the grey of b is one
 * of a's. val has one of train and two of its own; test one of train with another label, one of
 * val, and the same image twice. */
static void write_folder(void) {
  static const char *const folders[] = {"train/a", "train/b", "val/a", "val/b",
                                        "test/a",  "test/b",  NULL};
  static const int greys[] = {0, 20, 40, 60, 80, 100, 120, 140, 160, 180, 0, 20};
  char name[64];
  make_folders(folders);
  for (int i = 0; i < 12; i++) {
    snprintf(name, sizeof name, "train/a/%02d.png", i);
    write_image(name, i < 9 ? 10 : 16, i < 9 ? 10 : 8, greys[i]);
  }
  write_image("train/b/0.png", 4, 4, 40);
  write_image("val/a/0.png", 9, 9, 60);
  write_image("val/a/1.png", 9, 9, 61);
  write_image("val/b/0.png", 9, 9, 62);
  write_image("test/a/0.png", 9, 9, 61);
  write_image("test/b/0.png", 9, 9, 80);
  write_image("test/b/1.png", 9, 9, 200);
  write_image("test/b/2.png", 9, 9, 200);
}

static const char *has_warning(const gf_data_report *r, const char *part) {
  for (int i = 0; i < r->warning_count; i++)
    if (strstr(r->warnings[i], part)) return r->warnings[i];
  fail_msg("no warning: %s", part);
  return NULL;
}

static void assert_duplicates(const gf_data_report *r, gf_split of, gf_split in, int images,
                              int other_label) {
  assert_int_equal(r->duplicates[of][in].images, images);
  assert_int_equal(r->duplicates[of][in].other_label, other_label);
}

/* ---- the report ---- */

static void a_folder_is_described(void **state) {
  (void)state;
  gf_data_report *r;
  gf_config *config = folder_config();
  write_folder();
  assert_ok(gf_inspect_data(&r, config, NULL));
  static const int images[] = {13, 3, 4}, of_a[] = {12, 2, 1};
  for (int i = 0; i < 3; i++) {
    assert_null(r->splits[i].failure);
    assert_int_equal(r->splits[i].images, images[i]);
    assert_int_equal(r->splits[i].class_images[0], of_a[i]);
    assert_int_equal(r->splits[i].class_images[1], images[i] - of_a[i]);
  }
  assert_int_equal(r->info.classes, 2);
  assert_string_equal(r->info.class_names[1], "b");
  assert_true(r->has_duplicates);
  assert_duplicates(r, GF_SPLIT_TRAIN, GF_SPLIT_TRAIN, 3, 1);
  assert_duplicates(r, GF_SPLIT_VALIDATION, GF_SPLIT_TRAIN, 1, 0);
  assert_duplicates(r, GF_SPLIT_VALIDATION, GF_SPLIT_VALIDATION, 0, 0);
  assert_duplicates(r, GF_SPLIT_TEST, GF_SPLIT_TRAIN, 1, 1);
  assert_duplicates(r, GF_SPLIT_TEST, GF_SPLIT_VALIDATION, 1, 0);
  assert_duplicates(r, GF_SPLIT_TEST, GF_SPLIT_TEST, 1, 0);
  has_warning(r, "of 3 validation images an accuracy is known to 58 points or so");
  has_warning(
      r,
      "b has 1 training images, and a 12: a network that names the commonest class is right "
      "in 92% of them");
  has_warning(r, "1 of 4 test images are train images as well, 1 with another label");
  has_warning(r, "1 of 4 test images are validation images as well");
  has_warning(r, "1 training images equal an earlier one that has another label");
  gf_data_report_free(&r);
  assert_null(r);
  gf_config_free(&config);
}

/* 9 of 10 x 10 become 8 x 8 and lose 28 of 64 pixels; 3 of 16 x 8 become 16 x 8 and lose 92 of 128;
 * one of 4 x 4 is enlarged to 8 x 8. */
static void sizes_and_what_the_crop_cuts_off_are_found(void **state) {
  (void)state;
  gf_data_report *r;
  gf_config *config = folder_config();
  write_folder();
  assert_ok(gf_inspect_data(&r, config, NULL));
  const gf_inspected_sizes *s = &r->sizes;
  assert_int_equal(s->files, 13);
  assert_int_equal(s->distinct, 3);
  assert_int_equal(s->smallest.height, 4);
  assert_int_equal(s->largest.height, 16);
  assert_int_equal(s->largest.width, 8);
  assert_int_equal(s->common_count, 3);
  assert_int_equal(s->common[0].images, 9);
  assert_int_equal(s->common[0].width, 10);
  assert_int_equal(s->enlarged, 1);
  double cut = (10 * 28.0 / 64 + 3 * 92.0 / 128) / 13;
  assert_true(fabs(s->cut - cut) <= 1e-12);
  assert_true(fabs(s->most_cut - 92.0 / 128) <= 1e-12);
  gf_data_report_free(&r);
  gf_config_free(&config);
}

/* Digits of 28 x 28 in images of 32 x 32: the black border is none of their pixels. */
static void pixels_are_measured_without_the_border(void **state) {
  (void)state;
  enum { COUNT = 40, SIDE_OF_FILE = 28, AREA = SIDE_OF_FILE * SIDE_OF_FILE };
  gf_data_report *r;
  char yaml[256];
  write_idx("train", COUNT, SIDE_OF_FILE, SIDE_OF_FILE, -1);
  write_idx("t10k", 3, SIDE_OF_FILE, SIDE_OF_FILE, -1);
  snprintf(
      yaml, sizeof yaml,
      "data: {name: mnist, path: %s, pad_to: 32, validation: 0}\nmodel: {family: vgg_stages}\n",
      fixture_folder);
  gf_config *config = parse_config(yaml);
  assert_ok(gf_inspect_data(&r, config, NULL));
  /* The same by the bytes of the file. */
  char *file = NULL;
  size_t size;
  double sum = 0, squares = 0;
  assert_ok(gf__file_read(in_folder("train-images-idx3-ubyte"), &file, &size));
  assert_int_equal(size, 16 + COUNT * AREA);
  for (size_t i = 16; i < size; i++) {
    double pixel = (uint8_t)file[i] / 255.0;
    sum += pixel;
    squares += pixel * pixel;
  }
  free(file);
  double mean = sum / (COUNT * AREA), deviation = sqrt(squares / (COUNT * AREA) - mean * mean);
  assert_int_equal(r->channels, 1);
  if (!(fabs(r->mean[0] - mean) <= 1e-12)) fail_msg("%.17g and not %.17g", r->mean[0], mean);
  assert_true(fabs(r->deviation[0] - deviation) <= 1e-9);
  assert_true(r->configured_mean[0] == 0.1307 && r->configured_std[0] == 0.3081);
  assert_int_equal(r->sizes.files, 0);
  gf_data_report_free(&r);
  gf_config_free(&config);
}

static void a_split_that_is_missing_is_a_result(void **state) {
  (void)state;
  gf_data_report *r;
  gf_config *config = folder_config();
  write_folder();
  assert_ok(gf__remove_folder(in_folder("test")));
  assert_ok(gf__remove_folder(in_folder("val")));
  assert_ok(gf_inspect_data(&r, config, NULL));
  assert_non_null(strstr(r->splits[GF_SPLIT_TEST].failure, "there is no val in "));
  has_warning(r, "the test images cannot be read: there is no val in ");
  has_warning(r, "there are no validation images");
  gf_data_report_free(&r);
  assert_ok(gf__remove_folder(in_folder("train")));
  assert_int_equal(gf_inspect_data(&r, config, NULL), GF_ERROR_FILE);
  assert_null(r);
  gf_config_free(&config);
}

/* ---- the command ---- */

static char *run(const char *arguments, int expected) {
  char command[1024];
  char *text = NULL;
  size_t size;
  snprintf(command, sizeof command, "cd '%s' && '%s' %s >out.txt 2>err.txt", fixture_folder,
           PROGRAM, arguments);
  int code = system(command);
  assert_int_equal(code, expected << 8);
  assert_ok(gf__file_read(in_folder(expected ? "err.txt" : "out.txt"), &text, &size));
  return text;
}

static void write_config(void) {
  static const char yaml[] =
      "data: {name: image_folder, path: ., resize: 8, image_size: 6, pad_to: 0, mean: [0.5], "
      "std: [0.25], flip: false}\n"
      "model: {family: vgg_stages}\ntrain: {batch_size: 4}\n";
  assert_ok(gf__file_write(in_folder("mine.yaml"), yaml, strlen(yaml)));
}

static void the_command_prints_and_draws(void **state) {
  (void)state;
  write_folder();
  write_config();
  char *text = run("data mine.yaml", 0);
  static const char *const parts[] = {
      "image_folder: images of 6x6x3, 2 classes\n",
      "train           13        2  1 (b)   12 (a)\n",
      "of test in train             1                 1\n",
      "13 training files of 3 sizes, from 4 x 4 to 16 x 8 (height x width)\n",
      "  commonest  10 x 10 (9), 16 x 8 (3), 4 x 4 (1)\n",
      "  crop       cuts off 50% of an image, 72% at most\n",
      "\nsheet      runs/mine-data/batch.png\n"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!strstr(text, parts[i])) fail_msg("not there: %s\n%s", parts[i], text);
  free(text);
  char *picture = NULL;
  size_t size;
  assert_ok(gf__file_read(in_folder("runs/mine-data/batch.png"), &picture, &size));
  assert_memory_equal(picture, "\x89PNG", 4);
  free(picture);
}

static void the_json_has_all_of_it(void **state) {
  (void)state;
  write_folder();
  write_config();
  char *text = run("data mine.yaml --json --out seen", 0);
  json_error_t error;
  json_t *json = json_loads(text, 0, &error);
  if (!json) fail_msg("%s: %s", error.text, text);
  free(text);
  const char *data, *sheet;
  int images, cells, height;
  double mean;
  assert_int_equal(json_unpack(json, "{s:s, s:s, s:[i], s:[{s:i}], s:{s:[f]}, s:[{}, {s:i}]}",
                               "data", &data, "sheet", &sheet, "shape", &height, "splits", "images",
                               &images, "pixels", "mean", &mean, "duplicates", "images", &cells),
                   0);
  assert_string_equal(data, "image_folder");
  assert_string_equal(sheet, "seen/batch.png");
  assert_int_equal(height, 6);
  assert_int_equal(images, 13);
  assert_int_equal(cells, 1);
  json_decref(json);
}

static void wrong_usage_is_one_message(void **state) {
  (void)state;
  char *text = run("data none.yaml", 1);
  assert_string_equal(text, "gradflow: cannot open none.yaml: No such file or directory\n");
  free(text);
  text = run("data", 2);
  assert_string_equal(text, "gradflow: a config is missing; see gradflow data --help\n");
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(a_folder_is_described),
      IN_FOLDER(sizes_and_what_the_crop_cuts_off_are_found),
      IN_FOLDER(pixels_are_measured_without_the_border),
      IN_FOLDER(a_split_that_is_missing_is_a_result),
      IN_FOLDER(the_command_prints_and_draws),
      IN_FOLDER(the_json_has_all_of_it),
      IN_FOLDER(wrong_usage_is_one_message),
  };
  return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
