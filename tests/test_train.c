/* Runs: what a run folder holds and that it is what the loop of the documentation
 * gives, determinism, stops and failures, and gf_test. */
#define _XOPEN_SOURCE 700 /* mkdtemp, getrlimit */

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

#include <jansson.h>

#include <gradflow/data.h>
#include <gradflow/diagnosis.h>
#include <gradflow/train.h>

#include "base/text.h"
#include "device/device.h"
#include "support/runs.h"
#include "support/test.h"

static const char family_[] =
    "model: {family: vgg_stages, stages: 1, blocks_per_stage: 0, filters: 4}\n";
static const char dropout_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 4, stride: 2}, {type: relu}, "
    "{type: dropout, p: 0.3}, {type: global_avg_pool}, {type: linear, outputs: 100}]}\n";

/* ---- determinism ---- */

static void check_determinism(const char *model, const char *prefix) {
  char a[32], b[32], c[32];
  snprintf(a, sizeof a, "%s-a", prefix);
  snprintf(b, sizeof b, "%s-b", prefix);
  snprintf(c, sizeof c, "%s-c", prefix);
  assert_ok(train(config_of(model, ""), a, NULL));
  assert_ok(train(config_of(model, ""), b, NULL));
  assert_ok(train(with_seed(config_of(model, ""), 6), c, NULL));
  assert_true(is_same(a, b, "last.safetensors"));
  assert_true(is_same(a, b, "best.safetensors"));
  assert_true(is_same(a, b, "gradients.csv"));
  assert_true(is_same(a, b, "config.yaml"));
  assert_false(is_same(a, c, "last.safetensors"));
  assert_false(is_same(a, c, "gradients.csv"));
  assert_true(is_same(a, b, "metrics.csv"));
  assert_false(is_same(a, c, "metrics.csv"));
}

static void one_seed_gives_one_run(void **state) {
  (void)state;
  check_determinism(family_, "family");
}

static void dropout_is_repeated_too(void **state) {
  (void)state;
  check_determinism(dropout_, "dropout");
}

/* Two epochs of dropout's masks: without it, other numbers. */
static void dropout_has_an_effect(void **state) {
  (void)state;
  gf_config *config = config_of(dropout_, "");
  assert_ok(gf_config_set(config, "model.graph.2.p=0"));
  assert_ok(train(config, "dropout-none", NULL));
  assert_false(is_same("dropout-a", "dropout-none", "last.safetensors"));
}

/* ---- the loop ---- */

static double rate_of(int epoch) { return ref_cosine(1e-3, 2e-5, epoch, 2); }

typedef struct loop {
  gf_dataset *train, *validation;
  gf_loader *train_loader, *validation_loader;
  gf_model *model;
  gf_trainer *trainer;
  gf__text metrics, gradients; /* as the run should have them, without times */
  double accuracies[2];        /* of validation */
} loop;

static void open_loop(loop *l, const gf_config *config) {
  gf_loader_options training = {
      .batch_size = BATCH, .threads = 1, .seed = 5, .training = 1, .to = 1};
  gf_loader_options checking = {.batch_size = 4, .threads = 1, .to = 1};
  *l = (loop){0};
  assert_ok(gf_dataset_open(&l->train, config, GF_SPLIT_TRAIN));
  assert_ok(gf_dataset_open(&l->validation, config, GF_SPLIT_VALIDATION));
  assert_int_equal(gf_dataset_describe(l->train).count, RECORDS - VALIDATION);
  assert_int_equal(gf_dataset_describe(l->validation).count, VALIDATION);
  assert_ok(gf_loader_open(&l->train_loader, l->train, &training));
  assert_ok(gf_loader_open(&l->validation_loader, l->validation, &checking));
  assert_ok(gf_model_open(&l->model, fixture_device, config, (gf_image_shape){32, 32, 3}, CLASSES,
                          BATCH, 5));
  assert_ok(gf_trainer_open(&l->trainer, l->model, config));
}

static void close_loop(loop *l) {
  gf_trainer_free(&l->trainer);
  gf_model_free(&l->model);
  gf_loader_free(&l->train_loader);
  gf_loader_free(&l->validation_loader);
  gf_dataset_free(&l->train);
  gf_dataset_free(&l->validation);
  gf__text_free(&l->metrics);
  gf__text_free(&l->gradients);
}

/* The batches of an epoch with all their images: statistics are of the last of these. */
enum { WHOLE_BATCHES = BATCHES - 1, TRAINED = RECORDS - VALIDATION };

static void add_gradients(loop *l, int epoch, const gf_gradient_stats *rows) {
  for (int i = 0; i < gf_trainer_gradient_count(l->trainer); i++)
    gf__text_add(&l->gradients, "%d,%d,%s,%s,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g\n", epoch + 1,
                 epoch * BATCHES + WHOLE_BATCHES, rows[i].layer, rows[i].parameter,
                 rows[i].mean_abs, rows[i].l2, rows[i].max_abs, rows[i].zeros, rows[i].update_ratio,
                 rows[i].weight_l2);
}

/* Adds the images of a batch to those that were taken for each class. */
static void count_predictions(loop *l, int count, int predicted[CLASSES]) {
  float logits[4 * CLASSES];
  assert_true(count <= 4);
  assert_ok(gf_model_logits(l->model, logits));
  for (int i = 0; i < count; i++) {
    int best = 0;
    for (int c = 0; c < CLASSES; c++)
      if (logits[i * CLASSES + c] > logits[i * CLASSES + best]) best = c;
    predicted[best]++;
  }
}

