#include "distributed/shards.h"

#include "data/dataset.h"

static double weight_of(const double *weights, int rank) { return weights ? weights[rank] : 1; }

void gf__shard_bounds(double *bounds, const double *weights, int ranks) {
  double sum = 0, total = 0;
  for (int r = 0; r < ranks; r++) total += weight_of(weights, r);
  for (int r = 0; r < ranks; r++) {
    bounds[r] = sum / total;
    sum += weight_of(weights, r);
  }
  bounds[ranks] = 1;
}

int gf__shard_size(const double *bounds, int rank, int count) {
  return gf__shard_begin(bounds[rank + 1], count) - gf__shard_begin(bounds[rank], count);
}
