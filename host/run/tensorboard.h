/* Event files of TensorBoard: Event and Summary messages of its event.proto and summary.proto,
 * each in the framing of TFRecord files. */
#ifndef GF_RUN_TENSORBOARD_H
#define GF_RUN_TENSORBOARD_H

#include <stdint.h>

#include "base/text.h"

/* CRC-32C (Castagnoli), as RFC 3720 has it. */
uint32_t gf__crc32c(const void *bytes, size_t size);

/* Appends the event that an event file begins with. time: seconds since 1970. */
void gf__events_begin(gf__text *file, double time);
/* Appends an event with the values of a summary, which it frees; one without values is left out. */
void gf__events_add(gf__text *file, double time, long step, gf__text *summary);

/* Append a value to a summary. */
void gf__summary_add_scalar(gf__text *summary, const char *tag, double value);
/* Counts of the finite values in buckets of equal width from the least to the largest of them. */
void gf__summary_add_histogram(gf__text *summary, const char *tag, const float *values,
                               size_t count);
/* A PNG file as it is; one that is none is left out. */
void gf__summary_add_image(gf__text *summary, const char *tag, const void *png, size_t size);

#endif
