"""BIRD and BlindDPS against the released code's numbers, and what they promise beyond them."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from benchmark.blur.convolution import rotate_180
from benchmark.core.errors import InputError, NotSupportedError, WeightsMissingError
from benchmark.core.types import Observation, Status
from methods.diffusion import prior as priors
from methods.diffusion import sampling, view
from methods.diffusion.adm import AdmLayers, AdmUNet
from methods.diffusion.inversion import Inversion, InversionSettings
from methods.diffusion.prior import Prior
from methods.diffusion.sampling import KernelDiffusion, LatentWalk, ParallelSampling, SamplingSettings
from methods.diffusion.schedule import Chain, ancestral, strided_steps
from methods.diffusion.view import View, ViewSettings
from methods.glkm.generator import Generator
from methods.glkm.initializer import Initializer
from methods.glkm.latent import LatentKernel
from methods.glkm.weights import save
from methods.parts import registry
from methods.parts.kernel_priors.fcn import FcnKernel
from methods.parts.settings import compose, keys_of
from methods.parts.solver import Task, solve

CPU = torch.device("cpu")
NEW = ("bird", "bird-glkm", "bird-nonuniform", "blinddps", "blinddps-glkm")


class Analytic(nn.Module):
    """The fixtures' networks: a x + b t / 1000 + c sin 2 x, and tanh(d x) where there is a d."""

    def __init__(self, numbers):
        super().__init__()
        self.numbers = [float(number) for number in numbers]
        self.layers = SimpleNamespace(factor=1, in_channels=3)
        self.checkpointing = False

    def forward(self, images, steps):
        a, b, c, *d = self.numbers
        noise = a * images + b * steps[:, None, None, None].to(images) / 1000 + c * torch.sin(2 * images)
        return torch.cat([noise, *(torch.tanh(factor * images) for factor in d)], dim=1)


def seen(target, numbers):
    """A view of `target` (1, 3, H, W), in [-1, 1], by an analytic prior, in float64."""
    blurry = ((target[0] + 1) / 2).astype(np.float32)
    prior = Prior(Analytic(numbers), target.shape[-1], "analytic")
    found = View(Observation("test", "case", blurry, None), ViewSettings(), CPU, prior)
    found.blurry = torch.from_numpy(target[0])
    return found


def double(array):
    return torch.from_numpy(np.array(array, np.float64))


@pytest.mark.parametrize("stride", [100, 50, 20])
def test_the_map_starts_below_the_last_step(fixture, stride):
    assert strided_steps(stride) == fixture("diffusion_bird")[f"timesteps/delta{stride}"].tolist()


@pytest.mark.parametrize("case", ["mild", "clip"])
@pytest.mark.parametrize(("gradient", "name"), [("stop", "f64/grad_xT_stopgrad"), ("full", "grad_xT_full")])
def test_birds_map_and_both_gradients_are_the_released_ones(fixture, case, gradient, name):
    numbers = fixture("diffusion_bird")
    problem = Inversion(
        view=seen(numbers["xT"], numbers[f"{case}/abc"]),
        kernel=None,
        noise=double(numbers["xT"]),
        settings=InversionSettings(gradient=gradient),
    )
    images = problem.image()
    np.testing.assert_allclose(images.detach(), numbers[f"{case}/f64/x0"], rtol=0, atol=1e-9)
    images.backward(double(numbers["W"]))
    np.testing.assert_allclose(problem.noise.grad, numbers[f"{case}/{name}"], rtol=0, atol=1e-8)


def test_a_pixel_that_is_never_clamped_gets_the_product_of_the_steps(fixture):
    numbers = fixture("diffusion_bird")
    noise = double(numbers["xT"]) * 1e-3
    problem = Inversion(
        view=seen(numbers["xT"], (0, 0, 0)), kernel=None, noise=noise, settings=InversionSettings()
    )
    problem.image().sum().backward()
    np.testing.assert_allclose(problem.noise.grad, numbers["alphas_cumprod_float64"][900] ** -0.5, rtol=1e-9)


