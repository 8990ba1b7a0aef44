/* Every layer of the table over its case list, against its reference; and what dropout drops: a
 * fraction of it, other values in each step, as the host's numbers say. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/model.h"
#include "support/operations.h"
#include "support/test.h"
#include "verify/problems.h"

static void layers_equal_their_references(void **unused) {
  (void)unused;
  for (int i = 0; gf__layers[i]; i++) {
    char only[96];
    snprintf(only, sizeof only, "%s/layer", gf__layers[i]->name);
    assert_verified(only);
  }
}

/* Fuzzers find their way into a layer's keys and shapes from a config that has it. */
static void fuzzers_start_from_every_layer(void **unused) {
  (void)unused;
  char *seeds;
  size_t size;
  assert_ok(gf__file_read(SOURCE_FOLDER "/tests/fuzz/seeds.c", &seeds, &size));
  for (int i = 0; gf__layers[i]; i++) {
    char type[96];
    snprintf(type, sizeof type, "type: %s", gf__layers[i]->name);
    const char *at = strstr(seeds, type);
    while (at && !strchr(",}", at[strlen(type)])) at = strstr(at + 1, type);
    if (!at) fail_msg("no network in tests/fuzz/seeds.c has a %s", gf__layers[i]->name);
  }
  free(seeds);
}

/* ---- dropout ---- */

enum { SIDE = 64, CHANNELS = 16, VALUES = SIDE * SIDE * CHANNELS };

static void read_dropout_mask(gf_model *model, const gf__problem *p, const float *x, char *mask) {
  assert_ok(gf__model_upload(model, x, NULL, p->n));
  assert_ok(gf__model_queue_forward(model, true, 0));
  float *y = buffer_get(model->graph.nodes[0]->out.data, VALUES);
  for (size_t i = 0; i < VALUES; i++) {
    mask[i] = y[i] != 0;
    if (!mask[i]) continue;
    float kept = x[i] / (1 - (float)p->probability);
    if (!(fabsf(y[i] - kept) <= 4e-7f * kept))
      fail_msg("%.9g was kept as %.9g and not as %.9g", (double)x[i], (double)y[i], (double)kept);
  }
}

static void check_fraction(const char *mask, double p) {
  long kept = 0;
  for (size_t i = 0; i < VALUES; i++) kept += mask[i];
  /* Six standard deviations of a binomial count. */
  if (!(fabs(kept - VALUES * (1 - p)) <= 6 * sqrt(VALUES * p * (1 - p))))
    fail_msg("%ld of %d values were kept with p=%g", kept, VALUES, p);
}

static gf_model *open_dropout(double p) {
  char text[64];
  gf_config *config;
  gf_model *model;
  snprintf(text, sizeof text, "model: {graph: [{type: dropout, p: %g}]}", p);
  assert_ok(gf_config_parse(&config, "net", text));
  assert_ok(gf__model_open_with(&model, device_test_device(), config,
                                (gf_image_shape){SIDE, SIDE, CHANNELS}, CHANNELS, 1,
                                GF__PROBLEM_SEED, &(gf__model_options){.no_loss = true}));
  gf_config_free(&config);
  return model;
}

static void dropout_drops_its_fraction(void **unused) {
  (void)unused;
  const double parts[] = {0.1, 0.5, 0.9};
  float *x = floats_new(VALUES);
  char *mask = array_new(VALUES), *again = array_new(VALUES);
  gf__fill_uniform(x, VALUES, 0, 0.5, 1.5);
  for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
    gf__problem p = {.arena = device_test_arena(), .n = 1, .probability = parts[k]};
    gf_model *model = open_dropout(p.probability);
    read_dropout_mask(model, &p, x, mask);
    check_fraction(mask, p.probability);
    const unsigned char *expected = gf__problem_dropout_mask(&p, VALUES);
    for (size_t i = 0; i < VALUES; i++) assert_int_equal(mask[i], expected[i]);
    read_dropout_mask(model, &p, x, again);
    assert_memory_equal(mask, again, VALUES);
    model->pass.step = p.step = 1;
    read_dropout_mask(model, &p, x, again);
    expected = gf__problem_dropout_mask(&p, VALUES);
    for (size_t i = 0; i < VALUES; i++) assert_int_equal(again[i], expected[i]);
    check_fraction(again, p.probability);
    long differ = 0;
    for (size_t i = 0; i < VALUES; i++) differ += mask[i] != again[i];
    /* Two independent draws differ with a probability of 2 p (1 - p). */
    assert_true(differ > VALUES * p.probability * (1 - p.probability));
    gf_model_free(&model);
  }
}

