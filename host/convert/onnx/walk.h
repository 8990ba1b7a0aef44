/* From the nodes of an ONNX file to layers. */
#ifndef GF_CONVERT_ONNX_WALK_H
#define GF_CONVERT_ONNX_WALK_H

#include "convert/onnx/importing.h"

/* Imports the nodes of im->file, whose images are of the size that the file says, or of image where
 * it says none. *logits: the layer of the output. GF_ERROR_DATA for a damaged file, and with a list
 * of all nodes that cannot be imported. */
gf_status gf__import_walk(gf__importing *im, gf_image_shape image, int *logits) GF_MUST_USE;

#endif
