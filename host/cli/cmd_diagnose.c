/* gradflow diagnose */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/diagnose_config.h"
#include "cli/diagnose_try.h"
#include "report/table.h"

typedef struct diagnose_options {
  char *out, *html; /* or NULL */
  bool json;
  bool tries; /* --try and what belongs to it */
  char *time, *device;
  gf__texts sets;
  int steps;
} diagnose_options;

static const gf__option option_rows[] = {
    GF__OPTION_COMPARISON(diagnose_options),
    GF__OPTION("html", 0, "FILE", diagnose_options, html, TEXT,
               .help = "write findings and pictures as one page, to open in a browser"),
    GF__OPTION_JSON(diagnose_options),
    GF__FLAG("try", 't', diagnose_options, tries,
             "train every remedy that fits for a few hundred "
             "steps, and say which of them help"),
    GF__OPTION("time", 0, "TIME", diagnose_options, time, TEXT,
               .help = "of --try in all: 90s, 5m, 1h30m; "
                       "default 5m"),
    GF__OPTION("steps", 0, "N", diagnose_options, steps, INT, .minimum = 0, .maximum = 1000000,
               .help = "of the longest trainings of --try; "
                       "default 300"),
    GF__OPTION_DEVICE(diagnose_options),
    GF__OPTION_SET(diagnose_options),
    GF__OPTIONS_END};

enum { WIDTH = 80, LABEL = 11, INDENT = 2 };

/* ---- the command that applies a remedy ---- */

void gf__cli_add_word(gf__text *out, const char *word) {
  static const char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
  if (*word && strspn(word, plain) == strlen(word)) {
    gf__text_add(out, "%s", word);
    return;
  }
  gf__text_add(out, "'");
  for (; *word; word++) gf__text_add(out, *word == '\'' ? "'\\''" : "%c", *word);
  gf__text_add(out, "'");
}

/* "runs/plain37-shortcut" for a setting of model.shortcut, beside the run. */
static void add_retry(gf__text *out, const char *folder, const char *setting) {
  size_t key = strcspn(setting, "="), start = key, length = strlen(folder);
  while (start > 0 && setting[start - 1] != '.') start--;
  while (length > 1 && folder[length - 1] == '/') length--;
  size_t name = length;
  while (name > 0 && folder[name - 1] != '/') name--;
  /* "." and ".." have no name to add to. */
  bool is_dots = strspn(folder + name, ".") >= length - name;
  gf__text_add(out, "%.*s%s%.*s", (int)length, folder, is_dots ? "/../" : "-", (int)(key - start),
               setting + start);
}

/* The words of a line that a shell takes, in pieces that may be printed on lines of their own. */
typedef struct command_line {
  gf__text pieces[3];
} command_line;
enum { PIECES = 3 };

static void make_command(command_line *c, const char *folder, const char *setting) {
  gf__text config = {0}, out = {0};
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  gf__text_add(&config, "%.*s/config.yaml", (int)length, folder);
  add_retry(&out, folder, setting);
  gf__text_add(&c->pieces[0], "gradflow train ");
  gf__cli_add_word(&c->pieces[0], config.data ? config.data : "");
  gf__text_add(&c->pieces[1], "--set ");
  gf__cli_add_word(&c->pieces[1], setting);
  gf__text_add(&c->pieces[2], "--out ");
  gf__cli_add_word(&c->pieces[2], out.data ? out.data : "");
  gf__text_free(&config);
  gf__text_free(&out);
}

static gf_status command_status(const command_line *c) {
  for (int i = 0; i < PIECES; i++) GF_TRY(gf__text_status(&c->pieces[i]));
  return GF_OK;
}

static void free_command(command_line *c) {
  for (int i = 0; i < PIECES; i++) gf__text_free(&c->pieces[i]);
}

static void print_command(const command_line *c, int indent) {
  int used = indent;
  printf("%*s", indent, "");
  for (int i = 0; i < PIECES; i++) {
    int length = (int)c->pieces[i].size;
    bool is_first = i == 0, fits = used + 1 + length + (i + 1 < PIECES ? 2 : 0) <= WIDTH;
    if (!is_first && !fits) printf(" \\\n%*s", used = indent + INDENT, "");
    if (!is_first && fits) used += printf(" ");
    used += printf("%s", c->pieces[i].data);
  }
  putchar('\n');
}

/* ---- for people ---- */

/* The words of a text in lines up to WIDTH, the first of which begins after used columns. */
static void print_words(const char *text, int used, int indent) {
  bool is_first = true;
  while (*(text += strspn(text, " \n"))) {
    int length = (int)strcspn(text, " \n");
    bool breaks = !is_first && used + 1 + length > WIDTH;
    if (breaks) printf("\n%*s", used = indent, "");
    if (!is_first && !breaks) used += printf(" ");
    printf("%.*s", length, text);
    used += length;
    text += length;
    is_first = false;
  }
  putchar('\n');
}

