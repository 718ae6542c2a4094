import numpy as np
import pytest
import torch

from methods.glkm.encoder import KernelEncoder
from methods.glkm.first_estimates import FINEST, cleaned, kernel_estimates
from methods.glkm.initializer import FastInitializer, Initializer
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


def fast(size=31):
    torch.manual_seed(0)
    return FastInitializer(size, width=4)


def test_a_fast_one_starts_with_the_codes_of_the_encoder():
    torch.manual_seed(1)
    encoder, initializer = KernelEncoder(31), fast()
    images = image(70, 64)
    estimate = cleaned(kernel_estimates(images, 31)[:, FINEST])
    assert not torch.allclose(initializer.eval()(images), encoder.eval()(estimate)[0])
    initializer.start_at(encoder)
    torch.testing.assert_close(initializer(images), encoder(estimate)[0], rtol=0, atol=1e-6)
    initializer.train()
    initializer(torch.cat((images, images.flip(-1)))).square().sum().backward()
    assert initializer.layers[-1].weight.grad.abs().max() > 0
    assert next(initializer.encoder.parameters()).grad.abs().max() > 0


@pytest.mark.parametrize(("size", "shape"), [(13, (40, 36)), (31, (33, 50)), (75, (80, 90))])
def test_a_fast_one_takes_images_of_any_size(size, shape):
    codes = fast(size).eval()(image(*shape).expand(2, -1, -1, -1))
    assert codes.shape == (2, 100, 1, 1)
    assert torch.isfinite(codes).all()
