/* gradflow predict */
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "report/table.h"

typedef struct predict_options {
  char *device, *classes, *out; /* or NULL */
  int top;
  bool saliency, csv, json;
} predict_options;

static const gf__option option_rows[] = {
    GF__OPTION_DEVICE(predict_options),
    GF__OPTION("top", 0, "N", predict_options, top, INT, .initial = "5", .minimum = 1,
               .maximum = INT_MAX, .help = "how many classes of each image"),
    GF__OPTION("classes", 0, "FILE", predict_options, classes, TEXT,
               .help = "names of the classes, one per line; default: the data set's, where its "
                       "files are, else numbers"),
    GF__FLAG("saliency", 0, predict_options, saliency,
             "on the sheets, show which pixels move the score of the first class "
             "(Simonyan et al., 2014)"),
    GF__OPTION("out", 'o', "DIR", predict_options, out, TEXT,
               .help = "where contact sheets go; default: the folder predictions of the run"),
    GF__FLAG("csv", 0, predict_options, csv, "print CSV instead of a text"),
    GF__OPTION_JSON(predict_options),
    GF__OPTIONS_END};

enum { WIDTH = 80, INDENT = 2, BAR = 30 };

/* What stdout gets, and where it is. */
typedef struct output {
  const predict_options *options;
  const char *run;
  int printed;      /* predictions */
  gf_status status; /* of the first of them that could not be printed */
  gf__text sheets;  /* their paths, a line each */
} output;

/* The lines of text from line first on. */
static const char *lines_from(const char *text, int first) {
  for (; first > 0 && text; first--) {
    text = strchr(text, '\n');
    if (text) text++;
  }
  return text ? text : "";
}

/* ---- for people ---- */

static gf_status print_text(output *o, const gf_prediction *p) {
  static const gf__table_column columns[] = {{"", false}, {"", true}, {"", false}};
  gf__table table = {.columns = columns, .column_count = 3};
  gf__text text = {0};
  for (int k = 0; k < p->count; k++) {
    int length = (int)(BAR * p->probabilities[k] + 0.5);
    if (p->names)
      gf__table_add(&table, "%s", p->names[k]);
    else
      gf__table_add(&table, "class %d", p->classes[k]);
    gf__table_add(&table, "%.1f%%", 100 * p->probabilities[k]);
    gf__table_add(&table, "%.*s", length, "##############################");
  }
  gf_status status = gf__table_text(&table, WIDTH - INDENT, &text);
  gf__table_free(&table);
  if (status == GF_OK) {
    enum { HEADER_AND_RULE = 2 };
    printf("%s%s\n", o->printed ? "\n" : "", p->path);
    for (const char *line = lines_from(text.data, HEADER_AND_RULE); *line;) {
      size_t length = strcspn(line, "\n"), shown = length;
      while (shown > 0 && line[shown - 1] == ' ') shown--; /* of a bar without length */
      printf("%*s%.*s\n", INDENT, "", (int)shown, line);
      line += length + (line[length] != 0);
    }
  }
  gf__text_free(&text);
  return status;
}

static gf_status end_text(const output *o) {
  for (const char *path = o->sheets.data, *end; path && *path; path = end + 1) {
    end = strchr(path, '\n');
    printf("%s%-7s%.*s\n", path == o->sheets.data ? "\n" : "",
           path == o->sheets.data ? "sheet" : "", (int)(end - path), path);
  }
  return GF_OK;
}

/* ---- for programs ---- */

static gf_status print_csv(output *o, const gf_prediction *p) {
  static const gf__table_column columns[] = {
      {"image", false}, {"rank", true}, {"class", true}, {"name", false}, {"probability", true}};
  gf__table table = {.columns = columns, .column_count = 5};
  gf__text text = {0};
  for (int k = 0; k < p->count; k++) {
    gf__table_add(&table, "%s", p->path);
    gf__table_add(&table, "%d", k + 1);
    gf__table_add(&table, "%d", p->classes[k]);
    gf__table_add(&table, "%s", p->names ? p->names[k] : "");
    gf__table_add(&table, "%.9g", p->probabilities[k]);
  }
  gf_status status = gf__table_csv(&table, &text);
  gf__table_free(&table);
  if (status == GF_OK) fputs(lines_from(text.data, o->printed ? 1 : 0), stdout);
  gf__text_free(&text);
  return status;
}

static json_t *pack_prediction(const gf_prediction *p) {
  json_t *list = json_array();
  for (int k = 0; k < p->count; k++)
    json_array_append_new(
        list, json_pack("{s:i, s:s?, s:f}", "class", p->classes[k], "name",
                        p->names ? p->names[k] : NULL, "probability", p->probabilities[k]));
  if ((int)json_array_size(list) == p->count)
    return json_pack("{s:s, s:o}", "image", p->path, "predictions", list);
  json_decref(list);
  return NULL;
}

