/** @file
 * Networks between gradflow and other programs: ONNX files, and weights of PyTorch. No device is
 * needed. */
#ifndef GRADFLOW_CONVERT_H
#define GRADFLOW_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include <gradflow/config.h>
#include <gradflow/model.h>
#include <gradflow/status.h>

/** What was converted. */
typedef struct gf_conversion {
  gf_image_shape image; /**< of the images that the network takes */
  int classes;          /**< how many it distinguishes */
  size_t parameters;    /**< trainable elements */
  char weights[4096];   /**< the file that they were read from */
} gf_conversion;

/** How a run is exported. */
typedef struct gf_export_options {
  const char
      *weights;   /**< a file that fits the run's network; NULL: the best, else the last ones */
  bool softmax;   /**< ONNX: end in probabilities instead of logits */
  bool overwrite; /**< a file that is there is replaced */
} gf_export_options;

/** The run's best weights, logits, and no file replaced. */
GF_API gf_export_options gf_export_options_default(void);

enum {
  GF_ONNX_OPSET = 13 /**< the operator set of exported ONNX models */
};

/** Writes the network of a run folder as an ONNX model of operator set GF_ONNX_OPSET, in single
 * precision. Its input "images" is (batch, channels, height, width) of any batch, normalised as the
 * metadata say: "input" in words, "mean" and "std" of pixels in [0, 1], a number per channel. Its
 * output is "logits" or "probabilities", (batch, classes). Weights are initialisers with the names
 * of the run's tensors. What only training needs is left out: dropout, auxiliary classifiers, the
 * loss. "class_names" is a JSON list where the names are known.
 *
 * options NULL are the defaults; out may be NULL. GF_ERROR_ARGUMENT where the library was built
 * without ONNX, and for a file that is there without overwrite; other errors are those of
 * gf_predict(). */
GF_API gf_status gf_export_onnx(const char *run_folder, const char *path,
                                const gf_export_options *options, gf_conversion *out) GF_MUST_USE;

/** Writes the weights of a run as a safetensors file whose tensors are those that load_state_dict
 * of the same network in PyTorch expects, with num_batches_tracked (0) beside each norm's
 * running_mean, and without those of auxiliary classifiers. options->softmax is ignored. Arguments
 * and errors are otherwise those of gf_export_onnx(). */
GF_API gf_status gf_export_pytorch(const char *run_folder, const char *path,
                                   const gf_export_options *options,
                                   gf_conversion *out) GF_MUST_USE;

/** Makes the config for a file of weights with the tensors of torchvision's ResNet-18, -34 or -50.
 * The caller frees *out. GF_ERROR_FILE where the file cannot be read, GF_ERROR_DATA for any other
 * tensors. */
GF_API gf_status gf_import_guess(gf_config **out, const char *weights) GF_MUST_USE;

/** Where imported weights go. */
typedef struct gf_import_options {
  const char *out; /**< the run folder, which is created; there is no default */
  bool overwrite;  /**< an existing run folder there is replaced */
} gf_import_options;

/** No folder, and none replaced. */
GF_API gf_import_options gf_import_options_default(void);

/** Makes a run folder of a config and a file of weights for its network, as gf_train() would have
 * left it, without logs: for gf_predict(), gf_test() and exports, and as train.weights of further
 * runs. result may be NULL. The tensors must be those of the network, with or without
 * num_batches_tracked; otherwise GF_ERROR_DATA names all that are missing, extra or misshapen. */
GF_API gf_status gf_import(const gf_config *config, const char *weights,
                           const gf_import_options *options, gf_conversion *result) GF_MUST_USE;

/** Makes a run folder of an ONNX model, as gf_import() makes one of weights: its nodes become the
 * config's model.graph, its weights those of the layers, and its metadata, where gf_export_onnx()
 * has written it, the config's "data" section. A layer has the name that its weights have in the
 * file. External data is read from the model's own folder alone.
 *
 * config, or NULL, has what is to be otherwise: its "data" section where it has data.name, else
 * single keys of it, and all other sections but "model", which is not read. result may be NULL.
 *
 * GF_ERROR_DATA for a damaged file, and for nodes that no layer can stand for, which are all listed
 * with what can be done; GF_ERROR_CONFIG where the data set has no images of the network's shape;
 * GF_ERROR_ARGUMENT where the library was built without ONNX. Nothing is written after a failure. */
GF_API gf_status gf_import_onnx(const gf_config *config, const char *path,
                                const gf_import_options *options,
                                gf_conversion *result) GF_MUST_USE;

#endif
