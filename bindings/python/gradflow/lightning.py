"""gradflow.watch as a callback of Lightning: Trainer(callbacks=[Watch("runs/mine")])."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from . import _watch

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    from pytorch_lightning.callbacks import Callback  # type: ignore[assignment]


class Watch(Callback):
    """Records what the layers do while a Trainer fits; see gradflow.watch for the arguments.

    The losses are those that training_step returns. Where it returns a dictionary with "loss",
    "scores" and "labels", the accuracy is that of these; else it is the metric of the name
    train_accuracy, as it was logged.

    Args:
        optimizer: which of the module's optimizers is watched, from 0
        train_accuracy, validation_loss, validation_accuracy: names of logged metrics
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        classes: int | None = None,
        class_names: Sequence[str] | None = None,
        every: int = _watch.EVERY,
        activations: bool = True,
        overwrite: bool = False,
        optimizer: int = 0,
        train_accuracy: str = "train_acc",
        validation_loss: str = "val_loss",
        validation_accuracy: str = "val_acc",
    ) -> None:
        super().__init__()
        self._folder = folder
        self._options: dict[str, Any] = {
            "classes": classes,
            "class_names": class_names,
            "every": every,
            "activations": activations,
            "overwrite": overwrite,
        }
        self._optimizer = optimizer
        self._names = (train_accuracy, validation_loss, validation_accuracy)
        self._watch: _watch.Watch | None = None
        self._has_accuracy = False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._watch = _watch.Watch(
            pl_module, trainer.optimizers[self._optimizer], self._folder, **self._options
        )

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._watch is None or outputs is None:
            return
        if not isinstance(outputs, dict):
            outputs = {"loss": outputs}
        scores, labels = outputs.get("scores"), outputs.get("labels")
        self._has_accuracy = scores is not None and labels is not None
        images = None if labels is not None else _images_of(batch)
        loss = outputs["loss"]
        if pl_module.automatic_optimization:
            loss = loss * trainer.accumulate_grad_batches  # by which Lightning has divided it
        self._watch.batch(loss, scores, labels, images=images)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Validation, where there is any, comes before."""
        if self._watch is None:
            return
        metrics = trainer.callback_metrics
        accuracy, *validation = (metrics.get(name) for name in self._names)
        if accuracy is not None and not self._has_accuracy:
            self._watch.set_accuracy(float(accuracy))
        self._watch.end_epoch(*validation)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._close(None)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._close(exception)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._close(None)

    def _close(self, error: BaseException | None) -> None:
        if self._watch is not None:
            self._watch.close(error)
            self._watch = None


def _images_of(batch: Any) -> int | None:
    """The length of the first tensor in a batch."""
    if hasattr(batch, "shape") and len(batch.shape):
        return int(batch.shape[0])
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, (list, tuple)):
        for item in batch:
            found = _images_of(item)
            if found is not None:
                return found
    return None
