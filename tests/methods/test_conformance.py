"""What every registered method must do, at tiny size: a method is tested by existing."""

import dataclasses

import numpy as np
import pytest
import torch
from skimage.io import imsave

from benchmark.core.types import InputError, KnownBlur, NotSupportedError, Observation, Status
from methods.diffusion import prior as priors
from methods.diffusion.adm import AdmLayers, AdmUNet
from methods.glkm.generator import Generator
from methods.glkm.initializer import Initializer
from methods.glkm.weights import save
from methods.parts import registry
from methods.parts.solver import Task, solve
from methods.ufp import weights as ufp_weights
from methods.ufp.network import Shape, UfpNet

# Smaller than the defaults where a field of this name exists, so that the suite takes seconds.
TINY = {
    "iterations": 3,
    "channels": 4,
    "skip_channels": 2,
    "scales": 2,
    "kernel_hidden": 8,
    "patch": 5,
    "window": 2,
    "siren_width": 8,
    "stride": 500,
    "other_sizes": True,  # of a diffusion model's images
}
PRIORS = {"prior": "diffusion-image", "kernel_prior": "diffusion-kernel"}
METHODS = registry.built_in()


# As large as the smallest kernel generator's kernels, and hardly larger.
def observe(shape=(1, 31, 34), case="case", kernel_size=(5, 3)):
    blurry = np.random.default_rng(len(case)).random(shape, dtype=np.float32)
    return Observation("test", case, blurry, kernel_size)


