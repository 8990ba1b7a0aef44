/* The rows of configs/ailments/gallery.txt: each names a config and keys that the program takes,
 * and a verdict that there is. scripts/gallery.sh trains them. */
#define _XOPEN_SOURCE 700 /* strtok_r */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow.h>

#include "base/file.h"
#include "data/dataset.h"
#include "support/assert.h"
#include "support/test.h"
#include "train/train_config.h"

enum { MOST_ROWS = 200, MOST_WORDS = 24 };

static char *text_;
static char *rows_[MOST_ROWS];
static int count_;

static int gallery_open(void **state) {
  (void)state;
  size_t size;
  char *rest;
  if (gf__file_read(SOURCE_FOLDER "/configs/ailments/gallery.txt", &text_, &size) != GF_OK)
    return -1;
  for (char *line = strtok_r(text_, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    if (*line != '#' && count_ < MOST_ROWS) rows_[count_++] = line;
  return 0;
}

static int gallery_close(void **state) {
  (void)state;
  free(text_);
  return 0;
}

/* The words of a row, which is cut into them; their number. */
static int words_of(const char *row, char copy[512], char *words[MOST_WORDS]) {
  int count = 0;
  char *rest;
  assert_true(strlen(row) < 512);
  strcpy(copy, row);
  for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    assert_true(count < MOST_WORDS);
    words[count++] = word;
  }
  assert_true(count >= 3);
  return count;
}

static bool is_verdict(char *word) {
  for (char *at = word; *at; at++)
    if (*at == '_') *at = ' ';
  for (gf_verdict v = 0; v < GF_VERDICT_COUNT; v++)
    if (!strcmp(gf_rule_of(v)->name, word)) return true;
  return false;
}

static void check_config(char **words, int count) {
  char path[256];
  gf_config *config;
  gf__train_config run;
  gf_dataset_info data;
  gf_layer_summary *layers;
  int layer_count;
  snprintf(path, sizeof path, SOURCE_FOLDER "/configs/ailments/%s.yaml", words[2]);
  assert_ok(gf_config_load(&config, path));
  for (int i = 3; i < count; i++) assert_ok(gf_config_set(config, words[i]));
  assert_ok(gf__train_config_read(&run, config));
  assert_ok(gf__data_expect(&data, config));
  assert_ok(gf_model_summarise(&layers, &layer_count, config,
                               (gf_image_shape){data.height, data.width, data.channels},
                               data.classes));
  free(layers);
  gf_config_free(&config);
}

static void each_row_can_be_trained(void **state) {
  (void)state;
  assert_true(count_ >= 60);
  for (int i = 0; i < count_; i++) {
    char copy[512], *words[MOST_WORDS];
    int count = words_of(rows_[i], copy, words);
    if (!is_verdict(words[1])) fail_msg("%s: there is no verdict '%s'", words[0], words[1]);
    for (int k = 0; k < i; k++) {
      size_t length = strlen(words[0]);
      if (!strncmp(rows_[k], words[0], length) && rows_[k][length] == ' ')
        fail_msg("two rows are called %s", words[0]);
    }
    check_config(words, count);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_row_can_be_trained)};
  return cmocka_run_group_tests(tests, gallery_open, gallery_close);
}
