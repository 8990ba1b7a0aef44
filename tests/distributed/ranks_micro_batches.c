/* Steps of several ranks whose devices have no memory for their shards at once: the weights are
 * those of one device that computes whole batches. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include "support/device.h"
#include "support/test.h"
#include "train/trainer.h"

enum { EACH = 14, PIECE = 5, STEPS = 4, SIDE = 8, FLOATS = SIDE * SIDE * 3, CLASSES = 7 };

static gf_communicator *communicator_;
static int rank_, ranks_;

static const char net_[] =
    "model:\n"
    "  graph:\n"
    "    - {name: a, type: conv2d, filters: 5, kernel: 3, padding: 1}\n"
    "    - {type: relu}\n"
    "    - {name: d, type: conv2d, filters: 10, kernel: 3, groups: 5}\n"
    "    - {type: dropout, p: 0.4}\n"
    "    - {type: global_avg_pool}\n"
    "    - {name: b, type: linear, outputs: 7}\n"
    "optimizer: {name: sgd, momentum: 0.9, learning_rate: 0.1, clip_norm: 0.3}\n";

typedef struct subject {
  gf_model *model;
  gf_trainer *trainer;
} subject;

static subject open_subject(const gf_config *config, int batch,
                            const gf__trainer_options *options) {
  subject s;
  gf_image_shape image = {SIDE, SIDE, 3};
  assert_ok(gf_model_open(&s.model, fixture_device, config, image, CLASSES, batch, 3));
  assert_ok(gf__trainer_open_with(&s.trainer, s.model, config, options));
  return s;
}

static void close_subject(subject *s) {
  gf_trainer_free(&s->trainer);
  gf_model_free(&s->model);
}

/* Every tensor of both. */
static void compare(subject *a, subject *b) {
  for (int i = 0; i < gf_model_parameter_count(a->model); i++) {
    gf_parameter_info p = gf_model_parameter(a->model, i);
    float *x = malloc(p.count * sizeof *x), *y = malloc(p.count * sizeof *y);
    assert_ok(gf_model_read_parameter(a->model, i, x));
    assert_ok(gf_model_read_parameter(b->model, i, y));
    for (size_t k = 0; k < p.count; k++)
      if (!(fabsf(x[k] - y[k]) <= 2e-6f))
        fail_msg("%s[%zu]: %g, %g", p.name, k, (double)x[k], (double)y[k]);
    free(x), free(y);
  }
}

static void micro_batches_of_shards_are_a_whole(void **state) {
  (void)state;
  int whole = EACH * ranks_, labels[EACH * 8];
  float *images = malloc((size_t)whole * FLOATS * sizeof *images);
  uint32_t random = 9;
  gf_config *config = parse_config(net_);
  gf__trainer_options options = {.adds_micro_batches = true, .communicator = communicator_};
  subject one = open_subject(config, whole, &(gf__trainer_options){0});
  subject ours = open_subject(config, PIECE, &options);
  gf__allreduce *allreduce = gf__trainer_allreduce(ours.trainer);
  for (int step = 0; step < STEPS; step++) {
    for (int i = 0; i < whole * FLOATS; i++) images[i] = next_float(&random);
    for (int i = 0; i < whole; i++) labels[i] = (i + step) % CLASSES;
    gf_batch all = {.images = images, .labels = labels, .count = whole, .mix = 1, .whole = whole};
    gf_batch mine = {.images = images + (size_t)rank_ * EACH * FLOATS,
                     .labels = labels + rank_ * EACH,
                     .count = EACH,
                     .mix = 1,
                     .first = rank_ * EACH,
                     .whole = whole};
    float sums[2];
    assert_ok(gf__trainer_queue_step(one.trainer, &all, 0.1, 0, GF__MEASURE_NOTHING));
    assert_ok(gf__model_read_results(one.model, 0, 1, sums));
    assert_ok(gf__trainer_queue_step(ours.trainer, &mine, 0.1, 0, GF__MEASURE_NOTHING));
    double of_all[2];
    assert_ok(gf__allreduce_read_results(allreduce, 0, 1, of_all));
    if (!(fabs(of_all[0] - (double)sums[0]) <= 1e-5 * (double)sums[0]))
      fail_msg("step %d: losses %g, %g", step, of_all[0], (double)sums[0]);
    assert_true(of_all[1] == (double)sums[1]);
    assert_false(gf__allreduce_stops(allreduce, false));
  }
  compare(&ours, &one);
  /* One rank that wants to stop is enough. */
  gf_batch mine = {.images = images, .labels = labels, .count = EACH, .mix = 1, .whole = whole};
  bool is_wanted = rank_ == ranks_ - 1;
  assert_int_equal(gf__allreduce_stops(allreduce, is_wanted), ranks_ == 1);
  assert_ok(gf__trainer_queue_step(ours.trainer, &mine, 0, 0, GF__MEASURE_NOTHING));
  assert_true(gf__allreduce_stops(allreduce, ranks_ == 1));
  close_subject(&ours);
  close_subject(&one);
  gf_config_free(&config);
  free(images);
}

int main(void) {
  if (gf_communicator_open(&communicator_, 20) != GF_OK) {
    fprintf(stderr, "%s\n", gf_error_message());
    return 1;
  }
  rank_ = gf__communicator_rank(communicator_);
  ranks_ = gf__communicator_ranks(communicator_);
  const struct CMUnitTest tests[] = {cmocka_unit_test(micro_batches_of_shards_are_a_whole)};
  int failed = cmocka_run_group_tests(tests, fixture_open, fixture_close);
  if (failed) gf_communicator_abort(communicator_, 1);
  gf_communicator_close(&communicator_);
  return failed;
}
