/* Predictions: against a pass over the test split, what an image becomes on its way, names of
 * classes, and what fails and how it is told. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <gradflow/predict.h>

#include "data/byte_images.h"
#include "predict/predict.h"
#include "support/image_files.h"
#include "support/runs.h"
#include "support/test.h"

enum { SIDE = 32, COLOURS = 3, PIXELS = SIDE * SIDE * COLOURS };

#define MODEL "model: {family: vgg_stages, filters: 4, norm: every}\n"

static void write_file(const char *name, const void *bytes, size_t size) {
  assert_ok(gf__file_write(in_folder(name), bytes, size));
}

static void write_text(const char *name, const char *text) { write_file(name, text, strlen(text)); }

static void write_image(const char *name, int height, int width, int channels,
                        const uint8_t *pixels) {
  assert_true(stbi_write_png(in_folder(name), width, height, channels, pixels, 0));
}

/* The pixels of an image of the test split, (height, width, channels). */
static void test_pixels(int image, uint8_t out[PIXELS]) {
  static char *records;
  size_t size = 0;
  if (image < 0) {
    free(records);
    records = NULL;
    return;
  }
  if (!records) assert_ok(gf__file_read(in_folder("test.bin"), &records, &size));
  const uint8_t *planes = (const uint8_t *)records + image * (2 + PIXELS) + 2;
  for (int i = 0; i < SIDE * SIDE; i++)
    for (int c = 0; c < COLOURS; c++) out[i * COLOURS + c] = planes[c * SIDE * SIDE + i];
}

/* A run, and the test images as files in the order of their names. */
static int open_run(void **state) {
  if (open_all(state) != 0) return -1;
  if (train(config_of(MODEL, ""), "run", NULL) != GF_OK) return -1;
  assert_ok(gf__make_folder(in_folder("images")));
  for (int i = 0; i < TESTED; i++) {
    char name[64];
    uint8_t pixels[PIXELS];
    snprintf(name, sizeof name, "images/image_%02d.png", i);
    test_pixels(i, pixels);
    write_image(name, SIDE, SIDE, COLOURS, pixels);
  }
  return 0;
}

static int close_run(void **state) {
  test_pixels(-1, NULL);
  return fixture_close(state);
}

/* ---- what is told ---- */

enum { TOP = 7 };

typedef struct told {
  int count;
  int classes[TESTED][TOP];
  double probabilities[TESTED][TOP];
  uint8_t pixels[TESTED][PIXELS];
  float maps[TESTED][SIDE * SIDE];
  gf__text log; /* a line a file */
} told;

/* The path without the folder of the test. */
static const char *short_path(const char *path) {
  size_t length = strlen(fixture_folder);
  return strncmp(path, fixture_folder, length) ? path : path + length + 1;
}

static void note(void *user, const gf_prediction *p) {
  told *t = user;
  if (p->status != GF_OK) {
    assert_int_equal(p->count, 0);
    gf__text_add(&t->log, "%s: %s: %s\n", gf_status_name(p->status), short_path(p->path),
                 p->message);
    return;
  }
  assert_null(p->message);
  gf__text_add(&t->log, "%s %s\n", short_path(p->path), p->names ? p->names[0] : "-");
  if (t->count == TESTED || p->count != TOP) return;
  memcpy(t->classes[t->count], p->classes, sizeof t->classes[0]);
  memcpy(t->probabilities[t->count], p->probabilities, sizeof t->probabilities[0]);
  assert_int_equal(p->shape.height * p->shape.width * p->shape.channels, PIXELS);
  memcpy(t->pixels[t->count], p->pixels, PIXELS);
  if (p->saliency) memcpy(t->maps[t->count], p->saliency, sizeof t->maps[0]);
  t->count++;
}

static void note_sheet(void *user, const char *path) {
  gf__text_add(&((told *)user)->log, "sheet %s\n", short_path(path));
}

static told told_; /* too large for a stack */

