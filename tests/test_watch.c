/* The live view of gradients: what is drawn, byte for byte, and that it stays in the terminal. */
#define _GNU_SOURCE /* fopencookie, setenv */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/watch.h"
#include "support/test.h"

#define END "\033[K\n"
#define SP6 "      "
#define B6 "██████"
#define B12 B6 B6
#define H6 "######"

static const gf_gradient_stats flow_[] = {
    {"input_conv", "input_conv.weight", 1, 1e-4, 0, 0, 0, 1e-3, 0, 1},
    {"input_conv", "input_conv.bias", 0, 1e-12, 0, 0, 1, 1e-3, 0, 1},
    {"block_0_conv", "block_0_conv.weight", 1, 1e-8, 0, 0, 0.254, 2.51e-4, 0, 1},
    {"reduction_2_conv_0", "reduction_2_conv_0.weight", 1, 1e-10, 0, 0, 0.5, 0, 0, 1},
    {"logit_linear", "logit_linear.weight", 1, 0.1, 0, 0, 0, NAN, 0, 1},
};
enum { FLOW = sizeof flow_ / sizeof *flow_ };

static const gf_progress progress_ = {.phase = "train",
                                      .epoch = 3,
                                      .epochs = 10,
                                      .batch = 7,
                                      .batches = 475,
                                      .loss = 4.60517,
                                      .accuracy = 0.0123,
                                      .images_per_second = 1234.4,
                                      .seconds_left = 3723};

/* What one call writes; valid until the next one. */
static const char *show(gf__watch *watch, const gf_progress *progress, int epoch, long step,
                        const gf_gradient_stats *gradients, int count) {
  static char text[1 << 20];
  watch->file = tmpfile();
  assert_non_null(watch->file);
  if (watch->vanishing.level == 0) watch->vanishing = gf__vanishing_of("adam", 1e-8);
  gf__watch_show(watch, progress, epoch, step, gradients, count);
  rewind(watch->file);
  size_t size = fread(text, 1, sizeof text - 1, watch->file);
  text[size] = 0;
  assert_int_equal(fclose(watch->file), 0);
  return text;
}

static void use_locale(const char *name) { assert_int_equal(setenv("LC_ALL", name, 1), 0); }

/* ---- exact texts ---- */

static void a_terminal_of_80_columns_is_filled(void **unused) {
  (void)unused;
  use_locale("en_GB.UTF-8");
  gf__watch watch = {.draws = true, .width = 80, .height = 60};
  assert_string_equal(
      show(&watch, &progress_, 3, 957, flow_, FLOW),
      "\repoch 3/10  step 957  loss 4.6052  1.2%  1:02:03 left  1234 images/s" END
      "layer              1e-12       1e-8        1e-4       1 mean|g| zeros  update" END
      "input_conv         " B12 B12 SP6 SP6 " 1.0e-04    0% 1.0e-03" END "block_0_conv       " B12
      "│     " SP6 SP6 SP6 " 1.0e-08   25% 2.5e-04" END "reduction_2_conv_0 " B6 SP6
      "│     " SP6 SP6 SP6 " 1.0e-10   50%       0" END "logit_linear       " B12 B12 B6
      "███    1.0e-01    0%     nan" END "vanished: 1 of 4" END "\033[J");
  assert_int_equal(watch.lines, 7);
}

static void without_utf8_it_is_ascii(void **unused) {
  (void)unused;
  static const char *const others[] = {"C", "POSIX", "de_DE", "de_DE.ISO-8859-1@euro"};
  const char *expected =
      "\repoch 1  step 5" END
      "layer              1e-12       1e-8        1e-4       1 mean|g| zeros  update" END
      "input_conv         " H6 H6 H6 H6 SP6 SP6 " 1.0e-04    0% 1.0e-03" END
      "block_0_conv       " H6 H6 "|     " SP6 SP6 SP6 " 1.0e-08   25% 2.5e-04" END
      "reduction_2_conv_0 " H6 SP6 "|     " SP6 SP6 SP6 " 1.0e-10   50%       0" END
      "logit_linear       " H6 H6 H6 H6 H6 "###    1.0e-01    0%     nan" END "vanished: 1 of 4" END
      "\033[J";
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    use_locale(others[i]);
    gf__watch watch = {.draws = true, .width = 80, .height = 60};
    assert_string_equal(show(&watch, NULL, 1, 5, flow_, FLOW), expected);
  }
}

