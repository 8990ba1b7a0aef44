/* One layer of a case list as a problem with a known answer: its shapes, its
 * config, and its reference. */
#ifndef GF_VERIFY_PROBLEMS_H
#define GF_VERIFY_PROBLEMS_H

#include <stdint.h>

#include <gradflow/model.h>

#include "reference.h"
#include "verify/arena.h"
#include "verify/cases.h"

enum { GF__PROBLEM_PARAMETERS = 4, GF__PROBLEM_SEED = 7 };
/* model.auxiliary_weight of the config. */
#define GF__PROBLEM_AUXILIARY_WEIGHT 0.75

/* A layer's arrays, in the layouts of the references: its operands x, parameter
 * and dy, its results y, dx and d, or the magnitudes of the results. d of a
 * parameter that is not trainable is its value after the pass. */
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
  void (*read)(gf__problem *p, gf__cases *list);
  void (*run)(const gf__problem *p, const gf__problem_values *in, gf__problem_values *out);
  /* Magnitudes of the results for comparisons (check.h); NULL: the layer is linear in
   * x and in its parameters, and they are what run gives for absolute values. */
  void (*magnitudes)(const gf__problem *p, const gf__problem_values *in, gf__problem_values *out);
  /* y in inference, where it differs from training. */
  void (*inference)(const gf__problem *p, const gf__problem_values *in, double *y);
} gf__problem_type;

/* The table, ended by a row without a layer; NULL if there is no row of that name. */
extern const gf__problem_type gf__problem_types[];
const gf__problem_type *gf__problem_type_find(const char *layer);

struct gf__problem {
  const gf__problem_type *type;
  gf__arena *arena;
  int n;
  gf_image_shape image;
  size_t x_count, y_count; /* of all images */
  int parameter_count;
  size_t parameter_size[GF__PROBLEM_PARAMETERS];
  /* A node "other" that the layer needs before it; each %s is the tensor that feeds it. "": none.
   */
  char before[128];
  char keys[256];        /* of the layer, in a config: ", filters: 5, kernel: [3, 2]" */
  double spread, offset; /* x is uniform in offset +- spread, */
  bool integers;         /* or whole numbers, so that some are equal and some 0 */
  bool scales;           /* parameters are those of a norm: positive where they must be */
  double y_terms, dx_terms, d_terms; /* of the results' longest sums */
  int node, step; /* for random layers: of the layer in its graph, and of training */
  /* What a type needs of its case. */
  ref_conv2d conv;
  ref_pool pool;
  ref_conv3d conv3d;
  const char *algorithm; /* of model.algorithm; NULL: the one that rounds least */
  ref_pool3d pool3d;
  double slope, eps, momentum, p;
  int channels, stride;
  bool hinge;
  int *labels;
};

/* volume_problems.c: of layers of volumes, whose x a to_volume before them gets as an image. */
void gf__problem_read_conv3d(gf__problem *p, gf__cases *list);
void gf__problem_run_conv3d(const gf__problem *p, const gf__problem_values *in,
                            gf__problem_values *out);
void gf__problem_read_pool3d(gf__problem *p, gf__cases *list);
void gf__problem_run_avg_pool3d(const gf__problem *p, const gf__problem_values *in,
                                gf__problem_values *out);
void gf__problem_read_max_pool3d(gf__problem *p, gf__cases *list);
void gf__problem_run_max_pool3d(const gf__problem *p, const gf__problem_values *in,
                                gf__problem_values *out);
void gf__problem_magnitudes_max_pool3d(const gf__problem *p, const gf__problem_values *in,
                                       gf__problem_values *out);
void gf__problem_read_to_volume(gf__problem *p, gf__cases *list);
void gf__problem_run_to_volume(const gf__problem *p, const gf__problem_values *in,
                               gf__problem_values *out);
void gf__problem_read_to_image(gf__problem *p, gf__cases *list);
void gf__problem_run_to_image(const gf__problem *p, const gf__problem_values *in,
                              gf__problem_values *out);

/* Reads the case at which the list stands. Arrays come from arena. */
void gf__problem_read(gf__problem *p, gf__arena *arena, const gf__problem_type *type,
                      gf__cases *list);
/* Random operands that differ between numbers, and room for the results. */
gf__problem_values gf__problem_values_new(const gf__problem *p, uint32_t number);
gf__problem_values gf__problem_magnitudes(const gf__problem *p, const gf__problem_values *in);
/* What a dropout keeps: 1, or 0; count of them. */
unsigned char *gf__problem_dropout_mask(const gf__problem *p, size_t count);

#endif
