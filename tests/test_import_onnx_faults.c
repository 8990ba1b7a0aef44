/* ONNX models that are damaged, hostile or of what no layer can do: one clear message, and no run
 * folder. */
#define _XOPEN_SOURCE 700 /* mkdtemp, symlink */

#include "support/test.h"

#ifndef GRADFLOW_HAS_ONNX

int main(void) {
  print_message("skipped: the build has no ONNX\n");
  return 0;
}

#else

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gradflow/convert.h>

#include "base/file.h"
#include "base/os.h"
#include "convert/onnx/builder.h"
#include "onnx.pb-c.h"
#include "support/assert.h"
#include "support/folder.h"
#include "support/program.h"

/* A convolution, a ReLU, a global pool, and a linear layer of four classes. */
static void write_model(void) {
  static float values[2 * 3 * 3 * 3];
  gf__named_tensor conv = {
      .name = "c.weight", .dims = {2, 3, 3, 3}, .dim_count = 4, .count = 54, .values = values};
  gf__named_tensor linear = {
      .name = "l.weight", .dims = {4, 2}, .dim_count = 2, .count = 8, .values = values};
  gf__onnx *onnx = NULL;
  for (int i = 0; i < 54; i++) values[i] = 0.125F * (float)(i % 7);
  assert_ok(gf__onnx_new(&onnx));
  gf__onnx_weight(onnx, &conv);
  gf__onnx_weight(onnx, &linear);
  gf__onnx_input(onnx, "x", (int64_t[]){3, 8, 8}, 3);
  gf__onnx_node(onnx, "Conv", "c", (const char *const[]){"x", "c.weight"}, 2, "c");
  gf__onnx_ints(onnx, "pads", (int64_t[]){1, 1, 1, 1}, 4);
  gf__onnx_node(onnx, "Relu", "r", (const char *const[]){"c"}, 1, "r");
  gf__onnx_node(onnx, "GlobalAveragePool", "p", (const char *const[]){"r"}, 1, "p");
  gf__onnx_node(onnx, "Flatten", "f", (const char *const[]){"p"}, 1, "f");
  gf__onnx_node(onnx, "Gemm", "l", (const char *const[]){"f", "l.weight"}, 2, "l");
  gf__onnx_int(onnx, "transB", 1);
  gf__onnx_output(onnx, "l", (int64_t[]){4}, 1);
  assert_ok(gf__onnx_write(onnx, "test", in_folder("model.onnx")));
  gf__onnx_free(&onnx);
}

static Onnx__ModelProto *read_model(void) {
  char *bytes;
  size_t size;
  assert_ok(gf__file_read(in_folder("model.onnx"), &bytes, &size));
  Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, size, (const uint8_t *)bytes);
  free(bytes);
  assert_non_null(model);
  return model;
}

static void pack_model(Onnx__ModelProto *model) {
  size_t size = onnx__model_proto__get_packed_size(model);
  uint8_t *bytes = malloc(size);
  assert_non_null(bytes);
  onnx__model_proto__pack(model, bytes);
  assert_ok(gf__file_write(in_folder("model.onnx"), bytes, size));
  free(bytes);
}

static gf_status import_model(void) {
  gf_import_options options = gf_import_options_default();
  char path[128];
  snprintf(path, sizeof path, "%s", in_folder("run"));
  options.out = path;
  return gf_import_onnx(NULL, in_folder("model.onnx"), &options, NULL);
}

/* %s in expected is the path of the model. */
static void assert_refused(gf_status status, const char *expected) {
  char path[128], message[2048];
  snprintf(path, sizeof path, "%s", in_folder("model.onnx"));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(message, sizeof message, expected, path, path);
#pragma GCC diagnostic pop
  assert_fails(status, message, import_model());
  assert_false(gf__path_exists(in_folder("run")));
}

/* ---- changes of the model ---- */

static char *copy(const char *text) {
  char *out = malloc(strlen(text) + 1);
  assert_non_null(out);
  return strcpy(out, text);
}

static void replace(char **text, const char *with) {
  if (*text != protobuf_c_empty_string) free(*text);
  *text = copy(with);
}

