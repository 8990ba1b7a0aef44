/* Weights as safetensors files: what is written, byte by byte, and that a file
 * which does not fit is refused with every reason named and the network left alone. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <stdbool.h>
#include <unistd.h>

#include <jansson.h>
#include <sha256.h>

#include <gradflow/model.h>

#include "base/os.h"
#include "base/text.h"
#include "model/safetensors.h"
#include "support/runs.h"
#include "support/test.h"

static const char network_[] =
    "model: {graph: ["
    "{name: conv, type: conv2d, filters: 3, kernel: [2, 3]},"
    "{name: norm, type: batch_norm},"
    "{name: pool, type: global_avg_pool},"
    "{name: last, type: linear, outputs: 5}]}";

/* The network's tensors in their order. */
static const struct {
  const char *name;
  int dims[4], dim_count;
  size_t count;
} tensors_[] = {
    {"conv.weight", {3, 2, 2, 3}, 4, 36}, {"conv.bias", {3}, 1, 3},
    {"norm.weight", {3}, 1, 3},           {"norm.bias", {3}, 1, 3},
    {"last.weight", {5, 3}, 2, 15},       {"last.bias", {5}, 1, 5},
    {"norm.running_mean", {3}, 1, 3},     {"norm.running_var", {3}, 1, 3},
};
enum { TENSORS = sizeof tensors_ / sizeof *tensors_, FLOATS = 71 };

static gf_model *open_model(unsigned long long seed) {
  gf_config *config = parse_config(network_);
  gf_model *model = NULL;
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){4, 4, 2}, 5, 1, seed));
  gf_config_free(&config);
  assert_int_equal(gf_model_parameter_count(model), TENSORS);
  return model;
}

static void read_all(gf_model *model, float out[FLOATS]) {
  for (int i = 0; i < TENSORS; i++) {
    assert_ok(gf_model_read_parameter(model, i, out));
    out += tensors_[i].count;
  }
}

/* ---- files ---- */

static uint64_t header_length(const char *file) {
  uint64_t length = 0;
  for (int i = 7; i >= 0; i--) length = length << 8 | (unsigned char)file[i];
  return length;
}

/* length, if not 0, stands in the file instead of the header's. */
static void write_file(const char *name, const char *header, uint64_t length, const void *data,
                       size_t size) {
  gf__text file = {0};
  if (length == 0) length = strlen(header);
  for (int i = 0; i < 8; i++) gf__text_add_bytes(&file, &(char){(char)(length >> (8 * i))}, 1);
  gf__text_add_bytes(&file, header, strlen(header));
  gf__text_add_bytes(&file, data, size);
  assert_ok(gf__text_status(&file));
  assert_ok(gf__file_write(in_folder(name), file.data, file.size));
  gf__text_free(&file);
}

/* ---- what is written ---- */

