/* The table of data sets: a row each. */
#include <limits.h>
#include <stdio.h>

#include "data/dataset.h"

#define CIFAR_PAGE "https://www.cs.toronto.edu/~kriz/cifar.html"
#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What rows have in common. */
#define CIFAR                                                                            \
  .side = 32, .channels = 3, .validation = 2500, .full_count = 50000, .crop_padding = 4, \
  .flip = true, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.2023, 0.1994, 0.2010},       \
  .measure = gf__cifar_measure, .read = gf__cifar_read
#define IDX                                                                                      \
  .files =                                                                                       \
      "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "            \
      "t10k-labels-idx1-ubyte, each compressed (.gz) or not",                                    \
  .side = 28, .channels = 1, .classes = 10, .validation = 5000, .full_count = 60000,             \
  .train = FILES("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),                          \
  .test = FILES("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"), .measure = gf__idx_measure, \
  .read = gf__idx_read

static const char *const digits_[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const clothes_[] = {"t-shirt/top", "trouser", "pullover", "dress", "coat",
                                       "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};

const char *const gf__data_set_names[] = {
    "cifar100", "cifar10", "mnist", "fashion_mnist", "svhn", "image_folder", "hyperspectral", NULL};

const gf__data_set gf__data_sets[] = {
    {.name = "cifar100",
     .help = "60,000 colour photographs, 32x32, of 100 kinds (binary version)",
     .files = "train.bin and test.bin",
     .source = "get cifar-100-binary.tar.gz from " CIFAR_PAGE " and unpack it",
     .classes = 100,
     .label_bytes = 2,
     .names_file = "fine_label_names.txt",
     .train = FILES("train.bin"),
     .test = FILES("test.bin"),
     CIFAR},
    {.name = "cifar10",
     .help = "60,000 colour photographs, 32x32, of 10 kinds (binary version)",
     .files = "data_batch_1.bin to data_batch_5.bin and test_batch.bin",
     .source = "get cifar-10-binary.tar.gz from " CIFAR_PAGE " and unpack it",
     .classes = 10,
     .label_bytes = 1,
     .names_file = "batches.meta.txt",
     .train = FILES("data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                    "data_batch_5.bin"),
     .test = FILES("test_batch.bin"),
     CIFAR},
    {.name = "mnist",
     .help = "70,000 handwritten digits, grey, 28x28 (IDX files)",
     .source = "get them from https://ossci-datasets.s3.amazonaws.com/mnist/",
     .class_names = digits_,
     .mean = {0.1307},
     .std = {0.3081},
     IDX},
    {.name = "fashion_mnist",
     .help = "70,000 pictures of clothes, grey, 28x28 (IDX files)",
     .source = "install Debian's dataset-fashion-mnist or get them from "
               "https://github.com/zalandoresearch/fashion-mnist",
     .folder = "/usr/share/datasets/fashion-mnist",
     .class_names = clothes_,
     .flip = true,
     .mean = {0.2860},
     .std = {0.3530},
     IDX},
    {.name = "svhn",
     .help = "99,289 digits of house numbers, colour, 32x32 (cropped digits, MATLAB files)",
     .files = "train_32x32.mat and test_32x32.mat",
     .source = "get them from http://ufldl.stanford.edu/housenumbers/",
     .side = 32,
     .channels = 3,
     .classes = 10,
     .class_names = digits_,
     .validation = 5000,
     .full_count = 73257,
     .mean = {0.4377, 0.4438, 0.4728},
     .std = {0.1980, 0.2010, 0.1970},
     .train = FILES("train_32x32.mat"),
     .test = FILES("test_32x32.mat"),
     .measure = gf__svhn_measure,
     .read = gf__svhn_read},
    {.name = "image_folder",
     .help = "any JPEG and PNG files in ImageNet's layout, a folder a class",
     .files = "train/CLASS/*.jpg and val/CLASS/*.jpg (or .jpeg, .png)",
     .source = "make a folder train in it, with a folder of images for each class, and a folder "
               "val likewise with images to test on",
     .channels = 3,
     .full_count = INT_MAX,
     .flip = true,
     .mean = {0.485, 0.456, 0.406},
     .std = {0.229, 0.224, 0.225},
     .train = FILES("train"),
     .test = FILES("val"),
     .has_folders = true,
     .names = gf__image_folder_names,
     .measure = gf__image_folder_measure,
     .read = gf__image_folder_read},
    {.name = "hyperspectral",
     .help = "squares around the labelled pixels of a hyperspectral cube (MATLAB files)",
     .files = "a cube and its ground truth, such as Indian_pines_corrected.mat and "
              "Indian_pines_gt.mat (data.cube, data.ground_truth)",
     .source = "get them from "
               "https://www.ehu.eus/ccwintco/index.php/Hyperspectral_Remote_Sensing_Scenes",
     .channels = 200,
     .train = FILES("Indian_pines_corrected.mat", "Indian_pines_gt.mat"),
     .test = FILES("Indian_pines_corrected.mat", "Indian_pines_gt.mat"),
     .check = gf__cube_check,
     .describe = gf__cube_describe,
     .load = gf__cube_load},
};
const size_t gf__data_set_count = sizeof gf__data_sets / sizeof *gf__data_sets;

_Static_assert(sizeof gf__data_set_names / sizeof *gf__data_set_names ==
                   sizeof gf__data_sets / sizeof *gf__data_sets + 1,
               "gf__data_set_names follows gf__data_sets row by row");

void gf__data_help(gf__help *help) {
  gf__help_title(help, "data:");
  gf__help_keys(help, gf__data_keys, gf__data_key_count);
  gf__help_paragraph(help, "What `data.name` may be:");
  gf__help_head(help, (const char *const[]){"name", "what it is", "files in `data.path`",
                                            "where from", NULL});
  for (size_t i = 0; i < gf__data_set_count; i++) {
    const gf__data_set *set = &gf__data_sets[i];
    char name[64];
    snprintf(name, sizeof name, "`%s`", set->name);
    gf__help_row(help, (const char *const[]){name, set->help, set->files, set->source, NULL});
  }
}
