/* What the tests of work on a device share: the device, numbers to feed it, and
 * comparisons with references in double precision. Needs cmocka. */
#ifndef DEVICE_TEST_H
#define DEVICE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/device.h"

/* Group setup and teardown: open and close the default device. */
int device_test_open(void **state);
int device_test_close(void **state);
gf_device *device_test_device(void);

/* Fails the test with the library's message. */
#define assert_ok(call) device_test_assert_ok((call), #call, __FILE__, __LINE__)
void device_test_assert_ok(gf_status status, const char *call, const char *file, int line);

/* Arrays that live until the next arrays_free, which
 * device_test_close calls as well. */
void *array_new(size_t bytes);
float *floats_new(size_t count);
double *doubles_new(size_t count); /* zeros */
void arrays_free(void);
double *doubles_from(const float *values, size_t count);
double *doubles_absolute(const double *values, size_t count);

/* The same numbers for the same stream. Uniform in [low, high), or whole numbers from -most to
 * most, whose sums of products are exact in floats. */
void fill_uniform(float *out, size_t count, uint32_t stream, double low, double high);
void fill_integers(float *out, size_t count, uint32_t stream, int most);

/* A buffer of count floats and a guard zone behind them, all of it a NaN that
 * no operation makes. */
gf__buffer *guarded_new(size_t count);
/* Sets the whole of buffer to that NaN. */
void poison(gf__buffer *buffer);
/* The first count floats; fails unless everything behind them is still poisoned. */
float *guarded_read(gf__buffer *buffer, size_t count, const char *what);
void buffer_set(gf__buffer *buffer, const float *values, size_t count);
float *buffer_get(gf__buffer *buffer, size_t count);

/* What is being compared, for the message of a failure. */
typedef struct subject {
  const char *layer; /* "max_pool" */
  const char *text;  /* the case as it stands in the list */
} subject;

/* Rounding errors that are allowed: |got - expected| <= factor * eps * (4 + 2 sqrt(terms)) *
 * magnitude, with eps = 2^-23. The error of a sum of terms products a b grows
 * like eps/2 * sqrt(terms) * sum |a||b| (Higham and Mary, 2019), and magnitude
 * is that sum; the 4 is for what is rounded once, and for the few last places
 * that OpenCL allows exp and tanh. Numbers below the smallest normal float may be 0. */
typedef struct tolerance {
  const double *magnitude; /* of each element; NULL: the largest |expected| for all */
  double terms, factor;
} tolerance;

/* Fails with the number of wrong elements, how many of them are not finite, and the first one. */
void assert_close(const subject *s, const char *tensor, size_t count, const float *got,
                  const double *expected, const tolerance *allowed);
/* Equal bits. */
void assert_same(const subject *s, const char *tensor, size_t count, const float *got,
                 const float *expected);

#endif
