"""What each deep method minimises, at which rates, computed a second time from the papers' formulas.

The numbers are written out here and not read from the code: a factor on a weight, a rate or a threshold,
wherever it stands between the setting and the step, fails a test. So does another stage at an iteration.
"""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from scipy.signal import convolve2d
from torch.optim.optimizer import register_optimizer_step_pre_hook

from benchmark.tools.conformance import observe
from tests.methods.tiny import METHODS, build, places, settings_of

TOLERANCE = 1e-5  # relative, of a float32 loss against float64


@pytest.fixture
def problem(weights, tmp_path):
    """`problem(name, observation, **changes)`: with the default of every setting that decides a loss."""

    def make(name, observation, **changes):
        given = {**places(METHODS[name], tmp_path, weights), "iterations": 20, **changes}
        return build(METHODS[name], observation, settings_of(METHODS[name], **given))

    return make


@pytest.fixture
def rates():
    """The learning rates of every optimiser step from here on: (first group, second group)."""
    seen = []
    handle = register_optimizer_step_pre_hook(
        lambda optimiser, *_: seen.append(tuple(float(group["lr"]) for group in optimiser.param_groups))
    )
    yield seen
    handle.remove()


def latent(fit):
    """The latent image (C, H', W'), its standard deviation or None, and the kernel (h, w), in float64."""
    with torch.no_grad():
        image, deviation = fit.image.latent(None)
        kernels = fit.kernel()
    arrays = (image, deviation, kernels[0])
    return [None if array is None else array.double().numpy() for array in arrays]


def blurred(image, kernel, mode="valid"):
    return np.stack([convolve2d(channel, kernel, mode) for channel in image])


def differences(image):
    """Vertical and horizontal differences of (C, H, W)."""
    return np.diff(image, axis=1), np.diff(image, axis=2)


def ssim(a, b):
    """SSIM with an 11 x 11 Gaussian window of sigma 1.5 and zeros around the images."""
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(values):
        for axis in (1, 2):
            values = correlate1d(values, window, axis, mode="constant")
        return values

    mean_a, mean_b = mean(a), mean(b)
    variances = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similar = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (similar / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))).mean()


def close(step, expected):
    assert step.loss.item() == pytest.approx(expected, rel=TOLERANCE)


def huber(residual):
    """Robust BID, eq. (18), averaged over all values."""
    size = np.abs(residual)
    return np.where(size <= 0.05, size**2 / 2, 0.05 * (size - 0.05 / 2)).mean()


def ratio_of_norms(image):
    """Robust BID, eq. (19), and the number of differences in it."""
    gradients = np.concatenate([part.ravel() for part in differences(image)])
    return np.abs(gradients).sum() / np.sqrt((gradients**2).sum()), gradients.size


def huber_and_sparsity(residual, image):
    """Robust BID, eq. (21)."""
    return huber(residual) + 1e-5 * ratio_of_norms(image)[0]


@pytest.mark.parametrize("shape", [(1, 31, 34), (3, 31, 34)])
def test_robust_bid_minimises_huber_and_the_ratio_of_norms(shape, problem):
    observation = observe(shape, kernel_size=(9, 7))
    fit = problem("robust-bid", observation)
    image, _, kernel = latent(fit)
    assert image.shape == (shape[0], 31 + 9 - 1, 34 + 7 - 1)
    close(fit.step(0), huber_and_sparsity(blurred(image, kernel) - observation.blurry, image))


@pytest.mark.parametrize(
    ("regulariser", "factor"),
    [("l1/l2-scaled", lambda count: np.sqrt(3e6 / count)), ("l1/l2-mean", lambda count: 1 / np.sqrt(count))],
)
@pytest.mark.parametrize(("name", "more"), [("robust-bid", {}), ("joint-fit", {"objective": "residual"})])
def test_other_forms_of_the_ratio_are_multiples_of_equation_19(regulariser, factor, name, more, problem):
    observation = observe((3, 31, 34), kernel_size=(9, 7))
    changes = {"regulariser": regulariser, "regulariser_weight": 1e-2, **more}
    fit = problem(name, observation, **changes, **({"code_noise": 0.0} if more else {}))
    image, _, kernel = latent(fit)
    ratio, count = ratio_of_norms(image)
    residual = blurred(image, kernel) - observation.blurry
    close(fit.step(0), huber(residual) + 1e-2 * factor(count) * ratio)


