#include "distributed/moments.h"

#include <stdlib.h>

/* Numbers (count) of this rank, and those of all (ranks, count). */
typedef struct gathered {
  size_t count;
  float *mine, *all;
} gathered;

static void free_gathered(gathered *g) {
  free(g->mine);
  free(g->all);
}

static gf_status open_gathered(gathered *g, const gf__batch_ranks *ranks, size_t count) {
  size_t all = (size_t)ranks->ranks * count;
  *g = (gathered){count, calloc(count, sizeof *g->mine), malloc(all * sizeof *g->all)};
  if (g->mine && g->all) return GF_OK;
  free_gathered(g);
  return gf__fail_host_memory(all * sizeof *g->all);
}

static bool has_images(const gf__batch_ranks *ranks) { return ranks->images[ranks->rank] > 0; }

static gf_status gather_floats(const gf__batch_ranks *ranks, gathered *g) {
  return gf__communicator_gather(ranks->communicator, g->mine, g->count * sizeof *g->mine, g->all);
}

/* ---- moments of a batch norm's input ---- */

static gf_status gather_moments(const gf__batch_ranks *ranks, gathered *g, gf_buffer *moments,
                                size_t pixels, long *rows) {
  size_t bytes = g->count * sizeof *g->mine;
  long *rows_of = malloc((size_t)ranks->ranks * sizeof *rows_of);
  if (!rows_of) return gf__fail_host_memory((size_t)ranks->ranks * sizeof *rows_of);
  for (int r = 0; r < ranks->ranks; r++) rows_of[r] = ranks->images[r] * (long)pixels;
  gf_status status = GF_OK;
  if (has_images(ranks)) status = gf__buffer_read(moments, 0, bytes, g->mine);
  if (status == GF_OK) status = gather_floats(ranks, g);
  if (status == GF_OK) {
    *rows = gf__batch_norm_join((int)g->count / 2, ranks->ranks, rows_of, g->all, g->mine);
    status = gf__buffer_write(moments, 0, bytes, g->mine);
  }
  free(rows_of);
  return status;
}

static gf_status join_batch_norm(void *user, gf_buffer *moments, int channels, size_t pixels,
                                 long *rows) {
  const gf__batch_ranks *ranks = user;
  gathered g;
  GF_TRY(open_gathered(&g, ranks, 2 * (size_t)channels));
  gf_status status = gather_moments(ranks, &g, moments, pixels, rows);
  free_gathered(&g);
  return status;
}

/* ---- gradients of a batch norm's parameters ---- */

/* Each rank's gradients are those of its own mean loss, so the whole batch's are their mean,
 * weighted by images. */
static void average_gradients(const gf__batch_ranks *ranks, gathered *g) {
  double images = 0;
  for (int r = 0; r < ranks->ranks; r++) images += ranks->images[r];
  for (size_t i = 0; i < g->count; i++) {
    double sum = 0;
    for (int r = 0; r < ranks->ranks; r++)
      if (ranks->images[r]) sum += ranks->images[r] * (double)g->all[(size_t)r * g->count + i];
    g->mine[i] = (float)(sum / images);
  }
}

static gf_status gather_gradients(const gf__batch_ranks *ranks, gathered *g, gf_buffer *dgamma,
                                  gf_buffer *dbeta) {
  size_t half = g->count / 2, bytes = half * sizeof *g->mine;
  if (has_images(ranks)) {
    GF_TRY(gf__buffer_read(dgamma, 0, bytes, g->mine));
    GF_TRY(gf__buffer_read(dbeta, 0, bytes, g->mine + half));
  }
  GF_TRY(gather_floats(ranks, g));
  average_gradients(ranks, g);
  GF_TRY(gf__buffer_write(dgamma, 0, bytes, g->mine));
  return gf__buffer_write(dbeta, 0, bytes, g->mine + half);
}

static gf_status average_batch_norm(void *user, gf_buffer *dgamma, gf_buffer *dbeta, int channels) {
  const gf__batch_ranks *ranks = user;
  gathered g;
  GF_TRY(open_gathered(&g, ranks, 2 * (size_t)channels));
  gf_status status = gather_gradients(ranks, &g, dgamma, dbeta);
  free_gathered(&g);
  return status;
}

/* ---- moments of activations ---- */

static gf_status join_activations(void *user, gf__activation_moments *moments, size_t channels) {
  const gf__batch_ranks *ranks = user;
  size_t bytes = channels * sizeof *moments, count = (size_t)ranks->ranks;
  gf__activation_moments *all = malloc(count * bytes);
  if (!all) return gf__fail_host_memory(count * bytes);
  gf_status status = gf__communicator_gather(ranks->communicator, moments, bytes, all);
  for (size_t c = 0; status == GF_OK && c < channels; c++)
    moments[c] = gf__activation_join(all + c, channels, ranks->images, ranks->ranks);
  free(all);
  return status;
}

static double compare_unit(const gf__batch_ranks *ranks, const double *all, size_t units) {
  double images = 0, mean = 0, apart = 0;
  for (int r = 0; r < ranks->ranks; r++) {
    images += ranks->images[r];
    if (ranks->images[r]) mean += ranks->images[r] * all[(size_t)r * units];
  }
  mean /= images;
  for (int r = 0; r < ranks->ranks; r++) {
    double d = all[(size_t)r * units] - mean;
    if (ranks->images[r]) apart += ranks->images[r] * d * d;
  }
  return apart;
}

static gf_status compare_means(void *user, const double *means, size_t units, double *apart) {
  const gf__batch_ranks *ranks = user;
  size_t bytes = units * sizeof *means, count = (size_t)ranks->ranks;
  double *all = malloc(count * bytes);
  if (!all) return gf__fail_host_memory(count * bytes);
  gf_status status = gf__communicator_gather(ranks->communicator, means, bytes, all);
  *apart = 0;
  for (size_t u = 0; status == GF_OK && u < units; u++)
    *apart += compare_unit(ranks, all + u, units);
  free(all);
  return status;
}

gf__whole_batch gf__whole_batch_of(gf__batch_ranks *ranks) {
  return (gf__whole_batch){.user = ranks,
                           .join_batch_norm = join_batch_norm,
                           .average_batch_norm = average_batch_norm,
                           .join_activations = join_activations,
                           .compare_means = compare_means};
}
