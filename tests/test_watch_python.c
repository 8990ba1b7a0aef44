/* gradflow.watch, the part of the Python package that records runs of PyTorch and Keras, and the
 * examples of programs that write records themselves. GRADFLOW_PYTHON names the Python to run
 * instead of python3; what it lacks is skipped. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/diagnosis.h>
#include <gradflow/report.h>
#include <gradflow/study.h>

#include "base/file.h"
#include "base/os.h"
#include "support/assert.h"
#include "support/folder.h"
#include "support/test.h"

static const char *python(void) {
  const char *path = getenv("GRADFLOW_PYTHON");
  return path && *path ? path : "python3";
}

static void skip_without(const char *modules) {
  char command[1024];
#if defined(__SANITIZE_ADDRESS__)
  print_message("skipped: a library with sanitizers cannot be loaded into Python\n");
  skip();
#endif
  snprintf(command, sizeof command, "'%s' -c 'import %s' 2>/dev/null", python(), modules);
  if (system(command) == 0) return;
  print_message("skipped: %s has not all of %s; GRADFLOW_PYTHON=PATH names another\n", python(),
                modules);
  skip();
}

/* Runs a file of bindings/python/tests/watch. */
static void assert_passes(const char *file) {
  char command[4096];
  snprintf(command, sizeof command,
           "cd '%s/bindings/python' && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=. "
           "OMP_NUM_THREADS=1 GRADFLOW_LIBRARY='%s' '%s' -m unittest discover tests/watch "
           "-p %s 2>&1",
           SOURCE_FOLDER, LIBRARY, python(), file);
  assert_int_equal(system(command), 0);
}

/* ---- the package's tests ---- */

static void pytorch_is_recorded(void **state) {
  (void)state;
  skip_without("torch");
  assert_passes("test_watch.py");
}

static void lightning_is_recorded(void **state) {
  (void)state;
  skip_without("lightning.pytorch");
  assert_passes("test_watch_lightning.py");
}

static void keras_is_recorded(void **state) {
  (void)state;
  setenv("KERAS_BACKEND", "torch", 1); /* without it keras asks for tensorflow */
  skip_without("keras, torch");
  assert_passes("test_watch_keras.py");
}

static void verdicts_are_those_of_own_runs(void **state) {
  (void)state;
  skip_without("torch, numpy");
  assert_passes("test_watch_verdicts.py");
}

/* ---- without the library ---- */

/* Installed by pip, and with a library that is none. */
static void it_installs_and_records_without_the_library(void **state) {
  (void)state;
  char command[4096];
  skip_without("numpy, setuptools, pip");
  snprintf(command, sizeof command,
           "cp -r '%s/bindings/python' '%s' && '%s' -m pip install --quiet "
           "--disable-pip-version-check --no-index --no-deps --no-build-isolation "
           "--target '%s' '%s' 2>&1",
           SOURCE_FOLDER, in_folder("source"), python(), in_folder("installed"),
           in_folder("source"));
  assert_int_equal(system(command), 0);
  snprintf(command, sizeof command,
           "cd '%s' && PYTHONPATH=. GRADFLOW_LIBRARY=/nonexistent/libgradflow.so '%s' -c '\n"
           "import gradflow\n"
           "from gradflow._records import Means, Records\n"
           "r = Records(\"run\", overwrite=False, framework=\"mine\", framework_version=\"1\",\n"
           "            device={\"name\": \"cpu\"})\n"
           "r.add_gradients([(1, 1, \"a,b\", \"a,b.weight\", 0.5, 1.0, 2.0, 0.0, 1e-3, 3.0, 1)])\n"
           "r.add_epoch(1, 0.5, Means(), Means())\n"
           "r.end(None)\n"
           "try:\n"
           "    gradflow.devices()\n"
           "except gradflow.Error as error:\n"
           "    assert \"/nonexistent/libgradflow.so\" in str(error), error\n"
           "else:\n"
           "    raise SystemExit(\"there is a library\")\n"
           "' 2>&1",
           in_folder("installed"), python());
  assert_int_equal(system(command), 0);
  gf_diagnosis *d = NULL;
  assert_ok(gf_diagnosis_open(&d, in_folder("installed/run")));
  assert_string_equal(d->layers[0], "a,b");
  assert_true(d->mean_abs[0] == 0.5);
  gf_diagnosis_free(&d);
}

/* ---- the examples ---- */

static char *verdict_of(const char *folder) {
  gf_diagnosis *d = NULL;
  assert_ok(gf_diagnosis_open(&d, folder));
  char *name = strdup(gf_verdict_name(d->findings[0].verdict));
  gf_diagnosis_free(&d);
  return name;
}

static void count_path(void *user, const char *path) {
  assert_true(gf__path_exists(path));
  ++*(int *)user;
}

/* The folder can be diagnosed, drawn, shown as a page and by TensorBoard. */
static void assert_is_a_run(const char *folder, const char *verdict) {
  char *found = verdict_of(folder), *events;
  int written = 0;
  assert_string_equal(found, verdict);
  free(found);
  assert_ok(gf_runs_page(&folder, 1, NULL, in_folder("page.html"), count_path, &written));
  assert_true(written > 5); /* pictures, and the page */
  assert_ok(gf_events_write(folder, &events));
  assert_true(gf__path_exists(events));
  free(events);
}

static void the_example_in_c_writes_a_run(void **state) {
  (void)state;
  char command[4096];
  if (system("cc --version >/dev/null 2>&1") != 0) {
    print_message("skipped: there is no compiler that is called cc\n");
    skip();
  }
  assert_ok(gf__make_folder(in_folder("chain")));
  snprintf(command, sizeof command,
           "cc -std=c11 -Wall -Wextra -Werror -pedantic -o '%s' '%s/examples/c/write_records.c' "
           "-lm && '%s' '%s'",
           in_folder("write_records"), SOURCE_FOLDER, in_folder("write_records"),
           in_folder("chain"));
  assert_int_equal(system(command), 0);
  assert_is_a_run(in_folder("chain"), "vanishing");
}

static void the_example_in_jax_writes_a_run(void **state) {
  (void)state;
  char command[4096];
  skip_without("jax");
  snprintf(command, sizeof command,
           "JAX_PLATFORMS=cpu '%s' '%s/examples/python/watch_jax.py' '%s' 2>&1", python(),
           SOURCE_FOLDER, in_folder("jax"));
  assert_int_equal(system(command), 0);
  assert_is_a_run(in_folder("jax"), "vanishing");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pytorch_is_recorded),
      cmocka_unit_test(lightning_is_recorded),
      cmocka_unit_test(keras_is_recorded),
      cmocka_unit_test(verdicts_are_those_of_own_runs),
      cmocka_unit_test(it_installs_and_records_without_the_library),
      cmocka_unit_test(the_example_in_c_writes_a_run),
      cmocka_unit_test(the_example_in_jax_writes_a_run),
  };
  return cmocka_run_group_tests_name("watch", tests, folder_open, folder_close);
}
