/* The style of a series, and the list that says which is which. */
#ifndef GF_REPORT_LEGEND_H
#define GF_REPORT_LEGEND_H

#include <gradflow/report.h>
#include <stddef.h>

#include "report/canvas.h"

/* Hues that stay apart for the colour-blind and on paper. */
gf__pen gf__series_pen(const gf_series *series);

/* The text in out, its end replaced by "…" where it is longer than room pixels or out. */
void gf__text_fit(const gf__canvas *canvas, double size, double room, const char *text, char *out,
                  size_t out_size);

/* Draws the names of the series in rows between the box's left and right from its top down;
 * returns the y below the last row. What would be a long list ends in "… and 12 more". */
double gf__legend_draw(gf__canvas *canvas, const gf_series *series, int count, gf__box box,
                       double size, gf__color color);

/* Draws a bar of colours from the lightest series to the darkest, with chart->bar at its ends;
 * returns the y below it. */
double gf__bar_draw(gf__canvas *canvas, const gf_chart *chart, gf__box box, double size,
                    gf__color color);

#endif
