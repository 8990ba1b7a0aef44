/* What gradflow bench measures, on the device. How long it takes is not tested. */
#define _XOPEN_SOURCE 700 /* mkdtemp, popen */

#include <math.h>
#include <stdbool.h>
#include <sys/wait.h>

#include <gradflow/bench.h>

#include "base/text.h"
#include "bench/bench.h"
#include "bench/case.h"
#include "bench/limits.h"
#include "bench/step.h"
#include "support/device.h"
#include "support/test.h"
#include "verify/layer_cases.h"

/* ---- counting ---- */

/* A layer of a shape that has no two equal numbers, and what its passes cost: n = 3 images of
 * 4 x 6 x 5 floats, of which a convolution makes 4 x 6 x 7 and pooling 2 x 3 x 5. */
static const struct {
  gf__bench_case of;
  struct {
    double flops, floats;
  } directions[3];
} costs[] = {
    /* 2 x 3 x 24 pixels x 7 filters x 9 x 5 weights; x, y and the weights are moved once. */
    {{&gf__layer_conv2d, ", filters: 7, padding: 1, bias: false", {4, 6, 5}},
     {{2.0 * 3 * 24 * 7 * 45, 3 * 24 * 5 + 3 * 24 * 7 + 7 * 45},
      {2.0 * 3 * 24 * 7 * 45, 3 * 24 * 5 + 3 * 24 * 7 + 7 * 45},
      {2.0 * 3 * 24 * 7 * 45, 3 * 24 * 5 + 3 * 24 * 7 + 7 * 45}}},
    /* Backward: both gradients, and the output that was stored. */
    {{&gf__layer_leaky_relu, "", {4, 6, 5}}, {{0, 2 * 3 * 24 * 5}, {0, 3 * 3 * 24 * 5}}},
    /* Of the input, and four numbers a channel. */
    {{&gf__layer_batch_norm, "", {4, 6, 5}}, {{0, 2 * 3 * 24 * 5 + 20}, {0, 3 * 3 * 24 * 5 + 20}}},
    {{&gf__layer_avg_pool, ", kernel: 2", {4, 6, 5}},
     {{0, 3 * 24 * 5 + 3 * 6 * 5}, {0, 3 * 24 * 5 + 3 * 6 * 5}}},
};

static void directions_cost_what_their_shape_says(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
    gf_model *model = NULL;
    const gf__layer *layer = costs[i].of.layer;
    assert_ok(gf__bench_case_open(&model, fixture_device, &costs[i].of, 3, "auto", "off"));
    for (int p = 0; gf__bench_directions(layer)[p].name; p++) {
      double flops = gf__bench_flops(model, p), bytes = gf__bench_bytes(model, p);
      if (!(flops == costs[i].directions[p].flops && bytes == 4 * costs[i].directions[p].floats))
        fail_msg("%s %s: %g flops and %g bytes", layer->name, gf__bench_directions(layer)[p].name,
                 flops, bytes);
      assert_ok(gf__bench_directions(layer)[p].queue(model->graph.nodes[0], &model->pass));
    }
    assert_ok(gf_device_finish(fixture_device));
    gf_model_free(&model);
  }
}

/* A convolution and a linear layer, 2 images: the gradient of the images is not wanted. */
static void a_step_costs_what_its_layers_do(void **state) {
  (void)state;
  gf__bench_step step;
  gf_config *config = parse_config(
      "model:\n  graph:\n  - {type: conv2d, filters: 4, padding: 1, bias: false}\n"
      "  - {type: global_avg_pool}\n  - {type: linear, outputs: 100, bias: false}\n"
      "optimizer: {name: adam}\n");
  assert_ok(
      gf__bench_step_open(&step, fixture_device, config, (gf_image_shape){32, 32, 3}, 100, 2));
  gf_config_free(&config);
  double convolution = 2.0 * 1024 * 4 * 27, linear = 2.0 * 4 * 100;
  assert_true(gf__bench_step_flops(&step) == 2 * (2 * convolution + 3 * linear));
  assert_true(gf__bench_step_upload(&step) == 2 * (3072 * 4 + 4));
  /* Forward: each layer reads and writes. Backward: each reads its output's gradient, writes its
   * input's but for the images', and all but the pooling read their input. The loss gives a float
   * an image. The weights lie at multiples of the device's alignment. */
  double x = 3072, y = 4096, pooled = 4, logits = 100;
  double forward = (x + y) + (y + pooled) + (pooled + logits) + (logits + 1);
  double backward = (y + x) + (pooled + y) + (logits + pooled + pooled) + (1 + logits + logits);
  double weights = 10.0 * (double)step.model->flat_floats;
  assert_true(gf__bench_step_bytes(&step) == 4 * (2 * (forward + backward) + weights));
  assert_ok(gf__bench_step_run(&step));
  gf__bench_step_free(&step);
}

