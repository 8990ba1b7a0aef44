/* What the tests of data sets and of the loader share: a folder, small files of each format in it,
 * and what opens and reads them. */
#ifndef SUPPORT_DATA_FILES_H
#define SUPPORT_DATA_FILES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/data.h>

#include "base/file.h"
#include "base/os.h"
#include "data/byte_images.h"
#include "support/folder.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE };

/* ---- files ---- */

void write_bytes(const char *name, const void *bytes, size_t size);

/* Pixel of a record: the first two red ones hold the record's number, the others look random. */
uint8_t pixel_of(int record, int channel, int y, int x);

void write_cifar(const char *name, int label_bytes, int classes, int first, int count);

/* The five files of the training images, four records each. */
void write_cifar10(void);

size_t put_header(uint8_t *out, uint32_t magic, const uint32_t *dims, int count);

/* level: of gzip, 0 to 9; -1: not compressed. */
void write_packed(const char *name, const void *bytes, size_t size, int level);

void write_idx(const char *prefix, int count, int height, int width, int level);

/* The file's bytes from..size replaced; size shortens or prolongs it with zeros. */
void damage(const char *name, size_t size, long at, uint8_t value);

size_t size_of(const char *name);

/* ---- opening and reading ---- */

gf_status try_open(gf_dataset **out, gf_split split, const char *name, const char *more);
void check_fails(gf_split split, const char *name, const char *more, gf_status status,
                 const char *format, ...);
gf_dataset *open_split(gf_split split, const char *name, const char *more);
gf_loader *open_loader(const gf_dataset *dataset, int batch, int threads, unsigned long long seed,
                       int training);
gf_batch next(gf_loader *loader);
size_t floats_of(const gf_dataset *dataset);

/* All images and labels of an epoch from a batch on. The caller frees both. */
int read_epoch(const gf_dataset *dataset, gf_loader *loader, int epoch, int first, float **images,
               int **labels);

#endif
