/* gradflow train */
#include <ctype.h>
#include <math.h>
#include <popt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "base/os.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/ranks.h"
#include "cli/watch.h"
#include "report/table.h"

enum { EXIT_BY_SIGNAL = 128 }; /* what shells add the signal's number to */

/* ---- Ctrl-C ---- */

static volatile sig_atomic_t signal_; /* the first that came, or 0 */

/* The second one does not wait for the device. */
static void on_signal(int number) {
  if (signal_) _Exit(EXIT_BY_SIGNAL + number);
  signal_ = number;
}

/* ---- what happens while it trains ---- */

typedef struct screen {
  gf__bar bar;
  bool watches;
  gf__watch watch;
  gf_progress progress; /* the newest; of epoch 0 before the first */
  bool quiet;
  bool said_stopping;
  gf__text pictures; /* their paths, a line each */
} screen;

/* Makes room for lines that stay. */
static void clear(screen *s) {
  gf__bar_clear(&s->bar);
  gf__watch_leave(&s->watch);
}

static void say_stopping(screen *s) {
  if (!signal_ || s->said_stopping) return;
  s->said_stopping = true;
  clear(s);
  fputs("gradflow: finishing the step and saving a checkpoint; once more leaves at once\n", stderr);
}

static void on_progress(void *user, const gf_progress *progress) {
  screen *s = user;
  say_stopping(s);
  s->progress = *progress;
  if (!s->watches || progress->epoch == 0) gf__bar_show(&s->bar, progress);
}

static void on_gradients(void *user, int epoch, long step, const gf_gradient_stats *gradients,
                         int count) {
  screen *s = user;
  gf__bar_clear(&s->bar);
  gf__watch_show(&s->watch, s->progress.epoch ? &s->progress : NULL, epoch, step, gradients, count);
}

static int on_stop(void *user) {
  say_stopping(user);
  return signal_ != 0;
}

static void on_epoch(void *user, const gf_epoch *e) {
  screen *s = user;
  if (s->quiet) return;
  clear(s);
  gf__text line = {0};
  int digits = snprintf(NULL, 0, "%d", e->epochs);
  gf__text_add(&line, "epoch %*d/%d  lr %.1e  train %.4f %.1f%%", digits, e->epoch, e->epochs,
               e->learning_rate, e->train_loss, 100 * e->train_accuracy);
  if (!isnan(e->validation_loss))
    gf__text_add(&line, "  validation %.4f %.1f%%", e->validation_loss,
                 100 * e->validation_accuracy);
  gf__text_add(&line, "  %.1f s", e->seconds);
  size_t needed = line.size;
  gf__text_add(&line, "  %.0f images/s", e->images_per_second);
  /* On a narrow terminal a line that stays one is worth more than its last number. */
  bool fits = !gf__is_terminal(stderr) || line.size <= (size_t)gf__terminal_width(stderr);
  if (line.data) fprintf(stderr, "%.*s\n", (int)(fits ? line.size : needed), line.data);
  gf__text_free(&line);
}

static void on_written(void *user, const char *path) {
  screen *s = user;
  gf__text_add(&s->pictures, "%s\n", path);
}

static void on_log(void *user, gf_log_level level, const char *message) {
  screen *s = user;
  if (s->quiet && level != GF_LOG_WARNING) return;
  if (level == GF_LOG_DETAIL) {
    gf__bar_say(&s->bar, message);
    return;
  }
  clear(s);
  if (level == GF_LOG_INFO)
    fprintf(stderr, "note     %s\n", message);
  else
    gf__cli_log(NULL, level, message);
}

/* ---- before ---- */

