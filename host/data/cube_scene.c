/* The files of a hyperspectral scene: its ground truth, and the cube that goes with it. */
#include <math.h>
#include <stdlib.h>

#include "base/os.h"
#include "data/cube.h"

/* What stands for unknown pixels in a map of bytes whose classes are at most half of it. */
enum { USUAL_UNKNOWN = 255 };

/* ---- arrays ---- */

static bool within(uint32_t size, uint32_t most) { return size >= 1 && size <= most; }

/* Bands are a dimension at either end. */
static bool has_known_sides(const gf__mat_array *a) {
  const uint32_t *dims = a->dims;
  bool is_map = within(dims[0], GF__CUBE_MOST_SIDE) && within(dims[1], GF__CUBE_MOST_SIDE);
  if (a->dim_count == 2) return is_map;
  return (is_map && within(dims[2], GF__CUBE_MOST_BANDS)) ||
         (within(dims[0], GF__CUBE_MOST_BANDS) && within(dims[1], GF__CUBE_MOST_SIDE) &&
          within(dims[2], GF__CUBE_MOST_SIDE));
}

static gf_status cube_check_array(const gf__cube_array *file, const char *name, int dim_count) {
  const gf__mat_array *a = &file->array;
  uint64_t size = gf__mat_number_size(a->type);
  for (int i = 0; i < a->dim_count; i++) size *= a->dims[i] > 0 ? a->dims[i] : 1;
  if (a->dim_count != dim_count || !has_known_sides(a) || size != a->size)
    return gf__fail(GF_ERROR_DATA,
                    "%s: %s has %d dimensions and %u bytes; %s of at most %d x %d "
                    "pixels is wanted: it is damaged or another file",
                    file->path, *name ? name : "its largest array", a->dim_count, a->size,
                    dim_count == 3 ? "(height, width, bands)" : "(height, width)",
                    GF__CUBE_MOST_SIDE, GF__CUBE_MOST_SIDE);
  int64_t bytes = 0;
  GF_TRY(gf__data_file_size(file->path, &bytes));
  if ((int64_t)a->size / GF__DEFLATE_MOST <= bytes) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has %lld bytes, which cannot hold the %u that it announces; fetch it again",
                  file->path, (long long)bytes, a->size);
}

gf_status gf__cube_find_array(gf__cube_array *file, const char *variable, int dim_count) {
  if (!*variable) return gf__mat_find_largest(file->mat, dim_count, &file->array);
  GF_TRY(gf__mat_find(file->mat, variable, &file->array));
  if (gf__mat_is_numeric(&file->array, dim_count)) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s: the variable %s is no array of real numbers with %d dimensions", file->path,
                  variable, dim_count);
}

/* Leaves the reader positioned at the numbers. The caller closes file->mat whatever happens. */
static gf_status cube_open_array(gf__cube_array *file, const gf__data_source *source,
                                 const char *name, const char *variable, int dim_count) {
  *file = (gf__cube_array){0};
  GF_TRY(gf__data_find_file(source, name, file->path));
  GF_TRY(gf__data_compare_checksum(source, file->path));
  GF_TRY(gf__mat_open(&file->mat, file->path));
  GF_TRY(gf__cube_find_array(file, variable, dim_count));
  return cube_check_array(file, variable, dim_count);
}

/* ---- the ground truth ---- */

static bool cube_is_unknown(const gf__scene *s, double class) {
  return isnan(class) || class == -1 || class == GF__CUBE_MOST_UNKNOWN ||
         (s->unknown && class == s->unknown);
}

static gf_status cube_read_class_column(const gf__cube_array *file, gf__scene *s, int x,
                                        double *column) {
  GF_TRY(gf__mat_read_numbers(file->mat, file->array.type, column, (uint32_t)s->height));
  for (int y = 0; y < s->height; y++) {
    double class = cube_is_unknown(s, column[y]) ? 0 : column[y];
    if (!(class >= 0 && class <= GF__CUBE_MOST_CLASSES && class == floor(class)))
      return gf__fail(GF_ERROR_DATA,
                      "%s: pixel (%d, %d) has the class %g; classes are 0 to %d, and data.unknown "
                      "that of unknown pixels: it is damaged or another file",
                      file->path, y, x, class, GF__CUBE_MOST_CLASSES);
    s->classes_of[y * s->width + x] = (int16_t) class;
    if ((int)class > s->classes) s->classes = (int)class;
  }
  return GF_OK;
}

/* A map of bytes may have 255 where a pixel's class is unknown. */
static void cube_find_unknown(gf__scene *s) {
  int largest = 0;
  if (s->unknown || s->classes != USUAL_UNKNOWN) return;
  for (int i = 0; i < s->height * s->width; i++)
    if (s->classes_of[i] < USUAL_UNKNOWN && s->classes_of[i] > largest) largest = s->classes_of[i];
  if (largest > USUAL_UNKNOWN / 2) return;
  for (int i = 0; i < s->height * s->width; i++)
    if (s->classes_of[i] == USUAL_UNKNOWN) s->classes_of[i] = 0;
  s->classes = largest;
  s->unknown = USUAL_UNKNOWN;
}

