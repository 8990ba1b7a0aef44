/* Verdicts as training asks for them: train.stop. */
#include <ctype.h>
#include <string.h>

#include "diagnosis/diagnosis.h"
#include "train/verdicts.h"

/* "not learning" and "non-finite" with underscores, which need no quotes in YAML. */
static const char *word_of(gf_verdict verdict) {
  static _Thread_local char word[48];
  size_t length = 0;
  for (const char *name = gf_verdict_name(verdict); *name && length + 1 < sizeof word; name++)
    word[length++] = (char)(isalnum((unsigned char)*name) ? *name : '_');
  word[length] = 0;
  return word;
}

const char *gf__verdict_word(int index) {
  /* Healthy, which is no reason to stop, is left out. */
  int verdict = index + (index >= GF_VERDICT_HEALTHY);
  return verdict >= 0 && verdict < GF_VERDICT_COUNT ? word_of((gf_verdict)verdict) : NULL;
}

static int index_of(gf_verdict verdict) {
  return (int)verdict - ((int)verdict > GF_VERDICT_HEALTHY);
}

_Static_assert(GF_VERDICT_COUNT <= 64, "a set of verdicts is 64 bits");

gf_status gf__verdicts_of_run(const char *folder, uint64_t *set) {
  gf_diagnosis *diagnosis;
  *set = 0;
  GF_TRY(gf_diagnosis_open(&diagnosis, folder));
  for (int i = 0; i < diagnosis->finding_count; i++) {
    gf_verdict verdict = diagnosis->findings[i].verdict;
    if (verdict != GF_VERDICT_HEALTHY) *set |= UINT64_C(1) << index_of(verdict);
  }
  gf_diagnosis_free(&diagnosis);
  return GF_OK;
}
