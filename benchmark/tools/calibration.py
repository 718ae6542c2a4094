"""Remember what was measured on this machine, so that each thing is measured once."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from benchmark.core.errors import InputError
from benchmark.core.faults import MachineError
from benchmark.core.files import write_json
from benchmark.core.hashes import digest
from benchmark.runs import machine

FILE = "calibration.json"  # in the user's cache folder
SECONDS = 20.0  # of CPU time for measurements, after which no other begins


class Calibration:
    """Measurements of this machine, by what was measured.

    Args:
        folder: Where they are kept; by default `blindbench` in the user's cache folder.
        seconds: CPU time for measurements, by default `SECONDS`; 0 takes what is known.
        again: Whether to forget what was measured before.
    """

    def __init__(self, folder: Path | None = None, seconds: float | None = None, again: bool = False) -> None:
        self.path = (folder or platformdirs.user_cache_path("blindbench")) / FILE
        self.machine = {**machine.describe(), "threads": 1, "versions": machine.versions()}
        self.left = SECONDS if seconds is None else seconds
        self.known: dict[str, Any] = {} if again else _read(self.path, self.machine)
        self.is_new = again

    def recall(self, what: Mapping[str, Any], measure: Callable[[], Any]) -> Any:
        """Return what `measure` returned for `what`; call it if that is not known and there is time.

        Args:
            what: All that decides the outcome on this machine.
            measure: Returns what JSON can write. Its errors pass.

        Returns:
            The outcome; None where it is not known and there is no time left.
        """
        key = digest(what)
        if key in self.known or self.left <= 0:
            return self.known.get(key)
        began = _used()
        try:
            self.known[key] = json.loads(json.dumps(measure()))  # as it is read back
            self.is_new = True
        finally:
            self.left -= _used() - began
        return self.known[key]

    def save(self) -> None:
        """Keep the measurements; where nothing can be written, they are made again."""
        if not self.is_new:
            return
        with suppress(MachineError, OSError):
            write_json(self.path, {"machine": self.machine, "measured": self.known})


def _used() -> float:
    """Return the CPU time of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def _read(path: Path, here: Mapping[str, Any]) -> dict[str, Any]:
    """Read the measurements of this machine; none where there are none, or they are of another machine."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        measured: dict[str, Any] = content["measured"] if content["machine"] == here else {}
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return {}
    return measured if isinstance(measured, dict) else {}
