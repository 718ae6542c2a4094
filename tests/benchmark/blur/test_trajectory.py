import numpy as np
import pytest

from benchmark.blur.trajectory import (
    TrajectoryDraws,
    centred_in_box,
    rasterise,
    trace_path,
    trajectory_kernel,
)
from benchmark.core.errors import InputError


@pytest.mark.parametrize("case", ["a", "b"])
def test_paths_and_psfs_match_the_reference(fixture, case):
    arrays = fixture("glkm_traj_psf")
    *parameters, length, _, _ = arrays[f"{case}_params"]
    draws = TrajectoryDraws(
        *map(float, parameters),
        arrays[f"{case}_u_impulse"],
        arrays[f"{case}_u_angle"],
        arrays[f"{case}_normals"],
    )
    np.testing.assert_allclose(trace_path(draws, length), arrays[f"{case}_x_raw"], rtol=0, atol=1e-9)
    for fraction, psf in zip(arrays[f"{case}_psf_fractions"], arrays[f"{case}_psf"], strict=True):
        ours = rasterise(arrays[f"{case}_x_centred"], (64, 64), float(fraction))
        np.testing.assert_allclose(ours, psf, rtol=0, atol=1e-9)


def test_no_anxiety_is_a_straight_line():
    draws = TrajectoryDraws.draw(np.random.default_rng(0), anxiety=0.0)
    steps = np.diff(trace_path(draws, length=10.0))
    np.testing.assert_allclose(steps, steps[0])
    assert abs(steps.sum()) == pytest.approx(10.0)


@pytest.mark.parametrize("size", [5, 13, 31])
def test_kernels_are_normalised_centred_and_inside_their_margin(size):
    for seed in range(5):
        kernel = trajectory_kernel(size, np.random.default_rng(seed))
        assert kernel.shape == (size, size)
        assert kernel.dtype == np.float32
        assert (kernel >= 0).all()
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        rows, columns = np.nonzero(kernel.sum(1))[0], np.nonzero(kernel.sum(0))[0]
        for used in (rows, columns):
            before, after = used[0], size - 1 - used[-1]
            assert min(before, after) >= 1
            assert abs(before - after) <= 1


def test_the_kernel_is_the_path_in_true_convolution_form():
    # A path to the right and then down, in correlation form; the stored kernel is its half turn.
    path = np.concatenate([np.linspace(0, 4, 50), 4 + 1j * np.linspace(0, 4, 50)])
    correlation_form = centred_in_box(path, 9)
    assert correlation_form[2, 3] > 0 and correlation_form[5, 6] > 0
    assert correlation_form[5, 3] == 0


@pytest.mark.parametrize("size", [3, 12])
def test_even_and_tiny_sizes_are_refused(size):
    with pytest.raises(InputError, match="odd size of at least 5"):
        trajectory_kernel(size, np.random.default_rng(0))