def test_the_residual_of_a_joint_fit_is_robust_bids(problem):
    observation = observe((3, 31, 34), kernel_size=(9, 7))
    fit = problem("joint-fit", observation, objective="residual", code_noise=0.0)
    image, _, kernel = latent(fit)
    close(fit.step(0), huber_and_sparsity(blurred(image, kernel) - observation.blurry, image))


@pytest.mark.parametrize(
    ("changes", "form"),
    [({}, lambda raw: 1 / (1 + np.exp(-raw))), ({"siren_entries": "softmax"}, np.exp)],
)
def test_the_kernel_of_robust_bid_is_a_sigmoid_of_two_sine_layers_over_its_sum(changes, form, problem):
    """The division by the sum is ours, and so is the softmax."""
    fit = problem("robust-bid", observe(kernel_size=(9, 7)), **changes)
    layers = [
        fit.kernel.state_dict()[f"layers.{number}.{part}"].double().numpy()
        for number in range(3)
        for part in ("weight", "bias")
    ]
    rows, columns = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 7), indexing="ij")
    values = np.stack([rows.ravel(), columns.ravel()])
    for weight, bias in zip(layers[:4:2], layers[1:4:2], strict=True):
        values = np.sin(30 * (weight @ values + bias[:, None]))
    entries = form(layers[4] @ values + layers[5]).reshape(9, 7)
    _, _, kernel = latent(fit)
    np.testing.assert_allclose(kernel, entries / entries.sum(), rtol=1e-4)


@pytest.mark.parametrize("name", ["selfdeblur", "vdip-sparse", "bird"])
def test_the_kernel_network_is_a_hidden_layer_of_relu6_and_a_softmax(name, problem):
    """The published code correlates; kernels here are in true-convolution form, so the array is turned."""
    kernel = problem(name, observe((3, 32, 34), kernel_size=(9, 7))).kernel
    arrays = {key: value.double().numpy() for key, value in kernel.state_dict().items()}
    hidden = np.clip(arrays["expand.weight"] @ arrays["code"] + arrays["expand.bias"], 0, 6)
    entries = np.exp(arrays["entries.weight"] @ hidden + arrays["entries.bias"])
    expected = (entries / entries.sum()).reshape(9, 7)[::-1, ::-1]
    np.testing.assert_allclose(kernel()[0].detach().numpy(), expected, rtol=1e-5)


def test_robust_bid_stops_500_iterations_after_the_least_variance_of_100_images(problem):
    stopper = problem("robust-bid", observe(), iterations=10_000, window=100).stopper
    image, kernels = torch.rand(1, 4, 4), torch.ones(1, 1, 1)
    ended = [bool(stopper.push(image, kernels)) for _ in range(100 + 500)]
    assert ended == [False] * 599 + [True]


def test_without_a_kernel_the_objective_is_the_same(problem):
    observation = observe()
    fit = problem("dip-only", observation)
    image, _, _ = latent(fit)
    close(fit.step(0), huber_and_sparsity(image - observation.blurry, image))


@pytest.mark.parametrize("name", ["selfdeblur", "dip-glkm", "joint-fit"])
def test_selfdeblur_minimises_the_squared_error_for_a_tenth_then_one_minus_ssim(name, problem):
    observation = observe((3, 34, 36))
    fit = problem(name, observation, code_noise=0.0)
    for iteration in range(4):
        image, _, kernel = latent(fit)
        reblurred = blurred(image, kernel)
        mse = ((reblurred - observation.blurry) ** 2).mean()
        close(fit.step(iteration), mse if iteration < 2 else 1 - ssim(reblurred, observation.blurry))


@pytest.mark.parametrize("name", ["selfdeblur", "dip-glkm", "joint-fit"])
def test_the_code_is_perturbed_by_a_thousandth(name, problem):
    fit = problem(name, observe((3, 34, 36)))
    noise = torch.randn(fit.image.code.shape, generator=generator_of(fit))
    with torch.no_grad():
        image = fit.image.network(fit.image.code + 0.001 * noise)[0].double().numpy()
    _, _, kernel = latent(fit)
    mse = ((blurred(image, kernel) - observe((3, 34, 36)).blurry) ** 2).mean()
    close(fit.step(0), mse)


