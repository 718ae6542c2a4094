from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.blur.convolution import rotate_180, uniform_blur
from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation, Status
from methods.parts import solver
from methods.parts.colour import luma
from methods.parts.fit import Fit, middle
from methods.parts.image_priors.skip import DeepImagePrior, SkipNetwork
from methods.parts.objectives import mse, one_minus_ssim
from methods.parts.settings import change, compose
from methods.parts.solver import LOG_EVERY, Task, solve
from methods.parts.stages import Rates, Stage
from methods.parts.warm_start import ERROR, estimated_kernel
from methods.selfdeblur import Settings, problem
from tests.methods.parts.test_fcn import reference_kernel
from tests.methods.parts.test_skip import load_reference, reference_key

TINY = compose(
    Settings, iterations=20, channels=4, skip_channels=2, scales=2, code_channels=2, kernel_hidden=16
)
WARM = change(TINY, kernel_hidden=64, start="l0-grad")
CPU = torch.device("cpu")


def reference_fit(arrays, milestones):
    """The problem of `dip_trace`: its initial weights and codes in our parts."""
    network = load_reference(SkipNetwork(8, 1, channels=8, skip_channels=4), arrays, "sdx/")
    blurry = torch.from_numpy(arrays["y"][0])
    return Fit(
        image=DeepImagePrior(network, torch.from_numpy(arrays["zx"]), noise_scale=0.0),
        kernel=reference_kernel(arrays, arrays["zk"], (7, 7), 100, prefix="sdk/"),
        operator=uniform_blur,
        stages=(Stage("mse", 25, mse(blurry)), Stage("1-ssim", 5, one_minus_ssim(blurry))),
        rates=Rates(image=1e-2, kernel=1e-4, milestones=milestones),
        read_out=middle((40, 44)),
        rng=torch.Generator(),
    )


def observe(shape=(1, 24, 28), kernel_size=(5, 5), seed=0):
    blurry = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return Observation("test", "case", blurry, kernel_size)


def restore(observation, settings=TINY, seed=0, checkpoint=None):
    build = lambda: problem(observation, settings, torch.Generator().manual_seed(seed), CPU)  # noqa: E731
    ((_, restoration),) = solve([Task("case", build, checkpoint)])
    return restoration


