/* A config with every default in it. */
#include "data/dataset.h"
#include "model/network_config.h"
#include "run/run_folder.h"
#include "train/optimizers.h"
#include "train/train_config.h"

/* What the config alone says of the data; a data set that is open knows more. */
static gf_status write_data(gf__text *out, const gf_config *config, const gf_dataset *train) {
  gf__data_settings settings;
  gf__text_add(out, "data:\n");
  if (train) {
    gf__data_write(out, 2, train);
    return GF_OK;
  }
  GF_TRY(gf__data_settings_read(&settings, config));
  gf_status status =
      gf__data_settings_resolve(&settings, gf__value_get(gf__config_root(config), "data"));
  if (status == GF_OK) gf__data_settings_write(out, 2, &settings);
  gf__data_settings_free(&settings);
  return status;
}

static gf_status write_optimizer(gf__text *out, const gf_config *config) {
  gf__optimizer_config optimizer;
  GF_TRY(gf__optimizer_config_read(&optimizer, config));
  gf__optimizer_config_write(out, &optimizer);
  gf__optimizer_config_free(&optimizer);
  return GF_OK;
}

gf_status gf__config_resolve(gf__text *out, const gf_config *config, const gf_dataset *train) {
  gf__network_config network;
  gf__train_config run;
  GF_TRY(gf__train_config_read(&run, config));
  GF_TRY(write_data(out, config, train));
  GF_TRY(gf__network_config_read(&network, config));
  gf__network_config_write(out, &network);
  gf__network_config_free(&network);
  GF_TRY(write_optimizer(out, config));
  gf__train_config_write(out, &run);
  return gf__text_status(out);
}

gf_status gf__config_resolved(gf_config **out, const gf_config *config) {
  gf__text text = {0};
  *out = NULL;
  gf_status status = gf__config_resolve(&text, config, NULL);
  if (status == GF_OK) status = gf_config_parse(out, "the resolved config", text.data);
  gf__text_free(&text);
  return status;
}
