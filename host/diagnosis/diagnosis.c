#include "diagnosis/diagnosis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/run_files.h"

/* A diagnosis with the memory that it points into. */
typedef struct owned {
  gf_diagnosis diagnosis;
  gf__case c;
  double *dead; /* (layer_count) */
} owned;

/* ---- dead units ---- */

/* The fraction of dead channels in the activation that the layer's output goes through, in the last
 * epoch; NaN where it goes through none. */
static double dead_after(const gf__case *c, const char *layer) {
  const gf__run_activations *a = &c->run.activations;
  const gf__network_layer *found = gf__network_find(&c->network, layer);
  if (a->epoch_count == 0 || !found || !found->activation) return NAN;
  const double *last = a->dead + (size_t)(a->epoch_count - 1) * (size_t)a->layer_count;
  for (int i = 0; i < a->layer_count; i++)
    if (!strcmp(a->layers[i], found->activation)) return last[i];
  return NAN;
}

static gf_status fill_dead(owned *o) {
  const gf__run *run = &o->c.run;
  if (run->layer_count == 0) return GF_OK;
  size_t size = (size_t)run->layer_count * sizeof *o->dead;
  o->dead = malloc(size);
  if (!o->dead) return gf__fail_host_memory(size);
  for (int i = 0; i < run->layer_count; i++) o->dead[i] = dead_after(&o->c, run->layers[i]);
  return GF_OK;
}

/* ---- the diagnosis ---- */

static void fill_tables(owned *o) {
  const gf__run *run = &o->c.run;
  const gf__run_activations *a = &run->activations;
  gf_diagnosis *d = &o->diagnosis;
  d->layer_count = run->layer_count;
  d->epoch_count = run->epoch_count;
  d->layers = run->layers;
  d->epochs = run->epochs;
  d->mean_abs = run->mean_gradients;
  d->l2 = run->l2_norms;
  d->zeros = run->zeros;
  d->update_ratio = run->update_ratios;
  d->dead = o->dead;
  d->activation_count = a->layer_count;
  d->activation_epoch_count = a->epoch_count;
  d->activations = a->layers;
  d->activation_epochs = a->epochs;
  d->activation_mean = a->means;
  d->activation_deviation = a->deviations;
  d->activation_dead = a->dead;
}

static gf_status fail_without_records(const char *folder) {
  gf__run_kind kind;
  if (gf__run_kind_read(folder, &kind) == GF_OK && kind == GF__RUN_IMPORTED)
    return gf__fail(GF_ERROR_DATA,
                    "%s was imported and has not been trained here, so there are no records of "
                    "gradients; gradflow diagnose %s/config.yaml --set train.weights=%s --set "
                    "data.path=DIR measures a batch with its weights",
                    folder, folder, folder);
  return gf__fail(GF_ERROR_DATA, "%s has no records of gradients; no epoch was finished", folder);
}

static gf_status diagnose(owned *o, const char *folder) {
  gf_diagnosis *d = &o->diagnosis;
  GF_TRY(gf__case_load(&o->c, folder));
  bool has_records = o->c.run.epoch_count > 0 && o->c.run.layer_count > 0;
  if (!has_records && !o->c.diverged) return fail_without_records(folder);
  GF_TRY(fill_dead(o));
  fill_tables(o);
  GF_TRY(gf__apply_rules(&o->c, d));
  for (int i = 0; i < d->finding_count; i++) GF_TRY(gf__add_remedies(&o->c, &d->findings[i]));
  return GF_OK;
}

gf_status gf_diagnosis_open(gf_diagnosis **out, const char *run_folder) {
  *out = NULL;
  owned *o = calloc(1, sizeof *o);
  if (!o) return gf__fail_host_memory(sizeof *o);
  o->diagnosis.owner = o;
  *out = &o->diagnosis;
  gf_status status = diagnose(o, run_folder);
  if (status != GF_OK) gf_diagnosis_free(out);
  return status;
}

void gf_diagnosis_free(gf_diagnosis **diagnosis) {
  if (!*diagnosis) return;
  owned *o = (*diagnosis)->owner;
  for (int i = 0; i < o->diagnosis.finding_count; i++) {
    gf_finding *f = &o->diagnosis.findings[i];
    free(f->headline);
    free(f->evidence);
    free(f->threshold);
    for (int k = 0; k < f->remedy_count; k++) {
      free(f->remedies[k].setting);
      free(f->remedies[k].code);
    }
  }
  gf__case_free(&o->c);
  free(o->dead);
  free(o);
  *diagnosis = NULL;
}

gf_status gf_diagnose(const char *run_folder, char **out) {
  gf_diagnosis *diagnosis;
  *out = NULL;
  GF_TRY(gf_diagnosis_open(&diagnosis, run_folder));
  *out = diagnosis->findings[0].headline;
  diagnosis->findings[0].headline = NULL;
  gf_diagnosis_free(&diagnosis);
  return GF_OK;
}
