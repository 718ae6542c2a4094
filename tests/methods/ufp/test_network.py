"""The whole network against the reference, its names, its size, its padding."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.core.errors import NotSupportedError
from methods.ufp import network as module
from methods.ufp.estimator import standardised, uncertain
from methods.ufp.network import Shape, UfpNet, decoded, padded_to
from methods.ufp.published import renamed
from tests.methods.ufp.rule import filled, manifest

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
    """Kernels, and what the network adds to the image; `noise` moves the kernels' codes."""
    padded = padded_to(image, network.shape.stride)
    with torch.no_grad():
        kernels = network.kernels(padded)
        if noise is not None:
            softmax, sigma = network.estimator(padded)
            kernels = decoded(network.flow, uncertain(standardised(softmax), sigma, noise))
        residual = network.restorer(padded, network.restorer.kernel_features(kernels))
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


SMALL = Shape(
    width=4, encoder=(1, 1, 1), decoder=(1, 1, 1), kernel_size=5, estimator=(2, 3, 4), flow_hidden=3
)


def random_network(shape, seed=0):
    """Also what starts at zero is random."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = UfpNet(shape).double().eval()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return network


@pytest.mark.parametrize("every", [1, 3])
def test_tiles_leave_no_trace(monkeypatch, every):
    network = random_network(SMALL)
    image = torch.rand(1, 3, 150, 203, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, kernels = network(image, every=every)
        monkeypatch.setattr(module, "TILE", 64)
        tiled, same = network(image, every=every)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-12)
    np.testing.assert_allclose(same, kernels, rtol=0, atol=1e-12)
    assert kernels.shape[-2:] == (-(-150 // every), -(-203 // every))


def test_an_overlap_that_is_too_small_would_show(monkeypatch):
    network = random_network(SMALL)
    image = torch.rand(1, 3, 96, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        _, whole = network(image)
        monkeypatch.setattr(module, "TILE", 32)
        monkeypatch.setattr(module, "OVERLAP", 8)
        _, tiled = network(image)
    assert not np.allclose(tiled, whole, rtol=0, atol=1e-12)


def test_noise_is_drawn_from_the_generator_and_moves_the_kernels():
    network, image = random_network(SMALL), torch.rand(1, 3, 24, 24, dtype=torch.float64)
    with torch.no_grad():
        first, second, other = (network(image, torch.Generator().manual_seed(seed))[1] for seed in (0, 0, 1))
        _, still = network(image)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first, still)


def test_some_kernels_are_decoded_and_their_neighbours_take_them():
    network = random_network(SMALL)
    image = torch.rand(1, 3, 25, 26, dtype=torch.float64)
    dense, coarse = network.kernels(image), network.kernels(image, decoded_every=2)
    assert coarse.shape == dense.shape
    for top, left in ((0, 0), (0, 1), (1, 0), (1, 1)):
        taken = coarse[..., top::2, left::2]
        torch.testing.assert_close(taken, dense[..., ::2, ::2][..., : taken.shape[-2], : taken.shape[-1]])


def test_kernels_may_come_from_the_softmax_alone():
    network = random_network(replace(SMALL, kernel_form="softmax"))
    assert network.flow is None
    with torch.no_grad():
        _, kernels = network(torch.rand(1, 3, 24, 24, dtype=torch.float64))
    np.testing.assert_allclose(kernels.sum(1), 1, rtol=0, atol=1e-12)


def test_without_uncertainty_the_code_is_decoded_as_it_is():
    certain = random_network(replace(SMALL, kernel_form="flow"))
    image = torch.rand(1, 3, 24, 24, dtype=torch.float64)
    with torch.no_grad():
        softmax, sigma = certain.estimator(image)
        assert sigma is None
        expected = decoded(certain.flow, standardised(softmax))
        torch.testing.assert_close(certain.kernels(image), expected)
