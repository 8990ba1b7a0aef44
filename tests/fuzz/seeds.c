/* Writes the corpora that the fuzz targets begin with: small valid files, FOLDER/TARGET/FILE. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "convert/onnx/builder.h"
#include "device/kernel_cache.h"
#include "model/safetensors.h"
#include "support/data_files.h"
#include "support/image_files.h"
#include "support/mat_files.h"
#include "support/test.h"

/* Appends a file's bytes. */
static void add_file(gf__text *out, const char *name) {
  char *bytes = NULL;
  size_t size = 0;
  assert_int_equal(gf__file_read(in_folder(name), &bytes, &size), GF_OK);
  gf__text_add_bytes(out, bytes, size);
  free(bytes);
}

static void save(const char *name, gf__text *text) {
  assert_int_equal(gf__text_status(text), GF_OK);
  write_bytes(name, text->data, text->size);
  gf__text_free(text);
}

static void write_idx_seed(int packed) {
  static const char *const labels[] = {"t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"};
  static const char *const images[] = {"t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"};
  gf__text seed = {0}, file = {0};
  write_idx("t10k", 2, 5, 4, packed ? 9 : -1);
  add_file(&file, labels[packed]);
  gf__text_add_bytes(&seed, (uint8_t[]){(uint8_t)packed, 0, (uint8_t)file.size}, 3);
  gf__text_add_bytes(&seed, file.data, file.size);
  gf__text_free(&file);
  add_file(&seed, images[packed]);
  save(packed ? "fuzz_idx/packed" : "fuzz_idx/plain", &seed);
  assert_int_equal(remove(in_folder(labels[packed])), 0);
  assert_int_equal(remove(in_folder(images[packed])), 0);
}

static void write_image_seeds(void) {
  static const struct {
    const char *name;
    png file;
  } pngs[] = {
      {"grey", {2, 1, 8, 0, .rows = "\0\1\2", .size = 3}},
      {"grey_alpha", {2, 1, 8, 4, .rows = "\0\1\2\3\4", .size = 5}},
      {"rgb", {2, 1, 8, 2, .rows = "\0\1\2\3\4\5\6", .size = 7}},
      {"rgba", {2, 1, 8, 6, .rows = "\0\1\2\3\4\5\6\7\10", .size = 9}},
      {"grey16", {2, 1, 16, 0, .rows = "\0\1\2\3\4", .size = 5}},
      {"interlaced", {2, 1, 8, 0, 1, .rows = "\0\1\0\2", .size = 4}},
      {"palette",
       {2, 1, 1, 3, .rows = "\0\100", .size = 2, .palette = (const uint8_t *)"abcdef",
        .colours = 2}},
  };
  for (size_t i = 0; i < sizeof pngs / sizeof *pngs; i++) {
    char name[64];
    gf__text seed = make_png(&pngs[i].file);
    snprintf(name, sizeof name, "fuzz_image_folder/%s", pngs[i].name);
    save(name, &seed);
  }
  gf__text colour = make_jpeg(9, 8, 3, (const uint8_t *)"\200\50\10");
  save("fuzz_image_folder/jpeg", &colour);
  gf__text grey = make_jpeg(3, 17, 1, (const uint8_t *)"\200");
  save("fuzz_image_folder/jpeg_grey", &grey);
}

static void write_mat_seed(const char *name, const mat_flaw *kind) {
  gf__text seed = make_mat(kind);
  save(name, &seed);
}

