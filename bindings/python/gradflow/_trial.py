"""Trials: which remedies help a network, tried for a few hundred steps."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import _c
from . import _library as lib
from ._training import Config, _interrupts, _Witness, open_config


def try_remedies(
    config: Config,
    *,
    out: str | os.PathLike[str],
    seconds: float = 300,
    steps: int = 300,
    seeds: int = 3,
    device: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Trains every remedy that fits a config for a few hundred steps, beside the config as it is.

    Args:
        config: the path of a YAML file, the same as dictionaries, or a run folder, which is left
            alone
        out: the folder of the trial, which is created; the same call goes on with a trial there
        seconds: the time for all
        steps: of the longest trainings, at most
        seeds: of the remedies that are left in the end
        device: "0:1", "cpu", "gpu" or a part of a name; None: a GPU before a CPU
        settings: replaces values of the config, as {"train.batch_size": 20}

    Returns:
        What report.json in the folder has: "rows" with the name, settings, outcome and losses of
        each remedy, sorted, and "best", the name of the one to use, or None.

    Raises:
        Error: with the library's message.
        KeyboardInterrupt: with what is trained kept in the folder.
    """
    library, witness = lib.library(), _Witness(None)
    if not isinstance(config, Mapping) and os.path.isdir(config):
        config = os.path.join(os.fspath(config), "config.yaml")
    options = library.gf_trial_options_default()
    options.out = lib.path(out)
    options.seconds, options.steps, options.seeds = seconds, steps, seeds
    stop = _c.gf_trial_events_stop(lambda _user: bool(witness.stop(None)))
    options.events.stop = stop
    trial = ctypes.POINTER(_c.gf_trial)()
    with open_config(config, settings or {}) as opened, lib.open_device(device) as on:
        with _interrupts(witness):
            status = library.gf_trial_run(ctypes.byref(trial), on.value, opened.value, options)
        library.gf_trial_free(ctypes.byref(trial))
        if witness.error:
            raise witness.error
        lib.check(status)
    return json.loads((Path(out) / "report.json").read_text(encoding="utf-8"))
