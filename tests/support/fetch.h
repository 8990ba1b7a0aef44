/* What the tests of fetching share: a folder, a file to serve and sources that name it. */
#ifndef SUPPORT_FETCH_H
#define SUPPORT_FETCH_H

#include <md5.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "fetch/fetch.h"
#include "support/assert.h"
#include "support/http_server.h"

enum { FILE_SIZE = 300000 };

extern char fetch_folder[64];                 /* of all tests */
extern char data_folder[80];                  /* the --to of one test; not there before it */
extern unsigned char served_bytes[FILE_SIZE]; /* of the file that is served */
extern char served_md5[MD5_DIGEST_STRING_LENGTH];
extern server fetch_server;

#define ETAG "\"1234-abcd\""
#define WHOLE .body = served_bytes, .size = FILE_SIZE
#define TAGGED WHOLE, .etag = ETAG
#define GOOD TAGGED, .has_ranges = true

extern const gf_fetch_options fetch_options;

int fetch_open(void **state);
int fetch_close(void **state);

/* Before each test. */
int fetch_clear(void **state);

/* The path of a file in the folder of a test; valid until the fourth call from here. */
const char *in_data(const char *name);

void assert_message(const char *format, ...);
void assert_file(const char *path, const void *bytes, size_t size);
void put_file(const char *path, const void *bytes, size_t size);

/* The names in the folder, each behind a space. */
void assert_names(const char *folder, const char *expected);

/* No file of this process grows beyond size until it is -1. */
void limit_files(long size);

#endif
