/* The table of sources: a row each. MD5 as published on CIFAR's page, in Fashion-MNIST's README
 * and, of MNIST and SVHN, whose authors give none, in torchvision's sources. */
#include <string.h>

#include "base/text.h"
#include "fetch/fetch.h"

#define SERVERS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define FILES(...) ((const gf__fetch_file[]){__VA_ARGS__, {0}})

/* About twice what is in CIFAR's archives. */
#define CIFAR .servers = SERVERS("https://www.cs.toronto.edu/~kriz/"), .limits = CIFAR_LIMITS
#define CIFAR_LIMITS \
  { .entries = 32, .file_bytes = 320000000, .bytes = 400000000 }
#define CIFAR10_BATCH ((int64_t)10000 * (1 + 3 * 32 * 32))
#define CIFAR100_RECORD ((int64_t)2 + 3 * 32 * 32)

const gf__fetch_source gf__fetch_sources[] = {
    {.name = "cifar100",
     .data_name = "cifar100",
     .folder = "cifar-100-binary",
     .files = FILES({"cifar-100-binary.tar.gz", 168513733, "03b5dce01913d631647c71ecec9e9cb8"}),
     .unpacked = FILES({"train.bin", 50000 * CIFAR100_RECORD, NULL},
                       {"test.bin", 10000 * CIFAR100_RECORD, NULL}),
     CIFAR},
    {.name = "cifar10",
     .data_name = "cifar10",
     .folder = "cifar-10-batches-bin",
     .files = FILES({"cifar-10-binary.tar.gz", 170052171, "c32a1d4ab5d03f1284b67883e8d87530"}),
     .unpacked =
         FILES({"data_batch_1.bin", CIFAR10_BATCH, NULL}, {"data_batch_2.bin", CIFAR10_BATCH, NULL},
               {"data_batch_3.bin", CIFAR10_BATCH, NULL}, {"data_batch_4.bin", CIFAR10_BATCH, NULL},
               {"data_batch_5.bin", CIFAR10_BATCH, NULL}, {"test_batch.bin", CIFAR10_BATCH, NULL}),
     CIFAR},
    {.name = "mnist",
     .data_name = "mnist",
     .folder = "mnist",
     .servers = SERVERS("https://ossci-datasets.s3.amazonaws.com/mnist/",
                        "https://storage.googleapis.com/cvdf-datasets/mnist/"),
     .files = FILES({"train-images-idx3-ubyte.gz", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
                    {"train-labels-idx1-ubyte.gz", 28881, "d53e105ee54ea40749a09fcbcd1e9432"},
                    {"t10k-images-idx3-ubyte.gz", 1648877, "9fb629c4189551a2d022fa330f9573f3"},
                    {"t10k-labels-idx1-ubyte.gz", 4542, "ec29112dd5afa0611ce80d1b7f02629c"})},
    {.name = "fashion-mnist",
     .data_name = "fashion_mnist",
     .folder = "fashion-mnist",
     .servers = SERVERS("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
     .files = FILES({"train-images-idx3-ubyte.gz", 26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
                    {"train-labels-idx1-ubyte.gz", 29515, "25c81989df183df01b3e8a0aad5dffbe"},
                    {"t10k-images-idx3-ubyte.gz", 4422102, "bef4ecab320f06d8554ea6380940ec79"},
                    {"t10k-labels-idx1-ubyte.gz", 5148, "bb300cfdad3c16e7a12a480ee83cd310"})},
    {.name = "svhn",
     .data_name = "svhn",
     .folder = "svhn",
     .servers = SERVERS("http://ufldl.stanford.edu/housenumbers/"),
     .files = FILES({"train_32x32.mat", 182040794, "e26dedcc434d2e4c54c9b2d4a06d8373"},
                    {"test_32x32.mat", 64275384, "eb5a983be6a315427106f1b164d9cef3"})},
};
const size_t gf__fetch_source_count = sizeof gf__fetch_sources / sizeof *gf__fetch_sources;

gf_status gf_fetch_help(char **out) {
  gf__text text = {0};
  *out = NULL;
  for (size_t i = 0; i < gf__fetch_source_count; i++) {
    const gf__fetch_source *source = &gf__fetch_sources[i];
    int64_t size = 0;
    for (const gf__fetch_file *file = source->files; file->name; file++) size += file->size;
    const char *host = strstr(source->servers[0], "//") + 2;
    gf__text_add(&text, "  %-14s %5.1f MB  %.*s\n", source->name, 1e-6 * (double)size,
                 (int)strcspn(host, "/"), host);
  }
  gf_status status = gf__text_status(&text);
  if (status == GF_OK)
    *out = text.data;
  else
    gf__text_free(&text);
  return status;
}