def generator_of(fit):
    """One that draws what the next step will."""
    rng = torch.Generator()
    rng.set_state(fit.rng.get_state())
    return rng


def expected_misfit(residual, entries):
    """-E of VDIP: energies of the residual and of its differences, over the entries of the latent image."""
    down, right = differences(residual)
    first = ((down**2).sum() + (right**2).sum()) / 4
    (down_down, right_down), (down_right, right_right) = differences(down), differences(right)
    second = sum((part**2).sum() for part in (down_down, right_down, down_right, right_right)) / 8
    return ((residual**2).sum() / 2 + 2 * first + second) / entries


def sparse_prior(mean, deviation, rng):
    """-T1 / P + T2 / entries of VDIP-Sparse."""
    del rng
    variance = deviation**2
    down, right = differences(mean)
    vertical = down**2 + variance[:, 1:] + variance[:, :-1]
    horizontal = right**2 + variance[:, :, 1:] + variance[:, :, :-1]
    squares = sum((values / (values + 1e-6)).sum() for values in (vertical, horizontal)) / 4
    channels, height, width = mean.shape
    return -np.log(deviation).mean() + squares / (channels * (height - 1) * (width - 1))


def extreme_prior(mean, deviation, rng):
    """-T1 / P + T2 / entries of VDIP-Extreme; T2 is half the entries, for each is divided by itself."""
    for _ in ("dark", "bright"):
        torch.randn(mean.shape, generator=rng)
    return -np.log(deviation).mean() + 2 / 4


PRIORS = {"std": None, "sparse": sparse_prior, "extreme": extreme_prior}
WEIGHTS = {"std": (0, 0), "sparse": (0.1, 0.01), "extreme": (1e-4, 1e-5)}


@pytest.mark.parametrize("variant", ["std", "sparse", "extreme"])
@pytest.mark.parametrize("kernel", ["network", "generator"])
def test_vdip_fits_its_means_then_the_bound_under_two_weights_then_one_minus_ssim(variant, kernel, problem):
    name = f"vdip-{variant}" + ("-glkm" if kernel == "generator" else "")
    observation = observe((3, 36, 38))
    blurry = observation.blurry.astype(np.float64)
    fit = problem(name, observation, pretraining_share=0.1)
    assert fit.iterations == 2 + 20
    for iteration in range(2 + 4 + 4 + 2):
        mean, deviation, k = latent(fit)
        top, left = k.shape[0] // 2, k.shape[1] // 2
        inside = (slice(None), slice(top, top + 36), slice(left, left + 38))
        rng = generator_of(fit)
        if iteration < 2:
            expected = ((mean[inside] - blurry) ** 2 + deviation[inside] ** 2).mean() / 2
            if kernel == "network":
                expected += ((k - 1 / k.size) ** 2).mean()
        elif iteration < 2 + 8:
            weight, regulariser = WEIGHTS[variant][(iteration - 2) // 4], 0.0
            if PRIORS[variant] is not None:
                regulariser = PRIORS[variant](mean, deviation, rng)
                regulariser += 10 * (k**2).sum() / 2 if kernel == "network" else 0
            noise = torch.randn(mean.shape, generator=rng).double().numpy()
            residual = blurred(mean + deviation * noise, k) - blurry
            expected = weight * regulariser + expected_misfit(residual, mean.size)
        else:
            expected = 1 - ssim(blurred(mean, k), blurry)
        close(fit.step(iteration), expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("selfdeblur", (1e-2, 1e-4)),
        ("dip-glkm", (1e-2, 5e-4)),
        ("joint-fit", (1e-2, 1e-4)),
        ("vdip-std", (1e-2, 1e-4)),
        ("vdip-sparse", (1e-2, 1e-4)),
        ("vdip-sparse-glkm", (1e-2, 5e-4)),
        ("vdip-extreme", (1e-2, 1e-4)),
    ],
)
def test_rates_halve_at_2000_3000_and_4000_of_5000(name, expected, problem, rates):
    fit = problem(name, observe(), iterations=5000, window=100)
    before = fit.iterations - 5000  # VDIP's pre-training, which its milestones do not count
    for iteration in (0, 1999, 2000, 2999, 3000, 3999, 4000, 4999):
        fit.step(before + iteration if iteration else 0)
    halvings = (0, 0, 1, 1, 2, 2, 3, 3)
    assert rates == [tuple(rate / 2**times for rate in expected) for times in halvings]


