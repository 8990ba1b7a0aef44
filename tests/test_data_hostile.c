/* Files of images that are damaged, of another kind, or made to do harm. */
#define _XOPEN_SOURCE 700 /* mkdtemp, truncate */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gradflow/data.h>

#include "support/data_files.h"
#include "support/test.h"

/* ---- CIFAR ---- */

static void broken_cifar_files_are_refused(void **state) {
  (void)state;
  check_fails(GF_SPLIT_TRAIN, "cifar100", "", GF_ERROR_FILE,
              "there is no train.bin in %s; cifar100 is read from train.bin and test.bin; run "
              "gradflow fetch cifar100, or get cifar-100-binary.tar.gz from "
              "https://www.cs.toronto.edu/~kriz/cifar.html and "
              "unpack it",
              fixture_folder);
  write_cifar("train.bin", 2, 100, 0, 3);
  damage("train.bin", 3 * 3074 - 1, -1, 0);
  check_fails(GF_SPLIT_TRAIN, "cifar100", "", GF_ERROR_DATA,
              "%s/train.bin has 9221 bytes; a cifar100 file is a whole number of records of 3074 "
              "bytes each: the file is damaged or of another data set; fetch it again",
              fixture_folder);
  damage("train.bin", 0, -1, 0);
  check_fails(GF_SPLIT_TRAIN, "cifar100", "", GF_ERROR_DATA,
              "%s/train.bin has 0 bytes; a cifar100 file is a whole number of records of 3074 "
              "bytes each: the file is damaged or of another data set; fetch it again",
              fixture_folder);
  write_cifar("train.bin", 2, 100, 0, 3);
  damage("train.bin", 3 * 3074, 3074 + 1, 100);
  /* Labels of records outside the split are checked as well. */
  for (gf_split split = GF_SPLIT_TRAIN; split <= GF_SPLIT_VALIDATION; split++)
    check_fails(split, "cifar100", "  validation: 1\n", GF_ERROR_DATA,
                "%s/train.bin: record 1 (counted from 0) has the label 100; those of cifar100 are "
                "0 to 99: the file is damaged or of another data set",
                fixture_folder);
  assert_int_equal(gf__make_folder(in_folder("test.bin")), GF_OK);
  check_fails(GF_SPLIT_TEST, "cifar100", "", GF_ERROR_FILE,
              "cannot read %s/test.bin: it is a folder", fixture_folder);
  write_cifar10();
  assert_int_equal(remove(in_folder("data_batch_3.bin")), 0);
  check_fails(GF_SPLIT_TRAIN, "cifar10", "", GF_ERROR_FILE,
              "there is no data_batch_3.bin in %s; cifar10 is read from data_batch_1.bin to "
              "data_batch_5.bin and test_batch.bin; run gradflow fetch cifar10, or get "
              "cifar-10-binary.tar.gz from "
              "https://www.cs.toronto.edu/~kriz/cifar.html and unpack it",
              fixture_folder);
}

static void a_wrong_label_of_cifar10_is_refused(void **state) {
  (void)state;
  write_cifar10();
  damage("data_batch_4.bin", 4 * 3073, 2 * 3073, 10);
  check_fails(GF_SPLIT_TRAIN, "cifar10", "", GF_ERROR_DATA,
              "%s/data_batch_4.bin: record 2 (counted from 0) has the label 10; those of cifar10 "
              "are 0 to 9: the file is damaged or of another data set",
              fixture_folder);
}

/* Nothing but holes, so that it takes no room on the disk. */
static void cifar_files_of_too_many_records_are_refused(void **state) {
  (void)state;
  write_bytes("test.bin", "", 0);
  if (truncate(in_folder("test.bin"), (off_t)10000001 * 3074) != 0) {
    print_message("skipped: this file system has no files of 31 GB\n");
    skip();
  }
  check_fails(GF_SPLIT_TEST, "cifar100", "", GF_ERROR_DATA,
              "%s/test.bin has 10000001 records; at most 10000000 are supported", fixture_folder);
}

/* ---- IDX ---- */

#define IMAGES "t10k-images-idx3-ubyte"
#define LABELS "t10k-labels-idx1-ubyte"

