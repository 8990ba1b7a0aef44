/* The pictures of a comparison, and the page. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "bench/compare.h"
#include "bench/tables.h"
#include "report/bars.h"
#include "report/html.h"
#include "report/roofline.h"

enum { PATH = 4096 };

typedef struct report {
  const gf__bench_set *set;
  const gf_bench_compare_options *to;
  gf__text page;
} report;

static gf_status add_picture(report *r, const char *title, const char *path) {
  if (r->to->written) r->to->written(r->to->user, path);
  return gf__html_picture(&r->page, title, path);
}

/* ---- bars ---- */

/* What a bar shows of a subject, in a row like that one; NaN: nothing. */
typedef double bar_value(const gf__bench_set *set, const gf__bench_subject *s,
                         const gf_bench_row *like);

static double ratio_value(const gf__bench_set *set, const gf__bench_subject *s,
                          const gf_bench_row *like) {
  bool is_measured = s->base >= 0 && gf__bench_find(set->subjects[s->base].device, like);
  return is_measured ? gf__bench_ratio(s, gf__bench_find(set->subjects[s->base].device, like))
                     : NAN;
}

static double fraction_value(const gf__bench_set *set, const gf__bench_subject *s,
                             const gf_bench_row *like) {
  (void)set;
  const gf_bench_row *row = gf__bench_find(s->device, like);
  return row ? fmin(100 * row->fraction, 100) : NAN;
}

static double speed_value(const gf__bench_set *set, const gf__bench_subject *s,
                          const gf_bench_row *like) {
  (void)set;
  const gf_bench_row *row = gf__bench_find(s->device, like);
  return row ? row->batch / row->seconds : NAN;
}

typedef struct picture {
  const char *file, *title, *x_label, *note;
  bar_value *value;
  bool operations, steps, log; /* which rows it shows */
  bool compares;               /* left out where nothing is compared; bases have no bar */
  double reference;
  const char *reference_name;
} picture;

static const picture pictures[] = {
    {"ratios.png", "How many times as fast", "ratio of times, logarithmic", NULL, ratio_value, true,
     true, true, true, 1, "as fast"},
    {"steps.png", "Training steps", "images a second", NULL, speed_value, false, true, false, false,
     0, NULL},
    {"fractions.png", "How much of the limit that binds", "%",
     "100 also where more than the limit was measured: fewer flops, a cache, or noise",
     fraction_value, true, true, false, false, 100, "the limit"},
};
enum { PICTURES = sizeof pictures / sizeof *pictures };

/* A row of the picture for each of the first measured subject. */
static const gf_bench_device *first_measured(const gf__bench_set *set) {
  int i = 0;
  while (set->subjects[i].device->row_count == 0) i++; /* the set has one */
  return set->subjects[i].device;
}

static bool is_shown(const picture *p, const gf_bench_row *row) {
  return row->kind == GF_BENCH_OPERATION ? p->operations : p->steps;
}

static bool is_subject(const picture *p, const gf__bench_subject *s) {
  return s->device->row_count > 0 && (!p->compares || s->base >= 0);
}

/* Without a legend the picture's note has to say who is compared. */
static void write_note(char *out, size_t size, const gf__bench_set *set) {
  const gf__bench_subject *only = NULL;
  int count = 0;
  *out = 0;
  for (int s = 0; s < set->count; s++)
    if (set->subjects[s].base >= 0 && set->subjects[s].device->row_count > 0) {
      only = &set->subjects[s];
      count++;
    }
  if (count == 1) snprintf(out, size, "%s, against %s", only->name, set->subjects[only->base].name);
}

