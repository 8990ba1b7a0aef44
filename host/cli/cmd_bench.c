/* gradflow bench */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "verify/layer_cases.h"

typedef struct bench_options {
  char *device, *out; /* or NULL */
  bool quick, full, json, gemm_defaults, statistics, loader;
  double fail_below;        /* 0: not given */
  int batch, rounds, steps; /* 0: not given */
  int tune;                 /* -1: not given */
  char *algorithm;          /* or NULL */
  gf__texts sets;
} bench_options;

static const char *const tune_words[] = {"off", "known", "fast", "full", NULL};
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
    GF__OPTION("batch", 'b', "N", bench_options, batch, INT, .minimum = 1, .maximum = 100000,
               .help = "of layers and train: images, in place of the case's or the config's"),
    GF__OPTION("algorithm", 'a', "NAME", bench_options, algorithm, TEXT,
               .help = "of layers and train: of convolutions; default of layers: each one, of "
                       "train: the config's"),
    GF__OPTION("tune", 't', "HOW", bench_options, tune, CHOICE, .choices = tune_words,
               .help = "of layers and train: as model.tune; of layers with --algorithm auto"),
    GF__FLAG("gemm-defaults", 0, bench_options, gemm_defaults,
             "of layers: CLBlast's own parameters for im2col"),
    GF__OPTION("rounds", 'r', "N", bench_options, rounds, INT, .minimum = 1,
               .maximum = GF_BENCH_MOST_ROUNDS,
               .help = "of train: how often all configs are measured in turn; default 3"),
    GF__OPTION("steps", 0, "N", bench_options, steps, INT, .minimum = 1, .maximum = 4096,
               .help = "of train: of a round; default 20"),
    GF__FLAG("statistics", 0, bench_options, statistics,
             "of train: gradient statistics in each step"),
    GF__FLAG("loader", 0, bench_options, loader,
             "of train: read the config's images meanwhile, instead of one constant batch"),
    GF__OPTION_SET(bench_options),
    GF__OPTIONS_END};

static void on_progress(void *user, const gf_bench_progress *p) {
  gf__bar_count(user, p->done, p->count, p->what, p->device);
}

/* The word of --tune, or NULL. */
static const char *tune_of(const bench_options *o) {
  return o->tune < 0 ? NULL : tune_words[o->tune];
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

/* What a mode measures. */
typedef gf_status measurement(gf_bench **out, const gf__cli *cli, const gf_bench_options *options);

static int run_measurement(const gf__cli *cli, measurement *measures) {
  const bench_options *o = cli->options;
  gf__bar bar = {.file = stderr, .enabled = gf__cli_can_draw(stderr)};
  gf_bench_options options = gf_bench_options_default();
  options.device = o->device;
  options.user = &bar;
  options.progress = on_progress;
  options.stop = gf__interrupt_stops;
  gf_bench *bench = NULL;
  gf_status status = o->out ? check_out(o->out) : GF_OK;
  if (status != GF_OK) return gf__cli_fail(status);
  gf_log_to(gf__bar_log, &bar);
  gf__interrupt_catch();
  status = measures(&bench, cli, &options);
  gf__bar_clear(&bar);
  gf_log_to(gf__cli_log, NULL);
  /* The tables first: a file that cannot be written loses nothing that was measured. */
  if (status == GF_OK) status = print_bench(o, bench);
  if (status == GF_OK && o->out) status = gf_bench_save(bench, o->out);
  int code = status == GF_OK ? any_failed(bench) : gf__cli_fail(status);
  gf_bench_free(&bench);
  return status == GF_ERROR_INTERRUPTED ? gf__interrupt_exit_code() : code;
}

static gf_status measure_standard(gf_bench **out, const gf__cli *cli,
                                  const gf_bench_options *options) {
  const bench_options *o = cli->options;
  gf_bench_options formed = *options;
  if (o->quick && o->full)
    return gf__fail(GF_ERROR_ARGUMENT, "--quick and --full exclude each other");
  formed.form = o->full ? GF_BENCH_FULL : GF_BENCH_QUICK;
  return gf_bench_run(out, &formed);
}

static int bench_standard(const gf__cli *cli) { return run_measurement(cli, measure_standard); }

/* ---- layers ---- */

static gf_status measure_layers(gf_bench **out, const gf__cli *cli,
                                const gf_bench_options *options) {
  const bench_options *o = cli->options;
  gf__layer_cases cases = {0};
  gf_status status =
      gf__layer_cases_read(&cases, cli->arguments + 1, cli->argument_count - 1, o->batch);
  gf_bench_layer_options what = gf_bench_layer_options_default();
  what.layers = cases.layers;
  what.count = cases.count;
  what.algorithm = o->algorithm;
  if (tune_of(o)) what.tune = tune_of(o);
  what.gemm_defaults = o->gemm_defaults;
  if (status == GF_OK) status = gf_bench_layers(out, &what, options);
  gf__layer_cases_free(&cases);
  return status;
}

static int bench_layers(const gf__cli *cli) { return run_measurement(cli, measure_layers); }

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
static gf_status add_network(networks *all, const bench_options *o, const char *path) {
  const char *base = gf__path_base(path);
  char *name = all->names[all->count];
  snprintf(name, sizeof *all->names, "%.*s", (int)strcspn(base, "."), base);
  for (int i = 0; i < all->count; i++)
    if (!strcmp(all->names[i], name))
      return gf__fail(
          GF_ERROR_ARGUMENT,
          "bench train %s: another config is called %s as well; rename one of the files", path,
          name);
  GF_TRY(gf__cli_load_config(&all->configs[all->count], &o->sets, path));
  gf_config *config = all->configs[all->count++];
  GF_TRY(set_key(config, "model.algorithm", o->algorithm));
  return set_key(config, "model.tune", tune_of(o));
}

static gf_status read_networks(networks *all, const gf__cli *cli) {
  if (cli->argument_count < 2)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "bench train: a config is missing; see gradflow bench --help");
  if (cli->argument_count - 1 > MOST_CONFIGS)
    return gf__fail(GF_ERROR_ARGUMENT, "bench train: more than %d configs", MOST_CONFIGS);
  for (int i = 1; i < cli->argument_count; i++)
    GF_TRY(add_network(all, cli->options, cli->arguments[i]));
  return GF_OK;
}

