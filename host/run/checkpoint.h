/* Checkpoints of a run: safetensors files checkpoint_0, checkpoint_1, … of the run folder, of which
 * the oldest is replaced. Each holds the weights, the optimizer's state ("optimizer.first.NAME",
 * …), where the run is and what it is computed from, under a digest. */
#ifndef GF_RUN_CHECKPOINT_H
#define GF_RUN_CHECKPOINT_H

#include "data/dataset.h"
#include "model/parameters.h"
#include "run/position.h"

enum { GF__MOST_CHECKPOINTS = 16 };

/* Tensors of one flat buffer, where they are stored by the offsets of parameters (count), and what
 * the file puts before their names. */
typedef struct gf__flat_tensors {
  gf__parameter *const *parameters;
  int count;
  gf_buffer *flat;
  const char *prefix;
} gf__flat_tensors;

/* All tensors of a checkpoint, in the order of the file. */
typedef struct gf__checkpoint_tensors {
  gf__flat_tensors flats[4];
  int count;
} gf__checkpoint_tensors;

/* The model's parameters, and the optimizer's states, flat buffers like the weights; a state may be
 * NULL. */
gf__checkpoint_tensors gf__checkpoint_tensors_of(const gf_model *model, gf_buffer *first,
                                                 gf_buffer *second);

/* Writes checkpoint number index of the folder: the file appears whole or not at all. */
gf_status gf__checkpoint_write(const char *folder, int index, const gf__checkpoint_tensors *tensors,
                               const gf__position *position, const gf__origin *origin) GF_MUST_USE;

/* A checkpoint that is whole, and what it says but for its tensors. */
typedef struct gf__found_checkpoint {
  int index;
  gf__position position; /* images: -1 in those of earlier versions */
  char *config;          /* as gf__origin has it */
  gf__split_digest splits[GF__ORIGIN_SPLITS];
} gf__found_checkpoint;

typedef struct gf__checkpoints {
  gf__found_checkpoint v[GF__MOST_CHECKPOINTS]; /* (count), the newest first */
  int count;
  int damaged; /* others, each of which has been logged with its fault */
} gf__checkpoints;

/* Reads all of a folder. Free *out. */
void gf__checkpoints_find(gf__checkpoints *out, const char *folder);
void gf__checkpoints_free(gf__checkpoints *list);
/* Reads the tensors of one of them. GF_ERROR_DATA, and nothing is changed, where they do not fit.
 */
gf_status gf__checkpoint_load(const char *folder, int index,
                              const gf__checkpoint_tensors *tensors) GF_MUST_USE;

#endif
