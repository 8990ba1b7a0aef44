"""Reads files of gradflow with the Python library safetensors, and says what is not as it should be.

usage: check_safetensors.py weights FILE EXPECTED     (EXPECTED: JSON, {name: {shape, values}})
       check_safetensors.py checkpoint FILE WEIGHTS   (WEIGHTS: those that were saved with it)
"""

import hashlib
import json
import sys

import numpy
from safetensors import safe_open


def load(path):
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def compare(found, expected):
    if sorted(found) != sorted(expected):
        sys.exit(f"names: {sorted(found)} and not {sorted(expected)}")
    for name, tensor in found.items():
        if tensor.dtype != numpy.float32:
            sys.exit(f"{name}: {tensor.dtype}")
        if tensor.shape != expected[name].shape:
            sys.exit(f"{name}: {tensor.shape} and not {expected[name].shape}")
        if tensor.tobytes() != expected[name].tobytes():
            sys.exit(f"{name}: {tensor} and not {expected[name]}")


def check_weights(path, expected_path):
    with open(expected_path, encoding="utf-8") as file:
        rows = json.load(file)
    expected = {
        name: numpy.array(row["values"], numpy.float32).reshape(row["shape"])
        for name, row in rows.items()
    }
    tensors, metadata = load(path)
    compare(tensors, expected)
    if metadata != {"format": "pt"}:
        sys.exit(f"metadata: {metadata}")


def check_checkpoint(path, weights_path):
    tensors, metadata = load(path)
    weights, _ = load(weights_path)
    compare({name: t for name, t in tensors.items() if not name.startswith("optimizer.")}, weights)
    trained = [name for name in weights if "running_" not in name]
    for state in "first", "second":
        for name in trained:
            tensor = tensors.pop(f"optimizer.{state}.{name}")
            if tensor.shape != weights[name].shape or not numpy.any(tensor):
                sys.exit(f"the {state} state of {name}: {tensor}")
    if len(tensors) != len(weights):
        sys.exit(f"more states than parameters: {sorted(tensors)}")
    position = json.loads(metadata["gradflow"])
    if (position["epoch"], position["batch"], position["steps"]) != (3, 0, 12):
        sys.exit(f"position: {position}")
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        stored = header["__metadata__"].pop("digest")
        text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(text.encode() + file.read()).hexdigest()
    if stored != digest:
        sys.exit(f"SHA-256: {stored} and not {digest}")


if __name__ == "__main__":
    {"weights": check_weights, "checkpoint": check_checkpoint}[sys.argv[1]](*sys.argv[2:])
