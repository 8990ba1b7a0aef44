#include "train/run_folder.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"

gf_status gf__run_path(char out[GF__RUN_PATH_SIZE], const char *folder, const char *name) {
  return gf__path_join(out, GF__RUN_PATH_SIZE, folder, name);
}

gf_status gf__run_folder_check(const char *path, int overwrite) {
  char config[GF__RUN_PATH_SIZE];
  if (!gf__path_exists(path)) return GF_OK;
  if (!overwrite)
    return gf__fail(GF_ERROR_FILE,
                    "%s exists; choose another --out, or replace it with --overwrite", path);
  GF_TRY(gf__run_path(config, path, "config.yaml"));
  if (gf__path_exists(config)) return GF_OK;
  return gf__fail(GF_ERROR_FILE,
                  "%s is not the folder of a run (it has no config.yaml), so it is "
                  "not replaced",
                  path);
}

static gf_status write_file(const gf__run_folder *folder, const char *name, const void *bytes,
                            size_t size) {
  char path[GF__RUN_PATH_SIZE];
  GF_TRY(gf__run_path(path, folder->path, name));
  return gf__file_write(path, bytes, size);
}

static gf_status write_environment(const gf__run_folder *folder, const gf_device_info *device) {
  char now[21];
  gf__utc_now(now);
  gf_versions versions = gf_versions_get();
  json_t *json = json_pack(
      "{s:s, s:s, s:s, s:s, s:s, s:i, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I}}", "started", now,
      "gradflow", versions.program, "commit", versions.commit, "clblast", versions.clblast,
      "opencl_loader", versions.opencl_loader, "host_cpus", gf__cpu_count(), "device", "name",
      device->name, "type", gf_device_type_name(device->type), "platform", device->platform_name,
      "vendor", device->vendor, "driver", device->driver, "version", device->version,
      "compute_units", device->compute_units, "memory", (json_int_t)device->memory);
  char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
  json_decref(json);
  if (!text) return gf__fail(GF_ERROR_MEMORY, "cannot write down the environment of the run");
  gf_status status = write_file(folder, "environment.json", text, strlen(text));
  free(text);
  return status;
}

gf_status gf__run_folder_create(gf__run_folder *out, const char *path, int overwrite,
                                const gf__text *config, const gf_device_info *device) {
  *out = (gf__run_folder){.path = path};
  GF_TRY(gf__run_folder_check(path, overwrite));
  if (gf__path_exists(path)) GF_TRY(gf__remove_folder(path));
  GF_TRY(gf__make_folder(path));
  GF_TRY(write_file(out, "config.yaml", config->data, config->size));
  GF_TRY(write_environment(out, device));
  gf__text_add(&out->metrics,
               "epoch,learning_rate,train_loss,train_accuracy,validation_loss,"
               "validation_accuracy,seconds,images_per_second\n");
  gf__text_add(&out->gradients,
               "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio\n");
  return GF_OK;
}

void gf__run_folder_free(gf__run_folder *folder) {
  gf__text_free(&folder->metrics);
  gf__text_free(&folder->gradients);
}

static gf_status write_text(const gf__run_folder *folder, const char *name, const gf__text *text) {
  GF_TRY(gf__text_status(text));
  return write_file(folder, name, text->data, text->size);
}

gf_status gf__run_folder_add_epoch(gf__run_folder *folder, const gf_epoch *e) {
  gf__text_add(&folder->metrics, "%d,%.9g,%.9g,%.9g,%.9g,%.9g,%.3f,%.1f\n", e->epoch,
               e->learning_rate, e->train_loss, e->train_accuracy, e->validation_loss,
               e->validation_accuracy, e->seconds, e->images_per_second);
  GF_TRY(write_text(folder, "gradients.csv", &folder->gradients));
  return write_text(folder, "metrics.csv", &folder->metrics);
}

gf_status gf__run_folder_add_gradients(gf__run_folder *folder, int epoch, long step,
                                       const gf_gradient *gradients, int count) {
  for (int i = 0; i < count; i++) {
    const gf_gradient *g = &gradients[i];
    gf__text_add(&folder->gradients, "%d,%ld,%s,%s,%.6g,%.6g,%.6g,%.6g,%.6g\n", epoch, step,
                 g->layer, g->parameter, g->mean_abs, g->l2, g->max_abs, g->zeros, g->update_ratio);
  }
  return gf__text_status(&folder->gradients);
}
