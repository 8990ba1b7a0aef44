#include "cli/options.h"

#include <popt.h>
#include <stdlib.h>
#include <string.h>

#include "base/keys.h"
#include "base/section.h"

enum { MOST_OPTIONS = 24 };

const gf__option gf__option_help = {
    .key = {.name = "help", .type = GF__KEY_BOOL, .help = "print this help"}, .letter = 'h'};

static size_t count_options(const gf__command *command) {
  size_t count = 0;
  while (command->options && command->options[count].key.name) count++;
  return count;
}

/* ---- reading ---- */

/* Paths that a shell completed end in a slash; paths that are printed should not have two. */
static void cut_slashes(char *path) {
  for (size_t n = path ? strlen(path) : 0; n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
}

/* "; for example --jobs 2", in the message of the failure. */
static gf_status add_example(const gf__option *option, gf_status status) {
  const gf__key *key = &option->key;
  const char *const *words = key->choices;
  if (gf__key_is_choice(key) || status != GF_ERROR_ARGUMENT) return status;
  const char *example = words ? words[0] : key->initial;
  if (!example || !*example) return status;
  return gf__fail(status, "%s; for example --%s %s", gf_error_message(), key->name, example);
}

static gf_status accept(const gf__option *option, const char *text, void *options) {
  void *at = (char *)options + option->key.offset;
  if (!option->argument) {
    *(bool *)at = true;
    return GF_OK;
  }
  if (option->key.type == GF__KEY_TEXT) gf__keys_free(&option->key, 1, options);
  gf_status status = gf__key_parse(&option->key, text, at);
  if (status == GF_OK && !strcmp(option->argument, "DIR")) cut_slashes(*(char **)at);
  return add_example(option, status);
}

/* "unknown option '--epochs'; did you mean '--set train.epochs=3'?" */
static gf_status fail_unknown(const gf__command *command, const char *written) {
  const char *name = command->name, *word = written + strspn(written, "-"), *names[MOST_OPTIONS];
  size_t count = count_options(command), length = strcspn(word, "=");
  char bare[64];
  bool sets = false;
  for (size_t i = 0; i < count; i++) {
    names[i] = command->options[i].key.name;
    sets |= command->options[i].key.type == GF__KEY_TEXTS;
  }
  names[count++] = gf__option_help.key.name;
  snprintf(bare, sizeof bare, "%.*s", (int)length, word);
  const char *key = sets ? gf__sections_find(bare) : NULL;
  if (key)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "unknown option '%s'; did you mean '--set %s%s'? see gradflow %s --help",
                    written, key, word[length] ? word + length : "=VALUE", name);
  const char *guess = gf__did_you_mean(bare, names, count, sizeof *names);
  if (guess)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "unknown option '%s'; did you mean '--%s'? see gradflow %s --help", written,
                    guess, name);
  return gf__fail(GF_ERROR_ARGUMENT, "unknown option '%s'; see gradflow %s --help", written, name);
}

static gf_status fail_word(const gf__command *command, const char *written, int error) {
  if (error == POPT_ERROR_BADOPT) return fail_unknown(command, written);
  if (error == POPT_ERROR_NOARG)
    return gf__fail(GF_ERROR_ARGUMENT, "%s needs a value; see gradflow %s --help", written,
                    command->name);
  return gf__fail(GF_ERROR_ARGUMENT, "%s: %s; see gradflow %s --help", written, poptStrerror(error),
                  command->name);
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

static gf_status fill_initial(const gf__command *command, void *options) {
  for (size_t i = 0; i < count_options(command); i++) {
    const gf__key *key = &command->options[i].key;
    void *at = (char *)options + key->offset;
    if (key->initial) GF_TRY(gf__key_read_initial(key, "", at));
    if (!key->initial && gf__key_is_choice(key)) *(int *)at = -1;
  }
  return GF_OK;
}

/* popt only splits the words: its values are the options' numbers from 1 on. */
static void fill_popt(const gf__command *command, struct poptOption *out) {
  size_t count = count_options(command);
  for (size_t i = 0; i <= count; i++) {
    const gf__option *o = i < count ? &command->options[i] : &gf__option_help;
    out[i] = (struct poptOption){.longName = o->key.name,
                                 .shortName = o->letter,
                                 .argInfo = o->argument ? POPT_ARG_STRING : POPT_ARG_NONE,
                                 .val = (int)i + 1};
  }
}

static gf_status read_words(gf__command_line *line, const gf__command *command,
                            poptContext context) {
  int number, count = (int)count_options(command);
  while ((number = poptGetNextOpt(context)) > 0) {
    char *text = poptGetOptArg(context);
    gf_status status = GF_OK;
    if (number > count)
      line->help = true;
    else
      status = accept(&command->options[number - 1], text, line->options);
    free(text);
    GF_TRY(status);
  }
  if (number < -1)
    return fail_word(command, poptBadOption(context, POPT_BADOPTION_NOALIAS), number);
  gf__cli *cli = &line->cli;
  cli->arguments = poptGetArgs(context);
  while (cli->arguments && cli->arguments[cli->argument_count]) cli->argument_count++;
  return line->help ? GF_OK : check_arguments(command, cli);
}

gf_status gf__command_line_read(gf__command_line *out, const gf__command *command, int count,
                                const char **words) {
  static struct poptOption options[MOST_OPTIONS];
  out->options = calloc(1, command->options_size + 1);
  if (!out->options) return gf__fail_host_memory(command->options_size);
  out->cli.options = out->options;
  GF_TRY(fill_initial(command, out->options));
  memset(options, 0, sizeof options);
  fill_popt(command, options);
  out->words = poptGetContext(NULL, count, words, options, 0);
  if (!out->words) return gf__fail_host_memory(sizeof options);
  return read_words(out, command, out->words);
}

void gf__command_line_free(gf__command_line *line, const gf__command *command) {
  for (size_t i = 0; line->options && i < count_options(command); i++)
    gf__keys_free(&command->options[i].key, 1, line->options);
  free(line->options);
  if (line->words) poptFreeContext(line->words);
  *line = (gf__command_line){0};
}

/* ---- help ---- */

void gf__option_describe(gf__text *out, const gf__option *option) {
  const gf__key *key = &option->key;
  gf__text_add(out, "%s", key->help);
  if (!option->argument) return;
  if (key->type != GF__KEY_TEXT && key->type != GF__KEY_TEXTS) {
    gf__text_add(out, "; ");
    gf__key_write_values(out, key);
  }
  if (key->initial && *key->initial) gf__text_add(out, "; default %s", key->initial);
}

void gf__option_write(gf__text *out, const gf__option *option, int column) {
  char name[64], letter[] = "-x, ";
  gf__text help = {0};
  letter[1] = option->letter;
  snprintf(name, sizeof name, "  %s--%s%s%s", option->letter ? letter : "    ", option->key.name,
           option->argument ? " " : "", option->argument ? option->argument : "");
  bool fits = (int)strlen(name) < column;
  if (fits)
    gf__text_add(out, "%-*s", column, name);
  else
    gf__text_add(out, "%s\n%*s", name, column, "");
  gf__option_describe(&help, option);
  gf__text_wrap(out, (size_t)column, help.data ? help.data : "");
  out->failed |= help.failed;
  gf__text_free(&help);
}
