/* data.checksums: files are what their SHA-256 says. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/data.h>

#include "data/dataset.h"
#include "support/data_files.h"
#include "support/image_files.h"
#include "support/test.h"

/* Of three CIFAR-100 records of zeros, and of "abc" (FIPS 180-2, B.1), by coreutils' sha256sum. */
#define ZEROS "208d18d7c2a1e079bee7eb6864560a239c36f173ddcf3025ab1893208983bbf3"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void write_zeros(const char *name) {
  static const uint8_t zeros[3 * 3074];
  write_bytes(name, zeros, sizeof zeros);
}

static void right_checksums_pass(void **state) {
  (void)state;
  write_zeros("train.bin");
  static const char *const maps[] = {
      "  checksums: {train.bin: " ZEROS "}\n",
      "  checksums:\n    train.bin: "
      "\"208D18D7C2A1E079BEE7EB6864560A239C36F173DDCF3025AB1893208983BBF3\"\n    test.bin: " ABC
      "\n",
      "  checksums: {}\n", "  checksums:\n"};
  for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
    gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "cifar100", maps[i]);
    gf_dataset_free(&dataset);
  }
}

static void wrong_checksums_are_refused(void **state) {
  (void)state;
  write_zeros("train.bin");
  check_fails(GF_SPLIT_TRAIN, "cifar100",
              "  checksums: {train.bin: "
              "208d18d7c2a1e079bee7eb6864560a239c36f173ddcf3025ab1893208983bbf0}\n",
              GF_ERROR_DATA,
              "%s/train.bin has the SHA-256 " ZEROS
              ", but data.checksums expects "
              "208d18d7c2a1e079bee7eb6864560a239c36f173ddcf3025ab1893208983bbf0"
              ": the file is damaged or another one; fetch it again",
              fixture_folder);
  damage("train.bin", 3 * 3074, 1000, 1);
  check_fails(
      GF_SPLIT_TRAIN, "cifar100", "  checksums: {train.bin: " ZEROS "}\n", GF_ERROR_DATA,
      "%s/train.bin has the SHA-256 "
      "d4b83bd785c64abe9f832428c8f09dc4c285799e75e3c3efd746b0d201be9aad, but data.checksums "
      "expects " ZEROS ": the file is damaged or another one; fetch it again",
      fixture_folder);
  check_fails(GF_SPLIT_VALIDATION, "cifar100", "  checksums: {test.bin: " ZEROS "}\n",
              GF_ERROR_CONFIG,
              "test.yaml:4:3: data.checksums has no SHA-256 of train.bin, which is read");
}

/* The digest is that of the file that is read, and that is the compressed one. */
static void compressed_files_are_summed_as_they_are(void **state) {
  (void)state;
  write_idx("t10k", 3, 28, 28, 6);
  check_fails(GF_SPLIT_TEST, "mnist", "  checksums: {t10k-images-idx3-ubyte: " ABC "}\n",
              GF_ERROR_CONFIG,
              "test.yaml:4:3: data.checksums has no SHA-256 of t10k-images-idx3-ubyte.gz, which is "
              "read");
  gf_dataset *dataset = NULL;
  assert_int_equal(try_open(&dataset, GF_SPLIT_TEST, "mnist",
                            "  checksums: {t10k-images-idx3-ubyte.gz: " ABC "}\n"),
                   GF_ERROR_DATA);
  assert_non_null(strstr(gf_error_message(), "but data.checksums expects " ABC));
}

