/* What gradflow predict prints, writes and refuses. */
#include <jansson.h>

#include "support/image_files.h"
#include "support/program.h"
#include "support/runs.h"
#include "support/test.h"

enum { IMAGES = 61 /* one more than a sheet has */, SURE = 42 };

/* A network that is rather sure of one class, whatever it sees. */
static void make_sure_run(void) {
  char *yaml = NULL;
  size_t size = 0;
  gf_config *config = NULL;
  gf_model *model = NULL;
  float biases[CLASSES] = {[SURE] = 5};
  assert_ok(gf__make_folder(in_folder("sure")));
  assert_ok(gf__file_read(in_folder("run/config.yaml"), &yaml, &size));
  assert_ok(gf__file_write(in_folder("sure/config.yaml"), yaml, size));
  free(yaml);
  assert_ok(gf_config_load(&config, in_folder("sure/config.yaml")));
  assert_ok(
      gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, 3}, CLASSES, 1, 0));
  gf_config_free(&config);
  int bias = 0;
  while (strcmp(gf_model_parameter(model, bias).name, "logit_linear.bias") != 0) bias++;
  assert_ok(gf_model_write_parameter(model, bias, biases));
  assert_ok(gf_model_save(model, in_folder("sure/last.safetensors")));
  gf_model_free(&model);
}

static int open_run(void **state) {
  if (open_all(state) != 0) return -1;
  if (train(config_of("model: {family: vgg_stages, algorithm: im2col, filters: 4}\n", ""), "run",
            NULL) != GF_OK)
    return -1;
  assert_ok(gf__make_folder(in_folder("images")));
  for (int i = 0; i < IMAGES; i++) {
    char name[64];
    uint8_t colour[] = {(uint8_t)(4 * i), 100, (uint8_t)(200 - 3 * i)};
    snprintf(name, sizeof name, "images/image_%02d.JPG", i);
    gf__text file = make_jpeg(20, 40, 3, colour);
    assert_ok(gf__file_write(in_folder(name), file.data, file.size));
    gf__text_free(&file);
  }
  assert_ok(gf__file_write(in_folder("bad.png"), "bad", 3));
  make_sure_run();
  return 0;
}

/* ---- tests ---- */

static void text_is_a_small_table_of_bars(void **state) {
  (void)state;
  int code, lines = 0;
  double sum = 0;
  char *text = run_program("predict sure/ images/image_07.JPG --top 100", &code);
  assert_int_equal(code, 0);
  assert_memory_equal(text, "images/image_07.JPG\n", 20);
  const char *line = strchr(text, '\n') + 1;
  for (; *line != '\n'; line = strchr(line, '\n') + 1, lines++) {
    int number = 0, length = (int)strcspn(line, "\n");
    double percent = 0;
    char bar[64] = "";
    assert_true(sscanf(line, "  class %d %lf%% %60[#]", &number, &percent, bar) >= 2);
    assert_true(length <= 80 && line[length - 1] != ' ');
    assert_in_range(number, 0, CLASSES - 1);
    int expected = (int)(0.3 * percent + 0.5);
    assert_in_range((int)strlen(bar) + 1, expected, expected + 2);
    sum += percent;
    if (lines == 0) assert_int_equal(number, SURE);
    if (lines == 0) assert_true(percent > 40 && strlen(bar) > 12);
  }
  assert_int_equal(lines, CLASSES);
  assert_true(fabs(sum - 100) < 6); /* of a hundred rounded numbers */
  assert_string_equal(line, "\nsheet  sure/predictions/predictions.png\n");
  free(text);
}

