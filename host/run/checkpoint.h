/* Checkpoints of a run: safetensors files checkpoint_0, checkpoint_1, … of the run folder, of which
 * the oldest is replaced. Each holds the weights, the optimizer's state ("optimizer.first.NAME", …)
 * and where the run is, under a checksum. */
#ifndef GF_RUN_CHECKPOINT_H
#define GF_RUN_CHECKPOINT_H

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
                               const gf__position *position) GF_MUST_USE;
/* The index of the newest checkpoint that is whole, or -1, and where its run was; damaged counts
 * the others, and the message of the last of them is kept. */
int gf__checkpoint_newest(const char *folder, gf__position *out, int *damaged);
/* Reads the newest checkpoint that is whole into tensors and position; a damaged one is logged, and
 * the previous one used. *index becomes its index, or -1 where the folder has none at all.
 * GF_ERROR_DATA where none is whole, or where it does not fit the network. */
gf_status gf__checkpoint_read(const char *folder, const gf__checkpoint_tensors *tensors,
                              gf__position *position, int *index) GF_MUST_USE;

#endif
