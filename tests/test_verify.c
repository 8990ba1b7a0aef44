/* gradflow verify: that it covers every layer, algorithm, optimizer and kernel and finds them
 * right, that it catches kernels that were broken on purpose, and what it prints. */
#define _XOPEN_SOURCE 700 /* mkdtemp, popen, setenv */

#include <jansson.h>
#include <sys/wait.h>

#include "base/embedded.h"
#include "base/text.h"
#include "layers/layer.h"
#include "ops/conv/conv.h"
#include "support/device.h"
#include "support/test.h"
#include "train/optimizers.h"
#include "verify/verify.h"

/* ---- everything ---- */

static bool has_row(const gf__verify_result *result, const char *operation, const char *algorithm) {
  for (int i = 0; i < result->row_count; i++)
    if (!strcmp(result->rows[i].operation, operation) &&
        !strncmp(result->rows[i].algorithm, algorithm, strlen(algorithm)))
      return true;
  return false;
}

static void assert_row(const gf__verify_result *result, const char *operation,
                       const char *algorithm) {
  if (!has_row(result, operation, algorithm))
    fail_msg("nothing verifies %s/%s", operation, algorithm);
}

static void assert_all_right(const gf__verify_result *result) {
  for (int i = 0; i < result->failure_count; i++)
    print_error("%s (%s): %s\n", result->failures[i].name, result->failures[i].text,
                result->failures[i].message);
  assert_int_equal(result->failure_count, 0);
  for (int i = 0; i < result->row_count; i++) {
    const gf__verify_row *row = &result->rows[i];
    assert_int_equal(row->failed, 0);
    assert_int_equal(row->skipped, 0);
    assert_true(row->worst <= 1);
    if ((row->cases > 0) == (row->needs != NULL))
      fail_msg("%s/%s: %d cases, needs %s", row->operation, row->algorithm, row->cases,
               row->needs ? row->needs : "nothing");
  }
}

/* Every kernel of the library but those that measure the device or check its driver. */
static void assert_every_kernel_ran(const gf_profile_row *rows, int count, bool has_algorithms) {
  for (const gf__embedded *file = gf__kernel_files; file->name; file++) {
    const char *at = (const char *)file->bytes;
    bool is_of_one_kind = strstr(file->name, "conv2d_") && !has_algorithms;
    bool is_measuring = strstr(file->name, "peak") || strstr(file->name, "probe");
    if (is_measuring || is_of_one_kind) continue;
    while ((at = strstr(at, "__kernel void "))) {
      char name[64];
      int ran = 0;
      assert_int_equal(sscanf(at += strlen("__kernel void "), "%63[a-z0-9_]", name), 1);
      for (int i = 0; i < count; i++) ran += !strcmp(rows[i].name, name);
      if (!ran) fail_msg("nothing verifies the kernel %s of %s", name, file->name);
    }
  }
}

static int progress_calls_;

static void on_progress(void *user, const char *name, int done, int total) {
  (void)user;
  assert_non_null(strchr(name, '/'));
  assert_int_equal(done, progress_calls_++);
  assert_true(done < total);
}

static void everything_is_covered_and_right(void **state) {
  (void)state;
  gf__verify_result result;
  gf_profile_row *rows;
  int count;
  assert_ok(gf_profile_start(fixture_device));
  assert_ok(gf__verify(fixture_device, &(gf__verify_options){.progress = on_progress}, &result));
  assert_ok(gf_profile_read(fixture_device, &rows, &count));
  assert_all_right(&result);
  assert_int_equal(progress_calls_, result.cases);
  bool has_algorithms = true;
  for (int i = 0; i < result.row_count; i++) has_algorithms &= !result.rows[i].needs;
  assert_every_kernel_ran(rows, count, has_algorithms);
  for (int i = 0; gf__layers[i]; i++) assert_row(&result, gf__layers[i]->name, "layer");
  for (int i = 0; gf__conv_algorithms[i]; i++)
    assert_row(&result, "conv2d", gf__conv_algorithms[i]->name);
  assert_row(&result, "conv3d", gf__conv_im2col.name);
  assert_row(&result, "conv3d", gf__conv_direct3d.name);
  for (int i = 0; gf__optimizers[i]; i++) assert_row(&result, gf__optimizers[i]->name, "step");
  free(rows);
  gf__verify_free(&result);
}

