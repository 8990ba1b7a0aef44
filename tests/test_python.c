/* The Python package in bindings/python: its structs against the headers, its own tests, and pip.
 * GRADFLOW_PYTHON names the Python to run instead of python3; without numpy all is skipped. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow.h>

#include "base/file.h"
#include "base/os.h"
#include "base/text.h"
#include "support/test.h"

static char folder_[] = "/tmp/gradflow-python-XXXXXX";

static int open_folder(void **state) {
  (void)state;
  return mkdtemp(folder_) ? 0 : -1;
}

static int close_folder(void **state) {
  (void)state;
  return gf__remove_folder(folder_) == GF_OK ? 0 : -1;
}

static const char *python(void) {
  const char *path = getenv("GRADFLOW_PYTHON");
  return path && *path ? path : "python3";
}

static bool has_modules(const char *modules) {
  char command[512];
  snprintf(command, sizeof command, "'%s' -c 'import %s' 2>/dev/null", python(), modules);
  return system(command) == 0;
}

static void skip_without(const char *modules) {
#if defined(__SANITIZE_ADDRESS__)
  print_message("skipped: a library with sanitizers cannot be loaded into Python\n");
  skip();
#endif
  if (has_modules(modules)) return;
  print_message("skipped: %s has not all of %s; GRADFLOW_PYTHON=PATH names another\n", python(),
                modules);
  skip();
}

/* ---- the layout of the structs ---- */

