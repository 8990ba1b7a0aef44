/* gradflow scale */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/os.h"
#include "cli/ranks.h"
#include "report/table.h"

typedef struct scale_options {
  char *device, *out, *ranks; /* or NULL */
  double latency, bandwidth;  /* microseconds and GB/s; 0: not given */
  double rank_timeout;
  gf__texts sets;
} scale_options;

static const char *const latency_example[] = {"30", NULL};
static const char *const bandwidth_example[] = {"1.1", NULL};

static const gf__option option_rows[] = {
    GF__OPTION_DEVICE(scale_options),
    GF__OPTION_SET(scale_options),
    GF__OPTION("ranks", 0, "A..B", scale_options, ranks, TEXT,
               .help = "numbers of ranks, twice as many each time; default 1..1024"),
    GF__OPTION("latency", 0, "US", scale_options, latency, FLOAT, .minimum = 1e-3, .maximum = 1e9,
               .choices = latency_example,
               .help = "of a message, microseconds; default as measured, or 30"),
    GF__OPTION("bandwidth", 0, "GB/S", scale_options, bandwidth, FLOAT, .minimum = 1e-6,
               .maximum = 1e6, .choices = bandwidth_example,
               .help = "of a rank; default as measured, or 1.1"),
    GF__OPTION("out", 'o', "DIR", scale_options, out, TEXT,
               .help = "default scale/NAME for NAME.yaml"),
    GF__OPTION_RANK_TIMEOUT(scale_options),
    GF__OPTIONS_END};

enum { WIDTH = 80, MOST_POINTS = 40, MOST_RANKS = 1 << 20, MOST_MEASURED = 64 };

/* 10 gigabit Ethernet, as it is without tuning. */
static const gf_scale_network usual_network = {30e-6, 3e-6, 1.1e9};

typedef struct measured {
  int ranks;
  double step; /* seconds */
} measured;

typedef struct scale {
  gf_communicator *communicator;
  gf_device *device;
  gf_config *config;
  gf_scale_costs costs;
  gf_scale_network network;
  const char *source; /* of the network's numbers */
  int first, last;    /* ranks */
  measured steps[MOST_MEASURED];
  int step_count;
  gf__text out;
} scale;

/* ---- the command line ---- */

/* "1..1024" or "8". */
static gf_status read_ranks(const char *text, scale *s) {
  char *end;
  s->first = 1;
  s->last = 1024;
  if (!text) return GF_OK;
  long first = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : 0, last = first;
  if (first > 0 && !strncmp(end, "..", 2) && isdigit((unsigned char)end[2]))
    last = strtol(end + 2, &end, 10);
  if (first < 1 || *end || last < first || last > MOST_RANKS)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--ranks %s: must be a number of ranks, or the least and the most of them, as "
                    "1..1024",
                    text);
  s->first = (int)first;
  s->last = (int)last;
  return GF_OK;
}

static bool is_given(const scale_options *o) { return o->latency > 0 || o->bandwidth > 0; }

/* What is given goes before what was measured. */
static void read_network(const scale_options *o, gf_scale_network *network) {
  double latency = 1e-6 * o->latency; /* and by default a tenth of it is the gap */
  if (latency > 0) *network = (gf_scale_network){latency, latency / 10, network->bandwidth};
  if (o->bandwidth > 0) network->bandwidth = 1e9 * o->bandwidth;
}

/* ---- measuring ---- */

static gf_status read_scale(const gf__cli *cli, scale *s) {
  const scale_options *o = cli->options;
  const char *name = strrchr(cli->arguments[0], '/');
  GF_TRY(read_ranks(o->ranks, s));
  s->network = usual_network;
  s->source = "assumed; --latency and --bandwidth give others";
  read_network(o, &s->network);
  if (is_given(o)) s->source = "given";
  name = name ? name + 1 : cli->arguments[0];
  if (o->out)
    gf__text_add(&s->out, "%s", o->out);
  else
    gf__text_add(&s->out, "scale/%.*s", (int)strcspn(name, "."), name);
  GF_TRY(gf__text_status(&s->out));
  return gf__cli_load_config(&s->config, &o->sets, cli->arguments[0]);
}

static gf_status measure_steps(const scale_options *o, scale *s) {
  GF_TRY(gf_communicator_open_device(&s->device, s->communicator, o->device, false));
  int ranks = gf_communicator_describe(s->communicator).ranks;
  gf_status status = gf_scale_measure(&s->costs, s->device, s->config);
  GF_TRY(gf_communicator_agree(s->communicator, status));
  if (ranks == 1) return GF_OK;
  GF_TRY(gf_scale_measure_network(&s->network, s->communicator));
  s->source = is_given(o) ? "given" : "measured between these ranks";
  read_network(o, &s->network);
  s->steps[0].ranks = ranks;
  s->step_count = 1;
  return gf_scale_measure_step(&s->steps[0].step, s->device, s->communicator, s->config);
}

