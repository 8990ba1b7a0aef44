#include <stdlib.h>

#include "device/internal.h"

gf_status gf__buffer_new(gf_buffer **out, gf_device *device, size_t bytes, const char *what) {
  *out = NULL;
  if (bytes > device->info.max_allocation)
    return gf__fail(GF_ERROR_DEVICE_MEMORY,
                    "%s needs %.1f MiB in one piece and %s gives at most %.1f MiB; use a smaller "
                    "batch",
                    what, (double)bytes / 0x1p20, device->info.name,
                    (double)device->info.max_allocation / 0x1p20);
  gf_buffer *buffer = calloc(1, sizeof *buffer);
  if (!buffer) return gf__fail_host_memory(sizeof *buffer);
  cl_int error;
  buffer->memory = clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, &error);
  if (error != CL_SUCCESS) {
    free(buffer);
    return gf__fail_cl(device, error,
                       "cannot allocate %.1f MiB for %s beside the %.1f MiB in use (the device has "
                       "%.1f MiB)",
                       (double)bytes / 0x1p20, what, (double)device->allocated / 0x1p20,
                       (double)device->info.memory / 0x1p20);
  }
  buffer->device = device;
  buffer->size = bytes;
  device->allocated += bytes;
  if (device->allocated > device->allocated_peak) device->allocated_peak = device->allocated;
  *out = buffer;
  return GF_OK;
}

gf_status gf__sub_buffer_new(gf_buffer **out, gf_buffer *whole, size_t offset, size_t bytes) {
  *out = NULL;
  gf_buffer *sub = calloc(1, sizeof *sub);
  if (!sub) return gf__fail_host_memory(sizeof *sub);
  cl_buffer_region region = {offset, bytes};
  cl_int error;
  sub->memory = clCreateSubBuffer(whole->memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                  &region, &error);
  if (error != CL_SUCCESS) {
    free(sub);
    return gf__fail_cl(whole->device, error, "cannot take %zu bytes at %zu of a buffer of %zu",
                       bytes, offset, whole->size);
  }
  sub->device = whole->device;
  sub->size = bytes;
  sub->is_sub_buffer = true;
  *out = sub;
  return GF_OK;
}

void gf__buffer_free(gf_buffer **buffer) {
  if (!*buffer) return;
  clReleaseMemObject((*buffer)->memory);
  if (!(*buffer)->is_sub_buffer) (*buffer)->device->allocated -= (*buffer)->size;
  free(*buffer);
  *buffer = NULL;
}

size_t gf__buffer_size(const gf_buffer *buffer) { return buffer->size; }

gf_status gf__buffer_write(gf_buffer *buffer, size_t offset, size_t bytes, const void *from) {
  gf_device *device = buffer->device;
  cl_int error =
      clEnqueueWriteBuffer(device->queue, buffer->memory, CL_TRUE, offset, bytes, from, 0, NULL,
                           gf__profile_begin(device, "upload", 0, (double)bytes));
  gf__profile_end(device);
  return error == CL_SUCCESS ? GF_OK : gf__fail_cl(device, error, "cannot upload %zu bytes", bytes);
}

gf_status gf__buffer_read(gf_buffer *buffer, size_t offset, size_t bytes, void *to) {
  gf_device *device = buffer->device;
  cl_int error = clEnqueueReadBuffer(device->queue, buffer->memory, CL_TRUE, offset, bytes, to, 0,
                                     NULL, gf__profile_begin(device, "download", 0, (double)bytes));
  gf__profile_end(device);
  return error == CL_SUCCESS ? GF_OK
                             : gf__fail_cl(device, error, "cannot download %zu bytes", bytes);
}

struct gf__reading {
  gf_device *device;
  cl_event done;
};

gf_status gf__reading_start(gf__reading **out, gf_buffer *buffer, size_t offset, size_t bytes,
                            void *to) {
  gf_device *device = buffer->device;
  gf__reading *reading = malloc(sizeof *reading);
  *out = NULL;
  if (!reading) return gf__fail_host_memory(sizeof *reading);
  reading->device = device;
  cl_int error = clEnqueueReadBuffer(device->queue, buffer->memory, CL_FALSE, offset, bytes, to, 0,
                                     NULL, &reading->done);
  if (error != CL_SUCCESS) {
    free(reading);
    return gf__fail_cl(device, error, "cannot download %zu bytes", bytes);
  }
  clFlush(device->queue);
  *out = reading;
  return GF_OK;
}

gf_status gf__reading_wait(gf__reading **reading) {
  if (!*reading) return GF_OK;
  gf_device *device = (*reading)->device;
  cl_int error = clWaitForEvents(1, &(*reading)->done);
  clReleaseEvent((*reading)->done);
  free(*reading);
  *reading = NULL;
  return error == CL_SUCCESS ? GF_OK : gf__fail_cl(device, error, "a download failed");
}

gf_status gf__buffer_copy(gf_buffer *from, gf_buffer *to, size_t bytes) {
  gf_device *device = from->device;
  cl_int error = clEnqueueCopyBuffer(device->queue, from->memory, to->memory, 0, 0, bytes, 0, NULL,
                                     gf__profile_begin(device, "copy", 0, 2 * (double)bytes));
  gf__profile_end(device);
  return error == CL_SUCCESS ? GF_OK : gf__fail_cl(device, error, "cannot copy %zu bytes", bytes);
}

gf_status gf__buffer_zero(gf_buffer *buffer) {
  gf_device *device = buffer->device;
  cl_float zero = 0;
  cl_int error =
      clEnqueueFillBuffer(device->queue, buffer->memory, &zero, sizeof zero, 0, buffer->size, 0,
                          NULL, gf__profile_begin(device, "zero", 0, (double)buffer->size));
  gf__profile_end(device);
  return error == CL_SUCCESS ? GF_OK
                             : gf__fail_cl(device, error, "cannot zero %zu bytes", buffer->size);
}
