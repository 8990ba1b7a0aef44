/* The report of a study: its tables and figures as files, as a page and for the terminal. */
#include "study/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "report/html.h"
#include "study/changed.h"
#include "study/figures.h"

enum { WIDTH = 80 };

gf_status gf__report_write(const gf__report *report, const char *name, const char *extension,
                           const gf__text *text) {
  char path[GF__PATH_SIZE], file[256];
  GF_TRY(gf__text_status(text));
  snprintf(file, sizeof file, "%s.%s", name, extension);
  GF_TRY(gf__path_join(path, sizeof path, report->folder, file));
  GF_TRY(gf__file_write(path, text->data ? text->data : "", text->size));
  if (report->written) report->written(report->user, path);
  return GF_OK;
}

/* ---- texts ---- */

/* Appends the words on lines of at most WIDTH columns. */
static void add_wrapped(gf__text *out, const char *words) {
  int column = 0;
  for (const char *p = words; *p;) {
    size_t length = strcspn(p, " ");
    int columns = 0;
    for (size_t i = 0; i < length; i++) columns += ((unsigned char)p[i] & 0xc0) != 0x80;
    if (column > 0 && column + 1 + columns > WIDTH) {
      gf__text_add(out, "\n");
      column = 0;
    }
    gf__text_add(out, "%s%.*s", column > 0 ? " " : "", (int)length, p);
    column += columns + (column > 0);
    p += length + strspn(p + length, " ");
  }
  gf__text_add(out, "\n");
}

/* Returns the lines of notes one by one, each cut from those after it. */
static char *next_line(char **notes) {
  char *line = *notes, *end = line ? strchr(line, '\n') : NULL;
  if (!end) return NULL;
  *end = 0;
  *notes = end + 1;
  return line;
}

/* ---- tables ---- */

static gf__outcomes outcomes_of(const gf__report *r) { return (gf__outcomes)r->outcomes; }

/* A sheet of as many columns from first on as the terminal holds; *count of them. */
static gf_status fill_sheet(gf__sheet *out, const gf__report *r, const gf__study_table *spec,
                            const gf__varied *varied, int first, int *count) {
  for (*count = spec->column_count - first;; --*count) {
    GF_TRY(gf__study_table_cells(out, r->study, outcomes_of(r), spec, varied, first, *count));
    GF_TRY(gf__text_status(&out->table.cells));
    if (*count == 1 || gf__sheet_width(out) <= WIDTH) return GF_OK;
    gf__table_free(&out->table);
  }
}

/* Whether the whole table fits into a terminal with the columns of varied keys. */
static gf_status check_width(const gf__report *r, const gf__study_table *spec,
                             const gf__varied *varied, bool *fits) {
  gf__sheet sheet;
  GF_TRY(
      gf__study_table_cells(&sheet, r->study, outcomes_of(r), spec, varied, 0, spec->column_count));
  gf_status status = gf__text_status(&sheet.table.cells);
  *fits = status == GF_OK && gf__sheet_width(&sheet) <= WIDTH;
  gf__table_free(&sheet.table);
  return status;
}

static gf_status print_table(gf__report *r, const gf__study_table *spec, const gf__varied *varied) {
  bool fits;
  gf__text_add(&r->terminal, "\n%s\n\n", spec->title);
  GF_TRY(check_width(r, spec, varied, &fits));
  for (int first = 0, count; first < spec->column_count; first += count) {
    gf__sheet sheet;
    GF_TRY(fill_sheet(&sheet, r, spec, fits ? varied : NULL, first, &count));
    gf_status status = gf__table_text(&sheet.table, WIDTH, &r->terminal);
    gf__table_free(&sheet.table);
    GF_TRY(status);
    gf__text_add(&r->terminal, "\n");
  }
  return GF_OK;
}

static gf_status write_numbers(gf__report *r, const gf__study_table *spec,
                               const gf__varied *varied) {
  gf__sheet sheet;
  gf__text csv = {0};
  GF_TRY(gf__study_table_numbers(&sheet, r->study, outcomes_of(r), spec, varied));
  gf_status status = gf__table_csv(&sheet.table, &csv);
  if (status == GF_OK) status = gf__report_write(r, spec->name, "csv", &csv);
  gf__table_free(&sheet.table);
  gf__text_free(&csv);
  return status;
}

/* The whole table as Markdown, LaTeX and in the page. */
typedef struct pages {
  gf__text markdown, latex;
} pages;

