/* config.yaml of a run, by whichever version of the program it was written. */
#include "base/config.h"
#include "run/run_folder.h"

/* Keys that have had another name. */
static const struct {
  const char *section, *before, *now;
} renamed[] = {{"model", "companions", "auxiliaries"},
               {"model", "companion_loss", "auxiliary_loss"},
               {"model", "companion_weight", "auxiliary_weight"}};

gf_status gf__run_config_load(gf_config **out, const char *folder) {
  char path[GF__PATH_SIZE];
  *out = NULL;
  GF_TRY(gf__run_path(path, folder, "config.yaml"));
  GF_TRY(gf_config_load(out, path));
  gf_status status = GF_OK;
  for (size_t i = 0; status == GF_OK && i < sizeof renamed / sizeof *renamed; i++)
    status = gf__config_rename(*out, renamed[i].section, renamed[i].before, renamed[i].now);
  if (status != GF_OK) gf_config_free(out);
  return status;
}
