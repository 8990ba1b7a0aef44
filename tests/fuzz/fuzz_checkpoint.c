/* What a checkpoint says of its run, under a checksum that is right. */
#define _XOPEN_SOURCE 700
#include "fuzz.h"
#include "model/safetensors.h"
#include "run/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  float weight[2] = {1, 2};
  gf__named_tensor tensor = {
      .name = "a.weight", .dims = {2}, .dim_count = 1, .count = 2, .values = weight};
  gf__checkpoints found;
  char *text = fuzz_text(data, size);
  const char *path = fuzz_path("checkpoint_0.safetensors");
  if (gf__safetensors_write(path, &tensor, 1, text) != GF_OK) fuzz_fail("it cannot be written");
  free(text);
  gf__checkpoints_find(&found, fuzz_folder());
  if (found.count + found.damaged != 1) fuzz_fail("neither whole nor damaged");
  const gf__position *p = &found.v[0].position;
  if (found.count &&
      (p->epoch < 1 || p->images < -1 || p->batch < 0 || p->steps < 0 || p->trained.steps < 0))
    fuzz_fail("a run cannot be there");
  for (int i = 0; found.count && i < GF__LOGS; i++)
    if (strlen(p->marks[i].sha256) >= sizeof p->marks[i].sha256)
      fuzz_fail("a digest without an end");
  gf__checkpoints_free(&found);
  return 0;
}
