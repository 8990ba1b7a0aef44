#include "support/inputs.h"

#include "support/assert.h"

gf_config *parse_config(const char *yaml) {
  gf_config *config = NULL;
  assert_ok(gf_config_parse(&config, "net", yaml));
  return config;
}

float next_float(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return (float)(*state >> 8) / (1 << 23) - 1;
}