def test_first_step_matches_the_reference(fixture):
    arrays = fixture("dip_trace")
    fit = reference_fit(arrays, milestones=())
    image, kernels = fit.image(), fit.kernel()
    np.testing.assert_allclose(image[None].detach(), arrays["a/first/out_x"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(rotate_180(kernels)[0].detach(), arrays["a/first/kernel"], rtol=0, atol=1e-12)
    blurred = fit.operator(image, kernels)
    np.testing.assert_allclose(blurred[None].detach(), arrays["a/first/blurred"], rtol=0, atol=1e-12)

    fit = reference_fit(arrays, milestones=())
    fit.step(0)
    for name, parameter in fit.image.network.named_parameters():
        expected = arrays[f"a/first/gx/{reference_key(name)}"]
        np.testing.assert_allclose(parameter.grad.norm(), expected, rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(
        rotate_180(fit.kernel())[0].detach(), arrays["a/step1/kernel"], rtol=0, atol=1e-13
    )


@pytest.mark.parametrize(("run", "milestones"), [("a", (2000, 3000, 4000)), ("b", (10, 20))])
def test_thirty_steps_match_the_reference(fixture, run, milestones):
    arrays = fixture("dip_trace")
    fit = reference_fit(arrays, milestones)
    losses, rates = [], []
    for iteration in range(30):
        losses.append(fit.step(iteration).loss.item())
        rates.append([float(group["lr"]) for group in fit.adam.param_groups])

    np.testing.assert_allclose(losses[:10], arrays[f"{run}/losses"][:10], rtol=0, atol=1e-10)
    np.testing.assert_allclose(losses, arrays[f"{run}/losses"], rtol=1e-8)
    np.testing.assert_array_equal(rates, arrays[f"{run}/lr"])
    image, kernels = fit.image(), fit.kernel()
    np.testing.assert_allclose(image[None].detach(), arrays[f"{run}/final_x"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(
        rotate_180(kernels)[0].detach(), arrays[f"{run}/final_kernel"], rtol=0, atol=1e-11
    )


def test_defaults_are_the_papers_schedule():
    fit = problem(observe((1, 40, 40)), Settings(), torch.Generator().manual_seed(0), CPU)
    assert [(stage.name, stage.iterations) for stage in fit.stages] == [("mse", 500), ("1-ssim", 4500)]
    assert fit.rates.at(0) == fit.rates.at(1999) == (1e-2, 1e-4)
    assert fit.rates.at(2000) == (5e-3, 5e-5)
    assert fit.rates.at(4999) == pytest.approx((1.25e-3, 1.25e-5))


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        ({"iterations": 1999}, 5e-4),
        ({"iterations": 2000}, 1e-4),
        ({"iterations": 1999, "kernel_rate": 1e-4}, 1e-4),
        ({"iterations": 20, "kernel_rate": 0.0}, 0.0),
        ({"iterations": 5000, "kernel_rate": 2e-3}, 2e-3),
    ],
)
def test_the_kernel_rate_is_what_is_given_or_the_default_of_this_length(changes, rate):
    fit = problem(observe(), change(TINY, **changes), torch.Generator().manual_seed(0), CPU)
    assert fit.rates.kernel == rate


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(1, 24, 28), (3, 25, 31)])
def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(shape, precision, monkeypatch):
    monkeypatch.setattr("methods.parts.precision.processor_has_bfloat16", lambda: True)  # or emulates it
    settings = change(TINY, precision=precision)
    first, second, other = (restore(observe(shape), settings, seed=seed) for seed in (1, 1, 2))
    assert first.notes["precision"] == precision
    assert first.status is Status.OK
    assert first.image.shape == shape
    assert first.image.tobytes() == second.image.tobytes()
    assert first.kernels.tobytes() == second.kernels.tobytes()
    assert first.image.tobytes() != other.image.tobytes()


def test_the_luma_way_restores_luma_and_keeps_chroma():
    photo = observe((3, 24, 28))
    centred = Observation("test", "case", photo.blurry / 2 + 0.25, (5, 5))
    fit = problem(centred, change(TINY, colour="luma"), torch.Generator().manual_seed(0), CPU)
    assert fit.image(None).shape[0] == 1  # one channel is optimised
    restored = fit.estimate().image
    moved = restored - torch.from_numpy(centred.blurry)
    torch.testing.assert_close(moved[0], moved[1], rtol=0, atol=1e-6)
    torch.testing.assert_close(moved[0], moved[2], rtol=0, atol=1e-6)


def test_luma_is_full_range_and_leaves_grey_alone():
    white, green = torch.ones(3, 1, 1), torch.tensor([0.0, 1.0, 0.0])[:, None, None]
    assert luma(white).item() == pytest.approx(1)
    assert luma(green).item() == pytest.approx(0.587)
    torch.testing.assert_close(luma(green[1:2]), green[1:2])


def test_every_node_of_a_non_uniform_blur_has_a_kernel_network_of_its_own():
    shaken = replace(observe((3, 24, 28)), blur_model="nonuniform", grid=(2, 3))
    restoration = restore(shaken)
    assert restoration.status is Status.OK
    assert restoration.image.shape == (3, 24, 28)
    assert restoration.kernels.shape == (6, 5, 5)
    differences = np.abs(restoration.kernels[1:] - restoration.kernels[:1]).max((1, 2))
    assert differences.min() > 0
    declined = restore(shaken, WARM)
    assert declined.status is Status.NOT_SUPPORTED
    assert "non-uniform" in declined.reason


def test_declines_an_unknown_kernel_size():
    with pytest.raises(NotSupportedError, match="declared kernel size"):
        problem(observe(kernel_size=None), TINY, torch.Generator(), CPU)


@pytest.mark.parametrize("kernel_size", [(5, 5), (4, 6)])
def test_a_warm_start_begins_at_the_estimated_kernel_and_changes_nothing_else(kernel_size):
    observation = observe(kernel_size=kernel_size)
    cold, warm = (
        problem(observation, settings, torch.Generator().manual_seed(0), CPU)
        for settings in (change(WARM, start=None), WARM)
    )
    expected = estimated_kernel("l0-grad", observation, torch.Generator(), CPU)
    assert (warm.kernel() - expected).norm() <= ERROR * expected.norm()
    assert (cold.kernel() - expected).norm() > 10 * ERROR * expected.norm()
    assert torch.equal(warm.image(None), cold.image(None))
    assert torch.equal(warm.rng.get_state(), cold.rng.get_state())
    assert not warm.adam.state  # moments of the short fit would steer the first iterations


def test_a_warm_start_that_fails_declines_the_case():
    flat = Observation("test", "case", np.full((1, 24, 28), 0.5, np.float32), (5, 5))
    assert restore(flat).status is Status.OK
    declined = restore(flat, WARM)
    assert declined.status is Status.NOT_SUPPORTED
    assert "no warm start from l0-grad" in declined.reason


def test_a_killed_warm_run_resumes_to_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(solver, "CHECKPOINT_EVERY", LOG_EVERY)
    undisturbed = restore(observe(), WARM)

    class Killed(BaseException):
        pass

    def step(fit, iteration, step=Fit.step):
        if iteration > LOG_EVERY:
            raise Killed
        return step(fit, iteration)

    path = tmp_path / "checkpoint.pt"
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Fit, "step", step)
        restore(observe(), WARM, checkpoint=path)
    assert path.exists()
    resumed = restore(observe(), WARM, checkpoint=path)
    assert resumed.image.tobytes() == undisturbed.image.tobytes()
    assert resumed.kernels.tobytes() == undisturbed.kernels.tobytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", 0),
        ("channels", 1),
        ("mse_share", 1.5),
        ("milestones", (2.0,)),
        ("image_rate", -1.0),
        ("kernel_rate", -1.0),
        ("kernel_rate", float("nan")),
        ("start", "l0"),
    ],
)
def test_refuses_settings_out_of_range(name, value):
    with pytest.raises(ValueError, match=name):
        compose(Settings, **{name: value})
