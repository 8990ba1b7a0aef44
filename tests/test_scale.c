/* The model of a step of many ranks, against what follows from its description, and gradflow scale.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>
#include <sys/wait.h>

#include <gradflow/scale.h>

#include "support/device.h"
#include "support/test.h"

static void assert_near(double got, double expected) {
  if (!(fabs(got - expected) <= 1e-12 * fabs(expected)))
    fail_msg("%.17g, expected %.17g", got, expected);
}

/* 10 ms and 1 ms an image; two thirds of it backward; buckets of 4 MB and 1 MB. */
static gf_scale_bucket buckets_[] = {{4e6, 0.25}, {1e6, 1}};
static gf_scale_costs costs_of(void) {
  return (gf_scale_costs){.fixed = 0.01,
                          .image = 0.001,
                          .backward = 2.0 / 3,
                          .update = 0.002,
                          .transfer = 0.003,
                          .buckets = buckets_,
                          .bucket_count = 2,
                          .batch = 80};
}

static void one_rank_waits_for_nobody(void **state) {
  (void)state;
  gf_scale_costs c = costs_of();
  gf_scale_network n = {1, 1, 1};
  gf_scale_point p = gf_scale_each(&c, &n, 1, 80);
  assert_near(p.step, 0.01 + 0.08 + 0.002);
  assert_true(p.exposed == 0);
  assert_true(p.efficiency == 1);
  assert_int_equal(p.bound, GF_SCALE_FIXED); /* 12 of 92 ms */
}

static void a_fast_network_is_hidden(void **state) {
  (void)state;
  gf_scale_costs c = costs_of();
  gf_scale_network n = {0, 0, 1e15};
  gf_scale_point p = gf_scale_each(&c, &n, 64, 80);
  assert_near(p.step, 0.09 + 0.002 + 0.003 + 2 * 63.0 / 64 * 1e6 / 1e15);
  assert_near(p.efficiency, 0.092 / p.step);
}

/* 3 ranks, 0.1 GB/s: forward ends at 30 ms and backward at 90 ms. The first bucket is there at
 * 45 ms and takes 2 (1 + 2 * 0.5) ms and 2 * 2/3 * 40 ms; the second, which is there at 90 ms,
 * waits for it. */
static void buckets_go_one_after_another(void **state) {
  (void)state;
  gf_scale_costs c = costs_of();
  gf_scale_network n = {1e-3, 0.5e-3, 1e8};
  gf_scale_point p = gf_scale_each(&c, &n, 3, 80);
  double first = 0.045 + 0.004 + 2 * 2.0 / 3 * 0.04, second = first + 0.004 + 2 * 2.0 / 3 * 0.01;
  assert_near(p.exposed, second - 0.09);
  assert_near(p.step, second + 0.005);
  assert_near(p.efficiency, 0.092 / p.step);
  assert_int_equal(p.bound, GF_SCALE_BANDWIDTH);
  n = (gf_scale_network){20e-3, 0, 1e12};
  assert_int_equal(gf_scale_each(&c, &n, 3, 80).bound, GF_SCALE_LATENCY);
  n = (gf_scale_network){0, 0, 1e15};
  c.fixed = 0;
  c.transfer = 0.05;
  assert_int_equal(gf_scale_each(&c, &n, 3, 80).bound, GF_SCALE_TRANSFER);
  c.transfer = c.update = 0;
  assert_int_equal(gf_scale_each(&c, &n, 3, 80).bound, GF_SCALE_COMPUTE);
}

/* 80 images over 32 ranks: some have 3. */
static void a_whole_batch_is_as_slow_as_its_largest_part(void **state) {
  (void)state;
  gf_scale_costs c = costs_of();
  gf_scale_network n = {0, 0, 1e15};
  gf_scale_point p = gf_scale_whole(&c, &n, 32, 80);
  assert_true(p.images == 3);
  assert_near(p.efficiency, 0.092 / (32 * p.step));
  assert_int_equal(p.bound, GF_SCALE_FIXED);
  assert_string_equal(gf_scale_bound_name(p.bound), "small shards");
}