static void forget(void) {
  gf__text_free(&told_.log);
  memset(&told_, 0, sizeof told_);
}

static gf_status predict(const char *run, const char *const *paths, int count,
                         gf_predict_options options, gf_predicted *out) {
  char folder[256];
  snprintf(folder, sizeof folder, "%s", in_folder(run));
  forget();
  options.events = (gf_predict_events){&told_, note, note_sheet};
  return gf_predict(fixture_device, folder, paths, count, &options, out);
}

/* ---- numbers ---- */

static void predictions_are_those_of_the_test_split(void **state) {
  (void)state;
  static float logits[BATCH * CLASSES];
  gf_predicted result;
  const char *folder = in_folder("images");
  assert_ok(predict("run", &folder, 1, (gf_predict_options){.top = TOP}, &result));
  assert_int_equal(result.images, TESTED);
  assert_int_equal(result.failed, 0);
  assert_int_equal(told_.count, TESTED);

  gf_config *config = config_of(MODEL, "");
  gf_dataset *dataset = NULL;
  gf_loader *loader = NULL;
  gf_model *model = NULL;
  gf_batch batch;
  int at = 0;
  gf_loader_options options = {.batch_size = BATCH, .to = 1};
  assert_ok(gf_dataset_open(&dataset, config, GF_SPLIT_TEST));
  assert_ok(gf_loader_open(&loader, dataset, &options));
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){SIDE, SIDE, COLOURS},
                          CLASSES, BATCH, 0));
  assert_ok(gf_model_load(model, in_folder("run/best.safetensors")));
  assert_ok(gf_loader_start(loader, 0, 0));
  for (;;) {
    assert_ok(gf_loader_next(loader, &batch));
    if (!batch.count) break;
    assert_ok(gf_model_forward(model, batch.images, NULL, batch.count, 0, NULL));
    assert_ok(gf_model_logits(model, logits));
    for (int i = 0; i < batch.count; i++, at++) {
      const float *row = logits + i * CLASSES;
      double sum = 0;
      for (int c = 0; c < CLASSES; c++) sum += exp((double)row[c]);
      for (int k = 0; k < TOP; k++) {
        int chosen = told_.classes[at][k], before = 0;
        for (int c = 0; c < CLASSES; c++)
          before += row[c] > row[chosen] || (row[c] == row[chosen] && c < chosen);
        assert_int_equal(before, k);
        if (!(fabs(told_.probabilities[at][k] - exp((double)row[chosen]) / sum) <= 1e-12))
          fail_msg("image %d, rank %d: %.9g", at, k, told_.probabilities[at][k]);
      }
    }
  }
  assert_int_equal(at, TESTED);
  gf_model_free(&model);
  gf_loader_free(&loader);
  gf_dataset_free(&dataset);
  gf_config_free(&config);
}

static void maps_are_the_largest_over_the_channels(void **state) {
  (void)state;
  static const double mean[] = {0.4914, 0.4822, 0.4465}, std[] = {0.2023, 0.1994, 0.2010};
  static float image[PIXELS], gradient[PIXELS];
  gf_predicted result;
  const char *path = in_folder("images/image_03.png");
  assert_ok(predict("run", &path, 1, (gf_predict_options){.top = TOP, .saliency = 1}, &result));
  assert_int_equal(told_.count, 1);
  uint8_t pixels[PIXELS];
  test_pixels(3, pixels);
  assert_memory_equal(told_.pixels[0], pixels, PIXELS);
  for (int i = 0; i < PIXELS; i++)
    image[i] = (float)((pixels[i] / 255.0 - mean[i % 3]) / std[i % 3]);
  gf_config *config = config_of(MODEL, "");
  gf_model *model = NULL, *saliency = NULL;
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){SIDE, SIDE, COLOURS},
                          CLASSES, BATCH, 0));
  assert_ok(gf_model_load(model, in_folder("run/best.safetensors")));
  assert_ok(gf__saliency_open(&saliency, model, config));
  assert_ok(gf__saliency_gradient(saliency, image, told_.classes[0], 1, gradient));
  for (int i = 0; i < SIDE * SIDE; i++) {
    double most = 0;
    for (int c = 0; c < COLOURS; c++) most = fmax(most, fabs(gradient[i * COLOURS + c] / std[c]));
    assert_true(most > 0);
    if (!(fabs(told_.maps[0][i] - most) <= 1e-5 * most))
      fail_msg("pixel %d: %.9g and should be %.9g", i, (double)told_.maps[0][i], most);
  }
  gf_model_free(&saliency);
  gf_model_free(&model);
  gf_config_free(&config);
}

