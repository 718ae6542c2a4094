"""The parts of the classical methods against reference numbers and against their definitions."""

import numpy as np
import pytest
import skimage.data
import skimage.util
from scipy.ndimage import convolve
from scipy.signal import convolve2d

from benchmark.blur.latent_image import extended, gradients, sparse_gradients
from benchmark.blur.noise_level import noise_sigma, without_impulses
from benchmark.blur.nonblind import hyper_laplacian, transfer_function
from methods.classical import deconvolution, kernel, pyramid
from methods.classical.dark_channel import dark_channel, darkened, sparse_dark_channel
from methods.classical.deconvolution import TotalVariationSettings
from methods.classical.low_rank_kernel import shrunk_spectrum
from methods.classical.sparse_ratio import ImageStep, estimate_kernel
from methods.l1l2 import kernel_step


@pytest.fixture
def reference(fixture):
    return fixture("robust_classical")


def random_kernel(size, seed=0):
    k = np.random.default_rng(seed).random(size)
    return k / k.sum()


def test_transfer_functions_convolve_around_the_middle():
    image, k = np.random.default_rng(0).random((12, 15)), random_kernel((5, 3))
    blurred = np.fft.irfft2(np.fft.rfft2(image) * transfer_function(k, image.shape), s=image.shape)
    np.testing.assert_allclose(blurred, convolve(image, k, mode="wrap"), rtol=0, atol=1e-12)


def test_closed_form_kernel_equals_the_reference(reference):
    def periodic_gradients(image):
        return np.stack([np.roll(image, -1, 1) - image, np.roll(image, -1, 0) - image])

    sharp, blurry = (periodic_gradients(reference[name]) for name in ("l0_image_lam4e-3", "edgetaper1"))
    found = kernel.in_fourier_space(sharp, blurry, (9, 9), 20.0)
    np.testing.assert_allclose(found, reference["kernel_closed_gamma20_9x9"], rtol=0, atol=1e-12)


def test_kernel_on_its_support_equals_the_reference(reference):
    sharp, blurry = (gradients(reference[name]) for name in ("l0_image_lam4e-3", "edgetaper1"))
    found = kernel.on_support(sharp, blurry, (9, 9), 2.0)
    np.testing.assert_allclose(found, reference["kernel_cg_w2_9x9"], rtol=0, atol=1e-8)
    exact = reference["kernel_exact_w2_9x9"]
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-6 * np.abs(exact).max())


@pytest.mark.parametrize("size", [(3, 5), (11, 9)])
def test_correlation_of_a_kernel_is_its_matrix_product(size):
    periodic = np.random.default_rng(0).random((12, 10))  # the larger kernel wraps around
    k = random_kernel(size)
    product = kernel.correlation_with(periodic, size)(k)
    expected = [
        sum(periodic[(i - m) % 12, (j - n) % 10] * k[m, n] for m in range(size[0]) for n in range(size[1]))
        for i in range(size[0])
        for j in range(size[1])
    ]
    np.testing.assert_allclose(product.ravel(), expected, rtol=0, atol=1e-12)


def test_centring_equals_the_reference(reference):
    moved = kernel.centred(reference["clean_out_thr005_cc01"])
    np.testing.assert_allclose(moved, reference["center_out"], rtol=0, atol=1e-12)


def test_sizes_of_the_pyramid():
    sizes = [scale.size for scale in pyramid.pyramid(np.zeros((60, 50)), (21, 11))]
    assert sizes == [(7, 3), (9, 5), (11, 7), (15, 9), (21, 11)]
    assert [scale.size for scale in pyramid.pyramid(np.zeros((60, 50)), (3, 1))] == [(3, 1)]


