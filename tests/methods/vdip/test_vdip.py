from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.blur.convolution import rotate_180, uniform_blur
from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.types import Observation, Status
from methods.glkm.generator import Generator
from methods.glkm.initializer import Initializer
from methods.glkm.weights import save
from methods.parts import solver
from methods.parts.fit import Fit, middle
from methods.parts.image_priors.skip import SkipNetwork, VariationalImagePrior
from methods.parts.kernel_priors.fcn import FcnKernel
from methods.parts.settings import compose
from methods.parts.solver import LOG_EVERY, Task, solve
from methods.vdip import bound
from methods.vdip.stages import COLLAPSED, EXPLODED
from methods.vdip.variants import Extreme, ExtremeGlkm, Sparse, SparseGlkm, Std, StdGlkm, problem
from tests.methods.parts.test_skip import load_reference

CPU = torch.device("cpu")
TINY = {"iterations": 20, "channels": 4, "skip_channels": 2, "scales": 2, "kernel_hidden": 16}
# The shortened schedule of `dip_vdip_trace`: 4 iterations of pre-training, 3 + 3 of the bound, 4 of 1 - SSIM.
SCHEDULE = {"iterations": 10, "pretraining_share": 0.4, "bound_share": 0.6, "milestones": (0.5, 0.8)}
VARIANTS = {
    "std": compose(Std, **SCHEDULE),
    "sparse": compose(Sparse, **SCHEDULE),
    "extreme": compose(Extreme, **SCHEDULE),
}


def reference_fit(arrays, settings, regularisers):
    """The problem of `dip_vdip_trace`: its initial weights and codes in our parts."""
    network = load_reference(SkipNetwork(3, 6, channels=8, skip_channels=4), arrays, "sdx/")
    kernel = FcnKernel(torch.from_numpy(arrays["zk"]), (5, 5), 40).double()
    for ours, theirs in (("expand", "0"), ("entries", "2")):
        layer = {leaf: torch.from_numpy(arrays[f"sdk/linear.{theirs}.{leaf}"]) for leaf in ("weight", "bias")}
        getattr(kernel, ours).load_state_dict(layer)
    return Fit(
        image=VariationalImagePrior(network, torch.from_numpy(arrays["zx"]), noise_scale=0.0),
        kernel=kernel,
        operator=uniform_blur,
        stages=settings.bound.stages(torch.from_numpy(arrays["y"][0]), 10, bound.flat_kernel, regularisers),
        rates=settings.schedule.rates(settings.kernel.kernel_rate, settings.bound.pretraining(10)),
        read_out=middle((40, 43)),
        rng=torch.Generator(),
    )


def observe(shape=(3, 36, 38), kernel_size=(5, 5)):
    return Observation("test", "case", np.random.default_rng(0).random(shape, dtype=np.float32), kernel_size)


