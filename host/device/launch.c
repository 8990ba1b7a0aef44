#include "device/internal.h"

gf__grid gf__grid_groups(const gf_device *device, size_t count, size_t group) {
  while (group > device->info.work_group_size) group /= 2;
  return (gf__grid){.global = {(count + group - 1) / group * group, 1, 1}, .local = {group, 1, 1}};
}

gf__grid gf__grid_flat(const gf_device *device, size_t count) {
  /* 64 is a multiple of the SIMD widths in use; a CPU loops over the group and wants long ones. */
  return gf__grid_groups(device, count, device->info.type == GF_DEVICE_CPU ? 1024 : 64);
}

gf__grid gf__grid_single(size_t x, size_t y, size_t z) {
  return (gf__grid){.global = {x, y, z}, .local = {1, 1, 1}};
}

gf_status gf__launch(gf__kernel *kernel, gf__grid grid, const gf__arg *args, size_t count) {
  gf_device *device = kernel->device;
  for (size_t i = 0; i < count; i++) {
    const gf__arg *arg = &args[i];
    cl_mem memory = NULL;
    const void *value = &arg->value;
    size_t size = 0;
    switch (arg->kind) {
      case GF__ARG_BUFFER:
        memory = arg->value.buffer ? arg->value.buffer->memory : NULL;
        value = &memory;
        size = sizeof memory;
        break;
      case GF__ARG_INT:
        size = sizeof(cl_int);
        break;
      case GF__ARG_FLOAT:
        size = sizeof(cl_float);
        break;
    }
    cl_int error = clSetKernelArg(kernel->kernel, (cl_uint)i, size, value);
    if (error != CL_SUCCESS)
      return gf__fail_cl(device, error, "argument %zu of kernel %s was refused", i, kernel->name);
  }
  device->launches++;
  while (grid.local[0] > kernel->group && grid.local[0] % 2 == 0 && grid.local[1] == 1 &&
         grid.local[2] == 1)
    grid.local[0] /= 2;
  cl_event *event = gf__profile_begin(device, kernel->name, grid.flops, grid.bytes);
  cl_int error = clEnqueueNDRangeKernel(device->queue, kernel->kernel, 3, NULL, grid.global,
                                        grid.local[0] ? grid.local : NULL, 0, NULL, event);
  if (error != CL_SUCCESS)
    return gf__fail_cl(device, error, "kernel %s over %zu x %zu x %zu work-items failed",
                       kernel->name, grid.global[0], grid.global[1], grid.global[2]);
  gf__profile_end(device);
  return GF_OK;
}
