"""Predictions on arrays."""

from __future__ import annotations

import os
from ctypes import POINTER, c_double, c_float, c_ubyte
from typing import Any

import numpy as np

from . import _c
from . import _library as lib


class Predictor:
    """A run's network, open for predictions; also a context manager.

    Takes the best weights of the run, or its last where there are no best.

    Attributes:
        shape: (height, width, channels) of the images that the network takes
        classes: how many there are
        class_names: their names, or None where they are not known
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        device: str | None = None,
        classes: str | os.PathLike[str] | None = None,
    ) -> None:
        """Opens a run folder.

        Args:
            run: the folder
            device: as of train
            classes: a file with a class name a line; None: by the data set, where it is
        """
        library = lib.library()
        self._device = lib.open_device(device)
        self._predictor = lib.Handle("gf_predictor_free")
        names = lib.path(classes) if classes is not None else None
        try:
            lib.check(
                library.gf_predictor_open(
                    self._predictor.place, self._device.value, lib.path(run), names
                )
            )
        except BaseException:
            self._device.close()
            raise
        info = library.gf_predictor_describe(self._predictor.value)
        self.shape: tuple[int, int, int] = (
            info.shape.height,
            info.shape.width,
            info.shape.channels,
        )
        self.classes: int = info.classes
        self.class_names: tuple[str, ...] | None = None
        if info.class_names:
            self.class_names = tuple(lib.text(info.class_names[i]) for i in range(info.classes))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Probabilities of the classes: see predict."""
        if not self._predictor.value:
            raise ValueError("the predictor is closed")
        values = np.asarray(images)
        if values.ndim not in (3, 4):
            raise ValueError(
                "images are an array (count, height, width, channels), or one image (height, "
                f"width, channels); this one has the shape {values.shape}"
            )
        batch = values if values.ndim == 4 else values[np.newaxis]
        out = np.empty((len(batch), self.classes))
        self._run(batch, out)
        return out if values.ndim == 4 else out[0]

    def _run(self, images: np.ndarray, out: np.ndarray) -> None:
        library, shape = lib.library(), _c.gf_image_shape(*images.shape[1:])
        values: np.ndarray
        pointer: Any
        if images.dtype == np.uint8:
            run, values, pointer = library.gf_predictor_run_bytes, images, POINTER(c_ubyte)
        elif np.issubdtype(images.dtype, np.floating):
            run, pointer = library.gf_predictor_run_floats, POINTER(c_float)
            values = images.astype(np.float32)
        else:
            raise TypeError(
                f"images are uint8 from 0 to 255 or floats from 0 to 1, not {images.dtype}"
            )
        values = np.ascontiguousarray(values)
        lib.check(
            run(
                self._predictor.value,
                values.ctypes.data_as(pointer),
                shape,
                len(values),
                out.ctypes.data_as(POINTER(c_double)),
            )
        )

    def close(self) -> None:
        """Frees the network and its device; a second call does nothing."""
        self._predictor.close()
        self._device.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "classes"):  # it was opened
            self.close()


def predict(
    run: str | os.PathLike[str], images: np.ndarray, *, device: str | None = None
) -> np.ndarray:
    """Predicts images by the weights of a run; Predictor keeps the network for further calls.

    Args:
        run: the run folder
        images: an array (count, height, width, channels), or one image without count; uint8 from 0
            to 255, or floats from 0 to 1. They are normalised as the run's data set is. Smaller
            images than the network's stand in the middle of a black one; none is resized.
        device: as of train

    Returns:
        Probabilities (count, classes), float64; (classes,) of one image.

    Raises:
        Error: with the library's message, for images that are larger than the network's or have
            other channels, and for a folder that is no run's.
    """
    with Predictor(run, device=device) as predictor:
        return predictor(images)
