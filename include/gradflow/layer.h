/** @file
 * Layers of the caller's own: a row says which keys one has in a config, its shapes and parameters,
 * and what forward and backward launch. Once registered, every config that the process opens may
 * name it in model.graph, as it names the library's. See examples/c/own_layer.c. */
#ifndef GRADFLOW_LAYER_H
#define GRADFLOW_LAYER_H

#include <stdbool.h>
#include <stddef.h>

#include <gradflow/device.h>
#include <gradflow/status.h>

enum {
  GF_LAYER_KEYS = 8,      /**< the most keys of a type */
  GF_LAYER_INPUTS = 8,    /**< the most inputs of a node */
  GF_LAYER_PARAMETERS = 4 /**< the most parameters of a node */
};

/** A key of the layer: a number. */
typedef struct gf_layer_key {
  const char *name;    /**< in configs */
  bool is_whole;       /**< an int; otherwise a double */
  const char *initial; /**< as a config would have it; NULL: the key is required */
  double minimum;      /**< inclusive; both limits 0: no limit */
  double maximum;      /**< inclusive; both limits 0: no limit */
  const char *help;    /**< one line */
} gf_layer_key;

/** The shape of one image; a tensor on the device is float (images, depth, height, width,
 * channels), channels fastest. */
typedef struct gf_layer_shape {
  int depth;    /**< 1 except for volumes */
  int height;   /**< rows */
  int width;    /**< columns */
  int channels; /**< numbers per pixel */
} gf_layer_shape;

/** A layer in a network. */
typedef struct gf_layer_node {
  const char *name;                   /**< in the config's graph */
  double options[GF_LAYER_KEYS];      /**< in the order of the keys */
  int in_count;                       /**< inputs */
  gf_layer_shape in[GF_LAYER_INPUTS]; /**< their shapes */
  gf_layer_shape out;                 /**< setup may change it; before, it is the first input's */
  struct gf_node *node;               /**< the library's */
} gf_layer_node;

/** Memory on the device. */
typedef struct gf_buffer gf_buffer;

/** What forward and backward work on. Pointers are NULL where a comment says so. */
typedef struct gf_layer_pass {
  int images;    /**< of this batch, at most those that the network was opened for */
  bool training; /**< of forward: false in inference */
  /** The inputs. NULL in backward unless the type says that backward reads them. */
  const gf_buffer *in[GF_LAYER_INPUTS];
  gf_buffer *out; /**< the output; NULL in backward unless the type says that backward reads it */
  /** The gradient of the loss with respect to out; NULL in forward. */
  const gf_buffer *out_gradient;
  /** The gradient of the loss with respect to each input; NULL in forward, and in backward where it
   * is not wanted. Backward writes, never adds. */
  gf_buffer *in_gradient[GF_LAYER_INPUTS];
  gf_buffer *parameter[GF_LAYER_PARAMETERS]; /**< in the order in which setup added them */
  /** The gradient of the loss with respect to each parameter; NULL in forward. Backward writes
   * them. */
  gf_buffer *parameter_gradient[GF_LAYER_PARAMETERS];
  gf_buffer *saved;     /**< type->saved bytes, kept from forward to backward; or NULL */
  gf_buffer *workspace; /**< type->workspace bytes, lost when the function returns; or NULL */
  gf_device *device;    /**< where all of this lies */
} gf_layer_pass;

/** A type of layers. Its functions return GF_OK or a failure, which ends what called them. What a
 * row points to is constant and stays as long as the process. */
typedef struct gf_layer_type {
  const char *name;         /**< in configs: letters, digits and _ */
  const char *help;         /**< one line */
  const gf_layer_key *keys; /**< (key_count) */
  int key_count;            /**< at most GF_LAYER_KEYS */
  int least_inputs;         /**< at least 1 */
  int most_inputs;          /**< at most GF_LAYER_INPUTS */
  /** The kernels, in OpenCL C 1.2. They sum in a fixed order and use no atomics of floats, so that
   * equal seeds give equal bits.
   */
  const char *source;
  bool backward_reads_in;  /**< backward needs the inputs, which then are kept for it */
  bool backward_reads_out; /**< backward needs the output, which then is kept for it */
  /** Checks the inputs, sets the shape of the output, adds parameters. Needs no device; is called
   * once per node. */
  gf_status (*setup)(gf_layer_node *node);
  /** Bytes to keep from forward to backward for a batch of images; NULL: none. */
  size_t (*saved)(const gf_layer_node *node, int images);
  /** Bytes of workspace for a batch of images; NULL: none. */
  size_t (*workspace)(const gf_layer_node *node, int images);
  /** Launches the kernels of forward, by gf_layer_launch(); nothing waits for them. */
  gf_status (*forward)(const gf_layer_node *node, const gf_layer_pass *pass);
  /** Launches the kernels of backward in the same way. */
  gf_status (*backward)(const gf_layer_node *node, const gf_layer_pass *pass);
} gf_layer_type;

