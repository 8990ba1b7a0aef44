/* gradflow verify */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/verify_report.h"

typedef struct verify_options {
  char *device, *only, *out; /* or NULL */
  bool quick, full, json;
} verify_options;

static const gf__option option_rows[] = {
    GF__OPTION("device", 'd', "DEVICE", verify_options, device, TEXT,
               .help = "as for gradflow train, or all; default all"),
    GF__FLAG("quick", 0, verify_options, quick, "the first case of each algorithm; the default"),
    GF__FLAG("full", 0, verify_options, full,
             "all cases, a few minutes where no kernel is compiled yet"),
    GF__OPTION("case", 'c', "CASE", verify_options, only, TEXT,
               .help = "only the cases whose names are this or begin with it: conv2d, "
                       "conv2d/direct, conv2d/direct/forward/3"),
    GF__OPTION("out", 'o', "FILE", verify_options, out, TEXT,
               .help = "also write a JSON file with the device, its driver, the versions and all "
                       "results, to attach to a report"),
    GF__OPTION_JSON(verify_options),
    GF__OPTIONS_END};

/* Devices of one command. */
typedef struct run {
  const verify_options *options;
  gf__bar bar;
  gf__verified *devices;
  int count;
  const char *device; /* the name of the one that is being verified */
} run;

static void on_progress(void *user, const char *name, int done, int total) {
  run *r = user;
  gf__bar_count(&r->bar, done, total, name, r->device);
}

/* Keeps the message: the other devices are verified nonetheless. */
static gf_status keep_error(gf__verified *v) {
  const char *message = gf_error_message();
  size_t size = strlen(message) + 1;
  v->error = malloc(size);
  if (!v->error) return GF_ERROR_MEMORY; /* whose message there is */
  memcpy(v->error, message, size);
  return GF_OK;
}

static gf_status print_device(const gf__verified *v, bool is_first) {
  gf__text text = {0};
  gf_status status = gf__verified_text(v, &text);
  if (status == GF_OK) printf("%s%s", is_first ? "" : "\n", text.data);
  gf__text_free(&text);
  fflush(stdout);
  return status;
}

static gf_status verify_device(run *r, const char *selector, gf__verified *v) {
  gf_device *device = NULL;
  gf__verify_options how = {
      .full = r->options->full, .only = r->options->only, .progress = on_progress, .user = r};
  gf_status status = gf_device_open(&device, selector);
  if (status == GF_OK) {
    v->info = *gf_device_describe(device);
    r->device = v->info.name;
    status = gf__verify(device, &how, &v->result);
  }
  gf__bar_clear(&r->bar);
  gf_device_free(&device);
  if (status == GF_ERROR_ARGUMENT) return status; /* --device or --case */
  if (status != GF_OK) GF_TRY(keep_error(v));
  return r->options->json ? GF_OK : print_device(v, v == r->devices);
}

static gf_status add_devices(run *r, int count) {
  r->devices = calloc((size_t)count, sizeof *r->devices);
  if (!r->devices) return gf__fail(GF_ERROR_MEMORY, "out of host memory for %d devices", count);
  r->count = count;
  return GF_OK;
}

static gf_status verify_all(run *r) {
  gf_device_info *infos = NULL;
  int count = 0, platforms;
  gf_status status = gf_devices_list(&infos, &count, &platforms);
  if (status == GF_OK && count > 0) status = add_devices(r, count);
  for (int i = 0; status == GF_OK && i < count; i++) {
    char selector[32];
    snprintf(selector, sizeof selector, "%d:%d", infos[i].platform, infos[i].index);
    r->devices[i].info = infos[i];
    status = verify_device(r, selector, &r->devices[i]);
  }
  gf_devices_free(&infos);
  if (status != GF_OK || count > 0) return status;
  gf_device *none = NULL; /* whose opening says what to install */
  return gf_device_open(&none, NULL);
}

static gf_status verify_one(run *r) {
  gf_device *device = NULL; /* a device that cannot be opened is no result */
  GF_TRY(gf_device_open(&device, r->options->device));
  gf_device_free(&device);
  GF_TRY(add_devices(r, 1));
  return verify_device(r, r->options->device, &r->devices[0]);
}

static gf_status write_json(const run *r) {
  json_t *json = gf__verified_json(r->devices, r->count, r->options->full);
  gf_status status = GF_OK;
  if (r->options->out) {
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    status = text ? gf__file_write(r->options->out, text, strlen(text))
                  : gf__fail(GF_ERROR_MEMORY, "out of host memory for the JSON");
    free(text);
  }
  if (status == GF_OK && r->options->json) return gf__cli_print_json(json);
  json_decref(json);
  return status;
}

static int run_verify(const gf__cli *cli) {
  const verify_options *o = cli->options;
  run r = {.options = o, .bar = {.file = stderr, .enabled = gf__cli_can_draw(stderr)}};
  if (o->quick && o->full)
    return gf__cli_fail(gf__fail(GF_ERROR_ARGUMENT, "--quick and --full exclude each other"));
  bool all = !o->device || !strcmp(o->device, "all"), ok = true;
  gf_log_to(gf__bar_log, &r.bar);
  gf_status status = all ? verify_all(&r) : verify_one(&r);
  gf_log_to(gf__cli_log, NULL);
  if (status == GF_OK) status = write_json(&r);
  for (int i = 0; i < r.count; i++) {
    ok &= gf__verified_ok(&r.devices[i]);
    gf__verify_free(&r.devices[i].result);
    free(r.devices[i].error);
  }
  free(r.devices);
  return status == GF_OK ? !ok : gf__cli_fail(status);
}

const gf__command gf__cmd_verify = {
    .name = "verify",
    .arguments = "[OPTION]...",
    .help = "check that a device and its driver compute right",
    .text =
        "Runs every operation by every algorithm, forward and backward, on each device\n"
        "and compares with a reference in double precision. Exits with 1 if something is\n"
        "wrong; each case that is has the command that repeats it alone.\n"
        "\n"
        "Wrong is an error above the tolerance, an infinity or a NaN, zeros throughout\n"
        "where there should be others, a write out of bounds, and other bits in a second\n"
        "run. Convolutions and sums take small whole numbers, which must come out exactly\n"
        "(except by winograd, which divides), and fractions. The tolerance is\n"
        "  2^-23 (4 + 2 sqrt(terms)) * (sum of the terms' absolute values),\n"
        "the growth of rounding errors in a sum of that many terms; 4 and 20 times that\n"
        "for winograd2 and winograd4, and 20 times for 20 steps of an optimizer. The\n"
        "table's column error is the largest error over its tolerance.\n",
    .examples =
        "  gradflow verify\n"
        "  gradflow verify --device 0:0 --full -o report.json\n"
        "  gradflow verify --case conv2d/direct\n"
        "  gradflow verify --device gpu --case conv2d/im2col/forward/3\n",
    .options = option_rows,
    .options_size = sizeof(verify_options),
    .run = run_verify,
};