/* ---- images ---- */

static void grey_networks_get_grey_in_a_black_border(void **state) {
  (void)state;
  enum { DIGIT = 28, BORDER = 2, LARGE = 56 };
  static uint8_t rgb[LARGE * LARGE * COLOURS], pixels[SIDE * SIDE];
  static float floats[SIDE * SIDE];
  gf_dataset *data;
  gf_config *config = parse_config("data: {name: mnist}");
  /* Left half red, right half a grey of 100; twice as large as the data set's. */
  for (int i = 0; i < LARGE * LARGE; i++)
    for (int c = 0; c < COLOURS; c++)
      rgb[i * COLOURS + c] = (uint8_t)(i % LARGE >= LARGE / 2 ? 100 : c == 0 ? 200 : 0);
  write_image("halves.png", LARGE, LARGE, COLOURS, rgb);
  assert_ok(gf__dataset_open_empty(&data, config));
  assert_int_equal(data->info.height, SIDE);
  assert_int_equal(data->info.channels, 1);
  memset(pixels, 77, sizeof pixels);
  assert_ok(data->format->read_file(data, in_folder("halves.png"), pixels, floats));
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++) {
      bool inside = x >= BORDER && x < SIDE - BORDER && y >= BORDER && y < SIDE - BORDER;
      int expected = !inside ? 0 : x < SIDE / 2 ? 60 : 100; /* 0.299 of 200 */
      /* Where the halves meet, resizing mixes them. */
      if (inside && (x == SIDE / 2 - 1 || x == SIDE / 2)) continue;
      assert_int_equal(pixels[y * SIDE + x], expected);
      double value = (expected / 255.0 - 0.1307) / 0.3081;
      assert_true(fabs(floats[y * SIDE + x] - value) <= 1e-6);
    }
  gf_dataset_free(&data);
  gf_config_free(&config);
}

static void means_are_those_of_the_config(void **state) {
  (void)state;
  gf_dataset *data;
  gf_config *config = parse_config("data: {name: cifar10, mean: 0.5, std: [0.1, 0.2, 0.3]}");
  assert_ok(gf__dataset_open_empty(&data, config));
  for (int c = 0; c < COLOURS; c++)
    assert_true(fabs(gf__byte_images_of(data)->transform.table[c][255] - 0.5 / (0.1 * (c + 1))) <=
                1e-5);
  gf_dataset_free(&data);
  gf_config_free(&config);
  config = parse_config("data: {name: cifar10, mean: [0.1, 0.2]}");
  assert_fails(GF_ERROR_CONFIG,
               "net:1:23: data.mean has 2 numbers; images of cifar10 have 3 channels",
               gf__dataset_open_empty(&data, config));
  gf_config_free(&config);
  config = parse_config("data: {name: hyperspectral}");
  assert_fails(
      GF_ERROR_CONFIG,
      "the run was trained on hyperspectral, whose patches no image file holds; take a run "
      "on images",
      gf__dataset_open_empty(&data, config));
  gf_config_free(&config);
}

/* ---- failures ---- */

