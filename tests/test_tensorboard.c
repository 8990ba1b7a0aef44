/* Event files: their framing and checksums, their values, and those of runs that are stopped and go
 * on. What is written is read back by what the formats say (event_files.h), and by the Python
 * package tensorboard where GRADFLOW_PYTHON, or else python3, has it. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include "run/tensorboard.h"
#include "support/event_files.h"
#include "support/runs.h"
#include "support/test.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- checksums and frames ---- */

/* RFC 3720, B.4. */
static void checksums_are_those_of_the_rfc(void **state) {
  (void)state;
  static const unsigned char read_command[48] = {
      0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
      0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0};
  unsigned char bytes[4][32];
  static const uint32_t expected[] = {0x8a9136aa, 0x62a8ab43, 0x46dd794e, 0x113fdb5c};
  for (int i = 0; i < 32; i++) {
    bytes[0][i] = 0;
    bytes[1][i] = 0xff;
    bytes[2][i] = (unsigned char)i;
    bytes[3][i] = (unsigned char)(31 - i);
  }
  for (size_t i = 0; i < COUNT(expected); i++)
    assert_int_equal(gf__crc32c(bytes[i], 32), expected[i]);
  assert_int_equal(gf__crc32c(read_command, sizeof read_command), 0xd9963a56);
  assert_int_equal(gf__crc32c("", 0), 0);
}

/* The bytes of one event, by hand: time 1.5, step 300, "a" = 2. */
static void an_event_is_its_bytes(void **state) {
  (void)state;
  static const unsigned char event[] = {0x09, 0,    0,    0, 0,    0, 0,   0xf8, 0x3f, /* time */
                                        0x10, 0xac, 0x02,                              /* step */
                                        0x2a, 0x0a, 0x0a, 8, 0x0a, 1, 'a', 0x15, 0,    0, 0, 0x40};
  gf__text file = {0}, summary = {0};
  gf__summary_add_scalar(&summary, "a", 2);
  gf__events_add(&file, 1.5, 300, &summary);
  assert_ok(gf__text_status(&file));
  const unsigned char *p = (const unsigned char *)file.data;
  assert_int_equal(file.size, sizeof event + 16);
  assert_int_equal(little_endian(p, 8), sizeof event);
  assert_int_equal(little_endian(p + 8, 4), masked_checksum(p, 8));
  assert_memory_equal(p + 12, event, sizeof event);
  assert_int_equal(little_endian(p + 12 + sizeof event, 4), masked_checksum(event, sizeof event));
  assert_null(summary.data);
  gf__events_add(&file, 1.5, 301, &summary);
  assert_int_equal(file.size, sizeof event + 16);
  gf__text_free(&file);
}

/* ---- values ---- */

typedef struct histogram {
  double minimum, maximum, count, sum, squares;
  double limits[64], buckets[64];
  int bucket_count;
} histogram;

static int read_doubles(field f, double *out) {
  assert_int_equal(f.type, 2);
  assert_int_equal(f.size % 8, 0);
  assert_true(f.size <= 64 * 8);
  for (size_t i = 0; i < f.size / 8; i++) out[i] = double_of(little_endian(f.bytes + 8 * i, 8));
  return (int)(f.size / 8);
}

static histogram read_histogram(const event_value *v) {
  histogram h;
  double *numbers[] = {&h.minimum, &h.maximum, &h.count, &h.sum, &h.squares};
  assert_int_equal(v->kind, 5);
  for (int i = 0; i < 5; i++) {
    field f = find_field(v->message, v->size, i + 1);
    assert_int_equal(f.type, 1);
    *numbers[i] = double_of(f.bits);
  }
  h.bucket_count = read_doubles(find_field(v->message, v->size, 6), h.limits);
  assert_int_equal(read_doubles(find_field(v->message, v->size, 7), h.buckets), h.bucket_count);
  return h;
}

static event_file events_of(gf__text *summary) {
  gf__text file = {0};
  gf__events_begin(&file, 1);
  gf__events_add(&file, 2, 7, summary);
  assert_ok(gf__text_status(&file));
  return read_events(file.data, file.size);
}