static void json_has_every_image(void **state) {
  (void)state;
  int code;
  json_error_t error;
  char *text = run_program("predict run images --json --top 3 --out seen --saliency", &code);
  assert_int_equal(code, 0);
  json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
  if (!json) fail_msg("%s: %s", error.text, text);
  assert_string_equal(json_string_value(json_object_get(json, "run")), "run");
  json_t *images = json_object_get(json, "images"), *sheets = json_object_get(json, "sheets");
  assert_int_equal(json_array_size(images), IMAGES);
  for (size_t i = 0; i < IMAGES; i++) {
    char path[64];
    json_t *image = json_array_get(images, i), *list = json_object_get(image, "predictions");
    double before = 1;
    snprintf(path, sizeof path, "images/image_%02zu.JPG", i);
    assert_string_equal(json_string_value(json_object_get(image, "image")), path);
    assert_int_equal(json_array_size(list), 3);
    for (size_t k = 0; k < 3; k++) {
      json_t *item = json_array_get(list, k);
      double probability = json_real_value(json_object_get(item, "probability"));
      assert_true(probability > 0 && probability <= before);
      assert_true(json_is_null(json_object_get(item, "name")));
      assert_in_range(json_integer_value(json_object_get(item, "class")), 0, CLASSES - 1);
      before = probability;
    }
  }
  assert_int_equal(json_array_size(sheets), 2);
  assert_string_equal(json_string_value(json_array_get(sheets, 0)), "seen/predictions.png");
  assert_string_equal(json_string_value(json_array_get(sheets, 1)), "seen/predictions-2.png");
  assert_true(gf__path_exists(in_folder("seen/predictions.png")));
  assert_true(gf__path_exists(in_folder("seen/predictions-2.png")));
  json_decref(json);
  free(text);
}

static void csv_is_a_row_a_class(void **state) {
  (void)state;
  int code, rows = 0;
  char *text = run_program("predict run bad.png images --csv --top 2", &code);
  assert_int_equal(code, 1);
  static const char head[] =
      "gradflow: bad.png is neither a JPEG nor a PNG file\n"
      "image,rank,class,name,probability\r\n";
  assert_memory_equal(text, head, sizeof head - 1);
  for (const char *line = text + sizeof head - 1; *line; line = strchr(line, '\n') + 1, rows++) {
    int image = -1, rank = 0, number = -1;
    double probability = 0;
    assert_int_equal(
        sscanf(line, "images/image_%d.JPG,%d,%d,,%lf\r\n", &image, &rank, &number, &probability),
        4);
    assert_int_equal(image, rows / 2);
    assert_int_equal(rank, rows % 2 + 1);
    assert_in_range(number, 0, CLASSES - 1);
    assert_true(probability > 0 && probability < 1);
  }
  assert_int_equal(rows, 2 * IMAGES);
  free(text);
}

/* The same files give the same bytes, whatever else is predicted with them. */
static void predictions_repeat(void **state) {
  (void)state;
  int code;
  char *all = run_program("predict run images --csv --out a", &code);
  char *again = run_program("predict run images --csv --out b", &code);
  assert_string_equal(all, again);
  free(again);
  assert_true(is_same("a", "b", "predictions.png"));
  assert_true(is_same("a", "b", "predictions-2.png"));
  char *one = run_program("predict run images/image_60.JPG --csv --out a", &code);
  const char *rows = strchr(one, '\n') + 1;
  if (!strstr(all, rows)) fail_msg("%s is not in\n%s", rows, all);
  free(one);
  free(all);
}

static void failures_are_told(void **state) {
  (void)state;
  assert_prints("predict run", 2,
                "gradflow: a run folder or an image is missing; see gradflow predict --help\n");
  assert_prints(
      "predict run images --top 0", 2,
      "gradflow: --top must be a whole number of at least 1, not '0'; for example --top 5\n");
  assert_prints(
      "predict run images --top 2x", 2,
      "gradflow: --top must be a whole number of at least 1, not '2x'; for example --top 5\n");
  assert_prints("predict run images --csv --json", 2,
                "gradflow: --json and --csv are two forms of the same; choose one; see gradflow "
                "predict --help\n");
  assert_prints("predict images images", 1,
                "gradflow: images is no run folder: it has no config.yaml; name a folder that "
                "gradflow train has made\n");
  /* Nothing to predict is no reason for a sheet, and JSON is whole. */
  assert_prints("predict run bad.png --out none", 1,
                "gradflow: bad.png is neither a JPEG nor a PNG file\n");
  assert_prints("predict run bad.png --json --out none", 1,
                "gradflow: bad.png is neither a JPEG nor a PNG file\n"
                "{\n  \"run\": \"run\",\n  \"images\": [],\n  \"sheets\": []\n}\n");
  assert_false(gf__path_exists(in_folder("none/predictions.png")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_is_a_small_table_of_bars),
      cmocka_unit_test(json_has_every_image),
      cmocka_unit_test(csv_is_a_row_a_class),
      cmocka_unit_test(predictions_repeat),
      cmocka_unit_test(failures_are_told),
  };
  return cmocka_run_group_tests_name("predict_command", tests, open_run, fixture_close);
}
