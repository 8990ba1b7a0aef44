/* The shape of a data set's images from the table of data sets, without its files. */
#include "data/dataset.h"

static int larger(int a, int b) { return a > b ? a : b; }

/* The classes of a set that only its folder tells. */
static gf_status count_classes(const gf__data_set *set, const gf__data_settings *settings,
                               int *out) {
  gf__data_source source = {set, settings, set->train};
  gf__text names = {0};
  if (!*settings->path)
    return gf__fail(GF_ERROR_CONFIG, "data.path is missing: %s is read from %s", set->name,
                    set->files);
  gf_status status = set->names(&source, &names);
  for (size_t i = 0; i < names.size; i++) *out += names.data[i] == '\n';
  gf__text_free(&names);
  return status;
}

/* Free the settings after a success. */
static gf_status read_shape(gf__data_settings *settings, gf_dataset_info *out,
                            const gf_config *config) {
  const gf__value *section = gf__value_get(gf__config_root(config), "data");
  GF_TRY(gf__keys_read(section, "data", gf__data_keys, gf__data_key_count, settings));
  const gf__data_set *set = &gf__data_sets[settings->name];
  if (set->check) GF_TRY(set->check(settings, section));
  int side = set->check ? settings->patch
                        : larger(set->side ? set->side : settings->image_size, settings->pad_to);
  *out = (gf_dataset_info){.name = set->name,
                           .height = side,
                           .width = side,
                           .channels = set->channels,
                           .classes = set->classes};
  return GF_OK;
}

gf_status gf__data_expect(gf_dataset_info *out, const gf_config *config) {
  gf__data_settings settings;
  GF_TRY(read_shape(&settings, out, config));
  gf__keys_free(gf__data_keys, gf__data_key_count, &settings);
  return GF_OK;
}

gf_status gf_dataset_shape(gf_dataset_info *out, const gf_config *config) {
  gf__data_settings settings;
  GF_TRY(read_shape(&settings, out, config));
  const gf__data_set *set = &gf__data_sets[settings.name];
  gf_status status = GF_OK;
  if (set->describe) {
    gf__data_source source = {set, &settings, set->train};
    status = set->describe(&source, out);
  } else if (!set->classes) {
    status = count_classes(set, &settings, &out->classes);
  }
  gf__keys_free(gf__data_keys, gf__data_key_count, &settings);
  return status;
}
