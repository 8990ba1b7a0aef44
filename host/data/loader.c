/* A ring of batches. Workers claim batches in order and fill them without the lock; the consumer
 * gets them in order. An entry is free again when the consumer asks for the batch after it. */
#include <math.h>
#include <stdlib.h>

#include "base/os.h"
#include "base/random.h"
#include "data/dataset.h"

enum { MOST_DEFAULT_THREADS = 2, MOST_THREADS = 256, READY_AHEAD = 2 };

typedef struct entry {
  float *images; /* (images of the batch, height, width, channels) */
  int *labels;   /* (images of the batch), or (2, images of the batch) with mixup */
  float mix;     /* the fraction of the first images and labels */
  int batch;     /* that is ready in it, or -1 */
  /* For mixup, else NULL: a permutation of the batch, and an image of it. */
  uint32_t *partners;
  float *partner;
} entry;

struct gf_loader {
  const gf_dataset *dataset;
  gf_loader_options options;
  size_t image_floats;
  int first, count; /* of the images of the split that are loaded */
  int batches;
  uint32_t *order; /* (count): the epoch's images, indices in the split */
  int epoch;
  int skipped; /* images of it that are passed over; in the middle of a batch, its rest is first */

  gf__thread **threads; /* (options.threads), the unstarted ones NULL */
  gf__lock *lock;       /* guards what follows, and entry.batch */
  entry *entries;       /* (entry_count), of batch i entries[i % entry_count] */
  int entry_count;
  bool started, stopping;
  int claim;    /* the next batch that a worker takes on; batches: none is left */
  int next;     /* the next batch of the consumer */
  int released; /* batches below it are given up; the consumer holds [released, next) */
  int busy;     /* workers that fill a batch */
};

int gf__shard_begin(double at, int count) { return (int)lround(at * count); }

/* Where a batch begins among the images of the epoch. */
static int batch_begin(const gf_loader *loader, int batch) {
  int begin = batch * loader->options.batch_size;
  return begin > loader->skipped ? begin : loader->skipped;
}

/* Images of a whole batch. */
static int whole_count(const gf_loader *loader, int batch) {
  int end = (batch + 1) * loader->options.batch_size;
  return (end < loader->count ? end : loader->count) - batch_begin(loader, batch);
}

/* The number of its images in the shard, and the first of them. */
static int shard_of(const gf_loader *loader, int whole, int *first) {
  const gf_loader_options *o = &loader->options;
  *first = o->training ? gf__shard_begin(o->from, whole) : 0;
  return (o->training ? gf__shard_begin(o->to, whole) : whole) - *first;
}

static void render_sample(const gf_loader *loader, uint32_t index, float *out) {
  const gf_dataset *dataset = loader->dataset;
  gf__augmentation augmentation = {0};
  if (loader->options.training)
    augmentation = gf__augmentation_draw(dataset, loader->options.seed, loader->epoch, (int)index);
  dataset->format->render(dataset, index, &augmentation, out);
}

/* The batch's images and labels with those of its permutation. */
static void mix_batch(const gf_loader *loader, int batch, const uint32_t *order, entry *out) {
  int whole = whole_count(loader, batch), first, count = shard_of(loader, whole, &first);
  uint64_t seed = loader->options.seed;
  uint32_t number = (uint32_t)loader->epoch * (uint32_t)loader->batches + (uint32_t)batch;
  out->mix = gf__mixup_draw(loader->dataset->settings.mixup, seed, loader->epoch, batch);
  gf__random_permutation(seed, GF__STREAM_MIXUP_PAIRS, number, out->partners, (uint32_t)whole);
  for (int i = 0; i < count; i++) {
    float *image = out->images + (size_t)i * loader->image_floats;
    uint32_t partner = order[out->partners[first + i]];
    render_sample(loader, partner, out->partner);
    for (size_t k = 0; k < loader->image_floats; k++)
      image[k] = out->mix * image[k] + (1 - out->mix) * out->partner[k];
    out->labels[count + i] = loader->dataset->labels[partner];
  }
}

static void fill_batch(const gf_loader *loader, int batch, entry *out) {
  const uint32_t *order = loader->order + batch_begin(loader, batch);
  int first, count = shard_of(loader, whole_count(loader, batch), &first);
  for (int i = 0; i < count; i++) {
    uint32_t index = order[first + i];
    render_sample(loader, index, out->images + (size_t)i * loader->image_floats);
    out->labels[i] = loader->dataset->labels[index];
  }
  if (out->partners) mix_batch(loader, batch, order, out);
}

