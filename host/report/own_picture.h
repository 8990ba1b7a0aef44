/* Pictures that gradflow has drawn, and others of the same name. */
#ifndef GF_REPORT_OWN_PICTURE_H
#define GF_REPORT_OWN_PICTURE_H

#include "base/error.h"

/* GF_ERROR_FILE where there is a file that is no picture of gradflow's: it would be lost. */
gf_status gf__own_picture_check(const char *path) GF_MUST_USE;

#endif