static void a_failure_ends_no_other(void **state) {
  (void)state;
  char expected[4096], paths[6][256];
  static const char *const names[] = {"images/image_00.png", "nothing.png", "notes.png", "hollow",
                                      "images/image_01.png", "half.png"};
  const char *list[6];
  char *whole = NULL;
  size_t size = 0;
  gf_predicted result;
  write_text("notes.png", "no image");
  assert_ok(gf__make_folder(in_folder("hollow/deeper")));
  write_text("hollow/notes.txt", "no image");
  assert_ok(gf__file_read(in_folder("images/image_00.png"), &whole, &size));
  write_file("half.png", whole, size / 2);
  free(whole);
  for (int i = 0; i < 6; i++) {
    snprintf(paths[i], sizeof paths[i], "%s", in_folder(names[i]));
    list[i] = paths[i];
  }
  assert_ok(predict("run", list, 6, gf_predict_options_default(), &result));
  assert_int_equal(result.images, 2);
  assert_int_equal(result.failed, 4);
  snprintf(expected, sizeof expected,
           "images/image_00.png -\n"
           "file: nothing.png: cannot open %s/nothing.png: No such file or directory\n"
           "data: notes.png: %s/notes.png is neither a JPEG nor a PNG file\n"
           "data: hollow: %s/hollow has no images (.jpg, .jpeg, .png); those of folders in it are "
           "not looked for\n"
           "images/image_01.png -\n"
           "data: half.png: %s/half.png is truncated: its image data do not end within its %zu "
           "bytes\n",
           fixture_folder, fixture_folder, fixture_folder, fixture_folder, size / 2);
  assert_string_equal(told_.log.data, expected);
}

static gf_status predict_one(const char *run, gf_predict_options options) {
  gf_predicted result;
  const char *path = in_folder("images/image_00.png");
  return predict(run, &path, 1, options, &result);
}

static void assert_fails_in_folder(gf_status status, const char *format, gf_status actual) {
  char expected[1024];
  snprintf(expected, sizeof expected, format, fixture_folder);
  assert_fails(status, expected, actual);
}

static void copy_file(const char *from, const char *to) {
  char *bytes = NULL;
  size_t size = 0;
  assert_ok(gf__file_read(in_folder(from), &bytes, &size));
  write_file(to, bytes, size);
  free(bytes);
}

static void folders_that_are_no_whole_runs_are_refused(void **state) {
  (void)state;
  gf_predict_options none = gf_predict_options_default();
  assert_fails_in_folder(
      GF_ERROR_FILE,
      "%s/images is no run folder: it has no config.yaml; name a folder that gradflow train has "
      "made",
      predict_one("images", none));
  assert_ok(gf__make_folder(in_folder("other")));
  copy_file("run/config.yaml", "other/config.yaml");
  assert_fails_in_folder(GF_ERROR_FILE,
                         "%s/other has no weights: neither best.safetensors nor last.safetensors; "
                         "train it for an epoch at least",
                         predict_one("other", none));
  /* The last weights do where there are no best. */
  copy_file("run/last.safetensors", "other/last.safetensors");
  assert_ok(predict_one("other", none));
  assert_fails(GF_ERROR_ARGUMENT, "at least one class is listed of an image, not -1",
               predict_one("run", (gf_predict_options){.top = -1}));
}

/* All tensors that are wrong stand in one message, or are counted there. */
static void weights_that_do_not_fit_are_listed(void **state) {
  (void)state;
  char yaml[512];
  assert_ok(gf__make_folder(in_folder("wide")));
  snprintf(yaml, sizeof yaml, "data: {name: cifar100, path: %s}\nmodel: {family: vgg_stages, %s}\n",
           fixture_folder, "filters: 5, norm: entry");
  write_text("wide/config.yaml", yaml);
  copy_file("run/best.safetensors", "wide/best.safetensors");
  assert_int_equal(predict_one("wide", gf_predict_options_default()), GF_ERROR_DATA);
  char beginning[512];
  snprintf(beginning, sizeof beginning,
           "%s/wide/best.safetensors does not fit the network:\n"
           "  misshapen: input_conv.weight, expected F32 [5, 3, 3, 3], found F32 [4, 3, 3, 3]\n"
           "  misshapen: input_norm.weight, expected F32 [5], found F32 [4]\n",
           fixture_folder);
  assert_memory_equal(gf_error_message(), beginning, strlen(beginning));
  /* 37 convolutions, of which 6 have a bias, the entry's norm and the last layer's weight are
   * misshapen; 36 norms are too many; 20 of these stand in lines of their own. */
  const char *end = strrchr(gf_error_message(), '\n');
  assert_string_equal(end, "\n  and 172 more");
}