static gf_status fill_pages(gf__report *r, const gf__study_table *spec, const gf__varied *varied,
                            pages *p) {
  gf__sheet sheet;
  GF_TRY(
      gf__study_table_cells(&sheet, r->study, outcomes_of(r), spec, varied, 0, spec->column_count));
  gf__text_add(&p->markdown, "## ");
  gf__markdown_add(&p->markdown, spec->title);
  gf__text_add(&p->markdown, "\n\n");
  gf__text_add(&p->latex, "%% Needs \\usepackage{booktabs}.\n");
  gf__html_heading(&r->html, spec->title);
  gf_status status = gf__table_markdown(&sheet.table, &p->markdown);
  if (status == GF_OK) status = gf__table_latex(&sheet.table, &p->latex);
  if (status == GF_OK) status = gf__html_table(&r->html, NULL, &sheet.table);
  gf__table_free(&sheet.table);
  return status;
}

static void add_notes(gf__report *r, pages *p, char *notes) {
  gf__text_add(&p->latex, "\\par\\smallskip{\\footnotesize\n");
  for (char *line; (line = next_line(&notes));) {
    gf__text_add(&p->markdown, "\n");
    gf__markdown_add(&p->markdown, line);
    gf__text_add(&p->markdown, "\n");
    gf__latex_add(&p->latex, line);
    gf__text_add(&p->latex, "\\par\n");
    gf__html_paragraph(&r->html, line);
    add_wrapped(&r->terminal, line);
  }
  gf__text_add(&p->latex, "}\n");
}

static gf_status report_table(gf__report *r, const gf__study_table *spec) {
  pages p = {0};
  gf__text notes = {0};
  gf__study_table_notes(&notes, r->study, outcomes_of(r), spec);
  gf__varied varied;
  gf_status status = gf__varied_find(&varied, r->study, spec);
  if (status == GF_OK) status = gf__text_status(&notes);
  if (status == GF_OK) status = print_table(r, spec, &varied);
  if (status == GF_OK) status = write_numbers(r, spec, &varied);
  if (status == GF_OK) status = fill_pages(r, spec, &varied, &p);
  if (status == GF_OK) add_notes(r, &p, notes.data);
  if (status == GF_OK) status = gf__report_write(r, spec->name, "md", &p.markdown);
  if (status == GF_OK) status = gf__report_write(r, spec->name, "tex", &p.latex);
  gf__varied_free(&varied);
  gf__text_free(&notes);
  gf__text_free(&p.markdown);
  gf__text_free(&p.latex);
  return status;
}

/* ---- figures ---- */

/* Which runs a figure shows; those that are not at their end are said to be. */
static void add_drawn(gf__text *out, const gf__report *r, const gf__study_figure *figure) {
  for (int i = 0; i < figure->setting_count; i++) {
    const gf__setting *setting = &r->study->settings[figure->settings[i]];
    int seed = 0;
    while (setting->seeds[seed] != figure->seeds[i]) seed++;
    const gf__outcome *outcome = &r->outcomes[figure->settings[i]][seed];
    gf__text_add(out, "%s%s/seed-%llu", i ? ", " : "Runs: ", setting->name,
                 (unsigned long long)figure->seeds[i]);
    if (outcome->state.status == GF_RUN_FINISHED) continue;
    gf__text_add(out, " (");
    gf__outcome_describe(out, outcome);
    gf__text_add(out, ")");
  }
  gf__text_add(out, ".");
}

/* *drawn: there was something to draw. */
static gf_status draw_study_figure(gf__report *r, const gf__study_figure *spec, bool *drawn) {
  char path[GF__PATH_SIZE], name[256];
  gf__figure figure;
  GF_TRY(gf__figure_open(&figure, r->study, spec));
  *drawn = figure.count > 0;
  snprintf(name, sizeof name, "%s.png", spec->name);
  gf_status status = gf__path_join(path, sizeof path, r->folder, name);
  if (status == GF_OK && *drawn) {
    status = gf_charts_write(path, figure.charts, figure.count, figure.columns);
    if (status == GF_OK && r->written) r->written(r->user, path);
  }
  for (int i = 0; i < figure.count && status == GF_OK; i++)
    gf__html_chart(&r->html, &figure.charts[i]);
  gf__figure_free(&figure);
  return status;
}