def test_birds_iterations_are_the_released_ones(fixture):
    numbers = fixture("diffusion_bird")
    code = double(numbers["loop/net_input"])
    kernel = FcnKernel(code, (5, 5), hidden=16).double()
    with torch.no_grad():
        for name, layer in (("0", kernel.expand), ("2", kernel.entries)):
            layer.weight.copy_(double(numbers[f"loop/sd/{name}.weight"]))
            layer.bias.copy_(double(numbers[f"loop/sd/{name}.bias"]))
    problem = Inversion(
        view=seen(numbers["loop/target"], numbers["loop/abc"]),
        kernel=kernel,
        noise=double(numbers["loop/latent_init"]),
        settings=InversionSettings(iterations=4),
        kernel_rate=2e-4,
    )
    np.testing.assert_allclose(problem.image().detach(), numbers["loop/it0/x0"], rtol=0, atol=1e-9)
    for number, loss in enumerate(numbers["loop/losses"]):
        assert problem.step(number).loss.item() == pytest.approx(float(loss), abs=1e-9)
        after = numbers[f"loop/it{number}/latent_after"]
        np.testing.assert_allclose(problem.noise.detach(), after, rtol=0, atol=1e-9)
        expected = double(numbers[f"loop/it{number}/kernel_after"])
        np.testing.assert_allclose(rotate_180(kernel()[0]).detach(), expected, rtol=0, atol=1e-9)


def parallel(numbers, image, kernel, noises, settings, penalty=(1, 0.0, "normalised"), view=None):
    """The released sampler with analytic models; `noises` are drawn in this order."""
    kernel_prior = Prior(Analytic(numbers["model_kernel_abcd"]), kernel.shape[-1], "analytic")
    upcoming = iter(noises)
    return ParallelSampling(
        view=view or seen(numbers["measurement"], numbers["model_img_abcd"]),
        image=double(image),
        kernel=KernelDiffusion(kernel_prior, double(kernel), *penalty),
        settings=settings,
        draw=lambda like: double(next(upcoming)),
        rng=torch.Generator(),
    )


@pytest.mark.parametrize("number", [999, 500, 100, 1, 0])
@pytest.mark.parametrize("order", [None, 1, 0])
def test_a_step_of_blinddps_is_the_released_one(fixture, number, order):
    numbers = fixture("diffusion_blinddps_step")
    own = {k.removeprefix(f"t{number}/"): v for k, v in numbers.items() if k.startswith(f"t{number}/")}
    penalty = (1, 0.0, "normalised") if order is None else (order, 1.0, "normalised")
    noises = [] if number == 0 else [own["noise_img"], own["noise_kernel"]]
    problem = parallel(numbers, numbers["x_img"], numbers["x_kernel"], noises, SamplingSettings(), penalty)
    step = problem.step(999 - number)
    assert step.loss.item() == pytest.approx(float(own["residual_norm"]), abs=1e-9)
    zeta = problem.zeta(problem.steps[number])
    assert zeta == pytest.approx(float(own["scale"]), abs=1e-12)
    # Neither norm of the normalised kernel has a gradient: the penalised step is the step without.
    close = {"rtol": 0, "atol": 1e-9}
    np.testing.assert_allclose(problem.state.detach(), own["updated_img_noreg"], **close)
    np.testing.assert_allclose(problem.kernel.state.detach(), own["updated_kernel_noreg"], **close)
    if order is not None:
        penalised = step.loss + problem.kernel.penalty()
        assert penalised.item() == pytest.approx(float(own[f"norm_l{order}"]), abs=1e-9)


def test_the_penalty_before_normalising_is_felt(fixture):
    numbers = fixture("diffusion_blinddps_step")
    own = {k.removeprefix("t500/"): v for k, v in numbers.items() if k.startswith("t500/")}
    noises = [own["noise_img"], own["noise_kernel"]]
    start = (numbers, numbers["x_img"], numbers["x_kernel"], noises, SamplingSettings())
    problem = parallel(*start, penalty=(1, 1.0, "unnormalised"))
    problem.step(499)
    assert np.abs(problem.kernel.state.detach().numpy() - own["updated_kernel_noreg"]).max() > 1e-3