/* ---- timing ---- */

typedef struct calls {
  int count;
  gf_buffer *buffer;
} calls;

static gf_status call(void *user) {
  ((calls *)user)->count++;
  return GF_OK;
}

static void samples_are_as_many_as_wanted(void **state) {
  (void)state;
  calls made = {0};
  gf__bench_timing timing;
  /* The first, one that is counted, and the samples. */
  assert_ok(gf__bench_time(fixture_device, call, &made, &(gf__bench_effort){.least = 4, .most = 4},
                           &timing));
  assert_int_equal(made.count, 6);
  assert_int_equal(timing.samples, 4);
  assert_int_equal(timing.repeats, 1);
  assert_true(timing.launches == 0 && timing.first > 0);
  assert_true(timing.fastest <= timing.low && timing.low <= timing.seconds &&
              timing.seconds <= timing.high);
  /* What takes nothing is repeated, up to a limit. */
  made.count = 0;
  assert_ok(gf__bench_time(fixture_device, call, &made,
                           &(gf__bench_effort){.least = 2, .most = 2, .sample_seconds = 10},
                           &timing));
  assert_int_equal(timing.repeats, 2000);
  assert_int_equal(made.count, 2 + 2 * 2000);
}

static gf_status refuse(void *user) {
  return ++((calls *)user)->count == 3 ? gf__fail(GF_ERROR_DEVICE, "enough") : GF_OK;
}

static void a_failure_ends_the_measurement(void **state) {
  (void)state;
  calls made = {0};
  gf__bench_timing timing;
  assert_fails(GF_ERROR_DEVICE, "enough",
               gf__bench_time(fixture_device, refuse, &made,
                              &(gf__bench_effort){.least = 4, .most = 4}, &timing));
  assert_int_equal(made.count, 3);
}

/* ---- compiling ---- */

/* What two kernels of one program cost an open device. */
static gf__builds builds_of(bool fresh) {
  gf_device *device = NULL;
  gf__kernel *kernel;
  assert_ok(gf_device_open(&device, NULL));
  gf__builds opened = *gf__device_builds(device); /* what checks the driver */
  if (fresh) gf__device_build_afresh(device);
  assert_ok(gf__kernel_get(&kernel, device, "peak.cl", "peak_copy", "-DVEC=2"));
  assert_ok(gf__kernel_get(&kernel, device, "peak.cl", "peak_fma", "-DVEC=2"));
  gf__builds builds = *gf__device_builds(device);
  builds.compiled -= opened.compiled;
  builds.loaded -= opened.loaded;
  builds.compile_seconds -= opened.compile_seconds;
  builds.load_seconds -= opened.load_seconds;
  gf_device_free(&device);
  return builds;
}

/* In a cache folder of its own. */
static void programs_are_counted_and_compiled_afresh(void **state) {
  (void)state;
  assert_int_equal(setenv("GRADFLOW_CACHE_DIR", in_folder("cache"), 1), 0);
  gf__builds first = builds_of(false), second = builds_of(false), fresh = builds_of(true),
             again = builds_of(true);
  assert_int_equal(first.compiled, 1);
  assert_int_equal(first.loaded, 0);
  assert_true(first.compile_seconds > 0 && first.load_seconds == 0);
  assert_int_equal(second.compiled, 0);
  assert_int_equal(second.loaded, 1);
  assert_true(second.load_seconds > 0);
  assert_int_equal(fresh.compiled, 1);
  assert_int_equal(again.compiled, 1);
  gf__names kept;
  assert_ok(gf__list_folder(in_folder("cache"), &kept));
  size_t programs = 0; /* beside them is what the device's probe found */
  for (size_t i = 0; i < kept.count; i++) programs += strstr(kept.v[i], ".bin") != NULL;
  assert_int_equal(programs, 1);
  gf__names_free(&kept);
  assert_int_equal(unsetenv("GRADFLOW_CACHE_DIR"), 0);
}

/* ---- all of it ---- */