/* Of a run that goes on, its own config is the one to take unless another is given. */
static gf_status load_config(gf_config **out, const gf__cli *cli) {
  char path[4096];
  const char *file = cli->argument_count ? cli->arguments[0] : path;
  if (!cli->argument_count) GF_TRY(gf__path_join(path, sizeof path, cli->resume, "config.yaml"));
  if (cli->resume && !gf__path_exists(file))
    return gf__fail(GF_ERROR_FILE, "%s is not the folder of a run: it has no config.yaml",
                    cli->resume);
  GF_TRY(gf__cli_load_config(out, cli, file));
  const gf__value *model = gf__value_get(gf__config_root(*out), "model");
  if (!model || (!cli->tune && gf__value_get(model, "tune"))) return GF_OK;
  char assignment[64];
  snprintf(assignment, sizeof assignment, "model.tune=%.32s", cli->tune ? cli->tune : "fast");
  return gf_config_set(*out, assignment);
}

/* What the config says of the network: "family vgg_stages, filters 32", "graph of 12". That of a
 * run says everything, which is too much. */
static void add_network(gf__text *out, const gf_config *config, bool is_of_run) {
  const gf__value *section = gf__value_get(gf__config_root(config), "model");
  for (size_t i = 0; section && section->kind == GF__MAPPING && i < section->count; i++) {
    const gf__value *item = section->items[i];
    bool is_kind = !strcmp(item->key, "graph") ||
                   (!strcmp(item->key, "family") && strcmp(item->text ? item->text : "", "none"));
    if (!strcmp(item->key, "tune") || (is_of_run && !is_kind)) continue; /* tune: how, not what */
    gf__text_add(out, "%s%s ", out->size ? ", " : "", item->key);
    if (item->kind == GF__SCALAR)
      gf__text_add(out, "%s", item->text);
    else
      gf__text_add(out, "of %zu", item->count);
  }
}

static void print_start(const gf__cli *cli, const gf_device *device, const gf_config *config,
                        const gf_train_options *options) {
  const gf_device_info *d = gf_device_describe(device);
  gf__text network = {0};
  char others[48] = "";
  int ranks = gf_communicator_describe(options->communicator).ranks;
  if (ranks > 1) snprintf(others, sizeof others, " of the first of %d ranks", ranks);
  add_network(&network, config, !cli->argument_count);
  fprintf(stderr,
          "device   %d:%d %s (%s)%s\n"
          "config   %s\n"
          "network  %s\n"
          "out      %s\n",
          d->platform, d->index, d->name, gf_device_type_name(d->type), others,
          cli->argument_count ? cli->arguments[0] : "that of the run",
          network.data ? network.data : "", options->out);
  gf__text_free(&network);
}

/* ---- after ---- */

static gf_status print_results(const screen *s, const char *out) {
  char *verdict = NULL;
  gf_run_state run;
  GF_TRY(gf_run_look(out, &run));
  const gf_epoch *e = &run.last;
  printf("%-10s epoch %d, loss %.4f, accuracy %.1f%%\n", "train", e->epoch, e->train_loss,
         100 * e->train_accuracy);
  e = &run.best;
  if (e->epoch)
    printf("%-10s epoch %d is best, loss %.4f, accuracy %.1f%%\n", "validation", e->epoch,
           e->validation_loss, 100 * e->validation_accuracy);
  GF_TRY(gf_diagnose(out, &verdict));
  printf("%-10s %s\n", "gradients", verdict);
  free(verdict);
  printf("%-10s %s/%s.safetensors\n", "weights", out, e->epoch ? "best" : "last");
  for (char *path = s->pictures.data, *end; path && *path; path = end + 1) {
    end = strchr(path, '\n');
    printf("%-10s %.*s\n", path == s->pictures.data ? "pictures" : "", (int)(end - path), path);
  }
  return gf__text_status(&s->pictures);
}

static void add_rate(gf__table *table, double amount, double seconds) {
  if (amount > 0 && seconds > 0)
    gf__table_add(table, "%.1f", 1e-9 * amount / seconds);
  else
    gf__table_add(table, "%s", "");
}

