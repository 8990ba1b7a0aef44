/* gradflow export */
#include <string.h>

#include "cli/cli.h"

typedef struct export_options {
  char *weights; /* or NULL */
  bool softmax, overwrite;
} export_options;

static const gf__option option_rows[] = {
    GF__OPTION("weights", 'w', "FILE", export_options, weights, TEXT,
               .help = "a file of weights for the run's network; default its best ones, else its "
                       "last"),
    GF__FLAG("softmax", 0, export_options, softmax, "ONNX: give probabilities instead of logits"),
    GF__FLAG("overwrite", 0, export_options, overwrite, "replace the file that is there"),
    GF__OPTIONS_END};

typedef gf_status export_function(const char *run_folder, const char *path,
                                  const gf_export_options *options, gf_conversion *out);

static void report_onnx(const char *path, bool softmax, const gf_conversion *e) {
  printf(
      "%s: ONNX, operator set %d\n"
      "  input    images (batch, %d, %d, %d), normalised as its metadata say\n"
      "  output   %s (batch, %d)\n",
      path, GF_ONNX_OPSET, e->image.channels, e->image.height, e->image.width,
      softmax ? "probabilities" : "logits", e->classes);
}

static void report_pytorch(const char *path, bool softmax, const gf_conversion *e) {
  (void)softmax;
  printf(
      "%s: the tensors of PyTorch's load_state_dict\n"
      "  input    images (batch, %d, %d, %d)\n"
      "  output   logits (batch, %d)\n",
      path, e->image.channels, e->image.height, e->image.width, e->classes);
}

static const struct {
  const char *ending;
  export_function *write;
  void (*report)(const char *path, bool softmax, const gf_conversion *e);
} formats[] = {{".onnx", gf_export_onnx, report_onnx},
               {".safetensors", gf_export_pytorch, report_pytorch}};
enum { FORMATS = sizeof formats / sizeof *formats };

static gf_status find_format(const char *path, int *out) {
  size_t length = strlen(path);
  for (*out = 0; *out < FORMATS; ++*out) {
    size_t size = strlen(formats[*out].ending);
    if (length > size && !strcmp(path + length - size, formats[*out].ending)) return GF_OK;
  }
  return gf__fail(GF_ERROR_ARGUMENT,
                  "%s ends neither in .onnx nor in .safetensors, which choose the format; see "
                  "gradflow export --help",
                  path);
}

static gf_status export_run(const gf__cli *cli) {
  const export_options *o = cli->options;
  const char *run = cli->arguments[0], *path = cli->arguments[1];
  gf_export_options options = gf_export_options_default();
  options.weights = o->weights;
  options.softmax = o->softmax;
  options.overwrite = o->overwrite;
  gf_conversion result;
  int format;
  GF_TRY(find_format(path, &format));
  if (o->softmax && formats[format].write != gf_export_onnx)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--softmax belongs to ONNX: %s has weights alone; see gradflow export --help",
                    path);
  GF_TRY(formats[format].write(run, path, &options, &result));
  formats[format].report(path, o->softmax, &result);
  printf("  weights  %s, %zu parameters\n", result.weights, result.parameters);
  return GF_OK;
}

static int run_export(const gf__cli *cli) {
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
    .options = option_rows,
    .options_size = sizeof(export_options),
    .run = run_export,
};
