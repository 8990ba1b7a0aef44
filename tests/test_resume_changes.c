/* Runs whose config, images or files have changed before they go on, and those of other versions.
 */
#include <sha256.h>

#include "data/dataset.h"
#include "model/safetensors.h"
#include "support/runs.h"
#include "support/test.h"
#include "support/warnings.h"

static const char stateful_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 4, stride: 2}, {type: batch_norm}, "
    "{type: relu}, {type: dropout, p: 0.3}, {type: global_avg_pool}, {type: linear, outputs: "
    "100}]}\n";

/* ---- runs ---- */

typedef struct stopper {
  int asked, stops_at;
} stopper;

static bool stop(void *user) {
  stopper *s = user;
  return ++s->asked == s->stops_at;
}

typedef struct part {
  int stops_at, resume, force;
} part;

static gf_status run_config(gf_config *config, const char *out, part p) {
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder(out));
  stopper s = {.stops_at = p.stops_at};
  gf_train_options options = gf_train_options_default();
  options.out = path;
  options.resume = p.resume;
  options.force = p.force;
  options.events = (gf_train_events){.user = &s, .stop = stop};
  keep_warnings(NULL);
  gf_status status = gf_train(fixture_device, config, &options);
  gf_log_to(NULL, NULL);
  gf_config_free(&config);
  return status;
}

static gf_status run_part(const char *more, const char *out, part p) {
  return run_config(config_of(stateful_, more), out, p);
}

/* In the second epoch after three batches; the newest checkpoint is number 1. */
static void stop_in_second(const char *out) {
  assert_int_equal(run_part("", out, (part){.stops_at = BATCHES + 4 + 1}), GF_ERROR_INTERRUPTED);
}

/* The run by its own config.yaml, as train --resume without a config. */
static gf_status resume_own(const char *out, int force) {
  gf_config *config;
  char path[128];
  snprintf(path, sizeof path, "%s/config.yaml", out);
  assert_ok(gf_config_load(&config, in_folder(path)));
  return run_config(config, out, (part){.resume = 1, .force = force});
}

/* The message after the folder's name, which it is checked to have. */
static const char *message_about(const char *out, const char *before) {
  char start[512];
  snprintf(start, sizeof start, "%s%s", before, in_folder(out));
  if (strncmp(gf_error_message(), start, strlen(start)) != 0)
    fail_msg("'%s' and not '%s...'", gf_error_message(), start);
  return gf_error_message() + strlen(start);
}

