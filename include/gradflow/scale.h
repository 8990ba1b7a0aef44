/** @file
 * How fast many ranks would train: a model of a step, from what a rank's device and the network
 * between ranks were measured to do.
 *
 * A step of N ranks is: forward, backward, of which each bucket of gradients travels as soon as it
 * is there, and the update. A bucket of s bytes goes in two phases, in each of which a rank sends
 * N - 1 messages of s / N bytes: 2 (latency + (N - 1) overhead + (N - 1) / N s / bandwidth), as in
 * LogGP (Alexandrov et al., 1995). Buckets go one after another. Left out are the images' way from
 * the disk, ranks that wait for the slowest of them, and networks that slow down under load. */
#ifndef GRADFLOW_SCALE_H
#define GRADFLOW_SCALE_H

#include <stddef.h>

#include <gradflow/communicator.h>
#include <gradflow/config.h>
#include <gradflow/model.h>

/** Gradients that travel together. */
typedef struct gf_scale_bucket {
  double bytes; /**< of them */
  double ready; /**< fraction of the backward pass after which they are there */
} gf_scale_bucket;

/** What the network between ranks was measured to do. */
typedef struct gf_scale_network {
  double latency;   /**< seconds of a message without content */
  double overhead;  /**< seconds of each of many messages at once */
  double bandwidth; /**< bytes a second, of a rank, in and out at a time */
} gf_scale_network;

/** What a step takes on a rank's device. Times are in seconds. */
typedef struct gf_scale_costs {
  double fixed;             /**< of forward and backward of a step, without its images */
  double image;             /**< of forward and backward of each image */
  double backward;          /**< fraction of those that is backward */
  double update;            /**< of the optimizer */
  double transfer;          /**< of all gradients from the device and back */
  gf_scale_bucket *buckets; /**< (bucket_count), in the order in which they are ready */
  int bucket_count;         /**< buckets of gradients */
  gf_memory memory;         /**< for batch images */
  int batch;                /**< the config's */
  size_t parameters;        /**< trainable elements */
} gf_scale_costs;

/** What binds a step of many ranks. */
typedef enum gf_scale_bound {
  GF_SCALE_COMPUTE,   /**< less than a tenth of a step is anything else than images */
  GF_SCALE_FIXED,     /**< what a step takes on the device however few its images are */
  GF_SCALE_TRANSFER,  /**< gradients between device and host, and the update */
  GF_SCALE_LATENCY,   /**< messages, however short they are */
  GF_SCALE_BANDWIDTH, /**< bytes between ranks */
  GF_SCALE_BOUNDS     /**< how many there are */
} gf_scale_bound;

/** What binds in a word, as "compute"; never NULL. */
GF_API const char *gf_scale_bound_name(gf_scale_bound bound);

/** A step of a number of ranks, as predicted. */
typedef struct gf_scale_point {
  int ranks;      /**< how many */
  double images;  /**< of each rank */
  double step;    /**< seconds */
  double exposed; /**< seconds of it in which the device waits for gradients */
  /** Images a second of a rank, to those of one rank alone with as many images or, where the whole
   * batch is given, with all of it. */
  double efficiency;
  gf_scale_bound bound; /**< what binds it */
} gf_scale_point;

/** Measures the network of a config on a device: two batches of zeros, the update, transfers. Where
 * a config's files alone give the number of classes, it is taken to be 1000. The caller frees *out
 * with gf_scale_costs_free(). Errors are those of gf_model_open(). */
GF_API gf_status gf_scale_measure(gf_scale_costs *out, gf_device *device,
                                  const gf_config *config) GF_MUST_USE;

/** Frees what the costs point to. */
GF_API void gf_scale_costs_free(gf_scale_costs *costs);

/** Measures the network between the ranks of a communicator of two or more, which all call it. */
GF_API gf_status gf_scale_measure_network(gf_scale_network *out,
                                          gf_communicator *communicator) GF_MUST_USE;

/** Measures the seconds of a step of all ranks of the communicator, which all call it, each with a
 * batch of zeros of the config's size. */
GF_API gf_status gf_scale_measure_step(double *seconds, gf_device *device,
                                       gf_communicator *communicator,
                                       const gf_config *config) GF_MUST_USE;

/** Predicts a step of a number of ranks with so many images each. */
GF_API gf_scale_point gf_scale_each(const gf_scale_costs *costs, const gf_scale_network *network,
                                    int ranks, double images);

/** Predicts a step of a number of ranks that have a batch of so many images together. */
GF_API gf_scale_point gf_scale_whole(const gf_scale_costs *costs, const gf_scale_network *network,
                                     int ranks, double images);

#endif
