/* avg_pool and max_pool of images, avg_pool3d and max_pool3d of volumes, and global_avg_pool, whose
 * window is the whole image. */
#include "ops/pool.h"

#include <string.h>

#include "layers/layer.h"

typedef struct pool_options {
  int kernel[2], stride[2], padding[4];
  bool ceil_mode, count_include_pad;
} pool_options;

#define WINDOW_KEYS                                                                        \
  {"kernel",                                                                               \
   GF__KEY_PAIR,                                                                           \
   offsetof(pool_options, kernel),                                                         \
   "2",                                                                                    \
   1,                                                                                      \
   1024,                                                                                   \
   NULL,                                                                                   \
   "window size: one number, or [vertical, horizontal]"},                                  \
      {"stride",                                                                           \
       GF__KEY_PAIR,                                                                       \
       offsetof(pool_options, stride),                                                     \
       "0",                                                                                \
       0,                                                                                  \
       1024,                                                                               \
       NULL,                                                                               \
       "pixels from one window to the next; 0: the window's size"},                        \
      {"padding",                                                                          \
       GF__KEY_SIDES,                                                                      \
       offsetof(pool_options, padding),                                                    \
       "0",                                                                                \
       0,                                                                                  \
       512,                                                                                \
       NULL,                                                                               \
       "rows and columns around the image, at most half a window: one number, [vertical, " \
       "horizontal], [top, bottom, left, right], or same, as a conv2d has it"},            \
  {                                                                                        \
    "ceil_mode", GF__KEY_BOOL, offsetof(pool_options, ceil_mode), "false", 0, 0, NULL,     \
        "where the last windows leave pixels unread, one window more, which reaches past " \
        "the padding"                                                                      \
  }

static const gf__key max_pool_keys[] = {WINDOW_KEYS};
static const gf__key avg_pool_keys[] = {
    WINDOW_KEYS,
    {"count_include_pad", GF__KEY_BOOL, offsetof(pool_options, count_include_pad), "true", 0, 0,
     NULL, "padding counts as zeros; false: the mean is over the pixels alone"},
};

typedef struct pool3d_options {
  int kernel[3], stride[3], padding[3];
} pool3d_options;

static const gf__key pool3d_keys[] = {
    {"kernel", GF__KEY_TRIPLE, offsetof(pool3d_options, kernel), "2", 1, 1024, NULL,
     "window size: one number, or [depth, vertical, horizontal]"},
    {"stride", GF__KEY_TRIPLE, offsetof(pool3d_options, stride), "0", 0, 1024, NULL,
     "voxels from one window to the next; 0: the window's size"},
    {"padding", GF__KEY_TRIPLE, offsetof(pool3d_options, padding), "0", 0, 512, NULL,
     "planes, rows and columns around the volume; at most half a window"},
};

static gf_status finish_pool_setup(gf_node *node, gf__pool pool) {
  if (gf__pool_infer(&pool) != GF_OK) return gf__node_fail(node, "%s", gf_error_message());
  node->out.d = pool.window.out[0];
  node->out.h = pool.window.out[1];
  node->out.w = pool.window.out[2];
  node->out.c = pool.c;
  *(gf__pool *)node->state = pool;
  return GF_OK;
}

/* The keys describe the last axes, two or three; a stride of 0 is the kernel's size. */
static gf__pool pool_of(const gf_node *node, gf__pool_kind kind, int axes, const int *kernel,
                        const int *stride) {
  const gf__tensor *x = node->in[0];
  gf__pool pool = {.kind = kind, .window = gf__window_of((int[]){x->d, x->h, x->w}), .c = x->c};
  for (int i = 0, a = 3 - axes; i < axes; i++, a++) {
    pool.window.kernel[a] = kernel[i];
    pool.window.stride[a] = stride[i] ? stride[i] : kernel[i];
  }
  return pool;
}

