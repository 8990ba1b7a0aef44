/* Completions for bash and zsh, of the tables that --help prints. */
#include <popt.h>
#include <string.h>

#include "cli/manual.h"

/* How the values of options are completed, by the value's name in the help. */
typedef struct value_kind {
  const char *argument;
  const char *bash; /* arguments of compgen */
  const char *zsh;  /* an action of _arguments */
} value_kind;

static const value_kind value_kinds_[] = {
    {"DIR", "-d", "_files -/"},
    {"FILE", "-f", "_files"},
    {"DEVICE", "-W 'auto cpu gpu'", "(auto cpu gpu)"},
    {"HOW", "-W 'off fast full'", "(off fast full)"},
    {"SHELL", "-W 'bash zsh'", "(bash zsh)"},
};
static const value_kind unknown_kind_ = {"", "-W ''", " "};

static const value_kind *find_kind(const char *argument) {
  for (size_t i = 0; i < sizeof value_kinds_ / sizeof *value_kinds_; i++)
    if (!strcmp(value_kinds_[i].argument, argument)) return &value_kinds_[i];
  return &unknown_kind_;
}

static void add_command_names(const gf__program *program, gf__text *out) {
  for (size_t i = 0; i < program->count; i++)
    gf__text_add(out, "%s%s", i > 0 ? " " : "", program->commands[i]->name);
}

/* The words that a command's first argument is one of, separated by spaces: "run|report STUDY",
 * or "[COMMAND]". Nothing where it is a file or a folder. */
static void add_first_words(const gf__program *program, const gf__command *command, gf__text *out) {
  const char *arguments = command->arguments;
  size_t length = strcspn(arguments, " ");
  if (!strncmp(arguments, "[COMMAND]", length)) {
    add_command_names(program, out);
    return;
  }
  if (!memchr(arguments, '|', length)) return;
  for (size_t i = 0; i < length; i++)
    gf__text_add(out, "%c", arguments[i] == '|' ? ' ' : arguments[i]);
}

/* ---- bash ---- */

/* Without "=" in the word: readline breaks words there. */
static const char bash_head_[] =
    "# Completes gradflow in bash; by gradflow help --completion bash.\n"
    "_gradflow() {\n"
    "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
    "  local options= values= words=\n"
    "  COMPREPLY=()\n"
    "  if [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
    "  if [[ $word == = ]]; then word=; fi\n"
    "  if ((COMP_CWORD == 1)); then\n";
static const char bash_foot_[] =
    "  esac\n"
    "  if [[ $values ]]; then\n"
    "    eval \"mapfile -t COMPREPLY < <(compgen $values -- \\\"\\$word\\\")\"\n"
    "  elif [[ $word == -* ]]; then\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
    "    return\n"
    "  elif [[ $words ]] && ((COMP_CWORD == 2)); then\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
    "    return\n"
    "  else\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "  fi\n"
    "  compopt -o filenames 2>/dev/null\n"
    "}\n"
    "complete -F _gradflow gradflow\n";

static void add_bash_options(const gf__option *options, gf__text *out) {
  for (const gf__option *o = options; o->name; o++) {
    gf__text_add(out, "%s--%s", o == options ? "" : " ", o->name);
    if (o->letter) gf__text_add(out, " -%c", o->letter);
  }
}

static void add_bash_command(const gf__program *program, const gf__command *command,
                             gf__text *out) {
  gf__text_add(out, "    %s)\n      options='", command->name);
  add_bash_options(command->options, out);
  gf__text_add(out, "'\n      words='");
  add_first_words(program, command, out);
  gf__text_add(out, "'\n      case $before in\n");
  for (const gf__option *o = command->options; o->name; o++) {
    if (!o->argument) continue;
    gf__text_add(out, "        --%s", o->name);
    if (o->letter) gf__text_add(out, "|-%c", o->letter);
    gf__text_add(out, ") values=\"%s\" ;;\n", find_kind(o->argument)->bash);
  }
  gf__text_add(out, "      esac ;;\n");
}

