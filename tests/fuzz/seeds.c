/* Writes the corpora that the fuzz targets begin with: small valid files, FOLDER/TARGET/FILE. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data_fixture.h"
#include "image_files.h"
#include "mat_files.h"
#include "model/safetensors.h"

/* Appends a file's bytes. */
static void add_file(gf__text *out, const char *name) {
  char *bytes = NULL;
  size_t size = 0;
  assert_int_equal(gf__file_read(in_folder(name), &bytes, &size), GF_OK);
  gf__text_add_bytes(out, bytes, size);
  free(bytes);
}

static void save(const char *name, gf__text *text) {
  assert_int_equal(gf__text_status(text), GF_OK);
  write_bytes(name, text->data, text->size);
  gf__text_free(text);
}

static void write_idx_seed(int packed) {
  static const char *const labels[] = {"t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"};
  static const char *const images[] = {"t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"};
  gf__text seed = {0}, file = {0};
  write_idx("t10k", 2, 5, 4, packed ? 9 : -1);
  add_file(&file, labels[packed]);
  gf__text_add_bytes(&seed, (uint8_t[]){(uint8_t)packed, 0, (uint8_t)file.size}, 3);
  gf__text_add_bytes(&seed, file.data, file.size);
  gf__text_free(&file);
  add_file(&seed, images[packed]);
  save(packed ? "fuzz_idx/packed" : "fuzz_idx/plain", &seed);
  assert_int_equal(remove(in_folder(labels[packed])), 0);
  assert_int_equal(remove(in_folder(images[packed])), 0);
}

static void write_image_seeds(void) {
  static const struct {
    const char *name;
    png file;
  } pngs[] = {
      {"grey", {2, 1, 8, 0, .rows = "\0\1\2", .size = 3}},
      {"grey_alpha", {2, 1, 8, 4, .rows = "\0\1\2\3\4", .size = 5}},
      {"rgb", {2, 1, 8, 2, .rows = "\0\1\2\3\4\5\6", .size = 7}},
      {"rgba", {2, 1, 8, 6, .rows = "\0\1\2\3\4\5\6\7\10", .size = 9}},
      {"grey16", {2, 1, 16, 0, .rows = "\0\1\2\3\4", .size = 5}},
      {"interlaced", {2, 1, 8, 0, 1, .rows = "\0\1\0\2", .size = 4}},
      {"palette",
       {2, 1, 1, 3, .rows = "\0\100", .size = 2, .palette = (const uint8_t *)"abcdef",
        .colours = 2}},
  };
  for (size_t i = 0; i < sizeof pngs / sizeof *pngs; i++) {
    char name[64];
    gf__text seed = make_png(&pngs[i].file);
    snprintf(name, sizeof name, "fuzz_image_folder/%s", pngs[i].name);
    save(name, &seed);
  }
  gf__text colour = make_jpeg(9, 8, 3, (const uint8_t *)"\200\50\10");
  save("fuzz_image_folder/jpeg", &colour);
  gf__text grey = make_jpeg(3, 17, 1, (const uint8_t *)"\200");
  save("fuzz_image_folder/jpeg_grey", &grey);
}

static void write_mat_seed(const char *name, const mat_flaw *kind) {
  gf__text seed = make_mat(kind);
  save(name, &seed);
}

static void write_safetensors_seed(void) {
  float weight[6] = {1, 2, 3, 4, 5, 6}, bias[3] = {7, 8, 9};
  gf__named_tensor tensors[] = {{"a.weight", {3, 2}, 2, 6, weight}, {"a.bias", {3}, 1, 3, bias}};
  for (int i = 0; i < 2; i++)
    assert_int_equal(
        gf__safetensors_write(in_folder(i ? "fuzz_safetensors/run" : "fuzz_safetensors/weights"),
                              tensors, 2, i ? "{\"epoch\": 1}" : NULL),
        GF_OK);
}

static void write_text_seed(const char *name, const char *text, size_t size) {
  write_bytes(name, text, size);
}

static void write_seeds(void) {
  static const char *const targets[] = {"fuzz_idx",          "fuzz_cifar", "fuzz_mat",
                                        "fuzz_image_folder", "fuzz_csv",   "fuzz_yaml",
                                        "fuzz_safetensors"};
  static const char csv[] = "epoch,layer,l2\n1,conv_0,0.5\n2,conv_1,nan\r\n";
  static const char yaml[] =
      "# of all kinds\ndata: {name: mnist, path: 'a b', mean: [0.1]}\n"
      "model:\n  graph:\n    - {name: a, type: relu}\n  text: \"\\u00e9\\n\"\n\0data.mean=[1, 2e3]";
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
    assert_int_equal(gf__make_folder(in_folder(targets[i])), GF_OK);
  write_idx_seed(0);
  write_idx_seed(1);
  write_cifar("fuzz_cifar/one", 1, 10, 0, 1);
  write_mat_seed("fuzz_mat/plain", &(mat_flaw){0});
  write_mat_seed("fuzz_mat/numbers", &(mat_flaw){.y_class = CLASS_DOUBLE});
  write_mat_seed("fuzz_mat/packed", &(mat_flaw){.compressed = 1});
  write_image_seeds();
  write_text_seed("fuzz_csv/run", csv, sizeof csv - 1);
  write_text_seed("fuzz_yaml/config", yaml, sizeof yaml - 1);
  write_safetensors_seed();
}

int main(int argc, char **argv) {
  if (argc != 2 || strlen(argv[1]) >= sizeof fixture_folder) {
    fprintf(stderr, "usage: seeds FOLDER (of a path below %zu bytes)\n", sizeof fixture_folder);
    return 2;
  }
  strcpy(fixture_folder, argv[1]);
  write_seeds();
  return 0;
}
