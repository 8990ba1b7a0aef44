/* The program: finds the command, reads its options, prints help. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli/cli.h"
#include "cli/manual.h"
#include "cli/ranks.h"

static int run_help(const gf__cli *cli);
static void add_command_names(gf__text *out);

typedef struct help_options {
  char *man, *completion; /* or NULL */
  bool reference;
} help_options;

static const gf__option help_option_rows[] = {
    GF__OPTION("man", 0, "DIR", help_options, man, TEXT,
               .help = "write a man page for each command, and for the program, into a folder"),
    GF__OPTION("completion", 0, "SHELL", help_options, completion, TEXT,
               .choices = gf__completion_shells,
               .help = "print a script that completes command lines in bash or zsh"),
    GF__FLAG("config", 0, help_options, reference,
             "print every key of configs, of layers and of studies as Markdown: "
             "docs/configuration.md"),
    GF__OPTIONS_END};

static const gf__command cmd_help = {
    .name = "help",
    .arguments = "[COMMAND] [--config] [--man DIR] [--completion SHELL]",
    .help = "say what a command does and which options it takes",
    .text =
        "Prints the help of a command, or of the program. It is also made into man pages\n"
        "and into completions for shells, which `cmake --install` puts where they belong.\n",
    .examples =
        "  gradflow help train\n"
        "  gradflow help --config | less\n"
        "  source <(gradflow help --completion bash)\n",
    .most = 1,
    .options = help_option_rows,
    .options_size = sizeof(help_options),
    .words = add_command_names,
    .run = run_help,
};

static const gf__command *const commands[] = {&gf__cmd_devices,
                                              &gf__cmd_train,
                                              &gf__cmd_test,
                                              &gf__cmd_lr,
                                              &gf__cmd_tune,
                                              &gf__cmd_summary,
                                              &gf__cmd_plot,
                                              &gf__cmd_study,
                                              &gf__cmd_diagnose,
                                              &gf__cmd_fetch,
                                              &gf__cmd_predict,
                                              &gf__cmd_export,
                                              &gf__cmd_import,
                                              &gf__cmd_scale,
                                              &gf__cmd_bench,
                                              &gf__cmd_verify,
                                              &gf__cmd_divergence,
                                              &gf__cmd_data,
                                              &cmd_help,
                                              NULL};
enum { COMMANDS = sizeof commands / sizeof *commands - 1 };

/* ---- what commands share ---- */

static const int exit_codes[] = {
    [GF_OK] = 0,
    [GF_ERROR_ARGUMENT] = 2,
    [GF_ERROR_CONFIG] = 2,
    [GF_ERROR_INTERRUPTED] = 130, /* 128 + SIGINT, as shells have it */
};

int gf__cli_exit_code(gf_status status) {
  int code = (size_t)status < sizeof exit_codes / sizeof *exit_codes ? exit_codes[status] : 0;
  return code || status == GF_OK ? code : 1;
}

void gf__cli_print_failure(const char *message) {
  bool colours = gf__cli_has_colours(stderr);
  fprintf(stderr, "%sgradflow:%s %s\n", colours ? "\033[1;31m" : "", colours ? "\033[0m" : "",
          message);
}

int gf__cli_fail(gf_status status) {
  gf__cli_print_failure(gf_error_message());
  return gf__cli_exit_code(status);
}

gf_status gf__cli_load_config(gf_config **out, const gf__texts *sets, const char *file) {
  GF_TRY(gf_config_load(out, file));
  return gf__cli_set_all(*out, sets);
}

gf_status gf__cli_set_all(gf_config *config, const gf__texts *sets) {
  for (size_t i = 0; i < sets->count; i++) GF_TRY(gf_config_set(config, sets->v[i]));
  return GF_OK;
}

void gf__cli_default_out(const char *path, gf__text *out) {
  static const char *const endings[] = {".yaml", ".yml", ".safetensors"};
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  const char *dot = strrchr(name, '.');
  size_t length = strlen(name);
  for (size_t i = 0; dot && dot > name && i < sizeof endings / sizeof *endings; i++)
    if (!strcmp(dot, endings[i])) length = (size_t)(dot - name);
  gf__text_add(out, "runs/%.*s", (int)length, name);
}

void gf__cli_log(void *user, gf_log_level level, const char *message) {
  (void)user;
  bool colours = gf__cli_has_colours(stderr);
  if (level == GF_LOG_DETAIL) return;
  if (level == GF_LOG_WARNING)
    fprintf(stderr, "gradflow: %swarning:%s %s\n", colours ? "\033[1;33m" : "",
            colours ? "\033[0m" : "", message);
  else
    fprintf(stderr, "gradflow: %s\n", message);
}