@pytest.mark.parametrize(("name", "kernel_rate"), [("robust-bid", 1e-4), ("dip-only", 0.0)])
def test_rates_halve_at_2000_3000_5000_and_8000_of_10000(name, kernel_rate, problem, rates):
    fit = problem(name, observe(), iterations=10_000, window=100)
    for iteration in (0, 1999, 2000, 2999, 3000, 4999, 5000, 7999, 8000, 9999):
        fit.step(iteration)
    halvings = (0, 0, 1, 1, 2, 2, 3, 3, 4, 4)
    assert rates == [(1e-2 / 2**times, kernel_rate / 2**times) for times in halvings]


def test_short_runs_of_selfdeblur_move_the_kernel_faster(problem, rates):
    for iterations in (1999, 2000):
        problem("selfdeblur", observe(), iterations=iterations).step(0)
    assert rates == [(1e-2, 5e-4), (1e-2, 1e-4)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("bird", (3e-3, 2e-4)), ("bird-glkm", (3e-3, 5e-4)), ("bird-nonuniform", (2e-3,))],
)
def test_bird_minimises_the_squared_error_in_the_models_range(name, expected, problem, rates):
    """Images are in [-1, 1] and the border is grey, which is 0 there."""
    observation = observe((3, 32, 34))
    inversion = problem(name, observation)
    estimate = inversion.estimate()
    image = 2 * estimate.image.double().numpy() - 1
    if estimate.kernels is not None:
        image = blurred(image, estimate.kernels[0].detach().double().numpy(), "same")
    mse = ((image - (2 * observation.blurry - 1)) ** 2).mean()
    close(inversion.step(0), mse)
    inversion.step(1)
    assert rates == [expected] * 2
    assert inversion.noise.norm().item() == pytest.approx(np.sqrt(3 * 32 * 34), rel=1e-5)


@pytest.mark.parametrize("name", ["blinddps", "blinddps-glkm"])
def test_blinddps_follows_the_norm_of_the_residual(name, problem, rates):
    observation = observe((3, 32, 34))
    sampling = problem(name, observation)
    first = sampling.steps[-1]
    kernel = sampling.kernel.kernels(first)[0].detach().double().numpy()
    step = sampling.step(0)
    image = 2 * sampling.estimate().image.double().numpy() - 1  # the clean estimate of that step
    close(step, np.linalg.norm(blurred(image, kernel, "same") - (2 * observation.blurry - 1)))
    level = np.prod(1 - np.linspace(1e-4, 0.02, 1000))  # the last of the linear schedule's A_t
    assert sampling.zeta(first) == pytest.approx(np.sqrt(level), rel=1e-6)
    if name == "blinddps-glkm":
        assert rates == [(pytest.approx(1e-3 * np.sqrt(level), rel=1e-6),)]


def test_the_correction_of_blinddps_is_along_the_gradient_by_zeta(problem):
    """Twice the step factor moves the image twice as far from where no correction leads."""
    moved = []
    for factor in (0.0, 1.0, 2.0):
        sampling = problem("blinddps", observe((3, 32, 34)), step_size="constant", step_factor=factor)
        sampling.step(0)
        moved.append(sampling.state.detach().double())
    once, twice = (image - moved[0] for image in moved[1:])
    assert once.norm() > 0
    torch.testing.assert_close(twice, 2 * once, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["selfdeblur", "robust-bid", "vdip-sparse", "bird", "bird-glkm", "bird-nonuniform", "blinddps-glkm"],
)
def test_a_run_that_diverged_goes_on_at_half_the_rates(name, problem, rates):
    fit = problem(name, observe((3, 32, 34)))
    fit.step(0)
    for _ in range(2):
        fit.slow_down()
        fit.step(0)
    first, second, third = rates
    assert second == pytest.approx([rate / 2 for rate in first])
    assert third == pytest.approx([rate / 4 for rate in first])


@pytest.mark.parametrize("name", ["blinddps", "blinddps-glkm"])
def test_a_sampling_that_diverged_goes_on_with_half_the_corrections(name, problem):
    sampling = problem(name, observe((3, 32, 34)))
    before = sampling.zeta(sampling.steps[3])
    sampling.slow_down()
    assert sampling.zeta(sampling.steps[3]) == pytest.approx(before / 2)
    assert sampling.state_dict()["slowdown"] == 0.5
