/* Some of the channels, those of one range: the opposite of concat. */
#include "ops/concat.h"

#include "layers/layer.h"

typedef struct slice_options {
  int first, channels;
} slice_options;

static const gf__key keys[] = {
    {"first", GF__KEY_INT, offsetof(slice_options, first), "0", 0, 65535, NULL,
     "the input's channel that is the output's first one, counted from 0"},
    {"channels", GF__KEY_INT, offsetof(slice_options, channels), NULL, 1, 65536, NULL,
     "number of channels"},
};

static gf_status slice_setup(gf_node *node) {
  const slice_options *o = node->options;
  const gf__tensor *x = node->in[0];
  if (o->first + o->channels > x->c)
    return gf__node_fail(node, "%d channels from channel %d on are more than there are",
                         o->channels, o->first);
  GF_TRY(gf__node_keep_shape(node));
  node->out.c = o->channels;
  return GF_OK;
}

static gf__concat_range slice_range(const gf_node *node) {
  const slice_options *o = node->options;
  return (gf__concat_range){.channels = o->channels, .width = node->in[0]->c, .first = o->first};
}

/* What concat's backward does for one of its inputs. */
static gf_status slice_forward(gf_node *node, const gf__pass *pass) {
  return gf__concat_backward(pass->device, gf__node_rows(node, pass), slice_range(node),
                             node->in[0]->data, node->out.data, &(gf__epilogue){0});
}

static gf_status slice_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *of_x = &node->input_gradients[0];
  if (!of_x->grad) return GF_OK;
  return gf__concat_zeros(pass->device, gf__node_rows(node, pass), slice_range(node),
                          node->out.grad, of_x->grad, &of_x->epilogue);
}

const gf__layer gf__layer_slice = {
    .name = "slice",
    .help = "a range of its input's channels",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(slice_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .setup = slice_setup,
    .forward = slice_forward,
    .backward = slice_backward,
};
