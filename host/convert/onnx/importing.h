/* What an ONNX graph becomes while it is imported: values that are constants or outputs of our
 * layers, and the layers. The operators are rows of a table in operators.c. */
#ifndef GF_CONVERT_ONNX_IMPORTING_H
#define GF_CONVERT_ONNX_IMPORTING_H

#include <gradflow/model.h>

#include "base/index.h"
#include "base/text.h"
#include "convert/onnx/file.h"
#include "layers/layer.h"

/* ---- values ---- */

typedef enum gf__onnx_kind {
  GF__ONNX_UNKNOWN, /* no node has made it yet */
  GF__ONNX_CONSTANT,
  GF__ONNX_ACTIVATION, /* of a layer */
  GF__ONNX_RANDOM,     /* of which dropout is made where it is no operator */
  GF__ONNX_FAILED      /* of a node that could not be imported, or that reads such a value */
} gf__onnx_kind;

/* What a value is of a layer norm in several operators. */
typedef enum gf__norm_stage {
  GF__NORM_NONE,
  GF__NORM_MEAN,      /* m = mean(x) */
  GF__NORM_CENTRED,   /* x - m */
  GF__NORM_SQUARE,    /* (x - m)^2 */
  GF__NORM_VARIANCE,  /* v = mean((x - m)^2) */
  GF__NORM_WITH_EPS,  /* v + inner */
  GF__NORM_DEVIATION, /* s = sqrt(v + inner) */
  GF__NORM_RATE       /* 1 / s */
} gf__norm_stage;

/* What a value is of an adaptive pool in several operators. */
typedef struct gf__import_bins {
  int size[2], out[2]; /* vertical and horizontal: pixels of the image, and bins */
  int most[2];         /* pixels that are gathered of each bin */
  int chosen[2];       /* which of them the value has; -1: all */
  uint64_t taken;      /* a bit for each pixel of the bins that is in the sum */
  bool is_masked[2];   /* pixels past the ends of the bins are 0 */
} gf__import_bins;

/* A value of the ONNX graph. An activation is the output of a layer, whose axes may be in another
 * order, and to which operators may still have to be applied: those that no layer does alone. */
typedef struct gf__import_value {
  const char *name;
  gf__onnx_kind kind;
  gf__onnx_shape shape;
  int uses;                        /* inputs of nodes, and outputs of the graph, that it is */
  const Onnx__TensorProto *stored; /* of an initializer that has not been read yet */
  gf__onnx_elements elements;      /* of a constant that has been read or computed */
  int layer;                       /* of an activation; GF__IMPORT_IMAGES: the images themselves */
  char axes[GF__ONNX_MOST_DIMS];   /* n, c, d, h and w of the layer's output; 1: none of them */
  int groups;                      /* that c is in: its axes are g and k then; 0: it is one axis */
  const int64_t *ranges; /* of channels, whose sequence it is: their sizes; NULL: it is a tensor */
  size_t range_count;
  const gf__import_bins *bins; /* NULL: of no adaptive pool */
  gf__norm_stage norm_stage;
  bool is_flat; /* a vector of all elements, in the order that they had in flat_shape */
  gf__onnx_shape flat_shape;    /* with the axes */
  bool is_sole;                 /* nothing else reads the layer's output */
  bool is_channels_last;        /* a vector that was flattened with the channels last */
  int pad[4];                   /* zeros around the image: top, left, bottom, right */
  double scale;                 /* that it is multiplied by, and is not yet */
  bool is_erf, is_erf_plus_one; /* erf(inner * output), and that + 1, before the scale */
  double inner;
  bool is_softmax;       /* the softmax of the output */
  double kept;           /* of random numbers: the fraction that is 1, not 0; 0: between 0 and 1 */
  bool is_taken;         /* a parameter of a layer */
  bool is_parameter;     /* a constant of the file itself: not one that was computed */
  const char *parameter; /* the name of the one that this is in another order or shape; or NULL */
} gf__import_value;

/* Whether the value is the output of its layer: nothing is pending of it. */
bool gf__import_is_plain(const gf__import_value *value);

/* ---- layers ---- */