/* The number of finite values above low and not above high, or from low on in the first bucket. */
static void check_histogram(const histogram *h, const float *values, int count) {
  double minimum = INFINITY, maximum = -INFINITY, sum = 0, squares = 0, finite = 0, counted = 0;
  for (int i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    minimum = fmin(minimum, (double)values[i]);
    maximum = fmax(maximum, (double)values[i]);
    sum += (double)values[i];
    squares += (double)values[i] * (double)values[i];
    finite++;
  }
  assert_true(h->minimum == minimum && h->maximum == maximum && h->count == finite);
  assert_true(h->sum == sum && h->squares == squares);
  assert_true(h->limits[h->bucket_count - 1] == maximum);
  for (int b = 0; b < h->bucket_count; b++) {
    double low = b ? h->limits[b - 1] : minimum, expected = 0;
    bool is_last = b + 1 == h->bucket_count;
    double limit = minimum + (maximum - minimum) * (b + 1) / h->bucket_count;
    if (!(fabs(h->limits[b] - limit) <= 1e-15 * (maximum - minimum)))
      fail_msg("limit %d: %g and not %g", b, h->limits[b], limit);
    for (int i = 0; i < count; i++)
      expected += isfinite(values[i]) && (double)values[i] >= low &&
                  ((double)values[i] < h->limits[b] || (is_last && (double)values[i] == maximum));
    if (!(h->buckets[b] == expected))
      fail_msg("bucket %d: %g values and not %g", b, h->buckets[b], expected);
    counted += h->buckets[b];
  }
  assert_true(counted == finite);
}

static void histograms_count_every_value(void **state) {
  (void)state;
  enum { VALUES = 1000 };
  /* Also of the size at which gradients have vanished. */
  static const float scales[] = {1, 1e-20f, 3e30f};
  for (size_t s = 0; s < COUNT(scales); s++) {
    float values[VALUES];
    uint32_t random = 9;
    for (int i = 0; i < VALUES; i++) values[i] = scales[s] * next_float(&random);
    values[3] = NAN;
    values[5] = INFINITY;
    values[7] = -INFINITY;
    gf__text summary = {0};
    gf__summary_add_histogram(&summary, "g", values, VALUES);
    event_file file = events_of(&summary);
    assert_int_equal(file.count, 1);
    assert_string_equal(file.values[0].tag, "g");
    assert_int_equal(file.values[0].step, 7);
    histogram h = read_histogram(&file.values[0]);
    assert_int_equal(h.bucket_count, 30);
    check_histogram(&h, values, VALUES);
    free_events(&file);
  }
}

static void equal_values_and_none_are_told_apart(void **state) {
  (void)state;
  static const float equal[3] = {0, 0, 0}, lost[2] = {NAN, INFINITY};
  gf__text summary = {0};
  gf__summary_add_histogram(&summary, "equal", equal, 3);
  gf__summary_add_histogram(&summary, "lost", lost, 2);
  gf__summary_add_histogram(&summary, "none", lost, 0);
  event_file file = events_of(&summary);
  assert_int_equal(file.count, 1);
  histogram h = read_histogram(&file.values[0]);
  assert_true(h.count == 3 && h.minimum == 0 && h.maximum == 0);
  for (int b = 0; b < h.bucket_count; b++) {
    assert_true(h.limits[b] == 0);
    assert_true(h.buckets[b] == (b + 1 == h.bucket_count ? 3 : 0));
  }
  free_events(&file);
}

static void only_png_files_are_images(void **state) {
  (void)state;
  /* Up to the end of its first chunk: 300 pixels wide, 2 high. */
  static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x2c\0\0\0\2\x08\2\0\0\0abcd";
  gf__text summary = {0};
  gf__summary_add_image(&summary, "short", png, 32);
  gf__summary_add_image(&summary, "jpeg", "\xff\xd8\xff\xe0 and so on, longer than a PNG's head",
                        42);
  gf__summary_add_image(&summary, "picture", png, sizeof png - 1);
  event_file file = events_of(&summary);
  assert_int_equal(file.count, 1);
  const event_value *v = &file.values[0];
  assert_string_equal(v->tag, "picture");
  assert_int_equal(v->kind, 4);
  assert_int_equal(find_field(v->message, v->size, 1).bits, 2);
  assert_int_equal(find_field(v->message, v->size, 2).bits, 300);
  assert_int_equal(find_field(v->message, v->size, 3).bits, 3);
  field content = find_field(v->message, v->size, 4);
  assert_int_equal(content.size, sizeof png - 1);
  assert_memory_equal(content.bytes, png, content.size);
  free_events(&file);
}

/* ---- runs ---- */

static const char network_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 4, stride: 2}, {type: batch_norm}, "
    "{type: relu}, {type: global_avg_pool}, {name: last, type: linear, outputs: 100}]}\n";
static const char on_[] = "logging: {tensorboard: true}\n";
static const char name_[] = "tensorboard/events.out.tfevents.0.gradflow";

