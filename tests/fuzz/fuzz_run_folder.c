/* A run folder: its files one after the other, with a byte 0xff, which no text has, between. A file
 * of no bytes is missing. The last one is last.safetensors. */
#define _XOPEN_SOURCE 700
#include <gradflow/diagnosis.h>
#include <gradflow/train.h>

#include "fuzz.h"
#include "run/run_folder.h"
#include "run/run_records.h"

static const char *const names_[] = {"config.yaml",      "metrics.csv",     "timing.csv",
                                     "gradients.csv",    "activations.csv", "result.json",
                                     "environment.json", "early_steps.csv"};
enum { NAMES = sizeof names_ / sizeof *names_ };

static void write_file(const char *name, const uint8_t *bytes, size_t size) {
  const char *path = fuzz_file(name, bytes, size);
  if (size == 0) remove(path);
}

static void write_folder(const uint8_t *data, size_t size) {
  for (int i = 0; i < NAMES; i++) {
    const uint8_t *end = size ? memchr(data, 0xff, size) : NULL;
    size_t length = end ? (size_t)(end - data) : size;
    write_file(names_[i], data, length);
    data += length + (end != NULL);
    size -= length + (end != NULL);
  }
  write_file("last.safetensors", data, size);
}

static void look(void) {
  gf_run_state state;
  if (gf_run_read_state(fuzz_folder(), &state) == GF_OK && state.epochs_done < 0)
    fuzz_fail("fewer epochs than none");
}

static void diagnose(void) {
  gf_diagnosis *diagnosis;
  gf_status status = gf_diagnosis_open(&diagnosis, fuzz_folder());
  if ((status == GF_OK) != (diagnosis != NULL)) fuzz_fail("a diagnosis after a failure");
  if (diagnosis && (diagnosis->finding_count < 1 || !diagnosis->findings[0].headline))
    fuzz_fail("nothing was found");
  gf_diagnosis_free(&diagnosis);
}

static void load(void) {
  gf__run run;
  if (gf__run_load(&run, fuzz_folder()) != GF_OK) return;
  double sum = 0; /* a sanitizer sees what is not there */
  for (int i = 0; i < run.epoch_count * run.layer_count; i++)
    sum += run.mean_gradients[i] + run.l2_norms[i] + run.zeros[i] + run.update_ratios[i];
  const gf__run_activations *a = &run.activations;
  for (int i = 0; i < a->epoch_count * a->layer_count; i++)
    sum += a->means[i] + a->deviations[i] + a->dead[i];
  if (sum == 0.123456789) fuzz_fail("not to be optimised away");
  gf__run_free(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const gf_device_info device = {.name = "fuzz", .driver = "1"};
  write_folder(data, size);
  look();
  diagnose();
  load();
  if (gf__environment_resume(fuzz_path("environment.json"), 1, &device) != GF_OK)
    fuzz_fail("the environment is lost");
  return 0;
}
