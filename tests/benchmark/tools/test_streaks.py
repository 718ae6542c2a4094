"""A kernel read off a light streak."""

import numpy as np
import pytest
from scipy.ndimage import convolve

from benchmark.core.types import InputError
from benchmark.scoring.kernel_scores import kernel_similarity
from benchmark.tools.streaks import kernel_of_streak
from tests.benchmark.tools.conftest import HOOK


@pytest.fixture
def night():
    """A dark photo (3, 60, 80) with a lamp at (30, 40) and a dimmer one at (30, 58), blurred by a hook."""
    scene = np.zeros((60, 80))
    scene[30, 40], scene[30, 58] = 9, 3
    photo = 0.05 + convolve(scene, HOOK)
    photo += np.random.default_rng(0).normal(0, 0.005, photo.shape)
    return np.repeat(photo[None], 3, axis=0).clip(0, 1)


def test_the_brightest_streak_is_the_kernel(night):
    kernel = kernel_of_streak(night, (slice(20, 40), slice(25, 75)))
    assert kernel.shape == (5, 9)
    assert kernel.sum() == pytest.approx(1)
    assert kernel_similarity(kernel, HOOK) > 0.98
    assert kernel_similarity(kernel[::-1, ::-1], HOOK) < 0.9  # not turned


def test_sides_are_odd(night):
    night[:, 30, 49] = night[:, 28, 45]  # one px more
    assert all(side % 2 for side in kernel_of_streak(night, (slice(20, 40), slice(25, 52))).shape)


def test_a_part_without_light_is_refused(night):
    with pytest.raises(InputError, match="--streak: no light stands out"):
        kernel_of_streak(night, (slice(45, 58), slice(5, 25)))
