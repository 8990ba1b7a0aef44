/* What is known of a run: its numbers, its config, how many classes it tells apart. */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
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
  return value->kind == GF__SCALAR ? value->text : "";
}

/* ---- activations ---- */

static const gf__value *graph_of(const gf__case *c) {
  if (!c->config) return NULL;
  const gf__value *graph =
      gf__value_get(gf__value_get(gf__config_root(c->config), "model"), "graph");
  return graph && graph->kind == GF__SEQUENCE ? graph : NULL;
}

static const char *scalar_of(const gf__value *node, const char *key) {
  const gf__value *value = gf__value_get(node, key);
  return value && value->kind == GF__SCALAR ? value->text : "";
}

static bool is_saturating(const char *type) {
  return !strcmp(type, "sigmoid") || !strcmp(type, "tanh");
}

bool gf__case_saturates(const gf__case *c, const char *layer) {
  const gf__value *graph = graph_of(c);
  for (size_t i = 0; graph && i < graph->count; i++) {
    const gf__value *node = graph->items[i];
    bool is_asked = !layer || !strcmp(scalar_of(node, "name"), layer);
    if (is_asked && is_saturating(scalar_of(node, "type"))) return true;
  }
  const char *type = gf__case_setting(c, "model", "activation");
  return type && is_saturating(type);
}

/* ---- classes ---- */

/* The header of a safetensors file, or NULL where it cannot be had. */
static json_t *read_header(const char *path) {
  enum { LONGEST_HEADER = 16 << 20 };
  unsigned char bytes[8];
  uint64_t length = 0;
  json_t *header = NULL;
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  if (fread(bytes, 1, sizeof bytes, file) == sizeof bytes)
    for (int i = 7; i >= 0; i--) length = length << 8 | bytes[i];
  char *text = length > 0 && length <= LONGEST_HEADER ? malloc((size_t)length) : NULL;
  if (text && fread(text, 1, (size_t)length, file) == length)
    header = json_loadb(text, (size_t)length, 0, NULL);
  free(text);
  fclose(file);
  return header;
}

/* The outputs of the last layer, from the shape of its weights; 0 where they cannot be had, which
 * only leaves out what needs them. */
static int count_classes(const gf__run *run) {
  char path[GF__RUN_PATH_SIZE];
  if (run->layer_count == 0 || gf__run_path(path, run->folder, "last.safetensors") != GF_OK)
    return 0;
  json_t *header = read_header(path);
  gf__text name = {0};
  gf__text_add(&name, "%s.weight", run->layers[run->layer_count - 1]);
  const json_t *shape =
      name.data ? json_object_get(json_object_get(header, name.data), "shape") : NULL;
  json_int_t classes = json_integer_value(json_array_get(shape, 0));
  gf__text_free(&name);
  json_decref(header);
  return classes >= 2 && classes <= 1000000 ? (int)classes : 0;
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
  char path[GF__RUN_PATH_SIZE];
  GF_TRY(gf__run_path(path, c->run.folder, "config.yaml"));
  if (!gf__path_exists(path)) return GF_OK;
  c->config_path = malloc(strlen(path) + 1);
  if (!c->config_path) return gf__fail_host_memory(strlen(path) + 1);
  strcpy(c->config_path, path);
  return gf_config_load(&c->config, path);
}

gf_status gf__case_load(gf__case *out, const char *folder) {
  *out = (gf__case){.typical_ratio = NAN};
  gf_status status = gf__run_load(&out->run, folder);
  if (status == GF_OK) status = load_config(out);
  if (status == GF_OK) status = find_typical_ratio(out);
  if (status != GF_OK) {
    gf__case_free(out);
    return status;
  }
  out->classes = count_classes(&out->run);
  out->diverged = gf__run_folder_result(folder, &out->end_message) == GF_RUN_DIVERGED;
  return GF_OK;
}

void gf__case_free(gf__case *c) {
  gf__run_free(&c->run);
  gf_config_free(&c->config);
  free(c->config_path);
  free(c->end_message);
  *c = (gf__case){0};
}
