/* The loss with smoothed and with mixed labels against its reference, and where training takes it.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include <gradflow.h>

#include "model/model.h"
#include "reference.h"
#include "support/operations.h"
#include "support/test.h"

/* The loss of mixed labels is the mix of the losses, and so is its gradient. */
static double mixed(int n, int classes, double smoothing, const double *logits, const int *labels,
                    double share, double *d) {
  size_t count = (size_t)(n * classes);
  double *second = doubles_new(count);
  double loss = ref_smoothed_cross_entropy(n, classes, smoothing, logits, labels, d);
  if (share == 1) return loss;
  loss = share * loss + (1 - share) * ref_smoothed_cross_entropy(n, classes, smoothing, logits,
                                                                 labels + n, second);
  for (size_t i = 0; i < count; i++) d[i] = share * d[i] + (1 - share) * second[i];
  return loss;
}

static void the_loss_equals_the_reference(void **unused) {
  (void)unused;
  assert_verified("softmax_cross_entropy/soft_target");
}

/* Probabilities 3/4 and 1/4, targets 7/8 and 1/8. */
static void the_reference_is_as_computed_by_hand(void **unused) {
  (void)unused;
  double d[2];
  double loss = ref_smoothed_cross_entropy(1, 2, 0.25, (double[]){log(3), 0}, (int[]){0}, d);
  assert_true(fabs(loss - (7 * log(4.0 / 3) + log(4)) / 8) <= 1e-15);
  assert_true(fabs(d[0] + 0.125) <= 1e-15 && fabs(d[1] - 0.125) <= 1e-15);
  double plain[2];
  int labels[] = {1};
  double none = ref_smoothed_cross_entropy(1, 2, 0, (double[]){0.3, -2}, labels, d);
  assert_true(fabs(none - ref_softmax_cross_entropy(1, 2, (double[]){0.3, -2}, labels, NULL,
                                                    plain)) <= 1e-15);
  assert_true(fabs(d[0] - plain[0]) <= 1e-15 && fabs(d[1] - plain[1]) <= 1e-15);
}

/* The reference's gradient is the slope of its loss. */
static void the_reference_has_its_gradient(void **unused) {
  (void)unused;
  double logits[] = {0.5, -1, 2, 0.25, 1.5, -0.75}, d[6], none[6];
  const int labels[] = {2, 0};
  const double step = 1e-5;
  ref_smoothed_cross_entropy(2, 3, 0.3, logits, labels, d);
  for (int i = 0; i < 6; i++) {
    double at = logits[i];
    logits[i] = at + step;
    double up = ref_smoothed_cross_entropy(2, 3, 0.3, logits, labels, none);
    logits[i] = at - step;
    double down = ref_smoothed_cross_entropy(2, 3, 0.3, logits, labels, NULL);
    logits[i] = at;
    assert_true(fabs((up - down) / (2 * step) - d[i]) <= 1e-9);
  }
}

/* ---- in a network ---- */

enum { IMAGES = 3, CLASSES = 5, SIDE = 8, FLOATS = SIDE * SIDE * 3 };

/* Losses of a training and of an inference pass over the same images, and the logits. */
static void pass(const char *network, double losses[2], float logits[2][IMAGES * CLASSES],
                 const int *labels) {
  char yaml[512];
  float images[IMAGES * FLOATS];
  gf_config *config;
  gf_model *model;
  snprintf(yaml, sizeof yaml, "model: {%s}", network);
  gf__fill_uniform(images, IMAGES * FLOATS, 9, -2, 2);
  assert_ok(gf_config_parse(&config, "net", yaml));
  assert_ok(gf_model_open(&model, device_test_device(), config, (gf_image_shape){SIDE, SIDE, 3},
                          CLASSES, IMAGES, 2));
  for (int training = 1; training >= 0; training--) {
    gf_loss loss;
    assert_ok(gf_model_forward(model, images, labels, IMAGES, training, &loss));
    assert_ok(gf_model_logits(model, logits[training]));
    losses[training] = loss.loss;
  }
  gf_model_free(&model);
  gf_config_free(&config);
}