def test_the_parts_of_an_ancestral_step_are_the_released_ones(fixture):
    numbers = fixture("diffusion_blinddps_step")
    for number in (999, 500, 100, 1, 0):
        own = {k.removeprefix(f"t{number}/"): v for k, v in numbers.items() if k.startswith(f"t{number}/")}
        for name, state, clean in (("img", "x_img", "x0hat_img"), ("kernel", "x_kernel", "x0hat_kernel_raw")):
            images = double(numbers[state])
            output = Analytic(numbers[f"model_{name}_abcd"])(images, torch.tensor([number]))
            found = ancestral(images, output, Chain().steps[number])
            for tensor, key in zip(found, (clean, f"mean_{name}", f"log_variance_{name}"), strict=True):
                np.testing.assert_allclose(tensor, own[key], rtol=0, atol=1e-9)


def test_ten_steps_of_blinddps_are_the_released_ones(fixture):
    numbers = fixture("diffusion_blinddps_traj")
    pairs = zip(numbers["noise_img"], numbers["noise_kernel"], strict=True)
    noises = [noise for pair in pairs for noise in pair]
    problem = parallel(
        numbers, numbers["init_img"], numbers["init_kernel"], noises, SamplingSettings(iterations=10)
    )
    assert [step.number for step in problem.steps] == numbers["timestep_map"].tolist()
    for iteration in range(10):
        norm = problem.step(iteration).loss.item()
        assert norm == pytest.approx(float(numbers["norms"][iteration]), abs=1e-8)
        close = {"rtol": 0, "atol": 1e-8}
        np.testing.assert_allclose(problem.state.detach(), numbers["states_img"][iteration], **close)
        np.testing.assert_allclose(
            problem.kernel.state.detach(), numbers["states_kernel"][iteration], **close
        )
    np.testing.assert_allclose(problem.state.detach(), numbers["final_img"], rtol=0, atol=1e-8)
    result = problem.estimate()
    image, kernels = result.image, result.kernels
    expected = (np.clip(numbers["final_img"][0], -1, 1) + 1) / 2
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-8)
    assert kernels.shape == (1, 7, 7)  # an even kernel has no centre
    raw = np.maximum(numbers["final_kernel"][0, 0] + 1, 0)
    np.testing.assert_allclose(rotate_180(kernels[0])[1:, 1:], raw / raw.sum(), rtol=0, atol=1e-8)
    assert not rotate_180(kernels[0])[0].any()
    assert not rotate_180(kernels[0])[:, 0].any()


def test_a_kernel_of_nothing_becomes_a_uniform_one():
    kernels = sampling.of_sum_one(torch.zeros(1, 1, 2, 2))
    np.testing.assert_array_equal(kernels, np.full((1, 1, 2, 2), 0.25))


def test_late_latents_rest_at_first_and_growing_ones_hardly_move():
    kernel = LatentKernel(Generator(13, width=2).eval().requires_grad_(False), torch.randn(1, 100, 1, 1))
    start = kernel.latent.detach().clone()
    gradients = [torch.ones_like(start)]
    steps = Chain().steps
    late = LatentWalk(kernel, 0.1, "late", 0.6)
    late.move(gradients, steps[601], 1.0, None)
    assert torch.equal(kernel.latent, start)
    late.move(gradients, steps[600], 1.0, None)
    torch.testing.assert_close(kernel.latent.detach(), start - 0.1)
    growing = LatentWalk(kernel, 0.1, "growing", 0.6)
    before = kernel.latent.detach().clone()
    growing.move(gradients, steps[500], 1.0, None)
    torch.testing.assert_close(kernel.latent.detach(), before - 0.1 * steps[500].level ** 0.5)


TINY = AdmLayers(8, (1, 2), 1, (2,), out_channels=3, head_channels=8, norm_groups=4)