static void cases_are_chosen_by_name(void **state) {
  (void)state;
  static const struct {
    const char *only;
    bool full;
    int rows, cases;
  } choices[] = {{"clip", false, 1, 1},
                 {"clip", true, 1, 9},
                 {"clip/norm/3", false, 1, 1},
                 {"clip/norm", false, 1, 1},
                 {"statistics", false, 2, 2},
                 {"statistics/activations", true, 1, 11},
                 {"batch_norm/fold/2", true, 1, 1}};
  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
    gf__verify_result result;
    const gf__verify_options options = {.full = choices[i].full, .only = choices[i].only};
    assert_ok(gf__verify(fixture_device, &options, &result));
    assert_int_equal(result.row_count, choices[i].rows);
    assert_int_equal(result.cases, choices[i].cases);
    assert_int_equal(result.failure_count, 0);
    gf__verify_free(&result);
  }
}

/* ---- the program ---- */

/* Runs it with the arguments; *out is what it printed. Returns the exit code. */
static int run_program(gf__text *out, const char *arguments) {
  char command[1024], line[512];
  *out = (gf__text){0};
  snprintf(command, sizeof command, "%s %s 2>&1", PROGRAM, arguments);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  while (fgets(line, sizeof line, pipe)) gf__text_add(out, "%s", line);
  int status = pclose(pipe);
  assert_true(WIFEXITED(status) && out->data);
  return WEXITSTATUS(status);
}

static void assert_prints(const gf__text *out, const char *text) {
  if (!strstr(out->data, text)) fail_msg("'%s' is not in:\n%s", text, out->data);
}

/* Copies the kernels with from in file replaced by to, and lets programs read them there. */
static void plant_kernels(const char *file, const char *from, const char *to) {
  const char *folder = in_folder("kernels");
  bool planted = false;
  assert_ok(gf__make_folder(folder));
  for (const gf__embedded *f = gf__kernel_files; f->name; f++) {
    char path[512];
    gf__text text = {0};
    const char *bytes = (const char *)f->bytes,
               *at = strcmp(f->name, file) ? NULL : strstr(bytes, from);
    if (at) gf__text_add(&text, "%.*s%s%s", (int)(at - bytes), bytes, to, at + strlen(from));
    planted |= at != NULL;
    assert_ok(gf__path_join(path, sizeof path, folder, f->name));
    assert_ok(gf__file_write(path, at ? text.data : bytes, at ? text.size : f->size));
    gf__text_free(&text);
  }
  if (!planted) fail_msg("'%s' is not in %s", from, file);
  setenv("GRADFLOW_KERNEL_DIR", folder, 1);
}

typedef struct breakage {
  const char *file, *from, *to; /* the text that stands in the kernel, and what breaks it */
  const char *operation;        /* --case */
  const char *failed, *message; /* the case that fails first, and what is said of it */
} breakage;

/* The breakage is caught, by the whole and by the command that it prints; without it that command
 * finds nothing. */
static void assert_caught(const breakage *b) {
  char arguments[256], line[256];
  gf__text out;
  plant_kernels(b->file, b->from, b->to);
  snprintf(arguments, sizeof arguments, "verify --device auto --case %s", b->operation);
  if (run_program(&out, arguments) != 1) fail_msg("'%s' in %s passes", b->to, b->file);
  snprintf(line, sizeof line, "\nFAILED %s (", b->failed);
  assert_prints(&out, line);
  assert_prints(&out, b->message);
  const char *found = strstr(strstr(out.data, line), "  to repeat it alone: gradflow ");
  assert_non_null(found);
  found += strlen("  to repeat it alone: gradflow ");
  snprintf(arguments, sizeof arguments, "%.*s", (int)strcspn(found, "\n"), found);
  gf__text_free(&out);
  snprintf(line, sizeof line, " --case %s", b->failed);
  assert_non_null(strstr(arguments, line));
  assert_int_equal(run_program(&out, arguments), 1);
  assert_prints(&out, b->message);
  assert_prints(&out, "\n1 case, ");
  gf__text_free(&out);
  unsetenv("GRADFLOW_KERNEL_DIR");
  assert_int_equal(run_program(&out, arguments), 0);
  assert_prints(&out, ": all right\n");
  gf__text_free(&out);
}

