/** @file
 * What the gradients of a run did, and what helps. */
#ifndef GRADFLOW_DIAGNOSIS_H
#define GRADFLOW_DIAGNOSIS_H

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/status.h>

/** What is found, in the order in which findings become the headline where several hold: what
 * causes others comes before what follows from it. gf_rule_of has the threshold of each and its
 * source. */
typedef enum gf_verdict {
  GF_VERDICT_NORM_OF_ONE,    /**< a norm sees a single value per channel, so that nothing is left */
  GF_VERDICT_INPUT_CONSTANT, /**< all images of a batch are the same to the network */
  GF_VERDICT_INPUT_SCALE,    /**< inputs are far from mean 0 and deviation 1 */
  GF_VERDICT_RATE_HIGH,      /**< the learning rate is far above the optimizer's usual one */
  GF_VERDICT_RATE_LOW,       /**< or far below it */
  GF_VERDICT_DECAY,          /**< weight decay outweighs the gradient */
  GF_VERDICT_NONFINITE,      /**< a gradient or a loss is an infinity or a NaN */
  GF_VERDICT_BRANCH_GROWS,   /**< activations grow from one residual block to the next */
  GF_VERDICT_EXPLODING,      /**< gradients grow on their way to the input */
  GF_VERDICT_NO_GRADIENT,    /**< a layer is detached from the loss, or frozen */
  GF_VERDICT_DEAD_AT_START,  /**< a whole layer lets no gradient through from the first record on */
  GF_VERDICT_KILLED,         /**< the signal was there at first, and training has killed it */
  GF_VERDICT_DEAD_LAYER,     /**< a whole layer has come to let no gradient through */
  GF_VERDICT_SATURATED,   /**< many channels of sigmoids and tanhs are at an end of their range */
  GF_VERDICT_VANISHING,   /**< gradients lose their scale on their way to the input */
  GF_VERDICT_SIGNAL_LOST, /**< from the start the images make no difference to the logits */
  GF_VERDICT_ONE_CLASS,   /**< whatever the image, the network answers with one class */
  GF_VERDICT_DEAD,        /**< many channels of the whole network let no gradient through */
  GF_VERDICT_SMALL_STEPS, /**< steps move the weights by very little for their size */
  GF_VERDICT_LARGE_STEPS, /**< or by very much */
  GF_VERDICT_ABOVE_GUESSING, /**< the loss is worse than that of guessing */
  GF_VERDICT_NOT_LEARNING,   /**< loss and accuracy stay those of guessing */
  GF_VERDICT_OVERFITTING,    /**< validation becomes worse while training becomes better */
  GF_VERDICT_PLATEAU,        /**< the loss has stopped falling */
  GF_VERDICT_FITTED,         /**< the loss is near 0: gradients are small as nothing is left */
  GF_VERDICT_HEALTHY,        /**< none of these */
  GF_VERDICT_COUNT           /**< how many there are */
} gf_verdict;

/** What a verdict means, wherever it is given. */
typedef struct gf_rule {
  gf_verdict verdict; /**< which one */
  const char *name;   /**< "vanishing" */
  const char *holds;  /**< when it holds, with its threshold */
  const char *source; /**< of the threshold */
} gf_rule;

/** The rule of a verdict; NULL for what is none. The library owns it. */
GF_API const gf_rule *gf_rule_of(gf_verdict verdict);

/** A verdict in words: "vanishing", "dead units". Never NULL; the library owns the text. */
GF_API const char *gf_verdict_name(gf_verdict verdict);

/** What helps against a finding. */
typedef struct gf_remedy {
  const char *text; /**< what to do, why, and who found it */
  /** The setting that does it, "model.shortcut=identity", checked against the run's config; NULL
   * where the config is a graph of its own or is missing. */
  char *setting;
  /** The same as lines of code of the framework that the run was recorded in, by its network.json;
   * NULL where there is a config, and for other frameworks than PyTorch and Keras. */
  char *code;
} gf_remedy;

enum {
  GF_MOST_REMEDIES = 64 /**< of a finding */
};

/** One thing that holds for the gradients of a run. */
typedef struct gf_finding {
  gf_verdict verdict; /**< what it is */
  char
      *headline; /**< one line: "vanishing: 33 of 38 layers below 1e-8, from … towards the input" */
  char *evidence;                       /**< sentences with the numbers */
  char *threshold;                      /**< a sentence: against which value, and its source */
  int remedy_count;                     /**< how many remedies there are */
  gf_remedy remedies[GF_MOST_REMEDIES]; /**< without what the run already has */
} gf_finding;

/** What is found in a run, and the statistics that show it. All of it belongs to the diagnosis. */
typedef struct gf_diagnosis {
  int finding_count;                     /**< at least 1 */
  gf_finding findings[GF_VERDICT_COUNT]; /**< the first one is the headline */

  int layer_count;           /**< layers with weights */
  int epoch_count;           /**< epochs that have records of them */
  const char *const *layers; /**< (layer_count), from the input to the output */
  const double *epochs;      /**< (epoch_count): their numbers, from 1 */
  const double *mean_abs;    /**< (epoch_count, layer_count): mean |g| */
  const double *l2;          /**< (epoch_count, layer_count): the L2 norm of g */
  const double *zeros; /**< (epoch_count, layer_count): fraction of elements of g that are 0 */
  /** (epoch_count, layer_count): how far a step moved the weights, as a fraction of their size. */
  const double *update_ratio;
  /** (layer_count), of the last epoch: the fraction of dead channels in the activation that the
   * layer's output goes through, by network.json; NaN where there is none. */
  const double *dead;

  int activation_count;            /**< layers in activations.csv; 0 without the file */
  int activation_epoch_count;      /**< epochs in activations.csv; 0 without the file */
  const char *const *activations;  /**< (activation_count): their names */
  const double *activation_epochs; /**< (activation_epoch_count): their numbers */
  /** (activation_epoch_count, activation_count): mean of what the layer stores. */
  const double *activation_mean;
  /** (activation_epoch_count, activation_count): standard deviation of the same. */
  const double *activation_deviation;
  /** (activation_epoch_count, activation_count): fraction of dead channels; NaN where the layer has
   * no activation. */
  const double *activation_dead;
  void *owner; /**< the library's */
} gf_diagnosis;

