/* gradflow bench */
#include <math.h>
#include <popt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "verify/layer_cases.h"

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

/* What a mode measures. */
typedef gf_status measurement(gf_bench **out, const gf__cli *cli, const gf_bench_options *options);

static int measure(const gf__cli *cli, measurement *how) {
  gf__bar bar = {.file = stderr, .enabled = gf__cli_can_draw(stderr)};
  gf_bench_options options = {
      .device = cli->device, .user = &bar, .progress = on_progress, .stop = on_stop};
  gf_bench *bench = NULL;
  gf_status status = cli->out ? check_out(cli->out) : GF_OK;
  if (status != GF_OK) return gf__cli_fail(status);
  gf_log_to(on_log, &bar);
  gf__on_interrupt(on_signal);
  status = how(&bench, cli, &options);
  gf__bar_clear(&bar);
  gf_log_to(gf__cli_log, NULL);
  /* The tables first: a file that cannot be written loses nothing that was measured. */
  if (status == GF_OK) status = print_bench(cli, bench);
  if (status == GF_OK && cli->out) status = gf_bench_save(bench, cli->out);
  int code = status == GF_OK ? any_failed(bench) : gf__cli_fail(status);
  gf_bench_free(&bench);
  return status == GF_ERROR_INTERRUPTED ? EXIT_BY_SIGNAL + signal_ : code;
}

static gf_status measure_standard(gf_bench **out, const gf__cli *cli,
                                  const gf_bench_options *options) {
  gf_bench_options formed = *options;
  formed.form = cli->full ? GF_BENCH_FULL : GF_BENCH_QUICK;
  return gf_bench_run(out, &formed);
}

static int bench_standard(const gf__cli *cli) {
  if (cli->quick && cli->full)
    return gf__cli_fail(gf__fail(GF_ERROR_ARGUMENT, "--quick and --full exclude each other"));
  return measure(cli, measure_standard);
}

/* Leaves *out where text is NULL. */
static gf_status read_count(const char *option, const char *text, int most, int *out) {
  char *end;
  if (!text) return GF_OK;
  long number = strtol(text, &end, 10);
  if (end == text || *end || number < 1 || number > most)
    return gf__fail(GF_ERROR_ARGUMENT, "--%s %s: must be a whole number from 1 to %d", option, text,
                    most);
  *out = (int)number;
  return GF_OK;
}

enum { MOST_BATCH = 100000, MOST_STEPS = 4096 };

/* ---- layers ---- */

static gf_status measure_layers(gf_bench **out, const gf__cli *cli,
                                const gf_bench_options *options) {
  gf__layer_cases cases = {0};
  int batch = 0;
  GF_TRY(read_count("batch", cli->batch, MOST_BATCH, &batch));
  gf_status status =
      gf__layer_cases_read(&cases, cli->arguments + 1, cli->argument_count - 1, batch);
  if (status == GF_OK)
    status = gf_bench_layers(out,
                             &(gf_bench_layer_options){.layers = cases.layers,
                                                       .count = cases.count,
                                                       .algorithm = cli->algorithm,
                                                       .tune = cli->tune,
                                                       .gemm_defaults = cli->gemm_defaults},
                             options);
  gf__layer_cases_free(&cases);
  return status;
}

static int bench_layers(const gf__cli *cli) { return measure(cli, measure_layers); }

/* ---- networks ---- */

enum { MOST_CONFIGS = 16 };

typedef struct networks {
  gf_config *configs[MOST_CONFIGS];
  char names[MOST_CONFIGS][64];
  int count;
} networks;

static gf_status set_key(gf_config *config, const char *key, const char *value) {
  gf__text assignment = {0};
  if (!value) return GF_OK;
  gf__text_add(&assignment, "%s=%s", key, value);
  gf_status status = gf__text_status(&assignment);
  if (status == GF_OK) status = gf_config_set(config, assignment.data);
  gf__text_free(&assignment);
  return status;
}