@pytest.mark.parametrize("name", VARIANTS)
def test_all_stages_match_the_reference(fixture, monkeypatch, name):
    arrays = fixture("dip_vdip_trace")
    settings = VARIANTS[name]
    regularisers = settings.regulariser.objectives(observe((3, 40, 43)), (5, 5))
    terms = {"misfit": [], "regulariser": []}

    def recording(name, term):
        def recorded(estimate):
            terms[name].append(term(estimate))
            return terms[name][-1]

        return recorded

    misfit = bound.expected_misfit
    monkeypatch.setattr(bound, "expected_misfit", lambda blurry: recording("misfit", misfit(blurry)))
    recorded = [recording("regulariser", regulariser) for regulariser in regularisers]
    fit = reference_fit(arrays, settings, recorded)
    order = ("eps_dark", "eps_bright", "eps_x") if name == "extreme" else ("eps_x",)
    noise = (torch.from_numpy(arrays[key][step]).double() for step in range(6) for key in order)
    monkeypatch.setattr(fit, "_noise_like", lambda tensor: next(noise))

    losses, rates = [], []
    for iteration in range(14):
        losses.append(fit.step(iteration).loss.item())
        rates.append(float(fit.adam.param_groups[0]["lr"]))
    assert next(noise, None) is None  # all of it was drawn

    np.testing.assert_allclose(losses[:4], arrays[f"{name}/pre_losses"], rtol=1e-9)
    np.testing.assert_allclose(losses[4:], arrays[f"{name}/losses"], rtol=1e-9)
    np.testing.assert_array_equal(rates[4:], arrays[f"{name}/lr_image"])
    misfits, regulariser = ([term.item() for term in terms[key]] for key in ("misfit", "regulariser"))
    np.testing.assert_allclose(misfits, -arrays[f"{name}/expectation"][:6], rtol=1e-9)
    if regularisers:
        weighted_kl = arrays[f"{name}/sigma"] * arrays[f"{name}/negative_kl"]
        np.testing.assert_allclose(regulariser, -weighted_kl[:6], rtol=1e-9)
    assert bool(regularisers) == (name != "std")
    mean, deviation = fit.image.latent(None)
    np.testing.assert_allclose(mean[None].detach(), arrays[f"{name}/final_mean"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(deviation[None].detach(), arrays[f"{name}/final_std"], rtol=0, atol=1e-7)
    kernel = rotate_180(fit.kernel())[0].detach()
    np.testing.assert_allclose(kernel, arrays[f"{name}/final_kernel"], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("variant", "pretraining", "bounds"),
    [(Std, 500, [2000]), (Sparse, 500, [1000, 1000]), (Extreme, 5, [1000, 1000])],
)
def test_defaults_are_the_scripts_schedule(variant, pretraining, bounds):
    narrow = compose(variant, channels=2, skip_channels=1)
    fit = problem(observe((3, 40, 40)), narrow, torch.Generator().manual_seed(0), CPU)
    assert [stage.iterations for stage in fit.stages] == [pretraining, *bounds, 3000]
    assert fit.rates.at(0) == fit.rates.at(pretraining + 1999) == (1e-2, 1e-4)
    assert fit.rates.at(pretraining + 2000) == (5e-3, 5e-5)
    assert fit.rates.at(pretraining + 4999) == pytest.approx((1.25e-3, 1.25e-5))


@pytest.mark.parametrize(
    ("with_glkm", "without"), [(StdGlkm, Std), (SparseGlkm, Sparse), (ExtremeGlkm, Extreme)]
)
def test_with_glkm_all_stages_are_as_long_as_without(with_glkm, without):
    assert with_glkm().bound == without().bound
    assert with_glkm().schedule == without().schedule


@pytest.mark.parametrize("side", [0.0, 1.0])
@pytest.mark.parametrize("variant", [Std, Sparse, Extreme])
def test_lost_deviations_are_a_status_with_a_reason_and_no_image(variant, side):
    settings = compose(variant, **TINY, pretraining_share=0.0)

    def build():
        fit = problem(observe(), settings, torch.Generator().manual_seed(0), CPU)
        with torch.no_grad():
            fit.image.network.head.bias[3:] = 400 * side - 200
        return fit

    ((_, restoration),) = solve([Task("case", build)])
    if variant is Std and side == 0:  # without an entropy they are free to go
        assert restoration.status is Status.OK
        return
    assert restoration.status is Status.DIVERGED
    assert restoration.image is None
    sentence = EXPLODED[0] if side else COLLAPSED[0]
    assert restoration.reason.startswith(sentence)


@pytest.mark.parametrize("variant", [Sparse, Extreme])
def test_a_killed_run_resumes_to_the_same_bytes_amid_its_samples(tmp_path, monkeypatch, variant):
    monkeypatch.setattr(solver, "CHECKPOINT_EVERY", LOG_EVERY)
    settings = compose(variant, **TINY, bound_share=1.0)

    class Killed(BaseException):
        pass

    def restore(checkpoint=None):
        build = lambda: problem(observe(), settings, torch.Generator().manual_seed(0), CPU)  # noqa: E731
        ((_, restoration),) = solve([Task("case", build, checkpoint)])
        return restoration

    def step(fit, iteration, step=Fit.step):
        if iteration > LOG_EVERY:
            raise Killed
        return step(fit, iteration)

    path = tmp_path / "checkpoint.pt"
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Fit, "step", step)
        restore(path)
    assert restore(path).image.tobytes() == restore().image.tobytes()


def test_extreme_declines_images_below_its_window():
    settings = compose(Extreme, **TINY)
    assert problem(observe((1, 31, 31)), settings, torch.Generator(), CPU)
    with pytest.raises(NotSupportedError, match=r"35 pixels a side, the latent image has 34 x 44"):
        problem(observe((1, 30, 40)), settings, torch.Generator(), CPU)


@pytest.mark.parametrize("variant", [Std, Sparse, Extreme])
def test_declines_an_unknown_kernel_size(variant):
    with pytest.raises(NotSupportedError, match="declared kernel size"):
        problem(observe(kernel_size=None), variant(), torch.Generator(), CPU)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", 0),
        ("kernel_hidden", 0),
        ("patch", 0),
        ("channels", 1),
        ("pretraining_share", -0.1),
        ("image_rate", float("nan")),
        ("kernel_penalty", -1.0),
        ("bound_share", 1.5),
        ("milestones", (2.0,)),
        ("prior_weights", ()),
        ("prior_weights", (-1.0,)),
    ],
)
def test_refuses_settings_out_of_range(name, value):
    with pytest.raises(ValueError, match=name):
        compose(Extreme, **{name: value})


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder of small random networks, of kernels of 31 px."""
    folder = tmp_path_factory.mktemp("weights")
    for network in (Generator(31, width=2), Initializer(width=2)):
        save(folder, network, 31, way="adversarial", steps=0)
    return str(folder)


SMALL = {key: value for key, value in TINY.items() if key != "kernel_hidden"}


@pytest.mark.parametrize("variant", [StdGlkm, SparseGlkm, ExtremeGlkm])
def test_with_glkm_pre_training_trains_the_image_alone(weights, variant):
    settings = compose(variant, **SMALL, pretraining_share=0.2, weights=weights)
    fit = problem(observe(), settings, torch.Generator().manual_seed(0), CPU)
    image, kernels = fit.image(None).detach(), fit.kernel().detach()
    for iteration in range(4):
        assert fit.step(iteration).stage == "pre-training"
    assert torch.equal(fit.kernel(), kernels)
    assert not torch.equal(fit.image(None), image)
    assert fit.step(4).stage == "bound-1"
    assert not torch.equal(fit.kernel(), kernels)


def test_without_glkm_pre_training_flattens_the_kernel():
    settings = compose(Std, **TINY, pretraining_share=1.0, kernel_rate=1e-2)
    fit = problem(observe(), settings, torch.Generator().manual_seed(0), CPU)
    before = fit.kernel().detach()
    for iteration in range(20):
        fit.step(iteration)
    assert (fit.kernel() - 1 / 25).norm() < (before - 1 / 25).norm() / 2


def test_with_glkm_the_kernel_is_not_penalised():
    for with_glkm, without in ((SparseGlkm, Sparse), (ExtremeGlkm, Extreme)):
        assert with_glkm().regulariser.weights.kernel_penalty == 0
        assert without().regulariser.weights.kernel_penalty == 10


@pytest.mark.parametrize("variant", [Sparse, SparseGlkm])
def test_a_non_uniform_blur_has_a_kernel_for_each_node(weights, variant):
    observation = replace(observe(), blur_model="nonuniform", grid=(2, 3))
    glkm = variant is SparseGlkm
    settings = compose(variant, **SMALL, weights=weights) if glkm else compose(variant, **TINY)
    build = lambda: problem(observation, settings, torch.Generator().manual_seed(0), CPU)  # noqa: E731
    ((_, restoration),) = solve([Task("case", build)])
    assert restoration.status is Status.OK
    assert restoration.image.shape == observation.blurry.shape
    assert restoration.kernels.shape == ((6, 31, 31) if glkm else (6, 5, 5))
    np.testing.assert_allclose(restoration.kernels.sum((1, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize("variant", [StdGlkm, SparseGlkm, ExtremeGlkm])
def test_with_glkm_larger_kernels_are_found_on_the_shrunken_image_then_refined(tmp_path, variant):
    for network in (Generator(75, width=2), Initializer(width=2)):
        save(tmp_path, network, 75, way="adversarial", steps=0)
    settings = compose(
        variant, **SMALL, pretraining_share=0.2, frozen_share=0.1, logit_rate=1e-2, weights=str(tmp_path)
    )
    observation = replace(observe((1, 90, 88)), kernel_size=(81, 40))
    both = problem(observation, settings, torch.Generator().manual_seed(0), CPU)
    assert (both.small.iterations, both.full.iterations) == (24, 24)
    for iteration in range(24 + 6):  # 4 of pre-training and 2 with the kernel at rest
        stage = both.step(iteration).stage
        if iteration == 24:
            start = both.estimate().kernels
            assert stage == "pre-training"
    assert stage == "bound-1"
    assert torch.equal(both.estimate().kernels, start)
    assert start.shape == (1, 81, 81)
    both.step(30)
    assert not torch.equal(both.estimate().kernels, start)


def test_refuses_a_start_that_estimates_no_kernel():
    with pytest.raises(InputError, match="start: 'oracle' is a control"):
        compose(StdGlkm, start="oracle")