/* The first variable that is set decides. */
static void the_locale_decides_about_utf8(void **unused) {
  (void)unused;
  gf__watch watch = {.draws = true, .width = 80, .height = 60};
  use_locale("");
  assert_int_equal(setenv("LC_CTYPE", "C.utf8", 1), 0);
  assert_int_equal(setenv("LANG", "C", 1), 0);
  assert_non_null(strstr(show(&watch, NULL, 1, 5, flow_, FLOW), "█"));
  assert_int_equal(unsetenv("LC_CTYPE"), 0);
  assert_null(strstr(show(&watch, NULL, 1, 5, flow_, FLOW), "█"));
  assert_int_equal(unsetenv("LANG"), 0);
  assert_null(strstr(show(&watch, NULL, 1, 5, flow_, FLOW), "█"));
}

static void make_layers(gf_gradient_stats *out, char (*names)[32], int count) {
  for (int i = 0; i < count; i++) {
    snprintf(names[i], sizeof names[i], "block_%d_conv_%d", i / 10, i % 10);
    out[i] = (gf_gradient_stats){.layer = names[i],
                                 .parameter = names[i],
                                 .is_weight = 1,
                                 .mean_abs = pow(10, -10 + i % 4),
                                 .update_ratio = 1e-3};
  }
}

/* Nineteen layers and six rows for them: groups of four and the rest, each by its weakest. */
static void a_terminal_of_40_columns_and_10_rows_is_filled(void **unused) {
  (void)unused;
  enum { LAYERS = 19 };
  char names[LAYERS][32];
  gf_gradient_stats g[LAYERS];
  use_locale("C.UTF-8");
  make_layers(g, names, LAYERS);
  g[17].mean_abs = 0;
  g[18].mean_abs = 1; /* at the output, which the others are compared with */
  g[5].mean_abs = INFINITY;
  g[5].nonfinite = 3;
  g[6].mean_abs = g[6].update_ratio = NAN;
  g[6].nonfinite = 1;
  gf__watch watch = {.draws = true, .width = 40, .height = 10};
  assert_string_equal(
      show(&watch, &progress_, 3, 957, g, LAYERS),
      "\repoch 3/10  step 957  loss 4.6052  1.2%" END "weakest of 4       1e-8 1e-4  mean|g|" END
      "~ock_0_conv_0 ██▌  │          1.0e-10" END "~ock_0_conv_5      │              inf" END
      "~ock_0_conv_8 ██▌  │          1.0e-10" END "~ock_1_conv_2 ██▌  │          1.0e-10" END
      "~ock_1_conv_7      │                0" END "vanished: 9 of 19, 2 not finite" END "\033[J");
}

static void a_terminal_of_200_columns_is_filled(void **unused) {
  (void)unused;
  use_locale("C.UTF-8");
  gf__watch watch = {.draws = true, .width = 200, .height = 60};
  gf_gradient_stats g[2] = {flow_[0], flow_[2]};
  g[0].mean_abs = pow(10, -4 + 3.0 / 64); /* eight columns a decade, eight parts a column */
  assert_string_equal(
      show(&watch, &progress_, 3, 957, g, 2),
      "\repoch 3/10  step 957  loss 4.6052  1.2%  1:02:03 left  1234 images/s" END
      "layer        1e-12                           1e-8                            1e-4         "
      "                  1 mean|g| zeros  update" END "input_conv   " B12 B12 B12 B12 B12
      "████▍ " SP6 SP6 SP6 SP6 SP6 " 1.1e-04    0% 1.0e-03" END "block_0_conv " B12 B12 B6
      "██│   " SP6 SP6 SP6 SP6 SP6 SP6 SP6 SP6 SP6 SP6 " 1.0e-08   25% 2.5e-04" END
      "vanished: 0 of 2" END "\033[J");
}

static void colours_are_used(void **unused) {
  (void)unused;
  use_locale("C");
  gf__watch watch = {.draws = true, .colours = true, .width = 44, .height = 60};
  gf_gradient_stats g[5] = {flow_[0], flow_[3], flow_[2], flow_[2], flow_[4]};
  g[4].mean_abs = 7;
  g[2].mean_abs = NAN;
  assert_string_equal(show(&watch, NULL, 1, 5, g, 5),
                      "\repoch 1  step 5" END "layer          1e-12 1e-8  1e-4 1 mean|g|" END
                      "input_conv     \033[32m############\033[0m       1.0e-04" END
                      "~tion_2_conv_0 \033[31m###\033[0m   |            1.0e-10" END
                      "block_0_conv   \033[31m\033[0m      |                nan" END
                      "block_0_conv   \033[32m######\033[0m|            1.0e-08" END
                      "logit_linear   \033[33m##################\033[0m 7.0e+00" END
                      "vanished: 1 of 5, 1 not finite" END "\033[J");
}

