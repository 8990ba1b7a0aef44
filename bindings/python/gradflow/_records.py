"""The files of a run folder, as docs/records.md specifies them, for any framework to write.

Needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ._library import Error

RECORDER = "gradflow.watch"

_HEADERS: dict[str, tuple[str, ...]] = {
    "metrics.csv": (
        "epoch",
        "learning_rate",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "predicted_classes",
        "most_predicted",
    ),
    "timing.csv": ("epoch", "seconds", "images_per_second"),
    "gradients.csv": (
        "epoch",
        "step",
        "layer",
        "parameter",
        "mean_abs",
        "l2",
        "max_abs",
        "zeros",
        "update_ratio",
        "weight_l2",
        "is_weight",
    ),
    "activations.csv": ("epoch", "step", "layer", "mean", "deviation", "dead", "contrast"),
    "early_steps.csv": ("step", "layer", "rms", "contrast", "dead", "mean_abs", "loss"),
}

# What a watched run, or gradflow on it, leaves in its folder; overwriting removes these alone.
_OWN_NAMES = {*_HEADERS, "environment.json", "network.json", "data.json", "result.json"}
_OWN_NAMES |= {"report.html"}
_OWN_ENDINGS = (".png", ".tmp")


def _cell(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _lines(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue()


def _is_own(folder: Path) -> bool:
    try:
        environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(environment, dict) and environment.get("recorder") == RECORDER


def _remove_own(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_file() and (path.name in _OWN_NAMES or path.name.endswith(_OWN_ENDINGS)):
            path.unlink()
    events = folder / "tensorboard" / "events.out.tfevents.0.gradflow"
    with contextlib.suppress(FileNotFoundError):
        events.unlink()


def _check(folder: Path, overwrite: bool) -> None:
    """Refuses a folder that has anything in it, unless it is to be overwritten and is a run."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir():
        raise Error("file", f"{folder} is there and is not a folder; choose another name")
    if not _is_own(folder):
        raise Error(
            "file",
            f"{folder} exists and was not written by gradflow.watch, so it is left as it is; "
            "choose another folder",
        )
    if not overwrite:
        raise Error(
            "file",
            f"{folder} exists; choose another folder, or replace the run with overwrite=True",
        )


class Records:
    """Writes a run folder. Rows are in their files when a call returns.

    Args:
        folder: is created; a run that is there is replaced only where overwrite is true
        framework: "pytorch", "keras", ...
        device: name, type, platform and driver of the device, as far as they are known
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        overwrite: bool,
        framework: str,
        framework_version: str,
        device: Mapping[str, Any],
    ) -> None:
        self.folder = Path(folder)
        self.framework, self.framework_version = framework, framework_version
        _check(self.folder, overwrite)
        self.folder.mkdir(parents=True, exist_ok=True)
        _remove_own(self.folder)
        # First, so that the folder is known as a run's even when it is cut off here.
        self._write_environment(device)
        for name, header in _HEADERS.items():
            self._append(name, [header])

    def _append(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        # In one write, so that a run that is killed leaves whole rows.
        with open(self.folder / name, "ab", buffering=0) as file:
            file.write(_lines(rows).encode())

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        temporary = self.folder / (name + ".tmp")
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, self.folder / name)

    def _write_environment(self, device: Mapping[str, Any]) -> None:
        from . import __version__

        self._write_json(
            "environment.json",
            {
                "started": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "recorder": RECORDER,
                "gradflow": __version__,
                "framework": {"name": self.framework, "version": self.framework_version},
                "python": platform.python_version(),
                "host_cpus": os.cpu_count() or 1,
                "device": dict(device),
            },
        )

    def write_network(self, content: Mapping[str, Any]) -> None:
        """Writes network.json; format and framework are added."""
        framework = {"name": self.framework, "version": self.framework_version}
        self._write_json("network.json", {"format": 1, "framework": framework, **content})

    def add_gradients(self, rows: Iterable[Sequence[Any]]) -> None:
        """Appends a record: rows in the order of the header of gradients.csv."""
        self._append("gradients.csv", rows)

    def add_activations(self, rows: Iterable[Sequence[Any]]) -> None:
        self._append("activations.csv", rows)

    def end(self, error: BaseException | None) -> None:
        """Writes result.json: the run has finished, or was stopped by an error."""
        if error is None:
            self._write_json("result.json", {"status": "finished"})
            return
        message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self._write_json("result.json", {"status": "stopped", "message": message})

    def add_early_steps(self, rows: Iterable[Sequence[Any]]) -> None:
        self._append("early_steps.csv", rows)

    def write_data(self, content: Mapping[str, Any]) -> None:
        """Writes data.json; its format is added."""
        self._write_json("data.json", {"format": 1, **content})

    def add_epoch(self, epoch: int, rate: float, train: Means, validation: Means) -> None:
        """Appends the rows of timing.csv and, the last one to be written, metrics.csv.

        Without any loss there is no row of metrics.csv.
        """
        seconds = time.monotonic() - train.started
        speed = train.images / seconds if seconds > 0 else math.nan
        self._append("timing.csv", [(epoch, round(seconds, 3), round(speed, 1))])
        if train.images == 0:
            return
        row = (epoch, rate, train.loss, train.accuracy, validation.loss, validation.accuracy)
        self._append("metrics.csv", [(*row, validation.predicted, validation.most_predicted)])


class Means:
    """Means over the images of an epoch, each of which counts alike; NaN where not known.

    Attributes:
        predicted: how many classes were predicted at least once; 0 where not known
        most_predicted: the fraction of images that were taken for the commonest class
    """

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.images = 0
        self.loss = self.accuracy = self.most_predicted = math.nan
        self.predicted = 0
