#include "verify/layer_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "verify/case_config.h"
#include "verify/problems.h"

/* Appends a case, whose texts are one block that begins with its name. */
static gf_status layer_cases_add(gf__layer_cases *out, const gf__layer *layer, gf__cases *list,
                                 int batch) {
  gf__text texts = {0};
  size_t keys, note;
  GF_TRY(gf__grow(&out->layers, (size_t)out->count, sizeof *out->layers));
  gf__text_add(&texts, "%s/%d", layer->name, list->count);
  gf__text_add_bytes(&texts, "", 1);
  keys = texts.size;
  gf__case_layer_keys(list, layer, &texts);
  gf__text_add_bytes(&texts, "", 1);
  note = texts.size;
  gf__text_add(&texts, "%s", list->text);
  gf_status status = gf__text_status(&texts);
  if (status != GF_OK) {
    gf__text_free(&texts);
    return status;
  }
  out->layers[out->count++] = (gf_bench_layer){.name = texts.data,
                                               .note = texts.data + note,
                                               .type = layer->name,
                                               .keys = texts.data + keys,
                                               .image = gf__case_image(list),
                                               .batch = batch > 0 ? batch : gf__case_batch(list)};
  return GF_OK;
}

/* Whether the name is that of the layer or of its case of that number. */
static bool is_name_of(const char *name, const char *layer, int number) {
  char whole[GF__CASES_NAME + 16];
  snprintf(whole, sizeof whole, "%s/%d", layer, number);
  return !strcmp(name, layer) || !strcmp(name, whole);
}

/* Adds the cases of the name, or all of them for NULL. */
static gf_status layer_cases_add_named(gf__layer_cases *out, const char *name, int batch) {
  for (int i = 0; gf__problem_types[i]; i++) {
    const gf__layer *layer = gf__layer_find(gf__problem_types[i]->layer);
    gf__cases list;
    gf__cases_open(&list, layer->name);
    while (gf__cases_next(&list)) {
      bool is_volume = gf__cases_has(&list, "d");
      if (!is_volume && (!name || is_name_of(name, layer->name, list.count)))
        GF_TRY(layer_cases_add(out, layer, &list, batch));
    }
    if (list.error[0]) return gf__fail(GF_ERROR_DATA, "%s", list.error);
  }
  return GF_OK;
}

static gf_status fail_name(const char *name) {
  gf__text known = {0};
  gf__layer_cases all = {0};
  gf_status status = layer_cases_add_named(&all, NULL, 0);
  for (int i = 0; i < all.count; i++)
    if (i == 0 || strcmp(all.layers[i].type, all.layers[i - 1].type) != 0)
      gf__text_add(&known, "%s%s", i ? ", " : "", all.layers[i].type);
  if (status == GF_OK) status = gf__text_status(&known);
  if (status == GF_OK)
    status = gf__fail(GF_ERROR_ARGUMENT,
                      "no case is called '%s'; there are %s, each with numbers from 1, as in "
                      "conv2d/3",
                      name, known.data);
  gf__layer_cases_free(&all);
  gf__text_free(&known);
  return status;
}

gf_status gf__layer_cases_read(gf__layer_cases *out, const char *const *names, int name_count,
                               int batch) {
  *out = (gf__layer_cases){0};
  if (name_count == 0) return layer_cases_add_named(out, NULL, batch);
  for (int i = 0; i < name_count; i++) {
    int before = out->count;
    GF_TRY(layer_cases_add_named(out, names[i], batch));
    if (out->count == before) return fail_name(names[i]);
  }
  return GF_OK;
}

void gf__layer_cases_free(gf__layer_cases *cases) {
  for (int i = 0; i < cases->count; i++) free((char *)cases->layers[i].name);
  free(cases->layers);
  *cases = (gf__layer_cases){0};
}
