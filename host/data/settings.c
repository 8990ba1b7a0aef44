/* The "data" section: keys that all formats have, and those of each format. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"

enum { FLIP_DEFAULT = 2 };
static const char *const flips_[] = {"false", "true", "default", NULL};

const gf__key gf__data_keys[] = {
    {.name = "name",
     .type = GF__KEY_CHOICE,
     .offset = offsetof(gf__data_settings, kind),
     .choices = gf__data_format_names,
     .help = "the data set"},
    GF__KEY(gf__data_settings, path, TEXT, .initial = "",
            .help = "folder of its files; fashion_mnist knows Debian's"),
    GF__KEY(gf__data_settings, validation, INT, .initial = "-1", .minimum = -1,
            .maximum = GF__DATA_LARGEST_COUNT,
            .help = "training images held out; -1: 2500 for CIFAR, 5000 for MNIST and SVHN, 5% for "
                    "other files"),
    GF__KEY(gf__data_settings, split_seed, SEED, .initial = "0",
            .help = "chooses the validation images, and those of a limit, whatever the run's seed"),
    GF__KEY(gf__data_settings, train_limit, INT, .initial = "0", .maximum = GF__DATA_LARGEST_COUNT,
            .help = "maximum number of training images; 0: all"),
    GF__KEY(gf__data_settings, test_limit, INT, .initial = "0", .maximum = GF__DATA_LARGEST_COUNT,
            .help = "maximum number of test images, as many of each class as there are; 0: all"),
    GF__KEY(gf__data_settings, pad_to, INT, .initial = "-1", .minimum = -1,
            .maximum = GF__DATA_LARGEST_SIDE,
            .help = "smaller images get a black border up to this side; 0: none; -1: 32, or 0 for "
                    "image_folder"),
    GF__KEY(
        gf__data_settings, crop_padding, INT, .initial = "-1", .minimum = -1,
        .maximum = GF__DATA_LARGEST_SIDE,
        .help =
            "random crops of images padded by this many pixels; 0: none; -1: 4 for CIFAR, else 0"),
    GF__KEY(gf__data_settings, flip, CHOICE, .initial = "default", .choices = flips_,
            .help = "mirror half of the training images; default: all but mnist"),
    GF__KEY(gf__data_settings, cutout, INT, .initial = "0", .maximum = GF__DATA_LARGEST_SIDE,
            .help = "side of a square of mean colour on training images, pixels; 0: none"),
    GF__KEY(gf__data_settings, jitter, FLOATS, .initial = "[0, 0, 0]", .maximum = 1,
            .help = "largest change of brightness, contrast and saturation of training images"),
    GF__KEY(gf__data_settings, mixup, FLOAT, .initial = "0", .maximum = 1e3,
            .help = "mixes pairs of training images and of labels, by fractions of Beta(mixup, "
                    "mixup); 0: none"),
    GF__KEY(gf__data_settings, mean, FLOATS, .initial = "[]", .minimum = -1e3, .maximum = 1e3,
            .help = "subtracted, one per channel, of pixels in [0, 1]; []: the data set's"),
    GF__KEY(gf__data_settings, std, FLOATS, .initial = "[]", .minimum = 1e-6, .maximum = 1e6,
            .help = "then divides, one per channel; []: the data set's"),
    GF__KEY(gf__data_settings, checksums, SECTION, .initial = "",
            .help = "SHA-256 digests that files must have: {train.bin: 9f86d0...}"),
};
const size_t gf__data_key_count = sizeof gf__data_keys / sizeof *gf__data_keys;

/* ---- keys of other formats ---- */

/* What keys were called before, as the configs of earlier runs have them. */
static const struct former_key {
  const char *name, *now;
} former_keys_[] = {{"verify", "checksums"},
                    {"train_share", "train_fraction"},
                    {"validation_share", "validation_fraction"}};

static const gf__key *find_key(const gf__key *keys, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (!strcmp(keys[i].name, name)) return &keys[i];
  return NULL;
}

static const gf__key *find_own_key(const gf__data_format *format, const char *name) {
  return find_key(format->keys, format->key_count, name);
}

/* A former name's present one, or name. */
static const char *present_name(const char *name) {
  for (size_t i = 0; i < sizeof former_keys_ / sizeof *former_keys_; i++)
    if (!strcmp(former_keys_[i].name, name)) return former_keys_[i].now;
  return name;
}

