#include "data/dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "base/random.h"

enum { FLIP_DEFAULT = 2 };
static const char *const flips_[] = {"false", "true", "default", NULL};
static const char *const bad_files_[] = {"stop", "skip", NULL};

#define FIELD(member) offsetof(gf__data_settings, member)

const gf__key gf__data_keys[] = {
    {"name", GF__KEY_CHOICE, FIELD(name), NULL, 0, 0, gf__data_set_names, "the data set"},
    {"path", GF__KEY_TEXT, FIELD(path), "", 0, 0, NULL,
     "folder of its files; fashion_mnist knows Debian's"},
    {"validation", GF__KEY_INT, FIELD(validation), "-1", -1, GF__DATA_LARGEST_COUNT, NULL,
     "training images held out; -1: 2500 of CIFAR, 5000 of MNIST and SVHN, 5% of other files"},
    {"split_seed", GF__KEY_SEED, FIELD(split_seed), "0", 0, 0, NULL,
     "chooses the validation images, whatever the run's seed"},
    {"train_limit", GF__KEY_INT, FIELD(train_limit), "0", 0, GF__DATA_LARGEST_COUNT, NULL,
     "at most so many training images; 0: all"},
    {"test_limit", GF__KEY_INT, FIELD(test_limit), "0", 0, GF__DATA_LARGEST_COUNT, NULL,
     "at most so many test images, the first of the file; 0: all"},
    {"pad_to", GF__KEY_INT, FIELD(pad_to), "32", 0, GF__DATA_LARGEST_SIDE, NULL,
     "smaller images get a black border up to this side; 0: none"},
    {"crop_padding", GF__KEY_INT, FIELD(crop_padding), "-1", -1, GF__DATA_LARGEST_SIDE, NULL,
     "random crops of images padded by so many pixels; 0: none; -1: 4 of CIFAR, else 0"},
    {"flip", GF__KEY_CHOICE, FIELD(flip), "default", 0, 0, flips_,
     "mirror half of the training images; default: all but mnist"},
    {"cutout", GF__KEY_INT, FIELD(cutout), "0", 0, GF__DATA_LARGEST_SIDE, NULL,
     "side of a square of mean colour on training images, pixels; 0: none"},
    {"jitter", GF__KEY_FLOATS, FIELD(jitter), "[0, 0, 0]", 0, 1, NULL,
     "of training images: most change of brightness, contrast and saturation"},
    {"mixup", GF__KEY_FLOAT, FIELD(mixup), "0", 0, 1e3, NULL,
     "mixes pairs of training images and of labels, by shares of Beta(mixup, mixup); 0: none"},
    {"mean", GF__KEY_FLOATS, FIELD(mean), "[]", -1e3, 1e3, NULL,
     "subtracted, a channel each, of pixels in [0, 1]; []: the data set's"},
    {"std", GF__KEY_FLOATS, FIELD(std), "[]", 1e-6, 1e6, NULL,
     "then divides, a channel each; []: the data set's"},
    {"resize", GF__KEY_INT, FIELD(resize), "256", 1, 2 * GF__DATA_LARGEST_SIDE, NULL,
     "image_folder: the shorter side of each image becomes so long before the crop"},
    {"image_size", GF__KEY_INT, FIELD(image_size), "224", 1, GF__DATA_LARGEST_SIDE, NULL,
     "image_folder: side of the square that is cut out of the middle"},
    {"bad_file", GF__KEY_CHOICE, FIELD(bad_file), "stop", 0, 0, bad_files_,
     "image_folder: what an image that cannot be read does"},
    {"cube", GF__KEY_TEXT, FIELD(cube), "Indian_pines_corrected.mat", 0, 0, NULL,
     "hyperspectral: file with the array (height, width, bands)"},
    {"ground_truth", GF__KEY_TEXT, FIELD(ground_truth), "Indian_pines_gt.mat", 0, 0, NULL,
     "hyperspectral: file with each pixel's class from 1 on, 0 where it is unknown"},
    {"patch", GF__KEY_INT, FIELD(patch), "7", 1, 255, NULL,
     "hyperspectral: side of the square around each pixel, odd"},
    {"train_share", GF__KEY_FLOAT, FIELD(train_share), "0.2", 1e-6, 1, NULL,
     "hyperspectral: share of each class's pixels to train on"},
    {"validation_share", GF__KEY_FLOAT, FIELD(validation_share), "0.1", 0, 1, NULL,
     "hyperspectral: share to choose an epoch by; the others are the test's"},
    {"verify", GF__KEY_ANY, FIELD(verify), "", 0, 0, NULL,
     "SHA-256 digests that files must have: {train.bin: 9f86d0...}"},
};
const size_t gf__data_key_count = sizeof gf__data_keys / sizeof *gf__data_keys;

