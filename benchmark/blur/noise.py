"""Noise added to a blurry image."""

import numpy as np

from benchmark.types import Array


def add_gaussian(image: Array, sigma: float, rng: np.random.Generator) -> Array:
    """`image` plus white Gaussian noise of standard deviation `sigma` ([0, 1] units), clipped to [0, 1]."""
    noisy = image + sigma * rng.standard_normal(image.shape)
    return np.clip(noisy, 0.0, 1.0).astype(np.float32)