enum { QUESTIONS = 2 * (BATCHES + 1) };

typedef struct stopper {
  int asked, stops_at;
} stopper;

static bool stop(void *user) {
  stopper *s = user;
  return ++s->asked == s->stops_at;
}

static gf_status run_part(const char *more, const char *out, int stops_at) {
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder(out));
  stopper s = {.stops_at = stops_at};
  gf_train_options options = {.out = path,
                              .resume = 1,
                              .events = {.user = &s, .stop = stop},
                              .checkpoint_steps = 4,
                              .keep_checkpoints = 2};
  gf_config *config = config_of(network_, more);
  assert_ok(gf_config_set(config, "train.gradients_every=4"));
  gf_status status = gf_train(fixture_device, config, &options);
  gf_config_free(&config);
  return status;
}

static event_file events_of_run(const char *run) {
  size_t size;
  char *bytes = read_text(run, name_, &size);
  return read_events(bytes, size);
}

/* But for the time, and for charts, whose titles name the run. */
static void assert_same_events(const char *run, const char *other) {
  event_file a = events_of_run(run), b = events_of_run(other);
  assert_int_equal(a.count, b.count);
  for (int i = 0; i < a.count; i++) {
    const event_value *x = &a.values[i], *y = &b.values[i];
    if (strcmp(x->tag, y->tag) != 0 || x->step != y->step)
      fail_msg("%s: %s at %ld and not %s at %ld", run, x->tag, x->step, y->tag, y->step);
    assert_true(x->scalar == y->scalar);
    if (strncmp(x->tag, "charts/", 7) == 0) continue;
    assert_int_equal(x->size, y->size);
    if (x->size) assert_memory_equal(x->message, y->message, x->size);
  }
  free_events(&a);
  free_events(&b);
}

/* The value of the tag at the step, which is there once. */
static const event_value *find(const event_file *file, const char *tag, long step) {
  const event_value *found = NULL;
  int count = 0;
  for (int i = 0; i < file->count; i++)
    if (!strcmp(file->values[i].tag, tag) && file->values[i].step == step)
      found = &file->values[i], count++;
  if (count != 1) fail_msg("%s stands %d times at step %ld", tag, count, step);
  return found;
}

static int count_tag(const event_file *file, const char *tag) {
  int count = 0;
  for (int i = 0; i < file->count; i++) count += !strcmp(file->values[i].tag, tag);
  return count;
}

static bool is_close(double a, double b) { return fabs(a - b) <= 1e-6 * fabs(b); }

static char *next_line(char *line) { return line + strcspn(line, "\n") + 1; }

/* Against metrics.csv, which has the mean over the images. */
static void check_epochs(const event_file *file) {
  size_t size;
  char *text = read_text("whole", "metrics.csv", &size), *line = next_line(text);
  for (int epoch = 1; epoch <= 2; epoch++, line = next_line(line)) {
    double rate, numbers[4], loss = 0, accuracy = 0;
    static const char *const tags[] = {"loss/train", "accuracy/train", "loss/validation",
                                       "accuracy/validation"};
    long last = (long)epoch * BATCHES;
    assert_int_equal(sscanf(line, "%*d,%lf,%lf,%lf,%lf,%lf", &rate, &numbers[0], &numbers[1],
                            &numbers[2], &numbers[3]),
                     5);
    assert_true(find(file, "epoch", last)->scalar == epoch);
    for (int i = 0; i < 4; i++)
      assert_true(is_close(find(file, tags[i], last)->scalar, numbers[i]));
    for (long step = last - BATCHES + 1; step <= last; step++) {
      double weight = (step < last ? BATCH : 35.0) / (RECORDS - VALIDATION);
      loss += weight * find(file, "loss/batch", step)->scalar;
      accuracy += weight * find(file, "accuracy/batch", step)->scalar;
      assert_true(is_close(find(file, "learning_rate", step)->scalar, rate));
    }
    assert_true(is_close(loss, numbers[0]));
    assert_true(fabs(accuracy - numbers[1]) <= 1e-6);
  }
  free(text);
}