static void the_file_is_as_the_format_says(void **state) {
  (void)state;
  gf_model *model = open_model(1);
  float values[FLOATS];
  read_all(model, values);
  assert_ok(gf_model_save(model, in_folder("a.safetensors")));
  char *file = NULL;
  size_t size = 0, offset = 0;
  assert_ok(gf__file_read(in_folder("a.safetensors"), &file, &size));
  uint64_t length = header_length(file);
  assert_int_equal(length % 8, 0);
  assert_int_equal(size, 8 + length + FLOATS * sizeof(float));
  json_t *header = json_loadb(file + 8, length, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(header);
  assert_int_equal(json_object_size(header), TENSORS + 1);
  json_t *metadata = json_object_get(header, "__metadata__");
  assert_string_equal(json_string_value(json_object_get(metadata, "format")), "pt");
  for (int i = 0; i < TENSORS; i++) {
    json_t *entry = json_object_get(header, tensors_[i].name);
    json_t *shape = json_object_get(entry, "shape"), *at = json_object_get(entry, "data_offsets");
    assert_string_equal(json_string_value(json_object_get(entry, "dtype")), "F32");
    assert_int_equal(json_array_size(shape), tensors_[i].dim_count);
    for (int d = 0; d < tensors_[i].dim_count; d++)
      assert_int_equal(json_integer_value(json_array_get(shape, (size_t)d)), tensors_[i].dims[d]);
    assert_int_equal(json_array_size(at), 2);
    assert_int_equal(json_integer_value(json_array_get(at, 0)), offset);
    for (size_t k = 0; k < tensors_[i].count; k++, offset += 4) {
      const unsigned char *bytes = (const unsigned char *)file + 8 + length + offset;
      uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                      (uint32_t)bytes[3] << 24;
      assert_memory_equal(&bits, &values[offset / 4], sizeof bits);
    }
    assert_int_equal(json_integer_value(json_array_get(at, 1)), offset);
  }
  json_decref(header);
  free(file);
  gf_model_free(&model);
}

/* The digests are of files that other programs wrote: without metadata an earlier version, which
 * held all bytes in memory; with metadata a few lines of Python, by the description in
 * docs/records.md. */
static void files_are_those_of_earlier_versions(void **state) {
  (void)state;
  enum { LONG = 40000 };
  static const int64_t batches[] = {-2, 1LL << 40};
  static const struct {
    const char *metadata, *sha256;
  } cases[] = {
      {NULL, "bfdbb24fe9e2741605b736bdcd6261fb02eff274ef2b05ffb0b3185d30061fff"},
      {"{\"epoch\": 3}", "b37c1fc45056bb2eee768f00d20cf7a5303001613b52b28bb0d9ec7ed31158e1"},
  };
  gf__named_tensor tensors[] = {
      {.name = "a.weight", .dims = {LONG / 4, 2, 2}, .dim_count = 3, .count = LONG},
      {.name = "a.batches", .dims = {2}, .dim_count = 1, .count = 2, .integers = batches},
      {.name = "b.bias", .dim_count = 0, .count = 1}};
  tensors[0].values = calloc(LONG, sizeof(float));
  tensors[2].values = calloc(1, sizeof(float));
  assert_true(tensors[0].values && tensors[2].values);
  for (int i = 0; i < LONG; i++) tensors[0].values[i] = (float)(i % 257) / 256 - 0.5f;
  tensors[2].values[0] = -3;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char digest[SHA256_DIGEST_STRING_LENGTH];
    assert_ok(gf__safetensors_write(in_folder("same"), tensors, 3, cases[i].metadata));
    assert_non_null(SHA256File(in_folder("same"), digest));
    assert_string_equal(digest, cases[i].sha256);
  }
  free(tensors[0].values);
  free(tensors[2].values);
}

/* Beside the tensors, which the caller holds, little more than what is written at once. */
static void writing_takes_little_memory(void **state) {
  (void)state;
  enum { FLOATS_HELD = 48 << 20 };
  gf__named_tensor tensor = {
      .name = "large", .dims = {FLOATS_HELD}, .dim_count = 1, .count = FLOATS_HELD};
  tensor.values = malloc((size_t)FLOATS_HELD * sizeof(float));
  assert_non_null(tensor.values);
  for (int i = 0; i < FLOATS_HELD; i++) tensor.values[i] = (float)i;
  size_t before = gf__peak_memory();
  assert_ok(gf__safetensors_write(in_folder("large.safetensors"), &tensor, 1, "{}"));
  size_t after = gf__peak_memory();
  if (after - before > 16 << 20) fail_msg("%zu bytes more", after - before);
  assert_int_equal(remove(in_folder("large.safetensors")), 0);
  free(tensor.values);
}

static void what_was_saved_is_loaded(void **state) {
  (void)state;
  gf_model *a = open_model(1), *b = open_model(2);
  float saved[FLOATS], before[FLOATS], loaded[FLOATS];
  /* So that the running statistics differ, too. */
  assert_ok(gf_model_write_parameter(a, 6, (float[]){1, -2, 3}));
  assert_ok(gf_model_write_parameter(a, 7, (float[]){4, 0.5f, 6}));
  read_all(a, saved);
  read_all(b, before);
  assert_memory_not_equal(saved, before, sizeof saved);
  assert_ok(gf_model_save(a, in_folder("b.safetensors")));
  assert_ok(gf_model_load(b, in_folder("b.safetensors")));
  read_all(b, loaded);
  assert_memory_equal(loaded, saved, sizeof saved);
  gf_model_free(&a);
  gf_model_free(&b);
}