static void limits_are_numbers(void **state) {
  (void)state;
  gf_bench_limits l;
  assert_ok(gf__bench_measure_limits(fixture_device, &l));
  const double all[] = {l.flops,  l.bytes,   l.launch_seconds, l.round_trip_seconds,
                        l.upload, l.download};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!(all[i] > 0 && isfinite(all[i]))) fail_msg("limit %zu is %g", i, all[i]);
}

/* Every row, on a batch of 2 and one sample each. */
static void every_operation_and_step_has_a_row(void **state) {
  (void)state;
  static const char *const expected[] = {"conv2d forward 32x32x3",
                                         "conv2d backward_data 4x4x32",
                                         "conv2d backward_weight 16x16x32",
                                         "batch_norm backward 32x32x32",
                                         "leaky_relu forward 32x32x32",
                                         "avg_pool forward 32x32x32",
                                         "max_pool backward 32x32x32",
                                         "global_avg_pool backward 4x4x32",
                                         "softmax_cross_entropy forward",
                                         "adam step",
                                         "gradient statistics",
                                         "plain7",
                                         "plain37",
                                         "residual37"};
  gf_bench_options options = {.form = GF_BENCH_QUICK};
  gf_bench_device out = {.limits = {1e11, 1e10, 1e-6, 1e-5, 1e9, 1e9}};
  gf__measurement m = {.options = &options,
                       .device = fixture_device,
                       .out = &out,
                       .batch = 2,
                       .tune = "off",
                       .effort = {.least = 1, .most = 1}};
  assert_ok(gf__bench_operations(&m));
  assert_int_equal(out.row_count, gf__bench_count_operations());
  assert_ok(gf__bench_steps(&m));
  assert_int_equal(out.row_count, gf__bench_count_operations() + gf__bench_count_steps(&m));
  assert_int_equal(m.done, out.row_count);
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    int k = 0;
    while (k < out.row_count && strcmp(out.rows[k].name, expected[i])) k++;
    if (k == out.row_count) fail_msg("no row %s", expected[i]);
  }
  for (int i = 0; i < out.row_count; i++) {
    const gf_bench_row *row = &out.rows[i];
    bool is_convolution = !strncmp(row->name, "conv2d ", strlen("conv2d "));
    bool is_whole = row->seconds > 0 && row->fraction > 0 && row->bytes > 0 && row->launches >= 1 &&
                    row->first_seconds > 0 &&
                    (row->flops > 0) == (is_convolution || row->kind == GF_BENCH_STEP) &&
                    is_convolution == (*row->algorithm != 0) &&
                    (row->upload_bytes > 0) == (row->kind == GF_BENCH_STEP);
    if (!is_whole) fail_msg("%s", row->name);
    for (int k = 0; k < i; k++) assert_string_not_equal(out.rows[k].name, row->name);
  }
  free(out.rows);
}

/* 2 images of 4 x 6 x 3, of which a convolution with 5 filters of 3 x 3 makes 4 x 6 x 5. */
static void layers_are_measured_by_each_algorithm(void **state) {
  (void)state;
  const gf_bench_layer layers[] = {
      {"a", "n=2", "conv2d", ", filters: 5, padding: 1, bias: false", {4, 6, 3}, 2},
      {"b", NULL, "max_pool", ", kernel: 2", {4, 6, 3}, 3}};
  gf_bench *bench = NULL;
  assert_ok(gf_bench_layers(&bench,
                            &(gf_bench_layer_options){.layers = layers, .count = 2, .tune = "off"},
                            &(gf_bench_options){0}));
  const gf_bench_device *d = &bench->devices[0];
  assert_int_equal(bench->form, GF_BENCH_LAYERS);
  assert_true(d->row_count >= 3 + 2); /* im2col takes every shape */
  for (int i = 0; i < d->row_count - 2; i++) {
    const gf_bench_row *row = &d->rows[i];
    char name[64];
    int length = snprintf(name, sizeof name, "a %s ", row->algorithm);
    assert_memory_equal(row->name, name, (size_t)length);
    assert_string_equal(row->name + strlen(row->name) - strlen("  n=2"), "  n=2");
    assert_int_equal(row->batch, 2);
    assert_int_equal(row->samples, 15);
    assert_true(row->flops == 2.0 * 2 * 24 * 5 * 27 && row->fraction > 0);
  }
  assert_string_equal(d->rows[0].name, "a im2col forward  n=2");
  assert_string_equal(d->rows[d->row_count - 2].name, "b forward");
  assert_string_equal(d->rows[d->row_count - 1].name, "b backward");
  assert_int_equal(d->rows[d->row_count - 1].batch, 3);
  gf_bench_free(&bench);
}