static void write_bash(const gf__program *program, gf__text *out) {
  gf__text_add(out, "%s    mapfile -t COMPREPLY < <(compgen -W '", bash_head_);
  add_command_names(program, out);
  gf__text_add(out, " ");
  add_bash_options(program->options, out);
  gf__text_add(out, "' -- \"$word\")\n    return\n  fi\n  case ${COMP_WORDS[1]} in\n");
  for (size_t i = 0; i < program->count; i++) add_bash_command(program, program->commands[i], out);
  gf__text_add(out, "%s", bash_foot_);
}

/* ---- zsh ---- */

static const char zsh_head_[] =
    "#compdef gradflow\n"
    "# Completes gradflow in zsh; by gradflow help --completion zsh.\n"
    "_gradflow() {\n"
    "  local -a commands=(\n";
static const char zsh_foot_[] =
    "    *) _files ;;\n"
    "  esac\n"
    "}\n"
    "_gradflow \"$@\"\n";

/* Inside single quotes, where _arguments and _describe read brackets and colons. */
static void add_zsh_text(const char *text, gf__text *out) {
  for (; *text; text++) {
    if (*text == '\'')
      gf__text_add(out, "'\\''");
    else if (*text == '\n')
      gf__text_add(out, " ");
    else
      gf__text_add(out, "%s%c", strchr("[]:\\", *text) ? "\\" : "", *text);
  }
}

static void add_zsh_option(const gf__option *o, gf__text *out) {
  bool repeats = o->type == POPT_ARG_ARGV;
  const char *letter_end = o->argument ? "+" : "", *name_end = o->argument ? "=" : "";
  gf__text_add(out, " \\\n      ");
  if (!o->letter)
    gf__text_add(out, "'%s--%s%s[", repeats ? "*" : "", o->name, name_end);
  else if (repeats)
    gf__text_add(out, "'*'{-%c%s,--%s%s}'[", o->letter, letter_end, o->name, name_end);
  else
    gf__text_add(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter, letter_end,
                 o->name, name_end);
  add_zsh_text(o->help, out);
  gf__text_add(out, "]");
  if (o->argument) {
    gf__text_add(out, ":");
    add_zsh_text(o->argument, out);
    gf__text_add(out, ":%s", find_kind(o->argument)->zsh);
  }
  gf__text_add(out, "'");
}

static void add_zsh_command(const gf__program *program, const gf__command *command, gf__text *out) {
  gf__text words = {0};
  add_first_words(program, command, &words);
  gf__text_add(out, "    %s) _arguments -s", command->name);
  for (const gf__option *o = command->options; o->name; o++) add_zsh_option(o, out);
  if (words.data) gf__text_add(out, " \\\n      '1: :(%s)'", words.data);
  out->failed |= words.failed;
  if (command->most > (words.data != NULL)) gf__text_add(out, " \\\n      '*:file:_files'");
  gf__text_add(out, " ;;\n");
  gf__text_free(&words);
}

static void write_zsh(const gf__program *program, gf__text *out) {
  gf__text_add(out, "%s", zsh_head_);
  for (size_t i = 0; i < program->count; i++) {
    gf__text_add(out, "    '%s:", program->commands[i]->name);
    add_zsh_text(program->commands[i]->help, out);
    gf__text_add(out, "'\n");
  }
  gf__text_add(out,
               "  )\n  if ((CURRENT == 2)); then\n    _describe command commands\n"
               "    _arguments");
  for (const gf__option *o = program->options; o->name; o++) add_zsh_option(o, out);
  gf__text_add(out, "\n    return\n  fi\n  shift words\n  ((CURRENT--))\n  case $words[1] in\n");
  for (size_t i = 0; i < program->count; i++) add_zsh_command(program, program->commands[i], out);
  gf__text_add(out, "%s", zsh_foot_);
}

gf_status gf__completion_write(const gf__program *program, const char *shell, gf__text *out) {
  static const struct {
    const char *name;
    void (*write)(const gf__program *program, gf__text *out);
  } shells[] = {{"bash", write_bash}, {"zsh", write_zsh}};
  for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
    if (!strcmp(shells[i].name, shell)) {
      shells[i].write(program, out);
      return gf__text_status(out);
    }
  return gf__fail(GF_ERROR_ARGUMENT,
                  "--completion takes bash or zsh, not '%s'; see gradflow help --help", shell);
}
