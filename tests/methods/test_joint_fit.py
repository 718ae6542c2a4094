from itertools import product

import numpy as np
import pytest
import torch

from benchmark.core.types import Observation, Status
from methods import joint_fit
from methods.glkm.generator import Generator
from methods.glkm.initializer import Initializer
from methods.glkm.weights import save
from methods.parts import registry
from methods.parts.settings import compose
from methods.parts.solver import Task, solve

TINY = {"iterations": 6, "channels": 4, "skip_channels": 2, "scales": 2}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder of small random networks, of kernels of 31 px."""
    folder = tmp_path_factory.mktemp("weights")
    for network in (Generator(31, width=2), Initializer(width=2)):
        save(folder, network, 31, way="adversarial", steps=0)
    return str(folder)


def build(module, settings):
    blurry = np.random.default_rng(0).random((1, 36, 38), dtype=np.float32)
    observation = Observation("test", "case", blurry, (5, 5))
    return module.problem(observation, settings, torch.Generator().manual_seed(0), torch.device("cpu"))


KERNELS = ("network", "siren", "convolutional", "generator")
FITTING = [
    ("skip", "mse-ssim"),
    ("skip", "residual"),
    *(("variational", objective) for objective in ("mse-ssim", "residual", "std", "sparse", "extreme")),
]


@pytest.mark.parametrize(
    ("image", "objective", "kernel"),
    [(*pair, kernel) for pair, kernel in product(FITTING, KERNELS)],
)
def test_parts_that_fit_together_run(weights, image, objective, kernel):
    settings = compose(
        joint_fit.Settings, **TINY, image_prior=image, objective=objective, kernel_prior=kernel,
        weights=weights, kernel_hidden=8, siren_width=8,
    )  # fmt: skip
    ((_, restoration),) = solve([Task("case", lambda: build(joint_fit, settings))])
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.kernels.shape == ((1, 31, 31) if kernel == "generator" else (1, 5, 5))
    assert bool(restoration.weights) == (kernel == "generator")


@pytest.mark.parametrize("kernel", ["siren", "convolutional"])
def test_priors_of_one_kernel_decline_blur_that_varies(kernel):
    blurry = np.zeros((1, 40, 40), np.float32)
    observation = Observation("test", "case", blurry, (5, 5), blur_model="nonuniform", grid=(2, 2))
    task = Task("case", lambda: joint_fit.problem(
        observation, compose(joint_fit.Settings, **TINY, kernel_prior=kernel),
        torch.Generator(), torch.device("cpu"),
    ))  # fmt: skip
    ((_, restoration),) = solve([task])
    assert restoration.status is Status.NOT_SUPPORTED
    assert f"kernel_prior {kernel}" in restoration.reason


@pytest.mark.parametrize("objective", ["std", "sparse", "extreme"])
def test_a_bound_without_standard_deviations_is_refused(objective):
    with pytest.raises(ValueError, match="set image_prior to variational"):
        compose(joint_fit.Settings, objective=objective)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("selfdeblur", {}),
        ("dip-glkm", {"kernel_prior": "generator"}),
        ("vdip-std", {"objective": "std"}),
        ("vdip-sparse", {"objective": "sparse"}),
        ("vdip-extreme", {"objective": "extreme", "pretraining_share": 1e-3, "prior_weights": (1e-4, 1e-5)}),
    ],
)
def test_the_named_methods_are_compositions_of_the_same_parts(weights, name, parts):
    method = registry.find(name)
    more = {"weights": weights} if "kernel_prior" in parts else {"kernel_hidden": 8}
    named = build(method, compose(method.settings, **TINY, **more))
    if "objective" in parts:
        parts = {"image_prior": "variational", "code_channels": 3, "code_noise": 0.0, **parts}
    composed = build(joint_fit, compose(joint_fit.Settings, **TINY, **more, **parts))
    assert type(composed.image) is type(named.image)
    assert type(composed.kernel) is type(named.kernel)
    assert composed.image.code.shape == named.image.code.shape
    assert composed.image.noise_scale == named.image.noise_scale
    schedules = [
        [(stage.name, stage.iterations) for stage in fit.stages if stage.iterations]
        for fit in (composed, named)
    ]
    assert schedules[0] == schedules[1]
    if name == "selfdeblur":  # the short runs' own kernel rate is a matter of that method
        assert composed.rates.milestones == named.rates.milestones
    else:
        assert composed.rates == named.rates
    # From the same weights the first steps are the same.
    named.image.load_state_dict(composed.image.state_dict())
    named.kernel.load_state_dict(composed.kernel.state_dict())
    named.rng.set_state(composed.rng.get_state())
    losses = [[fit.step(iteration).loss.item() for iteration in range(2)] for fit in (composed, named)]
    if name == "selfdeblur":
        losses = [loss[:1] for loss in losses]
    assert losses[0] == losses[1]
