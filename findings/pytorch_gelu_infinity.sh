#!/usr/bin/env bash
# Package: torch 2.15.0 (CPU, x86-64) from PyPI.
#
# Behaviour: GELU of plus infinity is infinity for a tensor of one value and NaN for a tensor of two or
# more, in single precision; in double precision it is infinity for both, and so it is with
# approximate="tanh". The vector code multiplies infinity by a term that the scalar code does not have.
# So the same overflowed activation is reported as infinite or as NaN, depending on how many values its
# tensor has, and a search for the first NaN may name the GELU in place of the layer that overflowed. One
# would expect infinity, the limit.
#
# Output seen:
#   float32, 1 value: inf
#   float32, 2 values: nan
#   float32, 64 values: nan
#   float64, 64 values: inf
#   float32, 64 values, tanh: inf
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 torch==2.15.0

cat >"$folder/gelu.py" <<'PYTHON'
import torch

for kind, number, form in (
    (torch.float32, 1, "none"),
    (torch.float32, 2, "none"),
    (torch.float32, 64, "none"),
    (torch.float64, 64, "none"),
    (torch.float32, 64, "tanh"),
):
    infinite = torch.full((number,), float("inf"), dtype=kind)
    results = torch.nn.functional.gelu(infinite, approximate=form)
    name = str(kind).removeprefix("torch.")
    plural = "s" if number > 1 else ""
    suffix = "" if form == "none" else ", tanh"
    print(f"{name}, {number} value{plural}{suffix}: {results[0].item():g}")
PYTHON
expected=$(sed -n '/^# Output seen:/,/^set/s/^#   //p' "$0")
output=$("$folder/venv/bin/python" "$folder/gelu.py")
printf '%s\n' "$output"
[[ $output == "$expected" ]] || { echo 'this is not what was seen before' >&2 && exit 1; }