static void read_a_later_value(Onnx__GraphProto *graph) { replace(&graph->node[1]->input[0], "p"); }
static void read_itself(Onnx__GraphProto *graph) { replace(&graph->node[1]->input[0], "r"); }
static void read_nothing(Onnx__GraphProto *graph) { replace(&graph->node[4]->input[1], "gone"); }
static void name_twice(Onnx__GraphProto *graph) { replace(&graph->node[1]->output[0], "c"); }
static void name_weights_twice(Onnx__GraphProto *graph) {
  replace(&graph->initializer[1]->name, "c.weight");
}
static void name_no_operator(Onnx__GraphProto *graph) {
  replace(&graph->node[1]->op_type, "Softsign");
}
static void drop_an_input(Onnx__GraphProto *graph) { graph->node[0]->n_input = 1; }
static void change_a_type(Onnx__GraphProto *graph) {
  Onnx__AttributeProto *pads = graph->node[0]->attribute[0];
  pads->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
  pads->has_f = 1;
}
static void make_a_dim_negative(Onnx__GraphProto *graph) { graph->initializer[0]->dims[0] = -2; }
static void make_dims_overflow(Onnx__GraphProto *graph) {
  for (int d = 0; d < 4; d++) graph->initializer[0]->dims[d] = INT64_C(1) << 16;
}
static void make_a_dim_larger(Onnx__GraphProto *graph) { graph->initializer[1]->dims[0] = 5; }
static void change_elements(Onnx__GraphProto *graph) {
  graph->initializer[0]->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
}
static void make_windows_large(Onnx__GraphProto *graph) {
  graph->node[0]->attribute[0]->ints[0] = INT64_MAX;
}
static void make_a_weight_nan(Onnx__GraphProto *graph) {
  graph->initializer[0]->float_data[3] = NAN;
}
static void make_images_vectors(Onnx__GraphProto *graph) {
  graph->input[0]->type->tensor_type->shape->n_dim = 2;
}
static void leave_the_size_open(Onnx__GraphProto *graph) {
  graph->input[0]->type->tensor_type->shape->dim[2]->dim_value = -1;
}
static void cut_the_output_off(Onnx__GraphProto *graph) {
  replace(&graph->output[0]->name, "c.weight");
}

static const struct fault {
  void (*make)(Onnx__GraphProto *graph);
  gf_status status;
  const char *message;
} faults[] = {
    {read_a_later_value, GF_ERROR_DATA,
     "%s is damaged: its node 2, Relu, reads 'p', which this node or one after it makes: the graph "
     "is cyclic or out of order"},
    {read_itself, GF_ERROR_DATA,
     "%s is damaged: its node 2, Relu, reads 'r', which this node or one after it makes: the graph "
     "is cyclic or out of order"},
    {read_nothing, GF_ERROR_DATA,
     "%s is damaged: its node 5, Gemm, reads 'gone', which nothing makes: a weight or a node is "
     "missing"},
    {name_twice, GF_ERROR_DATA,
     "%s is damaged: its node 2, Relu 'r', makes a value that another one has made: two have one "
     "name"},
    {name_weights_twice, GF_ERROR_DATA, "%s is damaged: there are two weights 'c.weight'"},
    {name_no_operator, GF_ERROR_DATA,
     "%s cannot be imported, and nothing is written: of its 5 nodes 1 has no layer\n"
     "  Softsign, 1 node: there is no layer for this operator; docs/convert.md lists those that "
     "there are\n"
     "    'r' (node 2)"},
    {drop_an_input, GF_ERROR_DATA,
     "%s is damaged: its node 1, Conv 'c', has not as many inputs as its operator"},
    {change_a_type, GF_ERROR_DATA,
     "%s is damaged: its node 1, Conv 'c', has an attribute of the wrong type"},
    {make_a_dim_negative, GF_ERROR_DATA,
     "%s is damaged: there is no shape like that of weight 'c.weight'"},
    {make_dims_overflow, GF_ERROR_DATA,
     "%s is damaged: there is no shape like that of weight 'c.weight'"},
    {make_a_dim_larger, GF_ERROR_DATA,
     "%s: tensor 'l.weight' has not as many elements as its shape says, or of another type"},
    {change_elements, GF_ERROR_DATA,
     "%s: tensor 'c.weight' has elements of a type that is not read: numbers are FLOAT, DOUBLE, "
     "FLOAT16 or BFLOAT16; quantised models cannot be trained"},
    {make_windows_large, GF_ERROR_DATA,
     "%s is damaged: its node 1, Conv 'c', has a window of other axes, or of no size"},
    {make_images_vectors, GF_ERROR_DATA,
     "%s: its input 'x' is no batch of images: a tensor of four axes of float numbers"},
    {leave_the_size_open, GF_ERROR_DATA,
     "%s: the size of its images is left open; say which it is to be: --set data.image_size=224"},
    {cut_the_output_off, GF_ERROR_DATA, "%s: its output 'c.weight' does not depend on the images"},
};

