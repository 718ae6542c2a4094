"""The whole network against the reference, its names, its size, its padding."""

import numpy as np
import pytest
import torch

from benchmark.types import NotSupportedError
from methods.ufpnet.network import Shape, UfpNet, padded_to
from methods.ufpnet.published import renamed
from tests.methods.ufpnet.rule import filled, manifest

TINY = Shape(width=8, encoder=(1, 1, 1, 2), trained_on=0)


def published_shapes(network):
    """Published name to shape for a network of other sizes than the official one."""
    ours = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    names = {name: next(iter(renamed({name: torch.empty(0)})), None) for name in manifest()}
    return {name: ours[mine] for name, mine in names.items() if mine in ours}


def rule_network(shape):
    """The network, float64, with the rule's weights."""
    with torch.random.fork_rng():
        network = UfpNet(shape).double().eval()
    state = network.state_dict() | renamed(filled(published_shapes(network)))
    network.load_state_dict(state)
    return network


def residual_of(network, image, noise=None):
    """What the network adds to the image."""
    padded = padded_to(image, network.shape.stride)
    with torch.no_grad():
        kernels = network.kernels(padded, noise)
        residual = network.restorer(padded, kernels)
    return kernels, residual[..., : image.shape[-2], : image.shape[-1]]


def at_pixels(kernels, arrays):
    return kernels[0].flatten(1).T[torch.from_numpy(arrays["pixel_index"])]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("ufpnet_e2e_tiny", TINY),
        ("ufpnet_e2e_tiny_local", Shape(width=8, encoder=(1, 1, 1, 2), trained_on=32)),
        ("ufpnet_e2e_official", Shape(trained_on=0)),
    ],
)
def test_the_network_matches_the_reference(fixture, name, shape):
    arrays = fixture(name)
    network, image = rule_network(shape), torch.from_numpy(arrays["image"])
    kernels, residual = residual_of(network, image)
    pixels = arrays["zero/kernel_pixels"].reshape(-1, 361)
    np.testing.assert_allclose(at_pixels(kernels, arrays), pixels, rtol=0, atol=1e-9)
    np.testing.assert_allclose(residual, arrays["zero/residual"], rtol=0, atol=1e-9)
    restored, field = network(image)
    np.testing.assert_allclose(restored.detach(), arrays["zero/output"], rtol=0, atol=1e-9)
    assert field.shape == (1, 361, *image.shape[-2:])


def test_noise_moves_the_kernels_as_in_the_reference(fixture):
    arrays = fixture("ufpnet_e2e_tiny")
    height, width = arrays["padded_hw"]
    noise = np.random.RandomState(99).standard_normal((1, height * width, 361))
    noise = torch.from_numpy(noise).unflatten(1, (int(height), int(width))).permute(0, 3, 1, 2)
    _, residual = residual_of(rule_network(TINY), torch.from_numpy(arrays["image"]), noise)
    np.testing.assert_allclose(residual, arrays["eps/residual"], rtol=0, atol=1e-9)


def test_every_published_tensor_has_its_place_and_the_parameters_are_the_papers():
    with torch.device("meta"):
        network = UfpNet(Shape())
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    published = {name: torch.empty(shape, device="meta") for name, shape in manifest().items()}
    ours = renamed(published)
    assert {name: tensor.shape for name, tensor in ours.items()} == shapes
    unused = 2 * (361 * 361 * 4 + 361)  # of convolutions that influence nothing
    assert sum(parameter.numel() for parameter in network.parameters()) + unused == 80_343_663


def test_without_kernels_it_is_nafnet():
    with torch.device("meta"):
        network = UfpNet(Shape(kernel_size=0))
    assert sum(parameter.numel() for parameter in network.parameters()) == 67_888_835
    restored, kernels = UfpNet(Shape(width=4, encoder=(1, 1), decoder=(1, 1), kernel_size=0))(
        torch.rand(1, 3, 21, 30)
    )
    assert restored.shape == (1, 3, 21, 30)
    assert kernels is None


def test_images_too_small_to_be_mirrored_are_declined():
    assert padded_to(torch.rand(1, 3, 17, 32), 16).shape == (1, 3, 32, 32)
    with pytest.raises(NotSupportedError, match="multiples of 16 px a side, this one has 8 x 40"):
        padded_to(torch.rand(1, 3, 8, 40), 16)