static void replace_text(const char *out, const char *name, const char *from, const char *to) {
  size_t size;
  char path[128], *text = read_text(out, name, &size), *at = strstr(text, from);
  gf__text changed = {0};
  assert_non_null(at);
  gf__text_add(&changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
  snprintf(path, sizeof path, "%s/%s", out, name);
  assert_ok(gf__file_write(in_folder(path), changed.data, changed.size));
  gf__text_free(&changed);
  free(text);
}

/* ---- the config ---- */

static const char advice_[] =
    "\nTo go on with it all the same, train --resume with --force; else choose another folder, "
    "--out";

static void an_edited_config_is_seen(void **state) {
  (void)state;
  char expected[512];
  assert_ok(run_part("", "whole", (part){0}));
  stop_in_second("edited");
  replace_text("edited", "config.yaml", "seed: 5\n", "seed: 6\n");
  replace_text("edited", "config.yaml", "learning_rate: 0.001\n", "learning_rate: 0.1\n");
  assert_int_equal(resume_own("edited", 0), GF_ERROR_CONFIG);
  snprintf(expected, sizeof expected,
           ":\n  optimizer.learning_rate: 0.1, was 0.001\n  train.seed: 6, was 5%s", advice_);
  assert_string_equal(message_about("edited", "the config is not that of the run in "), expected);
  replace_text("edited", "config.yaml", "seed: 6\n", "seed: 5\n");
  replace_text("edited", "config.yaml", "learning_rate: 0.1\n", "learning_rate: 0.001\n");
  assert_ok(resume_own("edited", 0));
  assert_true(is_same("edited", "whole", "last.safetensors"));
}

static void a_change_by_force_is_kept(void **state) {
  (void)state;
  stop_in_second("forced");
  replace_text("forced", "config.yaml", "learning_rate: 0.001\n", "learning_rate: 0.1\n");
  gf_config *config;
  assert_ok(gf_config_load(&config, in_folder("forced/config.yaml")));
  assert_int_equal(run_config(config, "forced", (part){.resume = 1, .force = 1, .stops_at = 2}),
                   GF_ERROR_INTERRUPTED);
  assert_non_null(strstr(kept_warnings,
                         "goes on by force, although the config is not that of the run:"
                         "\n  optimizer.learning_rate: 0.1, was 0.001\n"));
  assert_ok(resume_own("forced", 0));
  assert_false(is_same("forced", "whole", "last.safetensors"));
}

/* Without a stop after it either: what was forced is in a checkpoint before the first step. */
static void a_kill_after_force_needs_no_force(void **state) {
  (void)state;
  stop_in_second("killed");
  replace_text("killed", "config.yaml", "learning_rate: 0.001\n", "learning_rate: 0.1\n");
  gf_config *config;
  assert_ok(gf_config_load(&config, in_folder("killed/config.yaml")));
  assert_int_equal(run_config(config, "killed", (part){.resume = 1, .force = 1, .stops_at = 1}),
                   GF_ERROR_INTERRUPTED);
  /* The stop has written a checkpoint of its own; that before it is the one of the force. */
  assert_int_equal(remove(in_folder("killed/checkpoint_1.safetensors")), 0);
  assert_ok(resume_own("killed", 0));
}

/* ---- the size of batches ---- */

static void another_batch_size_goes_on_at_the_same_image(void **state) {
  (void)state;
  static const char larger[] = "train: {epochs: 2, batch_size: 200, seed: 5}\n";
  static const char smaller[] = "train: {epochs: 2, batch_size: 40, seed: 5}\n";
  static const char *const names[] = {"larger", "smaller"}, *const more[] = {larger, smaller};
  for (int i = 0; i < 2; i++) {
    size_t size;
    stop_in_second(names[i]);
    char *before = read_text(names[i], "config.yaml", &size);
    char yaml[2048];
    snprintf(yaml, sizeof yaml, "data: {name: cifar100, path: %s}\n%s%s", fixture_folder, more[i],
             stateful_);
    gf_config *config;
    assert_ok(gf_config_parse(&config, "test", yaml));
    assert_int_equal(run_config(config, names[i], (part){.resume = 1}), GF_ERROR_CONFIG);
    char *after = read_text(names[i], "config.yaml", &size);
    assert_string_equal(before, after);
    free(before), free(after);
    assert_ok(gf_config_parse(&config, "test", yaml));
    assert_ok(run_config(config, names[i], (part){.resume = 1, .force = 1}));
    gf_run_state state_now;
    assert_ok(gf_run_read_state(in_folder(names[i]), &state_now));
    assert_int_equal(state_now.status, GF_RUN_FINISHED);
    assert_int_equal(state_now.epochs_done, 2);
  }
}

/* 285 images: after 150 of them, 40 at a time, the batch in which they end has 10 left. */
static void the_rest_of_a_cut_batch_comes_first(void **state) {
  (void)state;
  gf_config *config = config_of(stateful_, "");
  gf_dataset *dataset;
  gf_loader *loader;
  gf_batch batch;
  assert_ok(gf_dataset_open(&dataset, config, GF_SPLIT_TRAIN));
  gf_loader_options options = gf_loader_options_default();
  options.batch_size = 50;
  options.seed = 5;
  options.training = true;
  assert_ok(gf_loader_open(&loader, dataset, &options));
  int order[RECORDS], all = 0;
  assert_ok(gf_loader_start(loader, 1, 0));
  while (gf_loader_next(loader, &batch) == GF_OK && batch.count)
    for (int i = 0; i < batch.count; i++) order[all++] = batch.labels[i];
  assert_int_equal(all, RECORDS - VALIDATION);
  gf_loader_free(&loader);
  options.batch_size = 40;
  assert_ok(gf_loader_open(&loader, dataset, &options));
  assert_ok(gf__loader_start_after(loader, 1, 150));
  static const int sizes[] = {10, 40, 40, 40, 5};
  int at = 150;
  for (size_t b = 0; b < sizeof sizes / sizeof *sizes; b++) {
    assert_ok(gf_loader_next(loader, &batch));
    assert_int_equal(batch.count, sizes[b]);
    assert_int_equal(batch.whole, sizes[b]);
    for (int i = 0; i < batch.count; i++) assert_int_equal(batch.labels[i], order[at + i]);
    at += batch.count;
  }
  assert_ok(gf_loader_next(loader, &batch));
  assert_int_equal(batch.count, 0);
  assert_fails(GF_ERROR_ARGUMENT,
               "an epoch has 285 images; the loader was asked to start past 286 of them",
               gf__loader_start_after(loader, 0, 286));
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
  gf_config_free(&config);
}

/* ---- the images ---- */

static void other_images_are_seen(void **state) {
  (void)state;
  char expected[512];
  stop_in_second("images");
  assert_ok(write_records("train.bin", RECORDS, 7)); /* others, with the same labels */
  assert_int_equal(resume_own("images", 0), GF_ERROR_CONFIG);
  snprintf(expected, sizeof expected,
           ":\n  training: as many images, 285, but others, or with other labels"
           "\n  validation: as many images, 15, but others, or with other labels%s",
           advice_);
  assert_string_equal(message_about("images", "the images are not those of the run in "), expected);
  assert_ok(write_records("train.bin", RECORDS + 60, 1)); /* and more of them */
  assert_int_equal(resume_own("images", 0), GF_ERROR_CONFIG);
  snprintf(expected, sizeof expected, ":\n  training: 345 images, were 285%s", "");
  assert_memory_equal(message_about("images", "the images are not those of the run in "), expected,
                      strlen(expected));
  assert_ok(resume_own("images", 1));
  assert_non_null(strstr(kept_warnings, "although the images are not those of the run:\n"));
  assert_ok(write_records("train.bin", RECORDS, 1));
}

static void digests_are_of_pixels_and_labels(void **state) {
  (void)state;
  gf__split_digest digests[4];
  for (int i = 0; i < 4; i++) {
    char *bytes;
    size_t size;
    gf_dataset *dataset;
    gf_config *config = config_of(stateful_, "");
    assert_ok(gf_config_set(config, "data.validation=0"));
    assert_ok(gf__file_read(in_folder("train.bin"), &bytes, &size));
    if (i == 1) bytes[size - 1] ^= 1; /* the last pixel */
    if (i == 2) bytes[1] ^= 1;        /* the first label */
    assert_ok(gf__file_write(in_folder("train.bin"), bytes, size));
    assert_ok(gf_dataset_open(&dataset, config, GF_SPLIT_TRAIN));
    assert_ok(gf__dataset_digest(dataset, &digests[i]));
    assert_int_equal(digests[i].count, RECORDS);
    if (i == 1) bytes[size - 1] ^= 1;
    if (i == 2) bytes[1] ^= 1;
    assert_ok(gf__file_write(in_folder("train.bin"), bytes, size));
    gf_dataset_free(&dataset);
    gf_config_free(&config);
    free(bytes);
  }
  assert_string_equal(digests[0].sha256, digests[3].sha256);
  assert_string_not_equal(digests[0].sha256, digests[1].sha256);
  assert_string_not_equal(digests[0].sha256, digests[2].sha256);
  assert_string_not_equal(digests[1].sha256, digests[2].sha256);
}

/* ---- damage ---- */

static size_t header_end(const char *bytes) {
  size_t length = 0;
  for (int i = 0; i < 8; i++) length |= (size_t)(unsigned char)bytes[i] << 8 * i;
  return 8 + length;
}

/* Every bit of every seventh byte of the header: either nothing that counts has changed, or the
 * checkpoint is refused. */
static void a_bit_of_the_header_is_not_lost_on_anybody(void **state) {
  (void)state;
  size_t size;
  stop_in_second("flipped");
  char *bytes = read_text("flipped", "checkpoint_1.safetensors", &size), *text;
  size_t end = header_end(bytes), refused = 0, tried = 0;
  for (size_t at = 0; at < end; at += 7, tried++) {
    bytes[at] ^= (char)(1 << at % 8);
    assert_ok(gf__file_write(in_folder("flipped/bit"), bytes, size));
    if (gf__safetensors_metadata(in_folder("flipped/bit"), &text) != GF_OK) refused++;
    free(text);
    bytes[at] ^= (char)(1 << at % 8);
  }
  remove(in_folder("flipped/bit"));
  assert_true(refused >= tried - 1); /* a space of the padding may become another one */
  free(bytes);
}

/* The newest checkpoint's tensors get other names, offsets or shapes. */
static void whatever_fails_in_the_newest_the_next_is_taken(void **state) {
  (void)state;
  static const char *const changes[][2] = {{"\"conv.weight\"", "\"conv.weighs\""},
                                           {"\"shape\":[4,3,3,3]", "\"shape\":[4,3,3,2]"},
                                           {"[0,432]", "[0,436]"}};
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    char out[32], path[64];
    size_t size;
    snprintf(out, sizeof out, "header-%zu", i);
    stop_in_second(out);
    char *bytes = read_text(out, "checkpoint_1.safetensors", &size), *at = NULL;
    size_t length = strlen(changes[i][0]);
    for (size_t k = 0; k + length < header_end(bytes) && !at; k++)
      if (!memcmp(bytes + k, changes[i][0], length)) at = bytes + k;
    assert_non_null(at);
    memcpy(at, changes[i][1], length);
    snprintf(path, sizeof path, "%s/checkpoint_1.safetensors", out);
    assert_ok(gf__file_write(in_folder(path), bytes, size));
    free(bytes);
    assert_ok(resume_own(out, 0));
    assert_non_null(strstr(kept_warnings, "checkpoint_1.safetensors is damaged: its SHA-256 is "));
    assert_non_null(
        strstr(kept_warnings, "the run goes on from an older checkpoint: epoch 2, batch 0\n"));
    assert_true(is_same(out, "whole", "last.safetensors"));
  }
}

