#include "ops/algorithm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cache.h"
#include "base/json.h"
#include "base/os.h"
#include "base/text.h"

struct gf__tuning {
  gf_device *device;
  gf__tune mode;
  const char *force;
  /* Each maps keys to names of algorithms. */
  json_t *choices;   /* read from the file, or measured */
  json_t *preferred; /* by an earlier run, or NULL */
  json_t *made;      /* for this network */
  int measured;      /* keys */
  bool announced;    /* that something is measured */
  double start;      /* seconds on the clock, when that began */
  char path[4096];   /* of the file; "" without a cache folder */
};

static gf_status find_tuning_file(gf__tuning *tuning) {
  const gf_device_info *d = gf_device_describe(tuning->device);
  gf_versions v = gf_versions_get();
  char digest[GF__CACHE_DIGEST_SIZE], name[128];
  gf__text key = {0};
  gf__device_key(d, &key);
  /* A sub-device of a CPU is slower than the whole. */
  gf__text_add(&key, "%d units\n%s\n%s\n%s\n", d->compute_units, v.program, v.commit, v.clblast);
  GF_TRY(gf__cache_digest(&key, digest));
  snprintf(name, sizeof name, "tuning-%.32s.json", digest);
  return gf__cache_path(tuning->path, sizeof tuning->path, name);
}

/* The choices in the file, or NULL. */
static json_t *read_tuning_file(const char *path) {
  char *text;
  size_t size;
  if (gf__cache_read(path, GF__JSON_LARGEST, &text, &size) != GF_OK) return NULL;
  json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
  free(text);
  return json;
}

gf_status gf__tuning_open(gf__tuning **out, gf_device *device, gf__tune mode, const char *force) {
  gf__tuning *tuning = calloc(1, sizeof *tuning);
  *out = tuning;
  if (!tuning) return gf__fail_host_memory(sizeof *tuning);
  tuning->device = device;
  tuning->mode = mode;
  tuning->force = force;
  tuning->start = gf__seconds();
  if (mode != GF__TUNE_OFF && find_tuning_file(tuning) != GF_OK) tuning->path[0] = 0;
  if ((mode == GF__TUNE_FAST || mode == GF__TUNE_KNOWN) && tuning->path[0])
    tuning->choices = read_tuning_file(tuning->path);
  if (!json_is_object(tuning->choices)) {
    json_decref(tuning->choices);
    tuning->choices = json_object();
  }
  tuning->made = json_object();
  return GF_OK;
}

const char *gf__tuning_path(const gf__tuning *tuning) { return tuning->path; }

void gf__tuning_prefer(gf__tuning *tuning, const char *choices) {
  json_decref(tuning->preferred);
  tuning->preferred = json_loads(choices, JSON_REJECT_DUPLICATES, NULL);
}

gf_status gf__tuning_choices(const gf__tuning *tuning, char **out) {
  *out = json_dumps(tuning->made, JSON_INDENT(1) | JSON_SORT_KEYS);
  return *out ? GF_OK : gf__fail_host_memory(1);
}

void gf__tuning_close(gf__tuning **tuning_pointer) {
  gf__tuning *tuning = *tuning_pointer;
  if (!tuning) return;
  if (tuning->measured)
    gf__log(GF_LOG_INFO, "measured the algorithms of %d convolution passes in %.1f s",
            tuning->measured, gf__seconds() - tuning->start);
  char *text = tuning->measured && tuning->path[0]
                   ? json_dumps(tuning->choices, JSON_INDENT(1) | JSON_SORT_KEYS)
                   : NULL;
  if (text && gf__cache_write(tuning->path, text, strlen(text)) != GF_OK)
    gf__log(GF_LOG_WARNING, "measured algorithms are not kept: %s", gf_error_message());
  free(text);
  json_decref(tuning->choices);
  json_decref(tuning->preferred);
  json_decref(tuning->made);
  free(tuning);
  *tuning_pointer = NULL;
}

gf_device *gf__tuning_device(const gf__tuning *tuning) { return tuning->device; }

const char *gf__tuning_forced(const gf__tuning *tuning) { return tuning->force; }

const char *gf__tuning_preferred(const gf__tuning *tuning, const char *key) {
  return json_string_value(json_object_get(tuning->preferred, key));
}

static bool may_tune(const gf__tuning *tuning) {
  return !tuning->force && tuning->mode != GF__TUNE_OFF;
}

const char *gf__tuning_known(const gf__tuning *tuning, const char *key) {
  return may_tune(tuning) ? json_string_value(json_object_get(tuning->choices, key)) : NULL;
}

/* So that nobody waits without knowing for what. */
static void announce(gf__tuning *tuning) {
  if (tuning->announced) return;
  tuning->announced = true;
  tuning->start = gf__seconds();
  if (tuning->mode == GF__TUNE_FULL)
    gf__log(GF_LOG_INFO, "measures every algorithm of every convolution, which may take minutes");
  else
    gf__log(GF_LOG_INFO,
            "measures which algorithms of convolutions are fastest on this device, for about %d s "
            "at most, and keeps that; --tune off skips it",
            GF__TUNE_SECONDS);
}

bool gf__tuning_may_measure(gf__tuning *tuning) {
  if (!may_tune(tuning) || tuning->mode == GF__TUNE_KNOWN) return false;
  announce(tuning);
  return tuning->mode == GF__TUNE_FULL || gf__seconds() - tuning->start < GF__TUNE_SECONDS;
}

void gf__tuning_keep(gf__tuning *tuning, const char *key, const char *name) {
  json_object_set_new(tuning->choices, key, json_string(name));
  tuning->measured++;
}

void gf__tuning_record(gf__tuning *tuning, const char *key, const char *name) {
  json_object_set_new(tuning->made, key, json_string(name));
}
