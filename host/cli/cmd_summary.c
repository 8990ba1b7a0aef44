/* gradflow summary */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "report/table.h"

typedef struct summary_options {
  gf__texts sets;
  bool json;
} summary_options;

static const gf__option option_rows[] = {GF__OPTION_SET(summary_options),
                                         GF__OPTION_JSON(summary_options), GF__OPTIONS_END};

enum { WIDTH = 80 };

typedef struct summary {
  gf_dataset_info data;
  gf_layer_summary *layers;
  int count;
  gf_layer_summary total;
} summary;

static gf_status read_summary(const gf__cli *cli, summary *out) {
  const summary_options *o = cli->options;
  gf_config *config = NULL;
  gf_status status = gf__cli_load_config(&config, &o->sets, cli->arguments[0]);
  if (status == GF_OK) status = gf_dataset_shape(&out->data, config);
  gf_image_shape image = {out->data.height, out->data.width, out->data.channels};
  if (status == GF_OK)
    status = gf_model_summarise(&out->layers, &out->count, config, image, out->data.classes);
  gf_config_free(&config);
  for (int i = 0; i < out->count; i++) {
    out->total.parameters += out->layers[i].parameters;
    out->total.flops += out->layers[i].flops;
    out->total.bytes += out->layers[i].bytes;
  }
  return status;
}

/* ---- for people ---- */

static void add_row(gf__table *table, const gf_layer_summary *row, const char *output) {
  gf__table_add(table, "%s", row->name);
  gf__table_add(table, "%s", row->type);
  gf__table_add(table, "%s", output);
  gf__table_add(table, "%zu", row->parameters);
  gf__table_add(table, "%.3f", row->flops * 1e-6);
  gf__table_add(table, "%.1f", (double)row->bytes / 1024);
}

static gf_status print_text(const summary *s) {
  static const gf__table_column columns[] = {{"layer", false}, {"type", false},
                                             {"output", true}, {"parameters", true},
                                             {"MFLOP", true},  {"KiB", true}};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  gf_layer_summary total = s->total;
  gf__text text = {0};
  for (int i = 0; i < s->count; i++) {
    gf_image_shape shape = s->layers[i].output;
    char output[64], depth[16] = "";
    if (s->layers[i].depth > 1) snprintf(depth, sizeof depth, "%dx", s->layers[i].depth);
    snprintf(output, sizeof output, "%s%dx%dx%d", depth, shape.height, shape.width, shape.channels);
    add_row(&table, &s->layers[i], output);
  }
  snprintf(total.name, sizeof total.name, "total");
  total.type = "";
  add_row(&table, &total, "");
  gf_status status = gf__table_text(&table, WIDTH, &text);
  gf__table_free(&table);
  if (status == GF_OK)
    printf("%s: images of %dx%dx%d, %d classes; MFLOP and KiB of a forward pass of one\n\n%s",
           s->data.name, s->data.height, s->data.width, s->data.channels, s->data.classes,
           text.data);
  gf__text_free(&text);
  return status;
}

/* ---- for programs ---- */

static gf_status print_json(const gf__cli *cli) {
  const summary_options *o = cli->options;
  gf_config *config = NULL;
  char *text = NULL;
  gf_status status = gf__cli_load_config(&config, &o->sets, cli->arguments[0]);
  if (status == GF_OK) status = gf_network_json(config, &text);
  gf_config_free(&config);
  if (status == GF_OK) puts(text);
  free(text);
  return status;
}

static int run_summary(const gf__cli *cli) {
  const summary_options *o = cli->options;
  summary s = {0};
  gf_status status = o->json ? print_json(cli) : read_summary(cli, &s);
  if (status == GF_OK && !o->json) status = print_text(&s);
  free(s.layers);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

const gf__command gf__cmd_summary = {
    .name = "summary",
    .arguments = "CONFIG [--set KEY=VALUE]... [--json]",
    .help = "list the layers of a network, with shapes and costs",
    .text =
        "Lists the layers of the config's network: the output's height, width and\n"
        "channels, trainable parameters, and what a forward pass of one image takes:\n"
        "million operations of convolutions and linear layers, and KiB of the output.\n"
        "Needs neither a device nor, but for image_folder and hyperspectral, the data.\n"
        "With --json it is the network.json of a run, which also has edges and tensors.\n",
    .examples =
        "  gradflow summary configs/plain37.yaml\n"
        "  gradflow summary configs/plain37.yaml --set model.shortcut=identity --json\n",
    .least = 1,
    .most = 1,
    .missing = "a config",
    .options = option_rows,
    .options_size = sizeof(summary_options),
    .run = run_summary,
};
