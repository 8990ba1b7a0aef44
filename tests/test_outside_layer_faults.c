/* Layers of the library's user that are wrong: each fault has its message. */
#include <stdio.h>
#include <string.h>

#include <gradflow/layer.h>

#include "model/model.h"
#include "support/operations.h"
#include "support/test.h"

enum { SIDE = 6, C = 3, COUNT = SIDE * SIDE * C };

/* A network of one layer. */
static gf_status open_model(gf_model **out, const char *layer) {
  char yaml[64];
  gf_config *config;
  *out = NULL;
  snprintf(yaml, sizeof yaml, "model: {graph: [{type: %s}]}", layer);
  GF_TRY(gf_config_parse(&config, "net", yaml));
  gf_status status =
      gf__model_open_with(out, device_test_device(), config, (gf_image_shape){SIDE, SIDE, C}, 10, 1,
                          1, &(gf__model_options){.no_loss = true});
  gf_config_free(&config);
  return status;
}

static void assert_refused(gf_status status, gf_status expected, const char *message) {
  assert_int_equal(status, expected);
  assert_string_equal(gf_error_message(), message);
}

static gf_status (*faulty_setup_)(gf_layer_node *node);

static gf_status faulty_setup(gf_layer_node *node) { return faulty_setup_(node); }

static const char *kernel_;
static int argument_count_;

static gf_status faulty_forward(const gf_layer_node *node, const gf_layer_pass *pass) {
  gf_argument arguments[40] = {gf_argument_buffer(pass->out)};
  return gf_layer_launch(node, pass, kernel_, 1, arguments, argument_count_);
}

static const char faulty_source[] = "kernel void fine(global float *y) { y[0] = 1; }\n";

static const gf_layer_type faulty_ = {.name = "faulty",
                                      .help = "for its faults",
                                      .least_inputs = 1,
                                      .most_inputs = 1,
                                      .source = faulty_source,
                                      .setup = faulty_setup,
                                      .forward = faulty_forward,
                                      .backward = faulty_forward};

static void rows_that_are_not_complete_are_refused(void **state) {
  (void)state;
  static const gf_layer_key no_help[] = {{"a", 0, "1", 0, 0, NULL}};
  static const gf_layer_key twice[] = {{"a", 0, "1", 0, 0, "a"}, {"a", 0, "1", 0, 0, "a"}};
  static const gf_layer_key common[] = {{"input", 0, "1", 0, 0, "a"}};
  static const gf_layer_key outside[] = {{"a", 1, "7", 1, 4, "a"}};
  gf_layer_type rows[12];
  for (size_t i = 0; i < 12; i++) rows[i] = faulty_;
  rows[0].name = "two words";
  rows[1].name = "conv2d";
  rows[2].name = "";
  rows[3].backward = NULL;
  rows[4].most_inputs = 9;
  rows[5].least_inputs = 0;
  rows[6].key_count = 9;
  rows[7].keys = no_help, rows[7].key_count = 1;
  rows[8].keys = twice, rows[8].key_count = 2;
  rows[9].keys = common, rows[9].key_count = 1;
  rows[10].keys = outside, rows[10].key_count = 1;
  rows[11].source = NULL;
  static const char *const messages[12] = {
      "cannot register layer 'two words': its name must be at most 31 letters, digits and _",
      "cannot register layer 'conv2d': there is a layer of that name",
      "cannot register layer '': its name must be at most 31 letters, digits and _",
      "cannot register layer 'faulty': it needs help, source, setup, forward and backward",
      "cannot register layer 'faulty': it must take 1 to 8 inputs, and the least at most the most",
      "cannot register layer 'faulty': it must take 1 to 8 inputs, and the least at most the most",
      "cannot register layer 'faulty': it must have 0 to 8 keys",
      "cannot register layer 'faulty': a key needs a name and help",
      "cannot register layer 'faulty': two keys have one name, or that of a node's own",
      "cannot register layer 'faulty': two keys have one name, or that of a node's own",
      ("cannot register layer 'faulty': the default: faulty.a must be a whole number from 1 to "
       "4, not '7'"),
      "cannot register layer 'faulty': it needs help, source, setup, forward and backward"};
  for (size_t i = 0; i < 12; i++)
    assert_refused(gf_layer_register(&rows[i]), GF_ERROR_ARGUMENT, messages[i]);
  assert_ok(gf_layer_register(&faulty_)); /* none of them is in the table */
}

static gf_status setup_fine(gf_layer_node *node) {
  (void)node;
  return GF_OK;
}

static gf_status setup_empty(gf_layer_node *node) {
  node->out.width = 0;
  return GF_OK;
}