/* Whole by its digest, and of another network. */
static void a_checkpoint_that_does_not_fit_gives_way(void **state) {
  (void)state;
  char *text;
  float value[2] = {1, 2};
  gf__named_tensor other = {
      .name = "other.weight", .dims = {2}, .dim_count = 1, .count = 2, .values = value};
  stop_in_second("unfit");
  const char *path = in_folder("unfit/checkpoint_1.safetensors");
  assert_ok(gf__safetensors_metadata(path, &text));
  assert_ok(gf__safetensors_write(path, &other, 1, text));
  free(text);
  assert_ok(resume_own("unfit", 0));
  assert_non_null(strstr(kept_warnings, "checkpoint_1.safetensors does not fit the network:\n"));
  assert_non_null(strstr(kept_warnings, "goes on from an older checkpoint: epoch 2, batch 0\n"));
  assert_true(is_same("unfit", "whole", "last.safetensors"));
}

/* ---- files that are gone ---- */

static void algorithms_that_are_gone_are_said_to_be(void **state) {
  (void)state;
  stop_in_second("chosen");
  assert_int_equal(remove(in_folder("chosen/algorithms.json")), 0);
  assert_ok(resume_own("chosen", 0));
  assert_non_null(strstr(kept_warnings,
                         "/chosen/algorithms.json is gone: the algorithms of the "
                         "convolutions are chosen anew"));
}

