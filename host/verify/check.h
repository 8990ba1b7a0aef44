/* One case at work: its buffers with guard zones, and what was found wrong. */
#ifndef GF_VERIFY_CHECK_H
#define GF_VERIFY_CHECK_H

#include <gradflow/model.h>

#include "device/device.h"
#include "verify/arena.h"

enum { GF__CHECK_TEXT = 512, GF__CHECK_BUFFERS = 24 };

/* A buffer of count floats between two guard zones. */
typedef struct gf__guarded {
  const char *what;
  gf_buffer *whole, *buffer; /* buffer is what lies between the zones */
  size_t before, count;      /* floats */
  float guard;               /* what the zones hold */
} gf__guarded;

typedef struct gf__check {
  gf_device *device;
  gf__arena *arena;
  gf__guarded guarded[GF__CHECK_BUFFERS];
  int guarded_count;
  gf_model *model;            /* of the case; freed with it; or NULL */
  long compared;              /* floats */
  double worst;               /* the largest error, in tolerances */
  char fault[GF__CHECK_TEXT]; /* the first that was found; "": none */
} gf__check;

/* Frees what the case has on the device. */
void gf__check_close(gf__check *check);
/* Records a fault, unless there is one already. */
void gf__check_fault(gf__check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* All of it, zones too, is a NaN that no operation makes. The check owns *out; what names it in
 * messages. */
gf_status gf__guarded_new(gf__check *check, const char *what, size_t count,
                          gf_buffer **out) GF_MUST_USE;
/* One with values in it, floats or ints. Its zones hold a number that is no NaN, so that what
 * is changed in place there does not stay a NaN, and that is larger than any value. */
gf_status gf__guarded_from(gf__check *check, const char *what, const void *values, size_t count,
                           gf_buffer **out) GF_MUST_USE;
/* Frees all of them. A write into a guard zone is a fault. */
gf_status gf__guarded_close(gf__check *check) GF_MUST_USE;

/* Sets the first count floats of buffer to that NaN. */
gf_status gf__poison(gf__arena *arena, gf_buffer *buffer, size_t count) GF_MUST_USE;
/* Whether value is that NaN. */
bool gf__is_poison(float value);
gf_status gf__write(gf_buffer *buffer, const float *values, size_t count) GF_MUST_USE;
/* *out is an array of the arena. */
gf_status gf__read(gf__arena *arena, gf_buffer *buffer, size_t count, float **out) GF_MUST_USE;

/* Rounding errors that are allowed: |got - expected| <= factor * eps * (4 + 2 sqrt(terms)) *
 * magnitude, with eps = 2^-23. The error of a sum of terms products a b grows
 * like eps/2 * sqrt(terms) * sum |a||b| (Higham and Mary, 2019), and magnitude
 * is that sum; the 4 is for what is rounded once, and for the few last places
 * that OpenCL allows exp and tanh. Numbers below the smallest normal float may be 0. */
typedef struct gf__tolerance {
  const double *magnitude; /* of each element; NULL: the largest |expected| for all */
  double terms, factor;    /* factor 0: exact */
} gf__tolerance;

/* What is not within the tolerance, or not finite, is a fault, and so are zeros throughout where
 * there should be others. */
void gf__check_values(gf__check *check, const char *what, size_t count, const float *got,
                      const double *expected, const gf__tolerance *allowed);
/* The same of the first count floats of buffer. */
gf_status gf__check_buffer(gf__check *check, const char *what, gf_buffer *buffer, size_t count,
                           const double *expected, const gf__tolerance *allowed) GF_MUST_USE;
/* Equal bits. */
void gf__check_same(gf__check *check, const char *what, size_t count, const float *got,
                    const float *expected);

#endif
