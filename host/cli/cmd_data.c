/* gradflow data */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/inspect.h>

#include "base/json.h"
#include "base/keys.h"
#include "cli/cli.h"
#include "report/table.h"

typedef struct data_options {
  char *out; /* or NULL */
  gf__texts sets;
  bool json;
} data_options;

static const gf__option option_rows[] = {
    GF__OPTION_SET(data_options),
    GF__OPTION("out", 'o', "DIR", data_options, out, TEXT,
               .help = "where the sheet of the first batch goes; default runs/NAME-data for "
                       "NAME.yaml"),
    GF__OPTION_JSON(data_options), GF__OPTIONS_END};

enum { WIDTH = 80 };

/* ---- for people ---- */

static gf_status print_table(gf__table *table) {
  gf__text text = {0};
  gf_status status = gf__table_text(table, WIDTH, &text);
  gf__table_free(table);
  if (status == GF_OK) printf("\n%s", text.data);
  gf__text_free(&text);
  return status;
}

static void add_class(gf__table *table, const gf_data_report *r, const int *images, int class) {
  if (r->info.class_names)
    gf__table_add(table, "%d (%s)", images[class], r->info.class_names[class]);
  else
    gf__table_add(table, "%d (class %d)", images[class], class);
}

static void add_split(gf__table *table, const gf_data_report *r, const gf_inspected_split *s) {
  gf__table_add(table, "%s", s->name);
  if (s->failure) {
    for (int i = 0; i < 4; i++) gf__table_add(table, "-");
    return;
  }
  int least = 0, most = 0, with_images = 0;
  for (int c = 0; c < r->info.classes; c++) {
    with_images += s->class_images[c] > 0;
    if (s->class_images[c] < s->class_images[least]) least = c;
    if (s->class_images[c] > s->class_images[most]) most = c;
  }
  gf__table_add(table, "%d", s->images);
  gf__table_add(table, "%d", with_images);
  add_class(table, r, s->class_images, least);
  add_class(table, r, s->class_images, most);
}

static gf_status print_splits(const gf_data_report *r) {
  static const gf__table_column columns[] = {
      {"split", false}, {"images", true}, {"classes", true}, {"fewest", false}, {"most", false}};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  for (int i = 0; i < GF_SPLITS; i++) add_split(&table, r, &r->splits[i]);
  return print_table(&table);
}

/* "red", "green" and "blue", or "pixels". */
static const char *channel_name(const gf_data_report *r, int channel) {
  static const char *const colours[] = {"red", "green", "blue"};
  return r->channels == 3 ? colours[channel] : "grey";
}

static gf_status print_pixels(const gf_data_report *r) {
  static const gf__table_column columns[] = {{"pixels", false},
                                             {"mean", true},
                                             {"data.mean", true},
                                             {"deviation", true},
                                             {"data.std", true}};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  if (!r->channels) return GF_OK;
  for (int c = 0; c < r->channels; c++) {
    gf__table_add(&table, "%s", channel_name(r, c));
    gf__table_add(&table, "%.4f", r->mean[c]);
    gf__table_add(&table, "%.4f", r->configured_mean[c]);
    gf__table_add(&table, "%.4f", r->deviation[c]);
    gf__table_add(&table, "%.4f", r->configured_std[c]);
  }
  return print_table(&table);
}

static void add_duplicates(gf__table *table, const char *what, const gf_duplicates *d) {
  gf__table_add(table, "%s", what);
  gf__table_add(table, "%d", d->images);
  gf__table_add(table, "%d", d->other_label);
}