static void print_paragraph(const char *label, const char *text) {
  if (!*text) return;
  int indent = INDENT + LABEL;
  printf("%*s%-*s", INDENT, "", LABEL, label);
  print_words(text, indent, indent);
}

/* Lines of code, as they are; code may be NULL. */
static void print_code(const char *code) {
  for (; code && *code; code += strcspn(code, "\n"), code += *code == '\n')
    printf("%*s%.*s\n", INDENT + LABEL + INDENT, "", (int)strcspn(code, "\n"), code);
}

/* Whether a finding before number also has the remedy. */
static bool was_said(const gf_diagnosis *d, int number, const gf_remedy *remedy) {
  for (int i = 0; i < number; i++)
    for (int k = 0; k < d->findings[i].remedy_count; k++)
      if (!strcmp(d->findings[i].remedies[k].text, remedy->text)) return true;
  return false;
}

static gf_status print_finding(const char *folder, const gf_diagnosis *d, int number) {
  const gf_finding *f = &d->findings[number];
  const char *label = "remedies";
  putchar('\n');
  print_words(f->headline, 0, 0);
  print_paragraph("evidence", f->evidence);
  print_paragraph("threshold", f->threshold);
  for (int i = 0; i < f->remedy_count; i++) {
    const gf_remedy *r = &f->remedies[i];
    command_line command = {0};
    if (was_said(d, number, r)) continue;
    print_paragraph(label, r->text);
    label = "";
    print_code(r->code);
    if (!r->setting) continue;
    make_command(&command, folder, r->setting);
    gf_status status = command_status(&command);
    if (status == GF_OK) print_command(&command, INDENT + LABEL + INDENT);
    free_command(&command);
    GF_TRY(status);
  }
  return GF_OK;
}

static void add_fraction(gf__table *table, double fraction) {
  if (isnan(fraction))
    gf__table_add(table, "-");
  else
    gf__table_add(table, "%.0f%%", 100 * fraction);
}

static void add_layers(gf__table *table, const gf_diagnosis *d) {
  size_t last = (size_t)(d->epoch_count - 1) * (size_t)d->layer_count;
  for (int i = 0; i < d->layer_count; i++) {
    size_t now = last + (size_t)i;
    gf__table_add(table, "%s", d->layers[i]);
    if (last) gf__table_add(table, "%.1e", d->mean_abs[i]);
    gf__table_add(table, "%.1e", d->mean_abs[now]);
    gf__table_add(table, "%.1e", d->l2[now]);
    add_fraction(table, d->zeros[now]);
    gf__table_add(table, "%.1e", d->update_ratio[now]);
    if (d->activation_count) add_fraction(table, d->dead[i]);
  }
}

static gf_status print_layers(const gf_diagnosis *d) {
  char first[32], last[32];
  if (d->epoch_count == 0) return GF_OK;
  double from = d->epochs[0], to = d->epochs[d->epoch_count - 1];
  snprintf(first, sizeof first, "|g| in %.0f", from);
  snprintf(last, sizeof last, "|g| in %.0f", to);
  gf__table_column columns[7] = {{"layer", false}};
  int count = 1;
  if (d->epoch_count > 1) columns[count++] = (gf__table_column){first, true};
  columns[count++] = (gf__table_column){last, true};
  columns[count++] = (gf__table_column){"L2", true};
  columns[count++] = (gf__table_column){"zeros", true};
  columns[count++] = (gf__table_column){"update/weight", true};
  if (d->activation_count) columns[count++] = (gf__table_column){"dead", true};
  gf__table table = {.columns = columns, .column_count = count};
  add_layers(&table, d);
  gf__text text = {0};
  gf_status status = gf__table_text(&table, WIDTH, &text);
  gf__table_free(&table);
  if (status == GF_OK)
    printf("\nthe weights: mean |gradient| and, of epoch %.0f, the rest\n\n%s", to, text.data);
  gf__text_free(&text);
  return status;
}

static gf_status print_text(const char *const *folders, gf_diagnosis *const *all, int count) {
  for (int i = 0; i < count; i++) {
    printf("%s%s\n", i ? "\n\n" : "", folders[i]);
    for (int k = 0; k < all[i]->finding_count; k++) GF_TRY(print_finding(folders[i], all[i], k));
    GF_TRY(print_layers(all[i]));
  }
  return GF_OK;
}

