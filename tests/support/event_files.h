/* Reads event files of TensorBoard by what TFRecord and protobuf say of them. */
#ifndef SUPPORT_EVENT_FILES_H
#define SUPPORT_EVENT_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A field of a protobuf message: a number (of wire types 0, 1 and 5) or bytes (of 2). */
typedef struct field {
  int number, type;
  uint64_t bits;
  const unsigned char *bytes;
  size_t size;
} field;

uint64_t little_endian(const unsigned char *p, int bytes);

/* The field of that number in a message, which has it once. */
field find_field(const unsigned char *message, size_t size, int number);

double double_of(uint64_t bits);
uint32_t masked_checksum(const unsigned char *bytes, size_t size);

/* A value of an event. */
typedef struct event_value {
  double time;
  long step;
  char tag[96];
  int kind; /* 2: scalar, 4: image, 5: histogram */
  double scalar;
  const unsigned char *message; /* of the others; in the file */
  size_t size;
} event_value;

typedef struct event_file {
  char *bytes;
  event_value *values;
  int count;
} event_file;

/* Every record of the bytes, which the file takes over. */
event_file read_events(char *bytes, size_t size);

void free_events(event_file *file);

#endif