static gf_status print_duplicates(const gf_data_report *r) {
  static const gf__table_column columns[] = {
      {"exact duplicates", false}, {"images", true}, {"of another label", true}};
  gf__table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
  if (!r->has_duplicates) return GF_OK;
  for (int a = 0; a < GF_SPLITS; a++)
    for (int b = 0; b <= a; b++) {
      char what[64];
      if (r->splits[a].failure || r->splits[b].failure) continue;
      if (a == b)
        snprintf(what, sizeof what, "twice in %s", r->splits[a].name);
      else
        snprintf(what, sizeof what, "of %s in %s", r->splits[a].name, r->splits[b].name);
      add_duplicates(&table, what, &r->duplicates[a][b]);
    }
  return print_table(&table);
}

static void print_sizes(const gf_inspected_sizes *s) {
  if (!s->files) return;
  printf("\n%d training files of %d size%s, from %d x %d to %d x %d (height x width)\n", s->files,
         s->distinct, s->distinct > 1 ? "s" : "", s->smallest.height, s->smallest.width,
         s->largest.height, s->largest.width);
  printf("  commonest  ");
  for (int i = 0; i < s->common_count; i++)
    printf("%s%d x %d (%d)", i ? ", " : "", s->common[i].height, s->common[i].width,
           s->common[i].images);
  printf("\n  crop       cuts off %.0f%% of an image, %.0f%% at most\n", 100 * s->cut,
         100 * s->most_cut);
  if (s->enlarged) printf("  enlarged   %d\n", s->enlarged);
}

static void print_warnings(const gf_data_report *r) {
  if (r->warning_count == 0) {
    puts("\nNo warnings.");
    return;
  }
  puts("\nwarnings");
  for (int i = 0; i < r->warning_count; i++) {
    gf__text text = {0};
    gf__text_wrap(&text, 4, r->warnings[i]);
    if (text.data) printf("  - %s", text.data);
    gf__text_free(&text);
  }
}

static gf_status print_text(const gf_data_report *r) {
  printf("%s: images of %dx%dx%d, %d classes\n", r->info.name, r->info.height, r->info.width,
         r->info.channels, r->info.classes);
  GF_TRY(print_splits(r));
  GF_TRY(print_pixels(r));
  GF_TRY(print_duplicates(r));
  print_sizes(&r->sizes);
  print_warnings(r);
  if (r->sheet) printf("\nsheet      %s\n", r->sheet);
  return GF_OK;
}

/* ---- for programs ---- */

static json_t *pack_splits(const gf_data_report *r) {
  json_t *list = json_array();
  for (int i = 0; i < GF_SPLITS; i++) {
    const gf_inspected_split *s = &r->splits[i];
    json_t *classes = s->failure ? json_null() : json_array();
    for (int c = 0; !s->failure && c < r->info.classes; c++)
      json_array_append_new(classes, json_integer(s->class_images[c]));
    json_array_append_new(
        list, json_pack("{s:s, s:i, s:s?, s:o}", "name", s->name, "images", s->images, "failure",
                        s->failure, "class_images", classes));
  }
  return list;
}

static json_t *pack_names(const gf_data_report *r) {
  json_t *list = r->info.class_names ? json_array() : json_null();
  for (int c = 0; r->info.class_names && c < r->info.classes; c++)
    json_array_append_new(list, json_string(r->info.class_names[c]));
  return list;
}

static json_t *pack_duplicates(const gf_data_report *r) {
  json_t *list = r->has_duplicates ? json_array() : json_null();
  for (int a = 0; r->has_duplicates && a < GF_SPLITS; a++)
    for (int b = 0; b <= a; b++) {
      const gf_duplicates *d = &r->duplicates[a][b];
      if (r->splits[a].failure || r->splits[b].failure) continue;
      json_array_append_new(
          list, json_pack("{s:s, s:s, s:i, s:i}", "of", r->splits[a].name, "in", r->splits[b].name,
                          "images", d->images, "other_label", d->other_label));
    }
  return list;
}

static json_t *pack_numbers(const double *values, int count) {
  json_t *list = json_array();
  for (int i = 0; i < count; i++) json_array_append_new(list, gf__json_number(values[i]));
  return list;
}

