"""gradflow.watch as a callback of Keras 3: model.fit(..., callbacks=[Watch("runs/mine", x, y)]).

Keras shows a callback neither batches nor gradients, and differently so on each of its backends. So
a batch of images is given to the callback, and at each record their gradients are computed anew.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ._activations import ACTIVATIONS, ALIVE, INPUTS, OUTPUTS
from ._records import Means, Records

_KINDS = {
    "Dense": "linear",
    "BatchNormalization": "batch_norm",
    "LayerNormalization": "layer_norm",
    "GroupNormalization": "group_norm",
    "UnitNormalization": "unit_norm",
    "RMSNormalization": "rms_norm",
    "Conv1D": "conv1d",
    "Conv2D": "conv2d",
    "Conv3D": "conv3d",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "MaxPooling2D": "max_pool",
    "AveragePooling2D": "avg_pool",
    "GlobalAveragePooling2D": "global_avg_pool",
    "Concatenate": "concat",
}
_BETWEEN = {"batch_norm", "layer_norm", "group_norm", "rms_norm", "add", "dropout"}
_SCALES = {"gamma", "scale"}  # of norms, which are weights as in PyTorch


def _kind_of(layer: Any) -> str:
    name = type(layer).__name__
    if name == "Activation":
        return _activation_of(layer) or "identity"
    if name in _KINDS:
        return _KINDS[name]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _activation_of(layer: Any) -> str | None:
    """The activation inside of a layer; None for none."""
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return name if name in ACTIVATIONS else None


def _dead(kind: str, layer: Any, x: np.ndarray | None, y: np.ndarray) -> float:
    """The fraction of channels, the last axis, that let no gradient through."""
    values, low, high = y, 0.0, math.inf
    if kind in OUTPUTS:
        low, high = OUTPUTS[kind]
    elif kind in INPUTS and x is not None:
        values, low = x, INPUTS[kind]
    elif kind == "leaky_relu":
        if abs(getattr(layer, "negative_slope", 0.2)) > ALIVE:
            return 0.0
    elif kind == "elu":
        low = min(ALIVE - getattr(layer, "alpha", 1.0), 0.0)
    else:
        return math.nan
    alive = (values > low) & (values < high)
    return 1 - float(alive.any(axis=tuple(range(y.ndim - 1))).mean())


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Records what the layers do while a model fits: at the last whole batch of each epoch.

    Gradients and activations are those of the images that are given here, in training; how far a
    step moved the weights is that of the fit's own step. Activations and edges are recorded of
    functional and sequential models.

    Args:
        folder: the run folder, which is created
        images, labels: a batch, as fit takes it
        classes: number of classes; by default the length of the scores
        class_names: one text per class
        overwrite: replaces a folder that an earlier watch has written
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        images: Any,
        labels: Any,
        *,
        classes: int | None = None,
        class_names: Sequence[str] | None = None,
        overwrite: bool = False,
    ) -> None:
        super().__init__()
        self._folder, self._overwrite = folder, overwrite
        self._images, self._labels = images, labels
        self._classes, self._class_names = classes, class_names
        self._records: Records | None = None
        self._known_steps: int | None = None
        self._before: list[np.ndarray] | None = None
        self._step = self._batches = 0

    # ---- what Keras calls ----

    def on_train_begin(self, logs: Any = None) -> None:
        self._records = Records(
            self._folder,
            overwrite=self._overwrite,
            framework="keras",
            framework_version=keras.__version__,
            device={"name": keras.backend.backend(), "type": "other", "platform": "Keras"},
        )
        self._known_steps = (self.params or {}).get("steps")
        self._has_network = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._means, self._batches, self._epoch = Means(), 0, epoch + 1

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # An epoch of unknown length has its record at its first batch.
        due = batch == (self._known_steps - 1 if self._known_steps else 0)
        self._before = self._read_weights() if due else None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._step, self._batches = self._step + 1, self._batches + 1
        if self._before is not None and self._records is not None:
            self._record(self._before)
            self._before = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._records is None:
            return
        logs = logs or {}
        validation, self._means.images = Means(), max(1, len(self._images)) * self._batches
        self._means.loss = float(logs.get("loss", math.nan))
        self._means.accuracy = self._accuracy(logs, "")
        validation.loss = float(logs.get("val_loss", math.nan))
        validation.accuracy = self._accuracy(logs, "val_")
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._records.add_epoch(self._epoch, rate, self._means, validation)
        self._known_steps = self._batches or self._known_steps

    def on_train_end(self, logs: Any = None) -> None:
        if self._records is not None:
            self._records.end(None)
            self._records = None

    def _accuracy(self, logs: dict[str, Any], prefix: str) -> float:
        for name, value in logs.items():
            if name.startswith(prefix) and re.fullmatch(r"\w*acc(uracy)?", name[len(prefix) :]):
                if bool(prefix) == name.startswith("val_"):
                    return float(value)
        return math.nan

    # ---- a record ----

    def _variables(self) -> Iterator[tuple[str, Any]]:
        """The trained variables with the names of their layers, from the input to the output."""
        seen = set()
        for layer in self.model._flatten_layers(include_self=False):
            for variable in layer.trainable_variables:
                owns = any(variable is own for own in layer._trainable_variables)
                if owns and id(variable) not in seen:
                    seen.add(id(variable))
                    yield layer.name, variable

    def _read_weights(self) -> list[np.ndarray]:
        return [self._numpy(variable) for _, variable in self._variables()]

    @staticmethod
    def _numpy(value: Any) -> np.ndarray:
        return np.asarray(keras.ops.convert_to_numpy(value), dtype=np.float64)

    def _record(self, before: list[np.ndarray]) -> None:
        assert self._records is not None
        kept = [(v, keras.ops.convert_to_numpy(v)) for v in self.model.non_trainable_variables]
        outputs, shapes = self._measure_outputs()
        gradients = self._gradients()
        for variable, value in kept:  # the running statistics of norms, and random states
            variable.assign(value)
        if not self._has_network:
            self._write_network(shapes)
        self._records.add_activations((self._epoch, self._step, *row) for row in outputs)
        rows = []
        for (layer, variable), old, g in zip(self._variables(), before, gradients):
            size = float(np.linalg.norm(old))
            moved = float(np.linalg.norm(self._numpy(variable) - old))
            magnitude = np.abs(g)
            numbers = (magnitude.mean(), np.linalg.norm(g), magnitude.max(), (g == 0).mean())
            is_weight = len(variable.shape) > 1 or variable.name in _SCALES
            rows.append(
                (self._epoch, self._step, layer, f"{layer}.{variable.name}")
                + tuple(map(float, numbers))
                + (moved / size if size else math.nan, size, int(is_weight))
            )
        self._records.add_gradients(rows)

    def _gradients(self) -> list[np.ndarray]:
        """Of the mean loss of the images, in the order of _variables."""
        variables = [variable for _, variable in self._variables()]
        backend = keras.backend.backend()
        found = getattr(self, f"_gradients_{backend}")(variables)
        return [
            np.zeros(tuple(variable.shape)) if g is None else self._numpy(g)
            for variable, g in zip(variables, found)
        ]

    def _loss(self) -> Any:
        images = keras.ops.convert_to_tensor(self._images)
        labels = keras.ops.convert_to_tensor(self._labels)
        scores = self.model(images, training=True)
        return self.model.compute_loss(x=images, y=labels, y_pred=scores)

    def _gradients_torch(self, variables: list[Any]) -> list[Any]:
        import torch

        values = [variable.value for variable in variables]
        return list(torch.autograd.grad(self._loss(), values, allow_unused=True))

    def _gradients_tensorflow(self, variables: list[Any]) -> list[Any]:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self._loss()
        return list(tape.gradient(loss, [variable.value for variable in variables]))

    def _gradients_jax(self, variables: list[Any]) -> list[Any]:
        import jax

        def loss_of(values: list[Any]) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values))):
                return self._loss()

        return list(jax.grad(loss_of)([variable.value for variable in variables]))

    # ---- layers ----

    def _layers(self) -> list[Any]:
        is_graph = bool(getattr(self.model, "inputs", None))
        layers = self.model.layers if is_graph else []
        return [layer for layer in layers if type(layer).__name__ != "InputLayer"]

    def _measure_outputs(self) -> tuple[list[tuple[Any, ...]], dict[str, list[int]]]:
        """The numbers of activations.csv, and the shape of each layer's output."""
        layers, rows, shapes = self._layers(), [], {}
        if not layers:
            return [], {}
        whole = keras.Model(self.model.inputs, [layer.output for layer in layers])
        outputs = whole(keras.ops.convert_to_tensor(self._images), training=True)
        before: np.ndarray | None = None
        for layer, output in zip(layers, outputs if isinstance(outputs, list) else [outputs]):
            y, kind, inside = self._numpy(output), _kind_of(layer), _activation_of(layer)
            if keras.config.image_data_format() == "channels_first" and y.ndim > 3:
                y = np.moveaxis(y, 1, -1)
            shapes[layer.name] = [1] * (4 - y.ndim) + list(y.shape[1:])
            is_weighted = bool(layer.trainable_variables) or kind.endswith("norm")
            if kind in ACTIVATIONS or is_weighted:
                dead, name = _dead(kind, layer, before, y), layer.name
                if inside and kind != inside:  # what is seen is the activation's output
                    dead, name = _dead(inside, layer, None, y), f"{layer.name}.{inside}"
                rows.append((name, *_statistics(y, dead)))
            before = y
        return rows, shapes

    def _inputs_of(self, layer: Any) -> list[str]:
        names = []
        for node in layer._inbound_nodes[:1]:
            for parent in node.parent_nodes:
                operation = parent.operation
                is_input = type(operation).__name__ == "InputLayer"
                inside = _activation_of(operation)
                has_inside = inside is not None and _kind_of(operation) != inside
                name = f"{operation.name}.{inside}" if has_inside else operation.name
                names.append("input" if is_input else name)
        return names

    def _write_network(self, shapes: dict[str, list[int]]) -> None:
        assert self._records is not None
        layers: list[dict[str, Any]] = []
        own = self._layers() or list(self.model._flatten_layers(include_self=False))
        for layer in own:
            inputs = self._inputs_of(layer) if shapes else []
            tensors: list[dict[str, Any]] = [
                {
                    "name": f"{layer.name}.{variable.name}",
                    "shape": list(variable.shape),
                    "trainable": bool(variable.trainable),
                }
                for variable in layer.weights
            ]
            count = sum(math.prod(t["shape"]) for t in tensors if t["trainable"])
            entry = {
                "name": layer.name,
                "type": _kind_of(layer),
                "inputs": inputs,
                "output": shapes.get(layer.name, []),
                "parameters": count,
                "tensors": tensors,
            }
            layers.append(entry)
            inside = _activation_of(layer)
            if inside and entry["type"] != inside:
                entry["activation"] = f"{layer.name}.{inside}"
                layers.append(
                    {**entry, "name": entry["activation"], "type": inside, "inputs": [layer.name]}
                )
                layers[-1].update(parameters=0, tensors=[])
                del layers[-1]["activation"]
        _add_activations(layers)
        image = list(getattr(self.model, "input_shape", ()) or ())[1:]
        is_shape = bool(image) and all(isinstance(side, int) for side in image) and len(image) < 4
        scores = getattr(self.model, "output_shape", None)
        classes = self._classes or (scores[-1] if isinstance(scores, tuple) else None)
        epsilon = getattr(self.model.optimizer, "epsilon", None)
        decay = getattr(self.model.optimizer, "weight_decay", None)
        self._records.write_network(
            {
                "image": [1] * (3 - len(image)) + image if is_shape else None,
                "classes": classes,
                "class_names": list(self._class_names) if self._class_names else None,
                "layers": layers,
                "logit_layer": layers[-1]["name"] if layers else None,
                "parameters": sum(layer["parameters"] for layer in layers),
                "optimizer": {
                    "kind": type(self.model.optimizer).__name__.lower(),
                    "eps": None if epsilon is None else float(epsilon),
                    "weight_decay": None if decay is None else float(decay),
                },
                "statistics": {
                    "gradient_images": len(self._images),
                    "activation_images": len(self._images),
                    "norm_images": len(self._images),
                },
            }
        )
        self._has_network = True


def _add_activations(layers: list[dict[str, Any]]) -> None:
    """Names the activation that a layer's output goes through, where it is one of its own."""
    readers: dict[str, list[dict[str, Any]]] = {}
    for layer in layers:
        for name in layer["inputs"]:
            readers.setdefault(name, []).append(layer)
    for layer in layers:
        following = readers.get(layer["name"], []) if layer["tensors"] else []
        while len(following) == 1 and "activation" not in layer:
            if following[0]["type"] in ACTIVATIONS:
                layer["activation"] = following[0]["name"]
            elif following[0]["type"] not in _BETWEEN:
                break
            following = readers.get(following[0]["name"], [])


def _statistics(y: np.ndarray, dead: float) -> tuple[float, float, float, float]:
    """Mean, deviation, dead, contrast, of (images, ...)."""
    energy = float((y * y).sum())
    varying = float(((y - y.mean(0)) ** 2).sum())
    contrast = varying / energy if energy > 0 else 0.0
    return float(y.mean()), float(y.std()), dead, contrast if len(y) > 1 else math.nan
