#include "data/split.h"

#include <stdlib.h>

#include "base/random.h"

/* ---- a limit of a test split ---- */

/* The number of draws is apart from that of the split itself. */
enum { SPLIT_DRAW, LIMIT_DRAW };

/* Fills turn[i], the number of records of i's class before it in order, and of_turn[t], the number
 * of records with turn t. seen: (classes), zero. */
static void count_turns(const int *labels, const uint32_t *order, int count, int *seen, int *turn,
                        int *of_turn) {
  for (int i = 0; i < count; i++) {
    uint32_t record = order[i];
    turn[record] = seen[labels[record]]++;
    of_turn[turn[record]]++;
  }
}

/* Every class has one record per turn: takes whole turns as long as they fit, and the first records
 * in order of the turn after them. */
static void choose_turns(const uint32_t *order, const int *turn, const int *of_turn, int count,
                         int limit, bool *chosen) {
  int whole = 0, left = limit;
  while (whole < count && of_turn[whole] <= left) left -= of_turn[whole++];
  for (int i = 0; i < count; i++) {
    uint32_t record = order[i];
    bool is_last = turn[record] == whole && left > 0;
    chosen[record] = turn[record] < whole || is_last;
    left -= is_last;
  }
}

gf_status gf__split_balance(const int *labels, int count, int classes, int limit, uint64_t seed,
                            bool *chosen) {
  size_t n = (size_t)count;
  uint32_t *order = malloc(n * sizeof *order);
  int *turn = malloc(n * sizeof *turn), *of_turn = calloc(n, sizeof *of_turn);
  int *seen = calloc((size_t)classes, sizeof *seen);
  bool has_all = order && turn && of_turn && seen;
  if (has_all) {
    gf__random_permutation(seed, GF__STREAM_SPLIT, LIMIT_DRAW, order, (uint32_t)count);
    count_turns(labels, order, count, seen, turn, of_turn);
    choose_turns(order, turn, of_turn, count, limit, chosen);
  }
  free(order);
  free(turn);
  free(of_turn);
  free(seen);
  return has_all ? GF_OK : gf__fail_host_memory(n * sizeof *order);
}

/* ---- splits ---- */

static int at_most(int limit, int count) { return limit > 0 && limit < count ? limit : count; }

/* The test split in the order of its files: all records, or a choice of them. */
static gf_status choose_test(gf_dataset *dataset, const gf__data_source *source,
                             const gf__byte_file *file, int32_t *index_of) {
  int limit = at_most(source->settings->test_limit, file->count), next = 0;
  int *labels = malloc((size_t)file->count * sizeof *labels);
  bool *chosen = malloc((size_t)file->count * sizeof *chosen);
  gf_status status =
      labels && chosen ? GF_OK : gf__fail_host_memory((size_t)file->count * sizeof *labels);
  bool is_limited = limit < file->count;
  if (status == GF_OK && is_limited)
    status = source->format->reader->read_labels(source, file, labels);
  if (status == GF_OK && is_limited)
    status = gf__split_balance(labels, file->count, file->classes, limit,
                               source->settings->split_seed, chosen);
  for (int i = 0; i < file->count && status == GF_OK; i++)
    index_of[i] = !is_limited || chosen[i] ? next++ : -1;
  dataset->info.count = limit;
  free(labels);
  free(chosen);
  return status;
}

/* The range of the permuted records that a split of the training files is. */
static gf_status choose_range(gf_dataset *dataset, gf_split split, int records, int *first,
                              int *count) {
  gf__data_settings *settings = &dataset->settings;
  const gf__data_format *format = dataset->format;
  if (settings->validation < 0)
    settings->validation = records < format->full_count ? records / 20 : format->validation;
  if (settings->validation >= records)
    return gf__fail(GF_ERROR_CONFIG,
                    "data.validation is %d, but %s has only %d training images; leave some to "
                    "train on",
                    settings->validation, settings->path, records);
  *first = split == GF_SPLIT_VALIDATION ? 0 : settings->validation;
  *count = split == GF_SPLIT_VALIDATION
               ? settings->validation
               : at_most(settings->train_limit, records - settings->validation);
  return GF_OK;
}

static gf_status choose_permuted(gf_dataset *dataset, gf_split split, int records,
                                 int32_t *index_of) {
  int first = 0, count = 0;
  GF_TRY(choose_range(dataset, split, records, &first, &count));
  uint32_t *order = malloc((size_t)records * sizeof *order);
  if (!order) return gf__fail_host_memory((size_t)records * sizeof *order);
  gf__random_permutation(dataset->settings.split_seed, GF__STREAM_SPLIT, SPLIT_DRAW, order,
                         (uint32_t)records);
  for (int i = 0; i < records; i++) index_of[i] = -1;
  /* All of order is set. NOLINTNEXTLINE(clang-analyzer-core.uninitialized.ArraySubscript) */
  for (int i = 0; i < count; i++) index_of[order[first + i]] = i;
  dataset->info.count = count;
  free(order);
  return GF_OK;
}

gf_status gf__split_choose(gf_dataset *dataset, const gf__data_source *source, gf_split split,
                           const gf__byte_file *file, int32_t **index_of) {
  *index_of = malloc((size_t)file->count * sizeof **index_of);
  if (!*index_of) return gf__fail_host_memory((size_t)file->count * sizeof **index_of);
  if (split == GF_SPLIT_TEST) return choose_test(dataset, source, file, *index_of);
  if (source->is_whole_split) {
    for (int i = 0; i < file->count; i++) (*index_of)[i] = i;
    dataset->info.count = file->count;
    return GF_OK;
  }
  return choose_permuted(dataset, split, file->count, *index_of);
}
