"""What a forward pass of a PyTorch model does: its layers, what they read, their statistics.

While a Trace is active it follows every call of a module, and inside of them the functions that are
layers without a module, such as torch.nn.functional.relu. Each tensor carries the names of the
layers that it comes from, so that structure needs no symbolic tracing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from . import _torch_statistics as statistics
from ._activations import ACTIVATIONS, INPUTS

INPUT = "input"
_ORIGIN = "_gradflow_origin"  # the attribute of a tensor

_MODULES = {
    "BatchNorm1d": "batch_norm",
    "BatchNorm2d": "batch_norm",
    "BatchNorm3d": "batch_norm",
    "SyncBatchNorm": "batch_norm",
    "InstanceNorm1d": "instance_norm",
    "InstanceNorm2d": "instance_norm",
    "InstanceNorm3d": "instance_norm",
    "RMSNorm": "rms_norm",
    "ReLU": "relu",
    "ReLU6": "relu6",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "CELU": "celu",
    "SELU": "selu",
    "GELU": "gelu",
    "SiLU": "silu",
    "LSTM": "lstm",
    "GRU": "gru",
    "RNN": "rnn",
    "Hardtanh": "hard_tanh",
    "Hardswish": "hard_swish",
    "Hardsigmoid": "hard_sigmoid",
    "LogSigmoid": "log_sigmoid",
    "Softplus": "softplus",
    "AdaptiveAvgPool2d": "global_avg_pool",
    "Conv1d": "conv1d",
    "Conv2d": "conv2d",
    "Conv3d": "conv3d",
    "MaxPool2d": "max_pool",
    "AvgPool2d": "avg_pool",
    "Dropout1d": "dropout",
    "Dropout2d": "dropout",
    "Dropout3d": "dropout",
    "DropPath": "stochastic_depth",
}

# Functions, and operators on tensors, by their names without underscores around them.
_FUNCTIONS = {
    **{name: name for name in ("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu")},
    **{name: name for name in ("silu", "mish", "sigmoid", "tanh", "softplus", "softsign")},
    **{name: name for name in ("prelu", "softmax", "flatten", "dropout", "linear", "matmul")},
    **{name: name for name in ("conv1d", "conv2d", "conv3d", "layer_norm", "group_norm")},
    **{name: name for name in ("batch_norm", "instance_norm", "rms_norm")},
    **{name: "add" for name in ("add", "iadd", "radd")},
    **{name: "multiply" for name in ("mul", "imul", "rmul", "multiply")},
    **{name: "concat" for name in ("cat", "concat", "concatenate")},
    "hardtanh": "hard_tanh",
    "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "logsigmoid": "log_sigmoid",
    "max_pool1d": "max_pool",
    "max_pool2d": "max_pool",
    "max_pool3d": "max_pool",
    "avg_pool1d": "avg_pool",
    "avg_pool2d": "avg_pool",
    "avg_pool3d": "avg_pool",
    "adaptive_avg_pool1d": "global_avg_pool",
    "adaptive_avg_pool2d": "global_avg_pool",
    "adaptive_avg_pool3d": "global_avg_pool",
    "scaled_dot_product_attention": "attention",
}
_JOINS = {"add", "multiply", "matmul", "concat"}  # layers only where several layers meet
_WEIGHTED = {"linear", "conv1d", "conv2d", "conv3d", "layer_norm", "group_norm", "batch_norm"}
_CHANNELS_LAST = {"linear", "layer_norm", "rms_norm", "embedding", "multihead_attention"}
_CHANNELS_LAST |= {"attention", "lstm", "gru", "rnn", "matmul"}
_CHANNELS_FIRST = {"conv1d", "conv2d", "conv3d", "batch_norm", "group_norm", "instance_norm"}
_BETWEEN = {"batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"}
_BETWEEN |= {"add", "dropout", "stochastic_depth"}


def kind_of(module: nn.Module) -> str:
    """The type of a module in network.json: gradflow's own word where it has the layer."""
    name = type(module).__name__
    if name in _MODULES:
        return _MODULES[name]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    return re.sub(r"_norm[123]d$", "_norm", words)