static json_t *pack_pixels(const gf_data_report *r) {
  if (!r->channels) return json_null();
  return json_pack("{s:o, s:o, s:o, s:o}", "mean", pack_numbers(r->mean, r->channels), "deviation",
                   pack_numbers(r->deviation, r->channels), "configured_mean",
                   pack_numbers(r->configured_mean, r->channels), "configured_std",
                   pack_numbers(r->configured_std, r->channels));
}

static json_t *pack_size(const gf_image_size *s) {
  return json_pack("{s:i, s:i, s:i}", "height", s->height, "width", s->width, "images", s->images);
}

static json_t *pack_sizes(const gf_inspected_sizes *s) {
  if (!s->files) return json_null();
  json_t *common = json_array();
  for (int i = 0; i < s->common_count; i++) json_array_append_new(common, pack_size(&s->common[i]));
  return json_pack("{s:i, s:i, s:o, s:o, s:o, s:f, s:f, s:i}", "files", s->files, "distinct",
                   s->distinct, "smallest", pack_size(&s->smallest), "largest",
                   pack_size(&s->largest), "common", common, "cut", s->cut, "most_cut", s->most_cut,
                   "enlarged", s->enlarged);
}

static gf_status print_json(const gf_data_report *r) {
  json_t *warnings = json_array();
  for (int i = 0; i < r->warning_count; i++)
    json_array_append_new(warnings, json_string(r->warnings[i]));
  return gf__cli_print_json(json_pack(
      "{s:s, s:[i, i, i], s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:s?}", "data", r->info.name, "shape",
      r->info.height, r->info.width, r->info.channels, "classes", r->info.classes, "class_names",
      pack_names(r), "splits", pack_splits(r), "pixels", pack_pixels(r), "duplicates",
      pack_duplicates(r), "sizes", pack_sizes(&r->sizes), "warnings", warnings, "sheet", r->sheet));
}

/* ---- the command ---- */

static gf_status inspect(const gf__cli *cli, const char *out) {
  const data_options *o = cli->options;
  gf_config *config = NULL;
  gf_data_report *report = NULL;
  gf_inspect_options options = gf_inspect_options_default();
  options.out = out;
  options.title = cli->arguments[0];
  gf_status status = gf__cli_load_config(&config, &o->sets, cli->arguments[0]);
  if (status == GF_OK) status = gf_inspect_data(&report, config, &options);
  if (status == GF_OK) status = o->json ? print_json(report) : print_text(report);
  gf_data_report_free(&report);
  gf_config_free(&config);
  return status;
}

static int run_data(const gf__cli *cli) {
  const data_options *o = cli->options;
  gf__text out = {0};
  if (o->out) {
    gf__text_add(&out, "%s", o->out);
  } else {
    gf__cli_default_out(cli->arguments[0], &out);
    gf__text_add(&out, "-data");
  }
  gf_status status = gf__text_status(&out);
  if (status == GF_OK) status = inspect(cli, out.data);
  gf__text_free(&out);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

const gf__command gf__cmd_data = {
    .name = "data",
    .arguments = "CONFIG [--set KEY=VALUE]... [--out DIR] [--json]",
    .help = "look at the images that a config trains on",
    .text =
        "Reads all images of a config's data set and says what they are like: how many\n"
        "each split and class has, mean and deviation beside those that are configured,\n"
        "images that are there twice, within a split and in two of them, the sizes of\n"
        "image files and what the crop cuts off. Warns of what looks wrong. Draws the\n"
        "first training batch as the network sees it, with its labels (batch.png). Needs\n"
        "no device.\n",
    .examples =
        "  gradflow data configs/plain37.yaml\n"
        "  gradflow data configs/image_folder.yaml --out looked-at\n"
        "  gradflow data configs/plain37.yaml --json | jq .duplicates\n",
    .least = 1,
    .most = 1,
    .missing = "a config",
    .options = option_rows,
    .options_size = sizeof(data_options),
    .run = run_data,
};