/* Against gradients.csv, whose numbers a kernel has summed up. */
static void check_gradients(const event_file *file) {
  size_t size;
  int rows = 0;
  char *text = read_text("whole", "gradients.csv", &size);
  for (char *line = next_line(text); *line; line = strchr(line, '\n') + 1, rows++) {
    char parameter[64], tag[96];
    long step;
    double mean, l2, max;
    assert_int_equal(
        sscanf(line, "%*d,%ld,%*[^,],%63[^,],%lf,%lf,%lf", &step, parameter, &mean, &l2, &max), 5);
    snprintf(tag, sizeof tag, "mean_abs_gradient/%s", parameter);
    assert_true(fabs(find(file, tag, step)->scalar - mean) <= 1e-5 * mean);
    snprintf(tag, sizeof tag, "gradient/%s", parameter);
    histogram h = read_histogram(find(file, tag, step));
    double counted = 0;
    for (int b = 0; b < h.bucket_count; b++) counted += h.buckets[b];
    assert_true(h.count == counted);
    assert_true(h.maximum > h.minimum);
    assert_true(fabs(fmax(-h.minimum, h.maximum) - max) <= 1e-5 * max);
    assert_true(fabs(sqrt(h.squares) - l2) <= 1e-5 * l2);
    if (!strcmp(parameter, "conv.weight")) assert_true(h.count == 4 * 3 * 9);
    if (!strcmp(parameter, "last.bias")) assert_true(h.count == 100);
  }
  assert_int_equal(rows, 6 * 4); /* of steps 4, 5, 8 and 11: every 4, and the last whole batches */
  free(text);
}

static void a_run_records_what_its_tables_say(void **state) {
  (void)state;
  assert_ok(run_part(on_, "whole", 0));
  event_file file = events_of_run("whole");
  assert_int_equal(count_tag(&file, "loss/batch"), 2 * BATCHES);
  assert_int_equal(count_tag(&file, "loss/train"), 2);
  check_epochs(&file);
  check_gradients(&file);
  const event_value *chart = find(&file, "charts/gradient_flow", 2 * BATCHES);
  field content = find_field(chart->message, chart->size, 4);
  size_t size;
  char *png = read_text("whole", "gradient_flow.png", &size);
  assert_int_equal(content.size, size);
  assert_memory_equal(content.bytes, png, size);
  free(png);
  (void)find(&file, "charts/loss", 2 * BATCHES);
  for (int i = 1; i < file.count; i++) assert_true(file.values[i].time >= file.values[i - 1].time);
  free_events(&file);
}

static void without_the_key_there_are_none(void **state) {
  (void)state;
  assert_ok(run_part("", "off", 0));
  assert_false(gf__path_exists(in_folder("off/tensorboard")));
  assert_true(is_same("off", "whole", "last.safetensors"));
  assert_true(is_same("off", "whole", "gradients.csv"));
}

/* Whatever was written behind the last checkpoint is cut off, so that no step stands twice. */
static void a_stop_anywhere_changes_nothing(void **state) {
  (void)state;
  for (int at = 1; at <= QUESTIONS; at += 3) {
    char out[32];
    snprintf(out, sizeof out, "stop-%d", at);
    assert_int_equal(run_part(on_, out, at), GF_ERROR_INTERRUPTED);
    assert_ok(run_part(on_, out, 0));
    assert_same_events(out, "whole");
  }
}

/* ---- faults ---- */

static int fail_at_, seen_;

static gf_status fail_here(const char *step, const char *path) {
  if (!strstr(path, "tfevents") || ++seen_ != fail_at_) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "cannot %s %s: the disk is full", step, path);
}

static void a_full_disk_loses_no_event(void **state) {
  (void)state;
  int faults = 0;
  for (fail_at_ = 1;; fail_at_++, faults++) {
    char out[32];
    snprintf(out, sizeof out, "full-%d", fail_at_);
    seen_ = 0;
    gf__file_fault = fail_here;
    gf_status status = run_part(on_, out, 0);
    gf__file_fault = NULL;
    if (status == GF_OK) break;
    assert_non_null(strstr(gf_error_message(), "the disk is full"));
    assert_ok(run_part(on_, out, 0));
    assert_same_events(out, "whole");
  }
  assert_true(faults >= 6);
  print_message("%d steps on the event file\n", faults);
}

static void what_a_kill_has_left_is_cut_off(void **state) {
  (void)state;
  char torn[64];
  snprintf(torn, sizeof torn, "torn/%s", name_);
  assert_int_equal(run_part(on_, "torn", BATCHES + 4), GF_ERROR_INTERRUPTED);
  assert_ok(gf__file_append(in_folder(torn), "\x20\0\0\0half a record", 17));
  snprintf(torn, sizeof torn, "torn/%s.tmp.123", name_);
  assert_ok(gf__file_write(in_folder(torn), "torn", 4));
  assert_ok(run_part(on_, "torn", 0));
  assert_same_events("torn", "whole");
  assert_false(gf__path_exists(in_folder(torn)));
}

