#include "verify/verify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/os.h"
#include "base/text.h"
#include "verify/subjects.h"

typedef struct verification {
  gf_device *device;
  const gf__verify_options *options;
  gf__verify_result *out;
  gf__arena arena;
  gf__subject *subjects; /* one for each of out's rows */
  int subject_count, done, total;
  bool failed; /* memory for the subjects */
} verification;

static void add_subject(void *user, const gf__subject *subject) {
  verification *r = user;
  r->failed =
      r->failed || gf__grow(&r->subjects, (size_t)r->subject_count, sizeof *r->subjects) != GF_OK;
  if (!r->failed) r->subjects[r->subject_count++] = *subject;
}

static gf_status collect(verification *r) {
  gf__conv2d_subjects(add_subject, r);
  gf__layer_subjects(add_subject, r);
  gf__batch_norm_subjects(add_subject, r);
  gf__operation_subjects(add_subject, r);
  gf__optimizer_subjects(add_subject, r);
  size_t bytes = (size_t)r->subject_count * sizeof *r->out->rows;
  r->out->rows = r->failed ? NULL : calloc(1, bytes);
  if (!r->out->rows) return gf__fail_host_memory(bytes);
  for (int i = 0; i < r->subject_count; i++) {
    gf__verify_row *row = &r->out->rows[i];
    snprintf(row->operation, sizeof row->operation, "%s", r->subjects[i].operation);
    snprintf(row->algorithm, sizeof row->algorithm, "%s", r->subjects[i].algorithm);
  }
  return GF_OK;
}

/* ---- names ---- */

static void name_case(const gf__subject *subject, int number, char out[GF__VERIFY_NAME]) {
  snprintf(out, GF__VERIFY_NAME, "%s/%s/%d", subject->operation, subject->algorithm, number);
}

/* Whether only is name, or what name begins with, up to a "/". */
static bool is_within(const char *only, const char *name) {
  size_t length = strlen(only);
  return strncmp(only, name, length) == 0 && (name[length] == 0 || name[length] == '/');
}

/* accepted: how many cases the subject has accepted before this one. */
static bool is_wanted(const verification *r, const gf__subject *subject, int number, int accepted) {
  char name[GF__VERIFY_NAME];
  const gf__verify_options *o = r->options;
  name_case(subject, number, name);
  if (o->only && !strcmp(o->only, name)) return true;
  return (o->full || accepted == 0) && (!o->only || is_within(o->only, name));
}

static gf_status fail_only(const verification *r) {
  const char *only = r->options->only, *slash = strchr(only, '/');
  size_t length = slash ? (size_t)(slash - only) : strlen(only);
  gf__text known = {0};
  bool has_operation = false;
  for (int i = 0; i < r->subject_count; i++) {
    const gf__subject *s = &r->subjects[i];
    has_operation |= strlen(s->operation) == length && !strncmp(s->operation, only, length);
  }
  for (int i = 0; i < r->subject_count; i++) {
    const gf__subject *s = &r->subjects[i];
    bool is_same = strlen(s->operation) == length && !strncmp(s->operation, only, length);
    bool is_again = i > 0 && !strcmp(s->operation, r->subjects[i - 1].operation);
    const char *comma = known.size ? ", " : "";
    if (has_operation && is_same)
      gf__text_add(&known, "%s%s/%s", comma, s->operation, s->algorithm);
    else if (!has_operation && !is_again)
      gf__text_add(&known, "%s%s", comma, s->operation);
  }
  gf_status status = gf__text_status(&known);
  if (status == GF_OK)
    status = gf__fail(GF_ERROR_ARGUMENT,
                      "no case that this device can run is called '%s'; there are %s, each with "
                      "numbers from 1, as in conv2d/direct/forward/3",
                      only, known.data);
  gf__text_free(&known);
  return status;
}

/* ---- cases ---- */

static gf_status add_failure(verification *r, const char *name, const char *text,
                             const char *message) {
  gf__verify_result *out = r->out;
  GF_TRY(gf__grow(&out->failures, (size_t)out->failure_count, sizeof *out->failures));
  gf__verify_failure *failure = &out->failures[out->failure_count++];
  *failure = (gf__verify_failure){.text = gf__text_copy(text), .message = gf__text_copy(message)};
  snprintf(failure->name, sizeof failure->name, "%s", name);
  return failure->text && failure->message ? GF_OK : gf__fail_host_memory(strlen(message));
}