static void print_pictures(const gf__text *paths) {
  putchar('\n');
  for (const char *path = paths->data, *end; path && *path; path = end + 1) {
    end = strchr(path, '\n');
    printf("%-*s%.*s\n", LABEL, path == paths->data ? "pictures" : "", (int)(end - path), path);
  }
}

/* ---- for programs ---- */

/* The course of one layer, its values stride apart; JSON has no NaN. */
static json_t *list_numbers(const double *values, int count, int stride) {
  json_t *list = json_array();
  for (int i = 0; i < count; i++) {
    double value = values[(size_t)i * (size_t)stride];
    json_array_append_new(list, gf__json_number(value));
  }
  return list;
}

static json_t *describe_remedy(const char *folder, const gf_remedy *r) {
  command_line c = {0};
  json_t *command = json_null();
  if (r->setting) {
    make_command(&c, folder, r->setting);
    command = json_sprintf("%s %s %s", c.pieces[0].data, c.pieces[1].data, c.pieces[2].data);
  }
  json_t *remedy = json_pack("{s:s, s:s?, s:o, s:s?}", "text", r->text, "setting", r->setting,
                             "command", command, "code", r->code);
  free_command(&c);
  return remedy;
}

static json_t *list_findings(const char *folder, const gf_diagnosis *d) {
  json_t *list = json_array();
  for (int i = 0; i < d->finding_count; i++) {
    const gf_finding *f = &d->findings[i];
    json_t *remedies = json_array();
    for (int k = 0; k < f->remedy_count; k++)
      json_array_append_new(remedies, describe_remedy(folder, &f->remedies[k]));
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s, s:s, s:o}", "verdict", gf_verdict_name(f->verdict),
                        "headline", f->headline, "evidence", f->evidence, "threshold", f->threshold,
                        "remedies", remedies));
  }
  return list;
}

static json_t *list_layers(const gf_diagnosis *d) {
  json_t *list = json_array();
  int epochs = d->epoch_count, stride = d->layer_count;
  for (int i = 0; i < d->layer_count; i++)
    json_array_append_new(
        list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", d->layers[i], "mean_abs",
                        list_numbers(d->mean_abs + i, epochs, stride), "l2",
                        list_numbers(d->l2 + i, epochs, stride), "zeros",
                        list_numbers(d->zeros + i, epochs, stride), "update_ratio",
                        list_numbers(d->update_ratio + i, epochs, stride), "dead",
                        gf__json_number(d->dead[i])));
  return list;
}

static json_t *list_activations(const gf_diagnosis *d) {
  json_t *list = json_array();
  int epochs = d->activation_epoch_count, stride = d->activation_count;
  for (int i = 0; i < d->activation_count; i++)
    json_array_append_new(
        list, json_pack("{s:s, s:o, s:o, s:o}", "name", d->activations[i], "mean",
                        list_numbers(d->activation_mean + i, epochs, stride), "deviation",
                        list_numbers(d->activation_deviation + i, epochs, stride), "dead",
                        list_numbers(d->activation_dead + i, epochs, stride)));
  return list;
}

static gf_status print_json(const char *const *folders, gf_diagnosis *const *all, int count,
                            const gf__text *paths) {
  json_t *runs = json_array(), *pictures = json_array();
  for (int i = 0; i < count; i++) {
    const gf_diagnosis *d = all[i];
    json_array_append_new(
        runs, json_pack("{s:s%, s:o, s:o, s:o, s:o, s:o}", "run", folders[i], strlen(folders[i]),
                        "findings", list_findings(folders[i], d), "epochs",
                        list_numbers(d->epochs, d->epoch_count, 1), "layers", list_layers(d),
                        "activation_epochs",
                        list_numbers(d->activation_epochs, d->activation_epoch_count, 1),
                        "activations", list_activations(d)));
  }
  for (const char *path = paths->data, *end; path && *path; path = end + 1) {
    end = strchr(path, '\n');
    json_array_append_new(pictures, json_stringn(path, (size_t)(end - path)));
  }
  return gf__cli_print_json(json_pack("{s:o, s:o}", "runs", runs, "pictures", pictures));
}

/* ---- the command ---- */

static void note_path(void *user, const char *path) { gf__text_add(user, "%s\n", path); }

/* The verdicts are printed although pictures may fail, as on a disk that is full. */
static gf_status draw_and_print(const gf__cli *cli, gf_diagnosis *const *all, const char *out) {
  const diagnose_options *o = cli->options;
  gf__text paths = {0};
  int count = cli->argument_count;
  if (!o->json) GF_TRY(print_text(cli->arguments, all, count));
  gf_status status = o->html ? gf_runs_page(cli->arguments, count, out, o->html, note_path, &paths)
                             : gf_plot_runs(cli->arguments, count, out, note_path, &paths);
  if (status == GF_OK) status = gf__text_status(&paths);
  if (status == GF_OK && o->json) status = print_json(cli->arguments, all, count, &paths);
  if (status == GF_OK && !o->json) print_pictures(&paths);
  gf__text_free(&paths);
  return status;
}

