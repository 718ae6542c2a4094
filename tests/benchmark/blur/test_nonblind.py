"""Non-blind deconvolution against reference numbers, brute force and photographs."""

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from skimage.io import imread

from benchmark.blur import nonblind
from benchmark.blur.nonblind import (
    edge_taper,
    hyper_laplacian,
    hyper_laplacian_by_cg,
    hyper_laplacian_periodic,
    hyper_laplacian_valid,
    prox,
)
from benchmark.blur.operators import SvolaBlur, UniformBlur
from benchmark.blur.trajectory import trajectory_kernel
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.scoring.alignment import best_shift
from benchmark.scoring.metrics import psnr


@pytest.mark.parametrize(("alpha", "name"), [(1 / 2, "a12"), (2 / 3, "a23"), (0.8, "a08"), (1.0, "a1")])
def test_prox_equals_the_reference(fixture, alpha, name):
    reference = fixture("robust_classical")
    for beta, expected in zip(reference["w_betas"], reference[f"w_{name}"], strict=True):
        np.testing.assert_allclose(prox(reference["w_v"], alpha, beta), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.1, 1 / 2, 2 / 3, 0.9, 1.0])
@pytest.mark.parametrize("beta", [1.0, 64.0, 256.0])
def test_prox_is_no_worse_than_a_search(alpha, beta):
    v = np.linspace(-2, 2, 101)
    grid = np.linspace(-2, 2, 4001)

    def objective(w):
        return np.abs(w) ** alpha + beta / 2 * (w - v) ** 2

    searched = objective(grid[:, None]).min(0)
    assert (objective(prox(v, alpha, beta)) <= searched + 1e-12).all()


@pytest.mark.parametrize(("alpha", "name"), [(1 / 2, "a12"), (2 / 3, "a23"), (1.0, "a1")])
def test_periodic_images_equal_the_reference(fixture, alpha, name):
    reference = fixture("robust_classical")
    restored = hyper_laplacian_periodic(reference["circ_noisy"], reference["k"], 2000.0, alpha)
    np.testing.assert_allclose(restored, reference[f"hyperlap_circ_{name}_lam2000"], rtol=0, atol=1e-12)


def test_taper_equals_the_reference(fixture):
    reference = fixture("robust_classical")
    tapered = edge_taper(reference["blurry"], reference["k"])
    np.testing.assert_allclose(tapered, reference["edgetaper1"], rtol=0, atol=1e-12)


def test_channels_do_not_see_each_other():
    rng = np.random.default_rng(0)
    blurry, kernel = rng.random((3, 21, 18)), rng.random((4, 7))
    kernel /= kernel.sum()
    together = hyper_laplacian(blurry, kernel)
    assert together.shape == blurry.shape
    for index in range(3):
        alone = hyper_laplacian(blurry[index : index + 1], kernel)
        np.testing.assert_allclose(together[index], alone[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (5, 4), (3, 1)])
def test_the_smallest_images_are_restored(shape):
    kernel = np.full(shape, 1 / np.prod(shape))
    np.testing.assert_allclose(hyper_laplacian(np.full((1, *shape), 0.5), kernel), 0.5, atol=1e-12)


@pytest.mark.parametrize("size", [(5, 5), (4, 6), (6, 3)])
def test_the_restored_image_stays_in_the_frame_of_the_sharp_one(size):
    # A single entry at the corner is the largest shift that a kernel of this size can make.
    kernel = np.zeros(size)
    kernel[0, -1] = 1
    scene = np.random.default_rng(0).random((1, 40 + size[0] - 1, 40 + size[1] - 1))
    top, left = (size[0] - 1) // 2, (size[1] - 1) // 2
    blurry = scene[:, size[0] - 1 :, : 1 - size[1]]  # the definition of 'valid' blur with this kernel
    sharp = scene[:, top : top + 40, left : left + 40]
    inner = np.s_[:, 12:-12, 12:-12]
    operator = UniformBlur(torch.from_numpy(kernel).float())
    for restored in (
        hyper_laplacian(blurry, kernel, weight=1e9),
        hyper_laplacian_by_cg(blurry, operator, weight=1e9),
        hyper_laplacian_valid(blurry, kernel, weight=1e9),
    ):
        assert restored.shape == sharp.shape
        # The prior's pull at this weight is what the tolerance leaves room for.
        np.testing.assert_allclose(restored[inner], sharp[inner], rtol=0, atol=1e-3)


def blurred_astronaut(operator, side=64):
    """A sharp crop and its blur by `operator` with 0.5 % noise."""
    rows, columns = operator.latent_size((side, side))
    scene = astronaut()[80 : 80 + rows, 170 : 170 + columns].transpose(2, 0, 1).astype(np.float32) / 255
    blurry = operator.apply(torch.from_numpy(scene)).numpy()
    noise = np.random.default_rng(0).normal(0, 0.005, blurry.shape)
    top, left = (rows - side) // 2, (columns - side) // 2
    return scene[:, top : top + side, left : left + side], (blurry + noise).astype(np.float32)


def kernels(count, size=11):
    rng = np.random.default_rng(5)
    return torch.from_numpy(np.stack([trajectory_kernel(size, rng) for _ in range(count)]))


def test_conjugate_gradients_reach_what_the_division_of_spectra_reaches():
    operator = UniformBlur(kernels(1)[0], "circular")
    _, blurry = blurred_astronaut(operator)
    kernel = operator.kernel.double().numpy()
    by_spectra = hyper_laplacian_periodic(blurry.astype(np.float64), kernel, 2000.0, 2 / 3)
    by_cg = hyper_laplacian_by_cg(blurry, operator)
    # They differ at the border only, where one takes differences across it.
    inner = np.s_[:, 12:-12, 12:-12]
    assert psnr(by_cg[inner], by_spectra[inner]) > 60  # dB; 66 here


