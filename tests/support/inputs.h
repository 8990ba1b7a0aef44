/* Configs and numbers to feed a test with. */
#ifndef SUPPORT_INPUTS_H
#define SUPPORT_INPUTS_H

#include <stdint.h>

#include <gradflow/config.h>

/* A config from text, called "net" in messages. */
gf_config *parse_config(const char *yaml);

/* A generator of test inputs that owes nothing to the library (Marsaglia's xorshift, 2003). */
float next_float(uint32_t *state); /* [-1, 1) */

#endif
