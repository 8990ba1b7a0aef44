/* Which devices a selector means, and which of them is the best. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "device/internal.h"

static bool contains_ignoring_case(const char *text, const char *wanted) {
  size_t length = strlen(wanted);
  for (; *text; text++) {
    size_t i = 0;
    while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)wanted[i])) i++;
    if (i == length) return true;
  }
  return length == 0;
}

/* GPUs come first, and emulators, simulators and what else there is last. */
static int kind_order(gf_device_type type) {
  static const int order[] = {[GF_DEVICE_GPU] = 0, [GF_DEVICE_CPU] = 1, [GF_DEVICE_OTHER] = 2};
  return order[type];
}

int gf__device_compare(const gf_device_info *a, const gf_device_info *b) {
  int kinds = kind_order(a->type) - kind_order(b->type);
  if (kinds) return kinds;
  /* A rough measure of speed; a driver that does not know the clock says 0. */
  double x = (double)a->compute_units * a->clock_mhz, y = (double)b->compute_units * b->clock_mhz;
  if (x != y) return x > y ? -1 : 1;
  return a->platform != b->platform ? a->platform - b->platform : a->index - b->index;
}

static int compare_candidates(const void *a, const void *b) {
  return gf__device_compare(&((const gf__candidate *)a)->info, &((const gf__candidate *)b)->info);
}

/* "0:1": the index of a platform and of a device of it. */
static bool read_indices(const char *selector, int *platform, int *index) {
  enum { MOST = 1000 };
  char *end;
  long first = strtol(selector, &end, 10), second;
  if (end == selector || *end != ':' || first < 0 || first > MOST) return false;
  const char *rest = end + 1;
  second = strtol(rest, &end, 10);
  if (end == rest || *end || second < 0 || second > MOST) return false;
  *platform = (int)first;
  *index = (int)second;
  return true;
}

/* What is wanted, and what was seen of it. */
typedef struct search {
  const char *selector; /* NULL: any device */
  bool is_kind;         /* the selector is "cpu", "gpu" or "other" */
  int platform, index;  /* of a selector "platform:index", else -1 */
  gf__candidates *found;
  gf__text all; /* one line per device */
  int seen;
  bool failed; /* host memory */
} search;

static void add_line(gf__text *out, const gf_device_info *info) {
  gf__text_add(out, "\n  %d:%d  %s (%s)", info->platform, info->index, info->name,
               info->platform_name);
}

static bool search_matches(const search *s, const gf_device_info *info) {
  if (!s->selector) return true;
  if (s->index >= 0) return info->platform == s->platform && info->index == s->index;
  if (s->is_kind) return !strcmp(gf_device_type_name(info->type), s->selector);
  return contains_ignoring_case(info->name, s->selector) ||
         contains_ignoring_case(info->platform_name, s->selector);
}

static bool search_visit(void *user, cl_device_id id, const gf_device_info *info) {
  search *s = user;
  gf__candidates *found = s->found;
  s->seen++;
  add_line(&s->all, info);
  if (!search_matches(s, info)) return true;
  s->failed = gf__grow(&found->rows, (size_t)found->count, sizeof *found->rows) != GF_OK;
  if (!s->failed) found->rows[found->count++] = (gf__candidate){.id = id, .info = *info};
  return !s->failed;
}

static gf_status fail_ambiguous(const search *s) {
  gf__text lines = {0};
  for (int i = 0; i < s->found->count; i++) add_line(&lines, &s->found->rows[i].info);
  gf_status status = gf__fail(GF_ERROR_DEVICE, "'%s' matches %d devices; name one by its index:%s",
                              s->selector, s->found->count, lines.data ? lines.data : "");
  gf__text_free(&lines);
  return status;
}

static gf_status check_search(const search *s, int platforms) {
  GF_TRY(gf__text_status(&s->all));
  if (s->failed) return gf__fail_host_memory(sizeof(gf__candidate));
  if (s->seen == 0)
    return gf__fail(GF_ERROR_DEVICE,
                    "no OpenCL device: the loader found %d platform%s and no device. Install the "
                    "driver of your GPU, or pocl (Debian's pocl-opencl-icd) to run on the CPU",
                    platforms, platforms == 1 ? "" : "s");
  if (s->found->count == 0)
    return gf__fail(GF_ERROR_DEVICE, "no device matches '%s'; there are:%s", s->selector,
                    s->all.data);
  /* A kind, like auto, means the best of its devices; a name must mean one device. */
  if (s->found->count > 1 && !s->found->is_any && !s->is_kind) return fail_ambiguous(s);
  return GF_OK;
}

gf_status gf__candidates_find(gf__candidates *out, const char *selector) {
  *out = (gf__candidates){.is_any = !selector || !*selector || !strcmp(selector, "auto")};
  search s = {.selector = out->is_any ? NULL : selector, .index = -1, .found = out};
  if (s.selector) (void)read_indices(s.selector, &s.platform, &s.index);
  for (gf_device_type t = GF_DEVICE_CPU; s.selector && t <= GF_DEVICE_OTHER; t++)
    s.is_kind |= !strcmp(s.selector, gf_device_type_name(t));
  int platforms = 0;
  gf_status status = gf__devices_visit(search_visit, &s, &platforms);
  if (status == GF_OK) status = check_search(&s, platforms);
  gf__text_free(&s.all);
  if (status != GF_OK) gf__candidates_free(out);
  if (out->count) qsort(out->rows, (size_t)out->count, sizeof *out->rows, compare_candidates);
  return status;
}

void gf__candidates_free(gf__candidates *candidates) {
  free(candidates->rows);
  candidates->rows = NULL;
  candidates->count = 0;
}

gf_status gf__device_find(const char *selector, int nth, gf_device_info *out) {
  gf__candidates all;
  GF_TRY(gf__candidates_find(&all, selector));
  int of_kind = 1; /* there is at least one candidate */
  while (of_kind < all.count && all.rows[of_kind].info.type == all.rows[0].info.type) of_kind++;
  *out = all.rows[nth % of_kind].info;
  gf__candidates_free(&all);
  return GF_OK;
}
