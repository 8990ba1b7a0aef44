/* What the images and labels of a split are, in a few bytes. */
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "data/byte_images.h"

/* A product of odd numbers keeps every bit of a word in play, and the shift brings the upper half
 * down. It is for differences that happen, not for those that somebody contrives, and several times
 * as fast as SHA-256: a data set may fill the memory. */
static uint64_t hash_words(const uint8_t *bytes, size_t size) {
  static const uint64_t odd = 0x9e3779b97f4a7c15u;
  uint64_t hash = size * odd, last = 0;
  size_t whole = size / 8 * 8;
  for (size_t i = 0; i < whole; i += 8) {
    hash = (hash ^ gf__read_le64(bytes + i)) * odd;
    hash ^= hash >> 29;
  }
  for (size_t i = whole; i < size; i++) last = last << 8 | bytes[i];
  hash = (hash ^ last) * odd;
  return hash ^ hash >> 32;
}

static void add_image(SHA2_CTX *digest, int label, uint64_t hash) {
  uint8_t bytes[12];
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)((uint32_t)label >> 8 * i);
  for (int i = 0; i < 8; i++) bytes[4 + i] = (uint8_t)(hash >> 8 * i);
  SHA256Update(digest, bytes, sizeof bytes);
}

static void add_byte_images(SHA2_CTX *digest, const gf_dataset *dataset) {
  const gf_dataset_info *info = &dataset->info;
  const uint8_t *pixels = gf__byte_images_of(dataset)->pixels;
  size_t size = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
  for (int i = 0; i < info->count; i++)
    add_image(digest, dataset->labels[i], hash_words(pixels + (size_t)i * size, size));
}

/* Samples of other formats as the network sees them. */
static gf_status add_rendered(SHA2_CTX *digest, const gf_dataset *dataset) {
  const gf_dataset_info *info = &dataset->info;
  const gf__augmentation none = {0};
  size_t count = (size_t)info->height * (size_t)info->width * (size_t)info->channels;
  float *sample = malloc(count * sizeof *sample);
  if (!sample) return gf__fail_host_memory(count * sizeof *sample);
  for (int i = 0; i < info->count; i++) {
    dataset->format->render(dataset, (uint32_t)i, &none, sample);
    add_image(digest, dataset->labels[i],
              hash_words((const uint8_t *)sample, count * sizeof *sample));
  }
  free(sample);
  return GF_OK;
}

gf_status gf__dataset_digest(const gf_dataset *dataset, gf__split_digest *out) {
  SHA2_CTX digest;
  const gf_dataset_info *info = &dataset->info;
  *out = (gf__split_digest){.count = info->count};
  SHA256Init(&digest);
  /* Names of folders say what is in them; those of other formats may not be at hand. */
  for (int c = 0; dataset->format->has_folders && info->class_names && c < info->classes; c++)
    SHA256Update(&digest, (const uint8_t *)info->class_names[c], strlen(info->class_names[c]) + 1);
  if (dataset->format->reader)
    add_byte_images(&digest, dataset);
  else
    GF_TRY(add_rendered(&digest, dataset));
  SHA256End(&digest, out->sha256);
  return GF_OK;
}
