#include "data/image.h"

#include <stb/stb_image.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "data/dataset.h"

enum { CHANNELS = 3, MOST_ASPECT = 100 };

typedef struct image_file {
  const char *path;
  uint8_t *bytes;
  size_t size;
} image_file;

static uint32_t big_endian(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static gf_status fail_truncated(const image_file *file) {
  return gf__fail(GF_ERROR_DATA, "%s is truncated: its image data do not end within its %zu bytes",
                  file->path, file->size);
}

/* ---- JPEG (ITU-T T.81, annex B) ---- */

enum { MARKER = 0xff, START_OF_SCAN = 0xda, END_OF_IMAGE = 0xd9, APPLICATION_14 = 0xee };
enum { BASELINE = 0xc0, EXTENDED = 0xc1, PROGRESSIVE = 0xc2, DIFFERENTIAL = 0xc5 };

/* What a frame says of itself. */
typedef struct jpeg_frame {
  int start, precision, components; /* its marker; 0: none was found */
  bool is_adobe;
} jpeg_frame;

/* The offset of the marker after the one at an offset: past its segment, if it begins one. */
static size_t next_marker(const image_file *file, size_t at) {
  const uint8_t *b = file->bytes + at;
  bool is_segment = b[0] == MARKER && b[1] > 1 && b[1] != MARKER;
  return at + (is_segment ? 2 + ((size_t)b[2] << 8 | b[3]) : 1);
}

static bool starts_frame(uint8_t marker) {
  enum { TABLES = 0xc4, EXTENSIONS = 0xc8, CONDITIONING = 0xcc };
  return marker >= BASELINE && marker <= 0xcf && marker != TABLES && marker != EXTENSIONS &&
         marker != CONDITIONING;
}

static jpeg_frame read_frame(const image_file *file) {
  jpeg_frame frame = {0};
  for (size_t at = 2; at + 10 <= file->size; at = next_marker(file, at)) {
    const uint8_t *b = file->bytes + at;
    if (b[0] != MARKER) continue;
    if (b[1] == START_OF_SCAN) break;
    frame.is_adobe |= b[1] == APPLICATION_14 && !memcmp(b + 4, "Adobe", 5);
    if (!frame.start && starts_frame(b[1])) frame = (jpeg_frame){b[1], b[4], b[9], frame.is_adobe};
  }
  return frame;
}

/* Frames that stb_image reads wrongly, or calls damaged. */
static gf_status check_frame(const image_file *file) {
  jpeg_frame frame = read_frame(file);
  const char *what = NULL;
  if (frame.start > PROGRESSIVE) what = frame.start < DIFFERENTIAL ? "lossless" : "hierarchical";
  if (frame.start > 0xc8) what = "arithmetic-coded";
  if (frame.start && !what && frame.precision != 8) what = "12-bit";
  if (frame.components == 4 && !what && !frame.is_adobe) what = "CMYK (without Adobe's marker)";
  if (!what) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s is a JPEG file of a kind that is not supported: %s; convert it to RGB and "
                  "save it again",
                  file->path, what);
}

/* stb_image fills what a truncated file lacks. Thumbnails, which have ends of their own, stand in
 * segments before the scan; in the scan's data no such marker can occur. */
static gf_status check_jpeg(const image_file *file) {
  const uint8_t *b = file->bytes;
  size_t at = 2;
  while (at + 4 <= file->size && !(b[at] == MARKER && b[at + 1] == START_OF_SCAN))
    at = next_marker(file, at);
  for (; at + 2 <= file->size; at++)
    if (b[at] == MARKER && b[at + 1] == END_OF_IMAGE) return GF_OK;
  return fail_truncated(file);
}

/* ---- PNG (ISO/IEC 15948) ---- */

enum { FIRST_CHUNK = 8, CHUNK_HEAD = 8, CHUNK_FRAME = 12 }; /* its head and its checksum */

/* Bytes that the pixels unpack to at the most: the rows, each with one byte of its filter; in the
 * interlaced form there are up to 1.875 rows for each, rounded up to bytes. */
static uint64_t png_unpacked(const uint8_t *header) {
  static const int channels[] = {1, 0, 3, 1, 2, 0, 4}; /* by colour type */
  uint64_t width = big_endian(header), height = big_endian(header + 4);
  uint64_t bits = header[8] * (uint64_t)(header[9] < 7 ? channels[header[9]] : 0);
  return (width * bits + 7) / 8 * height + 4 * height + 16;
}

/* Unpacks the data chunk by chunk to nowhere: stb_image would unpack all there is. */
static gf_status count_unpacked(const image_file *file, z_stream *stream, uint64_t most) {
  uint8_t nowhere[1 << 15];
  while (stream->avail_in > 0) {
    stream->next_out = nowhere;
    stream->avail_out = sizeof nowhere;
    int code = inflate(stream, Z_NO_FLUSH);
    if (stream->total_out > most)
      return gf__fail(GF_ERROR_DATA, "%s unpacks to more than the %llu bytes of its pixels",
                      file->path, (unsigned long long)most);
    if (code == Z_STREAM_END) return GF_OK;
    if (code == Z_BUF_ERROR) return GF_OK; /* it wants the next chunk */
    if (code != Z_OK)
      return gf__fail(GF_ERROR_DATA, "%s is corrupt (zlib: %s)", file->path,
                      stream->msg ? stream->msg : "a dictionary is asked for");
  }
  return GF_OK;
}