static void weights_without_numbers_fail_each_image(void **state) {
  (void)state;
  char expected[512];
  gf_model *model = NULL;
  gf_config *config = config_of(MODEL, "");
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){SIDE, SIDE, COLOURS},
                          CLASSES, 1, 0));
  gf_config_free(&config);
  for (int i = 0; i < gf_model_parameter_count(model); i++)
    if (!strcmp(gf_model_parameter(model, i).name, "logit_linear.bias")) {
      float values[CLASSES] = {[CLASSES - 1] = NAN};
      assert_ok(gf_model_write_parameter(model, i, values));
    }
  assert_ok(gf__make_folder(in_folder("diverged")));
  copy_file("run/config.yaml", "diverged/config.yaml");
  assert_ok(gf_model_save(model, in_folder("diverged/last.safetensors")));
  gf_model_free(&model);
  assert_ok(predict_one("diverged", (gf_predict_options){.top = 5, .saliency = 1}));
  snprintf(expected, sizeof expected,
           "nonfinite: images/image_00.png: %s/images/image_00.png: the network's scores are not "
           "finite: its weights are of a run that diverged\n",
           fixture_folder);
  assert_string_equal(told_.log.data, expected);
}

/* ---- names of classes ---- */

static void write_names(const char *name, int count) {
  gf__text names = {0};
  for (int i = 0; i < count; i++) gf__text_add(&names, "kind %d\r\n%s", i, i % 7 ? "" : "\n");
  write_file(name, names.data ? names.data : "", names.size);
  gf__text_free(&names);
}

static void names_come_from_the_file_or_the_data_set(void **state) {
  (void)state;
  char file[256];
  gf_predict_options options = {.top = 1, .classes = file};
  snprintf(file, sizeof file, "%s", in_folder("names.txt"));
  write_names("names.txt", CLASSES);
  assert_ok(predict_one("run", options));
  assert_non_null(strstr(told_.log.data, "images/image_00.png kind "));
  write_names("fine_label_names.txt", CLASSES);
  assert_ok(predict_one("run", gf_predict_options_default()));
  assert_non_null(strstr(told_.log.data, "images/image_00.png kind "));
  assert_int_equal(remove(in_folder("fine_label_names.txt")), 0);

  write_names("names.txt", CLASSES - 1);
  assert_fails_in_folder(
      GF_ERROR_DATA,
      "%s/names.txt has 99 class names, but the network has 100 classes; give one name per line",
      predict_one("run", options));
  write_names("names.txt", 0);
  assert_fails_in_folder(
      GF_ERROR_DATA,
      "%s/names.txt has 0 class names, but the network has 100 classes; give one name per line",
      predict_one("run", options));
  write_file("names.txt", "a\0b\n", 4);
  assert_fails_in_folder(GF_ERROR_DATA,
                         "%s/names.txt is no text with one class name per line: it has a NUL byte",
                         predict_one("run", options));
  assert_int_equal(remove(in_folder("names.txt")), 0);
  assert_fails_in_folder(GF_ERROR_FILE, "cannot open %s/names.txt: No such file or directory",
                         predict_one("run", options));
}

/* A network.json of images like CIFAR's and CLASSES classes, all called name unless that is NULL.
 */
