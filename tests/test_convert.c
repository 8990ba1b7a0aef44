/* Import of weights into run folders, what runs make of them, state dicts, and the two commands. */
#include <gradflow/convert.h>
#include <gradflow/predict.h>

#include "base/config.h"
#include "model/safetensors.h"
#include "support/program.h"
#include "support/runs.h"
#include "support/test.h"

#define MODEL "model: {family: vgg_stages, filters: 4, blocks_per_stage: 0}\n"

static void copy_file(const char *from, const char *to) {
  char *bytes = NULL;
  size_t size = 0;
  assert_ok(gf__file_read(in_folder(from), &bytes, &size));
  assert_ok(gf__file_write(in_folder(to), bytes, size));
  free(bytes);
}

/* A run, and a config for its weights that is a file. */
static int open_run(void **state) {
  char yaml[512];
  if (open_all(state) != 0 || train(config_of(MODEL, ""), "run", NULL) != GF_OK) return -1;
  snprintf(yaml, sizeof yaml,
           "data: {name: cifar100, path: %s}\ntrain: {epochs: 1, batch_size: 50}\n" MODEL,
           fixture_folder);
  assert_ok(gf__file_write(in_folder("net.yaml"), yaml, strlen(yaml)));
  copy_file("run/best.safetensors", "weights.safetensors");
  return 0;
}

static gf_status import(const char *config_file, const char *weights, const char *out,
                        gf_conversion *result) {
  char folder[256];
  gf_config *config = NULL;
  snprintf(folder, sizeof folder, "%s", in_folder(out));
  assert_ok(gf_config_load(&config, in_folder(config_file)));
  gf_import_options options = {.out = folder};
  gf_status status = gf_import(config, in_folder(weights), &options, result);
  gf_config_free(&config);
  return status;
}

/* ---- imported runs ---- */

static void an_imported_run_is_tested_like_its_weights(void **state) {
  (void)state;
  gf_conversion result;
  gf_test_result ours, theirs;
  gf_run_state run;
  assert_ok(import("net.yaml", "weights.safetensors", "imported", &result));
  assert_int_equal(result.classes, CLASSES);
  assert_int_equal(result.image.height, 32);
  assert_ok(gf_test(fixture_device, in_folder("run"), &ours));
  assert_ok(gf_test(fixture_device, in_folder("imported"), &theirs));
  assert_int_equal(theirs.images, TESTED);
  assert_true(ours.loss == theirs.loss && ours.accuracy == theirs.accuracy);
  gf_test_result_free(&ours);
  gf_test_result_free(&theirs);
  /* So that train --resume does not begin anew in it. */
  assert_ok(gf_run_read_state(in_folder("imported"), &run));
  assert_int_equal(run.status, GF_RUN_FINISHED);
  char message[512];
  snprintf(message, sizeof message,
           "%s exists; choose another --out, or replace it with --overwrite",
           in_folder("imported"));
  assert_fails(GF_ERROR_FILE, message, import("net.yaml", "weights.safetensors", "imported", NULL));
}

static gf_model *open_model(const gf_config *config, int classes) {
  gf_model *model = NULL;
  assert_ok(
      gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, 3}, classes, 1, 0));
  return model;
}

/* Whether two files have the same values for the model, whatever their order; it gets others. */
static bool have_same_weights(gf_model *model, const char *a, const char *b) {
  assert_ok(gf_model_load(model, in_folder(a)));
  assert_ok(gf_model_save(model, in_folder("a.safetensors")));
  assert_ok(gf_model_load(model, in_folder(b)));
  assert_ok(gf_model_save(model, in_folder("b.safetensors")));
  return is_same_file("a.safetensors", "b.safetensors");
}

/* A rate so small that no weight moves; but running statistics do. */
static gf_status train_from(const char *weights, const char *out) {
  char assignment[300];
  gf_config *config = config_of(
      MODEL, "optimizer: {name: sgd, learning_rate: 1e-30}\nschedule: {name: constant}\n");
  snprintf(assignment, sizeof assignment, "train.weights=%s", weights);
  gf_status status = gf_config_set(config, assignment);
  if (status != GF_OK) {
    gf_config_free(&config);
    return status;
  }
  return train(config, out, NULL);
}