/* ---- what was measured, now and before ---- */

static const char measured_header[] = "ranks,images_a_rank,step_seconds\n";

static void keep_measured(scale *s, measured m) {
  for (int i = 0; i < s->step_count; i++)
    if (s->steps[i].ranks == m.ranks) return; /* the newest comes first */
  if (s->step_count < MOST_MEASURED) s->steps[s->step_count++] = m;
}

static gf_status read_measured(scale *s, const char *path) {
  enum { RANKS, IMAGES, STEP, COLUMNS };
  static const gf__csv_column columns[COLUMNS] = {[RANKS] = {"ranks", false},
                                                  [IMAGES] = {"images_a_rank", false},
                                                  [STEP] = {"step_seconds", false}};
  gf__csv csv;
  if (!gf__path_exists(path)) return GF_OK;
  GF_TRY(gf__csv_read(&csv, path, columns, COLUMNS));
  for (size_t i = 0; i < csv.rows; i++) {
    double ranks = csv.numbers[RANKS][i], step = csv.numbers[STEP][i];
    if (csv.numbers[IMAGES][i] == s->costs.batch && ranks >= 1 && ranks <= MOST_RANKS && step > 0)
      keep_measured(s, (measured){.ranks = (int)ranks, .step = step});
  }
  gf__csv_free(&csv);
  return GF_OK;
}

static gf_status write_text(const scale *s, const char *name, const gf__text *text) {
  char path[4096];
  GF_TRY(gf__text_status(text));
  GF_TRY(gf__path_join(path, sizeof path, s->out.data, name));
  return gf__file_write(path, text->data, text->size);
}

static gf_status write_measured(const scale *s) {
  gf__text text = {0};
  gf__text_add(&text, "%s", measured_header);
  for (int i = 0; i < s->step_count; i++)
    gf__text_add(&text, "%d,%d,%.6g\n", s->steps[i].ranks, s->costs.batch, s->steps[i].step);
  gf_status status = write_text(s, "measured.csv", &text);
  gf__text_free(&text);
  return status;
}

static double measured_step(const scale *s, int ranks) {
  for (int i = 0; i < s->step_count; i++)
    if (s->steps[i].ranks == ranks) return s->steps[i].step;
  return NAN;
}

/* ---- points ---- */

typedef struct points {
  gf_scale_point each[MOST_POINTS], whole[MOST_POINTS];
  int count;
  int whole_count; /* each rank has an image of the whole batch */
} points;

/* From the least to the most ranks, twice as many each time. */
static void predict_points(const scale *s, points *out) {
  out->count = out->whole_count = 0;
  for (int ranks = s->first; ranks <= s->last; ranks *= 2) {
    double batch = s->costs.batch;
    out->each[out->count++] = gf_scale_each(&s->costs, &s->network, ranks, batch);
    if (ranks <= s->costs.batch)
      out->whole[out->whole_count++] = gf_scale_whole(&s->costs, &s->network, ranks, batch);
  }
}

static void add_milliseconds(gf__table *table, double seconds) {
  if (isnan(seconds))
    gf__table_add(table, "%s", "");
  else
    gf__table_add(table, "%.4g", 1e3 * seconds);
}

static gf_status print_points(const scale *s, const gf_scale_point *p, int count, bool shows) {
  static const gf__table_column columns[] = {
      {"ranks", true},    {"images a rank", true}, {"step ms", true},  {"measured ms", true},
      {"waits ms", true}, {"efficiency", true},    {"bound by", false}};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  gf__text text = {0};
  for (int i = 0; i < count; i++) {
    gf__table_add(&table, "%d", p[i].ranks);
    gf__table_add(&table, "%.0f", p[i].images);
    add_milliseconds(&table, p[i].step);
    add_milliseconds(&table, shows ? measured_step(s, p[i].ranks) : (double)NAN);
    add_milliseconds(&table, p[i].exposed);
    gf__table_add(&table, "%.1f%%", 100 * p[i].efficiency);
    gf__table_add(&table, "%s", gf_scale_bound_name(p[i].bound));
  }
  gf_status status = gf__table_text(&table, WIDTH, &text);
  gf__table_free(&table);
  if (status == GF_OK) printf("%s", text.data);
  gf__text_free(&text);
  return status;
}