static void best_weights_that_are_gone_are_said_to_be(void **state) {
  (void)state;
  stop_in_second("best");
  assert_int_equal(remove(in_folder("best/best.safetensors")), 0);
  assert_ok(resume_own("best", 0));
  assert_non_null(strstr(kept_warnings,
                         "/best/best.safetensors is gone: the best weights so far are "
                         "lost, and the best of the epochs from here on will be there"));
  assert_true(gf__path_exists(in_folder("best/best.safetensors")));
}

/* ---- other versions ---- */

static void copy_old(const char *name) {
  char from[256], to[64], *bytes;
  size_t size;
  snprintf(from, sizeof from, SOURCE_FOLDER "/tests/old_stopped_run/%s", name);
  snprintf(to, sizeof to, "old/%s", name);
  assert_ok(gf__file_read(from, &bytes, &size));
  assert_ok(gf__file_write(in_folder(to), bytes, size));
  free(bytes);
}

/* Of commit 97a23f8: keys and tensors had other names, positions no images, checkpoints no config.
 */
static void a_run_of_an_older_version_goes_on(void **state) {
  (void)state;
  static const char now[] =
      "model: {auxiliaries: [relu_1], graph: [{name: conv, type: conv2d, filters: 4, stride: 2}, "
      "{type: batch_norm}, {name: relu_1, type: relu}, {type: dropout, p: 0.3}, "
      "{type: global_avg_pool}, {type: linear, outputs: 100}]}\n";
  static const char *const files[] = {
      "activations.csv", "algorithms.json",  "best.safetensors", "checkpoint_0.safetensors",
      "config.yaml",     "environment.json", "gradients.csv",    "last.safetensors",
      "metrics.csv",     "timing.csv"};
  assert_ok(gf__make_folder(in_folder("old")));
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) copy_old(files[i]);
  gf_config *config = config_of(now, "");
  assert_ok(gf_config_set(config, "train.gradients_every=4"));
  assert_ok(gf_config_set(config, "model.tune=off"));
  assert_ok(run_config(config, "old", (part){.resume = 1}));
  assert_non_null(strstr(kept_warnings, "gradflow 97a23f8a2790) and continues on "));
  config = config_of(now, "");
  assert_ok(gf_config_set(config, "train.gradients_every=4"));
  assert_ok(gf_config_set(config, "model.tune=off"));
  assert_ok(run_config(config, "old-whole", (part){0}));
  gf_run_state old, whole;
  assert_ok(gf_run_read_state(in_folder("old"), &old));
  assert_ok(gf_run_read_state(in_folder("old-whole"), &whole));
  assert_int_equal(old.status, GF_RUN_FINISHED);
  assert_int_equal(old.epochs_done, 2);
  assert_true(fabs(old.last.train_loss - whole.last.train_loss) < 1e-4);
  assert_true(fabs(old.last.validation_loss - whole.last.validation_loss) < 1e-4);
}

