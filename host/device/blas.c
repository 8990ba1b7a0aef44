/* Matrix products by CLBlast, with parameters for CPU devices. */
#include <clblast_c.h>
#include <stdio.h>

#include "device/blas.h"
#include "device/internal.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *gf__blas_version(void) {
  return TEXT(CLBLAST_VERSION_MAJOR) "." TEXT(CLBLAST_VERSION_MINOR) "." TEXT(
      CLBLAST_VERSION_PATCH);
}

/* CLBlast 1.5.3 has no tuning results for pocl: its defaults use local memory
 * and are about 7 times slower on a CPU (bench/RESULTS.md). GEMMK must stay 0:
 * with GEMMK=1 the results are wrong there while success is reported. */
static gf_status prepare_cpu(gf_device *device) {
  size_t vector = device->info.vector_width_float >= 16 ? 16 : 8;
  static const char *const gemm_names[] = {"GEMMK", "KREG",  "KWG",   "KWI", "MDIMA", "MDIMC",
                                           "MWG",   "NDIMB", "NDIMC", "NWG", "SA",    "SB",
                                           "STRM",  "STRN",  "VWM",   "VWN"};
  const size_t gemm_values[] = {0, 1, 32, 1, 1, 1, 2 * vector, 1, 1, 8, 0, 0, 0, 0, vector, 8};
  static const char *const routine_names[] = {"XGEMM_MIN_INDIRECT_SIZE"};
  const size_t routine_values[] = {1};
  CLBlastStatusCode code = CLBlastOverrideParameters(device->id, "Xgemm", CLBlastPrecisionSingle,
                                                     sizeof gemm_values / sizeof *gemm_values,
                                                     (const char **)gemm_names, gemm_values);
  if (code == CLBlastSuccess)
    code = CLBlastOverrideParameters(device->id, "GemmRoutine", CLBlastPrecisionSingle, 1,
                                     (const char **)routine_names, routine_values);
  if (code != CLBlastSuccess)
    return gf__fail(GF_ERROR_DEVICE, "CLBlast refuses its parameters for %s: status %d",
                    device->info.name, (int)code);
  return GF_OK;
}

void gf__gemm_keep_defaults(gf_device *device) { device->blas_is_ready = true; }

gf_status gf__gemm(gf_device *device, int m, int n, int k, const gf__buffer *a, size_t a_offset,
                   const gf__buffer *b, size_t b_offset, bool b_transposed, float beta,
                   gf__buffer *c, size_t c_offset) {
  if (!device->blas_is_ready && device->info.type == GF_DEVICE_CPU) GF_TRY(prepare_cpu(device));
  device->blas_is_ready = true;
  char name[64];
  snprintf(name, sizeof name, "gemm %dx%dx%d", m, n, k);
  device->launches++;
  cl_event *event = gf__profile_slot(device, name, 2.0 * m * n * k,
                                     4.0 * ((double)m * k + (double)k * n + (double)m * n));
  CLBlastStatusCode code = CLBlastSgemm(
      CLBlastLayoutColMajor, CLBlastTransposeNo,
      b_transposed ? CLBlastTransposeYes : CLBlastTransposeNo, (size_t)m, (size_t)n, (size_t)k,
      1.0f, a->memory, a_offset, (size_t)m, b->memory, b_offset, (size_t)(b_transposed ? n : k),
      beta, c->memory, c_offset, (size_t)m, &device->queue, event);
  if (code != CLBlastSuccess)
    return gf__fail(code == CLBlastTempBufferAllocFailure || code == CLBlastOpenCLOutOfHostMemory
                        ? GF_ERROR_MEMORY
                        : GF_ERROR_DEVICE,
                    "CLBlast's product of %d x %d x %d on %s failed with status %d", m, n, k,
                    device->info.name, (int)code);
  return GF_OK;
}
