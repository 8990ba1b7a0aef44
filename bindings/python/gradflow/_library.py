"""The C library: where it is, and how its functions are called; _c.py has what they are."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import subprocess
import sys
from ctypes import Structure, c_void_p
from typing import Any

from . import _c

# The version of the API that the structs of _c.py are of. Before 1.0 a minor version may change it.
API = "0.1"
NAME = "libgradflow.0.dylib" if sys.platform == "darwin" else "libgradflow.so.0"


class Error(RuntimeError):
    """A call of the library failed.

    Attributes:
        status: what kind of failure it is: "config", "file", "data", "device", "memory",
            "device_memory", ...
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING)
_logger = logging.getLogger("gradflow")


def _pass_on(_user: int | None, level: int, message: bytes) -> None:
    _logger.log(_LEVELS[level], "%s", text(message))


_log = _c.gf_log_function(_pass_on)


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
        "GRADFLOW_LIBRARY=PATH. gradflow.watch needs none",
    )


@functools.cache
def library() -> ctypes.CDLL:
    """The library, which the first call loads."""
    loaded = _load()
    for name, (result, arguments) in _c.FUNCTIONS.items():
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
    return {name: text(getattr(versions, name)) for name in fields(_c.gf_versions)}


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
