/* gf_inspect_data: the splits one after the other, and then what was found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "inspect/inspect.h"

static const char *const split_names_[GF_SPLITS] = {
    [GF_SPLIT_TRAIN] = "train", [GF_SPLIT_VALIDATION] = "validation", [GF_SPLIT_TEST] = "test"};

typedef struct inspection {
  const gf_config *config;
  gf_inspect_options options;
  gf_data_report *report;
  gf__sample_digest *digests;
  size_t digest_count;
} inspection;

static gf_status count_classes(gf_inspected_split *out, const gf_dataset *dataset) {
  size_t classes = (size_t)dataset->info.classes;
  out->images = dataset->info.count;
  out->class_images = calloc(classes + 1, sizeof *out->class_images);
  if (!out->class_images) return gf__fail_host_memory(classes * sizeof *out->class_images);
  for (int i = 0; i < dataset->info.count; i++) out->class_images[dataset->labels[i]]++;
  return GF_OK;
}

/* The names are the data set's, which is freed before the report. */
static gf_status keep_info(gf_data_report *report, const gf_dataset *train) {
  gf__class_names *names = calloc(1, sizeof *names);
  report->info = train->info;
  report->info.count = 0;
  report->info.class_names = NULL;
  report->owner = names;
  if (!names) return gf__fail_host_memory(sizeof *names);
  if (!train->names.v) return GF_OK;
  size_t bytes = (size_t)train->info.classes * sizeof *names->v;
  names->v = malloc(bytes);
  if (!names->v) return gf__fail_host_memory(bytes);
  for (int i = 0; i < train->info.classes; i++)
    gf__text_add_bytes(&names->text, train->names.v[i], strlen(train->names.v[i]) + 1);
  GF_TRY(gf__text_status(&names->text));
  const char *name = names->text.data;
  for (int i = 0; i < train->info.classes; i++, name += strlen(name) + 1) names->v[i] = name;
  report->info.class_names = names->v;
  return GF_OK;
}

static gf_status draw_sheet(const inspection *in, const gf_dataset *train) {
  char path[GF__PATH_SIZE];
  const gf_inspect_options *o = &in->options;
  if (!o->out) return GF_OK;
  GF_TRY(gf__make_folder(o->out));
  GF_TRY(gf__path_join(path, sizeof path, o->out, "batch.png"));
  GF_TRY(gf__inspect_draw_batch(train, in->config, o->title ? o->title : train->info.name, path));
  in->report->sheet = gf__text_copy(path);
  return in->report->sheet ? GF_OK : gf__fail_host_memory(strlen(path) + 1);
}

static gf_status inspect_train(const inspection *in, const gf_dataset *train) {
  if (train->info.count < 1)
    return gf__fail(GF_ERROR_DATA, "%s has no training images", train->settings.path);
  GF_TRY(keep_info(in->report, train));
  if (train->format->reader) gf__inspect_pixels(in->report, train);
  GF_TRY(gf__inspect_sizes(&in->report->sizes, train));
  return draw_sheet(in, train);
}

static gf_status inspect_open_split(inspection *in, const gf_dataset *dataset, gf_split split) {
  GF_TRY(count_classes(&in->report->splits[split], dataset));
  in->report->has_duplicates = dataset->format->reader != NULL;
  if (dataset->format->reader)
    GF_TRY(gf__digests_add(&in->digests, &in->digest_count, dataset, split));
  return split == GF_SPLIT_TRAIN ? inspect_train(in, dataset) : GF_OK;
}

/* A split that cannot be read is a result, unless it is the one to train on. */
static gf_status inspect_split(inspection *in, gf_split split) {
  gf_dataset *dataset;
  gf_status status = gf_dataset_open(&dataset, in->config, split);
  if (status != GF_OK && split != GF_SPLIT_TRAIN && status != GF_ERROR_MEMORY) {
    in->report->splits[split].failure = gf__text_copy(gf_error_message());
    return in->report->splits[split].failure ? GF_OK : gf__fail_host_memory(1);
  }
  GF_TRY(status);
  status = inspect_open_split(in, dataset, split);
  gf_dataset_free(&dataset);
  return status;
}

gf_inspect_options gf_inspect_options_default(void) { return (gf_inspect_options){0}; }

gf_status gf_inspect_data(gf_data_report **out, const gf_config *config,
                          const gf_inspect_options *options) {
  gf_status status = GF_OK;
  *out = calloc(1, sizeof **out);
  if (!*out) return gf__fail_host_memory(sizeof **out);
  inspection in = {.config = config,
                   .options = options ? *options : gf_inspect_options_default(),
                   .report = *out};
  for (int split = 0; split < GF_SPLITS; split++)
    in.report->splits[split].name = split_names_[split];
  for (int split = 0; split < GF_SPLITS && status == GF_OK; split++)
    status = inspect_split(&in, (gf_split)split);
  gf__digests_compare(in.digests, in.digest_count, in.report->duplicates);
  free(in.digests);
  if (status == GF_OK) status = gf__inspect_warn(in.report);
  if (status != GF_OK) gf_data_report_free(out);
  return status;
}

void gf_data_report_free(gf_data_report **pointer) {
  gf_data_report *report = *pointer;
  if (!report) return;
  for (int i = 0; i < GF_SPLITS; i++) {
    free(report->splits[i].failure);
    free(report->splits[i].class_images);
  }
  for (int i = 0; i < report->warning_count; i++) free(report->warnings[i]);
  free(report->warnings);
  free(report->sheet);
  if (report->owner) gf__class_names_free(report->owner);
  free(report->owner);
  free(report);
  *pointer = NULL;
}
