/* gradflow bench */
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

typedef struct bench_options {
  char *device, *out; /* or NULL */
  bool quick, full, json;
  double fail_below; /* 0: not given */
} bench_options;

static const char *const fail_below_example[] = {"0.9", NULL};

static const gf__option option_rows[] = {
    GF__OPTION("device", 'd', "DEVICE", bench_options, device, TEXT,
               .help = "as for gradflow train, or all; default auto"),
    GF__FLAG("quick", 0, bench_options, quick, "batches of 25 images, about a minute; the default"),
    GF__FLAG("full", 0, bench_options, full,
             "batches of 100 images and tuned algorithms, a few minutes; also compiles with "
             "nothing in the cache"),
    GF__OPTION("out", 'o', "FILE", bench_options, out, TEXT,
               .help = "the results as JSON; of compare: a folder for pictures and report.html"),
    GF__OPTION("fail-below", 0, "RATIO", bench_options, fail_below, FLOAT, .minimum = 1e-3,
               .maximum = 1e3, .choices = fail_below_example,
               .help = "of compare: exit with 1 where something is slower than this fraction of "
                       "the first, or missing"),
    GF__FLAG("json", 'j', bench_options, json, "print the results as JSON instead of tables"),
    GF__OPTIONS_END};

static void on_progress(void *user, const gf_bench_progress *p) {
  gf__bar_count(user, p->done, p->count, p->what, p->device);
}

/* A file is written after a minute or more, which would be lost in a folder that is not there. */
static gf_status check_out(const char *path) {
  const char *slash = strrchr(path, '/');
  if (gf__path_is_folder(path))
    return gf__fail(GF_ERROR_ARGUMENT, "--out %s is a folder; name a file in it", path);
  if (!slash || slash == path) return GF_OK;
  gf__text folder = {0};
  gf__text_add(&folder, "%.*s", (int)(slash - path), path);
  gf_status status = gf__text_status(&folder);
  if (status == GF_OK && !gf__path_is_folder(folder.data))
    status = gf__fail(GF_ERROR_ARGUMENT, "--out %s: there is no folder %s; create it first", path,
                      folder.data);
  gf__text_free(&folder);
  return status;
}

/* ---- measuring ---- */

static gf_status print_bench(const bench_options *o, const gf_bench *bench) {
  char *text;
  GF_TRY(o->json ? gf_bench_json(bench, &text) : gf_bench_text(bench, &text));
  printf("%s%s", text, o->json ? "\n" : "");
  free(text);
  return GF_OK;
}

static bool any_failed(const gf_bench *bench) {
  bool failed = false;
  for (int i = 0; i < bench->device_count; i++) failed |= bench->devices[i].failure != NULL;
  return failed;
}

static gf_status check_measuring(const bench_options *o) {
  if (o->quick && o->full)
    return gf__fail(GF_ERROR_ARGUMENT, "--quick and --full exclude each other");
  if (o->fail_below) return gf__fail(GF_ERROR_ARGUMENT, "--fail-below belongs to bench compare");
  return o->out ? check_out(o->out) : GF_OK;
}

static int run_measuring(const gf__cli *cli) {
  const bench_options *o = cli->options;
  gf__bar bar = {.file = stderr, .enabled = gf__cli_can_draw(stderr)};
  gf_bench_options how = {.device = o->device,
                          .form = o->full ? GF_BENCH_FULL : GF_BENCH_QUICK,
                          .user = &bar,
                          .progress = on_progress,
                          .stop = gf__interrupt_stops};
  gf_bench *bench = NULL;
  gf_status status = check_measuring(o);
  if (status != GF_OK) return gf__cli_fail(status);
  gf_log_to(gf__bar_log, &bar);
  gf__interrupt_catch();
  status = gf_bench_run(&bench, &how);
  gf__bar_clear(&bar);
  gf_log_to(gf__cli_log, NULL);
  /* The tables first: a file that cannot be written loses nothing that was measured. */
  if (status == GF_OK) status = print_bench(o, bench);
  if (status == GF_OK && o->out) status = gf_bench_save(bench, o->out);
  int code = status == GF_OK ? any_failed(bench) : gf__cli_fail(status);
  gf_bench_free(&bench);
  return status == GF_ERROR_INTERRUPTED ? gf__interrupt_exit_code() : code;
}

/* ---- comparing ---- */

static void on_written(void *user, const char *path) {
  (void)user;
  printf("wrote %s\n", path);
}

static gf_status check_comparing(const gf__cli *cli, const bench_options *o) {
  if (cli->argument_count < 2)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "bench compare: a file is missing; see gradflow bench "
                    "--help");
  if (o->device || o->quick || o->full || o->json)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--device, --quick, --full and --json belong to bench without compare");
  return GF_OK;
}

static int run_comparing(const gf__cli *cli) {
  const bench_options *o = cli->options;
  gf_bench_comparison to = {.folder = o->out, .fail_below = o->fail_below, .written = on_written};
  char *text = NULL;
  int failed = 0;
  gf_status status = check_comparing(cli, o);
  if (status == GF_OK)
    status = gf_bench_compare(cli->arguments + 1, cli->argument_count - 1, &to, &text, &failed);
  if (status != GF_OK) return gf__cli_fail(status);
  printf("%s", text);
  free(text);
  return failed > 0;
}

static void add_words(gf__text *out) { gf__text_add(out, "compare"); }

static int run_bench(const gf__cli *cli) {
  if (cli->argument_count == 0) return run_measuring(cli);
  if (!strcmp(cli->arguments[0], "compare")) return run_comparing(cli);
  return gf__cli_fail(gf__fail(GF_ERROR_ARGUMENT,
                               "bench %s: must be bench alone or bench compare; see gradflow bench "
                               "--help",
                               cli->arguments[0]));
}

const gf__command gf__cmd_bench = {
    .name = "bench",
    .arguments = "[compare FILE...] [OPTION]...",
    .help = "measure how fast a device is, and compare devices",
    .text =
        "Measures what a device can do at most (multiply-adds, memory, launches,\n"
        "transfers), then the operations and the training step of the standard networks,\n"
        "each with its fraction of the limit that binds it. Nothing else should run on\n"
        "the machine. compare shows the results of several files side by side: each\n"
        "device of the later files beside that of the same name in the first one, or its\n"
        "first.\n",
    .examples =
        "  gradflow bench\n"
        "  gradflow bench --device all --full -o today.json\n"
        "  gradflow bench compare before.json today.json --out comparison\n"
        "  gradflow bench compare before.json today.json --fail-below 0.9\n",
    .most = 33,
    .options = option_rows,
    .options_size = sizeof(bench_options),
    .words = add_words,
    .run = run_bench,
};
