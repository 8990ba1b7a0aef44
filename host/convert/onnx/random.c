/* Dropout and stochastic depth: as an operator, or as the products with random numbers that
 * exporters write for networks in training mode, x * (uniform < kept) / kept. */
#include <math.h>
#include <string.h>

#include "convert/onnx/importing.h"

static const double scale_tolerance = 1e-3; /* of kept * scale = 1 */

/* Adds the layer that drops the fraction p of input i, or none for 0. */
static gf_status add_drop(gf__operation *op, int i, const char *type, double p) {
  gf__import_layer *layer;
  if (!gf__operation_takes(op, i)) return GF_OK;
  if (!(p >= 0 && p <= 0.99))
    return gf__operation_reject(op, "the fraction that it drops is outside of 0 to 0.99");
  if (p == 0) {
    gf__operation_alias(op, op->in[i]);
    return GF_OK;
  }
  GF_TRY(gf__operation_layer(op, type, NULL, &layer));
  gf__import_add_number(layer, "p", (float)p);
  gf__operation_output_like(op, op->in[i]);
  return GF_OK;
}

gf_status gf__operation_dropout(gf__operation *op) {
  double ratio = (double)gf__operation_float(op, "ratio", 0.5F), given = 0;
  bool is_given;
  GF_TRY(gf__operation_scalar(op, 1, &is_given, &given));
  return add_drop(op, 0, "dropout", is_given ? given : ratio);
}

/* ---- random numbers ---- */

static gf_status make_random(gf__operation *op, double kept) {
  op->out->kind = GF__ONNX_RANDOM;
  op->out->shape = op->in[0]->shape;
  op->out->kept = kept;
  op->out->scale = 1;
  return GF_OK;
}

gf_status gf__operation_random_uniform(gf__operation *op) {
  bool is_unit = gf__operation_float(op, "low", 0) == 0 && gf__operation_float(op, "high", 1) == 1;
  if (!is_unit) return gf__operation_reject(op, "its random numbers are not between 0 and 1");
  return make_random(op, 0);
}

gf_status gf__operation_bernoulli(gf__operation *op) {
  gf__onnx_elements p = {0};
  if (op->in[0]->kind == GF__ONNX_CONSTANT)
    GF_TRY(gf__import_elements(op->importing, op->in[0], &p));
  bool is_one = p.floats && p.count > 0;
  for (size_t i = 1; is_one && i < p.count; i++) is_one = p.floats[i] == p.floats[0];
  if (!is_one || !(p.floats[0] > 0 && p.floats[0] <= 1))
    return gf__operation_reject(op, "its probability is not one number above 0");
  return make_random(op, (double)p.floats[0]);
}

gf_status gf__operation_less(gf__operation *op) {
  return gf__operation_reject(op, "it compares, which only dropout does with random numbers");
}

static gf_status reject_random(gf__operation *op) {
  return gf__operation_reject(op,
                              "it reads random numbers in another way than dropout and "
                              "stochastic depth do; export the network in evaluation mode");
}

static gf_status compare(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  double kept = 0;
  bool is_scalar;
  GF_TRY(gf__operation_scalar(op, 1, &is_scalar, &kept));
  if (in->kind != GF__ONNX_RANDOM || in->kept > 0 || !is_scalar || !(kept > 0 && kept <= 1))
    return reject_random(op);
  return make_random(op, kept);
}

/* Whether the numbers are drawn for each image, and not for each value of it. */
static bool is_of_images(const gf__onnx_shape *random, const gf__onnx_shape *x) {
  if (random->rank != x->rank || random->rank < 1 || random->dims[0] != x->dims[0]) return false;
  for (int d = 1; d < random->rank; d++)
    if (random->dims[d] != 1) return false;
  return true;
}

static bool is_same_shape(const gf__onnx_shape *a, const gf__onnx_shape *b) {
  return a->rank == b->rank && !memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims);
}

/* Input i times what is kept of it. */
static gf_status drop(gf__operation *op, int i, const gf__import_value *random) {
  const gf__onnx_shape *x = &op->in[i]->shape;
  if (!(fabs(random->kept * random->scale - 1) <= scale_tolerance))
    return gf__operation_reject(op,
                                "it does not divide what it keeps by the fraction that is kept");
  double p = round(1e6 * (1 - random->kept)) / 1e6; /* 1 - 0.8F is 0.19999999 */
  if (is_same_shape(&random->shape, x)) return add_drop(op, i, "dropout", p);
  if (is_of_images(&random->shape, x)) return add_drop(op, i, "stochastic_depth", p);
  return gf__operation_reject(op, "it drops whole channels, for which there is no layer");
}

/* A product, or a quotient, of what is kept and of a number or of an activation. */
static gf_status scale(gf__operation *op) {
  bool divides = !strcmp(op->row->name, "Div"), is_scalar;
  int of = op->in[0]->kind == GF__ONNX_RANDOM ? 0 : 1;
  const gf__import_value *random = op->in[of], *other = op->in[1 - of];
  double number = 0;
  if (!(random->kept > 0) || other->kind == GF__ONNX_RANDOM || (divides && of == 1))
    return reject_random(op);
  if (other->kind == GF__ONNX_ACTIVATION && !divides) return drop(op, 1 - of, random);
  GF_TRY(gf__operation_scalar(op, 1 - of, &is_scalar, &number));
  if (!is_scalar || !(number > 0)) return reject_random(op);
  gf__operation_alias(op, random);
  op->out->scale = divides ? random->scale / number : random->scale * number;
  return GF_OK;
}

/* A cast of random numbers, or of a constant to their type. */
static gf_status keep(gf__operation *op) {
  if (op->in[0]->kind == GF__ONNX_CONSTANT) return gf__operation_fold_same(op);
  if (op->in[0]->kind != GF__ONNX_RANDOM) return reject_random(op);
  gf__operation_alias(op, op->in[0]);
  return GF_OK;
}

gf_status gf__operation_of_random(gf__operation *op) {
  static const struct {
    const char *name;
    gf_status (*apply)(gf__operation *op);
  } rows[] = {{"Less", compare},  {"Cast", keep}, {"CastLike", keep},
              {"Identity", keep}, {"Div", scale}, {"Mul", scale}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (!strcmp(op->row->name, rows[i].name)) return rows[i].apply(op);
  return reject_random(op);
}
