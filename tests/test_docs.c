/* The documentation: links, anchors and pictures that are there, commands that the program takes,
 * files that code spans name, configs that are configs, and the generated pages as they would be
 * generated now. External links by their form only. */
#define _GNU_SOURCE /* nftw that skips folders, GLOB_BRACE */

#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gradflow.h>

#include "base/config.h"
#include "base/file.h"
#include "base/text.h"
#include "data/dataset.h"
#include "model/network_config.h"
#include "support/markdown.h"
#include "support/shell_words.h"
#include "support/test.h"
#include "train/optimizers.h"
#include "train/train_config.h"

enum { MOST_FILES = 100 };

static char *files_[MOST_FILES]; /* absolute paths */
static size_t count_;
static int links_, commands_, ran_, spans_, configs_; /* that were checked */
static gf__text problems_;                            /* "PATH:LINE: …\n" each */
static const char *file_;                             /* that is being checked */
static int line_;

static void problem(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void problem(const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  gf__text_add(&problems_, "%s:%d: %s\n", file_ + strlen(SOURCE_FOLDER) + 1, line_, text);
}

/* ---- the files ---- */

/* Of the repository alone: not what is built, trained or downloaded. */
static int look_at(const char *path, const struct stat *status, int kind, struct FTW *at) {
  (void)status;
  static const char *const passed_over[] = {"build", "runs", "data", "shared", NULL};
  const char *name = path + at->base;
  if (kind == FTW_D && at->level == 1)
    for (const char *const *p = passed_over; *p; p++)
      if (strcmp(name, *p) == 0) return FTW_SKIP_SUBTREE;
  if (kind == FTW_D && at->level > 0 && *name == '.') return FTW_SKIP_SUBTREE;
  size_t length = strlen(path);
  if (kind != FTW_F || length < 3 || strcmp(path + length - 3, ".md") != 0) return FTW_CONTINUE;
  if (count_ == MOST_FILES) return FTW_STOP;
  files_[count_++] = strdup(path);
  return FTW_CONTINUE;
}

static int set_up(void **state) {
  (void)state;
  return nftw(SOURCE_FOLDER, look_at, 16, FTW_PHYS | FTW_ACTIONRETVAL);
}

static int tear_down(void **state) {
  (void)state;
  while (count_) free(files_[--count_]);
  return 0;
}

static markdown read_markdown(const char *path) {
  char *text;
  size_t size;
  if (gf__file_read(path, &text, &size) != GF_OK) fail_msg("%s", gf_error_message());
  return markdown_read(text);
}

/* Calls check for each line of each file, and fails with the problems that it has found. */
static void check_lines(void (*check)(const markdown *m, size_t line)) {
  for (size_t i = 0; i < count_; i++) {
    markdown m = read_markdown(files_[i]);
    file_ = files_[i];
    for (size_t k = 0; k < m.count; k++) {
      line_ = m.lines[k].number;
      check(&m, k);
    }
    markdown_free(&m);
  }
  if (!problems_.size) return;
  print_error("%s", problems_.data);
  gf__text_free(&problems_);
  fail_msg("the documentation is wrong in the places above");
}

/* ---- links ---- */

/* The path of a target beside the file. */
static void beside_file(char out[PATH_MAX], const char *target, int length) {
  const char *slash = strrchr(file_, '/');
  snprintf(out, PATH_MAX, "%.*s%.*s", (int)(slash - file_ + 1), file_, length, target);
}

static void check_url(const char *url) {
  const char *host = strstr(url, "://") + 3;
  size_t length = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
  bool is_known = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
  bool ends = !host[length] || strchr("/:?#", host[length]);
  if (!is_known || !length || !ends || strpbrk(url, " \"<>\\^`{|}"))
    problem("'%s' is no address", url);
}

static void check_picture(const char *path, const char *target) {
  static const char *const starts[] = {"\x89PNG\r\n\x1a\n", "<svg ", NULL};
  char *bytes;
  size_t size;
  if (gf__file_read(path, &bytes, &size) != GF_OK) return problem("%s", gf_error_message());
  bool is_one = false;
  for (const char *const *s = starts; *s; s++)
    is_one |= size > 100 && strncmp(bytes, *s, strlen(*s)) == 0;
  if (!is_one) problem("%s is neither a PNG nor an SVG", target);
  free(bytes);
}

static void check_anchor(const char *path, const char *target, const char *anchor) {
  size_t length = strlen(path);
  if (length < 3 || strcmp(path + length - 3, ".md") != 0) return;
  markdown m = read_markdown(path);
  if (!markdown_has_anchor(&m, anchor)) problem("'%s': there is no heading '#%s'", target, anchor);
  markdown_free(&m);
}

static void check_link(void *user, const char *target) {
  (void)user;
  links_++;
  if (strstr(target, "://")) return check_url(target);
  char path[PATH_MAX];
  int length = (int)strcspn(target, "#");
  beside_file(path, target, length);
  if (length == 0) snprintf(path, sizeof path, "%s", file_);
  struct stat status;
  if (stat(path, &status) != 0) return problem("'%s': there is no such file", target);
  const char *point = strrchr(path, '.');
  if (point && (strcmp(point, ".png") == 0 || strcmp(point, ".svg") == 0))
    check_picture(path, target);
  if (target[length] == '#') check_anchor(path, target, target + length + 1);
}

/* `host/layers/layers.c`, `tests/test_*.c`: files that are there. Words in capitals stand for
 * others, and a space ends the name. */
static void check_span(void *user, const char *text) {
  (void)user;
  static const char *const folders[] = {"host/",     "cl/",       "tests/",   "docs/",
                                        "bench/",    "scripts/",  "include/", "cmake/",
                                        "examples/", "bindings/", "configs/", NULL};
  bool is_ours = false;
  for (const char *const *f = folders; *f; f++) is_ours |= strncmp(text, *f, strlen(*f)) == 0;
  if (!is_ours || strpbrk(text, "<$…") || strstr(text, "NAME")) return;
  spans_++;
  char path[PATH_MAX];
  glob_t found = {0};
  snprintf(path, sizeof path, "%s/%.*s", SOURCE_FOLDER, (int)strcspn(text, " :"), text);
  if (glob(path, GLOB_BRACE, NULL, &found) != 0) problem("`%s`: there is no such file", text);
  globfree(&found);
}

static void check_text(const markdown *m, size_t line) {
  if (m->lines[line].kind == MARKDOWN_TEXT)
    markdown_visit(m->lines[line].text, check_link, check_span, NULL);
}

static void links_lead_somewhere(void **state) {
  (void)state;
  check_lines(check_text);
  if (count_ < 8 || links_ < 30 || spans_ < 10)
    fail_msg("only %zu files, %d links and %d names of files were seen", count_, links_, spans_);
}

/* ---- commands ---- */

/* Runs it in the source folder without output, and returns its exit code. */
static int run(const char *const words[]) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    int null = open("/dev/null", O_RDWR);
    if (chdir(SOURCE_FOLDER) != 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
      _exit(126);
    execv(words[0], (char *const *)(uintptr_t)words);
    _exit(127);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static bool has_word(const shell_words *line, const char *word) {
  for (size_t i = 0; i < line->count; i++)
    if (strcmp(line->words[i], word) == 0) return true;
  return false;
}

/* What needs neither data nor a run, and takes no time. */
static bool is_cheap(const shell_words *line) {
  static const char *const commands[] = {"devices", "summary", "help", "--help", "--version"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (strcmp(line->words[1], commands[i]) == 0) return !has_word(line, "--man");
  return has_word(line, "--help") || has_word(line, "-h") ||
         (strcmp(line->words[1], "study") == 0 && has_word(line, "--dry-run"));
}

/* A config with the values of --set: every key must be one, and the network must be possible. */
static void check_config(gf_config *config) {
  gf__network_config network;
  gf__optimizer_config optimizer;
  gf__train_config all;
  configs_++;
  if (gf__train_config_read(&all, config) != GF_OK) problem("%s", gf_error_message());
  if (gf__network_config_read(&network, config) != GF_OK) return problem("%s", gf_error_message());
  gf__network_config_free(&network);
  if (gf__optimizer_config_read(&optimizer, config) != GF_OK)
    return problem("%s", gf_error_message());
  gf__optimizer_config_free(&optimizer);
  gf_dataset_info info;
  if (gf__value_get(gf__config_root(config), "data") && gf__data_expect(&info, config) != GF_OK)
    problem("%s", gf_error_message());
}

static void check_settings(const shell_words *line, const char *path) {
  gf_config *config;
  if (gf_config_load(&config, path) != GF_OK) return problem("%s", gf_error_message());
  for (size_t i = 2; i + 1 < line->count; i++)
    if (strcmp(line->words[i], "--set") == 0 || strcmp(line->words[i], "-s") == 0)
      if (gf_config_set(config, line->words[i + 1]) != GF_OK) problem("%s", gf_error_message());
  check_config(config);
  gf_config_free(&config);
}

/* words[0] is the program. */
static void check_program(shell_words *line) {
  commands_++;
  line->words[0] = PROGRAM;
  if (line->count < 2) return problem("gradflow without a command");
  if (is_cheap(line)) {
    ran_++;
    if (run(line->words) != 0) problem("gradflow %s … fails", line->words[1]);
    return;
  }
  /* It reads all options before it prints its help. */
  if (line->count == SHELL_WORDS) return problem("the line has too many words");
  line->words[line->count] = "--help";
  line->words[line->count + 1] = NULL;
  if (run(line->words) != 0) problem("gradflow %s does not take these options", line->words[1]);
  line->words[line->count] = NULL;
  for (size_t i = 2; i < line->count; i++) {
    if (strncmp(line->words[i], "configs/", 8) != 0) continue;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", SOURCE_FOLDER, line->words[i]);
    if (strcmp(line->words[1], "study") != 0)
      check_settings(line, path);
    else if (access(path, R_OK) != 0)
      problem("there is no %s", line->words[i]);
  }
}

/* Scripts of the repository, and presets of CMake. */
static void check_other(const shell_words *line) {
  const char *first = line->words[0];
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", SOURCE_FOLDER, first);
  bool is_script = strncmp(first, "./", 2) == 0 || strncmp(first, "scripts/", 8) == 0 ||
                   strncmp(first, "bench/", 6) == 0;
  if (is_script && strstr(first, "build") == NULL && access(path, X_OK) != 0)
    problem("there is no script %s", first);
  for (size_t i = 0; i + 1 < line->count; i++) {
    if (strcmp(line->words[i], "--preset") != 0) continue;
    char *presets, name[128];
    size_t size;
    snprintf(name, sizeof name, "\"name\": \"%s\"", line->words[i + 1]);
    assert_int_equal(gf__file_read(SOURCE_FOLDER "/CMakePresets.json", &presets, &size), GF_OK);
    if (!strstr(presets, name)) problem("there is no preset %s", line->words[i + 1]);
    free(presets);
  }
}

static bool is_program(const char *word) {
  const char *slash = strrchr(word, '/');
  return strcmp(slash ? slash + 1 : word, "gradflow") == 0;
}

/* Whether the command begins with what starts another: mpirun -n 2 gradflow …, A=b gradflow …. */
static bool is_launcher(const char *word) {
  static const char *const launchers[] = {"env",  "mpiexec", "mpirun", "nice",
                                          "srun", "sudo",    "time",   "timeout"};
  for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++)
    if (strcmp(word, launchers[i]) == 0) return true;
  return strchr(word, '=') != NULL;
}

static void check_command_line(const char *text) {
  shell_words line;
  for (const char *p = text; p;) {
    p = shell_read(&line, p);
    size_t first = 0;
    if (line.count && is_launcher(line.words[0]))
      while (first < line.count && !is_program(line.words[first])) first++;
    if (first == line.count) continue;
    if (!is_program(line.words[first])) {
      check_other(&line);
      continue;
    }
    memmove(line.words, line.words + first, (line.count - first + 1) * sizeof *line.words);
    line.count -= first;
    check_program(&line);
  }
}

static bool is_for_a_shell(const markdown_line *line) {
  static const char *const languages[] = {"", "sh", "bash", "console"};
  for (size_t i = 0; line->kind == MARKDOWN_CODE && i < 4; i++)
    if (strcmp(line->language, languages[i]) == 0) return true;
  return false;
}

static void check_command(const markdown *m, size_t at) {
  char text[SHELL_TEXT] = "";
  if (!is_for_a_shell(&m->lines[at])) return;
  if (at > 0 && !m->lines[at].starts_block) { /* a part of the line before */
    const char *before = m->lines[at - 1].text;
    if (*before && before[strlen(before) - 1] == '\\') return;
  }
  for (size_t i = at; i < m->count && m->lines[i].kind == MARKDOWN_CODE; i++) {
    const char *line = m->lines[i].text;
    size_t used = strlen(text), length = strlen(line);
    bool goes_on = length && line[length - 1] == '\\';
    snprintf(text + used, sizeof text - used, "%.*s ", (int)(length - goes_on), line);
    if (!goes_on) break;
  }
  bool has_prompt = strncmp(text, "$ ", 2) == 0;
  if (strcmp(m->lines[at].language, "console") == 0 && !has_prompt) return; /* output */
  check_command_line(text + (has_prompt ? 2 : 0));
}

static void commands_are_taken(void **state) {
  (void)state;
  check_lines(check_command);
  if (commands_ < 20 || ran_ < 4 || configs_ < 5)
    fail_msg("only %d commands were seen, %d were run, %d configs were read", commands_, ran_,
             configs_);
}

/* ---- configs ---- */

static void check_yaml(const markdown *m, size_t at) {
  const markdown_line *line = &m->lines[at];
  if (!line->starts_block || strcmp(line->language, "yaml") != 0) return;
  gf__text yaml = {0};
  bool is_whole = false;
  for (size_t i = at; i < m->count && m->lines[i].kind == MARKDOWN_CODE; i++) {
    if (i > at && m->lines[i].starts_block) break;
    gf__text_add(&yaml, "%s\n", m->lines[i].text);
    is_whole |= strncmp(m->lines[i].text, "model:", 6) == 0;
  }
  gf_config *config = NULL;
  if (gf_config_parse(&config, "the block", yaml.data) != GF_OK)
    problem("%s", gf_error_message());
  else if (is_whole)
    check_config(config);
  gf_config_free(&config);
  gf__text_free(&yaml);
}

static void configs_are_configs(void **state) {
  (void)state;
  configs_ = 0;
  check_lines(check_yaml);
  assert_true(configs_ > 0);
}

/* ---- what is generated ---- */

static void the_reference_is_that_of_the_tables(void **state) {
  (void)state;
  char *expected, *printed = NULL;
  size_t size = 0, read;
  assert_int_equal(gf__file_read(SOURCE_FOLDER "/docs/configuration.md", &expected, &size), GF_OK);
  FILE *pipe = popen("'" PROGRAM "' help --config", "r");
  assert_non_null(pipe);
  printed = calloc(1, 2 * size + 2);
  assert_non_null(printed);
  read = fread(printed, 1, 2 * size + 1, pipe);
  assert_int_equal(pclose(pipe), 0);
  assert_true(read > 1000);
  if (strcmp(expected, printed) != 0)
    fail_msg(
        "docs/configuration.md is not what the tables say; write it anew:\n"
        "  gradflow help --config > docs/configuration.md");
  free(expected);
  free(printed);
}

/* Each page of docs/ is in its index. */
static void the_index_is_whole(void **state) {
  (void)state;
  char *index, link[512];
  size_t size;
  assert_int_equal(gf__file_read(SOURCE_FOLDER "/docs/README.md", &index, &size), GF_OK);
  for (size_t i = 0; i < count_; i++) {
    const char *name = files_[i] + strlen(SOURCE_FOLDER "/docs/");
    if (strncmp(files_[i], SOURCE_FOLDER "/docs/", strlen(SOURCE_FOLDER "/docs/")) != 0) continue;
    snprintf(link, sizeof link, "](%s)", name);
    if (strcmp(name, "README.md") != 0 && !strstr(index, link))
      fail_msg("docs/README.md has no link to %s", name);
  }
  free(index);
}

/* A cell of a table, in which a line would end it. */
static void add_cell(gf__text *out, const char *text) {
  gf__text_add(out, "| ");
  for (; *text; text++) gf__text_add(out, *text == '|' ? "\\|" : "%c", *text);
  gf__text_add(out, " ");
}

/* docs/diagnosis.md has the rules word for word. */
static void the_rules_are_those_of_the_table(void **state) {
  (void)state;
  char *page;
  size_t size;
  assert_int_equal(gf__file_read(SOURCE_FOLDER "/docs/diagnosis.md", &page, &size), GF_OK);
  for (int v = 0; v < GF_VERDICT_COUNT; v++) {
    const gf_rule *rule = gf_rule_of((gf_verdict)v);
    gf__text row = {0};
    add_cell(&row, rule->name);
    add_cell(&row, rule->holds);
    add_cell(&row, rule->source);
    gf__text_add(&row, "|\n");
    if (!strstr(page, row.data)) fail_msg("docs/diagnosis.md has no row\n%s", row.data);
    gf__text_free(&row);
  }
  free(page);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(links_lead_somewhere), cmocka_unit_test(commands_are_taken),
      cmocka_unit_test(configs_are_configs),  cmocka_unit_test(the_reference_is_that_of_the_tables),
      cmocka_unit_test(the_index_is_whole),   cmocka_unit_test(the_rules_are_those_of_the_table),
  };
  return cmocka_run_group_tests_name("docs", tests, set_up, tear_down);
}