static gf_status add_profile(gf_device *device, gf__text *text) {
  static const gf__table_column columns[] = {{"kernel", false}, {"calls", true},   {"ms", true},
                                             {"share", true},   {"GFLOP/s", true}, {"GB/s", true}};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  gf_profile_row *rows;
  int count;
  double all = 0;
  GF_TRY(gf_profile_read(device, &rows, &count));
  for (int i = 0; i < count; i++) all += rows[i].seconds;
  for (int i = 0; i < count; i++) {
    const gf_profile_row *r = &rows[i];
    gf__table_add(&table, "%s", r->name);
    gf__table_add(&table, "%d", r->calls);
    gf__table_add(&table, "%.1f", 1e3 * r->seconds);
    gf__table_add(&table, "%.1f%%", all > 0 ? 100 * r->seconds / all : 0);
    add_rate(&table, r->flops, r->seconds);
    add_rate(&table, r->bytes, r->seconds);
  }
  free(rows);
  gf_status status = gf__table_text(&table, 80, text);
  gf__table_free(&table);
  return status;
}

/* Of all that the run did, from the first step, which compiles, to the last validation. */
static gf_status print_profile(gf_device *device, const char *out) {
  char path[4096];
  gf__text text = {0};
  gf_status status = add_profile(device, &text);
  if (status == GF_OK) status = gf__path_join(path, sizeof path, out, "trace.json");
  if (status == GF_OK) status = gf_profile_trace(device, path);
  if (status == GF_OK) printf("%-10s %s\n\n%s", "trace", path, text.data);
  gf__text_free(&text);
  return status;
}

/* "500", "500steps" or "10min" -> the options' checkpoint_steps or checkpoint_minutes. */
static gf_status read_checkpoint_every(const char *text, gf_train_options *options) {
  char *unit;
  double number = strtod(text, &unit);
  bool is_whole = number == floor(number) && number <= 1e9;
  if (number > 0 && is_whole && (!*unit || !strcmp(unit, "steps")))
    options->checkpoint_steps = (long)number;
  else if (number > 0 && isfinite(number) && !strcmp(unit, "min"))
    options->checkpoint_minutes = number;
  else
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--checkpoint-every %s: must be a number of steps, as 500, or of minutes, as "
                    "10min",
                    text);
  return GF_OK;
}

static gf_status read_keep_checkpoints(const char *text, int *out) {
  char *end;
  long number = strtol(text, &end, 10);
  if (!isdigit((unsigned char)*text) || *end || number < 1 || number > 16)
    return gf__fail(GF_ERROR_ARGUMENT, "--keep-checkpoints %s: must be a number from 1 to 16",
                    text);
  *out = (int)number;
  return GF_OK;
}

static gf_status read_options(const gf__cli *cli, gf_train_options *options) {
  if (cli->resume && (cli->overwrite || cli->out))
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--resume goes on in its own folder: leave out --out and --overwrite");
  if (cli->force && !cli->resume)
    return gf__fail(GF_ERROR_ARGUMENT, "--force belongs to --resume; see gradflow train --help");
  if (cli->checkpoint_every) GF_TRY(read_checkpoint_every(cli->checkpoint_every, options));
  if (!cli->keep_checkpoints) return GF_OK;
  return read_keep_checkpoints(cli->keep_checkpoints, &options->keep_checkpoints);
}

