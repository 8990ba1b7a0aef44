/* What is known of a run: its numbers, its config, its network. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/keys.h"
#include "base/os.h"
#include "diagnosis/diagnosis.h"
#include "run/run_folder.h"

const char *gf__case_setting(const gf__case *c, const char *section, const char *key) {
  if (!c->config) return NULL;
  const gf__value *map = gf__value_get(gf__config_root(c->config), section);
  const gf__value *value = gf__value_get(map, key);
  if (!value) return NULL;
  return gf__scalar_words(value);
}

/* ---- the network ---- */

static bool is_saturating(const gf__network_layer *layer) {
  return !strcmp(layer->kind, "sigmoid") || !strcmp(layer->kind, "tanh");
}

bool gf__case_saturates(const gf__case *c, const char *layer) {
  const gf__network *n = &c->network;
  for (int i = 0; i < n->layer_count; i++)
    if ((!layer || !strcmp(n->layers[i].name, layer)) && is_saturating(&n->layers[i])) return true;
  return false;
}

/* A run of an older program has no network.json, and its data may be gone, which only leaves out
 * what depends on the network. */
static gf_status load_network(gf__case *c) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, c->run.folder, "network.json"));
  gf_status status = gf__network_read(&c->network, c->run.folder);
  if (status == GF_OK || gf__path_exists(path)) return status;
  gf__network_free(&c->network);
  if (c->config)
    gf__log(GF_LOG_WARNING,
            "%s; the diagnosis leaves out what depends on the network: the number of classes, and "
            "which layers have dead or saturated units",
            gf_error_message());
  return GF_OK;
}

/* ---- the whole ---- */

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static gf_status find_typical_ratio(gf__case *c) {
  const gf__run *run = &c->run;
  size_t all = (size_t)run->epoch_count * (size_t)run->layer_count, count = 0;
  if (all == 0) return GF_OK;
  double *values = malloc(all * sizeof *values);
  if (!values) return gf__fail_host_memory(all * sizeof *values);
  for (size_t i = 0; i < all; i++)
    if (isfinite(run->update_ratios[i])) values[count++] = run->update_ratios[i];
  qsort(values, count, sizeof *values, compare);
  if (count) c->typical_ratio = (values[(count - 1) / 2] + values[count / 2]) / 2;
  free(values);
  return GF_OK;
}

static gf_status load_config(gf__case *c) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, c->run.folder, "config.yaml"));
  if (!gf__path_exists(path)) return GF_OK;
  return gf__run_config_load(&c->config, c->run.folder);
}

gf_status gf__case_load(gf__case *out, const char *folder) {
  *out = (gf__case){.typical_ratio = NAN};
  gf_status status = gf__run_load(&out->run, folder);
  if (status == GF_OK) status = load_config(out);
  if (status == GF_OK) status = load_network(out);
  if (status == GF_OK) status = find_typical_ratio(out);
  if (status != GF_OK) {
    gf__case_free(out);
    return status;
  }
  out->diverged = gf__run_folder_result(folder, &out->end_message) == GF_RUN_DIVERGED;
  return GF_OK;
}

void gf__case_free(gf__case *c) {
  gf__run_free(&c->run);
  gf__network_free(&c->network);
  gf_config_free(&c->config);
  free(c->end_message);
  *c = (gf__case){0};
}