def test_coarse_images_keep_the_mean_and_the_gradients_of_a_ramp():
    ramp = np.add.outer(0.01 * np.arange(60.0), 0.02 * np.arange(50.0))
    small = pyramid.shrunk(ramp, 0.5)
    assert small.shape == (30, 25)
    np.testing.assert_allclose(small[5:-5, 5:-5], ramp[10:-10:2, 10:-10:2], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "taps"), [((5, 5), [(2, 1), (2, 2)]), ((3, 1), [(0, 0), (1, 0)]), ((1, 1), [(0, 0)])]
)
def test_the_first_kernel_has_two_neighbouring_entries(size, taps):
    k = pyramid.two_tap(size)
    assert [tuple(entry) for entry in np.argwhere(k)] == taps
    assert k.sum() == 1


@pytest.mark.parametrize("size", [(9, 11), (11, 9), (13, 13)])
def test_enlarged_kernels_fit_their_box_and_keep_their_middle(size):
    k = np.zeros((7, 7))
    k[2:5, 3] = 1 / 3
    larger = pyramid.enlarged(k, size)
    assert larger.shape == size
    assert larger.min() >= 0
    assert larger.sum() == pytest.approx(1)
    middle = np.argwhere(larger > larger.max() / 2).mean(0)
    np.testing.assert_allclose(middle, (np.array(size) - 1) / 2, rtol=0, atol=1)


def test_dark_channel_equals_the_reference(reference):
    np.testing.assert_array_equal(dark_channel(reference["dark_in"], 5), reference["dark_r5"])


def darkened_one_by_one(image, window, threshold):
    """Windows one after the other, each as the definition says."""
    half = window // 2
    padded = np.pad(image, half, mode="edge")
    before = padded.copy()
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            here = np.s_[row : row + window, column : column + window]
            minimum = before[here].min()
            wanted = 0 if minimum**2 < threshold else minimum
            if padded[here].min() != wanted:
                x, y = divmod(before[here].T.argmin(), window)  # Fortran's order, as in MATLAB
                padded[row + y, column + x] = wanted
    inner = np.s_[half:-half, half:-half]
    target = image.copy()
    target[inner] = padded[half:-half, half:-half][inner]
    return target


@pytest.mark.parametrize("kind", ["noise", "equal values", "slope", "with negative values", "all negative"])
@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.5])
def test_windows_are_darkened_one_after_the_other(kind, threshold):
    rng = np.random.default_rng(0)
    image = {
        "noise": rng.random((23, 30)),
        "equal values": np.round(rng.random((23, 30)), 1),
        "slope": np.add.outer(np.linspace(0.9, 0.1, 23), np.linspace(0.3, 0.0, 30)),
        "with negative values": rng.normal(0.3, 0.3, (23, 30)),
        "all negative": -rng.random((23, 30)),
    }[kind]
    for window in (3, 5, 9):
        expected = darkened_one_by_one(image, window, threshold)
        np.testing.assert_array_equal(darkened(image, window, threshold), expected)


def test_a_slope_keeps_most_of_its_pixels():
    image = np.add.outer(np.linspace(0.4, 0.1, 60), np.linspace(0.1, 0.0, 60))
    changed = (darkened(image, 15, 0.5) == 0)[7:-7, 7:-7]
    assert 0 < changed.mean() < 0.05


def test_the_dark_channel_prior_darkens_what_is_dark_already():
    image = np.full((90, 90), 0.9)
    image[::3] = 0.03
    delta, inner = np.ones((1, 1)), np.s_[21:-20:3, 20:-20]
    assert np.abs(sparse_gradients(image, delta, 4e-3)[inner] - 0.03).max() < 1e-3
    assert sparse_dark_channel(image, delta, 4e-3, 4e-3)[inner].max() < 0.02


@pytest.mark.parametrize("light", [0.0, 1e-4, 1.0])
def test_the_dark_channel_prior_stands_any_exposure(light):
    image = light * np.random.default_rng(0).random((40, 44))
    assert np.isfinite(sparse_dark_channel(image, random_kernel((5, 5)), 4e-3, 4e-3)).all()


def test_low_rank_step_equals_the_reference(reference):
    shrunk = shrunk_spectrum(reference["lowrank_in"], float(reference["lowrank_tau"]))
    np.testing.assert_allclose(shrunk, reference["lowrank_out3"], rtol=0, atol=1e-12)


