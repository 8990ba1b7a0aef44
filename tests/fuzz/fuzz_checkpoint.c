/* What a checkpoint says of its run, under a checksum that is right. */
#define _XOPEN_SOURCE 700
#include "fuzz.h"
#include "model/safetensors.h"
#include "run/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  float weight[2] = {1, 2};
  gf__named_tensor tensor = {
      .name = "a.weight", .dims = {2}, .dim_count = 1, .count = 2, .values = weight};
  gf__position position;
  int damaged;
  char *text = fuzz_text(data, size);
  const char *path = fuzz_path("checkpoint_0.safetensors");
  if (gf__safetensors_write(path, &tensor, 1, text) != GF_OK) fuzz_fail("it cannot be written");
  free(text);
  int slot = gf__checkpoint_newest(fuzz_folder(), &position, &damaged);
  if ((slot == 0) != (damaged == 0)) fuzz_fail("neither whole nor damaged");
  if (slot < 0) return 0;
  if (position.epoch < 1 || position.batch < 0 || position.steps < 0 || position.trained.steps < 0)
    fuzz_fail("a run cannot be there");
  for (int i = 0; i < GF__LOGS; i++)
    if (strlen(position.marks[i].sha256) >= sizeof position.marks[i].sha256)
      fuzz_fail("a digest without an end");
  return 0;
}
