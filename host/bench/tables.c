#include "bench/tables.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

gf__short_text gf__bench_number(double value) {
  gf__short_text out;
  int digits = value > 0 && isfinite(value) ? 2 - (int)floor(log10(value)) : 0;
  digits = digits < 0 ? 0 : digits > 9 ? 9 : digits;
  snprintf(out.text, sizeof out.text, "%.*f", digits, value);
  return out;
}

void gf__bench_sheet_init(gf__bench_sheet *out, const gf__table_column *columns) {
  *out = (gf__bench_sheet){0};
  int count = 0;
  for (; columns[count].header; count++) out->columns[count] = columns[count];
  out->table = (gf__table){.columns = out->columns, .column_count = count};
}

gf_status gf__bench_sheet_end(gf__bench_sheet *sheet, gf__text *out) {
  bool is_empty = sheet->table.cell_count == 0;
  gf_status status = gf__text_status(&sheet->table.cells);
  if (!is_empty) gf__text_add(out, "\n");
  if (!is_empty) status = gf__table_text(&sheet->table, GF__BENCH_WIDTH, out);
  gf__table_free(&sheet->table);
  return status;
}

/* ---- the device ---- */

static void add_limits(gf__table *t, const gf_bench_limits *l) {
  gf__table_add(t, "multiply-adds");
  gf__table_add(t, "%s GFLOP/s", gf__bench_number(1e-9 * l->flops).text);
  gf__table_add(t, "copy on the device");
  gf__table_add(t, "%s GB/s, read and written", gf__bench_number(1e-9 * l->bytes).text);
  gf__table_add(t, "launch of a kernel");
  gf__table_add(t, "%s us in a full queue, %s us until the host knows",
                gf__bench_number(1e6 * l->launch_seconds).text,
                gf__bench_number(1e6 * l->round_trip_seconds).text);
  gf__table_add(t, "transfer");
  gf__table_add(t, "%s GB/s to the device, %s GB/s from it",
                gf__bench_number(1e-9 * l->upload).text, gf__bench_number(1e-9 * l->download).text);
}

static void add_builds(gf__table *t, const gf_bench_builds *b) {
  gf__table_add(t, "compiled");
  gf__table_add(t, "%d programs in %s s; %d from the cache in %s s", b->compiled,
                gf__bench_number(b->compile_seconds).text, b->loaded,
                gf__bench_number(b->load_seconds).text);
  if (!(b->fresh_seconds > 0)) return;
  gf__table_add(t, "first step ever");
  gf__table_add(t, "%s s, of plain7 with no kernel kept", gf__bench_number(b->fresh_seconds).text);
}

static void add_text(gf__table *t, const char *name, const char *text) {
  gf__table_add(t, "%s", name);
  gf__table_add(t, "%s", text);
}

void gf__bench_card(gf__bench_sheet *out, const gf_bench_device *d) {
  const gf_device_info *c = &d->card;
  gf__bench_sheet_init(out, (const gf__table_column[]){{"", false}, {"", false}, {NULL, false}});
  snprintf(out->headers[0], sizeof out->headers[0], "device %d:%d", c->platform, c->index);
  snprintf(out->headers[1], sizeof out->headers[1], "%s", c->name);
  out->columns[0].header = out->headers[0];
  out->columns[1].header = out->headers[1];
  gf__table *t = &out->table;
  add_text(t, "platform", c->platform_name);
  add_text(t, "vendor", c->vendor);
  add_text(t, "driver", c->driver);
  add_text(t, "version", c->version);
  add_text(t, "type", gf_device_type_name(c->type));
  gf__table_add(t, "compute units");
  gf__table_add(t, "%d at %d MHz", c->compute_units, c->clock_mhz);
  gf__table_add(t, "memory");
  gf__table_add(t, "%s, at most %s in one piece; local %s", gf__bytes_text(c->memory).text,
                gf__bytes_text(c->max_allocation).text, gf__bytes_text(c->local_memory).text);
  if (d->limits.upload > 0) add_limits(t, &d->limits);
  if (d->row_count > 0) add_builds(t, &d->builds);
}

/* ---- rows ---- */

/* Of the median, between the quartiles, from which on something else was running. */
static const double noisy_spread = 0.25;

static double spread_of(const gf_bench_row *row) { return (row->high - row->low) / row->seconds; }

bool gf__bench_is_noisy(const gf_bench_row *row) { return !(spread_of(row) <= noisy_spread); }

bool gf__bench_overlaps(const gf_bench_row *a, const gf_bench_row *b) {
  return a->low <= b->high && b->low <= a->high;
}

void gf__bench_add_noise(gf__text *out, const gf_bench_device *d) {
  int noisy = 0;
  for (int i = 0; i < d->row_count; i++) noisy += gf__bench_is_noisy(&d->rows[i]);
  if (noisy)
    gf__text_add(out,
                 "\nnoisy (*): %d of %d lines, with a spread above %.0f%%, are not fit to compare;\n"
                 "measure again while nothing else runs\n",
                 noisy, d->row_count, 100 * noisy_spread);
}

static void add_times(gf__table *t, const gf_bench_row *row) {
  gf__table_add(t, "%s", gf__bench_number(1e3 * row->seconds).text);
  gf__table_add(t, "%.0f%%%s", 100 * spread_of(row), gf__bench_is_noisy(row) ? "*" : "");
}