static void an_algorithm_is_chosen_by_name(void **state) {
  (void)state;
  const gf_bench_layer layer = {"a",       NULL, "conv2d", ", filters: 5, kernel: 1, bias: false",
                                {4, 6, 3}, 2};
  gf_bench *bench = NULL;
  gf_bench_layer_options what = {
      .layers = &layer, .count = 1, .algorithm = "im2col", .tune = "off"};
  assert_ok(gf_bench_layers(&bench, &what, &(gf_bench_options){0}));
  assert_int_equal(bench->devices[0].row_count, 3);
  gf_bench_free(&bench);
  what.algorithm = "winograd4"; /* 3 x 3 only */
  assert_fails(GF_ERROR_ARGUMENT, "winograd4 takes none of the shapes on this device",
               gf_bench_layers(&bench, &what, &(gf_bench_options){0}));
  assert_null(bench);
}

static void layers_come_from_the_case_lists(void **state) {
  (void)state;
  gf__layer_cases cases;
  assert_ok(gf__layer_cases_read(&cases, (const char *const[]){"conv2d/3", "linear"}, 2, 0));
  assert_int_equal(cases.count, 1 + 8);
  assert_string_equal(cases.layers[0].name, "conv2d/3");
  assert_string_equal(cases.layers[0].keys, ", filters: 32, kernel: 3, padding: 1, bias: false");
  assert_int_equal(cases.layers[0].image.height, 32);
  assert_int_equal(cases.layers[0].image.channels, 32);
  assert_int_equal(cases.layers[0].batch, 2);
  assert_string_equal(cases.layers[1].name, "linear/1");
  assert_string_equal(cases.layers[1].note, "n=3 inputs=7 outputs=5 bias=true");
  assert_int_equal(cases.layers[1].image.channels, 7);
  gf__layer_cases_free(&cases);
  assert_ok(gf__layer_cases_read(&cases, NULL, 0, 100));
  assert_true(cases.count > 100);
  for (int i = 0; i < cases.count; i++) assert_int_equal(cases.layers[i].batch, 100);
  gf__layer_cases_free(&cases);
}

/* The network of a_step_costs_what_its_layers_do, on 4 images. */
static void rounds_give_their_median(void **state) {
  (void)state;
  gf_bench *bench = NULL;
  gf_config *config = parse_config(
      "data: {name: cifar100}\nmodel:\n  graph:\n"
      "  - {type: conv2d, filters: 4, padding: 1, bias: false}\n"
      "  - {type: global_avg_pool}\n  - {type: linear, outputs: 100, bias: false}\n"
      "optimizer: {name: adam}\ntrain: {batch_size: 4}\n");
  const gf_config *configs[] = {config};
  const char *names[] = {"net"};
  const gf_bench_train_options what = {
      .configs = configs, .names = names, .count = 1, .rounds = 3, .steps = 2, .statistics = 1};
  assert_ok(gf_bench_train(&bench, &what, &(gf_bench_options){0}));
  gf_config_free(&config);
  const gf_bench_row *train = bench->devices[0].rows, *infer = train + 1;
  double convolution = 2.0 * 1024 * 4 * 27, linear = 2.0 * 4 * 100;
  assert_int_equal(bench->devices[0].row_count, 2);
  assert_string_equal(train->name, "net");
  assert_string_equal(infer->name, "net, inference");
  assert_true(train->kind == GF_BENCH_STEP && infer->kind == GF_BENCH_INFERENCE);
  assert_true(train->flops == 4 * (2 * convolution + 3 * linear));
  assert_true(infer->flops == 4 * (convolution + linear));
  for (int i = 0; i < 2; i++) {
    const gf_bench_row *row = &train[i];
    const double *s = row->rounds.seconds;
    double least = fmin(fmin(s[0], s[1]), s[2]), most = fmax(fmax(s[0], s[1]), s[2]);
    assert_int_equal(row->batch, 4);
    assert_int_equal(row->rounds.count, 3);
    assert_int_equal(row->samples, 6);
    assert_true(fabs(row->seconds - (s[0] + s[1] + s[2] - least - most)) < 1e-12);
    assert_true(row->low <= row->seconds && row->seconds <= row->high && row->fraction > 0);
    assert_true(row->host_bytes > 1e6 && row->device_bytes > 4 * 3072 * 4);
  }
  gf_bench_free(&bench);
}

