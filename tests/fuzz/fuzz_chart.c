/* Charts of any numbers that a run's CSVs may hold. Input: flags (1 byte), the range of y and a
 * level (3 doubles), x and y of a series in turn. */
#define _XOPEN_SOURCE 700
#include <gradflow/report.h>
#include <math.h>

#include "fuzz.h"

enum { LOG_Y = 1, DASHED = 2, ORDINALS = 4, RANGE = 8, LEVEL = 16, NAMES = 32, MOST = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"a", "b", "c"};
  double head[3] = {0}, x[MOST], y[MOST];
  if (size < 1 + sizeof head) return -1;
  int flags = data[0], count = 0;
  memcpy(head, data + 1, sizeof head);
  data += 1 + sizeof head;
  size -= 1 + sizeof head;
  for (; size >= 2 * sizeof *x && count < MOST; count++, size -= 2 * sizeof *x) {
    memcpy(&x[count], data, sizeof *x);
    memcpy(&y[count], data + sizeof *x, sizeof *y);
    data += 2 * sizeof *x;
  }
  gf_series series = {.name = "s",
                      .x = flags & ORDINALS ? NULL : x,
                      .y = y,
                      .count = count,
                      .dashed = flags & DASHED ? 1 : 0};
  gf_chart chart = {.title = "t",
                    .series = &series,
                    .count = 1,
                    .log_y = flags & LOG_Y,
                    .x_names = flags & NAMES ? names : NULL,
                    .x_name_count = flags & NAMES ? 3 : 0,
                    .width = 320,
                    .height = 240,
                    .y_min = flags & RANGE ? head[0] : 0,
                    .y_max = flags & RANGE ? head[1] : 0,
                    .reference = head[2],
                    .reference_name = flags & LEVEL ? "r" : NULL};
  gf_status status = gf_charts_write(fuzz_path("a.png"), &chart, 1, 1);
  if (status != GF_OK && status != GF_ERROR_ARGUMENT) fuzz_fail("the target is wrong");
  return 0;
}
