/* The defaults of option structs, and that a struct of zeros is refused where no zero makes sense.
 */
#include <gradflow.h>

#include "support/assert.h"
#include "support/test.h"

static void defaults_are_those_that_headers_name(void **state) {
  (void)state;
  gf_train_options train = gf_train_options_default();
  assert_null(train.out);
  assert_int_equal(train.keep_checkpoints, 2);
  assert_int_equal(train.checkpoint_steps, 0);
  assert_false(train.overwrite || train.resume || train.force || train.events.stop);
  gf_study_options study = gf_study_options_default();
  assert_int_equal(study.shard, 1);
  assert_int_equal(study.shards, 1);
  assert_int_equal(study.jobs, 1);
  gf_predict_options predict = gf_predict_options_default();
  assert_int_equal(predict.top, 5);
  assert_false(predict.saliency || predict.out);
  gf_loader_options loader = gf_loader_options_default();
  assert_true(loader.from == 0 && loader.to == 1);
  assert_false(loader.training);
  gf_divergence_options divergence = gf_divergence_options_default();
  assert_int_equal(divergence.steps, 10);
  assert_true(divergence.tolerance == 0.1);
  gf_fetch_options fetch = gf_fetch_options_default();
  assert_string_equal(fetch.to, "data");
  assert_int_equal(fetch.attempts, 5);
  assert_true(fetch.backoff_seconds == 1 && fetch.connect_seconds == 20 &&
              fetch.stall_seconds == 30);
  assert_false(gf_export_options_default().softmax || gf_import_options_default().overwrite);
  assert_int_equal(gf_bench_options_default().form, GF_BENCH_QUICK);
  assert_string_equal(gf_bench_layer_options_default().tune, "off");
  assert_int_equal(gf_bench_train_options_default().rounds, 3);
  assert_int_equal(gf_bench_train_options_default().steps, 20);
  assert_true(gf_bench_compare_options_default().fail_below == 0);
}

/* No device or data set is touched before the options are looked at. */
static void zeros_are_refused_where_they_make_no_sense(void **state) {
  (void)state;
  gf_train_options train = {.out = "/nowhere"};
  assert_fails(GF_ERROR_ARGUMENT,
               "0 checkpoints kept: must be at least 1, and is 2 by gf_train_options_default()",
               gf_train(NULL, NULL, &train));
  train = gf_train_options_default();
  assert_fails(GF_ERROR_ARGUMENT, "gf_train_options.out is missing: it names the run folder",
               gf_train(NULL, NULL, &train));
  gf_loader *loader;
  assert_fails(GF_ERROR_ARGUMENT,
               "a loader's shard is within 0 and 1, not from 0 to 0; gf_loader_options_default() "
               "gives the whole",
               gf_loader_open(&loader, NULL, &(gf_loader_options){.batch_size = 1}));
  gf_fetched fetched;
  assert_fails(GF_ERROR_ARGUMENT,
               "0 attempts, 0 seconds apart, with 0 for a connection and 0 without a byte: all "
               "must be above 0; gf_fetch_options_default() gives usual ones",
               gf_fetch("mnist", &(gf_fetch_options){.to = "/nowhere"}, &fetched));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_those_that_headers_name),
      cmocka_unit_test(zeros_are_refused_where_they_make_no_sense),
  };
  return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
