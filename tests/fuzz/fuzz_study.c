/* A study's file, and behind the first NUL an override of it. Configs and studies that it may name
 * lie beside it. */
#define _XOPEN_SOURCE 700
#include <gradflow/study.h>

#include "fuzz.h"

static void write_neighbours(void) {
  static const char base[] =
      "data: {name: mnist, path: nowhere}\n"
      "model: {family: vgg_stages, blocks_per_stage: 0}\n"
      "train: {epochs: 2}\n",
                    other[] = "study: {name: b}\nsettings: [{name: c, base: base.yaml}]\n";
  static bool written;
  if (written) return;
  written = true;
  fuzz_file("base.yaml", base, sizeof base - 1);
  fuzz_file("other.yaml", other, sizeof other - 1);
}

static void plan(const gf_study *study) {
  gf_study_item *items;
  int count;
  gf_study_options options = {.shard = 1, .shards = 2, .jobs = 1};
  if (gf_study_plan(study, &options, 0, &items, &count) != GF_OK) return;
  for (int i = 0; i < count; i++)
    if (!items[i].folder || !items[i].setting) fuzz_fail("a run without a folder");
  gf_study_items_free(&items, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
  size_t length = nul ? (size_t)(nul - data) : size;
  gf_study *study;
  char runs[512];
  write_neighbours();
  snprintf(runs, sizeof runs, "%s/runs", fuzz_folder());
  gf_status status = gf_study_load(&study, fuzz_file("a.yaml", data, length), runs);
  if ((status == GF_OK) != (study != NULL)) fuzz_fail("a study after a failure");
  if (status != GF_OK) return 0;
  plan(study);
  if (nul) {
    char *assignment = fuzz_text(nul + 1, size - length - 1);
    if (gf_study_set(study, assignment) == GF_OK) plan(study);
    free(assignment);
  }
  gf_study_free(&study);
  return 0;
}
