/* What ranks do together. Each of them runs all of these tests, with 1, 2 and 4 ranks. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distributed/communicator.h"
#include "support/test.h"

static gf_communicator *communicator_;
static int rank_, ranks_;

#define assert_ok(call)                                                \
  do {                                                                 \
    gf_status assert_ok_status = (call);                               \
    if (assert_ok_status != GF_OK) fail_msg("%s", gf_error_message()); \
  } while (0)

/* What rank r has at i: numbers whose sum depends on the order of summation. */
static float value_of(int r, size_t i) {
  return (float)((r + 1) * 1e-3 + (double)(i % 977) * 1.37 - 500) * (float)(r % 2 ? -1 : 1.0001);
}

static void a_rank_knows_its_place(void **state) {
  (void)state;
  gf_rank self = gf_communicator_describe(communicator_);
  assert_in_range(self.rank, 0, self.ranks - 1);
  assert_int_equal(self.local_rank, self.rank);
  assert_int_equal(self.local_ranks, self.ranks);
  assert_true(strlen(self.host) > 0);
  gf_rank alone = gf_communicator_describe(NULL);
  assert_int_equal(alone.ranks, 1);
  assert_int_equal(alone.rank, 0);
}

static void gathers_in_the_order_of_ranks(void **state) {
  (void)state;
  int mine[3] = {rank_, 10 * rank_, -rank_}, *all = calloc((size_t)ranks_, sizeof mine);
  assert_ok(gf__communicator_gather(communicator_, mine, sizeof mine, all));
  for (int r = 0; r < ranks_; r++) {
    assert_int_equal(all[3 * r], r);
    assert_int_equal(all[3 * r + 1], 10 * r);
    assert_int_equal(all[3 * r + 2], -r);
  }
  free(all);
  int alone[3];
  assert_ok(gf__communicator_gather(NULL, mine, sizeof mine, alone));
  assert_memory_equal(alone, mine, sizeof mine);
}

static void broadcasts_from_the_first(void **state) {
  (void)state;
  enum { COUNT = 300000 };
  float *values = malloc(COUNT * sizeof *values);
  for (size_t i = 0; i < COUNT; i++) values[i] = value_of(rank_, i);
  assert_ok(gf__communicator_broadcast(communicator_, values, COUNT * sizeof *values));
  for (size_t i = 0; i < COUNT; i++) assert_true(values[i] == value_of(0, i));
  free(values);
}

static void sums_are_over_all_ranks(void **state) {
  (void)state;
  double values[2] = {rank_ + 1, 0.5};
  assert_ok(gf__communicator_sum(communicator_, values, 2));
  assert_true(values[0] == ranks_ * (ranks_ + 1) / 2);
  assert_true(values[1] == 0.5 * ranks_);
}

/* Against the mean in double, of lengths that do not divide, and of fewer floats than ranks. */
static void means_are_those_of_the_definition(void **state) {
  (void)state;
  const size_t counts[] = {1, 3, 1000, 262147};
  int weights[8];
  double total = 0;
  for (int r = 0; r < ranks_; r++) total += weights[r] = 3 * r + 2;
  for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
    gf__mean *mean;
    float *values = malloc(counts[k] * sizeof *values);
    assert_ok(gf__mean_new(&mean, communicator_, counts[k]));
    for (int again = 0; again < 2; again++) {
      for (size_t i = 0; i < counts[k]; i++) values[i] = value_of(rank_, i);
      assert_ok(gf__mean_start(mean, values, weights));
      assert_ok(gf__mean_wait(mean));
      for (size_t i = 0; i < counts[k]; i++) {
        double expected = 0;
        for (int r = 0; r < ranks_; r++) expected += weights[r] * (double)value_of(r, i);
        /* To the bit: the sum is in double, and in the order of ranks. */
        if (!(values[i] == (float)(expected / total)))
          fail_msg("value %zu of %zu: %.9g, expected %.9g", i, counts[k], (double)values[i],
                   expected / total);
      }
    }
    gf__mean_free(&mean);
    free(values);
  }
}

static void means_leave_out_ranks_without_weight(void **state) {
  (void)state;
  if (ranks_ == 1) skip();
  int weights[8] = {5};
  gf__mean *mean;
  float values[7];
  for (int i = 0; i < 7; i++) values[i] = rank_ == 0 ? (float)i : NAN;
  assert_ok(gf__mean_new(&mean, communicator_, 7));
  assert_ok(gf__mean_start(mean, values, weights));
  assert_ok(gf__mean_wait(mean));
  for (int i = 0; i < 7; i++) assert_true(values[i] == (float)i);
  gf__mean_free(&mean);
}

/* Several under way at a time, waited for in another order than started, with other work between.
 */
