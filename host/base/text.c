#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(gf__text *text, size_t more) {
  if (text->failed) return false;
  size_t need = text->size + more + 1;
  if (need <= text->capacity) return true;
  size_t capacity = text->capacity * 2 > need ? text->capacity * 2 : need + 64;
  char *data = realloc(text->data, capacity);
  if (!data) {
    text->failed = true;
    return false;
  }
  text->data = data;
  text->capacity = capacity;
  return true;
}

void gf__text_add(gf__text *text, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (length >= 0 && reserve(text, (size_t)length)) {
    vsnprintf(text->data + text->size, (size_t)length + 1, format, again);
    text->size += (size_t)length;
  }
  va_end(again);
}

void gf__text_add_bytes(gf__text *text, const void *bytes, size_t size) {
  if (!reserve(text, size)) return;
  memcpy(text->data + text->size, bytes, size);
  text->size += size;
  text->data[text->size] = 0;
}

gf_status gf__text_status(const gf__text *text) {
  return text->failed ? gf__fail_host_memory(text->capacity * 2) : GF_OK;
}

void gf__text_free(gf__text *text) {
  free(text->data);
  *text = (gf__text){0};
}

char *gf__text_copy_bytes(const char *text, size_t length) {
  char *copy = malloc(length + 1);
  if (!copy) return NULL;
  if (length) memcpy(copy, text, length);
  copy[length] = 0;
  return copy;
}

char *gf__text_copy(const char *text) { return gf__text_copy_bytes(text, strlen(text)); }

enum { LONGEST_WORD = 64 };

/* Levenshtein distance with two rows. */
static size_t distance(const char *a, const char *b) {
  size_t m = strlen(a), n = strlen(b), row[LONGEST_WORD + 1];
  if (m > LONGEST_WORD || n > LONGEST_WORD) return SIZE_MAX;
  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 1; i <= m; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
      if (above + 1 < best) best = above + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      diagonal = above;
      row[j] = best;
    }
  }
  return row[n];
}

const char *gf__did_you_mean(const char *word, const void *candidates, size_t count,
                             size_t stride) {
  const char *best = gf__synonym(word, candidates, count, stride);
  if (best) return best;
  size_t length = strlen(word), best_distance = length / 3 + 2;
  if (best_distance > length) best_distance = length; /* something of the word has to remain */
  for (size_t i = 0; i < count; i++) {
    const char *name = *(const char *const *)((const char *)candidates + i * stride);
    size_t d = distance(word, name);
    if (d < best_distance) {
      best_distance = d;
      best = name;
    }
  }
  return best;
}

gf__short_text gf__bytes_text(unsigned long long bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++) value /= 1024;
  gf__short_text out;
  snprintf(out.text, sizeof out.text, "%.*f %s", value < 10 && unit > 0 ? 1 : 0, value,
           units[unit]);
  return out;
}
