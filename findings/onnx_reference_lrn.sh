#!/usr/bin/env bash
# Package: onnx 1.23.2 (onnx.reference.ReferenceEvaluator), beside onnxruntime 1.32.0 and numpy 2.4.6,
# from PyPI.
#
# Behaviour: LRN sums the squares of neighbouring channels. The reference evaluator does this only for
# as many channels as the batch has images; for all others it takes the sum as 0. With 4 images of 4
# channels it agrees with onnxruntime, with one image only the first channel is right. Nothing is
# raised, and with the usual bias of 1 the wrong channels are merely not normalised. One would expect
# a result per image that does not depend on how many images are in the batch.
#
# All values are 1, size 3, alpha 3, beta 1, bias 1: inner channels give 1/4 and outer ones 1/3.
#
# Output seen:
#   1 image: onnxruntime 0.333 0.250 0.250 0.333, reference 0.333 1.000 1.000 1.000
#   2 images: onnxruntime 0.333 0.250 0.250 0.333, reference 0.333 0.250 1.000 1.000
#   4 images: onnxruntime 0.333 0.250 0.250 0.333, reference 0.333 0.250 0.250 0.333
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0

cat >"$folder/lrn.py" <<'PYTHON'
import numpy
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

for images in (1, 2, 4):
    ones = numpy.ones((images, 4, 2, 2), numpy.float32)
    node = helper.make_node("LRN", ["x"], ["y"], size=3, alpha=3.0, beta=1.0, bias=1.0)
    graph = helper.make_graph(
        [node],
        "lrn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ones.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ones.shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    runtime = session.run(None, {"x": ones})[0]
    reference = ReferenceEvaluator(model).run(None, {"x": ones})[0]
    texts = [" ".join(f"{v:.3f}" for v in y[0, :, 0, 0]) for y in (runtime, reference)]
    plural = "s" if images > 1 else ""
    print(f"{images} image{plural}: onnxruntime {texts[0]}, reference {texts[1]}")
PYTHON
expected=$(sed -n '/^# Output seen:/,/^set/s/^#   //p' "$0")
output=$("$folder/venv/bin/python" "$folder/lrn.py")
printf '%s\n' "$output"
[[ $output == "$expected" ]] || { echo 'this is not what was seen before' >&2 && exit 1; }