/* In the order of fuzz_cube.c: 2 x 3 pixels of 2 bands. */
static void write_cube_seed(const char *name, int compressed) {
  static const double numbers[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  static const uint8_t classes[6] = {1, 2, 0, 1, 2, 3};
  const mat_flaw packing = {.compressed = compressed};
  gf__text seed = {0}, truth = {0};
  add_mat_header(&truth);
  add_matrix(&truth, &packing, "truth", CLASS_UINT8, (int[]){2, 3}, 2, UINT8, classes,
             sizeof classes);
  gf__text_add_bytes(&seed, (uint8_t[]){(uint8_t)(truth.size >> 8), (uint8_t)truth.size}, 2);
  gf__text_add_bytes(&seed, truth.data, truth.size);
  gf__text_free(&truth);
  add_mat_header(&seed);
  add_matrix(&seed, &packing, "scene", CLASS_DOUBLE, (int[]){2, 3, 2}, 3, DOUBLE, numbers,
             sizeof numbers);
  save(name, &seed);
}

static void write_safetensors_seed(void) {
  float weight[6] = {1, 2, 3, 4, 5, 6}, bias[3] = {7, 8, 9};
  gf__named_tensor tensors[] = {
      {.name = "a.weight", .dims = {3, 2}, .dim_count = 2, .count = 6, .values = weight},
      {.name = "a.bias", .dims = {3}, .dim_count = 1, .count = 3, .values = bias}};
  for (int i = 0; i < 2; i++)
    assert_int_equal(
        gf__safetensors_write(in_folder(i ? "fuzz_safetensors/run" : "fuzz_safetensors/weights"),
                              tensors, 2, i ? "{\"epoch\": 1}" : NULL),
        GF_OK);
}

/* A tar archive of a folder and a file, compressed or not. */
static void write_archive_seed(const char *name, bool compressed) {
  char bytes[1 << 14];
  size_t size = 0;
  struct archive *archive = archive_write_new();
  assert_int_equal(archive_write_set_format_gnutar(archive), ARCHIVE_OK);
  if (compressed) assert_int_equal(archive_write_add_filter_gzip(archive), ARCHIVE_OK);
  assert_int_equal(archive_write_set_bytes_in_last_block(archive, 1), ARCHIVE_OK);
  assert_int_equal(archive_write_open_memory(archive, bytes, sizeof bytes, &size), ARCHIVE_OK);
  for (int i = 0; i < 2; i++) {
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, i ? "a/b.bin" : "a/");
    archive_entry_set_filetype(entry, i ? AE_IFREG : AE_IFDIR);
    archive_entry_set_perm(entry, 0755);
    archive_entry_set_size(entry, i ? 5 : 0);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(archive, "12345", i ? 5 : 0), i ? 5 : 0);
    archive_entry_free(entry);
  }
  assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
  write_bytes(name, bytes, size);
}

