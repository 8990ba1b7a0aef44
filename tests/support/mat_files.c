#define _XOPEN_SOURCE 700

#include "support/mat_files.h"

#include <zlib.h>

#include "support/test.h"

static void add_u32(gf__text *out, uint32_t value) {
  uint8_t bytes[4];
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (8 * i));
  gf__text_add_bytes(out, bytes, 4);
}

static void add_element(gf__text *out, uint32_t type, const void *bytes, size_t size) {
  static const uint8_t zeros[8];
  add_u32(out, type);
  add_u32(out, (uint32_t)size);
  gf__text_add_bytes(out, bytes, size);
  gf__text_add_bytes(out, zeros, (8 - size % 8) % 8);
}

void add_matrix(gf__text *out, const mat_flaw *f, const char *name, uint32_t class_and_flags,
                const int *dims, size_t rank, uint32_t type, const void *data, size_t size) {
  gf__text body = {0}, flags = {0}, sizes = {0}, matrix = {0};
  add_u32(&flags, class_and_flags);
  add_u32(&flags, 0);
  for (size_t i = 0; i < rank; i++) add_u32(&sizes, (uint32_t)dims[i]);
  add_element(&body, UINT32, flags.data, flags.size);
  add_element(&body, INT32, sizes.data, sizes.size);
  add_element(&body, INT8, name, strlen(name));
  add_element(&body, type, data, size);
  add_element(&matrix, MATRIX, body.data, body.size);
  if (f->compressed) {
    uLongf packed_size = compressBound((uLong)matrix.size);
    uint8_t *packed = malloc(packed_size);
    assert_non_null(packed);
    assert_int_equal(compress2(packed, &packed_size, (uint8_t *)matrix.data, (uLong)matrix.size, 6),
                     Z_OK);
    add_u32(out, COMPRESSED);
    add_u32(out, (uint32_t)packed_size);
    gf__text_add_bytes(out, packed, packed_size); /* without padding, by the format */
    free(packed);
  } else {
    gf__text_add_bytes(out, matrix.data, matrix.size);
  }
  gf__text_free(&body);
  gf__text_free(&flags);
  gf__text_free(&sizes);
  gf__text_free(&matrix);
}

void add_mat_header(gf__text *out) {
  char text[125];
  snprintf(text, sizeof text, "%-124s", "MATLAB 5.0 MAT-file, Platform: GLNXA64");
  gf__text_add_bytes(out, text, 124);
  gf__text_add_bytes(out, "\x00\x01IM", 4);
}

static void add_mat_images(gf__text *out, const mat_flaw *f) {
  static const int right[] = {32, 32, 3, MAT_COUNT};
  uint8_t *bytes = malloc(MAT_COUNT * PIXELS), *p = bytes;
  assert_non_null(bytes);
  for (int i = 0; i < MAT_COUNT; i++)
    for (int c = 0; c < 3; c++)
      for (int x = 0; x < SIDE; x++)
        for (int y = 0; y < SIDE; y++) *p++ = pixel_of(i, c, y, x);
  add_matrix(out, f, f->x_name ? f->x_name : "X",
             (uint32_t)(f->x_class ? f->x_class : CLASS_UINT8) | f->x_flags,
             f->x_dims[0] ? f->x_dims : right, 4, UINT8, bytes, MAT_COUNT * PIXELS - f->x_missing);
  free(bytes);
}

int mat_label(int record) { return record % 10 + 1; } /* as the file has it, 1 to 10 */

static void add_mat_labels(gf__text *out, const mat_flaw *f) {
  static const int right[] = {MAT_COUNT, 1};
  uint8_t bytes[MAT_COUNT];
  double numbers[MAT_COUNT];
  for (int i = 0; i < MAT_COUNT; i++) {
    int label = i == f->label_at - 1 ? f->label : i == 0 ? 10 : mat_label(i);
    bytes[i] = (uint8_t)label;
    numbers[i] = i == f->label_at - 1 ? f->label_number : label;
  }
  const int *dims = f->y_dims[0] ? f->y_dims : right;
  if (f->y_class == CLASS_DOUBLE)
    add_matrix(out, f, "y", CLASS_DOUBLE, dims, 2, DOUBLE, numbers, sizeof numbers);
  else
    add_matrix(out, f, "y", (uint32_t)(f->y_class ? f->y_class : CLASS_UINT8), dims, 2, UINT8,
               bytes, sizeof bytes);
}

gf__text make_mat(const mat_flaw *f) {
  gf__text file = {0};
  add_mat_header(&file);
  add_mat_images(&file, f);
  add_mat_labels(&file, f);
  assert_int_equal(gf__text_status(&file), GF_OK);
  return file;
}