static gf_status setup_bad_parameter(gf_layer_node *node) {
  gf_layer_parameter parameter = {.name = "w", .dims = {2, 0}, .dim_count = 2, .fan_in = 1};
  return gf_layer_add_parameter(node, &parameter);
}

static gf_status setup_many_parameters(gf_layer_node *node) {
  gf_layer_parameter parameter = {
      .name = "w", .fill = GF_LAYER_FILL_ZERO, .dims = {2}, .dim_count = 1};
  gf_status status = GF_OK;
  for (int i = 0; i < 5 && status == GF_OK; i++) status = gf_layer_add_parameter(node, &parameter);
  return status;
}

static void faults_of_setup_are_named(void **state) {
  (void)state;
  static const struct {
    gf_status (*setup)(gf_layer_node *node);
    const char *message;
  } rows[] = {
      {setup_empty, "its output has no values: depth 1, 6x0, 3 channels"},
      {setup_bad_parameter,
       "parameter 'w' needs a name, 1 to 5 dims of at least 1, and both fans if it starts at "
       "random"},
      {setup_many_parameters, "a layer has at most 4 parameters"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char message[256];
    gf_model *model;
    faulty_setup_ = rows[i].setup;
    snprintf(message, sizeof message, "net:1:17: faulty 'faulty_0' with input 'input' (6x6x3): %s",
             rows[i].message);
    assert_refused(open_model(&model, "faulty"), GF_ERROR_SHAPE, message);
  }
}

static void faults_of_launches_are_named(void **state) {
  (void)state;
  gf_model *model;
  faulty_setup_ = setup_fine;
  assert_ok(open_model(&model, "faulty"));
  assert_ok(gf__model_upload(model, floats_new(COUNT), NULL, 1));
  kernel_ = "fine";
  argument_count_ = 1;
  assert_ok(gf__model_queue_forward(model, false, 0));
  assert_true(buffer_get(model->graph.nodes[0]->out.data, 1)[0] == 1);
  argument_count_ = 33;
  assert_refused(gf__model_queue_forward(model, false, 0), GF_ERROR_ARGUMENT,
                 "kernel fine of layer faulty has 33 arguments; at most 32 are had");
  kernel_ = "missing";
  argument_count_ = 1;
  assert_refused(gf__model_queue_forward(model, false, 0), GF_ERROR_BUILD,
                 "there is no kernel missing in layer faulty");
  gf_model_free(&model);
  arrays_free();
}

static void a_source_that_does_not_compile_is_named(void **state) {
  (void)state;
  static gf_layer_type broken;
  gf_model *model;
  broken = faulty_;
  broken.name = "broken";
  broken.source = "kernel void fine(global float *y) {\n  y[0] = nothing;\n}\n";
  faulty_setup_ = setup_fine;
  kernel_ = "fine";
  argument_count_ = 1;
  assert_ok(gf_layer_register(&broken));
  assert_ok(open_model(&model, "broken"));
  assert_ok(gf__model_upload(model, floats_new(COUNT), NULL, 1));
  assert_int_equal(gf__model_queue_forward(model, false, 0), GF_ERROR_BUILD);
  const char *start = "the kernels of layer broken do not build on ";
  if (strncmp(gf_error_message(), start, strlen(start)) != 0) fail_msg("%s", gf_error_message());
  gf_model_free(&model);
  arrays_free();
}

static void the_table_ends(void **state) {
  (void)state;
  static char names[GF__MOST_LAYERS][8];
  static gf_layer_type rows[GF__MOST_LAYERS];
  char message[128];
  int i = 0;
  for (gf_status status = GF_OK; status == GF_OK; i++) {
    assert_in_range(i, 0, GF__MOST_LAYERS - 1);
    snprintf(names[i], sizeof names[i], "more_%d", i);
    rows[i] = faulty_;
    rows[i].name = names[i];
    status = gf_layer_register(&rows[i]);
  }
  snprintf(message, sizeof message, "cannot register layer '%s': there are 64 layers already",
           names[i - 1]);
  assert_string_equal(gf_error_message(), message);
  assert_non_null(gf__layer_find(names[i - 2]));
  assert_null(gf__layer_find(names[i - 1]));
  gf_model *model; /* whose message names all of them */
  assert_int_equal(open_model(&model, "nothing_like_it"), GF_ERROR_CONFIG);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_that_are_not_complete_are_refused),
      cmocka_unit_test(faults_of_setup_are_named),
      cmocka_unit_test(faults_of_launches_are_named),
      cmocka_unit_test(a_source_that_does_not_compile_is_named),
      cmocka_unit_test(the_table_ends),
  };
  return cmocka_run_group_tests_name("outside_layer_faults", tests, device_test_open,
                                     device_test_close);
}