/* The config at the path, called x of a/x.yaml. */
static gf_status add_network(networks *all, const gf__cli *cli, const char *path) {
  const char *base = gf__path_base(path);
  char *name = all->names[all->count];
  snprintf(name, sizeof *all->names, "%.*s", (int)strcspn(base, "."), base);
  for (int i = 0; i < all->count; i++)
    if (!strcmp(all->names[i], name))
      return gf__fail(
          GF_ERROR_ARGUMENT,
          "bench train %s: another config is called %s as well; rename one of the files", path,
          name);
  GF_TRY(gf__cli_load_config(&all->configs[all->count], cli, path));
  gf_config *config = all->configs[all->count++];
  GF_TRY(set_key(config, "model.algorithm", cli->algorithm));
  return set_key(config, "model.tune", cli->tune);
}

static gf_status read_networks(networks *all, const gf__cli *cli) {
  if (cli->argument_count < 2)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "bench train: a config is missing; see gradflow bench --help");
  if (cli->argument_count - 1 > MOST_CONFIGS)
    return gf__fail(GF_ERROR_ARGUMENT, "bench train: more than %d configs", MOST_CONFIGS);
  for (int i = 1; i < cli->argument_count; i++) GF_TRY(add_network(all, cli, cli->arguments[i]));
  return GF_OK;
}

static gf_status measure_train(gf_bench **out, const gf__cli *cli,
                               const gf_bench_options *options) {
  networks all = {.count = 0};
  const gf_config *configs[MOST_CONFIGS];
  const char *names[MOST_CONFIGS];
  gf_bench_train_options what = {.configs = configs,
                                 .names = names,
                                 .rounds = 3,
                                 .steps = 20,
                                 .statistics = cli->statistics,
                                 .loader = cli->loader};
  gf_status status = read_count("rounds", cli->rounds, GF_BENCH_MOST_ROUNDS, &what.rounds);
  if (status == GF_OK) status = read_count("steps", cli->steps, MOST_STEPS, &what.steps);
  if (status == GF_OK) status = read_count("batch", cli->batch, MOST_BATCH, &what.batch);
  if (status == GF_OK) status = read_networks(&all, cli);
  for (int i = 0; i < all.count; i++) {
    configs[i] = all.configs[i];
    names[i] = all.names[i];
  }
  what.count = all.count;
  if (status == GF_OK) status = gf_bench_train(out, &what, options);
  for (int i = 0; i < all.count; i++) gf_config_free(&all.configs[i]);
  return status;
}

static int bench_train(const gf__cli *cli) { return measure(cli, measure_train); }

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

static int bench_compare(const gf__cli *cli) {
  gf_bench_comparison to = {.folder = cli->out, .written = on_written};
  char *text = NULL;
  int failed = 0;
  gf_status status = read_fail_below(cli->fail_below, &to.fail_below);
  if (status == GF_OK && cli->argument_count < 2)
    status =
        gf__fail(GF_ERROR_ARGUMENT, "bench compare: a file is missing; see gradflow bench --help");
  if (status == GF_OK)
    status = gf_bench_compare(cli->arguments + 1, cli->argument_count - 1, &to, &text, &failed);
  if (status != GF_OK) return gf__cli_fail(status);
  printf("%s", text);
  free(text);
  return failed > 0;
}

/* ---- modes ---- */

enum { STANDARD = 1, LAYERS = 2, TRAIN = 4, COMPARE = 8 };

static const struct mode {
  const char *name; /* NULL: without a mode */
  unsigned bit;
  int (*run)(const gf__cli *cli);
} modes[] = {{NULL, STANDARD, bench_standard},
             {"layers", LAYERS, bench_layers},
             {"train", TRAIN, bench_train},
             {"compare", COMPARE, bench_compare}};
enum { MODES = sizeof modes / sizeof *modes };