/* Loss and accuracy of an epoch are means over the images, each as it was trained. */
static void loop_epoch(loop *l, int epoch) {
  gf_batch batch;
  gf_loss loss;
  gf_gradient_stats rows[16];
  double losses = 0, accuracies = 0, validation_losses = 0, correct = 0;
  int predicted[CLASSES] = {0}, classes = 0, most = 0;
  assert_true(gf_trainer_gradient_count(l->trainer) <= 16);
  assert_ok(gf_loader_start(l->train_loader, epoch, 0));
  for (int b = 0; b < BATCHES; b++) {
    assert_ok(gf_loader_next(l->train_loader, &batch));
    assert_int_equal(batch.count, b < 5 ? BATCH : 35);
    assert_ok(gf_trainer_step(l->trainer, batch.images, batch.labels, batch.count, rate_of(epoch),
                              &loss, rows));
    losses += loss.loss * batch.count / TRAINED;
    accuracies += (double)loss.correct / TRAINED;
    if (b + 1 == WHOLE_BATCHES) add_gradients(l, epoch, rows);
  }
  assert_ok(gf_loader_start(l->validation_loader, 0, 0));
  for (;;) {
    assert_ok(gf_loader_next(l->validation_loader, &batch));
    if (batch.count == 0) break;
    assert_ok(gf_model_forward(l->model, batch.images, batch.labels, batch.count, 0, &loss));
    validation_losses += loss.loss * batch.count / VALIDATION;
    correct += loss.correct;
    count_predictions(l, batch.count, predicted);
  }
  for (int c = 0; c < CLASSES; c++) {
    classes += predicted[c] > 0;
    if (predicted[c] > most) most = predicted[c];
  }
  l->accuracies[epoch] = correct / VALIDATION;
  gf__text_add(&l->metrics, "%d,%.9g,%.9g,%.9g,%.9g,%.9g,%d,%.9g\n", epoch + 1, rate_of(epoch),
               losses, accuracies, validation_losses, l->accuracies[epoch], classes,
               (double)most / VALIDATION);
}

/* Numbers of two CSVs, which may differ in their last digits. */
static void compare_csv(const char *text, const char *expected) {
  for (const char *a = text, *b = expected; *a || *b;) {
    size_t m = strcspn(a, ",\n"), n = strcspn(b, ",\n");
    char *end;
    double x = strtod(a, &end), y = strtod(b, NULL);
    bool is_number = end == a + m && m > 0;
    if (is_number ? !(fabs(x - y) <= 1e-6 * fabs(y)) && !(isnan(x) && isnan(y))
                  : m != n || memcmp(a, b, n) != 0)
      fail_msg("'%.*s' and should be '%.*s'", (int)m, a, (int)n, b);
    assert_int_equal(a[m], b[n]);
    a += m + (a[m] != 0);
    b += n + (b[n] != 0);
  }
}

static void a_run_is_the_loop_of_its_parts(void **state) {
  (void)state;
  loop l;
  gf_config *config = config_of(family_, "");
  open_loop(&l, config);
  gf__text_add(&l.metrics,
               "epoch,learning_rate,train_loss,train_accuracy,validation_loss,"
               "validation_accuracy,predicted_classes,most_predicted\n");
  gf__text_add(&l.gradients,
               "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio,weight_l2\n");
  int best = 0;
  for (int epoch = 0; epoch < 2; epoch++) {
    loop_epoch(&l, epoch);
    if (epoch == 1 && l.accuracies[1] > l.accuracies[0]) best = 1;
    if (best == epoch) assert_ok(gf_model_save(l.model, in_folder("loop-best.safetensors")));
  }
  assert_ok(gf_model_save(l.model, in_folder("loop-last.safetensors")));
  size_t size;
  char *metrics = read_text("family-a", "metrics.csv", &size);
  char *gradients = read_text("family-a", "gradients.csv", &size);
  compare_csv(metrics, l.metrics.data);
  compare_csv(gradients, l.gradients.data);
  assert_true(is_same_file("family-a/last.safetensors", "loop-last.safetensors"));
  assert_true(is_same_file("family-a/best.safetensors", "loop-best.safetensors"));
  free(metrics), free(gradients);
  close_loop(&l);
  gf_config_free(&config);
}

/* ---- the last batch of an epoch is smaller ---- */

/* 101 of 106 images are trained, 100 and 1 a step; at a rate of 0 every epoch sees the same
 * network, so its loss and accuracy are the same whichever image is the one that is left over. */