static void assert_began_with_the_weights(const char *run) {
  gf_config *config = config_of(MODEL, "");
  gf_model *expected = open_model(config, CLASSES), *found = open_model(config, CLASSES);
  char name[128];
  snprintf(name, sizeof name, "%s/last.safetensors", run);
  assert_ok(gf_model_load(expected, in_folder("weights.safetensors")));
  assert_ok(gf_model_load(found, in_folder(name)));
  for (int i = 0; i < gf_model_parameter_count(found); i++) {
    float a[1024], b[1024];
    gf_parameter_info p = gf_model_parameter(found, i);
    assert_in_range(p.count, 1, 1024);
    assert_ok(gf_model_read_parameter(expected, i, a));
    assert_ok(gf_model_read_parameter(found, i, b));
    if (p.trainable) assert_memory_equal(b, a, p.count * sizeof *a);
  }
  gf_model_free(&expected);
  gf_model_free(&found);
  gf_config_free(&config);
}

/* Neither a run nor an import begins with weights that no step can make finite again. */
static void weights_that_are_not_finite_are_refused(void **state) {
  (void)state;
  static const struct {
    float value;
    const char *text;
  } cases[] = {{NAN, "nan"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}};
  char expected[512], path[256];
  snprintf(path, sizeof path, "%s", in_folder("bad.safetensors"));
  for (int i = 0; i < 3; i++) {
    gf_config *config = config_of(MODEL, "");
    gf_model *model = open_model(config, CLASSES);
    gf_parameter_info p = gf_model_parameter(model, 1);
    float values[1024] = {0};
    assert_in_range(p.count, 3, 1024);
    values[2] = cases[i].value;
    assert_ok(gf_model_write_parameter(model, 1, values));
    assert_ok(gf_model_save(model, path));
    snprintf(expected, sizeof expected,
             "%s: element 2 of %s is %s, and no network can go on from such weights; take those of "
             "an epoch before it diverged",
             path, p.name, cases[i].text);
    gf_import_options options = {.out = in_folder("bad-import")};
    assert_fails(GF_ERROR_DATA, expected, gf_import(config, path, &options, NULL));
    assert_false(gf__path_exists(in_folder("bad-import")));
    assert_fails(GF_ERROR_DATA, expected, train_from(path, "bad-train"));
    assert_false(gf__path_exists(in_folder("bad-train")));
    gf_model_free(&model);
    gf_config_free(&config);
  }
}

static void a_run_begins_with_the_weights_of_its_config(void **state) {
  (void)state;
  char line[300];
  size_t size;
  gf_config *config = NULL;
  assert_ok(train_from(in_folder("weights.safetensors"), "from-file"));
  assert_began_with_the_weights("from-file");
  assert_ok(train_from(in_folder("imported"), "from-run"));
  assert_began_with_the_weights("from-run");
  /* The resolved config is the same run again. */
  char *yaml = read_text("from-run", "config.yaml", &size);
  snprintf(line, sizeof line, "  weights:\n    %s\n", in_folder("imported"));
  if (!strstr(yaml, line)) fail_msg("%s", yaml);
  free(yaml);
  assert_ok(gf_config_load(&config, in_folder("from-run/config.yaml")));
  assert_ok(train(config, "again", NULL));
  assert_began_with_the_weights("again");
}

static void weights_that_cannot_begin_a_run_leave_no_folder(void **state) {
  (void)state;
  char message[512];
  snprintf(message, sizeof message, "cannot open %s: No such file or directory",
           in_folder("nothing.safetensors"));
  assert_fails(GF_ERROR_FILE, message, train_from(in_folder("nothing.safetensors"), "none"));
  snprintf(
      message, sizeof message,
      "%s has no weights: neither best.safetensors nor last.safetensors; train it for an epoch "
      "at least",
      fixture_folder);
  assert_fails(GF_ERROR_FILE, message, train_from(fixture_folder, "none"));
  assert_false(gf__path_exists(in_folder("none")));
  assert_int_equal(train_from("[1, 2]", "none"), GF_ERROR_CONFIG);
  assert_string_equal(gf_error_message(),
                      "--set train.weights: train.weights is a path of a file or of a run folder");
}

/* ---- torchvision's ResNets ---- */

