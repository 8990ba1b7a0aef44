/* A run folder of an ONNX model. */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/convert.h>

#include "base/config.h"
#include "convert/onnx/walk.h"
#include "convert/stored.h"
#include "run/run_folder.h"

/* ---- the model section ---- */

/* A word as YAML: in quotes where it might be read as a number, a truth value or nothing. */
static void add_word(gf__text *out, const char *word) {
  static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  bool is_plain = isalpha((unsigned char)*word);
  for (size_t i = 0; i < sizeof words / sizeof *words && is_plain; i++)
    is_plain = strcmp(words[i], word) != 0;
  gf__text_add(out, is_plain ? "%s" : "'%s'", word);
}

static const char *source_name(const gf__importing *im, int layer) {
  return layer == GF__IMPORT_IMAGES ? "input" : im->layers[layer].name;
}

static bool has_bias_key(const gf__import_layer *layer) {
  static const char *const types[] = {"conv2d", "conv3d", "conv_transpose2d", "linear"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (!strcmp(layer->type, types[i])) return true;
  return false;
}

/* before: the layer in the line before, whose output need not be named. */
static void add_layer(gf__text *out, const gf__importing *im, const gf__import_layer *layer,
                      int before) {
  gf__text_add(out, "    - {name: ");
  add_word(out, layer->name);
  gf__text_add(out, ", type: %s", layer->type);
  if (layer->input_count != 1 || layer->inputs[0] != before) {
    gf__text_add(out, ", input: %s", layer->input_count == 1 ? "" : "[");
    for (int i = 0; i < layer->input_count; i++) {
      if (i) gf__text_add(out, ", ");
      add_word(out, source_name(im, layer->inputs[i]));
    }
    if (layer->input_count != 1) gf__text_add(out, "]");
  }
  gf__text_add(out, "%s", layer->options.data ? layer->options.data : "");
  if (has_bias_key(layer) && layer->parameter_count == 1) gf__text_add(out, ", bias: false");
  gf__text_add(out, "}\n");
}

static void add_model(gf__text *out, const gf__importing *im) {
  int before = GF__IMPORT_IMAGES;
  gf__text_add(out, "model:\n  graph:\n");
  for (int i = 0; i < im->layer_count; i++) {
    if (!im->layers[i].is_needed) continue;
    add_layer(out, im, &im->layers[i], before);
    before = i;
  }
}

/* ---- the data section ---- */

static const char *note_of(const gf__importing *im, const char *key) {
  const Onnx__ModelProto *model = im->file->model;
  for (size_t i = 0; i < model->n_metadata_props; i++) {
    const Onnx__StringStringEntryProto *note = model->metadata_props[i];
    if (note->key && note->value && !strcmp(note->key, key)) return note->value;
  }
  return NULL;
}

/* Numbers that a note of ours has, separated by commas; false where it has others. */
static bool read_numbers(const gf__importing *im, const char *key, int count, double *out) {
  const char *at = note_of(im, key);
  for (int i = 0; i < count && at; i++) {
    char *end;
    out[i] = strtod(at, &end);
    bool is_last = i + 1 == count;
    if (end == at || !isfinite(out[i]) || *end != (is_last ? 0 : ',')) return false;
    at = end + !is_last;
  }
  return at != NULL;
}

/* A key of the section that the file says, or is guessed by it. */
typedef struct data_keys {
  gf__text lines; /* "key: value" with a NUL after each */
} data_keys;

static void add_key(data_keys *keys, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_key(data_keys *keys, const char *format, ...) {
  char line[256];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  gf__text_add_bytes(&keys->lines, line, strlen(line) + 1);
}

static void add_list(data_keys *keys, const char *key, int channels, const double *numbers) {
  if (channels == 1)
    add_key(keys, "%s: [%.9g]", key, numbers[0]);
  else if (channels == 3)
    add_key(keys, "%s: [%.9g, %.9g, %.9g]", key, numbers[0], numbers[1], numbers[2]);
}

/* Whether the file says how pixels are normalised: in its metadata, in its graph, or in both. A
 * graph that makes pixels much smaller takes those of 0 to 255, as Keras's do. */
static bool add_normalisation(data_keys *keys, const gf__importing *im) {
  double mean[3] = {0}, std[3] = {1, 1, 1}, largest = 0;
  int channels = im->image.channels;
  if (channels > 3) return false;
  bool is_noted =
      read_numbers(im, "mean", channels, mean) && read_numbers(im, "std", channels, std);
  if (!is_noted && !im->input_factor) return false;
  for (int c = 0; c < channels && im->input_factor; c++)
    largest = fmax(largest, (double)im->input_factor[c]);
  for (int c = 0; c < channels && im->input_factor; c++) {
    double factor = (double)im->input_factor[c], sum = (double)im->input_sum[c];
    if (!is_noted) mean[c] = 0;
    if (!is_noted) std[c] = largest < 1.0 / 16 ? 1.0 / 255 : 1;
    mean[c] -= sum * std[c] / factor;
    std[c] /= factor;
  }
  if (im->input_factor)
    gf__log(GF_LOG_INFO,
            "%s: what its graph does to the pixels first is data.mean and data.std now",
            im->file->path);
  add_list(keys, "mean", channels, mean);
  add_list(keys, "std", channels, std);
  return true;
}

/* The image before its border, and the side of what is cut out of a larger one; by the file's notes
 * where it has them. */
static void add_sizes(data_keys *keys, const gf__importing *im, const char *format) {
  gf_image_shape image = im->image;
  double crop[2] = {image.height, image.width}, resize[2] = {0, 0};
  (void)read_numbers(im, "crop", 2, crop);
  bool has_border = crop[0] < image.height || crop[1] < image.width;
  if (!strcmp(format, "image_folder")) {
    int side = (int)crop[0];
    if (!read_numbers(im, "resize", 2, resize) || resize[0] < side || resize[0] > 2048)
      resize[0] = side < 128 ? side : side * 8 / 7; /* 256 for 224, as usual */
    add_key(keys, "image_size: %d", side);
    add_key(keys, "resize: %d", (int)resize[0]);
  }
  if (!strcmp(format, "mnist") || !strcmp(format, "fashion_mnist"))
    add_key(keys, "image_shape: [%d, %d]", (int)crop[0], (int)crop[1]);
  add_key(keys, "pad_to: %d",
          has_border ? (image.height > image.width ? image.height : image.width) : 0);
}

/* What images of this shape may come from, where the file does not say. */
static const char *guess_format(const gf__importing *im, int classes) {
  const gf_image_shape image = im->image;
  if (image.channels == 3 && image.height == image.width) return "image_folder";
  if (image.channels == 1 && classes == 10) return "mnist";
  return image.channels > 3 && image.height == image.width ? "hyperspectral" : NULL;
}

static gf_status make_keys(data_keys *keys, const gf__importing *im, const gf__value *section,
                           int classes) {
  const char *note = note_of(im, "data");
  const gf__data_format *noted = note ? gf__data_format_find(note) : NULL;
  const char *format = noted ? noted->name : guess_format(im, classes);
  if (!format)
    return gf__fail(
        GF_ERROR_CONFIG,
        "%s takes images of %dx%d with %d channels and knows %d classes; which data set "
        "has them? Say it by --config CONFIG, whose data section is read, or --set "
        "data.name=NAME",
        im->file->path, im->image.height, im->image.width, im->image.channels, classes);
  bool is_cube = !strcmp(format, "hyperspectral");
  add_key(keys, "name: %s", format);
  if (is_cube) {
    add_key(keys, "patch: %d", im->image.height);
    add_key(keys, "bands: %d", im->image.channels);
  } else {
    add_sizes(keys, im, format);
  }
  if (is_cube || !strcmp(format, "image_folder")) add_key(keys, "classes: %d", classes);
  if (!is_cube && !add_normalisation(keys, im) && !gf__value_get(section, "mean"))
    gf__log(GF_LOG_WARNING,
            "%s does not say how its images are normalised; data.mean and data.std of the run are "
            "those of %s: check that, and set them by --set",
            im->file->path, format);
  return gf__text_status(&keys->lines);
}

/* The graph's own normalisation, for a section that says none. */
static void add_missing_normalisation(gf__text *out, const gf__importing *im,
                                      const gf__value *section) {
  data_keys keys = {0};
  if (!gf__value_get(section, "mean") && !gf__value_get(section, "std"))
    (void)add_normalisation(&keys, im);
  for (size_t at = 0; at < keys.lines.size; at += strlen(keys.lines.data + at) + 1)
    gf__text_add(out, "  %s\n", keys.lines.data + at);
  gf__text_free(&keys.lines);
}

/* The user's section where it names a data set, else the keys of the file but for the user's. */
static gf_status add_data(gf__text *out, const gf__importing *im, const gf__value *section,
                          int classes) {
  data_keys keys = {0};
  gf__text_add(out, "data:\n");
  if (!gf__value_get(section, "name")) {
    gf_status status = make_keys(&keys, im, section, classes);
    for (size_t at = 0; status == GF_OK && at < keys.lines.size;) {
      const char *line = keys.lines.data + at;
      char key[64];
      snprintf(key, sizeof key, "%.*s", (int)strcspn(line, ":"), line);
      if (!gf__value_get(section, key)) gf__text_add(out, "  %s\n", line);
      at += strlen(line) + 1;
    }
    gf__text_free(&keys.lines);
    GF_TRY(status);
  }
  if (section) gf__value_write(out, 2, section);
  if (gf__value_get(section, "name") && im->input_factor)
    add_missing_normalisation(out, im, section);
  return gf__text_status(out);
}

/* ---- the config ---- */

static gf_status make_config(gf_config **out, const gf__importing *im, const gf_config *config,
                             int classes) {
  const gf__value *root = config ? gf__config_root(config) : NULL;
  gf__text yaml = {0};
  *out = NULL;
  gf_status status = add_data(&yaml, im, gf__value_get(root, "data"), classes);
  add_model(&yaml, im);
  for (size_t i = 0; root && i < root->count; i++) {
    const gf__value *section = root->items[i];
    if (!strcmp(section->key, "data") || !strcmp(section->key, "model")) continue;
    gf__text_add(&yaml, "%s:\n", section->key);
    gf__value_write(&yaml, 2, section);
  }
  if (status == GF_OK) status = gf__text_status(&yaml);
  if (status == GF_OK) status = gf_config_parse(out, im->file->path, yaml.data);
  gf__text_free(&yaml);
  return status;
}

/* What the config says of the size of the images, for files that leave it open. */
static gf_status size_of_config(const gf_config *config, gf_image_shape *out) {
  const gf__value *section = config ? gf__value_get(gf__config_root(config), "data") : NULL;
  const gf__value *side = gf__value_get(section, "image_size");
  *out = (gf_image_shape){0};
  if (gf__value_get(section, "name")) {
    gf_dataset_info info;
    GF_TRY(gf__data_recall(&info, config));
    *out = (gf_image_shape){info.height, info.width, info.channels};
  } else if (side) {
    static const gf__key key = {.name = "image_size",
                                .type = GF__KEY_INT,
                                .minimum = 1,
                                .maximum = GF__DATA_LARGEST_SIDE,
                                .help = ""};
    GF_TRY(gf__keys_read_one(section, "data", &key, &out->height));
    out->width = out->height;
  }
  return GF_OK;
}

/* ---- the weights ---- */

static gf_status fail_shape(const gf__importing *im, const char *layer) {
  return gf__fail(GF_ERROR_DATA,
                  "%s: layer '%s' would not be what the file's node is: the import has a mistake; "
                  "please report it, with the file",
                  im->file->path, layer);
}

/* Both lists have the same nodes in the same order, but for the loss. */
static gf_status fill_tensors(gf__stored *stored, const gf__importing *im) {
  gf__named_tensor *tensor = stored->tensors;
  int at = 0;
  for (int i = 0; i < im->layer_count; i++) {
    const gf__import_layer *layer = &im->layers[i];
    if (!layer->is_needed) continue;
    const gf_node *node = stored->graph.nodes[at++];
    if (strcmp(node->name, layer->name) != 0 || node->parameter_count != layer->parameter_count ||
        node->out.d != layer->d || node->out.h != layer->h || node->out.w != layer->w ||
        node->out.c != layer->c)
      return fail_shape(im, layer->name);
    for (int p = 0; p < layer->parameter_count; p++, tensor++) {
      const gf__import_parameter *from = &layer->parameters[p];
      const char *suffix = tensor->name + strlen(layer->name) + 1;
      if (from->count != tensor->count || strcmp(from->suffix, suffix) != 0)
        return fail_shape(im, layer->name);
      memcpy(tensor->values, from->values, from->count * sizeof *from->values);
    }
  }
  return GF_OK;
}

/* ---- notes ---- */

static void report_notes(const gf__importing *im) {
  const gf__import_notes *notes = &im->notes;
  const char *path = im->file->path;
  if (notes->folded_norms)
    gf__log(
        GF_LOG_WARNING,
        "%s: %d convolutions have a batch norm folded into their weights, so that training on is "
        "that of another network, without these norms. %s",
        path, notes->folded_norms,
        notes->is_channels_last
            ? "Keras's export to ONNX has no option that keeps them"
            : "PyTorch keeps them by torch.onnx.export(model, (images,), \"model.onnx\", "
              "optimize=False), or with dynamo=False by "
              "training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False");
  if (notes->affine_norms)
    gf__log(GF_LOG_WARNING,
            "%s: %d products and sums with constants by channel have become batch norms, which "
            "compute the same in inference and normalise in training",
            path, notes->affine_norms);
  if (notes->shared_weights)
    gf__log(GF_LOG_WARNING,
            "%s: %d layers read weights that others read as well; here each has its own, and they "
            "are trained apart",
            path, notes->shared_weights);
  if (notes->more_outputs)
    gf__log(GF_LOG_INFO, "%s: %d further outputs are left out", path, notes->more_outputs);
  if (notes->has_softmax)
    gf__log(GF_LOG_INFO, "%s: the softmax at the end is left out; the loss has its own", path);
}

/* ---- all of it ---- */

static gf_status name_classes(gf__stored *stored, const json_t *names, const char ***out) {
  *out = NULL;
  if (!json_is_array(names) || json_array_size(names) != (size_t)stored->info.classes) return GF_OK;
  const char **list = calloc(json_array_size(names), sizeof *list);
  if (!list) return gf__fail_host_memory(json_array_size(names) * sizeof *list);
  bool fits = true;
  for (size_t i = 0; i < json_array_size(names) && fits; i++) {
    list[i] = json_string_value(json_array_get(names, i));
    fits = list[i] != NULL;
    for (const char *c = list[i]; fits && *c; c++) fits = !iscntrl((unsigned char)*c);
  }
  if (fits) stored->info.class_names = list;
  *out = list;
  return GF_OK;
}

static gf_status write_run(gf__stored *stored, const gf__importing *im, const gf_config *config,
                           const gf_import_options *options) {
  const char *note = note_of(im, "class_names"), **list = NULL;
  json_t *names = note ? json_loads(note, 0, NULL) : NULL;
  gf_status status = name_classes(stored, names, &list);
  if (status == GF_OK) status = gf__import_make_folder(stored, config, options);
  stored->info.class_names = NULL;
  free(list);
  json_decref(names);
  return status;
}

static gf_status check_shape(const gf__stored *stored, const gf__importing *im, int classes) {
  const gf_dataset_info *info = &stored->info;
  const gf_image_shape image = im->image;
  if (info->height == image.height && info->width == image.width &&
      info->channels == image.channels && info->classes == classes)
    return GF_OK;
  return gf__fail(
      GF_ERROR_CONFIG,
      "%s takes images of %dx%d with %d channels and knows %d classes; those of data.name "
      "%s are %dx%d with %d channels, of %d classes: choose another data set or size by "
      "--set data.KEY=VALUE",
      im->file->path, image.height, image.width, image.channels, classes, info->name, info->height,
      info->width, info->channels, info->classes);
}

/* The data section alone, before a network is built for images of another shape. */
static gf_status check_data(const gf_config *config, const gf__importing *im, int classes) {
  gf__stored data = {0};
  GF_TRY(gf__data_recall(&data.info, config));
  if (!data.info.classes) data.info.classes = classes;
  return check_shape(&data, im, classes);
}

static gf_status import_layers(gf__importing *im, const gf_config *given, int logits,
                               const gf_import_options *options, gf_conversion *result) {
  gf__stored stored = {0};
  gf_config *config;
  const char *path = im->file->path;
  int classes = im->layers[logits].c;
  gf_status status = make_config(&config, im, given, classes);
  if (status == GF_OK) status = gf__import_check_config(config);
  if (status == GF_OK) status = check_data(config, im, classes);
  if (status == GF_OK) status = gf__stored_open_empty(&stored, config, classes);
  if (status == GF_OK) status = fill_tensors(&stored, im);
  if (status == GF_OK) status = gf__named_tensors_check_finite(path, stored.tensors, stored.count);
  if (status == GF_OK) status = write_run(&stored, im, config, options);
  if (status == GF_OK) report_notes(im);
  if (status == GF_OK && result) gf__stored_describe(&stored, path, result);
  gf__stored_free(&stored);
  gf_config_free(&config);
  return status;
}

gf_status gf_import_onnx(const gf_config *config, const char *path,
                         const gf_import_options *options, gf_conversion *result) {
  const char *needed[] = {config ? gf__config_path(config) : path, path, NULL};
  gf__onnx_file file = {0};
  gf__importing im = {.file = &file};
  gf_image_shape size;
  int logits;
  GF_TRY(gf__run_folder_check(options->out, options->overwrite, needed));
  gf_status status = size_of_config(config, &size);
  if (status == GF_OK) status = gf__onnx_file_open(&file, path);
  if (status == GF_OK) status = gf__import_walk(&im, size, &logits);
  if (status == GF_OK) status = import_layers(&im, config, logits, options, result);
  gf__importing_free(&im);
  gf__onnx_file_free(&file);
  return status;
}