static void a_smaller_last_batch_counts_by_its_images(void **state) {
  (void)state;
  enum { FILES = 106, LEFT = 5, EPOCHS = 3 };
  assert_ok(gf__make_folder(in_folder("left-over")));
  assert_ok(write_records("left-over/train.bin", FILES, 1));
  assert_ok(write_records("left-over/test.bin", LEFT, 2));
  char path[256], assignment[300];
  snprintf(path, sizeof path, "%s", in_folder("left-over"));
  snprintf(assignment, sizeof assignment, "data.path=%s", path);
  gf_config *config = config_of(family_,
                                "optimizer: {name: sgd, learning_rate: 0, momentum: 0}\n"
                                "schedule: {name: constant}\n");
  assert_ok(gf_config_set(config, assignment));
  assert_ok(gf_config_set(config, "model.norm=none")); /* its statistics depend on the batch */
  assert_ok(gf_config_set(config, "data.crop_padding=0"));
  assert_ok(gf_config_set(config, "data.flip=false"));
  assert_ok(gf_config_set(config, "train.batch_size=100"));
  assert_ok(gf_config_set(config, "train.epochs=3"));
  assert_ok(gf_config_set(config, "train.gradients_every=2")); /* each of them a batch of one */
  assert_ok(train(config, "one-left", NULL));
  size_t size;
  char *metrics = read_text("one-left", "metrics.csv", &size), *line = metrics;
  double first_loss = 0, first_accuracy = 0;
  for (int epoch = 1; epoch <= EPOCHS; epoch++) {
    double loss, accuracy;
    line += strcspn(line, "\n") + 1;
    assert_int_equal(sscanf(line, "%*d,%*f,%lf,%lf", &loss, &accuracy), 2);
    if (epoch == 1) first_loss = loss, first_accuracy = accuracy;
    double correct = accuracy * 101;
    assert_true(fabs(correct - round(correct)) <= 1e-6);
    assert_true(fabs(loss - first_loss) <= 1e-6 * first_loss);
    assert_true(fabs(accuracy - first_accuracy) <= 1e-9);
  }
  free(metrics);
  /* Records are of the batch of 100, the first of each two steps. */
  static const char *const files[] = {"gradients.csv", "activations.csv"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char *rows = read_text("one-left", files[i], &size);
    int count = 0;
    for (line = rows + strcspn(rows, "\n") + 1; *line; line += strcspn(line, "\n") + 1, count++) {
      int epoch, step;
      assert_int_equal(sscanf(line, "%d,%d,", &epoch, &step), 2);
      assert_int_equal(step, 2 * epoch - 1);
    }
    assert_true(count >= EPOCHS);
    free(rows);
  }
}

/* ---- the folder ---- */

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "a b c", sorted. */
static void list_folder(const char *name, char *out, size_t size) {
  char *names[64];
  int count = 0;
  DIR *folder = opendir(in_folder(name));
  assert_non_null(folder);
  for (struct dirent *entry; (entry = readdir(folder)) && count < 64;)
    if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
  closedir(folder);
  qsort(names, (size_t)count, sizeof *names, by_name);
  *out = 0;
  for (int i = 0; i < count; i++) {
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", i ? " " : "", names[i]);
    free(names[i]);
  }
}

static void a_run_leaves_these_files(void **state) {
  (void)state;
  char names[1024];
  size_t size;
  list_folder("family-a", names, sizeof names);
  assert_string_equal(
      names,
      "accuracy.png activation_heat_map.png activations.csv activations.png "
      "algorithms.json best.safetensors checkpoint_0.safetensors "
      "checkpoint_1.safetensors config.yaml data.json early_steps.csv environment.json "
      "gradient_flow.png "
      "gradient_flow_linear.png gradient_heat_map.png gradient_layers.png "
      "gradients.csv last.safetensors loss.png metrics.csv network.json result.json run.json "
      "signal_flow.png "
      "timing.csv update_ratio.png");
  static const struct {
    const char *name, *header;
  } csvs[] = {{"metrics.csv",
               "epoch,learning_rate,train_loss,train_accuracy,validation_loss,"
               "validation_accuracy,predicted_classes,most_predicted\n"},
              {"timing.csv", "epoch,seconds,images_per_second\n"},
              {"activations.csv", "epoch,step,layer,mean,deviation,dead,contrast\n"},
              {"early_steps.csv", "step,layer,rms,contrast,dead,mean_abs,loss\n"}};
  for (size_t i = 0; i < sizeof csvs / sizeof *csvs; i++) {
    char *text = read_text("family-a", csvs[i].name, &size);
    assert_memory_equal(text, csvs[i].header, strlen(csvs[i].header));
    free(text);
  }
}

static void the_environment_is_json(void **state) {
  (void)state;
  size_t size;
  char *text = read_text("family-a", "environment.json", &size);
  json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(json);
  const gf_device_info *info = gf_device_describe(fixture_device);
  const json_t *device = json_object_get(json, "device");
  assert_string_equal(json_string_value(json_object_get(device, "name")), info->name);
  assert_string_equal(json_string_value(json_object_get(device, "driver")), info->driver);
  assert_int_equal(json_integer_value(json_object_get(device, "memory")), info->memory);
  assert_string_equal(json_string_value(json_object_get(json, "gradflow")),
                      gf_versions_get().program);
  assert_string_equal(json_string_value(json_object_get(json, "commit")), gf_versions_get().commit);
  const char *started = json_string_value(json_object_get(json, "started"));
  int year, month, day, hour, minute, second, length = 0;
  assert_non_null(started);
  assert_int_equal(sscanf(started, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour,
                          &minute, &second, &length),
                   6);
  assert_int_equal(length, 20);
  assert_true(json_integer_value(json_object_get(json, "host_cpus")) >= 1);
  json_decref(json);
  free(text);
}

