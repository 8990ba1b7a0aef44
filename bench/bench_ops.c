/* Every layer, and every algorithm of convolutions, over the tests' case lists:
 * median times of forward and backward, and their shares of the device's peaks. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "bench_json.h"
#include "cases.h"
#include "model/model.h"
#include "ops/conv2d/conv2d.h"
#include "peaks.h"

enum { REPEATS = 15, WARM_UP = 2 };

static char *only = NULL, *algorithm = NULL, *selector = NULL, *out = NULL;
static int batch = 0;

static const struct poptOption options[] = {
    {"layer", 'l', POPT_ARG_STRING, &only, 0, "this layer only", "NAME"},
    {"algorithm", 'a', POPT_ARG_STRING, &algorithm, 0, "this algorithm of conv2d only", "NAME"},
    {"batch", 'b', POPT_ARG_INT, &batch, 0, "images, instead of the case's n", "N"},
    {"device", 'd', POPT_ARG_STRING, &selector, 0, "as of gradflow train", "D"},
    {"out", 'o', POPT_ARG_STRING, &out, 0, "JSON file; standard output if absent", "FILE"},
    POPT_AUTOHELP POPT_TABLEEND};

typedef struct bench {
  gf_device *device;
  peaks peaks;
  json_t *results;
} bench;

/* A case's words as a layer's keys: ", kernel: [3, 2]" of "kernel=3,2". */
static void add_keys(gf__text *text, const gf__layer *layer, const cases *list) {
  for (int i = 0; list->words[i]; i++)
    for (size_t k = 0; k < layer->key_count; k++)
      if (!strcmp(list->words[i], layer->keys[k].name))
        gf__text_add(text, strchr(list->values[i], ',') ? ", %s: [%s]" : ", %s: %s", list->words[i],
                     list->values[i]);
}

/* A network of the case's layer alone; *n is the batch. */
static gf_status open_case(const bench *b, const gf__layer *layer, cases *list, const char *by,
                           gf_model **model, int *n) {
  gf__text text = {0};
  gf_config *config = NULL;
  int channels = cases_int(list, "c", 1);
  if (cases_has(list, "inputs")) channels = cases_int(list, "inputs", 1);
  if (cases_has(list, "classes")) channels = cases_int(list, "classes", 1);
  gf_image_shape image = {cases_int(list, "h", 1), cases_int(list, "w", 1), channels};
  *n = batch > 0 ? batch : cases_int(list, "n", 1);
  gf__text_add(&text, "model:\n  algorithm: %s\n  graph:\n  - {type: %s", by, layer->name);
  if (layer->least_inputs == 2) gf__text_add(&text, ", input: [input, input]");
  add_keys(&text, layer, list);
  gf__text_add(&text, "}\n");
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf_config_parse(&config, "a case", text.data);
  if (status == GF_OK)
    status = gf__model_open(model, b->device, config, image, 1, *n, 0,
                            &(gf__model_options){.no_loss = true, .input_gradient = true});
  gf_config_free(&config);
  gf__text_free(&text);
  return status;
}

typedef gf_status pass_function(gf__node *node, const gf__pass *pass);

static gf_status measure(bench *b, gf_model *model, const char *name, pass_function *function,
                         double flops) {
  gf__node *node = model->graph.nodes[0];
  double times[REPEATS];
  double bytes = sizeof(float) * (double)model->pass.n *
                 (double)(gf__tensor_size(node->in[0]) + gf__tensor_size(&node->out));
  for (int i = -WARM_UP; i < REPEATS; i++) {
    double begun = gf__seconds();
    GF_TRY(function(node, &model->pass));
    GF_TRY(gf_device_finish(b->device));
    if (i >= 0) times[i] = gf__seconds() - begun;
  }
  json_t *row = bench_add(b->results, name, times, REPEATS, model->pass.n);
  double median = times[REPEATS / 2];
  json_object_set_new(row, "bytes_per_second", json_real(bytes / median));
  json_object_set_new(row, "share_of_bandwidth", json_real(bytes / median / b->peaks.bytes));
  if (flops > 0) {
    json_object_set_new(row, "flops_per_second", json_real(flops / median));
    json_object_set_new(row, "share_of_fma", json_real(flops / median / b->peaks.flops));
  }
  fprintf(stderr, "%9.3f ms %7.1f GFLOP/s %5.1f%% %6.1f GB/s %5.1f%%  %s\n", 1e3 * median,
          1e-9 * flops / median, 100 * flops / median / b->peaks.flops, 1e-9 * bytes / median,
          100 * bytes / median / b->peaks.bytes, name);
  return GF_OK;
}

/* The two halves of a convolution's backward. */
static gf_status backward_data(gf__node *node, const gf__pass *pass) {
  gf__conv2d_run run = {.n = pass->n,
                        .w = node->parameters[0].data,
                        .dy = node->out.grad,
                        .out = node->sinks[0].grad,
                        .workspace = pass->workspace};
  return gf__conv2d_run_pass(node->state, pass->device, GF__CONV2D_BACKWARD_DATA, &run);
}

