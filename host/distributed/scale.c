/* The model of a step of many ranks. */
#include <gradflow/scale.h>
#include <math.h>
#include <stdlib.h>

const char *gf_scale_bound_name(gf_scale_bound bound) {
  static const char *const names[GF_SCALE_BOUNDS] = {"compute", "small shards", "transfers",
                                                     "latency", "bandwidth"};
  return (unsigned)bound < GF_SCALE_BOUNDS ? names[bound] : "unknown";
}

void gf_scale_costs_free(gf_scale_costs *costs) {
  free(costs->buckets);
  costs->buckets = NULL;
}

/* Seconds of both phases of a bucket: of messages as such, and of their bytes. */
static double message_seconds(const gf_scale_network *n, int ranks) {
  return ranks > 1 ? 2 * (n->latency + (ranks - 1) * n->overhead) : 0;
}

static double byte_seconds(const gf_scale_network *n, int ranks, double bytes) {
  return 2.0 * (ranks - 1) / ranks * bytes / n->bandwidth;
}

static double compute_seconds(const gf_scale_costs *c, double images) {
  return c->fixed + images * c->image;
}

/* From the beginning of a step to the arrival of the last bucket, or the end of backward. */
static double arrival_seconds(const gf_scale_costs *c, const gf_scale_network *n, int ranks,
                              double images) {
  double all = compute_seconds(c, images), forward = (1 - c->backward) * all, end = 0;
  for (int i = 0; ranks > 1 && i < c->bucket_count; i++) {
    const gf_scale_bucket *b = &c->buckets[i];
    double ready = forward + b->ready * (all - forward);
    end = fmax(end, ready) + message_seconds(n, ranks) + byte_seconds(n, ranks, b->bytes);
  }
  return fmax(all, end);
}

/* What costs most of a step beside the images themselves, if that is much at all. */
static gf_scale_bound find_bound(const gf_scale_costs *c, const gf_scale_network *n,
                                 const gf_scale_point *p) {
  double bytes = 0, fraction = 0;
  for (int i = 0; i < c->bucket_count; i++) bytes += c->buckets[i].bytes;
  double sent = byte_seconds(n, p->ranks, bytes),
         said = c->bucket_count * message_seconds(n, p->ranks);
  if (sent + said > 0) fraction = p->exposed / (sent + said);
  const double seconds[GF_SCALE_BOUNDS] = {
      [GF_SCALE_FIXED] = c->fixed,
      [GF_SCALE_TRANSFER] = c->update + (p->ranks > 1 ? c->transfer : 0),
      [GF_SCALE_LATENCY] = fraction * said,
      [GF_SCALE_BANDWIDTH] = fraction * sent};
  gf_scale_bound bound = GF_SCALE_FIXED;
  double others = 0;
  for (gf_scale_bound b = GF_SCALE_FIXED; b < GF_SCALE_BOUNDS; b++) {
    others += seconds[b];
    if (seconds[b] > seconds[bound]) bound = b;
  }
  return others < 0.1 * p->step ? GF_SCALE_COMPUTE : bound;
}

static gf_scale_point predict_point(const gf_scale_costs *c, const gf_scale_network *n, int ranks,
                                    double images) {
  double arrives = arrival_seconds(c, n, ranks, images);
  gf_scale_point p = {.ranks = ranks,
                      .images = images,
                      .step = arrives + c->update + (ranks > 1 ? c->transfer : 0),
                      .exposed = arrives - compute_seconds(c, images)};
  p.bound = find_bound(c, n, &p);
  return p;
}

gf_scale_point gf_scale_each(const gf_scale_costs *c, const gf_scale_network *n, int ranks,
                             double images) {
  gf_scale_point p = predict_point(c, n, ranks, images);
  p.efficiency = predict_point(c, n, 1, images).step / p.step;
  return p;
}

gf_scale_point gf_scale_whole(const gf_scale_costs *c, const gf_scale_network *n, int ranks,
                              double images) {
  /* A step waits for the rank with the most. */
  gf_scale_point p = predict_point(c, n, ranks, ceil(images / ranks));
  p.efficiency = predict_point(c, n, 1, images).step / (ranks * p.step);
  return p;
}