/* names, values: room for all rows, and for all rows of all subjects. */
static gf_status draw_bars(report *r, const picture *p, const char **names, double *values) {
  const gf__bench_set *set = r->set;
  const gf_bench_device *first = first_measured(set);
  gf__bar_series series[GF__BENCH_MOST_SUBJECTS];
  gf__bars bars = {.title = p->title,
                   .note = p->note,
                   .x_label = p->x_label,
                   .row_names = names,
                   .series = series,
                   .log = p->log,
                   .reference = p->reference,
                   .reference_name = p->reference_name};
  char path[PATH], note[2 * sizeof set->subjects->name + 16];
  if (p->compares) write_note(note, sizeof note, set);
  if (p->compares && *note) bars.note = note;
  for (int s = 0; s < set->count; s++)
    if (is_subject(p, &set->subjects[s]))
      series[bars.series_count++] =
          (gf__bar_series){set->subjects[s].name, values + (size_t)s * (size_t)first->row_count, s};
  for (int i = 0; i < first->row_count; i++) {
    if (!is_shown(p, &first->rows[i])) continue;
    names[bars.rows] = first->rows[i].name;
    for (int s = 0; s < set->count; s++)
      values[(size_t)s * (size_t)first->row_count + (size_t)bars.rows] =
          p->value(set, &set->subjects[s], &first->rows[i]);
    bars.rows++;
  }
  if (bars.rows == 0 || bars.series_count == 0) return GF_OK;
  GF_TRY(gf__path_join(path, sizeof path, r->to->folder, p->file));
  GF_TRY(gf__bars_write(path, &bars));
  return add_picture(r, p->title, path);
}

static gf_status add_bars(report *r) {
  size_t rows = (size_t)first_measured(r->set)->row_count;
  const char **names = malloc(rows * sizeof *names);
  double *values = malloc(rows * (size_t)r->set->count * sizeof *values);
  gf_status status =
      names && values ? GF_OK : gf__fail_host_memory(rows * (size_t)r->set->count * sizeof *values);
  for (int i = 0; status == GF_OK && i < PICTURES; i++)
    status = draw_bars(r, &pictures[i], names, values);
  free(names);
  free(values);
  return status;
}

/* ---- the roofline ---- */

static gf_status draw_roofline(report *r, gf__roof *roofs, gf__roof_point *points) {
  static const char title[] = "Roofline";
  char path[PATH];
  int count = 0;
  for (int s = 0; s < r->set->count; s++) {
    const gf_bench_device *d = r->set->subjects[s].device;
    if (d->row_count == 0) continue;
    roofs[count] = (gf__roof){.name = r->set->subjects[s].name,
                              .flops = d->limits.flops,
                              .bytes = d->limits.bytes,
                              .points = points,
                              .count = d->row_count,
                              .hue = s};
    count++;
    for (int i = 0; i < d->row_count; i++)
      *points++ = (gf__roof_point){d->rows[i].flops, d->rows[i].bytes, d->rows[i].seconds,
                                   d->rows[i].kind != GF_BENCH_OPERATION};
  }
  GF_TRY(gf__path_join(path, sizeof path, r->to->folder, "roofline.png"));
  GF_TRY(gf__roofline_write(path, title,
                            "lines: measured limits; dots: convolutions; rings: training steps",
                            roofs, count));
  return add_picture(r, title, path);
}

static gf_status add_roofline(report *r) {
  size_t rows = 0;
  gf__roof roofs[GF__BENCH_MOST_SUBJECTS];
  for (int s = 0; s < r->set->count; s++) rows += (size_t)r->set->subjects[s].device->row_count;
  gf__roof_point *points = malloc(rows * sizeof *points);
  if (!points) return gf__fail_host_memory(rows * sizeof *points);
  gf_status status = draw_roofline(r, roofs, points);
  free(points);
  return status;
}

/* ---- the page ---- */

static gf_status add_sheet(report *r, const char *caption, gf__bench_sheet *sheet) {
  gf_status status =
      sheet->table.cell_count ? gf__html_table(&r->page, caption, &sheet->table) : GF_OK;
  gf__table_free(&sheet->table);
  return status;
}

/* "~" where the two rows do not differ beyond their noise. */
static const char *ratio_mark(const gf__bench_set *set, int subject, const gf_bench_row *like) {
  const gf__bench_subject *s = &set->subjects[subject];
  const gf_bench_row *base = gf__bench_find(set->subjects[s->base].device, like);
  const gf_bench_row *row = gf__bench_find(s->device, like);
  return base && row && gf__bench_overlaps(base, row) ? "~" : "";
}