static void means_travel_together(void **state) {
  (void)state;
  enum { MEANS = 9, COUNT = 50021 };
  gf__mean *means[MEANS];
  float *values[MEANS];
  int weights[8];
  for (int r = 0; r < ranks_; r++) weights[r] = 1;
  for (int m = 0; m < MEANS; m++) {
    values[m] = malloc(COUNT * sizeof(float));
    for (size_t i = 0; i < COUNT; i++) values[m][i] = (float)(m + rank_);
    assert_ok(gf__mean_new(&means[m], communicator_, COUNT - (size_t)m));
    assert_ok(gf__mean_start(means[m], values[m], weights));
    double one = 1;
    if (m == 4) assert_ok(gf__communicator_sum(communicator_, &one, 1));
  }
  for (int m = MEANS - 1; m >= 0; m--) {
    assert_ok(gf__mean_wait(means[m]));
    for (size_t i = 0; i < COUNT - (size_t)m; i++)
      assert_true(values[m][i] == (float)(m + 0.5 * (ranks_ - 1)));
    gf__mean_free(&means[m]);
    free(values[m]);
  }
}

/* Each number once, all of them, and in order on each rank; rolls do not mix. */
static void numbers_are_handed_out_once(void **state) {
  (void)state;
  enum { NUMBERS = 60 };
  double taken[NUMBERS] = {0}, other = 0;
  long number, last = -1;
  for (;;) {
    assert_ok(gf__communicator_next(communicator_, GF__ROLL_RUNS, &number));
    assert_true(number > last);
    last = number;
    if (number >= NUMBERS) break;
    taken[number]++;
    assert_ok(gf__communicator_next(communicator_, GF__ROLL_DONE, &number));
    other += (double)number;
  }
  assert_ok(gf__communicator_sum(communicator_, taken, NUMBERS));
  assert_ok(gf__communicator_sum(communicator_, &other, 1));
  for (int i = 0; i < NUMBERS; i++) assert_true(taken[i] == 1);
  assert_true(other == NUMBERS * (NUMBERS - 1) / 2);
}

static void the_first_failure_is_that_of_all(void **state) {
  (void)state;
  assert_ok(gf_communicator_agree(communicator_, GF_OK));
  int who = ranks_ - 1;
  gf_status mine = GF_OK;
  if (rank_ == who) mine = gf__fail(GF_ERROR_DATA, "labels.bin ends early");
  assert_int_equal(gf_communicator_agree(communicator_, mine), GF_ERROR_DATA);
  assert_true(gf_communicator_agreed(communicator_));
  char expected[256];
  if (who == 0)
    strcpy(expected, "labels.bin ends early");
  else
    snprintf(expected, sizeof expected, "rank %d of %d on %s: labels.bin ends early", who, ranks_,
             gf_communicator_describe(communicator_).host);
  assert_string_equal(gf_error_message(), expected);
  assert_ok(gf_communicator_agree(communicator_, GF_OK));
  assert_int_equal(gf_communicator_agree(NULL, GF_ERROR_FILE), GF_ERROR_FILE);
}

/* Ranks that share a CPU have cores of their own, as far as there are. */
static void ranks_share_a_device(void **state) {
  (void)state;
  gf_device *device, *whole;
  assert_ok(gf_device_open(&whole, "cpu"));
  assert_ok(gf_communicator_open_device(&device, communicator_, "cpu", 1));
  assert_int_equal(gf_device_describe(device)->compute_units,
                   gf_device_describe(whole)->compute_units);
  gf_device_free(&device);
  assert_ok(gf_communicator_open_device(&device, communicator_, "cpu", 0));
  int units = gf_device_describe(whole)->compute_units, each = units / ranks_;
  assert_int_equal(gf_device_describe(device)->compute_units, each ? each : 1);
  gf_device_free(&device);
  gf_device_free(&whole);
}

static void a_list_assigns_devices_by_rank(void **state) {
  (void)state;
  gf_device *device;
  char list[64] = "cpu,nothing like it";
  gf_status status = gf_communicator_open_device(&device, communicator_, list, 0);
  assert_int_equal(status, ranks_ > 1 ? GF_ERROR_DEVICE : GF_OK);
  if (ranks_ > 1) {
    assert_non_null(strstr(gf_error_message(), "rank 1 of "));
    assert_non_null(strstr(gf_error_message(), "no device matches 'nothing like it'"));
  }
  gf_device_free(&device);
}

int main(void) {
  if (gf_communicator_open(&communicator_, 10) != GF_OK) {
    fprintf(stderr, "%s\n", gf_error_message());
    return 1;
  }
  rank_ = gf__communicator_rank(communicator_);
  ranks_ = gf__communicator_ranks(communicator_);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_rank_knows_its_place),
      cmocka_unit_test(gathers_in_the_order_of_ranks),
      cmocka_unit_test(broadcasts_from_the_first),
      cmocka_unit_test(sums_are_over_all_ranks),
      cmocka_unit_test(means_are_those_of_the_definition),
      cmocka_unit_test(means_leave_out_ranks_without_weight),
      cmocka_unit_test(means_travel_together),
      cmocka_unit_test(numbers_are_handed_out_once),
      cmocka_unit_test(the_first_failure_is_that_of_all),
      cmocka_unit_test(ranks_share_a_device),
      cmocka_unit_test(a_list_assigns_devices_by_rank),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  /* Others may wait for what this rank did not do. */
  if (failed) gf_communicator_abort(communicator_, 1);
  gf_communicator_close(&communicator_);
  return failed;
}
