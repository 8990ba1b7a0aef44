"""Statistics of tensors, left on their device: whoever reads them waits for it once."""

from __future__ import annotations

import math
from typing import Any

import torch

from ._activations import ALIVE, INPUTS, OUTPUTS

GRADIENT_VALUES = 4  # mean |g|, L2, max |g|, zeros
ACTIVATION_VALUES = 5  # mean, deviation, dead, contrast, root of the mean square


def _as_float(x: torch.Tensor) -> torch.Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _largest(x: torch.Tensor) -> torch.Tensor:
    """The largest magnitude; several times as fast as the norm of that name."""
    least, most = torch.aminmax(x)
    return torch.maximum(-least, most)


def _is_free_to_read(x: torch.Tensor) -> bool:
    """Other devices than the CPU would be waited for."""
    return bool(x.device.type == "cpu")


def _norm(x: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
    """The L2 norm, of values whose squares may be too small or too large for their type."""
    if _is_free_to_read(x) and 1e-15 < float(largest) < 1e15:
        return norm(x)
    scale = torch.where(largest > 0, largest, torch.ones_like(largest))
    return norm(x / scale) * scale


def norm(x: torch.Tensor) -> torch.Tensor:
    """The L2 norm of values whose squares their type can hold, as those of weights."""
    found: torch.Tensor = torch.linalg.vector_norm(_as_float(x))
    return found


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
        shard: Any = parameter
        gradient, count = gradient.to_local(), shard.to_local().numel()
    g = _as_float(gradient.detach())
    largest = _largest(g) if g.numel() else g.new_zeros(())
    mean = g.abs().sum() / count
    return [mean, _norm(g, largest), largest, 1 - torch.count_nonzero(g) / count]


def activation_statistics(
    x: torch.Tensor, margin: torch.Tensor | None, channels_last: bool
) -> list[torch.Tensor]:
    """Of a layer's output (images, ...), with channels last or after the images."""
    x = _as_float(x.detach())
    count = math.sqrt(x.numel())
    mean, largest = x.mean(), _largest(x)
    size = _norm(x, largest)  # of all values, as a vector
    deviation = _norm(x - mean, largest) / count
    if x.shape[0] > 1:
        varying = _norm(x - x.mean(0, keepdim=True), largest)
        # Where a layer is 0 everywhere, nothing differs.
        contrast = (varying / torch.where(size > 0, size, torch.ones_like(size))) ** 2
    else:
        contrast = torch.full_like(mean, math.nan)
    if margin is None:
        dead = torch.full_like(mean, math.nan)
    else:
        channel = x.ndim - 1 if channels_last else 1
        others = [axis for axis in range(x.ndim) if axis != channel]
        # The largest of each channel: much faster than any().
        dead = 1 - (margin.detach().amax(others) > 0).to(x.dtype).mean()
    return [mean, deviation, dead, contrast, size / count]


def channel_statistics(x: torch.Tensor, channels_last: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of each channel of the images of a batch."""
    x = _as_float(x.detach())
    channel = x.ndim - 1 if channels_last or x.ndim < 2 else 1
    others = [axis for axis in range(x.ndim) if axis != channel]
    variance, mean = torch.var_mean(x, others, correction=0)
    return mean, variance.sqrt()


# ---- which outputs of an activation are alive ----


def _between(y: torch.Tensor, low: float, high: float) -> torch.Tensor:
    if high == math.inf:
        return y - low if low else y
    return torch.minimum(y - low, high - y)


def alive_margin(
    kind: str, x: torch.Tensor, y: torch.Tensor, options: dict[str, Any]
) -> torch.Tensor | None:
    """Above 0 where an activation from x to y lets a gradient through; None for no activation.

    Args:
        options: what the activation has of slope, alpha, weight, low, high
    """
    if kind in OUTPUTS:
        return _between(y, *OUTPUTS[kind])
    if kind in INPUTS:
        return _between(x, INPUTS[kind], math.inf)
    if kind == "leaky_relu":
        return torch.ones_like(y) if abs(options.get("slope", 0.01)) > ALIVE else y
    if kind in ("elu", "celu"):
        # Below 0 the derivative of ELU is y + alpha, and that of CELU y / alpha + 1.
        alpha = options.get("alpha", 1.0)
        bound = ALIVE - alpha if kind == "elu" else alpha * (ALIVE - 1)
        return _between(y, min(bound, 0.0), math.inf)
    if kind == "hard_tanh":
        return _between(y, options.get("low", -1.0), options.get("high", 1.0))
    if kind == "log_sigmoid":
        return -math.log(ALIVE / (1 - ALIVE)) - x
    if kind == "prelu":
        slope = options["weight"].detach().abs()
        if slope.numel() > 1:
            slope = slope.view(1, -1, *[1] * (y.ndim - 2))
        return torch.where(slope > ALIVE, torch.ones_like(x), x)
    return None