static gf_status backward_weight(gf__node *node, const gf__pass *pass) {
  gf__conv2d_run run = {.n = pass->n,
                        .x = node->in[0]->data,
                        .dy = node->out.grad,
                        .out = node->parameters[0].grad,
                        .workspace = pass->workspace};
  return gf__conv2d_run_pass(node->state, pass->device, GF__CONV2D_BACKWARD_WEIGHT, &run);
}

/* By one algorithm, where it takes the shape. */
static gf_status run_convolution(bench *b, cases *list, const char *name_of) {
  static const struct {
    const char *name;
    pass_function *run;
  } passes[GF__CONV2D_PASSES] = {
      {"forward", NULL}, {"backward_data", backward_data}, {"backward_weight", backward_weight}};
  gf_model *model = NULL;
  int n;
  char name[CASES_LINE + 128];
  gf_status status = open_case(b, &gf__layer_conv2d, list, name_of, &model, &n);
  for (int p = 0; p < GF__CONV2D_PASSES && status == GF_OK; p++) {
    gf__node *node = model->graph.nodes[0];
    const gf__conv2d *convolution = node->state;
    if (strcmp(convolution->algorithm[p]->name, name_of)) continue;
    model->pass.n = n;
    snprintf(name, sizeof name, "conv2d/%s/%s/%s", name_of, passes[p].name, list->text);
    status = measure(b, model, name, passes[p].run ? passes[p].run : node->layer->forward,
                     n * node->layer->flops(node));
  }
  gf_model_free(&model);
  return status;
}

static gf_status run_case(bench *b, const gf__layer *layer, cases *list) {
  gf_model *model = NULL;
  int n;
  char name[CASES_LINE + 128];
  gf_status status = open_case(b, layer, list, "auto", &model, &n);
  if (status == GF_OK) status = gf__buffer_zero(model->labels);
  for (int backward = 0; backward < 2 && status == GF_OK; backward++) {
    gf__node *node = model->graph.nodes[0];
    double flops = layer->flops ? n * layer->flops(node) : 0;
    model->pass.n = n;
    model->pass.training = true;
    snprintf(name, sizeof name, "%s/%s/%s", layer->name, backward ? "backward" : "forward",
             list->text);
    status = measure(b, model, name, backward ? layer->backward : layer->forward,
                     (1 + backward) * flops);
  }
  gf_model_free(&model);
  return status;
}

static gf_status run_layer(bench *b, const gf__layer *layer) {
  cases list = {0};
  gf_status status = GF_OK;
  cases_open(&list, SOURCE_FOLDER "/tests/cases", layer->name);
  while (status == GF_OK && cases_next(&list)) {
    if (layer != &gf__layer_conv2d)
      status = run_case(b, layer, &list);
    else
      for (int i = 0; status == GF_OK && gf__conv2d_algorithms[i]; i++)
        if (!algorithm || !strcmp(algorithm, gf__conv2d_algorithms[i]->name))
          status = run_convolution(b, &list, gf__conv2d_algorithms[i]->name);
  }
  cases_close(&list);
  if (status == GF_OK && list.error[0]) status = gf__fail(GF_ERROR_DATA, "%s", list.error);
  return status;
}

static gf_status run(bench *b) {
  GF_TRY(gf_device_open(&b->device, selector));
  GF_TRY(peaks_measure(b->device, &b->peaks));
  b->results = bench_open("bench_ops", gf_device_describe(b->device));
  json_t *context = json_object_get(b->results, "context");
  json_object_set_new(context, "peak_flops_per_second", json_real(b->peaks.flops));
  json_object_set_new(context, "peak_bytes_per_second", json_real(b->peaks.bytes));
  fprintf(stderr, "peaks: %.1f GFLOP/s, %.1f GB/s\n", 1e-9 * b->peaks.flops, 1e-9 * b->peaks.bytes);
  for (const gf__layer *const *layer = gf__layers; *layer; layer++)
    if (!only || !strcmp(only, (*layer)->name)) GF_TRY(run_layer(b, *layer));
  return GF_OK;
}

int main(int argc, const char **argv) {
  poptContext context = poptGetContext("bench_ops", argc, argv, options, 0);
  int code = poptGetNextOpt(context);
  if (code < -1) {
    fprintf(stderr, "bench_ops: %s: %s\n", poptBadOption(context, 0), poptStrerror(code));
    return 2;
  }
  bench b = {0};
  gf_status status = run(&b);
  poptFreeContext(context);
  gf_device_free(&b.device);
  if (status == GF_OK) return bench_close(b.results, out);
  fprintf(stderr, "bench_ops: %s\n", gf_error_message());
  json_decref(b.results);
  return 1;
}