/* A convolution with a norm, a branch, the arithmetic of a flattening, and a linear layer. */
static void write_onnx_seed(void) {
  static const char *const names[] = {"c.weight", "n.weight", "n.bias",
                                      "n.mean",   "n.var",    "l.weight"};
  static const int dims[][4] = {{2, 3, 3, 3}, {2}, {2}, {2}, {2}, {4, 2}};
  static const int ranks[] = {4, 1, 1, 1, 1, 2};
  float values[54];
  gf__onnx *onnx = NULL;
  assert_int_equal(gf__onnx_new(&onnx), GF_OK);
  for (int i = 0; i < 54; i++) values[i] = 0.125F * (float)(i % 7);
  for (int i = 0; i < 6; i++) {
    gf__named_tensor weight = {.dim_count = ranks[i], .count = 1, .values = values};
    snprintf(weight.name, sizeof weight.name, "%s", names[i]);
    for (int d = 0; d < ranks[i]; d++) weight.count *= (size_t)(weight.dims[d] = dims[i][d]);
    gf__onnx_weight(onnx, &weight);
  }
  gf__onnx_number(onnx, "half", 0.5F);
  gf__onnx_numbers(onnx, "zero", (int64_t[]){0}, 1);
  gf__onnx_numbers(onnx, "rest", (int64_t[]){-1}, 1);
#define NODE(op, out, ...)                                         \
  gf__onnx_node(onnx, op, out, (const char *const[]){__VA_ARGS__}, \
                (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), out)
  gf__onnx_input(onnx, "x", (int64_t[]){3, 8, 8}, 3);
  NODE("Conv", "c", "x", "c.weight");
  gf__onnx_ints(onnx, "pads", (int64_t[]){1, 1, 1, 1}, 4);
  gf__onnx_ints(onnx, "kernel_shape", (int64_t[]){3, 3}, 2);
  NODE("BatchNormalization", "n", "c", "n.weight", "n.bias", "n.mean", "n.var");
  NODE("Sigmoid", "s", "n");
  NODE("Mul", "silu", "n", "s");
  NODE("Add", "sum", "silu", "n");
  NODE("Mul", "scaled", "sum", "half");
  NODE("Div", "again", "scaled", "half");
  NODE("Transpose", "last", "again");
  gf__onnx_ints(onnx, "perm", (int64_t[]){0, 2, 3, 1}, 4);
  NODE("Transpose", "first", "last");
  gf__onnx_ints(onnx, "perm", (int64_t[]){0, 3, 1, 2}, 4);
  NODE("Concat", "both", "first", "n");
  gf__onnx_int(onnx, "axis", 1);
  NODE("MaxPool", "p", "n");
  gf__onnx_ints(onnx, "kernel_shape", (int64_t[]){8, 8}, 2);
  NODE("Shape", "shape", "p");
  NODE("Gather", "size", "shape", "zero");
  NODE("Concat", "wanted", "size", "rest");
  gf__onnx_int(onnx, "axis", 0);
  NODE("Reshape", "flat", "p", "wanted");
  NODE("Gemm", "logits", "flat", "l.weight");
  gf__onnx_int(onnx, "transB", 1);
#undef NODE
  gf__onnx_output(onnx, "logits", (int64_t[]){4}, 1);
  gf__onnx_note(onnx, "class_names", "[\"a\", \"b\", \"c\", \"d\"]");
  gf__onnx_note(onnx, "mean", "0.5, 0.25, 0.125");
  assert_int_equal(gf__onnx_write(onnx, "seed", in_folder("fuzz_onnx/model")), GF_OK);
  gf__onnx_free(&onnx);
}

/* A kernel cache's file as gf__kernel_cache_write makes it. */
static void write_kernel_cache_seed(void) {
  assert_int_equal(gf__kernel_cache_write(in_folder("fuzz_kernel_cache/whole"), "12345", 5), GF_OK);
}

/* In the order of fuzz_run_folder.c. */
static void write_run_folder_seed(void) {
  static const char *const files[] = {
      "data: {name: mnist}\nmodel:\n  activation: sigmoid\n  graph:\n"
      "    - {name: a, type: linear, outputs: 2}\ntrain: {epochs: 2}\noptimizer: {eps: 1e-8}\n",
      "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
      "1,0.1,2.3,0.1,2.3,0.1\n2,0.1,nan,0.1,nan,nan\n",
      "epoch,seconds,images_per_second\n1,0.5,100\n2,0.5,100\n",
      "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n"
      "1,5,a,a.weight,1e-9,1e-8,1e-7,0,0.001\n1,5,b,b.weight,0.1,1,2,0.5,0.01\n"
      "2,10,a,a.weight,0,0,0,1,0\n2,10,b,b.weight,inf,nan,1,0,1\n",
      "epoch,step,layer,mean,deviation,dead\n1,5,a,0,1,0\n2,10,a,0,1,0.9\n",
      "{\"status\": \"diverged\", \"message\": \"the loss is not finite\"}",
      "{\"device\": {\"name\": \"a\", \"driver\": \"1\"}, \"resumed\": []}"};
  float weight[4] = {1, 2, 3, 4};
  gf__named_tensor tensor = {
      .name = "b.weight", .dims = {2, 2}, .dim_count = 2, .count = 4, .values = weight};
  gf__text seed = {0};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) gf__text_add(&seed, "%s\xff", files[i]);
  assert_int_equal(gf__safetensors_write(in_folder("weights"), &tensor, 1, NULL), GF_OK);
  add_file(&seed, "weights");
  assert_int_equal(remove(in_folder("weights")), 0);
  save("fuzz_run_folder/run", &seed);
}