/* The network of a config, of which there is one. */
static gf_status diagnose_config(const gf__cli *cli) {
  const diagnose_options *o = cli->options;
  if (cli->argument_count > 1)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "%s is a config, which is diagnosed alone; name it or run folders, not both",
                    cli->arguments[0]);
  gf__diagnose_config how = {.device = o->device, .sets = &o->sets, .out = o->out, .json = o->json};
  return gf__diagnose_print_config(cli->arguments[0], &how);
}

static int run_try(const gf__cli *cli) {
  const diagnose_options *o = cli->options;
  if (cli->argument_count != 1)
    return gf__cli_fail(
        gf__fail(GF_ERROR_ARGUMENT, "--try takes one run or config; see gradflow diagnose --help"));
  return gf__cli_try(cli->arguments[0], &(gf__try_options){.out = o->out,
                                                           .device = o->device,
                                                           .time = o->time,
                                                           .sets = &o->sets,
                                                           .steps = o->steps,
                                                           .json = o->json});
}

static int run_diagnose(const gf__cli *cli) {
  const diagnose_options *o = cli->options;
  if (o->tries) return run_try(cli);
  if (o->time || o->steps)
    return gf__cli_fail(gf__fail(GF_ERROR_ARGUMENT,
                                 "--time and --steps belong to --try; see gradflow diagnose "
                                 "--help"));
  if (gf__diagnose_is_config(cli->arguments[0])) {
    gf_status how = diagnose_config(cli);
    return how == GF_OK ? 0 : gf__cli_fail(how);
  }
  gf__text out = {0};
  int count = cli->argument_count;
  gf_diagnosis **all = calloc((size_t)count, sizeof *all);
  gf_status status = all ? gf__cli_comparison_folder(cli, o->out, "diagnose", &out)
                         : gf__fail_host_memory((size_t)count * sizeof *all);
  for (int i = 0; i < count && status == GF_OK; i++)
    status = gf_diagnosis_open(&all[i], cli->arguments[i]);
  if (status == GF_OK) status = draw_and_print(cli, all, out.data);
  for (int i = 0; i < count && all; i++) gf_diagnosis_free(&all[i]);
  free(all);
  gf__text_free(&out);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

const gf__command gf__cmd_diagnose = {
    .name = "diagnose",
    .arguments = "RUN... | CONFIG | --try RUN|CONFIG [OPTION]...",
    .help = "say what the gradients of runs did, and what helps",
    .text =
        "Says of each run whether its gradients vanish, explode or flow, whether units\n"
        "are dead and whether it learns: with the numbers, the threshold and its source,\n"
        "what the literature does about it, and the command that tries it. Prints a\n"
        "table of the layers, and draws the pictures of the run into its folder. With\n"
        "several runs, pictures that compare them go into a folder of their own. The\n"
        "folders may be of gradflow train, of gradflow.watch for PyTorch and Keras, or of\n"
        "any program that writes the files of docs/records.md.\n"
        "\n"
        "Of a config, the file of a run to come: sends one batch through the fresh\n"
        "network, and says how much of the images is left in each layer on the way\n"
        "forward, what gradient reaches it on the way back, what mean-field theory\n"
        "expects, which units are dead, and whether the data look right. Nothing is\n"
        "trained, and no file is written but the picture for which --out names a folder.\n"

        "\n"
        "With --try every remedy that fits the config of a run, or a config that has no\n"
        "run yet, is trained on the same batches for a few hundred steps, the best ones\n"
        "together and with three seeds, within --time; a table says which of them help,\n"
        "by the loss on validation images. What is trained is kept in --out (default\n"
        "RUN-trial), so that the same command goes on after Ctrl-C.\n"
        "docs/diagnosis.md has all rules.\n",
    .examples =
        "  gradflow diagnose configs/plain37.yaml --try --time 10m\n"
        "  gradflow diagnose runs/plain37\n"
        "  gradflow diagnose runs/plain37 runs/residual37 --out shortcuts\n"
        "  gradflow diagnose configs/plain37.yaml --set model.norm=every --out signal\n"
        "  gradflow diagnose runs/plain37 --html plain37.html\n"
        "  gradflow diagnose runs/plain37 --json | jq '.runs[0].findings[0].headline'\n",
    .least = 1,
    .most = 1024,
    .missing = "a run folder or a config",
    .options = option_rows,
    .options_size = sizeof(diagnose_options),
    .run = run_diagnose,
};
