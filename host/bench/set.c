/* The devices of several files, and which is compared with which. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/compare.h"

static gf_status add_subject(gf__bench_set *set, const char *path, const gf_bench *bench,
                             const gf_bench_device *device) {
  if (set->count == GF__BENCH_MOST_SUBJECTS)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "%s: more than %d devices cannot be compared at a time; leave out some files",
                    path, GF__BENCH_MOST_SUBJECTS);
  gf__bench_subject *s = &set->subjects[set->count];
  *s = (gf__bench_subject){path, bench, device, .base = -1, .letter = (char)('A' + set->count)};
  const char *slash = strrchr(path, '/');
  snprintf(s->name, sizeof s->name, "%c  %.80s: %.100s", s->letter, slash ? slash + 1 : path,
           device->card.name);
  set->count++;
  return GF_OK;
}

/* Of a later file, among the devices of the first file that were measured: the same one, one of
 * the same name, or the first. Of a single file: the first. */
static int find_base(const gf__bench_set *set, const gf__bench_subject *s) {
  const gf_device_info *card = &s->device->card;
  bool is_of_first = s->bench == set->files[0];
  int first = -1, same_name = -1;
  if (is_of_first && set->file_count > 1) return -1;
  for (int i = 0; i < set->count && set->subjects[i].bench == set->files[0]; i++) {
    const gf_device_info *other = &set->subjects[i].device->card;
    if (set->subjects[i].device->row_count == 0) continue;
    if (is_of_first) return &set->subjects[i] == s ? -1 : i;
    bool is_name = !strcmp(other->name, card->name);
    if (is_name && other->platform == card->platform && other->index == card->index) return i;
    if (is_name && same_name < 0) same_name = i;
    if (first < 0) first = i;
  }
  return same_name >= 0 ? same_name : first;
}

static bool have_a_row_in_common(const gf_bench_device *a, const gf_bench_device *b) {
  for (int i = 0; i < a->row_count; i++)
    if (gf__bench_find(b, &a->rows[i])) return true;
  return false;
}

static gf_status set_bases(gf__bench_set *set) {
  for (int i = 0; i < set->count; i++) {
    gf__bench_subject *s = &set->subjects[i];
    s->base = find_base(set, s);
    if (s->base < 0 || s->device->row_count == 0) continue;
    const gf__bench_subject *base = &set->subjects[s->base];
    if (!have_a_row_in_common(base->device, s->device))
      return gf__fail(GF_ERROR_DATA,
                      "%s (%s form) and %s (%s form) have no measurement in common; measure both "
                      "in the same form",
                      base->path, gf__bench_form_name(base->bench->form), s->path,
                      gf__bench_form_name(s->bench->form));
  }
  return GF_OK;
}

gf_status gf__bench_set_load(gf__bench_set *out, const char *const *paths, int count) {
  *out = (gf__bench_set){0};
  out->files = calloc((size_t)count, sizeof *out->files);
  if (!out->files) return gf__fail_host_memory((size_t)count * sizeof *out->files);
  bool any = false; /* of the first file, with which the others are compared */
  for (int f = 0; f < count; f++) {
    const char *path = paths[f];
    GF_TRY(gf_bench_load(&out->files[f], path));
    const gf_bench *bench = out->files[f];
    out->file_count++;
    for (int i = 0; i < bench->device_count; i++) {
      any |= bench->devices[i].row_count > 0;
      GF_TRY(add_subject(out, path, bench, &bench->devices[i]));
    }
    if (!any)
      return gf__fail(GF_ERROR_DATA, "%s has no device that was measured: %s", path,
                      bench->devices[0].failure ? bench->devices[0].failure : "no rows");
  }
  return set_bases(out);
}

void gf__bench_set_free(gf__bench_set *set) {
  for (int i = 0; i < set->file_count; i++) gf_bench_free(&set->files[i]);
  free(set->files);
  *set = (gf__bench_set){0};
}

/* ---- arithmetic ---- */

const gf_bench_row *gf__bench_find(const gf_bench_device *device, const gf_bench_row *like) {
  for (int i = 0; i < device->row_count; i++)
    if (device->rows[i].batch == like->batch && !strcmp(device->rows[i].name, like->name))
      return &device->rows[i];
  return NULL;
}

double gf__bench_ratio(const gf__bench_subject *subject, const gf_bench_row *of_base) {
  const gf_bench_row *row = gf__bench_find(subject->device, of_base);
  return row ? of_base->seconds / row->seconds : NAN;
}

double gf__bench_mean_ratio(const gf__bench_set *set, const gf__bench_subject *subject,
                            gf_bench_kind kind, int *count) {
  const gf_bench_device *base = set->subjects[subject->base].device;
  double sum = 0;
  *count = 0;
  for (int i = 0; i < base->row_count; i++) {
    double ratio = gf__bench_ratio(subject, &base->rows[i]);
    if (base->rows[i].kind != kind || isnan(ratio)) continue;
    sum += log(ratio);
    ++*count;
  }
  return *count ? exp(sum / *count) : NAN;
}
