/* The file of results. One table of fields a struct serves writing and reading. */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "bench/compare.h"
#include "bench/limits.h"

#define FORMAT "gradflow-bench"
/* 2: rows have a fraction, which was a share in 1. Nothing that is read has changed. */
enum { OLDEST_VERSION = 1, VERSION = 2 };
enum { MOST_DEVICES = 64, MOST_ROWS = 1024 };
/* Far beyond what is measured, and far from where products overflow. */
static const double LEAST = 1e-15, LARGEST = 1e24;

/* ---- fields ---- */

/* How the file has a member. */
typedef enum kind {
  TEXT,     /* char[size] */
  WORD,     /* an enum, or an int that is one: one of the words */
  COUNT,    /* int, at least 0 */
  BYTES,    /* unsigned long long */
  SIZE,     /* size_t */
  NUMBER,   /* double: 0, or LEAST to LARGEST */
  POSITIVE, /* double: LEAST to LARGEST */
  OPTIONAL, /* double: as NUMBER; 0 where the file has none */
  ROUNDS,   /* gf_bench_rounds: a list of POSITIVE; none where the file has none */
} kind;

typedef struct field {
  const char *key;
  kind kind;
  size_t offset, size;
  const char *const *words; /* ended by NULL */
} field;

_Static_assert(sizeof(gf_device_type) == sizeof(int) && sizeof(gf_bench_form) == sizeof(int) &&
                   sizeof(gf_bench_kind) == sizeof(int),
               "words are kept in ints");

#define MEMBER(type, member) offsetof(type, member), sizeof(((type *)0)->member), NULL
#define END \
  { NULL, TEXT, 0, 0, NULL }

static const char *const forms[] = {"quick", "full", "layers", "train", NULL};
const char *gf__bench_form_name(gf_bench_form form) { return forms[form]; }

static const char *const types[] = {"cpu", "gpu", "other", NULL};
static const char *const kinds[] = {"operation", "step", "inference", NULL};

static const field bench_fields[] = {
    {"date", TEXT, MEMBER(gf_bench, date)},
    {"gradflow", TEXT, MEMBER(gf_bench, program)},
    {"commit", TEXT, MEMBER(gf_bench, commit)},
    {"clblast", TEXT, MEMBER(gf_bench, clblast)},
    {"opencl_loader", TEXT, MEMBER(gf_bench, opencl_loader)},
    {"form", WORD, offsetof(gf_bench, form), sizeof(int), forms},
    END,
};

static const field card_fields[] = {
    {"platform", COUNT, MEMBER(gf_device_info, platform)},
    {"index", COUNT, MEMBER(gf_device_info, index)},
    {"type", WORD, offsetof(gf_device_info, type), sizeof(int), types},
    {"name", TEXT, MEMBER(gf_device_info, name)},
    {"platform_name", TEXT, MEMBER(gf_device_info, platform_name)},
    {"vendor", TEXT, MEMBER(gf_device_info, vendor)},
    {"driver", TEXT, MEMBER(gf_device_info, driver)},
    {"version", TEXT, MEMBER(gf_device_info, version)},
    {"c_version", TEXT, MEMBER(gf_device_info, c_version)},
    {"compute_units", COUNT, MEMBER(gf_device_info, compute_units)},
    {"clock_mhz", COUNT, MEMBER(gf_device_info, clock_mhz)},
    {"work_group_size", SIZE, MEMBER(gf_device_info, work_group_size)},
    {"memory", BYTES, MEMBER(gf_device_info, memory)},
    {"max_allocation", BYTES, MEMBER(gf_device_info, max_allocation)},
    {"local_memory", BYTES, MEMBER(gf_device_info, local_memory)},
    END,
};

