/* FOLDER/train/CLASS/FILE and FOLDER/val/CLASS/FILE: as ImageNet is laid out. Where there is a
 * folder test beside them, it has the images to test on, and val those to validate on; else val has
 * those to test on, and some of train are to validate on. A class is a folder
 * of train, in bytewise order; an image is a file in it whose name ends in .jpg, .jpeg or .png in
 * any case. Links are followed, names that begin with a dot and other files are passed over. A
 * folder in a class's folder is an error, since its images would be missed. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/file.h"
#include "base/os.h"
#include "data/byte_images.h"
#include "data/image.h"

/* ---- the keys ---- */

typedef enum bad_file { BAD_FILE_STOP, BAD_FILE_SKIP } bad_file;
static const char *const bad_files_[] = {"stop", "skip", NULL};

typedef struct folder_options {
  int resize, image_size; /* pixels */
  int bad_file;
  int classes;                           /* 0: as many as train has folders */
  char *validation_folder, *test_folder; /* "": by what folders there are */
} folder_options;

static const gf__key folder_keys_[] = {
    GF__KEY(folder_options, resize, INT, .initial = "256", .minimum = 1,
            .maximum = 2 * GF__DATA_LARGEST_SIDE,
            .help = "length of the shorter side of each image before the crop"),
    GF__KEY(folder_options, image_size, INT, .initial = "224", .minimum = 1,
            .maximum = GF__DATA_LARGEST_SIDE,
            .help = "side of the square that is cut out of the middle"),
    GF__KEY(folder_options, bad_file, CHOICE, .initial = "stop", .choices = bad_files_,
            .help = "what happens at an image that cannot be read"),
    GF__KEY(folder_options, classes, INT, .initial = "0", .maximum = GF__DATA_MOST_CLASSES,
            .help = "number of classes, where there are no folders to count; 0: not known"),
    GF__KEY(folder_options, validation_folder, TEXT, .initial = "",
            .help = "folder of validation images; left out: val where there is a test beside it, "
                    "else none, and data.validation images of train"),
    GF__KEY(folder_options, test_folder, TEXT, .initial = "",
            .help = "folder of test images; left out: test where there is one, else val"),
};

static const folder_options *folder_options_of(const gf__data_settings *settings) {
  return settings->options;
}

static gf_status folder_check(gf__data_settings *settings, const gf__value *section) {
  const folder_options *options = folder_options_of(settings);
  GF_TRY(gf__byte_images_check(settings, section));
  if (*options->validation_folder && settings->validation > 0)
    return gf__value_fail(gf__value_get(section, "validation"),
                          "data.validation is %d and data.validation_folder %s: validation images "
                          "are some of train or those of a folder; leave one of them out",
                          settings->validation, options->validation_folder);
  if (options->resize >= options->image_size) return GF_OK;
  return gf__value_fail(section,
                        "data.resize is %d, from which no %d pixels (data.image_size) can be "
                        "cut; make it at least as large",
                        options->resize, options->image_size);
}

/* ---- splits ---- */

static const char train_folder_[] = "train", val_folder_[] = "val", test_folder_[] = "test";

static bool folder_exists(const gf__data_settings *settings, const char *name) {
  char path[GF__PATH_SIZE];
  return gf__path_join(path, sizeof path, settings->path, name) == GF_OK &&
         gf__path_is_folder(path);
}

/* The folder of test images, whether it is there or not. */
static const char *folder_of_test(const gf__data_settings *settings) {
  const char *name = folder_options_of(settings)->test_folder;
  if (*name) return name;
  return folder_exists(settings, test_folder_) ? test_folder_ : val_folder_;
}

/* The folder of validation images, or "" where they are some of train. */
static const char *folder_of_validation(const gf__data_settings *settings) {
  const char *name = folder_options_of(settings)->validation_folder;
  bool is_open = !*name && settings->validation < 0;
  bool has_both = is_open && folder_exists(settings, val_folder_) &&
                  strcmp(folder_of_test(settings), val_folder_) != 0;
  return has_both ? val_folder_ : name;
}

static bool folder_has_test(const gf__data_settings *settings) {
  return folder_exists(settings, folder_of_test(settings));
}