void gf__data_write(gf__text *out, int indent, const gf_dataset *dataset) {
  gf__keys_write(out, indent, gf__data_keys, gf__data_key_count, &dataset->settings);
  if (!dataset->settings.verify) return;
  gf__text_add(out, "%*sverify:\n", indent, "");
  gf__value_write(out, indent + 2, dataset->settings.verify);
}

gf_status gf__data_file_size(const char *path, int64_t *out) {
  if (gf__path_is_folder(path))
    return gf__fail(GF_ERROR_FILE, "cannot read %s: it is a folder", path);
  FILE *file = fopen(path, "rb");
  if (!file) return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  int error = errno;
  fclose(file);
  if (size < 0)
    return gf__fail(GF_ERROR_FILE, "cannot tell the size of %s: %s", path, strerror(error));
  *out = size;
  return GF_OK;
}

gf_status gf__data_missing(const gf__data_source *source, const char *file) {
  return gf__fail(GF_ERROR_FILE, "there is no %s in %s; %s is read from %s; %s", file,
                  source->settings->path, source->set->name, source->set->files,
                  source->set->source);
}

gf_status gf__data_check_label(const gf__data_set *set, const char *path, int record, int label) {
  if (label < set->classes) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s: record %d (counted from 0) has the label %d; those of %s are 0 to %d: the "
                  "file is damaged or of another data set",
                  path, record, label, set->name, set->classes - 1);
}

void gf__data_store(const gf__data_sink *sink, int record, const uint8_t *pixels) {
  if (sink->place[record] < 0) return;
  size_t channels = (size_t)sink->channels, row = (size_t)sink->file.width * channels;
  size_t image_row = (size_t)sink->width * channels;
  size_t top = (size_t)(sink->height - sink->file.height) / 2;
  size_t left = (size_t)(sink->width - sink->file.width) / 2;
  uint8_t *image = sink->images + (size_t)sink->place[record] * (size_t)sink->height * image_row;
  for (size_t y = 0; y < (size_t)sink->file.height; y++)
    memcpy(image + (top + y) * image_row + left * channels, pixels + y * row, row);
}

static const gf__data_set *set_of(const gf_dataset *dataset) {
  return &gf__data_sets[dataset->settings.name];
}

/* The values a channel: those of the config, one for all, or the data set's. */
static gf_status resolve_channels(gf__floats *floats, const gf__value *section, const char *key,
                                  const double *initial, const gf__data_set *set) {
  int given = floats->count;
  if (given > 1 && given != set->channels)
    return gf__value_fail(gf__value_get(section, key),
                          "data.%s has %d numbers; images of %s have %d channel%s", key, given,
                          set->name, set->channels, set->channels == 1 ? "" : "s");
  floats->count = set->channels;
  if (given == set->channels) return GF_OK;
  double all = floats->v[0];
  for (int c = 0; c < set->channels; c++) floats->v[c] = given == 0 ? initial[c] : all;
  return GF_OK;
}

