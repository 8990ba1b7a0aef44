#include "cli/watch.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/text.h"
#include "cli/duration.h"

/* The scale of the bars: from 1e-12 to 1. */
enum { DECADES = 12 };

enum {
  NUMBER = 7, /* columns of "2.1e-02" */
  ZEROS = 5,
  MORE = 1 + ZEROS + 1 + NUMBER, /* the columns that a narrow terminal lacks */
  NARROWEST_BAR = 6,
  NARROWEST_BAR_WITH_MORE = 24,
  WIDEST_BAR = 96,
  AROUND_ROWS = 3, /* lines: the headline, the scale, the last */
  PIECE = 64
};

#define PLAIN "\033[0m"

/* Mean |g| that has vanished, that is usual, and from which on it explodes. */
static const char *const vanished_colour = "\033[31m", *const usual_colour = "\033[32m",
                         *const large_colour = "\033[33m";
static const double large = 1;

/* A step's gradients: how many are of weights, and the weakest and the strongest of these. */
typedef struct extremes {
  const gf_gradient_stats *gradients, *weakest, *strongest; /* of the finite ones; or NULL */
  int count;                                                /* of gradients */
  int weights, vanished, nonfinite;
  int name;      /* characters of the longest */
  double output; /* mean |g| of the weights nearest to the loss; NaN without any */
  const gf__vanishing *vanishing;
} extremes;

/* The columns of a line. */
typedef struct layout {
  int columns; /* in all */
  int name, bar;
  bool has_more;
  int group; /* layers of a row */
  bool blocks, colours;
  const gf__vanishing *vanishing;
  double output; /* mean |g| of the weights nearest to the loss */
} layout;

static bool is_finite(const gf_gradient_stats *g) {
  return g->nonfinite == 0 && isfinite(g->mean_abs);
}

/* What is not finite is worse than any number. */
static bool is_weaker(const gf_gradient_stats *a, const gf_gradient_stats *b) {
  if (!is_finite(a) || !is_finite(b)) return !is_finite(a) && is_finite(b);
  return a->mean_abs < b->mean_abs;
}

/* Auxiliary classifiers follow the logits. */
static double output_gradient(const gf_gradient_stats *gradients, int count) {
  double output = (double)NAN;
  for (const gf_gradient_stats *g = gradients; g < gradients + count; g++)
    if (g->is_weight && (isnan(output) || !gf__layer_is_auxiliary(g->layer))) output = g->mean_abs;
  return output;
}

static extremes find_extremes(const gf_gradient_stats *gradients, int count,
                              const gf__vanishing *vanishing) {
  extremes s = {.gradients = gradients,
                .count = count,
                .vanishing = vanishing,
                .output = output_gradient(gradients, count)};
  for (const gf_gradient_stats *g = gradients; g < gradients + count; g++) {
    if (!g->is_weight) continue;
    int length = (int)strlen(g->layer);
    if (length > s.name) s.name = length;
    s.weights++;
    s.nonfinite += !is_finite(g);
    if (!is_finite(g)) continue;
    s.vanished += gf__gradient_is_lost(vanishing, g->mean_abs, s.output);
    if (!s.weakest || is_weaker(g, s.weakest)) s.weakest = g;
    if (!s.strongest || is_weaker(s.strongest, g)) s.strongest = g;
  }
  return s;
}

/* By the variables that the C library asks, in its order. */
static bool locale_is_utf8(void) {
  static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  const char *value = NULL;
  for (size_t i = 0; i < sizeof variables / sizeof *variables && !(value && *value); i++)
    value = getenv(variables[i]);
  const char *charset = value ? strchr(value, '.') : NULL;
  if (!charset) return false;
  char plain[8] = "";
  for (size_t used = 0; *++charset && *charset != '@' && used + 1 < sizeof plain;)
    if (isalnum((unsigned char)*charset)) plain[used++] = (char)tolower((unsigned char)*charset);
  return !strcmp(plain, "utf8");
}

/* ---- pieces of lines ---- */

/* Names come from a config: what is no printable ASCII could be wider than it looks or move the
 * cursor. The end of a long one says more. */
static void add_name(gf__text *out, const char *name, int columns) {
  int length = (int)strlen(name), skipped = length > columns ? length - columns + 1 : 0;
  if (skipped) gf__text_add(out, "~");
  for (const char *c = name + skipped; *c; c++)
    gf__text_add(out, "%c", isprint((unsigned char)*c) ? *c : '?');
  if (!skipped) gf__text_add(out, "%*s", columns - length, "");
}

static const char *colour_of(const gf_gradient_stats *g, const layout *l) {
  if (!is_finite(g) || gf__gradient_is_lost(l->vanishing, g->mean_abs, l->output))
    return vanished_colour;
  return g->mean_abs >= large ? large_colour : usual_colour;
}

