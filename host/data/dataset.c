#include "data/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

static const gf__value *section_of(const gf_config *config) {
  return gf__value_get(gf__config_root(config), "data");
}

/* ---- the shape without the samples ---- */

static const gf__data_format *expect_shape(gf_dataset_info *out, gf__data_settings *settings) {
  const gf__data_format *format = gf__data_formats[settings->kind];
  format->expect(format, settings, out);
  return format;
}

static gf_status describe_files(gf_dataset_info *out, const gf__data_format *format,
                                const gf__data_settings *settings) {
  gf__data_source source = {.format = format, .settings = settings, .files = format->train};
  return format->describe ? format->describe(&source, out) : GF_OK;
}

/* Free the settings after a success. */
static gf_status read_settings(gf__data_settings *out, const gf_config *config) {
  GF_TRY(gf__data_settings_read(out, config));
  gf_status status = gf__data_settings_resolve(out, section_of(config));
  if (status != GF_OK) gf__data_settings_free(out);
  return status;
}

gf_status gf__data_expect(gf_dataset_info *out, const gf_config *config) {
  gf__data_settings settings;
  GF_TRY(read_settings(&settings, config));
  expect_shape(out, &settings);
  gf__data_settings_free(&settings);
  return GF_OK;
}

gf_status gf__data_recall(gf_dataset_info *out, const gf_config *config) {
  gf__data_settings settings;
  GF_TRY(read_settings(&settings, config));
  const gf__data_format *format = expect_shape(out, &settings);
  gf_status status = format->has_shape_in_files ? describe_files(out, format, &settings) : GF_OK;
  gf__data_settings_free(&settings);
  return status;
}

gf_status gf_dataset_shape(gf_dataset_info *out, const gf_config *config) {
  gf__data_settings settings;
  GF_TRY(read_settings(&settings, config));
  const gf__data_format *format = expect_shape(out, &settings);
  gf_status status = describe_files(out, format, &settings);
  gf__data_settings_free(&settings);
  return status;
}

/* ---- opening ---- */

static gf_status resolve_path(gf__data_settings *settings, const gf__value *section,
                              const gf__data_format *format) {
  if (!*settings->path) {
    if (!format->folder)
      return gf__value_fail(section, "data.path is missing: name the folder with %s of %s; %s",
                            format->files, format->name, format->source);
    char *path = gf__text_copy(format->folder);
    if (!path) return gf__fail_host_memory(strlen(format->folder) + 1);
    free(settings->path);
    settings->path = path;
  }
  if (gf__path_is_folder(settings->path)) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "data.path: there is no folder %s; %s is read from %s; %s",
                  settings->path, format->name, format->files, format->source);
}

/* The config that data.checksums points into may be gone before the data set is. */
static gf_status keep_checksums(gf_dataset *dataset) {
  if (!dataset->settings.checksums) return GF_OK;
  gf__text yaml = {0};
  gf__value_write(&yaml, 0, dataset->settings.checksums);
  gf_status status = gf__text_status(&yaml);
  if (status == GF_OK) status = gf_config_parse(&dataset->checksums, "data.checksums", yaml.data);
  if (status == GF_OK) dataset->settings.checksums = gf__config_root(dataset->checksums);
  gf__text_free(&yaml);
  return status;
}

/* A data set with its settings and without anything of its files. The caller frees *out. */
static gf_status open_settings(gf_dataset **out, const gf_config *config) {
  *out = NULL;
  gf_dataset *dataset = calloc(1, sizeof *dataset);
  if (!dataset) return gf__fail_host_memory(sizeof *dataset);
  gf_status status = read_settings(&dataset->settings, config);
  if (status != GF_OK) {
    free(dataset);
    return status;
  }
  dataset->format = gf__data_formats[dataset->settings.kind];
  *out = dataset;
  return GF_OK;
}

static gf_status open_split(gf_dataset *dataset, const gf_config *config, gf_split split) {
  const gf__data_format *format = dataset->format;
  gf__data_source source = {.format = format,
                            .settings = &dataset->settings,
                            .files = split == GF_SPLIT_TEST ? format->test : format->train};
  GF_TRY(resolve_path(&dataset->settings, section_of(config), format));
  GF_TRY(format->open(dataset, &source, split));
  GF_TRY(gf__class_names_find(&dataset->names, &source, format->name, dataset->info.classes));
  dataset->info.class_names = dataset->names.v;
  return keep_checksums(dataset);
}

gf_status gf_dataset_open(gf_dataset **out, const gf_config *config, gf_split split) {
  GF_TRY(open_settings(out, config));
  gf_status status = open_split(*out, config, split);
  if (status != GF_OK) gf_dataset_free(out);
  return status;
}

static gf_status prepare(gf_dataset *dataset) {
  const gf__data_format *format = dataset->format;
  if (!format->read_file)
    return gf__fail(GF_ERROR_CONFIG,
                    "the run was trained on %s, whose patches no image file holds; take a run on "
                    "images",
                    format->name);
  expect_shape(&dataset->info, &dataset->settings);
  if (format->has_shape_in_files)
    GF_TRY(describe_files(&dataset->info, format, &dataset->settings));
  dataset->settings.checksums = NULL; /* no file is read, and the config may be gone */
  return format->prepare(dataset);
}

gf_status gf__dataset_open_empty(gf_dataset **out, const gf_config *config) {
  GF_TRY(open_settings(out, config));
  gf_status status = prepare(*out);
  if (status != GF_OK) gf_dataset_free(out);
  return status;
}

/* ---- what is missing ---- */

static bool has_file(const gf__data_settings *settings, const char *name) {
  char path[GF__PATH_SIZE], packed[GF__PATH_SIZE + 4];
  if (gf__path_join(path, sizeof path, settings->path, name) != GF_OK) return false;
  snprintf(packed, sizeof packed, "%s.gz", path);
  return gf__path_exists(path) || gf__path_exists(packed);
}

static bool has_test(const gf_dataset *dataset) {
  const gf__data_format *format = dataset->format;
  const gf__data_settings *settings = &dataset->settings;
  if (format->has_test) return format->has_test(settings);
  for (const char *const *file = format->test; !format->reads_file && *file; file++)
    if (!has_file(settings, *file)) return false;
  return true;
}

void gf__dataset_warn(const gf_dataset *train, const gf_dataset *validation) {
  enum { FEW = 200 };
  int count = validation->info.count;
  if (!has_test(train))
    gf__log(GF_LOG_WARNING,
            "there are no test images in %s, so that gradflow test will have none; %s is read from "
            "%s",
            train->settings.path, train->format->name, train->format->files);
  if (count > 0 && count < FEW)
    gf__log(GF_LOG_WARNING,
            "of %d validation images an accuracy is known to %.0f points or so, and the best epoch "
            "is chosen by it; take some %d or more (data.validation)",
            count, 100 / sqrt((double)count), FEW);
}

void gf_dataset_free(gf_dataset **pointer) {
  gf_dataset *dataset = *pointer;
  if (!dataset) return;
  dataset->format->close(dataset);
  gf__data_settings_free(&dataset->settings);
  gf__class_names_free(&dataset->names);
  gf_config_free(&dataset->checksums);
  free(dataset->labels);
  free(dataset);
  *pointer = NULL;
}

gf_dataset_info gf_dataset_describe(const gf_dataset *dataset) { return dataset->info; }