static void loader_work(void *argument) {
  gf_loader *loader = argument;
  gf__lock_take(loader->lock);
  while (!loader->stopping) {
    if (loader->claim >= loader->batches ||
        loader->claim - loader->released >= loader->entry_count) {
      gf__lock_wait(loader->lock);
      continue;
    }
    int batch = loader->claim++;
    entry *mine = &loader->entries[batch % loader->entry_count];
    mine->batch = -1;
    loader->busy++;
    gf__lock_release(loader->lock);
    fill_batch(loader, batch, mine);
    gf__lock_take(loader->lock);
    mine->batch = batch;
    loader->busy--;
    gf__lock_wake_all(loader->lock);
  }
  gf__lock_release(loader->lock);
}

static gf_status check_options(const gf_loader_options *options) {
  if (options->batch_size < 1)
    return gf__fail(GF_ERROR_ARGUMENT, "a loader's batch size is at least 1, not %d",
                    options->batch_size);
  if (options->threads < 0 || options->threads > MOST_THREADS)
    return gf__fail(GF_ERROR_ARGUMENT, "a loader has 0 to %d threads, not %d", MOST_THREADS,
                    options->threads);
  if (!(options->from >= 0 && options->from <= options->to && options->to > 0 && options->to <= 1))
    return gf__fail(GF_ERROR_ARGUMENT,
                    "a loader's shard is within 0 and 1, not from %g to %g; "
                    "gf_loader_options_default() gives the whole",
                    options->from, options->to);
  return GF_OK;
}

/* The largest shard of any batch; that of a smaller batch can be the larger one. */
static size_t most_images(const gf_loader *loader) {
  int most = 1, first;
  for (int whole = 1; whole <= loader->options.batch_size; whole++) {
    int count = shard_of(loader, whole, &first);
    if (count > most) most = count;
  }
  return (size_t)most;
}

static gf_status allocate_entries(gf_loader *loader) {
  size_t batch = most_images(loader), images = (size_t)loader->count;
  loader->order = calloc(images ? images : 1, sizeof *loader->order);
  loader->entries = calloc((size_t)loader->entry_count, sizeof *loader->entries);
  loader->threads = calloc((size_t)loader->options.threads, sizeof *loader->threads);
  if (!loader->order || !loader->entries || !loader->threads)
    return gf__fail_host_memory((images ? images : 1) * sizeof *loader->order);
  for (uint32_t i = 0; i < images; i++) loader->order[i] = (uint32_t)loader->first + i;
  for (int i = 0; i < loader->entry_count; i++) {
    entry *s = &loader->entries[i];
    s->batch = -1;
    s->images = calloc(batch * loader->image_floats, sizeof *s->images);
    s->labels = calloc(2 * batch, sizeof *s->labels);
    s->mix = 1;
    if (loader->options.training && loader->dataset->settings.mixup > 0) {
      s->partners = calloc((size_t)loader->options.batch_size, sizeof *s->partners);
      s->partner = calloc(loader->image_floats, sizeof *s->partner);
      if (!s->partners || !s->partner)
        return gf__fail_host_memory(loader->image_floats * sizeof *s->partner);
    }
    if (!s->images || !s->labels)
      return gf__fail_host_memory(batch * loader->image_floats * sizeof *s->images);
  }
  return GF_OK;
}

static gf_status open_loader(gf_loader *loader, const gf_dataset *dataset,
                             const gf_loader_options *options) {
  const gf_dataset_info *info = &dataset->info;
  loader->dataset = dataset;
  loader->options = *options;
  int cpus = gf__cpu_count();
  if (!options->threads)
    loader->options.threads = cpus < MOST_DEFAULT_THREADS ? cpus : MOST_DEFAULT_THREADS;
  loader->count = info->count;
  if (!options->training) {
    loader->first = gf__shard_begin(options->from, info->count);
    loader->count = gf__shard_begin(options->to, info->count) - loader->first;
  }
  /* No batch is larger than what there is. */
  int count = loader->count;
  if (options->batch_size > count) loader->options.batch_size = count > 0 ? count : 1;
  loader->batches = count / loader->options.batch_size + (count % loader->options.batch_size != 0);
  loader->claim = loader->batches;
  loader->entry_count = loader->options.threads + READY_AHEAD;
  loader->image_floats = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
  GF_TRY(allocate_entries(loader));
  GF_TRY(gf__lock_new(&loader->lock));
  for (int i = 0; i < loader->options.threads; i++)
    GF_TRY(gf__thread_start(&loader->threads[i], loader_work, loader));
  return GF_OK;
}

