/* A run of one or several ranks: who takes which shard of a batch, and one state for all. */
#include <jansson.h>
#include <math.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/numbers.h"
#include "data/dataset.h"
#include "distributed/shards.h"
#include "train/training.h"

/* ---- shards ---- */

int gf__ranks_largest_shard(const gf__training *t, int batch) {
  int rank = gf__communicator_rank(t->communicator), count = gf_dataset_describe(t->train).count;
  int whole = gf__shard_size(t->shard_bounds, rank, batch);
  int last = gf__shard_size(t->shard_bounds, rank, count % batch);
  /* Of a smaller batch a rank may have more: shards are whole images. */
  for (int rest = 1; t->cuts_batch && rest < batch; rest++)
    last = GF__MAX(last, gf__shard_size(t->shard_bounds, rank, rest));
  return whole > last ? whole : last;
}

int gf__ranks_norm_images(const gf__training *t) {
  int batch = gf__training_batch(t), ranks = gf__communicator_ranks(t->communicator);
  int micro = t->model->batch, least = batch;
  if (ranks > 1 && t->model->joins_batch_norms) return batch;
  for (int i = 0; i < ranks; i++) {
    int shard = gf__shard_size(t->shard_bounds, i, batch);
    if (shard && shard < least) least = shard;
  }
  /* The last micro-batch of a shard has what the others leave. */
  return least > micro ? least - (least - 1) / micro * micro : least;
}

static gf_status fail_balance(const char *balance, int ranks) {
  return gf__fail(GF_ERROR_ARGUMENT,
                  "--balance %s: must be equal, auto, again, or %d positive numbers with commas "
                  "between them, one a rank",
                  balance, ranks);
}

/* "3,1": a number per rank. */
static gf_status read_balance(const char *balance, double *weights, int ranks) {
  const char *text = balance;
  for (int i = 0; i < ranks; i++) {
    char *end;
    weights[i] = strtod(text, &end);
    bool is_number = end != text && isfinite(weights[i]) && weights[i] > 0;
    if (!is_number || *end != (i + 1 < ranks ? ',' : 0)) return fail_balance(balance, ranks);
    text = end + 1;
  }
  return GF_OK;
}

