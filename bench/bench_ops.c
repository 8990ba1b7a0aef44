/* Every layer, and every algorithm of convolutions, over the tests' case lists:
 * median times of forward and backward, and their shares of the device's peaks. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/case.h"
#include "bench/limits.h"
#include "bench_json.h"
#include "ops/conv/conv.h"
#include "verify/cases.h"

static const gf__bench_effort effort = {.least = 15, .most = 15};

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
  double peak_flops, peak_bytes; /* a second */
  json_t *results;
} bench;

/* A case's words as a layer's keys: ", kernel: [3, 2]" of "kernel=3,2". */
static void add_keys(gf__text *text, const gf__layer *layer, const gf__cases *list) {
  for (int i = 0; list->words[i]; i++)
    for (size_t k = 0; k < layer->key_count; k++)
      if (!strcmp(list->words[i], layer->keys[k].name))
        gf__text_add(text, strchr(list->values[i], ',') ? ", %s: [%s]" : ", %s: %s", list->words[i],
                     list->values[i]);
}

/* A network of the case's layer alone. */
static gf_status open_case(const bench *b, const gf__layer *layer, gf__cases *list, const char *by,
                           gf_model **model) {
  gf__text keys = {0};
  int channels = gf__cases_int(list, "c", 1);
  if (gf__cases_has(list, "inputs")) channels = gf__cases_int(list, "inputs", 1);
  if (gf__cases_has(list, "classes")) channels = gf__cases_int(list, "classes", 1);
  add_keys(&keys, layer, list);
  gf__bench_case of = {layer,
                       keys.data ? keys.data : "",
                       {gf__cases_int(list, "h", 1), gf__cases_int(list, "w", 1), channels}};
  gf_status status = gf__text_status(&keys);
  if (status == GF_OK)
    status = gf__bench_case_open(model, b->device, &of,
                                 batch > 0 ? batch : gf__cases_int(list, "n", 1), by, "off");
  gf__text_free(&keys);
  return status;
}

typedef struct layer_pass {
  gf_model *model;
  const gf__bench_pass *pass;
} layer_pass;

static gf_status run_pass(void *user) {
  const layer_pass *p = user;
  return p->pass->run(p->model->graph.nodes[0], &p->model->pass);
}

static gf_status measure(bench *b, gf_model *model, const char *name, int p) {
  gf__bench_timing timing;
  const gf__layer *layer = model->graph.nodes[0]->layer;
  double flops = gf__bench_flops(model, p), bytes = gf__bench_bytes(model, p);
  GF_TRY(gf__bench_time(b->device, run_pass, &(layer_pass){model, &gf__bench_passes(layer)[p]},
                        &effort, &timing));
  json_t *row = bench_add(b->results, name, &timing, model->pass.n);
  double rate = bytes / timing.seconds;
  json_object_set_new(row, "bytes_per_second", json_real(rate));
  json_object_set_new(row, "share_of_bandwidth", json_real(rate / b->peak_bytes));
  if (flops > 0) {
    json_object_set_new(row, "flops_per_second", json_real(flops / timing.seconds));
    json_object_set_new(row, "share_of_fma", json_real(flops / timing.seconds / b->peak_flops));
  }
  fprintf(stderr, "%9.3f ms %7.1f GFLOP/s %5.1f%% %6.1f GB/s %5.1f%%  %s\n", 1e3 * timing.seconds,
          1e-9 * flops / timing.seconds, 100 * flops / timing.seconds / b->peak_flops, 1e-9 * rate,
          100 * rate / b->peak_bytes, name);
  return GF_OK;
}

/* by: an algorithm of a convolution, whose passes that take another one are left out; or "auto". */
static gf_status run_case(bench *b, const gf__layer *layer, gf__cases *list, const char *by) {
  gf_model *model = NULL;
  bool is_convolution = gf__layer_has(layer, GF__LAYER_IS_CONVOLUTION);
  char name[GF__CASES_LINE + 128];
  gf_status status = open_case(b, layer, list, by, &model);
  const gf__bench_pass *passes = gf__bench_passes(layer);
  for (int p = 0; passes[p].name && status == GF_OK; p++) {
    const gf__conv *convolution = model->graph.nodes[0]->state;
    if (is_convolution && strcmp(convolution->algorithm[p]->name, by) != 0) continue;
    snprintf(name, sizeof name, "%s/%s%s%s/%s", layer->name, is_convolution ? by : "",
             is_convolution ? "/" : "", passes[p].name, list->text);
    status = measure(b, model, name, p);
  }
  gf_model_free(&model);
  return status;
}

static gf_status run_layer(bench *b, const gf__layer *layer) {
  gf__cases list = {0};
  gf_status status = GF_OK;
  gf__cases_open(&list, layer->name);
  while (status == GF_OK && gf__cases_next(&list)) {
    if (gf__cases_has(&list, "d"))
      continue; /* a volume, which a layer before it would have to make */
    if (!gf__layer_has(layer, GF__LAYER_IS_CONVOLUTION))
      status = run_case(b, layer, &list, "auto");
    else
      for (int i = 0; status == GF_OK && gf__conv_algorithms[i]; i++)
        if (!algorithm || !strcmp(algorithm, gf__conv_algorithms[i]->name))
          status = run_case(b, layer, &list, gf__conv_algorithms[i]->name);
  }
  if (status == GF_OK && list.error[0]) status = gf__fail(GF_ERROR_DATA, "%s", list.error);
  return status;
}

static gf_status run(bench *b) {
  GF_TRY(gf_device_open(&b->device, selector));
  GF_TRY(gf__bench_peaks(b->device, &b->peak_flops, &b->peak_bytes));
  b->results = bench_open("bench_ops", gf_device_describe(b->device));
  json_t *context = json_object_get(b->results, "context");
  json_object_set_new(context, "peak_flops_per_second", json_real(b->peak_flops));
  json_object_set_new(context, "peak_bytes_per_second", json_real(b->peak_bytes));
  fprintf(stderr, "peaks: %.1f GFLOP/s, %.1f GB/s\n", 1e-9 * b->peak_flops, 1e-9 * b->peak_bytes);
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
