/* The first training batch as the network sees it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/inspect.h"
#include "report/contact_sheet.h"
#include "train/train_config.h"

enum { LABEL = 300 };

typedef struct batch_sheet {
  const gf_dataset *train;
  gf__contact_sheet *sheet;
  uint8_t *pixels; /* (height, width, shown channels) */
  int shown;       /* channels: 1 or 3 */
} batch_sheet;

static uint8_t to_byte(double value) { return (uint8_t)lround(fmin(fmax(value, 0), 1) * 255); }

/* Channel c of what is shown: the pixel itself again, or of a cube one of three bands, whose two
 * deviations below and above the mean are black and white. */
static uint8_t shown_value(const batch_sheet *s, const float *pixel, int c) {
  const gf__data_settings *settings = &s->train->settings;
  int channels = s->train->info.channels;
  if (s->train->format->reader)
    return to_byte((double)pixel[c] * settings->std.v[c] + settings->mean.v[c]);
  return to_byte(0.5 + (double)pixel[(2 * c + 1) * channels / (2 * s->shown)] / 4);
}

static void show_pixels(const batch_sheet *s, const float *image) {
  size_t pixels = (size_t)s->train->info.height * (size_t)s->train->info.width;
  for (size_t i = 0; i < pixels; i++)
    for (int c = 0; c < s->shown; c++)
      s->pixels[i * (size_t)s->shown + (size_t)c] =
          shown_value(s, image + i * (size_t)s->train->info.channels, c);
}

static void write_name(const gf_dataset_info *info, int label, char *out, size_t size) {
  if (info->class_names)
    snprintf(out, size, "%s", info->class_names[label]);
  else
    snprintf(out, size, "class %d", label);
}

static gf_status add_image(batch_sheet *s, const gf_batch *batch, int i) {
  const gf_dataset_info *info = &s->train->info;
  size_t floats = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
  char first[LABEL / 2 - 16], second[LABEL / 2 - 16], name[LABEL];
  write_name(info, batch->labels[i], first, sizeof first);
  snprintf(name, sizeof name, "%s", first);
  if (batch->mix < 1) {
    write_name(info, batch->labels[batch->count + i], second, sizeof second);
    snprintf(name, sizeof name, "%.0f%% %s, %.0f%% %s", 100 * (double)batch->mix, first,
             100 * (1 - (double)batch->mix), second);
  }
  show_pixels(s, batch->images + (size_t)i * floats);
  gf__sheet_cell cell = {.name = name,
                         .height = info->height,
                         .width = info->width,
                         .channels = s->shown,
                         .pixels = s->pixels};
  return gf__contact_sheet_add(s->sheet, &cell);
}

static gf_status draw(batch_sheet *s, const gf_batch *batch, const char *title, const char *path) {
  int count = batch->count < GF__SHEET_MOST_CELLS ? batch->count : GF__SHEET_MOST_CELLS;
  char note[200];
  if (s->train->format->reader)
    snprintf(note, sizeof note,
             "%d of %d images of the first batch, cropped, flipped and changed as training does.",
             count, batch->count);
  else
    snprintf(note, sizeof note,
             "%d of %d squares of the first batch; three of %d bands are red, green and blue.",
             count, batch->count, s->train->info.channels);
  for (int i = 0; i < count; i++) GF_TRY(add_image(s, batch, i));
  return gf__contact_sheet_write(s->sheet, title, note, path);
}

static gf_status open_sheet(batch_sheet *s, const gf_dataset *train) {
  s->train = train;
  s->shown = train->info.channels >= 3 ? 3 : 1;
  size_t bytes = (size_t)train->info.height * (size_t)train->info.width * (size_t)s->shown;
  GF_TRY(gf__contact_sheet_new(&s->sheet));
  s->pixels = malloc(bytes);
  return s->pixels ? GF_OK : gf__fail_host_memory(bytes);
}

gf_status gf__inspect_draw_batch(const gf_dataset *train, const gf_config *config,
                                 const char *title, const char *path) {
  batch_sheet s = {0};
  gf_loader *loader = NULL;
  gf_batch batch = {0};
  gf__train_config run;
  GF_TRY(gf__train_config_read(&run, config));
  gf_loader_options options = gf_loader_options_default();
  options.batch_size = run.batch_size;
  options.seed = run.seed;
  options.training = true;
  gf_status status = open_sheet(&s, train);
  if (status == GF_OK) status = gf_loader_open(&loader, train, &options);
  if (status == GF_OK) status = gf_loader_start(loader, 0, 0);
  if (status == GF_OK) status = gf_loader_next(loader, &batch);
  if (status == GF_OK) status = draw(&s, &batch, title, path);
  gf_loader_free(&loader);
  gf__contact_sheet_free(&s.sheet);
  free(s.pixels);
  return status;
}
