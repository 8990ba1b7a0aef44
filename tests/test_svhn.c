/* SVHN's MATLAB files: what is read, and what is refused. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/data.h>

#include "base/text.h"
#include "data/dataset.h"
#include "support/data_files.h"
#include "support/mat_files.h"
#include "support/test.h"

static const char raw_[] = "  mean: 0\n  std: 1\n"; /* so that a float times 255 is the byte */

static void write_file(const char *name, const mat_flaw *f) {
  gf__text file = make_mat(f);
  write_bytes(name, file.data, file.size);
  gf__text_free(&file);
}

static void check_split(void) {
  float *images;
  int *labels, bad = 0;
  gf_dataset *dataset = open_split(GF_SPLIT_TEST, "svhn", raw_);
  gf_dataset_info info = gf_dataset_describe(dataset);
  assert_int_equal(info.count, MAT_COUNT);
  assert_int_equal(info.height, 32);
  assert_int_equal(info.width, 32);
  assert_int_equal(info.channels, 3);
  assert_int_equal(info.classes, 10);
  assert_string_equal(info.class_names[0], "0");
  gf_loader *loader = open_loader(dataset, 3, 1, 0, 0);
  assert_int_equal(read_epoch(dataset, loader, 0, 0, &images, &labels), MAT_COUNT);
  for (int i = 0; i < MAT_COUNT; i++) {
    assert_int_equal(labels[i], i == 0 ? 0 : mat_label(i));
    for (int y = 0; y < SIDE; y++)
      for (int x = 0; x < SIDE; x++)
        for (int c = 0; c < 3; c++) {
          float difference =
              images[((i * SIDE + y) * SIDE + x) * 3 + c] * 255 - pixel_of(i, c, y, x);
          bad += !(difference <= 1e-3f && difference >= -1e-3f);
        }
  }
  assert_int_equal(bad, 0);
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
  free(images);
  free(labels);
}

static void files_are_read(void **state) {
  (void)state;
  for (int compressed = 0; compressed < 2; compressed++) {
    write_file("test_32x32.mat", &(mat_flaw){.compressed = compressed});
    check_split();
    write_file("test_32x32.mat", &(mat_flaw){.compressed = compressed, .y_class = CLASS_DOUBLE});
    check_split();
  }
}

static void splits_have_their_sizes(void **state) {
  (void)state;
  write_file("train_32x32.mat", &(mat_flaw){.compressed = 1});
  gf_dataset *train = open_split(GF_SPLIT_TRAIN, "svhn", "  validation: 2\n");
  gf_dataset *validation = open_split(GF_SPLIT_VALIDATION, "svhn", "  validation: 2\n");
  assert_int_equal(gf_dataset_describe(train).count, MAT_COUNT - 2);
  assert_int_equal(gf_dataset_describe(validation).count, 2);
  gf_dataset_free(&train);
  gf_dataset_free(&validation);
}

static void fails(const mat_flaw *f, const char *rest) {
  char expected[512];
  gf_dataset *dataset = NULL;
  if (f) write_file("test_32x32.mat", f);
  snprintf(expected, sizeof expected, "%s/test_32x32.mat%s", fixture_folder, rest);
  assert_int_equal(try_open(&dataset, GF_SPLIT_TEST, "svhn", ""), GF_ERROR_DATA);
  assert_null(dataset);
  assert_string_equal(gf_error_message(), expected);
}

#define X_MUST ": X must be 32 x 32 x 3 x count bytes (type 2), but there are "
#define Y_MUST ": y must be 7 x 1 numbers, but there are "
#define AGAIN "; fetch it again"
#define NO_X " has no variable X; is it another file? Its variables: "
#define AND_Y " (32 x 32 x 3 x 7, uint8), y (7 x 1, uint8)"

