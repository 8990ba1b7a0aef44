/* Completions for bash and zsh, of the tables that --help prints. */
#include <stdlib.h>
#include <string.h>

#include "base/keys.h"
#include "cli/manual.h"
#include "verify/verify.h"

/* Devices are asked for when the shell completes: they differ from machine to machine. */
#define DEVICES "$(_gradflow_devices)"
#define DEVICES_FUNCTION                                                        \
  "_gradflow_devices() {\n"                                                     \
  "  echo auto cpu gpu\n"                                                       \
  "  gradflow devices 2>/dev/null | sed -n 's/^\\([0-9]*:[0-9]*\\) .*/\\1/p'\n" \
  "}\n"
#define CASES "$(_gradflow_cases)"
#define SETTINGS "$(_gradflow_settings)"

/* How values are completed that are no words of a table, by the value's name in the help. */
typedef struct value_kind {
  const char *argument;
  const char *bash; /* arguments of compgen */
  const char *zsh;  /* an action of _arguments */
} value_kind;

static const value_kind value_kinds[] = {
    {"DIR", "-d", "_files -/"},
    {"FILE", "-f", "_files"},
    {"CONFIG", "-f", "_files"},
    {"DEVICE", "-W '" DEVICES "'", "($(_gradflow_devices))"},
    {"A,B", "-W '" DEVICES "'", "($(_gradflow_devices))"},
    {"CASE", "-W '" CASES "'", "($(_gradflow_cases))"},
    {"KEY=VALUE", "-W '" SETTINGS "'", "_gradflow_set"},
};

static const value_kind *find_kind(const char *argument) {
  for (size_t i = 0; i < sizeof value_kinds / sizeof *value_kinds; i++)
    if (!strcmp(value_kinds[i].argument, argument)) return &value_kinds[i];
  return NULL;
}

/* The choices of an option, or the words that show what may be given. */
static void add_choices(const gf__option *option, gf__text *out) {
  const gf__key *key = &option->key;
  const char *name;
  int unused;
  for (size_t i = 0; key->choices && (name = gf__key_choice(key, i, &unused)); i++)
    gf__text_add(out, "%s%s", i ? " " : "", name);
}

static void add_command_names(const gf__cli_program *program, gf__text *out) {
  for (size_t i = 0; program->commands[i]; i++)
    gf__text_add(out, "%s%s", i > 0 ? " " : "", program->commands[i]->name);
}

/* ---- settings of a config, cases of verify ---- */

/* "train.epochs= model.tune=off model.tune=fast …": each key, or its choices. */
static gf_status add_settings(gf__text *out) {
  char *settings = NULL;
  GF_TRY(gf_config_settings(&settings));
  for (char *p = settings; *p; p++) gf__text_add(out, "%c", *p == '\n' ? ' ' : *p);
  free(settings);
  return gf__text_status(out);
}

static gf_status write_words(gf__text *out) {
  gf__text_add(out, "_gradflow_cases() {\n  echo '");
  gf__verify_names(out);
  gf__text_add(out, "'\n}\n_gradflow_settings() {\n  echo '");
  GF_TRY(add_settings(out));
  gf__text_add(out, "'\n}\n");
  return gf__text_status(out);
}

/* ---- bash ---- */

/* Readline breaks words at "=" and ":", so a word that is being completed may be in pieces, of
 * which only the last is replaced. */
static const char bash_head[] =
    "_gradflow() {\n"
    "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
    "  local options= values= words= whole= i=$((COMP_CWORD-1))\n"
    "  COMPREPLY=()\n"
    "  if [[ $word == [=:] ]]; then whole=$word; word=; fi\n"
    "  whole=$whole$word\n"
    "  while ((i > 1)) && { [[ ${COMP_WORDS[i]} == [=:] ]] || [[ ${COMP_WORDS[i+1]} == [=:] ]]; } "
    "&&\n"
    "        [[ ${COMP_WORDS[i]} != -* ]]; do\n"
    "    whole=${COMP_WORDS[i]}$whole; ((i--))\n"
    "  done\n"
    "  before=${COMP_WORDS[i]}\n"
    "  if [[ $before == -* ]]; then whole=${whole#=}; fi\n"
    "  if ((COMP_CWORD == 1)); then\n";
