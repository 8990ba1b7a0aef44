"""gradflow.watch: records of a PyTorch model while it trains, in a folder like that of a run."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._library import Error
from ._records import Means, Records

if TYPE_CHECKING:
    import torch
    from torch import nn

_logger = logging.getLogger("gradflow")

EVERY = 200  # steps between records


def watch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    folder: str | os.PathLike[str],
    *,
    classes: int | None = None,
    class_names: Sequence[str] | None = None,
    every: int = EVERY,
    steps_per_epoch: int | None = None,
    activations: bool = True,
    overwrite: bool = False,
) -> Watch:
    """Records what the layers of a PyTorch model do while it trains.

    >>> with gradflow.watch(model, optimizer, "runs/mine", classes=100) as w:
    ...     for images, labels in batches:
    ...         loss = ...  # forward, backward and optimizer.step() as ever
    ...         w.batch(loss, scores, labels)
    ...     w.end_epoch()

    Args:
        model: any module; compiled, or in DistributedDataParallel, of which rank 0 records
        optimizer: whose steps are counted; it may have other parameters as well
        folder: the run folder, which is created
        classes: number of classes; without it no verdict says that the network does not learn
        class_names: one text per class
        every: steps between records of an epoch; besides there is one at the last whole batch of
            each epoch, and after 0, 1, 2, 4, 8, ... steps of the run
        steps_per_epoch: optimizer steps of an epoch, where they are known before it ends
        activations: whether statistics of the layers' outputs are recorded as well
        overwrite: replaces a folder that an earlier watch has written

    Raises:
        Error: for a folder that is there, before anything is written.
        TypeError, ValueError: for a model or an optimizer that cannot be watched.
    """
    return Watch(
        model,
        optimizer,
        folder,
        classes=classes,
        class_names=class_names,
        every=every,
        steps_per_epoch=steps_per_epoch,
        activations=activations,
        overwrite=overwrite,
    )


def _unwrap(model: Any) -> tuple[nn.Module, bool]:
    """The module whose layers have the user's names, and whether its gradients are reduced."""
    from torch import nn
    from torch.nn.parallel import DataParallel, DistributedDataParallel

    reduced = False
    while True:
        if isinstance(model, DataParallel):
            raise TypeError("DataParallel is not watched; use DistributedDataParallel")
        if isinstance(model, DistributedDataParallel):
            model, reduced = model.module, True
        elif hasattr(model, "_orig_mod"):  # of torch.compile
            model = model._orig_mod
        elif isinstance(model, nn.Module):
            return model, reduced
        else:
            raise TypeError(f"a torch.nn.Module is watched, not {type(model).__name__}")


def _optimizer_of(optimizer: Any) -> torch.optim.Optimizer:
    """The optimizer inside a wrapper, such as that of accelerate."""
    from torch.optim import Optimizer

    while not isinstance(optimizer, Optimizer):
        if not hasattr(optimizer, "optimizer"):
            raise TypeError(
                f"a torch.optim.Optimizer is watched, not {type(optimizer).__name__}; "
                "of several optimizers, name one"
            )
        optimizer = optimizer.optimizer
    return optimizer


def _rank() -> int:
    from torch import distributed

    is_on = distributed.is_available() and distributed.is_initialized()
    return distributed.get_rank() if is_on else 0


def _ranks() -> int:
    from torch import distributed

    return distributed.get_world_size()


def _is_compiled(model: Any) -> bool:
    if "torch._dynamo" not in sys.modules:
        return False
    return any(
        hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None)
        for module in model.modules()
    )


def _device(model: nn.Module) -> dict[str, Any]:
    """What environment.json says of the device of the model's first parameter."""
    import torch

    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    platform = f"PyTorch {torch.__version__}"
    if device.type == "cuda":
        p = torch.cuda.get_device_properties(device)
        return {
            "name": p.name,
            "type": "gpu",
            "platform": platform,
            "driver": f"CUDA {torch.version.cuda}" if torch.version.cuda else "ROCm",
            "compute_units": p.multi_processor_count,
            "memory": p.total_memory,
        }
    kind = "cpu" if device.type == "cpu" else "other"
    return {"name": device.type, "type": kind, "platform": platform, "driver": platform}


def _scaler_of_step() -> Any:
    """The gradient scaler that calls the optimizer's step, found by its frame; None without one.

    Asked in the hook before a step, while the gradients' scale is that of the backward pass.
    """
    frame, depth = sys._getframe(1), 0
    while frame is not None and depth < 24:
        scaler = frame.f_locals.get("self") if "grad_scaler" in frame.f_code.co_filename else None
        if scaler is not None and hasattr(scaler, "_get_scale_async"):
            return scaler
        frame, depth = frame.f_back, depth + 1  # type: ignore[assignment]
    return None