static void faults_have_one_message(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    write_model();
    Onnx__ModelProto *model = read_model();
    size_t inputs = model->graph->node[0]->n_input,
           dims = model->graph->input[0]->type->tensor_type->shape->n_dim;
    faults[i].make(model->graph);
    pack_model(model);
    model->graph->node[0]->n_input = inputs; /* so that all of them are freed */
    model->graph->input[0]->type->tensor_type->shape->n_dim = dims;
    onnx__model_proto__free_unpacked(model, NULL);
    assert_refused(faults[i].status, faults[i].message);
  }
}

static void weights_that_are_not_finite_are_refused(void **state) {
  (void)state;
  write_model();
  Onnx__ModelProto *model = read_model();
  make_a_weight_nan(model->graph);
  pack_model(model);
  onnx__model_proto__free_unpacked(model, NULL);
  assert_int_equal(import_model(), GF_ERROR_DATA);
  assert_non_null(strstr(gf_error_message(), "element 3 of c.weight is nan"));
  assert_false(gf__path_exists(in_folder("run")));
}

static void nodes_without_a_layer_are_all_listed(void **state) {
  (void)state;
  write_model();
  Onnx__ModelProto *model = read_model();
  replace(&model->graph->node[1]->op_type, "Softsign");
  replace(&model->graph->node[3]->op_type, "Softsign");
  model->graph->node[4]->attribute[0]->i = 1;
  replace(&model->graph->node[4]->attribute[0]->name, "transC");
  pack_model(model);
  onnx__model_proto__free_unpacked(model, NULL);
  assert_refused(GF_ERROR_DATA,
                 "%s cannot be imported, and nothing is written: of its 5 nodes 3 have no layer\n"
                 "  Softsign, 2 nodes: there is no layer for this operator; docs/convert.md lists "
                 "those that there are\n"
                 "    'r' (node 2), 'f' (node 4)\n"
                 "  Gemm, 1 node: its attribute transC is not known\n"
                 "    'l' (node 5)");
}

/* ---- bytes ---- */

static void no_beginning_of_a_file_is_a_model(void **state) {
  (void)state;
  char *bytes;
  size_t size;
  write_model();
  assert_ok(gf__file_read(in_folder("model.onnx"), &bytes, &size));
  for (size_t cut = 0; cut < size; cut++) {
    assert_ok(gf__file_write(in_folder("model.onnx"), bytes, cut));
    if (import_model() == GF_OK) fail_msg("%zu of %zu bytes are a model", cut, size);
    assert_false(gf__path_exists(in_folder("run")));
  }
  free(bytes);
  assert_ok(gf__file_write(in_folder("model.onnx"), "no model", 8));
  assert_refused(
      GF_ERROR_DATA,
      "%s (8 bytes) is not an ONNX model, or is damaged: its bytes are no message of the "
      "format; export or copy it again");
}

/* Each level is the graph of an attribute of a node of the one around it. protobuf-c would unpack
 * them by recursion, until the stack is full. */
