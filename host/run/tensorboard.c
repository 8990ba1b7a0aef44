/* The messages are few, so their protobuf encoding is written out here: a key (field and wire
 * type) and a value for each field. */
#include "run/tensorboard.h"

#include <math.h>
#include <string.h>

enum { VARINT = 0, EIGHT_BYTES = 1, LENGTH = 2, FOUR_BYTES = 5 }; /* wire types of protobuf */

/* Field numbers. */
enum { EVENT_TIME = 1, EVENT_STEP, EVENT_VERSION, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1 };
enum { VALUE_TAG = 1, VALUE_SCALAR, VALUE_IMAGE = 4, VALUE_HISTOGRAM };
enum { IMAGE_HEIGHT = 1, IMAGE_WIDTH, IMAGE_CHANNELS, IMAGE_FILE };
enum {
  HISTOGRAM_MINIMUM = 1,
  HISTOGRAM_MAXIMUM,
  HISTOGRAM_COUNT,
  HISTOGRAM_SUM,
  HISTOGRAM_SQUARES,
  HISTOGRAM_LIMITS,
  HISTOGRAM_BUCKETS
};

/* ---- wire ---- */

static void add_little_endian(gf__text *out, uint64_t bits, int bytes) {
  unsigned char encoded[8];
  for (int i = 0; i < bytes; i++) encoded[i] = (unsigned char)(bits >> (8 * i));
  gf__text_add_bytes(out, encoded, (size_t)bytes);
}

static void add_varint(gf__text *out, uint64_t number) {
  for (; number >= 0x80; number >>= 7) add_little_endian(out, (number & 0x7f) | 0x80, 1);
  add_little_endian(out, number, 1);
}

static void add_key(gf__text *out, int field, int type) {
  add_varint(out, (uint64_t)(field << 3 | type));
}

static void add_whole(gf__text *out, int field, uint64_t number) {
  add_key(out, field, VARINT);
  add_varint(out, number);
}

static void add_double_bits(gf__text *out, double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof bits);
  add_little_endian(out, bits, sizeof bits);
}

static void add_double(gf__text *out, int field, double number) {
  add_key(out, field, EIGHT_BYTES);
  add_double_bits(out, number);
}

static void add_float(gf__text *out, int field, float number) {
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  add_key(out, field, FOUR_BYTES);
  add_little_endian(out, bits, sizeof bits);
}

static void add_bytes(gf__text *out, int field, const void *bytes, size_t size) {
  add_key(out, field, LENGTH);
  add_varint(out, size);
  gf__text_add_bytes(out, bytes, size);
}

/* Frees the message. */
static void add_message(gf__text *out, int field, gf__text *message) {
  add_bytes(out, field, message->data, message->size);
  out->failed |= message->failed;
  gf__text_free(message);
}

/* ---- records ---- */