bool gf__cli_can_draw(FILE *file) {
  const char *term = getenv("TERM");
  return gf__is_terminal(file) && term && strcmp(term, "dumb") != 0;
}

bool gf__cli_has_colours(FILE *file) {
  const char *unwanted = getenv("NO_COLOR"); /* https://no-color.org */
  return !(unwanted && *unwanted) && gf__cli_can_draw(file);
}

gf_status gf__cli_print_json(json_t *json) {
  char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
  json_decref(json);
  if (!text) return gf__fail(GF_ERROR_MEMORY, "out of host memory for the JSON");
  puts(text);
  free(text);
  return GF_OK;
}

/* ---- help ---- */

static void add_command_names(gf__text *out) {
  for (size_t i = 0; commands[i]; i++)
    gf__text_add(out, "%s%s", i > 0 ? " " : "", commands[i]->name);
}

static const gf__option program_options[] = {
    {.key = {.name = "help",
             .type = GF__KEY_BOOL,
             .help = "print this help; after a command, the help of that command"},
     .letter = 'h'},
    {.key = {.name = "version",
             .type = GF__KEY_BOOL,
             .help = "print the versions of the program and of what it runs on"},
     .letter = 'V'},
    GF__OPTIONS_END};

static const gf__cli_program program_table = {
    .help = "train convolutional networks on any OpenCL device",
    .text =
        "Trains convolutional networks on any OpenCL device, and shows where the\n"
        "gradient dies.\n",
    .arguments = "COMMAND [OPTION]... [ARGUMENT]...",
    .options = program_options,
    .examples =
        "  gradflow devices\n"
        "  gradflow train configs/plain37.yaml --set train.epochs=5\n"
        "  gradflow test runs/plain37\n"
        "  gradflow plot runs/plain37 runs/residual37 --out comparison\n",
    .exit_codes =
        "  0 done; 1 failed; 2 a command line or a config that makes no sense;\n"
        "  129 the terminal went away; 130 stopped by Ctrl-C; 143 stopped by SIGTERM\n",
    .commands = commands,
};

static void add_options(gf__text *out, const gf__option *options, int column) {
  for (; options && options->key.name; options++) gf__option_write(out, options, column);
}

static gf_status print_text(FILE *file, gf__text *text) {
  gf_status status = gf__text_status(text);
  if (status == GF_OK) fputs(text->data, file);
  gf__text_free(text);
  return status;
}

static gf_status print_general_help(FILE *file) {
  enum { HELP_COLUMN = 17 };
  gf__text text = {0};
  gf__text_add(&text, "usage: gradflow %s\n\n%s\ncommands:\n", program_table.arguments,
               program_table.text);
  for (size_t i = 0; commands[i]; i++)
    gf__text_add(&text, "  %-10s %s\n", commands[i]->name, commands[i]->help);
  gf__text_add(&text, "\noptions:\n");
  add_options(&text, program_table.options, HELP_COLUMN);
  gf__text_add(&text, "\nexamples:\n%s\nexit codes:\n%s", program_table.examples,
               program_table.exit_codes);
  return print_text(file, &text);
}

static gf_status print_command_help(const gf__command *command) {
  enum { HELP_COLUMN = 26 };
  gf__text text = {0};
  gf__text_add(&text, "usage: gradflow %s %s\n\n%s\noptions:\n", command->name, command->arguments,
               command->text);
  add_options(&text, command->options, HELP_COLUMN);
  gf__option_write(&text, &gf__option_help, HELP_COLUMN);
  gf__text_add(&text, "\nexamples:\n%s", command->examples);
  char *more = NULL;
  gf_status status = command->more ? command->more(&more) : GF_OK;
  if (more) gf__text_add(&text, "\n%s\n\n%s", command->more_title, more);
  free(more);
  if (status == GF_OK) return print_text(stdout, &text);
  gf__text_free(&text);
  return status;
}

static void print_versions(void) {
  gf_versions versions = gf_versions_get();
  printf("gradflow %s\ncommit %s\nCLBlast %s\nOpenCL loader %s\n", versions.program,
         versions.commit, versions.clblast, versions.opencl_loader);
}

/* ---- command lines ---- */

