#include "train/schedules.h"

#include <math.h>

static const char *const names[] = {"cosine", "constant", "step", NULL};

static const gf__key keys[] = {
    {"name", GF__KEY_CHOICE, offsetof(gf__schedule_config, name), "cosine", 0, 0, names,
     "how the learning rate changes from epoch to epoch"},
    {"final", GF__KEY_FLOAT, offsetof(gf__schedule_config, final), "2e-5", 0, 1e3, NULL,
     "cosine: the rate that it falls to (Loshchilov and Hutter, 2017)"},
    {"every", GF__KEY_INT, offsetof(gf__schedule_config, every), "30", 1, 100000, NULL,
     "step: epochs from one drop to the next"},
    {"factor", GF__KEY_FLOAT, offsetof(gf__schedule_config, factor), "0.1", 0, 1, NULL,
     "step: what each drop multiplies the rate by"},
    {"warmup_epochs", GF__KEY_INT, offsetof(gf__schedule_config, warmup_epochs), "0", 0, 100000,
     NULL, "first epochs, in which the rate rises to its full size (Goyal et al., 2017)"},
    {"warmup_start", GF__KEY_FLOAT, offsetof(gf__schedule_config, warmup_start), "0.1", 0, 1, NULL,
     "share of the rate in the first of them"},
};
enum { KEYS = sizeof keys / sizeof *keys };

gf_status gf__schedule_config_read(gf__schedule_config *out, const gf_config *config) {
  return gf__keys_read(gf__value_get(gf__config_root(config), "schedule"), "schedule", keys, KEYS,
                       out);
}

void gf__schedule_config_write(gf__text *out, const gf__schedule_config *schedule) {
  gf__text_add(out, "schedule:\n");
  gf__keys_write(out, 2, keys, KEYS, schedule);
}

void gf__schedule_config_help(gf__help *help) {
  gf__help_title(help, "schedule:");
  gf__help_keys(help, keys, KEYS);
}

static double cosine(const gf__schedule_config *s, double base, int epoch, int epochs) {
  const double pi = 3.14159265358979323846;
  int since = epoch - s->warmup_epochs, span = epochs - s->warmup_epochs;
  return s->final + (base - s->final) * (1 + cos(pi * since / span)) / 2;
}

static double constant(const gf__schedule_config *s, double base, int epoch, int epochs) {
  (void)s, (void)epoch, (void)epochs;
  return base;
}

static double step(const gf__schedule_config *s, double base, int epoch, int epochs) {
  (void)epochs;
  int steps = epoch / s->every;
  return base * pow(s->factor, steps);
}

double gf__schedule_rate(const gf__schedule_config *schedule, double base, int epoch, int epochs) {
  static double (*const rates[])(const gf__schedule_config *, double, int, int) = {cosine, constant,
                                                                                   step};
  if (epoch < schedule->warmup_epochs) {
    double start = schedule->warmup_start;
    return base * (start + (1 - start) * epoch / schedule->warmup_epochs);
  }
  return rates[schedule->name](schedule, base, epoch, epochs);
}