static void a_wrong_stride_is_caught(void **state) {
  (void)state;
  const breakage of_pool = {"pool.cl",  "oy * SH - PH + r", "oy * SW - PH + r",
                            "avg_pool", "avg_pool/layer/1", "are wrong, 0 not finite"};
  const breakage of_direct = {"conv2d_direct.cl",         "rows[((oy) - first) * SH",
                              "rows[((oy) - first) * SW", "conv2d/direct/forward",
                              "conv2d/direct/forward/1",  "are wrong"};
  const breakage of_im2col = {"im2col.cl",
                              "int iy = oy * SH - PH + r * DH;",
                              "int iy = oy * SW - PH + r * DH;",
                              "conv2d/im2col/forward",
                              "conv2d/im2col/forward/1",
                              "are wrong"};
  assert_caught(&of_pool);
  assert_caught(&of_im2col);
  if (gf_device_describe(fixture_device)->type == GF_DEVICE_CPU) assert_caught(&of_direct);
}

/* Then nobody waits, and no work-item is behind the last value. */
static bool has_single_groups(void) {
  return gf_device_describe(fixture_device)->work_group_size == 1;
}

/* In the tiles of conv2d_tiled.cl, pocl puts a barrier of its own around each loop. */
static void a_missing_barrier_is_caught(void **state) {
  (void)state;
  const breakage of_sum = {
      "clip.cl",         "  barrier(CLK_LOCAL_MEM_FENCE);\n", "", "clip", "clip/norm/1",
      "the scale[0] is "};
  if (has_single_groups()) skip();
  assert_caught(&of_sum);
}

static void a_write_out_of_bounds_is_caught(void **state) {
  (void)state;
  const breakage behind = {
      "accumulate.cl",      "if (i < count)",
      "if (i <= count)",    "accumulate",
      "accumulate/parts/1", "the sum: a write out of bounds, to the float at 1037 of 1037: "};
  const breakage before = {"accumulate.cl",
                           "if (i < count)",
                           "if (i == 0) sum[-1] = 0;\n  if (i < count)",
                           "accumulate",
                           "accumulate/parts/1",
                           "the sum: a write out of bounds, to the float at -1 of 1037: 0\n"};
  const breakage of_layer = {
      "concat.cl", "if (i >= count) return;", "if (i > count) return;",
      "concat",    "concat/layer/1",          ": a write out of bounds, to the float at "};
  assert_caught(&before);
  if (has_single_groups()) return;
  assert_caught(&behind);
  assert_caught(&of_layer);
}

static void nan_and_zeros_are_caught(void **state) {
  (void)state;
  const breakage one_nan = {"pool.cl",
                            "VSTORE(sum * WEIGHT, y",
                            "VSTORE(sum * (i == 3 ? NAN : WEIGHT), y",
                            "avg_pool",
                            "avg_pool/layer/1",
                            "y[3] is nan and not "};
  const breakage zeros = {"clip.cl",       "scale[0] = ratio < 1 ? ratio : 1;",
                          "scale[0] = 0;", "clip",
                          "clip/norm/1",   "the scale[0] is 0 and not "};
  assert_caught(&one_nan);
  assert_caught(&zeros);
}

static void what_does_not_compile_is_a_failure(void **state) {
  (void)state;
  const breakage b = {"clip.cl", "float sum = 0;", "flaot sum = 0;",
                      "clip",    "clip/norm/1",    "the kernels of clip.cl do not build on "};
  assert_caught(&b);
}