class Layer:
    """A call of a module or of a function in a forward pass."""

    def __init__(self, name: str, kind: str, inputs: tuple[str, ...]) -> None:
        self.name, self.kind, self.inputs = name, kind, inputs
        self.output: list[int] = []
        self.module: str | None = None  # of which it is the first call
        self.values: list[torch.Tensor] | None = None  # its statistics


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _origins(tensors: Iterable[torch.Tensor]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for tensor in tensors:
        names.update(dict.fromkeys(getattr(tensor, _ORIGIN, ((), None))[0]))
    return tuple(names)


def _is_last(tensors: Iterable[torch.Tensor]) -> bool | None:
    for tensor in tensors:
        origin = getattr(tensor, _ORIGIN, None)
        if origin is not None and origin[1] is not None:
            return bool(origin[1])
    return None


def _set_origin(value: Any, names: tuple[str, ...], last: bool | None) -> None:
    for tensor in _tensors(value):
        try:
            setattr(tensor, _ORIGIN, (names, last))
        except AttributeError:
            pass  # of a class with slots


def image_shape(x: torch.Tensor, last: bool) -> list[int]:
    """(height, width, channels) of one image; a volume's depth comes first."""
    sides = list(x.shape[1:])
    channels = [sides.pop(-1 if last else 0)] if sides else [1]
    return [1] * (2 - len(sides)) + sides + channels


def _options(module: nn.Module) -> dict[str, Any]:
    found = {
        "slope": getattr(module, "negative_slope", None),
        "alpha": getattr(module, "alpha", None),
        "low": getattr(module, "min_val", None),
        "high": getattr(module, "max_val", None),
        "weight": getattr(module, "weight", None),
    }
    return {name: value for name, value in found.items() if value is not None}


def _function_options(kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    second = args[1] if len(args) > 1 else None
    if kind == "leaky_relu":
        return {"slope": kwargs.get("negative_slope", 0.01 if second is None else second)}
    if kind in ("elu", "celu"):
        return {"alpha": kwargs.get("alpha", 1.0 if second is None else second)}
    if kind == "prelu":
        return {"weight": kwargs.get("weight", second)}
    if kind == "hard_tanh":
        low = -1.0 if second is None else second
        high = args[2] if len(args) > 2 else 1.0
        return {"low": kwargs.get("min_val", low), "high": kwargs.get("max_val", high)}
    return {}


def _is_own_leaf(module: nn.Module) -> bool:
    """Whether functions inside of the module are the module's own business."""
    is_torch = type(module).__module__.startswith("torch.")
    return is_torch and not isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict))


class _Mode(TorchFunctionMode):
    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        kind = _FUNCTIONS.get(getattr(function, "__name__", "").strip("_"))
        trace, before = self._trace, None
        try:
            # What an activation reads is gone after it where it works in place.
            before = trace.before(kind, args, kwargs)
        except Exception as error:
            trace.fail(error)
        out = function(*args, **kwargs)
        try:
            trace.after(kind, args, kwargs, before, out)
        except Exception as error:
            trace.fail(error)
        return out


