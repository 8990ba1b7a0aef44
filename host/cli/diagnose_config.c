#include "cli/diagnose_config.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/os.h"
#include "report/table.h"

enum { WIDTH = 80, MOST_CHANNELS = 4 };

bool gf__diagnose_is_config(const char *path) {
  size_t length = strlen(path);
  bool is_yaml = (length > 5 && !strcmp(path + length - 5, ".yaml")) ||
                 (length > 4 && !strcmp(path + length - 4, ".yml"));
  return is_yaml || (gf__path_exists(path) && !gf__path_is_folder(path));
}

/* ---- for people ---- */

static void add_number(gf__table *table, const char *format, double value) {
  char text[32];
  if (isnan(value)) {
    gf__table_add(table, "-");
    return;
  }
  snprintf(text, sizeof text, format, value);
  gf__table_add(table, "%s", text);
}

static void add_layers(gf__table *table, const gf_signal *s) {
  for (int i = 0; i < s->layer_count; i++) {
    const gf_signal_layer *l = &s->layers[i];
    gf__table_add(table, "%s", l->layer);
    add_number(table, "%.2g", l->rms);
    add_number(table, "%.1e", l->contrast);
    if (!s->theory.reason) add_number(table, "%.1e", l->contrast_expected);
    add_number(table, "%.1f", l->dimension);
    add_number(table, "%.0f%%", 100 * l->dead);
    add_number(table, "%.1e", l->mean_abs);
    add_number(table, "%.2f", l->coherence);
  }
}

static gf_status print_layers(const gf_signal *s) {
  gf__table_column columns[8] = {{"layer", false}, {"size", true}, {"contrast", true}};
  int count = 3;
  if (!s->theory.reason) columns[count++] = (gf__table_column){"theory", true};
  static const char *const more[] = {"dim", "dead", "|g|", "coherence"};
  for (int i = 0; i < 4; i++) columns[count++] = (gf__table_column){more[i], true};
  gf__table table = {.columns = columns, .column_count = count};
  add_layers(&table, s);
  gf__text text = {0};
  gf_status status = gf__table_text(&table, WIDTH, &text);
  gf__table_free(&table);
  if (status == GF_OK) printf("\n%s", text.data);
  gf__text_free(&text);
  return status;
}

static void print_batch(const gf_signal *s) {
  const gf_signal_batch *b = &s->batch;
  printf("batch     %d images, %d of %d classes;", b->images, b->classes - b->absent_classes,
         b->classes);
  for (int c = 0; c < b->channels && c < MOST_CHANNELS; c++)
    printf("%s %.2f +- %.2f", c ? "," : " mean and deviation", b->mean[c], b->deviation[c]);
  printf("%s\n", b->channels > MOST_CHANNELS ? ", ..." : "");
  printf("loss      %.4f, that of guessing is %.4f\n", s->loss, s->guess);
}

static void print_depth(double depth) {
  if (isinf(depth))
    printf("without end");
  else
    printf("%.2g layers", depth);
}

static void print_theory(const gf_signal *s) {
  const gf_signal_theory *t = &s->theory;
  if (t->reason) {
    printf("theory    %s\n", t->reason);
    return;
  }
  printf(
      "theory    %s, weight variance %.3g/fan_in, bias variance %.2g: chi %.3g,\n"
      "          images tend to correlation %.2g, correlation length ",
      t->activation, t->weight_variance, t->bias_variance, t->chi, t->correlation);
  print_depth(t->depth);
  printf(
      "\n          contrast per layer x %.2g, measured x %.2g; gradient x %.2g, measured x %.2g\n",
      t->contrast_expected, t->contrast_measured, t->gradient_expected, t->gradient_measured);
}

static gf_status print_text(const char *path, const gf_signal *s, const char *picture) {
  printf("%s: the network before its first step\n\n%s\n", path, s->headline);
  for (int i = 0; i < s->note_count; i++) printf("- %s\n", s->notes[i]);
  if (s->note_count == 0) printf("Nothing stands in the way of training.\n");
  GF_TRY(print_layers(s));
  putchar('\n');
  print_theory(s);
  print_batch(s);
  if (picture) printf("picture   %s\n", picture);
  return GF_OK;
}

