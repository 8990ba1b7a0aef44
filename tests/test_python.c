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
#include "support/layout_rows.h"
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

/* The committed files are what the headers say. */
static void the_structs_are_those_of_the_headers(void **state) {
  (void)state;
  char command[1024];
  skip_without("sys");
  snprintf(command, sizeof command,
           "PYTHONDONTWRITEBYTECODE=1 '%s' '%s/bindings/python/generate.py' --check", python(),
           SOURCE_FOLDER);
  assert_int_equal(system(command), 0);
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
      cmocka_unit_test(the_structs_are_those_of_the_headers),
      cmocka_unit_test(the_package_passes_its_tests),
      cmocka_unit_test(pip_installs_the_package),
      cmocka_unit_test(the_example_runs),
  };
  return cmocka_run_group_tests_name("python", tests, open_folder, close_folder);
}
