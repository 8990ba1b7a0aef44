/* A trainable factor for each channel, which begins small, so that a deep residual network begins
 * as its shortcuts (Touvron et al., 2021). */
#include "ops/layer_scale.h"

#include "layers/layer.h"
#include "ops/reduce.h"

typedef struct scale_options {
  double initial;
} scale_options;

static const gf__key keys[] = {
    {"initial", GF__KEY_FLOAT, offsetof(scale_options, initial), "1e-6", -10, 10, NULL,
     "what the factors begin as"},
};

static gf_status layer_scale_setup(gf_node *node) {
  const scale_options *o = node->options;
  int c = node->in[0]->c, dims[] = {c, 1, 1};
  gf__parameter *factor =
      gf__node_add_parameter(node, "layer_scale", GF__FILL_VALUE, 3, dims, c, c);
  factor->value = o->initial;
  factor->is_weight = true;
  return gf__node_keep_shape(node);
}

static size_t layer_scale_workspace(const gf_node *node, const gf_device *device, int batch) {
  (void)batch;
  return gf__column_sums_workspace(device, node->out.c);
}

static gf_status layer_scale_forward(gf_node *node, const gf__pass *pass) {
  gf__epilogue epilogue = gf__node_epilogue(node, NULL);
  return gf__layer_scale_forward(pass->device, (int)gf__node_rows(node, pass), node->out.c,
                                 node->in[0]->data, node->parameters[0].data, node->out.data,
                                 &epilogue);
}

static gf_status layer_scale_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *of_x = &node->input_gradients[0];
  int rows = (int)gf__node_rows(node, pass), channels = node->out.c;
  GF_TRY(gf__node_backward_residual(node, pass));
  GF_TRY(gf__layer_scale_backward_factor(pass->device, rows, channels, node->in[0]->data,
                                         node->out.grad, node->parameters[0].grad,
                                         pass->workspace));
  if (!of_x->grad) return GF_OK;
  return gf__layer_scale_forward(pass->device, rows, channels, node->out.grad,
                                 node->parameters[0].data, of_x->grad, &of_x->epilogue);
}

const gf__layer gf__layer_layer_scale = {
    .name = "layer_scale",
    .help =
        "a trainable factor for each channel (Touvron et al., 2021), as at the end of the "
        "blocks of ConvNeXt",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(scale_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .flags = GF__LAYER_BACKWARD_READS_INPUT | GF__LAYER_HAS_EPILOGUE,
    .setup = layer_scale_setup,
    .workspace = layer_scale_workspace,
    .forward = layer_scale_forward,
    .backward = layer_scale_backward,
};
