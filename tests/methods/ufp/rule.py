"""The reference's weights by the rule of the fixtures' README: each tensor from its published name."""

import json
import zlib

import numpy as np
import torch

from tests.conftest import ROOT


def value(name, shape):
    """The tensor called `name`; None where it stays as constructed."""
    seed = zlib.crc32(name.encode("ascii")) % 2**32
    normal = np.random.RandomState(seed).standard_normal(shape)
    last, dimensions = name.rpartition(".")[2], len(shape)
    if last == "weight" and dimensions > 1:
        found = normal / np.sqrt(np.prod(shape[1:])) * (0.2 if ".s_net.4." in name else 1)
    elif last in ("beta", "gamma") and dimensions == 4:
        found = 0.2 * normal
    else:
        found = {
            "weight": 1 + 0.1 * normal,
            "running_mean": 0.3 * normal,
            "running_var": np.exp(0.3 * normal),
            **dict.fromkeys(("bias", "log_gamma", "beta"), 0.1 * normal),
        }.get(last)
    return found


def manifest():
    """Published name to shape, of the official network."""
    path = ROOT / "tests" / "fixtures" / "ufpnet_state_dict.json"
    return {name: entry[0] for name, entry in json.loads(path.read_text())["state_dict"].items()}


def filled(shapes):
    """Published name to tensor, float64, for those that the rule gives."""
    found = {name: value(name, shape) for name, shape in shapes.items()}
    return {name: torch.from_numpy(array) for name, array in found.items() if array is not None}