static const char bash_foot[] =
    "  esac\n"
    "  if [[ $values ]]; then\n"
    "    eval \"mapfile -t COMPREPLY < <(compgen $values -- \\\"\\$whole\\\")\"\n"
    "    if [[ $values == *_settings* ]]; then compopt -o nospace 2>/dev/null; fi\n"
    "    COMPREPLY=(\"${COMPREPLY[@]#\"${whole%\"$word\"}\"}\")\n"
    "    if [[ $values == -W* ]]; then return; fi\n"
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

static void add_bash_option(const gf__option *o, gf__text *out) {
  gf__text_add(out, "--%s", o->key.name);
  if (o->letter) gf__text_add(out, " -%c", o->letter);
}

static void add_bash_options(const gf__option *options, gf__text *out) {
  for (const gf__option *o = options; o && o->key.name; o++) {
    add_bash_option(o, out);
    gf__text_add(out, " ");
  }
}

static void add_bash_value(const gf__option *o, gf__text *out) {
  const value_kind *kind = find_kind(o->argument);
  gf__text_add(out, "        --%s", o->key.name);
  if (o->letter) gf__text_add(out, "|-%c", o->letter);
  gf__text_add(out, ") values=");
  if (kind) {
    gf__text_add(out, "%s%s%s", strchr(kind->bash, '\'') ? "\"" : "'", "", "");
    for (const char *p = kind->bash; *p; p++) gf__text_add(out, *p == '$' ? "\\%c" : "%c", *p);
    gf__text_add(out, "%s ;;\n", strchr(kind->bash, '\'') ? "\"" : "'");
    return;
  }
  gf__text_add(out, "\"-W '");
  add_choices(o, out);
  gf__text_add(out, "'\" ;;\n");
}

static void add_bash_command(const gf__command *command, gf__text *out) {
  gf__text_add(out, "    %s)\n      options='", command->name);
  add_bash_options(command->options, out);
  add_bash_option(&gf__option_help, out);
  gf__text_add(out, "'\n      words='");
  if (command->words) command->words(out);
  gf__text_add(out, "'\n      case $before in\n");
  for (const gf__option *o = command->options; o && o->key.name; o++)
    if (o->argument) add_bash_value(o, out);
  gf__text_add(out, "      esac ;;\n");
}

static gf_status write_bash(const gf__cli_program *program, gf__text *out) {
  gf__text_add(out, "# Completes gradflow in bash; by gradflow help --completion bash.\n%s",
               DEVICES_FUNCTION);
  GF_TRY(write_words(out));
  gf__text_add(out, "%s    mapfile -t COMPREPLY < <(compgen -W '", bash_head);
  add_bash_options(program->options, out);
  add_command_names(program, out);
  gf__text_add(out, "' -- \"$word\")\n    return\n  fi\n  case ${COMP_WORDS[1]} in\n");
  for (size_t i = 0; program->commands[i]; i++) add_bash_command(program->commands[i], out);
  gf__text_add(out, "%s", bash_foot);
  return gf__text_status(out);
}

/* ---- zsh ---- */

static const char zsh_head[] =
    "_gradflow_set() {\n"
    "  local -a settings=(${=$(_gradflow_settings)})\n"
    "  compadd -S '' -- $settings\n"
    "}\n"
    "_gradflow() {\n"
    "  local -a commands=(\n";
static const char zsh_foot[] =
    "    *) _files ;;\n"
    "  esac\n"
    "}\n"
    "_gradflow \"$@\"\n";

