/* Which algorithms the operations of one network use, and the file that keeps what was measured on
 * a device. It knows no operation: a choice is an algorithm's name under a key, which says what is
 * computed, in which shape. */
#ifndef GF_OPS_ALGORITHM_H
#define GF_OPS_ALGORITHM_H

#include "device/device.h"

typedef enum gf__tune {
  GF__TUNE_OFF,   /* the device's defaults, or the algorithm that is forced */
  GF__TUNE_KNOWN, /* what the file knows; nothing is measured */
  GF__TUNE_FAST,  /* what the file knows; the rest is measured while time is left */
  GF__TUNE_FULL   /* everything is measured again, however long that takes */
} gf__tune;

/* The seconds for which GF__TUNE_FAST measures a network, not counting the candidate that is being
 * compiled when they are over. */
enum { GF__TUNE_SECONDS = 20 };

typedef struct gf__tuning gf__tuning;

/* force: the name of an algorithm, or NULL. Reads the file of this device, driver and these
 * versions in the cache folder; a file that cannot be read counts as none. */
gf_status gf__tuning_open(gf__tuning **out, gf_device *device, gf__tune mode,
                          const char *force) GF_MUST_USE;
/* Choices of an earlier run on this device, as gf__tuning_choices gave them. They come before
 * whatever is known or measured, so that a resumed run computes the same bits. */
void gf__tuning_prefer(gf__tuning *tuning, const char *choices);
/* What was chosen so far, as JSON; the caller frees *out. */
gf_status gf__tuning_choices(const gf__tuning *tuning, char **out) GF_MUST_USE;
/* The path of the file, for tests; "" where no cache folder can be used. */
const char *gf__tuning_path(const gf__tuning *tuning);
/* Writes the file if something was measured, and frees. */
void gf__tuning_close(gf__tuning **tuning);

/* ---- for the operations ---- */

gf_device *gf__tuning_device(const gf__tuning *tuning);
/* The name of the algorithm that the user forces, or NULL. */
const char *gf__tuning_forced(const gf__tuning *tuning);
/* The name that the earlier run chose for the key, or NULL. */
const char *gf__tuning_preferred(const gf__tuning *tuning, const char *key);
/* The name that the file has for the key, or NULL; always NULL where the file does not count. */
const char *gf__tuning_known(const gf__tuning *tuning, const char *key);
/* Whether something may still be measured; the first time, it is said how long that may take. */
bool gf__tuning_may_measure(gf__tuning *tuning);
/* Keeps what measuring has chosen for the key, in the file too. */
void gf__tuning_keep(gf__tuning *tuning, const char *key, const char *name);
/* Records that this network computes the key by the algorithm of that name. */
void gf__tuning_record(gf__tuning *tuning, const char *key, const char *name);

#endif
