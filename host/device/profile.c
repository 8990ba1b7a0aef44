/* Time on the device by kernel, from the events of the queue. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/file.h"
#include "base/os.h"
#include "device/internal.h"

static void drop_pending(gf__profile *profile) {
  for (int i = 0; i < profile->pending_count; i++)
    if (profile->pending[i].event) clReleaseEvent(profile->pending[i].event);
  profile->pending_count = 0;
}

void gf__profile_free(gf__profile *profile) {
  drop_pending(profile);
  free(profile->rows);
  free(profile->spans);
}

static void add_span(gf__profile *profile, int row, cl_ulong start, cl_ulong end) {
  profile->rows[row].seconds += 1e-9 * (double)(end - start);
  if (profile->span_count < GF__SPAN_LIMIT)
    profile->spans[profile->span_count++] = (gf__span){row, start, end};
}

void gf__event_times(cl_event event, cl_ulong *start, cl_ulong *end) {
  *start = *end = 0;
  clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof *start, start, NULL);
  clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof *end, end, NULL);
}

static void add_event(gf__profile *profile, const gf__pending *pending) {
  cl_ulong start, end;
  gf__event_times(pending->event, &start, &end);
  add_span(profile, pending->row, start, end);
}

static void settle_pending(gf_device *device) {
  gf__profile *profile = &device->profile;
  clFinish(device->queue);
  for (int i = 0; i < profile->pending_count; i++)
    if (profile->pending[i].event) add_event(profile, &profile->pending[i]);
  drop_pending(profile);
}

static int find_row(gf__profile *profile, const char *name) {
  for (int i = 0; i < profile->count; i++)
    if (!strncmp(profile->rows[i].name, name, sizeof profile->rows->name - 1)) return i;
  if (gf__grow(&profile->rows, (size_t)profile->count, sizeof *profile->rows) != GF_OK) return -1;
  profile->rows[profile->count] = (gf_profile_row){0};
  snprintf(profile->rows[profile->count].name, sizeof profile->rows->name, "%s", name);
  return profile->count++;
}

cl_event *gf__profile_begin(gf_device *device, const char *name, double flops, double bytes) {
  gf__profile *profile = &device->profile;
  profile->host_row = -1;
  if (!profile->on) return NULL;
  if (profile->pending_count == GF__PENDING_LIMIT) settle_pending(device);
  int row = find_row(profile, name);
  if (row < 0) return NULL;
  profile->rows[row].calls++;
  profile->rows[row].flops += flops;
  profile->rows[row].bytes += bytes;
  if (profile->by_host) {
    profile->host_row = row;
    profile->host_start = gf__seconds();
    return NULL;
  }
  gf__pending *pending = &profile->pending[profile->pending_count++];
  *pending = (gf__pending){NULL, row};
  return &pending->event;
}

void gf__profile_end(gf_device *device) {
  gf__profile *profile = &device->profile;
  if (profile->host_row < 0) return;
  clFinish(device->queue);
  add_span(profile, profile->host_row, (cl_ulong)(1e9 * profile->host_start),
           (cl_ulong)(1e9 * gf__seconds()));
}

gf_status gf_profile_start(gf_device *device) {
  gf__profile *profile = &device->profile;
  if (profile->on) return GF_OK;
  profile->spans = malloc(GF__SPAN_LIMIT * sizeof *profile->spans);
  if (!profile->spans) return gf__fail_host_memory(GF__SPAN_LIMIT * sizeof *profile->spans);
  clFinish(device->queue);
  clReleaseCommandQueue(device->queue);
  GF_TRY(gf__queue_open(device, true));
  bool measures = false;
  GF_TRY(gf__device_measures_times(device, &measures));
  if (!measures)
    gf__log(GF_LOG_WARNING,
            "the driver of %s does not measure how long a kernel takes, so each is waited for and "
            "timed by the host's clock",
            device->info.name);
  profile->by_host = !measures;
  profile->host_row = -1;
  profile->on = true;
  return GF_OK;
}

static int by_time(const void *a, const void *b) {
  double x = ((const gf_profile_row *)a)->seconds, y = ((const gf_profile_row *)b)->seconds;
  return (x < y) - (x > y);
}

gf_status gf_profile_read(gf_device *device, gf_profile_row **out, int *count) {
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

gf_status gf_profile_trace(gf_device *device, const char *path) {
  settle_pending(device);
  const gf__profile *profile = &device->profile;
  json_t *events = json_array();
  for (int i = 0; i < profile->span_count; i++) {
    const gf__span *s = &profile->spans[i];
    json_array_append_new(
        events,
        json_pack("{s:s, s:s, s:i, s:i, s:f, s:f}", "name", profile->rows[s->row].name, "ph", "X",
                  "pid", 0, "tid", 0, "ts", 1e-3 * (double)(s->start - profile->spans[0].start),
                  "dur", 1e-3 * (double)(s->end - s->start)));
  }
  json_t *trace = json_pack("{s:o, s:s}", "traceEvents", events, "displayTimeUnit", "ms");
  char *text = trace ? json_dumps(trace, JSON_COMPACT) : NULL;
  json_decref(trace);
  if (!text) return gf__fail_host_memory((size_t)profile->span_count * 128);
  gf_status status = gf__file_write(path, text, strlen(text));
  free(text);
  return status;
}
