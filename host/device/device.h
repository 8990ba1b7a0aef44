/* One OpenCL device: its context, in-order queue, buffers, kernels and launches.
 * Nothing above this folder sees an OpenCL type. */
#ifndef GF_DEVICE_DEVICE_H
#define GF_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include <gradflow/device.h>

#include "base/text.h"

typedef struct gf_buffer gf_buffer;
typedef struct gf__kernel gf__kernel;

/* What gf_device_open would open; of several of one kind, number nth modulo their count. */
gf_status gf__device_find(const char *selector, int nth, gf_device_info *out) GF_MUST_USE;
/* Opens sub-device number index of count equal ones: cores of its own of a CPU that can be divided.
 * Of any other device, and where count is 1, it opens the whole. */
gf_status gf__sub_device_open(gf_device **out, const char *selector, int index,
                              int count) GF_MUST_USE;

/* Device memory of bytes > 0; what names it in messages. */
gf_status gf__buffer_new(gf_buffer **out, gf_device *device, size_t bytes,
                         const char *what) GF_MUST_USE;
/* A range of whole, which must outlive it; offset is a multiple of the device's base_alignment. */
gf_status gf__sub_buffer_new(gf_buffer **out, gf_buffer *whole, size_t offset,
                             size_t bytes) GF_MUST_USE;
void gf__buffer_free(gf_buffer **buffer);
size_t gf__buffer_size(const gf_buffer *buffer); /* bytes */

/* Copies between host and device, in the order of the queue. A write returns
 * when from may be changed again; a read waits for its data. */
gf_status gf__buffer_write(gf_buffer *buffer, size_t offset, size_t bytes,
                           const void *from) GF_MUST_USE;
gf_status gf__buffer_read(gf_buffer *buffer, size_t offset, size_t bytes, void *to) GF_MUST_USE;
/* A read that starts at once and does not wait; to belongs to the device until gf__reading_wait. */
typedef struct gf__reading gf__reading;
gf_status gf__reading_start(gf__reading **out, gf_buffer *buffer, size_t offset, size_t bytes,
                            void *to) GF_MUST_USE;
gf_status gf__reading_wait(gf__reading **reading) GF_MUST_USE; /* frees, clears; NULL is fine */
gf_status gf__buffer_copy(gf_buffer *from, gf_buffer *to, size_t bytes) GF_MUST_USE;
gf_status gf__buffer_zero(gf_buffer *buffer) GF_MUST_USE;

/* Uploads that do not wait for the queue: two staging areas of host memory, so
 * that the caller may run one batch ahead of the device. */
typedef struct gf__upload gf__upload;
gf_status gf__upload_new(gf__upload **out, gf_device *device, size_t bytes) GF_MUST_USE;
void gf__upload_free(gf__upload **upload);
/* Queues the copy of bytes from from, which may be changed at once, to the start of buffer. */
gf_status gf__upload_send(gf__upload *upload, gf_buffer *buffer, size_t bytes,
                          const void *from) GF_MUST_USE;

/* Appends, one per line, what compiled kernels and measurements depend on. The same device under
 * another driver, which may allow less, has another key. */
void gf__device_key(const gf_device_info *info, gf__text *out);

/* Bytes in buffers now, and at most so far, without the workspace that CLBlast allocates. */
size_t gf__device_allocated(const gf_device *device);
size_t gf__device_allocated_peak(const gf_device *device);
/* The number of kernels and products queued so far. */
long gf__device_launches(const gf_device *device);
/* Programs built so far, and the seconds that took. */
typedef struct gf__builds {
  int compiled, loaded; /* loaded from the disk cache */
  double compile_seconds, load_seconds;
} gf__builds;
const gf__builds *gf__device_builds(const gf_device *device);
/* From here on programs are compiled although this library or the driver may have kept them, and
 * are not kept. */
void gf__device_build_afresh(gf_device *device);
/* The number of work-items that run at once, into which long loops are cut. */
int gf__device_parallelism(const gf_device *device);

/* The kernel name of cl/file, built with options ("-DA=1 -DB=2"; at most 1000
 * characters). Programs are kept by the device for its life, and their binaries
 * in the disk cache. The device owns *out. */
gf_status gf__kernel_get(gf__kernel **out, gf_device *device, const char *file, const char *name,
                         const char *options) GF_MUST_USE;

/* Like gf__kernel_get, but source is the program's text, and file is its name in messages. */
gf_status gf__kernel_get_from(gf__kernel **out, gf_device *device, const char *file,
                              const char *source, const char *name,
                              const char *options) GF_MUST_USE;

/* The most work-items that a group of the kernel may have; it may be fewer than the device's. */
size_t gf__kernel_group(const gf__kernel *kernel);

typedef struct gf__grid {
  size_t global[3], local[3]; /* work-items; local all 0: the driver chooses */
  double flops, bytes;        /* of this launch, for the profile; 0: unknown */
} gf__grid;

/* A grid of count work-items in groups of a size that suits the device; the
 * kernel guards against the surplus. gf__launch makes the groups of a grid of
 * one dimension smaller where the kernel does not allow groups of that size. */
gf__grid gf__grid_flat(const gf_device *device, size_t count);
/* Like gf__grid_flat, in groups of at most group work-items, for few and long ones. */
gf__grid gf__grid_groups(const gf_device *device, size_t count, size_t group);
/* A grid of x * y * z work-items, each a work-group of its own. */
gf__grid gf__grid_single(size_t x, size_t y, size_t z);

typedef struct gf__arg {
  enum { GF__ARG_BUFFER, GF__ARG_INT, GF__ARG_FLOAT } kind;
  union {
    const gf_buffer *buffer; /* NULL is the null pointer in the kernel */
    int i;
    float f;
  } value;
} gf__arg;

#define GF_BUFFER(b) ((gf__arg){GF__ARG_BUFFER, {.buffer = (b)}})
#define GF_INT(n) ((gf__arg){GF__ARG_INT, {.i = (n)}})
#define GF_FLOAT(x) ((gf__arg){GF__ARG_FLOAT, {.f = (float)(x)}})

gf_status gf__launch(gf__kernel *kernel, gf__grid grid, const gf__arg *args,
                     size_t count) GF_MUST_USE;

/* GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_INT(n), …) */
#define GF_LAUNCH(kernel, grid, ...)                           \
  gf__launch((kernel), (grid), (const gf__arg[]){__VA_ARGS__}, \
             sizeof((const gf__arg[]){__VA_ARGS__}) / sizeof(gf__arg))

/* The operands of C (m, n) = A (m, k) B (k, n) + beta C, all column-major and dense; offsets are in
 * floats. With b_transposed the buffer holds B' (n, k): CLBlast uses that as it is and otherwise
 * copies B into that order first, so it is the fast form where k is long. */
typedef struct gf__gemm_operands {
  int m, n, k;
  const gf_buffer *a, *b;
  size_t a_offset, b_offset;
  bool b_transposed;
  float beta;
  gf_buffer *c;
  size_t c_offset;
} gf__gemm_operands;

/* Their product, by CLBlast. */
gf_status gf__gemm(gf_device *device, const gf__gemm_operands *operands) GF_MUST_USE;

/* CLBlast's own parameters on a CPU for the rest of the process, to measure what
 * ours bring; before the first product. */
void gf__gemm_keep_defaults(gf_device *device);

#endif