static const field limit_fields[] = {
    {"flops_per_second", POSITIVE, MEMBER(gf_bench_limits, flops)},
    {"bytes_per_second", POSITIVE, MEMBER(gf_bench_limits, bytes)},
    {"launch_seconds", POSITIVE, MEMBER(gf_bench_limits, launch_seconds)},
    {"round_trip_seconds", POSITIVE, MEMBER(gf_bench_limits, round_trip_seconds)},
    {"upload_bytes_per_second", POSITIVE, MEMBER(gf_bench_limits, upload)},
    {"download_bytes_per_second", POSITIVE, MEMBER(gf_bench_limits, download)},
    END,
};

static const field build_fields[] = {
    {"compiled", COUNT, MEMBER(gf_bench_builds, compiled)},
    {"loaded", COUNT, MEMBER(gf_bench_builds, loaded)},
    {"compile_seconds", NUMBER, MEMBER(gf_bench_builds, compile_seconds)},
    {"load_seconds", NUMBER, MEMBER(gf_bench_builds, load_seconds)},
    {"fresh_seconds", NUMBER, MEMBER(gf_bench_builds, fresh_seconds)},
    END,
};

static const field row_fields[] = {
    {"name", TEXT, MEMBER(gf_bench_row, name)},
    {"kind", WORD, offsetof(gf_bench_row, kind), sizeof(int), kinds},
    {"algorithm", TEXT, MEMBER(gf_bench_row, algorithm)},
    {"batch", COUNT, MEMBER(gf_bench_row, batch)},
    {"samples", COUNT, MEMBER(gf_bench_row, samples)},
    {"repeats", COUNT, MEMBER(gf_bench_row, repeats)},
    {"seconds", POSITIVE, MEMBER(gf_bench_row, seconds)},
    {"low_seconds", POSITIVE, MEMBER(gf_bench_row, low)},
    {"high_seconds", POSITIVE, MEMBER(gf_bench_row, high)},
    {"first_seconds", POSITIVE, MEMBER(gf_bench_row, first_seconds)},
    {"flops", NUMBER, MEMBER(gf_bench_row, flops)},
    {"bytes", NUMBER, MEMBER(gf_bench_row, bytes)},
    {"upload_bytes", NUMBER, MEMBER(gf_bench_row, upload_bytes)},
    {"launches", NUMBER, MEMBER(gf_bench_row, launches)},
    {"round_seconds", ROUNDS, MEMBER(gf_bench_row, rounds)},
    {"host_bytes", OPTIONAL, MEMBER(gf_bench_row, host_bytes)},
    {"device_bytes", OPTIONAL, MEMBER(gf_bench_row, device_bytes)},
    END,
};

/* ---- writing ---- */

static json_t *rounds_json(const gf_bench_rounds *rounds) {
  json_t *list = json_array();
  bool failed = false;
  for (int i = 0; i < rounds->count; i++)
    failed |= json_array_append_new(list, json_real(rounds->seconds[i])) != 0;
  if (!failed) return list;
  json_decref(list);
  return NULL;
}

static json_t *field_json(const field *f, const void *of) {
  const char *member = (const char *)of + f->offset;
  switch (f->kind) {
    case TEXT:
      return gf__json_text(member, strlen(member));
    case WORD:
      return json_string(f->words[*(const int *)member]);
    case COUNT:
      return json_integer(*(const int *)member);
    case BYTES:
      return json_integer((json_int_t) * (const unsigned long long *)member);
    case SIZE:
      return json_integer((json_int_t) * (const size_t *)member);
    case NUMBER:
    case POSITIVE:
    case OPTIONAL:
      return json_real(*(const double *)member);
    case ROUNDS:
      return rounds_json((const gf_bench_rounds *)member);
  }
  return NULL;
}

/* *failed is set where memory is out. */
static json_t *fields_json(const field *fields, const void *of, bool *failed) {
  json_t *object = json_object();
  for (const field *f = fields; f->key; f++)
    *failed |= json_object_set_new(object, f->key, field_json(f, of)) != 0;
  return object;
}