static void other_writers_order_and_spacing_are_read(void **state) {
  (void)state;
  gf__text header = {0};
  float data[FLOATS], loaded[FLOATS];
  size_t offset = 0;
  /* The tensors backwards, and the values as in the file. */
  gf__text_add(&header, "{ ");
  for (int i = TENSORS - 1; i >= 0; i--) {
    gf__text_add(&header, "\"%s\" : {\"shape\": [", tensors_[i].name);
    for (int d = 0; d < tensors_[i].dim_count; d++)
      gf__text_add(&header, "%s%d", d ? " , " : "", tensors_[i].dims[d]);
    gf__text_add(&header, "], \"data_offsets\": [%zu, %zu], \"dtype\": \"F32\"}%s", offset,
                 offset + 4 * tensors_[i].count, i ? ",\n" : "}   ");
    offset += 4 * tensors_[i].count;
  }
  for (int i = 0; i < FLOATS; i++) data[i] = (float)i; /* this machine's order is the format's */
  write_file("c.safetensors", header.data, 0, data, sizeof data);
  gf__text_free(&header);
  gf_model *model = open_model(1);
  assert_ok(gf_model_load(model, in_folder("c.safetensors")));
  read_all(model, loaded);
  const float *at = loaded;
  for (int i = 0; i < TENSORS; i++) {
    size_t first = 0;
    for (int k = i + 1; k < TENSORS; k++) first += tensors_[k].count;
    for (size_t k = 0; k < tensors_[i].count; k++) assert_true(*at++ == (float)(first + k));
  }
  gf_model_free(&model);
}

/* ---- what is refused ---- */

/* The message begins with the file's path, which expected leaves out. */
static void assert_refused(gf_model *model, const char *name, gf_status status,
                           const char *expected) {
  float before[FLOATS], after[FLOATS];
  char message[2048];
  read_all(model, before);
  snprintf(message, sizeof message, expected, in_folder(name));
  assert_fails(status, message, gf_model_load(model, in_folder(name)));
  read_all(model, after);
  assert_memory_equal(after, before, sizeof before);
}

/* A change of the header of a good file; NULL for value removes the key. */
static const struct {
  const char *tensor, *key, *value, *message;
} changes[] = {
    {"conv.bias", NULL, NULL, "%s does not fit the network:\n  missing: conv.bias"},
    {"other.weight", NULL, "{\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}",
     "%s does not fit the network:\n  extra: other.weight"},
    {"conv.weight", "shape", "[3, 2, 3, 2]",
     "%s does not fit the network:\n  misshapen: conv.weight, expected F32 [3, 2, 2, 3], found F32 "
     "[3, 2, 3, 2]"},
    {"conv.weight", "shape", "[36]",
     "%s does not fit the network:\n  misshapen: conv.weight, expected F32 [3, 2, 2, 3], found F32 "
     "[36]"},
    {"conv.weight", "shape", "[3, 2, 2, 3, 1, 1, 1, 1, 1]",
     "%s does not fit the network:\n  misshapen: conv.weight, expected F32 [3, 2, 2, 3]"},
    {"last.weight", "shape", "[\"5\", \"3\"]",
     "%s does not fit the network:\n  misshapen: last.weight, expected F32 [5, 3]"},
    {"last.weight", "shape", NULL,
     "%s does not fit the network:\n  misshapen: last.weight, expected F32 [5, 3]"},
    {"last.weight", "dtype", "\"F64\"",
     "%s does not fit the network:\n  misshapen: last.weight, expected F32 [5, 3], found F64 [5, "
     "3]"},
    {"last.weight", "dtype", "\"F33\"",
     "%s does not fit the network:\n  misshapen: last.weight, expected F32 [5, 3]"},
    {"last.weight", "dtype", "32",
     "%s does not fit the network:\n  misshapen: last.weight, expected F32 [5, 3]"},
    {"conv.bias", "data_offsets", "[144, 152]",
     "%s does not fit the network:\n  misshapen: conv.bias, whose bytes are not the 12 of its "
     "shape"},
    {"conv.bias", "data_offsets", "[156, 144]",
     "%s does not fit the network:\n  misshapen: conv.bias, whose bytes are not the 12 of its "
     "shape"},
    {"conv.bias", "data_offsets", "[-4, 8]",
     "%s does not fit the network:\n  misshapen: conv.bias, whose bytes are not the 12 of its "
     "shape"},
    {"conv.bias", "data_offsets", "[0]",
     "%s does not fit the network:\n  misshapen: conv.bias, whose bytes are not the 12 of its "
     "shape"},
    {"conv.bias", "data_offsets", "[276, 288]",
     "%s does not fit the network:\n  cut off: conv.bias ends at byte 288 of 284 bytes of data"},
    {"conv.bias", "data_offsets", "[9223372036854775795, 9223372036854775807]",
     "%s does not fit the network:\n  cut off: conv.bias ends at byte 9223372036854775807 of "
     "284 bytes of data"},
};

