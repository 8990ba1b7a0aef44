/* Which images of a batch, or of a split, each rank takes. */
#ifndef GF_DISTRIBUTED_SHARDS_H
#define GF_DISTRIBUTED_SHARDS_H

/* bounds (ranks + 1), from 0 to 1: rank r takes the images between bounds[r] and bounds[r + 1], a
 * fraction in proportion to weights (ranks); equal ones where weights is NULL. */
void gf__shard_bounds(double *bounds, const double *weights, int ranks);
/* How many of count images are those of rank. */
int gf__shard_size(const double *bounds, int rank, int count);

#endif