static void fails_idx(const char *format, const char *file) {
  check_fails(GF_SPLIT_TEST, "mnist", "", GF_ERROR_DATA, format, fixture_folder, file);
}

static void wrong_idx_headers_are_refused(void **state) {
  (void)state;
  write_idx("t10k", 3, 28, 28, -1);
  damage(IMAGES, 16 + 3 * 784, 3, 1);
  fails_idx(
      "%s/%s begins with 0x00000801 instead of 0x00000803: it is no IDX file of bytes with 3 "
      "dimensions",
      IMAGES);
  write_idx("t10k", 3, 28, 28, -1);
  damage(LABELS, 8 + 3, 2, 9);
  fails_idx(
      "%s/%s begins with 0x00000901 instead of 0x00000801: it is no IDX file of bytes with 1 "
      "dimension",
      LABELS);
  write_idx("t10k", 3, 28, 28, -1);
  damage(IMAGES, 7, -1, 0);
  fails_idx("%s/%s is truncated: it ends after 7 of 16 bytes of data; fetch it again", IMAGES);
  write_idx("t10k", 3, 28, 28, -1);
  damage(LABELS, 8 + 3, 7, 4);
  check_fails(GF_SPLIT_TEST, "mnist", "", GF_ERROR_DATA,
              "%s/" IMAGES " announces 3 images, but %s/" LABELS
              " announces 4 labels; the two "
              "files do not belong together",
              fixture_folder, fixture_folder);
  write_idx("t10k", 3, 28, 28, -1);
  damage(IMAGES, 16 + 3 * 784, 4, 255);
  fails_idx("%s/%s: the header announces 4278190083 records; 1 to 10000000 are supported", IMAGES);
  write_idx("t10k", 3, 28, 28, -1);
  damage(IMAGES, 16 + 3 * 784, 7, 0);
  fails_idx("%s/%s: the header announces 0 records; 1 to 10000000 are supported", IMAGES);
  write_idx("t10k", 3, 28, 28, -1);
  damage(IMAGES, 16 + 3 * 784, 10, 4);
  fails_idx(
      "%s/%s: the header announces images of 1052 x 28 pixels; 1 to 1024 a side are "
      "supported",
      IMAGES);
  write_idx("t10k", 3, 28, 28, -1);
  damage(IMAGES, 16 + 3 * 784, 5, 0x10); /* 0x100003 images */
  fails_idx(
      "%s/%s has 2368 bytes, which cannot hold the 822085952 that its header announces; "
      "fetch it again",
      IMAGES);
}

static void wrong_idx_contents_are_refused(void **state) {
  (void)state;
  write_idx("t10k", 3, 28, 28, -1);
  damage(LABELS, 8 + 3, 10, 10);
  fails_idx(
      "%s/%s: record 2 (counted from 0) has the label 10; those of mnist are 0 to 9: the "
      "file is damaged or of another data set",
      LABELS);
  write_idx("t10k", 3, 28, 28, -1);
  damage(IMAGES, 16 + 3 * 784 - 1, -1, 0);
  fails_idx("%s/%s is truncated: it ends after 2367 of 2368 bytes of data; fetch it again", IMAGES);
  write_idx("t10k", 3, 28, 28, -1);
  damage(LABELS, 8 + 2, -1, 0);
  fails_idx("%s/%s is truncated: it ends after 10 of 11 bytes of data; fetch it again", LABELS);
  write_idx("t10k", 3, 28, 28, -1);
  damage(IMAGES, 16 + 3 * 784 + 1, -1, 0);
  fails_idx("%s/%s holds more than the 2368 bytes that its header announces; fetch it again",
            IMAGES);
  write_idx("t10k", 3, 28, 28, -1);
  damage(LABELS, 8 + 4, -1, 0);
  fails_idx("%s/%s holds more than the 11 bytes that its header announces; fetch it again", LABELS);
  assert_int_equal(remove(in_folder(LABELS)), 0);
  check_fails(GF_SPLIT_TEST, "fashion_mnist", "", GF_ERROR_FILE,
              "there is no " LABELS
              " in %s; fashion_mnist is read from train-images-idx3-ubyte, "
              "train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each "
              "compressed (.gz) or not; run gradflow fetch fashion-mnist, or install Debian's "
              "dataset-fashion-mnist, or get them from "
              "https://github.com/zalandoresearch/fashion-mnist",
              fixture_folder);
}