static void variables_are_checked(void **state) {
  (void)state;
  static const struct {
    mat_flaw flaw;
    const char *rest;
  } cases[] = {
      {{.x_name = "Z"}, NO_X "Z" AND_Y},
      {{.x_name = "X2"}, NO_X "X2" AND_Y},
      {{.x_class = CLASS_SINGLE}, X_MUST "32 x 32 x 3 x 7 of type 2" AGAIN},
      {{.x_dims = {32, 32, 7, 3}}, X_MUST "32 x 32 x 7 x 3 of type 2" AGAIN},
      {{.x_dims = {32, 31, 3, 7}}, X_MUST "32 x 31 x 3 x 7 of type 2" AGAIN},
      {{.x_dims = {32, 32, 3, 6}}, X_MUST "32 x 32 x 3 x 6 of type 2" AGAIN},
      {{.x_dims = {32, 32, 3, -1}}, X_MUST "32 x 32 x 3 x 4294967295 of type 2" AGAIN},
      {{.x_flags = COMPLEX}, X_MUST "32 x 32 x 3 x 7 of type 2" AGAIN},
      {{.x_missing = 1}, X_MUST "32 x 32 x 3 x 7 of type 2" AGAIN},
      {{.x_missing = 7 * PIXELS, .x_dims = {32, 32, 3, 0}}, " has no images"},
      {{.y_dims = {6, 1}}, Y_MUST "6 x 1 of type 2" AGAIN},
      {{.y_dims = {1, 7}}, Y_MUST "1 x 7 of type 2" AGAIN},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int compressed = 0; compressed < 2; compressed++) {
      mat_flaw flaw = cases[i].flaw;
      flaw.compressed = compressed;
      fails(&flaw, cases[i].rest);
    }
}

/* A header that does not fit what is kept of it, or its variable. */
static void headers_are_checked(void **state) {
  (void)state;
  static const char no_header[] = " is damaged: a variable has no header; fetch it again";
  static const char name[] = "X123456789012345678901234567890123456789012345678901234567890123";
  static const int dims[] = {32, 32, 3, 7, 1};
  fails(&(mat_flaw){.x_name = name}, no_header);
  fails(&(mat_flaw){.x_name = name + 1},
        NO_X "123456789012345678901234567890123456789012345678901234567890123" AND_Y);
  gf__text file = {0};
  add_mat_header(&file);
  add_matrix(&file, &(mat_flaw){0}, "X", CLASS_UINT8, dims, 5, UINT8, "", 0);
  write_bytes("test_32x32.mat", file.data, file.size);
  fails(NULL, no_header);
  gf__text_free(&file);
  file = make_mat(&(mat_flaw){0});
  file.data[128 + 4 + 1]--; /* the size of the first variable: 256 bytes less */
  write_bytes("test_32x32.mat", file.data, file.size);
  fails(NULL, " is damaged: a variable ends before its numbers do; fetch it again");
  gf__text_free(&file);
}

/* The sizes of a header promise what the file cannot hold. */
static void sizes_are_checked(void **state) {
  (void)state;
  static const int dims[] = {32, 32, 3, 1000000};
  gf__text file = {0};
  add_mat_header(&file);
  add_matrix(&file, &(mat_flaw){0}, "X", CLASS_UINT8, dims, 4, UINT8, "", 0);
  uint32_t size = 1000000u * PIXELS;
  for (int i = 0; i < 4; i++) file.data[file.size - 4 + i] = (char)(size >> (8 * i));
  write_bytes("test_32x32.mat", file.data, file.size);
  fails(NULL,
        " has 200 bytes, which cannot hold the 3072000000 of the 1000000 images that it "
        "announces; fetch it again");
  gf__text_free(&file);
}

static void corrupt_files_are_refused(void **state) {
  (void)state;
  gf__text file = make_mat(&(mat_flaw){.compressed = 1});
  char *last = file.data + file.size - 1; /* of the checksum of the labels */
  *last ^= 1;
  write_bytes("test_32x32.mat", file.data, file.size);
  fails(NULL, " is damaged: incorrect data check; fetch it again");
  *last ^= 1;
  file.data[128 + 8] ^= 1; /* zlib's header of X */
  write_bytes("test_32x32.mat", file.data, file.size);
  fails(NULL, " is damaged: incorrect header check; fetch it again");
  file.data[128] = 77; /* the type of the first element */
  write_bytes("test_32x32.mat", file.data, file.size);
  fails(NULL, " is damaged: it holds something unknown; fetch it again");
  gf__text_free(&file);
}