/* A linear layer of every pixel is a convolution of 1x1. */
static void axes_of_size_1_at_the_end_may_be_missing(void **state) {
  (void)state;
  static const float values[] = {1, 2, 3, 4, 5, 6};
  static const struct {
    const char *shape;
    gf_status status;
  } rows[] = {{"[3,2,1,1]", GF_OK},           {"[3,2]", GF_OK},          {"[3,2,1]", GF_OK},
              {"[2,3]", GF_ERROR_DATA},       {"[6]", GF_ERROR_DATA},    {"[]", GF_ERROR_DATA},
              {"[3,2,1,1,1]", GF_ERROR_DATA}, {"[3,1,2]", GF_ERROR_DATA}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char header[128];
    float read[6] = {0};
    gf__named_tensor tensor = {
        .name = "a", .dims = {3, 2, 1, 1}, .dim_count = 4, .count = 6, .values = read};
    snprintf(header, sizeof header,
             "{\"a\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[0,24]}}", rows[i].shape);
    write_file("a.safetensors", header, 0, (const char *)values, sizeof values);
    if (gf__safetensors_read(in_folder("a.safetensors"), &tensor, 1) != rows[i].status)
      fail_msg("%s: %s", rows[i].shape, gf_error_message());
    if (rows[i].status == GF_OK) assert_memory_equal(read, values, sizeof values);
  }
}

static json_t *good_header(gf_model *model, char **file, size_t *size) {
  assert_ok(gf_model_save(model, in_folder("good.safetensors")));
  assert_ok(gf__file_read(in_folder("good.safetensors"), file, size));
  json_t *header = json_loadb(*file + 8, header_length(*file), 0, NULL);
  assert_non_null(header);
  return header;
}