/* The first format that has a key of this name, or NULL. */
static const gf__data_format *owner_of(const char *name) {
  for (size_t i = 0; i < gf__data_format_count; i++)
    if (find_own_key(gf__data_formats[i], name)) return gf__data_formats[i];
  return NULL;
}

/* Appends the line of a key whose value is entry's; NULL: its default. */
static gf_status write_key(gf__text *out, const gf__key *key, const gf__value *entry) {
  union {
    char *text;
    double number;
    gf__floats floats;
    int sizes[3];
  } target;
  gf__key alone = *key;
  gf__value named = entry ? *entry : (gf__value){0}, *item = &named;
  gf__value map = {.kind = GF__MAPPING, .items = &item, .count = 1, .place = named.place};
  alone.offset = 0;
  // cppcheck-suppress unreadVariable ; by gf__keys_read, as map's item
  named.key = (char *)key->name;
  GF_TRY(gf__keys_read(entry ? &map : NULL, "data", &alone, 1, &target));
  gf__keys_write(out, 0, &alone, 1, &target);
  gf__keys_free(&alone, 1, &target);
  return gf__text_status(out);
}

static gf_status has_default(const gf__key *key, const gf__value *entry, bool *out) {
  gf__text given = {0}, initial = {0};
  gf_status status = write_key(&given, key, entry);
  if (status == GF_OK) status = write_key(&initial, key, NULL);
  *out = status == GF_OK && !strcmp(given.data, initial.data);
  gf__text_free(&given);
  gf__text_free(&initial);
  return status;
}

/* A key that the format has not under this name. *dropped: whether it changes nothing. */
static gf_status check_other_key(const gf__data_format *format, const gf__value *entry,
                                 bool *dropped) {
  const char *now = present_name(entry->key);
  const gf__data_format *owner = find_own_key(format, now) ? format : owner_of(now);
  *dropped = false;
  gf_status status = owner ? has_default(find_own_key(owner, now), entry, dropped) : GF_OK;
  if (*dropped || status == GF_ERROR_MEMORY) return status;
  if (owner && owner != format)
    return gf__value_fail(entry, "data.%s is a key of %s; data.name is %s", entry->key, owner->name,
                          format->name);
  if (now == entry->key) return GF_OK; /* a word that no format knows */
  return gf__value_fail(entry, "data.%s is called data.%s now; rename it", entry->key, now);
}

/* Makes a mapping of the section's keys that are the format's or of no format at all. items has
 * room for all of them. */
static gf_status keep_own_keys(const gf__data_format *format, const gf__value *section,
                               gf__value **items, gf__value *out) {
  *out = *section;
  out->items = items;
  out->count = 0;
  for (size_t i = 0; i < section->count; i++) {
    gf__value *entry = section->items[i];
    bool dropped = false;
    bool is_own =
        find_key(gf__data_keys, gf__data_key_count, entry->key) || find_own_key(format, entry->key);
    if (!is_own) GF_TRY(check_other_key(format, entry, &dropped));
    if (!dropped) items[out->count++] = entry;
  }
  return GF_OK;
}

/* ---- reading ---- */

/* The format that the section names; an absent or wrong name is left to the keys' reader. */
static const gf__data_format *named_format(const gf__value *section) {
  const gf__value *name = gf__value_get(section, "name");
  return name && name->kind == GF__SCALAR ? gf__data_format_find(name->text) : NULL;
}

static gf_status read_keys(gf__data_settings *out, const gf__data_format *format,
                           const gf__value *section) {
  gf__value own;
  gf__value **items = malloc(section->count * sizeof *items);
  out->options = format->options_size ? calloc(1, format->options_size) : NULL;
  if (!items || (format->options_size && !out->options)) {
    free(items);
    return gf__fail_host_memory(section->count * sizeof *items + format->options_size);
  }
  const gf__key_group groups[] = {{gf__data_keys, gf__data_key_count, out},
                                  {format->keys, format->key_count, out->options}};
  gf_status status = keep_own_keys(format, section, items, &own);
  if (status == GF_OK)
    status = gf__keys_read_groups(&own, "data", groups, format->key_count ? 2 : 1);
  free(items);
  return status;
}

