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

typedef struct parameter {
  const char *name;
  size_t value;
} parameter;

static gf_status override(gf_device *device, const char *kernel, const parameter *parameters) {
  enum { MOST = 16 };
  const char *names[MOST];
  size_t values[MOST], count = 0;
  for (; count < MOST && parameters[count].name; count++) {
    names[count] = parameters[count].name;
    values[count] = parameters[count].value;
  }
  CLBlastStatusCode code =
      CLBlastOverrideParameters(device->id, kernel, CLBlastPrecisionSingle, count, names, values);
  return code == CLBlastSuccess
             ? GF_OK
             : gf__fail_cl(device, (cl_int)code, "CLBlast refuses its parameters of %s", kernel);
}

/* Products without local memory, each work-group a single work-item. GEMMK must stay 0: with
 * GEMMK=1 the results are wrong on pocl while success is reported. */
static gf_status use_single_items(gf_device *device) {
  size_t vector = device->info.vector_width_float >= 16 ? 16 : 8;
  const parameter gemm[] = {
      {"GEMMK", 0},        {"KREG", 1},  {"KWG", 32},     {"KWI", 1}, {"MDIMA", 1}, {"MDIMC", 1},
      {"MWG", 2 * vector}, {"NDIMB", 1}, {"NDIMC", 1},    {"NWG", 8}, {"SA", 0},    {"SB", 0},
      {"STRM", 0},         {"STRN", 0},  {"VWM", vector}, {"VWN", 8}, {NULL, 0}};
  /* The kernel for small matrices, which needs local memory, is for none; with a single product
   * in a group it compiles fastest. */
  const parameter routine[] = {{"XGEMM_MIN_INDIRECT_SIZE", 1}, {NULL, 0}};
  const parameter direct[] = {{"KWID", 1},   {"MDIMAD", 1}, {"MDIMCD", 1}, {"NDIMBD", 1},
                              {"NDIMCD", 1}, {"PADA", 0},   {"PADB", 0},   {"VWMD", 1},
                              {"VWND", 1},   {"WGD", 1},    {NULL, 0}};
  GF_TRY(override(device, "Xgemm", gemm));
  GF_TRY(override(device, "XgemmDirect", direct));
  return override(device, "GemmRoutine", routine);
}

/* The kernels that copy operands into CLBlast's order, in work-groups of side x side. */
static gf_status use_small_copies(gf_device *device, size_t side) {
  const parameter copy[] = {
      {"COPY_DIMX", side}, {"COPY_DIMY", side}, {"COPY_VW", 1}, {"COPY_WPT", 1}, {NULL, 0}};
  const parameter pad[] = {
      {"PAD_DIMX", side}, {"PAD_DIMY", side}, {"PAD_WPTX", 1}, {"PAD_WPTY", 1}, {NULL, 0}};
  const parameter transpose[] = {
      {"TRA_DIM", side}, {"TRA_PAD", 0}, {"TRA_SHUFFLE", 0}, {"TRA_WPT", 1}, {NULL, 0}};
  const parameter pad_transpose[] = {
      {"PADTRA_PAD", 0}, {"PADTRA_TILE", side}, {"PADTRA_WPT", 1}, {NULL, 0}};
  GF_TRY(override(device, "Copy", copy));
  GF_TRY(override(device, "Pad", pad));
  GF_TRY(override(device, "Transpose", transpose));
  return override(device, "Padtranspose", pad_transpose);
}

/* What CLBlast's defaults ask of a device that it does not know: groups of 16 x 16 and two tiles
 * of 64 x 32 floats. */
enum { DEFAULT_GROUP = 256, DEFAULT_LOCAL = 16 << 10 };

/* CLBlast 1.5.3 has no tuning results for pocl: its defaults use local memory
 * and are about 7 times slower on a CPU (bench/RESULTS.md). */
static gf_status prepare(gf_device *device) {
  const gf_device_info *info = &device->info;
  bool is_small = info->work_group_size < DEFAULT_GROUP || info->local_memory < DEFAULT_LOCAL;
  size_t side = 8;
  while (side * side > info->work_group_size && side > 1) side /= 2;
  if (is_small) GF_TRY(use_small_copies(device, side));
  return info->type == GF_DEVICE_CPU || is_small ? use_single_items(device) : GF_OK;
}

/* CLBlast keeps programs, and with them their context, until its cache is cleared; those of a
 * device that stays open are compiled again. */
void gf__gemm_release(gf_device *device) {
  if (device->products) clReleaseMemObject(device->products);
  if (device->blas_is_ready) CLBlastClearCache();
}

/* Makes device->products so large. CLBlast would allocate that for each product, and end the
 * process where there is no memory for it. */
static gf_status provide(gf_device *device, size_t bytes) {
  if (bytes <= device->products_bytes) return GF_OK;
  if (device->products) clReleaseMemObject(device->products);
  device->products_bytes = 0;
  cl_int error;
  device->products = clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, &error);
  if (error != CL_SUCCESS) {
    device->products = NULL;
    return gf__fail_cl(device, error,
                       "cannot allocate %.1f MiB for the operands of a product beside the %.1f "
                       "MiB in use (the device has %.1f MiB)",
                       (double)bytes / 0x1p20, (double)device->allocated / 0x1p20,
                       (double)device->info.memory / 0x1p20);
  }
  device->products_bytes = bytes;
  return GF_OK;
}

void gf__gemm_keep_defaults(gf_device *device) { device->blas_is_ready = true; }

gf_status gf__gemm(gf_device *device, const gf__gemm_operands *o) {
  if (!device->blas_is_ready) GF_TRY(prepare(device));
  device->blas_is_ready = true;
  const CLBlastLayout layout = CLBlastLayoutColMajor;
  const CLBlastTranspose no = CLBlastTransposeNo;
  const CLBlastTranspose of_b = o->b_transposed ? CLBlastTransposeYes : CLBlastTransposeNo;
  size_t rows = (size_t)o->m, columns = (size_t)o->n, depth = (size_t)o->k;
  size_t b_rows = o->b_transposed ? columns : depth, bytes = 0;
  char name[64];
  snprintf(name, sizeof name, "gemm %dx%dx%d", o->m, o->n, o->k);
  CLBlastStatusCode code =
      CLBlastSGemmTempBufferSize(layout, no, of_b, rows, columns, depth, o->a_offset, rows,
                                 o->b_offset, b_rows, o->c_offset, rows, &device->queue, &bytes);
  if (code == CLBlastSuccess) GF_TRY(provide(device, bytes));
  if (code == CLBlastSuccess) {
    device->launches++;
    cl_event *event =
        gf__profile_begin(device, name, 2.0 * o->m * o->n * o->k,
                          4.0 * ((double)o->m * o->k + (double)o->k * o->n + (double)o->m * o->n));
    code = CLBlastSgemmWithTempBuffer(layout, no, of_b, rows, columns, depth, 1.0f, o->a->memory,
                                      o->a_offset, rows, o->b->memory, o->b_offset, b_rows, o->beta,
                                      o->c->memory, o->c_offset, rows, &device->queue, event,
                                      bytes ? device->products : NULL);
    gf__profile_end(device);
  }
  /* Its codes are OpenCL's, and some of its own below. */
  return code == CLBlastSuccess
             ? GF_OK
             : gf__fail_cl(device, (cl_int)code, "CLBlast's product of %d x %d x %d failed", o->m,
                           o->n, o->k);
}