/* Of a graph and of a family alike, and in training only. */
static void training_smooths(void **unused) {
  (void)unused;
  static const char *const networks[] = {
      "family: vgg_stages, stages: 1, blocks_per_stage: 0, filters: 4, norm: none",
      "graph: [{type: flatten}, {type: linear, outputs: 5}]"};
  static const int labels[IMAGES] = {1, 4, 0};
  for (int i = 0; i < 2; i++) {
    char smoothed[256];
    double losses[2];
    float logits[2][IMAGES * CLASSES];
    snprintf(smoothed, sizeof smoothed, "%s, label_smoothing: 0.4", networks[i]);
    pass(smoothed, losses, logits, labels);
    const double *wide[2] = {doubles_from(logits[0], IMAGES * CLASSES),
                             doubles_from(logits[1], IMAGES * CLASSES)};
    double soft = ref_smoothed_cross_entropy(IMAGES, CLASSES, 0.4, wide[1], labels, NULL);
    double plain = ref_softmax_cross_entropy(IMAGES, CLASSES, wide[0], labels, NULL, NULL);
    assert_true(fabs(losses[1] - soft) <= 1e-5 * soft);
    assert_true(fabs(losses[0] - plain) <= 1e-5 * plain);
    assert_true(fabs(soft - plain) > 1e-3 * plain);
    pass(networks[i], losses, logits, labels);
    assert_true(fabs(losses[1] - plain) <= 1e-5 * plain && losses[1] == losses[0]);
    arrays_free();
  }
}

/* What an upload with second labels says holds for its batch alone. */
static void mixed_labels_have_their_loss(void **unused) {
  (void)unused;
  static const int labels[2 * IMAGES] = {1, 4, 0, 2, 4, 3};
  const double shares[] = {0.6, 1, 0.25};
  float images[IMAGES * FLOATS], logits[IMAGES * CLASSES], sums[2];
  gf_config *config;
  gf_model *model;
  gf__fill_uniform(images, IMAGES * FLOATS, 9, -2, 2);
  assert_ok(gf_config_parse(&config, "net",
                            "model: {graph: [{type: flatten}, {type: linear, outputs: 5}]}"));
  assert_ok(gf_model_open(&model, device_test_device(), config, (gf_image_shape){SIDE, SIDE, 3},
                          CLASSES, IMAGES, 2));
  for (int i = 0; i < 3; i++) {
    double d[IMAGES * CLASSES];
    assert_ok(gf__model_upload_mixed(model, images, labels, IMAGES, shares[i]));
    if (shares[i] == 1) assert_ok(gf__model_upload(model, images, labels, IMAGES));
    assert_ok(gf__model_queue_forward(model, true, 0));
    assert_ok(gf__model_read_results(model, 0, 1, sums));
    assert_ok(gf_model_logits(model, logits));
    double loss = IMAGES * mixed(IMAGES, CLASSES, 0, doubles_from(logits, IMAGES * CLASSES), labels,
                                 shares[i], d);
    assert_true(fabs((double)sums[0] - loss) <= 1e-5 * loss);
  }
  gf_model_free(&model);
  gf_config_free(&config);
  arrays_free();
}

static void a_share_of_one_is_refused(void **unused) {
  (void)unused;
  gf_config *config;
  gf_model *model;
  assert_ok(gf_config_parse(&config, "net", "model: {family: vgg_stages, label_smoothing: 1}"));
  assert_int_equal(gf_model_open(&model, device_test_device(), config, (gf_image_shape){32, 32, 3},
                                 CLASSES, 1, 0),
                   GF_ERROR_CONFIG);
  assert_string_equal(
      gf_error_message(),
      "net:1:29: model.label_smoothing must be a number from 0 to 0.999999, not '1'");
  gf_config_free(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_loss_equals_the_reference),
      cmocka_unit_test(the_reference_is_as_computed_by_hand),
      cmocka_unit_test(the_reference_has_its_gradient),
      cmocka_unit_test(training_smooths),
      cmocka_unit_test(mixed_labels_have_their_loss),
      cmocka_unit_test(a_share_of_one_is_refused),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