/* How far it goes, and what ends it. */
static void print_verdict(const gf_scale_point *p, int count) {
  static const char *const reasons[GF_SCALE_BOUNDS] = {
      [GF_SCALE_COMPUTE] = "uneven shards: the rank with the most images is waited for",
      [GF_SCALE_FIXED] = "what a step takes on a device however few images it has",
      [GF_SCALE_TRANSFER] = "the update and the gradients' way between device and host",
      [GF_SCALE_LATENCY] = "the latency of messages; a faster network, not a wider one, would help",
      [GF_SCALE_BANDWIDTH] = "the network's bandwidth; more images a rank hide more of it"};
  int good = 0;
  while (good < count && p[good].efficiency >= 0.9) good++;
  if (good == count) /* Is at least 1. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
    printf("Up to %d ranks, a rank keeps 90%% of its speed or more.\n\n", p[count - 1].ranks);
  else if (good == 0)
    printf("A rank keeps less than 90%% of its speed, because of\n%s.\n\n", reasons[p[0].bound]);
  else
    printf("A rank keeps 90%% of its speed up to %d ranks; with %d what costs most is\n%s.\n\n",
           p[good - 1].ranks, p[good].ranks, reasons[p[good].bound]);
}

static void print_costs(const scale *s) {
  const gf_scale_costs *c = &s->costs;
  const gf_memory *m = &c->memory;
  size_t memory = m->parameters + m->optimizer + m->activations + m->input + m->workspace;
  double bytes = 0, step = c->fixed + c->batch * c->image + c->update;
  for (int i = 0; i < c->bucket_count; i++) bytes += c->buckets[i].bytes;
  printf("device     %s\n", gf_device_describe(s->device)->name);
  printf("a rank     %zu parameters; %.1f MiB of device memory for %d images\n", c->parameters,
         (double)memory / 0x1p20, c->batch);
  printf("           a step %.4g ms: %.4g ms, %.4g ms an image, %.4g ms the update\n", 1e3 * step,
         1e3 * c->fixed, 1e3 * c->image, 1e3 * c->update);
  printf("gradients  %.2f MiB a step in %d buckets; %.4g ms from the device and back\n",
         bytes / 0x1p20, c->bucket_count, 1e3 * c->transfer);
  printf("network    %.4g us, %.4g GB/s (%s)\n\n", 1e6 * s->network.latency,
         1e-9 * s->network.bandwidth, s->source);
}

/* ---- files ---- */

static gf_status write_points(const scale *s, const points *p) {
  gf__text text = {0};
  gf__text_add(&text, "batch,ranks,images_a_rank,step_seconds,exposed_seconds,efficiency,bound\n");
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < (k ? p->whole_count : p->count); i++) {
      const gf_scale_point *q = k ? &p->whole[i] : &p->each[i];
      gf__text_add(&text, "%s,%d,%.0f,%.6g,%.6g,%.6g,%s\n", k ? "whole" : "each", q->ranks,
                   q->images, q->step, q->exposed, q->efficiency, gf_scale_bound_name(q->bound));
    }
  gf_status status = write_text(s, "scale.csv", &text);
  gf__text_free(&text);
  return status;
}

/* Numbers of the chart's lines. The last one is what was measured. */
typedef struct drawing {
  double x[MOST_POINTS], efficiency[3][MOST_POINTS], step[3][MOST_POINTS];
  char names[MOST_POINTS][16];
  const char *name_list[MOST_POINTS];
} drawing;

static void fill_drawing(const scale *s, const points *p, drawing *d) {
  double nothing = (double)NAN,
         alone = gf_scale_each(&s->costs, &s->network, 1, s->costs.batch).step;
  for (int i = 0; i < p->count; i++) {
    double step = measured_step(s, p->each[i].ranks);
    d->x[i] = i;
    snprintf(d->names[i], sizeof d->names[i], "%d", p->each[i].ranks);
    d->name_list[i] = d->names[i];
    d->efficiency[0][i] = 100 * p->each[i].efficiency;
    d->efficiency[1][i] = i < p->whole_count ? 100 * p->whole[i].efficiency : nothing;
    d->efficiency[2][i] = 100 * alone / step;
    d->step[0][i] = 1e3 * p->each[i].step;
    d->step[1][i] = i < p->whole_count ? 1e3 * p->whole[i].step : nothing;
    d->step[2][i] = 1e3 * step;
  }
}

