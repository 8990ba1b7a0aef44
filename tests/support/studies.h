/* What the tests of studies share: files of a study, and loading them. */
#ifndef SUPPORT_STUDIES_H
#define SUPPORT_STUDIES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/study.h>

#include "base/file.h"
#include "base/os.h"
#include "base/text.h"
#include "support/assert.h"
#include "support/folder.h"

/* Writes FOLDER/name; folders on the way are made. */
void study_write(const char *name, const char *text);

/* The content of FOLDER/name; the caller frees it. */
char *study_read(const char *name);

/* A study of FOLDER/name whose runs are in FOLDER/out (NULL: as the study says). */
gf_study *load_study(const char *name, const char *out);

/* Every "@" of the text is the folder with a slash. The caller frees the result. */
char *with_folder(const char *text);

#endif
