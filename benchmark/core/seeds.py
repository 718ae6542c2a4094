"""Random generators seeded from names.

Each purpose has a generator of its own: adding a case, a method or a noise level changes no other random
number, and the order of work does not matter.
"""

import hashlib

import numpy as np


def seed_from(*names: str | int) -> int:
    """Return a seed of 63 bits that depends on every name and on their order.

    >>> seed_from(0, "demo", "noise") == seed_from(0, "noise", "demo")
    False
    """
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*names: str | int) -> np.random.Generator:
    """Return a NumPy generator for one purpose.

    >>> rng = generator(0, "demo-uniform", "camera", "noise")
    """
    return np.random.default_rng(seed_from(*names))
