#!/usr/bin/env bash
# Package: onnx 1.23.2 (onnx.reference.ReferenceEvaluator), beside onnxruntime 1.32.0 and numpy 2.4.6,
# from PyPI.
#
# Behaviour: an AveragePool of 3x3 with stride 3 and ceil_mode=1 over 7x7 pixels has a last window that
# holds one row and one column of the image; the rest of it hangs over the edge. onnxruntime averages
# the one pixel that is there, 49, and so does PyTorch's avg_pool2d. The reference evaluator returns 41,
# the mean of the last whole window of 3x3 pixels, as if the window had been pushed back inside; the
# shapes agree, and nothing is raised. The same with opsets 11, 19 and 22. With stride 2, where no
# window begins beyond the last whole one, both agree. One would expect the evaluator that ships with
# the standard to be what others are compared with; a test of an exported network with such a pool
# needs another one.
#
# Output seen:
#   opset 11 stride 2: onnxruntime 41, reference 41
#   opset 11 stride 3: onnxruntime 49, reference 41
#   opset 19 stride 2: onnxruntime 41, reference 41
#   opset 19 stride 3: onnxruntime 49, reference 41
#   opset 22 stride 2: onnxruntime 41, reference 41
#   opset 22 stride 3: onnxruntime 49, reference 41
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0

cat >"$folder/pool.py" <<'PYTHON'
import numpy
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

image = numpy.arange(1, 50, dtype=numpy.float32).reshape(1, 1, 7, 7)
for opset in (11, 19, 22):
    for stride in (2, 3):
        node = helper.make_node(
            "AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[stride, stride], ceil_mode=1
        )
        graph = helper.make_graph(
            [node],
            "pool",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 7, 7])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10
        )
        session = onnxruntime.InferenceSession(model.SerializeToString())
        runtime = session.run(None, {"x": image})[0]
        reference = ReferenceEvaluator(model).run(None, {"x": image})[0]
        assert runtime.shape == reference.shape == (1, 1, 3, 3)
        print(
            f"opset {opset} stride {stride}: onnxruntime {runtime[0, 0, 2, 2]:g}, "
            f"reference {reference[0, 0, 2, 2]:g}"
        )
PYTHON
expected=$(sed -n '/^# Output seen:/,/^set/s/^#   //p' "$0")
output=$("$folder/venv/bin/python" "$folder/pool.py")
printf '%s\n' "$output"
[[ $output == "$expected" ]] || { echo 'this is not what was seen before' >&2 && exit 1; }
