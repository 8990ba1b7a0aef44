/* gradflow divergence */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "report/table.h"

typedef struct divergence_options {
  char *devices; /* or NULL */
  int steps;
  double tolerance;
  bool resync, json;
  gf__texts sets;
} divergence_options;

static const gf__option option_rows[] = {
    GF__OPTION("devices", 'd', "A,B", divergence_options, devices, TEXT,
               .help = "the two devices, each as for gradflow train"),
    GF__OPTION("steps", 0, "N", divergence_options, steps, INT, .initial = "10", .minimum = 1,
               .maximum = 100000, .help = "training steps"),
    GF__OPTION("tolerance", 't', "T", divergence_options, tolerance, FLOAT, .initial = "0.1",
               .maximum = INFINITY, .help = "the largest difference that passes"),
    GF__FLAG("resync", 0, divergence_options, resync, "B takes A's weights before each step"),
    GF__OPTION_SET(divergence_options),
    GF__OPTION_JSON(divergence_options),
    GF__OPTIONS_END};

enum { WIDTH = 80 };

typedef struct comparison {
  const char *config; /* its path */
  gf_device *devices[2];
  char selectors[2][256];
  gf_divergence_options options;
  gf_divergence result;
  gf__bar bar;
} comparison;

/* ---- the command line ---- */

static gf_status read_selectors(comparison *c, const char *text) {
  const char *comma = text ? strchr(text, ',') : NULL;
  size_t length = comma ? (size_t)(comma - text) : 0, size = sizeof c->selectors[0];
  if (!length || !comma[1] || strchr(comma + 1, ',') || strlen(text) >= size)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--devices %s: name two devices, as in --devices 0:0,0:1; the same one twice "
                    "is possible; gradflow devices lists them",
                    text ? text : "is missing");
  snprintf(c->selectors[0], size, "%.*s", (int)length, text);
  snprintf(c->selectors[1], size, "%s", comma + 1);
  return GF_OK;
}

static gf_status read_options(comparison *c, const divergence_options *o) {
  GF_TRY(read_selectors(c, o->devices));
  c->options.steps = o->steps;
  c->options.tolerance = o->tolerance;
  c->options.resync = o->resync;
  return GF_OK;
}

/* ---- for people ---- */

static void add_difference(gf__table *table, double difference) {
  if (isnan(difference))
    gf__table_add(table, "%s", "");
  else if (difference == 0)
    gf__table_add(table, "0");
  else
    gf__table_add(table, "%.1e", difference);
}

static void add_differences(gf__table *table, const double *differences) {
  for (int i = 0; i < GF_DIVERGENCE_PHASES; i++) add_difference(table, differences[i]);
}

static gf_status print_table(gf__table *table) {
  gf__text text = {0};
  gf_status status = gf__table_text(table, WIDTH, &text);
  gf__table_free(table);
  if (status == GF_OK) printf("\n%s", text.data);
  gf__text_free(&text);
  return status;
}

#define PHASE_COLUMNS \
  {"forward", true}, {"backward", true}, {"gradient", true}, { "weight", true }

/* The cell of a step that was not finished is empty. */
static void add_loss(gf__table *table, double loss) {
  if (isnan(loss))
    gf__table_add(table, "%s", "");
  else
    gf__table_add(table, "%.7g", loss);
}

static gf_status print_steps(const gf_divergence *result) {
  static const gf__table_column columns[] = {
      {"step", true}, {"loss of A", true}, {"loss of B", true}, PHASE_COLUMNS};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  for (int i = 0; i < result->step_count; i++) {
    const gf_divergence_step *step = &result->steps[i];
    gf__table_add(&table, "%d", i + 1);
    for (int k = 0; k < 2; k++) add_loss(&table, step->losses[k]);
    add_differences(&table, step->differences);
  }
  return print_table(&table);
}

static gf_status print_layers(const gf_divergence *result) {
  static const gf__table_column columns[] = {{"layer", false}, PHASE_COLUMNS};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  for (int i = 0; i < result->layer_count; i++) {
    gf__table_add(&table, "%s", result->layers[i].name);
    add_differences(&table, result->layers[i].differences);
  }
  return print_table(&table);
}

