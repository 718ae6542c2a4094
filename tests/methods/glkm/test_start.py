"""Where a kernel starts: the size that weights serve, and the start of least energy."""

import numpy as np
import pytest
import torch

from benchmark.blur.kernel_energy import energy_weight
from benchmark.core.errors import NotSupportedError, WeightsMissingError
from benchmark.core.types import Observation
from methods.glkm import start
from methods.glkm.generator import Generator, served_by, serving, side
from methods.glkm.initializer import FastInitializer, Initializer
from methods.glkm.latent import LatentKernel
from methods.glkm.start import LatentSettings, latent_kernel, support_of
from methods.glkm.weights import Origin, save
from tests.methods.glkm.test_latent import codes, generator

CPU = torch.device("cpu")
ANY, ONE = Origin("glkm-fast", "any", ""), Origin("glkm-fast", 31, "")


def observe(kernel_size, shape=(1, 90, 86), **more):
    blurry = np.random.default_rng(0).random(shape, dtype=np.float32)
    return Observation("test", "case", blurry, kernel_size, **more)


def prior_of(folder, observation, **settings):
    rng = torch.Generator().manual_seed(0)
    return latent_kernel(observation, LatentSettings(weights=str(folder), **settings), rng, CPU)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Random weights for all sizes, and a generator for those up to 31 px."""
    folder = tmp_path_factory.mktemp("weights")
    network = generator(75)
    save(folder, network, "any", way="GLKM-fast", steps=0)
    save(folder, Initializer(width=2), "any", way="GLKM-fast", steps=0)
    save(folder, generator(31), 31, way="GLKM-fast", steps=0)
    return folder


def test_the_generator_for_all_sizes_is_the_largest_published_one_and_serves_those_up_to_it():
    assert (side("any"), side(45)) == (75, 45)
    assert served_by("any") == tuple(range(11, 76, 2))
    assert [serving(size) for size in (7, 31, 32, 51, 55, 56, 75)] == [31, 31, 45, 55, 55, 65, 75]


@pytest.mark.parametrize(
    ("declared", "support"),
    [
        ((31, 31), (31, 31)),
        ((51, 51), (51, 51)),
        ((75, 75), (75, 75)),
        ((52, 40), (53, 41)),  # the next odd ones: the middle stays the middle
        ((60, 5), (61, 11)),  # it was trained for none below 11
    ],
)
def test_a_declared_size_is_cut_out_of_the_generator_for_all(declared, support):
    network = Generator(75, width=2)
    assert support_of(declared, network, ANY) == support
    assert support_of(declared, Generator(31, width=2), ONE) == (31, 31)


def test_a_generator_of_its_own_size_comes_first_and_all_others_are_cut(folder):
    small, label = prior_of(folder, observe((13, 9)), start="random")
    assert (small.size, label) == ((31, 31), "glkm-fast-31")
    for declared, expected in (((33, 33), (33, 33)), ((51, 45), (51, 45)), ((74, 74), (75, 75))):
        prior, label = prior_of(folder, observe(declared), start="random")
        assert prior().shape == (1, *expected)
        assert prior().sum().item() == pytest.approx(1, abs=1e-5)
        assert label == "glkm-fast-any"


def test_sizes_and_images_that_the_weights_do_not_serve_are_named(folder):
    with pytest.raises(NotSupportedError, match="no kernel generator serves a kernel size of 77;"):
        prior_of(folder, observe((77, 77)))
    with pytest.raises(NotSupportedError, match=r"the image \(90 x 50\) is smaller than the .* \(55 x 51\)"):
        prior_of(folder, observe((55, 50), (1, 90, 50)))


@pytest.fixture
def estimate(monkeypatch):
    """What l0-grad estimates: a kernel within reach of the generator."""
    kernel = LatentKernel(generator(75), codes(seed=5), size=(55, 55))().detach()
    monkeypatch.setattr(start, "CODE_STEPS", 10)
    monkeypatch.setattr(start, "estimated_kernel", lambda *_: kernel)
    return kernel


@pytest.mark.parametrize("favoured", ["initializer", "l0-grad"])
def test_auto_takes_the_start_of_less_energy(folder, estimate, monkeypatch, favoured):
    """The energy is made up: how near a kernel is to one of the two."""
    ends = {name: prior_of(folder, observe((55, 55)), start=name)[0] for name in ("initializer", "l0-grad")}
    asked = []

    def energy(luma, kernel, edge, weight):
        assert weight == energy_weight(luma)
        asked.append((luma.shape, kernel.shape, edge))
        return np.abs(kernel - ends[favoured]()[0].detach().numpy()).sum()

    monkeypatch.setattr(start, "kernel_energy", energy)
    prior, label = prior_of(folder, observe((55, 55), (3, 90, 86)), start="auto")
    assert asked == [((90, 86), (55, 55), start.EDGE)] * 2
    assert label == "glkm-fast-any"
    ends = {name: prior_of(folder, observe((55, 55), (3, 90, 86)), start=name)[0] for name in ends}
    torch.testing.assert_close(prior.latent, ends[favoured].latent)
    assert not torch.equal(*(end.latent for end in ends.values()))


def test_auto_takes_the_start_that_there_is(folder, estimate, monkeypatch, tmp_path):
    shaken = observe((55, 55), blur_model="nonuniform", grid=(1, 2))
    auto, _ = prior_of(folder, shaken, start="auto")
    assert torch.equal(auto.latent, prior_of(folder, shaken, start="initializer")[0].latent)
    save(tmp_path, generator(75), "any", way="GLKM-fast", steps=0)
    alone, _ = prior_of(tmp_path, observe((55, 55)), start="auto")
    assert (alone() - estimate).norm() <= start.ENOUGH * estimate.norm()
    with pytest.raises(WeightsMissingError, match=r"no initializer for .* 55 x 55.*; or set another start"):
        prior_of(tmp_path, shaken, start="auto")


def test_auto_depends_on_the_classical_method_and_lends_it_to_other_priors():
    settings = LatentSettings(start="auto", frozen=0.5)
    assert settings.methods_run_first() == ("l0-grad",)
    other = settings.for_other_priors()
    assert (other.start, other.frozen) == ("l0-grad", 0.5)


def test_the_initializer_for_all_sizes_takes_images_smaller_than_its_kernels(tmp_path):
    save(tmp_path, generator(75), "any", way="GLKM-fast", steps=0)
    save(tmp_path, FastInitializer(75, width=2), "any", way="GLKM-fast", steps=0)
    for shape in ((1, 33, 33), (3, 34, 90)):
        prior, _ = prior_of(tmp_path, observe((33, 33), shape))
        assert prior().isfinite().all()