/* Not enough device memory for the case. */
static gf_status skip_case(gf__verify_row *row) {
  row->skipped++;
  if (row->reason) return GF_OK;
  row->reason = gf__text_copy(gf_error_message());
  return row->reason ? GF_OK : gf__fail_host_memory(1);
}

static gf_status run_case(verification *r, const gf__subject *subject, gf__verify_row *row,
                          gf__cases *list) {
  char name[GF__VERIFY_NAME];
  gf__check check = {.device = r->device, .arena = &r->arena};
  name_case(subject, list->count, name);
  if (r->options->progress) r->options->progress(r->options->user, name, r->done, r->total);
  r->done++;
  gf_status status = subject->run(subject, &check, list);
  if (status == GF_OK) status = gf__guarded_close(&check);
  gf__check_close(&check);
  GF_TRY(gf__arena_status(&r->arena));
  if (status == GF_ERROR_DEVICE_MEMORY || status == GF_ERROR_MEMORY) return skip_case(row);
  if (status != GF_OK) gf__check_fault(&check, "%s", gf_error_message());
  row->cases++;
  row->failed += check.fault[0] != 0;
  row->worst = fmax(row->worst, check.worst);
  r->out->cases++;
  r->out->compared += check.compared;
  return check.fault[0] ? add_failure(r, name, list->text, check.fault) : GF_OK;
}

/* Runs the wanted cases of a subject, or only counts them. */
static gf_status verify_subject(verification *r, int index, bool counts) {
  const gf__subject *subject = &r->subjects[index];
  gf__verify_row *row = &r->out->rows[index];
  gf__cases list;
  int accepted = 0;
  gf__cases_open(&list, subject->list);
  while (gf__cases_next(&list)) {
    gf__check check = {.device = r->device, .arena = &r->arena};
    gf__arena_reset(&r->arena);
    if (subject->accepts && !subject->accepts(subject, &check, &list)) continue;
    bool wanted = is_wanted(r, subject, list.count, accepted++);
    if (wanted && counts) r->total++;
    if (wanted && !counts) GF_TRY(run_case(r, subject, row, &list));
  }
  if (list.error[0]) return gf__fail(GF_ERROR_DATA, "%s", list.error);
  if (accepted == 0) row->needs = subject->needs;
  return GF_OK;
}

/* Whether only names an operation or an algorithm, be it one that the device cannot run. */
static bool is_known(const verification *r, const char *only) {
  for (int i = 0; i < r->subject_count; i++) {
    const gf__verify_row *row = &r->out->rows[i];
    char name[GF__VERIFY_NAME];
    snprintf(name, sizeof name, "%s/%s", row->operation, row->algorithm);
    if (is_within(only, name)) return true;
  }
  return false;
}

static gf_status run_all(verification *r) {
  GF_TRY(gf__arena_open(&r->arena));
  GF_TRY(collect(r));
  for (int i = 0; i < r->subject_count; i++) GF_TRY(verify_subject(r, i, true));
  if (r->total == 0 && r->options->only && !is_known(r, r->options->only)) return fail_only(r);
  for (int i = 0; i < r->subject_count; i++) GF_TRY(verify_subject(r, i, false));
  return GF_OK;
}

/* Leaves out the rows of which nothing was asked for. */
static void drop_rows(verification *r) {
  gf__verify_result *out = r->out;
  out->row_count = 0;
  for (int i = 0; out->rows && i < r->subject_count; i++) {
    const gf__verify_row *row = &out->rows[i];
    char name[GF__VERIFY_NAME];
    snprintf(name, sizeof name, "%s/%s", row->operation, row->algorithm);
    if (row->cases || row->skipped || !r->options->only || is_within(r->options->only, name))
      out->rows[out->row_count++] = *row;
  }
}

gf_status gf__verify(gf_device *device, const gf__verify_options *options, gf__verify_result *out) {
  verification r = {.device = device, .options = options, .out = out};
  *out = (gf__verify_result){0};
  double start = gf__seconds();
  gf_status status = run_all(&r);
  out->seconds = gf__seconds() - start;
  drop_rows(&r);
  gf__arena_close(&r.arena);
  free(r.subjects);
  return status;
}

void gf__verify_free(gf__verify_result *result) {
  for (int i = 0; i < result->failure_count; i++) {
    free(result->failures[i].text);
    free(result->failures[i].message);
  }
  for (int i = 0; i < result->row_count; i++) free(result->rows[i].reason);
  free(result->failures);
  free(result->rows);
  *result = (gf__verify_result){0};
}