/* The document is printed as it comes, an image a line, since there may be very many. */
static gf_status print_json_line(const output *o, json_t *item, const char *path) {
  char *text = item ? json_dumps(item, 0) : NULL;
  json_decref(item);
  if (!text)
    return gf__fail(GF_ERROR_DATA,
                    "no JSON of %s: its name or that of a class is not UTF-8, or memory ran out",
                    path);
  printf("%s\n    %s", o->printed ? "," : "", text);
  free(text);
  return GF_OK;
}

static gf_status begin_json(const output *o) {
  const char *folder = o->run;
  json_t *run = json_string(folder);
  char *text = run ? json_dumps(run, JSON_ENCODE_ANY) : NULL;
  json_decref(run);
  if (!text) return gf__fail(GF_ERROR_DATA, "no JSON: the run's name %s is not UTF-8", folder);
  printf("{\n  \"run\": %s,\n  \"images\": [", text);
  free(text);
  return GF_OK;
}

static gf_status print_json(output *o, const gf_prediction *p) {
  if (!o->printed) GF_TRY(begin_json(o));
  return print_json_line(o, pack_prediction(p), p->path);
}

static gf_status end_json(const output *o) {
  json_t *list = json_array();
  if (!o->printed) GF_TRY(begin_json(o));
  for (const char *path = o->sheets.data, *end; path && *path; path = end + 1) {
    end = strchr(path, '\n');
    json_array_append_new(list, json_stringn(path, (size_t)(end - path)));
  }
  char *text = json_dumps(list, 0);
  json_decref(list);
  if (text) printf("%s],\n  \"sheets\": %s\n}\n", o->printed ? "\n  " : "", text);
  gf_status status = text ? GF_OK : gf__fail_host_memory(o->sheets.size);
  free(text);
  return status;
}

/* ---- the command ---- */

static void note_sheet(void *user, const char *path) {
  gf__text_add(&((output *)user)->sheets, "%s\n", path);
}

static void print_prediction(void *user, const gf_prediction *p) {
  output *o = user;
  if (p->status != GF_OK) {
    fflush(stdout);
    gf__cli_fail(gf__fail(p->status, "%s", p->message));
    return;
  }
  if (o->status != GF_OK) return;
  o->status = o->options->json  ? print_json(o, p)
              : o->options->csv ? print_csv(o, p)
                                : print_text(o, p);
  o->printed++;
}

static gf_status read_options(const gf__cli *cli, gf_predict_options *to, gf__text *out) {
  const predict_options *o = cli->options;
  if (o->json && o->csv)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "--json and --csv are two forms of the same; choose one; see gradflow predict "
                    "--help");
  const char *run = cli->arguments[0];
  size_t length = strlen(run);
  while (length > 1 && run[length - 1] == '/') length--;
  if (o->out)
    gf__text_add(out, "%s", o->out);
  else
    gf__text_add(out, "%.*s/predictions", (int)length, run);
  to->classes = o->classes;
  to->saliency = o->saliency;
  to->out = out->data;
  to->top = o->top;
  return gf__text_status(out);
}

static gf_status predict_images(const gf__cli *cli, output *o, const gf_predict_options *options,
                                gf_predicted *result) {
  gf_device *device = NULL;
  GF_TRY(gf_device_open(&device, o->options->device));
  gf_status status = gf_predict(device, cli->arguments[0], cli->arguments + 1,
                                cli->argument_count - 1, options, result);
  gf_device_free(&device);
  if (status == GF_OK) status = o->status;
  if (status == GF_OK) status = gf__text_status(&o->sheets);
  if (status == GF_OK && !o->options->csv) status = o->options->json ? end_json(o) : end_text(o);
  return status;
}

static int run_predict(const gf__cli *cli) {
  output o = {.options = cli->options, .run = cli->arguments[0]};
  gf__text out = {0};
  gf_predicted result = {0};
  gf_predict_options options = gf_predict_options_default();
  options.events = (gf_predict_events){&o, print_prediction, note_sheet};
  gf_status status = read_options(cli, &options, &out);
  if (status == GF_OK) status = predict_images(cli, &o, &options, &result);
  gf__text_free(&out);
  gf__text_free(&o.sheets);
  return status == GF_OK ? result.failed > 0 : gf__cli_fail(status);
}

const gf__command gf__cmd_predict = {
    .name = "predict",
    .arguments = "RUN IMAGE... [--top N] [--saliency] [--out DIR] [--json]",
    .help = "say what a trained network takes images for",
    .text =
        "Says for each image, a PNG or JPEG file or all of those in a folder, which\n"
        "classes a run's network takes it for, and how probable it finds them. An image\n"
        "is treated as the data set's own: its shorter side is resized to theirs, and\n"
        "the middle is cut out. Draws contact sheets of the images and their classes,\n"
        "and prints the paths of the sheets. A file that is no image is reported and\n"
        "left out; the exit code then is 1.\n",
    .examples =
        "  gradflow predict runs/residual37 photo.jpg\n"
        "  gradflow predict runs/residual37 photos --saliency --out photos-seen\n"
        "  gradflow predict runs/residual37 photos --top 1 --csv > classes.csv\n",
    .least = 2,
    .most = INT_MAX,
    .missing = "a run folder or an image",
    .options = option_rows,
    .options_size = sizeof(predict_options),
    .run = run_predict,
};
