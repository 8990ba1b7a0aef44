#include "train/schedules.h"

#include <math.h>

#include "train/optimizers.h"

/* Rows of the table. */
enum { COSINE, CONSTANT, STEP, PLATEAU, ONE_CYCLE, EXPONENTIAL, POLYNOMIAL };

#define SCHEDULE_KEY(member, ...) GF__KEY(gf__schedule_config, member, __VA_ARGS__)

/* Of the schedules that fall to a rate. */
#define FINAL_KEY(source)                                       \
  SCHEDULE_KEY(final, FLOAT, .initial = "2e-5", .maximum = 1e3, \
               .help = "the rate that it falls to" source       \
                       "; where it is left out, at "            \
                       "most optimizer.learning_rate")

static const gf__key cosine_keys[] = {FINAL_KEY(" (Loshchilov and Hutter, 2017)")};

static double cosine_rate(const gf__schedule_config *s, double base, int epoch, int epochs) {
  const double pi = 3.14159265358979323846;
  return s->final + (base - s->final) * (1 + cos(pi * epoch / epochs)) / 2;
}

static const gf__schedule cosine = {.name = "cosine",
                                    .help = "half a wave from the full rate to the final one",
                                    .keys = cosine_keys,
                                    .key_count = sizeof cosine_keys / sizeof *cosine_keys,
                                    .rate = cosine_rate};

static double constant_rate(const gf__schedule_config *s, double base, int epoch, int epochs) {
  (void)s, (void)epoch, (void)epochs;
  return base;
}

static const gf__schedule constant = {
    .name = "constant", .help = "the same rate throughout", .rate = constant_rate};

static const gf__key step_keys[] = {
    SCHEDULE_KEY(every, INT, .initial = "30", .minimum = 1, .maximum = 100000,
                 .help = "epochs from one drop to the next, and from the end of the warm-up to the "
                         "first"),
    SCHEDULE_KEY(factor, FLOAT, .initial = "0.1", .maximum = 1,
                 .help = "what each drop multiplies the rate by"),
};

static double step_rate(const gf__schedule_config *s, double base, int epoch, int epochs) {
  (void)epochs;
  int steps = epoch / s->every;
  return base * pow(s->factor, steps);
}

static const gf__schedule step = {.name = "step",
                                  .help = "drops at equal distances",
                                  .keys = step_keys,
                                  .key_count = sizeof step_keys / sizeof *step_keys,
                                  .rate = step_rate};

/* ---- when validation no longer improves ---- */

static const char *const metrics[] = {"loss", "accuracy", NULL}; /* as GF__PLATEAU_… */

static const gf__key plateau_keys[] = {
    SCHEDULE_KEY(factor, FLOAT, .initial = "0.1", .maximum = 1,
                 .help = "what each drop multiplies the rate by"),
    SCHEDULE_KEY(patience, INT, .initial = "10", .maximum = 100000,
                 .help = "epochs without an improvement that are waited for; the drop is after one "
                         "more"),
    SCHEDULE_KEY(metric, CHOICE, .initial = "loss", .choices = metrics,
                 .help = "of the validation images, that is to improve"),
    SCHEDULE_KEY(threshold, FLOAT, .initial = "1e-4", .maximum = 1,
                 .help = "fraction of the best value by which a better one counts"),
    SCHEDULE_KEY(minimum, FLOAT, .initial = "0", .maximum = 1e3,
                 .help = "the rate that no drop goes below"),
};

/* The drops come from the run (train/plateau.h). */
static const gf__schedule plateau = {.name = "plateau",
                                     .help = "drops when the validation no longer improves",
                                     .keys = plateau_keys,
                                     .key_count = sizeof plateau_keys / sizeof *plateau_keys,
                                     .rate = constant_rate};

/* ---- up and down, step by step ---- */

static const gf__key one_cycle_keys[] = {
    SCHEDULE_KEY(rise, FLOAT, .initial = "0.3", .maximum = 1,
                 .help = "fraction of the run's steps in which the rate rises"),
    SCHEDULE_KEY(start_divisor, FLOAT, .initial = "25", .minimum = 1, .maximum = 1e9,
                 .help = "the first rate is optimizer.learning_rate by this"),
    SCHEDULE_KEY(end_divisor, FLOAT, .initial = "1e4", .minimum = 1, .maximum = 1e12,
                 .help = "the last rate is the first one by this"),
};

/* Half a wave from one rate to another; at is 0 to 1. */
static double half_wave(double from, double to, double at) {
  const double pi = 3.14159265358979323846;
  return to + (from - to) * (1 + cos(pi * at)) / 2;
}

/* As PyTorch's OneCycleLR, whose last step has the last rate; base is the highest rate. */
static double one_cycle_rate(const gf__schedule_config *s, double base, long index, long steps) {
  double first = base / s->start_divisor, last = first / s->end_divisor;
  double top = s->rise * (double)steps - 1, end = (double)steps - 1, at = (double)index;
  if (at <= top) return half_wave(first, base, top > 0 ? at / top : 1);
  top = fmax(top, 0);
  return half_wave(base, last, end > top ? (at - top) / (end - top) : 1);
}

static const gf__schedule one_cycle = {.name = "one_cycle",
                                       .help = "up and down by steps (Smith and Topin, 2019)",
                                       .keys = one_cycle_keys,
                                       .key_count = sizeof one_cycle_keys / sizeof *one_cycle_keys,
                                       .step_rate = one_cycle_rate};

/* ---- falls ---- */