static void the_resolved_config_gives_the_same_run(void **state) {
  (void)state;
  static const char *const runs[] = {"family-a", "dropout-a"};
  for (int i = 0; i < 2; i++) {
    char path[128], out[32];
    snprintf(path, sizeof path, "%s/config.yaml", runs[i]);
    snprintf(out, sizeof out, "again-%d", i);
    gf_config *config = NULL;
    assert_ok(gf_config_load(&config, in_folder(path)));
    assert_ok(train(config, out, NULL));
    assert_true(is_same(runs[i], out, "config.yaml"));
    assert_true(is_same(runs[i], out, "last.safetensors"));
  }
}

/* ---- existing folders ---- */

static void write_text(const char *name, const char *text) {
  assert_ok(gf__file_write(in_folder(name), text, strlen(text)));
}

static gf_status train_over(const char *out, int overwrite) {
  gf_config *config = config_of(dropout_, "");
  gf_train_options options = {.out = in_folder(out), .overwrite = overwrite, .keep_checkpoints = 2};
  gf_status status = gf_train(fixture_device, config, &options);
  gf_config_free(&config);
  return status;
}

static void existing_folders_are_left_alone(void **state) {
  (void)state;
  char message[512], names[256];
  assert_ok(gf__make_folder(in_folder("thesis")));
  write_text("thesis/chapter1.txt", "years of work");
  snprintf(message, sizeof message,
           "%s exists; choose another --out, or replace it with --overwrite", in_folder("thesis"));
  assert_fails(GF_ERROR_FILE, message, train_over("thesis", 0));
  snprintf(message, sizeof message,
           "%s is not the folder of a run (it has no config.yaml), so it is not replaced",
           in_folder("thesis"));
  assert_fails(GF_ERROR_FILE, message, train_over("thesis", 1));
  list_folder("thesis", names, sizeof names);
  assert_string_equal(names, "chapter1.txt");
  /* A run, too, unless that is asked for. */
  write_text("dropout-b/note.txt", "mine");
  snprintf(message, sizeof message,
           "%s exists; choose another --out, or replace it with --overwrite",
           in_folder("dropout-b"));
  assert_fails(GF_ERROR_FILE, message, train_over("dropout-b", 0));
  assert_true(gf__path_exists(in_folder("dropout-b/note.txt")));
  char note[256];
  snprintf(note, sizeof note, "%s", in_folder("dropout-b/note.txt"));
  snprintf(message, sizeof message,
           "%s is not a file that a run writes, so %s is not replaced; move it away, or choose "
           "another --out",
           note, in_folder("dropout-b"));
  assert_fails(GF_ERROR_FILE, message, train_over("dropout-b", 1));
  assert_int_equal(remove(note), 0);
  assert_ok(train_over("dropout-b", 1));
  assert_true(is_same("dropout-a", "dropout-b", "last.safetensors"));
}

/* What is wrong with a config is found before an old run is removed. */
static void a_wrong_config_replaces_nothing(void **state) {
  (void)state;
  gf_config *config = config_of(family_, "optimizer: {learning_rat: 1}\n");
  gf_train_options options = {.out = in_folder("dropout-c"), .overwrite = 1, .keep_checkpoints = 2};
  assert_fails(GF_ERROR_CONFIG,
               "net:4:13: unknown key 'learning_rat' in optimizer; did you mean 'learning_rate'? "
               "known keys: name, learning_rate, weight_decay, clip_norm, clip_value, beta1, "
               "beta2, eps",
               gf_train(fixture_device, config, &options));
  gf_config_free(&config);
  assert_true(gf__path_exists(in_folder("dropout-c/last.safetensors")));
  config = config_of(family_, "trian: {epochs: 3}\n");
  assert_fails(GF_ERROR_CONFIG,
               "net:4:1: unknown key 'trian'; did you mean 'train'? known keys: data, model, "
               "train, optimizer, schedule, logging",
               train(config, "never", NULL));
  assert_false(gf__path_exists(in_folder("never")));
}

static void folders_that_cannot_be_made_are_named(void **state) {
  (void)state;
  char message[512];
  snprintf(message, sizeof message, "cannot create the folder %s: File exists",
           in_folder("train.bin"));
  assert_fails(GF_ERROR_FILE, message, train(config_of(dropout_, ""), "train.bin/run", NULL));
}

/* ---- events ---- */

typedef struct witness {
  int stops_at, asked;                   /* the question that is answered with yes; 0: none */
  int prepared, trained, validated, bad; /* ends of phases; reports that make no sense */
  gf_epoch epochs[2];
  int epoch_count, step_count;
  double step_losses; /* summed over the images of the epoch */
  gf__text written;   /* the pictures' names, a line each */
} witness;

static bool stop(void *user) {
  witness *w = user;
  return ++w->asked == w->stops_at;
}

static void see_progress(void *user, const gf_progress *p) {
  witness *w = user;
  if (strcmp(p->phase, "prepare") == 0) {
    w->prepared++;
    w->bad += p->epoch != 0 || p->epochs != 2 || w->trained > 0 || !isnan(p->loss);
    return;
  }
  bool trains = strcmp(p->phase, "train") == 0;
  w->bad += !trains && strcmp(p->phase, "validate") != 0;
  w->bad += p->epoch < 1 || p->epoch > p->epochs || p->epochs != 2;
  w->bad += p->batch < 1 || p->batch > p->batches || p->batches != (trains ? BATCHES : 1);
  w->bad += !(p->loss > 0 && p->loss < 100) || !(p->accuracy >= 0 && p->accuracy <= 1);
  w->bad += !(p->images_per_second > 0) || !(p->seconds_left >= 0);
  if (p->batch == p->batches) *(trains ? &w->trained : &w->validated) += 1;
}