static gf_status train(const gf__cli *cli, gf_device *device, const gf_config *config,
                       gf_train_options *options) {
  bool draws = gf__cli_can_draw(stderr), colours = gf__cli_has_colours(stderr);
  bool is_first = gf__cli_is_first(options->communicator), quiet = cli->quiet || !is_first;
  screen s = {.bar = {.file = stderr, .enabled = !quiet && draws, .colours = colours},
              .watches = cli->watch && !quiet,
              .watch = {.file = stderr, .draws = draws, .colours = colours},
              .quiet = quiet};
  options->events = (gf_train_events){.user = &s,
                                      .progress = on_progress,
                                      .epoch = on_epoch,
                                      .stop = on_stop,
                                      .written = on_written,
                                      .gradients = s.watches ? on_gradients : NULL};
  if (!quiet) print_start(cli, device, config, options);
  gf_log_to(on_log, &s);
  gf__on_interrupt(on_signal);
  gf__bar_say(&s.bar, "reading the images and building the network...");
  gf_status status = cli->profile ? gf_profile_start(device) : GF_OK;
  if (status == GF_OK) status = gf_train(device, config, options);
  clear(&s);
  gf_log_to(gf__cli_log, NULL);
  if (status == GF_OK && is_first) status = print_results(&s, options->out);
  if (status == GF_OK && is_first && cli->profile) status = print_profile(device, options->out);
  gf__text_free(&s.pictures);
  return status;
}

static void print_bytes(const char *what, size_t bytes, const char *note) {
  printf("  %-12s %9.1f MiB  %s\n", what, (double)bytes / 0x1p20, note);
}

static gf_status dry_run(gf_device *device, const gf_config *config) {
  gf_dry_run d;
  GF_TRY(gf_train_dry_run(device, config, &d));
  printf(
      "%d training and %d validation images, batches of %d, %d epochs\n%zu parameters\n\n"
      "memory on %s:\n",
      d.training_images, d.validation_images, d.batch_size, d.epochs, d.parameters,
      gf_device_describe(device)->name);
  if (d.micro_batch < d.batch_size)
    printf("  a batch does not fit: it goes through in micro-batches of %d images\n",
           d.micro_batch);
  print_bytes("parameters", d.memory.parameters, "weights, gradients, running statistics");
  print_bytes("optimizer", d.memory.optimizer, "its state, and gradient statistics");
  print_bytes("activations", d.memory.activations, "with gradients and what backward needs");
  print_bytes("input", d.memory.input, "images, labels and losses");
  print_bytes("workspace", d.memory.workspace, "shared by the operations");
  print_bytes("peak", d.planned, "planned");
  print_bytes("", d.allocated, "allocated for a moment, to compare");
  return GF_OK;
}

static gf_status run_with(const gf__cli *cli, const gf_config *config, gf_train_options *options) {
  gf_device *device = NULL;
  GF_TRY(gf_communicator_open_device(&device, options->communicator, cli->device, 0));
  gf_status status = GF_OK;
  if (!cli->dry_run)
    status = train(cli, device, config, options);
  else if (gf__cli_is_first(options->communicator))
    status = dry_run(device, config);
  gf_device_free(&device);
  return status;
}

static int run(const gf__cli *cli) {
  gf_config *config = NULL;
  gf__text out = {0};
  gf_train_options options = {.overwrite = cli->overwrite,
                              .resume = cli->resume != NULL,
                              .force = cli->force,
                              .balance = cli->balance};
  if (!cli->argument_count && !cli->resume)
    return gf__cli_fail(
        gf__fail(GF_ERROR_ARGUMENT, "a config is missing; see gradflow train --help"));
  if (cli->out || cli->resume)
    gf__text_add(&out, "%s", cli->resume ? cli->resume : cli->out);
  else
    gf__cli_default_out(cli->arguments[0], &out);
  options.out = out.data;
  gf_status status = gf__cli_join(cli, &options.communicator);
  if (status == GF_OK) {
    status = gf__text_status(&out);
    if (status == GF_OK) status = read_options(cli, &options);
    if (status == GF_OK) status = load_config(&config, cli);
    status = gf_communicator_agree(options.communicator, status);
  }
  if (status == GF_OK) status = run_with(cli, config, &options);
  bool by_signal = status == GF_ERROR_INTERRUPTED && signal_;
  int code = gf__cli_leave(&options.communicator, status, by_signal ? EXIT_BY_SIGNAL + signal_ : 0);
  gf_config_free(&config);
  gf__text_free(&out);
  return code;
}