static json_t *member(const json_t *json, const char *name) {
  json_t *value = json_object_get(json, name);
  if (!value) fail_msg("'%s' is not in the JSON", name);
  return value;
}

static void the_json_has_device_versions_and_failures(void **state) {
  (void)state;
  gf__text out;
  char arguments[512];
  const char *path = in_folder("report.json");
  plant_kernels("clip.cl", "scale[0] = ratio", "scale[0] = 3 * ratio");
  snprintf(arguments, sizeof arguments, "verify --quick --case clip -o %s", path);
  assert_int_equal(run_program(&out, arguments), 1);
  gf__text_free(&out);
  unsetenv("GRADFLOW_KERNEL_DIR");
  json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(json);
  assert_true(json_is_false(member(json, "ok")));
  assert_string_equal(json_string_value(member(json, "form")), "quick");
  assert_string_equal(json_string_value(member(json, "program")), gf_versions_get().program);
  assert_string_equal(json_string_value(member(json, "clblast")), gf_versions_get().clblast);
  assert_true(json_array_size(member(json, "devices")) >= 1);
  const json_t *device = json_array_get(member(json, "devices"), 0);
  assert_true(strlen(json_string_value(member(device, "driver"))) > 0);
  assert_true(strlen(json_string_value(member(device, "name"))) > 0);
  const json_t *row = json_array_get(member(device, "results"), 0);
  assert_string_equal(json_string_value(member(row, "operation")), "clip");
  assert_int_equal(json_integer_value(member(row, "cases")), 1);
  assert_int_equal(json_integer_value(member(row, "failed")), 1);
  assert_string_equal(json_string_value(member(row, "verdict")), "FAILED");
  assert_true(json_real_value(member(row, "worst_error")) > 1);
  const json_t *failure = json_array_get(member(device, "failures"), 0);
  assert_string_equal(json_string_value(member(failure, "case")), "clip/norm/1");
  assert_string_equal(json_string_value(member(failure, "values")), "count=4097 fraction=0.375");
  assert_string_equal(json_string_value(member(failure, "command")),
                      "gradflow verify --device 0:0 --case clip/norm/1");
  json_decref(json);
}

static void what_makes_no_sense_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *arguments, *message;
  } wrong[] = {
      {"verify --quick --full", "gradflow: --quick and --full exclude each other\n"},
      {"verify --device auto --case clip/norm/99",
       "gradflow: no case that this device can run is called 'clip/norm/99'; there are clip/norm, "
       "each with numbers from 1, as in conv2d/direct/forward/3\n"},
      {"verify --device auto --case con",
       "is called 'con'; there are conv2d, conv_transpose2d, linear, batch_norm, "},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    gf__text out;
    assert_int_equal(run_program(&out, wrong[i].arguments), 2);
    assert_prints(&out, wrong[i].message);
    gf__text_free(&out);
  }
}

static void a_table_fits_a_terminal(void **state) {
  (void)state;
  gf__text out;
  assert_int_equal(run_program(&out, "verify --device auto --case statistics"), 0);
  assert_prints(&out, "\nstatistics  gradients ");
  assert_prints(&out, "\n2 cases, ");
  for (const char *line = out.data; *line; line += strcspn(line, "\n") + 1)
    assert_in_range(strcspn(line, "\n"), 0, 80);
  gf__text_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(everything_is_covered_and_right),
      cmocka_unit_test(cases_are_chosen_by_name),
      cmocka_unit_test(a_wrong_stride_is_caught),
      cmocka_unit_test(a_missing_barrier_is_caught),
      cmocka_unit_test(a_write_out_of_bounds_is_caught),
      cmocka_unit_test(nan_and_zeros_are_caught),
      cmocka_unit_test(what_does_not_compile_is_a_failure),
      cmocka_unit_test(the_json_has_device_versions_and_failures),
      cmocka_unit_test(what_makes_no_sense_is_refused),
      cmocka_unit_test(a_table_fits_a_terminal),
  };
  return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
