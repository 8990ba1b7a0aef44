/* gf_bench_compare: the tables, and what is too slow. */
#include "bench/compare.h"

#include <math.h>
#include <stdlib.h>

#include "bench/tables.h"

/* ---- who is who ---- */

static gf_status add_subjects(gf__text *out, const gf__bench_set *set) {
  gf__bench_sheet sheet;
  gf__bench_sheet_init(&sheet, (const gf__table_column[]){{"", false},
                                                          {"device", false},
                                                          {"file", false},
                                                          {"form", false},
                                                          {"gradflow", false},
                                                          {NULL, false}});
  for (int i = 0; i < set->count; i++) {
    const gf__bench_subject *s = &set->subjects[i];
    gf__table_add(&sheet.table, "%c", s->letter);
    gf__table_add(&sheet.table, "%s", s->device->card.name);
    gf__table_add(&sheet.table, "%s", s->path);
    gf__table_add(&sheet.table, "%s", gf__bench_form_name(s->bench->form));
    gf__table_add(&sheet.table, "%s", s->bench->program);
  }
  return gf__bench_sheet_end(&sheet, out);
}

/* ---- limits ---- */

static void add_limit(gf__table *t, const char *name, double base, double other, bool is_time) {
  gf__table_add(t, "%s", name);
  gf__table_add(t, "%s", gf__bench_number(base).text);
  gf__table_add(t, "%s", gf__bench_number(other).text);
  gf__table_add(t, "%.2f", is_time ? base / other : other / base);
}

static gf_status add_limits(gf__text *out, const gf__bench_subject *base,
                            const gf__bench_subject *other) {
  gf__bench_sheet sheet;
  const gf_bench_limits *a = &base->device->limits, *b = &other->device->limits;
  char letters[2][2] = {{base->letter}, {other->letter}};
  gf__bench_sheet_init(&sheet, (const gf__table_column[]){{"limit", false},
                                                          {letters[0], true},
                                                          {letters[1], true},
                                                          {"ratio", true},
                                                          {NULL, false}});
  gf__table *t = &sheet.table;
  add_limit(t, "multiply-adds, GFLOP/s", 1e-9 * a->flops, 1e-9 * b->flops, false);
  add_limit(t, "copy on the device, GB/s", 1e-9 * a->bytes, 1e-9 * b->bytes, false);
  add_limit(t, "launch in a full queue, us", 1e6 * a->launch_seconds, 1e6 * b->launch_seconds,
            true);
  add_limit(t, "launch and answer, us", 1e6 * a->round_trip_seconds, 1e6 * b->round_trip_seconds,
            true);
  add_limit(t, "transfer to the device, GB/s", 1e-9 * a->upload, 1e-9 * b->upload, false);
  add_limit(t, "transfer from it, GB/s", 1e-9 * a->download, 1e-9 * b->download, false);
  return gf__bench_sheet_end(&sheet, out);
}

/* ---- rows ---- */

static gf_status add_rows(gf__text *out, const gf__bench_subject *base,
                          const gf__bench_subject *other, gf_bench_kind kind) {
  gf__bench_sheet sheet;
  char letters[2][8] = {{base->letter, ',', ' ', 'm', 's'}, {other->letter, ',', ' ', 'm', 's'}};
  char bounds[2][16] = {"bound of ", "bound of "};
  bounds[0][9] = base->letter;
  bounds[1][9] = other->letter;
  gf__bench_sheet_init(&sheet, (const gf__table_column[]){{gf__bench_kind_name(kind), false},
                                                          {letters[0], true},
                                                          {letters[1], true},
                                                          {"ratio", true},
                                                          {bounds[0], false},
                                                          {bounds[1], false},
                                                          {NULL, false}});
  gf__table *t = &sheet.table;
  for (int i = 0; i < base->device->row_count; i++) {
    const gf_bench_row *a = &base->device->rows[i], *b = gf__bench_find(other->device, a);
    if (a->kind != kind || !b) continue;
    gf__table_add(t, kind == GF_BENCH_OPERATION ? "%s" : "%s, batch %d", a->name, a->batch);
    gf__table_add(t, "%s", gf__bench_number(1e3 * a->seconds).text);
    gf__table_add(t, "%s", gf__bench_number(1e3 * b->seconds).text);
    gf__table_add(t, "%s%.2f", gf__bench_overlaps(a, b) ? "~" : "", gf__bench_ratio(other, a));
    gf__table_add(t, "%s", gf_bound_name(a->bound));
    gf__table_add(t, "%s", gf_bound_name(b->bound));
  }
  if (t->cell_count > 0) return gf__bench_sheet_end(&sheet, out);
  gf__table_free(t);
  return GF_OK;
}

static void add_mean(gf__text *out, const gf__bench_set *set, const gf__bench_subject *s,
                     gf_bench_kind kind) {
  int count;
  double mean = gf__bench_mean_ratio(set, s, kind, &count);
  if (count > 0)
    gf__text_add(out, "%s%.2f of %d %s%s", out->size ? ", " : "", mean, count,
                 gf__bench_kind_name(kind), count > 1 ? "s" : "");
}

