"""Random generators seeded from names.

Each purpose has its own generator, so that adding a case, a method or a noise level changes no other
draw, and the order of work does not matter.
"""

import hashlib

import numpy as np


def seed_from(*names: str | int) -> int:
    """A 63-bit seed that depends on every name and on their order."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*names: str | int) -> np.random.Generator:
    """A NumPy generator for one purpose, e.g. `generator(0, "demo-uniform", "camera", "noise")`."""
    return np.random.default_rng(seed_from(*names))