static gf_status report_figure(gf__report *r, const gf__study_figure *spec) {
  gf__text title = {0}, runs = {0};
  bool drawn = false;
  gf__html_heading(&r->html, spec->title);
  gf_status status = draw_study_figure(r, spec, &drawn);
  gf__text_add(&title, "%s (%s%s)", spec->title, drawn ? spec->name : "no run has begun",
               drawn ? ".png" : "");
  add_drawn(&runs, r, spec);
  if (status == GF_OK) status = gf__text_status(&title);
  if (status == GF_OK) status = gf__text_status(&runs);
  if (status == GF_OK) {
    gf__text_add(&r->terminal, "\n");
    add_wrapped(&r->terminal, title.data);
    gf__text_add(&r->terminal, "\n");
    if (*spec->note) {
      gf__html_paragraph(&r->html, spec->note);
      add_wrapped(&r->terminal, spec->note);
    }
    gf__html_paragraph(&r->html, runs.data);
    add_wrapped(&r->terminal, runs.data);
  }
  gf__text_free(&title);
  gf__text_free(&runs);
  return status;
}

/* ---- all of it ---- */

/* A run of other settings says nothing about those of the study. */
static gf_status leave_out_changed(const gf__report *r, const gf__setting *setting, uint64_t seed,
                                   const char *folder, gf__outcome *outcome) {
  gf__text difference = {0};
  GF_TRY(gf__study_difference(&difference, r->study, setting, seed, folder));
  if (!difference.size) return GF_OK;
  *outcome = gf__outcome_none();
  outcome->difference = difference.data;
  return GF_OK;
}

static gf_status load_outcomes(gf__report *r) {
  const gf_study *study = r->study;
  size_t count = (size_t)study->setting_count;
  r->outcomes = calloc(count, sizeof *r->outcomes);
  if (!r->outcomes) return gf__fail_host_memory(count * sizeof *r->outcomes);
  for (int i = 0; i < study->setting_count; i++) {
    const gf__setting *setting = &study->settings[i];
    size_t bytes = (size_t)setting->seed_count * sizeof **r->outcomes;
    r->outcomes[i] = calloc((size_t)setting->seed_count, sizeof **r->outcomes);
    if (!r->outcomes[i]) return gf__fail_host_memory(bytes);
    for (int k = 0; k < setting->seed_count; k++) {
      char folder[GF__PATH_SIZE];
      GF_TRY(gf__study_run_folder(folder, study, setting, setting->seeds[k]));
      GF_TRY(gf__outcome_load(&r->outcomes[i][k], folder));
      GF_TRY(leave_out_changed(r, setting, setting->seeds[k], folder, &r->outcomes[i][k]));
    }
  }
  return GF_OK;
}

static gf_status make_folder(gf__report *r) {
  char name[256];
  snprintf(name, sizeof name, "reports/%s", r->study->name);
  GF_TRY(gf__path_join(r->folder, sizeof r->folder, r->study->out, name));
  return gf__make_folder(r->folder);
}

static gf_status write_report(gf__report *r) {
  const gf_study *study = r->study;
  GF_TRY(load_outcomes(r));
  GF_TRY(make_folder(r));
  gf__html_begin(&r->html, study->title, study->note);
  gf__text_add(&r->terminal, "%s\n", study->title);
  if (*study->note) add_wrapped(&r->terminal, study->note);
  for (int i = 0; i < study->table_count; i++) GF_TRY(report_table(r, &study->tables[i]));
  for (int i = 0; i < study->figure_count; i++) GF_TRY(report_figure(r, &study->figures[i]));
  GF_TRY(gf__report_runs(r));
  GF_TRY(gf__html_end(&r->html));
  GF_TRY(gf__report_write(r, "report", "html", &r->html));
  return gf__text_status(&r->terminal);
}

gf_status gf_study_report(const gf_study *study, char **text,
                          void (*written)(void *user, const char *path), void *user) {
  gf__report r = {.study = study, .written = written, .user = user};
  gf_status status = write_report(&r);
  for (int i = 0; r.outcomes && i < study->setting_count; i++) {
    for (int k = 0; r.outcomes[i] && k < study->settings[i].seed_count; k++)
      free(r.outcomes[i][k].difference);
    free(r.outcomes[i]);
  }
  free(r.outcomes);
  gf__text_free(&r.html);
  *text = NULL;
  if (status == GF_OK)
    *text = r.terminal.data;
  else
    gf__text_free(&r.terminal);
  return status;
}