static void change(json_t *header, const char *tensor, const char *key, const char *value) {
  json_t *at = key ? json_object_get(header, tensor) : header;
  const char *name = key ? key : tensor;
  assert_non_null(at);
  if (value)
    assert_int_equal(json_object_set_new(at, name, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
  else
    assert_int_equal(json_object_del(at, name), 0);
}

static void write_header(const char *name, json_t *header, const char *data) {
  char *text = json_dumps(header, JSON_COMPACT);
  assert_non_null(text);
  write_file(name, text, 0, data, FLOATS * sizeof(float));
  free(text);
}

static void headers_that_do_not_fit_are_refused(void **state) {
  (void)state;
  gf_model *model = open_model(1), *other = open_model(2);
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    char *file = NULL;
    size_t size = 0;
    json_t *header = good_header(other, &file, &size);
    change(header, changes[i].tensor, changes[i].key, changes[i].value);
    write_header("changed.safetensors", header, file + size - FLOATS * sizeof(float));
    json_decref(header);
    free(file);
    assert_refused(model, "changed.safetensors", GF_ERROR_DATA, changes[i].message);
  }
  gf_model_free(&model);
  gf_model_free(&other);
}

static void every_reason_is_named(void **state) {
  (void)state;
  gf_model *model = open_model(1);
  char *file = NULL;
  size_t size = 0;
  json_t *header = good_header(model, &file, &size);
  change(header, "norm.running_var", NULL, NULL);
  change(header, "conv.weight", NULL, NULL);
  change(header, "last.bias", "shape", "[6]");
  change(header, "fc.weight", NULL, "{}");
  change(header, "fc.bias", NULL, "7");
  write_header("changed.safetensors", header, file + size - FLOATS * sizeof(float));
  json_decref(header);
  free(file);
  assert_refused(model, "changed.safetensors", GF_ERROR_DATA,
                 "%s does not fit the network:\n  missing: conv.weight\n"
                 "  misshapen: last.bias, expected F32 [5], found F32 [6]\n"
                 "  missing: norm.running_var\n"
                 "  extra: fc.weight\n  extra: fc.bias");
  gf_model_free(&model);
}

/* Those of a file of another network. */
static void many_reasons_are_counted(void **state) {
  (void)state;
  gf_model *model = open_model(1);
  char *file = NULL;
  size_t size = 0;
  json_t *header = good_header(model, &file, &size);
  gf__text expected = {0};
  gf__text_add(&expected, "%%s does not fit the network:\n  missing: conv.weight");
  change(header, "conv.weight", NULL, NULL);
  for (int i = 0; i < 20; i++) {
    char name[16];
    snprintf(name, sizeof name, "other_%d", i);
    change(header, name, NULL, "{}");
    if (i < 19) gf__text_add(&expected, "\n  extra: %s", name);
  }
  gf__text_add(&expected, "\n  and 1 more");
  write_header("changed.safetensors", header, file + size - FLOATS * sizeof(float));
  assert_refused(model, "changed.safetensors", GF_ERROR_DATA, expected.data);
  gf__text_free(&expected);
  json_decref(header);
  free(file);
  gf_model_free(&model);
}

/* PyTorch's norms count batches; such a count without its norm is of another network. */
static void counts_of_batches_are_passed_over(void **state) {
  (void)state;
  static const char count[] = "{\"dtype\": \"I64\", \"shape\": [], \"data_offsets\": [284, 292]}";
  gf_model *model = open_model(1), *other = open_model(2);
  char *file = NULL;
  size_t size = 0;
  float expected[FLOATS], loaded[FLOATS];
  json_t *header = good_header(other, &file, &size);
  char data[FLOATS * sizeof(float) + 8] = {0};
  memcpy(data, file + size - FLOATS * sizeof(float), FLOATS * sizeof(float));
  change(header, "norm.num_batches_tracked", NULL, count);
  char *text = json_dumps(header, JSON_COMPACT);
  write_file("counted.safetensors", text, 0, data, sizeof data);
  assert_ok(gf_model_load(model, in_folder("counted.safetensors")));
  read_all(other, expected);
  read_all(model, loaded);
  assert_memory_equal(loaded, expected, sizeof loaded);
  free(text);
  change(header, "conv.num_batches_tracked", NULL, count);
  change(header, ".num_batches_tracked", NULL, count);
  write_header("changed.safetensors", header, data);
  assert_refused(model, "changed.safetensors", GF_ERROR_DATA,
                 "%s does not fit the network:\n  extra: conv.num_batches_tracked\n"
                 "  extra: .num_batches_tracked");
  json_decref(header);
  free(file);
  gf_model_free(&model);
  gf_model_free(&other);
}

/* A tebibyte that is not there: what is read is the header. */
static void a_huge_file_takes_no_memory(void **state) {
  (void)state;
  gf_model *model = open_model(1), *other = open_model(2);
  char *file = NULL, message[256];
  size_t size = 0;
  json_decref(good_header(other, &file, &size));
  free(file);
  bool is_sparse = truncate(in_folder("good.safetensors"), (off_t)1 << 40) == 0;
  if (is_sparse) {
    snprintf(message, sizeof message,
             "%%s is damaged: the %llu bytes of its data from byte 284 on are of no tensor",
             (1ULL << 40) - size);
    assert_refused(model, "good.safetensors", GF_ERROR_DATA, message);
  }
  gf_model_free(&model);
  gf_model_free(&other);
  if (is_sparse) return;
  print_message("skipped: no sparse files of a tebibyte here\n");
  skip();
}

/* ---- the layout ---- */

/* Where conv.bias and norm.weight lie, of 12 bytes each, in data of some size; the other tensors
 * are where they were: conv.weight in 0 to 144, norm.bias from 168 on, the last to 284. */
static const struct {
  const char *bias, *weight;
  size_t size;
  const char *message;
} layouts[] = {
    {"[144, 156]", "[156, 168]", 284, NULL},
    {"[156, 168]", "[144, 156]", 284, NULL},
    {"[144, 156]", "[144, 156]", 284,
     "%s is damaged: norm.weight begins at byte 144 of its data, in conv.bias"},
    {"[144, 156]", "[152, 164]", 284,
     "%s is damaged: norm.weight begins at byte 152 of its data, in conv.bias"},
    {"[0, 12]", "[156, 168]", 284,
     "%s is damaged: conv.weight begins at byte 0 of its data, in conv.bias"},
    {"[284, 296]", "[156, 168]", 296,
     "%s is damaged: the 12 bytes of its data from byte 144 on are of no tensor"},
    {"[288, 300]", "[144, 156]", 300,
     "%s is damaged: the 12 bytes of its data from byte 156 on are of no tensor"},
    {"[144, 156]", "[156, 168]", 285,
     "%s is damaged: the 1 bytes of its data from byte 284 on are of no tensor"},
};

static void tensors_cover_the_data_once(void **state) {
  (void)state;
  gf_model *model = open_model(1), *other = open_model(2);
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
    char *file = NULL, data[300] = {0};
    size_t size = 0;
    json_t *header = good_header(other, &file, &size);
    memcpy(data, file + size - FLOATS * sizeof(float), FLOATS * sizeof(float));
    free(file);
    change(header, "conv.bias", "data_offsets", layouts[i].bias);
    change(header, "norm.weight", "data_offsets", layouts[i].weight);
    char *text = json_dumps(header, JSON_COMPACT);
    write_file("layout.safetensors", text, 0, data, layouts[i].size);
    free(text);
    json_decref(header);
    if (layouts[i].message)
      assert_refused(model, "layout.safetensors", GF_ERROR_DATA, layouts[i].message);
    else
      assert_ok(gf_model_load(model, in_folder("layout.safetensors")));
  }
  gf_model_free(&model);
  gf_model_free(&other);
}

