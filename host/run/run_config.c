/* config.yaml of a run, by whichever version of the program it was written. */
#include "base/config.h"
#include "run/run_folder.h"

/* Keys that have had another name. */
static const struct {
  const char *section, *before, *now;
} renamed[] = {{"model", "companions", "auxiliaries"},
               {"model", "companion_loss", "auxiliary_loss"},
               {"model", "companion_weight", "auxiliary_weight"}};

gf_status gf__run_config_rename(gf_config *config) {
  for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
    GF_TRY(gf__config_rename(config, renamed[i].section, renamed[i].before, renamed[i].now));
  return GF_OK;
}

gf_status gf__run_config_load(gf_config **out, const char *folder) {
  char path[GF__PATH_SIZE];
  gf__run_kind kind;
  *out = NULL;
  GF_TRY(gf__run_kind_read(folder, &kind)); /* which a newer version may have written */
  GF_TRY(gf__run_path(path, folder, "config.yaml"));
  GF_TRY(gf_config_load(out, path));
  gf_status status = gf__run_config_rename(*out);
  if (status != GF_OK) gf_config_free(out);
  return status;
}
