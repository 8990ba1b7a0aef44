/* The loss of a companion classifier. It has a gradient alone: what a run reports is the loss
 * that ends the graph. */
#include "ops/companion_loss.h"

#include "layers/layer.h"

typedef struct companion_options {
  int loss;
} companion_options;

const char *const gf__companion_losses[] = {"softmax_cross_entropy", "squared_hinge", NULL};

static const gf__key keys[] = {
    {"loss", GF__KEY_CHOICE, offsetof(companion_options, loss), "softmax_cross_entropy", 0, 0,
     gf__companion_losses, "of the companion classifier"},
};

static gf_status setup(gf__node *node) {
  const gf__tensor *x = node->in[0];
  if (!gf__tensor_is_vector(x))
    return gf__node_fail(node, "it takes vectors; put a flatten or a global_avg_pool before it");
  node->out.h = node->out.w = node->out.c = 1;
  return GF_OK;
}

static gf_status forward(gf__node *node, const gf__pass *pass) {
  (void)node, (void)pass;
  return GF_OK;
}

static gf_status backward(gf__node *node, const gf__pass *pass) {
  const companion_options *o = node->options;
  const gf__tensor *x = node->in[0];
  const gf__sink *sink = &node->sinks[0];
  if (!sink->grad) return GF_OK;
  return gf__companion_loss_backward(pass->device, (gf__companion_kind)o->loss, pass->n, x->c,
                                     x->data,
                                     (gf__companion_target){pass->labels, pass->label_share},
                                     pass->companion_weight, sink->grad, &sink->epilogue);
}

const gf__layer gf__layer_companion_loss = {
    .name = "companion_loss",
    .help = "loss of a classifier on a hidden layer (Lee et al., 2015), by model.companion_weight",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(companion_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .backward_reads_input = true,
    .setup = setup,
    .forward = forward,
    .backward = backward,
};