def _guarded(fail: Callable[[Exception], None], function: Callable[..., None]) -> Any:
    """The function, whose exceptions are passed to fail and not to the training loop."""

    def call(*arguments: Any, **named: Any) -> None:
        try:
            function(*arguments, **named)
        except Exception as error:
            fail(error)

    return call


class _Parameter:
    """A row of a record of the gradients."""

    def __init__(self, layer: str, name: str, tensor: nn.Parameter) -> None:
        self.layer, self.name, self.tensor = layer, name, tensor
        last = name.rpartition(".")[2]
        # What has one dimension and is not called so is a bias, a shift or a scale.
        self.is_weight = last == "weight" or (tensor.ndim > 1 and "bias" not in last)


class _Sums:
    """Sums over the images of an epoch, of numbers, and of tensors on their device, for which
    nobody waits.

    Args:
        labels_of, scores_of: classes whose images are counted, by their labels or by the highest of
            their scores; 0: none
    """

    _PENDING = 1 << 16  # labels that are kept until they are counted

    def __init__(self, *, labels_of: int, scores_of: int = 0) -> None:
        self._means = Means()
        self._sums: dict[str, Any] = {}
        self._labels_of, self._scores_of = labels_of, scores_of
        # Of the batches that are not counted yet.
        self._labels: list[torch.Tensor] = []
        self._predicted: list[torch.Tensor] = []
        self._pending = 0
        self.images = self.last_images = 0

    def add(
        self, loss: Any, scores: Any, labels: Any, images: int, accuracy: Any, default: int
    ) -> None:
        for given in (labels, scores):
            if not images and given is not None and given.ndim:
                images = int(given.shape[0])
        images = images or default or 1
        self._add("loss", loss, images)
        if labels is not None and labels.is_floating_point():
            labels = labels.detach().argmax(1)
        has_both = labels is not None and scores is not None and scores.ndim == labels.ndim + 1
        if accuracy is not None:
            self._add("accuracy", accuracy, images)
            has_both = False
        if has_both or (labels is not None and self._labels_of):
            # Copies: a training loop may use the same memory for the next batch.
            self._labels.append(labels.detach().flatten().clone())
            if has_both:
                self._predicted.append(scores.detach().argmax(1).flatten())
            self._pending += labels.numel()
            if self._pending > self._PENDING or len(self._labels) == 64:
                self._count_pending()
        self.images += images
        self.last_images = images

    def _add(self, name: str, value: Any, weight: float) -> None:
        if hasattr(value, "detach"):
            name += "_tensor"
            value = value.detach()
            value = value.float().mean() if value.ndim else value
            if name not in self._sums:
                self._sums[name] = value.float() * weight
            else:
                self._sums[name].add_(value, alpha=weight)
        else:
            self._sums[name] = self._sums.get(name, 0.0) + float(value) * weight

    def _count_pending(self) -> None:
        import torch

        if not self._labels:
            return
        labels = torch.cat(self._labels)
        if len(self._predicted) == len(self._labels):
            predicted = torch.cat(self._predicted)
            self._add_tensor("correct", (predicted == labels).sum())
            self._sums["counted"] = self._sums.get("counted", 0) + labels.numel()
            if self._scores_of:
                self._add_tensor("scores", _images_of(predicted, self._scores_of))
        if self._labels_of:
            self._add_tensor("labels", _images_of(labels, self._labels_of))
        self._labels, self._predicted, self._pending = [], [], 0

    def _add_tensor(self, name: str, value: torch.Tensor) -> None:
        self._sums[name] = self._sums[name] + value if name in self._sums else value

    def labels(self) -> list[int] | None:
        """Images of each class, for which the device is waited for; None where not known."""
        self._count_pending()
        counts = self._sums.get("labels")
        return None if counts is None else [int(n) for n in counts.tolist()]

    def read(self) -> Means:
        """The means, for which the device is waited for."""
        self._count_pending()
        means, sums = self._means, self._sums
        means.images = self.images
        if self.images:
            means.loss = self._mean("loss")
            means.accuracy = self._mean("accuracy")
        if "counted" in sums:
            means.accuracy = float(sums["correct"]) / sums["counted"]
        if "scores" in sums:
            numbers = sums["scores"].tolist()
            means.predicted = sum(n > 0 for n in numbers)
            means.most_predicted = max(numbers) / max(sum(numbers), 1)
        return means

    def _mean(self, name: str) -> float:
        sums = [self._sums[key] for key in (name, name + "_tensor") if key in self._sums]
        return sum(float(one) for one in sums) / self.images if sums else math.nan


