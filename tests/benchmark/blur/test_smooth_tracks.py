import numpy as np
import pytest

from benchmark.blur.smooth_tracks import TURNING, lai_like_kernel, smooth_profile, smooth_track
from benchmark.core.errors import InputError


@pytest.mark.parametrize("size", [7, 9, 31, 75])
def test_kernels_are_normalised_centred_and_inside_their_margin(size):
    for seed in range(20):
        kernel = lai_like_kernel(size, np.random.default_rng(seed))
        assert kernel.shape == (size, size)
        assert kernel.dtype == np.float32
        assert (kernel >= 0).all()
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        extents = []
        for axis in (0, 1):
            used = np.nonzero(kernel.sum(axis))[0]
            before, after = used[0], size - 1 - used[-1]
            assert min(before, after) >= 1
            assert abs(before - after) <= 1
            extents.append(used[-1] - used[0] + 1)
        # The longer side: a stroke of e pixels touches e to e + 2.
        assert 0.45 * size <= max(extents) <= 0.85 * size + 2


@pytest.mark.parametrize("size", [5, 12])
def test_even_and_tiny_sizes_are_refused(size):
    with pytest.raises(InputError, match="odd size of at least 7"):
        lai_like_kernel(size, np.random.default_rng(0))


def test_speed_varies_along_a_track():
    rng = np.random.default_rng(0)
    speeds = [np.abs(np.diff(smooth_track(rng))) for _ in range(50)]
    variation = [speed.std() / speed.mean() for speed in speeds]
    assert np.median(variation) > 0.3


def test_some_tracks_change_direction_once_and_none_jumps():
    rng = np.random.default_rng(0)
    count = 300
    turning = 0
    for _ in range(count):
        steps = np.diff(smooth_track(rng))
        changes = np.abs(np.diff(steps))
        abrupt = changes > 30 * np.median(changes)
        assert abrupt.sum() <= 1
        turning += abrupt.sum()
        # Unit variance and correlations of at least 0.2 exposures bound the speed.
        assert np.abs(steps).max() < 0.1
    assert turning / count == pytest.approx(TURNING, abs=4 * np.sqrt(TURNING * (1 - TURNING) / count))


def test_profiles_have_unit_variance_and_their_correlation_length():
    rng = np.random.default_rng(0)
    profiles = np.stack([smooth_profile(0.35, rng) for _ in range(300)])
    lag = round(0.35 * (profiles.shape[1] - 1))
    # Some 3 independent values per profile: 900 in all.
    assert np.mean(profiles**2) == pytest.approx(1, abs=0.15)
    assert np.mean(profiles[:, lag:] * profiles[:, :-lag]) == pytest.approx(np.exp(-0.5), abs=0.15)
