"""What a fresh network does with a batch, before it is trained."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _c
from . import _library as lib
from ._training import Config, open_config


@dataclass(frozen=True)
class Theory:
    """Mean-field theory of wide random chains beside what was measured, per layer.

    Attributes:
        reason: why it says nothing of this network; else None
        chi: what a layer does to the squared gradient, and to small differences
        correlation: of two images' activations that the layers tend to
        depth: layers in which differences to it shrink to 1/e; may be infinite
        contrast_expected: what a layer multiplies contrast by
        gradient_expected: what a layer multiplies the gradient by on the way back
    """

    reason: str | None
    activation: str | None
    weight_variance: float
    bias_variance: float
    length: float
    chi: float
    correlation: float
    depth: float
    contrast_expected: float
    contrast_measured: float
    gradient_expected: float
    gradient_measured: float


@dataclass(frozen=True)
class Signal:
    """How much of a batch reaches each layer of a fresh network, and what gradient comes back.

    Attributes:
        headline: one line
        notes: what is wrong, a sentence or two each; empty where nothing is
        loss: of the batch; guess: ln(classes)
        layers: from the input to the output; the arrays have a number for each
        rms: root of the mean square of the outputs
        contrast: fraction of their energy that differs between the images
        contrast_expected: by mean-field theory; NaN where it says nothing
        dimension: effective number of directions in which up to 32 images differ
        dead: fraction of dead channels; NaN without an activation
        mean_abs: mean absolute gradient of the weight; NaN without one
        coherence: that divided by its mean over up to 8 images alone
        mean, deviation: (channels,) of the batch
        class_images: (classes,) of the batch
        duplicates: images that are equal to one before them
    """

    headline: str
    notes: tuple[str, ...]
    loss: float
    guess: float
    layers: tuple[str, ...]
    rms: np.ndarray
    contrast: np.ndarray
    contrast_expected: np.ndarray
    dimension: np.ndarray
    dead: np.ndarray
    mean_abs: np.ndarray
    coherence: np.ndarray
    theory: Theory
    mean: np.ndarray
    deviation: np.ndarray
    class_images: np.ndarray
    duplicates: int


_COLUMNS = ("rms", "contrast", "contrast_expected", "dimension", "dead", "mean_abs", "coherence")


def _theory(t: _c.gf_signal_theory) -> Theory:
    numbers = [name for name, kind in t._fields_ if kind is ctypes.c_double]
    return Theory(
        reason=lib.text(t.reason) if t.reason else None,
        activation=lib.text(t.activation) if t.activation else None,
        **{name: getattr(t, name) for name in numbers},
    )


def _signal(s: _c.gf_signal) -> Signal:
    rows = [s.layers[i] for i in range(s.layer_count)]
    b = s.batch
    return Signal(
        headline=lib.text(s.headline),
        notes=tuple(lib.text(s.notes[i]) for i in range(s.note_count)),
        loss=s.loss,
        guess=s.guess,
        layers=tuple(lib.text(row.layer) for row in rows),
        theory=_theory(s.theory),
        mean=np.array([b.mean[c] for c in range(b.channels)]),
        deviation=np.array([b.deviation[c] for c in range(b.channels)]),
        class_images=np.array([b.class_images[c] for c in range(b.classes)]),
        duplicates=b.duplicates,
        **{name: np.array([getattr(row, name) for row in rows]) for name in _COLUMNS},
    )


def signal(
    config: Config,
    *,
    device: str | None = None,
    settings: Mapping[str, Any] | None = None,
    picture: str | os.PathLike[str] | None = None,
) -> Signal:
    """Sends the first training batch of a config through its fresh network; nothing is trained.

    Args:
        config: the path of a YAML file, or the same as dictionaries
        device: "0:1", "cpu", "gpu" or a part of a name; None: a GPU before a CPU
        settings: replaces values of the config, as {"model.initialisation": "he"}
        picture: the path of a PNG of it; None: none is drawn

    Raises:
        Error: for a config without data or network.
    """
    library, found = lib.library(), ctypes.POINTER(_c.gf_signal)()
    with open_config(config, settings or {}) as opened, lib.open_device(device) as chosen:
        lib.check(library.gf_signal_open(ctypes.byref(found), chosen.value, opened.value))
        try:
            if picture is not None:
                lib.check(library.gf_signal_plot(found, lib.path(picture)))
            return _signal(found.contents)
        finally:
            library.gf_signal_free(ctypes.byref(found))