def lively(layers):
    """A small network whose zero-initialised layers were drawn, too."""
    torch.manual_seed(0)
    network = AdmUNet(layers)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.1)
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tiny networks of every kind that the methods read."""
    path = tmp_path_factory.mktemp("weights")
    for network in (Generator(31, width=2), Initializer(width=2)):
        save(path, network, 31, way="adversarial", steps=0, remark="demo")
    kernels = dataclasses.replace(TINY, in_channels=1, out_channels=1)
    common = {"steps": 0, "remark": "demo", "half": False, "data": "none"}
    priors.save(path, lively(TINY), "diffusion-image", 32, **common)
    priors.save(path, lively(kernels), "diffusion-kernel", 16, **common)
    return path


def settings_of(name, folder, **more):
    """Of a method, reading the tiny networks."""
    values = {
        "prior": str(folder / "diffusion-image-32.safetensors"),
        "kernel_prior": str(folder / "diffusion-kernel-16.safetensors"),
        "weights": str(folder),
        "iterations": 4,
        "stride": 500,
        **more,
    }
    method = registry.find(name)
    known = keys_of(method.settings)
    return compose(method.settings, **{key: value for key, value in values.items() if key in known})


def observed(shape=(3, 32, 32), kernel_size=(9, 9), **more):
    blurry = np.random.default_rng(0).random(shape, dtype=np.float32)
    return Observation("test", "case", blurry, kernel_size, **more)


def restored(name, observation, settings, checkpoint=None):
    method = registry.find(name)
    build = lambda: method.problem(observation, settings, torch.Generator().manual_seed(1), CPU)  # noqa: E731
    ((_, restoration),) = solve([Task("case", build, checkpoint, "key")])
    return restoration


class Killed(BaseException):
    """What no loop catches."""


@pytest.mark.parametrize("name", NEW)
def test_a_killed_run_continues_to_the_same_bytes(name, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("methods.parts.solver.CHECKPOINT_EVERY", 2)
    monkeypatch.setattr("methods.parts.solver.LOG_EVERY", 2)
    settings, problem_class = settings_of(name, folder), ParallelSampling if "dps" in name else Inversion
    whole = restored(name, observed(), settings)
    assert whole.status is Status.OK, whole.reason
    done = problem_class.step

    def until_three(problem, iteration):
        if iteration == 3:
            raise Killed
        return done(problem, iteration)

    with monkeypatch.context() as patch:
        patch.setattr(problem_class, "step", until_three)
        with pytest.raises(Killed):
            restored(name, observed(), settings, tmp_path / "c.pt")
    starts = []
    monkeypatch.setattr(problem_class, "step", lambda problem, i: (starts.append(i), done(problem, i))[1])
    again = restored(name, observed(), settings, tmp_path / "c.pt")
    assert starts[0] == 2
    assert again.image.tobytes() == whole.image.tobytes()
    if whole.kernels is not None:
        assert again.kernels.tobytes() == whole.kernels.tobytes()


@pytest.mark.parametrize("name", NEW)
def test_weights_are_named_and_missing_ones_are_said(name, folder, tmp_path):
    label = restored(name, observed(), settings_of(name, folder, iterations=1)).weights
    assert label.startswith("diffusion-image-32 demo")
    assert label.split().count("demo") == 1
    settings = settings_of(name, folder, prior=str(tmp_path / "no.pt"))
    restoration = restored(name, observed(), settings)
    assert restoration.status is Status.WEIGHTS_MISSING
    assert "blindbench pretrain diffusion-image" in restoration.reason


def test_a_missing_kernel_model_is_said(folder, tmp_path):
    settings = settings_of("blinddps", folder, kernel_prior=str(tmp_path / "no.pt"))
    with pytest.raises(WeightsMissingError, match="pretrain diffusion-kernel"):
        registry.find("blinddps").problem(observed(), settings, torch.Generator(), CPU)


@pytest.mark.parametrize("name", NEW)
def test_other_sizes_are_declined_unless_asked_for(name, folder):
    observation = observed((3, 33, 40))
    restoration = restored(name, observation, settings_of(name, folder))
    assert restoration.status is Status.NOT_SUPPORTED
    assert "images of 32 x 32, not 33 x 40" in restoration.reason
    restoration = restored(name, observation, settings_of(name, folder, other_sizes=True, iterations=2))
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.image.shape == (3, 33, 40)


def test_kernels_beyond_the_kernel_model_are_declined(folder):
    with pytest.raises(NotSupportedError, match="up to 16 x 16, not 19 x 19"):
        registry.find("blinddps").problem(
            observed(kernel_size=(19, 19)), settings_of("blinddps", folder), torch.Generator(), CPU
        )


def test_at_the_border_interior_only_pixels_that_see_no_outside_count(folder):
    prior = view.image_prior(settings_of("bird", folder).view)
    observation = observed(kernel_size=(9, 5))
    images, kernels = torch.rand(1, 3, 32, 32), torch.rand(1, 9, 5)
    residuals = {
        border: View(observation, ViewSettings(border=border), CPU, prior).residual(images, kernels)
        for border in ("grey", "interior")
    }
    assert residuals["grey"].shape == (3, 32, 32)
    torch.testing.assert_close(residuals["interior"], residuals["grey"][:, 4:-4, 2:-2])
    with pytest.raises(NotSupportedError, match="far enough inside"):
        View(observed(kernel_size=(32, 5)), ViewSettings(border="interior"), CPU, prior)


def test_the_grey_border_is_grey(folder):
    """A flat mid-grey image stays what it is under any blur; a white one gets dark borders."""
    prior = view.image_prior(settings_of("bird", folder).view)
    found = View(observed(), ViewSettings(), CPU, prior)
    kernels = torch.full((1, 5, 5), 1 / 25)
    torch.testing.assert_close(found.residual(torch.zeros(1, 3, 32, 32), kernels), found.blurry)
    white = found.blurry - found.residual(torch.ones(1, 3, 32, 32), kernels)
    torch.testing.assert_close(white[:, 2:-2, 2:-2], torch.ones(3, 28, 28))
    torch.testing.assert_close(white[:, 0, 0], torch.full((3,), 9 / 25))


@pytest.mark.parametrize(("name", "option"), [("bird", "bfloat16"), ("blinddps", "checkpointing")])
def test_too_little_memory_names_the_need_and_the_option(name, option, folder, monkeypatch):
    def full(view, images, number, bfloat16):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(View, "output", full)
    restoration = restored(name, observed(), settings_of(name, folder))
    assert restoration.status is Status.OUT_OF_MEMORY
    assert "the diffusion model needs about 0.0 GiB for 32 x 32" in restoration.reason
    assert f"set {option}: true" in restoration.reason
    monkeypatch.undo()
    settings = settings_of(name, folder, **{option: True}, iterations=2)
    assert restored(name, observed(), settings).status is Status.OK


def test_the_gradient_needs_more_memory_than_the_map():
    prior = Prior(lively(TINY), 32, "")
    for side in (32, 64):
        shape = (1, 3, side, side)
        assert view.memory_need(prior, shape, True) > view.memory_need(prior, shape, False)
    weights = sum(4 * parameter.numel() for parameter in prior.network.parameters())
    small, large = (view.memory_need(prior, (1, 3, side, side), True) - weights for side in (32, 64))
    assert large > 3.5 * small  # at least as the pixels


def test_checkpointing_changes_no_result(folder):
    results = [
        restored("blinddps", observed(), settings_of("blinddps", folder, checkpointing=on, iterations=4))
        for on in (False, True)
    ]
    np.testing.assert_allclose(results[0].image, results[1].image, atol=1e-6)


def test_bfloat16_moves_an_image_of_blinddps_a_little(folder):
    full, half = (
        restored("blinddps", observed(), settings_of("blinddps", folder, bfloat16=on, iterations=8))
        for on in (False, True)
    )
    assert half.status is Status.OK
    assert 0 < np.abs(full.image - half.image).mean() < 0.01
    assert half.kernels.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("bird", {"iterations": 0}),
        ("bird", {"stride": 0}),
        ("bird", {"image_rate": -1.0}),
        ("blinddps", {"iterations": 1001}),
        ("blinddps", {"step_factor": -1.0}),
        ("blinddps-glkm", {"latent_rate": -1.0}),
    ],
)
def test_settings_that_mean_nothing_are_refused(name, wrong):
    (key,) = wrong
    with pytest.raises(ValueError, match=key):
        compose(registry.find(name).settings, **wrong)


def test_the_ends_of_a_range_are_allowed():
    for name, ends in (
        ("bird", {"iterations": 1, "stride": 1}),
        ("bird", {"stride": 1000, "image_rate": 0.0}),
    ):
        compose(registry.find(name).settings, **ends)
    for iterations in (1, 1000):
        compose(registry.find("blinddps").settings, iterations=iterations, step_factor=0.0)


def test_a_start_that_is_no_method_is_refused():
    with pytest.raises(InputError, match="start"):
        compose(registry.find("bird-glkm").settings, start="nothing")