/* In the order of fuzz_chart.c. */
static void write_chart_seeds(void) {
  static const struct {
    char flags;
    double numbers[9];
  } charts[] = {{0, {0, 0, 0, 1, 2.3, 2, 1.5, 3, 1.25}},
                {1 | 2 | 16, {0, 0, 1e-8, 1, 1e-3, 2, 1e-12, 3, 1e-30}},
                {2 | 8, {0, 100, 0, 1, -1e300, 2, 50, 3, 1e300}},
                {4 | 32, {0, 0, 0, 0, NAN, 0, INFINITY, 0, -1}}};
  for (size_t i = 0; i < sizeof charts / sizeof *charts; i++) {
    char name[32];
    gf__text seed = {0};
    gf__text_add_bytes(&seed, &charts[i].flags, 1);
    gf__text_add_bytes(&seed, charts[i].numbers, sizeof charts[i].numbers);
    snprintf(name, sizeof name, "fuzz_chart/%zu", i);
    save(name, &seed);
  }
}

/* Texts, whose NULs are meant. */
static const struct {
  const char *name;
  size_t size;
  const char *text;
} texts_[] = {
#define TEXT(name, text) \
  { name, sizeof text - 1, text }
    TEXT("fuzz_csv/run", "epoch,layer,l2\n1,conv_0,0.5\n2,conv_1,nan\r\n"),
    TEXT("fuzz_yaml/config",
         "# of all kinds\ndata: {name: mnist, path: 'a b', mean: [0.1]}\n"
         "model:\n  graph:\n    - {name: a, type: relu}\n  text: \"\\u00e9\\n\"\n"
         "\0data.mean=[1, 2e3]"),
    TEXT("fuzz_tuning/file",
         "{\"n2 4x6x3 filters 5 kernel 3x3 stride 1x1 padding 1x1 dilation 1x1 forward\": "
         "\"direct\"}"),
    TEXT("fuzz_tuning/algorithms",
         "{\"device\": \"fuzz\", \"driver\": \"1\", \"convolutions\": {\"n2 4x6x3 filters 5 kernel "
         "3x3 stride 1x1 padding 1x1 dilation 1x1 backward_data\": \"winograd2\"}}"),
    TEXT("fuzz_checkpoint/position",
         "{\"format\":1,\"epoch\":2,\"batch\":3,\"steps\":9,\"seconds\":0.5,\"best_accuracy\":-1.0,"
         "\"trained\":{\"steps\":3,\"images\":150,\"batch_losses\":7.5,\"batch_accuracies\":0.1,"
         "\"losses\":345.0,\"correct\":5.0},\"logs\":[{\"size\":9,\"sha256\":\"00\"},{\"size\":9,"
         "\"sha256\":\"00\"},{\"size\":9,\"sha256\":\"00\"},{\"size\":9,\"sha256\":\"00\"}]}"),
    TEXT("fuzz_study/study",
         "study: {name: a, title: t}\nseeds: [0, 7]\nset: {train.epochs: 1}\ninclude: "
         "[other.yaml]\nsettings:\n  - {name: s, base: base.yaml, published: {train_accuracy: [1, "
         "2]}}\nvary:\n  - {name: g, base: base.yaml, grid: {optimizer.learning_rate: [1e-2, "
         "1e-3]}}\ntables:\n  - {name: t, columns: [train_loss]}\nfigures:\n  - {name: f, kind: "
         "loss}\n\0train.batch_size=10"),
    TEXT("fuzz_set/family",
         "model.depth=56\nmodel.block=pre_activation\ntrain.seed=7\noptimizer.name=sgd\n"
         "schedule={name: steps, epochs: [1]}\ndata.pad_to=40\n"),
    TEXT("fuzz_set/vgg",
         "model={family: vgg_stages, blocks_per_stage: 1, shortcut: identity, norm: every}\n"),
    TEXT("fuzz_set/multi_scale", "model={family: multi_scale}\n"),
    TEXT("fuzz_set/imagenet", "model={family: resnet_imagenet, depth: 18}\ndata.pad_to=64\n"),
    TEXT(
        "fuzz_network/graph",
        "model:\n  graph:\n"
        "    - {name: a, type: conv2d, filters: 4, kernel: [3, 1], stride: 2, padding: 1, "
        "dilation: 1}\n"
        "    - {type: batch_norm}\n    - {type: relu}\n    - {name: b, type: max_pool, kernel: 2}\n"
        "    - {name: c, type: pad_shortcut, channels: 8, stride: 1}\n"
        "    - {name: d, type: conv2d, input: b, filters: 8, kernel: 1, groups: 4}\n"
        "    - {type: add, input: [c, d]}\n    - {type: dropout, p: 0.5}\n"
        "    - {type: stochastic_depth, p: 0.2}\n"
        "    - {name: e, type: avg_pool, kernel: 1}\n    - {type: concat, input: [e, e]}\n"
        "    - {type: global_avg_pool}\n    - {type: flatten}\n"
        "    - {type: linear, outputs: 10}\n"),
    TEXT("fuzz_network/volume",
         "model:\n  graph:\n"
         "    - {type: to_volume}\n    - {type: conv3d, filters: 2, kernel: [1, 3, 3]}\n"
         "    - {type: max_pool3d, kernel: [1, 2, 2]}\n    - {type: avg_pool3d, kernel: 1}\n"
         "    - {type: to_image}\n    - {type: adaptive_avg_pool, size: 3}\n"
         "    - {type: leaky_relu}\n    - {type: tanh}\n"
         "    - {type: sigmoid}\n    - {type: elu}\n    - {type: gelu}\n    - {type: silu}\n"
         "    - {type: conv_transpose2d, filters: 2, stride: 2, output_padding: 1}\n"
         "    - {type: clamp}\n    - {type: hard_swish}\n"
         "    - {name: gate, type: hard_sigmoid}\n"
         "    - {type: multiply, input: [gate, gate]}\n"
         "    - {type: layer_norm, over: image}\n    - {type: group_norm, groups: 2}\n"
         "    - {type: layer_scale, initial: 0.1}\n"
         "    - {type: channel_shuffle}\n    - {type: slice, first: 1, channels: 1}\n"
         "    - {type: flatten}\n    - {name: z, type: linear, outputs: 10}\n"
         "    - {type: auxiliary_loss, loss: squared_hinge}\n"
         "    - {type: softmax_cross_entropy, input: z}\n"
         "    - {type: linear, input: z, outputs: 10}\n"),
    TEXT("fuzz_bench/one",
         "{\"format\":\"gradflow-bench\",\"version\":1,\"date\":\"2026\",\"gradflow\":\"0.1.0\","
         "\"commit\":\"a\",\"clblast\":\"1\",\"opencl_loader\":\"L\",\"form\":\"quick\","
         "\"devices\":[{\"device\":{\"platform\":0,\"index\":1,\"type\":\"cpu\",\"name\":\"N\","
         "\"platform_name\":\"P\",\"vendor\":\"V\",\"driver\":\"D\",\"version\":\"O\","
         "\"c_version\":\"C\",\"compute_units\":2,\"clock_mhz\":2000,\"work_group_size\":64,"
         "\"memory\":1000,\"max_allocation\":100,\"local_memory\":10},\"failure\":null,\"limits\":{"
         "\"flops_per_second\":1e11,\"bytes_per_second\":1e10,\"launch_seconds\":1e-6,"
         "\"round_trip_seconds\":1e-5,\"upload_bytes_per_second\":1e9,"
         "\"download_bytes_per_second\":1e9},\"builds\":{\"compiled\":1,\"loaded\":2,"
         "\"compile_seconds\":1.5,\"load_seconds\":0,\"fresh_seconds\":0},\"rows\":[{"
         "\"name\":\"relu forward\",\"kind\":\"operation\",\"algorithm\":\"\",\"batch\":25,"
         "\"samples\":5,\"repeats\":2,\"seconds\":0.1,\"low_seconds\":0.1,\"high_seconds\":0.2,"
         "\"first_seconds\":1,\"flops\":0,\"bytes\":1e6,\"upload_bytes\":0,\"launches\":1},{"
         "\"name\":\"plain7\",\"kind\":\"step\",\"algorithm\":\"\",\"batch\":25,\"samples\":5,"
         "\"repeats\":2,\"seconds\":1,\"low_seconds\":1,\"high_seconds\":2,\"first_seconds\":3,"
         "\"round_seconds\":[1,2],\"host_bytes\":1e8,\"flops\":1e9,\"bytes\":1e6,\"upload_bytes\":"
         "1e3,\"launches\":9}]}]}"),
    TEXT("fuzz_bench/failed",
         "{\"format\":\"gradflow-bench\",\"version\":1,\"date\":\"\",\"gradflow\":\"\",\"commit\":"
         "\"\",\"clblast\":\"\",\"opencl_loader\":\"\",\"form\":\"full\",\"devices\":[{\"device\":{"
         "\"platform\":0,\"index\":1,\"type\":\"gpu\",\"name\":\"N\",\"platform_name\":\"P\","
         "\"vendor\":\"V\",\"driver\":\"D\",\"version\":\"O\",\"c_version\":\"C\","
         "\"compute_units\":2,\"clock_mhz\":2000,\"work_group_size\":64,\"memory\":1000,"
         "\"max_allocation\":100,\"local_memory\":10},\"failure\":\"gone\",\"limits\":null,"
         "\"builds\":{\"compiled\":0,\"loaded\":0,\"compile_seconds\":0,\"load_seconds\":0,"
         "\"fresh_seconds\":0},\"rows\":[]}]}"),
#undef TEXT
};