/* ---- changes of mind ---- */

static void it_can_be_turned_on_and_off_later(void **state) {
  (void)state;
  assert_int_equal(run_part("", "later", 4), GF_ERROR_INTERRUPTED);
  assert_int_equal(run_part(on_, "later", 5), GF_ERROR_INTERRUPTED);
  event_file file = events_of_run("later");
  assert_int_equal(count_tag(&file, "loss/batch"), BATCHES - 3);
  (void)find(&file, "loss/batch", 4);
  (void)find(&file, "loss/train", BATCHES);
  free_events(&file);
  assert_int_equal(run_part("", "later", 3), GF_ERROR_INTERRUPTED);
  assert_ok(run_part(on_, "later", 0));
  file = events_of_run("later");
  assert_int_equal(count_tag(&file, "loss/train"), 1);
  (void)find(&file, "loss/train", 2 * BATCHES);
  free_events(&file);
  assert_true(is_same("later", "whole", "last.safetensors"));
}

static void a_file_that_was_removed_begins_anew(void **state) {
  (void)state;
  assert_int_equal(run_part(on_, "removed", BATCHES + 3), GF_ERROR_INTERRUPTED);
  assert_ok(gf__remove_folder(in_folder("removed/tensorboard")));
  assert_ok(run_part(on_, "removed", 0));
  event_file file = events_of_run("removed");
  assert_int_equal(count_tag(&file, "loss/batch"), BATCHES - 1);
  free_events(&file);
}

static void a_file_that_was_changed_is_refused(void **state) {
  (void)state;
  size_t size;
  char message[512], path[64];
  assert_int_equal(run_part(on_, "edited", BATCHES + 3), GF_ERROR_INTERRUPTED);
  char *bytes = read_text("edited", name_, &size);
  snprintf(path, sizeof path, "edited/%s", name_);
  bytes[20] ^= 1;
  assert_ok(gf__file_write(in_folder(path), bytes, size));
  free(bytes);
  assert_int_equal(run_part(on_, "edited", 0), GF_ERROR_DATA);
  snprintf(message, sizeof message, "%s was changed: its first ", in_folder(path));
  assert_memory_equal(gf_error_message(), message, strlen(message));
}

static void a_key_that_is_none_is_named(void **state) {
  (void)state;
  assert_fails(GF_ERROR_CONFIG,
               "net:4:11: unknown key 'tensorbord' in logging; did you mean 'tensorboard'? known "
               "keys: tensorboard",
               run_part("logging: {tensorbord: true}\n", "never", 0));
  assert_false(gf__path_exists(in_folder("never")));
}

/* ---- what TensorBoard makes of them ---- */

static void tensorboard_reads_them(void **state) {
  (void)state;
  const char *path = getenv("GRADFLOW_PYTHON"), *python = path && *path ? path : "python3";
  char command[1024];
  snprintf(command, sizeof command, "'%s' -c 'import numpy, tensorboard' >/dev/null 2>&1", python);
  if (system(command) != 0) {
    print_message("skipped: %s has no tensorboard; GRADFLOW_PYTHON=PATH names another\n", python);
    skip();
  }
  snprintf(command, sizeof command, "'%s' '%s/tests/check_tensorboard.py' '%s' 2>&1", python,
           SOURCE_FOLDER, in_folder("whole"));
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(checksums_are_those_of_the_rfc),
      cmocka_unit_test(an_event_is_its_bytes),
      cmocka_unit_test(histograms_count_every_value),
      cmocka_unit_test(equal_values_and_none_are_told_apart),
      cmocka_unit_test(only_png_files_are_images),
      cmocka_unit_test(a_run_records_what_its_tables_say),
      cmocka_unit_test(without_the_key_there_are_none),
      cmocka_unit_test(a_stop_anywhere_changes_nothing),
      cmocka_unit_test(a_full_disk_loses_no_event),
      cmocka_unit_test(what_a_kill_has_left_is_cut_off),
      cmocka_unit_test(it_can_be_turned_on_and_off_later),
      cmocka_unit_test(a_file_that_was_removed_begins_anew),
      cmocka_unit_test(a_file_that_was_changed_is_refused),
      cmocka_unit_test(a_key_that_is_none_is_named),
      cmocka_unit_test(tensorboard_reads_them),
  };
  return cmocka_run_group_tests_name("tensorboard", tests, open_all, fixture_close);
}