static gf_status measure_train(gf_bench **out, const gf__cli *cli,
                               const gf_bench_options *options) {
  const bench_options *o = cli->options;
  networks all = {.count = 0};
  const gf_config *configs[MOST_CONFIGS];
  const char *names[MOST_CONFIGS];
  gf_bench_train_options what = gf_bench_train_options_default();
  what.configs = configs;
  what.names = names;
  if (o->rounds) what.rounds = o->rounds;
  if (o->steps) what.steps = o->steps;
  what.batch = o->batch;
  what.statistics = o->statistics;
  what.loader = o->loader;
  gf_status status = read_networks(&all, cli);
  for (int i = 0; i < all.count; i++) {
    configs[i] = all.configs[i];
    names[i] = all.names[i];
  }
  what.count = all.count;
  if (status == GF_OK) status = gf_bench_train(out, &what, options);
  for (int i = 0; i < all.count; i++) gf_config_free(&all.configs[i]);
  return status;
}

static int bench_train(const gf__cli *cli) { return run_measurement(cli, measure_train); }

/* ---- comparing ---- */

static void on_written(void *user, const char *path) {
  (void)user;
  printf("wrote %s\n", path);
}

static int bench_compare(const gf__cli *cli) {
  const bench_options *o = cli->options;
  gf_bench_compare_options to = gf_bench_compare_options_default();
  to.folder = o->out;
  to.fail_below = o->fail_below;
  to.written = on_written;
  char *text = NULL;
  int failed = 0;
  gf_status status = GF_OK;
  if (cli->argument_count < 2)
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

static gf_status check_options(const bench_options *o, const struct mode *mode) {
  const struct {
    const char *name;
    bool is_given;
    unsigned modes;
  } options[] = {{"device", o->device != NULL, STANDARD | LAYERS | TRAIN},
                 {"quick", o->quick, STANDARD},
                 {"full", o->full, STANDARD},
                 {"json", o->json, STANDARD | LAYERS | TRAIN},
                 {"fail-below", o->fail_below != 0, COMPARE},
                 {"set", o->sets.count > 0, TRAIN},
                 {"rounds", o->rounds != 0, TRAIN},
                 {"steps", o->steps != 0, TRAIN},
                 {"statistics", o->statistics, TRAIN},
                 {"loader", o->loader, TRAIN},
                 {"batch", o->batch != 0, LAYERS | TRAIN},
                 {"algorithm", o->algorithm != NULL, LAYERS | TRAIN},
                 {"tune", o->tune >= 0, LAYERS | TRAIN},
                 {"gemm-defaults", o->gemm_defaults, LAYERS}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (options[i].is_given && !(options[i].modes & mode->bit))
      return gf__fail(GF_ERROR_ARGUMENT, "--%s is not for bench %s; see gradflow bench --help",
                      options[i].name, mode->name ? mode->name : "alone");
  return GF_OK;
}

static void add_words(gf__text *out) {
  for (int i = 0; i < MODES; i++)
    if (modes[i].name) gf__text_add(out, "%s%s", out->size ? " " : "", modes[i].name);
}

static int run_bench(const gf__cli *cli) {
  const char *name = cli->argument_count > 0 ? cli->arguments[0] : NULL;
  for (int i = 0; i < MODES; i++) {
    bool is_mode = name && modes[i].name ? !strcmp(name, modes[i].name) : name == modes[i].name;
    if (!is_mode) continue;
    gf_status status = check_options(cli->options, &modes[i]);
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
    .options = option_rows,
    .options_size = sizeof(bench_options),
    .words = add_words,
    .run = run_bench,
};