@pytest.fixture(params=sorted(METHODS))
def method(request):
    return METHODS[request.param]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder of small random networks for the methods that start from pre-trained ones."""
    folder = tmp_path_factory.mktemp("weights")
    for network in (Generator(31, width=2), Initializer(width=2)):
        save(folder, network, 31, way="adversarial", steps=0)
    sizes = {"width": 2, "encoder": (1, 1), "decoder": (1, 1), "attending": 2, "estimator": (2, 2, 2)}
    for stage, kernel_size in (("ufpnet", 7), ("nafnet", 0)):
        shape = Shape(kernel_size=kernel_size, flow_hidden=2, **sizes)
        ufp_weights.save(folder, UfpNet(shape), stage, shape, 0, "", half=False)
    for kind, channels in priors.CHANNELS.items():
        layers = AdmLayers(8, (1, 2), 1, (), channels, channels, head_channels=8, norm_groups=4)
        priors.save(folder, AdmUNet(layers), kind, 32, steps=0, remark="", half=False, data="none")
    return folder


@pytest.fixture
def restore(tmp_path, weights):
    """`restore(method, *observations)`: each method gets what its registration and settings ask for."""

    def run(method, *observations):
        for observation in observations:
            write_image(tmp_path / f"{observation.case}.png", observation.blurry)
        settings = tiny_settings(method, **places(method, tmp_path, weights))
        return dict(solve([task(method, observation, settings) for observation in observations]))

    return run


def places(method, images, weights):
    """Settings that say where things are."""
    found = {"path": str(images), "weights": str(weights)}
    if "prior" in {field.name for field in dataclasses.fields(method.settings)}:
        found |= {name: str(weights / priors.file_name(kind, 32)) for name, kind in PRIORS.items()}
    return found


def tiny_settings(method, **more):
    names = {field.name for field in dataclasses.fields(method.settings)}
    return method.settings(**{name: value for name, value in {**TINY, **more}.items() if name in names})


def task(method, observation, settings, snapshots=()):
    if method.needs_true_kernels:
        h, w = observation.kernel_size
        ramp = np.arange(1, h * w + 1, dtype=np.float32).reshape(1, h, w)
        observation = KnownBlur(**vars(observation), kernels=ramp / ramp.sum())
    rng = torch.Generator().manual_seed(0)
    build = lambda: method.problem(observation, settings, rng, torch.device("cpu"))  # noqa: E731
    return Task(observation.case, build, snapshots=snapshots)


def write_image(path, image):
    pixels = np.round(255 * image).astype(np.uint8)
    imsave(path, pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0), check_contrast=False)


@pytest.mark.parametrize("shape", [(1, 31, 34), (3, 32, 31)])
def test_returns_what_is_promised(method, shape, restore):
    restoration = restore(method, observe(shape))["case"]
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.image.shape == shape
    assert restoration.image.dtype == np.float32
    assert 0 <= restoration.image.min() <= restoration.image.max() <= 1
    names = {field.name for field in dataclasses.fields(method.settings)}
    assert restoration.iterations == (TINY["iterations"] if "iterations" in names else 0)
    if restoration.kernels is not None:
        (count, h, w) = restoration.kernels.shape
        assert count == 1
        assert (h, w) == (5, 3) or min(h, w) > 5, "the declared size, or a larger one that a network has"
        assert (restoration.kernels >= 0).all()
        np.testing.assert_allclose(restoration.kernels.sum((1, 2)), 1, rtol=1e-5)


def test_a_case_does_not_depend_on_the_others(method, restore):
    alone = restore(method, observe(case="b"))["b"]
    together = restore(method, observe(case="a!"), observe(case="b"), observe(case="ccc"))["b"]
    assert alone.image.tobytes() == together.image.tobytes()


def test_snapshots_change_nothing_and_the_last_is_the_image(method, restore, weights, tmp_path):
    plain = restore(method, observe())["case"]
    settings = tiny_settings(method, **places(method, tmp_path, weights))
    ((_, kept),) = solve([task(method, observe(), settings, snapshots=(1, 2, 3))])
    assert kept.image.tobytes() == plain.image.tobytes()
    if plain.kernels is not None:
        assert kept.kernels.tobytes() == plain.kernels.tobytes()
    assert [snapshot.iteration for snapshot in kept.snapshots] == [1, 2, 3][: kept.iterations]
    for snapshot in kept.snapshots[2:]:
        np.testing.assert_array_equal(snapshot.image, np.round(255 * plain.image))


def test_leaves_global_state_alone(method, restore):
    rng, threads, dtype = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    numpy_state = np.random.get_state()[1].copy()
    restore(method, observe())
    assert torch.equal(rng, torch.get_rng_state())
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_tiny_images_are_restored_or_declined_with_a_reason(method, restore):
    observation = Observation("test", "case", np.full((1, 1, 1), 0.5, np.float32), (1, 1))
    restoration = restore(method, observation)["case"]
    assert restoration.status in (Status.OK, Status.NOT_SUPPORTED)
    assert bool(restoration.reason) == (restoration.status is not Status.OK)


def test_only_controls_are_given_the_true_kernels(method):
    assert not method.needs_true_kernels or method.role == "ceiling"


def test_says_where_it_comes_from(method):
    assert method.name == method.name.lower()
    assert method.title
    assert method.paper
    assert method.licence
    assert method.blur_models
    assert dataclasses.is_dataclass(method.settings)


def test_unknown_names_get_a_hint():
    with pytest.raises(InputError, match="Did you mean 'selfdeblur'"):
        registry.find("selfdebur")


class Plugin:
    """An entry point as importlib.metadata has it."""

    def __init__(self, content):
        self.content = content

    def load(self):
        return self.content


@pytest.mark.parametrize("valid", [True, False])
def test_other_packages_can_add_methods(monkeypatch, valid):
    class Plugins(dict):
        names = property(set)

    content = METHODS["blurry"] if valid else object()
    monkeypatch.setattr(registry, "entry_points", lambda **_: Plugins(mine=Plugin(content)))
    if valid:
        assert registry.find("mine") is content
    else:
        with pytest.raises(InputError, match="'mine'"):
            registry.find("mine")


def test_declining_is_an_exception_with_a_sentence():
    with pytest.raises(NotSupportedError, match="declared kernel size"):
        METHODS["selfdeblur"].problem(
            observe(kernel_size=None),
            METHODS["selfdeblur"].settings(),
            torch.Generator(),
            torch.device("cpu"),
        )