/* A tensor that nothing reads has its place, too. */
static void places_are_those_of_types_and_shapes(void **state) {
  (void)state;
  static const char *const counts[] = {
      "{\"dtype\": \"I64\", \"shape\": [], \"data_offsets\": [284, 288]}",
      "{\"dtype\": \"I32\", \"shape\": [], \"data_offsets\": [284, 292]}",
      "{\"dtype\": \"I64\", \"shape\": [2], \"data_offsets\": [284, 292]}",
      "{\"dtype\": \"I64\", \"shape\": [4294967296, 4294967297], \"data_offsets\": [284, 292]}",
      "{\"dtype\": \"X64\", \"shape\": [], \"data_offsets\": [284, 292]}",
      "{\"dtype\": \"I64\", \"shape\": [], \"data_offsets\": [-8, 0]}",
      "{\"dtype\": \"I64\", \"shape\": [], \"data_offsets\": [284.0, 292.0]}",
      "7"};
  gf_model *model = open_model(1);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    char *file = NULL, data[292] = {0};
    size_t size = 0;
    json_t *header = good_header(model, &file, &size);
    free(file);
    change(header, "norm.num_batches_tracked", NULL, counts[i]);
    char *text = json_dumps(header, JSON_COMPACT);
    write_file("count.safetensors", text, 0, data, sizeof data);
    free(text);
    json_decref(header);
    assert_refused(model, "count.safetensors", GF_ERROR_DATA,
                   "%s is damaged: the place of norm.num_batches_tracked in its data is not that "
                   "of its type and shape");
  }
  gf_model_free(&model);
}