/* Keeps what the folders have decided, so that the resolved config says it. */
static gf_status folder_resolve(gf__data_settings *settings) {
  folder_options *options = settings->options;
  char **folders[] = {&options->validation_folder, &options->test_folder};
  const char *names[] = {folder_of_validation(settings), folder_of_test(settings)};
  if (*names[0]) settings->validation = 0;
  for (int i = 0; i < 2; i++) {
    char *copy = gf__text_copy(names[i]);
    if (!copy) return gf__fail_host_memory(strlen(names[i]) + 1);
    free(folders[i][0]);
    folders[i][0] = copy;
  }
  return GF_OK;
}

/* ---- paths ---- */

typedef struct entry {
  char *file;
  int label;
} entry;

typedef struct listing {
  const gf__data_source *source;
  gf__names classes;
  entry *images;
  size_t count;
} listing;

static gf_status join3(char out[GF__PATH_SIZE], const char *folder, const char *between,
                       const char *name) {
  char middle[GF__PATH_SIZE];
  GF_TRY(gf__path_join(middle, sizeof middle, folder, between));
  return gf__path_join(out, GF__PATH_SIZE, middle, name);
}

/* Class names are printed, one per line. */
static bool folder_is_printable(const char *name) {
  for (; *name; name++)
    if ((unsigned char)*name < ' ' || *name == 127) return false;
  return true;
}

/* ---- listing ---- */

/* Keeps the names of folders in FOLDER/split. */
static gf_status folder_keep_folders(const gf__data_source *source, const char *split,
                                     gf__names *names) {
  size_t kept = 0;
  for (size_t i = 0; i < names->count; i++) {
    char path[GF__PATH_SIZE];
    char *name = names->v[i];
    GF_TRY(join3(path, source->settings->path, split, name));
    if (name[0] == '.' || !gf__path_is_folder(path)) continue;
    if (!folder_is_printable(name))
      return gf__fail(GF_ERROR_DATA,
                      "%s/%s: the name of its folder %zu has a control character; rename it",
                      source->settings->path, split, i);
    names->v[i] = names->v[kept];
    names->v[kept++] = name;
  }
  for (size_t i = kept; i < names->count; i++) free(names->v[i]);
  names->count = kept;
  return GF_OK;
}

static gf_status folder_list_classes(const gf__data_source *source, const char *split,
                                     gf__names *out) {
  char path[GF__PATH_SIZE];
  *out = (gf__names){0};
  GF_TRY(gf__path_join(path, sizeof path, source->settings->path, split));
  if (!gf__path_is_folder(path)) return gf__data_fail_missing(source, split);
  GF_TRY(gf__list_folder(path, out));
  GF_TRY(folder_keep_folders(source, split, out));
  if (out->count) return GF_OK;
  return gf__fail(GF_ERROR_DATA, "%s has no folders of classes; %s is read from %s", path,
                  source->format->name, source->format->files);
}

static gf_status folder_add_image(listing *l, char *file, int label) {
  if (l->count == GF__DATA_LARGEST_COUNT)
    return gf__fail(GF_ERROR_DATA, "%s has more than %d images, which are the most supported",
                    l->source->settings->path, GF__DATA_LARGEST_COUNT);
  GF_TRY(gf__grow(&l->images, l->count, sizeof *l->images));
  l->images[l->count++] = (entry){file, label};
  return GF_OK;
}

static gf_status folder_add_images(listing *l, const char *folder, gf__names *files, int label) {
  for (size_t i = 0; i < files->count; i++) {
    char path[GF__PATH_SIZE];
    if (files->v[i][0] == '.') continue;
    if (gf__is_image_name(files->v[i])) {
      GF_TRY(folder_add_image(l, files->v[i], label));
      files->v[i] = NULL;
      continue;
    }
    GF_TRY(gf__path_join(path, sizeof path, folder, files->v[i]));
    if (gf__path_is_folder(path))
      return gf__fail(GF_ERROR_DATA,
                      "%s is a folder; images belong in the folder of their class itself: move "
                      "them there",
                      path);
  }
  return GF_OK;
}

static gf_status folder_list_images(listing *l, const char *split, int label) {
  char folder[GF__PATH_SIZE];
  GF_TRY(join3(folder, l->source->settings->path, split, l->classes.v[label]));
  if (!gf__path_is_folder(folder)) return GF_OK; /* a class may have no images to test on */
  gf__names files = {0};
  GF_TRY(gf__list_folder(folder, &files));
  size_t before = l->count;
  gf_status status = folder_add_images(l, folder, &files, label);
  gf__names_free(&files);
  if (status != GF_OK || l->count > before) return status;
  return gf__fail(GF_ERROR_DATA, "%s has no images (.jpg, .jpeg, .png); fill it or remove it",
                  folder);
}

