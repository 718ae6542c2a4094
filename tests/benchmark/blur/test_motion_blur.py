import numpy as np
import pytest
import torch

from benchmark.blur.convolution import convolve_valid
from benchmark.blur.motion_blur import draw, motion_blur_kernel, motion_path
from benchmark.core.errors import InputError


@pytest.mark.parametrize("seed", [0, 1, 123])
@pytest.mark.parametrize(("size", "intensity"), [(64, 0.1), (64, 0.5), (64, 1.0), (96, 0.5)])
def test_paths_follow_the_draws_of_the_reference(fixture, size, intensity, seed):
    arrays, case = fixture("diffusion_motionblur"), f"s{size}_i{intensity}_seed{seed}"
    path = motion_path(size, intensity, np.random.RandomState(seed))
    check_path(path, arrays[f"{case}/path"], arrays[f"{case}/steps"], arrays[f"{case}/angles"])
    # Pillow versions may differ in their drawing.
    assert np.abs(normalised(draw(path, size)) - arrays[f"{case}/kernel"]).sum() < 0.1


@pytest.mark.parametrize(
    ("case", "size", "intensity", "seed"),
    [("64_0.5_123", 64, 0.5, 123), ("41_0.5_7", 41, 0.5, 7), ("64_0.0_9", 64, 0.0, 9)],
)
def test_small_and_straight_strokes_match_the_second_reference(fixture, case, size, intensity, seed):
    arrays = fixture("glkm_motionblur")
    path = motion_path(size, intensity, np.random.RandomState(seed))
    check_path(path, arrays[f"path_{case}"], arrays[f"steps_{case}"], arrays[f"angles_{case}"])
    kernel = normalised(draw(path, size))
    assert np.corrcoef(kernel.ravel(), arrays[f"kernel_{case}"].ravel())[0, 1] > 0.98


def check_path(path, vertices, steps, angles):
    np.testing.assert_allclose(path, vertices @ [1, 1j], rtol=0, atol=1e-9)
    # The last draw turns the whole path, so its angles are known but for a common one.
    increments = np.diff(path)
    np.testing.assert_allclose(np.abs(increments), steps[1:], rtol=0, atol=1e-9)
    turn = np.exp(1j * (np.angle(increments) - angles[1:]))
    np.testing.assert_allclose(turn, turn[0], rtol=0, atol=1e-9)


def normalised(drawing):
    return drawing / drawing.sum()


def test_kernels_drawn_in_a_row_match_the_demo_of_the_release(fixture):
    rng = np.random.RandomState(123)
    for correlation_form in fixture("diffusion_motionblur")["blinddps_demo_sequence/kernels"]:
        kernel = motion_blur_kernel(64, 0.5, rng)
        assert kernel.shape == (65, 65)
        assert kernel.dtype == np.float32
        ours = kernel[::-1, ::-1][1:, 1:]
        assert ours.sum() == pytest.approx(1, abs=1e-5)
        assert np.abs(ours - correlation_form).sum() < 0.1


@pytest.mark.parametrize(
    ("size", "intensity", "stored"), [(64, 0.5, 1000), (64, 0.1, 1000), (64, 1.0, 1000), (96, 0.5, 300)]
)
def test_statistics_match_those_of_the_reference(fixture, size, intensity, stored):
    arrays = fixture("diffusion_motionblur")
    mean, deviation = arrays[f"stats/s{size}_i{intensity}"][:2]
    count = 300
    rng = np.random.default_rng(0)
    kernels = [statistics(motion_path(size, intensity, rng), size) for _ in range(count)]
    for column, name in enumerate(arrays["stats/names"]):
        if name != "max_path_len":  # a draw that the path does not tell
            values = [row[name] for row in kernels]
            tolerance = 4 * deviation[column] * np.sqrt(1 / count + 1 / stored)
            assert np.mean(values) == pytest.approx(mean[column], abs=tolerance), name


def statistics(path, size):
    kernel = normalised(draw(path, size))
    rows, columns = np.nonzero(kernel > 0.02 * kernel.max())
    row, column = (np.sum(kernel * axis) for axis in np.indices(kernel.shape))
    squared = (np.indices(kernel.shape)[0] - row) ** 2 + (np.indices(kernel.shape)[1] - column) ** 2
    positive = kernel[kernel > 0]
    edges = kernel[0].sum() + kernel[-1].sum() + kernel[:, 0].sum() + kernel[:, -1].sum()
    return {
        "num_steps": len(path),
        "max_value": kernel.max(),
        "n_nonzero": len(positive),
        "n_above_2pct_of_max": len(rows),
        "extent_px": max(np.ptp(rows), np.ptp(columns)) + 1,
        "centroid_row": row,
        "centroid_col": column,
        "rms_radius": np.sqrt(np.sum(kernel * squared)),
        "entropy_nats": -np.sum(positive * np.log(positive)),
        "border_mass": edges,
    }


@pytest.mark.parametrize("size", [8, 13, 31, 53, 54])
@pytest.mark.parametrize("intensity", [0, 0.5, 1])
def test_every_size_gives_a_normalised_odd_kernel(size, intensity):
    kernel = motion_blur_kernel(size, intensity, np.random.default_rng(0))
    odd = size + 1 - size % 2
    assert kernel.shape == (odd, odd)
    assert (kernel >= 0).all()
    assert kernel.sum() == pytest.approx(1, abs=1e-5)


def test_the_stored_kernel_blurs_like_the_even_one_with_same_padding():
    drawn = draw(motion_path(64, 0.5, np.random.RandomState(1)), 64)
    even = torch.from_numpy(normalised(drawn))[None, None]
    stored = torch.from_numpy(motion_blur_kernel(64, 0.5, np.random.RandomState(1))).double()
    image = torch.rand(1, 20, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    padded = torch.nn.functional.pad(image, (31, 32, 31, 32))
    expected = torch.nn.functional.conv2d(padded[:, None], even)[:, 0]
    ours = convolve_valid(torch.nn.functional.pad(image, (32, 32, 32, 32)), stored)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-7)  # kernels are float32


def test_a_drawing_without_a_stroke_is_drawn_again(monkeypatch):
    drawings = iter([np.zeros((9, 9)), np.eye(9)])
    monkeypatch.setattr("benchmark.blur.motion_blur.draw", lambda path, size: next(drawings))
    kernel = motion_blur_kernel(9, 0.5, np.random.default_rng(0))
    np.testing.assert_allclose(kernel, np.eye(9) / 9, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((7, 0.5), "at least 8 pixels, not 7"),
        ((64, 1.5), "intensity of motion blur must be in"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        motion_blur_kernel(*arguments, np.random.default_rng(0))