/** Reads metrics.csv, gradients.csv, config.yaml and network.json of a run folder, and
 * activations.csv where there is one. The caller frees *out. GF_ERROR_FILE for a folder that is no
 * run's, GF_ERROR_DATA for a CSV that is damaged and for a run without a finished epoch. */
GF_API gf_status gf_diagnosis_open(gf_diagnosis **out, const char *run_folder) GF_MUST_USE;

/** Frees a diagnosis with everything in it. */
GF_API void gf_diagnosis_free(gf_diagnosis **diagnosis);

/** The headline alone: what happened in one line. The caller frees *out with free. Errors are those
 * of gf_diagnosis_open(). */
GF_API gf_status gf_diagnose(const char *run_folder, char **out) GF_MUST_USE;

/** What a layer of a fresh network stores for one batch, and the gradient of its weight. */
typedef struct gf_signal_layer {
  const char *layer; /**< whose output it is, as in activations.csv; owned by the signal */
  double rms;        /**< root of the mean square over images, pixels and channels */
  double contrast;   /**< fraction of the energy that differs between the images */
  /** The contrast that mean-field theory expects, from that of the first activation on; NaN where
   * it says nothing. */
  double contrast_expected;
  double dimension; /**< effective number of directions in which up to 32 images differ */
  double dead;      /**< fraction of channels; NaN without an activation */
  double mean_abs;  /**< mean |g| of the weight of the layer that stores the output; or NaN */
  double coherence; /**< mean_abs divided by its mean over up to 8 images alone; or NaN */
} gf_signal_layer;

/** Mean-field theory for wide chains of random layers (Poole et al., 2016; Schoenholz et al.,
 * 2017), beside the geometric means per layer that were measured. Numbers that are not known are
 * NaN. */
typedef struct gf_signal_theory {
  const char *reason;       /**< why it says nothing of this network; else NULL */
  const char *activation;   /**< "leaky_relu"; NULL where no layer has one */
  int layers;               /**< weights that an activation follows */
  double weight_variance;   /**< mean of fan_in times the variance of a layer's weights */
  double bias_variance;     /**< mean of the variance of its biases */
  double length;            /**< mean square before activations that layers tend to, or infinity */
  double chi;               /**< what a layer does to squared gradients and small differences */
  double correlation;       /**< of two images' activations that the layers tend to */
  double depth;             /**< layers in which the distance to it shrinks to 1/e, or infinity */
  double contrast_expected; /**< what a layer multiplies contrast by on the way forward */
  double contrast_measured; /**< the same, measured */
  double gradient_expected; /**< what a layer multiplies the gradient by on the way back */
  double gradient_measured; /**< the same of mean |g|, measured */
} gf_signal_theory;

/** The batch as the network gets it. */
typedef struct gf_signal_batch {
  int images;              /**< how many */
  int channels;            /**< of an image */
  int classes;             /**< of the data set */
  const double *mean;      /**< (channels) */
  const double *deviation; /**< (channels) */
  const int *class_images; /**< (classes) */
  int absent_classes;      /**< classes without an image */
  int wrong_labels;        /**< labels outside of 0 to classes - 1 */
  int duplicates;          /**< images that are equal to one before them */
  int constant;            /**< images of one value */
  int nonfinite;           /**< values that are not finite */
} gf_signal_batch;

/** The most notes that a signal has. */
enum { GF_MOST_SIGNAL_NOTES = 12 };

/** What a fresh network does with its first batch. */
typedef struct gf_signal {
  char *headline;                    /**< one line, as training logs it before the first step */
  int note_count;                    /**< how many there are; 0 where nothing is wrong */
  char *notes[GF_MOST_SIGNAL_NOTES]; /**< what is wrong, a sentence or two each with the numbers */
  double loss;                       /**< of the batch */
  double guess;                      /**< the loss of guessing, ln(classes) */
  int layer_count;                   /**< layers that are measured */
  const gf_signal_layer *layers;     /**< (layer_count) from the input to the output */
  gf_signal_theory theory;           /**< what is expected */
  gf_signal_batch batch;             /**< whether the data look right */
  void *owner;                       /**< the library's */
} gf_signal;

/** Sends the first training batch of the config, at most 256 images of it, forward and backward
 * through the fresh network, or one with the weights of train.weights, without tuning its
 * convolutions; no file is written. All belongs to *out, which the caller frees with
 * gf_signal_free(). GF_ERROR_CONFIG for a config without data or
 * network. */
GF_API gf_status gf_signal_open(gf_signal **out, gf_device *device,
                                const gf_config *config) GF_MUST_USE;

/** Frees what gf_signal_open() gave. */
GF_API void gf_signal_free(gf_signal **signal);

/** Draws contrast, size and gradient over the layers into a PNG. GF_ERROR_FILE where path cannot be
 * written. */
GF_API gf_status gf_signal_plot(const gf_signal *signal, const char *path) GF_MUST_USE;

#endif
