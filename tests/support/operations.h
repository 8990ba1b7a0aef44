/* What the tests of work on a device share: the device, numbers to feed it, and
 * comparisons with references in double precision, as host/verify has them. */
#ifndef SUPPORT_OPERATIONS_H
#define SUPPORT_OPERATIONS_H

#include "support/assert.h"
#include "verify/check.h"

/* Group setup and teardown: open and close the default device. */
int device_test_open(void **state);
int device_test_close(void **state);
gf_device *device_test_device(void);

/* Runs all cases of gradflow verify whose names begin with only; fails with what is wrong. */
void assert_verified(const char *only);

/* Arrays that live until the next arrays_free, which
 * device_test_close calls as well. */
void *array_new(size_t bytes);
float *floats_new(size_t count);
double *doubles_new(size_t count); /* zeros */
double *doubles_from(const float *values, size_t count);
gf__arena *device_test_arena(void);
void arrays_free(void);

/* A buffer of count floats between guard zones, all of it a NaN that no operation makes. */
gf_buffer *guarded_new(size_t count, const char *what);
/* Frees all of them; fails unless the guard zones are as they were. */
void guarded_free(void);
/* Sets the whole of buffer to that NaN. */
void poison(gf_buffer *buffer);
void buffer_set(gf_buffer *buffer, const float *values, size_t count);
float *buffer_get(gf_buffer *buffer, size_t count);

/* What is being compared, for the message of a failure. */
typedef struct subject {
  const char *layer; /* "max_pool" */
  const char *text;  /* the case */
} subject;

/* Fails with what gf__check_values finds. */
void assert_close(const subject *s, const char *tensor, size_t count, const float *got,
                  const double *expected, const gf__tolerance *allowed);
/* Equal bits. */
void assert_same(const subject *s, const char *tensor, size_t count, const float *got,
                 const float *expected);

#endif
