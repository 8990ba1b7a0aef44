/* Benchmarks of a device: what it can do at most, and how near operations and steps of networks
 * come to that: those of the standard networks, or the caller's own. docs/benchmark.md explains the
 * numbers and the file. */
#ifndef GRADFLOW_BENCH_H
#define GRADFLOW_BENCH_H

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/model.h>
#include <gradflow/status.h>

/* What a row's time is compared with: the longest of four times that it would take if nothing but
 * the one limit counted (the roofline model: Williams, Waterman and Patterson, 2009, with launches
 * and uploads beside it). */
typedef enum gf_bound {
  GF_BOUND_COMPUTE,  /* flops at the measured rate of multiply-adds */
  GF_BOUND_MEMORY,   /* bytes at the measured rate of a copy on the device */
  GF_BOUND_LAUNCH,   /* launches, each as long as one of an empty kernel */
  GF_BOUND_TRANSFER, /* bytes from the host at the measured rate of uploads */
  GF_BOUND_COUNT
} gf_bound;

/* "compute", "memory", "launch" or "transfer"; never NULL. */
GF_API const char *gf_bound_name(gf_bound bound);

/* What the device does at most, measured: the best of several runs each. */
typedef struct gf_bench_limits {
  double flops;              /* a second; a multiply-add counts as 2 */
  double bytes;              /* a second, read and written by a copy on the device */
  double launch_seconds;     /* of an empty kernel after others in the queue */
  double round_trip_seconds; /* of an empty kernel until the host knows that it is done */
  double upload, download;   /* bytes a second between the host's memory and the device's */
} gf_bench_limits;

/* Compiling, which is in no other time. */
typedef struct gf_bench_builds {
  int compiled, loaded;                 /* programs: compiled, and taken from the kernel cache */
  double compile_seconds, load_seconds; /* in all */
  /* The first training step of plain7 with nothing in the cache; 0: not measured (quick form). */
  double fresh_seconds;
} gf_bench_builds;

typedef enum gf_bench_kind {
  GF_BENCH_OPERATION,
  GF_BENCH_STEP, /* of training */
  GF_BENCH_INFERENCE,
  GF_BENCH_KIND_COUNT
} gf_bench_kind;

/* The median of each round, where a network was measured in several. */
enum { GF_BENCH_MOST_ROUNDS = 15 };
typedef struct gf_bench_rounds {
  int count; /* 0: it was measured once */
  double seconds[GF_BENCH_MOST_ROUNDS];
} gf_bench_rounds;

/* An operation, a training step, or a batch in inference. Numbers are of one repetition. */
typedef struct gf_bench_row {
  char name[192];     /* "conv2d forward 32x32x32", "plain37" */
  char algorithm[16]; /* of a convolution, else "" */
  gf_bench_kind kind;
  int batch;            /* images; 0 where an operation has none */
  int samples, repeats; /* measured times, and repetitions in each */
  double seconds;       /* the median; of several rounds, that of their medians */
  double low, high;     /* the quartiles of the same */
  double first_seconds; /* of the first one, with what is compiled and loaded for it */
  double flops;         /* as of direct convolution; 0: none that count */
  double bytes;         /* read and written at least */
  double upload_bytes;  /* from the host */
  double launches;
  double fraction; /* of the limit that binds it; above 1 where an algorithm does with fewer flops
                   or a cache answers instead of the memory */
  gf_bound bound;
  gf_bench_rounds rounds;
  /* The most memory that the process and its buffers on the device had taken by then; 0: not
   * measured. */
  double host_bytes, device_bytes;
} gf_bench_row;

typedef struct gf_bench_device {
  gf_device_info card; /* read from a file: without extensions and what is not in the file */
  char *failure;       /* why it could not be measured to the end, or NULL */
  gf_bench_limits limits;
  gf_bench_builds builds;
  int row_count;
  gf_bench_row *rows; /* operations, then steps */
} gf_bench_device;

typedef enum gf_bench_form {
  GF_BENCH_QUICK,  /* batch 25, algorithms as they are by default */
  GF_BENCH_FULL,   /* batch 100, algorithms tuned, a compilation with nothing in the cache */
  GF_BENCH_LAYERS, /* of gf_bench_layers */
  GF_BENCH_TRAIN   /* of gf_bench_train */
} gf_bench_form;

/* The results of one call, or one file. */
typedef struct gf_bench {
  char date[32], program[64], commit[64], clblast[64], opencl_loader[128];
  gf_bench_form form;
  int device_count;
  gf_bench_device *devices;
} gf_bench;

