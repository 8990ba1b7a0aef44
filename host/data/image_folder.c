/* FOLDER/train/CLASS/FILE and FOLDER/val/CLASS/FILE: as ImageNet is laid out. A class is a folder
 * of train, in bytewise order; an image is a file in it whose name ends in .jpg, .jpeg or .png in
 * any case. Links are followed, names that begin with a dot and other files are passed over. A
 * folder in a class's folder is an error, since its images would be missed. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "data/dataset.h"
#include "data/image.h"

typedef struct entry {
  char *file;
  int label;
} entry;

typedef struct listing {
  const gf__data_source *source;
  gf__names classes;
  entry *images;
  size_t count, capacity;
} listing;

static gf_status join3(char out[GF__DATA_LARGEST_PATH], const char *folder, const char *part,
                       const char *name) {
  char middle[GF__DATA_LARGEST_PATH];
  GF_TRY(gf__path_join(middle, sizeof middle, folder, part));
  return gf__path_join(out, GF__DATA_LARGEST_PATH, middle, name);
}

static bool is_image(const char *name) {
  static const char *const endings[] = {".jpg", ".jpeg", ".png"};
  const char *dot = strrchr(name, '.');
  char ending[8] = "";
  if (!dot || strlen(dot) >= sizeof ending) return false;
  for (size_t i = 0; dot[i]; i++)
    ending[i] = (char)(dot[i] >= 'A' && dot[i] <= 'Z' ? dot[i] + 32 : dot[i]);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (strcmp(ending, endings[i]) == 0) return true;
  return false;
}

/* Class names are printed, a line each. */
static bool is_printable(const char *name) {
  for (; *name; name++)
    if ((unsigned char)*name < ' ' || *name == 127) return false;
  return true;
}

/* ---- listing ---- */

/* The folders in FOLDER/part. */
static gf_status keep_folders(const gf__data_source *source, const char *part, gf__names *names) {
  size_t kept = 0;
  for (size_t i = 0; i < names->count; i++) {
    char path[GF__DATA_LARGEST_PATH];
    char *name = names->v[i];
    GF_TRY(join3(path, source->settings->path, part, name));
    if (name[0] == '.' || !gf__path_is_folder(path)) continue;
    if (!is_printable(name))
      return gf__fail(GF_ERROR_DATA,
                      "%s/%s: the name of its folder %zu has a control character; rename it",
                      source->settings->path, part, i);
    names->v[i] = names->v[kept];
    names->v[kept++] = name;
  }
  for (size_t i = kept; i < names->count; i++) free(names->v[i]);
  names->count = kept;
  return GF_OK;
}

static gf_status list_classes(const gf__data_source *source, const char *part, gf__names *out) {
  char path[GF__DATA_LARGEST_PATH];
  *out = (gf__names){0};
  GF_TRY(gf__path_join(path, sizeof path, source->settings->path, part));
  if (!gf__path_is_folder(path)) return gf__data_missing(source, part);
  GF_TRY(gf__list_folder(path, out));
  GF_TRY(keep_folders(source, part, out));
  if (out->count) return GF_OK;
  return gf__fail(GF_ERROR_DATA, "%s has no folders of classes; %s is read from %s", path,
                  source->set->name, source->set->files);
}

static gf_status add_image(listing *l, char *file, int label) {
  if (l->count == GF__DATA_LARGEST_COUNT)
    return gf__fail(GF_ERROR_DATA, "%s has more than %d images, which are the most supported",
                    l->source->settings->path, GF__DATA_LARGEST_COUNT);
  if (l->count == l->capacity) {
    size_t capacity = l->capacity ? 2 * l->capacity : 1024;
    entry *grown = realloc(l->images, capacity * sizeof *grown);
    if (!grown) return gf__fail_host_memory(capacity * sizeof *grown);
    l->images = grown;
    l->capacity = capacity;
  }
  l->images[l->count++] = (entry){file, label};
  return GF_OK;
}