static void see_epoch(void *user, const gf_epoch *e) {
  witness *w = user;
  if (w->epoch_count < 2) w->epochs[w->epoch_count] = *e;
  if (w->step_count) w->bad += !(fabs(w->step_losses / TRAINED - e->train_loss) <= 1e-12);
  w->step_losses = 0;
  w->epoch_count++;
}

/* In order, and before the end of their epoch. */
static void see_step(void *user, const gf_step_event *s) {
  witness *w = user;
  w->step_count++;
  w->bad += s->step != w->step_count || s->epoch != (w->step_count - 1) / BATCHES + 1;
  w->bad += s->epoch != w->epoch_count + 1 || !(s->accuracy >= 0 && s->accuracy <= 1);
  w->bad += !(s->learning_rate > 0 && s->learning_rate <= 1e-3);
  w->step_losses += s->loss * (w->step_count % BATCHES ? BATCH : 35);
}

static void see_written(void *user, const char *path) {
  witness *w = user;
  gf__text_add(&w->written, "%s\n", strrchr(path, '/') + 1);
}

static void events_tell_what_the_files_say(void **state) {
  (void)state;
  witness w = {0};
  gf_train_events events = {.user = &w,
                            .progress = see_progress,
                            .epoch = see_epoch,
                            .stop = stop,
                            .written = see_written,
                            .step = see_step};
  assert_ok(train(config_of(family_, ""), "events", &events));
  assert_int_equal(w.asked, 2 * (BATCHES + 1)); /* one batch validates */
  assert_int_equal(w.prepared, 1);
  assert_int_equal(w.trained, 2);
  assert_int_equal(w.validated, 2);
  assert_int_equal(w.bad, 0);
  assert_int_equal(w.epoch_count, 2);
  assert_int_equal(w.step_count, 2 * BATCHES);
  assert_string_equal(w.written.data,
                      "loss.png\naccuracy.png\ngradient_flow.png\n"
                      "gradient_flow_linear.png\nupdate_ratio.png\ngradient_heat_map.png\n"
                      "gradient_layers.png\nactivations.png\nactivation_heat_map.png\n"
                      "signal_flow.png\n");
  gf__text_free(&w.written);
  gf__text lines = {0};
  for (int i = 0; i < 2; i++) {
    const gf_epoch *e = &w.epochs[i];
    assert_int_equal(e->epochs, 2);
    assert_true(e->seconds > 0 && e->images_per_second > 0);
    gf__text_add(&lines, "%d,%.9g,%.9g,%.9g,%.9g,%.9g,%d,%.9g\n", e->epoch, e->learning_rate,
                 e->train_loss, e->train_accuracy, e->validation_loss, e->validation_accuracy,
                 e->predicted_classes, e->most_predicted);
  }
  size_t size;
  char *metrics = read_text("events", "metrics.csv", &size);
  assert_string_equal(metrics + strcspn(metrics, "\n") + 1, lines.data);
  free(metrics);
  gf__text_free(&lines);
}

static void a_stop_saves_the_weights(void **state) {
  (void)state;
  static const struct {
    int at, epoch, batch;
  } stops[] = {{1, 1, 0}, {3, 1, 2}, {BATCHES + 3, 2, 1}};
  gf_config *config = config_of(family_, "");
  for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
    char out[32], path[64], message[512];
    snprintf(out, sizeof out, "stopped-%zu", i);
    snprintf(path, sizeof path, "%s/last.safetensors", out);
    witness w = {.stops_at = stops[i].at};
    gf_train_events events = {.user = &w, .stop = stop};
    snprintf(message, sizeof message,
             "stopped in epoch %d of 2 after batch %d of 6; continue with: gradflow train "
             "--resume %s",
             stops[i].epoch, stops[i].batch, in_folder(out));
    assert_fails(GF_ERROR_INTERRUPTED, message, train_with(config, out, &events));
    gf_model *model = NULL;
    assert_ok(
        gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, 3}, CLASSES, 1, 5));
    if (stops[i].batch == 0) { /* those of the beginning */
      assert_ok(gf_model_save(model, in_folder("begin.safetensors")));
      assert_true(is_same_file(path, "begin.safetensors"));
    }
    assert_ok(gf_model_load(model, in_folder(path)));
    gf_model_free(&model);
  }
  gf_config_free(&config);
  assert_false(is_same("stopped-0", "stopped-1", "last.safetensors"));
  assert_true(gf__path_exists(in_folder("stopped-2/best.safetensors")));
}

/* ---- failures on the way ---- */

static const char wild_[] =
    "optimizer: {name: sgd, learning_rate: 1000, momentum: 0}\n"
    "schedule: {name: constant}\n";

