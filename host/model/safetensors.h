/* The safetensors format: a length (8 bytes, little-endian), that much JSON,
 * and the tensors' bytes one after the other. Here tensors are F32, but for counts of PyTorch. */
#ifndef GF_MODEL_SAFETENSORS_H
#define GF_MODEL_SAFETENSORS_H

#include <jansson.h>
#include <sha256.h>
#include <stdint.h>

#include "base/text.h"

typedef struct gf__named_tensor {
  char name[128];
  int dims[5], dim_count;
  size_t count; /* elements */
  float *values;
  const int64_t *integers; /* I64, written instead of values; NULL: F32. The caller's */
} gf__named_tensor;

/* Writes the tensors to a file, with little memory beside theirs. metadata, if not NULL, is a text
 * that the file carries with a digest of the whole header and the tensors (in "__metadata__":
 * "gradflow" and "digest"). */
gf_status gf__safetensors_write(const char *path, const gf__named_tensor *tensors, size_t count,
                                const char *metadata) GF_MUST_USE;
/* Fills the values of the tensors, which have names, dims and room, from a file. Every tensor that
 * is missing, extra or misshapen is named in the one message, up to 20 and then their number; then
 * no values are changed. Nor are they where tensors overlap, or bytes of the file are of none.
 * Counts of batches (NORM.num_batches_tracked) beside a NORM.running_mean are ignored. Only the
 * header is held in memory. */
gf_status gf__safetensors_read(const char *path, gf__named_tensor *tensors,
                               size_t count) GF_MUST_USE;
/* GF_ERROR_DATA, with the tensor of the file at path, where a value is not finite. */
gf_status gf__named_tensors_check_finite(const char *path, const gf__named_tensor *tensors,
                                         size_t count) GF_MUST_USE;
/* The first dimension of the tensor of that name, as the header has it; 0 where there is none. */
gf_status gf__safetensors_rows(const char *path, const char *name, long long *out) GF_MUST_USE;
/* The text that a file carries, once its digest has been found right; that of earlier versions
 * ("sha256") is of the text and the tensors alone. The caller frees *out. GF_ERROR_DATA for a file
 * without one, or with another digest. */
gf_status gf__safetensors_metadata(const char *path, char **out) GF_MUST_USE;

/* Begins a digest with the header, without the digest in it, in a form that does not depend on how
 * its JSON is written. */
gf_status gf__safetensors_hash_header(SHA2_CTX *hash, json_t *header) GF_MUST_USE;

/* Frees the values and the array; NULL is fine. */
void gf__named_tensors_free(gf__named_tensor *tensors, size_t count);

#endif