static gf_status check_chunks(const image_file *file, z_stream *stream) {
  uint64_t most = png_unpacked(file->bytes + FIRST_CHUNK + CHUNK_HEAD);
  for (size_t at = FIRST_CHUNK; at + CHUNK_FRAME <= file->size;) {
    uint8_t *chunk = file->bytes + at;
    size_t length = big_endian(chunk);
    if (length > file->size - at - CHUNK_FRAME) break;
    if (memcmp(chunk + 4, "IEND", 4) == 0) return GF_OK;
    if (memcmp(chunk + 4, "CgBI", 4) == 0) /* its data have no zlib header */
      return gf__fail(GF_ERROR_DATA, "%s is a PNG file in Apple's own form", file->path);
    if (memcmp(chunk + 4, "IDAT", 4) == 0) {
      stream->next_in = chunk + CHUNK_HEAD;
      stream->avail_in = (uInt)length;
      GF_TRY(count_unpacked(file, stream, most));
    }
    at += CHUNK_FRAME + length;
  }
  return fail_truncated(file);
}

static gf_status check_png(const image_file *file) {
  z_stream stream = {0};
  if (inflateInit(&stream) != Z_OK) return gf__fail_host_memory(1 << 16);
  gf_status status = check_chunks(file, &stream);
  inflateEnd(&stream);
  return status;
}

/* ---- both ---- */

/* What a file may be. stb_image would read other formats, too, with less care. */
static const struct kind {
  const char *start;
  size_t length;
  gf_status (*check_kind)(const image_file *file); /* whether it is supported; or NULL */
  gf_status (*check)(const image_file *file);      /* once its sides are known to be right */
} kinds_[] = {{"\xff\xd8\xff", 3, check_frame, check_jpeg},
              {"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", FIRST_CHUNK + CHUNK_HEAD, NULL, check_png}};

static const struct kind *kind_of(const image_file *file) {
  for (size_t i = 0; i < sizeof kinds_ / sizeof *kinds_; i++)
    if (file->size >= kinds_[i].length && !memcmp(file->bytes, kinds_[i].start, kinds_[i].length))
      return &kinds_[i];
  return NULL;
}

static gf_status check_sides(const image_file *file) {
  int width = 0, height = 0, channels = 0;
  if (!stbi_info_from_memory(file->bytes, (int)file->size, &width, &height, &channels))
    return gf__fail(GF_ERROR_DATA, "%s has a damaged header", file->path);
  int shorter = width < height ? width : height, longer = width < height ? height : width;
  bool fits = shorter >= 1 && longer <= GF__IMAGE_LARGEST_SIDE &&
              (int64_t)width * height <= GF__IMAGE_LARGEST_AREA && longer / shorter < MOST_ASPECT;
  if (fits) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has %d x %d pixels; images have 1 to %d a side and %d in all, and no side is "
                  "%d times the other",
                  file->path, height, width, GF__IMAGE_LARGEST_SIDE, GF__IMAGE_LARGEST_AREA,
                  MOST_ASPECT);
}

static gf_status decode(const image_file *file, const gf__image_fit *fit, uint8_t *out) {
  int width = 0, height = 0, channels = 0;
  const struct kind *kind = kind_of(file);
  if (!kind) return gf__fail(GF_ERROR_DATA, "%s is neither a JPEG nor a PNG file", file->path);
  if (kind->check_kind) GF_TRY(kind->check_kind(file));
  GF_TRY(check_sides(file));
  GF_TRY(kind->check(file));
  uint8_t *pixels =
      stbi_load_from_memory(file->bytes, (int)file->size, &width, &height, &channels, CHANNELS);
  if (!pixels)
    return gf__fail(GF_ERROR_DATA, "%s cannot be decoded (stb_image: %s)", file->path,
                    stbi_failure_reason());
  gf_status status = gf__image_resample(pixels, height, width, fit, out);
  stbi_image_free(pixels);
  return status;
}

bool gf__is_image_name(const char *name) {
  static const char *const endings[] = {".jpg", ".jpeg", ".png"};
  const char *dot = strrchr(name, '.');
  char ending[8] = "";
  if (name[0] == '.' || !dot || strlen(dot) >= sizeof ending) return false;
  for (size_t i = 0; dot[i]; i++)
    ending[i] = (char)(dot[i] >= 'A' && dot[i] <= 'Z' ? dot[i] + 32 : dot[i]);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (!strcmp(ending, endings[i])) return true;
  return false;
}

/* The bytes of a file, which the caller frees. */
static gf_status load_image(image_file *out, const char *path) {
  int64_t size = 0;
  char *bytes = NULL;
  *out = (image_file){.path = path};
  GF_TRY(gf__data_file_size(path, &size));
  if (size > GF__IMAGE_LARGEST_FILE)
    return gf__fail(GF_ERROR_DATA, "%s has %lld bytes; images have at most %d", path,
                    (long long)size, GF__IMAGE_LARGEST_FILE);
  GF_TRY(gf__file_read_within(path, GF__IMAGE_LARGEST_FILE, &bytes, &out->size));
  out->bytes = (uint8_t *)bytes;
  return GF_OK;
}

gf_status gf__image_read(const char *path, const gf__image_fit *fit, uint8_t *out) {
  image_file file;
  GF_TRY(load_image(&file, path));
  gf_status status = decode(&file, fit, out);
  free(file.bytes);
  return status;
}

gf_status gf__image_size(const char *path, int *height, int *width) {
  image_file file;
  int channels = 0;
  GF_TRY(load_image(&file, path));
  bool is_known =
      kind_of(&file) && stbi_info_from_memory(file.bytes, (int)file.size, width, height, &channels);
  free(file.bytes);
  return is_known ? GF_OK : gf__fail(GF_ERROR_DATA, "%s is neither a JPEG nor a PNG file", path);
}
