"""The C library: where it is, its structs as include/gradflow/*.h have them, and its functions."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import subprocess
import sys
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_long,
    c_size_t,
    c_ubyte,
    c_ulonglong,
    c_void_p,
)
from typing import Any

# The version of the API that the structs below are of. Before 1.0 a minor version may change it.
API = "0.1"
NAME = "libgradflow.0.dylib" if sys.platform == "darwin" else "libgradflow.so.0"

STATUS_INTERRUPTED = 11
VERDICTS, MOST_REMEDIES = 9, 12


class Error(RuntimeError):
    """A call of the library failed.

    Attributes:
        status: what kind of failure it is: "config", "file", "data", "device", "memory",
            "device_memory", ...
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


# ---- structs ----


class gf_image_shape(Structure):
    _fields_ = [("height", c_int), ("width", c_int), ("channels", c_int)]


class gf_device_info(Structure):
    _fields_ = [
        ("platform", c_int),
        ("index", c_int),
        ("type", c_int),
        ("platform_name", c_char * 128),
        ("name", c_char * 256),
        ("vendor", c_char * 128),
        ("driver", c_char * 128),
        ("version", c_char * 128),
        ("c_version", c_char * 128),
        ("extensions", c_char * 8192),
        ("compute_units", c_int),
        ("clock_mhz", c_int),
        ("vector_width_float", c_int),
        ("work_group_size", c_size_t),
        ("memory", c_ulonglong),
        ("max_allocation", c_ulonglong),
        ("local_memory", c_ulonglong),
        ("cache", c_ulonglong),
        ("base_alignment", c_size_t),
        ("local_memory_is_dedicated", c_int),
        ("fp64", c_int),
        ("fp16", c_int),
    ]


class gf_versions(Structure):
    _fields_ = [
        ("program", c_char_p),
        ("commit", c_char_p),
        ("clblast", c_char_p),
        ("opencl_loader", c_char_p),
    ]


class gf_step_event(Structure):
    _fields_ = [
        ("epoch", c_int),
        ("step", c_long),
        ("loss", c_double),
        ("accuracy", c_double),
        ("learning_rate", c_double),
    ]


class gf_epoch(Structure):
    _fields_ = [
        ("epoch", c_int),
        ("epochs", c_int),
        ("learning_rate", c_double),
        ("train_loss", c_double),
        ("train_accuracy", c_double),
        ("validation_loss", c_double),
        ("validation_accuracy", c_double),
        ("seconds", c_double),
        ("images_per_second", c_double),
    ]


class gf_gradient_stats(Structure):
    _fields_ = [
        ("layer", c_char_p),
        ("parameter", c_char_p),
        ("is_weight", c_int),
        ("mean_abs", c_double),
        ("l2", c_double),
        ("max_abs", c_double),
        ("zeros", c_double),
        ("update_ratio", c_double),
        ("nonfinite", c_long),
    ]


EPOCH_FUNCTION = CFUNCTYPE(None, c_void_p, POINTER(gf_epoch))
STEP_FUNCTION = CFUNCTYPE(None, c_void_p, POINTER(gf_step_event))
STOP_FUNCTION = CFUNCTYPE(c_int, c_void_p)
GRADIENTS_FUNCTION = CFUNCTYPE(None, c_void_p, c_int, c_long, POINTER(gf_gradient_stats), c_int)
LOG_FUNCTION = CFUNCTYPE(None, c_void_p, c_int, c_char_p)


class gf_train_events(Structure):
    _fields_ = [
        ("user", c_void_p),
        ("progress", c_void_p),  # not offered here
        ("epoch", EPOCH_FUNCTION),
        ("stop", STOP_FUNCTION),
        ("written", c_void_p),  # not offered here
        ("gradients", GRADIENTS_FUNCTION),
        ("step", STEP_FUNCTION),
    ]


class gf_train_options(Structure):
    _fields_ = [
        ("out", c_char_p),
        ("overwrite", c_int),
        ("resume", c_int),
        ("force", c_int),
        ("checkpoint_steps", c_long),
        ("checkpoint_minutes", c_double),
        ("keep_checkpoints", c_int),
        ("communicator", c_void_p),
        ("balance", c_char_p),
        ("events", gf_train_events),
    ]


class gf_predictor_info(Structure):
    _fields_ = [
        ("shape", gf_image_shape),
        ("classes", c_int),
        ("class_names", POINTER(c_char_p)),
    ]


class gf_remedy(Structure):
    _fields_ = [("text", c_char_p), ("setting", c_char_p)]


class gf_finding(Structure):
    _fields_ = [
        ("verdict", c_int),
        ("headline", c_char_p),
        ("evidence", c_char_p),
        ("threshold", c_char_p),
        ("remedy_count", c_int),
        ("remedies", gf_remedy * MOST_REMEDIES),
    ]


class gf_diagnosis(Structure):
    _fields_ = [
        ("finding_count", c_int),
        ("findings", gf_finding * VERDICTS),
        ("layer_count", c_int),
        ("epoch_count", c_int),
        ("layers", POINTER(c_char_p)),
        ("epochs", POINTER(c_double)),
        ("mean_abs", POINTER(c_double)),
        ("l2", POINTER(c_double)),
        ("zeros", POINTER(c_double)),
        ("update_ratio", POINTER(c_double)),
        ("dead", POINTER(c_double)),
        ("activation_count", c_int),
        ("activation_epoch_count", c_int),
        ("activations", POINTER(c_char_p)),
        ("activation_epochs", POINTER(c_double)),
        ("activation_mean", POINTER(c_double)),
        ("activation_deviation", POINTER(c_double)),
        ("activation_dead", POINTER(c_double)),
        ("owner", c_void_p),
    ]


