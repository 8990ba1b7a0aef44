/* --overwrite and --resume remove nothing but the files of a run. */
#define _XOPEN_SOURCE 700 /* mkdtemp, symlink, chdir */

#include <sys/stat.h>
#include <unistd.h>

#include <gradflow/convert.h>

#include "base/config.h"
#include "base/json.h"
#include "support/runs.h"
#include "support/test.h"

static const char model_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 4, stride: 2}, {type: relu}, "
    "{type: global_avg_pool}, {type: linear, outputs: 100}]}\n";

static void write_text(const char *name, const char *text) {
  assert_ok(gf__file_write(in_folder(name), text, strlen(text)));
}

static void assert_text(const char *name, const char *text) {
  char *found;
  size_t size;
  assert_ok(gf__file_read(in_folder(name), &found, &size));
  assert_string_equal(found, text);
  free(found);
}

typedef struct attempt {
  const char *out; /* in the folder unless it begins with "." or "/" */
  bool overwrite, resume, force;
  const char *weights; /* train.weights, in the folder; or NULL */
  gf_config *config;   /* or NULL: one that is in no file; freed */
} attempt;

static gf_status train_attempt(attempt a) {
  char path[256], assignment[320];
  snprintf(path, sizeof path, "%s", strchr("./", *a.out) ? a.out : in_folder(a.out));
  gf_config *config = a.config ? a.config : config_of(model_, "");
  assert_ok(gf_config_set(config, "train.epochs=1"));
  if (a.weights) {
    snprintf(assignment, sizeof assignment, "train.weights=%s", in_folder(a.weights));
    assert_ok(gf_config_set(config, assignment));
  }
  gf_train_options options = gf_train_options_default();
  options.out = path;
  options.overwrite = a.overwrite;
  options.resume = a.resume;
  options.force = a.force;
  gf_status status = gf_train(fixture_device, config, &options);
  gf_config_free(&config);
  return status;
}

#define TRAIN(...) train_attempt((attempt){__VA_ARGS__})

static void assert_refused(gf_status status, const char *format, const char *first,
                           const char *second) {
  char message[1024];
  snprintf(message, sizeof message, format, first, second);
  assert_int_not_equal(status, GF_OK);
  assert_string_equal(gf_error_message(), message);
}

/* A folder of somebody's own, whose config is called config.yaml. */
static void make_project(void) {
  static const char yaml[] = "data: {name: cifar100}\n";
  assert_ok(gf__make_folder(in_folder("proj")));
  write_text("proj/config.yaml", yaml);
  write_text("proj/thesis.tex", "1997");
}

static void assert_project_is_whole(void) {
  assert_text("proj/config.yaml", "data: {name: cifar100}\n");
  assert_text("proj/thesis.tex", "1997");
  gf__names names;
  assert_ok(gf__list_folder(in_folder("proj"), &names));
  assert_int_equal(names.count, 2);
  gf__names_free(&names);
}

static void a_folder_of_ones_own_is_not_replaced(void **state) {
  (void)state;
  char file[256], folder[256];
  make_project();
  snprintf(folder, sizeof folder, "%s", in_folder("proj"));
  snprintf(file, sizeof file, "%s", in_folder("proj/thesis.tex"));
  assert_refused(TRAIN("proj", .overwrite = 1),
                 "%s is not a file that a run writes, so %s is not replaced; move it away, or "
                 "choose another --out",
                 file, folder);
  assert_project_is_whole();
  assert_refused(TRAIN(.out = "proj"),
                 "%s exists; choose another --out, or replace it with --overwrite%s", folder, "");
  assert_project_is_whole();
}

static void a_config_alone_makes_no_run(void **state) {
  (void)state;
  assert_ok(gf__make_folder(in_folder("alone")));
  write_text("alone/config.yaml", "data: {name: cifar100}\n");
  char folder[256];
  snprintf(folder, sizeof folder, "%s", in_folder("alone"));
  assert_refused(TRAIN("alone", .overwrite = 1),
                 "%s is not replaced: nothing says that gradflow has made it (it has no run.json); "
                 "choose another --out, or remove it yourself%s",
                 folder, "");
  assert_refused(TRAIN("alone", .resume = 1),
                 "%s is not the folder of a run: it has neither run.json nor a checkpoint; nothing "
                 "in it was touched%s",
                 folder, "");
  assert_refused(TRAIN("alone", .resume = 1, .force = 1),
                 "%s is not the folder of a run: it has neither run.json nor a checkpoint; nothing "
                 "in it was touched%s",
                 folder, "");
  assert_text("alone/config.yaml", "data: {name: cifar100}\n");
}

