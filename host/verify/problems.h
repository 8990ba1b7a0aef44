/* A case of a layer as a problem with a known answer: its shapes, its config, and its reference.
 * The rows are in problems_*.c, by families of layers. */
#ifndef GF_VERIFY_PROBLEMS_H
#define GF_VERIFY_PROBLEMS_H

#include <stdint.h>

#include <gradflow/model.h>

#include "reference.h"
#include "verify/arena.h"
#include "verify/cases.h"

enum { GF__PROBLEM_PARAMETERS = 4, GF__PROBLEM_SEED = 7 };
enum { GF__PROBLEM_VARIANCE = 3 }; /* the parameter of a norm that is its running variance */
/* model.auxiliary_weight of the config. */
#define GF__PROBLEM_AUXILIARY_WEIGHT 0.75

/* A layer's arrays, in the layouts of the references: its operands x, parameter
 * and dy, its results y, dx and d, or the magnitudes of the results. d of a
 * parameter that is not trainable is its value afterwards. */
typedef struct gf__problem_values {
  double *x, *y, *dy, *dx;
  double *parameter[GF__PROBLEM_PARAMETERS], *d[GF__PROBLEM_PARAMETERS];
  double *loss; /* of layers that end a graph: the sum over the images */
} gf__problem_values;

typedef struct gf__problem gf__problem;

typedef struct gf__problem_type {
  const char *layer;
  const char *inputs; /* in a config; each %s is the tensor that feeds the layer */
  const char *before; /* the start of gf__problem.before; or NULL */
  bool ends_graph;    /* has a loss instead of y */
  bool has_no_result; /* such a loss, which only has a gradient */
  bool random;        /* other values in training than in inference, and in each step */
  /* Sets what the reference needs of the case, and sizes other than those of x; may be NULL. */
  void (*read)(gf__problem *p, gf__cases *list);
  void (*reference)(const gf__problem *p, const gf__problem_values *in, gf__problem_values *out);
  /* Magnitudes of the results for comparisons (check.h); NULL: the layer is linear in x and in
   * its parameters, and the magnitudes are what the reference gives for absolute values. */
  void (*magnitudes)(const gf__problem *p, const gf__problem_values *in, gf__problem_values *out);
  /* y in inference, where it differs from training. */
  void (*inference)(const gf__problem *p, const gf__problem_values *in, double *y);
} gf__problem_type;

/* The table, ended by NULL. */
extern const gf__problem_type *const gf__problem_types[];
/* The row of that layer, or NULL. */
const gf__problem_type *gf__problem_type_find(const char *layer);

struct gf__problem {
  const gf__problem_type *type;
  gf__arena *arena;
  int n;
  gf_image_shape image;
  size_t x_count, y_count; /* of all images; y_count is that of x unless read changes it */
  int parameter_count;
  size_t parameter_size[GF__PROBLEM_PARAMETERS];
  /* A node "other" that the layer needs before it; each %s is the tensor that feeds it. "": none.
   */
  char before[128];
  const char *keys;      /* of the layer, in a config: ", filters: 5, kernel: [3,2]" */
  double spread, offset; /* x is uniform in offset +- spread, */
  bool integers;         /* or whole numbers, so that some are equal and some 0 */
  bool scales;           /* parameters are those of a norm: positive where they must be */
  double y_terms, dx_terms, d_terms; /* of the results' longest sums */
  int node, step; /* for random layers: of the layer in its graph, and of training */
  /* What a type needs of its case. */
  ref_conv2d conv;
  ref_conv_transpose2d conv_transpose;
  ref_pool pool;
  ref_conv3d conv3d;
  const char *algorithm; /* of model.algorithm; NULL: the one that rounds least */
  ref_pool3d pool3d;
  double slope, eps, momentum, probability, minimum, maximum;
  int channels, stride, first, groups;
  bool hinge, has_one_factor, over_image;
  int *labels;
};

/* Reads the list's current case. Arrays come from arena. */
gf_status gf__problem_read(gf__problem *p, gf__arena *arena, const gf__problem_type *type,
                           gf__cases *list) GF_MUST_USE;
size_t gf__problem_pixels(const gf__problem *p); /* of all images */
void gf__problem_add_parameter(gf__problem *p, size_t count);
/* Random operands that differ between numbers, and room for the results. */
gf__problem_values gf__problem_values_new(const gf__problem *p, uint32_t number);
gf__problem_values gf__problem_magnitudes(const gf__problem *p, const gf__problem_values *in);
/* What a dropout keeps: 1, or 0; count of them. */
unsigned char *gf__problem_dropout_mask(const gf__problem *p, size_t count);

/* The rows of the table. */
extern const gf__problem_type gf__problem_conv2d, gf__problem_conv_transpose2d, gf__problem_linear,
    gf__problem_batch_norm, gf__problem_layer_norm, gf__problem_group_norm, gf__problem_layer_scale,
    gf__problem_leaky_relu, gf__problem_relu, gf__problem_tanh, gf__problem_sigmoid,
    gf__problem_elu, gf__problem_gelu, gf__problem_silu, gf__problem_clamp,
    gf__problem_hard_sigmoid, gf__problem_hard_swish, gf__problem_avg_pool, gf__problem_max_pool,
    gf__problem_conv3d, gf__problem_avg_pool3d, gf__problem_max_pool3d, gf__problem_to_volume,
    gf__problem_to_image, gf__problem_adaptive_avg_pool, gf__problem_global_avg_pool,
    gf__problem_add, gf__problem_multiply, gf__problem_concat, gf__problem_slice,
    gf__problem_channel_shuffle, gf__problem_pad_shortcut, gf__problem_flatten, gf__problem_dropout,
    gf__problem_stochastic_depth, gf__problem_softmax_cross_entropy, gf__problem_auxiliary_loss;

#endif
