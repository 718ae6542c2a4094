"""A denoiser as the prior of BIRD and BlindDPS."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.types import Observation, Status
from methods.diffusion import prior as priors
from methods.diffusion.denoiser import Denoiser, DenoiserLayers, noise_of_step
from methods.diffusion.schedule import clean, levels
from methods.diffusion.view import View, ViewSettings
from methods.parts import registry
from methods.parts.settings import compose
from methods.parts.solver import Task, solve

CPU = torch.device("cpu")
TINY = DenoiserLayers(channels=4, depth=3)


@pytest.fixture
def file(tmp_path):
    """A file as PyTorch writes it, with the names of the published one."""
    torch.manual_seed(0)
    torch.save(Denoiser(TINY).state_dict(), tmp_path / "faces.pt")
    return tmp_path / "faces.pt"


def observed(channels=1, size=(20, 23)):
    pixels = np.random.default_rng(0).random((channels, *size), dtype=np.float32)
    return Observation("test", "case", pixels, kernel_size=(5, 5))


def test_the_published_layers_have_the_names_and_shapes_of_the_file():
    with torch.device("meta"):
        state = Denoiser(DenoiserLayers()).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    convolutions = {f"module.conv_layers.{number}.weight": (64, 64, 3, 3) for number in range(21)}
    convolutions["module.conv_layers.0.weight"] = (64, 1, 3, 3)
    convolutions["module.conv_layers.20.weight"] = (1, 64, 3, 3)
    scales = [f"module.BN_layers.{n}.{name}" for n in range(19) for name in ("running_sd", "gammas")]
    assert shapes == {**convolutions, **dict.fromkeys(scales, (1, 64, 1, 1))}


def test_twice_the_image_is_twice_the_noise():
    torch.manual_seed(1)
    network = Denoiser(TINY)
    images = torch.rand(1, 1, 9, 9)
    torch.testing.assert_close(network(2 * images), 2 * network(images))


class Knowing(nn.Module):
    """A denoiser that knows the clean image, in [0, 1]."""

    def __init__(self, sharp):
        super().__init__()
        self.sharp = sharp

    def forward(self, images):
        return images - self.sharp


@pytest.mark.parametrize("number", [0, 50, 300])
def test_the_noise_of_a_step_is_that_of_an_image_in_twice_the_range(number):
    level = levels()[number]
    rng = torch.Generator().manual_seed(number)
    sharp = torch.rand(1, 1, 8, 8, generator=rng, dtype=torch.float64)
    noise = torch.randn(1, 1, 8, 8, generator=rng, dtype=torch.float64)
    images = level**0.5 * (2 * sharp - 1) + (1 - level) ** 0.5 * noise
    torch.testing.assert_close(noise_of_step(Knowing(sharp), images, level), noise)


def test_beyond_its_range_the_clean_image_is_mid_grey():
    images = torch.randn(1, 1, 8, 8)
    level = levels()[900]
    noise = noise_of_step(Knowing(images), images, level)
    assert clean(images, noise, level).abs().max() < 1e-4


def test_a_file_is_recognised_and_serves_any_size(file):
    prior = priors.load(file, "diffusion-image")
    assert (prior.side, prior.label, prior.predicts) == (None, "faces denoiser", "residual")
    assert prior.network.layers == TINY
    view = View(observed(), ViewSettings(), CPU, prior)
    assert view.shape == (1, 1, 20, 23)
    images = torch.randn(view.shape)
    assert torch.equal(view.output(images, 100, False), prior.output(images, 100))
    assert view.result(images).shape == (1, 20, 23)


def test_a_denoiser_of_colour_takes_grey_images_as_three_equal_channels(tmp_path):
    torch.save(Denoiser(DenoiserLayers(3, 4, 3)).state_dict(), tmp_path / "colour.pt")
    prior = priors.load(tmp_path / "colour.pt", "diffusion-image")
    view = View(observed(), ViewSettings(), CPU, prior)
    assert view.shape == (1, 3, 20, 23)
    assert view.result(torch.randn(view.shape)).shape == (1, 20, 23)


def test_a_denoiser_of_grey_images_refuses_colour_in_one_line(file):
    prior = priors.load(file, "diffusion-image")
    with pytest.raises(NotSupportedError, match=r"^faces denoiser is for grey images, not for colour; take"):
        View(observed(channels=3), ViewSettings(), CPU, prior)


def test_a_denoiser_is_no_model_of_kernels(file):
    with pytest.raises(InputError, match=r"faces\.pt: a denoiser of images, not a diffusion model of kernel"):
        priors.load(file, "diffusion-kernel")


@pytest.mark.parametrize("name", ["bird", "bird-glkm", "blinddps", "blinddps-glkm"])
def test_methods_restore_a_grey_image_of_any_size(name, file):
    method = registry.find(name)
    settings = compose(method.settings, prior=str(file), iterations=2)
    rng = torch.Generator().manual_seed(0)
    task = Task("a", lambda: method.problem(observed(size=(33, 37)), settings, rng, CPU))
    restoration = dict(solve([task]))["a"]
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.image.shape == (1, 33, 37)


def test_the_published_file_denoises_faces(mirror):
    file = mirror / "weights" / "denoisers" / "celeba_gray_rf43.pt"
    photo = mirror / "data" / "test256" / "ffhq" / "00000.png"
    if not (file.is_file() and photo.is_file()):
        pytest.skip("no published denoiser or no face here")
    face = np.asarray(Image.open(photo).convert("L"), np.float32) / 255
    noise = np.random.default_rng(0).normal(0, 50 / 255, face.shape).astype(np.float32)
    network = priors.load(file, "diffusion-image").network
    with torch.no_grad():
        estimated = network(torch.from_numpy(face + noise)[None, None])[0, 0].numpy()
    before, after = (-10 * np.log10(np.mean(error**2)) for error in (noise, noise - estimated))
    assert before == pytest.approx(14.1, abs=0.1)
    assert after > before + 12  # the sheet: 27.9 dB