static void damaged_files_are_refused(void **state) {
  (void)state;
  gf_model *model = open_model(1), *other = open_model(2);
  char *file = NULL, message[256];
  size_t size = 0;
  json_decref(good_header(other, &file, &size));
  uint64_t length = header_length(file);
  /* One byte less: the last tensor's. */
  assert_ok(gf__file_write(in_folder("d.safetensors"), file, size - 1));
  assert_refused(model, "d.safetensors", GF_ERROR_DATA,
                 "%s does not fit the network:\n  cut off: norm.running_var ends at byte 284 of "
                 "283 bytes of data");
  /* In the header. */
  assert_ok(gf__file_write(in_folder("d.safetensors"), file, 8 + length - 1));
  snprintf(message, sizeof message,
           "%%s is not a safetensors file (%zu bytes): its header is cut off",
           (size_t)(8 + length - 1));
  assert_refused(model, "d.safetensors", GF_ERROR_DATA, message);
  free(file);
  assert_ok(gf__file_write(in_folder("d.safetensors"), "", 0));
  assert_refused(model, "d.safetensors", GF_ERROR_DATA,
                 "%s is not a safetensors file (0 bytes): its header is cut off");
  assert_ok(gf__file_write(in_folder("d.safetensors"), "\2\0\0\0\0\0\0", 7));
  assert_refused(model, "d.safetensors", GF_ERROR_DATA,
                 "%s is not a safetensors file (7 bytes): its header is cut off");
  assert_ok(gf__file_write(in_folder("d.safetensors"), "PK\3\4\0\0\0\0\0\0", 10));
  assert_refused(model, "d.safetensors", GF_ERROR_DATA,
                 "%1$s is a file of torch.save, which only Python can read; save the weights as "
                 "safetensors: safetensors.torch.save_file(torch.load('%1$s', map_location='cpu', "
                 "weights_only=True), 'weights.safetensors')");
  assert_ok(gf__file_write(in_folder("d.safetensors"), "\x80\2\x8a\n\x6c\xfc\x9c\x46\0", 9));
  assert_refused(model, "d.safetensors", GF_ERROR_DATA,
                 "%1$s is a file of torch.save, which only Python can read; save the weights as "
                 "safetensors: safetensors.torch.save_file(torch.load('%1$s', map_location='cpu', "
                 "weights_only=True), 'weights.safetensors')");
  write_file("d.safetensors", "{}", UINT64_MAX, "", 0);
  assert_refused(model, "d.safetensors", GF_ERROR_DATA,
                 "%s is not a safetensors file (10 bytes): its header is cut off");
  write_file("d.safetensors", "[1]", 0, "", 0);
  assert_refused(model, "d.safetensors", GF_ERROR_DATA,
                 "%s is not a safetensors file (11 bytes): its header is not a JSON object");
  gf_model_free(&model);
  gf_model_free(&other);
}

/* jansson's words follow the colon, so only the beginning is compared. */
static void headers_that_are_not_json_are_refused(void **state) {
  (void)state;
  static const char *const headers[] = {"not JSON at all", "{\"conv.bias\": {}, \"conv.bias\": {}}",
                                        "{\"a\": ", "{\"\xff\": {}}"};
  gf_model *model = open_model(1);
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    char start[256];
    write_file("e.safetensors", headers[i], 0, "", 0);
    assert_int_equal(gf_model_load(model, in_folder("e.safetensors")), GF_ERROR_DATA);
    int length = snprintf(start, sizeof start,
                          "%s is not a safetensors file (%zu bytes): ", in_folder("e.safetensors"),
                          8 + strlen(headers[i]));
    assert_memory_equal(gf_error_message(), start, (size_t)length);
    assert_true(strlen(gf_error_message()) > (size_t)length);
  }
  gf_model_free(&model);
}

static void paths_that_cannot_be_opened_are_named(void **state) {
  (void)state;
  gf_model *model = open_model(1);
  assert_refused(model, "none.safetensors", GF_ERROR_FILE,
                 "cannot open %s: No such file or directory");
  assert_refused(model, ".", GF_ERROR_FILE, "cannot read %s: it is a folder");
  char message[512];
  snprintf(message, sizeof message, "cannot create %s: No such file or directory",
           in_folder("no/where"));
  assert_fails(GF_ERROR_FILE, message, gf_model_save(model, in_folder("no/where")));
  gf_model_free(&model);
}

