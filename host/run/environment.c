/* What a run ran on: environment.json, and with which algorithms: algorithms.json. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "run/run_folder.h"

static json_t *describe_environment(const gf_device_info *device) {
  char now[21];
  gf__utc_now(now);
  gf_versions versions = gf_versions_get();
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I}}",
                   "started", now, "gradflow", versions.program, "commit", versions.commit,
                   "clblast", versions.clblast, "opencl_loader", versions.opencl_loader,
                   "host_cpus", gf__cpu_count(), "device", "name", device->name, "type",
                   gf_device_type_name(device->type), "platform", device->platform_name, "vendor",
                   device->vendor, "driver", device->driver, "version", device->version,
                   "compute_units", device->compute_units, "memory", (json_int_t)device->memory);
}

gf_status gf__environment_write(const char *path, const gf_device_info *device) {
  return gf__json_write(path, describe_environment(device));
}

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "unknown";
}

static void warn_if_other(const json_t *before, const json_t *now) {
  static const char *const keys[] = {"name", "driver"};
  const json_t *old_device = json_object_get(before, "device"),
               *device = json_object_get(now, "device");
  bool same = !strcmp(text_of(before, "commit"), text_of(now, "commit")) &&
              !strcmp(text_of(before, "clblast"), text_of(now, "clblast"));
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    same = same && !strcmp(text_of(old_device, keys[i]), text_of(device, keys[i]));
  if (same) return;
  gf__log(GF_LOG_WARNING,
          "this run began on %s (driver %s, gradflow %s) and continues on %s (driver %s, gradflow "
          "%s): its last digits may differ from those of a run that was never stopped",
          text_of(old_device, "name"), text_of(old_device, "driver"), text_of(before, "commit"),
          text_of(device, "name"), text_of(device, "driver"), text_of(now, "commit"));
}

gf_status gf__environment_resume(const char *path, int epoch, const gf_device_info *device) {
  json_t *environment = gf__json_read(path);
  json_t *now = describe_environment(device);
  if (!json_is_object(environment)) {
    json_decref(environment);
    environment = json_object();
  }
  json_t *resumed = json_object_get(environment, "resumed");
  size_t count = json_array_size(resumed);
  warn_if_other(count ? json_array_get(resumed, count - 1) : environment, now);
  json_object_set_new(now, "epoch", json_integer(epoch));
  if (!json_is_array(resumed)) json_object_set_new(environment, "resumed", json_array());
  json_array_append_new(json_object_get(environment, "resumed"), now);
  return gf__json_write(path, environment);
}

gf_status gf__algorithms_write(const char *path, const char *algorithms,
                               const gf_device_info *device) {
  json_t *json = json_pack("{s:s, s:s, s:o}", "device", device->name, "driver", device->driver,
                           "convolutions", json_loads(algorithms, 0, NULL));
  return gf__json_write(path, json);
}

char *gf__algorithms_read(const char *path, const gf_device_info *device) {
  json_t *json = gf__json_read(path);
  bool same = !strcmp(text_of(json, "device"), device->name) &&
              !strcmp(text_of(json, "driver"), device->driver);
  char *algorithms = same ? json_dumps(json_object_get(json, "convolutions"), 0) : NULL;
  json_decref(json);
  return algorithms;
}