/* What has no room is left out, the name last. */
static void narrow_and_low_terminals_are_used(void **unused) {
  (void)unused;
  static const struct {
    int width, height;
    const char *expected;
  } rows[] = {
      {22, 6,
       "\repoch 3/10  step 957" END "weakest of 2  mean|g|" END "block_0_conv  1.0e-08" END
       "~ion_2_conv_0 1.0e-10" END "vanished: 1 of 4" END "\033[J"},
      {14, 9,
       "\repoch 3/10  s" END "layer mean|g|" END "~conv 1.0e-04" END "~conv 1.0e-08" END
       "~nv_0 1.0e-10" END "~near 1.0e-01" END "vanished: 1 o" END "\033[J"},
      {80, 4,
       "\repoch 3/10  step 957  loss 4.6052  1.2%  1:02:03 left  1234 images/s" END "\033[J"},
      {80, 1,
       "\repoch 3/10  step 957  loss 4.6052  1.2%  1:02:03 left  1234 images/s" END "\033[J"},
      {7, 60, "\repoch " END "\033[J"},
      {1, 1, "\re" END "\033[J"},
  };
  use_locale("C");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    gf__watch watch = {.draws = true, .width = rows[i].width, .height = rows[i].height};
    assert_string_equal(show(&watch, &progress_, 3, 957, flow_, FLOW), rows[i].expected);
  }
}

/* A name cannot move the cursor or be wider than it is long. */
static void names_of_layers_cannot_steer_the_terminal(void **unused) {
  (void)unused;
  gf_gradient_stats g = flow_[0];
  g.layer = "a\033[2Jö\n";
  gf__watch watch = {.draws = true, .width = 80, .height = 60};
  use_locale("C.UTF-8");
  assert_non_null(strstr(show(&watch, NULL, 1, 5, &g, 1), "\na?[2J??? █"));
}

/* ---- in place ---- */

static int lines_of(const char *text) {
  int lines = 0;
  for (; *text; text++) lines += *text == '\n';
  return lines;
}

/* Columns of the widest line, without escape codes. */
static int width_of(const char *text) {
  int widest = 0, width = 0;
  for (; *text; text++) {
    if (*text == '\033') {
      while (!(*text >= 'A' && *text <= 'Z') && *text != 'm') text++;
    } else if (*text == '\n') {
      width = 0;
    } else if (*text != '\r' && (*text & 0xc0) != 0x80 && ++width > widest) {
      widest = width;
    }
  }
  return widest;
}

static void it_stays_in_the_terminal(void **unused) {
  (void)unused;
  enum { MOST = 500 };
  static char names[MOST][32];
  static gf_gradient_stats g[MOST];
  static const int counts[] = {1, 3, 38, 110, MOST};
  make_layers(g, names, MOST);
  for (int variant = 0; variant < 4; variant++)
    for (int width = 1; width <= 200; width += width < 60 ? 1 : 20)
      for (int height = 1; height <= 60; height += height < 12 ? 1 : 12)
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
          use_locale(variant & 1 ? "C" : "C.UTF-8");
          gf__watch watch = {
              .draws = true, .colours = variant & 2, .width = width, .height = height};
          const char *text = show(&watch, &progress_, 3, 957, g, counts[k]);
          int lines = lines_of(text), most = height > 1 ? height - 1 : 1;
          int wide = width > 1 ? width - 1 : 1;
          if (!(width_of(text) <= wide && lines <= most))
            fail_msg("%d columns and %d lines in %dx%d for %d layers", width_of(text), lines, width,
                     height, counts[k]);
          assert_int_equal(watch.lines, lines);
        }
}

static void assert_begins(const char *text, const char *start) {
  if (strncmp(text, start, strlen(start)) != 0) fail_msg("begins otherwise: %.20s", text);
}

static void it_is_redrawn(void **unused) {
  (void)unused;
  use_locale("C.UTF-8");
  gf__watch watch = {.draws = true, .width = 80, .height = 24};
  const char *text = show(&watch, NULL, 1, 1, flow_, FLOW);
  assert_begins(text, "\repoch");
  assert_int_equal(lines_of(text), 7);
  text = show(&watch, &progress_, 1, 2, flow_, 3); /* two lines less */
  assert_begins(text, "\033[7A\repoch");
  assert_int_equal(lines_of(text), 5);
  assert_begins(show(&watch, &progress_, 1, 3, flow_, FLOW), "\033[5A\repoch");
  /* Below other lines, and where lines of another width may have been wrapped. */
  gf__watch_leave(&watch);
  assert_begins(show(&watch, NULL, 1, 5, flow_, FLOW), "\repoch");
  watch.width = 60;
  assert_begins(show(&watch, NULL, 1, 6, flow_, FLOW), "\repoch");
  assert_begins(show(&watch, NULL, 1, 7, flow_, FLOW), "\033[7A\repoch");
}