static gf_status add_pair(gf__text *out, const gf__bench_set *set, const gf__bench_subject *s) {
  const gf__bench_subject *base = &set->subjects[s->base];
  if (s->device->row_count == 0) return GF_OK;
  gf__text means = {0};
  GF_TRY(add_limits(out, base, s));
  for (gf_bench_kind kind = 0; kind < GF_BENCH_KIND_COUNT; kind++)
    GF_TRY(add_rows(out, base, s, kind));
  for (gf_bench_kind kind = 0; kind < GF_BENCH_KIND_COUNT; kind++) add_mean(&means, set, s, kind);
  gf_status status = gf__text_status(&means);
  if (status == GF_OK && means.size)
    gf__text_add(out, "\nGeometric means of %c's ratios: %s.\n", s->letter, means.data);
  gf__text_free(&means);
  return status;
}

/* ---- what is too slow ---- */

/* A line a row that fails; returns their number. */
static int add_failed(gf__text *out, const gf__bench_set *set, const gf__bench_subject *s,
                      double fail_below) {
  const gf_bench_device *base = set->subjects[s->base].device;
  int failed = 0;
  for (int i = 0; i < base->row_count; i++) {
    double ratio = gf__bench_ratio(s, &base->rows[i]);
    if (ratio >= fail_below) continue;
    failed++;
    gf__text_add(out, "  %c  %s: ", s->letter, base->rows[i].name);
    const gf_bench_row *row = gf__bench_find(s->device, &base->rows[i]);
    if (!row)
      gf__text_add(out, "not measured\n");
    else
      gf__text_add(out, "%.4g%s\n", ratio,
                   gf__bench_overlaps(&base->rows[i], row) ? ", within the noise" : "");
  }
  return failed;
}

static int judge(gf__text *out, const gf__bench_set *set, double fail_below) {
  gf__text lines = {0};
  int failed = 0;
  for (int i = 0; i < set->count; i++) {
    const gf__bench_subject *s = &set->subjects[i];
    if (s->device->failure)
      gf__text_add(out, "\n%c was not measured to the end: %s\n", s->letter, s->device->failure);
    if (fail_below > 0 && s->base >= 0) failed += add_failed(&lines, set, s, fail_below);
  }
  if (fail_below > 0 && failed == 0) gf__text_add(out, "\nNo ratio is below %g.\n", fail_below);
  if (failed > 0)
    gf__text_add(out, "\n%d ratio%s below %g, or missing:\n%s", failed,
                 failed > 1 ? "s are" : " is", fail_below, lines.data ? lines.data : "");
  out->failed |= lines.failed;
  gf__text_free(&lines);
  return failed;
}

/* Of a single device, which is compared with none. */
static gf_status add_alone(gf__text *out, const gf_bench_device *device) {
  for (gf_bench_kind kind = 0; kind < GF_BENCH_KIND_COUNT; kind++) {
    gf__bench_sheet sheet;
    gf__bench_rows(&sheet, device, kind);
    GF_TRY(gf__bench_sheet_end(&sheet, out));
  }
  gf__bench_add_noise(out, device);
  return GF_OK;
}

/* How far the ratios can be trusted. */
static void add_noise(gf__text *out, const gf__bench_set *set) {
  int overlaps = 0, pairs = 0;
  for (int s = 0; s < set->count; s++) {
    const gf__bench_subject *subject = &set->subjects[s];
    const gf_bench_device *base = subject->base < 0 ? NULL : set->subjects[subject->base].device;
    for (int i = 0; base && i < base->row_count; i++) {
      const gf_bench_row *row = gf__bench_find(subject->device, &base->rows[i]);
      pairs += row != NULL;
      overlaps += row && gf__bench_overlaps(&base->rows[i], row);
    }
  }
  if (overlaps)
    gf__text_add(out,
                 "\n~: of %d of %d ratios the intervals between the quartiles overlap, so that no\n"
                 "difference was measured.\n",
                 overlaps, pairs);
  for (int s = 0; s < set->count; s++) {
    gf__text noise = {0};
    gf__bench_add_noise(&noise, set->subjects[s].device);
    if (noise.size) gf__text_add(out, "\n%c %s", set->subjects[s].letter, noise.data + 1);
    gf__text_free(&noise);
  }
}

static gf_status add_all(gf__text *out, const gf__bench_set *set) {
  GF_TRY(add_subjects(out, set));
  if (set->count == 1) return add_alone(out, set->subjects[0].device);
  for (int i = 0; i < set->count; i++)
    if (set->subjects[i].base >= 0) GF_TRY(add_pair(out, set, &set->subjects[i]));
  gf__text_add(out, "\nA ratio above 1 is faster than %s.\n",
               set->file_count > 1 ? "the first file" : "the first device");
  add_noise(out, set);
  return GF_OK;
}

gf_bench_compare_options gf_bench_compare_options_default(void) {
  return (gf_bench_compare_options){.fail_below = 0};
}

gf_status gf_bench_compare(const char *const *paths, int count,
                           const gf_bench_compare_options *options, char **text, int *failed) {
  gf__bench_set set;
  gf__text out = {0}, verdict = {0};
  *text = NULL;
  *failed = 0;
  gf_status status = gf__bench_set_load(&set, paths, count);
  if (status == GF_OK) status = add_all(&out, &set);
  if (status == GF_OK) {
    *failed = judge(&verdict, &set, options->fail_below);
    status = gf__text_status(&verdict);
  }
  if (status == GF_OK && options->folder)
    status = gf__bench_report(&set, options, verdict.data ? verdict.data : "");
  gf__text_add(&out, "%s", verdict.data ? verdict.data : "");
  if (status == GF_OK) status = gf__text_status(&out);
  if (status == GF_OK)
    *text = out.data;
  else
    gf__text_free(&out);
  gf__text_free(&verdict);
  gf__bench_set_free(&set);
  return status;
}
