/* What looks wrong with the data. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "inspect/inspect.h"

static gf_status add_warning(gf_data_report *report, gf__text *text) {
  gf_status status = gf__text_status(text);
  if (status == GF_OK)
    status = gf__grow(&report->warnings, (size_t)report->warning_count, sizeof *report->warnings);
  if (status != GF_OK) {
    gf__text_free(text);
    return status;
  }
  report->warnings[report->warning_count++] = text->data;
  return GF_OK;
}

/* ---- classes ---- */

static const char *class_name(const gf_data_report *report, int class, char number[16]) {
  snprintf(number, 16, "%d", class);
  return report->info.class_names ? report->info.class_names[class] : number;
}

static gf_status warn_of_empty_classes(gf_data_report *report) {
  enum { MOST_NAMED = 5 };
  const gf_inspected_split *train = &report->splits[GF_SPLIT_TRAIN];
  gf__text text = {0};
  int empty = 0;
  char number[16];
  for (int c = 0; c < report->info.classes; c++)
    if (!train->class_images[c] && empty++ < MOST_NAMED)
      gf__text_add(&text, "%s%s", text.size ? ", " : "", class_name(report, c, number));
  if (!empty) return GF_OK;
  gf__text_add(&text, "%s: %d of %d classes have no training images",
               empty > MOST_NAMED ? ", …" : "", empty, report->info.classes);
  return add_warning(report, &text);
}

static gf_status warn_of_imbalance(gf_data_report *report) {
  enum { MUCH = 10 };
  const int *images = report->splits[GF_SPLIT_TRAIN].class_images;
  int least = -1, most = 0;
  char a[16], b[16];
  gf__text text = {0};
  for (int c = 0; c < report->info.classes; c++) {
    if (images[c] && (least < 0 || images[c] < images[least])) least = c;
    if (images[c] > images[most]) most = c;
  }
  if (least < 0 || images[most] < MUCH * images[least]) return GF_OK;
  gf__text_add(&text,
               "%s has %d training images, and %s %d: a network that names the commonest class is "
               "right in %.0f%% of them",
               class_name(report, least, a), images[least], class_name(report, most, b),
               images[most], 100.0 * images[most] / report->splits[GF_SPLIT_TRAIN].images);
  return add_warning(report, &text);
}

/* ---- pixels ---- */

/* A tenth of the deviation moves a network's inputs by a tenth; a factor of 1.2 scales them so. */
static gf_status warn_of_pixels(gf_data_report *report) {
  static const double most_shift = 0.1, most_scale = 1.2;
  gf__text text = {0};
  for (int c = 0; c < report->channels; c++) {
    double std = report->configured_std[c];
    double shift = (report->mean[c] - report->configured_mean[c]) / std;
    double scale = report->deviation[c] / std;
    bool fits = fabs(shift) <= most_shift && scale <= most_scale && scale >= 1 / most_scale;
    if (!fits)
      gf__text_add(&text, "%schannel %d has mean %.4f and deviation %.4f", text.size ? ", " : "", c,
                   report->mean[c], report->deviation[c]);
  }
  if (!text.size) return gf__text_status(&text);
  gf__text_add(
      &text,
      ": after data.mean and data.std the network's inputs are not of mean 0 and deviation "
      "1; set these to what was measured");
  return add_warning(report, &text);
}

/* ---- duplicates ---- */

static gf_status warn_of_duplicates(gf_data_report *report) {
  for (int a = 1; a < GF_SPLITS; a++)
    for (int b = 0; b < a; b++) {
      const gf_duplicates *d = &report->duplicates[a][b];
      gf__text text = {0};
      if (!d->images) continue;
      gf__text_add(&text, "%d of %d %s images are %s images as well", d->images,
                   report->splits[a].images, report->splits[a].name, report->splits[b].name);
      if (d->other_label) gf__text_add(&text, ", %d with another label", d->other_label);
      GF_TRY(add_warning(report, &text));
    }
  return GF_OK;
}

static gf_status warn_of_labels(gf_data_report *report) {
  const gf_duplicates *d = &report->duplicates[GF_SPLIT_TRAIN][GF_SPLIT_TRAIN];
  gf__text text = {0};
  if (!d->other_label) return GF_OK;
  gf__text_add(&text, "%d training images equal an earlier one that has another label",
               d->other_label);
  return add_warning(report, &text);
}

/* ---- splits and sizes ---- */

static gf_status warn_of_splits(gf_data_report *report) {
  enum { FEW = 200 };
  int validation = report->splits[GF_SPLIT_VALIDATION].images;
  for (int i = 0; i < GF_SPLITS; i++) {
    gf__text text = {0};
    if (!report->splits[i].failure) continue;
    gf__text_add(&text, "the %s images cannot be read: %s", report->splits[i].name,
                 report->splits[i].failure);
    GF_TRY(add_warning(report, &text));
  }
  if (report->splits[GF_SPLIT_VALIDATION].failure || validation >= FEW) return GF_OK;
  gf__text text = {0};
  if (validation)
    gf__text_add(
        &text,
        "of %d validation images an accuracy is known to %.0f points or so; take some %d or "
        "more (data.validation)",
        validation, 100 / sqrt(validation), FEW);
  else
    gf__text_add(&text,
                 "there are no validation images, so that a run keeps its last epoch and not its "
                 "best (data.validation)");
  return add_warning(report, &text);
}

static gf_status warn_of_sizes(gf_data_report *report) {
  const gf_inspected_sizes *s = &report->sizes;
  gf__text text = {0};
  if (!s->files || 2 * s->enlarged <= s->files) return GF_OK;
  gf__text_add(&text,
               "%d of %d training files are smaller than data.resize and are enlarged, which costs "
               "time and adds nothing; lower data.resize and data.image_size",
               s->enlarged, s->files);
  return add_warning(report, &text);
}

gf_status gf__inspect_warn(gf_data_report *report) {
  GF_TRY(warn_of_splits(report));
  GF_TRY(warn_of_empty_classes(report));
  GF_TRY(warn_of_imbalance(report));
  GF_TRY(warn_of_pixels(report));
  GF_TRY(warn_of_duplicates(report));
  GF_TRY(warn_of_labels(report));
  return warn_of_sizes(report);
}
