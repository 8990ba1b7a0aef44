#include <stdlib.h>
#include <string.h>

#include "device/internal.h"

enum { AREAS = 2 };

struct gf__upload {
  gf_device *device;
  size_t size; /* of an area */
  int next;
  char *area[AREAS];
  cl_event sent[AREAS]; /* NULL: the area is free */
};

gf_status gf__upload_new(gf__upload **out, gf_device *device, size_t bytes) {
  *out = NULL;
  gf__upload *upload = calloc(1, sizeof *upload);
  if (!upload) return gf__fail_host_memory(sizeof *upload);
  upload->device = device;
  upload->size = bytes;
  for (int i = 0; i < AREAS; i++) {
    upload->area[i] = malloc(bytes);
    if (upload->area[i]) continue;
    gf__upload_free(&upload);
    return gf__fail_host_memory(bytes);
  }
  *out = upload;
  return GF_OK;
}

static cl_int wait_for_area(gf__upload *upload, int i) {
  if (!upload->sent[i]) return CL_SUCCESS;
  cl_int error = clWaitForEvents(1, &upload->sent[i]);
  clReleaseEvent(upload->sent[i]);
  upload->sent[i] = NULL;
  return error;
}

void gf__upload_free(gf__upload **upload) {
  if (!*upload) return;
  for (int i = 0; i < AREAS; i++) {
    wait_for_area(*upload, i);
    free((*upload)->area[i]);
  }
  free(*upload);
  *upload = NULL;
}

gf_status gf__upload_send(gf__upload *upload, gf_buffer *buffer, size_t bytes, const void *from) {
  int i = upload->next;
  gf_device *device = upload->device;
  cl_int error = wait_for_area(upload, i);
  if (error != CL_SUCCESS) return gf__fail_cl(device, error, "an upload failed");
  if (bytes > upload->size || bytes > buffer->size)
    return gf__fail(GF_ERROR_ARGUMENT, "an upload of %zu bytes does not fit in %zu", bytes,
                    buffer->size);
  memcpy(upload->area[i], from, bytes);
  error = clEnqueueWriteBuffer(device->queue, buffer->memory, CL_FALSE, 0, bytes, upload->area[i],
                               0, NULL, &upload->sent[i]);
  if (error != CL_SUCCESS) {
    upload->sent[i] = NULL;
    return gf__fail_cl(device, error, "cannot upload %zu bytes", bytes);
  }
  /* Let the device begin now; a queue may otherwise wait for more. */
  clFlush(device->queue);
  upload->next = (i + 1) % AREAS;
  return GF_OK;
}