uint32_t gf__crc32c(const void *bytes, size_t size) {
  const unsigned char *p = bytes;
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < size; i++) {
    crc ^= p[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

/* TFRecord masks checksums, for files whose records hold checksums themselves. */
static void add_checksum(gf__text *file, const void *bytes, size_t size) {
  uint32_t crc = gf__crc32c(bytes, size);
  add_little_endian(file, (uint32_t)((crc >> 15 | crc << 17) + 0xa282ead8), 4);
}

/* Frees the event. */
static void add_record(gf__text *file, gf__text *event) {
  gf__text length = {0};
  add_little_endian(&length, event->size, 8);
  file->failed |= event->failed || length.failed;
  if (!file->failed) {
    gf__text_add_bytes(file, length.data, length.size);
    add_checksum(file, length.data, length.size);
    gf__text_add_bytes(file, event->data, event->size);
    add_checksum(file, event->data, event->size);
  }
  gf__text_free(&length);
  gf__text_free(event);
}

void gf__events_begin(gf__text *file, double time) {
  static const char version[] = "brain.Event:2";
  gf__text event = {0};
  add_double(&event, EVENT_TIME, time);
  add_bytes(&event, EVENT_VERSION, version, sizeof version - 1);
  add_record(file, &event);
}

void gf__events_add(gf__text *file, double time, long step, gf__text *summary) {
  gf__text event = {0};
  if (summary->size == 0 && !summary->failed) return;
  add_double(&event, EVENT_TIME, time);
  add_whole(&event, EVENT_STEP, (uint64_t)step);
  add_message(&event, EVENT_SUMMARY, summary);
  add_record(file, &event);
}

/* ---- values ---- */

void gf__summary_add_scalar(gf__text *summary, const char *tag, double value) {
  gf__text message = {0};
  add_bytes(&message, VALUE_TAG, tag, strlen(tag));
  add_float(&message, VALUE_SCALAR, (float)value);
  add_message(summary, SUMMARY_VALUE, &message);
}

/* Frees the message. */
static void add_value(gf__text *summary, const char *tag, int field, gf__text *message) {
  gf__text value = {0};
  add_bytes(&value, VALUE_TAG, tag, strlen(tag));
  add_message(&value, field, message);
  add_message(summary, SUMMARY_VALUE, &value);
}

enum { BUCKETS = 30 }; /* those that TensorBoard itself makes */

typedef struct histogram {
  double minimum, maximum, count, sum, squares;
  double buckets[BUCKETS];
} histogram;

static void measure(histogram *h, const float *values, size_t count) {
  *h = (histogram){.minimum = INFINITY, .maximum = -INFINITY};
  for (size_t i = 0; i < count; i++) {
    double v = values[i];
    if (!isfinite(v)) continue;
    h->minimum = fmin(h->minimum, v);
    h->maximum = fmax(h->maximum, v);
    h->count++;
    h->sum += v;
    h->squares += v * v;
  }
}

/* Values that are all the same are in the last bucket. */
static void fill(histogram *h, const float *values, size_t count) {
  double width = h->maximum - h->minimum;
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    double at = width > 0 ? (values[i] - h->minimum) / width * BUCKETS : BUCKETS;
    h->buckets[at < BUCKETS ? (int)at : BUCKETS - 1]++;
  }
}

void gf__summary_add_histogram(gf__text *summary, const char *tag, const float *values,
                               size_t count) {
  histogram h;
  gf__text message = {0}, limits = {0}, buckets = {0};
  measure(&h, values, count);
  if (h.count == 0) return;
  fill(&h, values, count);
  for (int i = 0; i < BUCKETS; i++) {
    add_double_bits(&limits, h.minimum + (h.maximum - h.minimum) * (i + 1) / BUCKETS);
    add_double_bits(&buckets, h.buckets[i]);
  }
  add_double(&message, HISTOGRAM_MINIMUM, h.minimum);
  add_double(&message, HISTOGRAM_MAXIMUM, h.maximum);
  add_double(&message, HISTOGRAM_COUNT, h.count);
  add_double(&message, HISTOGRAM_SUM, h.sum);
  add_double(&message, HISTOGRAM_SQUARES, h.squares);
  add_message(&message, HISTOGRAM_LIMITS, &limits);
  add_message(&message, HISTOGRAM_BUCKETS, &buckets);
  add_value(summary, tag, VALUE_HISTOGRAM, &message);
}

static uint64_t read_big_endian(const unsigned char *p) {
  return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

void gf__summary_add_image(gf__text *summary, const char *tag, const void *png, size_t size) {
  /* The signature, and the first chunk: its length, its name, then width and height. */
  static const unsigned char head[16] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n',
                                         0,    0,   0,   13,  'I',  'H',  'D',  'R'};
  enum { WIDTH_AT = 16, HEIGHT_AT = 20, LEAST = 33, RGB = 3 };
  const unsigned char *p = png;
  gf__text message = {0};
  if (size < LEAST || memcmp(p, head, sizeof head) != 0) return;
  add_whole(&message, IMAGE_HEIGHT, read_big_endian(p + HEIGHT_AT));
  add_whole(&message, IMAGE_WIDTH, read_big_endian(p + WIDTH_AT));
  add_whole(&message, IMAGE_CHANNELS, RGB);
  add_bytes(&message, IMAGE_FILE, png, size);
  add_value(summary, tag, VALUE_IMAGE, &message);
}
