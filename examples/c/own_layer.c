/* Trains a network with a layer that gradflow does not have: Swish, whose slope is learned channel
 * by channel (Ramachandran et al., 2017).
 *
 *   cc own_layer.c $(pkg-config --cflags --libs gradflow) -o own_layer
 *   ./own_layer runs/swish         # on Fashion-MNIST, from Debian's dataset-fashion-mnist
 *   ./own_layer runs/swish train.epochs=5
 */
#include <stdio.h>

#include <gradflow.h>

/* y = x s(b x) with s(z) = 1 / (1 + exp(-z)) and b = sharpness beta[channel], so that
 *   dy/dx    = s + b x s (1 - s)
 *   dy/dbeta = sharpness x^2 s (1 - s). */
static const char source[] =
    "float gate(float b, float x) { return 1.0f / (1.0f + exp(-b * x)); }\n"
    "kernel void swish(global const float *x, global const float *beta, global float *y,\n"
    "                  float sharpness, int channels, int count) {\n"
    "  int i = get_global_id(0);\n"
    "  if (i < count) y[i] = x[i] * gate(sharpness * beta[i % channels], x[i]);\n"
    "}\n"
    "kernel void swish_dx(global const float *x, global const float *beta,\n"
    "                     global const float *dy, global float *dx, float sharpness,\n"
    "                     int channels, int count) {\n"
    "  int i = get_global_id(0);\n"
    "  if (i >= count) return;\n"
    "  float b = sharpness * beta[i % channels], s = gate(b, x[i]);\n"
    "  dx[i] = dy[i] * (s + b * x[i] * s * (1.0f - s));\n"
    "}\n"
    "/* partial (parts, channels): each sums every parts-th row. */\n"
    "kernel void swish_partial(global const float *x, global const float *beta,\n"
    "                          global const float *dy, global float *partial,\n"
    "                          float sharpness, int channels, int rows, int parts) {\n"
    "  int i = get_global_id(0), c = i % channels;\n"
    "  if (i >= parts * channels) return;\n"
    "  float sum = 0.0f, b = sharpness * beta[c];\n"
    "  for (int row = i / channels; row < rows; row += parts) {\n"
    "    float v = x[row * channels + c], s = gate(b, v);\n"
    "    sum += dy[row * channels + c] * sharpness * v * v * s * (1.0f - s);\n"
    "  }\n"
    "  partial[i] = sum;\n"
    "}\n"
    "kernel void swish_dbeta(global const float *partial, global float *dbeta, int channels,\n"
    "                        int parts) {\n"
    "  int c = get_global_id(0);\n"
    "  if (c >= channels) return;\n"
    "  float sum = 0.0f;\n"
    "  for (int part = 0; part < parts; part++) sum += partial[part * channels + c];\n"
    "  dbeta[c] = sum;\n"
    "}\n";

enum { PARTS = 256 };

static const gf_layer_key keys[] = {
    {"sharpness", 0, "1", 0.01, 100, "times beta, which begins at 1"},
};

static gf_status setup(gf_layer_node *node) {
  gf_layer_parameter beta = {
      .name = "beta", .fill = GF_LAYER_FILL_ONE, .dims = {node->in[0].channels}, .dim_count = 1};
  return gf_layer_add_parameter(node, &beta); /* the output's shape is the input's */
}

static size_t workspace(const gf_layer_node *node, int images) {
  (void)images;
  return sizeof(float) * PARTS * (size_t)node->out.channels;
}

static int rows_of(const gf_layer_node *node, const gf_layer_pass *pass) {
  return pass->images * node->out.depth * node->out.height * node->out.width;
}

static gf_status forward(const gf_layer_node *node, const gf_layer_pass *pass) {
  int channels = node->out.channels, count = rows_of(node, pass) * channels;
  const gf_argument arguments[] = {
      gf_argument_buffer(pass->in[0]), gf_argument_buffer(pass->parameter[0]),
      gf_argument_buffer(pass->out),   gf_argument_float((float)node->options[0]),
      gf_argument_int(channels),       gf_argument_int(count),
  };
  return gf_layer_launch(node, pass, "swish", (size_t)count, arguments, 6);
}

