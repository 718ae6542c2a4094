import numpy as np
import skimage.data
import torch

from methods.glkm.initializer import Initializer, whitened
from tests.methods.glkm.rule import manifest, state_by_rule


def amplitude(name, shape):
    return 1 / np.sqrt(512) if len(shape) == 2 else np.sqrt(2 / np.prod(shape[1:]))


def image(h, w):
    r, c = np.ogrid[:h, :w]
    values = 0.5 + 0.25 * np.sin(0.21 * r + 0.13 * c) + 0.25 * np.sin(0.017 * r * c)
    return torch.from_numpy(values.astype(np.float32))[None, None]


@torch.no_grad()
def test_matches_the_reference_at_three_sizes(fixture):
    arrays, listed = fixture("glkm_resnet18"), manifest("glkm_resnet18_manifest")
    network = Initializer().eval()
    names = [[name, list(tensor.shape)] for name, tensor in network.state_dict().items()]
    assert names == listed["tensors"]
    assert sum(parameter.numel() for parameter in network.parameters()) == listed["total_parameters"]
    network.load_state_dict(state_by_rule(listed["tensors"], amplitude))

    seen = {}
    for name in ("conv1", "layer1", "layer2", "layer3", "layer4"):
        layer = getattr(network.model, name)
        layer.register_forward_hook(lambda _, __, output, name=name: seen.__setitem__(name, output))
    np.testing.assert_allclose(image(96, 80)[0, 0], np.squeeze(arrays["x_96x80"]), rtol=0, atol=0)
    for size in ((64, 64), (255, 201), (96, 80)):
        codes = network(image(*size))
        assert codes.shape == (1, 100, 1, 1)
        expected = arrays["z_{}x{}".format(*size)]
        np.testing.assert_allclose(codes[..., 0, 0], expected, rtol=1e-3)
    stem = np.squeeze(arrays["stem_conv_96x80_ch0_3"])
    np.testing.assert_allclose(seen["conv1"][0, :4], stem, rtol=0, atol=1e-4)
    for name in ("layer1", "layer2", "layer3", "layer4"):
        means = np.squeeze(arrays[f"{name}_mean_96x80"])
        np.testing.assert_allclose(seen[name][0].mean((1, 2)), means, rtol=1e-3, atol=1e-6)


def test_whitening_flattens_the_spectrum_of_natural_images():
    photograph = torch.from_numpy(skimage.data.camera()[None, None, 100:356, 100:356] / np.float32(255))

    window = torch.hann_window(256)[:, None] * torch.hann_window(256)

    def power(image, low, high):
        frequency = torch.hypot(torch.fft.fftfreq(256)[:, None], torch.fft.rfftfreq(256)[None])
        band = (frequency >= low) & (frequency < high)
        return torch.fft.rfft2(image[0, 0] * window).abs()[band].square().mean()

    def fall(image):
        return (power(image, 0.02, 0.05) / power(image, 0.15, 0.2)).item()

    assert fall(photograph) > 100
    assert fall(whitened(photograph)) < 10


def test_whitening_takes_the_brightness_away_and_most_of_the_contrast():
    image = torch.rand(2, 1, 40, 36, generator=torch.Generator().manual_seed(0))
    white = whitened(image)
    assert white.shape == image.shape
    torch.testing.assert_close(whitened(0.3 + image), white, rtol=0, atol=1e-4)
    assert 0.8 < (whitened(0.5 * image).std() / white.std()).item() < 1
    assert torch.isfinite(whitened(torch.full((1, 1, 40, 36), 0.5))).all()
