/** @file
 * Benchmarks of a device: what it can do at most, and how near operations and steps of networks
 * come to that: those of the standard networks, or the caller's own. docs/benchmark.md explains the
 * numbers and the file. */
#ifndef GRADFLOW_BENCH_H
#define GRADFLOW_BENCH_H

#include <stdbool.h>

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/model.h>
#include <gradflow/status.h>

/** What a row's time is compared with: the longest of four times that it would take if nothing but
 * the one limit counted (the roofline model: Williams, Waterman and Patterson, 2009, with launches
 * and uploads beside it). */
typedef enum gf_bound {
  GF_BOUND_COMPUTE,  /**< flops at the measured rate of multiply-adds */
  GF_BOUND_MEMORY,   /**< bytes at the measured rate of a copy on the device */
  GF_BOUND_LAUNCH,   /**< launches, each as long as one of an empty kernel */
  GF_BOUND_TRANSFER, /**< bytes from the host at the measured rate of uploads */
  GF_BOUND_COUNT     /**< how many there are */
} gf_bound;

/** "compute", "memory", "launch" or "transfer"; never NULL. */
GF_API const char *gf_bound_name(gf_bound bound);

/** What the device does at most, measured: the best of several runs each. */
typedef struct gf_bench_limits {
  double flops;              /**< a second; a multiply-add counts as 2 */
  double bytes;              /**< a second, read and written by a copy on the device */
  double launch_seconds;     /**< of an empty kernel after others in the queue */
  double round_trip_seconds; /**< of an empty kernel until the host knows that it is done */
  double upload;             /**< bytes a second from the host's memory to the device's */
  double download;           /**< bytes a second from the device's memory to the host's */
} gf_bench_limits;

/** Compiling, which is in no other time. */
typedef struct gf_bench_builds {
  int compiled;           /**< programs that were compiled */
  int loaded;             /**< programs that were taken from the kernel cache */
  double compile_seconds; /**< of all that were compiled */
  double load_seconds;    /**< of all that were loaded */
  /** The time of the first training step of plain7 with nothing in the cache; 0: not measured
   * (quick form). */
  double fresh_seconds;
} gf_bench_builds;

/** What a row measures. */
typedef enum gf_bench_kind {
  GF_BENCH_OPERATION, /**< an operation in one direction */
  GF_BENCH_STEP,      /**< a training step */
  GF_BENCH_INFERENCE, /**< a batch in inference */
  GF_BENCH_KIND_COUNT /**< how many there are */
} gf_bench_kind;

enum {
  GF_BENCH_MOST_ROUNDS = 15 /**< of a network */
};

/** The medians of the rounds, where a network was measured in several. */
typedef struct gf_bench_rounds {
  int count;                            /**< of rounds; 0: it was measured once */
  double seconds[GF_BENCH_MOST_ROUNDS]; /**< (count) */
} gf_bench_rounds;

/** An operation, a training step, or a batch in inference. Numbers are of one repetition. */
typedef struct gf_bench_row {
  char name[192];       /**< "conv2d forward 32x32x32", "plain37" */
  char algorithm[16];   /**< of a convolution, else "" */
  gf_bench_kind kind;   /**< what is measured */
  int batch;            /**< images; 0 where an operation has none */
  int samples;          /**< measured times */
  int repeats;          /**< repetitions in each */
  double seconds;       /**< the median; of several rounds, that of their medians */
  double low;           /**< the lower quartile of the same */
  double high;          /**< the upper quartile of the same */
  double first_seconds; /**< of the first one, with what is compiled and loaded for it */
  double flops;         /**< as of direct convolution; 0: none that count */
  double bytes;         /**< read and written at least */
  double upload_bytes;  /**< from the host */
  double launches;      /**< of kernels */
  /** The fraction of the limit that binds it which is reached; above 1 where an algorithm does with
   * fewer flops or a cache answers instead of the memory. */
  double fraction;
  gf_bound bound;         /**< the limit that binds it */
  gf_bench_rounds rounds; /**< of a network */
  double host_bytes;   /**< the most memory that the process had taken by then; 0: not measured */
  double device_bytes; /**< the most of its buffers on the device by then; 0: not measured */
} gf_bench_row;

/** The results of a device. */
typedef struct gf_bench_device {
  gf_device_info card;    /**< read from a file: without extensions and what is not in the file */
  char *failure;          /**< why it could not be measured to the end, or NULL */
  gf_bench_limits limits; /**< what it does at most */
  gf_bench_builds builds; /**< what was compiled */
  int row_count;          /**< of rows */
  gf_bench_row *rows;     /**< (row_count): operations, then steps */
} gf_bench_device;

/** What a benchmark is of. */
typedef enum gf_bench_form {
  GF_BENCH_QUICK,  /**< batch 25, algorithms as they are by default */
  GF_BENCH_FULL,   /**< batch 100, algorithms tuned, a compilation with nothing in the cache */
  GF_BENCH_LAYERS, /**< of gf_bench_layers() */
  GF_BENCH_TRAIN   /**< of gf_bench_train() */
} gf_bench_form;

/** The results of one call, or one file. */
typedef struct gf_bench {
  char date[32];            /**< and time, UTC, in ISO 8601 */
  char program[64];         /**< the version of gradflow */
  char commit[64];          /**< that it was built from */
  char clblast[64];         /**< the version of CLBlast */
  char opencl_loader[128];  /**< the version of the ICD loader */
  gf_bench_form form;       /**< what it is of */
  int device_count;         /**< of devices */
  gf_bench_device *devices; /**< (device_count) */
} gf_bench;

/** How far a benchmark is. */
typedef struct gf_bench_progress {
  const char *device; /**< its name */
  const char *what;   /**< is being measured */
  int done;           /**< measurements of that device so far */
  int count;          /**< measurements of that device */
} gf_bench_progress;