static json_t *row_json(const gf_bench_row *row, bool *failed) {
  json_t *json = fields_json(row_fields, row, failed);
  /* What follows from the others, for those who read the file without this program. */
  json_t *derived = json_pack(
      "{s:f, s:f, s:f, s:f, s:s}", "flops_per_second", row->flops / row->seconds,
      "bytes_per_second", row->bytes / row->seconds, "images_per_second", row->batch / row->seconds,
      "fraction", row->fraction, "bound", gf_bound_name(row->bound));
  *failed |= json_object_update(json, derived) != 0;
  json_decref(derived);
  return json;
}

static json_t *device_json(const gf_bench_device *d, bool *failed) {
  json_t *rows = json_array(), *device = json_object();
  for (int i = 0; i < d->row_count; i++)
    *failed |= json_array_append_new(rows, row_json(&d->rows[i], failed)) != 0;
  bool is_measured = d->limits.upload > 0; /* the last of them */
  json_t *failure = d->failure ? gf__json_text(d->failure, strlen(d->failure)) : json_null();
  json_t *limits = is_measured ? fields_json(limit_fields, &d->limits, failed) : json_null();
  *failed |= json_object_set_new(device, "device", fields_json(card_fields, &d->card, failed)) |
             json_object_set_new(device, "failure", failure) |
             json_object_set_new(device, "limits", limits) |
             json_object_set_new(device, "builds", fields_json(build_fields, &d->builds, failed)) |
             json_object_set_new(device, "rows", rows);
  return device;
}

gf_status gf_bench_json(const gf_bench *bench, char **out) {
  bool failed = false;
  json_t *devices = json_array(), *fields = fields_json(bench_fields, bench, &failed);
  json_t *root = json_pack("{s:s, s:i}", "format", FORMAT, "version", VERSION);
  for (int i = 0; i < bench->device_count; i++)
    failed |= json_array_append_new(devices, device_json(&bench->devices[i], &failed)) != 0;
  failed |= json_object_update(root, fields) | json_object_set_new(root, "devices", devices);
  *out = failed ? NULL : json_dumps(root, JSON_INDENT(1));
  json_decref(fields);
  json_decref(root);
  return *out ? GF_OK
              : gf__fail(GF_ERROR_MEMORY, "out of host memory for the JSON of the benchmark");
}

gf_status gf_bench_save(const gf_bench *bench, const char *path) {
  char *json;
  gf__text text = {0};
  GF_TRY(gf_bench_json(bench, &json));
  gf__text_add(&text, "%s\n", json);
  free(json);
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf__file_write(path, text.data, text.size);
  gf__text_free(&text);
  return status;
}

/* ---- reading ---- */

/* Where in the file an object is: "devices[1].rows[20]." */
typedef struct place {
  const char *path;
  char in[64];
} place;

static gf_status fail_at(const place *at, const char *key, const char *what) {
  return gf__fail(GF_ERROR_DATA,
                  "%s: %s%s must be %s; make the file anew with gradflow bench -o FILE", at->path,
                  at->in, key, what);
}

/* What a terminal could take for a command becomes "?". */
static bool read_text(const json_t *json, char *out, size_t size) {
  const char *text = json_string_value(json);
  size_t length = json_string_length(json);
  if (!text || length >= size || strlen(text) != length) return false;
  for (size_t i = 0; i <= length; i++)
    out[i] =
        (char)(i < length && ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) ? '?' : text[i]);
  return true;
}

static bool read_word(const json_t *json, const char *const *words, int *out) {
  for (int i = 0; json_is_string(json) && words[i]; i++)
    if (!strcmp(json_string_value(json), words[i])) {
      *out = i;
      return true;
    }
  return false;
}

static bool read_whole(const json_t *json, json_int_t most, json_int_t *out) {
  *out = json_integer_value(json);
  return json_is_integer(json) && *out >= 0 && *out <= most;
}