enum { GF__IMPORT_IMAGES = -1 };

typedef struct gf__import_parameter {
  const char *suffix;
  const float *values; /* these live as long as the file */
  size_t count;
  int dims[5], dim_count; /* as PyTorch has them */
} gf__import_parameter;

typedef struct gf__import_layer {
  const char *type;
  char name[GF__NAME_SIZE];
  gf__text options; /* ", key: value" each */
  int inputs[GF__MOST_INPUTS], input_count;
  gf__import_parameter parameters[GF__MOST_PARAMETERS];
  int parameter_count;
  int d, h, w, c;    /* of the output */
  bool is_needed;    /* the network's output depends on it */
  bool is_folded;    /* a product with constants is in its weights */
  bool is_bare_norm; /* a norm whose weights are products and sums that follow it in the file */
  int norm_groups;
  double norm_eps;
  bool is_affine; /* a batch_norm that was a product or a sum with constants */
} gf__import_layer;

/* ---- the import ---- */

/* What was not as in the file, or is to be known. */
typedef struct gf__import_notes {
  int folded_norms;      /* convolutions whose weights have a norm folded into them */
  int norms;             /* that are layers */
  int affine_norms;      /* that were a product and a sum with constants */
  int shared_weights;    /* tensors that several layers read, each of which has its own now */
  int more_outputs;      /* of the graph, which are left out */
  bool has_softmax;      /* at the end, left out */
  bool is_channels_last; /* in the input, as Keras has them */
} gf__import_notes;

typedef struct gf__import_problem {
  const char *op;
  gf__text reason, nodes; /* the names of the first nodes */
  int count;
} gf__import_problem;

typedef struct gf__importing {
  gf__onnx_file *file;
  gf__import_value *values;
  size_t value_count;
  gf__index value_index; /* names to indices of values */
  gf__import_layer *layers;
  int layer_count;
  gf__index layer_names; /* of the layers, and reserved ones */
  gf__import_problem *problems;
  size_t problem_count;
  int64_t batch;        /* images in the shapes */
  gf_image_shape image; /* of the input */
  /* What the graph does first with each channel, which the data section does instead: factor * x +
   * sum; NULL where it does nothing. */
  float *input_factor, *input_sum;
  size_t folded, most_folded; /* elements of computed constants */
  gf__import_notes notes;
} gf__importing;

/* A node with its values. */
typedef struct gf__operation {
  gf__importing *importing;
  const Onnx__NodeProto *node;
  const struct gf__operator *row;
  int index;                /* of the node in the file, from 1 on */
  gf__import_value *in[64]; /* NULL where an optional input is left out */
  int in_count;
  gf__import_value *out, *outs[64]; /* out: the first, or that which is being set */
  int out_count;
} gf__operation;

/* A row of the table. apply gets operations with an activation among their inputs, fold those of
 * constants alone; each may be NULL. Both set the output, or add a problem. */
typedef struct gf__operator {
  const char *name;
  int least_inputs, most_inputs;
  /* "name:type" of each attribute that is read, or that changes nothing here; the type is one of
   * i, f, s, t (integer, float, text, tensor), I and F (lists of integers, of floats). */
  const char *attributes;
  gf_status (*apply)(gf__operation *op);
  gf_status (*fold)(gf__operation *op);
  const char *layer; /* that apply adds, where that is all it does */
} gf__operator;

/* The table, ended by a row without a name. */
extern const gf__operator gf__operators[];
/* NULL where there is none. */
const gf__operator *gf__operator_find(const char *name);

/* importing.c */
void gf__importing_free(gf__importing *im);
/* The value of a name, which is made where there is none. */
gf_status gf__importing_value(gf__importing *im, const char *name,
                              gf__import_value **out) GF_MUST_USE;