static void wrong_maps_of_checksums_are_refused(void **state) {
  (void)state;
  write_zeros("train.bin");
  check_fails(GF_SPLIT_TRAIN, "cifar100", "  checksums: {trian.bin: " ABC "}\n", GF_ERROR_CONFIG,
              "test.yaml:4:15: data.checksums has 'trian.bin', which is no file of cifar100; it is "
              "read from train.bin and test.bin");
  static const char *const wrong[] = {"abc", "[]", ABC "0",
                                      ("xa7816bf8f01cfea414140de5dae2223b00361"
                                       "a396177a9cb410ff61f20015ad")};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char more[256];
    snprintf(more, sizeof more, "  checksums: {train.bin: %s}\n", wrong[i]);
    check_fails(GF_SPLIT_TRAIN, "cifar100", more, GF_ERROR_CONFIG,
                "test.yaml:4:15: data.checksums needs a SHA-256 of 64 hexadecimal digits for "
                "train.bin, as sha256sum prints it");
  }
  check_fails(GF_SPLIT_TRAIN, "cifar100", "  checksums: " ABC "\n", GF_ERROR_CONFIG,
              "test.yaml:4:3: data.checksums must be a mapping of files to SHA-256 digests");
  check_fails(GF_SPLIT_TRAIN, "cifar100", "  checksums: [" ABC "]\n", GF_ERROR_CONFIG,
              "test.yaml:4:3: data.checksums must be a mapping of files to SHA-256 digests");
}

/* Of the many files of a folder those that are named are checked, whatever bad_file says. */
static void images_of_a_folder_are_summed_one_by_one(void **state) {
  (void)state;
  static const char small[] =
      "  resize: 4\n  image_size: 4\n  validation: 0\n  bad_file: skip\n  checksums: "
      "{train/%s: " ABC "}\n";
  char more[256], start[128];
  uint8_t grey = 9;
  gf__text file = make_jpeg(4, 4, 1, &grey);
  assert_int_equal(gf__make_folder(in_folder("train/a")), GF_OK);
  write_bytes("train/a/1.jpg", file.data, file.size);
  write_bytes("train/a/2.jpg", "abc", 3);
  snprintf(more, sizeof more, small, "a/2.jpg"); /* the digest is right, but it is no image */
  gf_dataset *dataset = open_split(GF_SPLIT_TRAIN, "image_folder", more);
  assert_int_equal(gf_dataset_describe(dataset).count, 1);
  gf_dataset_free(&dataset);
  write_bytes("train/a/2.jpg", file.data, file.size);
  gf__text_free(&file);
  snprintf(more, sizeof more, small, "a/2.jpg");
  assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "image_folder", more), GF_ERROR_DATA);
  snprintf(start, sizeof start, "%s/train/a/2.jpg has the SHA-256 ", fixture_folder);
  assert_memory_equal(gf_error_message(), start, strlen(start));
  snprintf(more, sizeof more, small, "");
  assert_int_equal(try_open(&dataset, GF_SPLIT_TRAIN, "image_folder", more), GF_ERROR_CONFIG);
}

/* The resolved config of a run checks what the config did, though that is gone. */
static void checksums_are_written_resolved(void **state) {
  (void)state;
  write_zeros("train.bin");
  gf_dataset *dataset =
      open_split(GF_SPLIT_TRAIN, "cifar100", "  checksums: {train.bin: " ZEROS "}\n");
  gf__text text = {0};
  gf__text_add(&text, "data:\n");
  gf__data_write(&text, 2, dataset);
  assert_int_equal(gf__text_status(&text), GF_OK);
  assert_non_null(strstr(text.data, "  checksums:\n    train.bin: " ZEROS "\n"));
  gf_dataset_free(&dataset);
  write_cifar("train.bin", 2, 100, 0, 3);
  gf_config *config = NULL;
  assert_int_equal(gf_config_parse(&config, "resolved.yaml", text.data), GF_OK);
  assert_int_equal(gf_dataset_open(&dataset, config, GF_SPLIT_TRAIN), GF_ERROR_DATA);
  assert_non_null(strstr(gf_error_message(), "but data.checksums expects " ZEROS));
  gf_config_free(&config);
  gf__text_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(right_checksums_pass),
      IN_FOLDER(wrong_checksums_are_refused),
      IN_FOLDER(compressed_files_are_summed_as_they_are),
      IN_FOLDER(wrong_maps_of_checksums_are_refused),
      IN_FOLDER(images_of_a_folder_are_summed_one_by_one),
      IN_FOLDER(checksums_are_written_resolved),
  };
  return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