/* The column of a bar at which the value is; beyond its ends where the scale does not reach. */
static int column_of(double value, int bar) {
  return (int)floor(bar * (DECADES + log10(value)) / DECADES + 1e-6);
}

/* Blocks of eighths, or '#'; a bar that ends before the threshold is followed by its mark. */
static void add_bar(gf__text *out, const gf_gradient_stats *g, const layout *l) {
  static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  enum { EIGHTHS = 8 };
  int levels_per_cell = l->blocks ? EIGHTHS : 1, filled = 0;
  if (is_finite(g) && g->mean_abs > 0) {
    double fraction = 1 + log10(g->mean_abs) / DECADES;
    filled = (int)lround(fmin(fmax(fraction, 0), 1) * l->bar * levels_per_cell);
  }
  if (l->colours) gf__text_add(out, "%s", colour_of(g, l));
  for (int i = 0; i < filled / levels_per_cell; i++) gf__text_add(out, "%s", l->blocks ? "█" : "#");
  if (l->blocks) gf__text_add(out, "%s", eighths[filled % levels_per_cell]);
  if (l->colours) gf__text_add(out, PLAIN);
  int mark = column_of(l->vanishing->level, l->bar);
  for (int i = (filled + levels_per_cell - 1) / levels_per_cell; i < l->bar; i++)
    gf__text_add(out, "%s", i != mark ? " " : l->blocks ? "│" : "|");
}

static void add_number(gf__text *out, double number) {
  gf__text_add(out, number == 0 ? " %*.0f" : isnan(number) ? " %*f" : " %*.1e", NUMBER, number);
}

/* ---- lines ---- */

/* Appends the piece unless the line, which began at start, would become too long. */
static void add_piece(gf__text *out, size_t start, int columns, const char *piece) {
  if (out->size - start + strlen(piece) <= (size_t)columns) gf__text_add(out, "%s", piece);
}

/* The most wanted first; what has no room is left out. */
static void add_headline(gf__text *out, const gf_progress *p, int epoch, long step, int columns) {
  char piece[PIECE], duration[GF__DURATION_SIZE], of[PIECE / 2] = "";
  size_t start = out->size;
  if (p && p->epochs) snprintf(of, sizeof of, "/%d", p->epochs);
  snprintf(piece, sizeof piece, "epoch %d%s  step %ld", epoch, of, step);
  gf__text_add(out, "%.*s", columns, piece);
  if (p && !isnan(p->loss)) {
    snprintf(piece, sizeof piece, "  loss %.4f  %.1f%%", p->loss, 100 * p->accuracy);
    add_piece(out, start, columns, piece);
  }
  if (p && !isnan(p->seconds_left)) {
    gf__format_duration(duration, p->seconds_left);
    snprintf(piece, sizeof piece, "  %s left", duration);
    add_piece(out, start, columns, piece);
  }
  if (p && p->images_per_second > 0) {
    snprintf(piece, sizeof piece, "  %.0f images/s", p->images_per_second);
    add_piece(out, start, columns, piece);
  }
  gf__text_add(out, "\033[K\n");
}

/* The line above the bars: powers of ten where they are, the most wanted first. */
static void add_scale(gf__text *out, const layout *l) {
  const struct {
    double value;
    const char *label;
  } ticks[] = {
      {l->vanishing->level, l->vanishing->number.text}, {1e-12, "1e-12"}, {1e-4, "1e-4"}, {1, "1"}};
  char line[WIDEST_BAR + 1], title[PIECE] = "layer";
  if (l->group > 1) snprintf(title, sizeof title, "weakest of %d", l->group);
  add_name(out, title, l->name);
  memset(line, ' ', sizeof line);
  line[l->bar] = 0;
  for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
    int length = (int)strlen(ticks[i].label), at = column_of(ticks[i].value, l->bar);
    if (at + length > l->bar) at = l->bar - length;
    int before = at > 0 ? at - 1 : at, after = at + length < l->bar;
    bool is_free = at >= 0;
    for (int k = before; is_free && k < at + length + after; k++) is_free = line[k] == ' ';
    if (is_free) memcpy(line + at, ticks[i].label, (size_t)length);
  }
  if (l->bar) gf__text_add(out, " %s", line);
  gf__text_add(out, " %*s", NUMBER, "mean|g|");
  if (l->has_more) gf__text_add(out, " %*s %*s", ZEROS, "zeros", NUMBER, "update");
  gf__text_add(out, "\033[K\n");
}

static void add_row(gf__text *out, const gf_gradient_stats *g, const layout *l) {
  add_name(out, g->layer, l->name);
  if (l->bar) {
    gf__text_add(out, " ");
    add_bar(out, g, l);
  }
  add_number(out, g->mean_abs);
  if (l->has_more) {
    gf__text_add(out, " %*.0f%%", ZEROS - 1, 100 * g->zeros);
    add_number(out, g->update_ratio);
  }
  gf__text_add(out, "\033[K\n");
}

