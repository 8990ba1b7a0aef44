/* Arrays of numbers in MATLAB files of level 5 (MathWorks, "MAT-File Format"), little-endian,
 * compressed or not. They are read as a stream, and nothing is allocated by what a file says;
 * libmatio allocates by its headers, and takes what is too short. */
#ifndef GF_DATA_MAT_H
#define GF_DATA_MAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { GF__MAT_MOST_DIMS = 4 };

/* As numbers are stored. Up to 4 bytes of them stand where they are not read. */
typedef enum gf__mat_type {
  GF__MAT_NONE,
  GF__MAT_INT8,
  GF__MAT_UINT8,
  GF__MAT_INT16,
  GF__MAT_UINT16,
  GF__MAT_INT32,
  GF__MAT_UINT32,
  GF__MAT_SINGLE,
  GF__MAT_DOUBLE = 9,
  GF__MAT_INT64 = 12,
  GF__MAT_UINT64
} gf__mat_type;

/* An array, the first index running fastest. */
typedef struct gf__mat_array {
  int class;         /* MATLAB's number of it: 6 double, 9 uint8 */
  gf__mat_type type; /* or another number of the format's; may be narrower than the class */
  uint32_t dims[GF__MAT_MOST_DIMS];
  int dim_count;
  bool is_complex;
  uint32_t size; /* bytes of the (real) numbers as they are stored */
} gf__mat_array;

typedef struct gf__mat gf__mat;

/* GF_ERROR_DATA for a file of another kind, such as one of MATLAB 7.3, with what to do. The caller
 * closes *out. path outlives it. */
gf_status gf__mat_open(gf__mat **out, const char *path) GF_MUST_USE;
void gf__mat_close(gf__mat **mat);
/* Finds the variable of a name, wherever in the file it stands, and stops in front of its numbers.
 * GF_ERROR_DATA where there is none, with what there is, or where the file is damaged on the way.
 */
gf_status gf__mat_find(gf__mat *mat, const char *name, gf__mat_array *out) GF_MUST_USE;
/* The same for the array of dim_count dimensions, further ones of 1 left out, and of real numbers
 * that has the most bytes, whatever its name. */
gf_status gf__mat_find_largest(gf__mat *mat, int dim_count, gf__mat_array *out) GF_MUST_USE;
/* Whether it is such an array; then dim_count is its number of dimensions from here on. */
bool gf__mat_is_numeric(gf__mat_array *array, int dim_count);
/* Bytes of a number of a type; 0 for types that gf__mat_read_numbers cannot read. */
uint32_t gf__mat_number_size(gf__mat_type type);
/* The next count numbers of a type. */
gf_status gf__mat_read_numbers(gf__mat *mat, gf__mat_type type, double *out,
                               uint32_t count) GF_MUST_USE;
/* The next bytes of the numbers. GF_ERROR_DATA where the file ends or is corrupt before. */
gf_status gf__mat_read(gf__mat *mat, void *out, uint32_t size) GF_MUST_USE;
/* After the last number: a compressed variable's checksum. */
gf_status gf__mat_finish(gf__mat *mat) GF_MUST_USE;

#endif