static gf_status draw_charts(const scale *s, const points *p) {
  char path[4096], names[2][64];
  drawing d;
  fill_drawing(s, p, &d);
  snprintf(names[0], sizeof names[0], "%d images a rank", s->costs.batch);
  snprintf(names[1], sizeof names[1], "%d images in all", s->costs.batch);
  const char *labels[3] = {names[0], names[1], "measured"};
  gf_series efficiency[3], step[3];
  int count = s->step_count ? 3 : 2;
  for (int k = 0; k < 3; k++) {
    gf_series line = {.name = labels[k], .x = d.x, .count = p->count, .shade = 1, .hue = k};
    efficiency[k] = step[k] = line;
    efficiency[k].y = d.efficiency[k];
    step[k].y = d.step[k];
  }
  const gf_chart charts[] = {{.title = "Efficiency of many ranks",
                              .x_label = "ranks",
                              .y_label = "% of a lone rank's speed",
                              .series = efficiency,
                              .count = count,
                              .x_names = d.name_list,
                              .x_name_count = p->count,
                              .y_min = 0,
                              .y_max = 100,
                              .reference = 90,
                              .reference_name = "90%"},
                             {.title = "Time of a step",
                              .x_label = "ranks",
                              .y_label = "ms",
                              .series = step,
                              .count = count,
                              .log_y = 1,
                              .x_names = d.name_list,
                              .x_name_count = p->count}};
  GF_TRY(gf__path_join(path, sizeof path, s->out.data, "scale.png"));
  GF_TRY(gf_charts_write(path, charts, 2, 2));
  printf("written    %s, and scale.csv%s in the same folder\n", path,
         s->step_count ? ", measured.csv" : "");
  return GF_OK;
}

/* ---- all ---- */

static gf_status report_scale(scale *s) {
  char path[4096];
  points p;
  GF_TRY(gf__make_folder(s->out.data));
  GF_TRY(gf__path_join(path, sizeof path, s->out.data, "measured.csv"));
  GF_TRY(read_measured(s, path));
  predict_points(s, &p);
  print_costs(s);
  printf("a batch of %d images on each rank\n\n", s->costs.batch);
  GF_TRY(print_points(s, p.each, p.count, true));
  putchar('\n');
  print_verdict(p.each, p.count);
  if (p.whole_count) {
    printf("a batch of %d images in all\n\n", s->costs.batch);
    GF_TRY(print_points(s, p.whole, p.whole_count, false));
    putchar('\n');
    print_verdict(p.whole, p.whole_count);
  }
  GF_TRY(write_points(s, &p));
  if (s->step_count) GF_TRY(write_measured(s));
  return draw_charts(s, &p);
}

static int run_scale(const gf__cli *cli) {
  const scale_options *o = cli->options;
  scale s = {0};
  gf_status status = gf_communicator_open(&s.communicator, o->rank_timeout);
  if (status == GF_OK) status = gf_communicator_agree(s.communicator, read_scale(cli, &s));
  if (status == GF_OK && gf__cli_is_first(s.communicator) && gf__is_terminal(stderr))
    fputs("measuring a step on the device...\n", stderr);
  if (status == GF_OK) status = measure_steps(o, &s);
  if (status == GF_OK)
    status = gf_communicator_agree(s.communicator,
                                   gf__cli_is_first(s.communicator) ? report_scale(&s) : GF_OK);
  int code = gf__cli_leave(&s.communicator, status, 0, false);
  gf_scale_costs_free(&s.costs);
  gf_device_free(&s.device);
  gf_config_free(&s.config);
  gf__text_free(&s.out);
  return code;
}

const gf__command gf__cmd_scale = {
    .name = "scale",
    .arguments = "CONFIG [OPTION]...",
    .help = "say how fast many ranks would train",
    .text =
        "Measures a training step of the config's network on this device, and computes\n"
        "from that, from the network's latency and bandwidth, and from the sizes of the\n"
        "gradients how long a step of many ranks would take, what it would wait for, and\n"
        "what fraction of its speed a rank would keep. Under mpirun the network between\n"
        "the ranks is measured, and a step of theirs, shown beside the model. Leaves\n"
        "scale.csv and scale.png; steps that were measured with other numbers of ranks\n"
        "are kept in measured.csv. Not in the model: reading images, and waiting for the\n"
        "slowest of many ranks.\n",
    .examples =
        "  gradflow scale configs/residual37.yaml\n"
        "  gradflow scale configs/residual37.yaml --latency 2 --bandwidth 12\n"
        "  gradflow scale configs/resnet/imagenet_resnet50.yaml \\\n"
        "    --set train.batch_size=8 --ranks 1..256\n"
        "  mpirun -n 2 gradflow scale configs/residual37.yaml\n",
    .least = 1,
    .most = 1,
    .missing = "a config",
    .options = option_rows,
    .options_size = sizeof(scale_options),
    .has_ranks = true,
    .run = run_scale,
};