/* Every folder of the split has to be a class. */
static gf_status folder_check_classes(const listing *l, const char *split) {
  gf__names found;
  gf_status status = folder_list_classes(l->source, split, &found);
  size_t known = 0;
  for (size_t i = 0; i < found.count && status == GF_OK; i++) { /* both are sorted */
    while (known < l->classes.count && strcmp(l->classes.v[known], found.v[i]) < 0) known++;
    if (known == l->classes.count || strcmp(l->classes.v[known], found.v[i]))
      status = gf__fail(GF_ERROR_DATA,
                        "%s/%s has a folder %s, which is no class: there is none in "
                        "%s",
                        l->source->settings->path, split, found.v[i], l->source->format->train[0]);
  }
  gf__names_free(&found);
  return status;
}

static gf_status folder_list(listing *out, const gf__data_source *source) {
  const char *split = source->files[0];
  *out = (listing){.source = source};
  GF_TRY(folder_list_classes(source, source->format->train[0], &out->classes));
  if (strcmp(split, train_folder_) != 0) GF_TRY(folder_check_classes(out, split));
  for (size_t i = 0; i < out->classes.count; i++) GF_TRY(folder_list_images(out, split, (int)i));
  return GF_OK;
}

static void folder_free_listing(listing *l) {
  for (size_t i = 0; i < l->count; i++) free(l->images[i].file);
  free(l->images);
  gf__names_free(&l->classes);
}

/* Appends the names of the classes, one per line. */
static gf_status folder_name_classes(const gf__data_source *source, gf__text *out) {
  gf__names classes;
  gf_status status = folder_list_classes(source, source->format->train[0], &classes);
  for (size_t i = 0; i < classes.count && status == GF_OK; i++)
    gf__text_add(out, "%s\n", classes.v[i]);
  gf__names_free(&classes);
  return status == GF_OK ? gf__text_status(out) : status;
}

static gf_status folder_measure(const gf__data_source *source, gf__byte_file *out) {
  listing l;
  gf_status status = folder_list(&l, source);
  int side = folder_options_of(source->settings)->image_size;
  *out = (gf__byte_file){
      .count = (int)l.count, .height = side, .width = side, .classes = (int)l.classes.count};
  folder_free_listing(&l);
  return status;
}

/* Files that cannot be read are left to the reading itself. */
static gf_status folder_visit_listed(const listing *l, gf__visit_size *visit, void *user) {
  const gf__data_source *source = l->source;
  for (size_t i = 0; i < l->count; i++) {
    char folder[GF__PATH_SIZE], path[GF__PATH_SIZE];
    int height = 0, width = 0;
    GF_TRY(gf__path_join(folder, sizeof folder, source->settings->path, source->files[0]));
    GF_TRY(join3(path, folder, l->classes.v[l->images[i].label], l->images[i].file));
    gf_status status = gf__image_size(path, &height, &width);
    if (status == GF_ERROR_MEMORY) return status;
    if (status == GF_OK) GF_TRY(visit(user, height, width));
  }
  return GF_OK;
}

static gf_status folder_visit_sizes(const gf__data_source *source, gf__visit_size *visit,
                                    void *user) {
  listing l;
  gf_status status = folder_list(&l, source);
  if (status == GF_OK) status = folder_visit_listed(&l, visit, user);
  folder_free_listing(&l);
  return status;
}

static gf_status folder_fail_changed(const gf__data_source *source) {
  return gf__fail(GF_ERROR_FILE, "the files in %s changed while they were read",
                  source->settings->path);
}

static gf_status folder_read_labels(const gf__data_source *source, const gf__byte_file *file,
                                    int *labels) {
  listing l;
  gf_status status = folder_list(&l, source);
  if (status == GF_OK &&
      (l.count != (size_t)file->count || l.classes.count != (size_t)file->classes))
    status = folder_fail_changed(source);
  for (size_t i = 0; i < l.count && status == GF_OK; i++) labels[i] = l.images[i].label;
  folder_free_listing(&l);
  return status;
}

