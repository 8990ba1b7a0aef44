#include "run/run_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/device.h>

#include "base/json.h"
#include "base/os.h"
#include "run/run_folder.h"

/* ---- the marker ---- */

enum { MARKER_FORMAT = 1 };
static const char marker_[] = "run.json", lock_[] = ".lock";
static const char *const kinds_[] = {[GF__RUN_TRAINED] = "training", [GF__RUN_IMPORTED] = "import"};

gf_status gf__run_marker_write(const char *folder, gf__run_kind kind) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, folder, marker_));
  return gf__json_write(path, json_pack("{s:i, s:s, s:s}", "format", MARKER_FORMAT, "made_by",
                                        kinds_[kind], "gradflow", gf_versions_get().program));
}

/* What earlier versions have written where there is no marker. */
static bool has_environment(const char *folder) {
  char path[GF__PATH_SIZE];
  if (gf__run_path(path, folder, "environment.json") != GF_OK || !gf__path_exists(path))
    return false;
  json_t *json = gf__json_read(path);
  bool found = json_is_string(json_object_get(json, "gradflow"));
  json_decref(json);
  return found;
}

static gf_status read_marker(const char *path, gf__run_kind *out) {
  json_t *json = gf__json_read(path);
  json_int_t format = json_integer_value(json_object_get(json, "format"));
  const char *kind = json_string_value(json_object_get(json, "made_by"));
  gf_status status = GF_OK;
  if (format > MARKER_FORMAT)
    status = gf__fail(GF_ERROR_DATA,
                      "%s has format %lld, and this gradflow (%s) knows formats up to %d: a newer "
                      "version has made the run; use that one",
                      path, (long long)format, gf_versions_get().program, MARKER_FORMAT);
  for (gf__run_kind k = GF__RUN_TRAINED; kind && k <= GF__RUN_IMPORTED; k++)
    if (!strcmp(kind, kinds_[k])) *out = k;
  json_decref(json);
  return status;
}

gf_status gf__run_kind_read(const char *folder, gf__run_kind *out) {
  char path[GF__PATH_SIZE];
  *out = GF__RUN_NONE;
  GF_TRY(gf__run_path(path, folder, marker_));
  if (gf__path_is_regular(path)) return read_marker(path, out);
  if (has_environment(folder)) *out = GF__RUN_TRAINED;
  return GF_OK;
}

/* ---- names ---- */

/* All that gradflow writes into a run folder; # is a number. */
static const char *const names_[] = {"run.json",
                                     ".lock",
                                     "config.yaml",
                                     "environment.json",
                                     "network.json",
                                     "algorithms.json",
                                     "ranks.json",
                                     "result.json",
                                     "test.json",
                                     "trace.json",
                                     "metrics.csv",
                                     "timing.csv",
                                     "gradients.csv",
                                     "activations.csv",
                                     "data.json",
                                     "early_steps.csv",
                                     "best.safetensors",
                                     "last.safetensors",
                                     "checkpoint_#.safetensors",
                                     "confusion.csv",
                                     "confusion.png",
                                     "loss.png",
                                     "accuracy.png",
                                     "update_ratio.png",
                                     "gradient_flow.png",
                                     "gradient_flow_linear.png",
                                     "gradient_flow_last.png",
                                     "gradient_layers.png",
                                     "gradient_heat_map.png",
                                     "signal_flow.png",
                                     "activations.png",
                                     "activations_last.png",
                                     "activation_heat_map.png"};
/* And into folders in it. */
static const struct {
  const char *folder, *name;
} inner_names_[] = {{"tensorboard", "events.out.tfevents.0.gradflow"},
                    {"predictions", "predictions.png"},
                    {"predictions", "predictions-#.png"}};
enum {
  NAMES = sizeof names_ / sizeof *names_,
  INNER_NAMES = sizeof inner_names_ / sizeof *inner_names_
};

static bool matches(const char *pattern, const char *name, size_t length) {
  const char *end = name + length;
  for (; *pattern; pattern++) {
    if (*pattern != '#') {
      if (name == end || *name++ != *pattern) return false;
      continue;
    }
    const char *digits = name;
    while (name < end && *name >= '0' && *name <= '9') name++;
    if (name == digits) return false;
  }
  return name == end;
}

/* Whether a run has a file of this name in the inner folder, or in its own where that is NULL; a
 * write that was killed has left one of a longer name. */
static bool is_own_name(const char *inner, const char *name) {
  size_t stem = gf__temporary_stem(name), length = stem ? stem : strlen(name);
  for (int i = 0; !inner && i < NAMES; i++)
    if (matches(names_[i], name, length)) return true;
  for (int i = 0; inner && i < INNER_NAMES; i++)
    if (!strcmp(inner_names_[i].folder, inner) && matches(inner_names_[i].name, name, length))
      return true;
  return false;
}

static bool is_inner_folder(const char *name) {
  for (int i = 0; i < INNER_NAMES; i++)
    if (!strcmp(inner_names_[i].folder, name)) return true;
  return false;
}

bool gf__run_files_have(const char *path) {
  char folder[GF__PATH_SIZE];
  gf__run_kind kind;
  const char *base = gf__path_base(path);
  snprintf(folder, sizeof folder, "%.*s", base > path ? (int)(base - path) : 1,
           base > path ? path : ".");
  return is_own_name(NULL, base) && gf__run_kind_read(folder, &kind) == GF_OK &&
         kind != GF__RUN_NONE;
}

