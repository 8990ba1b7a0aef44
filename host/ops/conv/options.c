#include "ops/conv/options.h"

#include <stdarg.h>
#include <stdio.h>

void gf__conv_options(char out[GF__CONV_OPTIONS_SIZE], const gf__conv_shape *shape,
                      const char *more, ...) {
  int n = gf__window_options(out, GF__CONV_OPTIONS_SIZE, &shape->window);
  n += snprintf(out + n, (size_t)(GF__CONV_OPTIONS_SIZE - n), "-DC=%d -DFILTERS=%d ", shape->c,
                shape->filters);
  va_list args;
  va_start(args, more);
  vsnprintf(out + n, (size_t)(GF__CONV_OPTIONS_SIZE - n), more, args);
  va_end(args);
}
