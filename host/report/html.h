/* One self-contained page: headings, tables and charts to zoom and hover, one
 * below the other. It opens from disk and asks for nothing from a network.
 * All texts are escaped. A failed allocation is reported by gf__html_end. */
#ifndef GF_REPORT_HTML_H
#define GF_REPORT_HTML_H

#include <gradflow/report.h>

#include "report/heat_map.h"
#include "report/table.h"

/* Appends everything before the first block: styles, scripts, title, a line under it or NULL. */
void gf__html_begin(gf__text *out, const char *title, const char *subtitle);
/* A section that the page's list of contents names. */
void gf__html_heading(gf__text *out, const char *text);
void gf__html_paragraph(gf__text *out, const char *text);
/* Lines of code, as they are. */
void gf__html_code(gf__text *out, const char *text);
/* Sorted by a click on a header; wide ones scroll by themselves. caption may be NULL. */
gf_status gf__html_table(gf__text *out, const char *caption, const gf__table *table) GF_MUST_USE;
/* What gf_charts_write draws, to zoom and hover; its width and height are those of the page. A
 * series without a name is switched with the named one before it, and its values are not shown.
 * Charts that follow each other are side by side on a wide screen. */
void gf__html_chart(gf__text *out, const gf_chart *chart);
/* What gf__heat_map_write draws, to hover. */
void gf__html_heat_map(gf__text *out, const gf__heat_map *map);
/* Appends the PNG at path, whose bytes go into the page. */
gf_status gf__html_picture(gf__text *out, const char *title, const char *path) GF_MUST_USE;
/* What is between the two calls is folded away under the summary until it is opened. */
void gf__html_fold_begin(gf__text *out, const char *summary);
void gf__html_fold_end(gf__text *out);
/* Ends the page and puts the list of contents into it. */
gf_status gf__html_end(gf__text *out) GF_MUST_USE;

#endif
