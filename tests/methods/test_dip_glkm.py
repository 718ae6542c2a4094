from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.blur.convolution import central_crop, rotate_180, uniform_blur
from benchmark.blur.svola import svola
from benchmark.core.errors import NotSupportedError, WeightsMissingError
from benchmark.core.types import Observation, Status
from methods.dip_glkm import METHOD, Settings
from methods.glkm import start
from methods.glkm.initializer import Initializer
from methods.glkm.large import enlarged
from methods.glkm.latent import LatentKernel
from methods.glkm.start import ENOUGH, eight_bit_luma
from methods.glkm.weights import load_generator, load_initializer, save
from methods.parts import solver
from methods.parts.fit import Fit, kernel_count, middle, operator_for
from methods.parts.registry import with_used
from methods.parts.settings import change, compose
from methods.parts.solver import LOG_EVERY, Task, solve
from methods.parts.stages import Rates
from tests.methods.glkm.test_latent import codes, generator

TINY = compose(Settings, iterations=13, channels=4, skip_channels=2, scales=2, code_channels=2)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Settings of a small problem with random weights for kernels of 31, 45 and 75 px."""
    folder = tmp_path_factory.mktemp("weights")
    for size in (31, 45, 75):
        save(folder, generator(size), size, way="GLKM-fast", steps=0, remark="demo")
        save(folder, Initializer(width=2), size, way="GLKM-fast", steps=0, remark="demo")
    return change(TINY, weights=str(folder))


def observe(shape=(1, 36, 40), kernel_size=(13, 9), seed=0, **more):
    blurry = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return Observation("test", "case", blurry, kernel_size, **more)


def shaken(**more):
    return observe(blur_model="nonuniform", grid=(2, 3), **more)


def large(**more):
    return observe((1, 81, 86), (81, 41), **more)


def problem(observation, settings, seed=0):
    return METHOD.problem(observation, settings, torch.Generator().manual_seed(seed), CPU)


def restore(observation, settings, checkpoint=None):
    ((_, restoration),) = solve([Task("case", lambda: problem(observation, settings), checkpoint)])
    return restoration


@pytest.mark.parametrize("shape", [(1, 36, 40), (3, 33, 31)])
def test_the_result_is_the_frame_and_the_generators_kernel(tiny, shape):
    restoration = restore(observe(shape), tiny)
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.image.shape == shape
    assert restoration.kernels.shape == (1, 31, 31)
    assert restoration.weights == "glkm-fast-31 demo"
    assert {row["stage"] for row in restoration.trace} == {"mse", "1-ssim"}


def test_the_latent_image_has_the_margin_of_the_generators_kernel(tiny):
    for size, served in ((13, 31), (33, 45)):
        fit = problem(observe((1, 50, 46), kernel_size=(size, 9)), tiny)
        assert fit.image(None).shape == (1, 50 + served - 1, 46 + served - 1)


def test_starts_where_the_initializer_sees_the_kernel(tiny):
    observation = observe((3, 36, 40))
    folder = METHOD.files("case", tiny)[0].parent
    network, _ = load_initializer(folder, 31)
    seen = eight_bit_luma(torch.from_numpy(observation.blurry))
    assert torch.equal((255 * seen).round() / 255, seen)
    expected = load_generator(folder, 31)[0](network(seen[None]))[:, 0]
    assert torch.equal(problem(observation, tiny).kernel(), rotate_180(expected))
    assert torch.equal(problem(observation, tiny, seed=1).kernel(), rotate_180(expected))


def test_random_starts_come_from_the_generator_of_the_case(tiny):
    random = change(tiny, start="random")
    first, again, other = (problem(observe(), random, seed).kernel() for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_another_methods_kernel_is_inverted_and_enters_provenance(tiny, monkeypatch):
    settings = change(tiny, start="l0-grad")
    given = rotate_180(generator()(codes(seed=5)))[0]  # within reach of the small generator
    asked = []
    monkeypatch.setattr(start, "CODE_STEPS", 10)
    monkeypatch.setattr(start, "estimated_kernel", lambda name, *_: asked.append(name) or given)
    kernel = problem(observe(), settings).kernel()
    assert asked == ["l0-grad"]
    assert (kernel - given).norm() <= ENOUGH * given.norm()
    assert [method.name for method, _ in with_used(METHOD, settings)] == ["dip-glkm", "l0-grad"]
    assert [method.name for method, _ in with_used(METHOD, tiny)] == ["dip-glkm"]
    with pytest.raises(NotSupportedError, match="non-uniform"):
        problem(shaken(), settings)


@pytest.mark.parametrize("variable", ["features", "code", "generator"])
def test_every_variable_moves_the_kernel(tiny, variable):
    fit = problem(observe(), change(tiny, variable=variable))
    before = fit.kernel().detach().clone()
    fit.step(0)
    assert (fit.kernel() - before).abs().max() > 0


def test_every_node_has_a_latent_and_all_start_alike(tiny):
    fit = problem(shaken(), tiny)
    kernels = fit.kernel().detach().clone()
    assert kernels.shape == (6, 31, 31)
    torch.testing.assert_close(kernels, kernels[:1].expand(6, -1, -1), rtol=1e-5, atol=0)
    fit.step(0)
    moved = fit.kernel.latent
    assert (moved[1:] - moved[:1]).abs().amax((1, 2, 3)).min() > 0
    assert restore(shaken(shape=(3, 36, 40)), tiny).kernels.shape == (6, 31, 31)


def test_global_steps_move_one_latent_for_all(tiny):
    fit = problem(shaken(), change(tiny, global_steps=3))
    start = fit.kernel.latent.detach().clone()
    for iteration in range(3):
        fit.step(iteration)
    latents = fit.kernel.latent.detach()
    assert (latents - start).abs().max() > 0
    assert torch.equal(latents, latents[:1].expand_as(latents))
    fit.step(3)
    assert not torch.equal(fit.kernel.latent, fit.kernel.latent[:1].expand_as(latents))
    assert [(stage.name, stage.iterations) for stage in fit.stages if stage.iterations] == [
        ("mse", 1),
        ("1-ssim", 2),
        ("1-ssim", 10),
    ]


def test_alike_kernels_at_all_nodes_blur_uniformly():
    rng = torch.Generator().manual_seed(0)
    image, kernel = torch.rand(3, 40, 44, generator=rng), torch.rand(1, 7, 7, generator=rng)
    observation = shaken()
    assert kernel_count(observation) == 6
    assert operator_for(observe()) is uniform_blur
    blurred = operator_for(observation)(image, (kernel / kernel.sum()).expand(6, -1, -1))
    torch.testing.assert_close(blurred, uniform_blur(image, kernel / kernel.sum()), rtol=0, atol=1e-6)
    alone = svola(image, kernel / kernel.sum(), (1, 1))
    torch.testing.assert_close(blurred, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("declared", [(81, 81), (80, 41)])
def test_larger_kernels_are_found_on_the_shrunken_image_then_refined(tiny, declared):
    observation = replace(large(), kernel_size=declared)
    restoration = restore(observation, tiny)
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.image.shape == (1, 81, 86)
    assert restoration.kernels.shape == (1, 81, 81)
    assert restoration.kernels.sum() == pytest.approx(1, abs=1e-5)
    assert restoration.iterations == 26
    assert restoration.weights == "glkm-fast-75 demo"
    stages = list(dict.fromkeys(row["stage"] for row in restoration.trace))
    assert stages == ["small mse", "small 1-ssim", "1-ssim"]


def test_the_enlarged_kernel_rests_for_its_share_and_moves_then(tiny):
    both = problem(large(), change(tiny, frozen_share=3 / 13))
    assert both.small.rates.at(0) == (1e-2, 5e-4)
    assert both.full.rates.at(0) == (1e-2, 1e-4)
    for iteration in range(14):
        both.step(iteration)
    result = both.estimate()
    image, start = result.image, result.kernels
    torch.testing.assert_close(start, enlarged(both.small.kernel().detach(), 81), rtol=1e-5, atol=1e-12)
    for iteration in (14, 15):
        both.step(iteration)
        assert torch.equal(both.estimate().kernels, start)
    assert not torch.equal(both.estimate().image, image)
    both.step(16)
    # Adam's first step moves every logit by the rate.
    moved = (both.estimate().kernels / start).log().abs().max()
    assert 0.5e-4 < moved < 2.5e-4


def test_larger_kernels_at_every_node(tiny):
    settings = change(tiny, iterations=2)
    observation = large(blur_model="nonuniform", grid=(1, 2))
    assert restore(observation, settings).kernels.shape == (2, 81, 81)


def test_slowing_down_reaches_both_fits(tiny):
    both = problem(large(), tiny)
    both.slow_down()
    assert (both.small.slowdown, both.full.slowdown) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("observation", "kills"),
    [(observe(), 1), (shaken(), 1), (large(), 2)],  # the second time while the second fit runs
    ids=["uniform", "non-uniform", "large"],
)
def test_a_killed_run_resumes_to_the_same_bytes(tiny, observation, kills, tmp_path, monkeypatch):
    monkeypatch.setattr(solver, "CHECKPOINT_EVERY", LOG_EVERY)
    settings = change(tiny, global_steps=5, variable="generator")
    undisturbed = restore(observation, settings)

    class Killed(BaseException):
        pass

    def dying():
        """`Fit.step` that fails one iteration after a checkpoint."""
        left = iter(range(LOG_EVERY + 1))

        def step(fit, iteration, step=Fit.step):
            if next(left, None) is None:
                raise Killed
            return step(fit, iteration)

        return step

    path = tmp_path / "checkpoint.pt"
    for _ in range(kills):
        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(Fit, "step", dying())
            restore(observation, settings, checkpoint=path)
        assert path.exists()
    resumed = restore(observation, settings, checkpoint=path)
    assert resumed.image.tobytes() == undisturbed.image.tobytes()
    assert resumed.kernels.tobytes() == undisturbed.kernels.tobytes()


def test_defaults_are_the_papers_schedule(tiny):
    fit = problem(observe((1, 40, 40)), compose(Settings, weights=tiny.kernel.weights))
    assert [(stage.name, stage.iterations) for stage in fit.stages if stage.iterations] == [
        ("mse", 500),
        ("1-ssim", 4500),
    ]
    assert fit.rates.at(0) == fit.rates.at(1999) == (1e-2, 5e-4)
    assert fit.rates.at(2000) == (5e-3, 2.5e-4)


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (observe(kernel_size=None), "declared kernel size"),
        (observe((1, 30, 40)), "smaller than the generator's kernels"),
        (Observation("test", "case", np.full((1, 40, 40), 0.5, np.float32), (5, 5)), "blank"),
        (observe((1, 90, 76), kernel_size=(77, 5)), "smaller than the square around its kernel"),
    ],
)
def test_declines_what_it_cannot_treat(tiny, observation, reason):
    restoration = restore(observation, tiny)
    assert restoration.status is Status.NOT_SUPPORTED
    assert reason in restoration.reason


@pytest.mark.parametrize(("levels", "blank"), [(0.999, True), (1, False)])
def test_an_image_is_blank_where_its_values_span_less_than_one_of_255_levels(tiny, levels, blank):
    image = np.zeros((1, 40, 40), np.float32)
    image[0, 20, 20] = levels / 255
    restoration = restore(Observation("test", "case", image, (5, 5)), change(tiny, iterations=1))
    assert (restoration.status is Status.NOT_SUPPORTED) == blank


def test_missing_weights_are_a_status_that_is_not_final(tmp_path, tiny):
    restoration = restore(observe(), change(tiny, weights=str(tmp_path)))
    assert restoration.status is Status.WEIGHTS_MISSING
    assert "generator-31.safetensors" in restoration.reason
    assert not restoration.status.final
    save(tmp_path, generator(), 31, way="GLKM-fast", steps=0)
    with pytest.raises(WeightsMissingError, match="no initializer"):
        problem(observe(), change(tiny, weights=str(tmp_path)))
    problem(observe(), change(tiny, weights=str(tmp_path), start="random"))


def test_damaged_weights_fail_with_one_line(tmp_path, tiny):
    path = save(tmp_path, generator(), 31, way="GLKM-fast", steps=0)
    path.write_bytes(path.read_bytes()[:1000])
    restoration = restore(observe(), change(tiny, weights=str(tmp_path)))
    assert restoration.status is Status.FAILED
    assert str(path) in restoration.reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latent_rate", -1.0),
        ("logit_rate", -1.0),
        ("frozen_share", 1.1),
        ("global_steps", -1),
        ("start", "l0"),
        ("iterations", 0),
    ],
)
def test_refuses_settings_out_of_range(name, value):
    with pytest.raises(ValueError, match=name):
        compose(Settings, **{name: value})


def test_the_true_kernel_restores_better_than_a_random_one():
    """The latents frozen at either: what the image prior can make of a blurry pattern."""
    network = generator(13, width=16)
    network.layers[2].weight.mul_(10)  # kernels of a few points
    true, other = (LatentKernel(network, codes(seed=seed)) for seed in (5, 6))
    rows, columns = np.ogrid[:52, :52]
    pattern = (rows // 8 + columns // 11) % 2 + (rows + 2 * columns > 90)
    sharp = torch.from_numpy(pattern.astype(np.float32) / 2)[None]
    blurry = uniform_blur(sharp, true().detach())
    settings = change(TINY, iterations=80, channels=8)
    errors = []
    for kernel in (true, other):
        rng = torch.Generator().manual_seed(0)
        fit = Fit(
            image=settings.image.draw(1, (40, 40), (13, 13), rng),
            kernel=kernel,
            operator=uniform_blur,
            stages=settings.objective.stages(blurry, settings.schedule.iterations),
            rates=Rates(image=1e-2, kernel=0.0),
            read_out=middle((40, 40)),
            rng=rng,
        )
        for iteration in range(settings.schedule.iterations):
            fit.step(iteration)
        errors.append((fit.estimate().image - central_crop(sharp, (40, 40))).square().mean().item())
    assert errors[0] < 0.6 * errors[1]