#define SIZE(type) \
  { #type, 0, sizeof(type) }
#define FIELD(type, field) \
  { #type "." #field, offsetof(type, field), sizeof(((type *)NULL)->field) }

static const struct {
  const char *name;
  size_t offset, size;
} layout_[] = {
    SIZE(gf_image_shape),
    FIELD(gf_image_shape, height),
    FIELD(gf_image_shape, width),
    FIELD(gf_image_shape, channels),
    SIZE(gf_device_info),
    FIELD(gf_device_info, platform),
    FIELD(gf_device_info, index),
    FIELD(gf_device_info, type),
    FIELD(gf_device_info, platform_name),
    FIELD(gf_device_info, name),
    FIELD(gf_device_info, vendor),
    FIELD(gf_device_info, driver),
    FIELD(gf_device_info, version),
    FIELD(gf_device_info, c_version),
    FIELD(gf_device_info, extensions),
    FIELD(gf_device_info, compute_units),
    FIELD(gf_device_info, clock_mhz),
    FIELD(gf_device_info, vector_width_float),
    FIELD(gf_device_info, work_group_size),
    FIELD(gf_device_info, memory),
    FIELD(gf_device_info, max_allocation),
    FIELD(gf_device_info, local_memory),
    FIELD(gf_device_info, cache),
    FIELD(gf_device_info, base_alignment),
    FIELD(gf_device_info, local_memory_is_dedicated),
    FIELD(gf_device_info, fp64),
    FIELD(gf_device_info, fp16),
    SIZE(gf_versions),
    FIELD(gf_versions, program),
    FIELD(gf_versions, commit),
    FIELD(gf_versions, clblast),
    FIELD(gf_versions, opencl_loader),
    SIZE(gf_step_event),
    FIELD(gf_step_event, epoch),
    FIELD(gf_step_event, step),
    FIELD(gf_step_event, loss),
    FIELD(gf_step_event, accuracy),
    FIELD(gf_step_event, learning_rate),
    SIZE(gf_epoch),
    FIELD(gf_epoch, epoch),
    FIELD(gf_epoch, epochs),
    FIELD(gf_epoch, learning_rate),
    FIELD(gf_epoch, train_loss),
    FIELD(gf_epoch, train_accuracy),
    FIELD(gf_epoch, validation_loss),
    FIELD(gf_epoch, validation_accuracy),
    FIELD(gf_epoch, seconds),
    FIELD(gf_epoch, images_per_second),
    SIZE(gf_gradient_stats),
    FIELD(gf_gradient_stats, layer),
    FIELD(gf_gradient_stats, parameter),
    FIELD(gf_gradient_stats, is_weight),
    FIELD(gf_gradient_stats, mean_abs),
    FIELD(gf_gradient_stats, l2),
    FIELD(gf_gradient_stats, max_abs),
    FIELD(gf_gradient_stats, zeros),
    FIELD(gf_gradient_stats, update_ratio),
    FIELD(gf_gradient_stats, nonfinite),
    SIZE(gf_train_events),
    FIELD(gf_train_events, user),
    FIELD(gf_train_events, progress),
    FIELD(gf_train_events, epoch),
    FIELD(gf_train_events, stop),
    FIELD(gf_train_events, written),
    FIELD(gf_train_events, gradients),
    FIELD(gf_train_events, step),
    SIZE(gf_train_options),
    FIELD(gf_train_options, out),
    FIELD(gf_train_options, overwrite),
    FIELD(gf_train_options, resume),
    FIELD(gf_train_options, force),
    FIELD(gf_train_options, checkpoint_steps),
    FIELD(gf_train_options, checkpoint_minutes),
    FIELD(gf_train_options, keep_checkpoints),
    FIELD(gf_train_options, communicator),
    FIELD(gf_train_options, balance),
    FIELD(gf_train_options, events),
    SIZE(gf_predictor_info),
    FIELD(gf_predictor_info, shape),
    FIELD(gf_predictor_info, classes),
    FIELD(gf_predictor_info, class_names),
    SIZE(gf_remedy),
    FIELD(gf_remedy, text),
    FIELD(gf_remedy, setting),
    SIZE(gf_finding),
    FIELD(gf_finding, verdict),
    FIELD(gf_finding, headline),
    FIELD(gf_finding, evidence),
    FIELD(gf_finding, threshold),
    FIELD(gf_finding, remedy_count),
    FIELD(gf_finding, remedies),
    SIZE(gf_diagnosis),
    FIELD(gf_diagnosis, finding_count),
    FIELD(gf_diagnosis, findings),
    FIELD(gf_diagnosis, layer_count),
    FIELD(gf_diagnosis, epoch_count),
    FIELD(gf_diagnosis, layers),
    FIELD(gf_diagnosis, epochs),
    FIELD(gf_diagnosis, mean_abs),
    FIELD(gf_diagnosis, l2),
    FIELD(gf_diagnosis, zeros),
    FIELD(gf_diagnosis, update_ratio),
    FIELD(gf_diagnosis, dead),
    FIELD(gf_diagnosis, activation_count),
    FIELD(gf_diagnosis, activation_epoch_count),
    FIELD(gf_diagnosis, activations),
    FIELD(gf_diagnosis, activation_epochs),
    FIELD(gf_diagnosis, activation_mean),
    FIELD(gf_diagnosis, activation_deviation),
    FIELD(gf_diagnosis, activation_dead),
    FIELD(gf_diagnosis, owner),
};

static void write_layout(const char *path) {
  gf__text text = {0};
  for (size_t i = 0; i < sizeof layout_ / sizeof *layout_; i++)
    gf__text_add(&text, "%s %zu %zu\n", layout_[i].name, layout_[i].offset, layout_[i].size);
  assert_int_equal(gf__text_status(&text), GF_OK);
  assert_int_equal(gf__file_write(path, text.data, text.size), GF_OK);
  gf__text_free(&text);
}

/* ---- the tests ---- */

/* Its numbers stand in gradflow/_library.py. */
static void statuses_and_verdicts_are_as_many(void **state) {
  (void)state;
  assert_int_equal(GF_ERROR_INTERRUPTED, 11);
  assert_int_equal(GF_VERDICT_COUNT, 9);
  assert_int_equal(GF_MOST_REMEDIES, 12);
}

static void the_package_passes_its_tests(void **state) {
  (void)state;
  char layout[64], command[1024];
  skip_without("numpy");
  snprintf(layout, sizeof layout, "%s/layout.txt", folder_);
  write_layout(layout);
  snprintf(command, sizeof command,
           "cd '%s/bindings/python' && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=. "
           "GRADFLOW_LIBRARY='%s' GRADFLOW_LAYOUT='%s' '%s' -m unittest discover tests 2>&1",
           SOURCE_FOLDER, LIBRARY, layout, python());
  assert_int_equal(system(command), 0);
}

/* From a copy, in which pip leaves what it builds. */
static void pip_installs_the_package(void **state) {
  (void)state;
  char command[2048];
  skip_without("numpy, setuptools, pip");
  snprintf(command, sizeof command,
           "cp -r '%s/bindings/python' '%s/source' && '%s' -m pip install --quiet "
           "--disable-pip-version-check --no-index --no-deps --no-build-isolation "
           "--target '%s/installed' '%s/source' 2>&1",
           SOURCE_FOLDER, folder_, python(), folder_, folder_);
  assert_int_equal(system(command), 0);
  snprintf(command, sizeof command,
           "cd '%s' && PYTHONPATH=installed GRADFLOW_LIBRARY='%s' '%s' -c 'import gradflow, os\n"
           "assert gradflow.__file__.startswith(os.getcwd() + \"/installed\"), gradflow.__file__\n"
           "assert os.path.exists(\"installed/gradflow/py.typed\")\n"
           "assert gradflow.devices()' 2>&1",
           folder_, LIBRARY, python());
  assert_int_equal(system(command), 0);
}

/* With few images, and from where it may leave its runs. */
static void the_example_runs(void **state) {
  (void)state;
  char command[2048];
  skip_without("numpy");
  snprintf(command, sizeof command,
           "TMPDIR='%s' PYTHONDONTWRITEBYTECODE=1 PYTHONPATH='%s/bindings/python' "
           "GRADFLOW_LIBRARY='%s' MPLBACKEND=agg '%s' -c 'import pathlib\n"
           "code = pathlib.Path(\"%s/examples/python/gradient_flow.py\").read_text()\n"
           "short = code.replace(\"EPOCHS, IMAGES = 3, 2500\", \"EPOCHS, IMAGES = 1, 200\")\n"
           "assert short != code\n"
           "exec(compile(short, \"gradient_flow.py\", \"exec\"))\n"
           "assert len(losses[\"residual\"]) == 4\n"
           "assert flows[\"plain\"].mean_abs.shape == (1, 39)' 2>&1",
           folder_, SOURCE_FOLDER, LIBRARY, python(), SOURCE_FOLDER);
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(statuses_and_verdicts_are_as_many),
      cmocka_unit_test(the_package_passes_its_tests),
      cmocka_unit_test(pip_installs_the_package),
      cmocka_unit_test(the_example_runs),
  };
  return cmocka_run_group_tests_name("python", tests, open_folder, close_folder);
}
