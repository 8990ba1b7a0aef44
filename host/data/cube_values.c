/* The numbers of a hyperspectral cube, standardised band by band. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/os.h"
#include "data/cube.h"

/* ---- memory ---- */

gf_status gf__cube_allocate(gf_dataset *dataset, const gf__scene *s, const char *path) {
  int patch = gf__cube_options_of(&dataset->settings)->patch, width = s->width + patch - 1;
  uint64_t pixels = (uint64_t)(s->height + patch - 1) * (uint64_t)width;
  uint64_t bytes = pixels * (uint64_t)s->bands * sizeof(float), memory = gf__host_memory();
  if (memory && bytes > memory / 4 * 3)
    return gf__fail(GF_ERROR_MEMORY,
                    "%s: a cube of %d x %d pixels and %d bands takes %.1f GB of memory, and this "
                    "machine has %.1f GB; cut out a smaller one",
                    path, s->height, s->width, s->bands, 1e-9 * (double)bytes,
                    1e-9 * (double)memory);
  gf__cube *cube = dataset->samples = calloc(1, sizeof *cube);
  if (!cube) return gf__fail_host_memory(sizeof *cube);
  *cube = (gf__cube){.row = width * s->bands, .patch = patch, .bands = s->bands, .width = width};
  cube->values = calloc(1, bytes);
  return cube->values ? GF_OK : gf__fail_host_memory(bytes);
}

static gf_status cube_fail_number(const gf__cube_array *file, int y, int x, int band) {
  return gf__fail(GF_ERROR_DATA,
                  "%s: pixel (%d, %d) has no finite number in band %d; it is damaged or another "
                  "file",
                  file->path, y, x, band);
}

/* A column of a band with the sum of its numbers. */
static gf_status cube_read_band_column(const gf__cube_array *file, const gf__scene *s,
                                       double *column, int x, int band, double *sum) {
  GF_TRY(gf__mat_read_numbers(file->mat, file->array.type, column, (uint32_t)s->height));
  for (int y = 0; y < s->height; y++) {
    if (!(fabs(column[y]) <= FLT_MAX)) return cube_fail_number(file, y, x, band);
    *sum += column[y];
  }
  return GF_OK;
}

/* Mean 0 and deviation 1 over all pixels of the scene; a band of one number becomes 0. */
static void cube_store_band(gf__cube *cube, const gf__scene *s, const double *numbers, double sum,
                            int band) {
  int margin = cube->patch / 2;
  double pixels = (double)s->height * s->width, mean = sum / pixels, squares = 0;
  for (int i = 0; i < s->height * s->width; i++)
    squares += (numbers[i] - mean) * (numbers[i] - mean);
  double deviation = sqrt(squares / pixels), rate = deviation > 0 ? 1 / deviation : 0;
  for (int x = 0; x < s->width; x++)
    for (int y = 0; y < s->height; y++)
      cube->values[(size_t)(y + margin) * (size_t)cube->row +
                   (size_t)(x + margin) * (size_t)cube->bands + (size_t)band] =
          (float)((numbers[x * s->height + y] - mean) * rate);
}

static gf_status cube_read_bands_last(const gf__cube_array *file, const gf__scene *s,
                                      gf__cube *cube) {
  size_t pixels = (size_t)s->height * (size_t)s->width;
  double *numbers = calloc(pixels, sizeof *numbers);
  if (!numbers) return gf__fail_host_memory(pixels * sizeof *numbers);
  gf_status status = GF_OK;
  for (int band = 0; status == GF_OK && band < s->bands; band++) {
    double sum = 0;
    for (int x = 0; status == GF_OK && x < s->width; x++)
      status =
          cube_read_band_column(file, s, numbers + (size_t)x * (size_t)s->height, x, band, &sum);
    if (status == GF_OK) cube_store_band(cube, s, numbers, sum, band);
  }
  free(numbers);
  return status == GF_OK ? gf__mat_finish(file->mat) : status;
}

/* ---- a cube with its bands first ---- */

/* Its bands lie pixel by pixel, so that all are standardised at once: the numbers are read once for
 * their means, once for their deviations, and once to be stored. */
typedef struct band_moments {
  double *numbers, *means, *rates; /* (bands): of a pixel; rates begin as sums of squares */
} band_moments;

typedef void visit_pixel(gf__cube *cube, const gf__scene *s, band_moments *m, int y, int x);

static void add_to_means(gf__cube *cube, const gf__scene *s, band_moments *m, int y, int x) {
  (void)cube, (void)y, (void)x;
  for (int b = 0; b < s->bands; b++) m->means[b] += m->numbers[b];
}

static void add_to_squares(gf__cube *cube, const gf__scene *s, band_moments *m, int y, int x) {
  (void)cube, (void)y, (void)x;
  for (int b = 0; b < s->bands; b++) {
    double distance = m->numbers[b] - m->means[b];
    m->rates[b] += distance * distance;
  }
}

static void store_pixel(gf__cube *cube, const gf__scene *s, band_moments *m, int y, int x) {
  size_t margin = (size_t)cube->patch / 2, bands = (size_t)s->bands;
  float *out =
      cube->values + ((size_t)y + margin) * (size_t)cube->row + ((size_t)x + margin) * bands;
  for (size_t b = 0; b < bands; b++) out[b] = (float)((m->numbers[b] - m->means[b]) * m->rates[b]);
}

static gf_status read_pixels(gf__cube_array *file, const gf__scene *s, gf__cube *cube,
                             band_moments *m, visit_pixel *visit) {
  for (int x = 0; x < s->width; x++)
    for (int y = 0; y < s->height; y++) {
      GF_TRY(gf__mat_read_numbers(file->mat, file->array.type, m->numbers, (uint32_t)s->bands));
      for (int b = 0; b < s->bands; b++)
        if (!(fabs(m->numbers[b]) <= FLT_MAX)) return cube_fail_number(file, y, x, b);
      visit(cube, s, m, y, x);
    }
  return gf__mat_finish(file->mat);
}

static gf_status read_bands_first(gf__cube_array *file, const char *variable, const gf__scene *s,
                                  gf__cube *cube, band_moments *m) {
  double pixels = (double)s->height * s->width;
  GF_TRY(read_pixels(file, s, cube, m, add_to_means));
  for (int b = 0; b < s->bands; b++) m->means[b] /= pixels;
  GF_TRY(gf__cube_find_array(file, variable, 3));
  GF_TRY(read_pixels(file, s, cube, m, add_to_squares));
  for (int b = 0; b < s->bands; b++) {
    double deviation = sqrt(m->rates[b] / pixels);
    m->rates[b] = deviation > 0 ? 1 / deviation : 0;
  }
  GF_TRY(gf__cube_find_array(file, variable, 3));
  return read_pixels(file, s, cube, m, store_pixel);
}

static gf_status cube_read_bands_first(gf__cube_array *file, const char *variable,
                                       const gf__scene *s, gf__cube *cube) {
  size_t bands = (size_t)s->bands;
  double *values = calloc(3 * bands, sizeof *values);
  if (!values) return gf__fail_host_memory(3 * bands * sizeof *values);
  band_moments m = {values, values + bands, values + 2 * bands};
  gf_status status = read_bands_first(file, variable, s, cube, &m);
  free(values);
  return status;
}

gf_status gf__cube_read(gf__cube_array *file, const char *variable, const gf__scene *s,
                        gf__cube *cube) {
  return s->has_bands_first ? cube_read_bands_first(file, variable, s, cube)
                            : cube_read_bands_last(file, s, cube);
}
