/* What CLBlast calls itself. */
#ifndef GF_DEVICE_BLAS_H
#define GF_DEVICE_BLAS_H

const char *gf__blas_version(void);

#endif
