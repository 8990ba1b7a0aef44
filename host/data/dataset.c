#include "data/dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "base/random.h"

#define CIFAR_PAGE "https://www.cs.toronto.edu/~kriz/cifar.html"
#define IDX_FILES                                                                 \
  "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and " \
  "t10k-labels-idx1-ubyte, each compressed (.gz) or not"

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const digits_[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const clothes_[] = {"t-shirt/top", "trouser", "pullover", "dress", "coat",
                                       "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};

static const char *const names_[] = {"cifar100", "cifar10", "mnist", "fashion_mnist", NULL};

const gf__data_set gf__data_sets[] = {
    {.name = "cifar100",
     .help = "60,000 colour photographs, 32x32, of 100 kinds (binary version)",
     .files = "train.bin and test.bin",
     .source = "get cifar-100-binary.tar.gz from " CIFAR_PAGE " and unpack it",
     .channels = 3,
     .classes = 100,
     .label_bytes = 2,
     .names_file = "fine_label_names.txt",
     .validation = 2500,
     .full_count = 50000,
     .crop_padding = 4,
     .flip = true,
     .mean = {0.4914, 0.4822, 0.4465},
     .std = {0.2023, 0.1994, 0.2010},
     .train = FILES("train.bin"),
     .test = FILES("test.bin"),
     .measure = gf__cifar_measure,
     .read = gf__cifar_read},
    {.name = "cifar10",
     .help = "60,000 colour photographs, 32x32, of 10 kinds (binary version)",
     .files = "data_batch_1.bin to data_batch_5.bin and test_batch.bin",
     .source = "get cifar-10-binary.tar.gz from " CIFAR_PAGE " and unpack it",
     .channels = 3,
     .classes = 10,
     .label_bytes = 1,
     .names_file = "batches.meta.txt",
     .validation = 2500,
     .full_count = 50000,
     .crop_padding = 4,
     .flip = true,
     .mean = {0.4914, 0.4822, 0.4465},
     .std = {0.2023, 0.1994, 0.2010},
     .train = FILES("data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                    "data_batch_5.bin"),
     .test = FILES("test_batch.bin"),
     .measure = gf__cifar_measure,
     .read = gf__cifar_read},
    {.name = "mnist",
     .help = "70,000 handwritten digits, grey, 28x28 (IDX files)",
     .files = IDX_FILES,
     .source = "get them from https://ossci-datasets.s3.amazonaws.com/mnist/",
     .channels = 1,
     .classes = 10,
     .class_names = digits_,
     .validation = 5000,
     .full_count = 60000,
     .mean = {0.1307},
     .std = {0.3081},
     .train = FILES("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
     .test = FILES("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
     .measure = gf__idx_measure,
     .read = gf__idx_read},
    {.name = "fashion_mnist",
     .help = "70,000 pictures of clothes, grey, 28x28 (IDX files)",
     .files = IDX_FILES,
     .source = "install Debian's dataset-fashion-mnist or get them from "
               "https://github.com/zalandoresearch/fashion-mnist",
     .folder = "/usr/share/datasets/fashion-mnist",
     .channels = 1,
     .classes = 10,
     .class_names = clothes_,
     .validation = 5000,
     .full_count = 60000,
     .flip = true,
     .mean = {0.2860},
     .std = {0.3530},
     .train = FILES("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
     .test = FILES("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
     .measure = gf__idx_measure,
     .read = gf__idx_read},
};
const size_t gf__data_set_count = sizeof gf__data_sets / sizeof *gf__data_sets;

_Static_assert(sizeof names_ / sizeof *names_ == sizeof gf__data_sets / sizeof *gf__data_sets + 1,
               "names_ follows gf__data_sets row by row");

enum { FLIP_DEFAULT = 2 };
static const char *const flips_[] = {"false", "true", "default", NULL};

#define FIELD(member) offsetof(gf__data_settings, member)

const gf__key gf__data_keys[] = {
    {"name", GF__KEY_CHOICE, FIELD(name), NULL, 0, 0, names_, "the data set"},
    {"path", GF__KEY_TEXT, FIELD(path), "", 0, 0, NULL,
     "folder of its files; fashion_mnist knows Debian's"},
    {"validation", GF__KEY_INT, FIELD(validation), "-1", -1, GF__DATA_LARGEST_COUNT, NULL,
     "training images held out; -1: 2500 of CIFAR, 5000 of MNIST, 5% of a smaller file"},
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
    {"mean", GF__KEY_FLOATS, FIELD(mean), "[]", -1e3, 1e3, NULL,
     "subtracted, a channel each, of pixels in [0, 1]; []: the data set's"},
    {"std", GF__KEY_FLOATS, FIELD(std), "[]", 1e-6, 1e6, NULL,
     "then divides, a channel each; []: the data set's"},
};
const size_t gf__data_key_count = sizeof gf__data_keys / sizeof *gf__data_keys;

void gf__data_write(gf__text *out, int indent, const gf_dataset *dataset) {
  gf__keys_write(out, indent, gf__data_keys, gf__data_key_count, &dataset->settings);
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

gf_status gf__data_missing(const gf__data_set *set, const char *folder, const char *file) {
  return gf__fail(GF_ERROR_FILE, "there is no %s in %s; %s is read from %s; %s", file, folder,
                  set->name, set->files, set->source);
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
  GF_TRY(resolve_channels(&settings->mean, section, "mean", set->mean, set));
  GF_TRY(resolve_channels(&settings->std, section, "std", set->std, set));
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
  for (int i = 0; i < count; i++) place[order[first + i]] = i;
  free(order);
  return GF_OK;
}

static gf_status allocate(gf_dataset *dataset) {
  const gf_dataset_info *info = &dataset->info;
  size_t image = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
  size_t count = info->count > 0 ? (size_t)info->count : 1;
  dataset->images = calloc(count, image);
  if (!dataset->images) return gf__fail_host_memory(count * image);
  dataset->labels = calloc(count, sizeof *dataset->labels);
  if (!dataset->labels) return gf__fail_host_memory(count * sizeof *dataset->labels);
  return GF_OK;
}

static gf_status read_records(gf_dataset *dataset, gf_split split) {
  const gf__data_set *set = set_of(dataset);
  const gf__data_settings *settings = &dataset->settings;
  const char *const *files = split == GF_SPLIT_TEST ? set->test : set->train;
  gf__data_shape file = {0};
  GF_TRY(set->measure(set, settings->path, files, &file));
  dataset->info =
      (gf_dataset_info){.name = set->name,
                        .height = file.height < settings->pad_to ? settings->pad_to : file.height,
                        .width = file.width < settings->pad_to ? settings->pad_to : file.width,
                        .channels = set->channels,
                        .classes = set->classes,
                        .class_names = set->class_names};
  int32_t *place = NULL;
  gf_status status = place_records(dataset, split, file.count, &place);
  if (status == GF_OK) status = allocate(dataset);
  if (status == GF_OK) {
    gf__data_sink sink = {.file = file,
                          .channels = set->channels,
                          .place = place,
                          .height = dataset->info.height,
                          .width = dataset->info.width,
                          .images = dataset->images,
                          .labels = dataset->labels};
    status = set->read(set, settings->path, files, &sink);
  }
  free(place);
  return status;
}

/* Cuts the names file into lines; a data set without one keeps the names of its row. */
static gf_status read_names(gf_dataset *dataset) {
  const gf__data_set *set = set_of(dataset);
  char path[GF__DATA_LARGEST_PATH];
  if (!set->names_file) return GF_OK;
  GF_TRY(gf__path_join(path, sizeof path, dataset->settings.path, set->names_file));
  if (!gf__path_exists(path)) return GF_OK;
  size_t size = 0;
  GF_TRY(gf__file_read(path, &dataset->names, &size));
  dataset->class_names = calloc((size_t)set->classes, sizeof *dataset->class_names);
  if (!dataset->class_names)
    return gf__fail_host_memory((size_t)set->classes * sizeof *dataset->class_names);
  int count = 0;
  for (char *line = dataset->names; *line; count++) {
    line += strspn(line, "\r\n");
    if (!*line) break;
    if (count < set->classes) dataset->class_names[count] = line;
    line += strcspn(line, "\r\n");
    if (*line) *line++ = 0;
  }
  if (count != set->classes)
    return gf__fail(GF_ERROR_DATA, "%s has %d class names, but %s has %d classes", path, count,
                    set->name, set->classes);
  dataset->info.class_names = dataset->class_names;
  return GF_OK;
}

gf_status gf_dataset_open(gf_dataset **out, const gf_config *config, gf_split split) {
  *out = NULL;
  gf_dataset *dataset = calloc(1, sizeof *dataset);
  if (!dataset) return gf__fail_host_memory(sizeof *dataset);
  const gf__value *section = gf__value_get(gf__config_root(config), "data");
  gf_status status =
      gf__keys_read(section, "data", gf__data_keys, gf__data_key_count, &dataset->settings);
  if (status == GF_OK) status = resolve(&dataset->settings, section);
  if (status == GF_OK) status = read_records(dataset, split);
  if (status == GF_OK) status = read_names(dataset);
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
  free((*dataset)->labels);
  free((*dataset)->class_names);
  free((*dataset)->names);
  free(*dataset);
  *dataset = NULL;
}

gf_dataset_info gf_dataset_describe(const gf_dataset *dataset) { return dataset->info; }
