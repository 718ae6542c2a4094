"""SVOLA against brute force, the uniform operator, kernels per pixel, and the warping it approximates."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import camera

from benchmark.blur.boundary import latent_frame
from benchmark.blur.convolution import convolve_valid, rotate_180
from benchmark.blur.perpixel import blur_per_pixel
from benchmark.blur.svola import axis_windows, node_centres, svola
from benchmark.blur.warp import warp_average
from benchmark.core.errors import InputError

FORMS, WINDOWS = ["input", "output"], ["linear", "hann"]


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("form", FORMS)
def test_both_forms_equal_the_reference(fixture, form, window):
    reference = fixture("glkm_svola")
    kernels = rotate_180(torch.from_numpy(reference["kernels"])).flatten(0, 1)
    image, expected = torch.from_numpy(reference["x"]), reference[f"{window}_y_{form}"]
    blurred = svola(image, kernels, (2, 3), form=form, window=window)
    np.testing.assert_allclose(blurred, expected, rtol=0, atol=1e-12)
    single = svola(image.float(), kernels.float(), (2, 3), form=form, window=window)
    np.testing.assert_allclose(single, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_equal_the_reference(fixture, window):
    reference = fixture("glkm_svola")
    for name, windows in {
        "wy": axis_windows(20, 2, (2, 2), window),
        "wx": axis_windows(24, 3, (2, 2), window),
        "vy": axis_windows(20, 2, window=window),
        "vx": axis_windows(24, 3, window=window),
    }.items():
        np.testing.assert_allclose(windows, reference[f"{window}_{name}"], rtol=0, atol=1e-15)


@settings(deadline=None, max_examples=80)
@given(
    length=st.integers(1, 40),
    nodes=st.integers(1, 40),
    margin=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    window=st.sampled_from(WINDOWS),
)
def test_windows_sum_to_one_everywhere(length, nodes, margin, window):
    if nodes > length:
        with pytest.raises(InputError, match="do not fit"):
            axis_windows(length, nodes, margin, window)
        return
    windows = axis_windows(length, nodes, margin, window)
    assert windows.shape == (nodes, sum(margin) + length)
    np.testing.assert_allclose(windows.sum(0), 1, rtol=0, atol=1e-15)
    assert windows.min() >= 0
    assert ((windows > 0).sum(0) <= 2).all()
    assert (windows[0, : margin[0] + 1] == 1).all()  # outside, the nearest node alone


def brute_force(latent, kernels, grid, form, window):
    """Every node's kernel over the whole image, windowed before or after."""
    h, w = kernels.shape[-2:]
    size = latent.shape[1] - h + 1, latent.shape[2] - w + 1
    margins = [((n - 1) // 2, n // 2) if form == "input" else (0, 0) for n in (h, w)]
    rows, columns = (
        torch.from_numpy(axis_windows(size[i], grid[i], margins[i], window)).to(latent) for i in (0, 1)
    )
    total = 0
    for node, kernel in enumerate(kernels):
        mask = rows[node // grid[1]][:, None] * columns[node % grid[1]]
        total = total + (
            convolve_valid(mask * latent, kernel)
            if form == "input"
            else mask * convolve_valid(latent, kernel)
        )
    return total


@settings(deadline=None, max_examples=60)
@given(
    size=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    kernel=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    form=st.sampled_from(FORMS),
    window=st.sampled_from(WINDOWS),
)
def test_patches_equal_whole_images_for_every_size(size, kernel, grid, form, window):
    grid = min(grid[0], size[0]), min(grid[1], size[1])
    latent = random(2, size[0] + kernel[0] - 1, size[1] + kernel[1] - 1)
    kernels = random(grid[0] * grid[1], *kernel, seed=1)
    blurred = svola(latent, kernels, grid, form=form, window=window)
    assert blurred.shape == (2, *size)
    expected = brute_force(latent, kernels, grid, form, window)
    torch.testing.assert_close(blurred, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("boundary", ["valid", "zero", "grey", "replicate", "circular"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("grid", [(1, 1), (3, 4)])
def test_equal_kernels_are_a_uniform_blur(grid, form, boundary):
    image, kernel = random(3, 61, 74).float(), random(15, 9).float()
    kernel /= kernel.sum()
    kernels = kernel.expand(grid[0] * grid[1], -1, -1)
    expected = convolve_valid(latent_frame(image, (15, 9), boundary), kernel)
    torch.testing.assert_close(svola(image, kernels, grid, boundary, form), expected, rtol=0, atol=1e-6)


def pixel_kernels(kernels, grid, size, window):
    """The kernel of every observed pixel (H * W, h, w), blended from those at the nodes (Gy * Gx, h, w)."""
    rows, columns = (
        torch.from_numpy(axis_windows(length, nodes, window=window)).to(kernels)
        for length, nodes in zip(size, grid, strict=True)
    )
    nodes = kernels.reshape(*grid, *kernels.shape[-2:])
    return torch.einsum("ar,bc,abij->rcij", rows, columns, nodes).flatten(0, 1)


@pytest.mark.parametrize("window", WINDOWS)
def test_the_output_form_blurs_every_pixel_with_its_blended_kernel(window):
    latent, kernels = random(3, 17, 20), random(6, 5, 3, seed=1)
    blended = pixel_kernels(kernels, (2, 3), (13, 18), window)
    assert blended.shape == (13 * 18, 5, 3)
    expected = blur_per_pixel(latent, blended, "valid")
    blurred = svola(latent, kernels, (2, 3), form="output", window=window)
    torch.testing.assert_close(blurred, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("form", FORMS)
def test_gradients_in_image_and_kernels(form, window):
    image, kernels = random(1, 8, 9).requires_grad_(), random(4, 3, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, k: svola(x, k, (2, 2), form=form, window=window), (image, kernels), fast_mode=True
    )


@pytest.mark.parametrize(
    ("kernels", "reason"), [((5, 3, 3), "takes 6 kernels, not 5"), ((6, 3, 11), r"\(3 x 11\) are larger")]
)
def test_kernels_that_do_not_fit_are_refused(kernels, reason):
    with pytest.raises(InputError, match=reason):
        svola(random(1, 9, 10), random(*kernels), (2, 3))


def pan_and_roll(size, poses=64):
    """Homographies of a smooth path of about 9 pixels with a roll of up to 2 degrees about the centre."""
    t = np.linspace(0, 1, poses)
    columns, rows = 4 * np.cos(2.5 * t), 3 * np.sin(4 * t)
    angles = np.deg2rad(2) * np.sin(5 * t + 0.5)
    homographies = np.tile(np.eye(3), (poses, 1, 1))
    homographies[:, 0, 0] = homographies[:, 1, 1] = np.cos(angles)
    homographies[:, 0, 1], homographies[:, 1, 0] = -np.sin(angles), np.sin(angles)
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    moved = centre - homographies[:, :2, :2] @ centre
    homographies[:, :2, 2] = moved + np.stack([columns - columns.mean(), rows - rows.mean()], 1)
    return torch.from_numpy(homographies)


def psf_at(homographies, row, column, size):
    """The kernel (size, size) at a pixel, true-convolution form: displacements splatted bilinearly."""
    kernel = torch.zeros(size, size, dtype=torch.float64)
    seen = homographies @ torch.tensor([column, row, 1.0], dtype=torch.float64)
    places = seen[:, :2] / seen[:, 2:] - torch.tensor([column, row]) + size // 2
    corner = places.floor().long()
    right, down = (places - corner).T
    for row_step, row_share in ((0, 1 - down), (1, down)):
        for column_step, column_share in ((0, 1 - right), (1, right)):
            where = (corner[:, 1] + row_step, corner[:, 0] + column_step)
            kernel.index_put_(where, row_share * column_share / len(places), accumulate=True)
    return rotate_180(kernel)


def test_more_nodes_come_closer_to_warping():
    image = torch.from_numpy(camera()[100:228, 180:332][None] / 255)
    homographies = pan_and_roll(image.shape[1:])
    warped = warp_average(image, homographies)
    size, border = 21, 14

    def psnr_of(grid, form, window="linear"):
        rows, columns = (node_centres(length, n) for length, n in zip(image.shape[1:], grid, strict=True))
        kernels = torch.stack([psf_at(homographies, r, c, size) for r in rows for c in columns])
        blurred = svola(image, kernels, grid, "replicate", form, window)
        inside = np.s_[:, border:-border, border:-border]
        return -10 * float(torch.log10((blurred - warped)[inside].square().mean()))

    # dB: 31, 40, 47, 50 in the input form and 31, 40, 50, 57 in the output form
    grids = ((1, 1), (2, 3), (4, 4), (6, 8))
    spread, gathered = ([psnr_of(grid, form) for grid in grids] for form in FORMS)
    assert (np.diff(spread) > 2).all()
    assert (np.diff(gathered) > 6).all()
    assert all(g > s for s, g in zip(spread[1:], gathered[1:], strict=True))
    for form, linear in (("input", spread[-1]), ("output", gathered[-1])):
        assert psnr_of(grids[-1], form, "hann") < linear - 1


def test_at_a_node_the_kernel_is_the_blur_of_warping():
    image = random(1, 41, 51)
    homographies = pan_and_roll(image.shape[1:])
    kernel = psf_at(homographies, 20, 25, 21)
    there = convolve_valid(image[:, 10:31, 15:36], kernel)
    torch.testing.assert_close(
        there[0, 0, 0], warp_average(image, homographies)[0, 20, 25], rtol=0, atol=1e-13
    )