@pytest.mark.parametrize("boundary", ["zero", "grey", "replicate"])
def test_a_known_boundary_is_worth_using(boundary):
    operator = UniformBlur(kernels(1)[0], boundary)
    sharp, blurry = blurred_astronaut(operator)
    known = psnr(hyper_laplacian_by_cg(blurry, operator), sharp)
    assert known > psnr(hyper_laplacian(blurry, operator.kernel.numpy()), sharp) + 3  # dB; 9.4, 5.2 and 3.5


@pytest.mark.parametrize("size", [(11, 11), (4, 9), (1, 1)])
def test_unknown_pixels_are_those_of_the_valid_operator(size, monkeypatch):
    kernel = kernels(1)[0][: size[0], : size[1]] + 0.01
    operator = UniformBlur(kernel / kernel.sum())
    _, blurry = blurred_astronaut(operator)
    restored = hyper_laplacian_valid(blurry, operator.kernel.numpy(), 500.0)
    monkeypatch.setattr(nonblind, "CG_STEPS", 300)  # without a preconditioner it takes many more
    assert psnr(restored, hyper_laplacian_by_cg(blurry, operator, 500.0)) > 50  # dB


def test_unknown_pixels_restore_the_border_that_a_taper_loses():
    operator = UniformBlur(kernels(1)[0])
    sharp, blurry = blurred_astronaut(operator)
    kernel = operator.kernel.numpy()
    valid, tapered = hyper_laplacian_valid(blurry, kernel), hyper_laplacian(blurry, kernel)
    border = np.ones(sharp.shape, bool)
    border[:, 8:-8, 8:-8] = False
    assert psnr(valid[border], sharp[border]) > psnr(tapered[border], sharp[border]) + 3  # dB
    assert psnr(valid[~border], sharp[~border]) > psnr(tapered[~border], sharp[~border])


def test_kernels_at_nodes_restore_a_non_uniform_blur():
    operator = SvolaBlur(kernels(6), (2, 3))
    sharp, blurry = blurred_astronaut(operator)
    restored = psnr(hyper_laplacian_by_cg(blurry, operator), sharp)
    assert restored > psnr(blurry, sharp) + 6
    mean = UniformBlur(operator.kernels.mean(0))
    swapped = SvolaBlur(operator.kernels.flip(0), (2, 3))
    for wrong in (mean, swapped):
        assert restored > psnr(hyper_laplacian_by_cg(blurry, wrong), sharp) + 5


def aligned_psnr(image, sharp):
    aligned = best_shift(np.clip(image, 0, 1).astype(np.float64), sharp)
    return psnr(aligned.estimate, aligned.reference)


@pytest.mark.parametrize(("case", "gain", "lead"), [("camera", 8, 7), ("astronaut", 4, 4)])
def test_the_true_kernel_restores_the_demo_and_the_turned_one_does_not(case, gain, lead):
    observation, truth = observe(make_case(find_dataset("demo-uniform"), case, 0), 0)
    sharp, kernel = truth.sharp.astype(np.float64), truth.kernels[0]
    right = aligned_psnr(hyper_laplacian(observation.blurry, kernel), sharp)
    turned = aligned_psnr(hyper_laplacian(observation.blurry, kernel[::-1, ::-1]), sharp)
    assert right > aligned_psnr(observation.blurry, sharp) + gain
    assert right > turned + lead


@pytest.mark.parametrize("number", range(1, 9))
def test_photographs_of_levin_obey_true_convolution(mirror, number):
    folder = mirror / "data" / "levin"
    if not folder.is_dir():
        pytest.skip(f"no photographs of Levin et al. in {folder}")
    kernel = imread(folder / "gt" / f"kernel{number}.png").astype(np.float64)
    kernel /= kernel.sum()
    if number not in (4, 8):  # these two files are turned against the others
        kernel = kernel[::-1, ::-1]
    for image in (1, 2):
        sharp = imread(folder / "gt" / f"im{image}.png")[None] / 255
        blurry = imread(folder / f"im{image}_kernel{number}_img.png")[None] / 255
        right = aligned_psnr(hyper_laplacian(blurry, kernel), sharp)
        turned = aligned_psnr(hyper_laplacian(blurry, kernel[::-1, ::-1]), sharp)
        assert right > turned + 2  # dB; 2.9 at the least, 10 and more for most
        assert right > aligned_psnr(blurry, sharp) + 3  # dB; 3.7 at the least


def test_lamps_leave_no_rings_where_clipped_pixels_are_known():
    """A lamp of four times the largest value, and a square to tell that all else is restored as before."""
    scene = np.full((1, 70, 110), 0.05)
    scene[:, 25:31, 30:36] = 4
    scene[:, 45:60, 60:90] = 0.6
    kernel = np.full((1, 15), 1 / 15)
    noise = np.random.default_rng(0).normal(0, 0.003, (1, 70, 96))
    light = np.stack([scene[:, :, start : start + 96] for start in range(15)]).mean(0)
    blurry, sharp = (light + noise).clip(0, 1), scene[:, :, 7:-7].clip(0, 1)
    plain = hyper_laplacian_valid(blurry, kernel, 5000).clip(0, 1)
    aware = hyper_laplacian_valid(blurry, kernel, 5000, clipped=blurry >= 1).clip(0, 1)
    lamp, square = np.s_[:, 22:34], np.s_[:, 42:63]
    assert psnr(aware[lamp], sharp[lamp]) > psnr(plain[lamp], sharp[lamp]) + 6  # dB
    assert psnr(aware[square], sharp[square]) == pytest.approx(psnr(plain[square], sharp[square]), abs=1)