gf_loader_options gf_loader_options_default(void) { return (gf_loader_options){.to = 1}; }

gf_status gf_loader_open(gf_loader **out, const gf_dataset *dataset,
                         const gf_loader_options *options) {
  *out = NULL;
  GF_TRY(check_options(options));
  gf_loader *loader = calloc(1, sizeof *loader);
  if (!loader) return gf__fail_host_memory(sizeof *loader);
  gf_status status = open_loader(loader, dataset, options);
  if (status != GF_OK) {
    gf_loader_free(&loader);
    return status;
  }
  *out = loader;
  return GF_OK;
}

void gf_loader_free(gf_loader **pointer) {
  gf_loader *loader = *pointer;
  if (!loader) return;
  if (loader->lock) {
    gf__lock_take(loader->lock);
    loader->stopping = true;
    gf__lock_wake_all(loader->lock);
    gf__lock_release(loader->lock);
    for (int i = 0; i < loader->options.threads; i++) gf__thread_join(&loader->threads[i]);
  }
  gf__lock_free(&loader->lock);
  for (int i = 0; loader->entries && i < loader->entry_count; i++) {
    free(loader->entries[i].images);
    free(loader->entries[i].labels);
    free(loader->entries[i].partners);
    free(loader->entries[i].partner);
  }
  free(loader->entries);
  free(loader->threads);
  free(loader->order);
  free(loader);
  *pointer = NULL;
}

int gf_loader_batches(const gf_loader *loader) { return loader->batches; }

static gf_status start_at(gf_loader *loader, int epoch, int batch, int images) {
  if (epoch < 0)
    return gf__fail(GF_ERROR_ARGUMENT, "epochs count from 0; the loader was asked for %d", epoch);
  gf__lock_take(loader->lock);
  /* No more claims; those under way read order and epoch until they are done. */
  loader->claim = loader->batches;
  while (loader->busy > 0) gf__lock_wait(loader->lock);
  loader->epoch = epoch;
  loader->skipped = images;
  if (loader->options.training)
    gf__random_permutation(loader->options.seed, GF__STREAM_SHUFFLE, (uint32_t)epoch, loader->order,
                           (uint32_t)loader->count);
  for (int i = 0; i < loader->entry_count; i++) loader->entries[i].batch = -1;
  loader->started = true;
  loader->claim = loader->next = loader->released = batch;
  gf__lock_wake_all(loader->lock);
  gf__lock_release(loader->lock);
  return GF_OK;
}

gf_status gf_loader_start(gf_loader *loader, int epoch, int first_batch) {
  if (first_batch < 0 || first_batch > loader->batches)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "an epoch has %d batches; the loader was asked to start at batch %d",
                    loader->batches, first_batch);
  return start_at(loader, epoch, first_batch, 0);
}

gf_status gf__loader_start_after(gf_loader *loader, int epoch, int images) {
  if (images < 0 || images > loader->count)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "an epoch has %d images; the loader was asked to start past %d of them",
                    loader->count, images);
  bool is_end = images == loader->count;
  return start_at(loader, epoch, is_end ? loader->batches : images / loader->options.batch_size,
                  images);
}

gf_status gf_loader_next(gf_loader *loader, gf_batch *out) {
  *out = (gf_batch){0};
  if (!loader->started)
    return gf__fail(GF_ERROR_ARGUMENT, "gf_loader_start comes before gf_loader_next");
  gf__lock_take(loader->lock);
  if (loader->released < loader->next) {
    loader->released = loader->next;
    gf__lock_wake_all(loader->lock);
  }
  if (loader->next < loader->batches) {
    const entry *ready = &loader->entries[loader->next % loader->entry_count];
    while (ready->batch != loader->next) gf__lock_wait(loader->lock);
    *out = (gf_batch){.images = ready->images,
                      .labels = ready->labels,
                      .mix = ready->mix,
                      .whole = whole_count(loader, loader->next)};
    out->count = shard_of(loader, out->whole, &out->first);
    loader->next++;
  }
  gf__lock_release(loader->lock);
  return GF_OK;
}
