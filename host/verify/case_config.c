#include "verify/case_config.h"

#include <string.h>

static bool is_key_of(const gf__layer *layer, const char *word) {
  for (size_t k = 0; k < layer->key_count; k++)
    if (strcmp(layer->keys[k].name, word) == 0) return true;
  return false;
}

void gf__case_layer_keys(const gf__cases *list, const gf__layer *layer, gf__text *out) {
  for (int i = 0; list->words[i]; i++) {
    bool is_list = strchr(list->values[i], ',') != NULL;
    if (is_key_of(layer, list->words[i]))
      gf__text_add(out, is_list ? ", %s: [%s]" : ", %s: %s", list->words[i], list->values[i]);
  }
}

/* Case lists of layers that accept vectors name their length by what it is to the layer. */
static int case_channels(gf__cases *list) {
  static const char *const lengths[] = {"inputs", "classes"};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    if (gf__cases_has(list, lengths[i])) return gf__cases_int(list, lengths[i], 1);
  if (!gf__cases_has(list, "d")) return gf__cases_int(list, "c", 1);
  int channels = gf__cases_int(list, "channels", gf__cases_int(list, "c", 1));
  return channels * gf__cases_int(list, "d", 1);
}

gf_image_shape gf__case_image(gf__cases *list) {
  return (gf_image_shape){gf__cases_int(list, "h", 1), gf__cases_int(list, "w", 1),
                          case_channels(list)};
}

int gf__case_batch(gf__cases *list) { return gf__cases_int(list, "n", 1); }