/* ---- reading ---- */

enum { MOST_THREADS = 64 };

/* Threads claim images in order and write to memory of their own, so that neither what is read nor
 * the failure that is reported depends on their number. */
typedef struct reading {
  const listing *listing;
  gf__byte_sink *sink;
  gf__lock *lock; /* guards what follows */
  size_t next;    /* image to claim; count: none is left */
  size_t failed;  /* the first image that failed */
  int left_out;
  gf_status status; /* of that image, where it ends the reading */
  char message[GF__PATH_SIZE + 256];
} reading;

static gf_status folder_path_of(const reading *r, size_t index, char out[GF__PATH_SIZE]) {
  const gf__data_source *source = r->listing->source;
  const entry *image = &r->listing->images[index];
  char folder[GF__PATH_SIZE];
  GF_TRY(gf__path_join(folder, sizeof folder, source->settings->path, source->files[0]));
  return join3(out, folder, r->listing->classes.v[image->label], image->file);
}

/* *ends: whether a failure ends the reading. */
static gf_status folder_read_image(const reading *r, size_t index, uint8_t *pixels, bool *ends) {
  const gf__data_source *source = r->listing->source;
  const folder_options *options = folder_options_of(source->settings);
  const gf__image_fit fit = {options->resize, options->resize, options->image_size,
                             options->image_size};
  char path[GF__PATH_SIZE], message[GF__PATH_SIZE + 256];
  *ends = true;
  GF_TRY(folder_path_of(r, index, path));
  GF_TRY(gf__data_compare_checksum(source, path));
  gf_status status = gf__image_read(path, &fit, pixels);
  if (status == GF_OK || status == GF_ERROR_MEMORY) return status;
  *ends = options->bad_file == BAD_FILE_STOP;
  if (!*ends) return status;
  snprintf(message, sizeof message, "%s", gf_error_message());
  return gf__fail(status, "%s; remove it, or set data.bad_file to skip", message);
}

/* Holding the lock: keeps the first failure in order, and prefers one that ends the reading. */
static void folder_note_failure(reading *r, size_t index, gf_status status, bool ends) {
  bool ended = r->status != GF_OK;
  r->left_out++;
  if (ends) r->next = r->listing->count;
  if (ends == ended ? index > r->failed : ended) return;
  r->failed = index;
  r->status = ends ? status : GF_OK;
  snprintf(r->message, sizeof r->message, "%s", gf_error_message());
}

static void folder_work(void *argument) {
  reading *r = argument;
  const gf__byte_file *shape = &r->sink->file;
  size_t size = (size_t)shape->height * (size_t)shape->width * (size_t)r->sink->channels;
  uint8_t *pixels = malloc(size);
  gf__lock_take(r->lock);
  while (r->next < r->listing->count) {
    size_t index = r->next++;
    int image = r->sink->index_of[index];
    if (image < 0) continue;
    gf__lock_release(r->lock);
    bool ends = true;
    gf_status status =
        pixels ? folder_read_image(r, index, pixels, &ends) : gf__fail_host_memory(size);
    r->sink->labels[image] = status == GF_OK ? r->listing->images[index].label : -1;
    if (status == GF_OK) gf__byte_images_store(r->sink, (int)index, pixels);
    gf__lock_take(r->lock);
    if (status != GF_OK) folder_note_failure(r, index, status, ends);
  }
  gf__lock_release(r->lock);
  free(pixels);
}

static gf_status folder_report(const reading *r) {
  const gf__data_settings *settings = r->listing->source->settings;
  int read = 0;
  if (r->status != GF_OK) return gf__fail(r->status, "%s", r->message);
  if (!r->left_out) return GF_OK;
  for (int i = 0; i < r->sink->file.count; i++) read += r->sink->index_of[i] >= 0;
  if (r->left_out == read)
    return gf__fail(GF_ERROR_DATA, "none of %d images in %s can be read; the first: %s", read,
                    settings->path, r->message);
  gf__log(GF_LOG_WARNING, "%d of %d images in %s cannot be read and are left out; the first: %s",
          r->left_out, read, settings->path, r->message);
  return GF_OK;
}

