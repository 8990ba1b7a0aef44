/* gradflow plot */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct plot_options {
  char *out; /* or NULL */
  bool tensorboard;
} plot_options;

static const gf__option option_rows[] = {
    GF__OPTION_COMPARISON(plot_options),
    GF__FLAG("tensorboard", 0, plot_options, tensorboard,
             "write the records as events of TensorBoard into each run folder as well"),
    GF__OPTIONS_END};

static void print_path(void *user, const char *path) {
  (void)user;
  puts(path);
}

/* The folder "comparison" beside a run. */
static void add_folder_beside(const char *run, gf__text *out) {
  size_t length = strlen(run);
  while (length > 1 && run[length - 1] == '/') length--;
  size_t start = length;
  while (start > 0 && run[start - 1] != '/') start--;
  size_t name = length - start;
  /* Of "." and ".." the parent is not in the text. */
  bool is_dots = name > 0 && name <= 2 && strspn(run + start, ".") >= name;
  if (is_dots)
    gf__text_add(out, "%.*s/../comparison", (int)length, run);
  else
    gf__text_add(out, "%.*scomparison", (int)start, run);
}

gf_status gf__cli_comparison_folder(const gf__cli *cli, const char *out, const char *command,
                                    gf__text *folder) {
  if (cli->argument_count > 1 && out)
    gf__text_add(folder, "%s", out);
  else if (cli->argument_count > 1)
    add_folder_beside(cli->arguments[0], folder);
  else if (out)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--out is where pictures that compare several runs go; those of one run go "
                    "into its folder; see gradflow %s --help",
                    command);
  return gf__text_status(folder);
}

static gf_status write_events(const gf__cli *cli) {
  for (int i = 0; i < cli->argument_count; i++) {
    char *path;
    GF_TRY(gf_events_write(cli->arguments[i], &path));
    puts(path);
    free(path);
  }
  return GF_OK;
}

static int run_plot(const gf__cli *cli) {
  const plot_options *o = cli->options;
  gf__text out = {0};
  gf_status status = gf__cli_comparison_folder(cli, o->out, "plot", &out);
  if (status == GF_OK)
    status = gf_plot_runs(cli->arguments, cli->argument_count, out.data, print_path, NULL);
  if (status == GF_OK && o->tensorboard) status = write_events(cli);
  gf__text_free(&out);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

const gf__command gf__cmd_plot = {
    .name = "plot",
    .arguments = "RUN... [--out DIR] [--tensorboard]",
    .help = "redraw the pictures of runs, and compare runs",
    .text =
        "Redraws the pictures of each run folder from its metrics.csv and gradients.csv.\n"
        "With several runs, pictures that compare them go into a folder of their own.\n"
        "Prints the paths of the pictures, one a line. The folders may be of gradflow\n"
        "train, of gradflow.watch for PyTorch and Keras, or of any program that writes\n"
        "the files of docs/records.md.\n",
    .examples =
        "  gradflow plot runs/plain37\n"
        "  gradflow plot runs/plain7 runs/plain37 --out depth\n"
        "  gradflow plot runs/plain37 --tensorboard\n",
    .least = 1,
    .most = 1024,
    .missing = "a run folder",
    .options = option_rows,
    .options_size = sizeof(plot_options),
    .run = run_plot,
};
