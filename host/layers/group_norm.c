/* Norms that normalize each image by itself, so that they do the same in training and inference. */
#include "ops/group_norm.h"

#include "layers/layer.h"

/* ---- both ---- */

enum { GAMMA, BETA };

typedef struct norm_options {
  double eps;
  int groups; /* of group_norm */
  int over;   /* of layer_norm */
} norm_options;

static const char *const layer_norm_axes[] = {"channels", "image", NULL};
enum { OVER_CHANNELS, OVER_IMAGE };

/* A layer_norm is of one group, and over channels each pixel counts as an image. */
static gf__group_norm norm_of(const gf_node *node, int images) {
  const norm_options *o = node->options;
  const gf__tensor *x = node->in[0];
  gf__group_norm norm = {.images = images,
                         .height = x->d * x->h,
                         .width = x->w,
                         .channels = x->c,
                         .groups = o->groups,
                         .eps = (float)o->eps,
                         .gamma = node->parameters[GAMMA].data,
                         .beta = node->parameters[BETA].data,
                         .saved = node->saved};
  if (o->groups) return norm;
  norm.groups = 1;
  norm.by_pixel = o->over == OVER_IMAGE;
  if (norm.by_pixel) return norm;
  norm.images *= norm.height * norm.width;
  norm.height = norm.width = 1;
  return norm;
}

static size_t norm_workspace(const gf_node *node, const gf_device *device, int batch) {
  gf__group_norm norm = norm_of(node, batch);
  return gf__group_norm_workspace(device, &norm);
}

static size_t norm_saved(const gf_node *node, int batch) {
  gf__group_norm norm = norm_of(node, batch);
  return gf__group_norm_saved(&norm);
}

static gf_status norm_forward(gf_node *node, const gf__pass *pass) {
  gf__group_norm norm = norm_of(node, pass->n);
  gf__epilogue epilogue = gf__node_epilogue(node, NULL);
  return gf__group_norm_forward(pass->device, &norm, node->in[0]->data, node->out.data, &epilogue,
                                pass->workspace);
}

static gf_status norm_backward(gf_node *node, const gf__pass *pass) {
  gf__group_norm norm = norm_of(node, pass->n);
  const gf__input_gradient *of_x = &node->input_gradients[0];
  const gf_buffer *x = node->in[0]->data, *dy = node->out.grad;
  GF_TRY(gf__node_backward_residual(node, pass));
  GF_TRY(gf__group_norm_backward_weights(pass->device, &norm, x, dy, node->parameters[GAMMA].grad,
                                         node->parameters[BETA].grad, pass->workspace));
  if (!of_x->grad) return GF_OK;
  return gf__group_norm_backward(pass->device, &norm, x, dy, of_x->grad, &of_x->epilogue,
                                 pass->workspace);
}

#define EPS_KEY                                                                \
  {                                                                            \
    "eps", GF__KEY_FLOAT, offsetof(norm_options, eps), "1e-5", 1e-12, 1, NULL, \
        "added to the variance"                                                \
  }

static gf_status finish_norm_setup(gf_node *node, int dim_count, const int *dims) {
  int channels = node->in[0]->c;
  gf__node_add_parameter(node, "weight", GF__FILL_ONE, dim_count, dims, channels, channels);
  gf__node_add_parameter(node, "bias", GF__FILL_ZERO, dim_count, dims, channels, channels);
  return gf__node_keep_shape(node);
}

#define NORM                                                                                     \
  .options_size = sizeof(norm_options), .least_inputs = 1, .most_inputs = 1,                     \
  .flags = GF__LAYER_BACKWARD_READS_INPUT | GF__LAYER_HAS_EPILOGUE, .workspace = norm_workspace, \
  .saved = norm_saved, .forward = norm_forward, .backward = norm_backward

/* ---- layer_norm ---- */

static const gf__key layer_norm_keys[] = {
    {"over", GF__KEY_CHOICE, offsetof(norm_options, over), "channels", 0, 0, layer_norm_axes,
     "what is normalized together: the channels of a pixel, as in ConvNeXt, or all of an image"},
    EPS_KEY,
};

static gf_status layer_norm_setup(gf_node *node) {
  const norm_options *o = node->options;
  const gf__tensor *x = node->in[0];
  int dims[] = {x->c, x->h, x->w}, count = 1;
  if (o->over == OVER_IMAGE) {
    GF_TRY(gf__node_check_image(node));
    count = gf__tensor_is_vector(x) ? 1 : 3;
  }
  return finish_norm_setup(node, count, dims);
}

const gf__layer gf__layer_layer_norm = {
    .name = "layer_norm",
    .help = "layer normalization (Ba et al., 2016)",
    .keys = layer_norm_keys,
    .key_count = sizeof layer_norm_keys / sizeof *layer_norm_keys,
    .setup = layer_norm_setup,
    NORM,
};

/* ---- group_norm ---- */

static const gf__key group_norm_keys[] = {
    {"groups", GF__KEY_INT, offsetof(norm_options, groups), "32", 1, 65536, NULL,
     "groups that the channels are divided into, each normalized by itself; 1: all together, as "
     "many as there are channels: instance normalization"},
    EPS_KEY,
};

static gf_status group_norm_setup(gf_node *node) {
  const norm_options *o = node->options;
  const gf__tensor *x = node->in[0];
  if (x->c % o->groups)
    return gf__node_fail(node, "%d channels are not divided by %d groups", x->c, o->groups);
  return finish_norm_setup(node, 1, &x->c);
}

const gf__layer gf__layer_group_norm = {
    .name = "group_norm",
    .help = "group normalization (Wu and He, 2018)",
    .keys = group_norm_keys,
    .key_count = sizeof group_norm_keys / sizeof *group_norm_keys,
    .setup = group_norm_setup,
    NORM,
};
