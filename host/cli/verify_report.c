#include "cli/verify_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/os.h"
#include "report/table.h"

enum { WIDTH = 80, NUMBER = 32, COMMAND = 160, MOST_FAILURES = 20 };

bool gf__verified_ok(const gf__verified *device) {
  return !device->error && device->result.failure_count == 0 && device->result.cases > 0;
}

/* The command that runs a case alone. */
static void write_command(const gf__verified *device, const char *name, char out[COMMAND]) {
  snprintf(out, COMMAND, "gradflow verify --device %d:%d --case %s", device->info.platform,
           device->info.index, name);
}

/* "ok", "FAILED", or why nothing ran. */
static const char *verdict_of(const gf__verify_row *row) {
  if (row->failed) return "FAILED";
  if (row->cases) return "ok";
  return row->skipped ? "not run" : "not supported";
}

/* ---- for people ---- */

static void write_worst(const gf__verify_row *row, char out[NUMBER]) {
  if (row->cases == 0)
    snprintf(out, NUMBER, "-");
  else if (!isfinite(row->worst))
    snprintf(out, NUMBER, "not finite");
  else if (row->worst < 1000)
    snprintf(out, NUMBER, "%.3f", row->worst);
  else
    snprintf(out, NUMBER, "%.0e", row->worst);
}

static gf_status add_table(const gf__verify_result *result, gf__text *out) {
  static const gf__table_column columns[] = {{"operation", false}, {"algorithm", false},
                                             {"cases", true},      {"wrong", true},
                                             {"error", true},      {"verdict", false}};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  for (int i = 0; i < result->row_count; i++) {
    const gf__verify_row *row = &result->rows[i];
    char worst[NUMBER];
    write_worst(row, worst);
    gf__table_add(&table, "%s", row->operation);
    gf__table_add(&table, "%s", row->algorithm);
    gf__table_add(&table, "%d", row->cases);
    gf__table_add(&table, "%d", row->failed);
    gf__table_add(&table, "%s", worst);
    gf__table_add(&table, "%s", verdict_of(row));
  }
  gf_status status = gf__table_text(&table, WIDTH, out);
  gf__table_free(&table);
  return status;
}

/* Once for all passes of an algorithm. */
static void add_missing(const gf__verify_result *result, gf__text *out) {
  const char *before = "";
  for (int i = 0; i < result->row_count; i++) {
    const gf__verify_row *row = &result->rows[i];
    int length = (int)strcspn(row->algorithm, "/");
    bool is_again = !strncmp(before, row->algorithm, (size_t)length + 1);
    if (row->needs && !is_again)
      gf__text_add(out, "%s by %.*s is not supported, because it takes %s\n", row->operation,
                   length, row->algorithm, row->needs);
    if (row->needs) before = row->algorithm;
    if (row->skipped)
      gf__text_add(out, "%s/%s: %d case%s not run: %s\n", row->operation, row->algorithm,
                   row->skipped, row->skipped == 1 ? " was" : "s were", row->reason);
  }
}

static void add_failures(const gf__verified *device, gf__text *out) {
  const gf__verify_result *result = &device->result;
  for (int i = 0; i < result->failure_count && i < MOST_FAILURES; i++) {
    const gf__verify_failure *failure = &result->failures[i];
    char command[COMMAND];
    write_command(device, failure->name, command);
    gf__text_add(out, "\nFAILED %s (%s)\n  %s\n  to repeat it alone: %s\n", failure->name,
                 failure->text, failure->message, command);
  }
  if (result->failure_count > MOST_FAILURES)
    gf__text_add(out, "\n%d more have failed; all of them are in the JSON (--json, or -o FILE)\n",
                 result->failure_count - MOST_FAILURES);
}

static void add_verdict(const gf__verified *device, gf__text *out) {
  const gf__verify_result *r = &device->result;
  if (device->error) {
    gf__text_add(out, "\nFAILED: %s\n", device->error);
    return;
  }
  gf__text_add(out, "\n%d case%s, %ld numbers compared in %.1f s: ", r->cases,
               r->cases == 1 ? "" : "s", r->compared, r->seconds);
  if (r->failure_count)
    gf__text_add(out, "%d of them FAILED\n", r->failure_count);
  else
    gf__text_add(out, "%s\n", r->cases ? "all right" : "nothing could be run");
}