static void orders_that_cannot_be_are_refused(void **state) {
  (void)state;
  gf_bench *bench = NULL;
  const gf_bench_options of_layers = {.form = GF_BENCH_LAYERS};
  assert_fails(GF_ERROR_ARGUMENT, "gf_bench_run takes the quick or the full form, not 2",
               gf_bench_run(&bench, &of_layers));
  assert_fails(
      GF_ERROR_ARGUMENT,
      "1 networks in 16 rounds of 2 steps: must be at least one, 1 to 15 and 1 to 4096",
      gf_bench_train(&bench, &(gf_bench_train_options){.count = 1, .rounds = 16, .steps = 2},
                     &(gf_bench_options){0}));
  assert_null(bench);
}

static bool stop_at_once(void *user) {
  ++*(int *)user;
  return 1;
}

static void a_stop_ends_it(void **state) {
  (void)state;
  int asked = 0;
  gf_bench *bench = NULL;
  gf_bench_options options = {.user = &asked, .stop = stop_at_once};
  assert_fails(GF_ERROR_INTERRUPTED, "stopped; nothing is kept of a benchmark that is cut off",
               gf_bench_run(&bench, &options));
  assert_null(bench);
  options.device = "all";
  assert_fails(GF_ERROR_INTERRUPTED, "stopped; nothing is kept of a benchmark that is cut off",
               gf_bench_run(&bench, &options));
  assert_null(bench);
  assert_int_equal(asked, 2);
}

/* The program, from the command line to the file. */
static void the_command_measures_all_devices(void **state) {
  (void)state;
  char command[1024], bytes[4096], path[256];
  gf__text out = {0};
  gf_bench *bench = NULL;
  gf_device_info *devices = NULL;
  int count = 0, platforms;
  snprintf(path, sizeof path, "%s", in_folder("all.json"));
  snprintf(command, sizeof command, "'%s' bench --device all -o '%s' 2>&1", PROGRAM, path);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  for (size_t got; (got = fread(bytes, 1, sizeof bytes, pipe)) > 0;)
    gf__text_add_bytes(&out, bytes, got);
  int status = pclose(pipe);
  assert_int_equal(gf__text_status(&out), GF_OK);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("%.*s", (int)out.size, out.data);
  for (const char *line = out.data; line && *line; line = strchr(line, '\n') + 1) {
    int columns = 0;
    for (size_t i = 0; i < strcspn(line, "\n"); i++)
      columns += ((unsigned char)line[i] & 0xc0) != 0x80;
    if (columns > 80) fail_msg("%d columns: %.*s", columns, (int)strcspn(line, "\n"), line);
  }
  assert_non_null(strstr(out.data, "\nsoftmax_cross_entropy backward  "));
  gf__text_free(&out);
  assert_ok(gf_bench_load(&bench, path));
  assert_ok(gf_devices_list(&devices, &count, &platforms));
  assert_int_equal(bench->device_count, count);
  for (int i = 0; i < count; i++) {
    assert_string_equal(bench->devices[i].card.name, devices[i].name);
    assert_int_equal(bench->devices[i].row_count, gf__bench_count_operations() + 3);
  }
  gf_devices_free(&devices);
  gf_bench_free(&bench);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(directions_cost_what_their_shape_says),
      cmocka_unit_test(a_step_costs_what_its_layers_do),
      cmocka_unit_test(samples_are_as_many_as_wanted),
      cmocka_unit_test(a_failure_ends_the_measurement),
      cmocka_unit_test(programs_are_counted_and_compiled_afresh),
      cmocka_unit_test(limits_are_numbers),
      cmocka_unit_test(every_operation_and_step_has_a_row),
      cmocka_unit_test(layers_are_measured_by_each_algorithm),
      cmocka_unit_test(an_algorithm_is_chosen_by_name),
      cmocka_unit_test(layers_come_from_the_case_lists),
      cmocka_unit_test(rounds_give_their_median),
      cmocka_unit_test(orders_that_cannot_be_are_refused),
      cmocka_unit_test(a_stop_ends_it),
      cmocka_unit_test(the_command_measures_all_devices),
  };
  return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
