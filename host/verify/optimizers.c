/* Every optimizer of the table: steps against its reference. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reference.h"
#include "train/optimizers.h"
#include "verify/subjects.h"

enum { COUNT = 1037, STEPS = 20, STATES = 2 }; /* a count that fills no work-group */

/* What a case says. */
typedef struct settings {
  double weight_decay, beta1, beta2, eps, momentum, alpha;
  int nesterov;
  double clip_scale, clip_value; /* 1 and 0: no clipping */
} settings;

typedef void reference_step(const settings *o, int t, double rate, const double *gradient,
                            double *w, double *state[STATES]);

static void adam_reference(const settings *o, int t, double rate, const double *gradient, double *w,
                           double *state[STATES]) {
  const ref_adam r = {rate, o->beta1, o->beta2, o->eps, o->weight_decay};
  ref_adam_step(&r, t, COUNT, gradient, w, state[0], state[1]);
}

static void adamw_reference(const settings *o, int t, double rate, const double *gradient,
                            double *w, double *state[STATES]) {
  const ref_adam r = {rate, o->beta1, o->beta2, o->eps, o->weight_decay};
  ref_adamw_step(&r, t, COUNT, gradient, w, state[0], state[1]);
}

static void sgd_reference(const settings *o, int t, double rate, const double *gradient, double *w,
                          double *state[STATES]) {
  (void)t;
  const ref_sgd r = {rate, o->momentum, o->weight_decay, o->nesterov};
  ref_sgd_step(&r, COUNT, gradient, w, state[0]);
}

static void rmsprop_reference(const settings *o, int t, double rate, const double *gradient,
                              double *w, double *state[STATES]) {
  (void)t;
  const ref_rmsprop r = {rate, o->alpha, o->eps, o->momentum, o->weight_decay};
  ref_rmsprop_step(&r, COUNT, gradient, w, state[0], state[1]);
}

static const struct reference {
  const char *name;
  reference_step *step;
  double momentum; /* unless a case says otherwise */
} references[] = {{"adam", adam_reference, 0},
                  {"adamw", adamw_reference, 0},
                  {"sgd", sgd_reference, 0.9},
                  {"rmsprop", rmsprop_reference, 0}};
enum { REFERENCES = sizeof references / sizeof *references };

static settings read_settings(gf__cases *list, const struct reference *reference) {
  return (settings){.weight_decay = gf__cases_float(list, "weight_decay", 0),
                    .beta1 = gf__cases_float(list, "beta1", 0.9),
                    .beta2 = gf__cases_float(list, "beta2", 0.999),
                    .eps = gf__cases_float(list, "eps", 1e-8),
                    .momentum = gf__cases_float(list, "momentum", reference->momentum),
                    .alpha = gf__cases_float(list, "alpha", 0.99),
                    .nesterov = gf__cases_bool(list, "nesterov", false),
                    .clip_scale = gf__cases_float(list, "clip_scale", 1),
                    .clip_value = gf__cases_float(list, "clip_value", 0)};
}

/* The case's options of the optimizer as its config has them. */
static gf_status read_config(const gf__cases *list, const char *name, gf__optimizer_config *out) {
  gf__text text = {0};
  gf_config *config = NULL;
  gf__text_add(&text, "optimizer:\n  name: %s\n", name);
  for (int i = 0; list->words[i]; i++)
    if (strncmp(list->words[i], "clip_", 5) != 0)
      gf__text_add(&text, "  %s: %s\n", list->words[i], list->values[i]);
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf_config_parse(&config, name, text.data);
  gf__text_free(&text);
  if (status == GF_OK) status = gf__optimizer_config_read(out, config);
  gf_config_free(&config);
  return status;
}

/* Gradients of all sizes that occur, from vanishing to exploding, and zeros;
 * they keep their size from step to step, as those of a layer do. */
static void fill_gradient(float *out, int step) {
  gf__fill_uniform(out, COUNT, 100 + (uint32_t)step, -1, 1);
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 41 == 0) out[i] = 0;
    out[i] *= (float)pow(10, (double)(i % 15) - 12);
  }
}

static void clip_reference(const settings *o, const float *gradient, double *out) {
  for (size_t i = 0; i < COUNT; i++) {
    float g = gradient[i] * (float)o->clip_scale, limit = (float)o->clip_value;
    out[i] = (double)(limit > 0 ? fminf(fmaxf(g, -limit), limit) : g);
  }
}

/* A case's numbers: w and the states, here and on the device. */
typedef struct steps {
  const settings *o;
  gf_buffer *gradient, *w, *state[STATES], *scale;
  double *values[1 + STATES]; /* w and the states by the reference */
  double *sizes[1 + STATES];  /* the largest that each number was */
} steps;