/* ---- a device ---- */

static const char net_[] =
    "data: {name: cifar10}\n"
    "model:\n"
    "  graph:\n"
    "    - {type: conv2d, filters: 8, kernel: 3, padding: 1, bias: false}\n"
    "    - {type: batch_norm}\n"
    "    - {type: global_avg_pool}\n"
    "    - {type: linear, outputs: 600}\n"
    "    - {type: linear, outputs: 600}\n"
    "    - {type: linear, outputs: 10}\n"
    "train: {batch_size: 16}\n";

/* A network of as many classes as there are folders, or as the config says without them. */
static void folders_tell_the_classes(void **state) {
  (void)state;
  static const char *const folders[] = {"set/train/a", "set/train/b", "set/train/c"};
  static const char *const keys[] = {"path: '%s/set'", "classes: 3, path: '%s/gone'"};
  for (int i = 0; i < 3; i++) assert_ok(gf__make_folder(in_folder(folders[i])));
  for (int i = 0; i < 2; i++) {
    char yaml[512], data[256];
    gf_scale_costs c;
    snprintf(data, sizeof data, keys[i], fixture_folder);
    snprintf(yaml, sizeof yaml,
             "data: {name: image_folder, image_size: 16, resize: 16, %s}\n"
             "model: {graph: [{type: flatten}, {type: linear, outputs: 3}]}\n"
             "train: {batch_size: 2}\n",
             data);
    gf_config *config = parse_config(yaml);
    assert_ok(gf_scale_measure(&c, fixture_device, config));
    assert_int_equal(c.parameters, (16 * 16 * 3 + 1) * 3);
    gf_scale_costs_free(&c);
    gf_config_free(&config);
  }
}

static void costs_are_those_of_the_network(void **state) {
  (void)state;
  gf_config *config = parse_config(net_);
  gf_scale_costs c;
  assert_ok(gf_scale_measure(&c, fixture_device, config));
  size_t weights = 3 * 3 * 3 * 8 + 2 * 8 + 9 * 600 + 601 * 600 + 601 * 10;
  assert_int_equal(c.parameters, weights);
  assert_int_equal(c.batch, 16);
  double bytes = 0, ready = 0;
  for (int i = 0; i < c.bucket_count; i++) {
    bytes += c.buckets[i].bytes;
    assert_true(c.buckets[i].ready >= ready && c.buckets[i].ready <= 1);
    ready = c.buckets[i].ready;
  }
  /* And the running statistics of 8 channels. */
  assert_true(bytes == 4.0 * (double)(weights + 16));
  assert_true(ready == 1);
  assert_true(c.bucket_count >= 3);
  assert_true(c.fixed >= 0 && c.image >= 0 && c.fixed + c.image > 0);
  assert_true(c.update > 0 && c.transfer > 0);
  assert_true(c.memory.parameters >= 2 * 4 * weights);
  gf_scale_costs_free(&c);
  gf_config_free(&config);
}

/* ---- the program ---- */

