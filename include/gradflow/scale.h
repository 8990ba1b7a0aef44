/* How fast many ranks would train: a model of a step, from what a rank's device and the network
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

/* Gradients that travel together. */
typedef struct gf_scale_bucket {
  double bytes;
  double ready; /* fraction of the backward pass after which they are there */
} gf_scale_bucket;

typedef struct gf_scale_network {
  double latency;   /* seconds of a message without content */
  double overhead;  /* seconds of each of many messages at once */
  double bandwidth; /* bytes a second, of a rank, in and out at a time */
} gf_scale_network;

/* Of a rank. Seconds. */
typedef struct gf_scale_costs {
  double fixed, image;     /* of forward and backward: of a step, and of each image in it */
  double backward;         /* fraction of that which is backward */
  double update, transfer; /* of the optimizer; of all gradients from the device and back */
  gf_scale_bucket *buckets;
  int bucket_count;
  gf_memory memory; /* for batch images */
  int batch;        /* the config's */
  size_t parameters;
} gf_scale_costs;

typedef enum gf_scale_bound {
  GF_SCALE_COMPUTE,   /* less than a tenth of a step is anything else than images */
  GF_SCALE_FIXED,     /* what a step takes on the device however few its images are */
  GF_SCALE_TRANSFER,  /* gradients between device and host, and the update */
  GF_SCALE_LATENCY,   /* messages, however short they are */
  GF_SCALE_BANDWIDTH, /* bytes between ranks */
  GF_SCALE_BOUNDS
} gf_scale_bound;
GF_API const char *gf_scale_bound_name(gf_scale_bound bound);

typedef struct gf_scale_point {
  int ranks;
  double images;     /* of each rank */
  double step;       /* seconds */
  double exposed;    /* of it, when the device waits for gradients */
  double efficiency; /* images a second of a rank, to those of one rank alone with as many or, where
                        the whole batch is given, with all of it */
  gf_scale_bound bound;
} gf_scale_point;

/* Measures the network of a config on a device: two batches of zeros, the update, transfers. Where
 * a config's files alone tell the number of classes, they are 1000. The caller frees out. */
GF_API gf_status gf_scale_measure(gf_scale_costs *out, gf_device *device,
                                  const gf_config *config) GF_MUST_USE;
GF_API void gf_scale_costs_free(gf_scale_costs *costs);
/* Measures the network between the ranks of a communicator of two or more. */
GF_API gf_status gf_scale_measure_network(gf_scale_network *out,
                                          gf_communicator *communicator) GF_MUST_USE;
/* Seconds of a step of all ranks of the communicator, each with a batch of zeros as the config's.
 */
GF_API gf_status gf_scale_measure_step(double *seconds, gf_device *device,
                                       gf_communicator *communicator,
                                       const gf_config *config) GF_MUST_USE;

/* Ranks with so many images each. */
GF_API gf_scale_point gf_scale_each(const gf_scale_costs *costs, const gf_scale_network *network,
                                    int ranks, double images);
/* Ranks that have a batch of so many images in all. */
GF_API gf_scale_point gf_scale_whole(const gf_scale_costs *costs, const gf_scale_network *network,
                                     int ranks, double images);

#endif
