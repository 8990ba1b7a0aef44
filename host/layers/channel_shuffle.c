/* The channels of groups by turns, so that the next grouped convolution reads all of them (Zhang et
 * al., 2018). */
#include "ops/channel_shuffle.h"

#include "layers/layer.h"

typedef struct shuffle_options {
  int groups;
} shuffle_options;

static const gf__key keys[] = {
    {"groups", GF__KEY_INT, offsetof(shuffle_options, groups), "2", 1, 65536, NULL,
     "equal ranges of channels, of which the output has the first of each, then the second of "
     "each"},
};

static gf_status channel_shuffle_setup(gf_node *node) {
  const shuffle_options *o = node->options;
  if (node->in[0]->c % o->groups)
    return gf__node_fail(node, "%d channels are not divided by %d groups", node->in[0]->c,
                         o->groups);
  return gf__node_keep_shape(node);
}

static gf_status channel_shuffle_forward(gf_node *node, const gf__pass *pass) {
  const shuffle_options *o = node->options;
  return gf__channel_shuffle(pass->device, gf__node_rows(node, pass), node->out.c, o->groups,
                             node->in[0]->data, node->out.data, &(gf__epilogue){0});
}

static gf_status channel_shuffle_backward(gf_node *node, const gf__pass *pass) {
  const shuffle_options *o = node->options;
  const gf__input_gradient *of_x = &node->input_gradients[0];
  if (!of_x->grad) return GF_OK;
  return gf__channel_shuffle(pass->device, gf__node_rows(node, pass), node->out.c,
                             node->out.c / o->groups, node->out.grad, of_x->grad, &of_x->epilogue);
}

const gf__layer gf__layer_channel_shuffle = {
    .name = "channel_shuffle",
    .help =
        "the channels of its groups by turns, as between the grouped convolutions of "
        "ShuffleNets (Zhang et al., 2018)",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(shuffle_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .setup = channel_shuffle_setup,
    .forward = channel_shuffle_forward,
    .backward = channel_shuffle_backward,
};
