/* A run of several ranks: which part of each batch is whose, and one state for all. */
#include <jansson.h>
#include <math.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/dataset.h"
#include "train/training.h"

/* ---- parts ---- */

/* edges (ranks + 1) of parts in the proportion of weights (ranks). */
static void set_edges(double *edges, const double *weights, int ranks) {
  double sum = 0, total = 0;
  for (int i = 0; i < ranks; i++) total += weights[i];
  for (int i = 0; i < ranks; i++) {
    edges[i] = sum / total;
    sum += weights[i];
  }
  edges[ranks] = 1;
}

static int images_of(const gf__training *r, int rank, int batch) {
  return gf__part_begin(r->edges[rank + 1], batch) - gf__part_begin(r->edges[rank], batch);
}

int gf__ranks_batch(const gf__training *r, int batch) {
  int rank = gf__cluster_rank(r->cluster), count = gf_dataset_describe(r->train).count;
  int whole = images_of(r, rank, batch), last = images_of(r, rank, count % batch);
  return whole > last ? whole : last;
}

void gf__ranks_part(const gf__training *r, double *from, double *to) {
  int rank = gf__cluster_rank(r->cluster);
  *from = r->edges[rank];
  *to = r->edges[rank + 1];
}

static gf_status fail_list(const char *balance, int ranks) {
  return gf__fail(GF_ERROR_ARGUMENT,
                  "--balance %s: must be equal, auto, again, or %d positive numbers with commas "
                  "between them, one a rank",
                  balance, ranks);
}

/* "3,1": a number a rank. */
static gf_status read_list(const char *balance, double *weights, int ranks) {
  const char *text = balance;
  for (int i = 0; i < ranks; i++) {
    char *end;
    weights[i] = strtod(text, &end);
    bool is_number = end != text && isfinite(weights[i]) && weights[i] > 0;
    if (!is_number || *end != (i + 1 < ranks ? ',' : 0)) return fail_list(balance, ranks);
    text = end + 1;
  }
  return GF_OK;
}

/* The shares that the run in the folder began with, if it had as many ranks. */
static bool read_shares(const gf__training *r, double *weights, int ranks) {
  char path[GF__RUN_PATH_SIZE];
  if (gf__run_path(path, r->options.out, "ranks.json") != GF_OK || !gf__path_exists(path))
    return false;
  json_t *json = gf__json_read(path);
  bool found = json_array_size(json) == (size_t)ranks;
  for (int i = 0; i < ranks && found; i++) {
    weights[i] = json_number_value(json_object_get(json_array_get(json, (size_t)i), "share"));
    found = weights[i] > 0 && weights[i] <= 1;
  }
  json_decref(json);
  return found;
}

/* Edges by what is asked for and known; *measures: they are to be found by measuring, and are
 * equal until then. */
static gf_status choose_edges(gf__training *r, double *weights, bool *measures) {
  const char *balance = r->options.balance ? r->options.balance : "equal";
  int ranks = gf__cluster_ranks(r->cluster), known = 0;
  for (int i = 0; i < ranks; i++) weights[i] = 1;
  *measures = ranks > 1 && (!strcmp(balance, "auto") || !strcmp(balance, "again"));
  gf_status status = GF_OK;
  if (!strcmp(balance, "auto") && r->options.resume) {
    if (r->writes) known = read_shares(r, weights, ranks);
    GF_TRY(gf__cluster_broadcast(r->cluster, &known, sizeof known));
    GF_TRY(gf__cluster_broadcast(r->cluster, weights, (size_t)ranks * sizeof *weights));
  } else if (strcmp(balance, "equal") && strcmp(balance, "auto") && strcmp(balance, "again")) {
    status = read_list(balance, weights, ranks);
  }
  *measures = *measures && !known;
  GF_TRY(gf_cluster_agree(r->cluster, status));
  set_edges(r->edges, weights, ranks);
  return GF_OK;
}

/* Each rank has an image of each whole batch, so that no device is idle throughout. */
static gf_status check_parts(const gf__training *r, int batch) {
  int ranks = gf__cluster_ranks(r->cluster);
  for (int i = 0; i < ranks; i++)
    if (images_of(r, i, batch) == 0)
      return gf__fail(GF_ERROR_CONFIG,
                      "a batch of %d images leaves none for rank %d of %d; use fewer ranks, a "
                      "larger train.batch_size, or another --balance",
                      batch, i, ranks);
  return GF_OK;
}

/* ---- algorithms ---- */

/* Ranks on equal devices that do equal work take the same algorithms. */
typedef struct worker {
  char device[256], driver[128];
  int batch, length; /* of a batch's part; of the text of algorithms */
} worker;

static bool is_same_worker(const worker *a, const worker *b) {
  return a->batch == b->batch && !strcmp(a->device, b->device) && !strcmp(a->driver, b->driver);
}

