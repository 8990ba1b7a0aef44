"""The OpenCL devices of this machine."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from . import _c
from . import _library as lib


@dataclass(frozen=True)
class Device:
    """An OpenCL device.

    Attributes:
        selector: names it to train and predict, as "0:1"
        type: "cpu", "gpu" or "other"
        compute_units: as the driver counts them
        memory: bytes
        max_allocation: bytes of one buffer
    """

    selector: str
    type: str
    name: str
    platform: str
    vendor: str
    driver: str
    compute_units: int
    memory: int
    max_allocation: int


def _describe(info: _c.gf_device_info) -> Device:
    return Device(
        selector=f"{info.platform}:{info.index}",
        type=lib.text(lib.library().gf_device_type_name(info.type)),
        name=lib.text(info.name),
        platform=lib.text(info.platform_name),
        vendor=lib.text(info.vendor),
        driver=lib.text(info.driver),
        compute_units=info.compute_units,
        memory=info.memory,
        max_allocation=info.max_allocation,
    )


def devices() -> list[Device]:
    """All devices of all platforms; there may be none, which is no error."""
    library = lib.library()
    rows = ctypes.POINTER(_c.gf_device_info)()
    count, platforms = ctypes.c_int(), ctypes.c_int()
    lib.check(
        library.gf_devices_list(ctypes.byref(rows), ctypes.byref(count), ctypes.byref(platforms))
    )
    try:
        return [_describe(rows[i]) for i in range(count.value)]
    finally:
        library.gf_devices_free(ctypes.byref(rows))
