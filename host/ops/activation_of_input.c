#include "ops/activation_of_input.h"

#include <stdio.h>

/* The names by which the kernels know the rows of gf__activation_of_input_kind. */
static const char *const names[] = {"ELU", "GELU", "SILU", "CLAMP", "HARD_SIGMOID", "HARD_SWISH"};

static gf_status get_activation_of_input_kernel(gf_device *device, int channels,
                                                gf__activation_of_input activation,
                                                const char *name, gf__kernel **out) {
  char options[80];
  snprintf(options, sizeof options, "-DVEC=%d -DCHANNELS=%d -D%s",
           gf__vector_width(device, channels), channels, names[activation.kind]);
  return gf__kernel_get(out, device, "activation_of_input.cl", name, options);
}

static gf__grid activation_of_input_grid(const gf_device *device, size_t rows, int channels,
                                         int operands, int *count) {
  size_t values = rows * (size_t)channels / (size_t)gf__vector_width(device, channels);
  *count = (int)values;
  gf__grid grid = gf__grid_flat(device, values);
  grid.bytes = 4.0 * (double)rows * channels * operands;
  return grid;
}

gf_status gf__activation_of_input_forward(gf_device *device, size_t rows, int channels,
                                          gf__activation_of_input activation, const gf_buffer *x,
                                          gf_buffer *y) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_activation_of_input_kernel(device, channels, activation, "activation_of_input_forward",
                                        &kernel));
  gf__grid grid = activation_of_input_grid(device, rows, channels, 2, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_INT(count), GF_FLOAT(activation.a),
                   GF_FLOAT(activation.b));
}

gf_status gf__activation_of_input_backward(gf_device *device, size_t rows, int channels,
                                           gf__activation_of_input activation, const gf_buffer *dy,
                                           const gf_buffer *x, gf_buffer *dx,
                                           const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count, operands = 3 + !!epilogue->residual + !!epilogue->mask;
  GF_TRY(get_activation_of_input_kernel(device, channels, activation,
                                        "activation_of_input_backward", &kernel));
  gf__grid grid = activation_of_input_grid(device, rows, channels, operands, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(dy), GF_BUFFER(x), GF_BUFFER(dx), GF_INT(count),
                   GF_FLOAT(activation.a), GF_FLOAT(activation.b), GF_EPILOGUE(epilogue));
}
