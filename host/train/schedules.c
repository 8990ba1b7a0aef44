#include "train/schedules.h"

#include <math.h>

#include "train/optimizers.h"

/* Rows of the table. */
enum { COSINE };

#define SCHEDULE_KEY(member, ...) GF__KEY(gf__schedule_config, member, __VA_ARGS__)

static const gf__key cosine_keys[] = {
    SCHEDULE_KEY(final, FLOAT, .initial = "2e-5", .maximum = 1e3,
                 .help =
                     "the rate that it falls to (Loshchilov and Hutter, 2017); where it is left "
                     "out, at most optimizer.learning_rate"),
};

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

const gf__schedule *const gf__schedules[] = {&cosine, &constant, &step, NULL};

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
  bool lacks_final = out->kind == COSINE && !gf__value_get(map, "final");
  return lacks_final ? bound_final(out, config) : GF_OK;
}

void gf__schedule_config_warn(const gf__schedule_config *schedule, double base) {
  if (schedule->kind != COSINE || schedule->final < base) return;
  gf__log(GF_LOG_WARNING,
          "schedule.final is %g and optimizer.learning_rate %g: the rate %s; for a cosine that "
          "falls, set schedule.final to less",
          schedule->final, base, schedule->final > base ? "rises" : "stays the same");
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
  return gf__schedules[schedule->kind]->rate(schedule, base, epoch - schedule->warmup_epochs,
                                             epochs - schedule->warmup_epochs);
}