static gf_status add_images(listing *l, const char *folder, gf__names *files, int label) {
  for (size_t i = 0; i < files->count; i++) {
    char path[GF__DATA_LARGEST_PATH];
    if (files->v[i][0] == '.') continue;
    if (is_image(files->v[i])) {
      GF_TRY(add_image(l, files->v[i], label));
      files->v[i] = NULL;
      continue;
    }
    GF_TRY(gf__path_join(path, sizeof path, folder, files->v[i]));
    if (gf__path_is_folder(path))
      return gf__fail(GF_ERROR_DATA,
                      "%s is a folder; images stand in the folder of their class itself: move "
                      "them there",
                      path);
  }
  return GF_OK;
}

static gf_status list_images(listing *l, const char *part, int label) {
  char folder[GF__DATA_LARGEST_PATH];
  GF_TRY(join3(folder, l->source->settings->path, part, l->classes.v[label]));
  if (!gf__path_is_folder(folder)) return GF_OK; /* a class may have no images to test on */
  gf__names files = {0};
  GF_TRY(gf__list_folder(folder, &files));
  size_t before = l->count;
  gf_status status = add_images(l, folder, &files, label);
  gf__names_free(&files);
  if (status != GF_OK || l->count > before) return status;
  return gf__fail(GF_ERROR_DATA, "%s has no images (.jpg, .jpeg, .png); fill it or remove it",
                  folder);
}

/* Whatever stands in the split's folder has to be a class. */
static gf_status check_classes(const listing *l, const char *part) {
  gf__names found;
  gf_status status = list_classes(l->source, part, &found);
  size_t known = 0;
  for (size_t i = 0; i < found.count && status == GF_OK; i++) { /* both are sorted */
    while (known < l->classes.count && strcmp(l->classes.v[known], found.v[i]) < 0) known++;
    if (known == l->classes.count || strcmp(l->classes.v[known], found.v[i]))
      status = gf__fail(GF_ERROR_DATA,
                        "%s/%s has a folder %s, which is no class: there is none in "
                        "%s",
                        l->source->settings->path, part, found.v[i], l->source->set->train[0]);
  }
  gf__names_free(&found);
  return status;
}

static gf_status list(listing *out, const gf__data_source *source) {
  const char *part = source->files[0];
  *out = (listing){.source = source};
  GF_TRY(list_classes(source, source->set->train[0], &out->classes));
  if (source->files != source->set->train) GF_TRY(check_classes(out, part));
  for (size_t i = 0; i < out->classes.count; i++) GF_TRY(list_images(out, part, (int)i));
  return GF_OK;
}

static void free_listing(listing *l) {
  for (size_t i = 0; i < l->count; i++) free(l->images[i].file);
  free(l->images);
  gf__names_free(&l->classes);
}

gf_status gf__image_folder_names(const gf__data_source *source, gf__text *out) {
  gf__names classes;
  gf_status status = list_classes(source, source->set->train[0], &classes);
  for (size_t i = 0; i < classes.count && status == GF_OK; i++)
    gf__text_add(out, "%s\n", classes.v[i]);
  gf__names_free(&classes);
  return status == GF_OK ? gf__text_status(out) : status;
}

gf_status gf__image_folder_measure(const gf__data_source *source, gf__data_shape *out) {
  listing l;
  gf_status status = list(&l, source);
  *out = (gf__data_shape){.count = (int)l.count,
                          .height = source->settings->image_size,
                          .width = source->settings->image_size,
                          .classes = (int)l.classes.count};
  free_listing(&l);
  return status;
}

/* ---- reading ---- */

enum { MOST_THREADS = 64 };

/* Threads take images in order and write to places of their own, so that neither what is read nor
 * the failure that is reported depends on their number. */
typedef struct reading {
  const listing *listing;
  gf__data_sink *sink;
  gf__lock *lock; /* guards what follows */
  size_t next;    /* image to take; count: none is left */
  size_t failed;  /* the first image that failed */
  int left_out;
  gf_status status; /* of that image, where it ends the reading */
  char message[GF__DATA_LARGEST_PATH + 256];
} reading;

static gf_status path_of(const reading *r, size_t index, char out[GF__DATA_LARGEST_PATH]) {
  const gf__data_source *source = r->listing->source;
  const entry *image = &r->listing->images[index];
  char folder[GF__DATA_LARGEST_PATH];
  GF_TRY(gf__path_join(folder, sizeof folder, source->settings->path, source->files[0]));
  return join3(out, folder, r->listing->classes.v[image->label], image->file);
}