static void messages_in_messages_end(void **state) {
  (void)state;
  enum { LEVELS = 100000, MOST = 32 * LEVELS };
  uint8_t *bytes = malloc(MOST), *at = bytes + MOST;
  size_t size = 0;
  assert_non_null(bytes);
  static const uint8_t keys[] = {6 << 3 | 2, 5 << 3 | 2, 1 << 3 | 2}; /* g, attribute, node */
  for (int i = 0; i <= 3 * LEVELS && size < MOST - 16; i++) {
    uint8_t length[5];
    int digits = 0;
    for (size_t rest = size; digits == 0 || rest; rest >>= 7)
      length[digits++] = (uint8_t)((rest & 127) | (rest >> 7 ? 128 : 0));
    at -= digits;
    memcpy(at, length, (size_t)digits);
    *--at = i == 3 * LEVELS ? 7 << 3 | 2 : keys[i % 3]; /* the graph of the model */
    size += (size_t)digits + 1;
  }
  assert_ok(gf__file_write(in_folder("model.onnx"), at, size));
  free(bytes);
  assert_int_equal(import_model(), GF_ERROR_DATA);
  assert_false(gf__path_exists(in_folder("run")));
}

/* ---- external data ---- */

static Onnx__StringStringEntryProto *entry_of(const char *key, const char *value) {
  Onnx__StringStringEntryProto *entry = malloc(sizeof *entry);
  assert_non_null(entry);
  onnx__string_string_entry_proto__init(entry);
  entry->key = copy(key);
  entry->value = copy(value);
  return entry;
}

/* Moves the first weight to bytes 16 and on of w.bin, which is said to be at location. */
static void write_external(const char *location, const char *offset, const char *length) {
  write_model();
  Onnx__ModelProto *model = read_model();
  Onnx__TensorProto *tensor = model->graph->initializer[0];
  char bytes[16 + 54 * sizeof(float)] = {0};
  memcpy(bytes + 16, tensor->float_data, 54 * sizeof(float));
  assert_ok(gf__file_write(in_folder("w.bin"), bytes, sizeof bytes));
  free(tensor->float_data);
  tensor->float_data = NULL;
  tensor->n_float_data = 0;
  tensor->has_data_location = 1;
  tensor->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
  tensor->external_data = malloc(3 * sizeof *tensor->external_data);
  assert_non_null(tensor->external_data);
  tensor->external_data[tensor->n_external_data++] = entry_of("location", location);
  tensor->external_data[tensor->n_external_data++] = entry_of("offset", offset);
  tensor->external_data[tensor->n_external_data++] = entry_of("length", length);
  pack_model(model);
  onnx__model_proto__free_unpacked(model, NULL);
}

static void external_data_is_read_from_the_folder(void **state) {
  (void)state;
  char *inside, *outside;
  size_t sizes[2];
  write_model();
  assert_ok(import_model());
  assert_ok(gf__file_read(in_folder("run/last.safetensors"), &inside, &sizes[0]));
  assert_ok(gf__remove_folder(in_folder("run")));
  write_external("w.bin", "16", "216");
  assert_ok(import_model());
  assert_ok(gf__file_read(in_folder("run/last.safetensors"), &outside, &sizes[1]));
  assert_int_equal(sizes[0], sizes[1]);
  assert_memory_equal(inside, outside, sizes[0]);
  free(inside);
  free(outside);
}

static void external_data_outside_the_folder_is_refused(void **state) {
  (void)state;
  static const char *const places[] = {"/etc/passwd", "../w.bin", "a/../../w.bin"};
  char expected[512];
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    write_external(places[i], "0", "216");
    snprintf(expected, sizeof expected,
             "%%s: tensor 'c.weight' is in %s, outside the folder of the model; external data is "
             "read from that folder alone",
             places[i]);
    assert_refused(GF_ERROR_DATA, expected);
  }
  assert_int_equal(symlink("/etc/passwd", in_folder("link")), 0);
  write_external("link", "0", "216");
  snprintf(
      expected, sizeof expected,
      "%%s: %s, with tensor 'c.weight', is a link to outside the folder of the model; external "
      "data is read from that folder alone: copy the file there",
      in_folder("link"));
  assert_refused(GF_ERROR_DATA, expected);
}

