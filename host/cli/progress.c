#include "cli/progress.h"

#include <math.h>
#include <string.h>

#include "base/os.h"
#include "cli/cli.h"
#include "cli/duration.h"

enum { NARROWEST_BAR = 8, WIDEST_BAR = 40, LONGEST_PIECE = 48 };

#define CLEAR_LINE "\r\033[K"
#define GREEN "\033[32m"
#define PLAIN "\033[0m"

/* Appends the piece if the bar keeps enough of the room. */
static void add_piece(char *out, size_t *used, const char *piece, size_t room) {
  size_t length = strlen(piece);
  if (*used + length + NARROWEST_BAR > room) return;
  memcpy(out + *used, piece, length + 1);
  *used += length;
}

/* What follows the bar, the most wanted first; what has no room is left out. */
static size_t describe(char *out, const gf_progress *p, size_t room) {
  char piece[LONGEST_PIECE], duration[GF__DURATION_SIZE];
  size_t used = 0;
  *out = 0;
  snprintf(piece, sizeof piece, " %d/%d", p->batch, p->batches);
  add_piece(out, &used, piece, room);
  if (!isnan(p->loss)) {
    snprintf(piece, sizeof piece, "  %.4f %.1f%%", p->loss, 100 * p->accuracy);
    add_piece(out, &used, piece, room);
  }
  if (!isnan(p->seconds_left)) {
    gf__format_duration(duration, p->seconds_left);
    snprintf(piece, sizeof piece, "  %s left", duration);
    add_piece(out, &used, piece, room);
  }
  if (p->images_per_second > 0) {
    snprintf(piece, sizeof piece, "  %.0f images/s", p->images_per_second);
    add_piece(out, &used, piece, room);
  }
  return used;
}

/* Columns for the line. Room stays for the "^C" that a terminal writes after
 * it, so that it does not wrap. */
static size_t room_of(const gf__bar *bar) {
  enum { KEPT = 3 };
  int width = gf__terminal_width(bar->file) - KEPT;
  return width > 0 ? (size_t)width : 0;
}

void gf__bar_say(gf__bar *bar, const char *text) {
  if (!bar->enabled) return;
  fprintf(bar->file, CLEAR_LINE "%.*s", (int)room_of(bar), text);
  fflush(bar->file);
  bar->shown = true;
}

void gf__bar_show(gf__bar *bar, const gf_progress *p) {
  if (!bar->enabled) return;
  size_t width = room_of(bar);
  char head[LONGEST_PIECE], tail[8 * LONGEST_PIECE], line[WIDEST_BAR + 1];
  size_t used =
      (size_t)snprintf(head, sizeof head, "epoch %d/%d %-8s ", p->epoch, p->epochs, p->phase);
  enum { BRACKETS = 2 };
  if (used + BRACKETS + NARROWEST_BAR > width) {
    gf__bar_say(bar, head);
    return;
  }
  size_t room = width - used - BRACKETS;
  size_t length = room - describe(tail, p, room);
  if (length > WIDEST_BAR) length = WIDEST_BAR;
  double fraction = p->batches > 0 ? (double)p->batch / p->batches : 0;
  size_t full = (size_t)(fmin(fmax(fraction, 0), 1) * (double)length);
  memset(line, '=', length);
  line[length] = 0;
  fprintf(bar->file, CLEAR_LINE "%s[%s%.*s%s%*s]%s", head, bar->colours ? GREEN : "", (int)full,
          line, bar->colours ? PLAIN : "", (int)(length - full), "", tail);
  fflush(bar->file);
  bar->shown = true;
}

void gf__bar_clear(gf__bar *bar) {
  if (!bar->shown) return;
  fputs(CLEAR_LINE, bar->file);
  fflush(bar->file);
  bar->shown = false;
}

void gf__bar_count(gf__bar *bar, int done, int count, const char *what, const char *device) {
  char line[512];
  snprintf(line, sizeof line, "%d/%d  %s  (%s)", done + 1, count, what, device);
  gf__bar_say(bar, line);
}

void gf__bar_log(void *bar, gf_log_level level, const char *message) {
  if (level != GF_LOG_WARNING) return;
  gf__bar_clear(bar);
  gf__cli_log(NULL, level, message);
}