/* One row per group of layers, which shows its weakest. Returns the number of rows. */
static int add_rows(gf__text *out, const extremes *s, const layout *l) {
  const gf_gradient_stats *weakest = NULL;
  int rows = 0, seen = 0;
  for (const gf_gradient_stats *g = s->gradients; g < s->gradients + s->count; g++) {
    if (!g->is_weight) continue;
    if (!weakest || is_weaker(g, weakest)) weakest = g;
    if (++seen % l->group && seen < s->weights) continue;
    add_row(out, weakest, l);
    weakest = NULL;
    rows++;
  }
  return rows;
}

static void add_last(gf__text *out, const extremes *s, int columns) {
  char line[2 * PIECE];
  int used = snprintf(line, sizeof line, "vanished: %d of %d", s->vanished, s->weights);
  if (s->nonfinite)
    snprintf(line + used, sizeof line - (size_t)used, ", %d not finite", s->nonfinite);
  gf__text_add(out, "%.*s\033[K\n", columns, line);
}

/* ---- a frame ---- */

static int least(int a, int b) { return a < b ? a : b; }
static int most(int a, int b) { return a > b ? a : b; }

static layout lay_out(const extremes *s, int columns, int rows, bool colours) {
  enum { LONGEST_TITLE = sizeof "weakest of 99" - 1 };
  layout l = {.columns = columns,
              .group = (s->weights + rows - 1) / rows,
              .blocks = locale_is_utf8(),
              .colours = colours,
              .vanishing = s->vanishing,
              .output = s->output};
  int title = l.group > 1 ? LONGEST_TITLE : (int)sizeof "layer" - 1;
  l.name = most(title, least(s->name, columns / 3));
  int room = columns - l.name - 1 - (1 + NUMBER);
  l.has_more = room >= NARROWEST_BAR_WITH_MORE + MORE;
  l.bar = least(room - (l.has_more ? MORE : 0), WIDEST_BAR);
  l.bar -= l.bar % 3; /* so that the mark of 1e-8 is between two columns */
  if (l.bar < NARROWEST_BAR) {
    l.bar = 0;
    l.name = columns - 1 - NUMBER;
  }
  return l;
}

/* Returns its lines. The last column and the last row stay free: a cursor past the one would
 * wrap, one below the other would scroll. */
static int add_frame(gf__text *out, gf__watch *watch, const gf_progress *progress, int epoch,
                     long step, const extremes *s) {
  int width = watch->width ? watch->width : gf__terminal_width(watch->file);
  int height = watch->height ? watch->height : gf__terminal_height(watch->file);
  int columns = most(width - 1, 1), rows = height - 1 - AROUND_ROWS, lines = 1;
  /* Lines of another width may have been wrapped, so nobody knows where they are. */
  if (watch->drawn_width != width) watch->lines = 0;
  watch->drawn_width = width;
  if (watch->lines) gf__text_add(out, "\033[%dA", watch->lines);
  gf__text_add(out, "\r");
  add_headline(out, progress, epoch, step, columns);
  layout l = lay_out(s, columns, most(rows, 1), watch->colours);
  if (rows > 0 && l.name > 1) {
    add_scale(out, &l);
    lines = AROUND_ROWS + add_rows(out, s, &l);
    add_last(out, s, columns);
  }
  gf__text_add(out, "\033[J");
  return lines;
}

static void add_record(gf__text *out, int epoch, long step, const extremes *s) {
  gf__text_add(out, "epoch %d step %ld: ", epoch, step);
  if (s->weakest)
    gf__text_add(out, "mean |gradient| %.1e (%s) %s %.1e (%s); ", s->strongest->mean_abs,
                 s->strongest->layer, locale_is_utf8() ? "…" : "...", s->weakest->mean_abs,
                 s->weakest->layer);
  gf__text_add(out, "%d of %d vanished below %s", s->vanished, s->weights,
               s->vanishing->number.text);
  if (s->nonfinite) gf__text_add(out, ", %d not finite", s->nonfinite);
  gf__text_add(out, "\n");
}

void gf__watch_show(gf__watch *watch, const gf_progress *progress, int epoch, long step,
                    const gf_gradient_stats *gradients, int count) {
  extremes s = find_extremes(gradients, count, &watch->vanishing);
  gf__text text = {0};
  int lines = 0;
  if (s.weights == 0) return;
  if (watch->draws)
    lines = add_frame(&text, watch, progress, epoch, step, &s);
  else
    add_record(&text, epoch, step, &s);
  /* A frame for which there is no memory is left out; the run goes on. */
  if (gf__text_status(&text) == GF_OK) {
    fwrite(text.data, 1, text.size, watch->file);
    fflush(watch->file);
    watch->lines = lines;
  }
  gf__text_free(&text);
}

void gf__watch_leave(gf__watch *watch) { watch->lines = 0; }