static void resumption_leaves_a_project_alone(void **state) {
  (void)state;
  assert_int_equal(TRAIN("proj", .resume = 1), GF_ERROR_FILE);
  assert_int_equal(TRAIN("proj", .resume = 1, .force = 1), GF_ERROR_FILE);
  assert_project_is_whole();
}

static void the_working_directory_is_not_replaced(void **state) {
  (void)state;
  char before[512];
  assert_non_null(getcwd(before, sizeof before));
  assert_ok(TRAIN(.out = "here"));
  assert_ok(gf__make_folder(in_folder("here/predictions")));
  assert_int_equal(chdir(in_folder("here")), 0);
  static const char refusal[] =
      "%s is not replaced: the working directory is in it; go to another folder, or choose another "
      "--out%s";
  assert_refused(TRAIN(".", .overwrite = 1), refusal, ".", "");
  assert_int_equal(chdir("predictions"), 0);
  assert_refused(TRAIN("..", .overwrite = 1), refusal, "..", "");
  assert_int_equal(chdir(before), 0);
  assert_true(gf__path_exists(in_folder("here/best.safetensors")));
  assert_ok(TRAIN("here", .overwrite = 1));
}

static void what_a_run_reads_is_not_replaced(void **state) {
  (void)state;
  gf_config *own;
  char file[256], folder[256];
  snprintf(folder, sizeof folder, "%s", in_folder("here"));
  snprintf(file, sizeof file, "%s", in_folder("here/config.yaml"));
  static const char refusal[] =
      "%s is not replaced: the new run would read %s, which is in it; choose another --out";
  assert_ok(gf_config_load(&own, file));
  assert_refused(TRAIN("here", .overwrite = 1, .config = own), refusal, folder, file);
  snprintf(file, sizeof file, "%s", in_folder("here/best.safetensors"));
  assert_refused(TRAIN("here", .overwrite = 1, .weights = "here/best.safetensors"), refusal, folder,
                 file);
  assert_true(gf__path_exists(file));
}

/* In each place that a run writes to. */
static void foreign_files_are_named_and_kept(void **state) {
  (void)state;
  static const char *const foreign[] = {"notes.txt", "checkpoint_x.safetensors", "loss.png.tmp.z",
                                        "predictions/cat.jpg", "tensorboard/other"};
  char folder[256];
  snprintf(folder, sizeof folder, "%s", in_folder("here"));
  assert_ok(gf__make_folder(in_folder("here/predictions")));
  assert_ok(gf__make_folder(in_folder("here/tensorboard")));
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    char name[64], file[256];
    snprintf(name, sizeof name, "here/%s", foreign[i]);
    snprintf(file, sizeof file, "%s", in_folder(name));
    write_text(name, "mine");
    assert_refused(TRAIN("here", .overwrite = 1),
                   "%s is not a file that a run writes, so %s is not replaced; move it away, or "
                   "choose another --out",
                   file, folder);
    assert_text(name, "mine");
    assert_true(gf__path_exists(in_folder("here/best.safetensors")));
    assert_int_equal(remove(file), 0);
  }
}

static void a_link_out_of_a_run_is_foreign(void **state) {
  (void)state;
  write_text("elsewhere.png", "mine");
  assert_int_equal(symlink("../elsewhere.png", in_folder("here/trace.json")), 0);
  assert_int_equal(TRAIN("here", .overwrite = 1), GF_ERROR_FILE);
  assert_text("elsewhere.png", "mine");
  assert_int_equal(remove(in_folder("here/trace.json")), 0);
}

static void everything_of_a_run_is_replaced(void **state) {
  (void)state;
  static const char *const own[] = {"checkpoint_15.safetensors",
                                    "test.json",
                                    "ranks.json",
                                    "loss.png.tmp.1234",
                                    "best.safetensors.tmp.0123456789abcdef",
                                    "predictions/predictions.png",
                                    "predictions/predictions-2.png",
                                    "tensorboard/events.out.tfevents.0.gradflow"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    char name[96];
    snprintf(name, sizeof name, "here/%s", own[i]);
    write_text(name, "old");
  }
  assert_ok(TRAIN("here", .overwrite = 1));
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    char name[96];
    snprintf(name, sizeof name, "here/%s", own[i]);
    assert_false(gf__path_exists(in_folder(name)));
  }
  assert_false(gf__path_exists(in_folder("here/predictions")));
}

