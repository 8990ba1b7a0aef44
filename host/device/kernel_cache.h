/* The disk cache of compiled kernels. A file is a line "gradflow kernels 2", the SHA-256 of the
 * binary in hex on another, and the binary, so that a driver never sees one that is damaged. */
#ifndef GF_DEVICE_KERNEL_CACHE_H
#define GF_DEVICE_KERNEL_CACHE_H

#include "base/text.h"
#include "device/device.h"

/* The file of a source and its build options on the device. GF_ERROR_FILE where there is no cache
 * folder that can be trusted. */
gf_status gf__kernel_cache_path(const gf_device *device, const gf__text *source,
                                const char *options, char *out, size_t size) GF_MUST_USE;
/* The binary in the file, which the caller frees, or NULL for whatever reason. */
unsigned char *gf__kernel_cache_read(const char *path, size_t *size);
gf_status gf__kernel_cache_write(const char *path, const void *binary, size_t size) GF_MUST_USE;

#endif