static void write_seeds(void) {
  static const char *const targets[] = {
      "fuzz_bench", "fuzz_archive",      "fuzz_chart",        "fuzz_checkpoint", "fuzz_cifar",
      "fuzz_cube",  "fuzz_csv",          "fuzz_idx",          "fuzz_mat",        "fuzz_network",
      "fuzz_set",   "fuzz_image_folder", "fuzz_kernel_cache", "fuzz_study",      "fuzz_run_folder",
      "fuzz_yaml",  "fuzz_safetensors",  "fuzz_tuning",       "fuzz_onnx"};
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
    assert_int_equal(gf__make_folder(in_folder(targets[i])), GF_OK);
  write_idx_seed(0);
  write_idx_seed(1);
  write_cifar("fuzz_cifar/one", 1, 10, 0, 1);
  write_mat_seed("fuzz_mat/plain", &(mat_flaw){0});
  write_mat_seed("fuzz_mat/numbers", &(mat_flaw){.y_class = CLASS_DOUBLE});
  write_mat_seed("fuzz_mat/packed", &(mat_flaw){.compressed = 1});
  write_cube_seed("fuzz_cube/plain", 0);
  write_cube_seed("fuzz_cube/packed", 1);
  write_image_seeds();
  write_safetensors_seed();
  write_onnx_seed();
  write_archive_seed("fuzz_archive/plain", false);
  write_archive_seed("fuzz_archive/packed", true);
  write_kernel_cache_seed();
  write_chart_seeds();
  write_run_folder_seed();
  for (size_t i = 0; i < sizeof texts_ / sizeof *texts_; i++)
    write_bytes(texts_[i].name, texts_[i].text, texts_[i].size);
}

int main(int argc, char **argv) {
  if (argc != 2 || strlen(argv[1]) >= sizeof fixture_folder) {
    fprintf(stderr, "usage: seeds FOLDER (of a path below %zu bytes)\n", sizeof fixture_folder);
    return 2;
  }
  strcpy(fixture_folder, argv[1]);
  write_seeds();
  return 0;
}
