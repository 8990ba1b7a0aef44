"""Training, and what is told while it goes on."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np

from . import _c
from . import _library as lib


@dataclass(frozen=True)
class Step:
    """One training step. Loss and accuracy are means over its batch as it was trained.

    Attributes:
        epoch: from 1
        step: of the run, from 1
    """

    epoch: int
    step: int
    loss: float
    accuracy: float
    learning_rate: float


@dataclass(frozen=True)
class Epoch:
    """The end of an epoch. Validation is NaN without a validation split.

    Attributes:
        epoch: from 1
        epochs: of the run
        predicted_classes: how many classes at least one validation image was taken for
        most_predicted: the fraction of validation images that the commonest of them has
    """

    epoch: int
    epochs: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float
    images_per_second: float
    predicted_classes: int
    most_predicted: float


@dataclass(frozen=True)
class GradientStatistics:
    """The gradients of one step, a value a parameter tensor from the input to the output.

    Attributes:
        parameters: their names, "block_0_0_conv_0.weight"
        layers: the layers that they belong to
        is_weight: false for biases and shifts
        mean_abs, l2, max_abs: of the gradient
        zeros: share of elements that are exactly 0
        update_ratio: how far the step moved the parameter, as a share of its size (L2)
        nonfinite: elements that are an infinity or a NaN
        weight_l2: L2 norm of the parameter before the step
    """

    epoch: int
    step: int
    parameters: tuple[str, ...]
    layers: tuple[str, ...]
    is_weight: np.ndarray
    mean_abs: np.ndarray
    l2: np.ndarray
    max_abs: np.ndarray
    zeros: np.ndarray
    update_ratio: np.ndarray
    nonfinite: np.ndarray
    weight_l2: np.ndarray


Event = Union[Step, Epoch, GradientStatistics]
Config = Union[str, "os.PathLike[str]", Mapping[str, Any]]


class Run(os.PathLike[str]):
    """The folder of a run; os.fspath gives its path, so it stands for it everywhere."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def metrics(self) -> dict[str, np.ndarray]:
        """The columns of metrics.csv by their names, an array with a value an epoch each."""
        with open(self.folder / "metrics.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        values = np.array(rows[1:], dtype=float).reshape(-1, len(rows[0]))
        return {name: values[:, i] for i, name in enumerate(rows[0])}

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end: to its last epoch, or to one where train.stop ended it."""
        return bool(self._result().get("status") == "finished")

    @property
    def stopped_by(self) -> str | None:
        """What has ended the run before its last epoch by train.stop: "time", "vanishing", ..."""
        return self._result().get("stopped_by")

    def _result(self) -> dict[str, Any]:
        try:
            text = (self.folder / "result.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        result: dict[str, Any] = json.loads(text)
        return result


class _Witness:
    """Hands what the library tells to the callback; keeps what the callback raises, and stops."""

    def __init__(self, callback: Callable[[Event], object] | None) -> None:
        self._callback = callback
        self.error: BaseException | None = None
        self.stops = False

    def _tell(self, make: Callable[[], Event]) -> None:
        if self._callback is None or self.stops or self.error:
            return
        try:
            self.stops = self._callback(make()) is False
        except BaseException as error:  # raised behind gf_train
            self.error = error

    def step(self, _user: int | None, step: Any) -> None:
        s = step.contents
        self._tell(lambda: Step(s.epoch, s.step, s.loss, s.accuracy, s.learning_rate))

    def epoch(self, _user: int | None, epoch: Any) -> None:
        e = epoch.contents
        self._tell(lambda: Epoch(*(getattr(e, name) for name in lib.fields(_c.gf_epoch))))

    def gradients(self, _user: int | None, epoch: int, step: int, rows: Any, count: int) -> None:
        self._tell(lambda: _gradients_of(epoch, step, rows, count))

    def stop(self, _user: int | None) -> bool:
        return self.stops or self.error is not None

    def events(self) -> _c.gf_train_events:
        if self._callback is None:
            return _c.gf_train_events(stop=_c.gf_train_events_stop(self.stop))
        return _c.gf_train_events(
            epoch=_c.gf_train_events_epoch(self.epoch),
            stop=_c.gf_train_events_stop(self.stop),
            gradients=_c.gf_train_events_gradients(self.gradients),
            step=_c.gf_train_events_step(self.step),
        )


@contextlib.contextmanager
def _interrupts(witness: _Witness) -> Iterator[None]:
    """Lets Ctrl-C stop the run: raised in a function that C calls, KeyboardInterrupt would be lost.

    A handler of the program's own is left as it is.
    """

    def note(*_: object) -> None:
        witness.error = witness.error or KeyboardInterrupt()

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _gradients_of(epoch: int, step: int, rows: Any, count: int) -> GradientStatistics:
    def column(name: str, kind: type) -> np.ndarray:
        return np.array([getattr(rows[i], name) for i in range(count)], dtype=kind)

    return GradientStatistics(
        epoch=epoch,
        step=step,
        parameters=tuple(lib.text(rows[i].parameter) for i in range(count)),
        layers=tuple(lib.text(rows[i].layer) for i in range(count)),
        is_weight=column("is_weight", bool),
        mean_abs=column("mean_abs", float),
        l2=column("l2", float),
        max_abs=column("max_abs", float),
        zeros=column("zeros", float),
        update_ratio=column("update_ratio", float),
        nonfinite=column("nonfinite", int),
        weight_l2=column("weight_l2", float),
    )


def _plain(value: Any) -> Any:
    """What json does not know: paths, and numbers of numpy."""
    return value.item() if isinstance(value, np.generic) else os.fspath(value)


def open_config(config: Config, settings: Mapping[str, Any]) -> lib.Handle:
    library, opened = lib.library(), lib.Handle("gf_config_free")
    try:
        if isinstance(config, Mapping):
            # JSON is YAML.
            yaml = json.dumps(config, default=_plain).encode()
            lib.check(library.gf_config_parse(opened.place, b"config", yaml))
        else:
            lib.check(library.gf_config_load(opened.place, lib.path(config)))
        for key, value in settings.items():
            assignment = f"{key}={json.dumps(value, default=_plain)}".encode()
            lib.check(library.gf_config_set(opened.value, assignment))
    except BaseException:
        opened.close()
        raise
    return opened


def train(
    config: Config,
    *,
    out: str | os.PathLike[str],
    callback: Callable[[Event], object] | None = None,
    device: str | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    force: bool = False,
    checkpoint_steps: int = 0,
) -> Run:
    """Trains the network of a config on its data and leaves a run folder.

    Args:
        config: the path of a YAML file, or the same as dictionaries
        out: the run folder, which is created
        callback: is called with each Step, in order, about five times a second with all since the
            last time; with the GradientStatistics of a step about twice a second and at the end of
            each epoch; and with each Epoch. The run stops, with its weights and a checkpoint
            saved, where it returns False, raises an exception, or Ctrl-C is pressed.
        device: "0:1", "cpu", "gpu" or a part of a name; None: a GPU before a CPU
        settings: replaces values of the config, as {"train.epochs": 3}
        overwrite: replaces the run in the folder; one with other files in it is refused
        resume: goes on with the run in the folder, to the bit as if it had never stopped
        force: resumes although the config or the images are not those of the run so far
        checkpoint_steps: makes a checkpoint every so many steps; 0: at the end of each epoch

    Returns:
        The run. After a callback that returned False its is_finished is False.

    Raises:
        Error: with the library's message.
        What the callback raises, KeyboardInterrupt as well, once the run is saved.
    """
    library, witness = lib.library(), _Witness(callback)
    events = witness.events()
    options = library.gf_train_options_default()
    options.out = lib.path(out)
    options.overwrite, options.resume, options.force = overwrite, resume, force
    options.checkpoint_steps = checkpoint_steps
    options.events = events
    with open_config(config, settings or {}) as opened, lib.open_device(device) as on:
        with _interrupts(witness):
            status = library.gf_train(on.value, opened.value, options)
        if witness.error:
            raise witness.error
        if not (witness.stops and status == _c.GF_ERROR_INTERRUPTED):
            lib.check(status)
    return Run(out)