static void a_checkpoint_of_a_newer_version_is_named(void **state) {
  (void)state;
  char *text, message[512];
  float value[2] = {1, 2};
  gf__named_tensor tensor = {
      .name = "a.weight", .dims = {2}, .dim_count = 1, .count = 2, .values = value};
  stop_in_second("newer");
  const char *path = in_folder("newer/checkpoint_1.safetensors");
  assert_ok(gf__safetensors_metadata(path, &text));
  char *format = strstr(text, "\"format\":2");
  assert_non_null(format);
  format[strlen("\"format\":")] = '3';
  assert_ok(gf__safetensors_write(path, &tensor, 1, text));
  free(text);
  snprintf(message, sizeof message,
           "%s has format 3, and this gradflow (%s) knows formats up to 2: a newer version has "
           "written it; go on with that one\n",
           in_folder("newer/checkpoint_1.safetensors"), gf_versions_get().program);
  assert_ok(resume_own("newer", 0));
  assert_non_null(strstr(kept_warnings, message));
}

/* ---- the end of a stop ---- */

typedef struct end {
  int asked, ended;
  bool has_checkpoint, has_pictures; /* as it was reported */
} end;

static bool stop_soon(void *user) { return ++((end *)user)->asked == BATCHES + 4; }

static void note_end(void *user, gf_status status, const char *message) {
  end *e = user;
  e->ended++;
  assert_int_equal(status, GF_ERROR_INTERRUPTED);
  assert_memory_equal(message, "stopped in epoch 2 of 2 after batch ", 36);
  e->has_checkpoint = gf__path_exists(in_folder("reported/checkpoint_1.safetensors"));
  e->has_pictures = gf__path_exists(in_folder("reported/loss.png"));
}