/** Where a benchmark runs, and what is called meanwhile. */
typedef struct gf_bench_options {
  const char *device; /**< as in gf_device_open(), or "all" */
  gf_bench_form form; /**< GF_BENCH_QUICK or GF_BENCH_FULL; read by gf_bench_run() only */
  void *user;         /**< passed to each function */
  void (*progress)(void *user, const gf_bench_progress *progress); /**< before each measurement */
  bool (*stop)(void *user); /**< asked before each measurement; true ends the benchmark */
} gf_bench_options;

/** The quick form on the best device. */
GF_API gf_bench_options gf_bench_options_default(void);

/** Measures the standard operations and networks. With "all" a device that fails has the reason in
 * its failure, and the others go on; the failure of a single device is returned. The caller frees
 * *out. GF_ERROR_INTERRUPTED after a stop. */
GF_API gf_status gf_bench_run(gf_bench **out, const gf_bench_options *options) GF_MUST_USE;

/** Frees a benchmark with its devices and rows. */
GF_API void gf_bench_free(gf_bench **bench);

/** A layer in a shape. */
typedef struct gf_bench_layer {
  const char *name; /**< of its rows, before the algorithm of a convolution and the direction */
  const char *note; /**< at the end of the rows' names; or NULL */
  const char *type; /**< as in a graph of a config: "conv2d" */
  const char *keys; /**< its others, each after a comma: ", filters: 32, kernel: [3, 2]"; or "" */
  gf_image_shape image; /**< each input */
  int batch;            /**< images */
} gf_bench_layer;

/** Which layers are measured. */
typedef struct gf_bench_layer_options {
  const gf_bench_layer *layers; /**< (count); there is no default */
  int count;                    /**< layers, at least 1 */
  /** The algorithm of convolutions: "auto", as a network chooses, or one by its name. NULL: each
   * that takes the shape. */
  const char *algorithm;
  const char *tune;   /**< as model.tune */
  bool gemm_defaults; /**< CLBlast's own parameters for the matrix product, in place of ours */
} gf_bench_layer_options;

/** No layers; each algorithm, without tuning, with our parameters for the matrix product. */
GF_API gf_bench_layer_options gf_bench_layer_options_default(void);

/** Measures layers, each alone and in each direction, as gf_bench_run() does the standard ones,
 * with its errors. */
GF_API gf_status gf_bench_layers(gf_bench **out, const gf_bench_layer_options *what,
                                 const gf_bench_options *options) GF_MUST_USE;

/** Which networks are measured. */
typedef struct gf_bench_train_options {
  const gf_config *const *configs; /**< (count); there is no default */
  const char *const *names;        /**< (count), of the rows, all different; there is no default */
  int count;                       /**< configs, at least 1 */
  int rounds;      /**< from 1 to GF_BENCH_MOST_ROUNDS; each goes through all configs in turn */
  int steps;       /**< of a round, each of training and of inference; from 1 to 4096 */
  int batch;       /**< images; 0: the config's train.batch_size */
  bool statistics; /**< gradient statistics in each step of training */
  bool loader;     /**< the batches of the config's data set, read meanwhile, not a constant one */
} gf_bench_train_options;

/** No configs; 3 rounds of 20 steps, of a constant batch of the config's size. */
GF_API gf_bench_train_options gf_bench_train_options_default(void);

/** Measures training steps and inference of the configs' networks. A training row's first_seconds
 * is from opening the device, or the network where another was before it, to the end of its first
 * step. Results and errors are as of gf_bench_run(). */
GF_API gf_status gf_bench_train(gf_bench **out, const gf_bench_train_options *what,
                                const gf_bench_options *options) GF_MUST_USE;

/** The tables, in 80 columns. The caller frees *out with free. */
GF_API gf_status gf_bench_text(const gf_bench *bench, char **out) GF_MUST_USE;

/** Writes a benchmark as a JSON file, which appears whole or not at all. GF_ERROR_FILE where path
 * cannot be written. */
GF_API gf_status gf_bench_save(const gf_bench *bench, const char *path) GF_MUST_USE;

/** The content of that file as a text. The caller frees *out with free. */
GF_API gf_status gf_bench_json(const gf_bench *bench, char **out) GF_MUST_USE;

/** Reads a file that gf_bench_save() wrote. The caller frees *out. GF_ERROR_FILE where it cannot be
 * read; GF_ERROR_DATA, with the place in the file, for one that is larger than 4 MiB, is no JSON,
 * is of another version or has values that no benchmark writes. */
GF_API gf_status gf_bench_load(gf_bench **out, const char *path) GF_MUST_USE;

/** How benchmarks are compared. */
typedef struct gf_bench_compare_options {
  double fail_below;  /**< a ratio below this one is too slow; 0: none is */
  const char *folder; /**< for pictures and the page, which is created; NULL: none */
  void (*written)(void *user, const char *path); /**< a file in the folder */
  void *user;                                    /**< passed to written */
} gf_bench_compare_options;

/** No ratio is too slow, and nothing is written. */
GF_API gf_bench_compare_options gf_bench_compare_options_default(void);

/** Compares the devices of count files: each device of the second file and those after it with the
 * one of the same name in the first file, or with the first there is. Devices of a single file are
 * compared with its first. A ratio is the time of the first over that of the other: above 1 is
 * faster. *text, which the caller frees with free, is the tables in 80 columns. *failed is the
 * number of rows whose ratio is below fail_below or which the other has not measured; text names
 * them. GF_ERROR_DATA where two have no row in common. */
GF_API gf_status gf_bench_compare(const char *const *paths, int count,
                                  const gf_bench_compare_options *options, char **text,
                                  int *failed) GF_MUST_USE;

#endif