static gf_status check_options(const gf__cli *cli, const struct mode *mode) {
  const struct {
    const char *name;
    bool is_given;
    unsigned modes;
  } options[] = {{"device", cli->device != NULL, STANDARD | LAYERS | TRAIN},
                 {"quick", cli->quick, STANDARD},
                 {"full", cli->full, STANDARD},
                 {"json", cli->json, STANDARD | LAYERS | TRAIN},
                 {"fail-below", cli->fail_below != NULL, COMPARE},
                 {"set", cli->sets != NULL, TRAIN},
                 {"rounds", cli->rounds != NULL, TRAIN},
                 {"steps", cli->steps != NULL, TRAIN},
                 {"statistics", cli->statistics, TRAIN},
                 {"loader", cli->loader, TRAIN},
                 {"batch", cli->batch != NULL, LAYERS | TRAIN},
                 {"algorithm", cli->algorithm != NULL, LAYERS | TRAIN},
                 {"tune", cli->tune != NULL, LAYERS | TRAIN},
                 {"gemm-defaults", cli->gemm_defaults, LAYERS}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (options[i].is_given && !(options[i].modes & mode->bit))
      return gf__fail(GF_ERROR_ARGUMENT, "--%s is not for bench %s; see gradflow bench --help",
                      options[i].name, mode->name ? mode->name : "alone");
  return GF_OK;
}

static int run(const gf__cli *cli) {
  const char *name = cli->argument_count > 0 ? cli->arguments[0] : NULL;
  for (int i = 0; i < MODES; i++) {
    bool is_mode = name && modes[i].name ? !strcmp(name, modes[i].name) : name == modes[i].name;
    if (!is_mode) continue;
    gf_status status = check_options(cli, &modes[i]);
    return status == GF_OK ? modes[i].run(cli) : gf__cli_fail(status);
  }
  return gf__cli_fail(gf__fail(GF_ERROR_ARGUMENT,
                               "bench %s: must be bench alone, or bench layers, train or compare; "
                               "see gradflow bench --help",
                               name));
}

const gf__command gf__cmd_bench = {
    .name = "bench",
    .arguments = "[layers | train | compare] [ARGUMENT]... [OPTION]...",
    .help = "measure how fast a device is, and compare devices",
    .text =
        "Measures what a device can do at most (multiply-adds, memory, launches,\n"
        "transfers), then the operations and the training step of the standard networks,\n"
        "each with the fraction of the limit that binds it. Nothing else should run on\n"
        "the machine.\n\n"
        "layers [NAME]... measures the cases of gradflow verify instead: those of a\n"
        "layer, or one (conv2d/3). train CONFIG... measures training steps and inference\n"
        "of configs in turn, round by round. compare FILE... shows the results of several\n"
        "files side by side: each device of the later files beside that of the same name\n"
        "in the first one, or its first.\n",
    .examples =
        "  gradflow bench\n"
        "  gradflow bench --device all --full -o today.json\n"
        "  gradflow bench layers conv2d/3 --algorithm direct --batch 100\n"
        "  gradflow bench train configs/plain37.yaml --rounds 5 --steps 20\n"
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
                {"batch", 'b', POPT_ARG_STRING, offsetof(gf__cli, batch), "N",
                 "of layers and train: images, in place of the\n"
                 "case's or the config's"},
                {"algorithm", 'a', POPT_ARG_STRING, offsetof(gf__cli, algorithm), "NAME",
                 "of layers and train: of convolutions; default of\n"
                 "layers: each one, of train: the config's"},
                {"tune", 't', POPT_ARG_STRING, offsetof(gf__cli, tune), "HOW",
                 "of layers and train: off, fast or full, as\n"
                 "model.tune; of layers with --algorithm auto"},
                {"gemm-defaults", 0, POPT_ARG_NONE, offsetof(gf__cli, gemm_defaults), NULL,
                 "of layers: CLBlast's own parameters for im2col"},
                {"rounds", 'r', POPT_ARG_STRING, offsetof(gf__cli, rounds), "N",
                 "of train: how often all configs are measured in\n"
                 "turn; default 3"},
                {"steps", 0, POPT_ARG_STRING, offsetof(gf__cli, steps), "N",
                 "of train: of a round; default 20"},
                {"statistics", 0, POPT_ARG_NONE, offsetof(gf__cli, statistics), NULL,
                 "of train: gradient statistics in each step"},
                {"loader", 0, POPT_ARG_NONE, offsetof(gf__cli, loader), NULL,
                 "of train: read the config's images meanwhile,\n"
                 "instead of one constant batch"},
                {"set", 's', POPT_ARG_ARGV, offsetof(gf__cli, sets), "KEY=VALUE",
                 "of train: replace a value of the configs"},
                GF__OPTION_HELP},
    .run = run,
};