static void print_numbers(const int *numbers, int count) {
  for (int i = 0; i < count; i++) printf("%s%d", i ? ", " : "[", numbers[i]);
  printf("]");
}

static void print_place(const gf_divergence_place *place) {
  printf("  place       step %d, %s of %s\n", place->step, gf_divergence_phase_name(place->phase),
         place->layer);
  printf("  %-10s  ", place->phase < GF_DIVERGENCE_GRADIENT ? "tensor" : "parameter");
  printf("%s\n  most at     ", place->tensor);
  print_numbers(place->index, place->dims);
  printf(" of ");
  print_numbers(place->shape, place->dims);
  printf("\n  A           %.9g\n  B           %.9g\n", place->a, place->b);
  printf("  difference  %.1e of the whole tensor\n", place->difference);
}

static gf_status print_text(const comparison *c) {
  const gf_divergence *result = &c->result;
  for (int i = 0; i < 2; i++) {
    const gf_device_info *info = gf_device_describe(c->devices[i]);
    printf("%c  %d:%d  %s, %s %s\n", 'A' + i, info->platform, info->index, info->name,
           info->platform_name, info->driver);
  }
  GF_TRY(print_layers(result));
  GF_TRY(print_steps(result));
  if (result->diverged) {
    printf("\nbeyond the tolerance of %g:\n", c->options.tolerance);
    print_place(&result->first);
    return GF_OK;
  }
  if (result->worst.difference == 0) {
    printf("\nagreed to the last bit for %d step%s\n", result->step_count,
           result->step_count == 1 ? "" : "s");
    return GF_OK;
  }
  printf("\nagreed within %g for %d step%s; the largest difference:\n", c->options.tolerance,
         result->step_count, result->step_count == 1 ? "" : "s");
  print_place(&result->worst);
  return GF_OK;
}

/* ---- for programs ---- */

static json_t *pack_differences(const double *differences) {
  json_t *object = json_object();
  for (int i = 0; i < GF_DIVERGENCE_PHASES; i++)
    if (json_object_set_new(object, gf_divergence_phase_name((gf_divergence_phase)i),
                            gf__json_number(differences[i])) != 0)
      return json_decref(object), NULL;
  return object;
}

static json_t *pack_numbers(const int *numbers, int count) {
  json_t *list = json_array();
  for (int i = 0; i < count; i++)
    if (json_array_append_new(list, json_integer(numbers[i])) != 0) return json_decref(list), NULL;
  return list;
}

static json_t *pack_place(const gf_divergence_place *p) {
  return json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "step", p->step, "phase",
                   gf_divergence_phase_name(p->phase), "layer", p->layer, "tensor", p->tensor,
                   "index", pack_numbers(p->index, p->dims), "shape",
                   pack_numbers(p->shape, p->dims), "a", gf__json_number(p->a), "b",
                   gf__json_number(p->b), "difference", gf__json_number(p->difference));
}

static json_t *pack_device(const gf_device *device) {
  const gf_device_info *info = gf_device_describe(device);
  return json_pack("{s:i, s:i, s:s, s:s, s:s, s:s}", "platform", info->platform, "index",
                   info->index, "name", info->name, "platform_name", info->platform_name, "driver",
                   info->driver, "version", info->version);
}

static json_t *pack_steps(const gf_divergence *result) {
  json_t *list = json_array();
  for (int i = 0; i < result->step_count; i++) {
    const gf_divergence_step *step = &result->steps[i];
    json_t *item = json_pack("{s:i, s:[o, o], s:o}", "step", i + 1, "losses",
                             gf__json_number(step->losses[0]), gf__json_number(step->losses[1]),
                             "differences", pack_differences(step->differences));
    if (json_array_append_new(list, item) != 0) return json_decref(list), NULL;
  }
  return list;
}

