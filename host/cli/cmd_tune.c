/* gradflow tune */

#include "cli/cli.h"

typedef struct tune_options {
  char *device; /* or NULL */
  gf__texts sets;
} tune_options;

static const gf__option option_rows[] = {GF__OPTION_DEVICE(tune_options),
                                         GF__OPTION_SET(tune_options), GF__OPTIONS_END};

/* What was chosen is the result, so it goes to stdout. */
static void print_choice(void *user, gf_log_level level, const char *message) {
  if (level == GF_LOG_DETAIL)
    puts(message);
  else
    gf__cli_log(user, level, message);
}

static int run_tune(const gf__cli *cli) {
  const tune_options *o = cli->options;
  gf_config *config = NULL;
  gf_device *device = NULL;
  gf_dry_run plan;
  gf_status status = gf__cli_load_config(&config, &o->sets, cli->arguments[0]);
  if (status == GF_OK) status = gf_config_set(config, "model.tune=full");
  if (status == GF_OK) status = gf_device_open(&device, o->device);
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
    .options = option_rows,
    .options_size = sizeof(tune_options),
    .run = run_tune,
};
