"""Statistics of tensors, left on their device: whoever reads them waits for it once."""

from __future__ import annotations

import math
from typing import Any, Callable, Optional

import torch

# A unit with a derivative of at most this is dead, or saturated (docs/diagnosis.md).
ALIVE = 0.01

GRADIENT_VALUES = 4  # mean |g|, L2, max |g|, zeros
ACTIVATION_VALUES = 5  # mean, deviation, dead, contrast, root of the mean square

Alive = Callable[[torch.Tensor, torch.Tensor, Any], Optional[torch.Tensor]]


def _as_float(x: torch.Tensor) -> torch.Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _norm(x: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
    """The L2 norm, of values whose squares may be too small or too large for their type."""
    # Only where a value is at hand is it looked at.
    if x.device.type == "cpu" and 1e-15 < float(largest) < 1e15:
        return torch.linalg.vector_norm(x)
    scale = torch.where(largest > 0, largest, torch.ones_like(largest))
    return torch.linalg.vector_norm(x / scale) * scale


def norm(x: torch.Tensor) -> torch.Tensor:
    """The L2 norm of weights, whose squares are no such values."""
    return torch.linalg.vector_norm(_as_float(x))


def distance(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.dist(_as_float(x), _as_float(y))


def gradient_statistics(parameter: torch.Tensor) -> list[torch.Tensor]:
    """Of the parameter's gradient; one that was not computed is 0."""
    gradient, count = parameter.grad, parameter.numel()
    if gradient is None or count == 0:
        zero = torch.zeros((), device=parameter.device)
        return [zero, zero, zero, zero + 1]
    if gradient.is_sparse:  # of an embedding: what is not listed is 0
        gradient = gradient.coalesce().values()
    elif hasattr(gradient, "to_local"):
        gradient, count = gradient.to_local(), parameter.to_local().numel()  # type: ignore[attr-defined]
    g = _as_float(gradient.detach())
    largest = torch.linalg.vector_norm(g, math.inf) if g.numel() else g.new_zeros(())
    mean = torch.linalg.vector_norm(g, 1) / count
    return [mean, _norm(g, largest), largest, 1 - torch.count_nonzero(g) / count]


def activation_statistics(
    x: torch.Tensor, alive: torch.Tensor | None, channels_last: bool
) -> list[torch.Tensor]:
    """Of a layer's output (images, ...), with channels last or after the images."""
    x = _as_float(x.detach())
    count = math.sqrt(x.numel())
    mean, largest = x.mean(), torch.linalg.vector_norm(x, math.inf)
    size = _norm(x, largest)
    deviation = _norm(x - mean, largest) / count
    if x.shape[0] > 1:
        varying = _norm(x - x.mean(0, keepdim=True), largest)
        # Where a layer is 0 everywhere, nothing differs.
        contrast = (varying / torch.where(size > 0, size, torch.ones_like(size))) ** 2
    else:
        contrast = torch.full_like(mean, math.nan)
    if alive is None:
        dead = torch.full_like(mean, math.nan)
    else:
        channel = x.ndim - 1 if channels_last else 1
        others = [axis for axis in range(x.ndim) if axis != channel]
        dead = 1 - alive.detach().any(others).to(x.dtype).mean()
    return [mean, deviation, dead, contrast, size / count]


def channel_statistics(x: torch.Tensor, channels_last: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of each channel of the images of a batch."""
    x = _as_float(x.detach())
    channel = x.ndim - 1 if channels_last or x.ndim < 2 else 1
    others = [axis for axis in range(x.ndim) if axis != channel]
    variance, mean = torch.var_mean(x, others, correction=0)
    return mean, variance.sqrt()


# ---- which outputs of an activation are alive ----

# Bounds of the output y between which the derivative is larger than ALIVE.
_TANH = math.sqrt(1 - ALIVE)
_SIGMOID = 0.5 - math.sqrt(0.25 - ALIVE)
_OUTPUTS: dict[str, tuple[float, float]] = {
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
_INPUTS = {"gelu": -3.0674, "silu": -6.2614, "mish": -6.2640, "hard_swish": -3.0}

ACTIVATIONS = {
    *_OUTPUTS,
    *_INPUTS,
    "leaky_relu",
    "prelu",
    "elu",
    "celu",
    "hard_tanh",
    "log_sigmoid",
}


def _of_slope(y: torch.Tensor, slope: float) -> torch.Tensor:
    return torch.ones_like(y, dtype=torch.bool) if abs(slope) > ALIVE else y > 0


def alive_outputs(
    kind: str, x: torch.Tensor, y: torch.Tensor, options: dict[str, Any]
) -> torch.Tensor | None:
    """Where an activation lets a gradient through; None for what is no activation.

    Args:
        options: what the activation has of slope, alpha, weight, low, high
    """
    if kind in _OUTPUTS:
        low, high = _OUTPUTS[kind]
        return (y > low) & (y < high) if high < math.inf else y > low
    if kind in _INPUTS:
        return x > _INPUTS[kind]
    if kind == "leaky_relu":
        return _of_slope(y, options.get("slope", 0.01))
    if kind in ("elu", "celu"):
        # Below 0 the derivative of ELU is y + alpha, and that of CELU y / alpha + 1.
        alpha = options.get("alpha", 1.0)
        bound = ALIVE - alpha if kind == "elu" else alpha * (ALIVE - 1)
        return y > min(bound, 0.0)
    if kind == "hard_tanh":
        return (y > options.get("low", -1.0)) & (y < options.get("high", 1.0))
    if kind == "log_sigmoid":
        return x < -math.log(ALIVE / (1 - ALIVE))
    if kind == "prelu":
        slope = options["weight"].detach()
        if slope.numel() > 1:
            slope = slope.view(1, -1, *[1] * (y.ndim - 2))
        return (x > 0) | (slope.abs() > ALIVE)
    return None
