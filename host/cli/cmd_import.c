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
               .help = "the config of the network; for ONNX its other sections"),
    GF__OPTION_SET(import_options),
    GF__OPTION("out", 'o', "DIR", import_options, out, TEXT,
               .help = "the run folder; default runs/NAME for NAME.onnx or NAME.safetensors"),
    GF__FLAG("overwrite", 0, import_options, overwrite,
             "replace the run in the folder; one with other files in it is refused"),
    GF__OPTIONS_END};

static bool is_onnx(const char *path) {
  static const char ending[] = ".onnx";
  size_t length = strlen(path), size = sizeof ending - 1;
  return length > size && !strcmp(path + length - size, ending);
}

static gf_status load_config(gf_config **out, const gf__cli *cli) {
  const import_options *o = cli->options;
  if (o->config) return gf__cli_load_config(out, &o->sets, o->config);
  if (is_onnx(cli->arguments[0]))
    GF_TRY(gf_config_parse(out, "--set", "{}\n")); /* the file has the rest */
  else
    GF_TRY(gf_import_guess(out, cli->arguments[0]));
  for (size_t i = 0; i < o->sets.count; i++) GF_TRY(gf_config_set(*out, o->sets.v[i]));
  return GF_OK;
}

/* file: an ONNX model has its config in the run folder. */
static void print_result(const char *file, const char *out, const gf_conversion *result) {
  printf(
      "%s: a run with the weights of %s\n"
      "  input    images (%d, %d, %d): height, width, channels\n"
      "  output   %d classes\n"
      "  weights  %zu parameters\n\n"
      "next:\n"
      "  gradflow predict %s IMAGE...\n",
      out, result->weights, result->image.height, result->image.width, result->image.channels,
      result->classes, result->parameters, out);
  if (is_onnx(file))
    printf(
        "  gradflow train %s/config.yaml --set train.weights=%s --set data.path=DIR \\\n"
        "    --out %s-trained\n",
        out, out, out);
  else
    printf("  gradflow train CONFIG --set train.weights=%s\n", out);
}

static gf_status import(const gf__cli *cli, const char *out) {
  const import_options *o = cli->options;
  const char *file = cli->arguments[0];
  gf_import_options import_to = gf_import_options_default();
  import_to.out = out;
  import_to.overwrite = o->overwrite;
  gf_config *config = NULL;
  gf_conversion result;
  gf_status status = load_config(&config, cli);
  if (status == GF_OK)
    status = is_onnx(file) ? gf_import_onnx(config, file, &import_to, &result)
                           : gf_import(config, file, &import_to, &result);
  gf_config_free(&config);
  if (status == GF_OK) print_result(file, out, &result);
  return status;
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
    .arguments = "FILE [--config CONFIG] [--out DIR] [OPTION]...",
    .help = "make a run folder of an ONNX model, or of weights from PyTorch",
    .text =
        "Makes a run folder of a network from elsewhere, for predict, test and export,\n"
        "and for train, which begins with its weights by train.weights=DIR.\n"
        "\n"
        "An ONNX model (.onnx) has the network as well as the weights. A config, or\n"
        "--set, only says what the file does not: the data set, above all. Nodes that\n"
        "no layer can stand for are all listed, and nothing is written then.\n"
        "\n"
        "A safetensors file has weights. Without a config the network is torchvision's\n"
        "ResNet-18, -34 or -50, as the names of the tensors say. Every tensor that is\n"
        "missing, extra or misshapen is named.\n"
        "\n"
        "Needs no device. docs/convert.md has the details.\n",
    .examples =
        "  gradflow import model.onnx --out runs/mine\n"
        "  gradflow import model.onnx --set data.name=cifar10\n"
        "  gradflow import resnet50.safetensors\n"
        "  gradflow import resnet18.safetensors --set data.path=data/imagenet\n"
        "  gradflow import weights.safetensors --config configs/plain37.yaml \\\n"
        "    --out runs/imported\n",
    .least = 1,
    .most = 1,
    .missing = "an ONNX model or a file of weights",
    .options = option_rows,
    .options_size = sizeof(import_options),
    .run = run_import,
};