/* A file with one number in each tensor of a list that ends with NULL. */
static void write_tensors(const char *name, const char *const *names) {
  gf__named_tensor tensors[8] = {0};
  float value = 1;
  size_t count = 0;
  for (; names[count]; count++) {
    gf__named_tensor *t = &tensors[count];
    *t = (gf__named_tensor){.dims = {1}, .dim_count = 1, .count = 1, .values = &value};
    snprintf(t->name, sizeof t->name, "%s", names[count]);
  }
  assert_ok(gf__safetensors_write(in_folder(name), tensors, count, NULL));
}

static void depths_are_told_by_the_tensors(void **state) {
  (void)state;
  static const struct {
    const char *names[6], *depth; /* NULL: refused */
  } files[] = {
      {{"conv1.weight", "layer1.1.conv2.weight"}, "18"},
      {{"layer1.1.conv2.weight", "layer1.2.conv1.weight"}, "34"},
      {{"layer1.0.conv3.weight", "layer1.1.conv2.weight", "layer1.2.conv1.weight"}, "50"},
      {{"layer1.0.conv3.weight", "layer1.2.conv1.weight", "layer3.6.conv1.weight"}, NULL},
      {{"conv1.weight", "fc.weight"}, NULL},
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char message[512];
    gf_config *config = NULL;
    write_tensors("guess.safetensors", files[i].names);
    if (!files[i].depth) {
      snprintf(message, sizeof message,
               "%s has not the tensors of torchvision's ResNet-18, -34 or -50; give the config of "
               "its network by --config",
               in_folder("guess.safetensors"));
      assert_fails(GF_ERROR_DATA, message,
                   gf_import_guess(&config, in_folder("guess.safetensors")));
      assert_null(config);
      continue;
    }
    assert_ok(gf_import_guess(&config, in_folder("guess.safetensors")));
    const gf__value *model = gf__value_get(gf__config_root(config), "model");
    assert_string_equal(gf__value_get(model, "depth")->text, files[i].depth);
    gf_config_free(&config);
  }
}

/* Seven classes, which the weights alone tell; nothing else is given. */
static void a_resnet_is_imported_by_itself(void **state) {
  (void)state;
  gf_config *config = parse_config("model: {family: resnet_imagenet}");
  gf_model *model = open_model(config, 7);
  gf_config_free(&config);
  assert_ok(gf_model_save(model, in_folder("resnet18.safetensors")));
  assert_prints("import resnet18.safetensors", 0,
                "runs/resnet18: a run with the weights of resnet18.safetensors\n"
                "  input    images (224, 224, 3): height, width, channels\n"
                "  output   7 classes\n"
                "  weights  11180103 parameters\n"
                "\n"
                "next:\n"
                "  gradflow predict runs/resnet18 IMAGE...\n"
                "  gradflow train CONFIG --set train.weights=runs/resnet18\n");
  assert_true(have_same_weights(model, "runs/resnet18/last.safetensors", "resnet18.safetensors"));
  gf_model_free(&model);
  assert_prints("import resnet18.safetensors", 1,
                "gradflow: runs/resnet18 exists; choose another --out, or replace it with "
                "--overwrite\n");
  assert_int_equal(remove(in_folder("resnet18.safetensors")), 0);
}

static void misfits_are_all_named(void **state) {
  (void)state;
  static const char *const names[] = {"logit_linear.weight", "other", NULL};
  gf__text expected = {0};
  write_tensors("few.safetensors", names);
  gf__text_add(&expected,
               "gradflow: few.safetensors does not fit the network:\n"
               "  missing: input_conv.weight\n  missing: input_norm.weight\n"
               "  missing: input_norm.bias\n  missing: input_norm.running_mean\n"
               "  missing: input_norm.running_var\n");
  for (int i = 0; i < 6; i++)
    gf__text_add(&expected,
                 "  missing: reduction_%d_conv_%d.weight\n  missing: reduction_%d_conv_%d.bias\n",
                 i / 2, i % 2, i / 2, i % 2);
  gf__text_add(&expected,
               "  misshapen: logit_linear.weight, expected F32 [100, 4], found F32 [1]\n"
               "  missing: logit_linear.bias\n  extra: other\n");
  assert_prints("import few.safetensors --config net.yaml --out misfit", 1, expected.data);
  assert_false(gf__path_exists(in_folder("misfit")));
  gf__text_free(&expected);
}