static gf_status pool_setup(gf_node *node, gf__pool_kind kind) {
  const pool_options *o = node->options;
  GF_TRY(gf__node_check_image(node));
  gf__pool pool = pool_of(node, kind, 2, o->kernel, o->stride);
  gf__window_pad(&pool.window, o->padding);
  pool.ceil_mode = o->ceil_mode;
  pool.pixels_only = kind == GF__POOL_AVG && !o->count_include_pad;
  return finish_pool_setup(node, pool);
}

static gf_status pool3d_setup(gf_node *node, gf__pool_kind kind) {
  const pool3d_options *o = node->options;
  gf__pool pool = pool_of(node, kind, 3, o->kernel, o->stride);
  memcpy(pool.window.padding, o->padding, sizeof o->padding);
  return finish_pool_setup(node, pool);
}

static gf_status avg_pool_setup(gf_node *node) { return pool_setup(node, GF__POOL_AVG); }
static gf_status max_pool_setup(gf_node *node) { return pool_setup(node, GF__POOL_MAX); }
static gf_status avg_pool3d_setup(gf_node *node) { return pool3d_setup(node, GF__POOL_AVG); }
static gf_status max_pool3d_setup(gf_node *node) { return pool3d_setup(node, GF__POOL_MAX); }

static gf_status global_avg_pool_setup(gf_node *node) {
  const gf__tensor *x = node->in[0];
  int image[3] = {1, x->d * x->h, x->w}; /* the planes of a volume one below the other */
  gf__pool pool = {.kind = GF__POOL_AVG, .window = gf__window_of(image), .c = x->c};
  memcpy(pool.window.kernel, image, sizeof image);
  memcpy(pool.window.stride, image, sizeof image);
  return finish_pool_setup(node, pool);
}

static size_t max_pool_saved(const gf_node *node, int batch) {
  return (size_t)batch * gf__tensor_size(&node->out) * gf__pool_winner_bytes(node->state);
}

static gf_status pool_forward(gf_node *node, const gf__pass *pass) {
  return gf__pool_forward(
      pass->device, node->state,
      &(gf__pool_operands){
          .n = pass->n, .in = node->in[0]->data, .out = node->out.data, .winner = node->saved});
}

static gf_status pool_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__pool_backward(pass->device, node->state,
                           &(gf__pool_operands){.n = pass->n,
                                                .in = node->out.grad,
                                                .out = input_gradient->grad,
                                                .winner = node->saved,
                                                .epilogue = input_gradient->epilogue});
}

#define POOL                                                                                    \
  .state_size = sizeof(gf__pool), .least_inputs = 1, .most_inputs = 1, .forward = pool_forward, \
  .backward = pool_backward
#define POOL_2D(KEYS)                                         \
  .keys = (KEYS), .key_count = sizeof(KEYS) / sizeof *(KEYS), \
  .options_size = sizeof(pool_options), POOL
#define POOL_3D                                                               \
  .keys = pool3d_keys, .key_count = sizeof pool3d_keys / sizeof *pool3d_keys, \
  .options_size = sizeof(pool3d_options), POOL

const gf__layer gf__layer_avg_pool = {
    .name = "avg_pool",
    .help = "means of windows",
    .of_volumes = "avg_pool3d",
    .setup = avg_pool_setup,
    POOL_2D(avg_pool_keys),
};

const gf__layer gf__layer_max_pool = {
    .name = "max_pool",
    .help = "largest values of windows",
    .of_volumes = "max_pool3d",
    .setup = max_pool_setup,
    .saved = max_pool_saved,
    POOL_2D(max_pool_keys),
};

const gf__layer gf__layer_global_avg_pool = {
    .name = "global_avg_pool",
    .help = "the mean of each channel",
    .setup = global_avg_pool_setup,
    POOL,
};

const gf__layer gf__layer_avg_pool3d = {
    .name = "avg_pool3d",
    .help = "means of windows of volumes; padding counts as zeros",
    .setup = avg_pool3d_setup,
    POOL_3D,
};

const gf__layer gf__layer_max_pool3d = {
    .name = "max_pool3d",
    .help = "largest values of windows of volumes",
    .setup = max_pool3d_setup,
    .saved = max_pool_saved,
    POOL_3D,
};
