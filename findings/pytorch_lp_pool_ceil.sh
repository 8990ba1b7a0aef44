#!/usr/bin/env bash
# Package: torch 2.15.0 (CPU), and for comparison onnxruntime 1.32.0 with onnx 1.23.2, from PyPI.
#
# Behaviour: lp_pool2d with ceil_mode=True over 3x3 ones, windows of 2x2 with stride 2: the window in the
# corner holds a single 1, whose norm is 1, and PyTorch returns 2. It averages the powers of what lies
# inside the image and multiplies by the size of a whole window, so that a window that hangs over the
# edge counts its values several times. ONNX's LpPool in onnxruntime returns 1 for it, so an exported
# network of such a layer computes something else. One would expect the norm of the values in the window.
#
# Output seen:
#   PyTorch:     2 2 2 2
#   onnxruntime: 2 1.41421 1.41421 1
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 torch==2.15.0

cat >"$folder/pool.py" <<'PYTHON'
import numpy
import onnxruntime
import torch
from onnx import TensorProto, helper

ones = numpy.ones((1, 1, 3, 3), numpy.float32)
pooled = torch.nn.functional.lp_pool2d(torch.from_numpy(ones), 2.0, 2, 2, ceil_mode=True)
print("PyTorch:     " + " ".join(f"{v:g}" for v in pooled.ravel().tolist()))

node = helper.make_node(
    "LpPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2], p=2, ceil_mode=1
)
graph = helper.make_graph(
    [node],
    "pool",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ones.shape)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString())
runtime = session.run(None, {"x": ones})[0]
print("onnxruntime: " + " ".join(f"{v:g}" for v in runtime.ravel()))
PYTHON
expected=$(sed -n '/^# Output seen:/,/^set/s/^#   //p' "$0")
output=$("$folder/venv/bin/python" "$folder/pool.py")
printf '%s\n' "$output"
[[ $output == "$expected" ]] || { echo 'this is not what was seen before' >&2 && exit 1; }