/* The first step, counted from 1, whose loss is not finite, by stepping through an epoch. */
static int first_nonfinite(const gf_config *config) {
  loop l;
  gf_batch batch;
  int first = 0;
  open_loop(&l, config);
  assert_ok(gf_loader_start(l.train_loader, 0, 0));
  for (int b = 1; b <= BATCHES; b++) {
    gf_loss loss;
    assert_ok(gf_loader_next(l.train_loader, &batch));
    assert_ok(
        gf_trainer_step(l.trainer, batch.images, batch.labels, batch.count, 1000, &loss, NULL));
    if (!isfinite(loss.loss) && !first) first = b;
  }
  close_loop(&l);
  return first;
}

static void a_loss_that_is_not_finite_ends_the_run(void **state) {
  (void)state;
  gf_config *config = config_of(family_, wild_);
  int step = first_nonfinite(config);
  assert_true(step > 1);
  char message[512];
  snprintf(message, sizeof message,
           "the loss is not finite in epoch 1 at step %d of it (learning rate 1000); the first "
           "gradient from the input that is not finite now: input_conv.weight. No epoch was "
           "finished. Try a lower optimizer.learning_rate",
           step);
  assert_fails(GF_ERROR_NONFINITE, message, train(config, "wild", NULL));
  size_t size;
  char *metrics = read_text("wild", "metrics.csv", &size);
  assert_null(strstr(metrics, "\n1,"));
  free(metrics);
}

/* The rate is 0 in the first epoch and 500 in the second. */
static void the_epoch_before_is_kept(void **state) {
  (void)state;
  gf_config *config = config_of(family_,
                                "optimizer: {name: sgd, learning_rate: 0, momentum: 0}\n"
                                "schedule: {name: cosine, final: 1000}\n");
  char start[512], end[512];
  int step = 0, length = 0;
  assert_int_equal(train(config, "wild2", NULL), GF_ERROR_NONFINITE);
  snprintf(start, sizeof start,
           "the loss is not finite in epoch 2 at step %%d of it (learning rate 500); the first "
           "gradient from the input that is not finite now: input_conv.weight. The weights of the "
           "epoch before are in %%n");
  assert_int_equal(sscanf(gf_error_message(), start, &step, &length), 1);
  assert_true(step > 1 && step <= BATCHES && length > 0);
  snprintf(end, sizeof end, "%s. Try a lower optimizer.learning_rate",
           in_folder("wild2/last.safetensors"));
  assert_string_equal(gf_error_message() + length, end);
  gf_model *model = NULL;
  config = config_of(family_, "");
  assert_ok(
      gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, 3}, CLASSES, 1, 0));
  assert_ok(gf_model_load(model, in_folder("wild2/last.safetensors")));
  gf_model_free(&model);
  gf_config_free(&config);
}

/* Lets the first write of the weights end at a kibibyte, as on a disk that is full then. */
static gf_status fill_the_disk(const char *step, const char *path) {
  struct rlimit limit;
  if (strcmp(step, "write") || !strstr(path, "full/last.safetensors")) return GF_OK;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = 1024;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  return GF_OK;
}

static void a_full_disk_is_named(void **state) {
  (void)state;
  size_t size;
  free(read_text("dropout-a", "last.safetensors", &size));
  char message[512];
  snprintf(message, sizeof message,
           "cannot write %zu bytes to %s: File too large; the old file is untouched", size,
           in_folder("full/last.safetensors"));
  struct rlimit before;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  gf__file_fault = fill_the_disk;
  gf_status status = train(config_of(dropout_, ""), "full", NULL);
  gf__file_fault = NULL;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  assert_int_equal(status, GF_ERROR_FILE);
  assert_string_equal(gf_error_message(), message);
  char names[256];
  list_folder("full", names, sizeof names);
  assert_string_equal(
      names,
      "activations.csv algorithms.json config.yaml data.json early_steps.csv environment.json "
      "gradients.csv metrics.csv network.json run.json timing.csv");
}

/* ---- without a validation split ---- */

static void a_run_may_do_without_validation(void **state) {
  (void)state;
  gf_config *config = config_of(dropout_, "");
  assert_ok(gf_config_set(config, "data.validation=0"));
  assert_ok(train(config, "all", NULL));
  assert_false(gf__path_exists(in_folder("all/best.safetensors")));
  size_t size;
  char *metrics = read_text("all", "metrics.csv", &size);
  assert_non_null(strstr(metrics, ",nan,nan,0,nan\n"));
  free(metrics);
  gf_test_result result;
  assert_ok(gf_test(fixture_device, in_folder("all"), &result));
  assert_int_equal(result.images, TESTED);
  gf_test_result_free(&result);
}

/* ---- dry runs ---- */

static void a_dry_run_allocates_what_it_plans(void **state) {
  (void)state;
  static const char *const optimizers[] = {"", "optimizer: {name: sgd}\n",
                                           "optimizer: {name: rmsprop, clip_norm: 1}\n"};
  for (int i = 0; i < 3; i++) {
    gf_dry_run dry = {0};
    size_t before = gf__device_allocated(fixture_device);
    gf_config *config = config_of(dropout_, optimizers[i]);
    assert_ok(gf_train_dry_run(fixture_device, config, &dry));
    gf_config_free(&config);
    const gf_memory *m = &dry.memory;
    assert_int_equal(dry.planned, dry.allocated);
    assert_int_equal(dry.planned,
                     m->parameters + m->optimizer + m->activations + m->input + m->workspace);
    assert_true(m->optimizer > 0 && m->workspace > 0);
    assert_int_equal(gf__device_allocated(fixture_device), before);
    assert_int_equal(dry.parameters, (4 * 27 + 4) + (4 * CLASSES + CLASSES));
    assert_int_equal(dry.training_images, RECORDS - VALIDATION);
    assert_int_equal(dry.validation_images, VALIDATION);
    assert_int_equal(dry.batch_size, BATCH);
    assert_int_equal(dry.epochs, 2);
  }
}

