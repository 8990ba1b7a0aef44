/* The loss of an auxiliary classifier. It has a gradient alone: what a run reports is the loss
 * that ends the graph. */
#include "ops/auxiliary_loss.h"

#include "layers/layer.h"

typedef struct auxiliary_options {
  int loss;
} auxiliary_options;

const char *const gf__auxiliary_losses[] = {"softmax_cross_entropy", "squared_hinge", NULL};

static const gf__key keys[] = {
    {"loss", GF__KEY_CHOICE, offsetof(auxiliary_options, loss), "softmax_cross_entropy", 0, 0,
     gf__auxiliary_losses, "of the auxiliary classifier"},
};

static gf_status auxiliary_loss_setup(gf_node *node) {
  const gf__tensor *x = node->in[0];
  if (!gf__tensor_is_vector(x))
    return gf__node_fail(node, "it takes vectors; put a flatten or a global_avg_pool before it");
  node->out.h = node->out.w = node->out.c = 1;
  return GF_OK;
}

static gf_status auxiliary_loss_forward(gf_node *node, const gf__pass *pass) {
  (void)node, (void)pass;
  return GF_OK;
}

static gf_status auxiliary_loss_backward(gf_node *node, const gf__pass *pass) {
  const auxiliary_options *o = node->options;
  const gf__tensor *x = node->in[0];
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__auxiliary_loss_backward(pass->device, (gf__auxiliary_kind)o->loss, pass->n, x->c,
                                     x->data, (gf__auxiliary_target){pass->labels, pass->mix},
                                     pass->auxiliary_weight, input_gradient->grad,
                                     &input_gradient->epilogue);
}

const gf__layer gf__layer_auxiliary_loss = {
    .name = "auxiliary_loss",
    .help = "loss of a classifier on a hidden layer (Lee et al., 2015), by model.auxiliary_weight",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(auxiliary_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .flags = GF__LAYER_BACKWARD_READS_INPUT | GF__LAYER_IS_LOSS,
    .setup = auxiliary_loss_setup,
    .forward = auxiliary_loss_forward,
    .backward = auxiliary_loss_backward,
};