static void external_data_that_is_not_there_is_reported(void **state) {
  (void)state;
  char expected[512];
  write_external("gone.bin", "0", "216");
  snprintf(expected, sizeof expected,
           "%%s: the file with tensor 'c.weight' is not there: %s; copy it there, beside the model",
           in_folder("gone.bin"));
  assert_refused(GF_ERROR_FILE, expected);
  write_external("w.bin", "20", "216");
  snprintf(
      expected, sizeof expected,
      "%%s: %s has not the 1 bytes at byte 235 that tensor 'c.weight' is; it is cut off, or of "
      "another model",
      in_folder("w.bin"));
  assert_refused(GF_ERROR_DATA, expected);
  static const char *const numbers[][2] = {
      {"-1", "216"}, {"16", "215"}, {"16x", "216"}, {"99999999999999999999", "216"}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    write_external("w.bin", numbers[i][0], numbers[i][1]);
    assert_refused(GF_ERROR_DATA,
                   "%s: tensor 'c.weight' has external data whose offset or length is not that of "
                   "its shape");
  }
}

/* ---- the data section ---- */

/* The size of the images can be said where the file leaves it open. */
static void an_open_size_is_that_of_the_config(void **state) {
  (void)state;
  gf_import_options options = gf_import_options_default();
  gf_conversion result;
  gf_config *config = NULL;
  char path[128];
  snprintf(path, sizeof path, "%s", in_folder("run"));
  options.out = path;
  write_model();
  Onnx__ModelProto *model = read_model();
  for (int d = 2; d < 4; d++)
    model->graph->input[0]->type->tensor_type->shape->dim[d]->dim_value = 0;
  pack_model(model);
  onnx__model_proto__free_unpacked(model, NULL);
  assert_ok(gf_config_parse(&config, "none", "data: {image_size: 10}\n"));
  assert_ok(gf_import_onnx(config, in_folder("model.onnx"), &options, &result));
  assert_int_equal(result.image.height, 10);
  assert_int_equal(result.image.width, 10);
  gf_config_free(&config);
}

static void the_program_says_what_is_next(void **state) {
  (void)state;
  write_model();
  assert_prints(
      "import model.onnx --out imported --overwrite", 0,
      "gradflow: warning: model.onnx does not say how its images are normalised; data.mean "
      "and data.std of the run are those of image_folder: check that, and set them by "
      "--set\n"
      "imported: a run with the weights of model.onnx\n"
      "  input    images (8, 8, 3): height, width, channels\n"
      "  output   4 classes\n"
      "  weights  62 parameters\n"
      "\n"
      "next:\n"
      "  gradflow predict imported IMAGE...\n"
      "  gradflow train imported/config.yaml --set train.weights=imported --set "
      "data.path=DIR \\\n"
      "    --out imported-trained\n");
  assert_prints("diagnose imported", 1,
                "gradflow: imported was imported and has not been trained here, so there are no "
                "records of gradients; gradflow diagnose imported/config.yaml --set "
                "train.weights=imported --set data.path=DIR measures a batch with its weights\n");
  assert_prints(
      "import model.onnx --out other --set data.name=cifar10", 2,
      "gradflow: model.onnx takes images of 8x8 with 3 channels and knows 4 classes; those "
      "of data.name cifar10 are 32x32 with 3 channels, of 10 classes: choose another data "
      "set or size by --set data.KEY=VALUE\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(faults_have_one_message),
      IN_FOLDER(weights_that_are_not_finite_are_refused),
      IN_FOLDER(nodes_without_a_layer_are_all_listed),
      IN_FOLDER(no_beginning_of_a_file_is_a_model),
      IN_FOLDER(messages_in_messages_end),
      IN_FOLDER(external_data_is_read_from_the_folder),
      IN_FOLDER(external_data_outside_the_folder_is_refused),
      IN_FOLDER(external_data_that_is_not_there_is_reported),
      IN_FOLDER(an_open_size_is_that_of_the_config),
      IN_FOLDER(the_program_says_what_is_next),
  };
  return cmocka_run_group_tests_name("import_onnx_faults", tests, NULL, NULL);
}

#endif