static const gf__command *find_command(const char *name) {
  for (size_t i = 0; commands[i]; i++)
    if (!strcmp(commands[i]->name, name)) return commands[i];
  return NULL;
}

static int fail_unknown_command(const char *name) {
  const char *names[COMMANDS + 2] = {"--help", "--version"};
  for (size_t i = 0; i < COMMANDS; i++) names[i + 2] = commands[i]->name;
  const char *guess = gf__did_you_mean(name, names, COMMANDS + 2, sizeof *names);
  const char *kind = *name == '-' ? "option" : "command";
  if (guess)
    return gf__cli_fail(gf__fail(GF_ERROR_ARGUMENT,
                                 "unknown %s '%s'; did you mean '%s'? see gradflow --help", kind,
                                 name, guess));
  return gf__cli_fail(
      gf__fail(GF_ERROR_ARGUMENT, "unknown %s '%s'; see gradflow --help", kind, name));
}

static gf_status print_completion(const char *shell) {
  gf__text script = {0};
  gf_status status = gf__completion_write(&program_table, shell, &script);
  if (status == GF_OK) fputs(script.data, stdout);
  gf__text_free(&script);
  return status;
}

/* docs/configuration.md */
static gf_status print_reference(void) {
  char *config = NULL, *study = NULL;
  gf_status status = gf_config_reference(&config);
  if (status == GF_OK) status = gf_study_reference(&study);
  if (status == GF_OK)
    printf(
        "# Configuration\n\n"
        "Printed by `gradflow help --config`, from the tables that configs are checked by.\n\n"
        "A config is a YAML file of sections; what it leaves out has its default. `--set "
        "KEY=VALUE`\n"
        "replaces a value for one run: `--set train.epochs=5`. A run folder's `config.yaml` has\n"
        "all of them. Where a number has a range, its ends belong to it.\n\n"
        "%s\n"
        "## A study\n\n"
        "A YAML file of its own, for `gradflow study`:\n\n"
        "%s",
        config, study);
  free(config);
  free(study);
  return status;
}

static int run_help(const gf__cli *cli) {
  const help_options *o = cli->options;
  if (o->reference) {
    gf_status status = print_reference();
    return status == GF_OK ? 0 : gf__cli_fail(status);
  }
  if (o->man || o->completion) {
    gf_status status = o->man ? gf__manual_write(&program_table, o->man) : GF_OK;
    if (status == GF_OK && o->completion) status = print_completion(o->completion);
    return status == GF_OK ? 0 : gf__cli_fail(status);
  }
  if (cli->argument_count == 0) {
    gf_status status = print_general_help(stdout);
    return status == GF_OK ? 0 : gf__cli_fail(status);
  }
  const gf__command *command = find_command(cli->arguments[0]);
  if (!command) return fail_unknown_command(cli->arguments[0]);
  gf_status status = print_command_help(command);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

/* words begin with the command's name. */
static int run_command(const gf__command *command, int count, const char **words) {
  gf__command_line line = {0};
  gf_status status = gf__command_line_read(&line, command, count, words);
  int code = 0;
  if (status == GF_OK && !line.help)
    code = command->run(&line.cli);
  else if (status == GF_OK)
    status = print_command_help(command);
  if (status != GF_OK)
    code = command->has_ranks ? gf__cli_fail_together(status) : gf__cli_fail(status);
  gf__command_line_free(&line, command);
  return code;
}

static bool is_either(const char *word, const char *letter, const char *name) {
  return !strcmp(word, letter) || !strcmp(word, name);
}

static int dispatch(int argc, char **argv) {
  if (argc < 2) {
    gf_status status = print_general_help(stderr);
    return status == GF_OK ? 2 : gf__cli_fail(status);
  }
  if (is_either(argv[1], "-h", "--help")) {
    gf_status status = print_general_help(stdout);
    return status == GF_OK ? 0 : gf__cli_fail(status);
  }
  if (is_either(argv[1], "-V", "--version")) {
    print_versions();
    return 0;
  }
  const gf__command *command = find_command(argv[1]);
  if (!command) return fail_unknown_command(argv[1]);
  return run_command(command, argc - 1, (const char **)argv + 1);
}

int main(int argc, char **argv) {
  gf__note_ignored_signals();
  gf_log_to(gf__cli_log, NULL);
  int code = dispatch(argc, argv);
  /* A full disk shows only here. */
  if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0)
    code = gf__cli_fail(gf__fail(GF_ERROR_FILE, "cannot write to the standard output"));
  return code;
}
