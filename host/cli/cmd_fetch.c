/* gradflow fetch */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

typedef struct fetch_options {
  char *to;
  char *mirror; /* or NULL */
  bool quiet;
} fetch_options;

static const gf__option option_rows[] = {
    GF__OPTION("to", 't', "DIR", fetch_options, to, TEXT, .initial = "data",
               .help = "where its folder goes"),
    GF__OPTION("mirror", 'm', "URL", fetch_options, mirror, TEXT,
               .help = "the folder of another server with the same files"),
    GF__FLAG("quiet", 'q', fetch_options, quiet, "nothing but warnings, errors and the settings"),
    GF__OPTIONS_END};

typedef struct screen {
  gf__bar bar;
  bool says_lines; /* for want of a terminal */
  bool quiet;
  char line[64]; /* the beginning of the last line */
  int tenths;    /* of the file, in that line */
} screen;

/* "  43%  72.5/168.5 MB  3.2 MB/s  0:30 left" */
static void add_progress(gf__text *out, const gf_fetch_progress *p, double fraction) {
  if (p->size > 0) gf__text_add(out, " %3.0f%%", 100 * fraction);
  gf__text_add(out, "  %.1f", 1e-6 * (double)p->done);
  if (p->size > 0) gf__text_add(out, "/%.1f", 1e-6 * (double)p->size);
  gf__text_add(out, " MB");
  if (p->bytes_per_second > 0) gf__text_add(out, "  %.1f MB/s", 1e-6 * p->bytes_per_second);
  if (isfinite(p->seconds_left) && p->done < p->size) {
    enum { MINUTE = 60, HOUR = 3600, MOST_HOURS = 999 };
    long s = lround(fmin(p->seconds_left, (double)MOST_HOURS * HOUR));
    gf__text_add(out, "  ");
    if (s >= HOUR) gf__text_add(out, "%ld:", s / HOUR);
    gf__text_add(out, s >= HOUR ? "%02ld:%02ld left" : "%ld:%02ld left", s % HOUR / MINUTE,
                 s % MINUTE);
  }
}

/* The bar takes what room the words leave. */
static void draw_progress(screen *s, const char *head, const char *tail, double fraction) {
  enum { NARROWEST = 8, WIDEST = 40, KEPT = 5 }; /* brackets, and what gf__bar_say keeps free */
  char line[WIDEST + 1];
  gf__text text = {0};
  int room = gf__terminal_width(s->bar.file) - (int)(strlen(head) + strlen(tail)) - KEPT;
  int length = room > WIDEST ? WIDEST : room, full = (int)(fraction * length);
  memset(line, '=', sizeof line);
  if (length >= NARROWEST)
    gf__text_add(&text, "%s[%.*s%*s]%s", head, full, line, length - full, "", tail);
  else
    gf__text_add(&text, "%s%s", head, tail);
  if (text.data) gf__bar_say(&s->bar, text.data);
  gf__text_free(&text);
}

static void on_progress(void *user, const gf_fetch_progress *p) {
  screen *s = user;
  enum { TENTHS = 10 };
  gf__text head = {0}, tail = {0};
  double fraction = p->size > 0 ? fmin((double)p->done / (double)p->size, 1) : 0;
  int tenths = (int)(TENTHS * fraction);
  gf__text_add(&head, "%s%s ", strcmp(p->phase, "download") ? "unpacking " : "", p->file);
  add_progress(&tail, p, fraction);
  bool is_new = head.data && (strcmp(s->line, head.data) != 0 || tenths > s->tenths);
  if (s->bar.enabled && head.data && tail.data) {
    draw_progress(s, head.data, tail.data, fraction);
  } else if (s->says_lines && is_new && tenths > 0) {
    snprintf(s->line, sizeof s->line, "%s", head.data);
    s->tenths = tenths;
    fprintf(stderr, "%s%s\n", head.data, tail.data);
  }
  gf__text_free(&head);
  gf__text_free(&tail);
}

static void on_log(void *user, gf_log_level level, const char *message) {
  screen *s = user;
  if (s->quiet && level != GF_LOG_WARNING) return;
  gf__bar_clear(&s->bar);
  if (level == GF_LOG_INFO)
    fprintf(stderr, "%s\n", message);
  else
    gf__cli_log(NULL, level, message);
}

/* The first word of each line of the help. */
static void add_words(gf__text *out) {
  char *help = NULL;
  if (gf_fetch_help(&help) != GF_OK) return;
  for (const char *line = help; *line; line += strcspn(line, "\n"), line += *line != 0) {
    const char *word = line + strspn(line, " ");
    gf__text_add(out, "%s%.*s", out->size ? " " : "", (int)strcspn(word, " \n"), word);
  }
  free(help);
}

static int run_fetch(const gf__cli *cli) {
  const fetch_options *o = cli->options;
  bool draws = gf__cli_can_draw(stderr);
  screen s = {.bar = {.file = stderr, .enabled = !o->quiet && draws},
              .says_lines = !o->quiet && !draws,
              .quiet = o->quiet};
  gf_fetch_options how = gf_fetch_options_default();
  if (o->to) how.to = o->to;
  how.mirror = o->mirror;
  how.events = (gf_fetch_events){.user = &s, .progress = on_progress, .stop = gf__interrupt_stops};
  gf_fetched fetched;
  gf_log_to(on_log, &s);
  gf__interrupt_catch();
  gf_status status = gf_fetch(cli->arguments[0], &how, &fetched);
  gf__bar_clear(&s.bar);
  gf_log_to(gf__cli_log, NULL);
  if (status == GF_ERROR_INTERRUPTED && gf__interrupt_signal()) {
    (void)gf__cli_fail(status);
    return gf__interrupt_exit_code();
  }
  if (status != GF_OK) return gf__cli_fail(status);
  printf("data.name=%s\ndata.path=%s\n", fetched.data_name, fetched.data_path);
  free(fetched.data_path);
  return 0;
}

const gf__command gf__cmd_fetch = {
    .name = "fetch",
    .arguments = "DATASET [OPTION]...",
    .help = "get a data set from the network",
    .text =
        "Downloads a data set, checks its published checksums, unpacks it into a folder\n"
        "of its own and prints the settings that name it. What is there and right is not\n"
        "fetched again. After Ctrl-C or a broken connection the same command goes on\n"
        "from where it was.\n",
    .examples =
        "  gradflow fetch cifar100\n"
        "  gradflow fetch fashion-mnist --to /srv/data\n"
        "  gradflow fetch cifar10 --mirror https://example.org/datasets\n",
    .least = 1,
    .most = 1,
    .missing = "a data set",
    .options = option_rows,
    .options_size = sizeof(fetch_options),
    .more_title = "data sets, what is downloaded, and from where:",
    .more = gf_fetch_help,
    .words = add_words,
    .run = run_fetch,
};