static ssize_t count_write(void *count, const char *text, size_t size) {
  (void)text;
  ++*(int *)count;
  return (ssize_t)size;
}

/* The mark, the colours and the counts are those of the run's own threshold. */
static void another_threshold_has_its_own_mark(void **unused) {
  (void)unused;
  use_locale("C");
  gf__watch watch = {
      .draws = true, .vanishing = gf__vanishing_of("rmsprop", 1e-3), .width = 80, .height = 60};
  const char *text = show(&watch, NULL, 1, 5, flow_, FLOW);
  assert_non_null(strstr(text, "vanished: 2 of 4" END));
  assert_null(strstr(text, "1e-8"));
  /* The bars have 36 columns of 12 decades: 1e-12 is at 0, 1e-4 at 24 and 1e-3 at 27. */
  assert_non_null(strstr(text, "layer              1e-12                      0.001   1 mean|g| "));
  gf__watch line = {.vanishing = gf__vanishing_of("sgd", NAN)};
  assert_non_null(strstr(show(&line, NULL, 1, 5, flow_, FLOW), "; 1 of 4 vanished below 1e-8\n"));
}

/* On a stream without a buffer, as stderr is. */
static void a_frame_is_one_write(void **unused) {
  (void)unused;
  int writes = 0;
  gf__watch watch = {
      .draws = true, .vanishing = gf__vanishing_of("adam", 1e-8), .width = 200, .height = 60};
  watch.file = fopencookie(&writes, "w", (cookie_io_functions_t){.write = count_write});
  assert_non_null(watch.file);
  assert_int_equal(setvbuf(watch.file, NULL, _IONBF, 0), 0);
  for (int i = 1; i <= 3; i++) {
    gf__watch_show(&watch, &progress_, 1, i, flow_, FLOW);
    assert_int_equal(writes, i);
  }
  fclose(watch.file);
}

/* ---- lines ---- */

static void records_are_shown(void **unused) {
  (void)unused;
  gf__watch watch = {0};
  use_locale("C.UTF-8");
  assert_string_equal(show(&watch, &progress_, 1, 95, flow_, FLOW),
                      "epoch 1 step 95: mean |gradient| 1.0e-01 (logit_linear) … 1.0e-10 "
                      "(reduction_2_conv_0); 1 of 4 vanished below 1e-8\n");
  use_locale("C");
  assert_string_equal(show(&watch, NULL, 2, 190, flow_, FLOW),
                      "epoch 2 step 190: mean |gradient| 1.0e-01 (logit_linear) ... 1.0e-10 "
                      "(reduction_2_conv_0); 1 of 4 vanished below 1e-8\n");
  gf_gradient_stats g[2] = {flow_[0], flow_[2]};
  g[0].nonfinite = 1;
  g[0].mean_abs = NAN;
  assert_string_equal(show(&watch, NULL, 2, 190, g, 2),
                      "epoch 2 step 190: mean |gradient| 1.0e-08 (block_0_conv) ... 1.0e-08 "
                      "(block_0_conv); 0 of 2 vanished below 1e-8, 1 not finite\n");
  assert_string_equal(show(&watch, NULL, 2, 190, g, 1),
                      "epoch 2 step 190: 0 of 1 vanished below 1e-8, 1 not finite\n");
}

static void nothing_to_show_is_said(void **unused) {
  (void)unused;
  gf__watch watch = {.draws = true, .width = 80, .height = 24};
  assert_string_equal(show(&watch, &progress_, 1, 1, NULL, 0), "");
  assert_string_equal(show(&watch, &progress_, 1, 1, &flow_[1], 1), ""); /* a bias */
  const gf_progress unknown = {.loss = NAN, .accuracy = NAN, .seconds_left = NAN};
  assert_begins(show(&watch, &unknown, 1, 1, flow_, FLOW), "\repoch 1  step 1" END);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_terminal_of_80_columns_is_filled),
      cmocka_unit_test(without_utf8_it_is_ascii),
      cmocka_unit_test(the_locale_decides_about_utf8),
      cmocka_unit_test(a_terminal_of_40_columns_and_10_rows_is_filled),
      cmocka_unit_test(a_terminal_of_200_columns_is_filled),
      cmocka_unit_test(colours_are_used),
      cmocka_unit_test(narrow_and_low_terminals_are_used),
      cmocka_unit_test(names_of_layers_cannot_steer_the_terminal),
      cmocka_unit_test(it_stays_in_the_terminal),
      cmocka_unit_test(it_is_redrawn),
      cmocka_unit_test(another_threshold_has_its_own_mark),
      cmocka_unit_test(a_frame_is_one_write),
      cmocka_unit_test(records_are_shown),
      cmocka_unit_test(nothing_to_show_is_said),
  };
  return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
