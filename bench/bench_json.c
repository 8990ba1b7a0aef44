#include "bench_json.h"

#include <stdio.h>

#include "base/os.h"

json_t *bench_open(const char *executable, const gf_device_info *device) {
  char now[21];
  gf_versions v = gf_versions_get();
  gf__utc_now(now);
  return json_pack("{s:{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s}, s:[]}", "context", "date",
                   now, "executable", executable, "num_cpus", gf__cpu_count(), "device",
                   device->name, "driver", device->driver, "gradflow", v.program, "commit",
                   v.commit, "clblast", v.clblast, "opencl_loader", v.opencl_loader, "benchmarks");
}

json_t *bench_add(json_t *results, const char *name, const gf__bench_timing *timing, double items) {
  json_t *row =
      json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:s, s:f}", "name", name, "run_type", "iteration",
                "iterations", timing->samples * timing->repeats, "real_time", 1e3 * timing->seconds,
                "cpu_time", 1e3 * timing->seconds, "fastest", 1e3 * timing->fastest, "time_unit",
                "ms", "items_per_second", items / timing->seconds);
  json_array_append_new(json_object_get(results, "benchmarks"), row);
  return row;
}

int bench_close(json_t *results, const char *path) {
  int failed = path ? json_dump_file(results, path, JSON_INDENT(1))
                    : json_dumpf(results, stdout, JSON_INDENT(1));
  if (!path) puts("");
  if (failed) fprintf(stderr, "bench: cannot write %s\n", path ? path : "the results");
  json_decref(results);
  return failed ? 1 : 0;
}
