#include "distributed/buckets.h"

#include <stdlib.h>

/* Large enough that a message takes many times its latency, small enough that the first one leaves
 * early. */
enum { BUCKET_FLOATS = 1 << 18 };

/* The node that writes the gradient of parameter index. */
static int node_of(const gf_model *model, int index) {
  const gf__parameter *p = model->parameters[index];
  int i = 0;
  while (p < model->graph.nodes[i]->parameters ||
         p >= model->graph.nodes[i]->parameters + GF__MOST_PARAMETERS)
    i++;
  return i;
}

static gf__bucket bucket_of(const gf_model *model, int first, int end) {
  gf__parameter **p = model->parameters;
  gf__bucket b = {.first = first,
                  .end = end,
                  .first_node = node_of(model, first),
                  .is_running = first >= model->trainable_count,
                  .offset = p[first]->offset};
  b.raw_floats = p[end - 1]->offset + p[end - 1]->count - b.offset;
  for (int i = first; i < end; i++) b.floats += p[i]->count;
  return b;
}

/* The first parameter of the bucket that ends before parameter end; the parameters of a node stay
 * together. */
static int find_first(const gf_model *model, int end) {
  int first = end - 1;
  size_t floats = model->parameters[first]->count;
  while (first > 0 &&
         (floats < BUCKET_FLOATS || node_of(model, first - 1) == node_of(model, first)))
    floats += model->parameters[--first]->count;
  return first;
}

gf_status gf__buckets_plan(gf__bucket **out, int *count, const gf_model *model) {
  size_t most = (size_t)model->trainable_count + 1;
  gf__bucket *buckets = *out = calloc(most, sizeof *buckets);
  *count = 0;
  if (!buckets) return gf__fail_host_memory(most * sizeof *buckets);
  for (int end = model->trainable_count; end > 0; end = buckets[*count - 1].first)
    buckets[(*count)++] = bucket_of(model, find_first(model, end), end);
  buckets[*count - 1].first_node = 0; /* backward goes on to the input all the same */
  if (model->parameter_count > model->trainable_count)
    buckets[(*count)++] = bucket_of(model, model->trainable_count, model->parameter_count);
  return GF_OK;
}