def _images_of(numbers: torch.Tensor, classes: int) -> torch.Tensor:
    """Counts each class; other numbers, such as those to ignore, are left out."""
    ones = ((numbers >= 0) & (numbers < classes)).float()
    places = numbers.long().clamp(0, classes - 1)
    return ones.new_zeros(classes).scatter_add_(0, places, ones)


class Watch:
    """Watches a model from when it is made until it is closed; see watch.

    Attributes:
        folder: the run folder, for gradflow.diagnose and others
        is_recording: false on all ranks but the first
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        folder: str | os.PathLike[str],
        *,
        classes: int | None = None,
        class_names: Sequence[str] | None = None,
        every: int = EVERY,
        steps_per_epoch: int | None = None,
        activations: bool = True,
        overwrite: bool = False,
    ) -> None:
        self._root, self._is_reduced = _unwrap(model)
        self._optimizer = _optimizer_of(optimizer)
        self._check(classes, class_names, every, steps_per_epoch)
        self.folder = os.fspath(folder)
        self.is_recording = _rank() == 0
        self._is_closed = not self.is_recording
        self.step = 0
        self._failure: Exception | None = None
        if not self.is_recording:
            return
        import torch

        from ._torch_trace import Trace

        self._torch = torch
        self._model = model
        self._classes = classes if classes is not None else (class_names and len(class_names))
        self._class_names = list(class_names) if class_names else None
        self._every, self._known_steps = every, steps_per_epoch
        self._records = Records(
            folder,
            overwrite=overwrite,
            framework="pytorch",
            framework_version=torch.__version__,
            device=_device(self._root),
        )
        self._trace = Trace(self._root, activations=activations, fail=self._fail)
        self._has_network = False
        self._early: tuple[int, list[tuple[Any, ...]]] | None = None  # not written yet
        self._early_loss: Any = None
        self._input: tuple[Any, ...] | None = None
        self._parameters: list[_Parameter] | None = None  # since the first record
        self._outputs: list[str] = []  # the layers of activations.csv, since the first record
        self._most_images = 0
        self._is_armed = self._is_queued = False
        self._passes = 0  # backward passes of the step
        self._ranks = _ranks() if self._is_reduced else 1
        self._gradients: list[list[torch.Tensor]] | None = None
        self._before: list[torch.Tensor] | None = None
        self._scale: Any = None
        self._rate: Any = math.nan
        self._stance: Any = None
        self._parameter_hooks: list[Any] = []
        self._epoch, self._steps_before = 1, 0
        self._is_first_length = True
        self._accuracy: float | None = None
        self._last_images: int = 0
        self._largest_batch: int = 0
        self._start_epoch()
        self._hooks = [
            self._optimizer.register_step_pre_hook(_guarded(self._fail, self._before_step)),
            self._optimizer.register_step_post_hook(_guarded(self._fail, self._after_step)),
        ]
        self._plan()

    def _check(
        self,
        classes: int | None,
        class_names: Sequence[str] | None,
        every: int,
        steps_per_epoch: int | None,
    ) -> None:
        if classes is not None and classes < 1:
            raise ValueError(f"classes={classes}: must be at least 1, or None")
        if classes is not None and class_names is not None and len(class_names) != classes:
            raise ValueError(f"{len(class_names)} class_names for classes={classes}")
        if every < 1:
            raise ValueError(f"every={every}: must be at least 1")
        if steps_per_epoch is not None and steps_per_epoch < 1:
            raise ValueError(f"steps_per_epoch={steps_per_epoch}: must be at least 1, or None")
        if not any(p.requires_grad for p in self._root.parameters()):
            raise ValueError("the model has no parameter that is trained")
        own = {id(p) for p in self._root.parameters()}
        if not any(id(p) in own for group in self._optimizer.param_groups for p in group["params"]):
            raise ValueError(
                "the optimizer has no parameter of the model: make it after the model is on its "
                "device, and name the same model"
            )

    # ---- what the training loop says ----

    def batch(
        self,
        loss: torch.Tensor | float,
        scores: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        *,
        images: int | None = None,
        accuracy: torch.Tensor | float | None = None,
    ) -> None:
        """Adds a batch to the epoch's means. Does not wait for the device.

        Args:
            loss: the mean over the batch, not divided for gradient accumulation
            scores: (images, classes, ...), as of cross_entropy, for the accuracy
            labels: (images, ...) of classes, or like scores of probabilities
            images: how many there are; by default as many as labels, or as in the forward pass
            accuracy: a fraction, in place of scores and labels
        """
        if self._is_closed:
            return
        self._train.add(loss, scores, labels, images or 0, accuracy, self._trace.images)
        if self._early is not None and self._early_loss is None:
            self._early_loss = loss.detach().float().mean() if hasattr(loss, "detach") else loss
        self._last_images = self._train.last_images
        self._largest_batch = max(self._largest_batch, self._last_images)

    def validation_batch(
        self,
        loss: torch.Tensor | float,
        scores: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        *,
        images: int | None = None,
        accuracy: torch.Tensor | float | None = None,
    ) -> None:
        """Adds a batch of validation images to the epoch's means, as batch does."""
        if not self._is_closed:
            self._validation.add(loss, scores, labels, images or 0, accuracy, 1)

    def set_accuracy(self, accuracy: float) -> None:
        """Sets the epoch's train accuracy, a fraction, where batches have none."""
        self._accuracy = accuracy

    def end_epoch(
        self,
        validation_loss: torch.Tensor | float | None = None,
        validation_accuracy: torch.Tensor | float | None = None,
    ) -> None:
        """Ends the epoch and writes its row of metrics.csv.

        Args:
            validation_loss, validation_accuracy: means over the validation images, the accuracy as
                a fraction, where they were not given by validation_batch
        """
        if self._is_closed:
            return
        try:
            self._write_epoch(validation_loss, validation_accuracy)
        except OSError as error:
            self._fail(error)
            return
        steps = self.step - self._steps_before
        if steps:
            is_whole = self._last_images >= self._largest_batch
            self._known_steps = max(1, steps if is_whole else steps - 1)
            self._is_first_length = False
        self._epoch += 1
        self._steps_before = self.step
        self._start_epoch()
        self._plan()

    def _start_epoch(self) -> None:
        counts = self._classes or 0
        # The classes of the training images are counted once, in the first epoch.
        self._train = _Sums(labels_of=counts if self._epoch == 1 else 0)
        self._validation = _Sums(labels_of=counts if self._epoch == 1 else 0, scores_of=counts)
        self._last_images = self._largest_batch = 0
        self._accuracy = None

    def _write_epoch(self, validation_loss: Any, validation_accuracy: Any) -> None:
        self._write_early_steps(None)
        train, validation = self._train.read(), self._validation.read()
        if self._accuracy is not None:
            train.accuracy = self._accuracy
        if validation_loss is not None:
            validation.loss = float(validation_loss)
        if validation_accuracy is not None:
            validation.accuracy = float(validation_accuracy)
        if self._epoch == 1:
            self._write_data()
        self._records.add_epoch(self._epoch, float(self._rate), train, validation)

    def close(self, error: BaseException | None = None) -> None:
        """Stops watching and says in result.json how the run ended; a second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._disarm()
        for hook in self._hooks:
            hook.remove()
        if self._failure is not None:
            return
        if self._train.images or self.step > self._steps_before:
            self._write_epoch(None, None)
            if not self._train.images and self._epoch == 1:
                _logger.warning(
                    "%s has no losses, so gradflow cannot say whether the model learns: call "
                    "batch(loss, scores, labels) after each batch",
                    self.folder,
                )
        if self._parameters is None:
            _logger.warning(
                "%s has no records: the optimizer made no step while it was watched", self.folder
            )
        self._records.end(error)

    def _fail(self, error: Exception) -> None:
        """Training goes on where it cannot be recorded, as on a full disk."""
        _logger.error(
            "%s: the recording has stopped, and the training goes on: %s",
            self.folder,
            error,
            exc_info=error,
        )
        self._failure = error
        self.close()
        with contextlib.suppress(OSError):
            self._records.end(error)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(error)

    # ---- when a record is made ----

    def _is_due(self) -> bool:
        """Whether the next step is recorded."""
        step = self.step - self._steps_before + 1
        if step % self._every == 0 or self._is_early():
            return True
        if self._known_steps is None:
            return False
        # A last batch may have fewer images; until one was seen both may be the last whole one.
        first = self._known_steps - int(self._is_first_length)
        return first <= step <= self._known_steps

    def _is_early(self) -> bool:
        """Whether the steps before the next one are 0 or a power of two."""
        return self.step & (self.step - 1) == 0

    def _plan(self) -> None:
        if self._is_due():
            self._arm()
        else:
            self._disarm()

    def _arm(self) -> None:
        if self._is_armed:
            return
        self._is_armed = True
        self._gradients = self._before = self._scale = None
        self._passes = 0
        self._trace.start()
        for parameter in self._root.parameters():
            if parameter.requires_grad:
                register: Any = parameter.register_post_accumulate_grad_hook
                hook = register(self._queue)
                self._parameter_hooks.append(hook)
        if _is_compiled(self._model) and hasattr(self._torch.compiler, "set_stance"):
            # Compiled code has no hooks of modules.
            self._stance = self._torch.compiler.set_stance("force_eager")
            self._stance.__enter__()

    def _disarm(self) -> None:
        if not self._is_armed:
            return
        self._is_armed = self._is_queued = False
        self._gradients = self._before = None
        self._trace.stop()
        for hook in self._parameter_hooks:
            hook.remove()
        self._parameter_hooks = []
        if self._stance is not None:
            self._stance.__exit__(None, None, None)
            self._stance = None

    # ---- what a record is of ----

    def _queue(self, _parameter: Any) -> None:
        """The backward pass has come to a parameter: at its end the gradients are read.

        That is before they are clipped, and after they are averaged over ranks.
        """
        if self._is_queued or not self._is_armed:
            return
        self._is_queued = True
        engine = self._torch.autograd.Variable._execution_engine
        measure = _guarded(self._fail, self._measure_gradients)
        if self._is_reduced:
            # DistributedDataParallel queues its own, perhaps later than this.
            engine.queue_callback(lambda: engine.queue_callback(measure))
        else:
            engine.queue_callback(measure)

    def _measure_gradients(self) -> None:
        from ._torch_statistics import gradient_statistics

        self._is_queued = False
        if not self._is_armed:
            return
        self._trace.end_pass()
        self._passes += 1
        if self._parameters is None:
            self._parameters = self._list_parameters()
        with self._torch.no_grad():
            self._gradients = [gradient_statistics(row.tensor) for row in self._parameters]

    def _before_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        self._rate = optimizer.param_groups[0]["lr"]
        if not self._is_armed:
            return
        scaler = _scaler_of_step()
        if self._gradients is None:  # no backward pass has been seen
            self._measure_gradients()  # of what a scaler has unscaled already
        elif scaler is not None:
            self._scale = scaler._get_scale_async()
        assert self._parameters is not None
        self._before = [row.tensor.detach().clone() for row in self._parameters]

    def _after_step(self, _optimizer: Any, _args: Any, _kwargs: Any) -> None:
        self.step += 1
        if self._is_armed and self._before is not None:
            with self._torch.no_grad():
                self._record()
            self._disarm()
        self._plan()

    def _list_parameters(self) -> list[_Parameter]:
        """The trained parameters from the input to the output, as far as their order is known."""
        order = self._trace.order
        rows = []
        for name, parameter in self._root.named_parameters():
            layer = name.rpartition(".")[0]
            owner = layer
            while owner not in order and owner:
                owner = owner.rpartition(".")[0]
            # The inside of a module that has begun first is before it.
            place = order.get(owner, len(order))
            if parameter.requires_grad:
                rows.append((place, _Parameter(layer or self._root_name(), name, parameter)))
        rows.sort(key=lambda row: row[0])
        return [row for _, row in rows]

    def _root_name(self) -> str:
        from ._torch_trace import kind_of

        return kind_of(self._root)

    def _is_small(self) -> bool:
        """Whether the batch is the short rest of an epoch, of which no statistics are taken."""
        images = self._trace.images
        self._most_images = max(self._most_images, images)
        return 2 * images < self._most_images

    def _record(self) -> None:
        from ._torch_statistics import distance, norm

        assert self._parameters is not None and self._gradients is not None
        assert self._before is not None
        if self._is_small():
            return
        measured = [layer for layer in self._trace.layers if layer.values is not None]
        columns: list[Any] = [value for row in self._gradients for value in row]
        for row, before in zip(self._parameters, self._before):
            columns += [distance(row.tensor.detach(), before), norm(before)]
        for layer in measured:
            assert layer.values is not None
            columns += layer.values
        columns.append(1.0 if self._scale is None else self._scale)
        columns.append(math.nan if self._early_loss is None else self._early_loss)
        self._input, self._trace.keeps_input = self._input or self._trace.input, False
        values = self._read(columns)
        self._write_early_steps(values.pop())
        if not self._has_network:
            self._outputs = [layer.name for layer in measured]
            self._write_network()
        self._write(values, [(layer.name, layer.module) for layer in measured])

    def _read(self, columns: Sequence[Any]) -> list[float]:
        """All numbers of a record, for which the device is waited for once."""
        torch = self._torch
        tensors = [c for c in columns if isinstance(c, torch.Tensor)]
        # A model on several devices costs a copy from each.
        device = tensors[0].device
        flat = [t.detach().to(device, torch.float32).reshape(()) for t in tensors]
        read = iter(torch.stack(flat).tolist())
        return [next(read) if isinstance(c, torch.Tensor) else float(c) for c in columns]

    def _write(self, values: list[float], measured: list[tuple[str, str | None]]) -> None:
        from ._torch_statistics import ACTIVATION_VALUES, GRADIENT_VALUES

        assert self._parameters is not None
        at, scale = iter(values), values[-1]
        gradients = [[next(at) for _ in range(GRADIENT_VALUES)] for _ in self._parameters]
        norms = [(next(at), next(at)) for _ in self._parameters]
        rows, means = [], {}
        for row, (mean, l2, most, zeros), (moved, size) in zip(self._parameters, gradients, norms):
            ratio = moved / size if size > 0 else math.nan
            numbers = (mean / scale, l2 / scale, most / scale, zeros, ratio, size)
            rows.append((self._epoch, self.step, row.layer, row.name, *numbers, int(row.is_weight)))
            means[row.name] = mean / scale
        found = {name: [next(at) for _ in range(ACTIVATION_VALUES)] for name, _ in measured}
        missing = [math.nan] * ACTIVATION_VALUES
        outputs = [(name, found.get(name, missing)) for name in self._outputs]
        self._records.add_activations(
            (self._epoch, self.step, name, *numbers[:4]) for name, numbers in outputs
        )
        self._records.add_gradients(rows)
        before = self.step - 1
        if before & (before - 1) == 0:
            modules = dict(measured)
            early = []
            for name, (_, _, dead, contrast, rms) in outputs:
                weight = f"{modules.get(name)}.weight"
                early.append((name, rms, contrast, dead, means.get(weight, math.nan)))
            self._early, self._early_loss = (before, early), None

    def _write_early_steps(self, loss: float | None) -> None:
        """Writes what an early record has measured, once the loss of its batch was given."""
        if self._early is None:
            return
        step, rows = self._early
        if loss is None:
            given = self._early_loss
            loss = math.nan if given is None else float(given)
        self._records.add_early_steps((step, *row, loss) for row in rows)
        self._early = self._early_loss = None

    def _write_data(self) -> None:
        """data.json: the images of each class, and the first batch as the network has seen it."""
        classes = self._classes
        train, validation = self._train.labels(), self._validation.labels()
        if not classes or not train:
            return
        first = None
        if self._input is not None:
            mean, deviation, contrast = self._input
            number = float(contrast)
            first = {
                "images": self._trace.images or self._most_images,
                "mean": mean.tolist(),
                "deviation": deviation.tolist(),
                "contrast": None if math.isnan(number) else number,
            }
        counts = {"train": train, "validation": validation or [0] * classes}
        splits = {name: {"images": sum(n), "class_images": n} for name, n in counts.items()}
        self._records.write_data({"classes": classes, **splits, "first_batch": first})

    def _write_network(self) -> None:
        from ._torch_trace import describe

        layers = describe(self._root, self._trace)
        called = self._trace.layers
        self._records.write_network(
            {
                "image": self._trace.image,
                "classes": self._classes,
                "class_names": self._class_names,
                "layers": layers,
                "logit_layer": called[-1].name if called else None,
                "parameters": sum(layer["parameters"] for layer in layers),
                "optimizer": self._describe_optimizer(),
                "statistics": {
                    "gradient_images": self._passes * self._ranks * self._trace.images or None,
                    "activation_images": self._trace.images or None,
                    "norm_images": self._trace.images or None,
                },
            }
        )
        self._has_network = True

    def _describe_optimizer(self) -> dict[str, Any]:
        group = self._optimizer.param_groups[0]
        eps, decay = group.get("eps"), group.get("weight_decay")
        if isinstance(eps, (tuple, list)):  # of Adafactor
            eps = None
        return {
            "kind": type(self._optimizer).__name__.lower(),
            "eps": None if eps is None else float(eps),
            "weight_decay": None if decay is None else float(decay),
        }