/* Adds the node to those that cannot be imported, with the reason and what can be done. */
gf_status gf__operation_reject(gf__operation *op, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* GF_ERROR_DATA: the node is damaged. */
gf_status gf__operation_fail(const gf__operation *op, const char *what) GF_MUST_USE;
/* The attributes, whose types have been checked. */
const Onnx__AttributeProto *gf__operation_attribute(const gf__operation *op, const char *name);
int64_t gf__operation_int(const gf__operation *op, const char *name, int64_t absent);
float gf__operation_float(const gf__operation *op, const char *name, float absent);
bool gf__operation_text_is(const gf__operation *op, const char *name, const char *text);
/* At most `most` numbers of a list; the number of them, or -1 where there is no such attribute or a
 * longer one. */
int gf__operation_ints(const gf__operation *op, const char *name, int64_t *out, int most);
/* Lists of operators that have been attributes in earlier sets and are constants in later ones. The
 * count becomes -1 where there is none, and -2 where it is no constant and the node has been
 * rejected; GF_ERROR_DATA where it has more than `most` numbers. */
gf_status gf__operation_list(gf__operation *op, const char *name, int input, int64_t *out, int most,
                             int *count) GF_MUST_USE;
/* The elements of a constant. */
gf_status gf__import_elements(gf__importing *im, gf__import_value *value,
                              gf__onnx_elements *out) GF_MUST_USE;
/* Whether the input is a constant of one number, which is then *out. */
gf_status gf__operation_scalar(gf__operation *op, int input, bool *is_scalar,
                               double *out) GF_MUST_USE;
/* The output is that of the input, whatever is pending of it. */
void gf__operation_alias(gf__operation *op, const gf__import_value *in);
/* Whether the input is an activation with nothing pending; where not, the node has been rejected.
 */
bool gf__operation_takes(gf__operation *op, int input);
/* The same of one whose axes are so ("nchw"), where each of size 1 is as good as any other. */
bool gf__operation_takes_form(gf__operation *op, int input, const char *axes);
bool gf__import_has_form(const gf__importing *im, const gf__import_value *value, const char *axes);
/* The size of the layer's output along n, c, d, h, w or 1. */
int64_t gf__import_axis(const gf__importing *im, int layer, char axis);

/* Adds a layer that reads the layers of the activations among the inputs; weight, or NULL, names
 * it. */
gf_status gf__operation_layer(gf__operation *op, const char *type, const gf__import_value *weight,
                              gf__import_layer **out) GF_MUST_USE;
/* Names the layer by a weight that was found after it was added, as the exporters call that. */
gf_status gf__operation_rename_layer(const gf__operation *op, gf__import_layer *layer,
                                     const gf__import_value *weight) GF_MUST_USE;
void gf__import_layer_shape(gf__import_layer *layer, int d, int h, int w, int c);
/* A parameter whose elements are as they are in the constant. */
gf_status gf__import_add_parameter(gf__importing *im, gf__import_layer *layer, const char *suffix,
                                   gf__import_value *value, int dim_count,
                                   const int *dims) GF_MUST_USE;
void gf__import_add_values(gf__import_layer *layer, const char *suffix, const float *values,
                           int dim_count, const int *dims);
/* The output becomes that of the layer that was added last, with these axes. */
void gf__operation_output(gf__operation *op, const char *axes);
/* The same with the axes of the input, which has the layer's shape. */
void gf__operation_output_like(gf__operation *op, const gf__import_value *in);
/* The output becomes a constant. */
gf_status gf__operation_constant(gf__operation *op, const gf__onnx_elements *elements) GF_MUST_USE;
/* Room for elements of the shape, of which a file may have so many. */
gf_status gf__operation_room(gf__operation *op, gf__onnx_elements *out, bool is_float,
                             float **floats, int64_t **ints) GF_MUST_USE;
/* The shortest text of a number that reads back as the same float. */
void gf__import_number(char out[32], float number);
/* Adds the option with it. */
void gf__import_add_number(gf__import_layer *layer, const char *key, float number);

/* channels.c */
/* Adds the layer of these channels of the input. */
gf_status gf__operation_slice_channels(gf__operation *op, int64_t first, int64_t count) GF_MUST_USE;
/* A reshaping of an activation that divides its channels into groups, or joins them again, as
 * channel shuffles do; *is_one: whether it is. */
gf_status gf__operation_regroup(gf__operation *op, const gf__onnx_shape *shape,
                                bool *is_one) GF_MUST_USE;

/* random.c */
/* An operator with random numbers among its inputs. */
gf_status gf__operation_of_random(gf__operation *op) GF_MUST_USE;

/* bins.c: the steps of an adaptive pool, for values that have bins. */
gf_status gf__operation_gather_bins(gf__operation *op) GF_MUST_USE;
gf_status gf__operation_add_bins(gf__operation *op) GF_MUST_USE;
gf_status gf__operation_divide_bins(gf__operation *op) GF_MUST_USE;
gf_status gf__operation_mean_bins(gf__operation *op, const bool *is_reduced) GF_MUST_USE;

/* norms.c: each returns whether the operation is such a step of a layer norm, and then has set the
 * output. */
bool gf__operation_norm_mean(gf__operation *op, const bool *is_reduced);
bool gf__operation_norm_centres(gf__operation *op);
bool gf__operation_norm_squares(gf__operation *op);
bool gf__operation_norm_adds_eps(gf__operation *op, const gf__import_value *in, double eps);
/* The last step, a division by the deviation or a product with its inverse, adds the layer. */
gf_status gf__operation_norm_divides(gf__operation *op, gf__norm_stage by,
                                     bool *is_one) GF_MUST_USE;
/* A product or a sum with constants right after a norm that has none becomes its weight or bias. */
gf_status gf__operation_weigh_norm(gf__operation *op, const gf__import_value *in,
                                   gf__import_value *constant, bool is_sum,
                                   bool *is_done) GF_MUST_USE;

/* elementwise.c */
/* The constant as a number for each channel of the activation; NULL where it is another one. */
gf_status gf__operation_channel_numbers(gf__operation *op, const gf__import_value *in,
                                        gf__import_value *constant, float **out) GF_MUST_USE;

/* operators of each kind */
#define GF__OPERATION(name) gf_status gf__operation_##name(gf__operation *op)
GF__OPERATION(conv);
GF__OPERATION(conv_transpose);
GF__OPERATION(pool);
GF__OPERATION(global_pool);
GF__OPERATION(reduce_mean);
GF__OPERATION(norm);
GF__OPERATION(layer_norm);
GF__OPERATION(group_norm);
GF__OPERATION(instance_norm);
GF__OPERATION(pow);
GF__OPERATION(sqrt);
GF__OPERATION(reciprocal);
GF__OPERATION(gather);
GF__OPERATION(gather_nd);
GF__OPERATION(where);
GF__OPERATION(gemm);
GF__OPERATION(matmul);
GF__OPERATION(activation);
GF__OPERATION(clip);
GF__OPERATION(hard_sigmoid);
GF__OPERATION(dropout);
GF__OPERATION(random_uniform);
GF__OPERATION(bernoulli);
GF__OPERATION(less);
GF__OPERATION(softmax);
GF__OPERATION(same);
GF__OPERATION(add);
GF__OPERATION(subtract);
GF__OPERATION(multiply);
GF__OPERATION(divide);
GF__OPERATION(erf);
GF__OPERATION(reshape);
GF__OPERATION(flatten);
GF__OPERATION(squeeze);
GF__OPERATION(unsqueeze);
GF__OPERATION(transpose);
GF__OPERATION(concat);
GF__OPERATION(pad);
GF__OPERATION(slice);
GF__OPERATION(split);
GF__OPERATION(split_to_sequence);
GF__OPERATION(sequence_at);
GF__OPERATION(shape);
GF__OPERATION(cast);
GF__OPERATION(fold_same);
GF__OPERATION(fold_cast);
GF__OPERATION(fold_constant);
GF__OPERATION(fold_constant_of_shape);
GF__OPERATION(fold_gather);
GF__OPERATION(fold_concat);
GF__OPERATION(fold_slice);
GF__OPERATION(fold_reshape);
GF__OPERATION(fold_flatten);
GF__OPERATION(fold_squeeze);
GF__OPERATION(fold_unsqueeze);
GF__OPERATION(fold_expand);
GF__OPERATION(fold_transpose);
GF__OPERATION(fold_arithmetic);
GF__OPERATION(fold_range);

#endif
