/* gradflow bench */
#include <math.h>
#include <popt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli/cli.h"
#include "cli/progress.h"

enum { EXIT_BY_SIGNAL = 128 }; /* what shells add the signal's number to */

static volatile sig_atomic_t signal_; /* the first that came, or 0 */

/* The second one does not wait for the measurement. */
static void on_signal(int number) {
  if (signal_) _Exit(EXIT_BY_SIGNAL + number);
  signal_ = number;
}

static int on_stop(void *user) {
  (void)user;
  return signal_ != 0;
}

static void on_progress(void *user, const gf_bench_progress *p) {
  char line[512];
  snprintf(line, sizeof line, "%d/%d  %s  (%s)", p->done + 1, p->count, p->what, p->device);
  gf__bar_say(user, line);
}

static void on_log(void *user, gf_log_level level, const char *message) {
  if (level != GF_LOG_WARNING) return; /* of the choice of algorithms, which the results name */
  gf__bar_clear(user);
  gf__cli_log(NULL, level, message);
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

static gf_status print_bench(const gf__cli *cli, const gf_bench *bench) {
  char *text;
  GF_TRY(cli->json ? gf_bench_json(bench, &text) : gf_bench_text(bench, &text));
  printf("%s%s", text, cli->json ? "\n" : "");
  free(text);
  return GF_OK;
}

static bool any_failed(const gf_bench *bench) {
  bool failed = false;
  for (int i = 0; i < bench->device_count; i++) failed |= bench->devices[i].failure != NULL;
  return failed;
}

static gf_status check_measuring(const gf__cli *cli) {
  if (cli->quick && cli->full)
    return gf__fail(GF_ERROR_ARGUMENT, "--quick and --full exclude each other");
  if (cli->fail_below) return gf__fail(GF_ERROR_ARGUMENT, "--fail-below belongs to bench compare");
  return cli->out ? check_out(cli->out) : GF_OK;
}

static int measure(const gf__cli *cli) {
  gf__bar bar = {.file = stderr, .enabled = gf__cli_can_draw(stderr)};
  gf_bench_options options = {.device = cli->device,
                              .form = cli->full ? GF_BENCH_FULL : GF_BENCH_QUICK,
                              .user = &bar,
                              .progress = on_progress,
                              .stop = on_stop};
  gf_bench *bench = NULL;
  gf_status status = check_measuring(cli);
  if (status != GF_OK) return gf__cli_fail(status);
  gf_log_to(on_log, &bar);
  gf__on_interrupt(on_signal);
  status = gf_bench_run(&bench, &options);
  gf__bar_clear(&bar);
  gf_log_to(gf__cli_log, NULL);
  /* The tables first: a file that cannot be written loses nothing that was measured. */
  if (status == GF_OK) status = print_bench(cli, bench);
  if (status == GF_OK && cli->out) status = gf_bench_save(bench, cli->out);
  int code = status == GF_OK ? any_failed(bench) : gf__cli_fail(status);
  gf_bench_free(&bench);
  return status == GF_ERROR_INTERRUPTED ? EXIT_BY_SIGNAL + signal_ : code;
}

/* ---- comparing ---- */

static gf_status read_fail_below(const char *text, double *out) {
  char *end;
  if (!text) return GF_OK;
  *out = strtod(text, &end);
  if (end != text && !*end && *out > 0 && isfinite(*out)) return GF_OK;
  return gf__fail(GF_ERROR_ARGUMENT, "--fail-below %s: must be a ratio above 0, such as 0.9", text);
}

static void on_written(void *user, const char *path) {
  (void)user;
  printf("wrote %s\n", path);
}

static gf_status check_comparing(const gf__cli *cli, gf_bench_comparison *to) {
  if (cli->argument_count < 2)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "bench compare: a file is missing; see gradflow bench "
                    "--help");
  if (cli->device || cli->quick || cli->full || cli->json)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--device, --quick, --full and --json belong to bench without compare");
  return read_fail_below(cli->fail_below, &to->fail_below);
}

static int compare(const gf__cli *cli) {
  gf_bench_comparison to = {.folder = cli->out, .written = on_written};
  char *text = NULL;
  int failed = 0;
  gf_status status = check_comparing(cli, &to);
  if (status == GF_OK)
    status = gf_bench_compare(cli->arguments + 1, cli->argument_count - 1, &to, &text, &failed);
  if (status != GF_OK) return gf__cli_fail(status);
  printf("%s", text);
  free(text);
  return failed > 0;
}

static int run(const gf__cli *cli) {
  if (cli->argument_count == 0) return measure(cli);
  if (!strcmp(cli->arguments[0], "compare")) return compare(cli);
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
        "each with its share of the limit that binds it. Nothing else should run on the\n"
        "machine. compare shows the results of several files side by side: each device of\n"
        "the later files beside that of the same name in the first one, or its first.\n",
    .examples =
        "  gradflow bench\n"
        "  gradflow bench --device all --full -o today.json\n"
        "  gradflow bench compare before.json today.json --out comparison\n"
        "  gradflow bench compare before.json today.json --fail-below 0.9\n",
    .most = 33,
    .options = {{"device", 'd', POPT_ARG_STRING, offsetof(gf__cli, device), "DEVICE",
                 "as for gradflow train, or all; default auto"},
                {"quick", 0, POPT_ARG_NONE, offsetof(gf__cli, quick), NULL,
                 "batches of 25 images, about a minute; the default"},
                {"full", 0, POPT_ARG_NONE, offsetof(gf__cli, full), NULL,
                 "batches of 100 images and tuned algorithms, a few\n"
                 "minutes; also compiles with nothing in the cache"},
                {"out", 'o', POPT_ARG_STRING, offsetof(gf__cli, out), "FILE",
                 "the results as JSON; of compare: a folder for\n"
                 "pictures and report.html"},
                {"fail-below", 0, POPT_ARG_STRING, offsetof(gf__cli, fail_below), "RATIO",
                 "of compare: exit with 1 where something is slower\n"
                 "than so many times the first, or missing"},
                {"json", 'j', POPT_ARG_NONE, offsetof(gf__cli, json), NULL,
                 "print the results as JSON instead of tables"},
                GF__OPTION_HELP},
    .run = run,
};