/* Whoever asked may kill before they are drawn. */
static void a_stop_is_reported_before_the_pictures(void **state) {
  (void)state;
  end e = {0};
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder("reported"));
  gf_config *config = config_of(stateful_, "");
  gf_train_options options = gf_train_options_default();
  options.out = path;
  options.events = (gf_train_events){.user = &e, .stop = stop_soon, .ended = note_end};
  assert_int_equal(gf_train(fixture_device, config, &options), GF_ERROR_INTERRUPTED);
  gf_config_free(&config);
  assert_int_equal(e.ended, 1);
  assert_true(e.has_checkpoint);
  assert_false(e.has_pictures);
  assert_true(gf__path_exists(in_folder("reported/loss.png")));
}

/* ---- weights ---- */

static void a_test_names_the_weights(void **state) {
  (void)state;
  gf_test_result result;
  char digest[65];
  keep_warnings(NULL);
  assert_ok(gf_test(fixture_device, in_folder("whole"), &result));
  assert_string_equal(result.weights, "best.safetensors");
  assert_non_null(SHA256File(in_folder("whole/best.safetensors"), digest));
  assert_string_equal(result.weights_sha256, digest);
  assert_string_equal(kept_warnings, "");
  gf_test_result_free(&result);
  assert_int_equal(remove(in_folder("whole/best.safetensors")), 0);
  assert_ok(gf_test(fixture_device, in_folder("whole"), &result));
  gf_log_to(NULL, NULL);
  assert_string_equal(result.weights, "last.safetensors");
  assert_non_null(SHA256File(in_folder("whole/last.safetensors"), digest));
  assert_string_equal(result.weights_sha256, digest);
  assert_non_null(strstr(kept_warnings,
                         "/whole/best.safetensors, of epoch 1, is gone: the run's last "
                         "weights are taken"));
  gf_test_result_free(&result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_edited_config_is_seen),
      cmocka_unit_test(a_change_by_force_is_kept),
      cmocka_unit_test(a_kill_after_force_needs_no_force),
      cmocka_unit_test(another_batch_size_goes_on_at_the_same_image),
      cmocka_unit_test(the_rest_of_a_cut_batch_comes_first),
      cmocka_unit_test(other_images_are_seen),
      cmocka_unit_test(digests_are_of_pixels_and_labels),
      cmocka_unit_test(a_bit_of_the_header_is_not_lost_on_anybody),
      cmocka_unit_test(whatever_fails_in_the_newest_the_next_is_taken),
      cmocka_unit_test(a_checkpoint_that_does_not_fit_gives_way),
      cmocka_unit_test(algorithms_that_are_gone_are_said_to_be),
      cmocka_unit_test(best_weights_that_are_gone_are_said_to_be),
      cmocka_unit_test(a_run_of_an_older_version_goes_on),
      cmocka_unit_test(a_checkpoint_of_a_newer_version_is_named),
      cmocka_unit_test(a_stop_is_reported_before_the_pictures),
      cmocka_unit_test(a_test_names_the_weights),
  };
  return cmocka_run_group_tests_name("resume_changes", tests, open_all, fixture_close);
}