static int leader_of(const worker *all, int rank) {
  int leader = 0;
  while (!is_same_worker(&all[leader], &all[rank])) leader++;
  return leader;
}

/* Every rank's algorithms, texts (ranks, *size); the caller frees *texts. */
static gf_status gather_algorithms(gf__training *r, worker *all, char **texts, size_t *size) {
  int rank = gf__cluster_rank(r->cluster), ranks = gf__cluster_ranks(r->cluster);
  worker mine = all[rank];
  mine.length = r->model ? (int)strlen(r->model->algorithms) : 0;
  GF_TRY(gf__cluster_gather(r->cluster, &mine, sizeof mine, all));
  *size = 1;
  for (int i = 0; i < ranks; i++)
    if ((size_t)all[i].length >= *size) *size = (size_t)all[i].length + 1;
  char *text = calloc(*size, 1);
  *texts = malloc((size_t)ranks * *size);
  gf_status status = text && *texts ? GF_OK : gf__fail_host_memory((size_t)ranks * *size);
  if (status == GF_OK && r->model) strcpy(text, r->model->algorithms);
  if (status == GF_OK) status = gf__cluster_gather(r->cluster, text, *size, *texts);
  free(text);
  return status;
}

/* The first of equal workers chooses, undisturbed by the others, which then take what it took. */
static gf_status open_in_turn(gf__training *r, const gf_config *config, const char *algorithms,
                              worker *all) {
  const gf_device_info *device = gf_device_describe(r->device);
  int rank = gf__cluster_rank(r->cluster), batch = r->config.batch_size;
  worker mine = {.batch = gf__ranks_batch(r, batch)};
  char *texts = NULL;
  size_t size;
  strcpy(mine.device, device->name);
  strcpy(mine.driver, device->driver);
  GF_TRY(gf__cluster_gather(r->cluster, &mine, sizeof mine, all));
  int leader = leader_of(all, rank);
  gf_status status = leader == rank ? gf__training_open_network(r, config, algorithms) : GF_OK;
  GF_TRY(gf_cluster_agree(r->cluster, status));
  status = gather_algorithms(r, all, &texts, &size);
  if (status == GF_OK && leader != rank)
    status = gf__training_open_network(r, config, texts + (size_t)leader * size);
  free(texts);
  return gf_cluster_agree(r->cluster, status);
}

static gf_status open_network(gf__training *r, const gf_config *config, const char *algorithms) {
  size_t bytes = (size_t)gf__cluster_ranks(r->cluster) * sizeof(worker);
  worker *all = malloc(bytes);
  if (!all) return gf__fail_host_memory(bytes);
  gf_status status = open_in_turn(r, config, algorithms, all);
  free(all);
  return status;
}

/* ---- speeds ---- */

static gf_status measure(gf__training *r, double *speed) {
  int launches;
  double seconds;
  GF_TRY(gf__trainer_prepare(r->trainer, r->config.seed, &launches));
  GF_TRY(gf__trainer_measure(r->trainer, &seconds));
  *speed = r->model->batch / seconds;
  return GF_OK;
}

static void tell_speeds(const double *speeds, int ranks) {
  gf__text text = {0};
  for (int i = 0; i < ranks; i++) gf__text_add(&text, "%s%.0f", i ? ", " : "", speeds[i]);
  if (text.data) gf__log(GF_LOG_INFO, "images/s of the ranks: %s", text.data);
  gf__text_free(&text);
}

/* At the same time on all ranks, as they will compute. */
static gf_status balance(gf__training *r, double *speeds) {
  double speed = 0;
  GF_TRY(gf_cluster_agree(r->cluster, measure(r, &speed)));
  GF_TRY(gf__cluster_gather(r->cluster, &speed, sizeof speed, speeds));
  tell_speeds(speeds, gf__cluster_ranks(r->cluster));
  gf__training_close_network(r);
  set_edges(r->edges, speeds, gf__cluster_ranks(r->cluster));
  return GF_OK;
}

static gf_status open_with(gf__training *r, const gf_config *config, const char *algorithms,
                           double *weights) {
  int count = gf_dataset_describe(r->train).count;
  int batch = r->config.batch_size < count ? r->config.batch_size : count;
  bool measures;
  GF_TRY(choose_edges(r, weights, &measures));
  if (!r->cluster) return gf__training_open_network(r, config, algorithms);
  GF_TRY(gf_cluster_agree(r->cluster, check_parts(r, batch)));
  GF_TRY(open_network(r, config, algorithms));
  if (!measures) return GF_OK;
  GF_TRY(balance(r, weights));
  GF_TRY(gf_cluster_agree(r->cluster, check_parts(r, batch)));
  return open_network(r, config, algorithms);
}

