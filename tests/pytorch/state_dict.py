"""Fails unless FILE has exactly the tensors of a network's state dict, with their types and shapes."""

import sys

from safetensors.torch import load_file

from networks import NETWORKS

network, classes, path = sys.argv[1:]
model, state = NETWORKS[network](int(classes)), load_file(path)
kinds = {name: (tensor.dtype, tensor.shape) for name, tensor in state.items()}
expected = {name: (tensor.dtype, tensor.shape) for name, tensor in model.state_dict().items()}
assert kinds == expected, set(kinds.items()) ^ set(expected.items())
model.load_state_dict(state, strict=True)