class Trace:
    """The layers of the last training forward pass while it is active.

    Args:
        root: the model itself, without wrappers
        activations: whether statistics are taken
        fail: is called with an exception in what the trace does, which then should be stopped
    """

    def __init__(
        self, root: nn.Module, *, activations: bool, fail: Callable[[Exception], None]
    ) -> None:
        self._root, self._activations, self.fail = root, activations, fail
        self._names = {module: name for name, module in root.named_modules()}
        self._handles: list[Any] = []
        self._stack: list[tuple[nn.Module, torch.Tensor | None]] = []
        self._mode: _Mode | None = None
        self._ends = self._stops = False
        self.keeps_input = True  # until the first batch has been read
        self.input: tuple[torch.Tensor, ...] | None = None
        self.clear()

    def clear(self) -> None:
        self.layers: list[Layer] = []
        self._taken: dict[str, int] = {}
        self.order: dict[str, int] = {}  # of modules, by their first call
        self.images = 0
        self.image: list[int] | None = None
        self._ends = False

    def end_pass(self) -> None:
        """What is called next is of another forward pass."""
        self._ends = True

    def start(self) -> None:
        if self._handles:
            return
        self.clear()
        for module in self._names:
            self._handles.append(
                module.register_forward_pre_hook(self._on_enter, with_kwargs=True, prepend=True)
            )
            self._handles.append(
                module.register_forward_hook(self._on_leave, with_kwargs=True, always_call=True)
            )

    def stop(self) -> None:
        """In the middle of a forward pass this waits for its end."""
        if self._stack:
            self._stops = True
            return
        self._stops = False
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._end_mode()

    # ---- modules ----

    def _end_mode(self) -> None:
        if self._mode is not None:
            self._mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._mode = None

    def _is_active(self) -> bool:
        if not self._root.training or not torch.is_grad_enabled():
            return False
        # Checkpointed segments are computed again in the backward pass.
        return torch._C._current_graph_task_id() == -1

    def _on_enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        try:
            self._enter(module, args, kwargs)
        except Exception as error:
            self.fail(error)

    def _on_leave(self, module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
        try:
            self._leave(module, args, kwargs, out)
        except Exception as error:
            self.fail(error)
        if self._stops:
            self.stop()

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if not self._stack and not self._is_active():
            return
        inputs = [*_tensors(args), *_tensors(kwargs)]
        if not self._stack:
            self._begin(module, inputs)
        kept = None
        if self._activations and self._opaque() is None and inputs:
            kept = self._input_of(kind_of(module), inputs[0])
        self._stack.append((module, kept))
        self.order.setdefault(self._names[module], len(self.order))

    def _begin(self, module: nn.Module, inputs: list[torch.Tensor]) -> None:
        """The outermost module of a pass is called; there may be several, one after the other."""
        if module is self._root or self._ends:
            self.clear()
        self._mode = _Mode(self)
        self._mode.__enter__()  # type: ignore[no-untyped-call]
        if module is self._root or not self.layers:
            _set_origin(inputs, (INPUT,), None)
            if inputs:
                self.images = inputs[0].shape[0] if inputs[0].ndim else 1
                is_sequence = inputs[0].ndim == 3
                last = is_sequence and not inputs[0].is_floating_point()
                self.image = image_shape(inputs[0], last)
                if self.keeps_input and inputs[0].is_floating_point() and inputs[0].numel():
                    self.input = self._measure_input(inputs[0], last)

    def _measure_input(self, x: torch.Tensor, last: bool) -> tuple[torch.Tensor, ...]:
        """Mean and deviation of each channel, and the contrast of the batch."""
        with torch.no_grad(), torch._C.DisableTorchFunction():
            contrast = statistics.activation_statistics(x, None, last)[3]
            return (*statistics.channel_statistics(x, last), contrast)

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
        if not self._stack:
            return
        while self._stack[-1][0] is not module:  # one whose call has failed
            self._stack.pop()
        kept = self._stack.pop()[1]
        if not self._stack:
            self._end_mode()
        if self._stops or out is None or self._opaque() is not None or not self._is_layer(module):
            return
        inputs = [*_tensors(args), *_tensors(kwargs)]
        name = self._names[module] or kind_of(module)
        layer = self._add(name, kind_of(module), _origins(inputs))
        layer.module = self._names[module]
        self._finish(layer, inputs, kept, out, _options(module), self._is_measured(module, layer))

    def _opaque(self) -> nn.Module | None:
        """The module on the stack whose inside is not looked into."""
        for module, _ in self._stack:
            if _is_own_leaf(module):
                return module
        return None

    def _is_layer(self, module: nn.Module) -> bool:
        if _is_own_leaf(module):
            return not isinstance(module, nn.Identity)
        return not any(True for _ in module.children()) and module is not self._root

    def _is_measured(self, module: nn.Module, layer: Layer) -> bool:
        own = any(p is not None for p in module._parameters.values())
        is_norm = layer.kind.endswith("norm")
        return own or is_norm or layer.kind in ACTIVATIONS

    # ---- functions ----

    def before(self, kind: str | None, args: Any, kwargs: Any) -> torch.Tensor | None:
        if self._stops or kind is None or not args or not isinstance(args[0], torch.Tensor):
            return None
        return self._input_of(kind, args[0]) if self._opaque() is None else None

    def _input_of(self, kind: str, x: torch.Tensor) -> torch.Tensor | None:
        """Of activations that are judged by their inputs, and may work in place."""
        needs = kind in INPUTS or kind in ("prelu", "log_sigmoid")
        return x.detach().clone() if needs and self._activations else None

    def after(self, kind: str | None, args: Any, kwargs: Any, before: Any, out: Any) -> None:
        if self._stops or self._opaque() is not None or not any(True for _ in _tensors(out)):
            return
        inputs = [*_tensors(args), *_tensors(kwargs)]
        origins = _origins(inputs)
        if kind is None or not origins or (kind in _JOINS and len(origins) < 2):
            if origins:
                _set_origin(out, origins, _is_last(inputs))
            return
        module = self._names[self._stack[-1][0]] if self._stack else ""
        layer = self._add(f"{module}.{kind}" if module else kind, kind, origins)
        is_measured = kind in _WEIGHTED or kind in ACTIVATIONS
        self._finish(layer, inputs, before, out, _function_options(kind, args, kwargs), is_measured)

    # ---- layers ----

    def _add(self, name: str, kind: str, inputs: tuple[str, ...]) -> Layer:
        """Appends a layer; the second call of a module is NAME:2."""
        self._taken[name] = self._taken.get(name, 0) + 1
        if self._taken[name] > 1:
            name = f"{name}:{self._taken[name]}"
        self.layers.append(Layer(name, kind, inputs))
        return self.layers[-1]

    def _finish(
        self,
        layer: Layer,
        inputs: list[torch.Tensor],
        kept: torch.Tensor | None,
        out: Any,
        options: dict[str, Any],
        is_measured: bool,
    ) -> None:
        last = _is_last(inputs)
        if layer.kind in _CHANNELS_LAST:
            last = True
        if layer.kind in _CHANNELS_FIRST or layer.kind.startswith("conv_transpose"):
            last = False
        first = next(_tensors(out), None)
        _set_origin(out, (layer.name,), last)
        if first is None or first.ndim < 2:
            return
        is_last = last if last is not None else first.ndim == 2
        layer.output = image_shape(first, is_last)
        if not (is_measured and self._activations and first.is_floating_point() and first.numel()):
            return
        with torch.no_grad(), torch._C.DisableTorchFunction():
            y = first.detach()
            x = kept if kept is not None else y
            margin = statistics.alive_margin(layer.kind, x, y, options)
            layer.values = statistics.activation_statistics(y, margin, is_last)


# ---- network.json ----


def _readers(layers: list[Layer]) -> dict[str, list[Layer]]:
    found: dict[str, list[Layer]] = {}
    for layer in layers:
        for name in layer.inputs:
            found.setdefault(name, []).append(layer)
    return found


def _activation_of(layer: Layer, readers: dict[str, list[Layer]]) -> str | None:
    """The activation that the output goes through: directly, or after what keeps channels."""
    following = readers.get(layer.name, [])
    while len(following) == 1:
        if following[0].kind in ACTIVATIONS:
            return following[0].name
        if following[0].kind not in _BETWEEN:
            return None
        following = readers.get(following[0].name, [])
    return None


def _tensor_entries(module: nn.Module, name: str, shared: dict[int, str]) -> list[dict[str, Any]]:
    entries = []
    for own, parameter in module.named_parameters(recurse=False):
        full = f"{name}.{own}" if name else own
        if shared.setdefault(id(parameter), full) == full:
            entries.append(
                {
                    "name": full,
                    "shape": list(parameter.shape),
                    "trainable": parameter.requires_grad,
                }
            )
    for own, buffer in module.named_buffers(recurse=False):
        full = f"{name}.{own}" if name else own
        entries.append({"name": full, "shape": list(buffer.shape), "trainable": False})
    return entries


def describe(root: nn.Module, trace: Trace) -> list[dict[str, Any]]:
    """The layers for network.json: those called, then modules with tensors that were not."""
    readers = _readers(trace.layers)
    modules = dict(root.named_modules())
    shared: dict[int, str] = {}
    described, layers = set(), []
    for layer in trace.layers:
        tensors = []
        if layer.module is not None and layer.module not in described:
            described.add(layer.module)
            for inner, module in modules[layer.module].named_modules(prefix=layer.module):
                described.add(inner)
                tensors += _tensor_entries(module, inner, shared)
        layers.append(_entry(layer, tensors))
        if tensors and (activation := _activation_of(layer, readers)):
            layers[-1]["activation"] = activation
    for name, module in modules.items():
        if name not in described and (tensors := _tensor_entries(module, name, shared)):
            kind = kind_of(module)
            layers.append(_entry(Layer(name or kind, kind, ()), tensors))
    return layers


def _entry(layer: Layer, tensors: list[dict[str, Any]]) -> dict[str, Any]:
    parameters = 0
    for tensor in tensors:
        if tensor["trainable"]:
            count = 1
            for side in tensor["shape"]:
                count *= side
            parameters += count
    return {
        "name": layer.name,
        "type": layer.kind,
        "inputs": list(layer.inputs),
        "output": layer.output,
        "parameters": parameters,
        "tensors": tensors,
    }