/* ---- gf_test ---- */

/* The fixture's labels are i * 3 % 100. */
static void check_classes(const gf_test_result *r) {
  int images[CLASSES] = {0};
  double correct = 0;
  for (int i = 0; i < TESTED; i++) images[i * 3 % CLASSES]++;
  assert_int_equal(r->images, TESTED);
  assert_int_equal(r->classes, CLASSES);
  for (int c = 0; c < CLASSES; c++) {
    assert_int_equal(r->class_images[c], images[c]);
    if (images[c] == 0)
      assert_true(isnan(r->class_accuracy[c]));
    else
      correct += r->class_accuracy[c] * images[c];
  }
  assert_true(fabs(correct / TESTED - r->accuracy) <= 1e-12);
}

/* Takes the largest score away five times; the first one's class goes to *best. */
static bool is_among_five(float *scores, int label, int *best) {
  bool found = false;
  for (int k = 0; k < 5; k++) {
    int largest = 0;
    for (int c = 1; c < CLASSES; c++)
      if (scores[c] > scores[largest]) largest = c;
    if (k == 0) *best = largest;
    found |= largest == label;
    scores[largest] = -INFINITY;
  }
  return found;
}

static int confusion_[CLASSES][CLASSES + 1];

/* Returns how many labels of the batch are among its five highest scores. */
static int count_scores(gf_model *model, const gf_batch *batch) {
  float scores[4 * CLASSES];
  int top5 = 0;
  assert_ok(gf_model_logits(model, scores));
  for (int i = 0; i < batch->count; i++) {
    int best = 0;
    top5 += is_among_five(scores + (size_t)i * CLASSES, batch->labels[i], &best);
    confusion_[batch->labels[i]][best]++;
  }
  return top5;
}

/* A row per class and a header, of numbers alone, as the classes have no names here. */
static void check_confusion_files(const gf_test_result *result) {
  gf__text expected = {0};
  char *csv;
  size_t size;
  gf__text_add(&expected, "label");
  for (int c = 0; c < CLASSES; c++) gf__text_add(&expected, ",%d", c);
  gf__text_add(&expected, ",none\n");
  for (int c = 0; c < CLASSES; c++) {
    gf__text_add(&expected, "%d", c);
    for (int k = 0; k <= CLASSES; k++) gf__text_add(&expected, ",%d", confusion_[c][k]);
    gf__text_add(&expected, "\n");
  }
  assert_ok(gf_test_write_confusion(result, in_folder("confusion"), NULL, NULL));
  csv = read_text("confusion", "confusion.csv", &size);
  assert_string_equal(csv, expected.data);
  free(csv);
  gf__text_free(&expected);
  char *picture = read_text("confusion", "confusion.png", &size);
  assert_memory_equal(picture, "\x89PNG", 4);
  free(picture);
}

static void a_test_is_the_loop_of_its_parts(void **state) {
  (void)state;
  gf_test_result result;
  assert_ok(gf_test(fixture_device, in_folder("family-a"), &result));
  check_classes(&result);
  assert_null(result.class_names);
  gf_config *config = config_of(family_, "");
  gf_dataset *dataset = NULL;
  gf_loader *loader = NULL;
  gf_model *model = NULL;
  gf_loader_options options = {.batch_size = 4, .to = 1};
  double losses = 0, correct = 0, top5 = 0;
  assert_ok(gf_dataset_open(&dataset, config, GF_SPLIT_TEST));
  assert_ok(gf_loader_open(&loader, dataset, &options));
  assert_ok(
      gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, 3}, CLASSES, 4, 0));
  assert_ok(gf_model_load(model, in_folder("family-a/best.safetensors")));
  assert_ok(gf_loader_start(loader, 0, 0));
  for (gf_batch batch;;) {
    gf_loss loss;
    assert_ok(gf_loader_next(loader, &batch));
    if (batch.count == 0) break;
    assert_ok(gf_model_forward(model, batch.images, batch.labels, batch.count, 0, &loss));
    losses += loss.loss * batch.count;
    correct += loss.correct;
    top5 += count_scores(model, &batch);
  }
  assert_true(fabs(result.top5_accuracy - top5 / TESTED) <= 1e-12);
  assert_memory_equal(result.confusion, confusion_, sizeof confusion_);
  check_confusion_files(&result);
  assert_true(fabs(result.loss - losses / TESTED) <= 1e-5);
  assert_true(fabs(result.accuracy - correct / TESTED) <= 1e-12);
  gf_model_free(&model);
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
  gf_config_free(&config);
  gf_test_result_free(&result);
}

