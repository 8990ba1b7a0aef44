#define _XOPEN_SOURCE 700

#include "support/runs.h"

#include "support/test.h"

gf_status write_records(const char *name, int count, uint32_t random) {
  gf__text file = {0};
  for (int i = 0; i < count; i++) {
    unsigned char record[2 + 3072] = {(unsigned char)(i % 20), (unsigned char)(i * 3 % CLASSES)};
    for (int k = 0; k < 3072; k++)
      record[2 + k] =
          (unsigned char)(128 + 50 * next_float(&random) + 70 * sin(i * 3 % CLASSES + k / 1024));
    gf__text_add_bytes(&file, record, sizeof record);
  }
  gf_status status = gf__text_status(&file);
  if (status == GF_OK) status = gf__file_write(in_folder(name), file.data, file.size);
  gf__text_free(&file);
  return status;
}

int open_all(void **state) {
  if (fixture_open(state) != 0) return -1;
  return write_records("train.bin", RECORDS, 1) == GF_OK &&
                 write_records("test.bin", TESTED, 2) == GF_OK
             ? 0
             : -1;
}

gf_config *config_of(const char *model, const char *more) {
  char yaml[2048];
  snprintf(yaml, sizeof yaml,
           "data: {name: cifar100, path: %s}\n"
           "train: {epochs: 2, batch_size: 50, seed: 5}\n%s%s",
           fixture_folder, model, more);
  return parse_config(yaml);
}

gf_status train_with(const gf_config *config, const char *out, const gf_train_events *events) {
  char path[256]; /* in_folder's own do not last as long as a run with callbacks */
  snprintf(path, sizeof path, "%s", in_folder(out));
  gf_train_options options = {.out = path, .keep_checkpoints = 2};
  if (events) options.events = *events;
  return gf_train(fixture_device, config, &options);
}

gf_status train(gf_config *config, const char *out, const gf_train_events *events) {
  gf_status status = train_with(config, out, events);
  gf_config_free(&config);
  return status;
}

gf_config *with_seed(gf_config *config, int seed) {
  char assignment[32];
  snprintf(assignment, sizeof assignment, "train.seed=%d", seed);
  assert_ok(gf_config_set(config, assignment));
  return config;
}

char *read_text(const char *run, const char *name, size_t *size) {
  char path[128], *text = NULL;
  snprintf(path, sizeof path, "%s/%s", run, name);
  assert_ok(gf__file_read(in_folder(path), &text, size));
  return text;
}

bool is_same_file(const char *a, const char *b) {
  char *x = NULL, *y = NULL;
  size_t size_a, size_b;
  assert_ok(gf__file_read(in_folder(a), &x, &size_a));
  assert_ok(gf__file_read(in_folder(b), &y, &size_b));
  bool same = size_a == size_b && memcmp(x, y, size_a) == 0;
  free(x), free(y);
  return same;
}

bool is_same(const char *run, const char *other, const char *name) {
  char a[128], b[128];
  snprintf(a, sizeof a, "%s/%s", run, name);
  snprintf(b, sizeof b, "%s/%s", other, name);
  return is_same_file(a, b);
}

void compare_run_csv(const char *run, const char *other, const char *name, double tolerance) {
  size_t size;
  int numbers = 0;
  char *text = read_text(run, name, &size), *expected = read_text(other, name, &size);
  for (const char *a = text, *b = expected; *a || *b;) {
    size_t m = strcspn(a, ",\n"), n = strcspn(b, ",\n");
    char *end;
    double x = strtod(a, &end), y = strtod(b, NULL);
    if (end != a + m || m == 0)
      assert_int_equal(m, n);
    else if (!(fabs(x - y) <= tolerance * fabs(y) + 1e-7) && !(isnan(x) && isnan(y)))
      fail_msg("%s: '%.*s' and should be '%.*s'", name, (int)m, a, (int)n, b);
    else
      numbers++;
    assert_int_equal(a[m], b[n]);
    a += m + (a[m] != 0);
    b += n + (b[n] != 0);
  }
  assert_true(numbers > 10);
  free(text), free(expected);
}