/* What an image keeps is that of its place in the batch, whatever micro-batch it is in. */
static void stochastic_depth_drops_whole_images(void **unused) {
  (void)unused;
  enum { IMAGES = 300, HALF = 150, SIZE = 6 };
  static const double p = 0.3;
  gf_config *config;
  gf_model *model;
  float *x = floats_new(IMAGES * SIZE);
  gf__problem problem = {.arena = device_test_arena(), .n = IMAGES, .probability = p};
  const unsigned char *expected = gf__problem_dropout_mask(&problem, IMAGES);
  int kept = 0;
  gf__fill_uniform(x, IMAGES * SIZE, 0, 0.5, 1.5);
  assert_ok(gf_config_parse(&config, "net", "model: {graph: [{type: stochastic_depth, p: 0.3}]}"));
  assert_ok(gf__model_open_with(&model, device_test_device(), config, (gf_image_shape){1, 3, 2}, 2,
                                HALF, GF__PROBLEM_SEED, &(gf__model_options){.no_loss = true}));
  gf_config_free(&config);
  for (int first = 0; first < IMAGES; first += HALF) {
    model->pass.first_image = first;
    assert_ok(gf__model_upload(model, x + first * SIZE, NULL, HALF));
    assert_ok(gf__model_queue_forward(model, true, 0));
    float *y = buffer_get(model->graph.nodes[0]->out.data, HALF * SIZE);
    for (int i = 0; i < HALF * SIZE; i++) {
      int at = first * SIZE + i;
      float wanted = expected[at / SIZE] ? x[at] / (1 - (float)p) : 0;
      if (!(fabsf(y[i] - wanted) <= 4e-7f * wanted))
        fail_msg("value %d is %.9g and not %.9g", at, (double)y[i], (double)wanted);
    }
  }
  for (int i = 0; i < IMAGES; i++) kept += expected[i];
  if (!(fabs(kept - IMAGES * (1 - p)) <= 6 * sqrt(IMAGES * p * (1 - p))))
    fail_msg("%d of %d images were kept", kept, IMAGES);
  gf_model_free(&model);
}

static int layers_with(unsigned flag) {
  int count = 0;
  for (int i = 0; gf__layers[i]; i++) count += gf__layer_has(gf__layers[i], flag);
  return count;
}

/* What the graph, the plan and the benchmark decide by. */
static void rows_have_their_flags(void **unused) {
  (void)unused;
  assert_ptr_equal(gf__layer_find("conv2d"), &gf__layer_conv2d);
  assert_true(gf__layer_has(&gf__layer_softmax_cross_entropy, GF__LAYER_IS_LOSS));
  assert_true(gf__layer_has(&gf__layer_auxiliary_loss, GF__LAYER_IS_LOSS));
  assert_int_equal(layers_with(GF__LAYER_IS_LOSS), 2);
  assert_true(gf__layer_has(&gf__layer_add, GF__LAYER_IS_SUM));
  assert_int_equal(layers_with(GF__LAYER_IS_SUM), 1);
  assert_true(gf__layer_has(&gf__layer_conv2d, GF__LAYER_FOLDS_NORM));
  assert_int_equal(layers_with(GF__LAYER_FOLDS_NORM), 1);
  assert_true(
      gf__layer_has(&gf__layer_batch_norm, GF__LAYER_IS_NORM | GF__LAYER_JOINS_WHOLE_BATCH));
  assert_int_equal(layers_with(GF__LAYER_IS_NORM), 1);
  assert_true(gf__layer_has(&gf__layer_conv3d, GF__LAYER_IS_CONVOLUTION));
  assert_int_equal(layers_with(GF__LAYER_IS_CONVOLUTION), 2);
  for (int i = 0; gf__layers[i]; i++)
    if (gf__layers[i]->of_volumes) assert_non_null(gf__layer_find(gf__layers[i]->of_volumes));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(layers_equal_their_references),
                                     cmocka_unit_test(fuzzers_start_from_every_layer),
                                     cmocka_unit_test(rows_have_their_flags),
                                     cmocka_unit_test(dropout_drops_its_fraction),
                                     cmocka_unit_test(stochastic_depth_drops_whole_images)};
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
