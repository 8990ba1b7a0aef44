"""What the gradients of a run did."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _c
from . import _library as lib


@dataclass(frozen=True)
class Remedy:
    """What helps, why, and who found it.

    Attributes:
        setting: the setting that does it, as "model.shortcut=identity"; None where the config is a
            graph of its own, or there is none
        code: the same as lines of PyTorch or Keras, for runs that were recorded there
    """

    text: str
    setting: str | None
    code: str | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that is so with the gradients of a run.

    Attributes:
        verdict: "vanishing", "rate too high", ..., "healthy"; docs/diagnosis.md has all
        headline: it in one line
        evidence: sentences with the numbers
        threshold: against which value, and its source
    """

    verdict: str
    headline: str
    evidence: str
    threshold: str
    remedies: tuple[Remedy, ...]


@dataclass(frozen=True)
class GradientHistory:
    """Statistics of the gradients of each layer's weights, an epoch a row, a layer a column.

    Attributes:
        layers: from the input to the output
        epochs: (epochs,)
        mean_abs: (epochs, layers) mean absolute gradient
        l2: (epochs, layers) L2 norm
        zeros: (epochs, layers) share of elements that are exactly 0
        update_ratio: (epochs, layers) how far the step moved the weights, as a share of their size
    """

    layers: tuple[str, ...]
    epochs: np.ndarray
    mean_abs: np.ndarray
    l2: np.ndarray
    zeros: np.ndarray
    update_ratio: np.ndarray


@dataclass(frozen=True)
class Diagnosis:
    """What is found in a run.

    Attributes:
        findings: the most important one first; there is one at least
        dead: (layers,) share of dead channels behind each layer in the last epoch; NaN where there
            is no activation
    """

    findings: tuple[Finding, ...]
    gradients: GradientHistory
    dead: np.ndarray


def _array(pointer: Any, *shape: int) -> np.ndarray:
    if not pointer or 0 in shape:
        return np.empty(shape)
    return np.ctypeslib.as_array(pointer, shape).copy()


def _finding(found: _c.gf_finding) -> Finding:
    remedies = tuple(
        Remedy(
            lib.text(r.text),
            lib.text(r.setting) if r.setting else None,
            lib.text(r.code) if r.code else None,
        )
        for r in found.remedies[: found.remedy_count]
    )
    return Finding(
        verdict=lib.text(lib.library().gf_verdict_name(found.verdict)),
        headline=lib.text(found.headline),
        evidence=lib.text(found.evidence),
        threshold=lib.text(found.threshold),
        remedies=remedies,
    )


def _history(d: _c.gf_diagnosis) -> GradientHistory:
    shape = (d.epoch_count, d.layer_count)
    return GradientHistory(
        layers=tuple(lib.text(d.layers[i]) for i in range(d.layer_count)),
        epochs=_array(d.epochs, d.epoch_count),
        mean_abs=_array(d.mean_abs, *shape),
        l2=_array(d.l2, *shape),
        zeros=_array(d.zeros, *shape),
        update_ratio=_array(d.update_ratio, *shape),
    )


def diagnose(run: str | os.PathLike[str]) -> Diagnosis:
    """Reads a run folder and says what its gradients did, and what helps.

    Raises:
        Error: for a folder that is no run's, or whose run has not finished an epoch.
    """
    library, opened = lib.library(), ctypes.POINTER(_c.gf_diagnosis)()
    lib.check(library.gf_diagnosis_open(ctypes.byref(opened), lib.path(run)))
    try:
        d = opened.contents
        return Diagnosis(
            findings=tuple(_finding(d.findings[i]) for i in range(d.finding_count)),
            gradients=_history(d),
            dead=_array(d.dead, d.layer_count),
        )
    finally:
        library.gf_diagnosis_free(ctypes.byref(opened))


def gradients(run: str | os.PathLike[str]) -> GradientHistory:
    """The gradient statistics of a run folder, epoch by epoch and layer by layer."""
    return diagnose(run).gradients