static void write_network(const char *file, const char *name) {
  gf__text text = {0};
  gf__text_add(&text, "{\"format\": 1, \"image\": [32, 32, 3], \"classes\": %d, \"layers\": []",
               CLASSES);
  for (int i = 0; name && i < CLASSES; i++)
    gf__text_add(&text, "%s\"%s\"", i ? ", " : ", \"class_names\": [", name);
  gf__text_add(&text, name ? "]}" : "}");
  write_text(file, text.data);
  gf__text_free(&text);
}

/* Without its folders an image_folder does not tell how many classes there are; the run does. */
static void the_run_tells_the_classes_of_folders(void **state) {
  (void)state;
  char yaml[512], file[256];
  gf_predict_options options = {.top = 1, .classes = file};
  snprintf(file, sizeof file, "%s", in_folder("names.txt"));
  snprintf(yaml, sizeof yaml,
           "data: {name: image_folder, path: %s/moved, resize: 32, image_size: 32}\n" MODEL,
           fixture_folder);
  assert_ok(gf__make_folder(in_folder("folders")));
  write_text("folders/config.yaml", yaml);
  copy_file("run/best.safetensors", "folders/last.safetensors");
  write_network("folders/network.json", NULL);
  assert_ok(predict_one("folders", (gf_predict_options){.top = TOP}));
  assert_int_equal(told_.count, 1);
  assert_string_equal(told_.log.data, "images/image_00.png -\n");
  write_names("names.txt", CLASSES);
  assert_ok(predict_one("folders", options));
  assert_non_null(strstr(told_.log.data, "images/image_00.png kind "));
  write_text("names.txt", "ape\n\nbear\ncat"); /* no line end behind the last */
  assert_fails_in_folder(
      GF_ERROR_DATA,
      "%s/names.txt has 3 class names, but the network has 100 classes; give one name per line",
      predict_one("folders", options));
  assert_ok(gf__make_folder(in_folder("moved/train/dog")));
  assert_fails_in_folder(
      GF_ERROR_DATA,
      "%s/moved/train has 1 class name, but the network has 100 classes; give one name per line",
      predict_one("folders", gf_predict_options_default()));
  assert_ok(gf__remove_folder(in_folder("moved")));
  /* The names that the run was trained with, where neither a file nor a folder has them. */
  write_network("folders/network.json", "spot");
  assert_ok(predict_one("folders", (gf_predict_options){.top = 1}));
  assert_non_null(strstr(told_.log.data, "images/image_00.png spot\n"));
  /* A run of a program that wrote no network.json needs the folders. */
  assert_int_equal(remove(in_folder("folders/network.json")), 0);
  assert_int_equal(predict_one("folders", gf_predict_options_default()), GF_ERROR_FILE);
  assert_non_null(strstr(gf_error_message(),
                         "folders has no network.json, and its network cannot be built from its "
                         "config.yaml: there is no train in "));
  snprintf(yaml, sizeof yaml, "data: {name: image_folder}\nmodel: {family: resnet_imagenet}\n");
  write_text("folders/config.yaml", yaml);
  write_network("folders/network.json", NULL);
  assert_int_equal(predict_one("folders", gf_predict_options_default()), GF_ERROR_DATA);
  assert_non_null(strstr(gf_error_message(), "last.safetensors does not fit the network:\n"));
  assert_non_null(strstr(gf_error_message(), "missing: conv1.weight"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(predictions_are_those_of_the_test_split),
      cmocka_unit_test(maps_are_the_largest_over_the_channels),
      cmocka_unit_test(grey_networks_get_grey_in_a_black_border),
      cmocka_unit_test(means_are_those_of_the_config),
      cmocka_unit_test(a_failure_ends_no_other),
      cmocka_unit_test(folders_that_are_no_whole_runs_are_refused),
      cmocka_unit_test(weights_that_do_not_fit_are_listed),
      cmocka_unit_test(weights_without_numbers_fail_each_image),
      cmocka_unit_test(names_come_from_the_file_or_the_data_set),
      cmocka_unit_test(the_run_tells_the_classes_of_folders),
  };
  return cmocka_run_group_tests_name("predict", tests, open_run, close_run);
}
