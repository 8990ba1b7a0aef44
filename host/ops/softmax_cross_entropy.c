#include "ops/softmax_cross_entropy.h"

#include <stdio.h>

static gf_status get_softmax_kernel(gf_device *device, int classes, const char *name,
                                    gf__kernel **out) {
  char options[64];
  snprintf(options, sizeof options, "-DVEC=1 -DCLASSES=%d", classes);
  return gf__kernel_get(out, device, "softmax_cross_entropy.cl", name, options);
}

/* Images per work-group: few, so that each unit of a CPU has some of the batch. */
enum { GROUP = 8 };

gf_status gf__softmax_cross_entropy(gf_device *device, int n, int classes, const gf_buffer *logits,
                                    gf__target target, gf_buffer *per_image, gf_buffer *results,
                                    int row) {
  gf__kernel *each, *sum;
  GF_TRY(get_softmax_kernel(device, classes, "softmax_cross_entropy", &each));
  GF_TRY(get_softmax_kernel(device, classes, "sum_losses", &sum));
  GF_TRY(GF_LAUNCH(each, gf__grid_groups(device, (size_t)n, GROUP), GF_BUFFER(logits),
                   GF_BUFFER(target.labels), GF_FLOAT(target.mix), GF_FLOAT(target.smoothing),
                   GF_BUFFER(per_image), GF_INT(n)));
  return GF_LAUNCH(sum, gf__grid_single(1, 1, 1), GF_BUFFER(per_image), GF_BUFFER(results),
                   GF_INT(row), GF_INT(n));
}

gf_status gf__softmax_cross_entropy_backward(gf_device *device, int n, int classes,
                                             const gf_buffer *logits, gf__target target,
                                             gf_buffer *dlogits, const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  GF_TRY(get_softmax_kernel(device, classes, "softmax_cross_entropy_backward", &kernel));
  return GF_LAUNCH(kernel, gf__grid_groups(device, (size_t)n, GROUP), GF_BUFFER(logits),
                   GF_BUFFER(target.labels), GF_FLOAT(target.mix), GF_FLOAT(target.smoothing),
                   GF_BUFFER(dlogits), GF_INT(n), GF_EPILOGUE(epilogue));
}
