/** @file
 * gradflow: train deep convolutional networks on any OpenCL device, and see where the gradient
 * dies.
 *
 * @mainpage
 * What holds for all functions:
 *
 * - **Errors.** A function that can fail returns a gf_status. When that is not GF_OK,
 *   gf_error_message() says what failed, where, and what to do. Every one of them may return
 *   GF_ERROR_MEMORY, and whatever works on a device GF_ERROR_DEVICE and GF_ERROR_DEVICE_MEMORY; the
 *   comments name the other errors that have a meaning of their own. The library never prints and
 *   never exits.
 * - **Ownership.** What gf_*_open, gf_*_load or gf_*_parse gives the caller is freed by the
 *   gf_*_free of the same type, which accepts a pointer to NULL and sets the pointer to NULL.
 *   Arguments stay the caller's; a function copies what it needs after it has returned. After a
 *   failure an `out` of such a type is NULL.
 * - **Options.** A struct gf_*_options is filled by the function gf_*_options_default(), after
 *   which the caller changes the members that matter to it. Later versions add members, whose
 *   defaults do what was done before, so that a program written this way need only be compiled
 *   again.
 * - **Threads.** Different threads may use the library at the same time, each with objects of its
 *   own. An object, and everything that was opened from it (the models and trainers of a device),
 *   is used by one thread at a time. What a communicator takes part in, and gf_layer_register(),
 *   have rules of their own.
 * - **Callbacks.** They are called on the thread that called the function, unless their comments
 *   say otherwise, and what they are passed is valid until they return. Each may be NULL. They must
 *   not call the function that calls them, nor use the objects that it works on.
 * - **Layouts.** Images are (count, height, width, channels), the last one contiguous.
 */
#ifndef GRADFLOW_H
#define GRADFLOW_H

#include <gradflow/bench.h>
#include <gradflow/communicator.h>
#include <gradflow/config.h>
#include <gradflow/convert.h>
#include <gradflow/data.h>
#include <gradflow/device.h>
#include <gradflow/diagnosis.h>
#include <gradflow/divergence.h>
#include <gradflow/fetch.h>
#include <gradflow/inspect.h>
#include <gradflow/layer.h>
#include <gradflow/model.h>
#include <gradflow/predict.h>
#include <gradflow/rate_test.h>
#include <gradflow/report.h>
#include <gradflow/scale.h>
#include <gradflow/status.h>
#include <gradflow/study.h>
#include <gradflow/train.h>
#include <gradflow/trial.h>

#endif
