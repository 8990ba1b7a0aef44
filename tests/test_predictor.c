/* Predictions of images in memory: the same as those of files, from bytes and from floats. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <gradflow/predict.h>

#include "support/image_files.h"
#include "support/runs.h"
#include "support/test.h"

enum { SIDE = 32, COLOURS = 3, PIXELS = SIDE * SIDE * COLOURS };

/* Every pixel and its place count. */
#define MODEL                                                                              \
  "model: {graph: [{type: conv2d, filters: 4, stride: 2}, {type: relu}, {type: flatten}, " \
  "{name: last, type: linear, outputs: 100}]}\n"

static const gf_image_shape whole_ = {SIDE, SIDE, COLOURS};
static unsigned char bytes_[TESTED * PIXELS];
static float floats_[TESTED * PIXELS];
static double found_[TESTED * CLASSES], expected_[TESTED * CLASSES];

/* A run, and more images than a batch has, also as files in the order of their names. */
static int open_run(void **state) {
  uint32_t random = 7;
  if (open_all(state) != 0 || train(config_of(MODEL, ""), "run", NULL) != GF_OK) return -1;
  assert_ok(gf__make_folder(in_folder("images")));
  for (int i = 0; i < TESTED; i++) {
    char name[64];
    unsigned char *image = bytes_ + i * PIXELS;
    for (int k = 0; k < PIXELS; k++) {
      image[k] = (unsigned char)(128 + 60 * next_float(&random) + 60 * sin(i + k % COLOURS));
      floats_[i * PIXELS + k] = (float)image[k] / 255;
    }
    snprintf(name, sizeof name, "images/image_%02d.png", i);
    assert_true(stbi_write_png(in_folder(name), SIDE, SIDE, COLOURS, image, 0));
  }
  return 0;
}

static gf_predictor *open_predictor(const char *run) {
  gf_predictor *predictor = NULL;
  assert_ok(gf_predictor_open(&predictor, fixture_device, in_folder(run), NULL));
  return predictor;
}

static void keep(void *user, const gf_prediction *p) {
  int *count = user;
  assert_int_equal(p->status, GF_OK);
  assert_int_equal(p->count, CLASSES);
  for (int k = 0; k < CLASSES; k++)
    expected_[*count * CLASSES + p->classes[k]] = p->probabilities[k];
  ++*count;
}

static void check_rows(const double *rows, int count) {
  for (int i = 0; i < count; i++) {
    double sum = 0;
    for (int c = 0; c < CLASSES; c++) {
      assert_true(rows[i * CLASSES + c] >= 0);
      sum += rows[i * CLASSES + c];
    }
    assert_true(fabs(sum - 1) <= 1e-12);
  }
}

static void bytes_are_predicted_as_files_are(void **state) {
  (void)state;
  gf_predicted result;
  int count = 0;
  const char *folder = in_folder("images");
  gf_predict_options options = {.top = CLASSES, .events = {.user = &count, .prediction = keep}};
  assert_ok(gf_predict(fixture_device, in_folder("run"), &folder, 1, &options, &result));
  assert_int_equal(count, TESTED);
  gf_predictor *predictor = open_predictor("run");
  assert_ok(gf_predictor_run_bytes(predictor, bytes_, whole_, TESTED, found_));
  check_rows(found_, TESTED);
  assert_memory_equal(found_, expected_, sizeof found_);
  /* Rows differ much, and further calls begin anew. */
  double difference = 0;
  for (int c = 0; c < CLASSES; c++) difference += fabs(found_[c] - found_[CLASSES + c]);
  assert_true(difference > 0.05);
  assert_ok(gf_predictor_run_bytes(predictor, bytes_ + 9 * PIXELS, whole_, 1, found_));
  assert_memory_equal(found_, expected_ + 9 * CLASSES, CLASSES * sizeof *found_);
  found_[0] = 7;
  assert_ok(gf_predictor_run_bytes(predictor, bytes_, whole_, 0, found_));
  assert_true(found_[0] == 7);
  gf_predictor_free(&predictor);
  assert_null(predictor);
}

static void floats_are_bytes_by_255(void **state) {
  (void)state;
  gf_predictor *predictor = open_predictor("run");
  assert_ok(gf_predictor_run_bytes(predictor, bytes_, whole_, TESTED, expected_));
  assert_ok(gf_predictor_run_floats(predictor, floats_, whole_, TESTED, found_));
  check_rows(found_, TESTED);
  for (int i = 0; i < TESTED * CLASSES; i++)
    if (!(fabs(found_[i] - expected_[i]) <= 1e-6))
      fail_msg("image %d: %g and not %g", i / CLASSES, found_[i], expected_[i]);
  gf_predictor_free(&predictor);
}

/* 21 x 30 pixels: 5 black rows above them and 6 below, 1 column on each side. */
static void smaller_images_stand_in_the_middle(void **state) {
  (void)state;
  enum { HEIGHT = 21, WIDTH = 30, TOP = 5, LEFT = 1, IMAGES = 3 };
  static unsigned char small[IMAGES][HEIGHT][WIDTH][COLOURS];
  static unsigned char bordered[IMAGES][SIDE][SIDE][COLOURS];
  static float small_floats[IMAGES * HEIGHT * WIDTH * COLOURS];
  gf_image_shape shape = {HEIGHT, WIDTH, COLOURS};
  memcpy(small, bytes_, sizeof small);
  for (size_t i = 0; i < sizeof small; i++) small_floats[i] = (float)bytes_[i] / 255;
  for (int i = 0; i < IMAGES; i++)
    for (int y = 0; y < HEIGHT; y++)
      memcpy(bordered[i][TOP + y][LEFT], small[i][y][0], WIDTH * COLOURS);
  gf_predictor *predictor = open_predictor("run");
  assert_ok(gf_predictor_run_bytes(predictor, bordered[0][0][0], whole_, IMAGES, expected_));
  assert_ok(gf_predictor_run_bytes(predictor, small[0][0][0], shape, IMAGES, found_));
  assert_memory_equal(found_, expected_, IMAGES * CLASSES * sizeof *found_);
  assert_ok(gf_predictor_run_floats(predictor, small_floats, shape, IMAGES, found_));
  for (int i = 0; i < IMAGES * CLASSES; i++) assert_true(fabs(found_[i] - expected_[i]) <= 1e-6);
  gf_predictor_free(&predictor);
}

