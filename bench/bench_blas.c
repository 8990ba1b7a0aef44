/* im2col with CLBlast's matrix product on a CPU, by our parameters or by CLBlast's
 * defaults: the forward pass of 32 -> 32 filters on 32 x 32 images. One of them
 * a process: CLBlast keeps programs that it has compiled. */
#include <stdio.h>
#include <string.h>

#include "bench_json.h"
#include "ops/conv/conv.h"

enum { BATCH = 100 };
static const gf__bench_effort effort = {.least = 9, .most = 9};

static gf_status new_operands(gf_device *device, const gf__conv *c, gf__conv_operands *run,
                              gf_buffer **x, gf_buffer **w) {
  const gf__conv_shape *s = &c->shape;
  size_t x_bytes = BATCH * gf__conv_inputs(s) * sizeof(float);
  size_t y_bytes = BATCH * gf__conv_outputs(s) * sizeof(float);
  GF_TRY(gf__buffer_new(x, device, x_bytes, "images"));
  GF_TRY(gf__buffer_new(w, device, gf__conv_weights(s) * sizeof(float), "weights"));
  GF_TRY(gf__buffer_new(&run->out, device, y_bytes, "results"));
  GF_TRY(
      gf__buffer_new(&run->workspace, device, gf__conv_workspace(c, device, BATCH), "workspace"));
  GF_TRY(gf__buffer_zero(*x));
  GF_TRY(gf__buffer_zero(*w));
  run->n = BATCH;
  run->x = *x;
  run->w = *w;
  return GF_OK;
}

typedef struct product {
  gf_device *device;
  const gf__conv *c;
  const gf__conv_operands *run;
} product;

static gf_status run_product(void *user) {
  const product *p = user;
  return gf__conv_run(p->c, p->device, GF__CONV_FORWARD, p->run);
}

static gf_status measure(gf_device *device, const char *name, json_t *results, double *median) {
  gf__conv c = {.shape = {.window = {.size = {1, 32, 32},
                                     .kernel = {1, 3, 3},
                                     .stride = {1, 1, 1},
                                     .padding = {0, 1, 1},
                                     .dilation = {1, 1, 1}},
                          .c = 32,
                          .filters = 32}};
  gf__conv_operands run = {0};
  gf_buffer *x = NULL, *w = NULL;
  gf__bench_timing timing;
  GF_TRY(gf__window_infer(&c.shape.window));
  gf__conv_choose(&c, device, "im2col");
  gf_status status = new_operands(device, &c, &run, &x, &w);
  if (status == GF_OK)
    status = gf__bench_time(device, run_product, &(product){device, &c, &run}, &effort, &timing);
  if (status == GF_OK) {
    bench_add(results, name, &timing, BATCH);
    *median = timing.seconds;
  }
  gf__buffer_free(&x);
  gf__buffer_free(&w);
  gf__buffer_free(&run.out);
  gf__buffer_free(&run.workspace);
  return status;
}

int main(int argc, char **argv) {
  bool defaults = argc > 1 && !strcmp(argv[1], "defaults");
  if (argc < 2 || argc > 3 || !(defaults || !strcmp(argv[1], "tuned"))) {
    fprintf(stderr, "usage: bench_blas tuned|defaults [FILE.json]\n");
    return 2;
  }
  gf_device *device = NULL;
  json_t *results = NULL;
  double median = 0;
  gf_status status = gf_device_open(&device, NULL);
  if (status == GF_OK) {
    results = bench_open("bench_blas", gf_device_describe(device));
    if (defaults) gf__gemm_keep_defaults(device);
    status = measure(device, defaults ? "im2col/forward/defaults" : "im2col/forward/tuned", results,
                     &median);
  }
  gf_device_free(&device);
  if (status == GF_OK) {
    fprintf(stderr, "%-8s %7.1f ms\n", argv[1], 1e3 * median);
    return bench_close(results, argc == 3 ? argv[2] : NULL);
  }
  fprintf(stderr, "bench_blas: %s\n", gf_error_message());
  json_decref(results);
  return 1;
}
