import numpy as np
import pytest
import torch

from benchmark.blur.convolution import rotate_180, uniform_blur
from benchmark.blur.svola import svola
from methods.parts.objectives import Estimate, one_minus_ssim, weighted
from methods.vdip import bound

SPARSE = ((1.0, bound.negative_entropy), (1.0, bound.sparse_gradients), (10.0, bound.kernel_energy))
EXTREME = ((1.0, bound.negative_entropy), (1.0, bound.extreme_channels(35)), (10.0, bound.kernel_energy))


class Reference:
    """The tensors of `dip_vdip_loss`, as an estimate that draws its noise from them."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.m, self.s = (torch.from_numpy(arrays[name][0]).requires_grad_() for name in "ms")
        self.k = torch.from_numpy(arrays["k"]).requires_grad_()  # correlation form, as all in the file
        self.blurry = torch.from_numpy(arrays["y"][0])

    def estimate(self, *noise):
        draws = iter([torch.from_numpy(values) for values in noise])
        return Estimate(self.m, rotate_180(self.k)[None], uniform_blur, self.s, lambda: next(draws))

    def noise(self, *names):
        return [self.arrays[name].reshape(3, 44, 47) for name in names]

    def check(self, loss, expected, gradients):
        """`gradients` maps m, s and k to the arrays of their gradients, or to None for none at all."""
        np.testing.assert_allclose(loss.item(), expected, rtol=1e-11)
        loss.backward()
        for name, key in gradients.items():
            gradient = getattr(self, name).grad
            if key is None:
                assert gradient is None
                continue
            reference = self.arrays[key].reshape(gradient.shape)
            np.testing.assert_allclose(gradient, reference, rtol=0, atol=1e-11 * abs(reference).max())


@pytest.fixture
def reference(fixture):
    return Reference(fixture("dip_vdip_loss"))


@pytest.mark.parametrize("samples", [1, 2])
def test_the_data_term_and_its_parts_match_the_reference(reference, samples):
    arrays, name = reference.arrays, f"expect_S{samples}"
    noise = arrays["eps_x" if samples == 1 else "eps_x2"][0]
    # The reference averages over its samples.
    parts = torch.zeros(3, dtype=torch.float64)
    loss = torch.zeros((), dtype=torch.float64)
    for drawn in noise:
        sample = reference.m + reference.s * torch.from_numpy(drawn)
        residual = uniform_blur(sample, rotate_180(reference.k)[None]) - reference.blurry
        parts += torch.stack(bound.misfit_by_order(residual)).detach() / samples
        loss = loss + bound.expected_misfit(reference.blurry)(reference.estimate(drawn)) / samples
    for part, term in zip(-parts, ("E_zero", "E_first", "E_second"), strict=True):
        np.testing.assert_allclose(part, arrays[f"{name}/{term}"], rtol=1e-11)
    # Blurred gradients of the sample against gradients of the image: the same as the first differences.
    np.testing.assert_allclose(-parts[1], arrays[f"{name}/E_grad"], rtol=1e-11)
    gradients = {leaf: f"{name}/loss_grad_{leaf}" for leaf in "msk"}
    reference.check(loss, -arrays[f"{name}/E"], gradients)


def test_pre_training_matches_the_reference(reference):
    arrays, estimate = reference.arrays, reference.estimate()
    image, kernel = bound.image_prefit(reference.blurry), bound.flat_kernel
    np.testing.assert_allclose(image(estimate).item(), arrays["pre/image"], rtol=1e-11)
    np.testing.assert_allclose(kernel(estimate).item(), arrays["pre/kernel"], rtol=1e-11)
    both = weighted((1.0, image), (1.0, kernel))
    np.testing.assert_allclose(both(estimate).item(), arrays["pre/total"], rtol=1e-11)


def test_the_last_stage_matches_the_reference_and_leaves_the_deviations_alone(reference):
    loss = one_minus_ssim(reference.blurry)(reference.estimate())
    reference.check(
        loss, reference.arrays["stage2/loss"], {"m": "stage2/grad_m", "s": None, "k": "stage2/grad_k"}
    )


@pytest.mark.parametrize(
    ("name", "terms", "noise", "areas"),
    [
        ("sparse", SPARSE, (), (3 * 44 * 47, 3 * 43 * 46)),
        ("extreme", EXTREME, ("eps_dark", "eps_bright"), (3 * 44 * 47, 10 * 13)),
    ],
)
def test_the_regularisers_and_their_terms_match_the_reference(reference, name, terms, noise, areas):
    arrays, noise = reference.arrays, reference.noise(*noise)
    values = [term(reference.estimate(*noise)).item() for _, term in terms]
    for value, factor, term in zip(values, (-areas[0], areas[1], 1), (1, 2, 3), strict=True):
        np.testing.assert_allclose(value * factor, arrays[f"kl_{name}/term_{term}"], rtol=1e-11)
    loss = weighted(*terms)(reference.estimate(*noise))
    gradients = {leaf: f"kl_{name}/grad_{leaf}" for leaf in "msk"}
    reference.check(loss, -arrays[f"kl_{name}/negative_kl"], gradients)


def test_the_extreme_channels_match_the_reference(reference):
    arrays = reference.arrays
    dark_noise, bright_noise = (torch.from_numpy(n) for n in reference.noise("eps_dark", "eps_bright"))
    dark = bound.patch_minimum(bound.squared_sample(reference.m, reference.s, dark_noise), 35)
    bright = bound.patch_minimum(bound.squared_complement_sample(reference.m, reference.s, bright_noise), 35)
    np.testing.assert_allclose(dark.detach(), arrays["kl_extreme/dark_min"], rtol=1e-11)
    np.testing.assert_allclose(bright.detach(), arrays["kl_extreme/bright_min"], rtol=1e-11)
    assert tuple(arrays["kl_extreme/dark_min_shape"][-2:]) == dark.shape
    for channel, name in ((dark, "dark"), (bright, "bright")):
        ratio = (channel / (channel + bound.TINY)).sum().item()
        np.testing.assert_allclose(ratio, arrays[f"kl_extreme/{name}_ratio_sum"], rtol=1e-11)


@pytest.mark.parametrize(
    ("name", "terms", "noise"),
    [
        ("std", (), ("eps_x",)),
        ("sparse", SPARSE, ("eps_x",)),
        ("extreme", EXTREME, ("eps_dark", "eps_bright", "eps_x")),
    ],
)
def test_the_whole_bound_matches_the_reference(reference, name, terms, noise):
    arrays = reference.arrays
    sigma = float(arrays[f"total_{name}/sigma"])
    parts = [(sigma * weight, term) for weight, term in terms]
    objective = weighted(*parts, (1.0, bound.expected_misfit(reference.blurry)))
    gradients = {leaf: f"total_{name}/grad_{leaf}" for leaf in "msk"}
    loss = objective(reference.estimate(*reference.noise(*noise)))
    reference.check(loss, arrays[f"total_{name}/loss"], gradients)


def test_the_window_of_the_extreme_channels_is_slid_over_all_places():
    values = torch.rand(3, 9, 11, dtype=torch.float64)
    windows = values.numpy().min(0)
    windows = np.lib.stride_tricks.sliding_window_view(windows, (4, 4)).min((-2, -1))
    np.testing.assert_array_equal(bound.patch_minimum(values, 4), windows)


def test_the_kernel_energy_does_not_grow_with_the_number_of_kernels():
    kernel = torch.rand(1, 5, 5)
    one, many = (
        Estimate(torch.empty(0), kernels, operator=None) for kernels in (kernel, kernel.expand(9, 5, 5))
    )
    torch.testing.assert_close(bound.kernel_energy(one), bound.kernel_energy(many))
    torch.testing.assert_close(bound.flat_kernel(one), bound.flat_kernel(many))


def test_the_data_term_of_a_grid_of_equal_kernels_is_that_of_one():
    rng = torch.Generator().manual_seed(0)
    mean, deviation, noise = torch.rand(3, 3, 24, 26, generator=rng, dtype=torch.float64)
    kernel = torch.rand(1, 5, 5, generator=rng, dtype=torch.float64)
    blurry = torch.rand(3, 20, 22, generator=rng, dtype=torch.float64)
    losses = [
        bound.expected_misfit(blurry)(Estimate(mean, kernels, operator, deviation, lambda: noise))
        for kernels, operator in (
            (kernel, uniform_blur),
            (kernel.expand(4, 5, 5), lambda image, kernels: svola(image, kernels, (2, 2))),
        )
    ]
    torch.testing.assert_close(*losses, rtol=1e-11, atol=0)


@pytest.mark.parametrize(
    ("level", "lost"), [(1e-9, [True, False]), (0.3, [False] * 2), (0.99, [False, True])]
)
def test_lost_deviations_are_told_apart(level, lost):
    deviation = torch.full((1, 6, 6), level)
    estimate = Estimate(torch.zeros(1, 6, 6), torch.empty(0), operator=None, deviation=deviation)
    assert [flaw(estimate).item() for flaw in (bound.collapsed, bound.exploded)] == lost