static bool is_in_range(double number) { return number >= LEAST && number <= LARGEST; }

static bool read_rounds(const json_t *json, gf_bench_rounds *out) {
  size_t count = json_array_size(json);
  if (!json) return true;
  if (!json_is_array(json) || count > GF_BENCH_MOST_ROUNDS) return false;
  for (; (size_t)out->count < count; out->count++) {
    const json_t *value = json_array_get(json, (size_t)out->count);
    out->seconds[out->count] = json_number_value(value);
    if (!json_is_number(value) || !is_in_range(out->seconds[out->count])) return false;
  }
  return true;
}

static gf_status read_field(const place *at, const field *f, const json_t *json, void *to) {
  char *member = (char *)to + f->offset, what[64];
  json_int_t whole;
  double number = gf__json_number_of(json);
  switch (f->kind) {
    case TEXT:
      snprintf(what, sizeof what, "a text of at most %zu bytes", f->size - 1);
      return read_text(json, member, f->size) ? GF_OK : fail_at(at, f->key, what);
    case WORD: {
      int used = 0;
      for (int i = 0; f->words[i]; i++)
        used +=
            snprintf(what + used, sizeof what - (size_t)used, "%s%s", i ? " or " : "", f->words[i]);
      return read_word(json, f->words, (int *)member) ? GF_OK : fail_at(at, f->key, what);
    }
    case COUNT:
      if (!read_whole(json, INT_MAX, &whole)) break;
      *(int *)member = (int)whole;
      return GF_OK;
    case BYTES:
      if (!read_whole(json, LLONG_MAX, &whole)) break;
      *(unsigned long long *)member = (unsigned long long)whole;
      return GF_OK;
    case SIZE:
      if (!read_whole(json, INT_MAX, &whole)) break;
      *(size_t *)member = (size_t)whole;
      return GF_OK;
    case ROUNDS:
      return read_rounds(json, (gf_bench_rounds *)member)
                 ? GF_OK
                 : fail_at(at, f->key, "a list of at most 15 numbers from 1e-15 to 1e24");
    case OPTIONAL:
      if (!json) return GF_OK;
      /* fallthrough */
    case NUMBER:
    case POSITIVE:
      if (!is_in_range(number) && !(f->kind != POSITIVE && number == 0))
        return fail_at(at, f->key,
                       f->kind == POSITIVE ? "a number from 1e-15 to 1e24"
                                           : "0 or a number from 1e-15 to 1e24");
      *(double *)member = number;
      return GF_OK;
  }
  return fail_at(at, f->key, "a whole number of at least 0");
}

static gf_status read_fields(const place *at, const field *fields, const json_t *object, void *to) {
  for (const field *f = fields; f->key; f++)
    GF_TRY(read_field(at, f, json_object_get(object, f->key), to));
  return GF_OK;
}

/* The object key of object, all its fields. */
static gf_status read_object(const place *at, const char *key, const field *fields,
                             const json_t *object, void *to) {
  place inside = *at;
  const json_t *value = json_object_get(object, key);
  if (!json_is_object(value)) return fail_at(at, key, "an object");
  snprintf(inside.in + strlen(inside.in), sizeof inside.in - strlen(inside.in), "%s.", key);
  return read_fields(&inside, fields, value, to);
}

static gf_status read_rows(const place *at, const json_t *list, gf_bench_device *d) {
  size_t count = json_array_size(list);
  if (!json_is_array(list) || count > MOST_ROWS)
    return fail_at(at, "rows", "a list of at most 1024 rows");
  d->rows = calloc(count + 1, sizeof *d->rows);
  if (!d->rows) return gf__fail_host_memory((count + 1) * sizeof *d->rows);
  for (; (size_t)d->row_count < count; d->row_count++) {
    gf_bench_row *row = &d->rows[d->row_count];
    place inside = *at;
    size_t used = strlen(inside.in);
    snprintf(inside.in + used, sizeof inside.in - used, "rows[%d].", d->row_count);
    GF_TRY(read_fields(&inside, row_fields, json_array_get(list, (size_t)d->row_count), row));
    for (int i = 0; i < d->row_count; i++)
      if (!strcmp(d->rows[i].name, row->name))
        return fail_at(&inside, "name", "a name that no row before it has");
    gf__bench_judge(row, &d->limits);
  }
  return GF_OK;
}

