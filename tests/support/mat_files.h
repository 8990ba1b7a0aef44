/* SVHN's MATLAB files, put together byte by byte after MathWorks' "MAT-File Format". */
#ifndef SUPPORT_MAT_FILES_H
#define SUPPORT_MAT_FILES_H

#include "base/text.h"
#include "support/data_files.h"

enum { INT8 = 1, UINT8 = 2, INT32 = 5, UINT32 = 6, DOUBLE = 9, MATRIX = 14, COMPRESSED = 15 };

enum { CLASS_DOUBLE = 6, CLASS_SINGLE = 7, CLASS_UINT8 = 9, COMPLEX = 1 << 11 };

enum { MAT_COUNT = 7 }; /* images */

/* What is wrong with a file; nothing where all is 0. */
typedef struct mat_flaw {
  int compressed;
  int x_class, y_class; /* 0: bytes */
  int x_dims[4], y_dims[2];
  const char *x_name;
  int label_at, label; /* the label, and of which record, from 1; 0: none */
  double label_number; /* likewise, of labels that are numbers */
  uint32_t x_flags;
  size_t x_missing; /* bytes of the numbers of X */
} mat_flaw;

void add_matrix(gf__text *out, const mat_flaw *f, const char *name, uint32_t class_and_flags,
                const int *dims, size_t rank, uint32_t type, const void *data, size_t size);
void add_mat_header(gf__text *out);
int mat_label(int record);

/* The caller frees the text. */
gf__text make_mat(const mat_flaw *f);

#endif
