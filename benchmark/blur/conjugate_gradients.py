"""Solve a linear system by conjugate gradients, with the same result on every CPU."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = TypeVar("Array", NDArray[np.float32], NDArray[np.float64])


def conjugate_gradients(
    product: Callable[[Array], Array],
    target: Array,
    start: Array,
    steps: int,
    tolerance: float,
    precondition: Callable[[Array], Array] = lambda residual: residual,
) -> Array:
    """Solve product(x) = target by conjugate gradients.

    Args:
        product: a symmetric, positive definite linear map.
        target: the right-hand side.
        start: the first x, of the same shape.
        steps: the largest number of steps.
        tolerance: the norm of the residual at which to stop.
        precondition: a symmetric, positive definite linear map near the inverse of `product`; the nearer, the
            fewer steps.

    >>> conjugate_gradients(lambda x: 2 * x, np.array([2.0, 4.0]), np.zeros(2), steps=5, tolerance=1e-9)
    array([1., 2.])
    """
    x, residual = start, target - product(start)
    conditioned = precondition(residual)
    direction, energy = conditioned, dot(residual, conditioned)
    for _ in range(steps):
        if dot(residual, residual) <= tolerance**2:
            break
        image = product(direction)
        length = energy / dot(direction, image)
        x, residual = x + length * direction, residual - length * image
        conditioned = precondition(residual)
        previous, energy = energy, dot(residual, conditioned)
        direction = conditioned + energy / previous * direction
    return x


def dot(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> Any:
    """Return the inner product, with the same rounding on every CPU, unlike that of NumPy's linear algebra.

    Conjugate gradients and the thresholds after them amplify a difference of the last bit to half a decibel.
    """
    return (a * b).sum()