static void a_link_to_a_run_is_followed(void **state) {
  (void)state;
  struct stat info;
  assert_int_equal(symlink("here", in_folder("link")), 0);
  write_text("here/test.json", "old");
  assert_ok(TRAIN("link", .overwrite = 1));
  assert_int_equal(lstat(in_folder("link"), &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  assert_false(gf__path_exists(in_folder("here/test.json")));
  assert_true(gf__path_exists(in_folder("here/result.json")));
}

/* As a kill leaves it that comes between the removal and the first file. */
static void a_folder_that_was_just_emptied_is_a_new_one(void **state) {
  (void)state;
  gf__names names;
  assert_ok(gf__list_folder(in_folder("here"), &names));
  for (size_t i = 0; i < names.count; i++) {
    char name[128];
    snprintf(name, sizeof name, "here/%s", names.v[i]);
    if (strcmp(names.v[i], "run.json") != 0) remove(in_folder(name));
  }
  gf__names_free(&names);
  assert_ok(TRAIN(.out = "here"));
}

/* ---- imports ---- */

static void imported_weights_are_not_lost(void **state) {
  (void)state;
  char weights[256], out[256];
  snprintf(weights, sizeof weights, "%s", in_folder("here/best.safetensors"));
  snprintf(out, sizeof out, "%s", in_folder("imported"));
  gf_config *config = config_of(model_, "");
  assert_ok(gf_import(config, weights, &(gf_import_options){.out = out}, NULL));
  for (int force = 0; force < 2; force++)
    assert_refused(TRAIN("imported", .resume = 1, .force = force),
                   "%s has weights that were imported, and no training to go on with; begin one "
                   "with them: gradflow train CONFIG --set train.weights=%s",
                   out, out);
  assert_true(is_same_file("imported/last.safetensors", "here/best.safetensors"));
  assert_ok(TRAIN("begun", .weights = "imported"));
  snprintf(weights, sizeof weights, "%s", in_folder("imported/last.safetensors"));
  assert_int_equal(
      gf_import(config, weights, &(gf_import_options){.out = out, .overwrite = 1}, NULL),
      GF_ERROR_FILE);
  assert_true(is_same_file("imported/last.safetensors", "here/best.safetensors"));
  gf_config_free(&config);
}

/* ---- other versions ---- */

static void a_run_of_an_older_version_is_replaced(void **state) {
  (void)state;
  assert_int_equal(remove(in_folder("here/run.json")), 0);
  assert_ok(TRAIN("here", .overwrite = 1));
  assert_true(gf__path_exists(in_folder("here/run.json")));
}

static void a_run_of_a_newer_version_is_left_alone(void **state) {
  (void)state;
  char message[512];
  snprintf(message, sizeof message,
           "%s has format 2, and this gradflow (%s) knows formats up to 1: a newer version has "
           "made the run; use that one",
           in_folder("here/run.json"), gf_versions_get().program);
  write_text("here/run.json", "{\"format\": 2, \"made_by\": \"training\"}");
  gf_test_result result;
  assert_fails(GF_ERROR_DATA, message, TRAIN("here", .overwrite = 1));
  assert_fails(GF_ERROR_DATA, message, TRAIN("here", .resume = 1));
  assert_fails(GF_ERROR_DATA, message, gf_test(fixture_device, in_folder("here"), &result));
  assert_true(gf__path_exists(in_folder("here/best.safetensors")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_folder_of_ones_own_is_not_replaced),
      cmocka_unit_test(a_config_alone_makes_no_run),
      cmocka_unit_test(resumption_leaves_a_project_alone),
      cmocka_unit_test(the_working_directory_is_not_replaced),
      cmocka_unit_test(what_a_run_reads_is_not_replaced),
      cmocka_unit_test(foreign_files_are_named_and_kept),
      cmocka_unit_test(a_link_out_of_a_run_is_foreign),
      cmocka_unit_test(everything_of_a_run_is_replaced),
      cmocka_unit_test(a_link_to_a_run_is_followed),
      cmocka_unit_test(a_folder_that_was_just_emptied_is_a_new_one),
      cmocka_unit_test(imported_weights_are_not_lost),
      cmocka_unit_test(a_run_of_an_older_version_is_replaced),
      cmocka_unit_test(a_run_of_a_newer_version_is_left_alone),
  };
  return cmocka_run_group_tests_name("overwrite", tests, open_all, fixture_close);
}
