/* gradflow: train deep convolutional networks on any OpenCL device, and see
 * where the gradient dies.
 *
 * Every function that can fail returns a gf_status; gf_error_message() says
 * what, where and what to do. The library never prints and never exits. What a
 * gf_*_open or gf_*_load hands out, the matching gf_*_free takes back: it
 * accepts a pointer to NULL and clears the pointer. */
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
#include <gradflow/layer.h>
#include <gradflow/model.h>
#include <gradflow/predict.h>
#include <gradflow/report.h>
#include <gradflow/scale.h>
#include <gradflow/status.h>
#include <gradflow/study.h>
#include <gradflow/train.h>

#endif
