#define _XOPEN_SOURCE 700

#include "support/event_files.h"

#include "support/test.h"

uint64_t little_endian(const unsigned char *p, int bytes) {
  uint64_t bits = 0;
  while (bytes--) bits = bits << 8 | p[bytes];
  return bits;
}

static uint64_t take_varint(const unsigned char **p, const unsigned char *end) {
  uint64_t number = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (*p >= end) fail_msg("a varint is cut off");
    unsigned char byte = *(*p)++;
    number |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return number;
  }
  fail_msg("a varint does not end");
  return 0;
}

/* The next field from *p on; false at the end. */
static bool take_field(const unsigned char **p, const unsigned char *end, field *out) {
  if (*p == end) return false;
  uint64_t key = take_varint(p, end);
  *out = (field){.number = (int)(key >> 3), .type = (int)(key & 7)};
  switch (out->type) {
    case 0:
      out->bits = take_varint(p, end);
      return true;
    case 1:
      out->size = 8;
      break;
    case 2:
      out->size = take_varint(p, end);
      break;
    case 5:
      out->size = 4;
      break;
    default:
      fail_msg("wire type %d", out->type);
  }
  if ((size_t)(end - *p) < out->size) fail_msg("field %d is cut off", out->number);
  out->bytes = *p;
  if (out->type != 2) out->bits = little_endian(*p, (int)out->size);
  *p += out->size;
  return true;
}

field find_field(const unsigned char *message, size_t size, int number) {
  const unsigned char *p = message;
  field next, found = {0};
  int count = 0;
  while (take_field(&p, message + size, &next))
    if (next.number == number) found = next, count++;
  if (count != 1) fail_msg("field %d stands %d times", number, count);
  return found;
}

double double_of(uint64_t bits) {
  double number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

static double float_of(uint64_t bits) {
  uint32_t half = (uint32_t)bits;
  float number;
  memcpy(&number, &half, sizeof number);
  return (double)number;
}

/* By a table of the polynomial 0x1EDC6F41, most significant bit first, on bytes turned around: not
 * how the library does it. */
static uint32_t turned(uint32_t bits, int count) {
  uint32_t out = 0;
  for (int i = 0; i < count; i++) out |= (bits >> i & 1) << (count - 1 - i);
  return out;
}

uint32_t masked_checksum(const unsigned char *bytes, size_t size) {
  static uint32_t table[256];
  uint32_t crc = 0xffffffff;
  for (uint32_t i = 0; i < 256 && !table[255]; i++) {
    uint32_t entry = i << 24;
    for (int bit = 0; bit < 8; bit++) entry = entry << 1 ^ (entry >> 31 ? 0x1edc6f41 : 0);
    table[i] = entry;
  }
  for (size_t i = 0; i < size; i++) crc = crc << 8 ^ table[crc >> 24 ^ turned(bytes[i], 8)];
  crc = turned(~crc, 32);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void add_event_value(event_file *file, double time, long step, const field *value) {
  event_value *v = realloc(file->values, (size_t)(file->count + 1) * sizeof *v);
  assert_non_null(v);
  file->values = v;
  v += file->count++;
  field tag = find_field(value->bytes, value->size, 1), content = {0};
  const unsigned char *p = value->bytes;
  int fields = 0;
  for (field next; take_field(&p, value->bytes + value->size, &next); fields++)
    if (next.number != 1) content = next;
  assert_int_equal(fields, 2);
  *v = (event_value){.time = time, .step = step, .kind = content.number};
  assert_true(tag.size < sizeof v->tag);
  memcpy(v->tag, tag.bytes, tag.size);
  assert_int_equal(content.type, content.number == 2 ? 5 : 2);
  if (content.number == 2) v->scalar = float_of(content.bits);
  v->message = content.bytes;
  v->size = content.size;
}

static void read_event(event_file *file, const unsigned char *event, size_t size, bool is_first) {
  field time = find_field(event, size, 1);
  assert_int_equal(time.type, 1);
  if (is_first) {
    field version = find_field(event, size, 3);
    assert_int_equal(version.size, strlen("brain.Event:2"));
    assert_memory_equal(version.bytes, "brain.Event:2", version.size);
    return;
  }
  field step = find_field(event, size, 2), summary = find_field(event, size, 5), value;
  assert_int_equal(step.type, 0);
  const unsigned char *p = summary.bytes;
  while (take_field(&p, summary.bytes + summary.size, &value)) {
    assert_int_equal(value.number, 1);
    add_event_value(file, double_of(time.bits), (long)step.bits, &value);
  }
}

event_file read_events(char *bytes, size_t size) {
  event_file file = {.bytes = bytes};
  const unsigned char *start = (const unsigned char *)bytes, *p = start, *end = start + size;
  while (p < end) {
    assert_true(end - p >= 16);
    uint64_t length = little_endian(p, 8);
    assert_true(length <= (uint64_t)(end - p) - 16);
    assert_int_equal(little_endian(p + 8, 4), masked_checksum(p, 8));
    assert_int_equal(little_endian(p + 12 + length, 4), masked_checksum(p + 12, length));
    read_event(&file, p + 12, length, p == start);
    p += length + 16;
  }
  return file;
}

void free_events(event_file *file) {
  free(file->bytes);
  free(file->values);
  *file = (event_file){0};
}
