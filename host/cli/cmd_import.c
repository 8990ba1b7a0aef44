/* gradflow import */
#include <string.h>

#include "cli/cli.h"

typedef struct import_options {
  char *config, *out; /* or NULL */
  gf__texts sets;
  bool overwrite;
} import_options;

static const gf__option option_rows[] = {
    GF__OPTION("config", 'c', "CONFIG", import_options, config, TEXT,
               .help = "the config of the network"),
    GF__OPTION_SET(import_options),
    GF__OPTION("out", 'o', "DIR", import_options, out, TEXT,
               .help = "the run folder; default runs/NAME for NAME.safetensors"),
    GF__FLAG("overwrite", 0, import_options, overwrite, "replace the run in the folder; one with other files in it is refused"),
    GF__OPTIONS_END};

static gf_status load_config(gf_config **out, const gf__cli *cli) {
  const import_options *o = cli->options;
  if (o->config) return gf__cli_load_config(out, &o->sets, o->config);
  GF_TRY(gf_import_guess(out, cli->arguments[0]));
  for (size_t i = 0; i < o->sets.count; i++) GF_TRY(gf_config_set(*out, o->sets.v[i]));
  return GF_OK;
}

static gf_status import(const gf__cli *cli, const char *out) {
  const import_options *o = cli->options;
  gf_import_options import_to = gf_import_options_default();
  import_to.out = out;
  import_to.overwrite = o->overwrite;
  gf_config *config = NULL;
  gf_conversion result;
  gf_status status = load_config(&config, cli);
  if (status == GF_OK) status = gf_import(config, cli->arguments[0], &import_to, &result);
  gf_config_free(&config);
  if (status != GF_OK) return status;
  printf(
      "%s: a run with the weights of %s\n"
      "  input    images (%d, %d, %d): height, width, channels\n"
      "  output   %d classes\n"
      "  weights  %zu parameters\n\n"
      "next:\n"
      "  gradflow predict %s IMAGE...\n"
      "  gradflow train CONFIG --set train.weights=%s\n",
      out, result.weights, result.image.height, result.image.width, result.image.channels,
      result.classes, result.parameters, out, out);
  return GF_OK;
}

static int run_import(const gf__cli *cli) {
  const import_options *o = cli->options;
  gf__text out = {0};
  if (o->out)
    gf__text_add(&out, "%s", o->out);
  else
    gf__cli_default_out(cli->arguments[0], &out);
  gf_status status = gf__text_status(&out);
  if (status == GF_OK) status = import(cli, out.data);
  gf__text_free(&out);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

const gf__command gf__cmd_import = {
    .name = "import",
    .arguments = "WEIGHTS [--config CONFIG] [--out DIR] [OPTION]...",
    .help = "make a run folder of weights from PyTorch",
    .text =
        "Makes a run folder of a safetensors file with the weights of a network, for\n"
        "predict, test and export, and for train, which begins with them by\n"
        "train.weights=DIR. Without a config the network is torchvision's ResNet-18, -34\n"
        "or -50, as the names of the tensors say. Every tensor that is missing, extra\n"
        "or misshapen is named. Needs no device. docs/convert.md has the details.\n",
    .examples =
        "  gradflow import resnet50.safetensors\n"
        "  gradflow import resnet18.safetensors --set data.path=data/imagenet\n"
        "  gradflow import weights.safetensors --config configs/plain37.yaml \\\n"
        "    --out runs/imported\n",
    .least = 1,
    .most = 1,
    .missing = "a file of weights",
    .options = option_rows,
    .options_size = sizeof(import_options),
    .run = run_import,
};
