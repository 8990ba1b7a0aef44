/* to_volume and to_image: the channels of an image as the depth of a volume, and back. */
#include "ops/volume.h"

#include "layers/layer.h"

typedef struct volume_options {
  int channels;
} volume_options;

static const gf__key keys[] = {
    {"channels", GF__KEY_INT, offsetof(volume_options, channels), "1", 1, 65536, NULL,
     "of the volume; the image's channels divided by them are its depth"},
};

static gf_status to_volume_setup(gf_node *node) {
  int channels = ((const volume_options *)node->options)->channels;
  const gf__tensor *x = node->in[0];
  if (x->d != 1) return gf__node_fail(node, "it is a volume already");
  if (x->c % channels != 0)
    return gf__node_fail(node, "its %d channels cannot be divided by %d", x->c, channels);
  node->out.d = x->c / channels;
  node->out.h = x->h;
  node->out.w = x->w;
  node->out.c = channels;
  return GF_OK;
}

static gf_status to_image_setup(gf_node *node) {
  const gf__tensor *x = node->in[0];
  if ((double)x->d * x->c > GF__MOST_FLOATS)
    return gf__node_fail(node, "an image of it has more than %d channels", GF__MOST_FLOATS);
  node->out.h = x->h;
  node->out.w = x->w;
  node->out.c = x->d * x->c;
  return GF_OK;
}

static gf__volume_shape volume_shape(const gf__tensor *volume) {
  return (gf__volume_shape){volume->d, volume->h * volume->w, volume->c};
}

static gf_status to_volume_forward(gf_node *node, const gf__pass *pass) {
  return gf__to_volume(pass->device, volume_shape(&node->out), pass->n, node->in[0]->data,
                       node->out.data, &(gf__epilogue){0});
}

static gf_status to_volume_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__to_image(pass->device, volume_shape(&node->out), pass->n, node->out.grad,
                      input_gradient->grad, &input_gradient->epilogue);
}

static gf_status to_image_forward(gf_node *node, const gf__pass *pass) {
  return gf__to_image(pass->device, volume_shape(node->in[0]), pass->n, node->in[0]->data,
                      node->out.data, &(gf__epilogue){0});
}

static gf_status to_image_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__to_volume(pass->device, volume_shape(node->in[0]), pass->n, node->out.grad,
                       input_gradient->grad, &input_gradient->epilogue);
}

const gf__layer gf__layer_to_volume = {
    .name = "to_volume",
    .help = "an image as a volume: its channels, such as a cube's bands, as the depth",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(volume_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .setup = to_volume_setup,
    .forward = to_volume_forward,
    .backward = to_volume_backward,
};

const gf__layer gf__layer_to_image = {
    .name = "to_image",
    .help = "a volume as an image of depth times channels channels, in PyTorch's order",
    .least_inputs = 1,
    .most_inputs = 1,
    .setup = to_image_setup,
    .forward = to_image_forward,
    .backward = to_image_backward,
};