/* ---- what Python makes of them ---- */

static const char *python(void) {
  const char *path = getenv("GRADFLOW_PYTHON");
  return path && *path ? path : "python3";
}

static int run_python(const char *arguments) {
  char command[1024];
  snprintf(command, sizeof command, "'%s' %s 2>&1", python(), arguments);
  return system(command);
}

static void check_in_python(const char *what, const char *file, const char *other) {
  char arguments[768];
  snprintf(arguments, sizeof arguments, "'%s/tests/check_safetensors.py' %s '%s' '%s'",
           SOURCE_FOLDER, what, in_folder(file), in_folder(other));
  assert_int_equal(run_python(arguments), 0);
}

static void skip_without_python(void) {
  if (run_python("-c 'import numpy, safetensors' >/dev/null") == 0) return;
  print_message("skipped: %s has no numpy or safetensors; GRADFLOW_PYTHON=PATH names another\n",
                python());
  skip();
}

static void python_reads_the_weights(void **state) {
  (void)state;
  skip_without_python();
  gf_model *model = open_model(1);
  float all[FLOATS];
  const float *values = all;
  json_t *expected = json_object();
  read_all(model, all);
  for (int i = 0; i < TENSORS; i++) {
    json_t *shape = json_array(), *list = json_array();
    for (int d = 0; d < tensors_[i].dim_count; d++)
      json_array_append_new(shape, json_integer(tensors_[i].dims[d]));
    for (size_t k = 0; k < tensors_[i].count; k++)
      json_array_append_new(list, json_real((double)*values++));
    json_object_set_new(expected, tensors_[i].name,
                        json_pack("{s:o, s:o}", "shape", shape, "values", list));
  }
  assert_int_equal(json_dump_file(expected, in_folder("expected.json"), 0), 0);
  json_decref(expected);
  assert_ok(gf_model_save(model, in_folder("python.safetensors")));
  gf_model_free(&model);
  check_in_python("weights", "python.safetensors", "expected.json");
}

/* Of a run of 2 epochs of 6 batches: checkpoints 0 and 1, of which the second is of its end. */
static void python_reads_a_checkpoint(void **state) {
  (void)state;
  skip_without_python();
  assert_int_equal(write_records("train.bin", RECORDS, 1), GF_OK);
  assert_ok(train(config_of("model: {graph: [{type: conv2d, filters: 4}, {type: batch_norm}, "
                            "{type: relu}, {type: global_avg_pool}, {type: linear, outputs: "
                            "100}]}\n",
                            ""),
                  "run", NULL));
  check_in_python("checkpoint", "run/checkpoint_1.safetensors", "run/last.safetensors");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_file_is_as_the_format_says),
      cmocka_unit_test(files_are_those_of_earlier_versions),
      cmocka_unit_test(writing_takes_little_memory),
      cmocka_unit_test(what_was_saved_is_loaded),
      cmocka_unit_test(other_writers_order_and_spacing_are_read),
      cmocka_unit_test(axes_of_size_1_at_the_end_may_be_missing),
      cmocka_unit_test(headers_that_do_not_fit_are_refused),
      cmocka_unit_test(every_reason_is_named),
      cmocka_unit_test(many_reasons_are_counted),
      cmocka_unit_test(counts_of_batches_are_passed_over),
      cmocka_unit_test(a_huge_file_takes_no_memory),
      cmocka_unit_test(tensors_cover_the_data_once),
      cmocka_unit_test(places_are_those_of_types_and_shapes),
      cmocka_unit_test(damaged_files_are_refused),
      cmocka_unit_test(headers_that_are_not_json_are_refused),
      cmocka_unit_test(paths_that_cannot_be_opened_are_named),
      cmocka_unit_test(python_reads_the_weights),
      cmocka_unit_test(python_reads_a_checkpoint),
  };
  return cmocka_run_group_tests_name("safetensors", tests, fixture_open, fixture_close);
}
