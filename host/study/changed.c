#include "study/changed.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "run/config_diff.h"
#include "run/run_folder.h"
#include "study/plan.h"
#include "train/train_config.h"

/* Keys of the data whose value the files say where the config does not, and what stands for that.
 */
static const struct {
  const char *key, *open;
} of_files_[] = {{"validation", "-1"}, {"classes", "0"}, {"bands", "0"}};

/* A run has the values that files have said; what the setting leaves to them is the same. */
static gf_status adopt_files(gf_config *now, const gf_config *run) {
  for (size_t i = 0; i < sizeof of_files_ / sizeof *of_files_; i++) {
    char assignment[128];
    const char *key = of_files_[i].key;
    const gf__value *own = gf__value_get(gf__value_get(gf__config_root(now), "data"), key);
    const gf__value *found = gf__value_get(gf__value_get(gf__config_root(run), "data"), key);
    if (!own || !found || strcmp(gf__scalar_words(own), of_files_[i].open) != 0) continue;
    snprintf(assignment, sizeof assignment, "data.%s=%s", key, gf__scalar_words(found));
    GF_TRY(gf_config_set(now, assignment));
  }
  return GF_OK;
}

/* "\n  a: 1, was 2\n  b: 3, was 4" in one line. */
static void add_in_line(gf__text *out, const char *lines) {
  static const char begin[] = "\n  ";
  const char *start = lines;
  for (const char *at = strstr(lines, begin); at; at = strstr(start, begin)) {
    if (at > start) gf__text_add(out, "%.*s; ", (int)(at - start), start);
    start = at + sizeof begin - 1;
  }
  gf__text_add(out, "%s", start);
}

static gf_status compare(gf__text *out, gf_config *now, const gf_config *run) {
  gf__text lines = {0};
  GF_TRY(adopt_files(now, run));
  gf__config_diff(gf__config_root(now), gf__config_root(run), &lines);
  gf_status status = gf__text_status(&lines);
  if (status == GF_OK && lines.size) add_in_line(out, lines.data);
  gf__text_free(&lines);
  return status == GF_OK ? gf__text_status(out) : status;
}

/* Both with all defaults; false where either cannot be read, which other readers report. */
static bool resolve(gf_config **out, gf_status status, gf_config **config) {
  *out = NULL;
  bool resolved = status == GF_OK && gf__config_resolved(out, *config) == GF_OK;
  gf_config_free(config);
  return resolved;
}

gf_status gf__study_difference(gf__text *out, const gf_study *study, const gf__setting *setting,
                               uint64_t seed, const char *folder) {
  char path[GF__PATH_SIZE];
  gf_config *config = NULL, *now = NULL, *run = NULL;
  gf_study_item item = {.setting = setting->name, .seed = seed};
  GF_TRY(gf__run_path(path, folder, "config.yaml"));
  if (!gf__path_exists(path)) return GF_OK;
  gf_status status = GF_OK;
  if (resolve(&now, gf__item_config(study, &item, &config), &config) &&
      resolve(&run, gf__run_config_load(&config, folder), &config))
    status = compare(out, now, run);
  gf_config_free(&now);
  gf_config_free(&run);
  return status;
}
