"""Weights by a rule: what the reference numbers of the full-width networks were computed with."""

import json
from collections.abc import Callable

import numpy as np
import torch

from tests.conftest import ROOT


def manifest(name):
    return json.loads((ROOT / "tests" / "fixtures" / f"{name}.json").read_text())


def state_by_rule(entries, amplitude: Callable[[str, list[int]], float]):
    """A state dict for the manifest's [name, shape] `entries`; see `values`."""
    state, place = {}, 0
    for name, shape in entries:
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
            continue
        s = noise(place, int(np.prod(shape)))
        state[name] = torch.from_numpy(values(name, shape, s, amplitude).astype(np.float32)).reshape(shape)
        place += 1
    return state


def values(name, shape, s, amplitude):
    if name.endswith("running_var"):
        return 1 + 0.5 * s**2
    if name.endswith(("running_mean", "bias")):
        return 0.1 * s
    if len(shape) == 1:
        return 1 + 0.1 * s
    return amplitude(name, shape) * np.sqrt(3) * s


def noise(place, count):
    """SplitMix64 of (index, place), uniform on [-1, 1)."""
    with np.errstate(over="ignore"):
        x = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(place) * np.uint64(2**32)
        x *= np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return 2 * (x >> np.uint64(11)).astype(np.float64) * 2.0**-53 - 1
