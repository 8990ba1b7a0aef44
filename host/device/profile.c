/* Time on the device by kernel, from the events of the queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/internal.h"

void gf__profile_drop(gf__profile *profile) {
  for (int i = 0; i < profile->pending_count; i++) clReleaseEvent(profile->pending[i].event);
  profile->pending_count = 0;
}

static void add_time(gf_device *device, gf__pending *pending) {
  cl_ulong start = 0, end = 0;
  clGetEventProfilingInfo(pending->event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
  clGetEventProfilingInfo(pending->event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
  device->profile.rows[pending->row].seconds += 1e-9 * (double)(end - start);
}

static void settle_pending(gf_device *device) {
  clFinish(device->queue);
  for (int i = 0; i < device->profile.pending_count; i++)
    if (device->profile.pending[i].event) add_time(device, &device->profile.pending[i]);
  gf__profile_drop(&device->profile);
}

static int find_row(gf__profile *profile, const char *name) {
  for (int i = 0; i < profile->count; i++)
    if (!strcmp(profile->rows[i].name, name)) return i;
  if (profile->count == profile->capacity) {
    int capacity = profile->capacity * 2 + 32;
    gf__profile_row *rows = realloc(profile->rows, (size_t)capacity * sizeof *rows);
    if (!rows) return -1;
    profile->rows = rows;
    profile->capacity = capacity;
  }
  profile->rows[profile->count] = (gf__profile_row){0};
  snprintf(profile->rows[profile->count].name, sizeof profile->rows->name, "%s", name);
  return profile->count++;
}

cl_event *gf__profile_slot(gf_device *device, const char *name, double flops, double bytes) {
  gf__profile *profile = &device->profile;
  if (!profile->on) return NULL;
  if (profile->pending_count == GF__PENDING_LIMIT) settle_pending(device);
  int row = find_row(profile, name);
  if (row < 0) return NULL;
  profile->rows[row].calls++;
  profile->rows[row].flops += flops;
  profile->rows[row].bytes += bytes;
  gf__pending *pending = &profile->pending[profile->pending_count++];
  *pending = (gf__pending){NULL, row};
  return &pending->event;
}

gf_status gf__profile_turn(gf_device *device, bool on) {
  settle_pending(device);
  if (on == device->profile.on) return GF_OK;
  clReleaseCommandQueue(device->queue);
  GF_TRY(gf__queue_open(device, on));
  device->profile.on = on;
  return GF_OK;
}

static int by_time(const void *a, const void *b) {
  double x = ((const gf__profile_row *)a)->seconds, y = ((const gf__profile_row *)b)->seconds;
  return (x < y) - (x > y);
}

gf_status gf__profile_read(gf_device *device, gf__profile_row **out, int *count) {
  settle_pending(device);
  size_t bytes = (size_t)(device->profile.count + 1) * sizeof **out;
  *out = malloc(bytes);
  *count = 0;
  if (!*out) return gf__fail_host_memory(bytes);
  *count = device->profile.count;
  if (*count) memcpy(*out, device->profile.rows, (size_t)*count * sizeof **out);
  qsort(*out, (size_t)*count, sizeof **out, by_time);
  return GF_OK;
}