gf_status gf__ranks_open_network(gf__training *r, const gf_config *config, const char *algorithms) {
  size_t ranks = (size_t)gf__cluster_ranks(r->cluster);
  double *weights = calloc(ranks, sizeof *weights);
  r->edges = calloc(ranks + 1, sizeof *r->edges);
  gf_status status = weights && r->edges ? open_with(r, config, algorithms, weights)
                                         : gf__fail_host_memory(ranks * sizeof *weights);
  free(weights);
  return status;
}

/* ---- one state ---- */

gf_status gf__ranks_compare(gf__training *r, const gf__text *config) {
  uint8_t mine[SHA256_DIGEST_LENGTH], first[SHA256_DIGEST_LENGTH];
  if (!r->cluster) return GF_OK;
  gf_dataset_info info = gf_dataset_describe(r->train);
  int size[2] = {info.count, info.classes};
  SHA2_CTX hash;
  SHA256Init(&hash);
  SHA256Update(&hash, (const uint8_t *)config->data, config->size);
  SHA256Update(&hash, (const uint8_t *)size, sizeof size);
  SHA256Final(mine, &hash);
  memcpy(first, mine, sizeof first);
  GF_TRY(gf__cluster_broadcast(r->cluster, first, sizeof first));
  gf_status status = GF_OK;
  if (memcmp(first, mine, sizeof first))
    status = gf__fail(GF_ERROR_CONFIG,
                      "its config or its %d training images are not those of rank 0; give all "
                      "ranks the same files and options",
                      info.count);
  return gf_cluster_agree(r->cluster, status);
}

gf_status gf__ranks_align(gf__training *r) {
  if (!r->cluster) return GF_OK;
  GF_TRY(gf__allreduce_broadcast(r->cluster, r->model, r->model->weights, true));
  GF_TRY(gf__allreduce_broadcast(r->cluster, r->model, r->model->running, false));
  for (int i = 0; i < 2; i++)
    GF_TRY(gf__allreduce_broadcast(r->cluster, r->model, gf__trainer_state(r->trainer, i), true));
  return GF_OK;
}

gf_status gf__ranks_join(gf__training *r) {
  if (!r->cluster) return GF_OK;
  GF_TRY(gf__cluster_broadcast(r->cluster, &r->position, sizeof r->position));
  gf__trainer_set_steps(r->trainer, (int)r->position.steps);
  gf_status status = gf__allreduce_new(&r->exchange, r->cluster, r->model, r->edges);
  GF_TRY(gf_cluster_agree(r->cluster, status));
  gf__trainer_share(r->trainer, r->exchange);
  return GF_OK;
}

gf_status gf__ranks_sum_results(gf__training *r, gf__loss_sums *sums) {
  if (!r->cluster) return GF_OK;
  enum { LOSSES, CORRECT, IMAGES, STOPS, VALUES };
  const gf_train_events *events = &r->options.events;
  bool wants_stop = events->stop && events->stop(events->user);
  double values[VALUES] = {[LOSSES] = sums->losses,
                           [CORRECT] = sums->correct,
                           [IMAGES] = (double)sums->images,
                           [STOPS] = wants_stop};
  GF_TRY(gf__cluster_sum(r->cluster, values, VALUES));
  sums->losses = values[LOSSES];
  sums->correct = values[CORRECT];
  sums->images = (long)values[IMAGES];
  r->stops |= values[STOPS] > 0;
  return GF_OK;
}

/* ---- records ---- */

typedef struct entry {
  char host[128], device[256];
} entry;

static gf_status write_entries(const gf__training *r, const entry *all) {
  char path[GF__RUN_PATH_SIZE];
  json_t *json = json_array();
  for (int i = 0; i < gf__cluster_ranks(r->cluster); i++)
    json_array_append_new(
        json, json_pack("{s:i, s:s, s:s, s:f}", "rank", i, "host", all[i].host, "device",
                        all[i].device, "share", r->edges[i + 1] - r->edges[i]));
  char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
  json_decref(json);
  gf_status status = text ? gf__run_path(path, r->options.out, "ranks.json")
                          : gf__fail(GF_ERROR_MEMORY, "cannot write down the ranks of the run");
  if (status == GF_OK) status = gf__file_write(path, text, strlen(text));
  free(text);
  return status;
}

gf_status gf__ranks_write(const gf__training *r) {
  if (!r->cluster) return GF_OK;
  size_t bytes = (size_t)gf__cluster_ranks(r->cluster) * sizeof(entry);
  entry mine = {{0}, {0}}, *all = malloc(bytes);
  if (!all) return gf__fail_host_memory(bytes);
  strncpy(mine.host, gf_cluster_describe(r->cluster).host, sizeof mine.host - 1);
  strcpy(mine.device, gf_device_describe(r->device)->name);
  gf_status status = gf__cluster_gather(r->cluster, &mine, sizeof mine, all);
  if (status == GF_OK && r->writes) status = write_entries(r, all);
  free(all);
  return gf_cluster_agree(r->cluster, status);
}
