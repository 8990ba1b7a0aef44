/* gradflow train */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/file.h"
#include "base/os.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/ranks.h"
#include "cli/watch.h"
#include "report/table.h"
#include "run/run_folder.h"

typedef struct train_options {
  char *device, *out, *resume, *checkpoint_every, *balance; /* or NULL */
  int keep_checkpoints;
  int tune; /* index in tune_words, or -1 */
  double rank_timeout;
  bool overwrite, force, watch, dry_run, profile, quiet;
  gf__texts sets;
} train_options;

static const char *const tune_words[] = {"off", "known", "fast", "full", NULL};
static const char *const balance_words[] = {"equal", "auto", "again", NULL};

static const gf__option option_rows[] = {
    GF__OPTION_DEVICE(train_options),
    GF__OPTION_SET(train_options),
    GF__OPTION("out", 'o', "DIR", train_options, out, TEXT,
               .help = "the run folder; default runs/NAME for NAME.yaml"),
    GF__FLAG("overwrite", 0, train_options, overwrite,
             "replace the run in the folder; one with other files in it is refused"),
    GF__OPTION("resume", 'r', "DIR", train_options, resume, TEXT,
               .help = "go on with the run in the folder"),
    GF__FLAG("force", 'f', train_options, force,
             "with --resume: although the config or the images have changed, or the run has ended"),
    GF__OPTION("checkpoint-every", 'c', "N", train_options, checkpoint_every, TEXT,
               .help = "a checkpoint every N steps, or minutes as in 10min, besides that at the "
                       "end of each epoch"),
    GF__OPTION("keep-checkpoints", 'k', "N", train_options, keep_checkpoints, INT, .initial = "2",
               .minimum = 1, .maximum = 16, .help = "the newest N"),
    GF__FLAG("watch", 'w', train_options, watch, "show the gradient flow live, a bar per layer"),
    GF__OPTION("tune", 't', "HOW", train_options, tune, CHOICE, .choices = tune_words,
               .help = "measure which convolutions are fastest here: fast measures what is not "
                       "known yet, 20 s, known and off nothing; default as the config says, else "
                       "fast, and known with --dry-run"),
    GF__FLAG("dry-run", 'n', train_options, dry_run,
             "print what the run takes on the device, train nothing"),
    GF__FLAG("profile", 'p', train_options, profile,
             "print the time by kernel, and leave trace.json for chrome://tracing"),
    GF__OPTION("balance", 'b', "HOW", train_options, balance, TEXT, .choices = balance_words,
               .help = "under mpirun, the ranks' shards of a batch: equal, auto (by speed, "
                       "measured when the run begins), again (now), or a number per rank, as "
                       "3,1; default equal"),
    GF__OPTION_RANK_TIMEOUT(train_options),
    GF__FLAG("quiet", 'q', train_options, quiet, "nothing but warnings, errors and the results"),
    GF__OPTIONS_END};

/* ---- what happens while it trains ---- */

typedef struct screen {
  gf__bar bar;
  bool watches;
  gf__watch watch;
  gf_progress progress; /* the newest; of epoch 0 before the first */
  bool quiet;
  bool said_stopping, is_reported;
  gf__text pictures; /* their paths, a line each */
} screen;

/* Makes room for lines that stay. */
static void clear_screen(screen *s) {
  gf__bar_clear(&s->bar);
  gf__watch_leave(&s->watch);
}