/* More than all of a limit is no fraction of it. */
static void add_limit(gf__table *t, const gf_bench_row *row) {
  bool is_fraction = 100 * row->fraction < 100.5;
  gf__table_add(t, is_fraction ? "%.0f%%" : ">100%%", 100 * row->fraction);
  gf__table_add(t, "%s", gf_bound_name(row->bound));
}

const char *gf__bench_kind_name(gf_bench_kind kind) {
  static const char *const names[GF_BENCH_KIND_COUNT] = {"operation", "training step", "inference"};
  return names[kind];
}

static void add_operation(gf__table *t, const gf_bench_row *row) {
  double work = row->flops > 0 ? row->flops : row->bytes;
  gf__table_add(t, "%s", row->name);
  add_times(t, row);
  gf__table_add(t, "%s %s", gf__bench_number(1e-9 * work / row->seconds).text,
                row->flops > 0 ? "GFLOP/s" : "GB/s   ");
  add_limit(t, row);
}

static void add_step(gf__table *t, const gf_bench_row *row) {
  gf__table_add(t, "%s, batch %d", row->name, row->batch);
  add_times(t, row);
  gf__table_add(t, "%s", gf__bench_number(row->batch / row->seconds).text);
  gf__table_add(t, "%s", gf__bench_number(1e-9 * row->flops / row->seconds).text);
  add_limit(t, row);
}

void gf__bench_rows(gf__bench_sheet *out, const gf_bench_device *d, gf_bench_kind kind) {
  const gf__table_column operations[] = {{gf__bench_kind_name(kind), false},
                                         {"ms", true},
                                         {"spread", true},
                                         {"rate", true},
                                         {"limit", true},
                                         {"bound by", false},
                                         {NULL, false}};
  const gf__table_column steps[] = {{gf__bench_kind_name(kind), false},
                                    {"ms", true},
                                    {"spread", true},
                                    {"images/s", true},
                                    {"GFLOP/s", true},
                                    {"limit", true},
                                    {"bound by", false},
                                    {NULL, false}};
  bool is_operation = kind == GF_BENCH_OPERATION;
  gf__bench_sheet_init(out, is_operation ? operations : steps);
  for (int i = 0; i < d->row_count; i++)
    if (d->rows[i].kind == kind)
      (is_operation ? add_operation : add_step)(&out->table, &d->rows[i]);
}

/* ---- text ---- */

/* What each round gave, so that the noise between rounds is seen beside a difference. */
static gf_status add_rounds(gf__text *out, const gf_bench_device *d) {
  gf__bench_sheet sheet;
  gf__bench_sheet_init(
      &sheet,
      (const gf__table_column[]){
          {"each round", false}, {"round", true}, {"ms", true}, {"images/s", true}, {NULL, false}});
  for (int i = 0; i < d->row_count; i++) {
    const gf_bench_row *row = &d->rows[i];
    for (int r = 0; row->rounds.count > 1 && r < row->rounds.count; r++) {
      gf__table_add(&sheet.table, "%s", row->name);
      gf__table_add(&sheet.table, "%d", r + 1);
      gf__table_add(&sheet.table, "%s", gf__bench_number(1e3 * row->rounds.seconds[r]).text);
      gf__table_add(&sheet.table, "%.1f", row->batch / row->rounds.seconds[r]);
    }
  }
  return gf__bench_sheet_end(&sheet, out);
}

static gf_status add_device(gf__text *out, const gf_bench_device *d) {
  gf__bench_sheet sheet;
  gf__bench_card(&sheet, d);
  GF_TRY(gf__bench_sheet_end(&sheet, out));
  if (d->failure) gf__text_add(out, "\nNot measured to the end: %s\n", d->failure);
  if (d->row_count == 0) return GF_OK;
  for (gf_bench_kind kind = 0; kind < GF_BENCH_KIND_COUNT; kind++) {
    gf__bench_rows(&sheet, d, kind);
    GF_TRY(gf__bench_sheet_end(&sheet, out));
  }
  gf__bench_add_noise(out, d);
  return add_rounds(out, d);
}

static const char notes[] =
    "\nms: the median; spread: between the quartiles, of the median. limit: the time\n"
    "that the limit alone allows, of the measured one. Where it would be more than\n"
    "all of it (>100%), the limit does not bind: an algorithm does with fewer flops\n"
    "than direct convolution, a cache answers instead of the memory, or something\n"
    "else was running while the limit was measured.\n";

gf_status gf_bench_text(const gf_bench *bench, char **out) {
  static const char *const titles[] = {"the quick form", "the full form", "layers", "networks"};
  gf__text text = {0};
  gf_status status = GF_OK;
  *out = NULL;
  gf__text_add(&text, "gradflow %s, commit %s, %s\nCLBlast %s, %s; %s\n", bench->program,
               bench->commit, bench->date, bench->clblast, bench->opencl_loader,
               titles[bench->form]);
  for (int i = 0; status == GF_OK && i < bench->device_count; i++)
    status = add_device(&text, &bench->devices[i]);
  gf__text_add(&text, "%s", notes);
  if (status == GF_OK) status = gf__text_status(&text);
  if (status == GF_OK)
    *out = text.data;
  else
    gf__text_free(&text);
  return status;
}