/* The weights that the run in the folder started with, if it had as many ranks. */
static bool read_old_weights(const gf__training *t, double *weights, int ranks) {
  char path[GF__PATH_SIZE];
  if (gf__run_path(path, t->options.out, "ranks.json") != GF_OK || !gf__path_exists(path))
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

static bool is_word(const char *balance, const char *word) { return strcmp(balance, word) == 0; }

/* Weights by what is asked for and known; *measures: they are to be measured, and are equal until
 * then. */
static gf_status choose_weights(gf__training *t, double *weights, bool *measures) {
  const char *balance = t->options.balance ? t->options.balance : "equal";
  int ranks = gf__communicator_ranks(t->communicator), known = 0;
  bool keeps = is_word(balance, "auto"), again = is_word(balance, "again");
  gf_status status = GF_OK;
  for (int i = 0; i < ranks; i++) weights[i] = 1;
  if (keeps && t->options.resume) {
    if (t->writes) known = read_old_weights(t, weights, ranks);
    GF_TRY(gf__communicator_broadcast(t->communicator, &known, sizeof known));
    GF_TRY(gf__communicator_broadcast(t->communicator, weights, (size_t)ranks * sizeof *weights));
  } else if (!keeps && !again && !is_word(balance, "equal")) {
    status = read_balance(balance, weights, ranks);
  }
  *measures = ranks > 1 && (keeps || again) && !known;
  return gf_communicator_agree(t->communicator, status);
}

/* Every rank gets at least one image of each full batch, so that no device is idle throughout. */
static gf_status check_shards(const gf__training *t) {
  int ranks = gf__communicator_ranks(t->communicator), batch = gf__training_batch(t);
  gf_status status = GF_OK;
  for (int i = 0; i < ranks && status == GF_OK; i++)
    if (gf__shard_size(t->shard_bounds, i, batch) == 0)
      status = gf__fail(GF_ERROR_CONFIG,
                        "a batch of %d images leaves none for rank %d of %d; use fewer ranks, a "
                        "larger train.batch_size, or another --balance",
                        batch, i, ranks);
  return gf_communicator_agree(t->communicator, status);
}

/* ---- algorithms ---- */

/* Ranks on equal devices that do equal work take the same algorithms. */
typedef struct worker {
  char device[256], driver[128];
  int shard, length; /* images of a batch; bytes of the text of algorithms */
} worker;

static bool is_same_worker(const worker *a, const worker *b) {
  return a->shard == b->shard && !strcmp(a->device, b->device) && !strcmp(a->driver, b->driver);
}

static int leader_of(const worker *all, int rank) {
  int leader = 0;
  while (!is_same_worker(&all[leader], &all[rank])) leader++;
  return leader;
}

/* Every rank's algorithms, texts (ranks, *size); the caller frees *texts. */
static gf_status gather_algorithms(gf__training *t, worker *all, char **texts, size_t *size) {
  int rank = gf__communicator_rank(t->communicator),
      ranks = gf__communicator_ranks(t->communicator);
  worker mine = all[rank];
  mine.length = t->model ? (int)strlen(t->model->algorithms) : 0;
  GF_TRY(gf__communicator_gather(t->communicator, &mine, sizeof mine, all));
  *size = 1;
  for (int i = 0; i < ranks; i++)
    if ((size_t)all[i].length >= *size) *size = (size_t)all[i].length + 1;
  char *text = calloc(*size, 1);
  *texts = malloc((size_t)ranks * *size);
  gf_status status = text && *texts ? GF_OK : gf__fail_host_memory((size_t)ranks * *size);
  if (status == GF_OK && t->model) strcpy(text, t->model->algorithms);
  if (status == GF_OK) status = gf__communicator_gather(t->communicator, text, *size, *texts);
  free(text);
  return status;
}

static gf_status describe_workers(gf__training *t, worker *all) {
  const gf_device_info *device = gf_device_describe(t->device);
  worker mine = {.shard = gf__ranks_largest_shard(t, t->config.batch_size)};
  strcpy(mine.device, device->name);
  strcpy(mine.driver, device->driver);
  return gf__communicator_gather(t->communicator, &mine, sizeof mine, all);
}

static gf_status open_in_turn(gf__training *t, const gf_config *config, const char *algorithms,
                              worker *all) {
  int rank = gf__communicator_rank(t->communicator);
  char *texts = NULL;
  size_t size;
  GF_TRY(describe_workers(t, all));
  int leader = leader_of(all, rank);
  gf_status status = leader == rank ? gf__training_open_network(t, config, algorithms) : GF_OK;
  GF_TRY(gf_communicator_agree(t->communicator, status));
  status = gather_algorithms(t, all, &texts, &size);
  if (status == GF_OK && leader != rank)
    status = gf__training_open_network(t, config, texts + (size_t)leader * size);
  free(texts);
  return gf_communicator_agree(t->communicator, status);
}

/* The first of equal workers chooses algorithms, undisturbed by the others, which then take what it
 * chose. */
static gf_status open_networks(gf__training *t, const gf_config *config, const char *algorithms) {
  size_t bytes = (size_t)gf__communicator_ranks(t->communicator) * sizeof(worker);
  GF_TRY(check_shards(t));
  worker *all = malloc(bytes);
  if (!all) return gf__fail_host_memory(bytes);
  gf_status status = open_in_turn(t, config, algorithms, all);
  free(all);
  return status;
}

/* ---- speeds ---- */

static gf_status measure_speed(gf__training *t, double *speed) {
  int launches;
  double seconds;
  GF_TRY(gf__trainer_prepare(t->trainer, t->config.seed, &launches));
  GF_TRY(gf__trainer_measure(t->trainer, &seconds));
  *speed = t->model->batch / seconds;
  return GF_OK;
}

static void log_speeds(const double *speeds, int ranks) {
  gf__text text = {0};
  for (int i = 0; i < ranks; i++) gf__text_add(&text, "%s%.0f", i ? ", " : "", speeds[i]);
  if (text.data) gf__log(GF_LOG_INFO, "images/s of the ranks: %s", text.data);
  gf__text_free(&text);
}

/* At the same time on all ranks, as they will compute. */
static gf_status measure_speeds(gf__training *t, double *speeds) {
  double speed = 0;
  GF_TRY(gf_communicator_agree(t->communicator, measure_speed(t, &speed)));
  GF_TRY(gf__communicator_gather(t->communicator, &speed, sizeof speed, speeds));
  log_speeds(speeds, gf__communicator_ranks(t->communicator));
  return GF_OK;
}

static gf_status distribute(gf__training *t, const gf_config *config, const char *algorithms,
                            double *weights) {
  int ranks = gf__communicator_ranks(t->communicator);
  bool measures;
  GF_TRY(choose_weights(t, weights, &measures));
  gf__shard_bounds(t->shard_bounds, weights, ranks);
  GF_TRY(open_networks(t, config, algorithms));
  if (!measures) return GF_OK;
  GF_TRY(measure_speeds(t, weights));
  gf__training_close_network(t);
  gf__shard_bounds(t->shard_bounds, weights, ranks);
  return open_networks(t, config, algorithms);
}

gf_status gf__ranks_open_networks(gf__training *t, const gf_config *config,
                                  const char *algorithms) {
  size_t ranks = (size_t)gf__communicator_ranks(t->communicator);
  double *weights = calloc(ranks, sizeof *weights);
  t->shard_bounds = calloc(ranks + 1, sizeof *t->shard_bounds);
  gf_status status = weights && t->shard_bounds ? distribute(t, config, algorithms, weights)
                                                : gf__fail_host_memory(ranks * sizeof *weights);
  free(weights);
  return status;
}

/* ---- one state ---- */

gf_status gf__ranks_compare(gf__training *t) {
  uint8_t mine[SHA256_DIGEST_LENGTH], first[SHA256_DIGEST_LENGTH];
  if (!t->communicator) return GF_OK;
  gf_dataset_info info = gf_dataset_describe(t->train);
  int size[2] = {info.count, info.classes};
  SHA2_CTX hash;
  SHA256Init(&hash);
  SHA256Update(&hash, (const uint8_t *)t->resolved.data, t->resolved.size);
  SHA256Update(&hash, (const uint8_t *)size, sizeof size);
  for (int i = 0; i < GF__ORIGIN_SPLITS; i++)
    SHA256Update(&hash, (const uint8_t *)t->splits[i].sha256, strlen(t->splits[i].sha256));
  SHA256Final(mine, &hash);
  memcpy(first, mine, sizeof first);
  GF_TRY(gf__communicator_broadcast(t->communicator, first, sizeof first));
  gf_status status = GF_OK;
  if (memcmp(first, mine, sizeof first))
    status = gf__fail(GF_ERROR_CONFIG,
                      "its config or its %d training images are not those of rank 0; give all "
                      "ranks the same files and options",
                      info.count);
  return gf_communicator_agree(t->communicator, status);
}

gf_status gf__ranks_align(gf__training *t) {
  GF_TRY(gf__allreduce_broadcast(t->communicator, t->model, t->model->weights, true));
  GF_TRY(gf__allreduce_broadcast(t->communicator, t->model, t->model->running, false));
  for (int i = 0; i < 2; i++)
    GF_TRY(
        gf__allreduce_broadcast(t->communicator, t->model, gf__trainer_state(t->trainer, i), true));
  return GF_OK;
}

gf_status gf__ranks_join(gf__training *t) {
  GF_TRY(gf__communicator_broadcast(t->communicator, &t->position, sizeof t->position));
  gf__trainer_set_steps(t->trainer, (int)t->position.steps);
  return GF_OK;
}

gf_status gf__ranks_sum_validation(gf__training *t, gf__loss_sums *sums) {
  enum { LOSSES, CORRECT, IMAGES, VALUES };
  double values[VALUES] = {
      [LOSSES] = sums->losses, [CORRECT] = sums->correct, [IMAGES] = (double)sums->images};
  GF_TRY(gf__allreduce_sum(gf__trainer_allreduce(t->trainer), values, VALUES));
  sums->losses = values[LOSSES];
  sums->correct = values[CORRECT];
  sums->images = (long)values[IMAGES];
  return GF_OK;
}

/* ---- records ---- */

typedef struct rank_entry {
  char host[128], device[256];
} rank_entry;

static gf_status write_rank_entries(const gf__training *t, const rank_entry *all) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, t->options.out, "ranks.json"));
  json_t *json = json_array();
  for (int i = 0; i < gf__communicator_ranks(t->communicator); i++)
    json_array_append_new(
        json, json_pack("{s:i, s:s, s:s, s:f}", "rank", i, "host", all[i].host, "device",
                        all[i].device, "share", t->shard_bounds[i + 1] - t->shard_bounds[i]));
  return gf__json_write(path, json);
}

gf_status gf__ranks_write(const gf__training *t) {
  if (!t->communicator) return GF_OK;
  size_t bytes = (size_t)gf__communicator_ranks(t->communicator) * sizeof(rank_entry);
  rank_entry mine = {{0}, {0}}, *all = malloc(bytes);
  if (!all) return gf__fail_host_memory(bytes);
  strncpy(mine.host, gf_communicator_describe(t->communicator).host, sizeof mine.host - 1);
  strcpy(mine.device, gf_device_describe(t->device)->name);
  gf_status status = gf__communicator_gather(t->communicator, &mine, sizeof mine, all);
  if (status == GF_OK && t->writes) status = write_rank_entries(t, all);
  free(all);
  return gf_communicator_agree(t->communicator, status);
}