/* ---- state dicts ---- */

static void a_state_dict_counts_batches_and_has_no_auxiliaries(void **state) {
  (void)state;
  gf_conversion result;
  long long rows;
  char *bytes;
  size_t size;
  gf_config *config = config_of(MODEL, "");
  assert_ok(gf_config_set(config, "model.auxiliaries=[reduction_0_act_1]"));
  assert_ok(train(config, "auxiliaries", NULL));
  assert_ok(
      gf_export_pytorch(in_folder("auxiliaries"), in_folder("state.safetensors"), NULL, &result));
  static const char linear[] = "auxiliary_reduction_0_act_1_linear.weight";
  assert_ok(gf__safetensors_rows(in_folder("auxiliaries/last.safetensors"), linear, &rows));
  assert_int_equal(rows, CLASSES);
  assert_ok(gf__safetensors_rows(in_folder("state.safetensors"), linear, &rows));
  assert_int_equal(rows, 0);
  assert_ok(gf__file_read(in_folder("state.safetensors"), &bytes, &size));
  assert_non_null(strstr(bytes + 8,
                         "\"input_norm.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],"
                         "\"data_offsets\":[0,8]}"));
  uint64_t length = 0;
  for (int i = 7; i >= 0; i--) length = length << 8 | (unsigned char)bytes[i];
  for (int i = 0; i < 8; i++) assert_int_equal(bytes[8 + length + (size_t)i], 0);
  free(bytes);
  /* It fits the network without auxiliaries. */
  assert_ok(import("net.yaml", "state.safetensors", "from-state", NULL));
}

static void the_commands_say_what_they_did(void **state) {
  (void)state;
  assert_prints("export run out.safetensors", 0,
                "out.safetensors: the tensors of PyTorch's load_state_dict\n"
                "  input    images (batch, 3, 32, 32)\n"
                "  output   logits (batch, 100)\n"
                "  weights  run/best.safetensors, 1504 parameters\n");
  assert_prints("export run out.safetensors", 2,
                "gradflow: out.safetensors exists; choose another name, or replace it with "
                "--overwrite\n");
  assert_prints("export run out.safetensors --overwrite --weights weights.safetensors", 0,
                "out.safetensors: the tensors of PyTorch's load_state_dict\n"
                "  input    images (batch, 3, 32, 32)\n"
                "  output   logits (batch, 100)\n"
                "  weights  weights.safetensors, 1504 parameters\n");
  assert_prints("export run run/best.safetensors --overwrite", 2,
                "gradflow: run/best.safetensors is a file of a run, which needs it; choose another "
                "name\n");
  assert_prints("export run out.pb", 2,
                "gradflow: out.pb ends neither in .onnx nor in .safetensors, which choose the "
                "format; see gradflow export --help\n");
  assert_prints("export run new.safetensors --softmax", 2,
                "gradflow: --softmax belongs to ONNX: new.safetensors has weights alone; see "
                "gradflow export --help\n");
  assert_prints("export nothing new.safetensors", 1,
                "gradflow: nothing is no run folder: it has no config.yaml; name a folder that "
                "gradflow train or gradflow import has made\n");
  assert_prints("export run", 2,
                "gradflow: a run folder or the file to write is missing; see gradflow export "
                "--help\n");
  assert_false(gf__path_exists(in_folder("new.safetensors")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_imported_run_is_tested_like_its_weights),
      cmocka_unit_test(weights_that_are_not_finite_are_refused),
      cmocka_unit_test(a_run_begins_with_the_weights_of_its_config),
      cmocka_unit_test(weights_that_cannot_begin_a_run_leave_no_folder),
      cmocka_unit_test(depths_are_told_by_the_tensors),
      cmocka_unit_test(a_resnet_is_imported_by_itself),
      cmocka_unit_test(misfits_are_all_named),
      cmocka_unit_test(a_state_dict_counts_batches_and_has_no_auxiliaries),
      cmocka_unit_test(the_commands_say_what_they_did),
  };
  return cmocka_run_group_tests_name("exchange", tests, open_run, fixture_close);
}
