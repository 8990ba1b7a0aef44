/* Layers of the caller's own: a row says which keys one has in a config, its shapes and parameters,
 * and what forward and backward launch. Once registered, every config that the process opens may
 * name it in model.graph, as it names the library's. See examples/c/own_layer.c. */
#ifndef GRADFLOW_LAYER_H
#define GRADFLOW_LAYER_H

#include <stddef.h>

#include <gradflow/device.h>
#include <gradflow/status.h>

enum { GF_LAYER_KEYS = 8, GF_LAYER_INPUTS = 8, GF_LAYER_PARAMETERS = 4 };

/* A key of the layer: a number. */
typedef struct gf_layer_key {
  const char *name;
  int is_whole;            /* an int; else a double */
  const char *initial;     /* as a config would have it; NULL: the key is required */
  double minimum, maximum; /* inclusive; both 0: no limit */
  const char *help;        /* one line */
} gf_layer_key;

/* Of one image; a tensor on the device is float (images, depth, height, width, channels), channels
 * fastest. */
typedef struct gf_layer_shape {
  int depth, height, width, channels; /* depth is 1 but for volumes */
} gf_layer_shape;

/* A layer in a network. */
typedef struct gf_layer_node {
  const char *name;
  double options[GF_LAYER_KEYS]; /* in the order of the keys */
  int in_count;
  gf_layer_shape in[GF_LAYER_INPUTS];
  gf_layer_shape out;   /* setup may change it; it is the first input's before */
  struct gf_node *node; /* the library's */
} gf_layer_node;

/* Memory on the device. */
typedef struct gf_buffer gf_buffer;

/* What forward and backward work on. Pointers are NULL where a comment says so. */
typedef struct gf_layer_pass {
  int images;   /* of this batch, at most those that the network was opened for */
  int training; /* of forward: 0 in inference */
  /* In backward NULL unless the type says that backward reads them. */
  const gf_buffer *in[GF_LAYER_INPUTS];
  gf_buffer *out;
  /* Of the loss with respect to out, and to each input; NULL in forward, the latter also in
   * backward where the gradient of that input is not wanted. Backward writes, never adds. */
  const gf_buffer *out_gradient;
  gf_buffer *in_gradient[GF_LAYER_INPUTS];
  /* In the order in which setup added them; gradients are NULL in forward. Backward writes them. */
  gf_buffer *parameter[GF_LAYER_PARAMETERS], *parameter_gradient[GF_LAYER_PARAMETERS];
  gf_buffer *saved;     /* type->saved bytes, kept from forward to backward; or NULL */
  gf_buffer *workspace; /* type->workspace bytes, lost when the function returns; or NULL */
  gf_device *device;
} gf_layer_pass;

/* Functions return GF_OK or a failure, which ends what called them. What a row points to is
 * constant and stays as long as the process. */
typedef struct gf_layer_type {
  const char *name; /* in configs: letters, digits and _ */
  const char *help; /* one line */
  const gf_layer_key *keys;
  int key_count;
  int least_inputs, most_inputs; /* 1 to GF_LAYER_INPUTS */
  /* OpenCL C 1.2. Sums in a fixed order and no atomics of floats, for equal bits of equal seeds. */
  const char *source;
  int backward_reads_in, backward_reads_out;
  /* Checks the inputs, sets the shape of the output, adds parameters. Needs no device; is called
   * once for a node. */
  gf_status (*setup)(gf_layer_node *node);
  /* Bytes for batches of images; NULL: none. */
  size_t (*saved)(const gf_layer_node *node, int images);
  size_t (*workspace)(const gf_layer_node *node, int images);
  /* Launch kernels, by gf_layer_launch; nothing waits for them. */
  gf_status (*forward)(const gf_layer_node *node, const gf_layer_pass *pass);
  gf_status (*backward)(const gf_layer_node *node, const gf_layer_pass *pass);
} gf_layer_type;

/* Lets configs name the type. GF_ERROR_ARGUMENT if there is a layer of that name or the row is
 * incomplete. Of the whole process; not while another thread is in the library. A network that has
 * the layer trains, resumes, is saved and loaded, but has no form in ONNX. */
GF_API gf_status gf_layer_register(const gf_layer_type *type) GF_MUST_USE;

/* How a parameter begins. */
typedef enum gf_layer_fill {
  GF_LAYER_FILL_RANDOM, /* by model.initialisation, from fan_in and fan_out */
  GF_LAYER_FILL_ZERO,
  GF_LAYER_FILL_ONE
} gf_layer_fill;

/* A trainable tensor. Files and gf_model_read_parameter have it in the order of dims, a device
 * with the first of them fastest: (outputs, inputs) lies there as (inputs, outputs). */
typedef struct gf_layer_parameter {
  const char *name; /* "weight" is shown in pictures of gradient flow, others are not */
  gf_layer_fill fill;
  int dims[5], dim_count;
  int fan_in, fan_out; /* of GF_LAYER_FILL_RANDOM */
} gf_layer_parameter;

/* Of setup: adds a parameter, called "NODE.name". */
GF_API gf_status gf_layer_add_parameter(gf_layer_node *node,
                                        const gf_layer_parameter *parameter) GF_MUST_USE;
/* Of setup: GF_ERROR_SHAPE, with the node, its inputs and their shapes before the message. */
GF_API gf_status gf_layer_fail(const gf_layer_node *node, const char *message);

/* An argument of a kernel: a __global pointer, an int or a float. */
typedef enum gf_argument_kind {
  GF_ARGUMENT_BUFFER,
  GF_ARGUMENT_INT,
  GF_ARGUMENT_FLOAT
} gf_argument_kind;
typedef struct gf_argument {
  gf_argument_kind kind;
  const gf_buffer *buffer; /* NULL is the null pointer in the kernel */
  int i;
  float f;
} gf_argument;
static inline gf_argument gf_argument_buffer(const gf_buffer *buffer) {
  gf_argument argument = {GF_ARGUMENT_BUFFER, buffer, 0, 0};
  return argument;
}
static inline gf_argument gf_argument_int(int i) {
  gf_argument argument = {GF_ARGUMENT_INT, NULL, i, 0};
  return argument;
}
static inline gf_argument gf_argument_float(float f) {
  gf_argument argument = {GF_ARGUMENT_FLOAT, NULL, 0, f};
  return argument;
}

/* Queues a kernel of the type's source over items work-items, a few more being started to fill the
 * last group: the kernel returns where get_global_id(0) is not below items. At most 32 arguments.
 * The source is compiled when it is first used, and GF_ERROR_BUILD has the compiler's messages. */
GF_API gf_status gf_layer_launch(const gf_layer_node *node, const gf_layer_pass *pass,
                                 const char *kernel, size_t items, const gf_argument *arguments,
                                 int count) GF_MUST_USE;

#endif
