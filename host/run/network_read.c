/* network.json, or what it would hold, to the struct that others read. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/network.h"
#include "run/run_folder.h"

enum { FORMAT = 1, MOST_CLASSES = 1000000 };

static const char *text_of(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

/* Of (height, width, channels), or (depth, height, width, channels); 0 for what is no shape. */
static long count_pixels(const json_t *shape) {
  size_t sides = json_array_size(shape);
  long pixels = sides >= 3 && sides <= 4;
  for (size_t i = 0; i + 1 < sides && pixels; i++) {
    json_int_t side = json_integer_value(json_array_get(shape, i));
    pixels = side >= 1 && side <= 1 << 16 && pixels <= 1 << 24 ? pixels * (long)side : 0;
  }
  return pixels;
}

static bool read_layer(gf__network_layer *out, const json_t *layer) {
  const json_t *inputs = json_object_get(layer, "inputs"),
               *output = json_object_get(layer, "output");
  *out = (gf__network_layer){.name = text_of(layer, "name"),
                             .kind = text_of(layer, "type"),
                             .activation = text_of(layer, "activation"),
                             .input = json_string_value(json_array_get(inputs, 0)),
                             .pixels = count_pixels(output),
                             .elements = json_number_value(json_object_get(layer, "parameters"))};
  return out->name && out->kind;
}

/* The layers of a list from index count on; false for one that is damaged. */
static bool read_layers(gf__network *n, const json_t *list) {
  for (size_t i = 0; i < json_array_size(list); i++)
    if (!read_layer(&n->layers[n->layer_count++], json_array_get(list, i))) return false;
  return json_is_array(list);
}

static size_t count_layers(const json_t *json) {
  const json_t *auxiliaries = json_object_get(json, "auxiliary_classifiers");
  size_t count = json_array_size(json_object_get(json, "layers"));
  for (size_t i = 0; i < json_array_size(auxiliaries); i++)
    count += json_array_size(json_object_get(json_array_get(auxiliaries, i), "layers"));
  return count;
}

/* Those of auxiliary classifiers follow the others. */
static bool read_all_layers(gf__network *n) {
  const json_t *auxiliaries = json_object_get(n->json, "auxiliary_classifiers");
  if (!read_layers(n, json_object_get(n->json, "layers"))) return false;
  for (size_t i = 0; i < json_array_size(auxiliaries); i++)
    if (!read_layers(n, json_object_get(json_array_get(auxiliaries, i), "layers"))) return false;
  return true;
}

static int read_side(const json_t *shape, size_t index) {
  json_int_t side = json_integer_value(json_array_get(shape, index));
  return side >= 1 && side <= 1 << 24 ? (int)side : 0;
}

/* null is what another framework does not know; a key that is missing is damage. */
static bool read_shape(gf__network *n) {
  const json_t *image = json_object_get(n->json, "image");
  const json_t *number = json_object_get(n->json, "classes");
  json_int_t classes = json_integer_value(number);
  n->image = (gf_image_shape){read_side(image, 0), read_side(image, 1), read_side(image, 2)};
  n->classes = classes >= 1 && classes <= MOST_CLASSES ? (int)classes : 0;
  bool is_image =
      json_array_size(image) == 3 && n->image.height && n->image.width && n->image.channels;
  return (is_image || json_is_null(image)) && (n->classes || json_is_null(number));
}

static bool read_class_names(gf__network *n) {
  const json_t *names = json_object_get(n->json, "class_names");
  if (!n->class_names) return true;
  for (int i = 0; i < n->classes; i++)
    if (!(n->class_names[i] = json_string_value(json_array_get(names, (size_t)i)))) return false;
  return true;
}

static void read_optimizer(gf__network *n) {
  const json_t *optimizer = json_object_get(n->json, "optimizer");
  const json_t *eps = json_object_get(optimizer, "eps");
  n->optimizer = text_of(optimizer, "kind");
  n->framework = text_of(json_object_get(n->json, "framework"), "name");
  n->eps = gf__json_number_of(eps);
}

