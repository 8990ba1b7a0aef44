/* The device as tests/icd shows it: a test takes it over before the first call of OpenCL. */
#ifndef SUPPORT_ICD_H
#define SUPPORT_ICD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "icd/icd.h"

extern const icd_control *icd;

/* To be called by main, before anything else. */
bool icd_open(void);

int icd_entry(const char *name);

/* What is not released; "" for nothing. */
const char *icd_leaks(void);

/* Bytes in buffers that are not freed, after a second for the vendor's threads to do that in. */
size_t icd_bytes_left(void);

#endif