/* *ends: whether a failure ends the reading. */
static gf_status read_image(const reading *r, size_t index, uint8_t *pixels, bool *ends) {
  const gf__data_source *source = r->listing->source;
  const gf__data_settings *settings = source->settings;
  char path[GF__DATA_LARGEST_PATH], message[GF__DATA_LARGEST_PATH + 256];
  *ends = true;
  GF_TRY(path_of(r, index, path));
  GF_TRY(gf__data_verify(source, path));
  gf_status status = gf__image_read(path, settings->resize, settings->image_size, pixels);
  if (status == GF_OK || status == GF_ERROR_MEMORY) return status;
  *ends = settings->bad_file == GF__BAD_FILE_STOP;
  if (!*ends) return status;
  snprintf(message, sizeof message, "%s", gf_error_message());
  return gf__fail(status, "%s; remove it, or set data.bad_file to skip", message);
}

/* Holding the lock. The first failure in order is told; one that ends the reading before others. */
static void note_failure(reading *r, size_t index, gf_status status, bool ends) {
  bool ended = r->status != GF_OK;
  r->left_out++;
  if (ends) r->next = r->listing->count;
  if (ends == ended ? index > r->failed : ended) return;
  r->failed = index;
  r->status = ends ? status : GF_OK;
  snprintf(r->message, sizeof r->message, "%s", gf_error_message());
}

static void work(void *argument) {
  reading *r = argument;
  const gf__data_shape *shape = &r->sink->file;
  size_t size = (size_t)shape->height * (size_t)shape->width * (size_t)r->sink->channels;
  uint8_t *pixels = malloc(size);
  gf__lock_take(r->lock);
  while (r->next < r->listing->count) {
    size_t index = r->next++;
    int place = r->sink->place[index];
    if (place < 0) continue;
    gf__lock_release(r->lock);
    bool ends = true;
    gf_status status = pixels ? read_image(r, index, pixels, &ends) : gf__fail_host_memory(size);
    r->sink->labels[place] = status == GF_OK ? r->listing->images[index].label : -1;
    if (status == GF_OK) gf__data_store(r->sink, (int)index, pixels);
    gf__lock_take(r->lock);
    if (status != GF_OK) note_failure(r, index, status, ends);
  }
  gf__lock_release(r->lock);
  free(pixels);
}

static gf_status report(const reading *r) {
  const gf__data_settings *settings = r->listing->source->settings;
  int read = 0;
  if (r->status != GF_OK) return gf__fail(r->status, "%s", r->message);
  if (!r->left_out) return GF_OK;
  for (int i = 0; i < r->sink->file.count; i++) read += r->sink->place[i] >= 0;
  if (r->left_out == read)
    return gf__fail(GF_ERROR_DATA, "none of %d images in %s can be read; the first: %s", read,
                    settings->path, r->message);
  gf__log(GF_LOG_WARNING, "%d of %d images in %s cannot be read and are left out; the first: %s",
          r->left_out, read, settings->path, r->message);
  return GF_OK;
}

static gf_status read_all(const listing *l, gf__data_sink *sink) {
  if (l->count != (size_t)sink->file.count || l->classes.count != (size_t)sink->file.classes)
    return gf__fail(GF_ERROR_FILE, "the files in %s changed while they were read",
                    l->source->settings->path);
  reading r = {.listing = l, .sink = sink, .failed = SIZE_MAX};
  gf__thread *threads[MOST_THREADS] = {0};
  GF_TRY(gf__lock_new(&r.lock));
  int count = gf__cpu_count();
  if (count > MOST_THREADS) count = MOST_THREADS;
  for (int i = 1; i < count; i++) /* with fewer it takes longer */
    if (gf__thread_start(&threads[i], work, &r) != GF_OK) break;
  work(&r);
  for (int i = 1; i < count; i++) gf__thread_join(&threads[i]);
  gf__lock_free(&r.lock);
  return report(&r);
}

gf_status gf__image_folder_read(const gf__data_source *source, gf__data_sink *sink) {
  listing l;
  gf_status status = list(&l, source);
  if (status == GF_OK) status = read_all(&l, sink);
  free_listing(&l);
  return status;
}