static gf_status open_steps(steps *r, gf__check *check, int states) {
  static const char *const names[] = {"the first state", "the second state"};
  float *w = gf__new_floats(check->arena, COUNT), *zeros = gf__new_floats(check->arena, COUNT);
  float scale = (float)r->o->clip_scale;
  gf__fill_uniform(w, COUNT, 0, -1, 1);
  GF_TRY(gf__guarded_new(check, "the gradient", COUNT, &r->gradient));
  GF_TRY(gf__guarded_from(check, "w", w, COUNT, &r->w));
  if (scale < 1) GF_TRY(gf__guarded_from(check, "the scale", &scale, 1, &r->scale));
  for (int k = 0; k < states; k++)
    /* At most STATES. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
    GF_TRY(gf__guarded_from(check, names[k], zeros, COUNT, &r->state[k]));
  for (int k = 0; k <= STATES; k++) {
    r->values[k] = k ? gf__new_doubles(check->arena, COUNT) : gf__widen(check->arena, w, COUNT);
    r->sizes[k] = gf__new_doubles(check->arena, COUNT);
  }
  return GF_OK;
}

/* A step's error is that of a few roundings of the number that it adds to, so
 * that of STEPS steps is at most that many times as large. */
static gf_status compare_states(const steps *r, gf__check *check, int states) {
  static const char *const names[] = {"w", "the first state", "the second state"};
  gf_buffer *const buffers[] = {r->w, r->state[0], r->state[1]};
  /* The states hold g, which decay adds to in floats. */
  for (size_t i = 0; i < COUNT; i++) r->sizes[1][i] += r->o->weight_decay * r->sizes[0][i];
  for (int k = 0; k <= states; k++) {
    float *got;
    GF_TRY(gf__read(check->arena, buffers[k], COUNT, &got));
    gf__check_values(check, names[k], COUNT, got, r->values[k],
                     &(gf__tolerance){r->sizes[k], 1, STEPS});
  }
  return GF_OK;
}

static gf_status run_steps(const gf__optimizer *optimizer, reference_step *reference, steps *r,
                           const gf__optimizer_config *config, gf__check *check) {
  float *gradient = gf__new_floats(check->arena, COUNT), *left;
  double *clipped = gf__new_doubles(check->arena, COUNT);
  GF_TRY(open_steps(r, check, optimizer->states));
  for (int t = 1; t <= STEPS; t++) {
    double rate = t <= STEPS / 2 ? 1e-2 : 1e-3;
    const gf__optimizer_step step = {.t = t,
                                     .count = COUNT,
                                     .w = r->w,
                                     .gradient = r->gradient,
                                     .first = r->state[0],
                                     .second = r->state[1],
                                     .learning_rate = rate,
                                     .weight_decay = config->weight_decay,
                                     .clip_scale = r->scale,
                                     .clip_value = r->o->clip_value};
    fill_gradient(gradient, t);
    GF_TRY(gf__write(r->gradient, gradient, COUNT));
    GF_TRY(optimizer->step(check->device, &step, config->options));
    clip_reference(r->o, gradient, clipped);
    reference(r->o, t, rate, clipped, r->values[0], r->values + 1);
    for (int k = 0; k <= STATES; k++)
      for (size_t i = 0; i < COUNT; i++)
        r->sizes[k][i] = fmax(r->sizes[k][i], fabs(r->values[k][i]));
  }
  GF_TRY(gf__read(check->arena, r->gradient, COUNT, &left));
  gf__check_same(check, "the gradient", COUNT, left, gradient);
  return compare_states(r, check, optimizer->states);
}

static gf_status verify_optimizer(const gf__subject *subject, gf__check *check, gf__cases *list) {
  const struct reference *reference = &references[subject->index];
  settings o = read_settings(list, reference);
  steps r = {.o = &o};
  gf__optimizer_config config = {0};
  GF_TRY(read_config(list, subject->operation, &config));
  gf_status status = run_steps(subject->what, reference->step, &r, &config, check);
  gf__optimizer_config_free(&config);
  return status;
}

void gf__optimizer_subjects(gf__subject_add *add, void *user) {
  for (int i = 0; gf__optimizers[i]; i++)
    for (int k = 0; k < REFERENCES; k++) {
      gf__subject subject = {
          .algorithm = "step", .what = gf__optimizers[i], .index = k, .run = verify_optimizer};
      if (strcmp(references[k].name, gf__optimizers[i]->name) != 0) continue;
      snprintf(subject.operation, sizeof subject.operation, "%s", references[k].name);
      snprintf(subject.list, sizeof subject.list, "%s", references[k].name);
      add(user, &subject);
    }
}