const gf__command gf__cmd_train = {
    .name = "train",
    .arguments = "CONFIG [OPTION]... | --resume DIR [OPTION]...",
    .help = "train a network as a config says, into a run folder",
    .text =
        "Trains the network of a YAML file and leaves a run folder: the resolved config,\n"
        "environment.json, metrics.csv, timing.csv, gradients.csv, activations.csv,\n"
        "last.safetensors and best.safetensors, checkpoints, and pictures of loss,\n"
        "accuracy, gradients and activations. Ctrl-C finishes the step, saves a\n"
        "checkpoint and exits with 130; --resume goes on from it, or from the newest one\n"
        "that a crash has left, to the bit as if the run had never stopped.\n",
    .examples =
        "  gradflow train configs/plain37.yaml\n"
        "  gradflow train configs/plain37.yaml --set model.shortcut=identity \\\n"
        "    --set train.epochs=10 --out runs/shortcuts\n"
        "  gradflow train configs/plain37.yaml --device gpu --overwrite --watch\n"
        "  gradflow train --resume runs/plain37\n"
        "  gradflow train --resume runs/plain37 --set train.epochs=200 --force\n"
        "  mpirun -n 2 gradflow train configs/plain37.yaml --device auto\n",
    .least = 0,
    .most = 1,
    .options = {GF__OPTION_DEVICE,
                GF__OPTION_SET,
                {"out", 'o', POPT_ARG_STRING, offsetof(gf__cli, out), "DIR",
                 "the run folder; default runs/NAME for NAME.yaml"},
                {"overwrite", 0, POPT_ARG_NONE, offsetof(gf__cli, overwrite), NULL,
                 "replace the run that is in the folder"},
                {"resume", 'r', POPT_ARG_STRING, offsetof(gf__cli, resume), "DIR",
                 "go on with the run in the folder"},
                {"force", 'f', POPT_ARG_NONE, offsetof(gf__cli, force), NULL,
                 "with --resume: although the config has changed, or the\n"
                 "run has ended"},
                {"checkpoint-every", 'c', POPT_ARG_STRING, offsetof(gf__cli, checkpoint_every), "N",
                 "a checkpoint every N steps, or minutes as in 10min,\n"
                 "besides that at the end of each epoch"},
                {"keep-checkpoints", 'k', POPT_ARG_STRING, offsetof(gf__cli, keep_checkpoints), "N",
                 "the newest N; default 2"},
                {"watch", 'w', POPT_ARG_NONE, offsetof(gf__cli, watch), NULL,
                 "show the gradient flow live, a bar a layer"},
                {"tune", 't', POPT_ARG_STRING, offsetof(gf__cli, tune), "HOW",
                 "measure which convolutions are fastest here: fast\n"
                 "(what is not known yet, 20 s), full or off; default\n"
                 "as the config says, else fast"},
                {"dry-run", 'n', POPT_ARG_NONE, offsetof(gf__cli, dry_run), NULL,
                 "print what the run takes on the device, train nothing"},
                {"profile", 'p', POPT_ARG_NONE, offsetof(gf__cli, profile), NULL,
                 "print the time by kernel, and leave trace.json for\n"
                 "chrome://tracing"},
                {"balance", 'b', POPT_ARG_STRING, offsetof(gf__cli, balance), "HOW",
                 "under mpirun, the ranks' parts of a batch: equal, auto\n"
                 "(by speed, measured when the run begins), again (now),\n"
                 "or a number a rank, as 3,1; default equal"},
                GF__OPTION_RANK_TIMEOUT,
                {"quiet", 'q', POPT_ARG_NONE, offsetof(gf__cli, quiet), NULL,
                 "nothing but warnings, errors and the results"},
                GF__OPTION_HELP},
    .more_title = "keys of a config, a section each (as in --set train.epochs=5):",
    .more = gf_config_help,
    .run = run,
};