/* ---- for programs ---- */

static json_t *list_layers(const gf_signal *s) {
  json_t *list = json_array();
  for (int i = 0; i < s->layer_count; i++) {
    const gf_signal_layer *l = &s->layers[i];
    json_array_append_new(
        list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", l->layer, "rms",
                        gf__json_number(l->rms), "contrast", gf__json_number(l->contrast),
                        "contrast_expected", gf__json_number(l->contrast_expected), "dimension",
                        gf__json_number(l->dimension), "dead", gf__json_number(l->dead), "mean_abs",
                        gf__json_number(l->mean_abs), "coherence", gf__json_number(l->coherence)));
  }
  return list;
}

static json_t *describe_theory(const gf_signal_theory *t) {
  return json_pack("{s:s?, s:s?, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "reason",
                   t->reason, "activation", t->activation, "layers", t->layers, "weight_variance",
                   gf__json_number(t->weight_variance), "bias_variance",
                   gf__json_number(t->bias_variance), "length", gf__json_number(t->length), "chi",
                   gf__json_number(t->chi), "correlation", gf__json_number(t->correlation), "depth",
                   gf__json_number(t->depth), "contrast_expected",
                   gf__json_number(t->contrast_expected), "contrast_measured",
                   gf__json_number(t->contrast_measured), "gradient_expected",
                   gf__json_number(t->gradient_expected), "gradient_measured",
                   gf__json_number(t->gradient_measured));
}

static json_t *describe_batch(const gf_signal_batch *b) {
  json_t *mean = json_array(), *deviation = json_array(), *classes = json_array();
  for (int c = 0; c < b->channels; c++) {
    json_array_append_new(mean, gf__json_number(b->mean[c]));
    json_array_append_new(deviation, gf__json_number(b->deviation[c]));
  }
  for (int c = 0; c < b->classes; c++)
    json_array_append_new(classes, json_integer(b->class_images[c]));
  return json_pack("{s:i, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:i}", "images", b->images, "mean",
                   mean, "deviation", deviation, "class_images", classes, "absent_classes",
                   b->absent_classes, "wrong_labels", b->wrong_labels, "duplicates", b->duplicates,
                   "constant", b->constant, "nonfinite", b->nonfinite);
}

static gf_status print_json(const char *path, const gf_signal *s, const char *picture) {
  json_t *notes = json_array();
  for (int i = 0; i < s->note_count; i++) json_array_append_new(notes, json_string(s->notes[i]));
  return gf__cli_print_json(json_pack(
      "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s?}", "config", path, "headline", s->headline,
      "notes", notes, "loss", gf__json_number(s->loss), "guess", gf__json_number(s->guess),
      "layers", list_layers(s), "theory", describe_theory(&s->theory), "batch",
      describe_batch(&s->batch), "picture", picture));
}

/* ---- the command ---- */

static gf_status print_signal(const char *path, const gf_signal *s,
                              const gf__diagnose_config *how) {
  char picture[GF__PATH_SIZE];
  if (how->out) {
    GF_TRY(gf__make_folder(how->out));
    GF_TRY(gf__path_join(picture, sizeof picture, how->out, "signal.png"));
    GF_TRY(gf_signal_plot(s, picture));
  }
  return how->json ? print_json(path, s, how->out ? picture : NULL)
                   : print_text(path, s, how->out ? picture : NULL);
}

gf_status gf__diagnose_print_config(const char *path, const gf__diagnose_config *how) {
  gf_config *config = NULL;
  gf_device *device = NULL;
  gf_signal *signal = NULL;
  gf_status status = gf__cli_load_config(&config, how->sets, path);
  if (status == GF_OK) status = gf_device_open(&device, how->device);
  if (status == GF_OK) status = gf_signal_open(&signal, device, config);
  if (status == GF_OK) status = print_signal(path, signal, how);
  gf_signal_free(&signal);
  gf_device_free(&device);
  gf_config_free(&config);
  return status;
}