/* One number is for all three. */
static gf_status resolve_jitter(gf__floats *jitter, const gf__value *section) {
  if (jitter->count != 1 && jitter->count != 3)
    return gf__value_fail(gf__value_get(section, "jitter"),
                          "data.jitter has %d numbers; give one, or three: of brightness, contrast "
                          "and saturation",
                          jitter->count);
  for (; jitter->count < 3; jitter->count++) jitter->v[jitter->count] = jitter->v[0];
  return GF_OK;
}

static gf_status resolve_path(gf__data_settings *settings, const gf__value *section,
                              const gf__data_set *set) {
  if (!*settings->path) {
    if (!set->folder)
      return gf__value_fail(section, "data.path is missing: name the folder with %s of %s; %s",
                            set->files, set->name, set->source);
    char *path = malloc(strlen(set->folder) + 1);
    if (!path) return gf__fail_host_memory(strlen(set->folder) + 1);
    free(settings->path);
    settings->path = strcpy(path, set->folder);
  }
  if (!gf__path_is_folder(settings->path))
    return gf__fail(GF_ERROR_FILE, "data.path: there is no folder %s; %s is read from %s; %s",
                    settings->path, set->name, set->files, set->source);
  return GF_OK;
}

static gf_status resolve(gf__data_settings *settings, const gf__value *section) {
  const gf__data_set *set = &gf__data_sets[settings->name];
  if (settings->crop_padding < 0) settings->crop_padding = set->crop_padding;
  if (settings->flip == FLIP_DEFAULT) settings->flip = set->flip;
  GF_TRY(resolve_jitter(&settings->jitter, section));
  if (set->check) {
    GF_TRY(set->check(settings, section));
    GF_TRY(gf__data_check_verify(set, settings));
    return resolve_path(settings, section, set);
  }
  GF_TRY(resolve_channels(&settings->mean, section, "mean", set->mean, set));
  GF_TRY(resolve_channels(&settings->std, section, "std", set->std, set));
  if (!set->side && settings->resize < settings->image_size)
    return gf__value_fail(section,
                          "data.resize is %d, from which no %d pixels (data.image_size) can be "
                          "cut; make it at least as large",
                          settings->resize, settings->image_size);
  GF_TRY(gf__data_check_verify(set, settings));
  return resolve_path(settings, section, set);
}

static int at_most(int limit, int count) { return limit > 0 && limit < count ? limit : count; }

/* The part of the file's order (permuted for training and validation) that the split is. */
static gf_status choose_part(gf_dataset *dataset, gf_split split, int records, int *first,
                             int *count) {
  gf__data_settings *settings = &dataset->settings;
  const gf__data_set *set = set_of(dataset);
  *first = 0;
  if (split == GF_SPLIT_TEST) {
    *count = at_most(settings->test_limit, records);
    return GF_OK;
  }
  if (settings->validation < 0)
    settings->validation = records < set->full_count ? records / 20 : set->validation;
  if (settings->validation >= records)
    return gf__fail(GF_ERROR_CONFIG,
                    "data.validation is %d, but %s has only %d training images; leave some to "
                    "train on",
                    settings->validation, settings->path, records);
  *count = settings->validation;
  if (split == GF_SPLIT_VALIDATION) return GF_OK;
  *first = settings->validation;
  *count = at_most(settings->train_limit, records - settings->validation);
  return GF_OK;
}

/* For each record its index in the split, or -1. The caller frees *out. */
static gf_status place_records(gf_dataset *dataset, gf_split split, int records, int32_t **out) {
  int first = 0, count = 0;
  GF_TRY(choose_part(dataset, split, records, &first, &count));
  dataset->info.count = count;
  int32_t *place = malloc((size_t)records * sizeof *place);
  uint32_t *order = malloc((size_t)records * sizeof *order);
  *out = place;
  if (!place || !order) {
    free(order);
    return gf__fail_host_memory((size_t)records * sizeof *order);
  }
  if (split == GF_SPLIT_TEST)
    for (int i = 0; i < records; i++) order[i] = (uint32_t)i;
  else
    gf__random_permutation(dataset->settings.split_seed, GF__STREAM_SPLIT, 0, order,
                           (uint32_t)records);
  for (int i = 0; i < records; i++) place[i] = -1;
  /* All of order is set. NOLINTNEXTLINE(clang-analyzer-core.uninitialized.ArraySubscript) */
  for (int i = 0; i < count; i++) place[order[first + i]] = i;
  free(order);
  return GF_OK;
}