static gf_status folder_read_all(const listing *l, gf__byte_sink *sink) {
  if (l->count != (size_t)sink->file.count || l->classes.count != (size_t)sink->file.classes)
    return folder_fail_changed(l->source);
  reading r = {.listing = l, .sink = sink, .failed = SIZE_MAX};
  gf__thread *threads[MOST_THREADS] = {0};
  GF_TRY(gf__lock_new(&r.lock));
  int count = gf__cpu_count();
  if (count > MOST_THREADS) count = MOST_THREADS;
  for (int i = 1; i < count; i++) /* with fewer it takes longer */
    if (gf__thread_start(&threads[i], folder_work, &r) != GF_OK) break;
  folder_work(&r);
  for (int i = 1; i < count; i++) gf__thread_join(&threads[i]);
  gf__lock_free(&r.lock);
  return folder_report(&r);
}

static gf_status folder_read(const gf__data_source *source, gf__byte_sink *sink) {
  listing l;
  gf_status status = folder_list(&l, source);
  if (status == GF_OK) status = folder_read_all(&l, sink);
  folder_free_listing(&l);
  return status;
}

/* ---- the shape ---- */

static void folder_expect(const gf__data_format *format, const gf__data_settings *settings,
                          gf_dataset_info *out) {
  const folder_options *options = folder_options_of(settings);
  gf__byte_images_shape(format, settings, options->image_size, options->image_size, out);
  out->classes = options->classes;
}

/* Folders are counted where they are there; else the config's number holds. */
static gf_status folder_describe(const gf__data_source *source, gf_dataset_info *out) {
  char path[GF__PATH_SIZE];
  gf__names classes;
  const char *folder = source->settings->path;
  if (!*folder) return out->classes ? GF_OK : gf__data_fail_no_path(source);
  GF_TRY(gf__path_join(path, sizeof path, folder, source->format->train[0]));
  if (out->classes && !gf__path_is_folder(path)) return GF_OK;
  gf_status status = folder_list_classes(source, source->format->train[0], &classes);
  out->classes = (int)classes.count;
  gf__names_free(&classes);
  return status;
}

static gf_status folder_open(gf_dataset *dataset, const gf__data_source *source, gf_split split) {
  gf__byte_file file;
  folder_options *options = dataset->settings.options;
  GF_TRY(folder_resolve(&dataset->settings));
  bool is_whole = split == GF_SPLIT_VALIDATION && *options->validation_folder;
  const char *const files[] = {split == GF_SPLIT_TEST ? options->test_folder
                               : is_whole             ? options->validation_folder
                                                      : train_folder_,
                               NULL};
  gf__data_source own = *source;
  own.files = files;
  own.is_whole_split = is_whole;
  GF_TRY(gf__byte_images_open_measured(dataset, &own, split, &file));
  options->classes = file.classes;
  return GF_OK;
}

static gf__data_input folder_input(const gf_dataset *dataset) {
  const folder_options *options = folder_options_of(&dataset->settings);
  const int cover[] = {options->resize, options->resize};
  const int crop[] = {options->image_size, options->image_size};
  return gf__byte_images_frame(dataset, cover, crop);
}

/* ---- the row ---- */

static const gf__byte_reader folder_reader_ = {folder_measure, folder_read_labels, folder_read};

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

const gf__data_format gf__format_image_folder = {
    .name = "image_folder",
    .help = "any JPEG and PNG files in ImageNet's layout, one folder per class",
    .files = "train/CLASS/*.jpg and val/CLASS/*.jpg (or .jpeg, .png)",
    .source =
        "make a folder train in it, with a folder of images for each class, and a folder "
        "val of the same kind with images to test on",
    .input = GF__RGB_INPUT,
    .keys = folder_keys_,
    .key_count = sizeof folder_keys_ / sizeof *folder_keys_,
    .options_size = sizeof(folder_options),
    .channels = 3,
    .full_count = INT_MAX,
    .flip = true,
    .mean = {0.485, 0.456, 0.406},
    .std = {0.229, 0.224, 0.225},
    .train = FILES("train"),
    .test = FILES("val", "test"),
    .has_folders = true,
    .has_test = folder_has_test,
    .check = folder_check,
    .expect = folder_expect,
    .describe = folder_describe,
    .list_classes = folder_name_classes,
    .open = folder_open,
    .prepare = gf__byte_images_prepare,
    .input_of = folder_input,
    .visit_sizes = folder_visit_sizes,
    .reader = &folder_reader_,
    GF__BYTE_IMAGES};