/* ---- walks ---- */

/* One thing in a run folder, or in a folder in it. */
typedef struct found_file {
  const char *path, *name;
  bool is_own; /* a file of the run */
} found_file;

typedef gf_status (*file_visitor)(void *user, const found_file *file);

static gf_status walk_inner(const char *path, const char *inner, file_visitor visit, void *user) {
  gf__names names;
  gf_status status = gf__list_folder(path, &names);
  for (size_t i = 0; status == GF_OK && i < names.count; i++) {
    char file[GF__PATH_SIZE];
    status = gf__path_join(file, sizeof file, path, names.v[i]);
    if (status != GF_OK) break;
    bool is_file = gf__path_is_regular(file) && !gf__path_is_link(file);
    status =
        visit(user, &(found_file){file, names.v[i], is_file && is_own_name(inner, names.v[i])});
  }
  gf__names_free(&names);
  return status;
}

/* Whatever lies in the folder; in folders of it, in those alone that a run makes. No link is
 * followed but the folder itself. */
static gf_status walk(const char *folder, file_visitor visit, void *user) {
  gf__names names;
  gf_status status = gf__list_folder(folder, &names);
  for (size_t i = 0; status == GF_OK && i < names.count; i++) {
    char path[GF__PATH_SIZE];
    const char *name = names.v[i];
    status = gf__path_join(path, sizeof path, folder, name);
    if (status != GF_OK) break;
    bool is_link = gf__path_is_link(path);
    if (!is_link && is_inner_folder(name) && gf__path_is_folder(path)) {
      status = walk_inner(path, name, visit, user);
      continue;
    }
    bool is_file = !is_link && gf__path_is_regular(path);
    status = visit(user, &(found_file){path, name, is_file && is_own_name(NULL, name)});
  }
  gf__names_free(&names);
  return status;
}

static gf_status check_own(void *user, const found_file *file) {
  const char *const *folder = user;
  if (file->is_own) return GF_OK;
  return gf__fail(GF_ERROR_FILE,
                  "%s is not a file that a run writes, so %s is not replaced; move it away, or "
                  "choose another --out",
                  file->path, *folder);
}

static bool is_kept(const char *name) { return !strcmp(name, marker_) || !strcmp(name, lock_); }

static gf_status remove_own(void *user, const found_file *file) {
  (void)user;
  if (!file->is_own || is_kept(file->name) || remove(file->path) == 0) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "cannot remove %s; its folder may be read-only", file->path);
}

static gf_status remove_torn(void *user, const found_file *file) {
  (void)user;
  if (file->is_own && gf__temporary_stem(file->name)) remove(file->path);
  return GF_OK;
}

gf_status gf__run_files_remove_torn(const char *folder) { return walk(folder, remove_torn, NULL); }

gf_status gf__run_files_remove(const char *folder) {
  GF_TRY(walk(folder, remove_own, NULL));
  for (int i = 0; i < INNER_NAMES; i++) {
    char path[GF__PATH_SIZE];
    GF_TRY(gf__run_path(path, folder, inner_names_[i].folder));
    if (!gf__path_is_link(path)) remove(path); /* only an empty one goes */
  }
  return GF_OK;
}

/* ---- what may be replaced ---- */

static gf_status find_begun(void *user, const found_file *file) {
  static const char config[] = "config.yaml";
  size_t stem = gf__temporary_stem(file->name);
  bool is_begun = is_kept(file->name) ||
                  (stem && file->is_own &&
                   (matches(config, file->name, stem) || matches(marker_, file->name, stem)));
  *(bool *)user &= is_begun;
  return GF_OK;
}

bool gf__run_is_bare(const char *folder) {
  bool is_bare = true;
  return gf__path_is_folder(folder) && walk(folder, find_begun, &is_bare) == GF_OK && is_bare;
}

static gf_status fail_not_a_run(const char *folder) {
  char config[GF__PATH_SIZE];
  GF_TRY(gf__run_path(config, folder, "config.yaml"));
  if (!gf__path_exists(config))
    return gf__fail(GF_ERROR_FILE,
                    "%s is not the folder of a run (it has no config.yaml), so it is not replaced",
                    folder);
  GF_TRY(walk(folder, check_own, &folder));
  return gf__fail(GF_ERROR_FILE,
                  "%s is not replaced: nothing says that gradflow has made it (it has no %s); "
                  "choose another --out, or remove it yourself",
                  folder, marker_);
}

gf_status gf__run_files_check(const char *folder, const char *const *needed) {
  gf__run_kind kind;
  if (gf__path_is_inside(".", folder))
    return gf__fail(GF_ERROR_FILE,
                    "%s is not replaced: the working directory is in it; go to another folder, or "
                    "choose another --out",
                    folder);
  for (size_t i = 0; needed && needed[i]; i++)
    if (*needed[i] && gf__path_is_inside(needed[i], folder))
      return gf__fail(GF_ERROR_FILE,
                      "%s is not replaced: the new run would read %s, which is in it; choose "
                      "another --out",
                      folder, needed[i]);
  GF_TRY(gf__run_kind_read(folder, &kind));
  if (kind == GF__RUN_NONE) return fail_not_a_run(folder);
  return walk(folder, check_own, &folder);
}