static int read_images(const json_t *statistics, const char *key) {
  json_int_t images = json_integer_value(json_object_get(statistics, key));
  return images >= 1 && images <= 1 << 30 ? (int)images : 0;
}

static void read_statistics(gf__network *n) {
  const json_t *statistics = json_object_get(n->json, "statistics");
  n->logit_layer = text_of(n->json, "logit_layer");
  n->images = (gf__record_images){read_images(statistics, "gradient_images"),
                                  read_images(statistics, "activation_images"),
                                  read_images(statistics, "norm_images")};
}

static gf_status allocate(gf__network *n) {
  size_t layers = count_layers(n->json) + 1, names = (size_t)n->classes;
  n->layers = calloc(layers, sizeof *n->layers);
  if (json_array_size(json_object_get(n->json, "class_names")) == names)
    n->class_names = calloc(names, sizeof *n->class_names);
  return n->layers ? GF_OK : gf__fail_host_memory(layers * sizeof *n->layers);
}

/* Takes json over. name: of the file, for messages. */
static gf_status parse(gf__network *n, json_t *json, const char *name) {
  n->json = json;
  n->eps = (double)NAN;
  json_int_t format = json_integer_value(json_object_get(json, "format"));
  if (format > FORMAT)
    return gf__fail(GF_ERROR_DATA,
                    "%s is of format %lld and this program reads format %d; take a newer gradflow",
                    name, (long long)format, FORMAT);
  bool is_whole = format == FORMAT && read_shape(n);
  if (is_whole) GF_TRY(allocate(n));
  if (!is_whole || !read_class_names(n) || !read_all_layers(n))
    return gf__fail(GF_ERROR_DATA,
                    "%s is damaged: it lacks a format, an image's shape, a number of classes or a "
                    "layer's name or type",
                    name);
  read_optimizer(n);
  read_statistics(n);
  return GF_OK;
}

static gf_status build(json_t **out, const char *folder) {
  gf_config *config = NULL;
  gf_dataset_info data;
  gf_status status = gf__run_config_load(&config, folder);
  if (status == GF_OK) status = gf_dataset_shape(&data, config);
  if (status == GF_OK) status = gf__network_describe(out, config, &data, (gf__record_images){0});
  gf_config_free(&config);
  return status;
}

/* The network of a run without a network.json, as programs before it had left them. */
static gf_status rebuild(gf__network *n, const char *folder) {
  char path[GF__PATH_SIZE];
  json_t *json = NULL;
  GF_TRY(gf__run_path(path, folder, "config.yaml"));
  if (!gf__path_exists(path))
    return gf__fail(GF_ERROR_FILE, "%s has neither a network.json nor a config.yaml", folder);
  gf_status status = build(&json, folder);
  if (status != GF_OK)
    return gf__fail(status,
                    "%s has no network.json, and its network cannot be built from its config.yaml: "
                    "%s",
                    folder, gf_error_message());
  return parse(n, json, "the network");
}

gf_status gf__network_read(gf__network *out, const char *folder) {
  char path[GF__PATH_SIZE];
  *out = (gf__network){.eps = (double)NAN};
  GF_TRY(gf__run_path(path, folder, "network.json"));
  if (!gf__path_exists(path)) return rebuild(out, folder);
  json_t *json = gf__json_read(path);
  if (!json) return gf__fail(GF_ERROR_DATA, "%s is not JSON, or cannot be read", path);
  return parse(out, json, path);
}

gf_status gf__network_read_shaped(gf__network *out, const char *folder) {
  GF_TRY(gf__network_read(out, folder));
  if (out->classes && out->image.height) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s/network.json does not say how large the images are, or how many classes "
                  "there are; such a run can be diagnosed and drawn",
                  folder);
}

void gf__network_free(gf__network *network) {
  json_decref(network->json);
  free(network->class_names);
  free(network->layers);
  *network = (gf__network){0};
}

const gf__network_layer *gf__network_find(const gf__network *network, const char *name) {
  for (int i = 0; i < network->layer_count; i++)
    if (!strcmp(network->layers[i].name, name)) return &network->layers[i];
  return NULL;
}
