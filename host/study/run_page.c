/* A page about run folders, whatever wrote them. */
#include <stdlib.h>
#include <string.h>

#include <gradflow/diagnosis.h>
#include <gradflow/study.h>

#include "base/file.h"
#include "report/html.h"
#include "report/plots.h"

static void add_remedy(gf__text *page, const gf_remedy *remedy) {
  gf__html_paragraph(page, remedy->text);
  if (remedy->setting) gf__html_code(page, remedy->setting);
  if (remedy->code) gf__html_code(page, remedy->code);
}

static void add_finding(gf__text *page, const gf_finding *finding) {
  gf__html_paragraph(page, finding->headline);
  gf__html_fold_begin(page, "evidence and remedies");
  gf__html_paragraph(page, finding->evidence);
  gf__html_paragraph(page, finding->threshold);
  for (int i = 0; i < finding->remedy_count; i++) add_remedy(page, &finding->remedies[i]);
  gf__html_fold_end(page);
}

static gf_status begin_section(void *user, const gf__run *run) {
  gf__text *page = user;
  gf_diagnosis *d = NULL;
  gf__html_heading(page, run ? run->folder : "Runs compared");
  if (!run) return GF_OK;
  gf_status status = gf_diagnosis_open(&d, run->folder);
  for (int i = 0; status == GF_OK && i < d->finding_count; i++) add_finding(page, &d->findings[i]);
  gf_diagnosis_free(&d);
  return status;
}

gf_status gf_runs_page(const char *const *folders, int count, const char *out, const char *page,
                       void (*written)(void *user, const char *path), void *user) {
  gf__text html = {0};
  gf__gallery gallery = {.folder = out,
                         .written = written,
                         .user = user,
                         .page = &html,
                         .begin_section = begin_section,
                         .page_user = &html};
  gf__html_begin(&html, count == 1 ? gf__path_base(folders[0]) : "Runs",
                 "Gradients, layer by layer");
  gf_status status = gf__plot_runs(&gallery, folders, count);
  if (status == GF_OK) status = gf__html_end(&html);
  if (status == GF_OK) status = gf__file_write(page, html.data, html.size);
  gf__text_free(&html);
  if (status == GF_OK && written) written(user, page);
  return status;
}