def test_richardson_lucy_equals_the_reference(reference):
    restored = deconvolution.richardson_lucy(reference["blurry"][None], reference["k"], 20)
    np.testing.assert_allclose(restored[0], reference["rl_valid_20"], rtol=0, atol=1e-12)


def test_saturation_equals_the_reference(reference):
    value, slope = deconvolution.saturated(reference["sat_x"])
    np.testing.assert_allclose(value, reference["sat_val"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(slope, reference["sat_grad"], rtol=0, atol=1e-12)


def test_lights_beyond_white_ring_less_when_saturation_is_known():
    k = np.diag(np.arange(1.0, 10) ** 2)
    k /= k.sum()
    latent = np.full((60, 64), 0.2)
    latent[20:23, 20:23] = latent[40:42, 45:48] = 30.0
    blurry = convolve2d(latent, k, mode="valid").clip(0, 1)[None]
    sharp = latent[4:-4, 4:-4].clip(0, 1)
    errors = [
        np.abs(restore(blurry, k, 30)[0].clip(0, 1) - sharp).mean()
        for restore in (deconvolution.richardson_lucy, deconvolution.richardson_lucy_saturated)
    ]
    assert errors[1] < 0.8 * errors[0]


def test_total_variation_restores_piecewise_constant_images():
    latent = 0.1 + 0.4 * (np.add.outer(np.arange(60) // 9, np.arange(64) // 7) % 2)
    k = random_kernel((5, 7))
    blurry = convolve2d(latent, k, mode="valid")[None]
    restored = deconvolution.total_variation(blurry, k, TotalVariationSettings("own", 3000.0, 30.0, 7))[0]
    sharp, inner = latent[2:-2, 3:-3], np.s_[8:-8, 8:-8]
    assert np.abs(restored - sharp)[inner].mean() < np.abs(blurry[0] - sharp)[inner].mean() / 3


def test_total_variation_at_its_fixed_point_minimises_the_objective():
    rng = np.random.default_rng(0)
    blurry, delta = rng.random((1, 12, 13)), np.ones((1, 1))

    def objective(x):
        variation = np.abs(np.roll(x, -1, -1) - x).sum() + np.abs(np.roll(x, -1, -2) - x).sum()
        return 5.0 / 2 * ((x - blurry) ** 2).sum() + variation

    found = deconvolution.total_variation(blurry, delta, TotalVariationSettings("own", 5.0, 5.0, 400))
    least = objective(found)
    for _ in range(20):
        assert objective(found + 1e-2 * rng.standard_normal(found.shape)) > least


def alternated(blurry, size, weight, delta, alternations):
    """One scale of Krishnan et al.'s alternation as the paper writes it, each convolution in full."""

    def same(image, k):
        return convolve2d(image, k, mode="same")

    def valid(image, k):
        return convolve2d(image, k, mode="valid")

    def cost(images):
        return sum(
            weight / 2 * ((same(image, k) - edges) ** 2).sum() + np.abs(image).sum() / np.linalg.norm(image)
            for image, edges in zip(images, g, strict=True)
        )

    g = [6 * edges / np.linalg.norm(edges) for edges in gradients(blurry)]
    x, k, half, undone = g, pyramid.two_tap((size, size)), size // 2, 0
    inside = slice(half, -half)
    for _ in range(alternations):
        while delta > 1e-4:
            updated = x
            for _ in range(2):
                norms = [np.linalg.norm(image) for image in updated]
                for _ in range(2):
                    moved = [
                        image + delta * weight * norm * same(edges - same(image, k), k[::-1, ::-1])
                        for image, edges, norm in zip(updated, g, norms, strict=True)
                    ]
                    updated = [np.sign(v) * np.maximum(np.abs(v) - delta, 0) for v in moved]
            if cost(updated) <= 3 * cost(x):
                x = updated
                break
            delta, undone = delta / 2, undone + 1
        turned = [image[::-1, ::-1] for image in x]
        matched = sum(valid(edges[inside, inside], image) for edges, image in zip(g, turned, strict=True))
        step = matched - sum(valid(valid(im, k), t) for im, t in zip(x, turned, strict=True))
        curvature = sum((valid(image, step) ** 2).sum() for image in x)
        k = np.maximum(k + (step**2).sum() / curvature * step, 0)
        k = k / k.sum()
    return kernel.centred(k), undone


@pytest.mark.parametrize(("delta", "halved"), [(1e-3, False), (3e-2, True)])
def test_the_alternation_under_a_ratio_of_norms_is_that_of_its_definition(delta, halved):
    rng = np.random.default_rng(0)
    scene = np.kron(rng.random((8, 9)), np.ones((5, 5)))
    blurry = convolve2d(scene, random_kernel((5, 5)), mode="valid")
    expected, undone = alternated(blurry, 5, 100.0, delta, 21)
    step = ImageStep(100.0, delta, 3.0, afresh=False)
    found = estimate_kernel(blurry, (5, 5), step, kernel_step, smallest=5, alternations=21)
    assert (undone > 0) == halved
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("sigma", [0.005, 0.05])
def test_the_noise_level_of_a_smooth_image_is_found(sigma):
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.linspace(0.2, 0.5, 127), np.linspace(0, 0.3, 128))
    assert noise_sigma(smooth + sigma * rng.standard_normal(smooth.shape)) == pytest.approx(sigma, rel=0.05)
    assert noise_sigma(smooth) < 1e-9


def test_impulses_are_replaced_and_rare_ones_kept():
    rng = np.random.default_rng(0)
    smooth = np.tile(np.linspace(0.3, 0.7, 50), (3, 60, 1))
    draws = rng.random(smooth.shape)
    noisy = np.where(draws < 0.02, 0, np.where(draws > 0.98, 1, smooth))
    filtered = without_impulses(noisy)
    assert (np.abs(noisy - smooth) > 0.2).mean() > 0.03
    assert (np.abs(filtered - smooth) > 0.2).mean() < 1e-3  # where impulses outnumber the others
    np.testing.assert_array_equal(filtered[noisy == smooth], smooth[noisy == smooth])
    few = np.where(draws < 0.001, 0, smooth)
    np.testing.assert_array_equal(without_impulses(few), few)


@pytest.fixture(scope="module")
def photograph():
    """A crop, its kernel, and the crop blurred with a little noise."""
    latent = skimage.util.img_as_float(skimage.data.coins())[40:180, 60:210]
    k = random_kernel((9, 9))
    blurry = convolve2d(latent, k, mode="valid")
    blurry += 0.003 * np.random.default_rng(2).standard_normal(blurry.shape)
    return latent[4:-4, 4:-4], k, blurry[None]


def test_total_variation_without_ringing_comes_near_the_hyper_laplacian(photograph):
    sharp, k, blurry = photograph
    inner = np.s_[12:-12, 12:-12]
    before, reference, found = (
        10 * np.log10(1 / ((image[0] - sharp)[inner] ** 2).mean())
        for image in (
            blurry,
            hyper_laplacian(blurry, k),
            deconvolution.ringing_suppressed(blurry, k, 2e-3, 5e-4, 1.0),
        )
    )
    assert found > before + 4
    assert found > reference - 1  # the sheet: within 0.8 dB


def test_rings_are_taken_away_in_proportion_and_smoothly(photograph):
    _, k, blurry = photograph
    without, half, whole = (
        deconvolution.ringing_suppressed(blurry, k, 2e-3, 5e-4, w)[0] for w in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(half, (without + whole) / 2, atol=1e-12)
    rings = without - whole
    periodic = extended(blurry[0], (9, 9))
    difference = without - sparse_gradients(periodic, k, 5e-4)[: blurry.shape[1], : blurry.shape[2]]
    assert 0 < np.abs(np.diff(rings)).mean() < 0.5 * np.abs(np.diff(difference)).mean()
