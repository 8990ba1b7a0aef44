/* What `gradflow verify` prints and writes of a device. */
#ifndef GF_CLI_VERIFY_REPORT_H
#define GF_CLI_VERIFY_REPORT_H

#include "base/text.h"
#include "verify/verify.h"

struct json_t; /* jansson's */

/* A device that was verified, or could not be to the end. */
typedef struct gf__verified {
  gf_device_info info;
  char *error; /* why it could not be, or NULL */
  gf__verify_result result;
} gf__verified;

/* Whether all that ran was right, and something did. */
bool gf__verified_ok(const gf__verified *device);
/* Appends the table, what is wrong with the command that repeats it, and the verdict. */
gf_status gf__verified_text(const gf__verified *device, gf__text *out) GF_MUST_USE;
/* The document of all devices; NULL where memory is out. */
struct json_t *gf__verified_json(const gf__verified *devices, int count, bool full);

#endif