static size_t image_bytes(const gf_dataset_info *info) {
  return (size_t)info->height * (size_t)info->width * (size_t)info->channels;
}

gf_status gf__data_check_memory(const gf_dataset *dataset, gf_split split, uint64_t memory) {
  static const char *const limits[] = {[GF_SPLIT_TRAIN] = "train_limit",
                                       [GF_SPLIT_VALIDATION] = "validation",
                                       [GF_SPLIT_TEST] = "test_limit"};
  const gf_dataset_info *info = &dataset->info;
  uint64_t image = image_bytes(info), most = memory / 4 * 3 / image;
  if (!memory || (uint64_t)info->count <= most) return GF_OK;
  return gf__fail(GF_ERROR_MEMORY,
                  "%s: %d images of %d x %d pixels take %.1f GB of memory, and this machine has "
                  "%.1f GB; set data.%s to at most %llu%s",
                  dataset->settings.path, info->count, info->height, info->width,
                  1e-9 * (double)image * info->count, 1e-9 * (double)memory, limits[split],
                  (unsigned long long)most,
                  set_of(dataset)->side ? "" : ", or data.image_size to less");
}

static gf_status allocate(gf_dataset *dataset, gf_split split) {
  GF_TRY(gf__data_check_memory(dataset, split, gf__host_memory()));
  size_t image = image_bytes(&dataset->info);
  size_t count = dataset->info.count > 0 ? (size_t)dataset->info.count : 1;
  dataset->images = calloc(count, image);
  if (!dataset->images) return gf__fail_host_memory(count * image);
  dataset->labels = calloc(count, sizeof *dataset->labels);
  if (!dataset->labels) return gf__fail_host_memory(count * sizeof *dataset->labels);
  return GF_OK;
}

/* Closes the gaps of images that were left out. */
static void close_gaps(gf_dataset *dataset) {
  size_t image = image_bytes(&dataset->info);
  int count = 0;
  for (int i = 0; i < dataset->info.count; i++) {
    if (dataset->labels[i] < 0) continue;
    if (count < i)
      memcpy(dataset->images + (size_t)count * image, dataset->images + (size_t)i * image, image);
    dataset->labels[count++] = dataset->labels[i];
  }
  dataset->info.count = count;
}

static int larger(int a, int b) { return a > b ? a : b; }

static void describe(gf_dataset_info *out, const gf__data_set *set,
                     const gf__data_settings *settings, const gf__data_shape *file) {
  *out = (gf_dataset_info){.name = set->name,
                           .height = larger(file->height, settings->pad_to),
                           .width = larger(file->width, settings->pad_to),
                           .channels = set->channels,
                           .classes = file->classes,
                           .class_names = set->class_names};
}

static gf_status read_records(gf_dataset *dataset, gf_split split, const gf__data_source *source) {
  const gf__data_set *set = source->set;
  gf__data_shape file = {.classes = set->classes};
  GF_TRY(set->measure(source, &file));
  describe(&dataset->info, set, &dataset->settings, &file);
  int32_t *place = NULL;
  gf_status status = place_records(dataset, split, file.count, &place);
  if (status == GF_OK) status = allocate(dataset, split);
  if (status == GF_OK) {
    gf__data_sink sink = {.file = file,
                          .channels = set->channels,
                          .place = place,
                          .height = dataset->info.height,
                          .width = dataset->info.width,
                          .images = dataset->images,
                          .labels = dataset->labels};
    status = set->read(source, &sink);
  }
  free(place);
  if (status == GF_OK) close_gaps(dataset);
  return status;
}

enum { LARGEST_NAMES = 1 << 20 }; /* bytes */