/** Lets configs of the whole process name the type; *type must stay as long as the process. Not to
 * be called while another thread is in the library. A network that has the layer trains, resumes,
 * is saved and loaded, but has no form in ONNX. GF_ERROR_ARGUMENT if there is a layer of that name
 * or the row is incomplete. */
GF_API gf_status gf_layer_register(const gf_layer_type *type) GF_MUST_USE;

/** How a parameter begins. */
typedef enum gf_layer_fill {
  GF_LAYER_FILL_RANDOM, /**< by model.initialisation, from fan_in and fan_out */
  GF_LAYER_FILL_ZERO,   /**< all 0 */
  GF_LAYER_FILL_ONE     /**< all 1 */
} gf_layer_fill;

/** A trainable tensor. Files and gf_model_read_parameter() have it in the order of dims, a device
 * with the first of them fastest: (outputs, inputs) lies there as (inputs, outputs). */
typedef struct gf_layer_parameter {
  const char *name;   /**< "weight" is shown in pictures of gradient flow, others are not */
  gf_layer_fill fill; /**< how it begins */
  int dims[5];        /**< its sizes */
  int dim_count;      /**< how many of dims are used */
  int fan_in;         /**< of GF_LAYER_FILL_RANDOM: inputs per output */
  int fan_out;        /**< of GF_LAYER_FILL_RANDOM: outputs per input */
} gf_layer_parameter;

/** Adds a parameter, called "NODE.name", to the node; for setup only. GF_ERROR_ARGUMENT beyond
 * GF_LAYER_PARAMETERS and for sizes below 1. */
GF_API gf_status gf_layer_add_parameter(gf_layer_node *node,
                                        const gf_layer_parameter *parameter) GF_MUST_USE;

/** Returns GF_ERROR_SHAPE, with the node, its inputs and their shapes before the message; for setup
 * only. */
GF_API gf_status gf_layer_fail(const gf_layer_node *node, const char *message);

/** The kind of a kernel's argument. */
typedef enum gf_argument_kind {
  GF_ARGUMENT_BUFFER, /**< a __global pointer */
  GF_ARGUMENT_INT,    /**< an int */
  GF_ARGUMENT_FLOAT   /**< a float */
} gf_argument_kind;

/** An argument of a kernel, of which one value counts, by kind. */
typedef struct gf_argument {
  gf_argument_kind kind;   /**< which of the values it is */
  const gf_buffer *buffer; /**< NULL is the null pointer in the kernel */
  int i;                   /**< of GF_ARGUMENT_INT */
  float f;                 /**< of GF_ARGUMENT_FLOAT */
} gf_argument;

/** An argument that is a buffer, or NULL. */
static inline gf_argument gf_argument_buffer(const gf_buffer *buffer) {
  gf_argument argument = {GF_ARGUMENT_BUFFER, buffer, 0, 0};
  return argument;
}

/** An argument that is an int. */
static inline gf_argument gf_argument_int(int i) {
  gf_argument argument = {GF_ARGUMENT_INT, NULL, i, 0};
  return argument;
}

/** An argument that is a float. */
static inline gf_argument gf_argument_float(float f) {
  gf_argument argument = {GF_ARGUMENT_FLOAT, NULL, 0, f};
  return argument;
}

/** Queues a kernel of the type's source over items work-items, a few more being started to fill the
 * last group: the kernel returns where get_global_id(0) is not below items. count arguments, at
 * most 32. For forward and backward only. The source is compiled when it is first used; where it
 * does not compile, GF_ERROR_BUILD has the compiler's messages. */
GF_API gf_status gf_layer_launch(const gf_layer_node *node, const gf_layer_pass *pass,
                                 const char *kernel, size_t items, const gf_argument *arguments,
                                 int count) GF_MUST_USE;

#endif
