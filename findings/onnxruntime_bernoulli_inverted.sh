#!/usr/bin/env bash
# Package: onnxruntime 1.32.0 (CPU) with onnx 1.23.2 and numpy 2.4.6, from PyPI.
#
# Behaviour: Bernoulli draws 1 with a probability of 1 - p. The specification says p, and so does the
# evaluator of the onnx package draw. The function that the onnx package has with the operator's
# definition, for runtimes without a kernel of their own, is 1 where a uniform number is greater than
# p. A network that was exported in training mode, whose
# dropout is a Bernoulli of what is kept, so keeps what it should drop, and divides it by the other
# fraction; one that keeps everything gives zeros.
#
# Output seen:
#   p 0.00: onnxruntime 1.00, evaluator 0.00
#   p 0.25: onnxruntime 0.75, evaluator 0.25
#   p 0.75: onnxruntime 0.25, evaluator 0.75
#   p 1.00: onnxruntime 0.00, evaluator 1.00
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0

cat >"$folder/bernoulli.py" <<'PYTHON'
import numpy
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

SHAPE = (100000,)
graph = helper.make_graph(
    [helper.make_node("Bernoulli", ["p"], ["y"], seed=1.0)],
    "bernoulli",
    [helper.make_tensor_value_info("p", TensorProto.FLOAT, SHAPE)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
model.ir_version = 8
session = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=["CPUExecutionProvider"]
)
evaluator = ReferenceEvaluator(model)

for p in (0, 0.25, 0.75, 1):
    feed = {"p": numpy.full(SHAPE, p, numpy.float32)}
    ones = [run.run(None, feed)[0].mean() for run in (session, evaluator)]
    print(f"p {p:.2f}: onnxruntime {ones[0]:.2f}, evaluator {ones[1]:.2f}")
PYTHON
expected=$(sed -n '/^# Output seen:/,/^set/s/^#   //p' "$0")
output=$("$folder/venv/bin/python" "$folder/bernoulli.py")
printf '%s\n' "$output"
[[ $output == "$expected" ]] || { echo 'this is not what was seen before' >&2 && exit 1; }