static gf_status backward_x(const gf_layer_node *node, const gf_layer_pass *pass) {
  int channels = node->out.channels, count = rows_of(node, pass) * channels;
  const gf_argument arguments[] = {
      gf_argument_buffer(pass->in[0]),
      gf_argument_buffer(pass->parameter[0]),
      gf_argument_buffer(pass->out_gradient),
      gf_argument_buffer(pass->in_gradient[0]),
      gf_argument_float((float)node->options[0]),
      gf_argument_int(channels),
      gf_argument_int(count),
  };
  return gf_layer_launch(node, pass, "swish_dx", (size_t)count, arguments, 7);
}

/* In two steps, so that the sum has an order of its own on every device, and many work-items. */
static gf_status backward_beta(const gf_layer_node *node, const gf_layer_pass *pass) {
  int channels = node->out.channels;
  const gf_argument partial[] = {
      gf_argument_buffer(pass->in[0]),
      gf_argument_buffer(pass->parameter[0]),
      gf_argument_buffer(pass->out_gradient),
      gf_argument_buffer(pass->workspace),
      gf_argument_float((float)node->options[0]),
      gf_argument_int(channels),
      gf_argument_int(rows_of(node, pass)),
      gf_argument_int(PARTS),
  };
  const gf_argument sum[] = {
      gf_argument_buffer(pass->workspace),
      gf_argument_buffer(pass->parameter_gradient[0]),
      gf_argument_int(channels),
      gf_argument_int(PARTS),
  };
  gf_status status =
      gf_layer_launch(node, pass, "swish_partial", (size_t)PARTS * (size_t)channels, partial, 8);
  if (status != GF_OK) return status;
  return gf_layer_launch(node, pass, "swish_dbeta", (size_t)channels, sum, 4);
}

static gf_status backward(const gf_layer_node *node, const gf_layer_pass *pass) {
  gf_status status = pass->in_gradient[0] ? backward_x(node, pass) : GF_OK;
  return status == GF_OK ? backward_beta(node, pass) : status;
}

static const gf_layer_type swish = {
    .name = "swish",
    .help = "x / (1 + exp(-beta x)), beta learned for each channel",
    .keys = keys,
    .key_count = 1,
    .least_inputs = 1,
    .most_inputs = 1,
    .source = source,
    .backward_reads_in = 1,
    .setup = setup,
    .workspace = workspace,
    .forward = forward,
    .backward = backward,
};

static const char network[] =
    "data: {name: fashion_mnist, train_limit: 2000, validation: 500}\n"
    "model:\n"
    "  graph:\n"
    "    - {type: conv2d, filters: 16, padding: 1}\n"
    "    - {type: swish}\n"
    "    - {type: max_pool, kernel: 2}\n"
    "    - {type: conv2d, filters: 16, padding: 1}\n"
    "    - {type: swish, sharpness: 2}\n"
    "    - {type: global_avg_pool}\n"
    "    - {type: linear, outputs: 10}\n"
    "optimizer: {name: adam, learning_rate: 5e-3}\n"
    "train: {epochs: 2, batch_size: 50}\n";

static void on_epoch(void *user, const gf_epoch *e) {
  (void)user;
  printf("epoch %d of %d: loss %.3f, validation accuracy %.1f%%\n", e->epoch, e->epochs,
         e->train_loss, 100 * e->validation_accuracy);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: own_layer RUN_FOLDER [KEY=VALUE...]\n");
    return 2;
  }
  gf_config *config = NULL;
  gf_device *device = NULL;
  gf_test_result result = {0};
  gf_train_options options = gf_train_options_default();
  options.out = argv[1];
  options.overwrite = true;
  options.events.epoch = on_epoch;

  gf_status status = gf_layer_register(&swish);
  if (status == GF_OK) status = gf_config_parse(&config, "own_layer.c", network);
  for (int i = 2; status == GF_OK && i < argc; i++) status = gf_config_set(config, argv[i]);
  if (status == GF_OK) status = gf_device_open(&device, NULL);
  if (status == GF_OK) status = gf_train(device, config, &options);
  if (status == GF_OK) status = gf_test(device, argv[1], &result);
  if (status == GF_OK) printf("test accuracy %.1f%%\n", 100 * result.accuracy);
  if (status != GF_OK) fprintf(stderr, "own_layer: %s\n", gf_error_message());
  gf_test_result_free(&result);
  gf_device_free(&device);
  gf_config_free(&config);
  return status == GF_OK ? 0 : 1;
}