/* The exit code; both outputs are in the file "said". */
static int run(const char *more) {
  char line[1024];
  snprintf(line, sizeof line, "timeout 60 %s scale %s/net.yaml --out %s/out %s >%s/said 2>&1",
           PROGRAM, fixture_folder, fixture_folder, more, fixture_folder);
  int status = system(line);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static char *said(void) {
  char *text = NULL;
  size_t size;
  assert_ok(gf__file_read(in_folder("said"), &text, &size));
  return text;
}

static void the_program_prints_and_draws(void **state) {
  (void)state;
  assert_ok(gf__file_write(in_folder("net.yaml"), net_, sizeof net_ - 1));
  if (run("--ranks 1..64 --latency 5 --bandwidth 12.5") != 0) fail_msg("%s", said());
  char *text = said();
  assert_non_null(strstr(text, "\nnetwork    5 us, 12.5 GB/s (given)\n"));
  assert_non_null(strstr(text, "\na batch of 16 images on each rank\n"));
  assert_non_null(strstr(text, "\na batch of 16 images in all\n"));
  for (char *line = text; *line; line += strcspn(line, "\n") + 1)
    if (strncmp(line, "written", 7)) assert_true(strcspn(line, "\n") <= 80);
  free(text);
  assert_true(gf__path_exists(in_folder("out/scale.png")));
  size_t size;
  assert_ok(gf__file_read(in_folder("out/scale.csv"), &text, &size));
  int rows = 0;
  for (size_t i = 0; i < size; i++) rows += text[i] == '\n';
  assert_int_equal(rows, 1 + 7 + 5); /* 1 to 64 ranks, and 1 to 16 that share 16 images */
  free(text);
}

static void what_was_measured_is_kept(void **state) {
  (void)state;
  static const char before[] = "ranks,images_a_rank,step_seconds\n2,16,0.25\n4,8,0.5\n",
                    kept[] = "ranks,images_a_rank,step_seconds\n2,16,0.25\n",
                    damaged[] = "ranks,images_a_rank,step_seconds\n2,16\n";
  char path[512], *text, expected[1024];
  size_t size;
  snprintf(path, sizeof path, "%s", in_folder("out/measured.csv"));
  assert_ok(gf__file_write(in_folder("net.yaml"), net_, sizeof net_ - 1));
  assert_ok(gf__make_folder(in_folder("out")));
  assert_ok(gf__file_write(path, before, sizeof before - 1));
  if (run("--ranks 1..4") != 0) fail_msg("%s", said());
  text = said();
  assert_non_null(strstr(text, "250"));
  free(text);
  assert_ok(gf__file_read(path, &text, &size));
  assert_string_equal(text, kept);
  free(text);

  assert_ok(gf__file_write(path, damaged, sizeof damaged - 1));
  assert_int_equal(run("--ranks 1..4"), 1);
  text = said();
  snprintf(expected, sizeof expected, "%s:2: ", path);
  assert_non_null(strstr(text, expected));
  free(text);
  assert_ok(gf__file_read(path, &text, &size));
  assert_string_equal(text, damaged);
  free(text);
  assert_int_equal(remove(path), 0);
}

static void assert_refused(const char *more, const char *message) {
  assert_int_equal(run(more), 2);
  char *text = said(), expected[512];
  snprintf(expected, sizeof expected, "gradflow: %s\n", message);
  assert_string_equal(text, expected);
  free(text);
}

static void what_makes_no_sense_is_refused(void **state) {
  (void)state;
  assert_ok(gf__file_write(in_folder("net.yaml"), net_, sizeof net_ - 1));
  assert_refused("--ranks 8..4",
                 "--ranks 8..4: must be a number of ranks, or the least and the most of them, as "
                 "1..1024");
  assert_refused("--ranks many",
                 "--ranks many: must be a number of ranks, or the least and the most of them, as "
                 "1..1024");
  assert_refused(
      "--latency -1",
      "--latency must be a number from 0.001 to 1e+09, not '-1'; for example --latency 30");
  assert_refused(
      "--bandwidth x",
      "--bandwidth must be a number from 1e-06 to 1e+06, not 'x'; for example --bandwidth 1.1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_rank_waits_for_nobody),
      cmocka_unit_test(a_fast_network_is_hidden),
      cmocka_unit_test(buckets_go_one_after_another),
      cmocka_unit_test(a_whole_batch_is_as_slow_as_its_largest_part),
      cmocka_unit_test(folders_tell_the_classes),
      cmocka_unit_test(costs_are_those_of_the_network),
      cmocka_unit_test(the_program_prints_and_draws),
      cmocka_unit_test(what_was_measured_is_kept),
      cmocka_unit_test(what_makes_no_sense_is_refused),
  };
  return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
