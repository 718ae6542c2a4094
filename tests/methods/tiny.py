"""Small problems for every registered method, so that tests over all of them take seconds."""

import dataclasses
from functools import partial

import torch

from benchmark.core.types import KnownBlur
from benchmark.runs.settings import effective
from benchmark.tools.conformance import CPU, SMALL, useful, with_true_kernels
from methods.diffusion import prior as priors
from methods.diffusion.adm import AdmLayers, AdmUNet
from methods.glkm.generator import Generator
from methods.glkm.initializer import Initializer
from methods.glkm.weights import save
from methods.parts import registry
from methods.parts.settings import default_part, flat
from methods.parts.solver import Task
from methods.ufp import weights as ufp_weights
from methods.ufp.network import Shape, UfpNet, mimo_shape

METHODS = registry.built_in()
# Smaller than the defaults where a method has a setting of this name.
TINY = {
    **SMALL,
    "candidates": [
        {"method": "l0-fast"},
        {
            "method": "selfdeblur",
            "settings": {"iterations": 3, "channels": 4, "skip_channels": 2, "scales": 2, "kernel_hidden": 8},
        },
    ],
}
PRIORS = {"prior": "diffusion-image", "kernel_prior": "diffusion-kernel"}


def defaults(settings):
    """The settings of a class by their keys with their defaults; 'required' for those without."""
    values = {}
    for field in dataclasses.fields(settings):
        part = default_part(field)
        own = {field.name: "required" if field.default is dataclasses.MISSING else field.default}
        own = own if part is None else flat(part)
        assert not own.keys() & values.keys(), f"{settings}: two parts have the same setting"
        values |= own
    return values


def save_weights(folder, generators=(31,)):
    """Write small random networks for the methods that start from pre-trained ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for size in generators:
            for network in (Generator(size, width=2), Initializer(width=2)):
                save(folder, network, size, way="adversarial", steps=0)
        sizes = {"width": 2, "encoder": (1, 1), "decoder": (1, 1), "attending": 2, "estimator": (2, 2, 2)}
        for stage, kernel_size in (("ufpnet", 7), ("nafnet", 0), ("mimo-ufp", 7), ("mimo", 0)):
            shape = Shape(kernel_size=kernel_size, flow_hidden=2, **sizes)
            if stage.startswith("mimo"):
                shape = mimo_shape(8, 1, shape)
            ufp_weights.save(folder, UfpNet(shape), stage, shape, 0, "", half=False)
        for kind, channels in priors.CHANNELS.items():
            layers = AdmLayers(8, (1, 2), 1, (), channels, channels, head_channels=8, norm_groups=4)
            priors.save(folder, AdmUNet(layers), kind, 32, steps=0, remark="", half=False, data="none")
    return folder


def places(method, images, weights):
    """The settings of `method` that say where files are."""
    files = {"path": str(images), "weights": str(weights)}
    if "prior" in defaults(method.settings):
        files |= {name: str(weights / priors.file_name(kind, 32)) for name, kind in PRIORS.items()}
    return files


def overrides_of(method, **changes):
    """TINY overrides with `changes`, but for those that the method does not have or that change nothing."""
    return useful(method.settings, {**TINY, **changes})


def settings_of(method, **changes):
    """The settings of `method` with `overrides_of` it."""
    return effective(method.settings, overrides_of(method, **changes), method.name)


def task(method, observation, settings, **more):
    """What the solver is given; controls get made-up true kernels. `more` as in `Task`."""
    if method.needs_true_kernels and not isinstance(observation, KnownBlur):
        observation = with_true_kernels(observation)
    return Task(observation.case, partial(build, method, observation, settings), **more)


def build(method, observation, settings, seed=0):
    """The problem of `method` for an observation."""
    return method.problem(observation, settings, torch.Generator().manual_seed(seed), CPU)
