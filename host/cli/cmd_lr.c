/* gradflow lr */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/os.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "report/table.h"
#include "run/run_folder.h"

typedef struct lr_options {
  char *device, *out; /* or NULL */
  double from, to, seconds;
  int steps;
  bool json;
  gf__texts sets;
} lr_options;

static const gf__option option_rows[] = {
    GF__OPTION_DEVICE(lr_options),
    GF__OPTION_SET(lr_options),
    GF__OPTION("from", 0, "RATE", lr_options, from, FLOAT, .initial = "1e-7", .maximum = INFINITY,
               .help = "the first rate"),
    GF__OPTION("to", 0, "RATE", lr_options, to, FLOAT, .initial = "10", .maximum = INFINITY,
               .help = "the last rate"),
    GF__OPTION("steps", 0, "N", lr_options, steps, INT, .initial = "100", .minimum = 10,
               .maximum = 100000, .help = "training steps"),
    GF__OPTION("seconds", 0, "S", lr_options, seconds, FLOAT, .initial = "120", .maximum = INFINITY,
               .help = "end after that time of steps; 0: without a limit"),
    GF__OPTION("out", 'o', "DIR", lr_options, out, TEXT,
               .help = "also write lr.csv and lr.png into this folder, which is no run's"),
    GF__OPTION_JSON(lr_options),
    GF__OPTIONS_END};

enum { WIDTH = 80, MOST_ROWS = 15 };

typedef struct lr_run {
  const char *config; /* its path */
  const lr_options *options;
  gf_rate_test result;
  gf__bar bar;
  char csv[GF__PATH_SIZE], picture[GF__PATH_SIZE];
} lr_run;

/* ---- files ---- */

static gf_status check_folder(const char *folder) {
  if (!gf__run_folder_has_run(folder)) return GF_OK;
  return gf__fail(GF_ERROR_ARGUMENT,
                  "%s is the folder of a run, to which nothing is added; choose another --out",
                  folder);
}

static gf_status write_csv(const lr_run *r) {
  gf__text text = {0};
  gf__text_add(&text, "learning_rate,loss,smoothed\n");
  for (int i = 0; i < r->result.step_count; i++) {
    const gf_rate_test_step *s = &r->result.steps[i];
    gf__text_add(&text, "%.9g,%.9g,%.9g\n", s->learning_rate, s->loss, s->smoothed);
  }
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf__file_write(r->csv, text.data, text.size);
  gf__text_free(&text);
  return status;
}

/* The steps before the loss rises far above what it was: the others would flatten all of these. */
static int steps_to_draw(const gf_rate_test *t) {
  double highest = 0;
  for (int i = 0; i <= t->step_count / 2; i++) highest = fmax(highest, t->steps[i].smoothed);
  int count = t->step_count;
  while (count > 1 && !(t->steps[count - 1].smoothed < 1.5 * highest)) count--;
  return count;
}

static gf_status draw(const lr_run *r) {
  const gf_rate_test *t = &r->result;
  int count = steps_to_draw(t), at = -1;
  double *numbers = malloc(3 * (size_t)count * sizeof *numbers);
  if (!numbers) return gf__fail_host_memory(3 * (size_t)count * sizeof *numbers);
  double *rates = numbers, *losses = numbers + count, *smoothed = numbers + 2 * count;
  for (int i = 0; i < count; i++) {
    rates[i] = log10(t->steps[i].learning_rate);
    losses[i] = t->steps[i].loss;
    smoothed[i] = t->steps[i].smoothed;
    if (t->steps[i].learning_rate == t->fastest) at = i;
  }
  gf_series series[] = {
      {.name = "loss of each step", .x = rates, .y = losses, .count = count, .shade = 0.3f},
      {.name = "smoothed", .x = rates, .y = smoothed, .count = count, .shade = 1},
      {.name = "falls fastest", .count = 1, .shade = 1, .hue = 1}};
  if (at >= 0) {
    series[2].x = rates + at;
    series[2].y = smoothed + at;
  }
  gf_chart chart = {.title = "Learning-rate range test",
                    .x_label = "learning rate, as a power of ten",
                    .y_label = "train loss",
                    .series = series,
                    .count = at < 0 ? 2 : 3,
                    .trims = true};
  gf_status status = gf_charts_write(r->picture, &chart, 1, 1);
  free(numbers);
  return status;
}

static gf_status write_files(lr_run *r, const char *folder) {
  GF_TRY(gf__make_folder(folder));
  GF_TRY(gf__path_join(r->csv, sizeof r->csv, folder, "lr.csv"));
  GF_TRY(gf__path_join(r->picture, sizeof r->picture, folder, "lr.png"));
  GF_TRY(write_csv(r));
  return draw(r);
}

/* ---- for people ---- */

static gf_status print_steps(const gf_rate_test *t) {
  const gf__table_column columns[] = {{"learning rate", true}, {"loss", true}, {"smoothed", true}};
  gf__table table = {.columns = columns, .column_count = 3};
  int last = t->step_count - 1, rows = last < MOST_ROWS ? last : MOST_ROWS - 1;
  for (int i = 0; i <= rows; i++) {
    const gf_rate_test_step *s = &t->steps[rows ? (int)((long)i * last / rows) : 0];
    gf__table_add(&table, "%.1e", s->learning_rate);
    gf__table_add(&table, "%.4g", s->loss);
    gf__table_add(&table, "%.4g", s->smoothed);
  }
  gf__text text = {0};
  gf_status status = gf__table_text(&table, WIDTH, &text);
  gf__table_free(&table);
  if (status == GF_OK) printf("%s\n", text.data);
  gf__text_free(&text);
  return status;
}

