/* Networks trained on IDX images that are not MNIST's 28 x 28: prediction and export take the
 * run's own shape, without its data. */
#include <gradflow/convert.h>
#include <gradflow/predict.h>
#include <stb/stb_image_write.h>

#include "support/runs.h"
#include "support/test.h"

enum { TRAINED = 120, PREDICTED = 30, KINDS = 10, MOST_AREA = 64 * 64 };

typedef struct shape {
  int height, width;
  const char *pad_to; /* line of the config */
  int network_height, network_width;
} shape;

/* An image of class k is dark, with a bright column group k of ten, and noise. */
static void draw_image(const shape *s, int label, uint32_t *random, uint8_t *out) {
  for (int y = 0; y < s->height; y++)
    for (int x = 0; x < s->width; x++) {
      int at = (y * s->width + x) * KINDS / (s->height * s->width);
      *out++ = (uint8_t)((at == label ? 200 : 40) + 30 * next_float(random));
    }
}

static void add_header(gf__text *out, int magic, const int *dims, int count) {
  for (int i = -1; i < count; i++)
    for (int b = 24; b >= 0; b -= 8)
      gf__text_add_bytes(out, &(uint8_t){(uint8_t)((i < 0 ? magic : dims[i]) >> b)}, 1);
}

static void write_text(const char *name, gf__text *text) {
  assert_ok(gf__text_status(text));
  assert_ok(gf__file_write(in_folder(name), text->data, text->size));
  gf__text_free(text);
}

/* The two files of a split, and image i as the file "SPLIT/i.png". */
static void write_split(const shape *s, const char *prefix, int count, uint32_t random) {
  gf__text images = {0}, labels = {0};
  char name[96];
  uint8_t pixels[MOST_AREA];
  add_header(&images, 0x803, (const int[]){count, s->height, s->width}, 3);
  add_header(&labels, 0x801, (const int[]){count}, 1);
  assert_ok(gf__make_folder(in_folder(prefix)));
  for (int i = 0; i < count; i++) {
    draw_image(s, i % KINDS, &random, pixels);
    gf__text_add_bytes(&images, pixels, (size_t)(s->height * s->width));
    gf__text_add_bytes(&labels, &(uint8_t){(uint8_t)(i % KINDS)}, 1);
    snprintf(name, sizeof name, "%s/%03d.png", prefix, i);
    assert_true(stbi_write_png(in_folder(name), s->width, s->height, 1, pixels, 0));
  }
  snprintf(name, sizeof name, "%s-images-idx3-ubyte", prefix);
  write_text(name, &images);
  snprintf(name, sizeof name, "%s-labels-idx1-ubyte", prefix);
  write_text(name, &labels);
}

static void remove_data(void) {
  static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                      "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    assert_int_equal(remove(in_folder(names[i])), 0);
}

typedef struct outcome {
  int count, correct, height, width;
} outcome;

static void note(void *user, const gf_prediction *p) {
  outcome *o = user;
  if (p->status != GF_OK) fail_msg("%s", p->message);
  o->correct += p->classes[0] == o->count++ % KINDS;
  o->height = p->shape.height;
  o->width = p->shape.width;
}

static void check_prediction(const shape *s) {
  char run[256], images[256];
  const char *paths[] = {images};
  outcome seen = {0};
  gf_predicted result;
  gf_predict_options options = {.top = 1, .events = {.user = &seen, .prediction = note}};
  snprintf(run, sizeof run, "%s", in_folder("run"));
  snprintf(images, sizeof images, "%s", in_folder("t10k"));
  assert_ok(gf_predict(fixture_device, run, paths, 1, &options, &result));
  assert_int_equal(seen.count, PREDICTED);
  assert_int_equal(seen.correct, PREDICTED);
  assert_int_equal(seen.height, s->network_height);
  assert_int_equal(seen.width, s->network_width);
}

static void check_export(const shape *s) {
  char run[256], file[256];
  gf_export_options options = {.overwrite = 1};
  gf_conversion result;
  snprintf(run, sizeof run, "%s", in_folder("run"));
  snprintf(file, sizeof file, "%s", in_folder("net.safetensors"));
  assert_ok(gf_export_pytorch(run, file, &options, &result));
  assert_int_equal(result.image.height, s->network_height);
  assert_int_equal(result.image.width, s->network_width);
  assert_int_equal(result.classes, KINDS);
}

static void check(const shape *s) {
  char yaml[1024], run[256];
  gf_test_result tested;
  write_split(s, "train", TRAINED, 1);
  write_split(s, "t10k", PREDICTED, 2);
  snprintf(yaml, sizeof yaml,
           "data: {name: mnist, path: %s, validation: 20%s}\n"
           "train: {epochs: 12, batch_size: 20, seed: 1}\n"
           "optimizer: {name: adam, learning_rate: 0.01}\n"
           "model: {graph: [{type: flatten}, {type: linear, outputs: 10}]}\n",
           fixture_folder, s->pad_to);
  assert_ok(train(parse_config(yaml), "run", NULL));
  snprintf(run, sizeof run, "%s", in_folder("run"));
  assert_ok(gf_test(fixture_device, run, &tested));
  assert_int_equal(tested.images, PREDICTED);
  assert_true(tested.accuracy == 1);
  gf_test_result_free(&tested);
  remove_data();
  check_prediction(s);
  check_export(s);
  assert_ok(gf__remove_folder(run));
  assert_ok(gf__remove_folder(in_folder("train")));
  assert_ok(gf__remove_folder(in_folder("t10k")));
}

static void images_that_are_not_square(void **state) {
  (void)state;
  check(&(shape){24, 40, "", 32, 40});
  check(&(shape){40, 24, ", pad_to: 0", 40, 24});
}

static void squares_of_other_sides(void **state) {
  (void)state;
  check(&(shape){64, 64, ", pad_to: 64", 64, 64});
  check(&(shape){8, 8, ", pad_to: 8", 8, 8});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_that_are_not_square),
      cmocka_unit_test(squares_of_other_sides),
  };
  return cmocka_run_group_tests_name("predict_shapes", tests, fixture_open, fixture_close);
}