static const gf__key exponential_keys[] = {
    SCHEDULE_KEY(decay, FLOAT, .initial = "0.95", .maximum = 1,
                 .help = "what each epoch multiplies the rate by"),
};

static double exponential_rate(const gf__schedule_config *s, double base, int epoch, int epochs) {
  (void)epochs;
  return base * pow(s->decay, epoch);
}

static const gf__schedule exponential = {
    .name = "exponential",
    .help = "the same factor from epoch to epoch",
    .keys = exponential_keys,
    .key_count = sizeof exponential_keys / sizeof *exponential_keys,
    .rate = exponential_rate};

static const gf__key polynomial_keys[] = {
    FINAL_KEY(""),
    SCHEDULE_KEY(power, FLOAT, .initial = "1", .minimum = 0, .maximum = 100,
                 .help = "of the fraction of epochs that are left; 1: a straight line"),
};

static double polynomial_rate(const gf__schedule_config *s, double base, int epoch, int epochs) {
  return s->final + (base - s->final) * pow(1 - (double)epoch / epochs, s->power);
}

static const gf__schedule polynomial = {
    .name = "polynomial",
    .help = "by a power of the epochs that are left",
    .keys = polynomial_keys,
    .key_count = sizeof polynomial_keys / sizeof *polynomial_keys,
    .rate = polynomial_rate};

const gf__schedule *const gf__schedules[] = {&cosine,    &constant,    &step,       &plateau,
                                             &one_cycle, &exponential, &polynomial, NULL};

static const gf__key keys[] = {
    {.name = "name",
     .type = GF__KEY_ROW,
     .offset = offsetof(gf__schedule_config, kind),
     .initial = "cosine",
     .choices = gf__schedules,
     .help = "how the learning rate changes from epoch to epoch"},
    SCHEDULE_KEY(warmup_epochs, INT, .initial = "0", .maximum = 100000,
                 .help = "first epochs, in which the rate rises to its full size "
                         "(Goyal et al., 2017)"),
    SCHEDULE_KEY(warmup_start, FLOAT, .initial = "0.1", .maximum = 1,
                 .help = "fraction of the rate in the first of them"),
};

/* Run folders have the keys of all schedules, and comparing a resumed run's config with the one
 * before needs them to stay. */
static const gf__section schedule_section = {.name = "schedule",
                                             .keys = keys,
                                             .key_count = sizeof keys / sizeof *keys,
                                             .has_all_keys = true};

static bool has_final(const gf__schedule_config *schedule) {
  return schedule->kind == COSINE || schedule->kind == POLYNOMIAL;
}

/* Where the final rate is left out, a base rate below its initial value is not to rise to it. */
static gf_status bound_final(gf__schedule_config *schedule, const gf_config *config) {
  gf__optimizer_config optimizer;
  GF_TRY(gf__optimizer_config_read(&optimizer, config));
  schedule->final = fmin(schedule->final, optimizer.learning_rate);
  gf__optimizer_config_free(&optimizer);
  return GF_OK;
}

gf_status gf__schedule_config_read(gf__schedule_config *out, const gf_config *config) {
  const gf__value *map = gf__value_get(gf__config_root(config), "schedule");
  GF_TRY(gf__section_read(&schedule_section, map, out, NULL));
  if (out->kind == ONE_CYCLE && out->warmup_epochs)
    return gf__value_fail(
        gf__value_get(map, "warmup_epochs"),
        "schedule.warmup_epochs is %d, and one_cycle begins with a rise of its own "
        "(schedule.rise); leave it out",
        out->warmup_epochs);
  bool lacks_final = has_final(out) && !gf__value_get(map, "final");
  return lacks_final ? bound_final(out, config) : GF_OK;
}

bool gf__schedule_is_plateau(const gf__schedule_config *schedule) {
  return schedule->kind == PLATEAU;
}

void gf__schedule_config_warn(const gf__schedule_config *schedule, double base) {
  if (!has_final(schedule) || schedule->final < base) return;
  gf__log(GF_LOG_WARNING,
          "schedule.final is %g and optimizer.learning_rate %g: the rate %s; for a %s that "
          "falls, set schedule.final to less",
          schedule->final, base, schedule->final > base ? "rises" : "stays the same",
          gf__schedules[schedule->kind]->name);
}

void gf__schedule_config_write(gf__text *out, const gf__schedule_config *schedule) {
  gf__text_add(out, "schedule:\n");
  gf__section_write(out, 2, &schedule_section, schedule, NULL);
}

void gf__schedule_config_help(gf__help *help) { gf__section_help(help, &schedule_section); }

double gf__schedule_rate(const gf__schedule_config *schedule, double base, int epoch, int epochs) {
  if (epoch < schedule->warmup_epochs) {
    double start = schedule->warmup_start;
    return base * (start + (1 - start) * epoch / schedule->warmup_epochs);
  }
  const gf__schedule *row = gf__schedules[schedule->kind];
  if (row->step_rate) return row->step_rate(schedule, base, epoch, epochs);
  return row->rate(schedule, base, epoch - schedule->warmup_epochs,
                   epochs - schedule->warmup_epochs);
}

double gf__schedule_step_rate(const gf__schedule_config *schedule, double base, long index,
                              int batches, int epochs) {
  const gf__schedule *row = gf__schedules[schedule->kind];
  if (row->step_rate) return row->step_rate(schedule, base, index, (long)batches * epochs);
  return gf__schedule_rate(schedule, base, (int)(index / batches), epochs);
}