static void say_stopping(screen *s) {
  if (!gf__interrupt_signal() || s->said_stopping) return;
  s->said_stopping = true;
  clear_screen(s);
  fputs(GF__STOPPING_NOTE, stderr);
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

static bool on_stop(void *user) {
  say_stopping(user);
  return gf__interrupt_stops(NULL);
}

static void on_epoch(void *user, const gf_epoch *e) {
  screen *s = user;
  if (s->quiet) return;
  clear_screen(s);
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

/* Before the pictures are drawn: mpirun, for one, kills a second after it has asked. */
static void on_ended(void *user, gf_status status, const char *message) {
  screen *s = user;
  (void)status;
  clear_screen(s);
  gf__cli_print_failure(message);
  s->is_reported = true;
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
  clear_screen(s);
  if (level == GF_LOG_INFO)
    fprintf(stderr, "note     %s\n", message);
  else
    gf__cli_log(NULL, level, message);
}

/* ---- before ---- */

/* Of a run that goes on, its own config is the one to take unless another is given. */
static gf_status load_config(gf_config **out, const gf__cli *cli) {
  const train_options *o = cli->options;
  char path[4096];
  const char *file = cli->argument_count ? cli->arguments[0] : path;
  if (!cli->argument_count) GF_TRY(gf__path_join(path, sizeof path, o->resume, "config.yaml"));
  if (o->resume && !gf__path_exists(file))
    return gf__fail(GF_ERROR_FILE, "%s is not the folder of a run: it has no config.yaml",
                    o->resume);
  if (cli->argument_count) {
    GF_TRY(gf__cli_load_config(out, &o->sets, file));
  } else {
    GF_TRY(gf__run_config_load(out, o->resume));
    GF_TRY(gf__cli_set_all(*out, &o->sets));
  }
  const gf__value *model = gf__value_get(gf__config_root(*out), "model");
  const gf__value *own = gf__value_get(model, "tune");
  const char *tune = own ? gf__scalar_words(own) : "fast";
  /* A dry run is to take a moment, and measures nothing unless it is asked to. */
  if (o->dry_run && strcmp(tune, "off") != 0) tune = "known";
  if (o->tune >= 0) tune = tune_words[o->tune];
  if (!model || (own && !strcmp(tune, gf__scalar_words(own)))) return GF_OK;
  char assignment[64];
  snprintf(assignment, sizeof assignment, "model.tune=%s", tune);
  return gf_config_set(*out, assignment);
}

/* What the config says of the network: "family vgg_stages, filters 32", "graph of 12". That of a
 * run says everything, which is too much. */
static void add_network(gf__text *out, const gf_config *config, bool is_of_run) {
  const gf__value *section = gf__value_get(gf__config_root(config), "model");
  for (size_t i = 0; section && section->kind == GF__MAPPING && i < section->count; i++) {
    const gf__value *item = section->items[i];
    bool is_kind = !strcmp(item->key, "graph") ||
                   (!strcmp(item->key, "family") && strcmp(gf__scalar_words(item), "none"));
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
  GF_TRY(gf_run_read_state(out, &run));
  if (*run.stopped_by)
    printf("%-10s after %d of %d epochs, by train.stop: %s\n", "stopped", run.epochs_done,
           run.epochs, run.stopped_by);
  const gf_epoch *e = &run.last;
  if (!e->epoch) { /* its time was over before */
    printf("%-10s %s/last.safetensors\n", "weights", out);
    return GF_OK;
  }
  printf("%-10s epoch %d, loss %.4f, accuracy %.1f%%\n", "train", e->epoch, e->train_loss,
         100 * e->train_accuracy);
  e = &run.best;
  if (e->epoch)
    printf("%-10s epoch %d is best, loss %.4f, accuracy %.1f%%\n", "validation", e->epoch,
           e->validation_loss, 100 * e->validation_accuracy);
  GF_TRY(gf_diagnose(out, &verdict));
  printf("%-10s %s\n", "gradients", verdict);
  free(verdict);
  char weights[GF__PATH_SIZE];
  GF_TRY(gf__run_weights(weights, out));
  printf("%-10s %s\n", "weights", weights);
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
static gf_status read_checkpoint_every(const char *text, gf_train_options *how) {
  char *unit;
  double number = strtod(text, &unit);
  bool is_whole = number == floor(number) && number <= 1e9;
  if (number > 0 && is_whole && (!*unit || !strcmp(unit, "steps")))
    how->checkpoint_steps = (long)number;
  else if (number > 0 && isfinite(number) && !strcmp(unit, "min"))
    how->checkpoint_minutes = number;
  else
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--checkpoint-every %s: must be a number of steps, as 500, or of minutes, as "
                    "10min",
                    text);
  return GF_OK;
}

static gf_status read_options(const train_options *o, gf_train_options *how) {
  if (o->resume && (o->overwrite || o->out))
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--resume goes on in its own folder: leave out --out and --overwrite");
  if (o->force && !o->resume)
    return gf__fail(GF_ERROR_ARGUMENT, "--force belongs to --resume; see gradflow train --help");
  how->keep_checkpoints = o->keep_checkpoints;
  return o->checkpoint_every ? read_checkpoint_every(o->checkpoint_every, how) : GF_OK;
}

/* *is_reported: the message of a failure is on stderr already. */
static gf_status train_network(const gf__cli *cli, gf_device *device, const gf_config *config,
                               gf_train_options *how, bool *is_reported) {
  const train_options *o = cli->options;
  bool draws = gf__cli_can_draw(stderr), colours = gf__cli_has_colours(stderr);
  bool is_first = gf__cli_is_first(how->communicator), quiet = o->quiet || !is_first;
  screen s = {.bar = {.file = stderr, .enabled = !quiet && draws, .colours = colours},
              .watches = o->watch && !quiet,
              .watch = {.file = stderr,
                        .draws = draws,
                        .colours = colours,
                        .vanishing = gf__vanishing_of_config(config)},
              .quiet = quiet};
  how->events = (gf_train_events){.user = &s,
                                  .progress = on_progress,
                                  .epoch = on_epoch,
                                  .stop = on_stop,
                                  .written = on_written,
                                  .gradients = s.watches ? on_gradients : NULL,
                                  .ended = on_ended};
  if (!quiet) print_start(cli, device, config, how);
  gf_log_to(on_log, &s);
  gf__interrupt_catch();
  gf__bar_say(&s.bar, "reading the images and building the network...");
  gf_status status = o->profile ? gf_profile_start(device) : GF_OK;
  if (status == GF_OK) status = gf_train(device, config, how);
  clear_screen(&s);
  gf_log_to(gf__cli_log, NULL);
  if (status == GF_OK && is_first) status = print_results(&s, how->out);
  if (status == GF_OK && is_first && o->profile) status = print_profile(device, how->out);
  gf__text_free(&s.pictures);
  *is_reported = s.is_reported;
  return status;
}

static void print_bytes(const char *what, size_t bytes, const char *note) {
  printf("  %-12s %9.1f MiB  %s\n", what, (double)bytes / 0x1p20, note);
}

static gf_status print_dry_run(gf_device *device, const gf_config *config) {
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

static gf_status run_with(const gf__cli *cli, const gf_config *config, gf_train_options *how,
                          bool *is_reported) {
  const train_options *o = cli->options;
  gf_device *device = NULL;
  GF_TRY(gf_communicator_open_device(&device, how->communicator, o->device, false));
  gf_status status = GF_OK;
  if (!o->dry_run)
    status = train_network(cli, device, config, how, is_reported);
  else if (gf__cli_is_first(how->communicator))
    status = print_dry_run(device, config);
  gf_device_free(&device);
  return status;
}

static int run_train(const gf__cli *cli) {
  const train_options *o = cli->options;
  gf_config *config = NULL;
  gf__text out = {0};
  gf_train_options how = gf_train_options_default();
  if (!cli->argument_count && !o->resume)
    return gf__cli_fail(
        gf__fail(GF_ERROR_ARGUMENT, "a config is missing; see gradflow train --help"));
  if (o->out || o->resume)
    gf__text_add(&out, "%s", o->resume ? o->resume : o->out);
  else
    gf__cli_default_out(cli->arguments[0], &out);
  how.out = out.data;
  how.overwrite = o->overwrite;
  how.resume = o->resume != NULL;
  how.force = o->force;
  how.balance = o->balance;
  gf_status status = gf_communicator_open(&how.communicator, o->rank_timeout);
  if (status == GF_OK) {
    status = gf__text_status(&out);
    if (status == GF_OK) status = read_options(o, &how);
    if (status == GF_OK) status = load_config(&config, cli);
    status = gf_communicator_agree(how.communicator, status);
  }
  bool is_reported = false;
  if (status == GF_OK) status = run_with(cli, config, &how, &is_reported);
  int by_signal = status == GF_ERROR_INTERRUPTED ? gf__interrupt_exit_code() : 0;
  int code = gf__cli_leave(&how.communicator, status, by_signal, is_reported);
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
        "environment.json, network.json, metrics.csv, timing.csv, gradients.csv,\n"
        "activations.csv, last.safetensors and best.safetensors, checkpoints, and\n"
        "pictures of loss, accuracy, gradients and activations. Ctrl-C finishes the step,\n"
        "saves a checkpoint and exits with 130; --resume goes on from it, or from the\n"
        "newest one that a crash has left, to the bit as if the run had never stopped.\n",
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
    .options = option_rows,
    .options_size = sizeof(train_options),
    .more_title = "keys of a config, a section each (as in --set train.epochs=5):",
    .more = gf_config_help,
    .has_ranks = true,
    .run = run_train,
};