static void labels_are_checked(void **state) {
  (void)state;
  static const char format[] =
      ": record 4 (counted from 0) has the label %g; those of svhn are 1 to 10 (which is the digit "
      "0): the file is damaged or of another data set";
  static const double wrong[] = {0, 11, 255, 2.5, -1};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char rest[256];
    snprintf(rest, sizeof rest, format, wrong[i]);
    mat_flaw f = {.label_at = 5, .label = (int)wrong[i], .label_number = wrong[i]};
    if (i < 3) fails(&f, rest);
    f.y_class = CLASS_DOUBLE;
    fails(&f, rest);
  }
}

#define WRITE "; write it again with MATLAB's save(…, '-v7') or scipy.io.savemat"

static void other_files_are_refused(void **state) {
  (void)state;
  static const char no_mat[] =
      " is no MATLAB file of level 5: it is damaged or another file; fetch it again";
  write_bytes("test_32x32.mat", "", 0);
  fails(NULL, no_mat);
  gf__text file = make_mat(&(mat_flaw){0});
  write_bytes("test_32x32.mat", file.data, 127);
  fails(NULL, no_mat);
  file.data[125] = 2; /* the level of HDF5 files */
  write_bytes("test_32x32.mat", file.data, file.size);
  fails(NULL, " is a file of MATLAB 7.3 (HDF5), which is not read" WRITE);
  memcpy(file.data + 124, "\1\0MI", 4);
  write_bytes("test_32x32.mat", file.data, file.size);
  fails(NULL, " is a big-endian MATLAB file, which is not read" WRITE);
  memcpy(file.data, "\x89HDF\r\n\x1a\n", 8);
  write_bytes("test_32x32.mat", file.data, file.size);
  fails(NULL, " is an HDF5 file, which is not read" WRITE);
  gf__text_free(&file);
  gf_dataset *dataset = NULL;
  assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "svhn", ""), GF_ERROR_FILE);
  char expected[512];
  snprintf(expected, sizeof expected,
           "there is no train_32x32.mat in %s; svhn is read from train_32x32.mat and "
           "test_32x32.mat; run gradflow fetch svhn, or get them from "
           "http://ufldl.stanford.edu/housenumbers/",
           fixture_folder);
  assert_string_equal(gf_error_message(), expected);
}

/* Whatever is missing at the end: an error of the data, and never images of zeros. */
static void truncated_files_are_refused(void **state) {
  (void)state;
  for (int compressed = 0; compressed < 2; compressed++) {
    gf__text file = make_mat(&(mat_flaw){.compressed = compressed});
    size_t end = file.size - (compressed ? 0 : 1); /* the last byte pads the labels */
    for (size_t size = 0; size < end; size += size < 300 || size + 300 > file.size ? 1 : 97) {
      gf_dataset *dataset = NULL;
      write_bytes("test_32x32.mat", file.data, size);
      if (try_open(&dataset, GF_SPLIT_TEST, "svhn", "") != GF_ERROR_DATA)
        fail_msg("%zu of %zu bytes: no error of the data (compressed: %d)", size, file.size,
                 compressed);
    }
    gf__text_free(&file);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(files_are_read),
      IN_FOLDER(splits_have_their_sizes),
      IN_FOLDER(variables_are_checked),
      IN_FOLDER(sizes_are_checked),
      IN_FOLDER(labels_are_checked),
      IN_FOLDER(other_files_are_refused),
      IN_FOLDER(truncated_files_are_refused),
      IN_FOLDER(corrupt_files_are_refused),
      IN_FOLDER(headers_are_checked),
  };
  return cmocka_run_group_tests_name("svhn", tests, NULL, NULL);
}