static json_t *pack_layers(const gf_divergence *result) {
  json_t *list = json_array();
  for (int i = 0; i < result->layer_count; i++) {
    const gf_divergence_layer *layer = &result->layers[i];
    json_t *item = json_pack("{s:s, s:o}", "name", layer->name, "differences",
                             pack_differences(layer->differences));
    if (json_array_append_new(list, item) != 0) return json_decref(list), NULL;
  }
  return list;
}

static json_t *pack_comparison(const comparison *c) {
  const gf_divergence *result = &c->result;
  return json_pack("{s:s, s:[o, o], s:f, s:b, s:b, s:o?, s:o, s:o, s:o}", "config", c->config,
                   "devices", pack_device(c->devices[0]), pack_device(c->devices[1]), "tolerance",
                   c->options.tolerance, "resync", c->options.resync, "agreed", !result->diverged,
                   "first", result->diverged ? pack_place(&result->first) : NULL, "worst",
                   pack_place(&result->worst), "steps", pack_steps(result), "layers",
                   pack_layers(result));
}

/* ---- the command ---- */

static void on_progress(void *user, int step, const gf_divergence *so_far) {
  comparison *c = user;
  char line[160];
  snprintf(line, sizeof line, "step %d of %d, largest difference %.1e", step, c->options.steps,
           so_far->worst.difference);
  gf__bar_say(&c->bar, line);
}

static gf_status run_config(comparison *c, const divergence_options *o) {
  gf_config *config = NULL;
  gf_status status = gf__cli_load_config(&config, &o->sets, c->config);
  for (int i = 0; i < 2 && status == GF_OK; i++)
    status = gf_device_open(&c->devices[i], c->selectors[i]);
  if (status == GF_OK) gf__bar_say(&c->bar, "compiling kernels");
  if (status == GF_OK)
    status = gf_divergence_run(&c->result, c->devices[0], c->devices[1], config, &c->options);
  gf__bar_clear(&c->bar);
  gf_config_free(&config);
  return status;
}

static int run_divergence(const gf__cli *cli) {
  const divergence_options *o = cli->options;
  comparison c = {.config = cli->arguments[0],
                  .options = {.progress = on_progress},
                  .bar = {.file = stderr, .enabled = gf__cli_can_draw(stderr)}};
  c.options.user = &c;
  gf_status status = read_options(&c, o);
  if (status == GF_OK) status = run_config(&c, o);
  if (status == GF_OK) status = o->json ? gf__cli_print_json(pack_comparison(&c)) : print_text(&c);
  int code = c.result.diverged;
  gf_divergence_free(&c.result);
  for (int i = 0; i < 2; i++) gf_device_free(&c.devices[i]);
  return status == GF_OK ? code : gf__cli_fail(status);
}

const gf__command gf__cmd_divergence = {
    .name = "divergence",
    .arguments = "CONFIG --devices A,B [OPTION]...",
    .help = "train on two devices in lockstep and see where they part",
    .text =
        "Both devices begin with the same weights and take the same batches. In each\n"
        "step, what every layer stores, the gradients that it hands back, the gradients\n"
        "of the parameters and the new weights are compared. Exits with 1, and names the\n"
        "first step, layer and element, where a difference is beyond the tolerance; else\n"
        "says how far the devices agreed.\n"
        "\n"
        "The difference of two tensors is |a - b| / |a|, in the norm L2. Devices that\n"
        "compute right differ by rounding: some 1e-6 forward, and 1e-3 to 1e-2 backward\n"
        "where elements fall on the other side of an activation's kink. It grows from\n"
        "step to step, as an optimizer like Adam turns a tiny gradient's sign into a\n"
        "whole step; --resync shows single steps without that. Each device takes the\n"
        "convolutions that suit it; --set model.algorithm=im2col has both take the same.\n",
    .examples =
        "  gradflow divergence configs/plain37.yaml --devices 0:0,1:0\n"
        "  gradflow divergence configs/residual37.yaml --devices gpu,cpu --steps 100\n"
        "  gradflow divergence configs/plain7.yaml --devices 0:0,0:0 --tolerance 0\n",
    .least = 1,
    .most = 1,
    .missing = "a config",
    .options = option_rows,
    .options_size = sizeof(divergence_options),
    .run = run_divergence,
};