static gf_status cube_read_classes(const gf__cube_array *file, gf__scene *s) {
  size_t pixels = (size_t)s->height * (size_t)s->width;
  double *column = malloc((size_t)s->height * sizeof *column);
  s->classes_of = malloc(pixels * sizeof *s->classes_of);
  gf_status status =
      column && s->classes_of ? GF_OK : gf__fail_host_memory(pixels * sizeof *s->classes_of);
  for (int x = 0; status == GF_OK && x < s->width; x++)
    status = cube_read_class_column(file, s, x, column);
  if (status == GF_OK) status = gf__mat_finish(file->mat);
  if (status == GF_OK) cube_find_unknown(s);
  if (status == GF_OK && s->classes == 0)
    status = gf__fail(GF_ERROR_DATA, "%s has no labelled pixel", file->path);
  free(column);
  return status;
}

/* The caller frees s->classes_of whatever happens. */
static gf_status cube_read_ground_truth(const gf__data_source *source, gf__scene *s) {
  gf__cube_array file;
  const gf__cube_options *options = gf__cube_options_of(source->settings);
  *s = (gf__scene){.unknown = options->unknown};
  gf_status status =
      cube_open_array(&file, source, options->ground_truth, options->ground_truth_variable, 2);
  if (status == GF_OK) {
    s->height = (int)file.array.dims[0];
    s->width = (int)file.array.dims[1];
    status = cube_read_classes(&file, s);
  }
  gf__mat_close(&file.mat);
  return status;
}

/* Opens the cube and checks that it is of the scene. The caller closes file->mat. */
static gf_status cube_open_values(gf__cube_array *file, const gf__data_source *source,
                                  gf__scene *s) {
  const gf__cube_options *options = gf__cube_options_of(source->settings);
  GF_TRY(cube_open_array(file, source, options->cube, options->cube_variable, 3));
  const uint32_t *dims = file->array.dims, height = (uint32_t)s->height, width = (uint32_t)s->width;
  bool has_bands_last = dims[0] == height && dims[1] == width && dims[2] <= GF__CUBE_MOST_BANDS;
  s->has_bands_first = !has_bands_last && dims[1] == height && dims[2] == width;
  s->bands = (int)(s->has_bands_first ? dims[0] : dims[2]);
  if (has_bands_last || s->has_bands_first) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has %u x %u pixels, but %s has %d x %d; they are of different scenes, or the "
                  "bands of the array (%u x %u x %u) are neither its last dimension nor its first",
                  file->path, dims[0], dims[1], options->ground_truth, s->height, s->width, dims[0],
                  dims[1], dims[2]);
}

/* That the files are as the config says, where it does. */
static gf_status cube_check_sizes(const gf__data_source *source, const gf__scene *s) {
  const gf__cube_options *options = gf__cube_options_of(source->settings);
  bool fits = (!options->bands || options->bands == s->bands) &&
              (!options->classes || options->classes == s->classes);
  if (fits) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "the files in %s have %d bands and %d classes, but data.bands is %d and "
                  "data.classes %d, as in the run that the config is of; leave these keys out to "
                  "train on these files",
                  source->settings->path, s->bands, s->classes, options->bands, options->classes);
}

gf_status gf__scene_open(gf__cube_array *file, const gf__data_source *source, gf__scene *s) {
  *file = (gf__cube_array){0};
  GF_TRY(cube_read_ground_truth(source, s));
  GF_TRY(cube_open_values(file, source, s));
  return cube_check_sizes(source, s);
}

void gf__scene_warn(const gf__data_source *source, const gf__scene *s) {
  const gf__cube_options *options = gf__cube_options_of(source->settings);
  if (s->unknown != options->unknown)
    gf__log(GF_LOG_INFO, "%s: classes are 1 to %d, and pixels of %d are unknown (data.unknown)",
            options->ground_truth, s->classes, s->unknown);
  bool has[GF__CUBE_MOST_CLASSES + 1] = {0};
  gf__text empty = {0};
  int count = 0;
  for (int i = 0; i < s->height * s->width; i++) has[s->classes_of[i]] = true;
  for (int class = 1; class <= s->classes; class ++)
    if (!has[class] && count++ < 8) gf__text_add(&empty, "%s%d", empty.size ? ", " : "", class);
  if (count && gf__text_status(&empty) == GF_OK)
    gf__log(GF_LOG_WARNING,
            "%s: %d of %d classes have no pixel: %s%s; data.unknown names the class of unknown "
            "pixels",
            options->ground_truth, count, s->classes, empty.data, count > 8 ? ", …" : "");
  gf__text_free(&empty);
}