/* Weights that are 0 but for the bias of one class, which then is always chosen. */
static void save_constant(const char *path, int class, float bias) {
  gf_config *config = config_of(dropout_, "");
  gf_model *model = NULL;
  assert_ok(
      gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, 3}, CLASSES, 1, 0));
  float values[4 * 3 * 3 * 3 + CLASSES * 4] = {0};
  for (int i = 0; i < gf_model_parameter_count(model); i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    assert_true(p.count <= sizeof values / sizeof *values);
    bool is_last = p.count == CLASSES;
    if (is_last) values[class] = bias;
    assert_ok(gf_model_write_parameter(model, i, values));
    if (is_last) values[class] = 0;
  }
  assert_ok(gf_model_save(model, in_folder(path)));
  gf_model_free(&model);
  gf_config_free(&config);
}

static void the_best_weights_are_tested_or_the_last(void **state) {
  (void)state;
  gf_test_result result;
  save_constant("dropout-a/best.safetensors", 0, 0);
  save_constant("dropout-a/last.safetensors", 3, 2);
  assert_ok(gf_test(fixture_device, in_folder("dropout-a"), &result));
  check_classes(&result);
  assert_true(fabs(result.loss - log(100)) <= 1e-5); /* all classes alike, and the first wins */
  assert_true(result.class_accuracy[0] == 1 && result.class_accuracy[3] == 0);
  assert_true(fabs(result.accuracy - 1.0 / TESTED) <= 1e-12);
  gf_test_result_free(&result);
  assert_int_equal(remove(in_folder("dropout-a/best.safetensors")), 0);
  assert_ok(gf_test(fixture_device, in_folder("dropout-a"), &result));
  check_classes(&result);
  double all = log(99 + exp(2)), one = all - 2; /* -log softmax of the others and of class 3 */
  assert_true(fabs(result.loss - ((TESTED - 1) * all + one) / TESTED) <= 1e-5);
  assert_true(result.class_accuracy[3] == 1 && result.class_accuracy[0] == 0);
  gf_test_result_free(&result);
}

static void class_names_are_handed_on(void **state) {
  (void)state;
  gf_test_result result;
  gf__text names = {0};
  for (int c = 0; c < CLASSES; c++) gf__text_add(&names, "class %d\n", c);
  write_text("fine_label_names.txt", names.data);
  assert_ok(gf_test(fixture_device, in_folder("family-a"), &result));
  assert_string_equal(result.class_names[0], "class 0");
  assert_string_equal(result.class_names[99], "class 99");
  gf_test_result_free(&result);
  assert_null(result.class_names);
  gf__text_free(&names);
  assert_int_equal(remove(in_folder("fine_label_names.txt")), 0);
}

static void folders_that_cannot_be_tested_are_named(void **state) {
  (void)state;
  char message[512];
  gf_test_result result;
  snprintf(message, sizeof message, "cannot open %s: No such file or directory",
           in_folder("nothing/config.yaml"));
  assert_fails(GF_ERROR_FILE, message, gf_test(fixture_device, in_folder("nothing"), &result));
  assert_null(result.class_accuracy);
  assert_int_equal(remove(in_folder("dropout-a/last.safetensors")), 0);
  snprintf(
      message, sizeof message,
      "%s has no weights: neither best.safetensors nor last.safetensors; train it for an epoch "
      "at least",
      in_folder("dropout-a"));
  assert_fails(GF_ERROR_FILE, message, gf_test(fixture_device, in_folder("dropout-a"), &result));
}

/* ---- the diagnosis ---- */

static void a_real_run_is_diagnosed(void **state) {
  (void)state;
  char *text = NULL;
  assert_ok(gf_diagnose(in_folder("family-a"), &text));
  static const char start[] = "healthy: mean |gradient| of all 5 layers between ";
  assert_memory_equal(text, start, sizeof start - 1);
  free(text);
}

int main(void) {
  /* The runs of the first tests are what later ones look at. */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_seed_gives_one_run),
      cmocka_unit_test(dropout_is_repeated_too),
      cmocka_unit_test(dropout_has_an_effect),
      cmocka_unit_test(a_run_is_the_loop_of_its_parts),
      cmocka_unit_test(a_smaller_last_batch_counts_by_its_images),
      cmocka_unit_test(a_run_leaves_these_files),
      cmocka_unit_test(the_environment_is_json),
      cmocka_unit_test(the_resolved_config_gives_the_same_run),
      cmocka_unit_test(existing_folders_are_left_alone),
      cmocka_unit_test(a_wrong_config_replaces_nothing),
      cmocka_unit_test(folders_that_cannot_be_made_are_named),
      cmocka_unit_test(events_tell_what_the_files_say),
      cmocka_unit_test(a_stop_saves_the_weights),
      cmocka_unit_test(a_loss_that_is_not_finite_ends_the_run),
      cmocka_unit_test(the_epoch_before_is_kept),
      cmocka_unit_test(a_full_disk_is_named),
      cmocka_unit_test(a_run_may_do_without_validation),
      cmocka_unit_test(a_dry_run_allocates_what_it_plans),
      cmocka_unit_test(a_test_is_the_loop_of_its_parts),
      cmocka_unit_test(the_best_weights_are_tested_or_the_last),
      cmocka_unit_test(class_names_are_handed_on),
      cmocka_unit_test(folders_that_cannot_be_tested_are_named),
      cmocka_unit_test(a_real_run_is_diagnosed),
  };
  return cmocka_run_group_tests_name("train", tests, open_all, fixture_close);
}