/* The ratios of all operations and steps, a column a subject. */
static gf_status add_ratios(report *r) {
  const gf__bench_set *set = r->set;
  const gf_bench_device *first = first_measured(set);
  gf__table_column columns[GF__BENCH_MOST_SUBJECTS + 1] = {{"", false}};
  char letters[GF__BENCH_MOST_SUBJECTS][2] = {{0}};
  gf__table table = {.columns = columns, .column_count = 1};
  for (int s = 0; s < set->count; s++) {
    letters[s][0] = set->subjects[s].letter;
    if (set->subjects[s].base >= 0)
      columns[table.column_count++] = (gf__table_column){letters[s], true};
  }
  if (table.column_count == 1) return GF_OK;
  for (int i = 0; i < first->row_count; i++) {
    gf__table_add(&table, "%s", first->rows[i].name);
    for (int s = 0; s < set->count; s++) {
      double ratio = ratio_value(set, &set->subjects[s], &first->rows[i]);
      if (set->subjects[s].base < 0) continue;
      if (isnan(ratio))
        gf__table_add(&table, "-");
      else
        gf__table_add(&table, "%s%.2f", ratio_mark(set, s, &first->rows[i]), ratio);
    }
  }
  gf_status status =
      gf__html_table(&r->page, "Ratios: above 1 is faster; ~ where the intervals overlap", &table);
  gf__table_free(&table);
  return status;
}

static gf_status add_subject(report *r, const gf__bench_subject *s) {
  static const char *const captions[GF_BENCH_KIND_COUNT] = {"Operations", "Training steps",
                                                            "Inference"};
  gf__bench_sheet sheet;
  gf__html_heading(&r->page, s->name);
  gf__html_paragraph(&r->page, s->path);
  if (s->device->failure) gf__html_paragraph(&r->page, s->device->failure);
  gf__bench_card(&sheet, s->device);
  GF_TRY(add_sheet(r, NULL, &sheet));
  for (gf_bench_kind kind = 0; kind < GF_BENCH_KIND_COUNT; kind++) {
    gf__bench_rows(&sheet, s->device, kind);
    GF_TRY(add_sheet(r, captions[kind], &sheet));
  }
  return GF_OK;
}

/* A paragraph a line. */
static gf_status add_lines(report *r, const char *text) {
  gf__text line = {0};
  for (size_t length; *text && !line.failed; text += length + (text[length] == '\n')) {
    length = strcspn(text, "\n");
    if (length == 0) continue;
    gf__text_add(&line, "%.*s", (int)length, text);
    gf__html_paragraph(&r->page, line.data ? line.data : "");
    line.size = 0;
  }
  gf_status status = gf__text_status(&line);
  gf__text_free(&line);
  return status;
}

static gf_status add_body(report *r, const char *verdict) {
  gf__html_begin(&r->page, "Benchmarks of gradflow", "Devices side by side");
  gf__html_heading(&r->page, "Comparison");
  GF_TRY(add_lines(r, verdict));
  GF_TRY(add_bars(r));
  GF_TRY(add_roofline(r));
  GF_TRY(add_ratios(r));
  for (int s = 0; s < r->set->count; s++) GF_TRY(add_subject(r, &r->set->subjects[s]));
  return gf__html_end(&r->page);
}

gf_status gf__bench_report(const gf__bench_set *set, const gf_bench_compare_options *comparison,
                           const char *verdict) {
  report r = {.set = set, .to = comparison};
  char path[PATH];
  GF_TRY(gf__make_folder(comparison->folder));
  gf_status status = add_body(&r, verdict);
  if (status == GF_OK) status = gf__path_join(path, sizeof path, comparison->folder, "report.html");
  if (status == GF_OK) status = gf__file_write(path, r.page.data, r.page.size);
  if (status == GF_OK && comparison->written) comparison->written(comparison->user, path);
  gf__text_free(&r.page);
  return status;
}