gf_status gf__data_settings_read(gf__data_settings *out, const gf_config *config) {
  const gf__value *section = gf__value_get(gf__config_root(config), "data");
  const gf__data_format *format = named_format(section);
  *out = (gf__data_settings){0};
  if (!format) /* which fails */
    return gf__keys_read(section, "data", gf__data_keys, gf__data_key_count, out);
  gf_status status = read_keys(out, format, section);
  if (status == GF_OK) return GF_OK;
  free(out->options);
  *out = (gf__data_settings){0};
  return status;
}

void gf__data_settings_free(gf__data_settings *settings) {
  const gf__data_format *format = gf__data_formats[settings->kind];
  gf__keys_free(gf__data_keys, gf__data_key_count, settings);
  if (settings->options) gf__keys_free(format->keys, format->key_count, settings->options);
  free(settings->options);
  settings->options = NULL;
}

/* ---- defaults ---- */

/* One number is for all three. */
static gf_status resolve_jitter(gf__floats *jitter, const gf__value *section) {
  if (jitter->count != 1 && jitter->count != 3)
    return gf__value_fail(gf__value_get(section, "jitter"),
                          "data.jitter has %d numbers; give one, or three: of brightness, contrast "
                          "and saturation",
                          jitter->count);
  for (; jitter->count < 3; jitter->count++) jitter->v[jitter->count] = jitter->v[0];
  return GF_OK;
}

gf_status gf__data_settings_resolve(gf__data_settings *settings, const gf__value *section) {
  const gf__data_format *format = gf__data_formats[settings->kind];
  if (settings->pad_to < 0) settings->pad_to = format->pad_to;
  if (settings->crop_padding < 0) settings->crop_padding = format->crop_padding;
  if (settings->flip == FLIP_DEFAULT) settings->flip = format->flip;
  GF_TRY(resolve_jitter(&settings->jitter, section));
  GF_TRY(format->check(settings, section));
  return gf__data_check_checksums(format, settings);
}

/* ---- writing ---- */

void gf__data_write(gf__text *out, int indent, const gf_dataset *dataset) {
  gf__data_settings_write(out, indent, &dataset->settings);
}

void gf__data_settings_write(gf__text *out, int indent, const gf__data_settings *settings) {
  const gf__data_format *format = gf__data_formats[settings->kind];
  gf__keys_write(out, indent, gf__data_keys, gf__data_key_count, settings);
  if (settings->options)
    gf__keys_write(out, indent, format->keys, format->key_count, settings->options);
  if (!settings->checksums) return;
  gf__text_add(out, "%*schecksums:\n", indent, "");
  gf__value_write(out, indent + 2, settings->checksums);
}

/* Formats that share a table of keys share a section. */
static void help_own_keys(gf__help *help, size_t first) {
  const gf__data_format *format = gf__data_formats[first];
  gf__text title = {0};
  for (size_t i = 0; i < first; i++)
    if (gf__data_formats[i]->keys == format->keys) return;
  gf__text_add(&title, "data, with name %s", format->name);
  for (size_t i = first + 1; i < gf__data_format_count; i++)
    if (gf__data_formats[i]->keys == format->keys)
      gf__text_add(&title, " or %s", gf__data_formats[i]->name);
  gf__text_add(&title, ":");
  if (gf__text_status(&title) == GF_OK) gf__help_title(help, "%s", title.data);
  gf__text_free(&title);
  gf__help_keys(help, format->keys, format->key_count);
}

void gf__data_help(gf__help *help) {
  gf__help_title(help, "data:");
  gf__help_keys(help, gf__data_keys, gf__data_key_count);
  gf__help_paragraph(help, "What `data.name` may be:");
  gf__help_head(help, (const char *const[]){"name", "what it is", "files in `data.path`",
                                            "where from", NULL});
  for (size_t i = 0; i < gf__data_format_count; i++) {
    const gf__data_format *format = gf__data_formats[i];
    char name[64];
    snprintf(name, sizeof name, "`%s`", format->name);
    gf__help_row(help,
                 (const char *const[]){name, format->help, format->files, format->source, NULL});
  }
  for (size_t i = 0; i < gf__data_format_count; i++)
    if (gf__data_formats[i]->key_count) help_own_keys(help, i);
}
