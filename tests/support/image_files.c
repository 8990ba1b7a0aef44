#define _XOPEN_SOURCE 700

#include "support/image_files.h"

#include <zlib.h>

#include "support/test.h"

/* Where stb_image_write puts bytes. */
static void add_to_text(void *text, void *bytes, int size) {
  gf__text_add_bytes(text, bytes, (size_t)size);
}

/* Pixels (height, width, channels), all of one colour. The caller frees. */
static uint8_t *plain_pixels(int height, int width, int channels, const uint8_t *colour) {
  size_t size = (size_t)height * (size_t)width * (size_t)channels;
  uint8_t *pixels = malloc(size);
  assert_non_null(pixels);
  for (size_t i = 0; i < size; i++) pixels[i] = colour[i % (size_t)channels];
  return pixels;
}

gf__text make_jpeg(int height, int width, int channels, const uint8_t *colour) {
  gf__text file = {0};
  uint8_t *pixels = plain_pixels(height, width, channels, colour);
  assert_true(stbi_write_jpg_to_func(add_to_text, &file, width, height, channels, pixels, 100));
  free(pixels);
  return file;
}

static void add_big(gf__text *out, uint32_t value) {
  uint8_t bytes[4];
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (24 - 8 * i));
  gf__text_add_bytes(out, bytes, 4);
}

static void add_chunk(gf__text *out, const char *name, const void *bytes, size_t size) {
  add_big(out, (uint32_t)size);
  size_t start = out->size;
  gf__text_add_bytes(out, name, 4);
  gf__text_add_bytes(out, bytes, size);
  add_big(out, (uint32_t)crc32(0, (const uint8_t *)out->data + start, (uInt)(size + 4)));
}

gf__text make_png(const png *p) {
  gf__text file = {0}, header = {0};
  gf__text_add_bytes(&file, "\x89PNG\r\n\x1a\n", 8);
  add_big(&header, p->width);
  add_big(&header, p->height);
  gf__text_add_bytes(&header, (const uint8_t[]){p->depth, p->colour_type, 0, 0, p->interlaced}, 5);
  add_chunk(&file, "IHDR", header.data, header.size);
  gf__text_free(&header);
  if (p->extra) add_chunk(&file, p->extra, "", 0);
  if (p->palette) add_chunk(&file, "PLTE", p->palette, 3 * p->colours);
  uLongf packed_size = compressBound((uLong)p->size);
  uint8_t *packed = malloc(packed_size);
  assert_non_null(packed);
  assert_int_equal(compress2(packed, &packed_size, p->rows, (uLong)p->size, 9), Z_OK);
  add_chunk(&file, "IDAT", packed, packed_size);
  add_chunk(&file, "IEND", "", 0);
  free(packed);
  assert_int_equal(gf__text_status(&file), GF_OK);
  return file;
}
