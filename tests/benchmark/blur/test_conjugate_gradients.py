"""Conjugate gradients against the solution by elimination."""

import numpy as np
import pytest

from benchmark.blur.conjugate_gradients import conjugate_gradients


@pytest.fixture
def system():
    rng = np.random.default_rng(0)
    scales = np.logspace(0, 4, 40)
    square = rng.standard_normal((40, 40)) / 40
    return np.diag(scales) + square @ square.T, scales, rng.standard_normal(40)


def test_the_system_is_solved(system):
    matrix, _, target = system
    x = conjugate_gradients(lambda v: matrix @ v, target, np.zeros(40), steps=400, tolerance=1e-10)
    np.testing.assert_allclose(x, np.linalg.solve(matrix, target), rtol=0, atol=1e-9)


def test_an_approximate_inverse_saves_steps(system):
    matrix, scales, target = system
    expected = np.linalg.solve(matrix, target)

    def error(**options):
        x = conjugate_gradients(lambda v: matrix @ v, target, np.zeros(40), steps=6, tolerance=0.0, **options)
        return np.abs(x - expected).max()

    assert error(precondition=lambda v: v / scales) < 1e-6
    assert error() > 1e-2


def test_it_stops_at_the_tolerance():
    calls = []

    def product(v):
        calls.append(v)
        return 2 * v

    conjugate_gradients(product, np.ones(3), np.full(3, 0.5), steps=5, tolerance=1e-9)
    assert len(calls) == 1
