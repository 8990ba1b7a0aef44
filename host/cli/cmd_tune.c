/* gradflow tune */
#include <popt.h>

#include "cli/cli.h"

/* What was chosen is the result, so it goes to stdout. */
static void print_choice(void *user, gf_log_level level, const char *message) {
  if (level == GF_LOG_DETAIL)
    puts(message);
  else
    gf__cli_log(user, level, message);
}

static int run(const gf__cli *cli) {
  gf_config *config = NULL;
  gf_device *device = NULL;
  gf_dry_run plan;
  gf_status status = gf__cli_load_config(&config, cli, cli->arguments[0]);
  if (status == GF_OK) status = gf_config_set(config, "model.tune=full");
  if (status == GF_OK) status = gf_device_open(&device, cli->device);
  gf_log_to(print_choice, NULL);
  if (status == GF_OK) status = gf_train_dry_run(device, config, &plan);
  gf_log_to(gf__cli_log, NULL);
  gf_device_free(&device);
  gf_config_free(&config);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

const gf__command gf__cmd_tune = {
    .name = "tune",
    .arguments = "CONFIG [OPTION]...",
    .help = "measure which convolutions are fastest on a device, and keep it",
    .text =
        "Measures every algorithm for every convolution of the config's network, checks\n"
        "each against im2col with CLBlast, and keeps the fastest in the cache folder\n"
        "(GRADFLOW_CACHE_DIR, or gradflow in XDG_CACHE_HOME or ~/.cache) for this device,\n"
        "driver and version. `gradflow train --tune fast` uses what is kept there.\n",
    .examples =
        "  gradflow tune configs/plain37.yaml\n"
        "  gradflow train configs/plain37.yaml --tune fast\n",
    .least = 1,
    .most = 1,
    .missing = "a config",
    .options = {GF__OPTION_DEVICE, GF__OPTION_SET, GF__OPTION_HELP},
    .run = run,
};