/* The text with a class name a line; empty where the row's names stand. */
static gf_status read_names_text(const gf__data_source *source, gf__text *out,
                                 char path[GF__DATA_LARGEST_PATH]) {
  const gf__data_set *set = source->set;
  GF_TRY(gf__path_join(path, GF__DATA_LARGEST_PATH, source->settings->path,
                       set->names_file ? set->names_file : ""));
  if (set->names) return set->names(source, out);
  if (!set->names_file || !gf__path_exists(path)) return GF_OK;
  char *text = NULL;
  size_t size = 0;
  GF_TRY(gf__file_read_within(path, LARGEST_NAMES, &text, &size));
  gf__text_add_bytes(out, text, size);
  free(text);
  return gf__text_status(out);
}

/* Cuts the names into lines; a data set without any keeps those of its row. */
static gf_status read_names(gf_dataset *dataset, const gf__data_source *source) {
  char path[GF__DATA_LARGEST_PATH];
  size_t classes = (size_t)dataset->info.classes, count = 0;
  GF_TRY(read_names_text(source, &dataset->names, path));
  if (!dataset->names.data) return GF_OK;
  dataset->class_names = calloc(classes, sizeof *dataset->class_names);
  if (!dataset->class_names) return gf__fail_host_memory(classes * sizeof *dataset->class_names);
  for (char *line = dataset->names.data; *line; count++) {
    line += strspn(line, "\r\n");
    if (!*line) break;
    if (count < classes) dataset->class_names[count] = line;
    line += strcspn(line, "\r\n");
    if (*line) *line++ = 0;
  }
  if (count != classes)
    return gf__fail(GF_ERROR_DATA, "%s has %zu class names, but %s has %zu classes", path, count,
                    source->set->name, classes);
  dataset->info.class_names = dataset->class_names;
  return GF_OK;
}

/* The config that data.verify points into may be gone before the data set is. */
static gf_status keep_verify(gf_dataset *dataset) {
  if (!dataset->settings.verify) return GF_OK;
  gf__text yaml = {0};
  gf__value_write(&yaml, 0, dataset->settings.verify);
  gf_status status = gf__text_status(&yaml);
  if (status == GF_OK) status = gf_config_parse(&dataset->verify, "data.verify", yaml.data);
  if (status == GF_OK) dataset->settings.verify = gf__config_root(dataset->verify);
  gf__text_free(&yaml);
  return status;
}

gf_status gf_dataset_open(gf_dataset **out, const gf_config *config, gf_split split) {
  *out = NULL;
  gf_dataset *dataset = calloc(1, sizeof *dataset);
  if (!dataset) return gf__fail_host_memory(sizeof *dataset);
  const gf__value *section = gf__value_get(gf__config_root(config), "data");
  gf_status status =
      gf__keys_read(section, "data", gf__data_keys, gf__data_key_count, &dataset->settings);
  if (status == GF_OK) status = resolve(&dataset->settings, section);
  if (status == GF_OK) {
    const gf__data_set *set = set_of(dataset);
    gf__data_source source = {set, &dataset->settings,
                              split == GF_SPLIT_TEST ? set->test : set->train};
    status = set->load ? set->load(&source, split, dataset) : read_records(dataset, split, &source);
    if (status == GF_OK) status = read_names(dataset, &source);
  }
  if (status == GF_OK) status = keep_verify(dataset);
  if (status == GF_OK)
    *out = dataset;
  else
    gf_dataset_free(&dataset);
  return status;
}

void gf_dataset_free(gf_dataset **dataset) {
  if (!*dataset) return;
  gf__keys_free(gf__data_keys, gf__data_key_count, &(*dataset)->settings);
  free((*dataset)->images);
  gf__cube_free(&(*dataset)->cube);
  free((*dataset)->labels);
  free((*dataset)->class_names);
  gf__text_free(&(*dataset)->names);
  gf_config_free(&(*dataset)->verify);
  free(*dataset);
  *dataset = NULL;
}

gf_dataset_info gf_dataset_describe(const gf_dataset *dataset) { return dataset->info; }
