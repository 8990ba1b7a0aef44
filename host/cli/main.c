/* The program: finds the command, reads its options, prints help. */
#include <jansson.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli/cli.h"
#include "cli/manual.h"

static int run_help(const gf__cli *cli);

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
    .options = {{"man", 0, POPT_ARG_STRING, offsetof(gf__cli, man), "DIR",
                 "write a man page for each command, and for the\n"
                 "program, into a folder"},
                {"completion", 0, POPT_ARG_STRING, offsetof(gf__cli, completion), "SHELL",
                 "print a script that completes command lines in\n"
                 "bash or zsh"},
                {"config", 0, POPT_ARG_NONE, offsetof(gf__cli, reference), NULL,
                 "print every key of configs, of layers and of studies\n"
                 "as Markdown: docs/configuration.md"},
                GF__OPTION_HELP},
    .run = run_help,
};

static const gf__command *const commands_[] = {
    &gf__cmd_devices,    &gf__cmd_train,  &gf__cmd_test,     &gf__cmd_tune,  &gf__cmd_summary,
    &gf__cmd_plot,       &gf__cmd_study,  &gf__cmd_diagnose, &gf__cmd_fetch, &gf__cmd_predict,
    &gf__cmd_export,     &gf__cmd_import, &gf__cmd_scale,    &gf__cmd_bench, &gf__cmd_verify,
    &gf__cmd_divergence, &cmd_help};
enum { COMMANDS = sizeof commands_ / sizeof *commands_ };

/* ---- what commands share ---- */

static const int exit_codes_[] = {
    [GF_OK] = 0,
    [GF_ERROR_ARGUMENT] = 2,
    [GF_ERROR_CONFIG] = 2,
    [GF_ERROR_INTERRUPTED] = 130, /* 128 + SIGINT, as shells have it */
};

int gf__cli_exit_code(gf_status status) {
  int code = (size_t)status < sizeof exit_codes_ / sizeof *exit_codes_ ? exit_codes_[status] : 0;
  return code || status == GF_OK ? code : 1;
}

int gf__cli_fail(gf_status status) {
  bool colours = gf__cli_has_colours(stderr);
  fprintf(stderr, "%sgradflow:%s %s\n", colours ? "\033[1;31m" : "", colours ? "\033[0m" : "",
          gf_error_message());
  return gf__cli_exit_code(status);
}

gf_status gf__cli_load_config(gf_config **out, const gf__cli *cli, const char *file) {
  GF_TRY(gf_config_load(out, file));
  for (char **set = cli->sets; set && *set; set++) GF_TRY(gf_config_set(*out, *set));
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

static const gf__option program_options_[] = {
    {"help", 'h', POPT_ARG_NONE, 0, NULL,
     "print this help; after a command, the help of that command"},
    {"version", 'V', POPT_ARG_NONE, 0, NULL,
     "print the versions of the program and of what it runs on"},
    {NULL, 0, 0, 0, NULL, NULL}};

static const gf__program program_ = {
    .help = "train convolutional networks on any OpenCL device",
    .text =
        "Trains convolutional networks on any OpenCL device, and shows where the\n"
        "gradient dies.\n",
    .arguments = "COMMAND [OPTION]... [ARGUMENT]...",
    .options = program_options_,
    .examples =
        "  gradflow devices\n"
        "  gradflow train configs/plain37.yaml --set train.epochs=5\n"
        "  gradflow test runs/plain37\n"
        "  gradflow plot runs/plain37 runs/residual37 --out comparison\n",
    .exit_codes =
        "  0 done; 1 failed; 2 a command line or a config that makes no sense;\n"
        "  130 stopped by Ctrl-C; 143 stopped by SIGTERM\n",
    .commands = commands_,
    .count = COMMANDS,
};

static void print_option(FILE *file, const gf__option *option, int help_column) {
  char name[64], letter[] = "-x, ";
  letter[1] = option->letter;
  snprintf(name, sizeof name, "  %s--%s%s%s", option->letter ? letter : "    ", option->name,
           option->argument ? " " : "", option->argument ? option->argument : "");
  if ((int)strlen(name) >= help_column) {
    fprintf(file, "%s\n", name);
    name[0] = 0;
  }
  for (const char *line = option->help; *line;) {
    int length = (int)strcspn(line, "\n");
    fprintf(file, "%-*s%.*s\n", help_column, line == option->help ? name : "", length, line);
    line += length;
    if (*line) line++;
  }
}

static void print_general_help(FILE *file) {
  enum { HELP_COLUMN = 17 };
  fprintf(file, "usage: gradflow %s\n\n%s\ncommands:\n", program_.arguments, program_.text);
  for (size_t i = 0; i < COMMANDS; i++)
    fprintf(file, "  %-10s %s\n", commands_[i]->name, commands_[i]->help);
  fputs("\noptions:\n", file);
  for (const gf__option *option = program_.options; option->name; option++)
    print_option(file, option, HELP_COLUMN);
  fprintf(file, "\nexamples:\n%s\nexit codes:\n%s", program_.examples, program_.exit_codes);
}

static gf_status print_command_help(const gf__command *command) {
  enum { HELP_COLUMN = 26 };
  printf("usage: gradflow %s %s\n\n%s\noptions:\n", command->name, command->arguments,
         command->text);
  for (const gf__option *option = command->options; option->name; option++)
    print_option(stdout, option, HELP_COLUMN);
  printf("\nexamples:\n%s", command->examples);
  if (!command->more) return GF_OK;
  char *more = NULL;
  GF_TRY(command->more(&more));
  printf("\n%s\n\n%s", command->more_title, more);
  free(more);
  return GF_OK;
}

static void print_versions(void) {
  gf_versions versions = gf_versions_get();
  printf("gradflow %s\ncommit %s\nCLBlast %s\nOpenCL loader %s\n", versions.program,
         versions.commit, versions.clblast, versions.opencl_loader);
}

/* ---- command lines ---- */

static const gf__command *find_command(const char *name) {
  for (size_t i = 0; i < COMMANDS; i++)
    if (!strcmp(commands_[i]->name, name)) return commands_[i];
  return NULL;
}

static int fail_unknown_command(const char *name) {
  const char *names[COMMANDS + 2] = {"--help", "--version"};
  for (size_t i = 0; i < COMMANDS; i++) names[i + 2] = commands_[i]->name;
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
  gf_status status = gf__completion_write(&program_, shell, &script);
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
  if (cli->reference) {
    gf_status status = print_reference();
    return status == GF_OK ? 0 : gf__cli_fail(status);
  }
  if (cli->man || cli->completion) {
    gf_status status = cli->man ? gf__manual_write(&program_, cli->man) : GF_OK;
    if (status == GF_OK && cli->completion) status = print_completion(cli->completion);
    return status == GF_OK ? 0 : gf__cli_fail(status);
  }
  if (cli->argument_count == 0) {
    print_general_help(stdout);
    return 0;
  }
  const gf__command *command = find_command(cli->arguments[0]);
  if (!command) return fail_unknown_command(cli->arguments[0]);
  gf_status status = print_command_help(command);
  return status == GF_OK ? 0 : gf__cli_fail(status);
}

static gf_status fail_option(const gf__command *command, const char *written, int error) {
  const char *name = command->name;
  if (error == POPT_ERROR_NOARG)
    return gf__fail(GF_ERROR_ARGUMENT, "%s needs a value; see gradflow %s --help", written, name);
  if (error != POPT_ERROR_BADOPT)
    return gf__fail(GF_ERROR_ARGUMENT, "%s: %s; see gradflow %s --help", written,
                    poptStrerror(error), name);
  size_t count = 0;
  while (command->options[count].name) count++;
  const char *word = written + strspn(written, "-");
  const char *guess = gf__did_you_mean(word, command->options, count, sizeof *command->options);
  if (guess)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "unknown option '%s'; did you mean '--%s'? see gradflow %s --help", written,
                    guess, name);
  return gf__fail(GF_ERROR_ARGUMENT, "unknown option '%s'; see gradflow %s --help", written, name);
}

