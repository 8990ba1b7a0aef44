/* One layer of a case list as a problem with a known answer: its shapes, its
 * config, and its reference. */
#ifndef LAYER_PROBLEMS_H
#define LAYER_PROBLEMS_H

#include <stdint.h>

#include <gradflow/model.h>

#include "cases.h"
#include "reference.h"

enum { PROBLEM_PARAMETERS = 4, PROBLEM_SEED = 7 };
/* model.companion_weight of the config. */
#define PROBLEM_COMPANION_WEIGHT 0.75

/* A layer's arrays, in the layouts of the references: its operands x, parameter
 * and dy, its results y, dx and d, or the magnitudes of the results. d of a
 * parameter that is not trainable is its value after the pass. */
typedef struct problem_values {
  double *x, *y, *dy, *dx;
  double *parameter[PROBLEM_PARAMETERS], *d[PROBLEM_PARAMETERS];
  double *loss; /* of layers that end a graph: the sum over the images */
} problem_values;

typedef struct problem problem;

typedef struct problem_type {
  const char *layer;
  const char *inputs; /* in a config; each %s is the tensor that feeds the layer */
  const char *before; /* the start of problem.before; or NULL */
  bool ends_graph;    /* has a loss instead of y */
  bool has_no_result; /* such a loss, which only has a gradient */
  bool random;        /* other values in training than in inference, and in each step */
  void (*read)(problem *p, cases *list);
  void (*run)(const problem *p, const problem_values *in, problem_values *out);
  /* Magnitudes of the results for comparisons (device_test.h); NULL: the layer is linear in
   * x and in its parameters, and they are what run gives for absolute values. */
  void (*magnitudes)(const problem *p, const problem_values *in, problem_values *out);
  /* y in inference, where it differs from training. */
  void (*inference)(const problem *p, const problem_values *in, double *y);
} problem_type;

/* The table, ended by a row without a layer; NULL if there is no row of that name. */
extern const problem_type problem_types[];
const problem_type *problem_type_find(const char *layer);

struct problem {
  const problem_type *type;
  int n;
  gf_image_shape image;
  size_t x_count, y_count; /* of all images */
  int parameter_count;
  size_t parameter_size[PROBLEM_PARAMETERS];
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
  ref_pool3d pool3d;
  double slope, eps, momentum, p;
  int channels, stride;
  bool hinge;
  int *labels;
};

/* volume_problems.c: of layers of volumes, whose x a to_volume before them gets as an image. */
void problem_read_conv3d(problem *p, cases *list);
void problem_run_conv3d(const problem *p, const problem_values *in, problem_values *out);
void problem_read_pool3d(problem *p, cases *list);
void problem_run_avg_pool3d(const problem *p, const problem_values *in, problem_values *out);
void problem_read_max_pool3d(problem *p, cases *list);
void problem_run_max_pool3d(const problem *p, const problem_values *in, problem_values *out);
void problem_magnitudes_max_pool3d(const problem *p, const problem_values *in, problem_values *out);
void problem_read_to_volume(problem *p, cases *list);
void problem_run_to_volume(const problem *p, const problem_values *in, problem_values *out);
void problem_read_to_image(problem *p, cases *list);
void problem_run_to_image(const problem *p, const problem_values *in, problem_values *out);

/* Reads the case at which the list stands. Its arrays live until arrays_free. */
void problem_read(problem *p, const problem_type *type, cases *list);
/* Random operands that differ between numbers, and room for the results. */
problem_values problem_values_new(const problem *p, uint32_t number);
problem_values problem_magnitudes(const problem *p, const problem_values *in);
/* What a dropout keeps: 1, or 0; count of them. */
unsigned char *problem_dropout_mask(const problem *p, size_t count);

#endif
