#include "model/families.h"

#include <stdarg.h>
#include <stdio.h>

const char *const gf__family_activations[] = {"leaky_relu", "relu", "tanh", "sigmoid",
                                              "elu",        "gelu", "silu", NULL};

gf__node_name gf__node_name_of(const char *format, ...) {
  gf__node_name name;
  va_list args;
  va_start(args, format);
  vsnprintf(name.text, sizeof name.text, format, args);
  va_end(args);
  return name;
}

static void begin_node(gf__text *out, gf__node_name name, const char *type,
                       const gf__node_name *input) {
  gf__text_add(out, "- {name: %s, type: %s", name.text, type);
  if (input) gf__text_add(out, ", input: %s", input->text);
}

void gf__family_write_conv(gf__text *out, gf__node_name name, const gf__node_name *input,
                           gf__family_conv conv) {
  begin_node(out, name, "conv2d", input);
  gf__text_add(out, ", filters: %d, kernel: %d, stride: %d, padding: %d, bias: %s", conv.filters,
               conv.kernel, conv.stride, conv.kernel / 2, conv.bias ? "true" : "false");
  if (conv.groups > 1) gf__text_add(out, ", groups: %d", conv.groups);
  gf__text_add(out, "}\n");
}

void gf__family_write_node(gf__text *out, gf__node_name name, const char *type,
                           const gf__node_name *input) {
  begin_node(out, name, type, input);
  gf__text_add(out, "}\n");
}

void gf__family_write_add(gf__text *out, gf__node_name name, gf__node_name a, gf__node_name b) {
  gf__text_add(out, "- {name: %s, type: add, input: [%s, %s]}\n", name.text, a.text, b.text);
}

void gf__family_write_dropout(gf__text *out, double p) {
  if (p > 0) gf__text_add(out, "- {name: dropout, type: dropout, p: %.9g}\n", p);
}

void gf__family_write_logits(gf__text *out, double dropout, int classes) {
  gf__text_add(out, "- {name: pool, type: global_avg_pool}\n");
  gf__family_write_dropout(out, dropout);
  gf__text_add(out, "- {name: logit_linear, type: linear, outputs: %d}\n", classes);
}