static gf_status check_arguments(const gf__command *command, const gf__cli *cli) {
  if (cli->argument_count < command->least)
    return gf__fail(GF_ERROR_ARGUMENT, "%s is missing; see gradflow %s --help", command->missing,
                    command->name);
  if (cli->argument_count > command->most)
    return gf__fail(GF_ERROR_ARGUMENT, "'%s' is one argument too many; see gradflow %s --help",
                    /* Was counted. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
                    cli->arguments[command->most], command->name);
  return GF_OK;
}

/* Names that a shell completed end in a slash; paths that are printed should not have two. */
static void cut_slashes(char *path) {
  for (size_t n = path ? strlen(path) : 0; n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
}

/* Lets popt write into cli. The arguments belong to the context. */
static gf_status read_command_line(const gf__command *command, poptContext context, gf__cli *cli) {
  int error = poptGetNextOpt(context);
  if (error < -1)
    return fail_option(command, poptBadOption(context, POPT_BADOPTION_NOALIAS), error);
  cut_slashes(cli->out);
  cut_slashes(cli->resume);
  cli->arguments = poptGetArgs(context);
  while (cli->arguments && cli->arguments[cli->argument_count]) cli->argument_count++;
  return cli->help ? GF_OK : check_arguments(command, cli);
}

/* What popt has allocated. */
static void free_command_line(const gf__command *command, gf__cli *cli) {
  for (const gf__option *o = command->options; o->name; o++)
    if (o->type == POPT_ARG_STRING) free(*(char **)((char *)cli + o->offset));
  for (char **set = cli->sets; set && *set; set++) free(*set);
  free(cli->sets);
}

/* arguments begin with the command's name. */
static int run_command(const gf__command *command, int count, const char **arguments) {
  gf__cli cli = {0};
  struct poptOption options[GF__CLI_MOST_OPTIONS] = {{0}};
  for (size_t i = 0; command->options[i].name; i++) {
    const gf__option *o = &command->options[i];
    options[i] = (struct poptOption){.longName = o->name,
                                     .shortName = o->letter,
                                     .argInfo = o->type,
                                     .arg = (char *)&cli + o->offset};
  }
  poptContext context = poptGetContext(NULL, count, arguments, options, 0);
  if (!context) return gf__cli_fail(gf__fail_host_memory(sizeof options));
  gf_status status = read_command_line(command, context, &cli);
  int code = 0;
  if (status == GF_OK && !cli.help)
    code = command->run(&cli);
  else if (status == GF_OK)
    status = print_command_help(command);
  if (status != GF_OK) code = gf__cli_fail(status);
  free_command_line(command, &cli);
  poptFreeContext(context);
  return code;
}

static bool is_either(const char *word, const char *letter, const char *name) {
  return !strcmp(word, letter) || !strcmp(word, name);
}

static int dispatch(int argc, char **argv) {
  if (argc < 2) {
    print_general_help(stderr);
    return 2;
  }
  if (is_either(argv[1], "-h", "--help")) {
    print_general_help(stdout);
    return 0;
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
  gf_log_to(gf__cli_log, NULL);
  int code = dispatch(argc, argv);
  /* A full disk shows only here. */
  if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0)
    code = gf__cli_fail(gf__fail(GF_ERROR_FILE, "cannot write to the standard output"));
  return code;
}