static void a_predictor_says_what_it_takes(void **state) {
  (void)state;
  gf_predictor *predictor = open_predictor("run");
  gf_predictor_info info = gf_predictor_describe(predictor);
  assert_memory_equal(&info.shape, &whole_, sizeof whole_);
  assert_int_equal(info.classes, CLASSES);
  assert_null(info.class_names); /* the data set's file of names is not there */
  gf_predictor_free(&predictor);
  gf__text names = {0};
  for (int i = 0; i < CLASSES; i++) gf__text_add(&names, "kind %d\n", i);
  assert_ok(gf__file_write(in_folder("names"), names.data, names.size));
  gf__text_free(&names);
  assert_ok(gf_predictor_open(&predictor, fixture_device, in_folder("run"), in_folder("names")));
  info = gf_predictor_describe(predictor);
  assert_string_equal(info.class_names[42], "kind 42");
  gf_predictor_free(&predictor);
}

static void images_that_do_not_fit_are_refused(void **state) {
  (void)state;
  static const gf_image_shape shapes[] = {
      {33, 32, 3}, {32, 33, 3}, {32, 32, 1}, {0, 32, 3}, {32, -1, 3}};
  gf_predictor *predictor = open_predictor("run");
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    char message[256];
    snprintf(message, sizeof message,
             "images are %d x %d x %d (height, width, channels), and the network takes "
             "32 x 32 x 3, or smaller ones of as many channels; resize them first",
             shapes[i].height, shapes[i].width, shapes[i].channels);
    assert_fails(GF_ERROR_SHAPE, message,
                 gf_predictor_run_bytes(predictor, bytes_, shapes[i], 1, found_));
    assert_fails(GF_ERROR_SHAPE, message,
                 gf_predictor_run_floats(predictor, floats_, shapes[i], 1, found_));
  }
  float before = floats_[PIXELS + 3];
  floats_[PIXELS + 3] = 255;
  assert_fails(GF_ERROR_ARGUMENT,
               "image 1 has a pixel of 255; pixels that are floats are in [0, 1]",
               gf_predictor_run_floats(predictor, floats_, whole_, 2, found_));
  assert_ok(gf_predictor_run_floats(predictor, floats_, whole_, 1, found_));
  floats_[PIXELS + 3] = NAN;
  assert_int_equal(gf_predictor_run_floats(predictor, floats_, whole_, 2, found_),
                   GF_ERROR_ARGUMENT);
  floats_[PIXELS + 3] = before;
  gf_predictor_free(&predictor);
}

static void copy_file(const char *from, const char *to) {
  char *bytes = NULL;
  size_t size = 0;
  assert_ok(gf__file_read(in_folder(from), &bytes, &size));
  assert_ok(gf__file_write(in_folder(to), bytes, size));
  free(bytes);
}

static void folders_that_are_no_runs_are_refused(void **state) {
  (void)state;
  char message[512];
  gf_predictor *predictor = NULL;
  snprintf(message, sizeof message,
           "%s is no run folder: it has no config.yaml; name a folder that gradflow train has made",
           in_folder("images"));
  assert_fails(GF_ERROR_FILE, message,
               gf_predictor_open(&predictor, fixture_device, in_folder("images"), NULL));
  assert_null(predictor);
}

static void weights_without_numbers_are_told(void **state) {
  (void)state;
  gf_model *model = NULL;
  gf_config *config = config_of(MODEL, "");
  float values[CLASSES] = {[CLASSES - 1] = NAN};
  assert_ok(gf_model_open(&model, fixture_device, config, whole_, CLASSES, 1, 0));
  gf_config_free(&config);
  for (int i = 0; i < gf_model_parameter_count(model); i++)
    if (!strcmp(gf_model_parameter(model, i).name, "last.bias"))
      assert_ok(gf_model_write_parameter(model, i, values));
  assert_ok(gf__make_folder(in_folder("diverged")));
  copy_file("run/config.yaml", "diverged/config.yaml");
  assert_ok(gf_model_save(model, in_folder("diverged/last.safetensors")));
  gf_model_free(&model);
  gf_predictor *predictor = open_predictor("diverged");
  assert_fails(GF_ERROR_NONFINITE,
               "image 0: the network's scores are not finite: its weights are of a run that "
               "diverged",
               gf_predictor_run_bytes(predictor, bytes_, whole_, 1, found_));
  gf_predictor_free(&predictor);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_are_predicted_as_files_are),
      cmocka_unit_test(floats_are_bytes_by_255),
      cmocka_unit_test(smaller_images_stand_in_the_middle),
      cmocka_unit_test(a_predictor_says_what_it_takes),
      cmocka_unit_test(images_that_do_not_fit_are_refused),
      cmocka_unit_test(folders_that_are_no_runs_are_refused),
      cmocka_unit_test(weights_without_numbers_are_told),
  };
  return cmocka_run_group_tests_name("predictor", tests, open_run, fixture_close);
}