typedef struct gf_bench_progress {
  const char *device; /* its name */
  const char *what;   /* is being measured */
  int done, count;    /* of that device */
} gf_bench_progress;

typedef struct gf_bench_options {
  const char *device; /* as gf_device_open takes it, or "all" */
  gf_bench_form form; /* GF_BENCH_QUICK or GF_BENCH_FULL; read by gf_bench_run only */
  void *user;
  void (*progress)(void *user, const gf_bench_progress *progress); /* or NULL */
  int (*stop)(void *user); /* asked before each measurement; not 0 ends it; or NULL */
} gf_bench_options;

/* Measures. With "all" a device that fails has the reason in its failure, and the others go on; of
 * one device it is returned. GF_ERROR_INTERRUPTED after a stop. The caller frees *out. */
GF_API gf_status gf_bench_run(gf_bench **out, const gf_bench_options *options) GF_MUST_USE;
GF_API void gf_bench_free(gf_bench **bench);

/* A layer in a shape. */
typedef struct gf_bench_layer {
  const char *name;     /* of its rows, before the algorithm of a convolution and the direction */
  const char *note;     /* at the end of the rows' names; or NULL */
  const char *type;     /* as in a graph of a config: "conv2d" */
  const char *keys;     /* its others, each after a comma: ", filters: 32, kernel: [3, 2]"; or "" */
  gf_image_shape image; /* each input */
  int batch;            /* images */
} gf_bench_layer;

typedef struct gf_bench_layer_options {
  const gf_bench_layer *layers;
  int count;
  /* Of convolutions: "auto", as a network chooses, or one by its name. NULL: each that takes the
   * shape. */
  const char *algorithm;
  const char *tune;  /* as model.tune; NULL: "off" */
  int gemm_defaults; /* CLBlast's own parameters for the matrix product, in place of ours */
} gf_bench_layer_options;

/* Measures layers, each alone and in each direction, as gf_bench_run does the standard ones. */
GF_API gf_status gf_bench_layers(gf_bench **out, const gf_bench_layer_options *what,
                                 const gf_bench_options *options) GF_MUST_USE;

typedef struct gf_bench_train_options {
  const gf_config *const *configs;
  const char *const *names; /* of the rows, all different */
  int count;
  int rounds;     /* from 1 to GF_BENCH_MOST_ROUNDS; each goes through all configs in turn */
  int steps;      /* of a round, each of training and of inference; from 1 to 4096 */
  int batch;      /* images; 0: the config's train.batch_size */
  int statistics; /* gradient statistics in each step of training */
  int loader;     /* the batches of the config's data set, read meanwhile, not a constant one */
} gf_bench_train_options;

/* Measures training steps and inference of the configs' networks. A training row's first_seconds is
 * from opening the device, or the network where another was before it, to the end of its first
 * step. */
GF_API gf_status gf_bench_train(gf_bench **out, const gf_bench_train_options *what,
                                const gf_bench_options *options) GF_MUST_USE;

/* The tables, in 80 columns; the caller frees *out with free. */
GF_API gf_status gf_bench_text(const gf_bench *bench, char **out) GF_MUST_USE;

/* As JSON, which appears whole or not at all. */
GF_API gf_status gf_bench_save(const gf_bench *bench, const char *path) GF_MUST_USE;
/* The same as a text; the caller frees *out with free. */
GF_API gf_status gf_bench_json(const gf_bench *bench, char **out) GF_MUST_USE;
/* GF_ERROR_FILE where it cannot be read; GF_ERROR_DATA, with the place in the file, for one that is
 * larger than 4 MiB, is no JSON, is of another version or has values that no benchmark writes. The
 * caller frees *out. */
GF_API gf_status gf_bench_load(gf_bench **out, const char *path) GF_MUST_USE;

typedef struct gf_bench_comparison {
  double fail_below;  /* a ratio below this one is too slow; 0: none is */
  const char *folder; /* for pictures and the page, which is created; NULL: none */
  void (*written)(void *user, const char *path); /* or NULL */
  void *user;
} gf_bench_comparison;

/* Compares the devices of several files: each device of the second file and those after it with the
 * one of the same name in the first file, or with the first there is. Devices of a single file are
 * compared with its first. A ratio is the time of the first over that of the other: above 1 is
 * faster. *text, which the caller frees with free, is the tables in 80 columns. *failed is the
 * number of rows whose ratio is below fail_below or which the other has not measured; text names
 * them. GF_ERROR_DATA where two have no row in common. */
GF_API gf_status gf_bench_compare(const char *const *paths, int count,
                                  const gf_bench_comparison *comparison, char **text,
                                  int *failed) GF_MUST_USE;

#endif
