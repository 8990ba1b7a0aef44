#!/usr/bin/env bash
# Package: onnxruntime 1.32.0 (CPU) with onnx 1.23.2 and numpy 2.4.6, from PyPI.
#
# Behaviour: the maximum of numbers among which is a NaN depends on the operator and on where the NaN
# is. MaxPool and GlobalMaxPool drop the NaN and return the maximum of the rest, unless the NaN comes
# last, when they return NaN. ReduceMax returns NaN if the first value is NaN, drops one at the end, and
# for 1, NaN, 3, 2, NaN, 5, 6, 7 returns 6, which is neither the maximum nor NaN (seen on x86-64 with
# AVX-512; it looks as if the NaN took the 7 of its vector lane with it). Max of two tensors passes the
# NaN on. numpy and PyTorch return NaN everywhere. So an exported network whose activations are NaN may
# give finite scores from its first pool on, and a search for the layer where NaN appears cannot
# use a maximum.
#
# Output seen:
#   1 nan 3 2 nan 5 6 7: MaxPool 7, GlobalMaxPool 7, ReduceMax 6
#   nan 1 3 2 4 5 6 7: MaxPool 7, GlobalMaxPool 7, ReduceMax nan
#   1 7 3 2 4 5 6 nan: MaxPool nan, GlobalMaxPool nan, ReduceMax 7
#   Max of 1 nan and 0 0: 1 nan
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0

cat >"$folder/maximum.py" <<'PYTHON'
import numpy
import onnxruntime
from onnx import TensorProto, helper

nan = numpy.nan


def run(operator, *inputs, **attributes):
    names = [f"x{i}" for i in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], **attributes)],
        "maximum",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, x.shape) for n, x in zip(names, inputs)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, dict(zip(names, inputs)))[0].ravel()


def text(values):
    return " ".join(f"{v:g}" for v in numpy.ravel(values))


for values in ([1, nan, 3, 2, nan, 5, 6, 7], [nan, 1, 3, 2, 4, 5, 6, 7], [1, 7, 3, 2, 4, 5, 6, nan]):
    image = numpy.array(values, numpy.float32).reshape(1, 1, 2, 4)
    pooled = run("MaxPool", image, kernel_shape=[2, 4])
    whole = run("GlobalMaxPool", image)
    reduced = run("ReduceMax", image)
    print(f"{text(values)}: MaxPool {text(pooled)}, GlobalMaxPool {text(whole)}, ReduceMax {text(reduced)}")
pair = numpy.array([1, nan], numpy.float32)
print(f"Max of 1 nan and 0 0: {text(run('Max', pair, numpy.zeros_like(pair)))}")
PYTHON
expected=$(sed -n '/^# Output seen:/,/^set/s/^#   //p' "$0")
output=$("$folder/venv/bin/python" "$folder/maximum.py")
printf '%s\n' "$output"
[[ $output == "$expected" ]] || { echo 'this is not what was seen before' >&2 && exit 1; }
