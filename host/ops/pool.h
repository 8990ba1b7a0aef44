/* Average and maximum pooling of tensors (n, depth, height, width, channels). */
#ifndef GF_OPS_POOL_H
#define GF_OPS_POOL_H

#include "ops/epilogue.h"
#include "ops/window.h"

typedef enum gf__pool_kind { GF__POOL_AVG, GF__POOL_MAX } gf__pool_kind;

typedef struct gf__pool {
  gf__pool_kind kind;
  gf__window window; /* padding <= kernel / 2 on each side, dilation 1 */
  int c;             /* channels */
  bool ceil_mode;    /* one window more where the last one leaves pixels unread, as in PyTorch */
  bool pixels_only;  /* an average is over the pixels of a window, without the zeros around them */
  int after[3];      /* by gf__pool_infer: rows of zeros after the image that averages count; those
                        that ceil_mode adds are not among them */
} gf__pool;

/* What a pool over n images or volumes reads and writes. */
typedef struct gf__pool_operands {
  int n;
  const gf_buffer *in;   /* x (n, window.size, c); in backward dy (n, window.out, c) */
  gf_buffer *out;        /* y, or dx: written */
  gf_buffer *winner;     /* maximum: gf__pool_winner_bytes per output value, kept from forward to
                            backward */
  gf__epilogue epilogue; /* backward */
} gf__pool_operands;

/* Fills pool->window.out and pool->after, and adds to pool->window.extra what ceil_mode needs.
 * GF_ERROR_SHAPE when the window does not fit the padded input, or when a window could lie in the
 * padding alone. */
gf_status gf__pool_infer(gf__pool *pool) GF_MUST_USE;
/* The bytes in which a value of a maximum remembers where it comes from. */
size_t gf__pool_winner_bytes(const gf__pool *pool);
/* y; of an average, padding counts as zeros unless pixels_only. */
gf_status gf__pool_forward(gf_device *device, const gf__pool *pool,
                           const gf__pool_operands *operands) GF_MUST_USE;
/* dx = epilogue of the gradient. */
gf_status gf__pool_backward(gf_device *device, const gf__pool *pool,
                            const gf__pool_operands *operands) GF_MUST_USE;

#endif