gf_status gf__verified_text(const gf__verified *device, gf__text *out) {
  const gf_device_info *d = &device->info;
  gf__text_add(out, "%d:%d  %s\n", d->platform, d->index, d->name);
  gf__text_add(out, "     %s, driver %s\n     %s\n\n", d->platform_name, d->driver, d->version);
  if (device->result.row_count) GF_TRY(add_table(&device->result, out));
  gf__text notes = {0};
  add_missing(&device->result, &notes);
  if (notes.size) gf__text_add(out, "\n%s", notes.data);
  gf_status status = gf__text_status(&notes);
  gf__text_free(&notes);
  add_failures(device, out);
  add_verdict(device, out);
  return status == GF_OK ? gf__text_status(out) : status;
}

/* ---- for programs ---- */

static json_t *rows_json(const gf__verify_result *result) {
  json_t *list = json_array();
  for (int i = 0; list && i < result->row_count; i++) {
    const gf__verify_row *row = &result->rows[i];
    json_t *json = json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:s, s:s?}", "operation",
                             row->operation, "algorithm", row->algorithm, "cases", row->cases,
                             "failed", row->failed, "not_run", row->skipped, "worst_error",
                             row->cases ? gf__json_number(row->worst) : json_null(), "verdict",
                             verdict_of(row), "needs", row->needs);
    if (!json || json_array_append_new(list, json) != 0) {
      json_decref(list);
      list = NULL;
    }
  }
  return list;
}

static json_t *failures_json(const gf__verified *device) {
  const gf__verify_result *result = &device->result;
  json_t *list = json_array();
  for (int i = 0; list && i < result->failure_count; i++) {
    const gf__verify_failure *failure = &result->failures[i];
    char command[COMMAND];
    write_command(device, failure->name, command);
    json_t *json =
        json_pack("{s:s, s:s, s:o, s:s}", "case", failure->name, "values", failure->text, "message",
                  gf__json_text(failure->message, strlen(failure->message)), "command", command);
    if (!json || json_array_append_new(list, json) != 0) {
      json_decref(list);
      list = NULL;
    }
  }
  return list;
}

#define TEXT(text) gf__json_text(text, strlen(text))

static json_t *device_json(const gf__verified *device) {
  const gf_device_info *d = &device->info;
  const gf__verify_result *r = &device->result;
  char selector[32];
  snprintf(selector, sizeof selector, "%d:%d", d->platform, d->index);
  return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:i, s:I, s:f, s:o, s:o}",
                   "selector", selector, "type", gf_device_type_name(d->type), "name",
                   TEXT(d->name), "platform_name", TEXT(d->platform_name), "vendor",
                   TEXT(d->vendor), "driver", TEXT(d->driver), "version", TEXT(d->version),
                   "c_version", TEXT(d->c_version), "ok", gf__verified_ok(device), "error",
                   device->error ? TEXT(device->error) : json_null(), "cases", r->cases, "compared",
                   (json_int_t)r->compared, "seconds", r->seconds, "results", rows_json(r),
                   "failures", failures_json(device));
}

json_t *gf__verified_json(const gf__verified *devices, int count, bool full) {
  gf_versions v = gf_versions_get();
  char now[21];
  bool ok = count > 0;
  json_t *list = json_array();
  for (int i = 0; list && i < count; i++) {
    ok &= gf__verified_ok(&devices[i]);
    json_t *json = device_json(&devices[i]);
    if (!json || json_array_append_new(list, json) != 0) {
      json_decref(list);
      list = NULL;
    }
  }
  gf__utc_now(now);
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o}", "date", now, "program", v.program,
                   "commit", v.commit, "clblast", v.clblast, "opencl_loader", v.opencl_loader,
                   "form", full ? "full" : "quick", "ok", ok, "devices", list);
}