/* Inside single quotes, where _arguments and _describe read brackets and colons. */
static void add_zsh_text(const char *text, gf__text *out) {
  for (; *text; text++) {
    if (*text == '\'')
      gf__text_add(out, "'\\''");
    else
      gf__text_add(out, "%s%c", strchr("[]:\\", *text) ? "\\" : "", *text);
  }
}

static void add_zsh_value(const gf__option *o, gf__text *out) {
  const value_kind *kind = find_kind(o->argument);
  gf__text_add(out, ":");
  add_zsh_text(o->argument, out);
  gf__text_add(out, ":");
  if (kind) {
    gf__text_add(out, "%s", kind->zsh);
  } else if (o->key.choices) {
    gf__text_add(out, "(");
    add_choices(o, out);
    gf__text_add(out, ")");
  } else {
    gf__text_add(out, " ");
  }
}

static void add_zsh_option(const gf__option *o, gf__text *out) {
  bool repeats = o->key.type == GF__KEY_TEXTS;
  const char *letter_end = o->argument ? "+" : "", *name_end = o->argument ? "=" : "";
  gf__text_add(out, " \\\n      ");
  if (!o->letter)
    gf__text_add(out, "'%s--%s%s[", repeats ? "*" : "", o->key.name, name_end);
  else if (repeats)
    gf__text_add(out, "'*'{-%c%s,--%s%s}'[", o->letter, letter_end, o->key.name, name_end);
  else
    gf__text_add(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->key.name, o->letter, letter_end,
                 o->key.name, name_end);
  add_zsh_text(o->key.help, out);
  gf__text_add(out, "]");
  if (o->argument) add_zsh_value(o, out);
  gf__text_add(out, "'");
}

static void add_zsh_command(const gf__command *command, gf__text *out) {
  gf__text_add(out, "    %s) _arguments -s", command->name);
  for (const gf__option *o = command->options; o && o->key.name; o++) add_zsh_option(o, out);
  add_zsh_option(&gf__option_help, out);
  if (command->words) {
    gf__text_add(out, " \\\n      '1: :(");
    command->words(out);
    gf__text_add(out, ")'");
  }
  if (command->most > (command->words != NULL)) gf__text_add(out, " \\\n      '*:file:_files'");
  gf__text_add(out, " ;;\n");
}

static gf_status write_zsh(const gf__cli_program *program, gf__text *out) {
  gf__text_add(out,
               "#compdef gradflow\n# Completes gradflow in zsh; by gradflow help --completion "
               "zsh.\n%s",
               DEVICES_FUNCTION);
  GF_TRY(write_words(out));
  gf__text_add(out, "%s", zsh_head);
  for (size_t i = 0; program->commands[i]; i++) {
    gf__text_add(out, "    '%s:", program->commands[i]->name);
    add_zsh_text(program->commands[i]->help, out);
    gf__text_add(out, "'\n");
  }
  gf__text_add(out,
               "  )\n  if ((CURRENT == 2)); then\n    _describe command commands\n"
               "    _arguments");
  for (const gf__option *o = program->options; o->key.name; o++) add_zsh_option(o, out);
  gf__text_add(out, "\n    return\n  fi\n  shift words\n  ((CURRENT--))\n  case $words[1] in\n");
  for (size_t i = 0; program->commands[i]; i++) add_zsh_command(program->commands[i], out);
  gf__text_add(out, "%s", zsh_foot);
  return gf__text_status(out);
}

/* ---- shells ---- */

const char *const gf__completion_shells[] = {"bash", "zsh", NULL};

gf_status gf__completion_write(const gf__cli_program *program, const char *shell, gf__text *out) {
  static gf_status (*const writers[])(const gf__cli_program *program, gf__text *out) = {write_bash,
                                                                                        write_zsh};
  for (size_t i = 0; gf__completion_shells[i]; i++)
    if (!strcmp(gf__completion_shells[i], shell)) return writers[i](program, out);
  return gf__fail(GF_ERROR_ARGUMENT,
                  "--completion takes bash or zsh, not '%s'; see gradflow help --help", shell);
}
