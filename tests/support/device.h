/* The device and a folder, for tests of networks and runs. */
#ifndef SUPPORT_DEVICE_H
#define SUPPORT_DEVICE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/device.h>

#include "base/file.h"
#include "base/os.h"
#include "support/assert.h"
#include "support/folder.h"
#include "support/inputs.h"

extern gf_device *fixture_device;

/* Group setup and teardown: an empty folder, and the default device. */
int fixture_open(void **state);
int fixture_close(void **state);

#endif