# ---- functions ----

# Name: result, arguments. What is opaque is a void *.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "gf_config_free": (None, [POINTER(c_void_p)]),
    "gf_config_load": (c_int, [POINTER(c_void_p), c_char_p]),
    "gf_config_parse": (c_int, [POINTER(c_void_p), c_char_p, c_char_p]),
    "gf_config_set": (c_int, [c_void_p, c_char_p]),
    "gf_device_free": (None, [POINTER(c_void_p)]),
    "gf_device_open": (c_int, [POINTER(c_void_p), c_char_p]),
    "gf_device_type_name": (c_char_p, [c_int]),
    "gf_devices_free": (None, [POINTER(POINTER(gf_device_info))]),
    "gf_devices_list": (
        c_int,
        [POINTER(POINTER(gf_device_info)), POINTER(c_int), POINTER(c_int)],
    ),
    "gf_diagnosis_free": (None, [POINTER(POINTER(gf_diagnosis))]),
    "gf_diagnosis_open": (c_int, [POINTER(POINTER(gf_diagnosis)), c_char_p]),
    "gf_error_message": (c_char_p, []),
    "gf_log_to": (None, [LOG_FUNCTION, c_void_p]),
    "gf_predictor_describe": (gf_predictor_info, [c_void_p]),
    "gf_predictor_free": (None, [POINTER(c_void_p)]),
    "gf_predictor_open": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, c_char_p]),
    "gf_predictor_run_bytes": (
        c_int,
        [c_void_p, POINTER(c_ubyte), gf_image_shape, c_int, POINTER(c_double)],
    ),
    "gf_predictor_run_floats": (
        c_int,
        [c_void_p, POINTER(c_float), gf_image_shape, c_int, POINTER(c_double)],
    ),
    "gf_status_name": (c_char_p, [c_int]),
    "gf_train": (c_int, [c_void_p, c_void_p, POINTER(gf_train_options)]),
    "gf_verdict_name": (c_char_p, [c_int]),
    "gf_versions_get": (gf_versions, []),
}

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING)
_logger = logging.getLogger("gradflow")


def _pass_on(_user: int | None, level: int, message: bytes) -> None:
    _logger.log(_LEVELS[level], "%s", text(message))


_log = LOG_FUNCTION(_pass_on)


def _pkg_config() -> str | None:
    """The library's path by pkg-config, or None."""
    command = ["pkg-config", "--variable=libdir", "gradflow"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    folder = found.stdout.strip()
    return os.path.join(folder, NAME) if found.returncode == 0 and folder else None


def _load() -> ctypes.CDLL:
    named = os.environ.get("GRADFLOW_LIBRARY")
    if named:
        try:
            return ctypes.CDLL(named)
        except OSError as error:
            raise Error("file", f"cannot load GRADFLOW_LIBRARY={named}: {error}") from None
    try:
        return ctypes.CDLL(NAME)
    except OSError as error:
        reason = str(error)
    path = _pkg_config()
    if path:
        try:
            return ctypes.CDLL(path)
        except OSError as error:
            reason = str(error)
    raise Error(
        "file",
        f"cannot load {NAME}: {reason}; install gradflow (cmake --install), or name the library: "
        "GRADFLOW_LIBRARY=PATH",
    )


@functools.cache
def library() -> ctypes.CDLL:
    """The library, which the first call loads."""
    loaded = _load()
    for name, (result, arguments) in _FUNCTIONS.items():
        try:
            function = getattr(loaded, name)
        except AttributeError:
            raise Error(
                "file", f"{loaded._name} has no {name}: it is not a gradflow {API} library"
            ) from None
        function.restype, function.argtypes = result, arguments
    found = text(loaded.gf_versions_get().program)
    if not found.startswith(API + "."):
        raise Error(
            "file",
            f"{loaded._name} is of gradflow {found}, and this package is for {API}: install both "
            "of one version",
        )
    loaded.gf_log_to(_log, None)
    return loaded


def version() -> dict[str, str]:
    """The versions of the library ("program"), its commit, CLBlast and the OpenCL loader."""
    versions = library().gf_versions_get()
    return {name: text(getattr(versions, name)) for name in fields(gf_versions)}


# ---- values ----


def fields(struct: type[Structure]) -> list[str]:
    return [field[0] for field in struct._fields_]


def text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def path(value: str | os.PathLike[str]) -> bytes:
    return os.fsencode(value)


def check(status: int) -> None:
    """Raises the library's message where the status is a failure."""
    if status != 0:
        loaded = library()
        raise Error(text(loaded.gf_status_name(status)), text(loaded.gf_error_message()))


class Handle:
    """What the library has opened; closed by free, for which it is cleared."""

    def __init__(self, free: str) -> None:
        self.value = c_void_p()
        self._free = getattr(library(), free)

    @property
    def place(self) -> Any:
        """For the function that opens it."""
        return ctypes.byref(self.value)

    def close(self) -> None:
        self._free(ctypes.byref(self.value))

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_device(selector: str | None) -> Handle:
    device = Handle("gf_device_free")
    check(library().gf_device_open(device.place, selector.encode() if selector else None))
    return device
