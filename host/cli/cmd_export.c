/* gradflow export */
#include <popt.h>
#include <string.h>

#include "cli/cli.h"

typedef gf_status export_function(const char *run_folder, const char *path,
                                  const gf_export_options *options, gf_conversion *out);

static void tell_onnx(const char *path, const gf__cli *cli, const gf_conversion *e) {
  printf(
      "%s: ONNX, operator set %d\n"
      "  input    images (batch, %d, %d, %d), normalised as its metadata say\n"
      "  output   %s (batch, %d)\n",
      path, GF_ONNX_OPSET, e->image.channels, e->image.height, e->image.width,
      cli->softmax ? "probabilities" : "logits", e->classes);
}

static void tell_pytorch(const char *path, const gf__cli *cli, const gf_conversion *e) {
  (void)cli;
  printf(
      "%s: the tensors of PyTorch's load_state_dict\n"
      "  input    images (batch, %d, %d, %d)\n"
      "  output   logits (batch, %d)\n",
      path, e->image.channels, e->image.height, e->image.width, e->classes);
}

static const struct {
  const char *ending;
  export_function *write;
  void (*tell)(const char *path, const gf__cli *cli, const gf_conversion *e);
} formats_[] = {{".onnx", gf_export_onnx, tell_onnx},
                {".safetensors", gf_export_pytorch, tell_pytorch}};
enum { FORMATS = sizeof formats_ / sizeof *formats_ };

static gf_status find_format(const char *path, int *out) {
  size_t length = strlen(path);
  for (*out = 0; *out < FORMATS; ++*out) {
    size_t size = strlen(formats_[*out].ending);
    if (length > size && !strcmp(path + length - size, formats_[*out].ending)) return GF_OK;
  }
  return gf__fail(GF_ERROR_ARGUMENT,
                  "%s ends neither in .onnx nor in .safetensors, which choose the format; see "
                  "gradflow export --help",
                  path);
}

static gf_status export_run(const gf__cli *cli) {
  const char *run = cli->arguments[0], *path = cli->arguments[1];
  gf_export_options options = {
      .weights = cli->weights, .softmax = cli->softmax, .overwrite = cli->overwrite};
  gf_conversion result;
  int format;
  GF_TRY(find_format(path, &format));
  if (cli->softmax && formats_[format].write != gf_export_onnx)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--softmax belongs to ONNX: %s has weights alone; see gradflow export --help",
                    path);
  GF_TRY(formats_[format].write(run, path, &options, &result));
  formats_[format].tell(path, cli, &result);
  printf("  weights  %s, %zu parameters\n", result.weights, result.parameters);
  return GF_OK;
}

static int run(const gf__cli *cli) {
  gf_status status = export_run(cli);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

const gf__command gf__cmd_export = {
    .name = "export",
    .arguments = "RUN FILE.onnx|FILE.safetensors [OPTION]...",
    .help = "write a trained network for ONNX or for PyTorch",
    .text =
        "Writes the network of a run with its best weights, or its last where there are\n"
        "no best. FILE.onnx becomes an ONNX model that takes any number of normalised\n"
        "images, channels first; its metadata say how they are normalised.\n"
        "FILE.safetensors becomes a state dict, which PyTorch's load_state_dict takes.\n"
        "Needs no device. docs/convert.md has the details.\n",
    .examples =
        "  gradflow export runs/residual37 residual37.onnx\n"
        "  gradflow export runs/residual37 residual37.onnx --softmax --overwrite\n"
        "  gradflow export runs/resnet18 resnet18.safetensors\n",
    .least = 2,
    .most = 2,
    .missing = "a run folder or the file to write",
    .options = {{"weights", 'w', POPT_ARG_STRING, offsetof(gf__cli, weights), "FILE",
                 "a file of weights for the run's network; default\n"
                 "its best ones, else its last"},
                {"softmax", 0, POPT_ARG_NONE, offsetof(gf__cli, softmax), NULL,
                 "ONNX: give probabilities instead of logits"},
                {"overwrite", 0, POPT_ARG_NONE, offsetof(gf__cli, overwrite), NULL,
                 "replace the file that is there"},
                GF__OPTION_HELP},
    .run = run,
};
