import numpy as np
import pytest
import torch

from benchmark.blur.convolution import rotate_180, uniform_blur
from benchmark.types import Observation
from methods import bound, vdip, vdip_extreme, vdip_sparse, vdip_std
from methods.fit import Fit
from methods.image_priors.skip import SkipNetwork, VariationalImagePrior
from methods.kernel_priors.fcn import FcnKernel
from methods.solver import Task, solve
from tests.methods.test_skip import load_reference

CPU = torch.device("cpu")
TINY = {"iterations": 20, "channels": 4, "skip_channels": 2, "scales": 2, "kernel_hidden": 16}
# The shortened schedule of `dip_vdip_trace`: 4 iterations of pre-training, 3 + 3 of the bound, 4 of 1 - SSIM.
SCHEDULE = {"iterations": 10, "pretraining_share": 0.4, "bound_share": 0.6, "milestones": (0.5, 0.8)}
VARIANTS = {
    "std": (vdip_std.Settings(**SCHEDULE), lambda settings: []),
    "sparse": (vdip_sparse.Settings(**SCHEDULE), vdip_sparse.regularisers),
    "extreme": (
        vdip_extreme.Settings(**SCHEDULE),
        lambda settings: vdip_extreme.regularisers(settings, settings.patch),
    ),
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
        stages=vdip.stages(torch.from_numpy(arrays["y"][0]), settings, bound.flat_kernel, regularisers),
        rates=vdip.rates(settings),
        frame=(40, 43),
        rng=torch.Generator(),
    )


def observe(shape=(3, 36, 38), kernel_size=(5, 5)):
    return Observation("test", "case", np.random.default_rng(0).random(shape, dtype=np.float32), kernel_size)


def restore(method, **settings):
    settings = method.settings(**{**TINY, **settings})
    rng = torch.Generator().manual_seed(0)
    ((_, restoration),) = solve([Task("case", lambda: method.problem(observe(), settings, rng, CPU))])
    return restoration


@pytest.mark.parametrize("name", VARIANTS)
def test_all_stages_match_the_reference(fixture, monkeypatch, name):
    arrays = fixture("dip_vdip_trace")
    settings, regularisers = VARIANTS[name]
    fit = reference_fit(arrays, settings, regularisers(settings))
    order = ("eps_dark", "eps_bright", "eps_x") if name == "extreme" else ("eps_x",)
    noise = (torch.from_numpy(arrays[key][step]).double() for step in range(6) for key in order)
    monkeypatch.setattr(fit, "_noise_like", lambda tensor: next(noise))

    losses, rates = [], []
    for iteration in range(14):
        losses.append(fit.step(iteration).loss.item())
        rates.append(fit.adam.param_groups[0]["lr"])
    assert next(noise, None) is None  # all of it was drawn

    np.testing.assert_allclose(losses[:4], arrays[f"{name}/pre_losses"], rtol=1e-9)
    np.testing.assert_allclose(losses[4:], arrays[f"{name}/losses"], rtol=1e-9)
    np.testing.assert_allclose(rates[4:], arrays[f"{name}/lr_image"], rtol=1e-15)
    mean, deviation = fit.image.latent(None)
    np.testing.assert_allclose(mean[None].detach(), arrays[f"{name}/final_mean"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(deviation[None].detach(), arrays[f"{name}/final_std"], rtol=0, atol=1e-7)
    kernel = rotate_180(fit.kernel())[0].detach()
    np.testing.assert_allclose(kernel, arrays[f"{name}/final_kernel"], rtol=0, atol=1e-12)