static gf_status read_failure(const place *at, const json_t *json, gf_bench_device *d) {
  if (json_is_null(json)) return GF_OK;
  size_t size = json_string_length(json) + 1;
  d->failure = malloc(size);
  if (!d->failure) return gf__fail_host_memory(size);
  if (read_text(json, d->failure, size)) return GF_OK;
  return fail_at(at, "failure", "null or a text");
}

static gf_status read_device(const place *at, const json_t *json, gf_bench_device *d) {
  if (!json_is_object(json)) return fail_at(at, "device", "in an object");
  GF_TRY(read_object(at, "device", card_fields, json, &d->card));
  GF_TRY(read_failure(at, json_object_get(json, "failure"), d));
  bool is_measured = !json_is_null(json_object_get(json, "limits"));
  if (is_measured) GF_TRY(read_object(at, "limits", limit_fields, json, &d->limits));
  GF_TRY(read_object(at, "builds", build_fields, json, &d->builds));
  GF_TRY(read_rows(at, json_object_get(json, "rows"), d));
  if (!is_measured && d->row_count > 0) return fail_at(at, "limits", "there where rows are");
  return GF_OK;
}

static gf_status read_bench(const char *path, const json_t *root, gf_bench *bench) {
  place at = {.path = path};
  const json_t *format = json_object_get(root, "format"), *list = json_object_get(root, "devices");
  if (!json_is_string(format) || strcmp(json_string_value(format), FORMAT) != 0)
    return gf__fail(GF_ERROR_DATA,
                    "%s is no file of gradflow bench: its format is not \"" FORMAT "\"", path);
  const json_t *version = json_object_get(root, "version");
  if (!json_is_integer(version) || json_integer_value(version) < OLDEST_VERSION ||
      json_integer_value(version) > VERSION)
    return gf__fail(GF_ERROR_DATA,
                    "%s: its version is not %d or %d, those that gradflow %s reads; measure again, "
                    "or compare with the gradflow that wrote it",
                    path, OLDEST_VERSION, VERSION, gf_versions_get().program);
  GF_TRY(read_fields(&at, bench_fields, root, bench));
  size_t count = json_array_size(list);
  if (count < 1 || count > MOST_DEVICES)
    return fail_at(&at, "devices", "a list of 1 to 64 devices");
  bench->devices = calloc(count, sizeof *bench->devices);
  if (!bench->devices) return gf__fail_host_memory(count * sizeof *bench->devices);
  for (; (size_t)bench->device_count < count;) {
    int i = bench->device_count++;
    snprintf(at.in, sizeof at.in, "devices[%d].", i);
    GF_TRY(read_device(&at, json_array_get(list, (size_t)i), &bench->devices[i]));
  }
  return GF_OK;
}

gf_status gf_bench_load(gf_bench **out, const char *path) {
  char *text;
  size_t size;
  json_error_t error;
  *out = NULL;
  GF_TRY(gf__file_read_within(path, GF__JSON_LARGEST, &text, &size));
  json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
  free(text);
  if (!root)
    return gf__fail(GF_ERROR_DATA, "%s is no JSON, or has a key twice: line %d, column %d", path,
                    error.line, error.column);
  *out = calloc(1, sizeof **out);
  gf_status status = *out ? read_bench(path, root, *out) : gf__fail_host_memory(sizeof **out);
  if (status != GF_OK) gf_bench_free(out);
  json_decref(root);
  return status;
}
