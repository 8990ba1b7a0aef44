"""Where activations let a gradient through, by their names in network.json.

Needs nothing but the standard library.
"""

from __future__ import annotations

import math

# A unit with a derivative of at most this is dead, or saturated (docs/diagnosis.md).
ALIVE = 0.01

# Bounds of the output y between which the derivative is larger than ALIVE.
_TANH = math.sqrt(1 - ALIVE)
_SIGMOID = 0.5 - math.sqrt(0.25 - ALIVE)
OUTPUTS: dict[str, tuple[float, float]] = {
    "relu": (0, math.inf),
    "relu6": (0, 6),
    "tanh": (-_TANH, _TANH),
    "sigmoid": (_SIGMOID, 1 - _SIGMOID),
    "hard_sigmoid": (0, 1),
    "softplus": (-math.log(1 - ALIVE), math.inf),
    "softsign": (-0.9, 0.9),
    "selu": (ALIVE - 1.0507009873554805 * 1.6732632423543772, math.inf),
}

# Bounds of the input below which the derivative stays within ALIVE of 0.
INPUTS = {"gelu": -3.0674, "silu": -6.2614, "mish": -6.2640, "hard_swish": -3.0}

ACTIVATIONS = {
    *OUTPUTS,
    *INPUTS,
    "leaky_relu",
    "prelu",
    "elu",
    "celu",
    "hard_tanh",
    "log_sigmoid",
}