static void print_end(const gf_rate_test *t) {
  const gf_rate_test_step *last = &t->steps[t->step_count - 1];
  if (t->diverged)
    printf("diverged   at %.1e, where the smoothed loss is above 4 times its lowest\n",
           last->learning_rate);
  if (t->out_of_time)
    printf("ended      at %.1e, after %d steps, by --seconds; rates above were not tried\n",
           last->learning_rate, t->step_count);
}

static gf_status print_text(const lr_run *r) {
  const gf_rate_test *t = &r->result;
  printf("%s: %d steps of %d images by %s, each at a higher rate\n\n", r->config, t->step_count,
         t->batch_size, t->optimizer);
  GF_TRY(print_steps(t));
  if (isnan(t->fastest)) {
    printf(
        "suggested  none: at no rate does the loss fall by 1%%. gradflow diagnose %s says what\n"
        "           reaches the last layer\n",
        r->config);
    print_end(t);
  } else {
    printf("suggested  %.1e, where the smoothed loss falls fastest; the config has %.1e\n",
           t->fastest, t->configured);
    printf("lowest     %.1e, with a smoothed loss of %.4g: rates from here on are too high\n",
           t->lowest, t->lowest_loss);
    print_end(t);
    printf("next       gradflow train %s --set optimizer.learning_rate=%.1e\n", r->config,
           t->fastest);
  }
  if (*r->picture) printf("picture    %s\n", r->picture);
  return GF_OK;
}

/* ---- for programs ---- */

static json_t *pack(const lr_run *r) {
  const gf_rate_test *t = &r->result;
  json_t *steps = json_array();
  for (int i = 0; i < t->step_count; i++)
    json_array_append_new(
        steps, json_pack("{s:f, s:o, s:o}", "learning_rate", t->steps[i].learning_rate, "loss",
                         gf__json_number(t->steps[i].loss), "smoothed",
                         gf__json_number(t->steps[i].smoothed)));
  return json_pack("{s:s, s:s, s:i, s:f, s:b, s:b, s:o, s:o, s:o, s:o}", "config", r->config,
                   "optimizer", t->optimizer, "batch_size", t->batch_size, "configured",
                   t->configured, "diverged", t->diverged, "out_of_time", t->out_of_time,
                   "suggested", gf__json_number(t->fastest), "lowest", gf__json_number(t->lowest),
                   "lowest_loss", gf__json_number(t->lowest_loss), "steps", steps);
}

/* ---- the command ---- */

static bool on_step(void *user, const gf_rate_test *so_far) {
  lr_run *r = user;
  const gf_rate_test_step *last = &so_far->steps[so_far->step_count - 1];
  char line[160];
  snprintf(line, sizeof line, "step %d of %d, rate %.1e, loss %.4g", so_far->step_count,
           r->options->steps, last->learning_rate, last->smoothed);
  gf__bar_say(&r->bar, line);
  return gf__interrupt_stops(NULL);
}

static gf_status test_rates(lr_run *r) {
  const lr_options *o = r->options;
  gf_config *config = NULL;
  gf_device *device = NULL;
  gf_rate_test_options options = gf_rate_test_options_default();
  options.from = o->from;
  options.to = o->to;
  options.steps = o->steps;
  options.seconds = o->seconds;
  options.step = on_step;
  options.user = r;
  gf_status status = gf__cli_load_config(&config, &o->sets, r->config);
  if (status == GF_OK && o->out) status = check_folder(o->out);
  if (status == GF_OK) status = gf_device_open(&device, o->device);
  if (status == GF_OK) gf__bar_say(&r->bar, "compiling kernels");
  if (status == GF_OK) status = gf_rate_test_run(&r->result, device, config, &options);
  gf__bar_clear(&r->bar);
  gf_device_free(&device);
  gf_config_free(&config);
  return status;
}

static int run_lr(const gf__cli *cli) {
  lr_run r = {.config = cli->arguments[0],
              .options = cli->options,
              .bar = {.file = stderr, .enabled = gf__cli_can_draw(stderr)}};
  gf__interrupt_catch();
  gf_status status = test_rates(&r);
  if (status == GF_OK && r.options->out) status = write_files(&r, r.options->out);
  if (status == GF_OK) status = r.options->json ? gf__cli_print_json(pack(&r)) : print_text(&r);
  gf_rate_test_free(&r.result);
  if (status == GF_OK) return 0;
  int code = gf__cli_fail(status);
  return status == GF_ERROR_INTERRUPTED ? gf__interrupt_exit_code() : code;
}

const gf__command gf__cmd_lr = {
    .name = "lr",
    .arguments = "CONFIG [OPTION]...",
    .help = "find a learning rate by a range test",
    .text =
        "Makes training steps at rates that rise from --from to --to, each by the same\n"
        "factor (Smith, 2017), and suggests the rate at which the smoothed loss falls\n"
        "fastest. It ends where that loss has risen to 4 times its lowest, at --steps or\n"
        "at --seconds, whichever comes first. The config's schedule is left aside, and\n"
        "no run is changed.\n"
        "\n"
        "The rate suits the first epochs, at the config's optimizer and batch size. The\n"
        "smoothed loss lags some ten steps behind; more --steps make that less.\n",
    .examples =
        "  gradflow lr configs/plain7.yaml\n"
        "  gradflow lr configs/residual37.yaml --steps 300 --out lr\n"
        "  gradflow lr configs/plain37.yaml --set optimizer.name=sgd --json\n",
    .least = 1,
    .most = 1,
    .missing = "a config",
    .options = option_rows,
    .options_size = sizeof(lr_options),
    .run = run_lr,
};
