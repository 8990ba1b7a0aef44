/* Man pages, in the macros of man(7), of the tables that --help prints. */
#include "cli/manual.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"

/* What roff would take for something else, or print as another character. */
static const struct {
  char character;
  const char *escape;
} escapes[] = {{'\\', "\\(rs"}, {'-', "\\-"},   {'\'', "\\(aq"},
               {'`', "\\(ga"},  {'^', "\\(ha"}, {'~', "\\(ti"}};

static void add_character(gf__text *page, char character) {
  for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
    if (escapes[i].character == character) {
      gf__text_add(page, "%s", escapes[i].escape);
      return;
    }
  gf__text_add_bytes(page, &character, 1);
}

/* A point that begins a line begins a request. */
static void add_escaped(gf__text *page, const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '.' && (i == 0 || text[i - 1] == '\n')) gf__text_add(page, "\\&");
    add_character(page, text[i]);
  }
}

static void add_text(gf__text *page, const char *text) { add_escaped(page, text, strlen(text)); }

/* Lines as they are, from the left margin: they may be as wide as a terminal. */
static void add_lines(gf__text *page, const char *lines) {
  gf__text_add(page, ".in 0\n.nf\n");
  add_text(page, lines);
  gf__text_add(page, ".fi\n");
}

/* Lines that begin with a space are kept as they are, the others flow. */
static void add_paragraphs(gf__text *page, const char *text) {
  bool flows = true;
  while (*text) {
    size_t length = strcspn(text, "\n");
    if (length > 0 && flows != (*text != ' ')) {
      flows = !flows;
      gf__text_add(page, flows ? ".fi\n" : ".nf\n");
    }
    if (length > 0)
      add_escaped(page, text, length);
    else
      gf__text_add(page, ".PP");
    gf__text_add(page, "\n");
    text += length + (text[length] == '\n');
  }
  if (!flows) gf__text_add(page, ".fi\n");
}

static void add_option(gf__text *page, const gf__option *option) {
  gf__text help = {0};
  gf__text_add(page, ".TP\n\\fB");
  if (option->letter) gf__text_add(page, "\\-%c\\fR, \\fB", option->letter);
  gf__text_add(page, "\\-\\-");
  add_text(page, option->key.name);
  gf__text_add(page, "\\fR");
  if (option->argument) {
    gf__text_add(page, " \\fI");
    add_text(page, option->argument);
    gf__text_add(page, "\\fR");
  }
  gf__text_add(page, "\n");
  gf__option_describe(&help, option);
  add_text(page, help.data ? help.data : "");
  gf__text_add(page, "\n");
  page->failed |= help.failed;
  gf__text_free(&help);
}

static void add_options(gf__text *page, const gf__option *options) {
  gf__text_add(page, ".SH OPTIONS\n");
  for (; options && options->key.name; options++) add_option(page, options);
}

static void add_head(gf__text *page, const char *name, const char *help, const char *arguments) {
  const char *command = name ? name : "";
  /* Without a date, so that the page of a version is always the same. */
  gf__text_add(page, ".TH \"gradflow%s", name ? "\\-" : "");
  add_text(page, command);
  gf__text_add(page, "\" 1 \"\" \"gradflow %s\" \"User Commands\"\n.SH NAME\ngradflow%s",
               gf_versions_get().program, name ? "\\-" : "");
  add_text(page, command);
  gf__text_add(page, " \\- ");
  add_text(page, help);
  gf__text_add(page, "\n.SH SYNOPSIS\n\\fBgradflow%s", name ? " " : "");
  add_text(page, command);
  gf__text_add(page, "\\fR ");
  add_text(page, arguments);
  gf__text_add(page, "\n.SH DESCRIPTION\n");
}

static void add_examples(gf__text *page, const char *examples) {
  gf__text_add(page, ".SH EXAMPLES\n.nf\n");
  add_text(page, examples);
  gf__text_add(page, ".fi\n");
}

static void add_capitals(gf__text *page, const char *title) {
  gf__text_add(page, ".SH \"");
  for (; *title && *title != ':'; title++)
    add_character(page, (char)(*title >= 'a' && *title <= 'z' ? *title - 'a' + 'A' : *title));
  gf__text_add(page, "\"\n");
}

static gf_status write_page(gf__text *page, const char *folder, const char *name) {
  char path[4096], file[128];
  snprintf(file, sizeof file, "gradflow%s%s.1", name ? "-" : "", name ? name : "");
  GF_TRY(gf__text_status(page));
  GF_TRY(gf__path_join(path, sizeof path, folder, file));
  return gf__file_write(path, page->data, page->size);
}

static gf_status write_command(const gf__command *command, const char *folder) {
  gf__text page = {0};
  add_head(&page, command->name, command->help, command->arguments);
  add_paragraphs(&page, command->text);
  add_options(&page, command->options);
  add_option(&page, &gf__option_help);
  add_examples(&page, command->examples);
  char *more = NULL;
  gf_status status = command->more ? command->more(&more) : GF_OK;
  if (more) {
    add_capitals(&page, command->more_title);
    add_lines(&page, more);
  }
  free(more);
  gf__text_add(&page, ".SH SEE ALSO\n.BR gradflow (1)\n");
  if (status == GF_OK) status = write_page(&page, folder, command->name);
  gf__text_free(&page);
  return status;
}

static gf_status write_program(const gf__cli_program *program, const char *folder) {
  gf__text page = {0};
  add_head(&page, NULL, program->help, program->arguments);
  add_paragraphs(&page, program->text);
  gf__text_add(&page, ".SH COMMANDS\n");
  for (size_t i = 0; program->commands[i]; i++) {
    gf__text_add(&page, ".TP\n.BR gradflow\\-%s (1)\n", program->commands[i]->name);
    add_text(&page, program->commands[i]->help);
    gf__text_add(&page, "\n");
  }
  add_options(&page, program->options);
  add_examples(&page, program->examples);
  gf__text_add(&page, ".SH \"EXIT STATUS\"\n");
  add_paragraphs(&page, program->exit_codes);
  gf_status status = write_page(&page, folder, NULL);
  gf__text_free(&page);
  return status;
}

gf_status gf__manual_write(const gf__cli_program *program, const char *folder) {
  GF_TRY(gf__make_folder(folder));
  GF_TRY(write_program(program, folder));
  for (size_t i = 0; program->commands[i]; i++) GF_TRY(write_command(program->commands[i], folder));
  return GF_OK;
}