static void broken_gzip_files_are_refused(void **state) {
  (void)state;
  /* Level 0 stores: 10 bytes of header, 5 of the block, the data, 8 of checksum and length. */
  const size_t size = 10 + 5 + 16 + 3 * 784 + 8;
  write_idx("t10k", 3, 28, 28, 0);
  assert_int_equal(size_of(IMAGES ".gz"), size);
  gf_dataset *dataset = open_split(GF_SPLIT_TEST, "mnist", "");
  gf_dataset_free(&dataset);
  damage(IMAGES ".gz", 10 + 5 + 1000, -1, 0);
  fails_idx("%s/%s is truncated: it ends after 1000 of 2368 bytes of data; fetch it again",
            IMAGES ".gz");
  write_idx("t10k", 3, 28, 28, 0);
  damage(IMAGES ".gz", size - 5, -1, 0);
  fails_idx("%s/%s is truncated: its checksum is missing; fetch it again", IMAGES ".gz");
  write_idx("t10k", 3, 28, 28, 0);
  uint8_t other = (uint8_t)(pixel_of(1, 0, 0, 0) + 1);
  damage(IMAGES ".gz", size, 10 + 5 + 16 + 784, other);
  fails_idx("%s/%s is corrupt (zlib: incorrect data check); fetch it again", IMAGES ".gz");
  write_idx("t10k", 3, 28, 28, 9);
  /* The two bits of the block's type become 3, which does not exist. */
  damage(LABELS ".gz", size_of(LABELS ".gz"), 10, 7);
  fails_idx("%s/%s is corrupt (zlib: invalid block type); fetch it again", LABELS ".gz");
}

static void an_idx_that_is_no_file_is_refused(void **state) {
  (void)state;
  write_idx("t10k", 3, 28, 28, -1);
  damage(LABELS, 0, -1, 0);
  fails_idx("%s/%s is truncated: it ends after 0 of 8 bytes of data; fetch it again", LABELS);
  assert_int_equal(remove(in_folder(IMAGES)), 0);
  assert_int_equal(gf__make_folder(in_folder(IMAGES)), GF_OK);
  check_fails(GF_SPLIT_TEST, "mnist", "", GF_ERROR_FILE,
              "cannot read %s/" IMAGES ": it is a folder", fixture_folder);
}

/* 100 MB of zeros in 100 KB: what follows the announced data is not unpacked, and what cannot be
 * in the file is not waited for. */
static void gzip_bombs_are_refused(void **state) {
  (void)state;
  enum { HUGE_SIZE = 100 << 20 };
  uint8_t *bytes = calloc(HUGE_SIZE, 1);
  assert_non_null(bytes);
  write_idx("t10k", 3, 28, 28, -1);
  put_header(bytes, 0x803, (uint32_t[]){3, 28, 28}, 3);
  write_packed(IMAGES, bytes, HUGE_SIZE, 9);
  fails_idx("%s/%s holds more than the 2368 bytes that its header announces; fetch it again",
            IMAGES ".gz");
  put_header(bytes, 0x803, (uint32_t[]){10000000, 1024, 1024}, 3);
  write_packed(IMAGES, bytes, HUGE_SIZE, 9);
  check_fails(
      GF_SPLIT_TEST, "mnist", "", GF_ERROR_DATA,
      "%s/%s has %zu bytes, which cannot hold the 10485760000016 that its header announces; "
      "fetch it again",
      fixture_folder, IMAGES ".gz", size_of(IMAGES ".gz"));
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(broken_cifar_files_are_refused),
      IN_FOLDER(a_wrong_label_of_cifar10_is_refused),
      IN_FOLDER(cifar_files_of_too_many_records_are_refused),
      IN_FOLDER(wrong_idx_headers_are_refused),
      IN_FOLDER(wrong_idx_contents_are_refused),
      IN_FOLDER(broken_gzip_files_are_refused),
      IN_FOLDER(an_idx_that_is_no_file_is_refused),
      IN_FOLDER(gzip_bombs_are_refused),
  };
  return cmocka_run_group_tests_name("hostile data", tests, NULL, NULL);
}
