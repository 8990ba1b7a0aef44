#include "ops/auxiliary_loss.h"

#include <stdio.h>

gf_status gf__auxiliary_loss_backward(gf_device *device, gf__auxiliary_kind kind, int n,
                                      int classes, const gf_buffer *logits,
                                      gf__auxiliary_target target, double weight,
                                      gf_buffer *dlogits, const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  char options[64];
  snprintf(options, sizeof options, "-DCLASSES=%d%s", classes,
           kind == GF__AUXILIARY_SQUARED_HINGE ? " -DSQUARED_HINGE" : "");
  GF_TRY(gf__kernel_get(&kernel, device, "auxiliary_loss.cl", "auxiliary_loss_backward", options));
  return GF_LAUNCH(kernel, gf__grid_flat(device, (size_t)n), GF_BUFFER(logits),
                   GF_BUFFER(target.labels), GF_FLOAT((float)target.mix), GF_FLOAT((float)weight),
                   GF_BUFFER(dlogits), GF_INT(n), GF_EPILOGUE(epilogue));
}
