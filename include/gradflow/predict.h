/** @file
 * Predictions: what a run's network takes images for, in files and in memory. */
#ifndef GRADFLOW_PREDICT_H
#define GRADFLOW_PREDICT_H

#include <stdbool.h>

#include <gradflow/device.h>
#include <gradflow/model.h>
#include <gradflow/status.h>

/** What is known of one file. All of it is the library's, and valid during the call. */
typedef struct gf_prediction {
  const char *path;    /**< the file's */
  gf_status status;    /**< GF_OK, or why there is no prediction: then only message follows */
  const char *message; /**< what failed, with the path; NULL with GF_OK */

  int count;                   /**< of the classes listed */
  const int *classes;          /**< (count), from 0; the most probable first */
  const double *probabilities; /**< (count), in [0, 1]: the softmax over all classes */
  const char *const *names;    /**< (count), or NULL where the names are not known */

  gf_image_shape shape;        /**< of pixels */
  const unsigned char *pixels; /**< (height, width, channels): what the network was shown */
  /** (height, width): the saliency map of Simonyan, Vedaldi and Zisserman (2014): the largest over
   * the channels of |d score / d pixel|, where score is the first class's logit and pixels are in
   * [0, 1]. NULL unless asked for. */
  const float *saliency;
} gf_prediction;

/** What is called while images are predicted. */
typedef struct gf_predict_events {
  void *user; /**< passed to each function */
  /** Each file in the order of the paths, also those that failed. */
  void (*prediction)(void *user, const gf_prediction *prediction);
  void (*written)(void *user, const char *path); /**< a contact sheet */
} gf_predict_events;

/** What is wanted of predictions. */
typedef struct gf_predict_options {
  int top;             /**< classes to list, at least 1; all where there are fewer */
  const char *classes; /**< a file with a class name per line; NULL: by the data set, where it is */
  const char *out;     /**< a folder for contact sheets, created where it is not; NULL: none */
  bool saliency;       /**< maps are wanted */
  gf_predict_events events; /**< what is called meanwhile */
} gf_predict_options;

/** The 5 most probable classes; no sheets, no saliency maps. */
GF_API gf_predict_options gf_predict_options_default(void);

/** How many images were predicted. */
typedef struct gf_predicted {
  int images; /**< that were predicted */
  int failed; /**< files and folders that were reported as failed predictions */
} gf_predicted;

/** Predicts the classes of PNG and JPEG files, and of those in folders (in bytewise order, without
 * folders in them), by a run's best weights, or its last where there are no best. Images are
 * treated as those of the data set's test split: resized so that their shorter side is that of its
 * images, cut to the middle, padded and normalised; networks for grey images see them grey. paths
 * has count of them. options NULL are the defaults.
 *
 * Files are read and predicted in batches of the run's size, so that memory does not grow with
 * their number. A file that is no image, or that cannot be read, and a folder without images are
 * reported as failed predictions; the others go on, and the function succeeds. With options->out,
 * up to 60 images and their classes are drawn on a sheet OUT/predictions.png, and further ones on
 * OUT/predictions-2.png, …; sheets that are there are replaced.
 *
 * GF_ERROR_FILE and GF_ERROR_CONFIG for a folder that is no run's, or without weights;
 * GF_ERROR_DATA for weights that do not fit the config's network, with all tensors that are
 * missing, extra or misshapen, and for a file of class names of another number. */
GF_API gf_status gf_predict(gf_device *device, const char *run_folder, const char *const *paths,
                            int count, const gf_predict_options *options,
                            gf_predicted *out) GF_MUST_USE;

/** A run's network for images in memory. */
typedef struct gf_predictor gf_predictor;

/** What a predictor takes and gives. */
typedef struct gf_predictor_info {
  gf_image_shape shape;           /**< of the images that the network takes */
  int classes;                    /**< how many it distinguishes */
  const char *const *class_names; /**< (classes), or NULL where unknown; owned by the predictor */
} gf_predictor_info;

/** Opens a run as gf_predict() does, with its errors; classes is gf_predict_options.classes. The
 * device must outlive the predictor. The caller frees *out. */
GF_API gf_status gf_predictor_open(gf_predictor **out, gf_device *device, const char *run_folder,
                                   const char *classes) GF_MUST_USE;

/** Frees a predictor and its network. */
GF_API void gf_predictor_free(gf_predictor **predictor);

/** What the predictor takes and gives. */
GF_API gf_predictor_info gf_predictor_describe(const gf_predictor *predictor);

/** Fills probabilities (count, classes), each row the softmax over the classes, for images (count,
 * height, width, channels) of one shape, bytes from 0 to 255. They are normalised as those of the
 * data set. An image that is smaller than the network's is put in the middle of a black one; none
 * is resized. Images go through the network in batches of the run's size.
 *
 * GF_ERROR_SHAPE for images that are larger, or of other channels; GF_ERROR_NONFINITE for the
 * weights of a run that diverged. */
GF_API gf_status gf_predictor_run_bytes(gf_predictor *predictor, const unsigned char *images,
                                        gf_image_shape shape, int count,
                                        double *probabilities) GF_MUST_USE;

/** Does as gf_predictor_run_bytes() for images of floats from 0 to 1; GF_ERROR_ARGUMENT for others.
 */
GF_API gf_status gf_predictor_run_floats(gf_predictor *predictor, const float *images,
                                         gf_image_shape shape, int count,
                                         double *probabilities) GF_MUST_USE;

#endif
